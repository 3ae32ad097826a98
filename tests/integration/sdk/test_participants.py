"""Who is there, under which name, with which attributes, and why somebody left."""

from __future__ import annotations

import asyncio

from livekit import rtc

from loadtest.waiting import wait_until
from tests.integration.sdk.conftest import Join, disconnect_reason


async def test_what_the_token_says_is_seen_by_others(join: Join, mode: str, room: str) -> None:
    agent = await join("agent", mode=mode)
    student = await join(
        "student", mode=mode, name="李雷", metadata='{"grade": 7}', attributes={"level": "vip"}
    )
    seen = await agent.wait_for_participant("student")
    assert (seen.name, seen.metadata, seen.attributes) == ("李雷", '{"grade": 7}', {"level": "vip"})
    assert seen.sid == student.local.sid
    assert student.local.name == "李雷"
    assert agent.room.name == room
    assert (await agent.room.sid).startswith("RM_")
    assert await agent.room.sid == await student.room.sid
    await student.wait_for_participant("agent")


async def test_name_metadata_and_attributes_change_during_the_call(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    seen = await agent.wait_for_participant("student")
    await student.local.set_name("韩梅梅")
    await student.local.set_metadata("second")
    await student.local.set_attributes({"one": "1", "two": "2"})
    await wait_until(lambda: seen.name == "韩梅梅" and seen.metadata == "second", "name and metadata")
    await wait_until(lambda: seen.attributes == {"one": "1", "two": "2"}, "attributes")
    await student.local.set_attributes({"one": "", "two": "3"})
    await wait_until(
        lambda: seen.attributes == {"two": "3"}, "an empty value removes", detail=lambda: seen.attributes
    )
    assert agent.seen("participant_name_changed")
    assert agent.seen("participant_metadata_changed")
    assert student.local.attributes == {"two": "3"}


async def test_leaving_is_announced(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await agent.wait_for_participant("student")
    await student.close()
    left = await agent.wait_for_event("participant_disconnected")
    assert left.arguments[0].identity == "student"
    assert left.arguments[0].disconnect_reason == rtc.DisconnectReason.CLIENT_INITIATED
    assert "student" not in agent.room.remote_participants


async def test_the_same_identity_takes_over(join: Join, mode: str) -> None:
    agent = await join("agent", mode=mode)
    first = await join("student", mode=mode)
    await agent.wait_for_participant("student")
    second = await join("student", mode=mode)
    await wait_until(lambda: disconnect_reason(first) is not None, "the first is told to leave")
    assert disconnect_reason(first) == rtc.DisconnectReason.DUPLICATE_IDENTITY
    await wait_until(
        lambda: (
            "student" in agent.room.remote_participants
            and agent.room.remote_participants["student"].sid == second.local.sid
        ),
        "the agent sees the second",
    )
    await second.local.publish_data(b"here", topic="t")
    await wait_until(lambda: agent.seen("data_received"), "data of the second")
    assert second.room.isconnected()


async def test_rooms_do_not_hear_of_each_other(join: Join, room: str) -> None:
    from loadtest.server import access_token

    agent = await join("agent")
    stranger = await join("stranger", token=access_token(f"{room}-other", "stranger"))
    student = await join("student")
    await agent.wait_for_participant("student")
    await stranger.local.publish_data(b"hello", topic="t")
    await student.local.publish_data(b"hello", topic="t")
    await wait_until(lambda: agent.seen("data_received"), "the student's packet")
    assert list(agent.room.remote_participants) == ["student"]
    assert not stranger.room.remote_participants
    assert [event.arguments[0].participant.identity for event in agent.seen("data_received")] == ["student"]


async def test_ten_join_at_once(join: Join) -> None:
    bots = await asyncio.gather(*(join(f"p{number}", watch_media=False) for number in range(10)))
    for bot in bots:
        await wait_until(
            lambda one=bot: len(one.room.remote_participants) == 9,  # type: ignore[misc]
            "all others",
            detail=lambda one=bot: list(one.room.remote_participants),  # type: ignore[misc]
        )
