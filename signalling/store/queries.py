"""Reading what the desk has decided: lists, histories, and what an index in memory is rebuilt from.

Nothing here changes anything, and nothing read here is a basis for a decision: commands load what they need
through a `UnitOfWork`, with versions.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa

from signalling.desk import codec
from signalling.desk.model import (
    Agent,
    AgentId,
    AssignmentState,
    Call,
    CallId,
    CallState,
    FileRef,
    OfferId,
    QueueConfig,
    QueueId,
    StudentId,
    StudentProfile,
    Ticket,
    TicketId,
    TicketState,
)
from signalling.store.engine import Database
from signalling.store.rows import agent_of, call_of, queue_of, ticket_of
from signalling.store.tables import (
    agents,
    assignments,
    calls,
    consents,
    messages,
    offers,
    queues,
    students,
    tickets,
)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list that is sorted by time and then by id: the last item that was seen."""

    at: datetime.datetime
    id: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list."""

    items: Sequence[Item]
    next: Cursor | None
    """Where to continue; None at the end."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls; a field that is None does not restrict."""

    states: frozenset[CallState] | None = None
    agent: AgentId | None = None
    """Who belongs or belonged to the call, in any role."""
    student: StudentId | None = None
    class_id: str | None = None
    queue: QueueId | None = None
    ticket: TicketId | None = None
    created_from: datetime.datetime | None = None
    """Inclusive."""
    created_to: datetime.datetime | None = None
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets; a field that is None does not restrict."""

    states: frozenset[TicketState] | None = None
    student: StudentId | None = None
    owner: AgentId | None = None


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """Something said in writing: in a call, in a ticket, or elsewhere and brought by a connector."""

    id: str
    student_id: str
    ticket_id: str | None
    call_id: str | None
    author_id: str
    author_role: str
    channel: str
    at: datetime.datetime
    text: str
    files: tuple[FileRef, ...]
    staff_only: bool
    """A note among staff, which the student must not see."""


def _message(row: sa.Row[Any]) -> StoredMessage:
    values = dict(row._mapping)
    files = tuple(codec.load(FileRef, file) for file in values.pop("files"))
    return StoredMessage(**values, files=files)


@dataclass(frozen=True, slots=True)
class ConsentDecision:
    """One decision about one purpose; the newest counts."""

    call_id: str
    participant: str
    purpose: str
    at: datetime.datetime
    decision: str
    by: str
    notice_version: str
    actor_id: str
    actor_role: str


@dataclass(frozen=True, slots=True)
class History:
    """All contacts of a student, newest first."""

    student: StudentProfile | None
    tickets: Sequence[Ticket]
    calls: Sequence[Call]
    messages: Sequence[StoredMessage]


@dataclass(frozen=True, slots=True)
class HandleTime:
    """How long one call of a queue took: what waiting times are estimated from."""

    queue: QueueId
    kind: str
    waited_s: float
    """From the press to the acceptance."""
    handled_s: float
    """From the acceptance to the end of the talk."""


@dataclass(frozen=True, slots=True)
class Due:
    """An aggregate whose deadline comes."""

    stream: str
    """``call``, ``ticket`` or ``agent``."""
    id: str
    at: datetime.datetime


class Queries:
    """Reads of one database. Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    # Calls -----------------------------------------------------------------------------------------

    async def call(self, call_id: CallId) -> Call | None:
        """A call by its id."""
        row = await self._one(sa.select(calls.c.data).where(calls.c.id == call_id))
        return None if row is None else call_of(row)

    async def call_of_offer(self, offer_id: OfferId) -> CallId | None:
        """The call an offer belongs to, however long it has ended."""
        row = await self._one(sa.select(offers.c.call_id).where(offers.c.id == offer_id))
        return None if row is None else CallId(row.call_id)

    async def open_call_of(self, student_id: StudentId) -> Call | None:
        """The call that a student is waiting or being helped in."""
        row = await self._one(sa.select(calls.c.data).where(calls.c.student_id == student_id, calls.c.open))
        return None if row is None else call_of(row)

    async def calls_in_room(self, room: str) -> list[Call]:
        """Open calls of a room: one, or several that were attached to a room of the host platform."""
        rows = await self._all(
            sa.select(calls.c.data).where(calls.c.room == room, calls.c.open).order_by(calls.c.id)
        )
        return [call_of(row) for row in rows]

    async def unfinished_calls(self) -> list[Call]:
        """Every call that is not closed, oldest first: what the board and the reconciler start from."""
        rows = await self._all(
            sa.select(calls.c.data)
            .where(calls.c.state != CallState.CLOSED.value)
            .order_by(calls.c.created_at, calls.c.id)
        )
        return [call_of(row) for row in rows]

    async def calls(self, wanted: CallFilter, *, after: Cursor | None = None, limit: int = 50) -> Page[Call]:
        """Calls, newest first."""
        conditions: list[sa.ColumnElement[bool]] = []
        if wanted.states is not None:
            conditions.append(calls.c.state.in_(sorted(state.value for state in wanted.states)))
        if wanted.agent is not None:
            conditions.append(
                sa.exists().where(assignments.c.call_id == calls.c.id, assignments.c.agent_id == wanted.agent)
            )
        for column, value in (
            (calls.c.student_id, wanted.student),
            (calls.c.class_id, wanted.class_id),
            (calls.c.queue_id, wanted.queue),
            (calls.c.ticket_id, wanted.ticket),
        ):
            if value is not None:
                conditions.append(column == value)
        if wanted.created_from is not None:
            conditions.append(calls.c.created_at >= wanted.created_from)
        if wanted.created_to is not None:
            conditions.append(calls.c.created_at < wanted.created_to)
        rows, following = await self._page(
            sa.select(calls.c.id, calls.c.created_at, calls.c.data).where(*conditions),
            calls.c.created_at,
            calls.c.id,
            after,
            limit,
        )
        return Page([call_of(row) for row in rows], following)

    async def handle_times(self, since: datetime.datetime, limit: int = 500) -> list[HandleTime]:
        """The last calls that were answered and ended since then, newest first."""
        rows = await self._all(
            sa.select(
                calls.c.queue_id, calls.c.kind, calls.c.created_at, calls.c.accepted_at, calls.c.ended_at
            )
            .where(
                calls.c.created_at >= since, calls.c.accepted_at.is_not(None), calls.c.ended_at.is_not(None)
            )
            .order_by(calls.c.created_at.desc())
            .limit(limit)
        )
        return [
            HandleTime(
                QueueId(row.queue_id),
                row.kind,
                (row.accepted_at - row.created_at).total_seconds(),
                (row.ended_at - row.accepted_at).total_seconds(),
            )
            for row in rows
        ]

    async def live_assignments(self) -> list[tuple[CallId, AgentId, int]]:
        """Call, agent and fencing token of every agent who belongs to a call now.

        For the cache of a room's owner: with it agents can rejoin while the database is away.
        """
        rows = await self._all(
            sa.select(assignments.c.call_id, assignments.c.agent_id, assignments.c.fence).where(
                assignments.c.state != AssignmentState.ENDED.value
            )
        )
        return [(CallId(row.call_id), AgentId(row.agent_id), row.fence) for row in rows]

    async def consents(self, call_id: CallId) -> list[ConsentDecision]:
        """Every decision in a call, oldest first."""
        rows = await self._all(
            sa.select(consents).where(consents.c.call_id == call_id).order_by(consents.c.at)
        )
        return [ConsentDecision(**row._mapping) for row in rows]

    # Tickets and students --------------------------------------------------------------------------

    async def ticket(self, ticket_id: str) -> Ticket | None:
        """A ticket by its id, or by the number that the student was told."""
        row = await self._one(
            sa.select(tickets.c.data).where(sa.or_(tickets.c.id == ticket_id, tickets.c.number == ticket_id))
        )
        return None if row is None else ticket_of(row)

    async def tickets(
        self, wanted: TicketFilter, *, after: Cursor | None = None, limit: int = 50
    ) -> Page[Ticket]:
        """Tickets, newest first."""
        conditions: list[sa.ColumnElement[bool]] = []
        if wanted.states is not None:
            conditions.append(tickets.c.state.in_(sorted(state.value for state in wanted.states)))
        if wanted.student is not None:
            conditions.append(tickets.c.student_id == wanted.student)
        if wanted.owner is not None:
            conditions.append(tickets.c.owner_id == wanted.owner)
        rows, following = await self._page(
            sa.select(tickets.c.id, tickets.c.opened_at, tickets.c.data).where(*conditions),
            tickets.c.opened_at,
            tickets.c.id,
            after,
            limit,
        )
        return Page([ticket_of(row) for row in rows], following)

    async def student(self, student_id: StudentId) -> StudentProfile | None:
        """What the host platform said last about a student."""
        row = await self._one(sa.select(students.c.data).where(students.c.id == student_id))
        return None if row is None else codec.load(StudentProfile, row.data)

    async def history(
        self, student_id: StudentId, limit: int = 100, *, until: datetime.datetime | None = None
    ) -> History:
        """Contacts of a student, newest first, at most `limit` of each sort, none after `until`."""

        def earlier(column: sa.ColumnElement[datetime.datetime]) -> sa.ColumnElement[bool]:
            return sa.true() if until is None else column <= until

        async with self._database.read() as connection:
            profile = (
                await connection.execute(sa.select(students.c.data).where(students.c.id == student_id))
            ).one_or_none()
            found_tickets = await connection.execute(
                sa.select(tickets.c.data)
                .where(tickets.c.student_id == student_id, earlier(tickets.c.opened_at))
                .order_by(tickets.c.opened_at.desc(), tickets.c.id.desc())
                .limit(limit)
            )
            found_calls = await connection.execute(
                sa.select(calls.c.data)
                .where(calls.c.student_id == student_id, earlier(calls.c.created_at))
                .order_by(calls.c.created_at.desc(), calls.c.id.desc())
                .limit(limit)
            )
            found_messages = await connection.execute(
                sa.select(messages)
                .where(messages.c.student_id == student_id, earlier(messages.c.at))
                .order_by(messages.c.at.desc(), messages.c.id.desc())
                .limit(limit)
            )
            return History(
                codec.load(StudentProfile, profile.data) if profile is not None else None,
                [ticket_of(row) for row in found_tickets],
                [call_of(row) for row in found_calls],
                [_message(row) for row in found_messages],
            )

    # Agents and queues -----------------------------------------------------------------------------

    async def agents(self) -> list[Agent]:
        """All agents by id."""
        return [agent_of(row) for row in await self._all(sa.select(agents.c.data).order_by(agents.c.id))]

    async def agent(self, agent_id: AgentId) -> Agent | None:
        """An agent by id."""
        row = await self._one(sa.select(agents.c.data).where(agents.c.id == agent_id))
        return None if row is None else agent_of(row)

    async def queues(self) -> list[QueueConfig]:
        """All queues by id."""
        return [queue_of(row) for row in await self._all(sa.select(queues.c.data).order_by(queues.c.id))]

    async def queue(self, queue_id: QueueId) -> QueueConfig | None:
        """A queue by id."""
        row = await self._one(sa.select(queues.c.data).where(queues.c.id == queue_id))
        return None if row is None else queue_of(row)

    async def due(self, until: datetime.datetime, limit: int = 200) -> list[Due]:
        """Aggregates with a deadline up to `until`, earliest first."""
        parts = [
            sa.select(sa.literal(stream).label("stream"), table.c.id, table.c.next_due_at.label("at")).where(
                table.c.next_due_at.is_not(None), table.c.next_due_at <= until
            )
            for stream, table in (("call", calls), ("ticket", tickets), ("agent", agents))
        ]
        every = sa.union_all(*parts).subquery()
        rows = await self._all(sa.select(every).order_by(every.c.at, every.c.id).limit(limit))
        return [Due(row.stream, row.id, row.at) for row in rows]

    async def next_due(self) -> datetime.datetime | None:
        """The earliest deadline of all."""
        async with self._database.read() as connection:
            found = [
                (await connection.execute(sa.select(sa.func.min(table.c.next_due_at)))).scalar_one()
                for table in (calls, tickets, agents)
            ]
        return min((moment for moment in found if moment is not None), default=None)

    # Messages ---------------------------------------------------------------------

    async def messages(
        self,
        *,
        call: CallId | None = None,
        ticket: TicketId | None = None,
        after: Cursor | None = None,
        limit: int = 100,
    ) -> Page[StoredMessage]:
        """Messages of a call or of a ticket (its calls' included), oldest first.

        Raises ValueError unless exactly one of the two is given.
        """
        if (call is None) == (ticket is None):
            raise ValueError("messages: give a call or a ticket")
        condition = messages.c.call_id == call if call is not None else messages.c.ticket_id == ticket
        rows, following = await self._page(
            sa.select(messages).where(condition), messages.c.at, messages.c.id, after, limit, oldest=True
        )
        return Page([_message(row) for row in rows], following)

    # -----------------------------------------------------------------------------------------------

    async def _one(self, statement: sa.Select[Any]) -> sa.Row[Any] | None:
        async with self._database.read() as connection:
            row: sa.Row[Any] | None = (await connection.execute(statement)).one_or_none()
            return row

    async def _all(self, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        async with self._database.read() as connection:
            rows: Sequence[sa.Row[Any]] = (await connection.execute(statement)).all()
            return rows

    async def _page(
        self,
        statement: sa.Select[Any],
        at: sa.Column[Any],
        key: sa.Column[Any],
        after: Cursor | None,
        limit: int,
        *,
        oldest: bool = False,
    ) -> tuple[Sequence[sa.Row[Any]], Cursor | None]:
        """One more row than asked for tells whether more follow."""
        place = sa.tuple_(at, key)
        if after is not None:
            seen = sa.tuple_(sa.literal(after.at, at.type), sa.literal(after.id, key.type))
            statement = statement.where(place > seen if oldest else place < seen)
        order = (at, key) if oldest else (at.desc(), key.desc())
        rows = await self._all(statement.order_by(*order).limit(limit + 1))
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]._mapping
        return rows[:limit], Cursor(last[at], last[key])
