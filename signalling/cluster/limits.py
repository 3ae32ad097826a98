"""Rate limits of the whole cluster: token buckets in Redis, in this process while Redis is away.

Without Redis each node counts for itself: a limit is at worst as many times as lax as there are nodes, and
nobody is refused for Redis' sake.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from signalling.cluster import keys
from signalling.cluster.connection import RedisConnection, Script
from signalling.cluster.errors import RedisAwayError

REMEMBERED_BUCKETS = 10_000
"""Buckets of this process; the one used longest ago gives way, full again."""

# Redis' own clock, in milliseconds; `level` is what it was at `at`. Answers how long to wait, 0: taken.
_TAKE = Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local old = redis.call('HMGET', KEYS[1], 'level', 'at')
local level, at = tonumber(old[1]) or burst, tonumber(old[2]) or now
level = math.min(burst, level + math.max(0, now - at) * rate / 1000)
local wait = 0
if level >= cost then level = level - cost else wait = math.ceil((cost - level) * 1000 / rate) end
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.min(tonumber(ARGV[4]), math.ceil(burst * 1000 / rate) + 1000))
return wait
"""
)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `rate` a second on average, `burst` at once."""

    name: str
    """Part of the key; such as ``login``."""
    rate: float
    burst: float

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.burst >= 1) or math.isinf(self.rate):
            raise ValueError("a limit needs a rate over 0 and a burst of at least 1")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it may happen now."""

    allowed: bool
    retry_after_s: float = 0.0
    """When it may be tried again."""


class RateLimiter:
    """Counts for all nodes together."""

    def __init__(self, redis: RedisConnection, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._local = LocalLimiter(clock)

    async def take(self, limit: RateLimit, who: str, cost: float = 1.0) -> Verdict:
        """Take `cost` from `who`'s bucket if it holds so much; never fails.

        A cost over the burst is never allowed: ValueError.
        """
        if cost > limit.burst:
            raise ValueError(f"{limit.name}: a cost of {cost:g} is over the burst of {limit.burst:g}")
        key = keys.rate_limit(limit.name, who)
        try:
            wait_ms = await self._redis.run(_TAKE, [key.name], [limit.rate, limit.burst, cost, key.life_ms])
        except RedisAwayError:
            return self._local.take(limit, who, cost)
        return Verdict(wait_ms == 0, wait_ms / 1000)


class LocalLimiter:
    """The same within this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, limit: RateLimit, who: str, cost: float = 1.0) -> Verdict:
        """See `RateLimiter.take`."""
        now = self._clock()
        level, at = self._buckets.pop((limit.name, who), (limit.burst, now))
        level = min(limit.burst, level + max(0.0, now - at) * limit.rate)
        allowed = level >= cost
        if allowed:
            level -= cost
        self._buckets[limit.name, who] = (level, now)
        while len(self._buckets) > REMEMBERED_BUCKETS:
            self._buckets.popitem(last=False)
        return Verdict(allowed, 0.0 if allowed else (cost - level) / limit.rate)
