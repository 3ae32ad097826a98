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

import contextlib
import datetime
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from signalling.desk import codec
from signalling.desk.events import CallEvent, Event, MessageCreated, TicketCall, TicketEvent, TicketMessage
from signalling.desk.model import (
    Agent,
    AgentId,
    Call,
    CallId,
    CallState,
    DeskPolicy,
    QueueConfig,
    StudentId,
    StudentProfile,
    Ticket,
    TicketId,
    TicketState,
)
from signalling.desk.state import Desk, Needs
from signalling.store import rows, tables
from signalling.store.engine import Database
from signalling.store.errors import ConcurrencyError
from signalling.store.leases import Lease, Leases

POLICY: Final = "desk"
"""The row of `policies` that holds the DeskPolicy."""

_Aggregate = TypeVar("_Aggregate", Call, Ticket, Agent, QueueConfig)
_Changes = Sequence[tuple[_Aggregate | None, _Aggregate]]
"""What an aggregate was (None: it is new) and what it is now, by id."""

_DONE: Final = tuple(state.value for state in (TicketState.SOLVED, TicketState.CONFIRMED))


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
            found = await connection.execute(
                sa.select(tables.calls.c.data, tables.tickets.c.data.label("ticket"))
                .join(tables.tickets, tables.tickets.c.id == tables.calls.c.ticket_id)
                .where(tables.calls.c.state != CallState.CLOSED.value)
                .order_by(tables.calls.c.created_at, tables.calls.c.id)
            )
            desk = Desk(policy=policy, queues=queues)
            for row in found:
                desk.put_ticket(codec.load(Ticket, row.ticket))
                desk.put_call(rows.call_of(row))
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
        found = await connection.execute(_configuration().add_columns(self.database.time().label("now")))
        known: list[QueueConfig] = []
        policy, now = DeskPolicy(), None
        for row in found:
            now = row.now
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


_QUEUE: Final = "queue"


def _configuration() -> sa.Select[Any]:
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
    return sa.select(both).order_by(both.c.kind, both.c.id)


def _changes(before: Mapping[Any, _Aggregate], after: Mapping[Any, _Aggregate]) -> _Changes[_Aggregate]:
    """Aggregates that are new or have another version."""
    found: list[tuple[_Aggregate | None, _Aggregate]] = []
    for key in sorted(after):
        old = before.get(key)
        if old is None or old.version != after[key].version:
            found.append((old, after[key]))
    return found


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
        excerpt = _Excerpt(self.connection, Desk(policy=policy, queues=queues))
        students = set(needs.students)
        calls, agents = set(needs.calls), set(needs.agents | needs.agents_with_calls)
        if needs.tickets:
            for ticket in await excerpt.tickets(tables.tickets.c.id.in_(sorted(needs.tickets))):
                calls.update(ticket.calls[-1:])
                await excerpt.calls(_open_calls({ticket.student.id}))
        if students:
            await excerpt.calls(_open_calls(students))
            await excerpt.tickets(_current_tickets(students, self._now - policy.same_case))
        if needs.agents_with_calls:
            for agent in await excerpt.agents(agents):
                if agent.id in needs.agents_with_calls:
                    calls.update(engagement.call for engagement in agent.engagements)
        if calls - excerpt.desk.calls.keys():
            await excerpt.calls(tables.calls.c.id.in_(sorted(calls - excerpt.desk.calls.keys())))
        for call in excerpt.desk.calls.values():
            agents.update(offer.agent for offer in call.pending_offers)
            agents.update(assignment.agent for assignment in call.live_assignments)
            if call.wrapping_agent is not None:
                agents.add(call.wrapping_agent)
        await excerpt.agents(agents - excerpt.desk.agents.keys())
        self._before = _copy(excerpt.desk)
        return excerpt.desk

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
            writer = _Writer(self.connection, self._store.database, self._before, after, self.now)
            await writer.write(events)
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


