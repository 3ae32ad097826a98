"""Which node owns which room: a fenced lease for each room, renewed for as long as the room is in use.

The lease store is the truth. The index in Redis, and what this node remembers, only save asking it.

A node that cannot renew because the store is away keeps its rooms: nobody else can take them either. When the
store is back, a node lets one lease's time pass before it takes over what looks expired, for the owner was
without the store just as we were. A node that was itself asleep (stopped, swapped out) finds its leases past
their time by its own clock, and asks before it serves anybody: that the store did not answer in that time
says nothing about the store, and others may have reached it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

import structlog

from signalling.cluster import keys
from signalling.cluster.connection import RedisConnection, Script
from signalling.cluster.errors import LeasesAwayError, RedisAwayError
from signalling.cluster.leases import Lease, LeaseStore
from signalling.cluster.wakeups import ROOMS, Wakeups

LEASE_TTL_S = 2.0
"""Seconds that a dead node's rooms stay its own: the greater part of what its calls are silent."""
RENEWALS = 3
"""Renewals in that time."""
CLOCK_MARGIN = 0.9
"""Share of the time for which we trust our own clock to run like the store's."""
UNUSED_S = 10.0
"""Seconds for which a claimed room may have nobody before its lease is given back."""
STORE_TIMEOUT_S = 1.0
"""Seconds that one question to the store may take."""
SLEPT_S = 0.5
"""Seconds by which a question outlasts its time when it was this process that stood still."""
REMEMBERED_ROOMS = 10_000
"""Rooms of other nodes whose owner is remembered for the time when neither Redis nor the store answers."""

LEASE_PREFIX = "room:"
"""Before a room's name in the name of its lease."""

T = TypeVar("T")

_log = structlog.get_logger("ownership")

# An older token never replaces a newer one, whatever order the writes arrive in.
_INDEX = Script(
    """
for number, key in ipairs(KEYS) do
    local token, holder = ARGV[number * 2], ARGV[number * 2 + 1]
    local old = redis.call('GET', key)
    if not old or tonumber(string.match(old, '^%d+')) <= tonumber(token) then
        redis.call('SET', key, token .. ' ' .. holder, 'PX', ARGV[1])
    end
end
return 0
"""
)
_UNINDEX = Script(
    """
local old = redis.call('GET', KEYS[1])
if old and string.match(old, '^%d+') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
"""
)


@dataclass(frozen=True, slots=True)
class Owner:
    """The node that owns a room."""

    node: str
    url: str
    """Where other nodes reach its HTTP."""
    token: int
    """Fencing token of its lease; 0 for a node that was chosen but has not claimed the room yet."""

    @property
    def holder(self) -> str:
        """As it stands in the lease, so that the node can be reached without the registry."""
        return f"{self.node} {self.url}"

    @classmethod
    def from_lease(cls, lease: Lease) -> Owner:
        """The owner that a lease names."""
        node, _, url = lease.holder.partition(" ")
        return cls(node, url, lease.token)


@dataclass(slots=True)
class _Held:
    lease: Lease
    sure_until: float
    used_at: float


