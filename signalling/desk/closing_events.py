"""What is said and settled in a call, and its end: consent, messages, wrap-up, rating."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from signalling.desk.call_event import CallEvent
from signalling.desk.event import Scope
from signalling.desk.machines import (
    ASSIGNMENT,
    CALL,
    AssignmentHappening,
    CallHappening,
)
from signalling.desk.model import (
    ActorRole,
    AgentId,
    Call,
    ClosedReason,
    Consent,
    FileRef,
    MessageId,
    Rating,
    StudentPresence,
    Wrapup,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChanged(CallEvent):
    """A participant (or guardian) decided."""

    TYPE: ClassVar[str] = "consent.changed"
    consent: Consent

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Replaces the participant's last word."""
        new = self.consent
        others = tuple(
            c for c in call.consents if (c.participant, c.purpose) != (new.participant, new.purpose)
        )
        return replace(call, consents=(*others, new))


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCreated(CallEvent):
    """Somebody wrote in the call's chat."""

    TYPE: ClassVar[str] = "message.created"
    message: MessageId
    author: str
    author_role: ActorRole
    text: str
    files: tuple[FileRef, ...] = ()
    staff_only: bool = False
    """A note among staff."""

    @property
    def scope(self) -> Scope:
        """Participants, unless it is a note among staff."""
        return Scope.STAFF if self.staff_only else Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Counts it; the text lives in the event."""
        return replace(call, messages=call.messages + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummoned(CallEvent):
    """A call-back has its agent: the student is rung until `until`."""

    TYPE: ClassVar[str] = "call.summoned"
    until: datetime

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """The student is expected."""
        return replace(call, summoned=True, presence=StudentPresence.EXPECTED, student_until=self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(CallEvent):
    """The student's part is over; everybody leaves. If an agent wraps up, ``call.closed`` follows."""

    TYPE: ClassVar[str] = "call.ended"
    reason: ClosedReason
    wrapping: AgentId | None = None
    talked_s: float = 0.0

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Ends every assignment, guest and seek. Offers and a transfer were ended by earlier events."""
        happening = CallHappening.WRAP if self.wrapping is not None else CallHappening.CLOSE
        assignments = tuple(
            replace(
                a,
                state=ASSIGNMENT.apply(a.state, AssignmentHappening.END),
                until=None,
                ended_at=self.at,
            )
            if a.live
            else a
            for a in call.assignments
        )
        return replace(
            call,
            state=CALL.apply(call.state, happening),
            closed_reason=self.reason,
            assignments=assignments,
            guests=(),
            seeks=(),
            parked=None,
            student_until=None,
            hand_raised_by=None,
            ended_at=self.at,
            closed_at=self.at if self.wrapping is None else None,
            wrapping_agent=self.wrapping,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallClosed(CallEvent):
    """Wrap-up is over."""

    TYPE: ClassVar[str] = "call.closed"
    reason: str
    """``wrapped_up``, ``timeout`` or ``agent_lost``."""

    def evolve(self, call: Call) -> Call:
        """Wrapping becomes closed."""
        return replace(
            call,
            state=CALL.apply(call.state, CallHappening.CLOSE),
            closed_at=self.at,
            wrapping_agent=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapupCreated(CallEvent):
    """The agent noted what it was."""

    TYPE: ClassVar[str] = "wrapup.created"
    wrapup: Wrapup

    def evolve(self, call: Call) -> Call:
        """Keeps the last wrap-up."""
        return replace(call, wrapup=self.wrapup)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingCreated(CallEvent):
    """The student rated."""

    TYPE: ClassVar[str] = "rating.created"
    rating: Rating

    def evolve(self, call: Call) -> Call:
        """Keeps the rating."""
        return replace(call, rating=self.rating)
