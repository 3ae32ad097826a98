"""What the desk decides, story by story."""

from __future__ import annotations

from datetime import timedelta

import pytest

from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk.audience import music_plays, seats
from signalling.desk.errors import Refusal
from signalling.desk.model import (
    SYSTEM,
    Activity,
    Actor,
    ActorRole,
    AgentId,
    AgentState,
    AssignmentRole,
    AssignmentState,
    Call,
    CallId,
    CallState,
    ClosedReason,
    ConsentBy,
    Decision,
    DeskPolicy,
    DueKind,
    EngagementState,
    Kind,
    Mode,
    OfferState,
    OpenHours,
    Overflow,
    ParkReason,
    QueueConfig,
    QueueId,
    Routing,
    StudentId,
    StudentPresence,
    StudentProfile,
    Target,
    TicketState,
    TransferKind,
    TransferState,
)
from tests.sim.desk.world import ADMIN, SERVICE, World, pupil, staff


@pytest.fixture
def w() -> World:
    world = World(compare_every=1)
    world.hire("ann")
    return world


def types(events: list[e.Event]) -> list[str]:
    return [event.TYPE for event in events]


def active(w: World, student: str = "s1", **fields: object) -> Call:
    """A call between the student and the agent who is free."""
    call = w.press(student, **fields)
    w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity=student))
    w.match()
    w.accept(call)
    return w.call(call)


def refused(w: World, command: c.Command, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        w.execute(command)
    assert caught.value.code == code


def finished(w: World) -> None:
    w.check()
    w.check_board()
    w.check_log()


# Asking and waiting


def test_from_the_press_to_the_talk_and_to_wrap_up(w: World) -> None:
    call = w.press("s1")
    assert call.state is CallState.QUEUED
    assert w.match() == 1
    assert w.call(call).state is CallState.OFFERED
    w.later(3)
    ann = w.accept(call, join=False)
    assert w.call(call).state is CallState.CONNECTING
    assert music_plays(w.call(call))
    fence = w.call(call).primary.fence  # type: ignore[union-attr]
    w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity=ann, fence=fence))
    assert w.call(call).state is CallState.ACTIVE
    assert w.desk.agents[ann].activity is Activity.TALKING
    w.later(100)
    w.execute(c.EndCall(by=staff(ann), call=call.id))
    assert w.call(call).state is CallState.WRAPPING
    assert w.desk.agents[ann].activity is Activity.WRAPPING
    w.execute(c.WrapUp(by=staff(ann), call=call.id, codes=("audio",), resolved=True))
    assert w.call(call).state is CallState.CLOSED
    assert w.desk.agents[ann].activity is Activity.IDLE
    assert w.desk.tickets[call.ticket].state is TicketState.SOLVED
    w.execute(c.RateCall(by=pupil("s1"), call=call.id, stars=5, resolved=True))
    assert w.desk.tickets[call.ticket].state is TicketState.CONFIRMED
    refused(w, c.RateCall(by=pupil("s1"), call=call.id, stars=1), "already_rated")
    accepted = next(event for event in w.log if isinstance(event, e.CallAccepted))
    assert accepted.waited_s == 3.0
    finished(w)


def test_pressing_on_two_devices_is_one_call_and_one_ticket(w: World) -> None:
    first = w.press("s1")
    w.later(0.05)
    again = c.OpenCall(
        by=pupil("s1"),
        call=CallId(w.new_id()),
        ticket=first.ticket,
        student=StudentProfile(StudentId("s1")),
        kind=Kind.VIDEO,
    )
    assert w.execute(again) == []
    assert w.desk.answer_of(StudentId("s1")) == first
    assert len(w.desk.tickets) == 1


def test_a_student_cannot_ask_in_another_s_name(w: World) -> None:
    profile = StudentProfile(StudentId("s2"))
    command = c.OpenCall(
        by=pupil("s1"), call=CallId("x" * 36), ticket=w.press("s1").ticket, student=profile, kind=Kind.VOICE
    )
    refused(w, command, "forbidden")


def test_several_requests_are_one_case_and_a_solved_one_comes_back(w: World) -> None:
    first = active(w)
    w.execute(c.EndCall(by=staff("ann"), call=first.id))
    w.execute(c.WrapUp(by=staff("ann"), call=first.id, resolved=True))
    w.later(3600)
    second = w.press("s1")
    assert second.ticket == first.ticket
    assert w.desk.tickets[first.ticket].state is TicketState.REOPENED
    w.execute(c.CancelCall(by=pupil("s1"), call=second.id))
    assert w.call(second).closed_reason is ClosedReason.CANCELLED
    w.later(25 * 3600)
    third = w.press("s1", topic="homework")
    assert third.ticket != first.ticket


