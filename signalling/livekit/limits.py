"""How much a client may send, as plain arithmetic on time."""

from __future__ import annotations


class TokenBucket:
    """At most `rate` units a second on average, `burst` of them at once."""

    __slots__ = ("_burst", "_level", "_rate", "_updated")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._updated: float | None = None

    def take(self, amount: float, now: float) -> bool:
        """Whether `amount` units fit now; only then are they taken. `now` is monotonic seconds."""
        if self._updated is not None and now > self._updated:
            self._level = min(self._burst, self._level + (now - self._updated) * self._rate)
        self._updated = now
        if amount > self._level:
            return False
        self._level -= amount
        return True
