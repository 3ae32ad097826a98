"""Events of tickets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from signalling.desk.event import Event, Scope, Stream
from signalling.desk.model import (
    ActorRole,
    AgentId,
    CallId,
    Due,
    FileRef,
    Link,
    MessageId,
    Ticket,
    TicketState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketEvent(Event):
    """An event of a ticket."""

    STREAM: ClassVar[Stream] = Stream.TICKET

    @property
    def ticket(self) -> str:
        """The ticket it belongs to."""
        return self.stream_id

    @property
    def scope(self) -> Scope:
        """The student may follow his own case."""
        return Scope.PARTICIPANTS

    def evolve(self, ticket: Ticket) -> Ticket:
        """The ticket after this event."""
        return ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketOpened(TicketEvent):
    """A new case."""

    TYPE: ClassVar[str] = "ticket.opened"
    opened: Ticket

    def public_data(self) -> dict[str, Any]:
        """Without the profile."""
        ticket = self.opened
        return {"number": ticket.number, "topic": ticket.topic, "severity": ticket.severity.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketCall(TicketEvent):
    """A call belongs to this case."""

    TYPE: ClassVar[str] = "ticket.call"
    call: CallId

    def evolve(self, ticket: Ticket) -> Ticket:
        """Appends the call."""
        return replace(ticket, calls=(*ticket.calls, self.call))


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketChanged(TicketEvent):
    """The case stands elsewhere, or somebody else owns it."""

    TYPE: ClassVar[str] = "ticket.state"
    before: TicketState
    after: TicketState
    owner: AgentId | None
    reason: str = ""

    def evolve(self, ticket: Ticket) -> Ticket:
        """Sets state and owner."""
        solved_at = self.at if self.after is TicketState.SOLVED else ticket.solved_at
        return replace(ticket, state=self.after, owner=self.owner, solved_at=solved_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketMessage(TicketEvent):
    """What was said outside a call: by WeChat, phone, mail, a bot, or as a note."""

    TYPE: ClassVar[str] = "ticket.message"
    message: MessageId
    author: str
    author_role: ActorRole
    channel: str
    said_at: datetime
    text: str
    files: tuple[FileRef, ...] = ()
    staff_only: bool = False

    @property
    def scope(self) -> Scope:
        """Participants, unless it is a note among staff."""
        return Scope.STAFF if self.staff_only else Scope.PARTICIPANTS

    def evolve(self, ticket: Ticket) -> Ticket:
        """Counts it; the text lives in the event."""
        return replace(ticket, messages=ticket.messages + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketScheduled(TicketEvent):
    """A call-back or follow-up was promised."""

    TYPE: ClassVar[str] = "ticket.scheduled"
    due: Due

    def public_data(self) -> dict[str, Any]:
        """Without the note."""
        return {"kind": self.due.kind.value, "due_at": self.due.at.isoformat()}

    def evolve(self, ticket: Ticket) -> Ticket:
        """Adds it."""
        return replace(ticket, dues=(*(d for d in ticket.dues if d.id != self.due.id), self.due))


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketUnscheduled(TicketEvent):
    """A promise lost its reason: the student called himself, the case is confirmed."""

    TYPE: ClassVar[str] = "ticket.unscheduled"
    due: Due
    reason: str

    def public_data(self) -> dict[str, Any]:
        """Without the note."""
        return {"kind": self.due.kind.value, "reason": self.reason}

    def evolve(self, ticket: Ticket) -> Ticket:
        """Removes it."""
        return replace(ticket, dues=tuple(d for d in ticket.dues if d.id != self.due.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDue(TicketEvent):
    """The time of a promise has come."""

    TYPE: ClassVar[str] = "ticket.due"
    due: Due

    @property
    def scope(self) -> Scope:
        """For staff; the student learns of a call-back by ``call.summoned``."""
        return Scope.STAFF

    def evolve(self, ticket: Ticket) -> Ticket:
        """Removes it."""
        return replace(ticket, dues=tuple(d for d in ticket.dues if d.id != self.due.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLinked(TicketEvent):
    """The case points to something elsewhere."""

    TYPE: ClassVar[str] = "ticket.linked"
    link: Link

    @property
    def scope(self) -> Scope:
        """For staff."""
        return Scope.STAFF

    def evolve(self, ticket: Ticket) -> Ticket:
        """Adds the link once."""
        return ticket if self.link in ticket.links else replace(ticket, links=(*ticket.links, self.link))
