"""The playground page as people use it: buttons and tiles, not scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from loadtest.proxy import TcpProxy
from loadtest.server import ServerProcess
from tests.e2e.conftest import ARTIFACTS, ROOT

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SLOW_MS = 20_000  # for whatever needs a camera, a connection or a key frame first
PHONE = {"width": 390, "height": 844}


class OpenPlayground(Protocol):
    """Opens the page in a browser context of its own and, unless told not to, joins the test's room."""

    async def __call__(
        self, identity: str, *, join: bool = True, base: str | None = None, phone: bool = False, **query: Any
    ) -> Page: ...


@pytest_asyncio.fixture(loop_scope="session")
async def playground(
    browser: Browser, server: ServerProcess, room: str, request: pytest.FixtureRequest
) -> AsyncIterator[OpenPlayground]:
    if not (ROOT / "web/dist/index.html").exists():
        pytest.fail("the web pages are not built: run `make web`")
    pages: list[Page] = []
    errors: list[str] = []

    async def open_one(
        identity: str, *, join: bool = True, base: str | None = None, phone: bool = False, **query: Any
    ) -> Page:
        context = await browser.new_context(
            permissions=["camera", "microphone"],
            viewport=PHONE if phone else {"width": 1280, "height": 800},  # type: ignore[arg-type]
            has_touch=phone,
            is_mobile=phone,
        )
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        pages.append(page)
        asked = {"debug": "1", "lang": "en", "room": room, "name": identity, "identity": identity} | query
        await page.goto(f"{base or server.http_url}/?{urlencode(asked)}")
        if join:
            await page.get_by_role("button", name="Join", exact=True).click()
            await expect(page.locator("[data-control=leave]")).to_be_visible(timeout=SLOW_MS)
        return page

    yield open_one
    if getattr(request.node, "failed_in_call", False):
        ARTIFACTS.mkdir(exist_ok=True)
        for number, page in enumerate(pages):
            await page.screenshot(path=ARTIFACTS / f"{request.node.name}-{number}.png")
    for page in pages:
        await page.context.close()
    assert not errors


def tile(page: Page, identity: str, source: str = "camera") -> Any:
    return page.locator(f'[data-tile="{source}:{identity}"]')


async def wait_for_picture(page: Page, identity: str, source: str = "camera", frames: int = 20) -> None:
    """Wait until a tile's video has decoded further frames and is not black."""
    condition = """([wanted, more]) => {
        const shown = window.__raisehand.videos().find((one) => one.tile === wanted);
        if (!shown || shown.brightness < 5) return false;
        window.__first ??= {};
        window.__first[wanted] ??= shown.frames;
        return shown.frames >= window.__first[wanted] + more;
    }"""
    await page.evaluate("() => { window.__first = {}; }")
    await page.wait_for_function(condition, arg=[f"{source}:{identity}", frames], timeout=SLOW_MS)


async def test_two_people_meet(playground: OpenPlayground) -> None:
    student, agent = await playground("student"), await playground("agent")
    for page, other in ((student, "agent"), (agent, "student")):
        await wait_for_picture(page, other)
        await expect(tile(page, other)).to_contain_text(other)
        # Both are announced as speaking: the fake microphones beep.
        await expect(tile(page, other).locator("[aria-label='Speaking']")).to_be_visible(timeout=SLOW_MS)


async def test_muting_is_shown_to_the_other(playground: OpenPlayground) -> None:
    student, agent = await playground("student"), await playground("agent")
    await wait_for_picture(agent, "student")
    await student.locator("[data-control=microphone]").click()
    await expect(tile(agent, "student").get_by_role("img", name="Microphone off")).to_be_visible()
    await student.locator("[data-control=camera]").click()
    await expect(tile(agent, "student").locator("video")).to_have_count(0)
    await student.locator("[data-control=camera]").click()
    await student.locator("[data-control=microphone]").click()
    await wait_for_picture(agent, "student")
    await expect(tile(agent, "student").get_by_role("img", name="Microphone off")).to_have_count(0)


async def test_sharing_the_screen(playground: OpenPlayground) -> None:
    student, agent = await playground("student"), await playground("agent")
    await student.locator("[data-control=screen]").click()
    await expect(tile(agent, "student", "screen")).to_be_visible(timeout=SLOW_MS)
    await wait_for_picture(agent, "student", "screen", frames=3)
    await wait_for_picture(agent, "student")
    await student.locator("[data-control=screen]").click()
    await expect(tile(agent, "student", "screen")).to_have_count(0)


