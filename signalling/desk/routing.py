"""Who goes first, and to whom: the built-in routing in one page.

Three questions: in which queue does a call belong (:func:`choose_queue`), how urgent is it (:func:`urgency`),
and how well does an agent fit it (:func:`fitness`). Urgency is counted in seconds of waiting: a bonus says
how much longer somebody else would have had to wait to go first. All bonuses but the one for interrupted
calls are finite and small, and waiting counts more the longer it lasts, so nobody starves. The table of cases
is ``tests/unit/desk/test_routing.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from signalling.desk.model import (
    Agent,
    AgentId,
    AgentState,
    AssignmentRole,
    Call,
    CallId,
    DeskPolicy,
    EngagementState,
    Kind,
    QueueConfig,
    QueueId,
    Relation,
    Seek,
    Severity,
    SkillNeed,
    StudentProfile,
    Tier,
)

# Urgency, in seconds of waiting.

SEVERITY_S: Mapping[Severity, float] = {
    Severity.CLASS_STOPPING: 1800.0,
    Severity.DEGRADED: 300.0,
    Severity.GENERAL: 0.0,
}
"""A class-stopping fault has a promise of 5 minutes, a degraded one of 30."""

LESSON_S = 2400.0
"""A lesson lasts about 40 minutes; used when only its end is known."""

IN_LESSON_S = 1200.0
"""Bonus of a class-stopping fault while the lesson is going on."""

LESSON_CLOSING_S = 600.0
"""Further bonus that grows from 0 at the lesson's beginning to this at its end."""

BEFORE_LESSON_S = 600.0
"""Bonus of a class-stopping fault shortly before the lesson; falls to 0 an hour before."""

BEFORE_LESSON_WINDOW_S = 3600.0

AFFECTED_S = 600.0
"""Bonus for each doubling of the number of people affected."""

AFFECTED_MAX_S = 6000.0
"""A thousand people; nobody affected more is more urgent."""

CLASS_TEACHER_S = 300.0
"""Somebody who asks for a whole class, whatever the number he gives."""

VIP_S = 600.0
TIER_S: Mapping[Tier, float] = {Tier.BASIC: 0.0, Tier.ADVANCED: 150.0, Tier.EXCLUSIVE: 300.0}

PATIENCE_S = 600.0
"""From here on each second of waiting counts `IMPATIENCE` times."""

IMPATIENCE = 4.0

HEAD_S = 1e6
"""A call that lost its agent goes before all who never had one."""


@dataclass(frozen=True, slots=True)
class Worth:
    """How urgent a place is, as a function of time: everything but the time is worked out once."""

    since: float
    """Unix seconds; infinite: it does not wait."""
    fixed_s: float
    """What does not change while it waits."""
    lesson: tuple[float, float] | None
    """Begin and end of the lesson that cannot go on, in Unix seconds."""

    def at(self, now: float) -> float:
        """Urgency at a time in Unix seconds."""
        waited = now - self.since
        worth = self.fixed_s
        if waited > 0.0:
            worth += waited
            if waited > PATIENCE_S:
                worth += (IMPATIENCE - 1.0) * (waited - PATIENCE_S)
        if self.lesson is not None:
            worth += _lesson(*self.lesson, now)
        return worth


def worth(call: Call, queue: QueueConfig | None, seek: Seek | None = None) -> Worth:
    """How urgent this call's place is and becomes."""
    place = seek or call.seek(AssignmentRole.PRIMARY)
    fixed = SEVERITY_S[call.severity] + _affected(call)
    fixed += (VIP_S if call.student.vip else 0.0) + TIER_S[call.student.tier]
    if queue is not None:
        fixed += queue.priority_s
    if place is not None and (place.head or place.role is not AssignmentRole.PRIMARY):
        # A consult or third is wanted by an agent who is talking to a student already.
        fixed += HEAD_S
    lesson = None
    ends = call.context.lesson_ends_at
    if call.severity is Severity.CLASS_STOPPING and ends is not None:
        starts = call.context.lesson_starts_at or ends - timedelta(seconds=LESSON_S)
        lesson = (starts.timestamp(), ends.timestamp())
    return Worth(math.inf if place is None else place.since.timestamp(), fixed, lesson)


def urgency(call: Call, now: datetime, queue: QueueConfig | None, seek: Seek | None = None) -> float:
    """How urgent this call's place is, in seconds of waiting; the greatest goes first."""
    return worth(call, queue, seek).at(now.timestamp())


def _lesson(starts: float, ends: float, now: float) -> float:
    if ends <= now:
        return 0.0
    if now < starts:
        return BEFORE_LESSON_S * max(0.0, 1.0 - (starts - now) / BEFORE_LESSON_WINDOW_S)
    return IN_LESSON_S + LESSON_CLOSING_S * (1.0 - (ends - now) / max(1.0, ends - starts))


