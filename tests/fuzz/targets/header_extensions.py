"""Header extension blocks and the values of every extension that the server reads."""

from collections.abc import Callable

from mediaserver.rtp.extensions import (
    build_extensions,
    encode_abs_send_time,
    encode_audio_level,
    encode_playout_delay,
    encode_transport_sequence,
    parse_abs_send_time,
    parse_audio_level,
    parse_extensions,
    parse_playout_delay,
    parse_stream_id,
    parse_transport_sequence,
    parse_video_orientation,
)
from mediaserver.rtp.packet import build_rtp, parse_rtp

NAME = "header-extensions"
ALLOWED: tuple[type[Exception], ...] = (ValueError,)
MAX_BYTES = 1500

VALUE_PARSERS: tuple[Callable[[bytes], object], ...] = (
    parse_audio_level,
    parse_transport_sequence,
    parse_abs_send_time,
    parse_playout_delay,
    parse_video_orientation,
    parse_stream_id,
)

CORPUS: list[bytes] = [
    build_extensions(items)
    for items in (
        [(1, encode_audio_level(30, True))],
        [(1, b"0"), (2, b"h"), (3, encode_transport_sequence(65535)), (4, encode_abs_send_time(63.9))],
        [(5, encode_playout_delay(0, 400)), (6, b"\x03"), (14, bytes(16))],
        [(1, b""), (15, b"mid"), (255, bytes(range(255)))],
    )
]

_HEADER = build_rtp(payload_type=96, sequence_number=1, timestamp=2, ssrc=3)


def run(data: bytes) -> None:
    """Takes the input for an extension block, and its elements for values of every kind."""
    packet = parse_rtp(b"\x90" + _HEADER[1:] + data)
    items = parse_extensions(packet)
    for _, value in items:
        for parse in VALUE_PARSERS:
            try:
                parse(value)
            except ValueError:
                pass
    if items:
        again = parse_rtp(b"\x90" + _HEADER[1:] + build_extensions(items))
        assert parse_extensions(again) == items