def test_an_expired_offer_returns_the_call_to_its_old_place(w: World) -> None:
    first = w.press("s1")
    w.later(1)
    w.press("s2")
    since = first.seeks[0].since
    w.match()
    assert w.call(first).state is CallState.OFFERED
    w.later(20)
    events = [event for command in w.board.due(w.now) for event in w.execute(command)]  # type: ignore[union-attr]
    assert "offer.expired" in types(events)
    assert w.call(first).state is CallState.QUEUED
    assert w.call(first).seeks[0].since == since
    assert w.board is not None
    assert next(p.call for p in w.board.positions(QueueId("technical"), w.now)) == first.id
    # Ann missed it: the next in line is hers, not this one again.
    assert [m.call for m in w.board.matches(w.now)] != [first.id]
    w.later(61)
    w.execute(c.CancelCall(by=pupil("s2"), call=w.desk.call_of(StudentId("s2")).id))  # type: ignore[union-attr]
    assert [m.call for m in w.board.matches(w.now)] == [first.id]
    finished(w)


def test_a_late_accept_is_politely_refused(w: World) -> None:
    call = w.press("s1")
    w.match()
    offer = w.call(call).pending_offers[0]
    w.later(20)
    late = c.AcceptOffer(by=staff("ann"), call=call.id, offer=offer.id)
    refused(w, late, "offer_expired")  # Even before the timer has run.
    w.run_due()
    refused(w, late, "offer_expired")
    assert not w.call(call).may_join("ann", offer.fence)
    refused(w, c.ReportJoined(by=SYSTEM, call=call.id, identity="ann", fence=offer.fence), "stale_token")


def test_accepting_twice_is_accepting_once_and_others_may_not(w: World) -> None:
    call = w.press("s1")
    w.match()
    offer = w.call(call).pending_offers[0]
    refused(w, c.AcceptOffer(by=staff("bob"), call=call.id, offer=offer.id), "forbidden")
    accept = c.AcceptOffer(by=staff("ann"), call=call.id, offer=offer.id)
    assert w.execute(accept)
    assert w.execute(accept) == []
    assert w.call(call).may_join("ann", offer.fence)


def test_the_fencing_token_grows_with_every_offer(w: World) -> None:
    call = w.press("s1")
    fences = []
    for _ in range(3):
        w.match()
        offer = w.call(call).pending_offers[0]
        fences.append(offer.fence)
        w.execute(c.DeclineOffer(by=staff("ann"), call=call.id, offer=offer.id))
        w.later(61)
    assert fences == sorted(set(fences))
    states = {o.state for o in w.call(call).offers}
    assert states == {OfferState.DECLINED}


def test_three_missed_offers_set_an_agent_to_away(w: World) -> None:
    w.press("s1")
    for _ in range(3):
        w.match()
        w.later(20)
        w.run_due()
        w.later(61)
    assert w.desk.agents[AgentId("ann")].state is AgentState.AWAY
    assert w.match() == 0


def test_an_agent_who_does_not_come_into_the_room_loses_the_call(w: World) -> None:
    call = w.press("s1")
    w.match()
    w.accept(call, join=False)
    w.later(20)
    w.run_due()
    assert w.call(call).state is CallState.QUEUED
    assert w.call(call).seeks[0].head
    assert not w.desk.agents[AgentId("ann")].engagements
    finished(w)


def test_who_lost_his_agent_goes_before_all_others(w: World) -> None:
    call = active(w)
    w.later(5)
    for i in range(3):
        w.press(
            f"vip{i}", profile=StudentProfile(StudentId(f"vip{i}"), level="vip"), queue=QueueId("technical")
        )
    w.execute(c.AgentLost(by=SYSTEM, agent=AgentId("ann")))
    assert w.call(call).state is CallState.QUEUED
    w.hire("bob")
    w.match()
    assert w.call(call).state is CallState.OFFERED
    finished(w)


def test_a_student_who_goes_away_while_waiting_is_not_offered_and_then_abandoned(w: World) -> None:
    call = w.press("s1")
    w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="s1"))
    w.execute(c.ReportLeft(by=SYSTEM, call=call.id, identity="s1"))
    assert w.match() == 0
    w.later(30)
    w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="s1"))
    assert w.call(call).presence is StudentPresence.PRESENT
    assert w.match() == 1
    w.execute(c.ReportLeft(by=SYSTEM, call=call.id, identity="s1"))
    w.later(60)
    w.run_due()
    assert w.call(call).closed_reason is ClosedReason.ABANDONED
    assert not w.desk.agents[AgentId("ann")].engagements
    assert w.desk.tickets[call.ticket].unsolved


def test_setting_oneself_away_declines_what_rings(w: World) -> None:
    call = w.press("s1")
    w.match()
    w.execute(c.SetAgentState(by=staff("ann"), agent=AgentId("ann"), state=AgentState.AWAY))
    assert w.call(call).state is CallState.QUEUED
    refused(
        w, c.SetAgentState(by=staff("bob"), agent=AgentId("ann"), state=AgentState.AVAILABLE), "forbidden"
    )


