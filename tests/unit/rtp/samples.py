"""Payload samples for tests and fuzz corpora, each with what is known of it from where it was made."""

from collections.abc import Sequence

H264_PARAMETER_SETS: dict[str, tuple[bytes, tuple[int, int]]] = {
    "high, cropped": (bytes.fromhex("67640020acb200ac0c3cdc20000003002000000791e30649"), (1366, 768)),
    "baseline": (bytes.fromhex("6742c01ed900a02ff9610000030001000003003c8f162e48"), (640, 360)),
    "main, interlaced": (bytes.fromhex("674d4020f200a0177e5840000003004000000f27c58b92"), (1280, 720)),
    "high 4:4:4": (bytes.fromhex("67f4000d9196405421e3e3e10000030001000003003c8f142a48"), (322, 242)),
}
"""Sequence parameter sets that x264 made, with the sizes it was asked for."""

AV1_SEQUENCE_HEADER = bytes.fromhex("0000002d4cfdb344af9004")
"""Made by SVT-AV1, without its OBU header; 1278 x 718."""

VP8_KEYFRAME = bytes.fromhex("900f009d012a4201b200004708858588")
"""The head of a key frame that libvpx made, 322 x 178."""

VP8_DELTA_FRAME = bytes.fromhex("7109000510ac0018")


class BitWriter:
    """Writes big-endian bit fields."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def write(self, value: int, count: int) -> None:
        """The low `count` bits of `value`."""
        if count:
            self._bits.append(format(value, f"0{count}b"))

    def non_symmetric(self, value: int, values: int) -> None:
        """ns(n) of the AV1 specification, section 4.10.7."""
        width = values.bit_length()
        short = (1 << width) - values
        if value < short:
            self.write(value, width - 1)
        else:
            self.write((value + short) >> 1, width - 1)
            self.write((value + short) & 1, 1)

    def data(self) -> bytes:
        """All fields, filled with zero bits to a whole octet."""
        bits = "".join(self._bits)
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8) if bits else b""


def write_dependency_descriptor(
    *,
    template_id: int,
    frame_number: int,
    start: bool = True,
    end: bool = False,
    template_id_offset: int = 0,
    layers: Sequence[tuple[int, int]] = (),
    indications: Sequence[Sequence[int]] = (),
    differences: Sequence[Sequence[int]] = (),
    chains: Sequence[Sequence[int]] = (),
    protected_by: Sequence[int] = (),
    resolutions: Sequence[tuple[int, int]] = (),
    active: int | None = None,
    targets: int = 0,
    custom_indications: Sequence[int] = (),
) -> bytes:
    """A dependency descriptor (RTP Payload Format For AV1, A.8); with a template structure if there are
    `layers`.

    `targets` is the number of decode targets that `active` is a mask of, when no structure is written.
    """
    bits = BitWriter()
    bits.write(start, 1)
    bits.write(end, 1)
    bits.write(template_id, 6)
    bits.write(frame_number, 16)
    if not layers and active is None and not custom_indications:
        return bits.data()
    bits.write(bool(layers), 1)
    bits.write(active is not None, 1)
    bits.write(bool(custom_indications), 1)
    bits.write(0, 2)
    if layers:
        targets = len(indications[0])
        bits.write(template_id_offset, 6)
        bits.write(targets - 1, 5)
        for here, following in zip(layers, [*layers[1:], None], strict=True):
            if following is None:
                bits.write(3, 2)
            elif following == here:
                bits.write(0, 2)
            else:
                bits.write(1 if following[0] == here[0] else 2, 2)
        for template in indications:
            for indication in template:
                bits.write(indication, 2)
        for template in differences:
            for difference in template:
                bits.write(1, 1)
                bits.write(difference - 1, 4)
            bits.write(0, 1)
        chain_count = len(chains[0]) if chains else 0
        bits.non_symmetric(chain_count, targets + 1)
        if chain_count:
            for chain in protected_by:
                bits.non_symmetric(chain, chain_count)
            for template in chains:
                for difference in template:
                    bits.write(difference, 4)
        bits.write(bool(resolutions), 1)
        for width, height in resolutions:
            bits.write(width - 1, 16)
            bits.write(height - 1, 16)
    if active is not None:
        bits.write(active, targets)
    for indication in custom_indications:
        bits.write(indication, 2)
    return bits.data()


L1T2_KEYFRAME = write_dependency_descriptor(
    template_id=60,
    frame_number=1,
    template_id_offset=60,
    layers=[(0, 0), (0, 0), (0, 1)],
    indications=[(2, 2), (2, 3), (0, 1)],
    differences=[(), (2,), (1,)],
    chains=[(0,), (2,), (1,)],
    protected_by=[0, 0],
    resolutions=[(1280, 720)],
)
"""One spatial and two temporal layers; templates 60 (key), 61 (T0) and 62 (T1)."""

L2T2_KEYFRAME = write_dependency_descriptor(
    template_id=0,
    frame_number=0xFFFF,
    end=True,
    layers=[(0, 0), (0, 0), (0, 1), (1, 0), (1, 0), (1, 1)],
    indications=[(2, 2, 2, 2), (2, 2, 2, 2), (0, 1, 0, 1), (0, 0, 2, 2), (0, 0, 3, 3), (0, 0, 0, 1)],
    differences=[(), (4,), (2,), (1,), (4, 1), (2, 1)],
    chains=[(0, 0), (4, 3), (2, 1), (1, 1), (1, 1), (3, 2)],
    protected_by=[0, 0, 1, 1],
    resolutions=[(320, 180), (640, 360)],
)
"""Two spatial and two temporal layers; templates 0 to 5."""
