"""When to ask a publisher for a key frame: never too often, and again until one comes."""

from __future__ import annotations

MIN_INTERVAL_S = 0.35
"""Shortest time between two requests for one layer. A key frame costs the publisher's whole bandwidth for a
moment; libwebrtc itself ignores requests that follow within 300 ms."""

ROUND_TRIP_FACTOR = 1.5
"""A request is not repeated before its answer can have come: this many round trips."""

PATIENT_AFTER = 10
"""Requests without an answer after which the publisher is only asked every `PATIENT_INTERVAL_S`."""

PATIENT_INTERVAL_S = 3.0
"""For a publisher that does not answer (muted, screen share without a change)."""


class KeyframeThrottle:
    """The wish for a key frame of one source layer, whoever has it, and the times at which it is uttered."""

    __slots__ = ("_attempts", "_last_sent", "pending")

    def __init__(self) -> None:
        self.pending = False
        """Somebody waits for a key frame."""
        self._attempts = 0
        self._last_sent: float | None = None

    def request(self) -> None:
        """Somebody needs a key frame; requests until it comes are one."""
        if not self.pending:
            self.pending = True
            self._attempts = 0

    def on_keyframe(self) -> None:
        """A key frame begins: everybody who waited is served."""
        self.pending = False
        self._attempts = 0

    def deadline(self, round_trip_time: float | None = None) -> float | None:
        """Monotonic seconds from which on a request may be sent; None if nobody waits."""
        if not self.pending:
            return None
        if self._last_sent is None:
            return float("-inf")
        if self._attempts >= PATIENT_AFTER:
            interval = PATIENT_INTERVAL_S
        else:
            interval = max(MIN_INTERVAL_S, ROUND_TRIP_FACTOR * (round_trip_time or 0.0))
        return self._last_sent + interval

    def take(self, now: float, round_trip_time: float | None = None) -> bool:
        """Whether to send a request at ``now``; True counts as sent."""
        deadline = self.deadline(round_trip_time)
        if deadline is None or now < deadline:
            return False
        self._last_sent = now
        self._attempts += 1
        return True
