"""RTP header extensions: the one-byte and two-byte forms of RFC 8285, and the values that the server reads.

Identifiers are local to a session (a=extmap); `HeaderExtension` names the extensions by their URIs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mediaserver.rtp.packet import RtpPacket

ONE_BYTE_PROFILE = 0xBEDE
"""RFC 8285, section 4.2."""

TWO_BYTE_PROFILE = 0x1000
"""RFC 8285, section 4.3; the low four bits ("appbits") are free."""

MAX_ONE_BYTE_ID = 14
MAX_ONE_BYTE_LENGTH = 16
MAX_TWO_BYTE_ID = 255
MAX_TWO_BYTE_LENGTH = 255

MAX_STREAM_ID_BYTES = 255
"""Longest mid, rid or repaired rid that fits a header extension."""


class HeaderExtension(StrEnum):
    """The header extensions that the server understands; the value is the URI of a=extmap."""

    MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
    RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
    AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    TRANSPORT_SEQUENCE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
    PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
    DEPENDENCY_DESCRIPTOR = (
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
    )


def parse_extensions(packet: RtpPacket) -> list[tuple[int, bytes]]:
    """The (identifier, value) elements of a packet's header extension, in their order.

    A profile that is not RFC 8285's gives an empty list. Raises ValueError when an element overruns the
    block.
    """
    profile = packet.extension_profile
    if profile == 0xBEDE:
        return _parse_one_byte(packet.data, packet.extension_start, packet.extension_end)
    if profile & 0xFFF0 == 0x1000:
        return _parse_two_byte(packet.data, packet.extension_start, packet.extension_end)
    return []


def _parse_one_byte(data: bytes, at: int, end: int) -> list[tuple[int, bytes]]:
    items: list[tuple[int, bytes]] = []
    while at < end:
        head = data[at]
        at += 1
        if head == 0:
            continue  # padding
        if head < 0x10 or head >= 0xF0:
            break  # RFC 8285, section 4.2: identifier 0 with a length, or 15, ends the processing
        stop = at + (head & 0x0F) + 1
        if stop > end:
            raise ValueError("header extension element truncated")
        items.append((head >> 4, data[at:stop]))
        at = stop
    return items


def _parse_two_byte(data: bytes, at: int, end: int) -> list[tuple[int, bytes]]:
    items: list[tuple[int, bytes]] = []
    while at < end:
        identifier = data[at]
        at += 1
        if identifier == 0:
            continue  # padding
        if at == end:
            raise ValueError("header extension length missing")
        stop = at + 1 + data[at]
        if stop > end:
            raise ValueError("header extension element truncated")
        items.append((identifier, data[at + 1 : stop]))
        at = stop
    return items


def build_extensions(items: Sequence[tuple[int, bytes]]) -> bytes:
    """The whole extension block: profile, length, elements, padding to 32 bits; empty without items.

    The one-byte form is used when every element fits it. Raises ValueError for an identifier outside 1..255,
    a value longer than 255 octets, or a block longer than its 16-bit length says.
    """
    if not items:
        return b""
    parts = [b""]
    if all(
        0 < identifier <= MAX_ONE_BYTE_ID and 0 < len(value) <= MAX_ONE_BYTE_LENGTH
        for identifier, value in items
    ):
        profile = ONE_BYTE_PROFILE
        for identifier, value in items:
            parts.append(bytes((identifier << 4 | len(value) - 1,)))
            parts.append(value)
    else:
        profile = TWO_BYTE_PROFILE
        for identifier, value in items:
            if not 0 < identifier <= MAX_TWO_BYTE_ID:
                raise ValueError("header extension identifier out of range")
            if len(value) > MAX_TWO_BYTE_LENGTH:
                raise ValueError("header extension value too long")
            parts.append(bytes((identifier, len(value))))
            parts.append(value)
    size = sum(map(len, parts))
    words = (size + 3) // 4
    if words > 0xFFFF:
        raise ValueError("header extension block too long")
    parts[0] = profile.to_bytes(2) + words.to_bytes(2)
    parts.append(bytes(4 * words - size))
    return b"".join(parts)


class AudioLevel(NamedTuple):
    """How loud a packet's audio is (RFC 6464)."""

    level_dbov: int
    """0 (loudest) to 127 (silence): the level is minus this many dBov."""
    voice: bool
    """Whether the sender believes that there is speech."""