# Out of hours, call-back, outside routing, bot


def test_out_of_hours_a_call_back_is_promised_and_kept() -> None:
    night = QueueConfig(QueueId("technical"), hours=(OpenHours(frozenset({0}), 9 * 60, 18 * 60),))
    w = World(queues=[night], compare_every=1)  # It is Sunday 19:40 in Shanghai.
    call = w.press("s1")
    assert call.closed_reason is ClosedReason.CALLBACK
    due = w.desk.tickets[call.ticket].dues[0]
    assert due.kind is DueKind.CALLBACK
    assert (due.at - w.now).total_seconds() == (13 * 60 + 20) * 60  # Monday 09:00.
    assert w.press("s1").id == call.id  # Pressed again: the same promise.
    w.now = due.at
    w.hire("ann")
    w.run_due()
    back = w.desk.call_of(StudentId("s1"))
    assert back is not None
    assert back.callback
    assert back.ticket == call.ticket
    w.match()
    w.accept(back)
    assert w.call(back).summoned
    w.later(60)
    w.run_due()
    assert w.call(back).closed_reason is ClosedReason.ABANDONED  # He did not answer.
    assert w.desk.tickets[call.ticket].unsolved
    finished(w)


def closing(*overflow: Overflow) -> QueueConfig:
    """A queue that is open until 20:00 in Shanghai, 20 minutes after the tests begin."""
    return QueueConfig(
        QueueId("technical"), hours=(OpenHours(frozenset(range(7)), 9 * 60, 20 * 60),), overflow=overflow
    )


def test_who_waits_when_his_queue_closes_is_served_for_a_while_and_then_called_back() -> None:
    w = World(queues=[closing()], compare_every=1)
    served = w.press("s1", kind=Kind.CHAT)
    w.later(1)
    left, offered = w.press("s2", kind=Kind.CHAT), w.press("s3", kind=Kind.CHAT)
    w.later(20 * 60)
    assert w.press("late", kind=Kind.CHAT).closed_reason is ClosedReason.CALLBACK
    w.later(10 * 60)
    w.hire("ann", ("technical",), max_chats=1)
    assert w.run_due() == 0
    assert w.match() == 1  # nobody is turned away while somebody is at work
    assert w.accept(served) == "ann"
    w.hire("bob", ("technical",), max_chats=1)
    assert w.match() == 1
    assert sum(bool(w.call(call).pending_offers) for call in (left, offered)) == 1
    w.later(5 * 60)
    w.run_due()  # the offer has expired by now, and with it the last chance today
    for call in (left, offered):
        assert w.call(call).closed_reason is ClosedReason.CALLBACK
        due = w.desk.tickets[call.ticket].dues[0]
        assert due.kind is DueKind.CALLBACK
        assert (due.at - w.now).total_seconds() == (12 * 60 + 45) * 60 - 1  # 09:00 tomorrow
    assert w.call(served).state is CallState.ACTIVE
    finished(w)


def test_who_waits_when_his_queue_closes_goes_to_an_open_overflow_queue_at_his_old_place() -> None:
    w = World(queues=[closing(Overflow(QueueId("night"), 3600.0)), QueueConfig(QueueId("night"))])
    call = w.press("s1", kind=Kind.CHAT)
    since = call.created_at
    w.hire("owl", ("night",))
    w.later(34 * 60)
    assert (w.run_due(), w.match()) == (0, 0)
    w.later(60)
    assert w.run_due() == 1
    moved = w.call(call)
    seek = moved.seek(AssignmentRole.PRIMARY)
    assert (moved.queue, moved.state) == ("night", CallState.QUEUED)
    assert seek is not None
    assert seek.since == since
    queued = [event for event in w.log if isinstance(event, e.CallQueued)]
    assert queued[-1].reason is e.QueuedReason.OVERFLOW
    assert w.match() == 1
    assert w.accept(call) == "owl"
    finished(w)


def test_call_back_instead_of_waiting_and_calling_oneself_cancels_it(w: World) -> None:
    call = w.press("s1")
    w.execute(c.RequestCallback(by=pupil("s1"), call=call.id))
    assert w.call(call).closed_reason is ClosedReason.CALLBACK
    assert len(w.desk.tickets[call.ticket].dues) == 1
    w.later(60)
    again = w.press("s1")
    assert again.ticket == call.ticket
    assert w.desk.tickets[call.ticket].dues == ()


def outside() -> World:
    w = World(compare_every=1, queues=[QueueConfig(QueueId("technical"), routing=Routing.EXTERNAL)])
    w.hire("ann")
    w.hire("bob")
    return w


def test_outside_routing_has_the_first_word() -> None:
    w = outside()
    call = w.press("s1")
    assert "routing.requested" in types(w.log)
    assert w.match() == 0
    w.execute(c.DropIn(by=SERVICE, call=call.id, target=Target(agent=AgentId("bob"))))
    assert w.call(call).pending_offers[0].agent == "bob"
    assert w.call(call).pending_offers[0].role is AssignmentRole.PRIMARY
    w.accept(call)
    assert w.call(call).state is CallState.ACTIVE
    finished(w)


