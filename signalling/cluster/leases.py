"""Fenced leases: who may act on something, until when, and under which number.

A lease is granted for a time. Who has not renewed it in time may lose it to another, who then gets a higher
number (the fencing token), so that whatever the first one still writes can be told apart and refused.

`LeaseStore` is what the cluster needs of a store. With a database the database's leases are the truth, in
the database's time. `RedisLeases` serves a cluster of media nodes without a database, `MemoryLeases` a node
that is alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from signalling.cluster import keys
from signalling.cluster.connection import RedisConnection, Script
from signalling.cluster.errors import LeasesAwayError, RedisAwayError

SCAN_COUNT = 500
"""Keys that Redis looks at in one step of a scan."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A granted lease."""

    name: str
    """What it is about, such as ``room:0192…``."""
    holder: str
    """Who has it: text that the holder chose; ours say node and address."""
    token: int
    """Fencing token: rises with each new grant of this name, never falls."""


class LeaseStore(Protocol):
    """Where leases are kept. All methods raise LeasesAwayError when the store cannot be asked now."""

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease:
        """The lease that is valid afterwards: a new one of `holder`'s if there was no valid one, its own
        again (renewed, same token) if it had it, else the other holder's."""

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> Sequence[Lease]:
        """Renew for `ttl_s` from now; gives those that are still their holder's.

        An expired lease that nobody else has taken meanwhile is renewed, too.
        """

    async def release(self, lease: Lease) -> None:
        """Give it back; nothing happens if it has been lost."""

    async def find(self, name: str) -> Lease | None:
        """The valid lease of a name."""

    async def list_valid(self, prefix: str) -> Sequence[Lease]:
        """All valid leases whose names begin so."""


class MemoryLeases:
    """Leases within this process, for a node that is alone: nobody else could take them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._leases: dict[str, tuple[Lease, float]] = {}
        self._last_token = 0

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease:
        """See `LeaseStore`."""
        lease = await self.find(name)
        if lease is None:
            self._last_token += 1
            lease = Lease(name, holder, self._last_token)
        if lease.holder == holder:
            self._leases[name] = (lease, self._clock() + ttl_s)
        return lease

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> Sequence[Lease]:
        """See `LeaseStore`."""
        kept = []
        for lease in leases:
            if self._leases.get(lease.name, (None, 0.0))[0] == lease:
                self._leases[lease.name] = (lease, self._clock() + ttl_s)
                kept.append(lease)
        return kept

    async def release(self, lease: Lease) -> None:
        """See `LeaseStore`."""
        if self._leases.get(lease.name, (None, 0.0))[0] == lease:
            del self._leases[lease.name]

    async def find(self, name: str) -> Lease | None:
        """See `LeaseStore`."""
        lease, until = self._leases.get(name, (None, 0.0))
        return lease if until > self._clock() else None

    async def list_valid(self, prefix: str) -> Sequence[Lease]:
        """See `LeaseStore`."""
        now = self._clock()
        return [
            lease for lease, until in self._leases.values() if until > now and lease.name.startswith(prefix)
        ]


# Redis' own clock decides. A token is at least the clock in milliseconds: it rises even if the last one was
# flushed away. Redis' numbers in Lua are doubles, exact up to 2^53: milliseconds fit for 280,000 years.
_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

_ACQUIRE = Script(
    _NOW
    + """
local key, holder, ttl, memory = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local old = redis.call('HMGET', key, 'holder', 'token', 'until')
if old[1] and tonumber(old[3]) > now then
    if old[1] == holder then
        redis.call('HSET', key, 'until', string.format('%.0f', now + ttl))
        redis.call('PEXPIRE', key, memory)
    end
    return {old[1], old[2]}
end
local token = string.format('%.0f', math.max(now, (tonumber(old[2]) or 0) + 1))
redis.call('HSET', key, 'holder', holder, 'token', token, 'until', string.format('%.0f', now + ttl))
redis.call('PEXPIRE', key, memory)
return {holder, token}
"""
)

_RENEW = Script(
    _NOW
    + """
local ttl, memory = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept = {}
for number, key in ipairs(KEYS) do
    local holder, token = ARGV[1 + number * 2], ARGV[2 + number * 2]
    local old = redis.call('HMGET', key, 'holder', 'token')
    if not old[1] or (old[1] == holder and old[2] == token) then
        local till = string.format('%.0f', now + ttl)
        redis.call('HSET', key, 'holder', holder, 'token', token, 'until', till)
        redis.call('PEXPIRE', key, memory)
        table.insert(kept, number)
    end
end
return kept
"""
)

# The token stays, so that the next one is higher.
_RELEASE = Script(
    """
local old = redis.call('HMGET', KEYS[1], 'holder', 'token')
if old[1] == ARGV[1] and old[2] == ARGV[2] then redis.call('HSET', KEYS[1], 'until', '0') end
return 0
"""
)

_READ = Script(
    _NOW
    + """
local found = {}
for number, key in ipairs(KEYS) do
    local old = redis.call('HMGET', key, 'holder', 'token', 'until')
    if old[1] and tonumber(old[3]) > now then table.insert(found, {number, old[1], old[2]}) end
end
return found
"""
)


class RedisLeases:
    """Leases in Redis, in Redis' time; for clusters without a database.

    A flush forgets who holds what; the holder's next renewal writes it again. If another node was granted the
    lease in between, that renewal fails: for up to a renewal interval there are two holders, with different
    tokens. A database forgets nothing.
    """

    def __init__(self, redis: RedisConnection) -> None:
        self._redis = redis

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease:
        """See `LeaseStore`."""
        key = keys.lease(name)
        answer = await self._run(_ACQUIRE, [key.name], [holder, _ms(ttl_s), key.life_ms])
        return Lease(name, answer[0].decode(), int(answer[1]))

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> Sequence[Lease]:
        """See `LeaseStore`."""
        if not leases:
            return []
        names = [keys.lease(lease.name) for lease in leases]
        facts = [fact for lease in leases for fact in (lease.holder, str(lease.token))]
        kept = await self._run(_RENEW, [key.name for key in names], [_ms(ttl_s), names[0].life_ms, *facts])
        return [leases[number - 1] for number in kept]

    async def release(self, lease: Lease) -> None:
        """See `LeaseStore`."""
        await self._run(_RELEASE, [keys.lease(lease.name).name], [lease.holder, str(lease.token)])

    async def find(self, name: str) -> Lease | None:
        """See `LeaseStore`."""
        found = await self._read([name])
        return found[0] if found else None

    async def list_valid(self, prefix: str) -> Sequence[Lease]:
        """See `LeaseStore`."""
        start = keys.lease("").name
        cursor, names = b"0", set[str]()
        while True:
            try:
                cursor, part = await self._redis.call(
                    "SCAN", cursor, "MATCH", keys.lease_pattern(), "COUNT", SCAN_COUNT
                )
            except RedisAwayError as error:
                raise LeasesAwayError(str(error)) from None
            names |= {each.decode().removeprefix(start) for each in part}
            if int(cursor) == 0:
                return await self._read(sorted(name for name in names if name.startswith(prefix)))

    async def _read(self, names: Sequence[str]) -> list[Lease]:
        if not names:
            return []
        found = await self._run(_READ, [keys.lease(name).name for name in names], [])
        return [Lease(names[number - 1], holder.decode(), int(token)) for number, holder, token in found]

    async def _run(self, script: Script, names: Sequence[str], arguments: Sequence[str | int]) -> list[Any]:
        try:
            return cast(list[Any], await self._redis.run(script, names, arguments))
        except RedisAwayError as error:
            raise LeasesAwayError(str(error)) from None


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
