"""Sound and pictures through the server, with the unmodified LiveKit Python SDK."""

from __future__ import annotations

import asyncio
import time

import pytest
from livekit import rtc

from loadtest.bot import CODECS, AudioWatch, Bot, source_number
from loadtest.proxy import TcpProxy
from loadtest.server import ServerProcess, access_token
from loadtest.sound import tone
from loadtest.waiting import wait_until
from tests.integration.sdk.conftest import Join

pytestmark = pytest.mark.slow

SCREEN = rtc.TrackSource.SOURCE_SCREENSHARE
TONES_HZ = {"student": 440.0, "agent": 1000.0, "specialist": 1700.0}
OTHER_TONE = 0.005  # amplitude under which a tone counts as absent; present ones are over 0.02


async def test_two_hear_each_other(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    for bot in (student, agent):
        await bot.publish_microphone(tone(TONES_HZ[bot.identity], 0.5))
    heard = await agent.wait_for_sound("student", hz=440)
    assert heard.tone(1000) < OTHER_TONE
    heard = await student.wait_for_sound("agent", hz=1000)
    assert heard.tone(440) < OTHER_TONE


@pytest.mark.parametrize(("one", "other"), [("single", "dual"), ("dual", "single")])
async def test_both_modes_meet_in_one_room(join: Join, one: str, other: str) -> None:
    student, agent = await join("student", mode=one), await join("agent", mode=other)
    await student.publish_microphone(tone(440, 0.5))
    await agent.publish_camera()
    await agent.wait_for_sound("student", hz=440)
    await student.wait_for_video("agent")


async def test_the_mode_asked_for_is_the_one_used(join: Join, proxy: TcpProxy, mode: str) -> None:
    await join("student", mode=mode, url=f"ws://127.0.0.1:{proxy.port}")
    paths = [line.split()[1].partition("?")[0] for line in proxy.request_lines]
    assert paths[-1] == ("/rtc/v1" if mode == "single" else "/rtc")


async def test_camera_and_screen_are_seen_by_the_other(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await asyncio.gather(student.publish_camera(), agent.publish_camera())
    camera = await agent.wait_for_video("student", frames=20)
    await student.publish_screen()
    screen = await agent.wait_for_video("student", frames=10, source=SCREEN)
    other = await student.wait_for_video("agent", frames=20)
    assert camera.last_source == source_number("student", "camera")
    assert screen.last_source == source_number("student", "screen")
    assert other.last_source == source_number("agent", "camera")
    # A client's estimate starts low: the first pictures may be smaller.
    await wait_until(lambda: camera.size == (640, 360), "full camera", 20, detail=lambda: camera.sizes)
    await wait_until(lambda: screen.size == (1280, 720), "full screen", 20, detail=lambda: screen.sizes)
    for watch in (camera, screen, other):
        assert watch.backward == 0
        assert watch.stamped >= 0.9 * watch.frames
        assert min(watch.latencies_ms) < 500


@pytest.mark.parametrize("codec", sorted(CODECS))
async def test_every_codec_passes(join: Join, mode: str, codec: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await student.publish_camera(codec=codec, width=480, height=270, fps=15)
    watch = await agent.wait_for_video("student", frames=20, timeout_s=20)
    assert watch.backward == 0
    inbound = await watch.inbound()
    assert inbound is not None
    assert inbound.mime_type.lower() == f"video/{codec}"
    assert watch.publication.mime_type.lower() == f"video/{codec}"


async def test_sound_with_and_without_red(join: Join, mode: str) -> None:
    """RED doubles what is sent, and is taken off for nobody who can use it (RFC 2198)."""
    plain, doubled = await join("plain", mode=mode), await join("doubled", mode=mode)
    agent = await join("agent", mode=mode)
    await plain.publish_microphone(tone(440, 0.5), red=False, dtx=False)
    await doubled.publish_microphone(tone(1000, 0.5), red=True, dtx=False)
    once = await agent.wait_for_sound("plain", hz=440)
    twice = await agent.wait_for_sound("doubled", hz=1000)
    rates = await agent.measure(1.5)
    assert rates[once.publication.sid].kbps * 1.6 < rates[twice.publication.sid].kbps


async def test_three_each_hear_the_other_two(join: Join, mode: str) -> None:
    bots = [await join(identity, mode=mode) for identity in TONES_HZ]
    for bot in bots:
        await bot.publish_microphone(tone(TONES_HZ[bot.identity], 0.5))
    for listener in bots:
        for speaker in bots:
            if speaker is not listener:
                heard = await listener.wait_for_sound(speaker.identity, hz=TONES_HZ[speaker.identity])
                assert heard.tone(TONES_HZ[listener.identity]) < OTHER_TONE


async def test_a_late_joiner_gets_everything_at_once(join: Join, mode: str) -> None:
    student = await join("student", mode=mode)
    await student.publish_microphone(tone(440, 0.5))
    await student.publish_camera()
    await student.publish_screen()
    agent = await join("agent", mode=mode)
    await agent.wait_for_video("student")
    await agent.wait_for_video("student", source=SCREEN)
    await agent.wait_for_sound("student", hz=440)
    publications = agent.room.remote_participants["student"].track_publications.values()
    assert sorted(publication.name for publication in publications) == ["camera", "microphone", "screen"]


async def test_unpublishing_is_seen_and_publishing_again_works(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    for _ in range(3):
        begun = time.monotonic()
        await student.publish_camera(width=320, height=180)
        sid = student.publishings["camera"].publication.sid
        await wait_until(
            lambda sid=sid: sid in agent.watches and agent.watches[sid].frames >= 5,  # type: ignore[misc,union-attr]
            "pictures of the new track",
            detail=lambda: [event.name for event in agent.events],
        )
        await student.unpublish("camera")
        await agent.wait_for_event("track_unpublished", since=begun)
        await agent.wait_for_event("track_unsubscribed", since=begun)
        assert not agent.room.remote_participants["student"].track_publications


async def test_a_listener_chooses_what_to_receive(join: Join, mode: str) -> None:
    student = await join("student", mode=mode)
    agent = await join("agent", mode=mode, auto_subscribe=False)
    await student.publish_microphone(tone(440, 0.5))
    await student.publish_camera()
    await wait_until(
        lambda: len(agent.room.remote_participants["student"].track_publications) == 2, "both are announced"
    )
    assert not agent.seen("track_subscribed")
    publications = {
        publication.name: publication
        for publication in agent.room.remote_participants["student"].track_publications.values()
    }
    publications["camera"].set_subscribed(True)
    await agent.wait_for_video("student")
    assert agent.audio_of("student") is None
    publications["microphone"].set_subscribed(True)
    await agent.wait_for_sound("student", hz=440)
    ended = time.monotonic()
    publications["camera"].set_subscribed(False)
    await agent.wait_for_event("track_unsubscribed", since=ended)
    publications["camera"].set_subscribed(True)
    await agent.wait_for_event("track_subscribed", since=ended)
    again = await agent.wait_for_video("student")
    assert again.subscribed_at > ended


async def test_muting_stops_sound_and_picture_and_unmuting_brings_them_back(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await student.publish_microphone(tone(440, 0.5))
    await student.publish_camera()
    await agent.wait_for_sound("student", hz=440)
    camera = await agent.wait_for_video("student")

    muted = time.monotonic()
    student.mute("microphone")
    student.mute("camera")
    await wait_until(lambda: len(agent.seen("track_muted", muted)) == 2, "both mutes are announced")
    await agent.wait_for_silence("student")
    await wait_until(lambda: time.monotonic() - camera.arrivals[-1] > 0.5, "the picture stops")

    unmuted = time.monotonic()
    student.unmute("microphone")
    student.unmute("camera")
    await wait_until(lambda: len(agent.seen("track_unmuted", unmuted)) == 2, "both unmutes are announced")
    await agent.wait_for_sound("student", hz=440)
    await wait_until(lambda: camera.arrivals[-1] > unmuted, "the picture comes back")


async def test_speakers_are_announced(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await student.publish_microphone(tone(440, 0.5))
    await agent.publish_microphone(tone(1000, 0.5))
    agent.mute()

    def speakers(bot: Bot) -> list[list[str]]:
        return [[who.identity for who in event.arguments[0]] for event in bot.seen("active_speakers_changed")]

    await wait_until(
        lambda: ["student"] in speakers(agent), "the student speaks", detail=lambda: speakers(agent)
    )
    quiet = time.monotonic()
    student.mute()
    await wait_until(
        lambda: [] in [event.arguments[0] for event in agent.seen("active_speakers_changed", quiet)],
        "nobody speaks",
        detail=lambda: speakers(agent),
    )


async def test_connection_quality_is_told(join: Join) -> None:
    student, agent = await join("student"), await join("agent")
    await student.publish_camera(width=320, height=180)
    await agent.wait_for_video("student")
    await agent.wait_for_event("connection_quality_changed", timeout_s=20)
    qualities = {event.arguments[1] for event in agent.seen("connection_quality_changed")}
    assert rtc.ConnectionQuality.QUALITY_LOST not in qualities


async def test_encrypted_media_passes_untouched(server: ServerProcess, room: str) -> None:
    def bot(identity: str, key: bytes) -> Bot:
        keys = rtc.KeyProviderOptions(shared_key=key)
        options = rtc.E2EEOptions(key_provider_options=keys)
        return Bot(server.url, access_token(room, identity), encryption=options)

    student, agent = bot("student", b"a shared secret"), bot("agent", b"a shared secret")
    stranger = bot("stranger", b"another secret")
    async with student, agent, stranger:
        await student.publish_microphone(tone(440, 0.5), red=False)
        await student.publish_camera(width=320, height=180)
        await agent.wait_for_sound("student", hz=440)
        await agent.wait_for_video("student")
        for watch in stranger.watches.values():
            if isinstance(watch, AudioWatch):
                assert watch.tone(440) < OTHER_TONE
            else:
                assert watch.stamped == 0


async def test_nothing_is_lost_on_the_way(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await student.publish_microphone(tone(440, 0.5), dtx=False)
    await student.publish_camera(fps=15)
    sound = await agent.wait_for_sound("student", hz=440)
    camera = await agent.wait_for_video("student")
    rates = await agent.measure(4.0)
    assert rates[sound.publication.sid].loss == 0.0
    assert rates[sound.publication.sid].concealed < 0.05
    assert rates[camera.publication.sid].loss == 0.0
    assert rates[camera.publication.sid].frames_per_second > 10
