"""The smaller parts: words for "human", estimates, the board, machines and JSON."""

from __future__ import annotations

import ast
import json
import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from signalling import desk
from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk import machines
from signalling.desk.board import Board
from signalling.desk.errors import IllegalTransition, SequenceGap
from signalling.desk.estimate import HandleTimes, Observed, advice, estimate
from signalling.desk.model import (
    SYSTEM,
    AgentId,
    AgentState,
    CallContext,
    CallId,
    CallState,
    ClosedReason,
    DeskPolicy,
    EngagementState,
    Kind,
    QueueId,
    SkillNeed,
    StudentId,
    StudentProfile,
    Target,
    TicketId,
    derive_id,
    ticket_number,
    uuid7,
)
from signalling.desk.state import Desk
from signalling.desk.words import asks_for_human
from tests.sim.desk.world import QUEUES, START, World, pupil, staff

HUMAN = [
    "转人工",
    "我要人工服务",
    "接人工",
    "人工",
    "agent",
    "human",
    "Agent!",
    "HUMAN PLEASE",
    "转 人工",
    "人工!!!",
    "轉人工",
    "请转接人工",
    "帮我转人工客服",
    "找真人",
    "我不要机器人,转人工",
    "人工人工人工",
    "I want to talk to a human",
    "please connect me to an agent",
    "can I speak with a real person",
]
NOT_HUMAN = [
    "人工智能课听不到声音",
    "人工智能",
    "不要转人工",
    "我不用人工",
    "没有声音",
    "",
    "I don't need a human",
    "the human body lesson has no sound",
    "no picture since 19:40",
]


@pytest.mark.parametrize("text", HUMAN)
def test_words_for_human_work_the_first_time(text: str) -> None:
    assert asks_for_human(text)


@pytest.mark.parametrize("text", NOT_HUMAN)
def test_other_words_do_not(text: str) -> None:
    assert not asks_for_human(text)


def test_an_estimate_is_a_range_that_reality_keeps() -> None:
    """Against a queue that is really served: the upper end holds mostly, the lower is no idle talk."""
    rng = random.Random(4)
    for ahead, servers in ((0, 1), (3, 2), (20, 10), (60, 5)):
        found = estimate(ahead=ahead, servers=servers, free=0, observed=Observed(300.0, 100))
        assert found is not None
        waits = [sum(rng.expovariate(servers / 300.0) for _ in range(ahead + 1)) for _ in range(2000)]
        kept = sum(wait <= found.high_s for wait in waits) / len(waits)
        early = sum(wait < found.low_s for wait in waits) / len(waits)
        assert kept >= 0.88, (ahead, servers)
        assert early <= 0.25, (ahead, servers)
        assert found.high_s <= 4 * 300.0 * (ahead + 2) / servers
        assert found.low_s <= found.middle_s <= found.high_s


def test_no_estimate_when_nobody_is_at_work_and_none_to_speak_of_when_somebody_is_free() -> None:
    assert estimate(ahead=0, servers=0, free=0, observed=Observed(300.0, 9)) is None
    free = estimate(ahead=1, servers=5, free=2, observed=Observed(300.0, 9))
    assert free is not None
    assert free.low_s == 0
    assert free.high_s <= 30


def test_handle_times_follow_the_day() -> None:
    seen = HandleTimes()
    before = seen.of(QueueId("q"), False).mean_s
    for _ in range(100):
        seen.observe(QueueId("q"), False, 60.0)
    assert seen.of(QueueId("q"), False).mean_s < 80 < before
    assert seen.of(QueueId("q"), True).samples == 0


def test_advice_is_never_empty_and_always_in_both_languages() -> None:
    for topic in ("no_sound", "no_picture", "stutter", "general", "something else"):
        for item in advice(topic):
            assert set(item.say) == set(item.child) == {"zh-CN", "en"}
            assert not any(word in "".join(item.say.values()) for word in ("码率", "抖动", "丢包", "马上"))
        assert advice(topic)


# Machines


