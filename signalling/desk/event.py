"""What every event has: its stream, its number there, when, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from signalling.desk import codec
from signalling.desk.model import (
    Actor,
)


class Stream(StrEnum):
    """Which kind of aggregate an event belongs to."""

    CALL = "call"
    AGENT = "agent"
    TICKET = "ticket"
    QUEUE = "queue"


class Scope(StrEnum):
    """Who may learn of an event, beside what the roles' own filters say."""

    PARTICIPANTS = "participants"
    """Student and guests as well."""
    STAFF = "staff"
    """Agents of the call, supervisors, services."""
    SUPERVISORS = "supervisors"
    """Not even the agents of the call (a silent monitor)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have."""

    TYPE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1
    STREAM: ClassVar[Stream]

    stream_id: str
    seq: int
    at: datetime
    by: Actor

    @property
    def scope(self) -> Scope:
        """Who may learn of it."""
        return Scope.STAFF

    def data(self) -> dict[str, Any]:
        """The JSON data without the envelope."""
        return {
            name: codec.dump(getattr(self, name))
            for name in codec.field_names(self.__class__)
            if name not in ENVELOPE
        }

    def public_data(self) -> dict[str, Any]:
        """The data without what is for staff only; for events of scope ``participants``."""
        return self.data()

    def to_json(self) -> dict[str, Any]:
        """The whole event as a JSON object."""
        return {
            "type": self.TYPE,
            "v": self.VERSION,
            "stream_id": self.stream_id,
            "seq": self.seq,
            "at": self.at.isoformat(),
            "by": codec.dump(self.by),
            "data": self.data(),
        }


ENVELOPE = frozenset({"stream_id", "seq", "at", "by"})
