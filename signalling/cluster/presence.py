"""Who is there: agents' consoles and nodes, each under a lease that it renews.

Every node keeps what it announced and announces all of it again every few seconds, so that a flushed Redis
knows everybody again after one round. Losses are noticed by comparing looks. After an outage or a flush
nobody counts as lost before everybody had the time to announce itself again.

With Redis away nothing can be said about anybody but one's own: `present` raises, and callers keep to what
the database says.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from signalling.cluster import keys
from signalling.cluster.connection import Health, RedisConnection, Script
from signalling.cluster.errors import RedisAwayError

PRESENCE_TTL_S = 6.0
"""Seconds until somebody who does not renew counts as gone."""
RENEW_INTERVAL_S = 2.0
"""Seconds between renewals, and between looks for losses."""

AGENTS = "agent"
NODES = "node"
"""Kinds of who may be present."""

_SEPARATOR = "|"

_log = structlog.get_logger("presence")

# A member is "who|where": the same agent may be there by two connections.
_ANNOUNCE = Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local life = ARGV[1]
for number = 2, #ARGV, 3 do
    local member, ttl, details = ARGV[number], tonumber(ARGV[number + 1]), ARGV[number + 2]
    redis.call('ZADD', KEYS[1], string.format('%.0f', now + ttl), member)
    redis.call('HSET', KEYS[2], member, details)
end
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
for _, member in ipairs(gone) do
    redis.call('ZREM', KEYS[1], member)
    redis.call('HDEL', KEYS[2], member)
end
redis.call('PEXPIRE', KEYS[1], life)
redis.call('PEXPIRE', KEYS[2], life)
return 0
"""
)

_LOOK = Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = {redis.call('GET', KEYS[3])}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%.0f', now), '+inf')) do
    table.insert(found, member)
    table.insert(found, redis.call('HGET', KEYS[2], member))
end
return found
"""
)


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who is there."""

    who: str
    where: tuple[str, ...]
    """By which connections; for nodes empty."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What one of the connections said."""


@dataclass(slots=True)
class _Watch:
    """What one kind looked like, to notice losses."""

    epoch: bytes | None = None
    known: set[str] = field(default_factory=set)
    patient_until: float = 0.0


