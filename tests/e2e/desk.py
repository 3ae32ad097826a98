"""Calls at the desk for browser tests: students and agents by script, staff in a browser."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from loadtest.desk_client import SAMPLE_PASSWORD, DeskClient
from loadtest.person import Person
from loadtest.server import ServerProcess

SLOW_MS = 20_000
"""For whatever needs a camera, a connection or a key frame first."""

_OPEN_STATES = ("queued", "offered", "connecting", "active", "held")

_numbers = itertools.count(1)


def new_identity(stem: str) -> str:
    """A student whom the server has never met, however often the test runs."""
    return f"{stem}-{next(_numbers)}"


async def clear_desk(server: ServerProcess) -> None:
    """Send everybody home and end every call: whatever another test, or a failed attempt, has left."""
    async with aiohttp.ClientSession() as http:
        service = DeskClient.service(server.http_url, http)
        for agent in await service.agents():
            if agent["state"] != "offline":
                await service.set_state("offline", agent=agent["id"])
        for state in _OPEN_STATES:
            for call in await service.calls(state=state):
                await service.end(call["id"])
        for agent in await service.agents():
            if agent["engagements"]:
                await release(server, agent["id"])


async def release(server: ServerProcess, username: str) -> None:
    """End and wrap up whatever an agent is in, so that the next test finds him free."""
    async with aiohttp.ClientSession() as http:
        client = await DeskClient.login(server.http_url, username, http)
        for engagement in (await client.get(f"/agents/{username}"))["engagements"]:
            if engagement["state"] != "wrapping":
                await client.end(engagement["call"])
            await client.wrap_up(engagement["call"], codes=["other"], resolved=True)
        await client.set_state("offline")


@dataclass
class TalkedCall:
    """A call that a student and an agent talk in, both by script."""

    id: str
    student: Person
    agent: Person


@asynccontextmanager
async def talked_call(
    server: ServerProcess, *, student: str, agent: str, name: str = "小明", screen: bool = False
) -> AsyncIterator[TalkedCall]:
    """A student asks, an agent takes the call, both talk."""
    async with aiohttp.ClientSession() as http:
        asker = DeskClient.student(server.http_url, student, http, name=name, level="vip", age=12)
        helper = await DeskClient.login(server.http_url, agent, http)
        people = Person("student", 440.0, asker), Person("agent", 880.0, helper)
        await helper.set_state("available")
        opened = await asker.ask(
            kind="video", topic="no_sound", severity="class_stopping", wanted_agent=agent
        )
        try:
            taken = await helper.accept(await offered(helper))
            media = opened.media
            assert media is not None
            await asyncio.gather(people[0].join(media), people[1].join(taken.joinable))
            await asyncio.gather(people[0].talk(), people[1].talk())
            await (people[0].show_screen() if screen else people[0].show_camera())
            yield TalkedCall(opened.call["id"], *people)
        finally:
            await asyncio.gather(*(person.close() for person in people), return_exceptions=True)
            if (await asker.call(opened.call["id"]))["state"] not in ("wrapping", "closed"):
                await asker.end(opened.call["id"])
            await release(server, agent)


async def offered(helper: DeskClient) -> str:
    """Wait for an offer to ring at an agent; its id."""
    async with asyncio.timeout(SLOW_MS / 1000):
        while True:
            items = (await helper.get("/offers"))["items"]
            if items:
                return str(items[0]["id"])
            await asyncio.sleep(0.05)


class Console:
    """The console with somebody signed in, and whatever the browser complained about."""

    def __init__(self, page: Page, username: str) -> None:
        self.page, self.username = page, username
        self.expected: tuple[str, ...] = ()
        """Parts of complaints that belong to the test."""
        self.complaints: list[str] = []
        page.on("console", self._complain)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _complain(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(each in message.text for each in self.expected):
            self.complaints.append(f"{message.type}: {message.text}")

    def control(self, name: str) -> Locator:
        """A button or field by its name for tests."""
        return self.page.locator(f"[data-control={name}]")

    async def sign_in(self) -> None:
        await self.page.locator("#username").fill(self.username)
        await self.page.locator("#password").fill(SAMPLE_PASSWORD)
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator("nav.rh-rail")).to_be_visible(timeout=SLOW_MS)

    async def start(self) -> None:
        """Take calls from now on."""
        await self.control("start").click()
        await expect(self.page.locator("[data-state=available]")).to_be_visible()

    async def answer(self) -> None:
        """Wait for the ring, and press Enter."""
        await expect(self.page.locator("[data-offer]")).to_be_visible(timeout=SLOW_MS)
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator("[data-room=in]")).to_be_visible(timeout=SLOW_MS)

    async def sees(self, source: str = "screen") -> None:
        """Wait until the student's picture moves on the stage."""
        await self.page.wait_for_function(
            """(source) => {
                const video = document.querySelector(`[data-stage=${source}] .rh-picture video`);
                const frames = video?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
                return video?.videoWidth > 0 && frames > 2;
            }""",
            arg=source,
            timeout=SLOW_MS,
        )

    async def hears(self) -> None:
        """Wait until some energy is in what the page plays."""
        # The loop is in the page: wait_for_function takes an unfulfilled promise for true.
        heard = await self.page.evaluate(
            """async (limit) => {
                const end = performance.now() + limit;
                const context = new AudioContext();
                const analysers = new Map();
                const samples = new Float32Array(2048);
                while (performance.now() < end) {
                    for (const element of document.querySelectorAll(".rh-sounds audio")) {
                        if (element.paused || !element.srcObject?.getAudioTracks().length) continue;
                        if (!analysers.has(element.srcObject)) {
                            const analyser = context.createAnalyser();
                            context.createMediaStreamSource(element.srcObject).connect(analyser);
                            analysers.set(element.srcObject, analyser);
                        }
                        analysers.get(element.srcObject).getFloatTimeDomainData(samples);
                        if (samples.some((sample) => Math.abs(sample) > 0.01)) {
                            await context.close();
                            return true;
                        }
                    }
                    await new Promise((resolve) => setTimeout(resolve, 50));
                }
                await context.close();
                return false;
            }""",
            SLOW_MS,
        )
        assert heard, f"{self.username} hears nothing"

    async def hang_up(self) -> None:
        await self.page.keyboard.press("e")
        await self.control("end-confirm").click()

    async def sum_up(self, notes: str = "") -> None:
        """Fill in the summary and send it."""
        await self.page.locator("label:has([data-control=resolved-yes])").click(timeout=SLOW_MS)
        await self.page.locator("#codes").press("Enter")  # opens
        await self.page.locator("#codes").press("Enter")  # takes the first
        await self.page.keyboard.press("Escape")
        if notes:
            await self.control("wrapup-notes").fill(notes)
        await self.control("wrapup-send").click()
        await expect(self.page.locator("[data-wrapup]")).to_have_count(0, timeout=SLOW_MS)


@asynccontextmanager
async def console(
    browser: Browser,
    server: ServerProcess,
    username: str,
    *,
    path: str = "",
    language: str = "en",
    scheme: str = "light",
    width: int = 1440,
) -> AsyncIterator[Console]:
    """Sign in through the page; at the end its browser has complained about nothing."""
    context = await browser.new_context(
        permissions=["camera", "microphone", "notifications", "clipboard-read", "clipboard-write"],
        viewport={"width": width, "height": 900},
        locale=language,
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    try:
        shown = Console(await context.new_page(), username)
        await shown.page.goto(f"{server.http_url}/console/#{path}")
        await shown.sign_in()
        yield shown
        assert not shown.complaints, f"{username}: " + "\n".join(shown.complaints)
    finally:
        await context.close()
