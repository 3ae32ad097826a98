"""Writes the difference between two desks, and the events that made it."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from signalling.desk import codec
from signalling.desk.events import CallEvent, Event, MessageCreated, TicketCall, TicketEvent, TicketMessage
from signalling.desk.model import (
    Agent,
    Call,
    CallId,
    QueueConfig,
    StudentId,
    StudentProfile,
    Ticket,
    TicketId,
)
from signalling.desk.state import Desk
from signalling.store import rows, tables
from signalling.store.errors import ConcurrencyError

_Aggregate = TypeVar("_Aggregate", Call, Ticket, Agent, QueueConfig)
_Changes = Sequence[tuple[_Aggregate | None, _Aggregate]]
"""What an aggregate was (None: it is new) and what it is now, by id."""


def _changes(before: Mapping[Any, _Aggregate], after: Mapping[Any, _Aggregate]) -> _Changes[_Aggregate]:
    """Aggregates that are new or have another version."""
    found: list[tuple[_Aggregate | None, _Aggregate]] = []
    for key in sorted(after):
        old = before.get(key)
        if old is None or old.version != after[key].version:
            found.append((old, after[key]))
    return found


# Statements are built once: building one costs more than sending it.


@functools.cache
def _insert(table: sa.Table) -> sa.Insert:
    return sa.insert(table)


@functools.cache
def _update(table: sa.Table, *keys: str) -> sa.Update:
    """Sets what is given, where `keys` have the values given as ``is_KEY``."""
    return sa.update(table).where(*(table.c[key] == sa.bindparam(f"is_{key}") for key in keys))


@functools.cache
def _upsert_student(dialect: str) -> sa.Insert:
    table = tables.students
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    kept = {column.name: statement.excluded[column.name] for column in table.c if column.name != "id"}
    upsert: sa.Insert = statement.on_conflict_do_update(index_elements=[table.c.id], set_=kept)
    return upsert


class Writer:
    """Writes within one transaction.

    Always in the same order (students, tickets, calls, what belongs to calls, agents, queues; each by id), so
    that two transactions do not wait for one another in a circle.
    """

    def __init__(
        self, connection: AsyncConnection, before: Desk, after: Desk, now: datetime.datetime
    ) -> None:
        self._connection = connection
        self._before = before
        self._after = after
        self._now = now

    async def write(self, events: Sequence[Event]) -> None:
        """Raises ConcurrencyError; the driver's errors become UniquenessError further out."""
        tickets = _changes(self._before.tickets, self._after.tickets)
        calls = _changes(self._before.calls, self._after.calls)
        await self._students(tickets, calls)
        await self._aggregates(tables.tickets, tickets, rows.ticket_row)
        await self._aggregates(tables.calls, calls, rows.call_row)
        await self._parts(tables.offers, calls, rows.offer_rows, rows.offer_order)
        await self._parts(tables.assignments, calls, rows.assignment_rows, rows.assignment_order)
        await self._parts(tables.transfers, calls, rows.transfer_rows, rows.transfer_order)
        await self._parts(tables.consents, calls, rows.consent_rows, rows.consent_order)
        agents = _changes(self._before.agents, self._after.agents)
        await self._aggregates(tables.agents, agents, rows.agent_row)
        queues = _changes(self._before.queues, self._after.queues)
        await self._aggregates(tables.queues, queues, rows.queue_row)
        if said := [row for row in map(self._message_row, events) if row is not None]:
            await self._connection.execute(_insert(tables.messages), said)
        await self._connection.execute(_insert(tables.events), [self._event_row(one) for one in events])

    async def _students(self, tickets: _Changes[Ticket], calls: _Changes[Call]) -> None:
        """The profile that came with a new ticket or call is the newest."""
        fresh: dict[str, StudentProfile] = {
            new.student.id: new.student for old, new in tickets if old is None
        }
        fresh |= {new.student.id: new.student for old, new in calls if old is None}
        upsert = _upsert_student(self._connection.dialect.name)
        for _, student in sorted(fresh.items()):
            values = rows.student_row(student) | {"updated_at": self._now}
            await self._connection.execute(upsert, values)

    async def _aggregates(
        self, table: sa.Table, changes: _Changes[Any], row_of: Callable[[Any], rows.Values]
    ) -> None:
        for old, new in changes:
            values = row_of(new)
            if old is None:
                await self._connection.execute(_insert(table), values)
                continue
            known = {"is_id": values["id"], "is_version": old.version}
            done = await self._connection.execute(_update(table, "id", "version"), values | known)
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
                (key not in known, values) for key, values in here.items() if known.get(key) != values
            ]
        keys = [column.name for column in table.primary_key]
        for is_new, values in sorted(changed, key=lambda one: order(one[1])):
            if is_new:
                await self._connection.execute(_insert(table), values)
            else:
                same = {f"is_{key}": values[key] for key in keys}
                await self._connection.execute(_update(table, *keys), values | same)

    def _message_row(self, event: Event) -> rows.Values | None:
        if isinstance(event, MessageCreated):
            call = self._after.calls[event.call]
            student, ticket_id, call_id = call.student.id, call.ticket, call.id
            channel, at = call.channel, event.at
        elif isinstance(event, TicketMessage):
            ticket = self._after.tickets[TicketId(event.ticket)]
            student, ticket_id, call_id = ticket.student.id, ticket.id, None
            channel, at = event.channel, event.said_at
        else:
            return None
        return {
            "id": event.message,
            "student_id": student,
            "ticket_id": ticket_id,
            "call_id": call_id,
            "author_id": event.author,
            "author_role": event.author_role.value,
            "channel": channel,
            "at": at,
            "text": event.text,
            "files": codec.dump(event.files),
            "staff_only": event.staff_only,
        }

    def _event_row(self, event: Event) -> rows.Values:
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