class RoomOwnership:
    """The rooms of this node, and where the others are; `start`, at last `stop`."""

    def __init__(
        self,
        store: LeaseStore,
        redis: RedisConnection,
        wakeups: Wakeups,
        *,
        node: str,
        url: str,
        rooms: Callable[[], Collection[str]],
        ttl_s: float = LEASE_TTL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rooms` gives the names of the rooms that this node really has, to give unused leases back."""
        self._store = store
        self._redis = redis
        self._wakeups = wakeups
        self._me = Owner(node, url, 0)
        self._rooms = rooms
        self._ttl_s = ttl_s
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._remembered: OrderedDict[str, Owner] = OrderedDict()
        self._listeners: list[Callable[[str], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._indexed_at = clock()
        self._away_since: float | None = None
        self._unanswered_at = 0.0
        """When the first question was asked that the store did not answer, while it is away."""
        self._patient_until = 0.0
        self.claims = 0
        """Rooms that this node took."""
        self.losses = 0
        """Rooms that it lost to others."""

    def start(self) -> None:
        """Renew from now on."""
        self._task = asyncio.create_task(self._run(), name="room leases")

    async def stop(self) -> None:
        """Give all rooms back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await asyncio.gather(*(self.release(room) for room in list(self._held)))

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with each room that another node owns from now on: end it here, at once."""
        self._listeners.append(listener)

    # Questions -----------------------------------------------------------------------------------

    @property
    def store_away(self) -> bool:
        """Whether the store could not be asked the last time."""
        return self._away_since is not None

    @property
    def held(self) -> frozenset[str]:
        """Rooms whose lease this node had when it last asked."""
        return frozenset(self._held)

    def owns(self, room: str) -> Lease | None:
        """The lease if this node owns the room for sure, by its own clock; without asking anybody."""
        held = self._held.get(room)
        if held is None or not (self._clock() < held.sure_until or self._is_kept(held)):
            return None
        return held.lease

    def _is_kept(self, held: _Held) -> bool:
        """Whether the store went away while the lease was ours: then nobody else can have taken it."""
        return self.store_away and self._unanswered_at < held.sure_until

    async def confirm(self, room: str) -> Lease | None:
        """The lease if this node still owns the room; asks the store when our clock cannot tell."""
        if room in self._held and self.owns(room) is None:
            await self._renew([room])
        return self.owns(room)

    async def find(self, room: str, *, fresh: bool = False) -> Owner | None:
        """Who owns a room; None if nobody does.

        The index answers if it can, unless `fresh` (what it said turned out to be wrong). It may be up to
        its life out of date; the node it names then says that the room is not its own.

        Raises LeasesAwayError when nothing is known of the room and the store cannot be asked.
        """
        if lease := self.owns(room):
            return Owner.from_lease(lease)
        if not fresh and (indexed := await self._read_index(room)) and indexed.node != self._me.node:
            self._remember(room, indexed)
            return indexed
        try:
            found = await self._ask(self._store.find(LEASE_PREFIX + room))
        except LeasesAwayError:
            if (remembered := self._remembered.get(room)) is not None:
                return remembered
            raise
        if found is None:
            self._remembered.pop(room, None)
            return None
        owner = Owner.from_lease(found)
        self._remember(room, owner)
        await self._write_index([found])
        return owner

    async def claim(self, room: str) -> Owner:
        """Own a room if nobody else does; who owns it afterwards.

        Raises LeasesAwayError, also for a moment after the store came back (see above).
        """
        if lease := self.owns(room):
            return Owner.from_lease(lease)
        if self._clock() < self._patient_until and room not in self._held:
            raise LeasesAwayError("the store is back only just: owners renew first")
        asked_at = self._clock()
        lease = await self._ask(self._store.acquire(LEASE_PREFIX + room, self._me.holder, self._ttl_s))
        owner = Owner.from_lease(lease)
        if owner.node != self._me.node:
            self._remember(room, owner)
            return owner
        if room not in self._held:
            self.claims += 1
            _log.info("room claimed", room=room, token=lease.token)
        self._held[room] = _Held(lease, asked_at + self._ttl_s * CLOCK_MARGIN, self._clock())
        self._remembered.pop(room, None)
        await self._write_index([lease])
        await self._wakeups.wake(ROOMS)
        return owner

    async def release(self, room: str) -> None:
        """Give a room back; what cannot be given back expires."""
        held = self._held.pop(room, None)
        if held is None:
            return
        try:
            await self._ask(self._store.release(held.lease))
            await self._redis.run(_UNINDEX, [keys.room_owner(room).name], [str(held.lease.token)])
        except (LeasesAwayError, RedisAwayError):
            pass

    async def rebuild(self) -> None:
        """Write the index anew from the store; raises RedisAwayError and LeasesAwayError."""
        leases = await self._ask(self._store.list_valid(LEASE_PREFIX))
        await self._index(leases)

    # Renewal -------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            began = self._clock()
            try:
                await self.turn()
            except Exception:
                _log.exception("room leases could not be renewed")
            spent = self._clock() - began
            await asyncio.sleep(max(0.0, self._ttl_s / RENEWALS - spent))

    async def turn(self) -> None:
        """Renew what is used, give back what is not; every third of a lease's time."""
        now = self._clock()
        present = self._rooms()
        for room, held in list(self._held.items()):
            if room in present:
                held.used_at = now
            elif now - held.used_at > UNUSED_S:
                await self.release(room)
        await self._renew(list(self._held))
        if now - self._indexed_at > keys.ROOM_INDEX_S / 3:
            self._indexed_at = now
            await self._write_index([held.lease for held in self._held.values()])

    async def _renew(self, rooms: list[str]) -> None:
        asked = {room: self._held[room].lease for room in rooms}
        asked_at = self._clock()
        try:
            if asked:
                kept = await self._ask(self._store.renew(list(asked.values()), self._ttl_s))
            else:  # only to know whether the store is there
                await self._ask(self._store.find(LEASE_PREFIX))
                return
        except LeasesAwayError:
            return
        still = set(kept)
        for room, lease in asked.items():
            held = self._held.get(room)
            if held is None or held.lease != lease:
                continue  # released or claimed anew meanwhile
            if lease in still:
                held.sure_until = asked_at + self._ttl_s * CLOCK_MARGIN
            else:
                self._lose(room)

    def _lose(self, room: str) -> None:
        del self._held[room]
        self.losses += 1
        _log.warning("room lost to another node", room=room)
        for listener in self._listeners:
            listener(room)

    async def _ask(self, question: Awaitable[T]) -> T:
        """Bounded in time; notes when the store goes and comes."""
        asked_at = self._clock()
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                answer = await question
        except (LeasesAwayError, TimeoutError) as error:
            slept = self._clock() - asked_at > STORE_TIMEOUT_S + SLEPT_S
            if self._away_since is None and not slept:
                self._away_since = self._clock()
                self._unanswered_at = asked_at
                _log.warning("the lease store is away; rooms stay where they are", reason=str(error))
            raise LeasesAwayError(str(error) or "no answer in time") from None
        if self._away_since is not None:
            away_s = self._clock() - self._away_since
            self._away_since = None
            if away_s > self._ttl_s / RENEWALS:
                self._patient_until = self._clock() + self._ttl_s
            _log.info("the lease store is back", away_s=round(away_s, 1))
        return answer

    # Index ---------------------------------------------------------------------------------------

    async def _read_index(self, room: str) -> Owner | None:
        try:
            value = await self._redis.call("GET", keys.room_owner(room).name)
        except RedisAwayError:
            return None
        token, _, holder = (value or b"").decode().partition(" ")
        return Owner.from_lease(Lease(room, holder, int(token))) if holder else None

    async def _write_index(self, leases: Collection[Lease]) -> None:
        try:
            await self._index(leases)
        except RedisAwayError:
            pass

    async def _index(self, leases: Collection[Lease]) -> None:
        if leases:
            names = [keys.room_owner(lease.name.removeprefix(LEASE_PREFIX)) for lease in leases]
            facts = [fact for lease in leases for fact in (str(lease.token), lease.holder)]
            await self._redis.run(_INDEX, [key.name for key in names], [names[0].life_ms, *facts])

    def _remember(self, room: str, owner: Owner) -> None:
        self._remembered[room] = owner
        self._remembered.move_to_end(room)
        while len(self._remembered) > REMEMBERED_ROOMS:
            self._remembered.popitem(last=False)