def test_built_in_routing_falls_in_after_the_deadline() -> None:
    w = outside()
    call = w.press("s1")
    w.later(5)
    w.run_due()
    assert w.match() == 1
    assert w.call(call).state is CallState.OFFERED


def test_force_puts_an_agent_in_without_asking() -> None:
    w = outside()
    call = w.press("s1")
    w.execute(c.DropIn(by=SERVICE, call=call.id, target=Target(agent=AgentId("ann")), force=True))
    assert w.call(call).state is CallState.CONNECTING
    other = w.press("s2")
    refused(
        w, c.DropIn(by=SERVICE, call=other.id, target=Target(agent=AgentId("ann")), force=True), "agent_busy"
    )
    finished(w)


def test_the_words_for_human_end_the_bot_s_turn_at_once(w: World) -> None:
    call = w.press("s1", kind=Kind.CHAT, bot=True)
    assert call.parked is not None
    assert w.match() == 0
    w.execute(c.PostMessage(by=pupil("s1"), call=call.id, text="没有声音"))
    assert w.call(call).parked is not None
    w.execute(c.PostMessage(by=pupil("s1"), call=call.id, text="转人工"))
    assert w.call(call).parked is None
    assert w.match() == 1


def test_who_waits_may_say_more(w: World) -> None:
    call = w.press("s1")
    w.execute(c.DescribeCall(by=pupil("s1"), call=call.id, answers={"who": "me"}, note="没有声音"))
    w.execute(c.DescribeCall(by=pupil("s1"), call=call.id, answers={"scope": "this"}))
    assert w.call(call).context.answers == {"who": "me", "scope": "this"}
    assert w.call(call).note == "没有声音"
    assert not w.execute(c.DescribeCall(by=pupil("s1"), call=call.id, answers={"who": "me"}))
    with pytest.raises(Refusal, match="answers"):
        many = {str(number): "yes" for number in range(100)}
        w.execute(c.DescribeCall(by=pupil("s1"), call=call.id, answers=many))
    with pytest.raises(Refusal):
        w.execute(c.DescribeCall(by=pupil("s2"), call=call.id, note="mine"))


def test_asking_the_bot_for_a_human_at_night_promises_a_call_back() -> None:
    night = QueueConfig(QueueId("technical"), hours=(OpenHours(frozenset({0}), 9 * 60, 18 * 60),))
    w = World(queues=[night], compare_every=1)
    call = w.press("s1", kind=Kind.CHAT, bot=True)
    assert call.open
    w.execute(c.PostMessage(by=pupil("s1"), call=call.id, text="人工"))
    assert w.call(call).closed_reason is ClosedReason.CALLBACK
    assert [due.kind for due in w.desk.tickets[call.ticket].dues] == [DueKind.CALLBACK]
    finished(w)


def test_what_students_read_holds_no_notes_of_the_staff(two: tuple[World, Call]) -> None:
    w, call = two
    w.execute(
        c.StartTransfer(
            by=staff("ann"),
            call=call.id,
            target=Target(agent=AgentId("bob")),
            kind=TransferKind.COLD,
            note="difficult father",
        )
    )
    w.execute(c.ScheduleFollowUp(by=staff("ann"), call=call.id, when=w.now + timedelta(1), note="difficult"))
    seen = [event.public_data() for event in w.log if event.scope is e.Scope.PARTICIPANTS]
    assert len(seen) > 5
    assert "difficult" not in str(seen)
    assert "offer.created" in {event.TYPE for event in w.log if event.scope is e.Scope.STAFF}


def test_asking_for_a_human_on_wechat_opens_a_queued_chat(w: World) -> None:
    first = active(w)
    w.execute(c.EndCall(by=pupil("s1"), call=first.id))
    w.execute(c.WrapUp(by=staff("ann"), call=first.id, resolved=True))

    def wechat(text: str) -> list[e.Event]:
        return w.execute(
            c.AppendMessage(
                by=SERVICE,
                ticket=first.ticket,
                author="s1",
                author_role="student",
                channel="wechat",
                said_at=w.now,
                text=text,
            )
        )

    assert types(wechat("还是听不到")) == ["ticket.message", "ticket.state"]
    assert w.desk.tickets[first.ticket].state is TicketState.REOPENED
    assert "call.queued" in types(wechat("我要人工服务"))
    chat = w.desk.call_of(StudentId("s1"))
    assert chat is not None
    assert (chat.kind, chat.channel, chat.ticket) == (Kind.CHAT, "wechat", first.ticket)
    assert wechat("人工")[1:] == []  # Once is enough.
    w.match()
    w.accept(chat)
    assert w.call(chat).state is CallState.ACTIVE  # A chat has no media to wait for.
    finished(w)