def _open_calls(students: Iterable[StudentId]) -> sa.ColumnElement[bool]:
    return sa.and_(tables.calls.c.student_id.in_(sorted(students)), tables.calls.c.open)


def _current_tickets(
    students: Iterable[StudentId], solved_after: datetime.datetime
) -> sa.ColumnElement[bool]:
    table = tables.tickets
    return sa.and_(
        table.c.student_id.in_(sorted(students)),
        sa.or_(
            table.c.state.not_in(_DONE), table.c.next_due_at.is_not(None), table.c.solved_at >= solved_after
        ),
    )


class _Excerpt:
    """Loads aggregates into a desk."""

    def __init__(self, connection: AsyncConnection, desk: Desk) -> None:
        self._connection = connection
        self.desk = desk

    async def calls(self, condition: sa.ColumnElement[bool]) -> None:
        """Calls, each with its ticket."""
        found = await self._connection.execute(
            sa.select(tables.calls.c.data, tables.tickets.c.data.label("ticket"))
            .join(tables.tickets, tables.tickets.c.id == tables.calls.c.ticket_id)
            .where(condition)
            .order_by(tables.calls.c.id)
        )
        for row in found:
            self._put_ticket(codec.load(Ticket, row.ticket))
            self.desk.put_call(rows.call_of(row))

    async def tickets(self, condition: sa.ColumnElement[bool]) -> list[Ticket]:
        """Tickets alone, oldest first."""
        found = await self._connection.execute(
            sa.select(tables.tickets.c.data)
            .where(condition)
            .order_by(tables.tickets.c.opened_at, tables.tickets.c.id)
        )
        loaded = [rows.ticket_of(row) for row in found]
        for ticket in loaded:
            self._put_ticket(ticket)
        return loaded

    def _put_ticket(self, ticket: Ticket) -> None:
        if ticket.id not in self.desk.tickets:
            self.desk.put_ticket(ticket)

    async def agents(self, wanted: Iterable[AgentId]) -> list[Agent]:
        """Agents by id."""
        if not (keys := sorted(wanted)):
            return []
        found = await self._connection.execute(
            sa.select(tables.agents.c.data).where(tables.agents.c.id.in_(keys)).order_by(tables.agents.c.id)
        )
        loaded = [rows.agent_of(row) for row in found]
        for agent in loaded:
            self.desk.put_agent(agent)
        return loaded