def _affected(call: Call) -> float:
    count = max(1, call.subject.affected_count)
    teacher = CLASS_TEACHER_S if call.subject.relation is Relation.CLASS else 0.0
    return min(AFFECTED_MAX_S, AFFECTED_S * math.log2(count)) + teacher


# Queues.


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def is_open(queue: QueueConfig, now: datetime) -> bool:
    """Whether the queue is staffed by its business hours."""
    if not queue.hours:
        return True
    local = now.astimezone(_zone(queue.timezone))
    minute = local.hour * 60 + local.minute
    for day, reached in ((local.date(), minute), (local.date() - timedelta(days=1), minute + 1440)):
        if day in queue.closed_days:
            continue
        for span in queue.hours:
            if day.weekday() in span.weekdays and span.opens_minute <= reached < span.closes_minute:
                return True
    return False


SEARCHED_DAYS = 60
"""How far ahead an opening is looked for; longer than any holiday."""


def next_opening(queue: QueueConfig, now: datetime) -> datetime | None:
    """`now` if the queue is open, else when it opens next (UTC); ``None``: not within two months."""
    if is_open(queue, now):
        return now
    zone = _zone(queue.timezone)
    today = now.astimezone(zone).date()
    for ahead in range(SEARCHED_DAYS):
        day = today + timedelta(days=ahead)
        if day in queue.closed_days:
            continue
        for minute in sorted(s.opens_minute for s in queue.hours if day.weekday() in s.weekdays):
            at = datetime.combine(day, time(minute // 60, minute % 60), zone).astimezone(UTC)
            if at > now:
                return at
    return None


def closed_since(queue: QueueConfig, now: datetime) -> datetime | None:
    """When a queue that is closed now closed (UTC); ``None``: it is open. Long ago if it never was open."""
    if is_open(queue, now):
        return None
    zone = _zone(queue.timezone)
    today = now.astimezone(zone).date()
    for back in range(SEARCHED_DAYS):
        day = today - timedelta(days=back)
        if day in queue.closed_days:
            continue
        closings = (s.closes_minute for s in queue.hours if day.weekday() in s.weekdays)
        for minute in sorted(closings, reverse=True):
            midnight = datetime.combine(day + timedelta(days=minute // 1440), time(0), zone)
            at = midnight.replace(hour=minute % 1440 // 60, minute=minute % 60).astimezone(UTC)
            if at <= now:
                return at
    return now - timedelta(days=SEARCHED_DAYS)


def served_no_longer(queue: QueueConfig, seek: Seek, now: datetime, grace_s: float) -> bool:
    """Whether the queue closed so long ago that whoever still waits in it gets a call-back instead.

    Who waits when it closes is served for `grace_s` by the agents who are still at work.
    """
    closed = closed_since(queue, now)
    return closed is not None and now >= max(closed, seek.since) + timedelta(seconds=grace_s)


def choose_queue(
    queues: Mapping[QueueId, QueueConfig], policy: DeskPolicy, student: StudentProfile, topic: str
) -> QueueId:
    """The queue of a call that names none: VIP queue, then topic, then the default."""
    if student.vip:
        for queue in queues.values():
            if queue.vip_only and (not queue.topics or topic in queue.topics):
                return queue.id
    for queue in queues.values():
        if topic in queue.topics and not queue.vip_only:
            return queue.id
    return policy.default_queue


def staffed_queue(queues: Mapping[QueueId, QueueConfig], wanted: QueueId, now: datetime) -> QueueId | None:
    """`wanted` if it is open, else its first overflow that is; ``None``: all closed."""
    queue = queues.get(wanted)
    if queue is None or is_open(queue, now):
        return wanted
    for overflow in queue.overflow:
        other = queues.get(overflow.queue)
        if other is not None and is_open(other, now):
            return other.id
    return None


# Agents.


@dataclass(frozen=True, slots=True)
class Wants:
    """What a place in a call asks of an agent at this moment."""

    call: CallId
    kind: Kind
    queues: frozenset[QueueId] | None
    """Agents of these queues; ``None``: of any."""
    home: QueueId
    skills: tuple[SkillNeed, ...]
    language: str | None
    experts: bool
    """Prefer higher levels to longer idleness: for VIPs, higher tiers and class-stopping faults."""
    preferred: AgentId | None
    """The student's own agent, or the one he or a transfer asked for."""
    reserved_until: datetime | None
    """Until then only `preferred` may take the call, provided he is at work."""
    named: AgentId | None
    """Nobody else will do."""
    excluded: frozenset[AgentId]
    """Those who are in the call already or lately refused it."""
    valid_until: datetime | None
    """When the answer changes by itself (overflow, relaxed levels, a refusal forgotten)."""


def wants(call: Call, seek: Seek, queues: Mapping[QueueId, QueueConfig], now: datetime) -> Wants:
    """What this place asks of an agent now."""
    home = call.queue
    if seek.target is not None and seek.target.queue is not None:
        home = seek.target.queue
    queue = queues.get(home)
    changes = [r.until for r in call.refused_by if r.until > now]
    excluded = {r.agent for r in call.refused_by if r.until > now}
    excluded |= {a.agent for a in call.live_assignments}
    admitted: set[QueueId] | None = {home}
    skills = (*(queue.skills if queue is not None else ()), *call.skills)
    if seek.target is not None and seek.target.skill is not None:
        admitted = None
        skills = (SkillNeed(seek.target.skill),)
    language = call.student.language
    preferred = None
    reserved_until = None
    if seek.role is AssignmentRole.PRIMARY:
        target_agent = seek.target.agent if seek.target is not None else None
        preferred = target_agent or call.wanted_agent or call.student.dedicated_agent
    if queue is not None:
        if admitted is not None:
            for overflow in queue.overflow:
                at = seek.since + timedelta(seconds=overflow.after_s)
                if now >= at:
                    admitted.add(overflow.queue)
                else:
                    changes.append(at)
        if queue.relax_after_s is not None:
            at = seek.since + timedelta(seconds=queue.relax_after_s)
            if now >= at:
                skills = tuple(SkillNeed(s.skill) for s in skills)
            else:
                changes.append(at)
        if queue.language_relax_after_s is not None and language is not None:
            at = seek.since + timedelta(seconds=queue.language_relax_after_s)
            if now >= at:
                language = None
            else:
                changes.append(at)
        if preferred is not None and preferred not in excluded:
            at = seek.since + timedelta(seconds=queue.dedicated_wait_s)
            if now < at:
                reserved_until = at
                changes.append(at)
    return Wants(
        call=call.id,
        kind=call.kind,
        queues=None if admitted is None else frozenset(admitted),
        home=home,
        skills=skills,
        language=language,
        experts=call.student.vip
        or call.student.tier is not Tier.BASIC
        or call.severity is Severity.CLASS_STOPPING,
        preferred=preferred,
        reserved_until=reserved_until,
        named=seek.target.agent
        if seek.target is not None and seek.role is not AssignmentRole.PRIMARY
        else None,
        excluded=frozenset(excluded),
        valid_until=min(changes, default=None),
    )


def is_free(agent: Agent, kind: Kind) -> bool:
    """Whether routing may offer this agent a call of this kind now, whatever it asks for."""
    return (
        agent.state is AgentState.AVAILABLE
        and agent.profile.routable
        and agent.has_room_for(kind)
        and not any(
            e.state is EngagementState.OFFERED
            or e.role is AssignmentRole.SUPERVISOR
            or (e.state is EngagementState.WRAPPING and e.kind is not Kind.CHAT)
            for e in agent.engagements
        )
    )


def can_be_asked(agent: Agent, kind: Kind) -> bool:
    """Whether somebody may ask for this agent by name: at work, no other offer ringing, capacity left."""
    return agent.state is AgentState.AVAILABLE and not agent.offered and agent.has_room_for(kind)


def suits(agent: Agent, wanted: Wants) -> bool:
    """Whether the agent's profile meets what is wanted, free or not."""
    profile = agent.profile
    if wanted.named is not None:
        return profile.id == wanted.named
    if profile.id in wanted.excluded:
        return False
    if profile.id == wanted.preferred:
        return True
    if wanted.queues is not None and wanted.queues.isdisjoint(profile.queues):
        return False
    if wanted.language is not None and wanted.language not in profile.languages:
        return False
    return all(profile.skills.get(need.skill, 0) >= need.level for need in wanted.skills)


def reserves(preferred: Agent | None, wanted: Wants, now: datetime) -> bool:
    """Whether the call waits for its preferred agent for a moment although others are free."""
    return (
        wanted.reserved_until is not None
        and now < wanted.reserved_until
        and preferred is not None
        and preferred.state is AgentState.AVAILABLE
        and preferred.id not in wanted.excluded
    )


Fitness = tuple[bool, bool, int, int, float]
"""Own agent, home queue rather than overflow, level (if experts are preferred), few chats, idle time in s."""


def fitness(agent: Agent, wanted: Wants, now: datetime) -> Fitness | None:
    """How well a free agent fits; the greatest gets the offer. ``None``: not at all, or not now."""
    if not is_free(agent, wanted.kind) or not suits(agent, wanted):
        return None
    if agent.engagement(wanted.call) is not None:  # He still wraps up his part of this very call.
        return None
    level = 0
    if wanted.experts and wanted.skills:
        level = min(agent.profile.skills.get(need.skill, 0) for need in wanted.skills)
    return (
        agent.id == wanted.preferred,
        wanted.home in agent.profile.queues,
        level,
        -agent.chats,
        (now - agent.idle_since).total_seconds(),
    )
