"""Queues and who waits in them, as the routes answer with them."""

from __future__ import annotations

import datetime

from pydantic import AwareDatetime, BaseModel, Field

from signalling.desk.model import CallState, Kind, QueueConfig, Severity


class WaitingAnswer(BaseModel):
    """A call that waits."""

    call: str
    ticket: str
    student: str
    name: str
    level: str
    topic: str
    severity: Severity
    kind: Kind
    state: CallState
    position: int
    waited_s: float
    since: AwareDatetime
    affected_count: int
    lesson_ends_at: AwareDatetime | None
    sla_deadline: AwareDatetime | None = None


class SkillAnswer(BaseModel):
    """A skill and its level."""

    skill: str
    level: int


class HoursAnswer(BaseModel):
    """Opening hours."""

    weekdays: list[int]
    opens_minute: int
    closes_minute: int


class OverflowAnswer(BaseModel):
    """Where calls may go after a while."""

    queue: str
    after_s: float


class QueueConfigAnswer(BaseModel):
    """How a queue is set."""

    name: str
    topics: list[str]
    skills: list[SkillAnswer]
    vip_only: bool
    hours: list[HoursAnswer]
    timezone: str
    closed_days: list[datetime.date]
    overflow: list[OverflowAnswer]
    priority_s: float
    offer_timeout_s: float
    wrapup_s: float
    dedicated_wait_s: float
    relax_after_s: float | None
    language_relax_after_s: float | None
    routing: str
    external_deadline_s: float
    version: int


class QueueAnswer(BaseModel):
    """A queue now."""

    id: str
    name: str
    open: bool
    waiting: int
    longest_wait_s: float
    agents_available: int
    agents_online: int
    config: QueueConfigAnswer
    calls: list[WaitingAnswer] | None = Field(default=None, description="With `GET /queues/{id}`.")


class Queues(BaseModel):
    """All queues."""

    items: list[QueueAnswer]


def queue_config_answer(config: QueueConfig) -> QueueConfigAnswer:
    """How a queue is set."""
    return QueueConfigAnswer(
        name=config.name,
        topics=sorted(config.topics),
        skills=[SkillAnswer(skill=need.skill, level=need.level) for need in config.skills],
        vip_only=config.vip_only,
        hours=[
            HoursAnswer(
                weekdays=sorted(each.weekdays),
                opens_minute=each.opens_minute,
                closes_minute=each.closes_minute,
            )
            for each in config.hours
        ],
        timezone=config.timezone,
        closed_days=sorted(config.closed_days),
        overflow=[OverflowAnswer(queue=each.queue, after_s=each.after_s) for each in config.overflow],
        priority_s=config.priority_s,
        offer_timeout_s=config.offer_timeout_s,
        wrapup_s=config.wrapup_s,
        dedicated_wait_s=config.dedicated_wait_s,
        relax_after_s=config.relax_after_s,
        language_relax_after_s=config.language_relax_after_s,
        routing=config.routing.value,
        external_deadline_s=config.external_deadline_s,
        version=config.version,
    )