# Transfer


@pytest.fixture
def two(w: World) -> tuple[World, Call]:
    """Ann talks to s1; Bob is free."""
    call = active(w)
    w.hire("bob")
    return w, call


def warm(w: World, call: Call, by: str = "ann") -> None:
    w.execute(
        c.StartTransfer(
            by=staff(by), call=call.id, target=Target(agent=AgentId("bob")), kind=TransferKind.WARM
        )
    )


def consult(w: World, call: Call) -> None:
    warm(w, call)
    offer = w.call(call).pending_offers[0]
    w.execute(c.AcceptOffer(by=staff("bob"), call=call.id, offer=offer.id))
    w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="bob", fence=offer.fence))


def hears(w: World, call: Call, listener: str, speaker: str) -> bool:
    table = seats(w.call(call), w.policy)
    ear, mouth = table[listener], table[speaker]

    def shares(groups: frozenset[str], allowed: frozenset[str] | None) -> bool:
        return allowed is None or not groups.isdisjoint(allowed)

    return (
        shares(ear.groups, mouth.known_to)
        and shares(ear.groups, mouth.heard_by)
        and shares(mouth.groups, ear.hears)
    )


def knows(w: World, call: Call, viewer: str, other: str) -> bool:
    table = seats(w.call(call), w.policy)
    known_to = table[other].known_to
    return known_to is None or not table[viewer].groups.isdisjoint(known_to)


def test_warm_transfer_from_the_ringing_to_the_switch(two: tuple[World, Call]) -> None:
    w, call = two
    warm(w, call)
    assert hears(w, call, "s1", "ann")  # While it rings they go on talking.
    offer = w.call(call).pending_offers[0]
    assert offer.role is AssignmentRole.CONSULT
    w.execute(c.AcceptOffer(by=staff("bob"), call=call.id, offer=offer.id))
    assert hears(w, call, "s1", "ann")
    refused(w, c.CompleteTransfer(by=staff("ann"), call=call.id), "illegal_state")
    w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="bob", fence=offer.fence))
    assert music_plays(w.call(call))
    assert not hears(w, call, "s1", "ann")
    assert not hears(w, call, "ann", "s1")
    assert hears(w, call, "ann", "bob")
    assert hears(w, call, "bob", "ann")
    assert knows(w, call, "s1", "bob")  # Negotiated before the switch.
    w.execute(c.CompleteTransfer(by=staff("ann"), call=call.id))
    assert w.call(call).primary.agent == "bob"  # type: ignore[union-attr]
    assert not music_plays(w.call(call))
    assert hears(w, call, "s1", "bob")
    assert w.desk.agents[AgentId("ann")].activity is Activity.WRAPPING
    w.execute(c.WrapUp(by=staff("ann"), call=call.id, notes="see Bob"))
    assert w.desk.agents[AgentId("ann")].activity is Activity.IDLE
    assert w.call(call).state is CallState.ACTIVE
    finished(w)


def test_a_cancelled_warm_transfer_gives_the_student_back(two: tuple[World, Call]) -> None:
    w, call = two
    consult(w, call)
    w.execute(c.CancelTransfer(by=staff("ann"), call=call.id))
    assert hears(w, call, "s1", "ann")
    assert not w.desk.agents[AgentId("bob")].engagements
    assert w.call(call).transfer.state is TransferState.CANCELLED  # type: ignore[union-attr]
    finished(w)


def test_the_target_of_a_warm_transfer_declines(two: tuple[World, Call]) -> None:
    w, call = two
    warm(w, call)
    offer = w.call(call).pending_offers[0]
    w.execute(c.DeclineOffer(by=staff("bob"), call=call.id, offer=offer.id))
    assert w.call(call).transfer.state is TransferState.FAILED  # type: ignore[union-attr]
    assert w.call(call).state is CallState.ACTIVE
    finished(w)


VANISHING = [
    # who vanishes, when, who is responsible afterwards, the call's state, the transfer's
    ("ann", "ringing", None, CallState.QUEUED, TransferState.CANCELLED),
    ("ann", "joining", "bob", CallState.CONNECTING, TransferState.COMPLETED),
    ("ann", "consulting", "bob", CallState.ACTIVE, TransferState.COMPLETED),
    ("bob", "ringing", "ann", CallState.ACTIVE, TransferState.FAILED),
    ("bob", "joining", "ann", CallState.ACTIVE, TransferState.FAILED),
    ("bob", "consulting", "ann", CallState.ACTIVE, TransferState.FAILED),
]


