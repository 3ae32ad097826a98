"""Who can be on the other side of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Role(StrEnum):
    """What somebody may do is decided by the role, and then by whose the thing is."""

    STUDENT = "student"
    """Asks for help: a student, a parent or a teacher, authenticated by the host platform."""
    GUEST = "guest"
    """A third party in one call, by link."""
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    REVIEWER = "reviewer"
    ADMIN = "admin"
    SERVICE = "service"
    """Another system: the routing layer, a connector."""


EVERYONE = frozenset(Role)
STAFF = frozenset({Role.AGENT, Role.SUPERVISOR, Role.REVIEWER, Role.ADMIN})
"""People with an account here."""
LEADERS = frozenset({Role.SUPERVISOR, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who sends a request, as its credential proves."""

    role: Role
    id: str
    """Unique within the role: the platform's user id, the agent's id, the API key's service name."""
    name: str = ""
    profile: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What the host platform says of a student: `level`, `age`, `locale`, `courses` and more."""
    call: str = ""
    """Of a guest: the only call it may touch."""
    guardian_of: str = ""
    """Of a guest who is a guardian: for whom it decides."""
    session: str = ""
    """Id of the staff session, empty for platform tokens."""
    key: str = ""
    """The API key that signed a platform token."""

    @property
    def is_staff(self) -> bool:
        """Whether the actor works here."""
        return self.role in STAFF

    @property
    def leads(self) -> bool:
        """Whether the actor supervises."""
        return self.role in LEADERS
