"""AV1's aggregation header and sequence header (RTP Payload Format For AV1, section 4.4; AV1 specification,
5.5)."""

from typing import NamedTuple

from mediaserver.rtp.bits import BitReader
from mediaserver.rtp.payload.dependency_descriptor import DependencyDescriptor
from mediaserver.rtp.payload.facts import PayloadFacts

OBU_SEQUENCE_HEADER = 1
OBU_FRAME_HEADER = 3
OBU_FRAME = 6

MAX_ELEMENTS = 64
"""OBU elements looked at in one packet."""

MAX_SEQUENCE_HEADER_BYTES = 128
"""Octets of a sequence header that are read; the picture size is well within."""

MAX_LEB128_BYTES = 8
"""AV1 specification, section 4.10.5."""


class Av1Payload(NamedTuple):
    """What a packet's aggregation header and OBU headers say."""

    continues: bool
    """Z bit: the first element is the rest of the previous packet's last."""
    continued: bool
    """Y bit: the last element goes on in the next packet."""
    new_sequence: bool
    """N bit: first packet of a coded video sequence."""
    first_obu: int | None
    """Type of the first OBU that begins in this packet; None if none does."""
    temporal_layer: int
    spatial_layer: int
    """Of the first OBU with an extension header; 0 if there is none."""
    sequence_header: bytes | None
    """The sequence header's payload, if one begins here; perhaps cut short."""


def parse_av1(payload: bytes) -> Av1Payload:
    """Reads the aggregation header and the headers of the OBUs that begin in a payload.

    Raises ValueError when an element is truncated, an OBU's forbidden bit is set, or N and Z are both set.
    """
    size = len(payload)
    if size < 2:
        raise ValueError("AV1 payload truncated")
    head = payload[0]
    continues = head & 0x80 != 0
    count = head >> 4 & 3
    new_sequence = head & 0x08 != 0
    if new_sequence and continues:
        raise ValueError("AV1 aggregation header: both N and Z set")
    first_obu = None
    temporal_layer = spatial_layer = 0
    layered = False
    sequence_header = None
    at = 1
    for index in range(MAX_ELEMENTS):
        if at >= size:
            break
        if index + 1 == count:
            stop = size  # the last of `count` elements has no length
        else:
            length, at = _read_leb128(payload, at)
            stop = at + length
            if stop > size:
                raise ValueError("AV1 OBU element truncated")
        if at < stop and not (index == 0 and continues):
            obu = payload[at]
            if obu & 0x80:
                raise ValueError("AV1 OBU forbidden bit set")
            obu_type = obu >> 3 & 0x0F
            if first_obu is None:
                first_obu = obu_type
            begin = at + 1
            if obu & 0x04:
                if begin >= stop:
                    raise ValueError("AV1 OBU extension missing")
                if not layered:
                    layered = True
                    temporal_layer = payload[begin] >> 5
                    spatial_layer = payload[begin] >> 3 & 3
                begin += 1
            if obu_type == OBU_SEQUENCE_HEADER and sequence_header is None:
                if obu & 0x02:  # obu_has_size_field: not meant to be sent, but allowed
                    _, begin = _read_leb128(payload, begin)
                sequence_header = payload[begin : min(stop, begin + MAX_SEQUENCE_HEADER_BYTES)]
        at = stop
        if index + 1 == count:
            break
    return Av1Payload(
        continues,
        head & 0x40 != 0,
        new_sequence,
        first_obu,
        temporal_layer,
        spatial_layer,
        sequence_header,
    )


def _read_leb128(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at` and the offset after it."""
    value = 0
    for index in range(MAX_LEB128_BYTES):
        if at >= len(data):
            raise ValueError("AV1 length truncated")
        octet = data[at]
        at += 1
        value |= (octet & 0x7F) << 7 * index
        if octet < 0x80:
            return value, at
    raise ValueError("AV1 length too long")


def parse_av1_picture_size(sequence_header: bytes) -> tuple[int, int]:
    """(width, height) of the largest frame: sequence_header_obu(), AV1 specification, section 5.5.1.

    Raises ValueError when the header is truncated.
    """
    bits = BitReader(sequence_header[:MAX_SEQUENCE_HEADER_BYTES], "AV1 sequence header")
    bits.skip(4)  # seq_profile, still_picture
    if bits.flag():  # reduced_still_picture_header
        bits.skip(5)
    else:
        _skip_operating_points(bits)
    width_bits = bits.read(4) + 1
    height_bits = bits.read(4) + 1
    width = bits.read(width_bits) + 1
    return width, bits.read(height_bits) + 1


def _skip_operating_points(bits: BitReader) -> None:
    decoder_model = False
    delay_bits = 0
    if bits.flag():  # timing_info_present_flag
        bits.skip(64)
        if bits.flag():  # equal_picture_interval
            bits.read_exp_golomb()
        decoder_model = bits.flag()
        if decoder_model:
            delay_bits = bits.read(5) + 1
            bits.skip(42)
    initial_display_delay = bits.flag()
    for _ in range(bits.read(5) + 1):
        bits.skip(12)
        if bits.read(5) > 7:  # seq_level_idx
            bits.skip(1)
        if decoder_model and bits.flag():
            bits.skip(2 * delay_bits + 1)
        if initial_display_delay and bits.flag():
            bits.skip(4)


def av1_facts(parsed: Av1Payload) -> PayloadFacts:
    """The facts that the payload alone tells."""
    width = height = None
    if parsed.sequence_header is not None:
        try:
            width, height = parse_av1_picture_size(parsed.sequence_header)
        except ValueError:
            pass  # cut short by the packet's end: the key frame counts, the size is not known
    return PayloadFacts(
        parsed.new_sequence or parsed.sequence_header is not None,
        not parsed.continues
        and (parsed.new_sequence or parsed.first_obu in (OBU_SEQUENCE_HEADER, OBU_FRAME_HEADER, OBU_FRAME)),
        parsed.spatial_layer,
        parsed.temporal_layer,
        width,
        height,
    )


def inspect_av1(payload: bytes) -> PayloadFacts:
    """The facts of an AV1 payload without a dependency descriptor. Raises ValueError when it is damaged."""
    return av1_facts(parse_av1(payload))


def facts_of_descriptor(descriptor: DependencyDescriptor) -> PayloadFacts:
    """The facts that a dependency descriptor tells, whatever the codec and even if the payload is
    encrypted."""
    template = descriptor.template
    structure = descriptor.structure
    width = height = None
    if structure is not None and structure.resolutions:
        width, height = max(structure.resolutions)
    return PayloadFacts(
        structure is not None and descriptor.start_of_frame,
        descriptor.start_of_frame,
        template.spatial_layer if template is not None else 0,
        template.temporal_layer if template is not None else 0,
        width,
        height,
    )
