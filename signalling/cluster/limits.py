"""Rate limits of the whole cluster: token buckets in Redis, in this process while Redis is away.

Without Redis each node counts for itself: a limit is at worst as many times as lax as there are nodes, and
nobody is refused for Redis' sake.
"""

from __future__ import annotations

import contextlib
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


# Counts one failure; `closed` is what it closes the key for, doubling with each further one.
_FAIL = Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local allowed, first, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local old = redis.call('HMGET', KEYS[1], 'count', 'until')
local count, closed_until = tonumber(old[1]) or 0, tonumber(old[2]) or 0
if closed_until > 0 and now - closed_until > longest then count = 0 end
count = count + 1
local closed = 0
if count >= allowed then closed = math.min(longest, first * 2 ^ (count - allowed)) end
redis.call('HSET', KEYS[1], 'count', count, 'until', string.format('%.0f', now + closed))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return closed
"""
)

_CLOSED = Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return math.max(0, (tonumber(redis.call('HGET', KEYS[1], 'until')) or 0) - now)
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


class SharedLockout:
    """Failed logins counted for all nodes together; while Redis is away nothing is known here."""

    def __init__(self, redis: RedisConnection, *, allowed: int, first_s: float, longest_s: float) -> None:
        self._redis = redis
        self._allowed = allowed
        self._first_s = first_s
        self._longest_s = longest_s

    async def remaining_s(self, who: str) -> float:
        """Seconds the key is still closed; 0 when it is open, or nobody can say."""
        try:
            left_ms = await self._redis.run(_CLOSED, [keys.lockout(who).name], [])
        except RedisAwayError:
            return 0.0
        return float(left_ms) / 1000

    async def failed(self, who: str) -> None:
        """Count one failure."""
        key = keys.lockout(who)
        limits = [self._allowed, round(self._first_s * 1000), round(self._longest_s * 1000), key.life_ms]
        with contextlib.suppress(RedisAwayError):
            await self._redis.run(_FAIL, [key.name], limits)

    async def succeeded(self, who: str) -> None:
        """Forget the failures."""
        with contextlib.suppress(RedisAwayError):
            await self._redis.call("DEL", keys.lockout(who).name)


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
