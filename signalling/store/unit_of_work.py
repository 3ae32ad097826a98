"""One command, one transaction: load the excerpt it needs, save the events it caused, commit.

    async with store.begin() as work:
        desk = await work.load(needs(command))
        events = decide(desk, command, work.now)
        after = await work.save(events)

Two commands that race for the same aggregate cannot both succeed. Every change raises the aggregate's
version and is written only onto the version that was read; the desk keeps what concerns two aggregates in
both (an agent's engagements mirror his calls), so commands that exclude each other always write a common one.
Behind that stand the unique indexes of `signalling.store.tables`. The loser gets ConcurrencyError or
UniquenessError, nothing of it is written, and it is right to run the command again from the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from signalling.desk import codec
from signalling.desk.events import Event
from signalling.desk.model import CallState, DeskPolicy, QueueConfig
from signalling.desk.state import Desk, Needs
from signalling.store import rows, tables
from signalling.store.engine import Database
from signalling.store.excerpt import CALLS_WITH_TICKETS, load_excerpt, put_call_with_ticket
from signalling.store.leases import Lease, Leases
from signalling.store.types import DatabaseTime
from signalling.store.writer import Writer

POLICY: Final = "desk"
"""The row of `policies` that holds the DeskPolicy."""

_SNAPSHOT_BATCH: Final = 50
"""Calls read into a snapshot before media gets its turn: each takes about 0.3 ms."""

_QUEUE: Final = "queue"


def _configuration(*more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    both = sa.union_all(
        sa.select(
            sa.literal(_QUEUE).label("kind"),
            tables.queues.c.id,
            tables.queues.c.version,
            tables.queues.c.data,
        ),
        sa.select(
            sa.literal(POLICY), tables.policies.c.name, tables.policies.c.version, tables.policies.c.data
        ).where(tables.policies.c.name == POLICY),
    ).subquery()
    return sa.select(both, *more).order_by(both.c.kind, both.c.id)


_CONFIGURATION: Final = _configuration()
_CONFIGURATION_AND_TIME: Final = _configuration(DatabaseTime().label("now"))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole unfinished desk at one moment, to build an index in memory from."""

    desk: Desk
    """Every call that is not closed with its ticket, all agents, all queues, the policy."""
    event_id: int
    """Continue with the events after this one. Skip those whose sequence is not above the aggregate's
    version: they were committed already, and only numbered later."""


class DeskStore:
    """The desk in a database. `begin` a unit of work for each attempt of each command."""

    def __init__(self, database: Database) -> None:
        self.database: Final = database
        self._leases: Final = Leases(database)
        # Queues and policy are loaded with every command and hardly ever change: decoded once per version.
        self._queues: Final[dict[str, tuple[int, QueueConfig]]] = {}
        self._policy: tuple[int, DeskPolicy] = (0, DeskPolicy())

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work; it is committed at the end of the block, or rolled back by an exception.

        Raises ConcurrencyError, UniquenessError (run the command again), DatabaseUnavailableError.
        """
        async with self.database.write() as connection:
            yield UnitOfWork(self, connection, self._leases)

    async def snapshot(self) -> Snapshot:
        """Everything that is not finished, as of one moment. Raises StoreError."""
        async with self.database.read("REPEATABLE READ") as connection:
            event_id = (
                await connection.execute(
                    sa.select(tables.feeds.c.last_id).where(tables.feeds.c.name == tables.EVENT_FEED)
                )
            ).scalar_one()
            queues, policy, _ = await self.configuration(connection)
            desk = Desk(policy=policy, queues=queues)
            unfinished = CALLS_WITH_TICKETS.where(tables.calls.c.state != CallState.CLOSED.value)
            found = await connection.stream(unfinished.order_by(tables.calls.c.created_at, tables.calls.c.id))
            async for batch in found.partitions(_SNAPSHOT_BATCH):
                for row in batch:
                    put_call_with_ticket(desk, row)
                await asyncio.sleep(0)
            for row in await connection.execute(sa.select(tables.agents.c.data)):
                desk.put_agent(rows.agent_of(row))
            return Snapshot(desk, event_id)

    async def policy(self) -> DeskPolicy:
        """What holds for the whole desk. Raises StoreError."""
        async with self.database.read() as connection:
            return (await self.configuration(connection))[1]

    async def put_policy(self, policy: DeskPolicy) -> None:
        """Replace the policy; nodes use it from their next command on. Raises StoreError."""
        insert = sqlite.insert if self.database.is_sqlite else postgresql.insert
        table = tables.policies
        values = {"updated_at": self.database.time(), "data": codec.dump(policy)}
        async with self.database.write("READ COMMITTED") as connection:
            await connection.execute(
                insert(table)
                .values(name=POLICY, version=1, **values)
                .on_conflict_do_update(
                    index_elements=[table.c.name], set_={"version": table.c.version + 1, **values}
                )
            )

    async def configuration(
        self, connection: AsyncConnection
    ) -> tuple[list[QueueConfig], DeskPolicy, datetime.datetime]:
        """Queues, policy and the database's time."""
        with_time = self.database.tells_time
        found = await connection.execute(_CONFIGURATION_AND_TIME if with_time else _CONFIGURATION)
        known: list[QueueConfig] = []
        policy, now = DeskPolicy(), None
        for row in found:
            now = row.now if with_time else None
            if row.kind == _QUEUE:
                cached = self._queues.get(row.id)
                if cached is None or cached[0] != row.version:
                    cached = self._queues[row.id] = (row.version, rows.queue_of(row))
                known.append(cached[1])
            else:
                if self._policy[0] != row.version:
                    self._policy = (row.version, codec.load(DeskPolicy, row.data))
                policy = self._policy[1]
        return known, policy, now or await self.database.now(connection)


class UnitOfWork:
    """One attempt of one command: `load` once, then `save` once."""

    def __init__(self, store: DeskStore, connection: AsyncConnection, leases: Leases) -> None:
        self._store: Final = store
        self._leases: Final = leases
        self.connection: Final = connection
        """The transaction, for what must be committed together with the command."""
        self._before: Desk | None = None
        self._now: datetime.datetime | None = None

    @property
    def now(self) -> datetime.datetime:
        """The database's time when the excerpt was loaded: what `decide` decides by."""
        assert self._now is not None, "load first"
        return self._now

    async def guard(self, lease: Lease) -> None:
        """Before loading: this transaction may only be committed while `lease` is ours.

        Raises LeaseLostError.
        """
        await self._leases.check(self.connection, lease)

    async def load(self, needs: Needs) -> Desk:
        """The excerpt of the desk that `needs` names, with its closure (see `Needs`)."""
        queues, policy, self._now = await self._store.configuration(self.connection)
        desk = Desk(policy=policy, queues=queues)
        await load_excerpt(self.connection, desk, needs, self._now)
        self._before = _copy(desk)
        return desk

    async def save(self, events: Sequence[Event]) -> Desk:
        """Write what the events change, and the events; the desk after them.

        Committed only when the unit of work ends. Raises ConcurrencyError, UniquenessError, and
        SequenceGap for events that do not follow from the excerpt that was loaded (a bug).
        """
        assert self._before is not None, "load first"
        after = _copy(self._before)
        for event in events:
            after.apply(event)
        if events:
            await Writer(self.connection, self._before, after, self.now).write(events)
        return after


def _copy(desk: Desk) -> Desk:
    """A desk of the same aggregates: it changes by itself, whatever happens to the other."""
    return Desk(
        policy=desk.policy,
        queues=desk.queues.values(),
        agents=desk.agents.values(),
        tickets=desk.tickets.values(),
        calls=desk.calls.values(),
    )
