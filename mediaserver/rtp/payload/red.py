"""Redundant audio (RFC 2198): each packet repeats earlier frames before its own, the primary."""

from collections.abc import Sequence

MAX_BLOCKS = 32
"""Blocks read from one packet; WebRTC senders use two or three."""

MAX_TIMESTAMP_OFFSET = (1 << 14) - 1
MAX_BLOCK_LENGTH = (1 << 10) - 1


def parse_red(payload: bytes) -> list[tuple[int, int, bytes]]:
    """The blocks as (payload type, timestamp offset, data), oldest first and the primary last.

    A block's timestamp is the packet's minus its offset, which is 0 for the primary. Raises ValueError when
    headers or blocks are truncated, or beyond 32 blocks.
    """
    size = len(payload)
    headers: list[tuple[int, int, int]] = []
    at = 0
    while True:
        if at >= size:
            raise ValueError("RED header truncated")
        first = payload[at]
        if first < 0x80:
            break
        if at + 4 > size:
            raise ValueError("RED header truncated")
        if len(headers) == MAX_BLOCKS - 1:
            raise ValueError("RED: too many blocks")
        bits = payload[at + 1] << 16 | payload[at + 2] << 8 | payload[at + 3]
        headers.append((first & 0x7F, bits >> 10, bits & 0x3FF))
        at += 4
    at += 1
    blocks: list[tuple[int, int, bytes]] = []
    for payload_type, offset, length in headers:
        stop = at + length
        if stop > size:
            raise ValueError("RED block truncated")
        blocks.append((payload_type, offset, payload[at:stop]))
        at = stop
    blocks.append((first, 0, payload[at:]))
    return blocks


def primary_of_red(payload: bytes) -> bytes:
    """The newest block's data. Raises ValueError as `parse_red` does."""
    return parse_red(payload)[-1][2]


def build_red(blocks: Sequence[tuple[int, int, bytes]]) -> bytes:
    """The payload made of (payload type, timestamp offset, data) blocks, the primary last.

    Raises ValueError without a block, or for a redundant block that its 14-bit offset or 10-bit length cannot
    state.
    """
    if not 0 < len(blocks) <= MAX_BLOCKS:
        raise ValueError("RED: number of blocks out of range")
    headers = bytearray()
    for payload_type, offset, data in blocks[:-1]:
        if not 0 <= payload_type <= 127:
            raise ValueError("RED payload type out of range")
        if not 0 <= offset <= MAX_TIMESTAMP_OFFSET:
            raise ValueError("RED timestamp offset out of range")
        if len(data) > MAX_BLOCK_LENGTH:
            raise ValueError("RED block too long")
        headers.append(0x80 | payload_type)
        headers += (offset << 10 | len(data)).to_bytes(3)
    if not 0 <= blocks[-1][0] <= 127:
        raise ValueError("RED payload type out of range")
    headers.append(blocks[-1][0])
    return bytes(headers) + b"".join(data for _, _, data in blocks)