@pytest.mark.parametrize(("who", "when", "responsible", "state", "transfer"), VANISHING)
def test_an_agent_vanishes_during_a_warm_transfer(
    two: tuple[World, Call],
    who: str,
    when: str,
    responsible: str | None,
    state: CallState,
    transfer: TransferState,
) -> None:
    w, call = two
    warm(w, call)
    offer = w.call(call).pending_offers[0]
    if when != "ringing":
        w.execute(c.AcceptOffer(by=staff("bob"), call=call.id, offer=offer.id))
    if when == "consulting":
        w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="bob", fence=offer.fence))
    w.execute(c.AgentLost(by=SYSTEM, agent=AgentId(who)))
    found = w.call(call)
    assert found.state is state
    assert (found.primary.agent if found.primary else None) == responsible
    assert found.transfer is not None
    assert found.transfer.state is transfer
    assert not w.desk.agents[AgentId(who)].engagements
    finished(w)


@pytest.mark.parametrize("when", ["ringing", "joining", "consulting"])
def test_hanging_up_ends_a_warm_transfer_in_any_state(two: tuple[World, Call], when: str) -> None:
    w, call = two
    warm(w, call)
    offer = w.call(call).pending_offers[0]
    if when != "ringing":
        w.execute(c.AcceptOffer(by=staff("bob"), call=call.id, offer=offer.id))
    if when == "consulting":
        w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="bob", fence=offer.fence))
    w.execute(c.EndCall(by=pupil("s1"), call=call.id))
    assert w.call(call).transfer.state is TransferState.CANCELLED  # type: ignore[union-attr]
    assert w.call(call).state is CallState.WRAPPING
    assert not w.desk.agents[AgentId("bob")].engagements
    finished(w)


def test_cold_transfer_to_an_agent_and_back_to_the_queue_if_he_declines(two: tuple[World, Call]) -> None:
    w, call = two
    w.execute(
        c.StartTransfer(
            by=staff("ann"), call=call.id, target=Target(agent=AgentId("bob")), kind=TransferKind.COLD
        )
    )
    assert w.desk.agents[AgentId("ann")].activity is Activity.WRAPPING
    assert music_plays(w.call(call))
    offer = w.call(call).pending_offers[0]
    assert (offer.agent, offer.role) == ("bob", AssignmentRole.PRIMARY)
    w.execute(c.DeclineOffer(by=staff("bob"), call=call.id, offer=offer.id))
    assert w.call(call).state is CallState.QUEUED
    w.hire("eve")
    w.match()
    assert w.accept(call) == "eve"
    assert w.call(call).transfer.state is TransferState.COMPLETED  # type: ignore[union-attr]
    finished(w)


def test_transfer_to_a_queue_is_found_by_the_matcher(two: tuple[World, Call]) -> None:
    w, call = two
    w.hire("tom", queues=("teaching",))
    for kind in (TransferKind.WARM, TransferKind.COLD):
        to = Target(queue=QueueId("teaching"))
        w.execute(c.StartTransfer(by=staff("ann"), call=call.id, target=to, kind=kind))
        w.match()
        assert w.call(call).pending_offers
        if kind is TransferKind.WARM:
            w.execute(c.CancelTransfer(by=staff("ann"), call=call.id))
    assert w.call(call).queue == "teaching"


def test_a_transfer_to_somebody_who_is_not_at_work_is_refused(two: tuple[World, Call]) -> None:
    w, call = two
    w.execute(c.SetAgentState(by=staff("bob"), agent=AgentId("bob"), state=AgentState.OFFLINE))
    for kind in TransferKind:
        command = c.StartTransfer(
            by=staff("ann"), call=call.id, target=Target(agent=AgentId("bob")), kind=kind
        )
        refused(w, command, "agent_unavailable")


# Hold, third parties, supervision


def test_hold_and_resume(two: tuple[World, Call]) -> None:
    w, call = two
    w.execute(c.HoldCall(by=staff("ann"), call=call.id))
    assert w.execute(c.HoldCall(by=staff("ann"), call=call.id)) == []
    assert music_plays(w.call(call))
    assert not hears(w, call, "ann", "s1")
    refused(w, c.ResumeCall(by=staff("bob"), call=call.id), "forbidden")
    w.execute(c.ResumeCall(by=staff("ann"), call=call.id))
    assert hears(w, call, "ann", "s1")


def test_while_waiting_nobody_hears_the_student(w: World) -> None:
    call = w.press("s1")
    w.hire("sup", supervisor=True)
    w.execute(c.DropIn(by=staff("sup"), call=call.id, target=Target(agent=AgentId("sup")), mode=Mode.MONITOR))
    assert not hears(w, call, "sup", "s1")
    assert not knows(w, call, "s1", "sup")