class Presence:
    """This node's announcements, and a look at everybody's."""

    def __init__(
        self,
        redis: RedisConnection,
        *,
        ttl_s: float = PRESENCE_TTL_S,
        interval_s: float = RENEW_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._ttl_s = ttl_s
        self._interval_s = interval_s
        self._clock = clock
        self._mine: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._watched: dict[str, _Watch] = {}
        self._listeners: dict[str, list[Callable[[str], None]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._soon = asyncio.Event()
        redis.on_change(self._redis_changed)

    def start(self) -> None:
        """Renew from now on."""
        self._task = asyncio.create_task(self._run(), name="presence")

    async def stop(self) -> None:
        """Withdraw everything of this node, if Redis lets us."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        for kind, members in self._mine.items():
            try:
                await self._remove(kind, list(members))
            except RedisAwayError:
                break  # it all expires soon
        self._mine.clear()

    async def announce(
        self, kind: str, who: str, where: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        """From now on `who` is present by the connection `where`, until `withdraw`.

        Never fails: with Redis away it becomes known as soon as Redis is back.
        """
        member = _member(who, where)
        self._mine.setdefault(kind, {})[member] = dict(details or {})
        try:
            await self._redis.call("DEL", keys.presence_left(kind, who).name)
            await self._write(kind, [member])
        except RedisAwayError:
            pass

    async def withdraw(self, kind: str, who: str, where: str = "") -> bool:
        """That connection has ended in good order; whether `who` has no other one left.

        With Redis away the answer is about this node's connections only.
        """
        member = _member(who, where)
        mine = self._mine.get(kind, {})
        mine.pop(member, None)
        try:
            await self._remove(kind, [member])
            others = {present.who for present in await self.present(kind)}
            if who not in others:
                mark = keys.presence_left(kind, who)
                await self._redis.call("SET", mark.name, "1", "PX", mark.life_ms)
        except RedisAwayError:
            others = {_who(other) for other in mine}
        if who not in others and kind in self._watched:
            self._watched[kind].known.discard(who)
        return who not in others

    def mine(self, kind: str) -> frozenset[str]:
        """Who is present by this very node; known with Redis away, too."""
        return frozenset(_who(member) for member in self._mine.get(kind, {}))

    async def present(self, kind: str) -> list[Present]:
        """Everybody of a kind; raises RedisAwayError."""
        return (await self._look(kind))[1]

    def on_lost(self, kind: str, listener: Callable[[str], None]) -> None:
        """Call `listener` with each `who` that vanished without withdrawing.

        Every node is told of every loss: what follows from it must bear being done twice.
        """
        self._listeners.setdefault(kind, []).append(listener)
        self._watched.setdefault(kind, _Watch())

    async def renew(self) -> None:
        """Announce all that is this node's again; raises RedisAwayError."""
        for kind, members in self._mine.items():
            await self._write(kind, list(members))

    # Within --------------------------------------------------------------------------------------

    def _redis_changed(self, health: Health) -> None:
        if health.up:
            self._be_patient()
            self._soon.set()

    def _be_patient(self) -> None:
        for watch in self._watched.values():
            watch.patient_until = self._clock() + self._ttl_s

    async def _run(self) -> None:
        while True:
            try:
                await self.renew()
                await self.look_for_losses()
            except RedisAwayError:
                pass
            except Exception:
                _log.exception("presence could not be renewed")
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._soon.wait()
            except TimeoutError:
                pass
            self._soon.clear()

    async def look_for_losses(self) -> None:
        """Compare with the last look and tell the listeners; raises RedisAwayError."""
        for kind, watch in self._watched.items():
            epoch, present = await self._look(kind)
            now = self._clock()
            if epoch != watch.epoch or epoch is None:  # flushed, or another Redis: it knows nobody yet
                watch.epoch = epoch
                watch.patient_until = now + self._ttl_s
            current = {each.who for each in present}
            if now < watch.patient_until:
                watch.known |= current
                continue
            lost = sorted(watch.known - current)
            if lost:
                marks = await self._redis.call("MGET", *(keys.presence_left(kind, who).name for who in lost))
                lost = [who for who, mark in zip(lost, marks, strict=True) if mark is None]
            watch.known = current
            for who in lost:
                _log.info("lost", kind=kind, who=who)
                for listener in self._listeners[kind]:
                    listener(who)

    async def _write(self, kind: str, members: list[str]) -> None:
        if not members:
            return
        table, details = keys.presence(kind), keys.presence_details(kind)
        mine = self._mine[kind]
        ttl_ms = round(self._ttl_s * 1000)
        facts = [
            fact
            for member in members
            if member in mine
            for fact in (member, ttl_ms, json.dumps(mine[member], ensure_ascii=False))
        ]
        await self._redis.run(_ANNOUNCE, [table.name, details.name], [table.life_ms, *facts])

    async def _remove(self, kind: str, members: list[str]) -> None:
        if members:
            table, details = keys.presence(kind).name, keys.presence_details(kind).name
            await self._redis.transaction([["ZREM", table, *members], ["HDEL", details, *members]])

    async def _look(self, kind: str) -> tuple[bytes | None, list[Present]]:
        names = [keys.presence(kind).name, keys.presence_details(kind).name, keys.EPOCH.name]
        epoch, *answer = await self._redis.run(_LOOK, names)
        found: dict[str, Present] = {}
        for raw, details in zip(answer[::2], answer[1::2], strict=True):
            who, _, where = raw.decode().partition(_SEPARATOR)
            before = found.get(who)
            places = (*(before.where if before else ()), *((where,) if where else ()))
            said = json.loads(details) if details else {}
            found[who] = Present(who, places, said or (before.details if before else {}))
        return epoch, list(found.values())


def _member(who: str, where: str) -> str:
    if not who or _SEPARATOR in who:
        raise ValueError(f"{who!r} cannot be announced: empty, or with {_SEPARATOR!r}")
    return f"{who}{_SEPARATOR}{where}"


def _who(member: str) -> str:
    return member.partition(_SEPARATOR)[0]
