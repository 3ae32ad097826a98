"""A lost signalling connection must not be heard or seen; a lost participant must come back."""

from __future__ import annotations

import asyncio
import time

import pytest
from livekit import rtc

from loadtest.bot import Bot
from loadtest.proxy import TcpProxy
from loadtest.sound import tone
from loadtest.waiting import wait_until
from tests.integration.sdk.conftest import Join

pytestmark = pytest.mark.slow

MAX_GAP_S = 0.7  # of a 20 fps picture on a busy test machine; a rebuilt connection takes longer


async def call(join: Join, proxy: TcpProxy, mode: str) -> tuple[Bot, Bot]:
    """A student behind the relay and an agent, both speaking and showing."""
    student = await join("student", mode=mode, url=f"ws://127.0.0.1:{proxy.port}")
    agent = await join("agent", mode=mode)
    await student.publish_microphone(tone(440, 0.5))
    await agent.publish_microphone(tone(1000, 0.5))
    await student.publish_camera()
    await agent.publish_camera()
    await agent.wait_for_video("student", frames=20)
    await student.wait_for_video("agent", frames=20)
    await agent.wait_for_sound("student", hz=440)
    await student.wait_for_sound("agent", hz=1000)
    return student, agent


async def signalling_works(student: Bot, agent: Bot, value: str) -> None:
    await student.local.set_attributes({"state": value})
    await wait_until(
        lambda: agent.room.remote_participants["student"].attributes.get("state") == value,
        "the student's attribute at the agent",
    )
    await agent.local.set_attributes({"state": value})
    await wait_until(
        lambda: student.room.remote_participants["agent"].attributes.get("state") == value,
        "the agent's attribute at the student",
    )


async def test_a_killed_websocket_is_resumed_without_a_gap(join: Join, proxy: TcpProxy, mode: str) -> None:
    student, agent = await call(join, proxy, mode)
    up, down = agent.video_of("student"), student.video_of("agent")
    assert up is not None
    assert down is not None
    for number in range(2):
        cut = time.monotonic()
        assert proxy.cut() == 1
        resumed = (await student.wait_for_event("reconnected", since=cut)).at
        await wait_until(lambda at=resumed: up.arrivals[-1] > at + 0.5, "pictures go on")  # type: ignore[misc]
        assert up.longest_gap_s(cut, up.arrivals[-1]) < MAX_GAP_S
        assert down.longest_gap_s(cut, down.arrivals[-1]) < MAX_GAP_S
        assert resumed - cut < 5.0
        await signalling_works(student, agent, f"resumed {number}")
    for bot in (student, agent):
        for name in ("participant_disconnected", "track_unpublished", "track_unsubscribed"):
            assert not bot.seen(name), name
    await agent.wait_for_sound("student", hz=440)
    await student.wait_for_sound("agent", hz=1000)


async def test_what_happened_meanwhile_is_told_after_resuming(join: Join, proxy: TcpProxy, mode: str) -> None:
    student, agent = await call(join, proxy, mode)
    cut = time.monotonic()
    proxy.block()
    proxy.cut()
    await student.wait_for_event("reconnecting", since=cut)
    await agent.publish_screen()
    agent.mute()
    await agent.local.set_metadata("changed meanwhile")
    specialist = await join("specialist", mode=mode)
    await specialist.publish_microphone(tone(1700, 0.5))
    proxy.unblock()
    await student.wait_for_event("reconnected", since=cut, timeout_s=20)
    await student.wait_for_video("agent", source=rtc.TrackSource.SOURCE_SCREENSHARE)
    await student.wait_for_sound("specialist", hz=1700)
    await wait_until(
        lambda: student.room.remote_participants["agent"].metadata == "changed meanwhile", "the metadata"
    )
    publications = student.room.remote_participants["agent"].track_publications.values()
    await wait_until(
        lambda: [item.muted for item in publications if item.name == "microphone"] == [True], "the mute"
    )


async def test_data_sent_while_signalling_is_down_arrives(join: Join, proxy: TcpProxy, mode: str) -> None:
    student, agent = await call(join, proxy, mode)
    cut = time.monotonic()
    proxy.cut()
    for number in range(10):
        await agent.local.publish_data(f"{number}".encode(), topic="t")
    await student.wait_for_event("reconnected", since=cut)
    await wait_until(lambda: len(student.seen("data_received")) >= 10, "ten packets")
    received = [event.arguments[0].data for event in student.seen("data_received")]
    assert received == [f"{number}".encode() for number in range(10)]


async def test_a_resume_asked_for_by_the_client(join: Join, proxy: TcpProxy, mode: str) -> None:
    student, agent = await call(join, proxy, mode)
    begun = time.monotonic()
    await student.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT)
    await student.wait_for_event("reconnected", since=begun)
    await signalling_works(student, agent, "resumed")
    assert not agent.seen("participant_disconnected")


async def test_a_full_reconnect_publishes_everything_again(join: Join, proxy: TcpProxy, mode: str) -> None:
    student, agent = await call(join, proxy, mode)
    begun = time.monotonic()
    await student.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT)
    await student.wait_for_event("reconnected", since=begun, timeout_s=20)

    def heard_and_seen_again() -> bool:
        sound, picture = agent.audio_of("student"), agent.video_of("student")
        back = student.video_of("agent")
        return bool(
            sound
            and picture
            and back
            and sound.subscribed_at > begun
            and picture.subscribed_at > begun
            and sound.tone(440) > 0.02
            and picture.stamped > 5
            and time.monotonic() - back.arrivals[-1] < 1
        )

    await wait_until(
        heard_and_seen_again,
        "both directions after the full reconnect",
        20,
        detail=lambda: [event.name for event in agent.events if event.at > begun],
    )
    tracks = agent.room.remote_participants["student"].track_publications.values()
    assert sorted(track.name for track in tracks) == ["camera", "microphone"]
    await signalling_works(student, agent, "rejoined")


async def test_a_client_that_comes_back_late_joins_anew(join: Join, proxy: TcpProxy) -> None:
    """Resuming keeps failing; the client then rebuilds its connection and is in the call again."""
    student, agent = await call(join, proxy, "single")
    cut = time.monotonic()
    proxy.block()
    proxy.cut()
    await student.wait_for_event("reconnecting", since=cut)
    attempts = proxy.refused
    await wait_until(lambda: proxy.refused >= attempts + 2, "two refused attempts", 30)
    proxy.unblock()
    await student.wait_for_event("reconnected", since=cut, timeout_s=30)
    await asyncio.gather(
        agent.wait_for_sound("student", hz=440, timeout_s=20),
        student.wait_for_sound("agent", hz=1000, timeout_s=20),
    )
    await signalling_works(student, agent, "back")


async def test_a_participant_that_vanishes_is_removed(join: Join, server_quick: str, room: str) -> None:
    """Without signalling and media for the configured time, a participant is gone for the others."""
    from loadtest.server import access_token

    host, _, port = server_quick.removeprefix("ws://").partition(":")
    async with TcpProxy(host, int(port)) as relay:
        agent = await join("agent", url=server_quick)
        student = Bot(f"ws://127.0.0.1:{relay.port}", access_token(room, "student"))
        await student.connect()
        await agent.wait_for_participant("student")
        relay.block()
        relay.cut()
        await wait_until(lambda: "student" not in agent.room.remote_participants, "the student is gone", 20)
        await student.close()