def test_three_way_with_a_specialist_and_a_parent(two: tuple[World, Call]) -> None:
    w, call = two
    w.execute(c.InviteGuest(by=staff("ann"), call=call.id, identity="mum", name="Mum", adult=True))
    w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="mum"))
    w.execute(c.DropIn(by=staff("ann"), call=call.id, target=Target(agent=AgentId("bob"))))
    w.accept(call)
    everybody = ("s1", "mum", "ann", "bob")
    assert all(hears(w, call, a, b) for a in everybody for b in everybody if a != b)
    refused(w, c.RemoveParticipant(by=staff("bob"), call=call.id, identity="ann"), "illegal_state")
    # Ann vanishes: Bob is in the talk already and goes on.
    w.execute(c.AgentLost(by=SYSTEM, agent=AgentId("ann")))
    assert w.call(call).primary.agent == "bob"  # type: ignore[union-attr]
    assert w.call(call).state is CallState.ACTIVE
    w.execute(c.RemoveParticipant(by=staff("bob"), call=call.id, identity="mum"))
    assert w.call(call).guests == ()
    finished(w)


def test_monitor_whisper_barge_and_the_audit(two: tuple[World, Call]) -> None:
    w, call = two
    w.hire("sup", supervisor=True)
    sup = staff("sup")
    w.execute(c.DropIn(by=sup, call=call.id, target=Target(agent=AgentId("sup")), mode=Mode.MONITOR))
    fence = w.call(call).assignment_of("sup").fence  # type: ignore[union-attr]
    w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="sup", fence=fence))
    assert hears(w, call, "sup", "s1")
    assert not knows(w, call, "s1", "sup")
    assert not hears(w, call, "ann", "sup")
    w.execute(c.ChangeMode(by=sup, call=call.id, identity="sup", mode=Mode.WHISPER))
    assert hears(w, call, "ann", "sup")
    assert not knows(w, call, "s1", "sup")
    assert not hears(w, call, "s1", "sup")
    w.execute(c.ChangeMode(by=sup, call=call.id, identity="sup", mode=Mode.BARGE))
    assert hears(w, call, "s1", "sup")
    w.execute(c.RemoveParticipant(by=sup, call=call.id, identity="sup"))
    audit = [(x.before, x.after, x.by.id) for x in w.log if isinstance(x, e.SupervisionChanged)]
    assert audit == [
        ("absent", "monitor", "sup"),
        ("monitor", "whisper", "sup"),
        ("whisper", "barge", "sup"),
        ("barge", "absent", "sup"),
    ]
    finished(w)


def test_a_policy_keeps_monitors_from_the_agents_too() -> None:
    w = World(policy=DeskPolicy(agents_told=False), compare_every=1)
    w.hire("ann")
    w.hire("sup", supervisor=True)
    call = active(w)
    w.execute(c.DropIn(by=staff("sup"), call=call.id, target=Target(agent=AgentId("sup")), mode=Mode.MONITOR))
    assert not knows(w, call, "ann", "sup")
    seen = next(x for x in w.log if isinstance(x, e.SupervisionChanged))
    assert seen.scope is e.Scope.SUPERVISORS


def test_agents_may_not_listen_in(two: tuple[World, Call]) -> None:
    w, call = two
    for by in (staff("ann"), staff("bob")):
        command = c.DropIn(by=by, call=call.id, target=Target(agent=AgentId("bob")), mode=Mode.MONITOR)
        refused(w, command, "forbidden")


def test_take_over_switches_when_the_supervisor_is_there(two: tuple[World, Call]) -> None:
    w, call = two
    w.hire("sup", supervisor=True)
    w.execute(c.RaiseHand(by=staff("ann"), call=call.id, note="angry father"))
    w.execute(c.TakeOver(by=staff("sup"), call=call.id))
    assert w.call(call).primary.agent == "ann"  # type: ignore[union-attr]
    fence = w.call(call).assignment_of("sup").fence  # type: ignore[union-attr]
    w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="sup", fence=fence))
    assert w.call(call).primary.agent == "sup"  # type: ignore[union-attr]
    assert w.call(call).state is CallState.ACTIVE
    assert w.call(call).hand_raised_by is None
    assert w.desk.agents[AgentId("ann")].engagements[0].state is EngagementState.WRAPPING
    finished(w)


def test_a_short_cut_of_an_agent_costs_nothing(two: tuple[World, Call]) -> None:
    w, call = two
    w.execute(c.ReportLeft(by=SYSTEM, call=call.id, identity="ann"))
    assert w.call(call).primary.state is AssignmentState.AWAY  # type: ignore[union-attr]
    w.later(10)
    fence = w.call(call).primary.fence  # type: ignore[union-attr]
    w.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="ann", fence=fence))
    w.later(60)
    w.run_due()
    assert w.call(call).state is CallState.ACTIVE


# Consent


def consent(
    by: Actor, call: Call, decision: Decision, who: ConsentBy, participant: str = "s1"
) -> c.GiveConsent:
    return c.GiveConsent(
        by=by,
        call=call.id,
        participant=participant,
        decision=decision,
        consent_by=who,
        notice_version="2026-01",
    )


GUARDIAN = Actor("mum", ActorRole.GUARDIAN)


