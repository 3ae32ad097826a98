"""Calls between Chromium tabs with livekit-client, from a page of another origin."""

from __future__ import annotations

import asyncio
from itertools import permutations

import pytest
from playwright.async_api import Error as PageError

from loadtest.proxy import TcpProxy
from loadtest.server import ServerProcess, access_token
from tests.e2e.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MAX_GAP_MS = (
    1500  # of a 10 fps picture while tests keep the machine busy; rebuilding a connection takes longer
)

MODES = pytest.mark.parametrize("single", [True, False], ids=["single", "dual"])
ONE_MODE = pytest.mark.parametrize(
    "single", [pytest.param(True, id="single"), pytest.param(False, id="dual", marks=pytest.mark.long)]
)
"""For what does not depend on the number of connections: the other mode only in the long run."""


@MODES
async def test_two_tabs_with_camera_and_microphone(open_page: OpenPage, single: bool) -> None:
    student = await open_page("student", singlePeerConnection=single)
    agent = await open_page("agent", singlePeerConnection=single)
    for page in (student, agent):
        await page.run("() => call.microphone()")
        await page.run("() => call.camera()")
    for page, other in ((student, "agent"), (agent, "student")):
        picture = await page.wait_for_picture(other, more=30)
        assert (picture["width"], picture["height"]) == (640, 360)
        assert picture["lost"] == 0
        sound = await page.wait_for_sound(other)
        assert sound["lost"] == 0
        assert await page.run("who => call.loudness(who)", other) > 0.01


@ONE_MODE
async def test_screen_share(open_page: OpenPage, single: bool) -> None:
    student = await open_page("student", singlePeerConnection=single)
    agent = await open_page("agent", singlePeerConnection=single)
    await student.run("() => call.camera()")
    await student.run("() => call.screen()")
    await agent.wait_for_picture("student", "camera")
    await agent.wait_for_picture("student", "screen_share", more=3)
    before = await agent.event_count()
    await student.run("() => call.screen(false)")
    gone = await agent.wait_for_event("unpublished", after=before)
    assert gone["key"] == "student/screen_share"
    await agent.wait_for_picture("student", "camera")
    await student.run("() => call.screen()")
    await agent.wait_for_picture("student", "screen_share", more=3)


@pytest.mark.parametrize("codec", ["vp8", "h264", "vp9", "av1"])
async def test_every_codec(open_page: OpenPage, codec: str) -> None:
    student, agent = await open_page("student", codec=codec), await open_page("agent")
    await student.run("() => call.camera()")
    await agent.wait_for_picture("student", more=15, timeout_s=30)


@ONE_MODE
async def test_muting_and_unmuting(open_page: OpenPage, single: bool) -> None:
    student = await open_page("student", singlePeerConnection=single)
    agent = await open_page("agent", singlePeerConnection=single)
    await student.run("() => call.microphone()")
    await student.run("() => call.camera()")
    await agent.wait_for_sound("student")
    await agent.wait_for_picture("student")
    await student.run("() => call.microphone(false)")
    await student.run("() => call.camera(false)")
    muted = "async (what) => (await call.received('student', what)).muted"
    for source in ("microphone", "camera"):
        await agent.wait(muted, source)
    assert await agent.run("() => call.loudness('student', 'microphone', 1200)") < 0.01
    await student.run("() => call.microphone()")
    await student.run("() => call.camera()")
    await agent.wait_for_sound("student")
    await agent.wait_for_picture("student")


@ONE_MODE
async def test_simulcast_layers_are_switched_by_wish(open_page: OpenPage, single: bool) -> None:
    student = await open_page("student", simulcast=True, singlePeerConnection=single)
    agent = await open_page("agent", singlePeerConnection=single)
    await student.run("() => call.camera(true, { width: 1280, height: 720, frameRate: 15 })")
    await agent.wait_for_picture("student")
    width = """async (width) => {
        const now = await call.received('student', 'camera');
        return now.width === width || now;
    }"""
    for quality, expected in (("HIGH", 1280), ("LOW", 320), ("MEDIUM", 640), ("HIGH", 1280), ("LOW", 320)):
        await agent.run("name => call.quality('student', 'camera', name)", quality)
        await agent.wait(width, expected, timeout_s=40)
        await agent.wait_for_picture("student", more=5)
    assert (await agent.received("student", "camera"))["lost"] == 0


@MODES
async def test_a_cut_websocket_is_resumed(open_page: OpenPage, proxy: TcpProxy, single: bool) -> None:
    student = await open_page("student", url=f"ws://127.0.0.1:{proxy.port}", singlePeerConnection=single)
    agent = await open_page("agent", singlePeerConnection=single)
    for page in (student, agent):
        await page.run("() => call.microphone()")
        await page.run("() => call.camera()")
    before = {}
    for page, other in ((student, "agent"), (agent, "student")):
        before[other] = await page.wait_for_picture(other)
        await page.run("who => call.watchGaps(who, 'camera')", other)
    events = await student.event_count()
    assert proxy.cut() >= 1
    await student.wait_for_event("reconnected", after=events)
    for page, other in ((student, "agent"), (agent, "student")):
        after = await page.wait_for_picture(other)
        assert after["sid"] == before[other]["sid"]
        await page.wait_for_sound(other)
        assert await page.run("who => call.longestGap(who, 'camera')", other) < MAX_GAP_MS
    names = {event["name"] for event in await agent.run("() => call.events")}
    assert not names & {"left", "unpublished", "unsubscribed"}
    names = {event["name"] for event in (await student.run("() => call.events"))[events:]}
    assert "reconnecting" not in names  # livekit-client says so for a full reconnect, not for a resume
    await student.run("() => call.screen()")
    await agent.wait_for_picture("student", "screen_share", more=3)


