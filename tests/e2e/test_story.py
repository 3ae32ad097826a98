"""One evening's call through the screens: a child on a phone, two agents, a parent by link, a supervisor.

What the screens do by hand here is what ``raisehand demo`` does over the API. Times are measured in the
browsers: from the press to the ringing, from the answer to sound and picture on both sides.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from loadtest.desk_client import DeskClient
from loadtest.server import ServerProcess
from loadtest.tokens import platform_token
from tests.e2e.conftest import ARTIFACTS
from tests.e2e.desk import SLOW_MS, Console, new_identity
from tests.e2e.students import PHONE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PROFILE = {"age": 12, "level": "vip", "locale": "zh-CN", "grade": "六年级", "class_id": "301"}
NOTE_INPUT = """() => {
    window.times = {};
    for (const name of ['click', 'keydown']) {
        document.addEventListener(name, () => { window.times['last ' + name] = Date.now(); }, true);
    }
}"""
WATCH = """() => {
    const note = (name, found) => { if (found && !(name in window.times)) window.times[name] = Date.now(); };
    const heard = async (element) => {
        const context = new AudioContext();
        const analyser = context.createAnalyser();
        context.createMediaStreamSource(element.srcObject).connect(analyser);
        const samples = new Float32Array(analyser.fftSize);
        while (!('heard' in window.times)) {
            analyser.getFloatTimeDomainData(samples);
            note('heard', samples.some((sample) => Math.abs(sample) > 0.01));
            await new Promise((resolve) => setTimeout(resolve, 10));
        }
        await context.close();
    };
    const shadows = (root) => [...root.querySelectorAll('*')].filter((each) => each.shadowRoot);
    const all = (root, selector) => [
        ...root.querySelectorAll(selector),
        ...shadows(root).flatMap((each) => all(each.shadowRoot, selector)),
    ];
    const listened = new WeakSet();
    const look = () => {
        note('rang', document.querySelector('[data-offer]'));
        note('seen', all(document, '[data-person] video, [data-stage] .rh-picture video').some(
            (video) => video.getVideoPlaybackQuality().totalVideoFrames > 1));
        for (const audio of all(document, 'audio')) {
            if (listened.has(audio) || !audio.srcObject?.getAudioTracks().length) continue;
            listened.add(audio);
            void heard(audio);
        }
        setTimeout(look, 10);
    };
    all(document, 'audio').forEach((audio) => listened.add(audio));  // waiting music
    look();
}"""
"""Notes when the page rings, plays a sound that it did not play before, shows a moving picture."""


class People:
    """The pages of everybody in the story, and what they complained about."""

    def __init__(self, browser: Browser, server: ServerProcess) -> None:
        self.browser = browser
        self.server = server
        self.pages: list[Page] = []
        self.consoles: list[Console] = []
        self.errors: list[str] = []

    async def page(self, path: str, *, phone: bool = False) -> Page:
        """A page in a profile of its own."""
        context = await self.browser.new_context(
            locale="zh-CN",
            permissions=["camera", "microphone", "notifications", "clipboard-read", "clipboard-write"],
            viewport=PHONE if phone else {"width": 1440, "height": 900},  # type: ignore[arg-type]
            has_touch=phone,
        )
        page = await context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.pages.append(page)
        await page.goto(self.server.http_url + path)
        return page

    async def console(self, username: str) -> Console:
        """Somebody who works here, signed in."""
        console = Console(await self.page("/console/"), username)
        self.consoles.append(console)
        await console.sign_in()
        return console

    async def agent(self, username: str) -> Console:
        """An agent who takes calls."""
        console = await self.console(username)
        await console.start()
        return console

    @property
    def complaints(self) -> list[str]:
        """Of all pages; those of students only what was thrown."""
        return self.errors + [each for console in self.consoles for each in console.complaints]


@pytest_asyncio.fixture(loop_scope="session")
async def people(
    browser: Browser, server: ServerProcess, empty_desk: None, request: pytest.FixtureRequest
) -> AsyncIterator[People]:
    everybody = People(browser, server)
    yield everybody
    if getattr(request.node, "failed_in_call", False):
        ARTIFACTS.mkdir(exist_ok=True)
        for number, page in enumerate(everybody.pages):
            await page.screenshot(path=ARTIFACTS / f"story-{number}.png")
    for page in everybody.pages:
        await page.context.close()


async def _times(page: Page) -> dict[str, float]:
    await page.wait_for_function("() => 'seen' in window.times && 'heard' in window.times", timeout=SLOW_MS)
    times: dict[str, float] = await page.evaluate("() => window.times")
    return times


async def test_an_evening_through_the_screens(people: People, server: ServerProcess) -> None:
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=12)
    identity = new_identity("story")
    token = platform_token(identity, name="小明", profile=PROFILE)
    he = await people.agent("he")
    await he.page.evaluate(NOTE_INPUT)
    await he.page.evaluate(WATCH)
    opening = urlencode({"token": token, "class": "301", "lesson_ends_at": ends.isoformat()})
    student = await people.page(f"/help/#{opening}", phone=True)
    await student.evaluate(NOTE_INPUT)

    # Pressed: a ticket, and the agent's console rings.
    await student.locator("[data-choice=kind] [data-value=video]").click()
    await student.locator("[data-topic=no_sound]").click()
    ticket = await student.locator(".ticket-number").first.inner_text(timeout=SLOW_MS)
    offer = he.page.locator("[data-offer]")
    await expect(offer).to_contain_text("小明", timeout=SLOW_MS)
    await expect(offer).to_contain_text("VIP")
    await expect(offer).to_contain_text("本节还剩 12 分钟")
    pressed = (await student.evaluate("() => window.times"))["last click"]
    rang = (await he.page.evaluate("() => window.times"))["rang"]

    # Answered: both hear and see each other.
    await student.evaluate(WATCH)
    await he.page.keyboard.press("Enter")
    theirs, ours = await asyncio.gather(_times(student), _times(he.page))
    answered = ours["last keydown"]
    print(f"press -> ring: {rang - pressed:.0f} ms")
    for name, times in (("student", theirs), ("agent", ours)):
        heard, seen = times["heard"] - answered, times["seen"] - answered
        print(f"answer -> {name} hears {heard:.0f} ms, sees {seen:.0f} ms")
    await expect(student.locator("[data-person=he]")).to_be_visible()

    # A parent comes by the link that the agent makes.
    await he.page.keyboard.press("i")
    dialog = he.page.get_by_role("dialog")
    await dialog.get_by_role("tab").last.click()
    await dialog.locator("input#name").fill("爸爸")
    await dialog.locator("button[type=submit]").click()
    link = await dialog.locator("[data-control=guest-link]").input_value(timeout=SLOW_MS)
    await he.page.keyboard.press("Escape")
    father = await people.page("/help/" + link.partition("/help/")[2], phone=True)
    await father.locator("[data-action=join]").click()
    await expect(father.locator("[data-person=he]")).to_be_visible(timeout=SLOW_MS)
    await expect(student.get_by_text("爸爸").first).to_be_visible(timeout=SLOW_MS)

    # Warm transfer: the second agent reads why before answering; the student does nothing.
    chen = await people.agent("chen")
    await he.page.keyboard.press("t")
    await he.page.locator("[data-agent=chen]").click()
    await he.control("transfer-note").fill("耳机换过了")
    await he.control("transfer-send").click()
    await expect(chen.page.locator("[data-offer]")).to_contain_text("耳机换过了", timeout=SLOW_MS)
    await chen.answer()
    await expect(he.page.locator("[data-transfer=consulting]")).to_be_visible(timeout=SLOW_MS)
    await he.control("transfer-complete").click()
    await expect(student.locator("[data-person=chen]")).to_be_visible(timeout=SLOW_MS)
    await expect(student.locator("[data-person=he]")).to_have_count(0, timeout=SLOW_MS)
    await chen.sees("camera")
    await he.sum_up("转给陈老师")

    # A supervisor listens and whispers unseen, then barges in.
    qian = (await people.console("qian")).page
    await expect(qian.locator(".rh-floor")).to_be_visible(timeout=SLOW_MS)
    await qian.locator("[data-call] [data-join=monitor]").click(timeout=SLOW_MS)
    panel = qian.locator("[data-panel-call]")
    await expect(panel.locator(f"[data-person={identity}]")).to_be_visible(timeout=SLOW_MS)
    await expect(student.locator("[data-person=qian]")).to_have_count(0)
    await panel.locator("[data-join=whisper]").click()
    await expect(chen.page.locator("[data-person=qian]")).to_be_visible(timeout=SLOW_MS)
    await expect(student.locator("[data-person=qian]")).to_have_count(0)
    await expect(panel.locator("[data-join=whisper]")).to_have_attribute("aria-pressed", "true")
    await expect(panel.locator("[data-join=barge]")).to_be_enabled()
    await panel.locator("[data-join=barge]").click()
    await expect(student.locator("[data-person=qian]")).to_be_visible(timeout=SLOW_MS)
    await panel.locator("[data-join=leave]").click()
    await expect(student.locator("[data-person=qian]")).to_have_count(0, timeout=SLOW_MS)

    # The end: a summary on one side, stars on the other.
    await chen.hang_up()
    await chen.sum_up("路由器重启后正常")
    await expect(student.locator("[data-page=rating]")).to_be_visible(timeout=SLOW_MS)
    await student.locator("[data-choice=resolved] [data-value=yes]").click()
    await student.locator("[data-stars='5']").click()
    await student.locator("[data-action=rate]").click()
    await expect(student.locator("[data-page=done]")).to_be_visible(timeout=SLOW_MS)
    await expect(student.locator(".ticket-number")).to_have_text(ticket)

    async with aiohttp.ClientSession() as http:
        found = (await DeskClient.service(server.http_url, http).calls(student=identity))[0]
    assert (found["state"], found["rating"]["stars"]) == ("closed", 5)
    assert not people.complaints
