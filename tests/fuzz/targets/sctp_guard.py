"""SCTP packets from a participant: the guard, and behind it aiortc's own parser and association.

What the guard lets through must not stall or blow up aiortc's parser.
"""

import struct

from aiortc.rtcsctptransport import (
    RECONFIG_PARAM_TYPES,
    InitAckChunk,
    InitChunk,
    ReconfigChunk,
    SackChunk,
    parse_packet,
)
from google_crc32c import value as crc32c

from mediaserver.transport.errors import SctpBreachError
from mediaserver.transport.sctp_guard import SctpGuard

NAME = "sctp_guard"

OURS, THEIRS = 5000, 1000


def _packet(*chunks: bytes) -> bytes:
    header = struct.pack("!HHI", 5000, 5000, 1)
    body = b"".join(chunks)
    return header + struct.pack("<I", crc32c(header + bytes(4) + body)) + body


def _chunk(kind: int, value: bytes, flags: int = 3) -> bytes:
    return struct.pack("!BBH", kind, flags, len(value) + 4) + value + bytes(-len(value) & 3)


_INIT = _chunk(1, struct.pack("!IIHHIHHHH", 7, 1 << 20, 1024, 1024, THEIRS, 0xC000, 4, 0x8008, 4))
_DATA = _chunk(0, struct.pack("!IHHI", THEIRS, 0, 0, 53) + b"payload")
_SACK = _chunk(3, struct.pack("!IIHHHHHHI", OURS + 1, 1 << 20, 2, 1, 2, 3, 5, 6, 9))

CORPUS: list[bytes] = [
    _packet(_INIT),
    _packet(_DATA),
    _packet(_SACK),
    _packet(_DATA, _SACK),
    _packet(_chunk(4, struct.pack("!HHQ", 1, 12, 7))),
    _packet(_chunk(192, struct.pack("!IHH", THEIRS + 5, 0, 1))),
    _packet(_chunk(130, struct.pack("!HHIIIHH", 13, 20, 1, 1, 1, 0, 1))),
    _packet(_chunk(130, struct.pack("!HHII", 16, 12, 1, 1))),
    _packet(_chunk(6, b""), _chunk(7, bytes(4)), _chunk(10, bytes(24)), _chunk(11, b"")),
    _packet(
        _chunk(0, struct.pack("!IHHI", THEIRS, 0, 0, 50) + struct.pack("!BBHLHH", 3, 0, 0, 0, 1, 0) + b"x")
    ),
]

ALLOWED: tuple[type[Exception], ...] = (SctpBreachError,)


def run(data: bytes) -> None:
    """Judge in a fresh association and in one under way; parse what passes as aiortc does."""
    for established in (False, True):
        guard = SctpGuard()
        guard.outbound(_packet(_chunk(1, struct.pack("!IIHHI", 7, 1 << 20, 1024, 1024, OURS))))
        if established:
            guard.inbound(_packet(_INIT))
            for index in range(20):
                guard.outbound(_packet(_chunk(0, struct.pack("!IHHI", OURS + index, 0, 0, 53) + b"x")))
        if guard.inbound(data):
            _parse_like_aiortc(data)


def _parse_like_aiortc(data: bytes) -> None:
    header = data[:8]
    checked = header + struct.pack("<I", crc32c(header + bytes(4) + data[12:])) + data[12:]
    *_, chunks = parse_packet(checked)
    for chunk in chunks:
        if isinstance(chunk, SackChunk) and sum(last - first for first, last in chunk.gaps) > 65536:
            raise AssertionError("gap blocks too wide")
        if isinstance(chunk, ReconfigChunk):
            for kind, value in chunk.params:
                if kind in RECONFIG_PARAM_TYPES:
                    RECONFIG_PARAM_TYPES[kind].parse(value)
        if isinstance(chunk, (InitChunk, InitAckChunk)) and not chunk.initiate_tag:
            raise AssertionError("tag of zero")
