"""H.264's payload structures (RFC 6184): single NAL unit, STAP-A and FU-A; the others are not used in
WebRTC."""

from mediaserver.rtp.bits import BitReader
from mediaserver.rtp.payload.facts import PayloadFacts

NAL_SLICE = 1
NAL_IDR = 5
NAL_SPS = 7
NAL_ACCESS_UNIT_DELIMITER = 9
NAL_STAP_A = 24
NAL_FU_A = 28

MAX_AGGREGATED = 64
"""NAL units looked at in one STAP-A."""

MAX_SPS_BYTES = 256
"""Octets of a sequence parameter set that are read; usual ones have 10 to 40."""

_HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
"""profile_idc values with chroma and scaling fields (ITU-T H.264, section 7.3.2.1.1)."""

_CHROMA_444 = 3
_MAX_PICTURE_MBS = 1024
"""Widest and highest picture in macroblocks (16,384 pixels); more is damage."""

_START = PayloadFacts(False, True, 0, 0, None, None)
_REST = PayloadFacts(False, False, 0, 0, None, None)
_KEYFRAME = PayloadFacts(True, True, 0, 0, None, None)


def inspect_h264(payload: bytes) -> PayloadFacts:
    """The facts of an H.264 payload. A key frame begins with an SPS or with an IDR picture's first slice.

    Raises ValueError when an aggregated or fragmented unit is truncated.
    """
    if not payload:
        raise ValueError("H264 payload empty")
    kind = payload[0] & 0x1F
    if kind == NAL_FU_A:
        if len(payload) < 3:
            raise ValueError("H264 FU-A truncated")
        if not payload[1] & 0x80:
            return _REST
        return _facts_of_unit(payload[1] & 0x1F, payload, 1)
    if kind != NAL_STAP_A:
        return _facts_of_unit(kind, payload, 0)
    facts = _REST
    size = len(payload)
    at = 1
    for _ in range(MAX_AGGREGATED):
        if at >= size:
            break
        if at + 3 > size:
            raise ValueError("H264 STAP-A truncated")
        start = at + 2
        at = start + (payload[at] << 8 | payload[at + 1])
        if at > size or at == start:
            raise ValueError("H264 STAP-A unit length invalid")
        unit = _facts_of_unit(payload[start] & 0x1F, payload[start:at], 0)
        if unit.keyframe and unit.width is not None:
            return unit
        if unit.keyframe or (unit.frame_start and not facts.keyframe):
            facts = unit
    return facts


def _facts_of_unit(kind: int, unit: bytes, header_at: int) -> PayloadFacts:
    """The facts of a NAL unit of type `kind` whose (FU) header octet is at `header_at`."""
    if kind == NAL_SPS:
        try:
            width, height = parse_h264_picture_size(unit[header_at + 1 : header_at + 1 + MAX_SPS_BYTES])
        except ValueError:
            return _KEYFRAME
        return PayloadFacts(True, True, 0, 0, width, height)
    if kind in (NAL_SLICE, NAL_IDR):
        # first_mb_in_slice is an Exp-Golomb number: a leading 1 means 0, the picture's first macroblock.
        if len(unit) > header_at + 1 and unit[header_at + 1] & 0x80:
            return _KEYFRAME if kind == NAL_IDR else _START
        return _REST
    return _START if kind == NAL_ACCESS_UNIT_DELIMITER else _REST


def parse_h264_picture_size(sps: bytes) -> tuple[int, int]:
    """(width, height) after cropping, of an SPS without its NAL header: ITU-T H.264, section 7.3.2.1.1.

    Raises ValueError when the SPS is truncated or a field is out of range.
    """
    # Every 00 00 03 within a unit stands for 00 00 (section 7.4.1).
    bits = BitReader(sps[:MAX_SPS_BYTES].replace(b"\0\0\3", b"\0\0"), "H264 SPS")
    profile = bits.read(8)
    bits.skip(16)  # constraint flags, level_idc
    bits.read_exp_golomb()  # seq_parameter_set_id
    chroma_format = 1
    separate_planes = False
    if profile in _HIGH_PROFILES:
        chroma_format = bits.read_exp_golomb()
        if chroma_format > _CHROMA_444:
            raise ValueError("H264 SPS: chroma_format_idc out of range")
        if chroma_format == _CHROMA_444:
            separate_planes = bits.flag()
        bits.read_exp_golomb()  # bit_depth_luma_minus8
        bits.read_exp_golomb()  # bit_depth_chroma_minus8
        bits.skip(1)
        if bits.flag():  # seq_scaling_matrix_present_flag
            for index in range(12 if chroma_format == _CHROMA_444 else 8):
                if bits.flag():
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.read_exp_golomb()  # log2_max_frame_num_minus4
    order_type = bits.read_exp_golomb()
    if order_type == 0:
        bits.read_exp_golomb()
    elif order_type == 1:
        bits.skip(1)
        bits.read_exp_golomb()
        bits.read_exp_golomb()
        cycle = bits.read_exp_golomb()
        if cycle > 255:
            raise ValueError("H264 SPS: num_ref_frames_in_pic_order_cnt_cycle out of range")
        for _ in range(cycle):
            bits.read_exp_golomb()
    bits.read_exp_golomb()  # max_num_ref_frames
    bits.skip(1)
    width_mbs = bits.read_exp_golomb() + 1
    height_units = bits.read_exp_golomb() + 1
    frame_mbs_only = bits.flag()
    if width_mbs > _MAX_PICTURE_MBS or height_units > _MAX_PICTURE_MBS:
        raise ValueError("H264 SPS: picture size out of range")
    if not frame_mbs_only:
        bits.skip(1)
    bits.skip(1)
    fields = 1 if frame_mbs_only else 2
    width, height = 16 * width_mbs, 16 * height_units * fields
    if bits.flag():  # frame_cropping_flag
        subsampled = not separate_planes
        unit_x = 2 if subsampled and chroma_format in (1, 2) else 1
        unit_y = fields * (2 if subsampled and chroma_format == 1 else 1)
        width -= unit_x * (bits.read_exp_golomb() + bits.read_exp_golomb())
        height -= unit_y * (bits.read_exp_golomb() + bits.read_exp_golomb())
        if width <= 0 or height <= 0:
            raise ValueError("H264 SPS: cropping exceeds the picture")
    return width, height


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    """scaling_list() of section 7.3.2.1.1.1."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.read_signed_exp_golomb()) % 256
            last = following or last
