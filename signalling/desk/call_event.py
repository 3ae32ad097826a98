"""What events of a call have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from signalling.desk.event import Event, Stream
from signalling.desk.model import (
    Assignment,
    AssignmentRole,
    Call,
    CallId,
    Seek,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent(Event):
    """An event of a call."""

    STREAM: ClassVar[Stream] = Stream.CALL

    @property
    def call(self) -> CallId:
        """The call it belongs to."""
        return CallId(self.stream_id)

    def evolve(self, call: Call) -> Call:
        """The call after this event.

        :raises IllegalTransition: the call's state does not allow it.
        """
        return call


def without_seek(call: Call, role: AssignmentRole) -> tuple[Seek, ...]:
    return tuple(s for s in call.seeks if s.role is not role)


def with_assignment(call: Call, changed: Assignment) -> tuple[Assignment, ...]:
    return tuple(changed if a.live and a.agent == changed.agent else a for a in call.assignments)


def assignment_in(call: Call, agent: str) -> Assignment:
    assignment = call.assignment_of(agent)
    if assignment is None:
        raise LookupError(f"{agent} is not assigned to {call.id}")
    return assignment