@MODES
async def test_media_over_tcp_only(open_page: OpenPage, tcp_server: ServerProcess, single: bool) -> None:
    student = await open_page("student", url=tcp_server.url, singlePeerConnection=single)
    agent = await open_page("agent", url=tcp_server.url, singlePeerConnection=single)
    for page in (student, agent):
        await page.run("() => call.microphone()")
        await page.run("() => call.camera()")
    for page, other in ((student, "agent"), (agent, "student")):
        await page.wait_for_picture(other, more=30)
        await page.wait_for_sound(other)
        paths = await page.run("() => call.paths()")
        assert paths
        assert {(path["protocol"], path["port"]) for path in paths} == {("tcp", tcp_server.tcp_port)}


async def test_media_usually_goes_over_udp_with_gcm(open_page: OpenPage, server: ServerProcess) -> None:
    student, agent = await open_page("student"), await open_page("agent")
    await student.run("() => call.camera()")
    await agent.wait_for_picture("student")
    (path,) = await agent.run("() => call.paths()")
    assert (path["protocol"], path["port"]) == ("udp", server.udp_port)
    assert path["srtp"].endswith("AEAD_AES_128_GCM")


@ONE_MODE
async def test_a_late_joiner_sees_and_hears_all(open_page: OpenPage, single: bool) -> None:
    student = await open_page("student", singlePeerConnection=single)
    agent = await open_page("agent", singlePeerConnection=single)
    for page in (student, agent):
        await page.run("() => call.microphone()")
        await page.run("() => call.camera()")
    await student.run("() => call.screen()")
    await agent.wait_for_picture("student", "screen_share", more=3)
    late = await open_page("specialist", singlePeerConnection=single)
    for other in ("student", "agent"):
        await late.wait_for_picture(other)
        await late.wait_for_sound(other)
    await late.wait_for_picture("student", "screen_share", more=2)


@pytest.mark.timeout(180)
async def test_six_participants(open_page: OpenPage) -> None:
    identities = [f"p{number}" for number in range(6)]
    pages = {}
    for identity in identities:
        pages[identity] = await open_page(identity)
        await pages[identity].run("() => call.microphone()")
        await pages[identity].run("() => call.camera(true, { width: 320, height: 180, frameRate: 10 })")
    for page in pages.values():
        await page.wait("() => call.identities().length === 5 || call.identities()")
    await asyncio.gather(
        *(
            waiting
            for one, other in permutations(identities, 2)
            for waiting in (
                pages[one].wait_for_picture(other, more=3, timeout_s=60),
                pages[one].wait_for_sound(other, timeout_s=60),
            )
        )
    )
    await pages["p0"].run("() => call.leave()")
    for identity in identities[1:]:
        await pages[identity].wait("() => call.identities().length === 4 || call.identities()")
    await pages["p1"].wait_for_picture("p2", more=3)


@ONE_MODE
async def test_data_rpc_and_text(open_page: OpenPage, single: bool) -> None:
    student = await open_page("student", singlePeerConnection=single)
    agent = await open_page("agent", singlePeerConnection=single)
    for page, other in ((student, "agent"), (agent, "student")):
        await page.wait("who => call.identities().includes(who)", other)
    await agent.run("() => { call.rpcServe('greet'); call.textServe('chat'); }")
    await student.run("() => call.send('hello', 'greeting')")
    event = await agent.wait_for_event("data")
    assert (event["text"], event["from"], event["topic"]) == ("hello", "student", "greeting")
    assert await student.run("() => call.rpc('agent', 'greet', 'you')") == "agent heard you"
    await student.run("() => call.text('举手 '.repeat(20000), 'chat')")
    event = await agent.wait_for_event("text")
    assert event["text"] == "举手 " * 20000


async def test_leaving_by_closing_the_tab_is_noticed(open_page: OpenPage) -> None:
    student, agent = await open_page("student"), await open_page("agent")
    await agent.wait("() => call.identities().includes('student')")
    await student.page.close(run_before_unload=True)
    left = await agent.wait_for_event("left")
    assert left["identity"] == "student"


async def test_a_page_of_a_foreign_origin_is_turned_away(
    open_page: OpenPage, choosy_server: ServerProcess, room: str
) -> None:
    page = await open_page()
    with pytest.raises(PageError):
        await page.join(choosy_server.url, access_token(room, "student"))


async def test_a_bad_token_is_told_to_the_page(open_page: OpenPage, server: ServerProcess) -> None:
    page = await open_page()
    with pytest.raises(PageError, match=r"(?i)token|unauthori[sz]ed|401"):
        await page.join(server.url, "rubbish")
