"""Who acts, and what is known of who asks for help."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from signalling.desk.identifiers import (
    AgentId,
    JsonObject,
    StudentId,
)
from signalling.desk.vocabulary import (
    ActorRole,
    Relation,
    Tier,
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something; stands in every event, which makes the events the audit trail."""

    id: str
    role: ActorRole


SYSTEM = Actor("system", ActorRole.SYSTEM)
"""The server itself: timers, presence and the matcher."""


@dataclass(frozen=True, slots=True)
class StudentProfile:
    """What the host platform says about a student (claim ``raisehand.profile`` of its token)."""

    id: StudentId
    name: str = ""
    level: str = "normal"
    """``vip`` goes first among equals; anything else is ordinary."""
    tier: Tier = Tier.BASIC
    age: int | None = None
    """Years; ``None`` counts as a minor."""
    locale: str | None = None
    """BCP 47, such as ``zh-CN``; the language part must be spoken by the agent."""
    grade: str = ""
    courses: tuple[str, ...] = ()
    dedicated_agent: AgentId | None = None
    guardian: str | None = None
    """Name or identifier of the guardian, as the platform has it."""
    extra: JsonObject = field(default_factory=dict)

    @property
    def vip(self) -> bool:
        """Whether the platform marked this student as VIP."""
        return self.level == "vip"

    @property
    def language(self) -> str | None:
        """The primary language subtag in lower case, such as ``zh``."""
        return self.locale.replace("_", "-").split("-")[0].lower() if self.locale else None


@dataclass(frozen=True, slots=True)
class Subject:
    """For whom, and for how many, help is asked."""

    relation: Relation = Relation.SELF
    affected_count: int = 1


@dataclass(frozen=True, slots=True)
class CallContext:
    """What the page or the class client knew when the button was pressed."""

    class_id: str | None = None
    lesson_id: str | None = None
    lesson_starts_at: datetime | None = None
    lesson_ends_at: datetime | None = None
    device: str = ""
    os: str = ""
    browser: str = ""
    app_version: str = ""
    network: str = ""
    page_url: str = ""
    answers: JsonObject = field(default_factory=dict)
    class_stats: JsonObject = field(default_factory=dict)
    transcript: tuple[JsonObject, ...] = ()
    """What was said to a bot before."""
