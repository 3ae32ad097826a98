"""Packets by hand."""

import struct


def rtp(sequence: int, ssrc: int = 0x1234, payload: bytes = b"x" * 200, payload_type: int = 96) -> bytes:
    """A plain RTP packet without extensions."""
    return struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, 90 * sequence, ssrc) + payload


def receiver_report(ssrc: int) -> bytes:
    """An empty receiver report."""
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc)
