"""RTP packets with their header extensions."""

from mediaserver.rtp.extensions import parse_extensions
from mediaserver.rtp.packet import build_rtp, is_rtcp, parse_rtp
from tests.unit.rtp.captures import CAPTURES

NAME = "rtp"
ALLOWED: tuple[type[Exception], ...] = (ValueError,)
MAX_BYTES = 2048

CORPUS: list[bytes] = [
    build_rtp(payload_type=111, sequence_number=1, timestamp=960, ssrc=0x01020304, payload=b"opus" * 20),
    build_rtp(
        payload_type=96,
        sequence_number=0xFFFF,
        timestamp=0xFFFF_FFFF,
        ssrc=5,
        payload=b"\x90\xe0\x81\x23\x05\x0avideo",
        marker=True,
        extensions=[(3, b"\x00\x01"), (4, b"0"), (2, b"\x01\x02\x03")],
    ),
    build_rtp(
        payload_type=97,
        sequence_number=7,
        timestamp=8,
        ssrc=9,
        payload=b"rtx",
        csrcs=[1, 2, 3],
        extensions=[(1, b""), (200, bytes(40))],
        padding_length=13,
    ),
    build_rtp(payload_type=96, sequence_number=7, timestamp=8, ssrc=9, padding_length=255),
]

CORPUS += [data for capture in CAPTURES.values() for data in capture.rtp[:12]]


def run(data: bytes) -> None:
    """Parses a packet; its offsets must lie within it, in order."""
    is_rtcp(data)
    packet = parse_rtp(data)
    assert 12 + 4 * packet.csrcs_count <= packet.extension_start <= packet.extension_end
    assert packet.extension_end == packet.payload_start <= packet.payload_end <= len(data)
    assert len(packet.payload) + packet.padding_length + packet.payload_start == len(data)
    assert len(packet.csrcs) == packet.csrcs_count
    parse_extensions(packet)
