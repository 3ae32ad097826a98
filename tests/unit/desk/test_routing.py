"""The table of routing cases: who goes first, and to whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from signalling.desk import routing
from signalling.desk.model import (
    Agent,
    AgentId,
    AgentProfile,
    AgentState,
    AssignmentRole,
    Call,
    CallContext,
    CallId,
    DeskPolicy,
    Engagement,
    EngagementState,
    Kind,
    OpenHours,
    Overflow,
    QueueConfig,
    QueueId,
    Refused,
    Relation,
    Seek,
    Severity,
    SkillNeed,
    StudentId,
    StudentProfile,
    Subject,
    TicketId,
    Tier,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TECH = QueueConfig(QueueId("technical"))


def in_min(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def a_call(
    *,
    waited_s: float = 0.0,
    severity: Severity = Severity.GENERAL,
    ends_in_min: float | None = None,
    starts_in_min: float | None = None,
    affected: int = 1,
    relation: Relation = Relation.SELF,
    head: bool = False,
    kind: Kind = Kind.VOICE,
    **profile: Any,
) -> Call:
    since = NOW - timedelta(seconds=waited_s)
    return Call(
        id=CallId("c"),
        ticket=TicketId("t"),
        student=StudentProfile(StudentId("s"), **profile),
        kind=kind,
        queue=QueueId("technical"),
        topic="no_sound",
        severity=severity,
        created_at=since,
        room="c",
        subject=Subject(relation, affected),
        context=CallContext(
            lesson_starts_at=in_min(starts_in_min) if starts_in_min is not None else None,
            lesson_ends_at=in_min(ends_in_min) if ends_in_min is not None else None,
        ),
        seeks=(Seek(AssignmentRole.PRIMARY, since=since, head=head),),
    )


STOPPING = Severity.CLASS_STOPPING

BEFORE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("first come, first served", {"waited_s": 30}, {"waited_s": 20}),
    ("VIP before equals", {"level": "vip"}, {"waited_s": 300}),
    ("exclusive before advanced", {"tier": Tier.EXCLUSIVE}, {"tier": Tier.ADVANCED, "waited_s": 100}),
    ("advanced before basic", {"tier": Tier.ADVANCED}, {"waited_s": 100}),
    (
        "class-stopping before degraded",
        {"severity": STOPPING},
        {"severity": Severity.DEGRADED, "waited_s": 600},
    ),
    ("degraded before general", {"severity": Severity.DEGRADED}, {"waited_s": 200}),
    ("class-stopping before a VIP's question", {"severity": STOPPING}, {"level": "vip", "waited_s": 300}),
    (
        "12 minutes of lesson left before one before class",
        {"severity": STOPPING, "ends_in_min": 12},
        {"severity": STOPPING, "ends_in_min": 50, "starts_in_min": 10, "waited_s": 300},
    ),
    (
        "the lesson's beginning follows from its end",
        {"severity": STOPPING, "ends_in_min": 12},
        {"severity": STOPPING, "ends_in_min": 55, "waited_s": 300},
    ),
    (
        "of two in class, the one with less left",
        {"severity": STOPPING, "ends_in_min": 5},
        {"severity": STOPPING, "ends_in_min": 35, "waited_s": 300},
    ),
    (
        "before class: the sooner one",
        {"severity": STOPPING, "ends_in_min": 45, "starts_in_min": 5},
        {"severity": STOPPING, "ends_in_min": 95, "starts_in_min": 55, "waited_s": 300},
    ),
    (
        "in class before one whose lesson is over",
        {"severity": STOPPING, "ends_in_min": 30},
        {"severity": STOPPING, "ends_in_min": -1, "waited_s": 600},
    ),
    (
        "a teacher with 300 affected before one student in class",
        {"severity": STOPPING, "affected": 300, "relation": Relation.CLASS, "ends_in_min": 30},
        {"severity": STOPPING, "ends_in_min": 5, "level": "vip", "tier": Tier.EXCLUSIVE, "waited_s": 600},
    ),
    (
        "300 affected before one, even with less severity",
        {"severity": Severity.DEGRADED, "affected": 300, "relation": Relation.CLASS},
        {"severity": STOPPING, "ends_in_min": 12},
    ),
    (
        "an interrupted call before everybody",
        {"head": True},
        {"severity": STOPPING, "affected": 3000, "ends_in_min": 1, "level": "vip", "waited_s": 3600},
    ),
    (
        "nobody starves: an hour's wait beats the most urgent newcomer",
        {"waited_s": 3600},
        {
            "severity": STOPPING,
            "affected": 100_000,
            "relation": Relation.CLASS,
            "ends_in_min": 1,
            "level": "vip",
            "tier": Tier.EXCLUSIVE,
        },
    ),
]


@pytest.mark.parametrize(("name", "first", "second"), BEFORE, ids=[case[0] for case in BEFORE])
def test_who_goes_first(name: str, first: dict[str, Any], second: dict[str, Any]) -> None:
    assert routing.urgency(a_call(**first), NOW, TECH) > routing.urgency(a_call(**second), NOW, TECH), name


def test_a_queue_may_have_priority() -> None:
    vip = replace(TECH, priority_s=900.0)
    assert routing.urgency(a_call(), NOW, vip) > routing.urgency(a_call(waited_s=500), NOW, TECH)


def an_agent(
    *,
    name: str = "a",
    queues: tuple[str, ...] = ("technical",),
    skills: dict[str, int] | None = None,
    languages: tuple[str, ...] = ("zh",),
    state: AgentState = AgentState.AVAILABLE,
    idle_s: float = 10.0,
    engagements: tuple[Engagement, ...] = (),
    max_chats: int = 2,
    routable: bool = True,
) -> Agent:
    profile = AgentProfile(
        AgentId(name),
        queues=frozenset(QueueId(q) for q in queues),
        skills={"device": 3} if skills is None else skills,
        languages=frozenset(languages),
        max_chats=max_chats,
        routable=routable,
    )
    return Agent(profile, 1, state, "", engagements, NOW - timedelta(seconds=idle_s))


def tie(
    kind: Kind, state: EngagementState, call: str = "other", role: AssignmentRole = AssignmentRole.PRIMARY
) -> tuple[Engagement, ...]:
    return (Engagement(CallId(call), kind, role, state, NOW),)


NEEDS_LEVEL_3 = replace(
    TECH,
    skills=(SkillNeed("device", 3),),
    overflow=(Overflow(QueueId("teaching"), 60.0),),
    relax_after_s=120.0,
    language_relax_after_s=300.0,
)
OFFERED, ASSIGNED, WRAPPING = EngagementState.OFFERED, EngagementState.ASSIGNED, EngagementState.WRAPPING

FITS: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    ("the right skill", {}, {}, True),
    ("too low a level", {"skills": {"device": 2}}, {}, False),
    ("another skill", {"skills": {"sales": 5}}, {}, False),
    ("too low a level, after two minutes", {"skills": {"device": 1}}, {"waited_s": 121}, True),
    ("no such skill, ever", {"skills": {"sales": 5}}, {"waited_s": 9999}, False),
    ("another queue", {"queues": ("teaching",)}, {}, False),
    ("another queue, after overflow", {"queues": ("teaching",)}, {"waited_s": 61}, True),
    ("a queue that never overflows here", {"queues": ("sales",)}, {"waited_s": 9999}, False),
    ("the student's language", {"languages": ("en",)}, {"locale": "en-GB"}, True),
    ("another language", {}, {"locale": "en-GB"}, False),
    ("another language, after five minutes", {}, {"locale": "en-GB", "waited_s": 301}, True),
    ("away", {"state": AgentState.AWAY}, {}, False),
    ("busy", {"state": AgentState.BUSY}, {}, False),
    ("offline", {"state": AgentState.OFFLINE}, {}, False),
    ("not for built-in routing", {"routable": False}, {}, False),
    ("being asked already", {"engagements": tie(Kind.CHAT, OFFERED)}, {}, False),
    ("in a voice call", {"engagements": tie(Kind.VOICE, ASSIGNED)}, {}, False),
    ("in a voice call, for a chat", {"engagements": tie(Kind.VOICE, ASSIGNED)}, {"kind": Kind.CHAT}, True),
    ("in a chat", {"engagements": tie(Kind.CHAT, ASSIGNED)}, {}, True),
    ("in one of two chats", {"engagements": tie(Kind.CHAT, ASSIGNED)}, {"kind": Kind.CHAT}, True),
    (
        "in two of two chats",
        {"engagements": tie(Kind.CHAT, ASSIGNED) + tie(Kind.CHAT, ASSIGNED, "third")},
        {"kind": Kind.CHAT},
        False,
    ),
    ("wrapping up a call", {"engagements": tie(Kind.VIDEO, WRAPPING)}, {}, False),
    (
        "wrapping up a call, for a chat",
        {"engagements": tie(Kind.VIDEO, WRAPPING)},
        {"kind": Kind.CHAT},
        False,
    ),
    (
        "supervising",
        {"engagements": tie(Kind.VOICE, ASSIGNED, role=AssignmentRole.SUPERVISOR)},
        {},
        False,
    ),
    (
        "his own agent, whatever the skill",
        {"name": "own", "skills": {}},
        {"dedicated_agent": AgentId("own")},
        True,
    ),
]


@pytest.mark.parametrize(("name", "agent", "call", "fits"), FITS, ids=[case[0] for case in FITS])
def test_who_may_take_it(name: str, agent: dict[str, Any], call: dict[str, Any], fits: bool) -> None:
    found = a_call(**call)
    wanted = routing.wants(found, found.seeks[0], {QueueId("technical"): NEEDS_LEVEL_3}, NOW)
    assert (routing.fitness(an_agent(**agent), wanted, NOW) is not None) is fits, name


BETTER: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("longest idle", {"idle_s": 60}, {"idle_s": 30}, {}),
    ("levels do not count for ordinary calls", {"idle_s": 60}, {"skills": {"device": 5}}, {}),
    ("an expert for a VIP", {"skills": {"device": 5}}, {"idle_s": 900}, {"level": "vip"}),
    (
        "an expert for a class-stopping fault",
        {"skills": {"device": 5}},
        {"idle_s": 900},
        {"severity": STOPPING},
    ),
    ("an expert for a higher tier", {"skills": {"device": 5}}, {"idle_s": 900}, {"tier": Tier.ADVANCED}),
    ("home queue before overflow", {}, {"queues": ("teaching",), "idle_s": 900}, {"waited_s": 90}),
    ("his own agent", {"name": "own"}, {"idle_s": 900}, {"dedicated_agent": AgentId("own")}),
    (
        "fewer chats",
        {},
        {"engagements": tie(Kind.CHAT, ASSIGNED), "idle_s": 900},
        {"kind": Kind.CHAT},
    ),
]


@pytest.mark.parametrize(("name", "better", "worse", "call"), BETTER, ids=[case[0] for case in BETTER])
def test_who_gets_it(name: str, better: dict[str, Any], worse: dict[str, Any], call: dict[str, Any]) -> None:
    found = a_call(**call)
    wanted = routing.wants(found, found.seeks[0], {QueueId("technical"): NEEDS_LEVEL_3}, NOW)
    first = routing.fitness(an_agent(**better), wanted, NOW)
    second = routing.fitness(an_agent(**{"name": "b", **worse}), wanted, NOW)
    assert first is not None
    assert second is not None
    assert first > second, name


def test_nobody_is_asked_again_at_once() -> None:
    call = replace(a_call(), refused_by=(Refused(AgentId("a"), in_min(1)),))
    queues = {QueueId("technical"): TECH}
    now = routing.wants(call, call.seeks[0], queues, NOW)
    assert routing.fitness(an_agent(), now, NOW) is None
    assert now.valid_until is not None
    assert now.valid_until <= in_min(1)
    later = routing.wants(call, call.seeks[0], queues, in_min(1))
    assert routing.fitness(an_agent(), later, in_min(1)) is not None


def test_waits_a_moment_for_the_own_agent_but_only_if_he_is_at_work() -> None:
    call = a_call(dedicated_agent=AgentId("own"))
    queues = {QueueId("technical"): replace(TECH, dedicated_wait_s=15.0)}
    wanted = routing.wants(call, call.seeks[0], queues, NOW)
    engaged = an_agent(name="own", engagements=tie(Kind.VOICE, ASSIGNED))
    assert routing.reserves(engaged, wanted, NOW)
    assert not routing.reserves(an_agent(name="own", state=AgentState.OFFLINE), wanted, NOW)
    assert not routing.reserves(None, wanted, NOW)
    later = routing.wants(call, call.seeks[0], queues, in_min(0.25))
    assert not routing.reserves(engaged, later, in_min(0.25))


# Business hours

WEEKDAYS = frozenset(range(5))
EVENING = replace(
    TECH,
    timezone="Asia/Shanghai",
    hours=(OpenHours(WEEKDAYS, 18 * 60, 22 * 60), OpenHours(frozenset({5, 6}), 9 * 60, 22 * 60)),
    closed_days=frozenset({date(2026, 2, 17)}),
)


def shanghai(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


HOURS = [
    ("Monday 18:00", shanghai(2, 18), True),
    ("Monday 17:59", shanghai(2, 17, 59), False),
    ("Monday 21:59", shanghai(2, 21, 59), True),
    ("Monday 22:00", shanghai(2, 22), False),
    ("Sunday morning", shanghai(1, 9), True),
    ("New Year's day", shanghai(17, 19, month=2), False),
]


@pytest.mark.parametrize(("name", "at", "is_open"), HOURS, ids=[case[0] for case in HOURS])
def test_business_hours_in_the_queue_s_own_time_zone(name: str, at: datetime, is_open: bool) -> None:
    assert routing.is_open(EVENING, at) is is_open, name


def test_next_opening() -> None:
    assert routing.next_opening(EVENING, shanghai(2, 10)) == shanghai(2, 18)
    assert routing.next_opening(EVENING, shanghai(6, 23)) == shanghai(7, 9)
    assert routing.next_opening(EVENING, shanghai(2, 19)) == shanghai(2, 19)
    assert routing.next_opening(EVENING, shanghai(16, 23, month=2)) == shanghai(18, 18, month=2)
    never = replace(EVENING, hours=(OpenHours(frozenset(), 0, 60),))
    assert routing.next_opening(never, NOW) is None


CLOSINGS = [
    ("open", shanghai(2, 19), None),
    ("just closed", shanghai(2, 22), shanghai(2, 22)),
    ("after midnight", shanghai(3, 3), shanghai(2, 22)),
    ("a holiday does not count", shanghai(17, 23, month=2), shanghai(16, 22, month=2)),
]


@pytest.mark.parametrize(("name", "now", "since"), CLOSINGS, ids=[case[0] for case in CLOSINGS])
def test_when_a_queue_closed(name: str, now: datetime, since: datetime | None) -> None:
    assert routing.closed_since(EVENING, now) == since, name
    night = replace(TECH, hours=(OpenHours(frozenset({4}), 22 * 60, 26 * 60),))
    assert routing.closed_since(night, shanghai(7, 5)) == shanghai(7, 2)
    never = replace(EVENING, hours=(OpenHours(frozenset(), 0, 60),))
    assert routing.closed_since(never, NOW) == NOW - timedelta(days=routing.SEARCHED_DAYS)


def test_who_waits_when_the_queue_closes_is_served_for_a_while() -> None:
    before, after = Seek(AssignmentRole.PRIMARY, since=shanghai(2, 21)), shanghai(2, 22, 5)
    late = Seek(AssignmentRole.PRIMARY, since=after)  # his agent was lost after closing
    cases = [(before, 10, False), (before, 15, True), (late, 15, False), (late, 20, True)]
    for seek, minutes, expected in cases:
        now = shanghai(2, 22) + timedelta(minutes=minutes)
        assert routing.served_no_longer(EVENING, seek, now, 900.0) is expected, (seek, minutes)
    assert not routing.served_no_longer(EVENING, before, shanghai(3, 18), 900.0)  # open again
    assert not routing.served_no_longer(TECH, before, shanghai(5, 3), 900.0)  # has no hours


def test_a_night_shift_reaches_into_the_next_day() -> None:
    night = replace(TECH, hours=(OpenHours(frozenset({4}), 22 * 60, 26 * 60),))
    assert routing.is_open(night, shanghai(7, 1, 59))  # Saturday 01:59
    assert not routing.is_open(night, shanghai(7, 2))
    assert not routing.is_open(night, shanghai(6, 1))


def test_summer_time_is_the_zone_s_business() -> None:
    london = replace(TECH, timezone="Europe/London", hours=(OpenHours(frozenset(range(7)), 540, 600),))
    assert routing.is_open(london, datetime(2026, 1, 15, 9, 30, tzinfo=UTC))
    assert routing.is_open(london, datetime(2026, 7, 15, 8, 30, tzinfo=UTC))
    assert not routing.is_open(london, datetime(2026, 7, 15, 9, 30, tzinfo=UTC))


def test_queues_by_vip_topic_and_default() -> None:
    queues = {
        q.id: q
        for q in (
            TECH,
            QueueConfig(QueueId("teaching"), topics=frozenset({"homework"})),
            QueueConfig(QueueId("vip"), vip_only=True),
        )
    }
    policy = DeskPolicy()
    ordinary, vip = StudentProfile(StudentId("s")), StudentProfile(StudentId("v"), level="vip")
    assert routing.choose_queue(queues, policy, ordinary, "homework") == "teaching"
    assert routing.choose_queue(queues, policy, ordinary, "anything") == "technical"
    assert routing.choose_queue(queues, policy, vip, "homework") == "vip"


def test_a_closed_queue_overflows_at_once_to_an_open_one() -> None:
    day = replace(
        TECH,
        id=QueueId("day"),
        hours=(OpenHours(WEEKDAYS, 540, 1080),),
        overflow=(Overflow(QueueId("technical"), 60.0),),
    )
    queues = {QueueId("day"): day, QueueId("technical"): EVENING}
    assert routing.staffed_queue(queues, QueueId("day"), shanghai(2, 10)) == "day"
    assert routing.staffed_queue(queues, QueueId("day"), shanghai(2, 19)) == "technical"
    assert routing.staffed_queue(queues, QueueId("day"), shanghai(2, 23)) is None
