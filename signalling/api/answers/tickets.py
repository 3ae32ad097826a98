"""Tickets and a student's history, as the routes answer with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from signalling.api.answers.calls import CallAnswer
from signalling.api.answers.messages import MessageAnswer, visible_messages
from signalling.api.answers.people import StudentAnswer
from signalling.api.answers.visibility import is_inside
from signalling.api.roles import Actor
from signalling.desk.model import Severity, Ticket, TicketState
from signalling.store.queries import StoredMessage


class DueAnswer(BaseModel):
    """Something promised for a time."""

    id: str
    kind: str
    at: AwareDatetime
    note: str


class LinkAnswer(BaseModel):
    """A pointer to something elsewhere."""

    kind: str
    target: str


class TicketAnswer(BaseModel):
    """The case behind the calls."""

    id: str
    ticket: str
    student: str
    state: TicketState
    topic: str
    severity: Severity
    owner: str | None
    opened_at: AwareDatetime
    updated_at: AwareDatetime
    solved_at: AwareDatetime | None
    calls: list[str]
    dues: list[DueAnswer]
    links: list[LinkAnswer] | None = None
    messages: list[MessageAnswer] | None = None


class Tickets(BaseModel):
    """A page of tickets, newest first."""

    items: list[TicketAnswer]
    next: str | None


class ClassStatsAnswer(BaseModel):
    """What a class client measured."""

    id: str
    student: str
    class_id: str | None
    at: AwareDatetime
    stats: dict[str, Any]


class HistoryAnswer(BaseModel):
    """All contacts of a student, newest first."""

    student: StudentAnswer | None
    tickets: list[TicketAnswer]
    calls: list[CallAnswer]
    messages: list[MessageAnswer]
    class_stats: list[ClassStatsAnswer]
    next: AwareDatetime | None = Field(
        default=None,
        description="`until` of the next page; what happened at just that moment comes once more.",
    )


def ticket_answer(
    ticket: Ticket, actor: Actor, messages: Sequence[StoredMessage] | None = None
) -> TicketAnswer:
    """A ticket as the actor may see it."""
    inside = is_inside(actor)
    return TicketAnswer(
        id=ticket.id,
        ticket=ticket.number,
        student=ticket.student.id,
        state=ticket.state,
        topic=ticket.topic,
        severity=ticket.severity,
        owner=ticket.owner,
        opened_at=ticket.opened_at,
        updated_at=ticket.updated_at,
        solved_at=ticket.solved_at,
        calls=list(ticket.calls),
        dues=[
            DueAnswer(id=due.id, kind=due.kind.value, at=due.at, note=due.note if inside else "")
            for due in ticket.dues
        ],
        links=[LinkAnswer(kind=link.kind, target=link.target) for link in ticket.links] if inside else None,
        messages=visible_messages(messages, actor) if messages is not None else None,
    )