class _Writer:
    """Writes the difference between two desks.

    Always in the same order (students, tickets, calls, what belongs to calls, agents, queues; each by id), so
    that two transactions do not wait for one another in a circle.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        database: Database,
        before: Desk,
        after: Desk,
        now: datetime.datetime,
    ) -> None:
        self._connection = connection
        self._now = now
        self._database = database
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._before = before
        self._after = after

    async def write(self, events: Sequence[Event]) -> None:
        """Raises ConcurrencyError; the driver's errors become UniquenessError further out."""
        tickets = _changes(self._before.tickets, self._after.tickets)
        calls = _changes(self._before.calls, self._after.calls)
        await self._students(tickets, calls)
        await self._aggregates(tables.tickets, tickets, rows.ticket_row)
        await self._aggregates(tables.calls, calls, rows.call_row)
        await self._parts(tables.offers, calls, rows.offer_rows, lambda values: values["state"] == "pending")
        await self._parts(tables.assignments, calls, rows.assignment_rows, rows.assignment_order)
        await self._parts(tables.transfers, calls, rows.transfer_rows, lambda values: values["live"])
        await self._parts(tables.consents, calls, rows.consent_rows, lambda values: values["at"])
        agents = _changes(self._before.agents, self._after.agents)
        await self._aggregates(tables.agents, agents, rows.agent_row)
        queues = _changes(self._before.queues, self._after.queues)
        await self._aggregates(tables.queues, queues, rows.queue_row)
        await self._messages(events)
        await self._connection.execute(sa.insert(tables.events), [self._event_row(event) for event in events])

    async def _students(self, tickets: _Changes[Ticket], calls: _Changes[Call]) -> None:
        """The profile that came with a new ticket or call is the newest."""
        fresh: dict[str, StudentProfile] = {
            new.student.id: new.student for old, new in tickets if old is None
        }
        fresh |= {new.student.id: new.student for old, new in calls if old is None}
        table = tables.students
        for _, student in sorted(fresh.items()):
            values = rows.student_row(student) | {"updated_at": self._database.time()}
            await self._connection.execute(
                self._insert(table)
                .values(values)
                .on_conflict_do_update(index_elements=[table.c.id], set_=values)
            )

    async def _aggregates(
        self, table: sa.Table, changes: _Changes[Any], row_of: Callable[[Any], rows.Values]
    ) -> None:
        for old, new in changes:
            values = row_of(new)
            if old is None:
                await self._connection.execute(sa.insert(table).values(values))
                continue
            done = await self._connection.execute(
                sa.update(table)
                .where(table.c.id == values["id"], table.c.version == old.version)
                .values(values)
            )
            if done.rowcount != 1:
                raise ConcurrencyError(f"{table.name}: {values['id']} is no longer at version {old.version}")

    async def _parts(
        self,
        table: sa.Table,
        calls: _Changes[Call],
        rows_of: Callable[[Call], dict[Any, rows.Values]],
        order: Callable[[rows.Values], Any],
    ) -> None:
        """What belongs to calls, where it differs.

        Written in `order`: what gives up a unique place comes before what takes it. A call remembers a
        number of ended ones only; the rows of those that it has forgotten stay, as ended.
        """
        changed: list[tuple[bool, rows.Values]] = []
        for old, new in calls:
            known = rows_of(old) if old is not None else {}
            here = rows_of(new)
            gone = [rows.forgotten(values, self._now) for key, values in known.items() if key not in here]
            changed += [(False, values) for values in gone if values is not None]
            changed += [
                (key not in known, values) for key, values in rows_of(new).items() if known.get(key) != values
            ]
        keys = [column.name for column in table.primary_key]
        for is_new, values in sorted(changed, key=lambda one: order(one[1])):
            if is_new:
                await self._connection.execute(sa.insert(table).values(values))
            else:
                same = sa.and_(*(table.c[key] == values[key] for key in keys))
                await self._connection.execute(sa.update(table).where(same).values(values))

    async def _messages(self, events: Sequence[Event]) -> None:
        said: list[dict[str, Any]] = []
        for event in events:
            if isinstance(event, MessageCreated):
                call = self._after.calls[event.call]
                about = {
                    "student_id": call.student.id,
                    "ticket_id": call.ticket,
                    "call_id": call.id,
                    "channel": call.channel,
                    "at": event.at,
                }
            elif isinstance(event, TicketMessage):
                ticket = self._after.tickets[TicketId(event.ticket)]
                about = {
                    "student_id": ticket.student.id,
                    "ticket_id": ticket.id,
                    "call_id": None,
                    "channel": event.channel,
                    "at": event.said_at,
                }
            else:
                continue
            said.append(
                about
                | {
                    "id": event.message,
                    "author_id": event.author,
                    "author_role": event.author_role.value,
                    "text": event.text,
                    "files": codec.dump(event.files),
                    "staff_only": event.staff_only,
                }
            )
        if said:
            await self._connection.execute(sa.insert(tables.messages), said)

    def _event_row(self, event: Event) -> dict[str, Any]:
        call: CallId | None = None
        student: StudentId | None = None
        if isinstance(event, CallEvent):
            call = event.call
            student = self._after.calls[call].student.id
        elif isinstance(event, TicketEvent):
            student = self._after.tickets[TicketId(event.ticket)].student.id
            call = event.call if isinstance(event, TicketCall) else None
        return {
            "stream": event.STREAM.value,
            "aggregate_id": event.stream_id,
            "sequence": event.seq,
            "type": event.TYPE,
            "at": event.at,
            "call_id": call,
            "student_id": student,
            "payload": event.to_json(),
        }
