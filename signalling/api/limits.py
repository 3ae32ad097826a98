"""How often somebody may ask, and how often a login may fail. Plain arithmetic on time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from signalling.livekit.limits import TokenBucket

REMEMBERED = 16_384
"""Keys (actors, addresses, user names) watched at once; the one seen longest ago gives way."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `per_s` a second on average, `burst` at once."""

    per_s: float
    burst: float


class RateLimiter:
    """One token bucket per key, boundedly many."""

    def __init__(self, rate: Rate, *, remembered: int = REMEMBERED) -> None:
        self._rate = rate
        self._remembered = remembered
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def allow(self, key: str, now: float, amount: float = 1.0) -> bool:
        """Whether the key may do it now (monotonic seconds); counts it if so."""
        bucket = self._buckets.pop(key, None) or TokenBucket(self._rate.per_s, self._rate.burst)
        self._buckets[key] = bucket
        while len(self._buckets) > self._remembered:
            self._buckets.popitem(last=False)
        return bucket.take(amount, now)

    @property
    def retry_after_s(self) -> float:
        """When one more request fits after a refusal."""
        return 1.0 / self._rate.per_s


class Lockout:
    """Closes a key after repeated failures, for a while that doubles with each further failure."""

    def __init__(
        self,
        allowed: int = 5,
        first_s: float = 30.0,
        longest_s: float = 900.0,
        *,
        remembered: int = REMEMBERED,
    ) -> None:
        self.allowed = self._allowed = allowed
        self.first_s = self._first_s = first_s
        self.longest_s = self._longest_s = longest_s
        self._remembered = remembered
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def remaining_s(self, key: str, now: float) -> float:
        """Seconds the key is still closed; 0 when it is open."""
        _, until = self._failures.get(key, (0, 0.0))
        return max(0.0, until - now)

    def failed(self, key: str, now: float) -> None:
        """Count one failure."""
        count, until = self._failures.pop(key, (0, 0.0))
        if until and now - until > self._longest_s:
            count = 0  # long ago: forgiven
        count += 1
        over = count - self._allowed
        closed_s = min(self._longest_s, self._first_s * 2**over) if over >= 0 else 0.0
        self._failures[key] = (count, now + closed_s)
        while len(self._failures) > self._remembered:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures."""
        self._failures.pop(key, None)


class Concurrency:
    """How many of something each key has at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count: dict[str, int] = {}

    def enter(self, key: str) -> bool:
        """Whether one more is allowed; counts it if so."""
        count = self._count.get(key, 0)
        if count >= self._most:
            return False
        self._count[key] = count + 1
        return True

    def leave(self, key: str) -> None:
        """One less."""
        count = self._count.get(key, 0) - 1
        if count > 0:
            self._count[key] = count
        else:
            self._count.pop(key, None)