@pytest.mark.parametrize(
    "machine",
    [
        machines.CALL,
        machines.TICKET,
        machines.OFFER,
        machines.ASSIGNMENT,
        machines.TRANSFER,
        machines.AGENT,
        machines.SUPERVISION,
    ],
    ids=lambda machine: machine.name,
)
def test_every_state_can_be_reached_and_illegal_happenings_raise(
    machine: machines.Machine[Any, Any],
) -> None:
    states = {state for state, _ in machine.table} | set(machine.table.values())
    kind: Any = type(next(iter(states)))
    start = next(iter(kind))
    reached, frontier = {start}, [start]
    while frontier:
        state = frontier.pop()
        for (before, _), after in machine.table.items():
            if before is state and after not in reached:
                reached.add(after)
                frontier.append(after)
    assert reached == states == set(kind)
    happenings: Any = type(next(iter(machine.table))[1])
    for state in states:
        for happening in happenings:
            if not machine.allows(state, happening):
                with pytest.raises(IllegalTransition):
                    machine.apply(state, happening)


def test_a_closed_call_stays_closed() -> None:
    assert not any(machines.CALL.allows(CallState.CLOSED, h) for h in machines.CallHappening)


# JSON and identifiers


def test_commands_survive_json() -> None:
    command = c.OpenCall(
        by=pupil("s"),
        call=CallId("c"),
        ticket=TicketId("t"),
        student=StudentProfile(StudentId("s"), age=9, courses=("math",), extra={"crm": [1, None]}),
        kind=Kind.VIDEO,
        context=CallContext(
            lesson_ends_at=START, answers={"all lessons?": True}, transcript=({"bot": "hi"},)
        ),
        skills=(SkillNeed("device", 2),),
    )
    assert c.from_json(json.loads(json.dumps(command.to_json()))) == command
    put = c.PutQueue(by=SYSTEM, config=QUEUES[0])
    assert c.from_json(json.loads(json.dumps(put.to_json()))) == put
    drop = c.DropIn(by=SYSTEM, call=CallId("c"), target=Target(skill="device"))
    assert c.from_json(json.loads(json.dumps(drop.to_json()))) == drop


@pytest.mark.parametrize(
    "damage",
    [
        {"type": "no.such"},
        {"data": {}},
        {"at": "yesterday"},
        {"at": "2026-01-01T00:00:00"},
        {"seq": "1"},
        {"data": {"parked": {"reason": "lunch", "until": None}}},
    ],
)
def test_damaged_events_raise_value_error(damage: dict[str, object]) -> None:
    w = World()
    w.press("s", kind=Kind.CHAT, bot=True)
    parked = next(event for event in w.log if isinstance(event, e.CallParked))
    good = parked.to_json()
    assert e.from_json(good) == parked
    with pytest.raises(ValueError):
        e.from_json({**good, **damage})


def test_a_newer_version_s_fields_are_ignored() -> None:
    w = World()
    w.press("s")
    newer = w.log[-1].to_json()
    newer["data"]["mood"] = "hopeful"
    assert e.from_json(newer) == w.log[-1]


def test_identifiers_are_uuid7_and_follow_from_the_decision() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    one, later = uuid7(at, bytes(10)), uuid7(at + timedelta(milliseconds=1), bytes(10))
    assert one[14] == "7"
    assert one[19] in "89ab"
    assert one < later
    assert derive_id(at, "offer", 1) == derive_id(at, "offer", 1) != derive_id(at, "offer", 2)
    number = ticket_number(at, TicketId(one))
    assert number.startswith("260301-")
    assert len(number) == 16


# State and board


def test_a_gap_is_noticed() -> None:
    w = World()
    call = w.press("s")
    assert w.board is not None
    last = w.log[-1]
    with pytest.raises(SequenceGap):
        w.desk.apply(replace(last, seq=last.seq + 1 + w.desk.calls[call.id].version))
    with pytest.raises(SequenceGap):
        w.board.apply(replace(last, seq=99))
    w.board.apply(last)  # Known already: ignored.


def test_deciding_leaves_the_desk_as_it_was() -> None:
    w = World()
    call = w.press("s")
    fork = w.desk.fork()
    fork.apply(
        e.CallEnded(
            stream_id=call.id, seq=call.version + 1, at=w.now, by=SYSTEM, reason=ClosedReason.CANCELLED
        )
    )
    assert fork.call_of(StudentId("s")) is None
    assert w.desk.call_of(StudentId("s")) == call


