"""Rebuilds Redis from the database and from what the nodes know, after a flush, a restart or an outage.

Redis' memory has a random name, its epoch, kept in Redis itself. Missing or different: what was written is
gone. Every node that notices writes its part again; that each does it does no harm.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import structlog

from signalling.cluster import keys
from signalling.cluster.connection import Health, RedisConnection
from signalling.cluster.errors import LeasesAwayError, RedisAwayError

LOOK_S = 1.0
"""Seconds between looks at the epoch: how late a flush is noticed."""
REBUILD_EVERY_S = 60.0
"""Seconds after which everything is written again without a cause, for what else may have gone wrong."""

_log = structlog.get_logger("reconciler")

Rebuild = Callable[[], Awaitable[None]]
"""Writes one part of Redis again. May raise RedisAwayError or LeasesAwayError: it is tried again soon."""


class Reconciler:
    """Keeps Redis like the database."""

    def __init__(
        self, redis: RedisConnection, *, look_s: float = LOOK_S, every_s: float = REBUILD_EVERY_S
    ) -> None:
        self._redis = redis
        self._look_s = look_s
        self._every_s = every_s
        self._parts: dict[str, Rebuild] = {}
        self._epoch: bytes | None = None
        self._incomplete = True
        self._rebuilt_at = 0.0
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.rebuilds = 0
        """How often everything was written again."""
        redis.on_change(self._redis_changed)

    def add(self, name: str, rebuild: Rebuild) -> None:
        """A further part, written with the next look."""
        self._parts[name] = rebuild
        self._incomplete = True
        self._soon.set()

    def start(self) -> None:
        """Look from now on."""
        self._task = asyncio.create_task(self._run(), name="reconciler")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def look(self) -> bool:
        """Rebuild if there is cause; whether there was. Raises RedisAwayError."""
        mine = secrets.token_hex(16)
        before, now = await self._redis.transaction(
            [["SET", keys.EPOCH.name, mine, "NX"], ["GET", keys.EPOCH.name]]
        )
        clock = asyncio.get_running_loop().time()
        due = clock - self._rebuilt_at > self._every_s
        if now == self._epoch and not self._incomplete and not due:
            return False
        if now != self._epoch:
            _log.info(
                "redis has no memory of us" if before else "redis has another memory", parts=len(self._parts)
            )
        self._epoch, self._incomplete, self._rebuilt_at = now, False, clock
        for name, rebuild in list(self._parts.items()):
            try:
                await rebuild()
            except (RedisAwayError, LeasesAwayError) as error:
                self._incomplete = True
                _log.info("a part could not be rebuilt yet", part=name, reason=str(error))
            except Exception:
                self._incomplete = True
                _log.exception("a part could not be rebuilt", part=name)
        self.rebuilds += 1
        return True

    def _redis_changed(self, health: Health) -> None:
        if health.up:
            self._incomplete = True
            self._soon.set()

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except RedisAwayError:
                pass
            try:
                async with asyncio.timeout(self._look_s):
                    await self._soon.wait()
            except TimeoutError:
                pass
            self._soon.clear()
