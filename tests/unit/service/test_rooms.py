"""What a room must look like, and who belongs in it, from the call alone."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from mediaserver.room.audience import Audience
from mediaserver.room.model import Identity, TrackSource
from signalling.auth import verify_token
from signalling.desk.model import Actor as DeskActor
from signalling.desk.model import (
    ActorRole,
    AgentId,
    Assignment,
    AssignmentRole,
    AssignmentState,
    Call,
    CallId,
    CallState,
    DeskPolicy,
    Guest,
    Kind,
    Mode,
    QueueId,
    Severity,
    StudentId,
    StudentProfile,
    TicketId,
)
from signalling.service.rooms import MUSIC_IDENTITY, may_be_in, permissions_of, plan_of, why_not
from signalling.service.sounds import Occasion, Sounds, language_of
from signalling.service.tokens import (
    CALL,
    FENCE,
    MAY_LISTEN,
    MAY_TALK,
    ROLE,
    Membership,
    TokenMint,
    membership_of,
)

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
POLICY = DeskPolicy()
SECRET = "s" * 40
WAITING = Call(
    id=CallId("call"),
    ticket=TicketId("ticket"),
    student=StudentProfile(StudentId("ann"), "小明"),
    kind=Kind.VOICE,
    queue=QueueId("technical"),
    topic="no_sound",
    severity=Severity.GENERAL,
    created_at=NOW,
    room="call",
)
LIN = Assignment(
    AgentId("lin"), AssignmentRole.PRIMARY, Mode.TALK, fence=2, since=NOW, state=AssignmentState.LIVE
)
TALKING = replace(WAITING, state=CallState.ACTIVE, accepted_at=NOW, fence=2, assignments=(LIN,))
QIAN = replace(LIN, agent=AgentId("qian"), role=AssignmentRole.SUPERVISOR, mode=Mode.MONITOR, fence=3)
STUDENT = Membership("call", ActorRole.STUDENT, None)
AGENT = Membership("call", ActorRole.AGENT, 2)


def hears(audience: Audience, viewer: str, publisher: str) -> bool:
    return audience.may_receive(Identity(viewer), Identity(publisher), TrackSource.MICROPHONE)


def test_who_waits_hears_music_and_nobody_hears_him() -> None:
    plan = plan_of(WAITING, POLICY)
    assert plan.music is Occasion.WAITING
    assert hears(plan.audience, "ann", MUSIC_IDENTITY)
    assert not hears(plan.audience, "lin", "ann")
    assert not hears(plan.audience, "stranger", "ann")
    assert not plan.audience.may_know(Identity("stranger"), Identity("ann"))
    assert permissions_of(WAITING, "ann", STUDENT) == MAY_LISTEN


def test_who_talks_hears_the_agent_and_no_music() -> None:
    plan = plan_of(TALKING, POLICY)
    assert plan.music is None
    assert hears(plan.audience, "ann", "lin")
    assert hears(plan.audience, "lin", "ann")
    assert not hears(plan.audience, "lin", MUSIC_IDENTITY)
    assert permissions_of(TALKING, "ann", STUDENT) == MAY_TALK


@pytest.mark.parametrize(
    ("call", "music"),
    [
        (replace(TALKING, state=CallState.HELD), Occasion.HOLD),
        (replace(TALKING, state=CallState.QUEUED, assignments=()), Occasion.TRANSFER),
        (replace(WAITING, state=CallState.OFFERED), Occasion.WAITING),
        (replace(TALKING, state=CallState.WRAPPING, assignments=()), None),
    ],
)
def test_the_occasion_of_the_music(call: Call, music: Occasion | None) -> None:
    assert plan_of(call, POLICY).music is music


def test_a_silent_monitor_does_not_exist() -> None:
    plan = plan_of(replace(TALKING, assignments=(LIN, QIAN)), replace(POLICY, agents_told=False))
    for viewer in ("ann", "lin"):
        assert not plan.audience.may_know(Identity(viewer), Identity("qian"))
    assert hears(plan.audience, "qian", "ann")


def test_a_class_goes_on_as_it_was() -> None:
    plan = plan_of(replace(WAITING, room="class-301"), POLICY)
    assert plan.music is None
    assert hears(plan.audience, "classmate", "teacher")
    assert hears(plan.audience, "classmate", "ann")


def test_who_belongs_in_the_room() -> None:
    assert may_be_in(TALKING, "ann", STUDENT)
    assert not may_be_in(TALKING, "bob", STUDENT)
    assert may_be_in(TALKING, "lin", AGENT)
    assert not may_be_in(TALKING, "lin", Membership("call", ActorRole.AGENT, 1))
    assert not may_be_in(TALKING, "lin", Membership("call", ActorRole.AGENT, None))
    assert not may_be_in(TALKING, "zhao", AGENT)
    assert not may_be_in(replace(TALKING, kind=Kind.CHAT), "ann", STUDENT)
    over = replace(TALKING, state=CallState.CLOSED)
    assert not may_be_in(over, "ann", STUDENT)
    assert why_not(over, STUDENT).status == 410
    assert why_not(TALKING, AGENT).status == 403
    dad = Guest("dad", "爸爸", Mode.TALK, True, DeskActor("lin", ActorRole.AGENT), NOW, fence=3)
    call = replace(TALKING, guests=(dad,))
    assert may_be_in(call, "dad", Membership("call", ActorRole.GUEST, 3))
    assert not may_be_in(call, "dad", Membership("call", ActorRole.GUEST, 4))


def test_tokens_say_call_role_and_fence() -> None:
    mint = TokenMint("key", SECRET)
    grants = verify_token(mint.agent(TALKING, LIN, "林老师"), {"key": SECRET})
    assert (grants.room, grants.identity, grants.name) == ("call", "lin", "林老师")
    assert membership_of(dict(grants.attributes)) == AGENT
    student = verify_token(mint.student(WAITING), {"key": SECRET})
    assert membership_of(dict(student.attributes)) == STUDENT
    assert not student.permissions.can_publish
    assert not student.permissions.can_update_metadata  # or a client could forge its membership
    supervisor = verify_token(mint.agent(TALKING, QIAN, ""), {"key": SECRET})
    assert membership_of(dict(supervisor.attributes)) == Membership("call", ActorRole.SUPERVISOR, 3)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {ROLE: "agent"},
        {CALL: "call"},
        {CALL: "call", ROLE: "king"},
        {CALL: "c", ROLE: "agent", FENCE: "x"},
    ],
)
def test_other_attributes_are_no_membership(attributes: dict[str, str]) -> None:
    assert membership_of(attributes) is None


def test_sounds_exist_in_every_language() -> None:
    sounds = Sounds()
    sounds.load_all()
    assert len(sounds.music()) * 0.02 > 20
    assert sounds.announcement(Occasion.HOLD, "en-GB") != sounds.announcement(Occasion.HOLD, "zh-CN")
    assert [language_of(locale) for locale in (None, "zh-TW", "zh_CN", "fr", "en")] == [
        "zh-CN", "zh-CN", "zh-CN", "en", "en"
    ]  # fmt: skip