def test_the_board_matches_by_urgency_and_each_agent_once() -> None:
    w = World()
    w.hire("ann")
    w.hire("bob")
    calls = []
    for i in range(4):
        calls.append(w.press(f"s{i}"))
        w.later(1)
    assert w.board is not None
    found = w.board.matches(w.now)
    assert [m.call for m in found] == [calls[0].id, calls[1].id]
    assert {m.agent for m in found} == {"ann", "bob"}
    assert [w.board.ahead(call.id, w.now) for call in calls] == [0, 1, 2, 3]
    assert len(w.board.matches(w.now, limit=1)) == 1
    range_ = w.board.estimate(calls[3].id, w.now)
    assert range_ is not None
    assert range_.high_s > 30


def test_the_board_waits_for_the_own_agent_a_moment() -> None:
    w = World()
    w.hire("own")
    busy = w.press("other")
    w.match()
    w.accept(busy)
    w.hire("bob")
    mine = w.press("s", profile=StudentProfile(StudentId("s"), dedicated_agent=AgentId("own")))
    assert w.match() == 0
    deadline = w.board.next_deadline()  # type: ignore[union-attr]
    assert deadline == w.now + timedelta(seconds=15)
    w.later(15)
    assert w.match() == 1
    assert w.call(mine).pending_offers[0].agent == "bob"


def test_the_board_overflows_when_the_time_has_come() -> None:
    w = World()
    w.hire("tom", queues=("teaching",))
    w.press("s")
    assert w.match() == 0
    w.later(60)
    assert w.match() == 1


def test_a_timer_whose_command_did_nothing_comes_again() -> None:
    w = World()
    w.hire("ann")
    w.press("s")
    w.match()
    assert w.board is not None
    late = w.now + timedelta(seconds=20)
    assert [command.TYPE for command in w.board.due(late)] == ["call_due"]
    assert w.board.due(late) == []
    assert [command.TYPE for command in w.board.due(late + timedelta(seconds=1))] == ["call_due"]


def test_the_board_learns_handle_times() -> None:
    w = World()
    w.hire("ann")
    call = w.press("s")
    w.match()
    w.accept(call)
    w.later(100)
    w.execute(c.EndCall(by=staff("ann"), call=call.id))
    w.later(20)
    w.execute(c.WrapUp(by=staff("ann"), call=call.id))
    assert w.board is not None
    seen = w.board.handle_times.of(QueueId("technical"), False)
    assert seen.samples == 1
    assert seen.mean_s == pytest.approx((4 * 480 + 120) / 5)


def test_an_empty_board_has_nothing_to_say() -> None:
    board = Board(policy=DeskPolicy())
    assert board.matches(START) == []
    assert board.due(START) == []
    assert board.next_deadline() is None
    assert Desk().call_of(StudentId("s")) is None


def test_engagements_have_an_end() -> None:
    w = World()
    w.hire("ann")
    call = w.press("s")
    w.match()
    w.accept(call)
    w.execute(c.EndCall(by=pupil("s"), call=call.id))
    tie = w.desk.agents[AgentId("ann")].engagements[0]
    assert tie.state is EngagementState.WRAPPING
    assert tie.until == w.now + timedelta(seconds=60)
    w.execute(c.SetAgentState(by=staff("ann"), agent=AgentId("ann"), state=AgentState.OFFLINE))
    w.later(60)
    w.run_due()
    assert not w.desk.agents[AgentId("ann")].engagements


def test_the_desk_is_pure() -> None:
    """Nothing else of ours, no clock, no input or output."""
    allowed = {
        "bisect",
        "collections",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "math",
    }
    allowed |= {"re", "types", "typing", "unicodedata", "uuid", "zoneinfo", "__future__"}
    for module in Path(desk.__file__).parent.glob("*.py"):
        text = module.read_text("utf-8")
        assert not re.search(r"\bnow\(|\butcnow\(|\btoday\(", text), f"{module.name} reads a clock"
        for node in ast.walk(ast.parse(text)):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                ours = name.startswith("signalling.desk")
                assert ours or name.split(".")[0] in allowed, f"{module.name} imports {name}"
