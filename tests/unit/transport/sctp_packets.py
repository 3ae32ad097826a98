"""SCTP packets for tests, honest and otherwise; the checksum is right."""

import struct

from google_crc32c import value as crc32c


def packet(*chunks: bytes, tag: int = 1) -> bytes:
    """Common header and chunks."""
    header = struct.pack("!HHI", 5000, 5000, tag)
    body = b"".join(chunks)
    return header + struct.pack("<I", crc32c(header + bytes(4) + body)) + body


def chunk(kind: int, value: bytes, flags: int = 0, length: int | None = None) -> bytes:
    """One chunk, padded; ``length`` lies about its size."""
    size = len(value) + 4 if length is None else length
    return struct.pack("!BBH", kind, flags, size) + value + bytes(-len(value) & 3)


def init(tsn: int = 1000, tag: int = 7, params: bytes = b"", kind: int = 1, streams: int = 65535) -> bytes:
    return chunk(kind, struct.pack("!IIHHI", tag, 1 << 20, streams, streams, tsn) + params)


def data(tsn: int, stream: int = 0, payload: bytes = b"x", sequence: int = 0, flags: int = 3) -> bytes:
    return chunk(0, struct.pack("!IHHI", tsn & 0xFFFFFFFF, stream, sequence, 53) + payload, flags)


def sack(cumulative: int, gaps: list[tuple[int, int]] | None = None, duplicates: int = 0) -> bytes:
    gaps = gaps or []
    value = struct.pack("!IIHH", cumulative & 0xFFFFFFFF, 1 << 20, len(gaps), duplicates)
    value += b"".join(struct.pack("!HH", *gap) for gap in gaps) + bytes(4 * duplicates)
    return chunk(3, value)


def forward_tsn(tsn: int, streams: int = 0) -> bytes:
    return chunk(192, struct.pack("!I", tsn) + b"".join(struct.pack("!HH", i, 0) for i in range(streams)))


def reset_streams(streams: list[int]) -> bytes:
    value = struct.pack("!III", 1, 1, 1) + b"".join(struct.pack("!H", stream) for stream in streams)
    return chunk(130, struct.pack("!HH", 13, len(value) + 4) + value)


EVIL_INIT = packet(init(params=struct.pack("!HHI", 0xC000, 0, 0)), tag=0)
"""A parameter of length 0: aiortc's loop over parameters never ends."""

EVIL_SACK_GAPS = [(0, 65535)] * 280
