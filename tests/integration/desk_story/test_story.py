"""The story of a call for help in slices, with real media whose packets say who sent them."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from loadtest.desk_client import DeskClient, ProblemError
from loadtest.waiting import hold_during, wait_until
from loadtest.wire_person import MUSIC
from tests.integration.desk_story.conftest import Desk

STILL_S = 0.4
"""How long something must not happen to count as not happening."""


# From the press to the talk ----------------------------------------------------------------------------


async def test_a_press_is_ticketed_waits_with_music_and_reaches_an_agent(desk: Desk) -> None:
    student = await desk.student(level="vip", age=12, locale="zh-CN")
    opened = await desk.press(student, queue="technical", context={"class_id": "301"})
    assert opened.created
    assert opened.ticket
    assert opened.queue["position"] == 1
    await student.hears(MUSIC)
    assert set(student.who(0.0)) == {MUSIC}

    agent = await desk.agent("chen")
    offer = await desk.ring(agent, opened.id)
    assert (await desk.service.call(opened.id))["state"] == "offered"
    accepted = await agent.client.accept(offer)
    assert accepted.student["id"] == student.identity
    assert accepted.student["level"] == "vip"
    assert accepted.call["context"]["class_id"] == "301"
    await desk.enter(agent, accepted.media)
    await student.may_publish()
    await student.talk(video=True)
    await asyncio.gather(student.hears(agent), agent.hears(student), agent.sees(student))
    since = time.monotonic() + 0.1  # packets under way
    await hold_during(lambda: MUSIC not in student.who(since), "the music has ended", STILL_S)
    assert student.who(since)[agent.identity] > 10
    assert (await desk.service.call(opened.id))["state"] == "active"


async def test_a_waiting_student_cannot_publish(desk: Desk) -> None:
    student = await desk.student()
    opened = await desk.press(student)
    await student.hears(MUSIC)
    await student.talk()
    await wait_until(lambda: student.wire.outgoing[0].packets > 10, "packets were sent")
    measured = await desk.service.diagnostics(opened.id)
    own = next(each for each in measured["participants"] if each["identity"] == student.identity)
    assert own["uplink"]["streams"] == []


async def test_an_expired_accept_is_refused_politely_and_never_appears(desk: Desk) -> None:
    await desk.change_queue(offer_timeout_s=1.0)
    late = await desk.agent("chen")
    student = await desk.student()
    opened = await desk.press(student)
    offer = await desk.ring(late, opened.id)
    ready = await desk.agent("lin")
    await late.stream.wait_for("offer.expired", call=opened.id)
    with pytest.raises(ProblemError) as refused:
        await late.client.accept(offer)
    assert (refused.value.status, refused.value.code) == (410, "offer_expired")

    accepted = await ready.client.accept(await desk.ring(ready, opened.id))
    await desk.enter(ready, accepted.media)
    await student.hears(ready)
    with pytest.raises(ProblemError) as refused:
        await late.client.accept(offer)
    assert refused.value.status in (409, 410)
    with pytest.raises(ProblemError) as refused:
        await late.client.post(f"/calls/{opened.id}/media")
    assert refused.value.status == 403
    said = b"".join(signal.SerializeToString() for signal in student.wire.signals)
    assert b"lin" in said
    assert b"chen" not in said
    assert late.identity not in student.who(0.0)


async def test_a_token_of_somebody_who_was_taken_out_opens_no_door(desk: Desk) -> None:
    student, agent = await desk.student(), await desk.agent("chen")
    call = await desk.talk(student, agent)
    third = await desk.agent("lin", available=True)
    joined = await desk.service.drop_in(call, agent=third.identity, force=True)
    await desk.enter(third, joined)
    await student.hears(third)
    await desk.service.remove(call, third.identity)
    await asyncio.wait_for(third.wire.closed_by_server.wait(), 5.0)
    await third.hang_up()
    with pytest.raises((aiohttp.WSServerHandshakeError, ConnectionError)):
        await third.join(joined)
    assert third.identity not in {
        each["identity"] for each in (await desk.service.call(call))["participants"]
    }


async def test_pressing_on_two_devices_at_once_makes_one_call_and_one_ticket(desk: Desk) -> None:
    student = await desk.student()
    async with aiohttp.ClientSession() as other_device:
        tablet = DeskClient(desk.url, student.client.token, other_device)
        for _ in range(5):
            began = time.monotonic()
            opened = await asyncio.gather(
                student.client.ask(kind="voice", topic="no_sound"),
                tablet.ask(kind="voice", topic="no_sound"),
            )
            assert time.monotonic() - began < 2.0
            assert opened[0].id == opened[1].id
            assert opened[0].ticket == opened[1].ticket
            assert sum(each.created for each in opened) == 1
            await student.client.cancel(opened[0].id)
            found = await desk.service.calls(student=student.identity)
            tickets = await desk.service.get("/tickets", student=student.identity)
            numbers = {each["ticket"] for each in found}
            assert len([each for each in found if each["id"] == opened[0].id]) == 1
            assert numbers <= {each["ticket"] for each in tickets["items"]}
        assert len(found) == 5


async def test_cancelling_takes_the_offer_away(desk: Desk) -> None:
    agent, student = await desk.agent("chen"), await desk.student()
    opened = await desk.press(student)
    offer = await desk.ring(agent, opened.id)
    closed = await student.client.cancel(opened.id)
    assert (closed["state"], closed["closed_reason"]) == ("closed", "cancelled")
    await agent.stream.wait_for("offer.withdrawn", call=opened.id)
    with pytest.raises(ProblemError) as refused:
        await agent.client.accept(offer)
    assert refused.value.code in ("offer_withdrawn", "call_closed")
    await asyncio.wait_for(student.wire.closed_by_server.wait(), 5.0)


# In the call -------------------------------------------------------------------------------------------


async def test_on_hold_the_student_hears_music_and_nobody_hears_the_student(desk: Desk) -> None:
    student, agent = await desk.student(), await desk.agent("chen")
    call = await desk.talk(student, agent)
    mark = student.mark_signals()
    held = await agent.client.hold(call)
    since = time.monotonic() + 0.1
    assert held["state"] == "held"
    await student.hears(MUSIC, since=since)
    await hold_during(lambda: student.identity not in agent.who(since), "nothing of the student", STILL_S)
    assert agent.identity not in student.who(since)

    await agent.client.resume(call)
    since = time.monotonic() + 0.1
    await asyncio.gather(student.hears(agent, since=since), agent.hears(student, since=since))
    await hold_during(lambda: MUSIC not in student.who(since), "the music has ended", STILL_S)
    assert student.wire.ice_restarts == 0
    assert student.offers_since(mark) == 0


async def test_a_guest_joins_by_link_and_only_that_call(desk: Desk) -> None:
    student, agent = await desk.student(), await desk.agent("chen")
    call = await desk.talk(student, agent)
    invited = await agent.client.drop_in(call, guest={"identity": "teacher-301", "name": "T", "adult": True})
    assert invited.link.endswith(f"#invite={invited.token}")
    teacher = desk.guest("teacher-301", invited.token)
    await desk.enter(teacher, invited)
    await asyncio.gather(
        student.hears(teacher), agent.hears(teacher), teacher.hears(student), teacher.hears(agent)
    )
    other = await (await desk.student()).client.ask(kind="voice", topic="no_sound")
    with pytest.raises(ProblemError) as refused:
        await teacher.client.call(other.id)
    assert refused.value.status == 404
    await agent.client.remove(call, "teacher-301")
    await asyncio.wait_for(teacher.wire.closed_by_server.wait(), 5.0)
    with pytest.raises(ProblemError):
        await teacher.client.post(f"/calls/{call}/media")


async def test_a_warm_transfer_keeps_the_students_line(desk: Desk) -> None:
    student, agent = await desk.student(), await desk.agent("chen")
    call = await desk.talk(student, agent)
    specialist = await desk.agent("lin")
    mark, before = student.mark_signals(), time.monotonic()
    await agent.client.transfer(call, {"agent": "lin"}, kind="warm", note="the driver")
    offer = await desk.ring(specialist, call)
    accepted = await specialist.client.accept(offer)
    await desk.enter(specialist, accepted)
    await asyncio.gather(agent.hears(specialist), specialist.hears(agent))
    since = time.monotonic() + 0.1
    await student.hears(MUSIC, since=since)
    await hold_during(lambda: set(student.who(since)) <= {MUSIC}, "only music for the student", STILL_S)
    assert student.identity not in agent.who(since)

    offers_before_the_switch = student.offers_since(mark)
    switched = time.monotonic()
    await agent.client.complete_transfer(call)
    await asyncio.gather(student.hears(specialist, since=switched), specialist.hears(student, since=switched))
    await asyncio.wait_for(agent.wire.closed_by_server.wait(), 5.0)
    silence_s = student.longest_silence_s(before, time.monotonic())
    assert silence_s <= 0.3, f"{silence_s:.3f} s of silence"
    assert not student.wire.closed_by_server.is_set()
    assert student.wire.ice_restarts == 0
    assert student.offers_since(mark) <= 1
    assert student.offers_since(mark) == offers_before_the_switch, "negotiated only after the switch"
    after = await desk.service.call(call)
    primary = [each["identity"] for each in after["participants"] if each["role"] == "primary"]
    assert primary == ["lin"]


async def test_a_cancelled_transfer_gives_the_student_back(desk: Desk) -> None:
    student, agent = await desk.student(), await desk.agent("chen")
    call = await desk.talk(student, agent)
    specialist = await desk.agent("lin")
    await agent.client.transfer(call, {"agent": "lin"}, kind="warm")
    await desk.enter(specialist, await specialist.client.accept(await desk.ring(specialist, call)))
    await student.hears(MUSIC)
    await agent.client.cancel_transfer(call)
    since = time.monotonic() + 0.1
    await asyncio.gather(student.hears(agent, since=since), agent.hears(student, since=since))
    assert specialist.identity not in student.who(since)
    await asyncio.wait_for(specialist.wire.closed_by_server.wait(), 5.0)


async def test_monitor_and_whisper_leave_the_student_no_packet_and_no_message(desk: Desk) -> None:
    student, agent = await desk.student(), await desk.agent("chen")
    call = await desk.talk(student, agent)
    supervisor = await desk.agent("qian", available=False)
    since, mark, told = time.monotonic(), student.mark_signals(), len(student.stream.events)
    joined = await supervisor.client.drop_in(call, agent="qian", mode="monitor", force=True)
    await desk.enter(supervisor, joined)
    await asyncio.gather(supervisor.hears(student), supervisor.hears(agent))
    await hold_during(lambda: "qian" not in agent.who(since), "the agent hears no monitor", STILL_S)

    await supervisor.client.set_mode(call, "qian", "whisper")
    await agent.hears("qian")
    await hold_during(lambda: "qian" not in student.who(since), "the student hears no whisper", STILL_S)
    assert student.signals_since(mark) == []
    assert len(student.stream.events) == told
    assert b"qian" not in b"".join(signal.SerializeToString() for signal in student.wire.signals)
    shown = (await student.client.call(call))["participants"]
    assert {each["identity"] for each in shown} == {student.identity, "chen"}

    barged = time.monotonic()
    await supervisor.client.set_mode(call, "qian", "barge")
    await student.hears("qian", since=barged)
    assert student.offers_since(mark) <= 1

    await supervisor.client.set_mode(call, "qian", "monitor")
    quiet = time.monotonic() + 0.1
    await hold_during(
        lambda: "qian" not in student.who(quiet) and "qian" not in agent.who(quiet),
        "nobody hears the supervisor",
        STILL_S,
    )
    modes = [event.data["after"] for event in supervisor.stream.of("supervision.changed", call=call)]
    assert modes == ["monitor", "whisper", "barge", "monitor"]
    assert not student.stream.of("supervision.changed")


# Afterwards --------------------------------------------------------------------------------------------


async def test_end_wrap_up_and_rating_leave_a_complete_log(desk: Desk) -> None:
    await desk.change_queue(wrapup_s=60)
    student, agent = await desk.student(), await desk.agent("chen")
    call = await desk.talk(student, agent)
    ended = await agent.client.end(call)
    assert ended["state"] == "wrapping"
    for person in (student, agent):
        await asyncio.wait_for(person.wire.closed_by_server.wait(), 5.0)
    closed = await agent.client.wrap_up(call, codes=["audio.driver"], notes="driver", resolved=True)
    assert (closed["state"], closed["closed_reason"]) == ("closed", "completed")
    await desk.change_queue(wrapup_s=0)
    await student.client.rate(call, 4, resolved=True)
    with pytest.raises(ProblemError) as refused:
        await student.client.rate(call, 1)
    assert refused.value.code == "already_rated"
    types = [event.type for event in await desk.log(call, until="rating.created")]
    order = [
        each for each in types if each in ("call.queued", "offer.created", "call.accepted", "call.ended")
    ]
    assert order == ["call.queued", "offer.created", "call.accepted", "call.ended"]
    assert types[-1] == "rating.created"


async def test_events_resume_without_loss_or_doubles(desk: Desk) -> None:
    agent, student = await desk.agent("chen"), await desk.student()
    begun = [event.id for event in agent.stream.events]
    call = await desk.talk(student, agent)
    for number in range(20):
        await student.client.write(call, f"message {number}")
        if number % 5 == 0:
            await agent.stream.cut()
    await agent.stream.wait_for(
        "message.created", call=call, where=lambda event: event.data["text"] == "message 19"
    )
    texts = [event.data["text"] for event in agent.stream.of("message.created", call=call)]
    assert texts == [f"message {number}" for number in range(20)]
    assert agent.stream.connects > 1
    assert agent.stream.doubled == []
    assert begun == [event.id for event in agent.stream.events][: len(begun)]