@pytest.mark.parametrize("age", [None, 10, 13])
def test_only_a_guardian_grants_for_a_minor_and_unknown_age_is_one(w: World, age: int | None) -> None:
    call = w.press("s1", profile=StudentProfile(StudentId("s1"), age=age))
    refused(w, consent(pupil("s1"), call, Decision.GRANTED, ConsentBy.SELF), "guardian_required")
    refused(w, consent(pupil("s1"), call, Decision.GRANTED, ConsentBy.GUARDIAN), "forbidden")
    assert not w.call(call).may_record("s1")
    w.execute(consent(GUARDIAN, call, Decision.GRANTED, ConsentBy.GUARDIAN))
    assert w.call(call).may_record("s1")
    assert w.call(call).consent("s1").notice_version == "2026-01"  # type: ignore[union-attr]
    w.execute(consent(pupil("s1"), call, Decision.WITHDRAWN, ConsentBy.SELF))  # A child may say no.
    assert not w.call(call).may_record("s1")
    finished(w)


def test_an_adult_decides_for_himself_and_refusing_costs_nothing(w: World) -> None:
    call = w.press("s1", profile=StudentProfile(StudentId("s1"), age=14))
    refused(w, consent(GUARDIAN, call, Decision.GRANTED, ConsentBy.GUARDIAN), "not_a_minor")
    refused(w, consent(pupil("s1"), call, Decision.WITHDRAWN, ConsentBy.SELF), "illegal_state")
    w.execute(consent(pupil("s1"), call, Decision.REFUSED, ConsentBy.SELF))
    assert not w.call(call).may_record("s1")
    assert w.match() == 1


def test_a_guest_of_unknown_age_is_a_minor(two: tuple[World, Call]) -> None:
    w, call = two
    for identity, adult in (("kid", False), ("mum", True)):
        w.execute(c.InviteGuest(by=staff("ann"), call=call.id, identity=identity, adult=adult))
        by = Actor(identity, ActorRole.GUEST)
        command = consent(by, call, Decision.GRANTED, ConsentBy.SELF, participant=identity)
        if adult:
            w.execute(command)
        else:
            refused(w, command, "guardian_required")
    assert w.call(call).may_record("mum")


# Cases


def test_not_solved_reopens_and_promises_to_come_back(w: World) -> None:
    call = active(w)
    w.execute(c.EndCall(by=staff("ann"), call=call.id))
    w.execute(c.WrapUp(by=staff("ann"), call=call.id, resolved=True))
    w.execute(c.RateCall(by=pupil("s1"), call=call.id, stars=2, resolved=False))
    ticket = w.desk.tickets[call.ticket]
    assert ticket.state is TicketState.REOPENED
    assert [due.kind for due in ticket.dues] == [DueKind.FOLLOW_UP]
    w.later(24 * 3600)
    w.run_due()
    assert "ticket.due" in types(w.log)
    w.execute(c.ConfirmTicket(by=pupil("s1"), ticket=ticket.id, resolved=True))
    assert w.desk.tickets[call.ticket].state is TicketState.CONFIRMED
    assert w.desk.tickets[call.ticket].dues == ()
    finished(w)


def test_wrap_up_time_ends_by_itself(w: World) -> None:
    call = active(w)
    w.execute(c.EndCall(by=pupil("s1"), call=call.id))
    w.later(60)
    w.run_due()
    assert w.call(call).state is CallState.CLOSED
    assert not w.desk.agents[AgentId("ann")].engagements
    w.execute(c.WrapUp(by=staff("ann"), call=call.id, notes="late, but welcome"))
    assert w.call(call).wrapup is not None


def test_a_chat_becomes_a_video_call(w: World) -> None:
    call = active(w, kind=Kind.CHAT)
    w.execute(c.UpgradeCall(by=staff("ann"), call=call.id, kind=Kind.VIDEO))
    assert w.call(call).kind is Kind.VIDEO
    assert w.desk.agents[AgentId("ann")].media_call is not None
    finished(w)


def test_capacity_one_voice_call_and_two_chats(w: World) -> None:
    active(w, "s1")
    for i in range(4):
        w.press(f"chat{i}", kind=Kind.CHAT)
    for _ in range(4):
        w.match()
        for call in list(w.desk.calls.values()):
            if call.state is CallState.OFFERED:
                w.accept(call)
    states = [call.state for call in w.desk.calls.values()]
    assert states.count(CallState.ACTIVE) == 3
    assert states.count(CallState.QUEUED) == 2


def test_only_administrators_set_queues(w: World) -> None:
    refused(w, c.PutQueue(by=staff("ann"), config=QueueConfig(QueueId("x"))), "forbidden")
    refused(w, c.PutQueue(by=ADMIN, config=QueueConfig(QueueId("x"), timezone="Mars")), "invalid")


def test_parked_calls_say_why() -> None:
    w = outside()
    call = w.press("s1")
    assert call.parked is not None
    assert call.parked.reason is ParkReason.EXTERNAL
