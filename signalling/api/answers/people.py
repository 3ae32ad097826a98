"""Students and whoever takes part in a call, as the routes answer with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from signalling.api.answers.visibility import VISIBLE_MODES, is_inside, may_know
from signalling.api.roles import Actor
from signalling.desk.model import (
    ActorRole,
    AssignmentRole,
    AssignmentState,
    Call,
    Mode,
    StudentPresence,
    StudentProfile,
)


class StudentAnswer(BaseModel):
    """Who asks, as the host platform says."""

    id: str
    name: str
    level: str = ""
    tier: str = ""
    age: int | None = None
    minor: bool = True
    locale: str | None = None
    grade: str = ""
    courses: list[str] = Field(default_factory=list)
    dedicated_agent: str | None = None
    guardian: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


class ParticipantAnswer(BaseModel):
    """Somebody in a call."""

    identity: str
    name: str
    kind: ActorRole
    role: AssignmentRole | None = None
    mode: Mode
    state: str = Field(description="connecting, live, away; of a student expected, present, away.")


def student_answer(student: StudentProfile, minor_age: int) -> StudentAnswer:
    """For staff."""
    return StudentAnswer(
        id=student.id,
        name=student.name,
        level=student.level,
        tier=student.tier.value,
        age=student.age,
        minor=student.age is None or student.age < minor_age,
        locale=student.locale,
        grade=student.grade,
        courses=list(student.courses),
        dedicated_agent=student.dedicated_agent,
        guardian=student.guardian,
        extra=dict(student.extra),
    )


def participants(call: Call, actor: Actor, names: Mapping[str, str], told: bool) -> list[ParticipantAnswer]:
    """Everybody in a call that the actor may know of."""
    found = []
    if call.presence is not StudentPresence.NONE:
        found.append(
            ParticipantAnswer(
                identity=call.student.id,
                name=call.student.name,
                kind=ActorRole.STUDENT,
                mode=Mode.TALK,
                state=call.presence.value,
            )
        )
    for assignment in call.live_assignments:
        if may_know(actor, assignment, told):
            supervises = assignment.role is AssignmentRole.SUPERVISOR
            found.append(
                ParticipantAnswer(
                    identity=assignment.agent,
                    name=names.get(assignment.agent, ""),
                    kind=ActorRole.SUPERVISOR if supervises else ActorRole.AGENT,
                    role=assignment.role,
                    mode=assignment.mode,
                    state=assignment.state.value,
                )
            )
    for guest in call.guests:
        if guest.mode in VISIBLE_MODES or is_inside(actor) or guest.identity == actor.id:
            state = AssignmentState.LIVE if guest.joined else AssignmentState.CONNECTING
            found.append(
                ParticipantAnswer(
                    identity=guest.identity,
                    name=guest.name,
                    kind=ActorRole.GUEST,
                    mode=guest.mode,
                    state=state.value,
                )
            )
    return found
