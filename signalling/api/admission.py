"""Who may ask, press and log in how often: this node's count first, then that of all nodes together.

The node's own count refuses at once and goes on while Redis is away; then a limit is at worst as many times
as lax as there are nodes. A node that is alone asks nobody.
"""

from __future__ import annotations

from signalling.api.limits import Lockout, Rate, RateLimiter
from signalling.cluster.limits import RateLimit, SharedLockout
from signalling.cluster.limits import RateLimiter as SharedLimiter


class Admission:
    """One limit: at most so many of something for each key."""

    def __init__(self, name: str, rate: Rate, shared: SharedLimiter | None) -> None:
        """`shared`: what counts for all nodes; None when this one is alone."""
        self._limit = RateLimit(name, rate.per_s, rate.burst)
        self._local = RateLimiter(rate)
        self._shared = shared

    async def wait_s(self, who: str, now: float) -> float:
        """0 when it may happen now (monotonic seconds), and then it is counted; else when to try again."""
        if not self._local.allow(who, now):
            return self._local.retry_after_s
        if self._shared is None:
            return 0.0
        verdict = await self._shared.take(self._limit, who)
        return 0.0 if verdict.allowed else max(verdict.retry_after_s, 0.001)


class LoginLock:
    """Closes a key after repeated failures, on whichever nodes they happened."""

    def __init__(self, local: Lockout, shared: SharedLockout | None) -> None:
        self._local = local
        self._shared = shared

    async def remaining_s(self, who: str, now: float) -> float:
        """Seconds the key is still closed; 0 when it is open."""
        here = self._local.remaining_s(who, now)
        return here or (await self._shared.remaining_s(who) if self._shared is not None else 0.0)

    async def failed(self, who: str, now: float) -> None:
        """Count one failure."""
        self._local.failed(who, now)
        if self._shared is not None:
            await self._shared.failed(who)

    async def succeeded(self, who: str) -> None:
        """Forget the failures."""
        self._local.succeeded(who)
        if self._shared is not None:
            await self._shared.succeeded(who)
