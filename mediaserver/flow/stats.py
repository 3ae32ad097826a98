"""Snapshots of streams in the words of W3C webrtc-stats, both directions.

Fields are the W3C names in snake case; `to_w3c` gives the camel case of the specification. Times are seconds,
rates are per second, sizes are bytes, as in the specification; fields it does not have are marked.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields

RATE_WINDOW_S = 1.0
"""Length of the window over which rates are taken: short enough to show a stall within a second."""


@dataclass(frozen=True, slots=True)
class _Stats:
    def to_w3c(self) -> dict[str, object]:
        """The snapshot with W3C names; values that are unknown (None) are left out."""
        values: dict[str, object] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value is not None:
                first, *rest = entry.name.split("_")
                values[first + "".join(word.capitalize() for word in rest)] = value
        return values


@dataclass(frozen=True, slots=True)
class InboundStats(_Stats):
    """One received stream: RTCInboundRtpStreamStats."""

    ssrc: int
    kind: str
    """Either "audio" or "video"."""
    codec: str
    """Ours: the codec's name, such as "VP8"."""
    layer: int
    """Ours: simulcast layer, 0 = lowest."""
    packets_received: int
    """Packets of the stream itself; recovered ones are in `retransmitted_packets_received`."""
    bytes_received: int
    """Payload bytes, without headers and padding, recovered ones included."""
    packets_lost: int
    """RFC 3550 loss of the stream itself, before recovery; negative when duplicates exceed losses."""
    packets_discarded: int
    """Duplicates, packets too old, and packets of a suspected restart."""
    retransmitted_packets_received: int
    retransmitted_bytes_received: int
    fraction_lost: float
    """Share of packets lost since the report before last, 0..1, before recovery."""
    jitter: float
    nack_count: int
    pli_count: int
    fir_count: int
    frames_received: int
    key_frames_received: int
    """Ours."""
    frames_per_second: float
    frame_width: int | None
    frame_height: int | None
    bitrate: float
    """Ours: bits per second of whole RTP packets over the last second."""
    round_trip_time: float | None
    last_packet_received_timestamp: float | None
    """Monotonic seconds, not wall clock."""
    audio_level: float | None
    """0..1 linear, from RFC 6464."""


@dataclass(frozen=True, slots=True)
class OutboundStats(_Stats):
    """One sent stream (RTCOutboundRtpStreamStats) with what its receiver reported of it."""

    ssrc: int
    kind: str
    codec: str
    layer: int | None
    """Ours: simulcast layer being forwarded; None while nothing is."""
    target_layer: int | None
    """Ours: layer the stream is to switch to at its next key frame."""
    active: bool
    """False while paused."""
    packets_sent: int
    bytes_sent: int
    """Payload bytes, without headers and retransmissions."""
    retransmitted_packets_sent: int
    retransmitted_bytes_sent: int
    nack_count: int
    """NACK messages received."""
    pli_count: int
    fir_count: int
    frames_sent: int
    frames_per_second: float
    bitrate: float
    """Ours: bits per second of payload, retransmissions included."""
    packets_lost: int
    """As reported by the receiver."""
    fraction_lost: float
    jitter: float
    round_trip_time: float | None


class RateMeter:
    """A counter's rate over the last `RATE_WINDOW_S`, taken from samples, so that counting itself stays
    free."""

    __slots__ = ("_samples", "_window_s")

    def __init__(self, window_s: float = RATE_WINDOW_S) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._window_s = window_s

    def sample(self, now: float, count: int) -> float:
        """Note the counter's value at ``now`` and return its growth per second over the window (0.0 at
        first)."""
        samples = self._samples
        # A fifth of the window between samples bounds the memory, however often the caller asks.
        if not samples or now - samples[-1][0] >= self._window_s / 5:
            samples.append((now, count))
        horizon = now - self._window_s
        while len(samples) > 1 and samples[1][0] <= horizon:
            samples.popleft()
        since, before = samples[0]
        elapsed = now - since
        return (count - before) / elapsed if elapsed > 0 else 0.0