def parse_audio_level(value: bytes) -> AudioLevel:
    """Reads the client-to-mixer audio level of RFC 6464, section 3. Raises ValueError when it is empty."""
    if not value:
        raise ValueError("audio level empty")
    head = value[0]
    return AudioLevel(head & 0x7F, head > 127)


def encode_audio_level(level_dbov: int, voice: bool) -> bytes:
    """The value of RFC 6464, section 3; a level outside 0..127 is clamped."""
    return bytes((min(max(level_dbov, 0), 127) | (0x80 if voice else 0),))


def parse_transport_sequence(value: bytes) -> int:
    """The transport-wide sequence number: 16 bits (a longer value, as version 02 has, begins with the
    same)."""
    if len(value) < 2:
        raise ValueError("transport sequence truncated")
    return value[0] << 8 | value[1]


def encode_transport_sequence(sequence: int) -> bytes:
    """The 16-bit transport-wide sequence number; wraps a larger counter."""
    return (sequence & 0xFFFF).to_bytes(2)


ABS_SEND_TIME_SPAN_S = 64.0
"""The absolute send time wraps after this many seconds."""


def parse_abs_send_time(value: bytes) -> float:
    """The send time in seconds modulo 64, in steps of 1/2^18 s (6.18 fixed point)."""
    if len(value) != 3:
        raise ValueError("abs-send-time length is not 3")
    return int.from_bytes(value) / 262144.0


def encode_abs_send_time(seconds: float) -> bytes:
    """The 24-bit send time (6.18 fixed point) of any clock in seconds; wraps every 64 s."""
    return (round(seconds * 262144.0) & 0xFF_FFFF).to_bytes(3)


class PlayoutDelay(NamedTuple):
    """The limits that a sender asks of the receiver's delay from capture to rendering."""

    min_ms: int
    max_ms: int


PLAYOUT_DELAY_STEP_MS = 10
"""Granularity of both fields of the playout delay."""

MAX_PLAYOUT_DELAY_MS = 0xFFF * PLAYOUT_DELAY_STEP_MS


def parse_playout_delay(value: bytes) -> PlayoutDelay:
    """Two 12-bit fields in steps of 10 ms. Raises ValueError when the length is not 3 or minimum exceeds
    maximum."""
    if len(value) != 3:
        raise ValueError("playout delay length is not 3")
    bits = int.from_bytes(value)
    delay = PlayoutDelay((bits >> 12) * PLAYOUT_DELAY_STEP_MS, (bits & 0xFFF) * PLAYOUT_DELAY_STEP_MS)
    if delay.min_ms > delay.max_ms:
        raise ValueError("playout delay minimum exceeds maximum")
    return delay


def encode_playout_delay(min_ms: int, max_ms: int) -> bytes:
    """The 3-octet value, rounded down to 10 ms. Raises ValueError unless 0 <= min <= max <= 40950."""
    if not 0 <= min_ms <= max_ms <= MAX_PLAYOUT_DELAY_MS:
        raise ValueError("playout delay out of range")
    return (min_ms // PLAYOUT_DELAY_STEP_MS << 12 | max_ms // PLAYOUT_DELAY_STEP_MS).to_bytes(3)


class VideoOrientation(NamedTuple):
    """How the receiver has to turn the picture (3GPP TS 26.114, section 7.4.5)."""

    rotation_degrees: int
    """Clockwise: 0, 90, 180 or 270."""
    flipped: bool
    back_camera: bool


def parse_video_orientation(value: bytes) -> VideoOrientation:
    """Reads the one-octet coordination of video orientation. Raises ValueError when it is empty."""
    if not value:
        raise ValueError("video orientation empty")
    head = value[0]
    return VideoOrientation((head & 3) * 90, head & 4 != 0, head & 8 != 0)


def parse_stream_id(value: bytes) -> str:
    """A mid, rid or repaired rid (RFC 8852, RFC 8843). Raises ValueError when it is empty or not a token.

    Trailing zero octets are dropped: some senders pad the value to a fixed size.
    """
    stripped = value.rstrip(b"\0")
    if not stripped or not stripped.isascii():
        raise ValueError("stream identifier is not a token")
    text = stripped.decode("ascii")
    if not text.isprintable() or " " in text:
        raise ValueError("stream identifier is not a token")
    return text
