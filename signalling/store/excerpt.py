"""Loads what a command needs: the closure that `signalling.desk.state.Needs` describes."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from signalling.desk.model import Agent, AgentId, CallId, StudentId, Ticket, TicketState
from signalling.desk.state import Desk, Needs
from signalling.store import rows
from signalling.store.tables import agents, calls, tickets

_DONE: Final = tuple(state.value for state in (TicketState.SOLVED, TicketState.CONFIRMED))

CALLS_WITH_TICKETS: Final = sa.select(calls.c.data, tickets.c.data.label("ticket")).join(
    tickets, tickets.c.id == calls.c.ticket_id
)
"""Calls, each with its ticket; read a row with `put_call_with_ticket`."""

# Statements are built once: building one costs more than sending it.
_CALLS: Final = CALLS_WITH_TICKETS.where(calls.c.id.in_(sa.bindparam("ids", expanding=True)))
_OPEN_CALLS: Final = CALLS_WITH_TICKETS.where(
    calls.c.student_id.in_(sa.bindparam("students", expanding=True)), calls.c.open
)
_TICKETS: Final = (
    sa.select(tickets.c.data)
    .where(tickets.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(tickets.c.opened_at, tickets.c.id)
)
_CURRENT_TICKETS: Final = (
    sa.select(tickets.c.data)
    .where(
        tickets.c.student_id.in_(sa.bindparam("students", expanding=True)),
        sa.or_(
            tickets.c.state.not_in(_DONE),
            tickets.c.next_due_at.is_not(None),
            tickets.c.solved_at >= sa.bindparam("solved_after"),
        ),
    )
    .order_by(tickets.c.opened_at, tickets.c.id)
)
_AGENTS: Final = sa.select(agents.c.data).where(agents.c.id.in_(sa.bindparam("ids", expanding=True)))


async def load_excerpt(connection: AsyncConnection, desk: Desk, needs: Needs, now: datetime.datetime) -> None:
    """Add what `needs` names to `desk`, which has queues and policy already. Raises StoreError."""
    excerpt = _Excerpt(connection, desk)
    wanted_calls, wanted_agents = set(needs.calls), set(needs.agents | needs.agents_with_calls)
    students = set(needs.students)
    if needs.tickets:
        named = await excerpt.tickets(_TICKETS, ids=sorted(needs.tickets))
        wanted_calls.update(call for ticket in named for call in ticket.calls[-1:])
        await excerpt.open_calls({ticket.student.id for ticket in named})
    if students:
        await excerpt.open_calls(students)
        await excerpt.tickets(
            _CURRENT_TICKETS, students=sorted(students), solved_after=now - desk.policy.same_case
        )
    if needs.agents_with_calls:
        for agent in await excerpt.agents(wanted_agents):
            if agent.id in needs.agents_with_calls:
                wanted_calls.update(engagement.call for engagement in agent.engagements)
    await excerpt.calls(wanted_calls)
    for call in desk.calls.values():
        wanted_agents.update(offer.agent for offer in call.pending_offers)
        wanted_agents.update(assignment.agent for assignment in call.live_assignments)
        if call.wrapping_agent is not None:
            wanted_agents.add(call.wrapping_agent)
    await excerpt.agents(wanted_agents)


def put_call_with_ticket(desk: Desk, row: Any) -> None:
    """Add both from a row of `CALLS_WITH_TICKETS`."""
    call = rows.call_of(row)
    if call.ticket not in desk.tickets:
        desk.put_ticket(rows.ticket_from(row.ticket))
    desk.put_call(call)


class _Excerpt:
    """Adds aggregates to a desk, each once."""

    def __init__(self, connection: AsyncConnection, desk: Desk) -> None:
        self._connection = connection
        self._desk = desk

    async def calls(self, wanted: set[CallId]) -> None:
        if missing := sorted(wanted - self._desk.calls.keys()):
            for row in await self._connection.execute(_CALLS, {"ids": missing}):
                put_call_with_ticket(self._desk, row)

    async def open_calls(self, students: set[StudentId]) -> None:
        if students:
            for row in await self._connection.execute(_OPEN_CALLS, {"students": sorted(students)}):
                put_call_with_ticket(self._desk, row)

    async def tickets(self, statement: sa.Select[tuple[object]], **parameters: object) -> list[Ticket]:
        found = [rows.ticket_of(row) for row in await self._connection.execute(statement, parameters)]
        for ticket in found:
            if ticket.id not in self._desk.tickets:
                self._desk.put_ticket(ticket)
        return found

    async def agents(self, wanted: Iterable[AgentId]) -> list[Agent]:
        missing = sorted(set(wanted) - self._desk.agents.keys())
        if not missing:
            return []
        found = [rows.agent_of(row) for row in await self._connection.execute(_AGENTS, {"ids": missing})]
        for agent in found:
            self._desk.put_agent(agent)
        return found
