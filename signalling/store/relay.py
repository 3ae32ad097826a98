"""The relay: gives committed events their global ids, and readers their place to resume from.

A row of `events` is written in the transaction that decided it, without an id. Transactions commit in
another order than they write, so an id given while writing could become visible after a greater one, and a
reader that had passed it would never see it. So one process at a time, the holder of the relay's lease,
gives ids to what is *committed*: without gaps, increasing, each batch in one transaction under the lock of
the feed's counter. What a reader sees up to an id is then complete for ever.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from signalling.desk.events import Event, from_json
from signalling.store.engine import Database
from signalling.store.errors import LeaseLostError
from signalling.store.leases import Lease, Leases
from signalling.store.tables import EVENT_FEED, events, feeds

LEASE_NAME: Final = "event-relay"

LEASE_S: Final = 5.0
"""Life of the relay's lease: how long events wait for an id after the relay's process was killed."""

RENEW_BEFORE_S: Final = 3.0
"""The lease is renewed when less than this is left of it."""

_BEYOND: Final = 2**63 - 1
"""No id is as large; the databases' integers end here."""

BATCH: Final = 500
"""Most events that get their ids in one transaction."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it lies in the database."""

    position: int
    """Order of writing; only a tie-break, not a place to resume from."""
    event_id: int | None
    """Its place in the feed, from 1 without gaps; None until the relay has seen it."""
    stream: str
    """Of what kind of aggregate, a `signalling.desk.events.Stream` value."""
    aggregate_id: str
    sequence: int
    """Number within its aggregate, from 1 without gaps: the version that it made."""
    type: str
    at: datetime.datetime
    call_id: str | None
    """The call it is about, also when it belongs to a ticket."""
    student_id: str | None
    """The student whose call or ticket it is about."""
    payload: dict[str, Any]
    """What `Event.to_json` gave."""
    _event: Event | None = field(default=None, init=False, compare=False, repr=False)

    def event(self) -> Event:
        """The event itself; worked out once, for many listeners ask.

        Raises ValueError for a type that this version does not know: a newer node wrote it.
        """
        if self._event is None:
            object.__setattr__(self, "_event", from_json(self.payload))
        assert self._event is not None
        return self._event


def stored_event(row: sa.Row[Any]) -> StoredEvent:
    """An event from a row of `events`."""
    return StoredEvent(**row._mapping)


class Relay:
    """One process's attempt at being the relay. Call `run_once` after every wake-up, and every second."""

    def __init__(self, database: Database, holder: str, *, batch: int = BATCH) -> None:
        self._database: Final = database
        self._leases: Final = Leases(database)
        self._holder: Final = holder
        self._batch: Final = batch
        self._lease: Lease | None = None

    @property
    def leads(self) -> bool:
        """Whether this process held the lease when it last looked."""
        return self._lease is not None

    async def run_once(self) -> list[StoredEvent]:
        """Publish what is committed, up to a batch; the published events in order.

        Nothing when another process is the relay. Call again at once while a full batch comes back.

        Raises StoreError.
        """
        lease = await self._hold()
        if lease is None or not await self._waiting():
            return []
        try:
            async with self._database.write("READ COMMITTED") as connection:
                await self._leases.check(connection, lease)
                return await publish(connection, self._batch)
        except LeaseLostError:
            self._lease = None
            return []

    async def resign(self) -> None:
        """Give the lease back, so that another process needs not wait for it to expire. Raises StoreError."""
        lease, self._lease = self._lease, None
        if lease is not None:
            await self._leases.release(lease)

    async def _hold(self) -> Lease | None:
        if self._lease is None:
            self._lease = await self._leases.acquire(LEASE_NAME, self._holder, LEASE_S)
        elif self._lease.expires_at - await self._database.now() < datetime.timedelta(seconds=RENEW_BEFORE_S):
            try:
                self._lease = await self._leases.renew(self._lease, LEASE_S)
            except LeaseLostError:
                self._lease = await self._leases.acquire(LEASE_NAME, self._holder, LEASE_S)
        return self._lease

    async def _waiting(self) -> bool:
        """Looked at first in a transaction that only reads: on SQLite the other would take the write lock."""
        async with self._database.read() as connection:
            statement = sa.select(events.c.position).where(events.c.event_id.is_(None)).limit(1)
            return (await connection.execute(statement)).one_or_none() is not None


async def publish(connection: AsyncConnection, batch: int = BATCH) -> list[StoredEvent]:
    """Give ids to the next events that this transaction sees as committed.

    The feed's counter is locked first: without any lease, two of these still give each id once.
    """
    last_id = (
        await connection.execute(
            sa.select(feeds.c.last_id).where(feeds.c.name == EVENT_FEED).with_for_update()
        )
    ).scalar_one()
    number = sa.func.row_number().over(order_by=events.c.position).label("number")
    waiting = (
        sa.select(events.c.position, number)
        .where(events.c.event_id.is_(None))
        .order_by(events.c.position)
        .limit(batch)
        .subquery("waiting")
    )
    rows = await connection.execute(
        sa.update(events)
        .where(events.c.position == waiting.c.position)
        .values(event_id=last_id + waiting.c.number)
        .returning(*events.c)
    )
    published = sorted((stored_event(row) for row in rows), key=lambda event: event.position)
    if published:
        await connection.execute(
            sa.update(feeds).where(feeds.c.name == EVENT_FEED).values(last_id=last_id + len(published))
        )
    return published


class Feed:
    """Reading events: the global feed for listeners, and a call's own as its audit trail."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def after(self, event_id: int, limit: int = BATCH) -> list[StoredEvent]:
        """The events that follow `event_id` in the feed, oldest first. Raises StoreError."""
        if event_id >= _BEYOND:  # a client may send any number
            return []
        statement = (
            sa.select(events).where(events.c.event_id > event_id).order_by(events.c.event_id).limit(limit)
        )
        return await self._read(statement)

    async def newest_id(self) -> int:
        """The id of the newest published event, 0 when there is none. Raises StoreError."""
        async with self._database.read() as connection:
            statement = sa.select(feeds.c.last_id).where(feeds.c.name == EVENT_FEED)
            return int((await connection.execute(statement)).scalar_one())

    async def oldest_id(self) -> int | None:
        """The id of the oldest event that is still kept; None when there is none. Raises StoreError.

        Who asks to resume from before it has missed events that nobody can give back.
        """
        async with self._database.read() as connection:
            found = (await connection.execute(sa.select(sa.func.min(events.c.event_id)))).scalar_one()
            return None if found is None else int(found)

    async def of(self, stream: str, aggregate_id: str, after_sequence: int = 0) -> list[StoredEvent]:
        """An aggregate's events in order, also those that have no id yet: its audit trail.

        Raises StoreError.
        """
        statement = (
            sa.select(events)
            .where(
                events.c.stream == stream,
                events.c.aggregate_id == aggregate_id,
                events.c.sequence > after_sequence,
            )
            .order_by(events.c.sequence)
        )
        return await self._read(statement)

    async def _read(self, statement: sa.Select[Any]) -> list[StoredEvent]:
        async with self._database.read() as connection:
            return [stored_event(row) for row in await connection.execute(statement)]