async def test_chatting(playground: OpenPlayground) -> None:
    student, agent = await playground("student"), await playground("agent")
    await expect(tile(student, "agent")).to_be_visible()
    await student.locator("[data-control=chat]").click()
    field = student.get_by_placeholder("Message everyone")
    await field.fill("第三题我不会 <b>&</b>")
    await field.press("Enter")
    await expect(agent.locator("[data-control=chat] .badge")).to_have_text("1")
    await agent.locator("[data-control=chat]").click()
    await expect(agent.get_by_role("log")).to_contain_text("第三题我不会 <b>&</b>")
    await expect(agent.get_by_role("log")).to_contain_text("student")


async def test_statistics_and_layers(playground: OpenPlayground) -> None:
    student, agent = await playground("student"), await playground("agent", adaptive="0")
    await wait_for_picture(agent, "student")
    measured = """() => {
        const of = window.__raisehand.statistics().student;
        return of?.camera?.bitrateBps > 1000 && of.camera.framesPerSecond > 0 && of.audio?.bitrateBps > 1000
            && of.camera.lossRatio === 0 && of.camera.roundTripMs !== null && of.camera.codec !== null;
    }"""
    await agent.wait_for_function(measured, timeout=SLOW_MS)
    for choice, width in (("Low", 320), ("High", 1280), ("Medium", 640)):
        await tile(agent, "student").hover()
        await tile(agent, "student").get_by_role("button", name="Options for student").click()
        await agent.get_by_role("menuitemradio", name=choice, exact=True).click()
        reached = """width => window.__raisehand.videos()
            .some((one) => one.tile === 'camera:student' && one.width === width)"""
        await agent.wait_for_function(reached, arg=width, timeout=2 * SLOW_MS)
    assert student is not agent


async def test_a_broken_connection_is_shown_and_repaired(playground: OpenPlayground, proxy: TcpProxy) -> None:
    student = await playground("student", base=f"http://127.0.0.1:{proxy.port}")
    agent = await playground("agent")
    await wait_for_picture(student, "agent")
    proxy.block()
    assert proxy.cut() >= 1
    await expect(student.get_by_text("The connection dropped for a moment")).to_be_visible(timeout=SLOW_MS)
    await wait_for_picture(agent, "student")  # media goes on meanwhile
    proxy.unblock()
    await expect(student.get_by_text("Connection restored")).to_be_visible(timeout=SLOW_MS)
    await wait_for_picture(student, "agent")
    await wait_for_picture(agent, "student")


async def test_leaving_and_coming_back(playground: OpenPlayground) -> None:
    student, agent = await playground("student"), await playground("agent")
    await expect(tile(agent, "student")).to_be_visible(timeout=SLOW_MS)
    await student.locator("[data-control=leave]").click()
    await expect(student.get_by_text("You have left the call")).to_be_visible()
    await expect(tile(agent, "student")).to_have_count(0)
    await expect(agent.get_by_text("You are the only one here")).to_be_visible()
    await student.get_by_role("button", name="Join again").click()
    await wait_for_picture(agent, "student")
    await wait_for_picture(student, "agent")


async def test_a_second_window_takes_over(playground: OpenPlayground) -> None:
    first = await playground("student")
    second = await playground("student")
    await expect(first.get_by_text("You joined from somewhere else")).to_be_visible(timeout=SLOW_MS)
    await expect(second.locator("[data-control=leave]")).to_be_visible()


async def test_chinese(playground: OpenPlayground) -> None:
    page = await playground("student", join=False, lang="zh-CN")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await page.locator("form button[type=submit]").click()
    await expect(page.locator("[data-control=leave]")).to_be_visible(timeout=SLOW_MS)
    await expect(page.locator("[data-control=leave]")).to_contain_text("离开")


async def test_phones_see_everything_without_scrolling_sideways(playground: OpenPlayground) -> None:
    phone, agent = await playground("student", phone=True), await playground("agent")
    await wait_for_picture(phone, "agent")
    await wait_for_picture(agent, "student")
    width = await phone.evaluate("() => document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    await expect(phone.locator("[data-control=leave]")).to_be_in_viewport()
    await expect(phone.locator("[data-control=microphone]")).to_be_in_viewport()


async def test_a_name_is_needed(playground: OpenPlayground) -> None:
    page = await playground("", join=False)
    await page.get_by_role("button", name="Join", exact=True).click()
    await expect(page.get_by_role("alert").filter(has_text="Please enter a name")).to_be_visible()
