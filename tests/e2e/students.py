"""Students' pages in a browser and the agent who helps them: fixtures, and what their tests do often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from loadtest.desk_client import DeskClient, Joinable
from loadtest.person import Person
from loadtest.server import ServerProcess
from loadtest.tokens import platform_token
from tests.e2e.conftest import ARTIFACTS, ROOT
from tests.e2e.desk import SLOW_MS, new_identity, release

USUAL_MS = 5_000
"""Playwright's own."""
PHONE = {"width": 390, "height": 844}


class Student(Protocol):
    """Opens a page of the student's in a browser context of its own, on a phone unless told otherwise."""

    async def __call__(
        self,
        path: str,
        *,
        base: str = "",
        phone: bool = True,
        script: str = "",
        locale: str = "en-GB",
        expected: tuple[str, ...] = (),
    ) -> Page:
        """`expected`: parts of console errors that belong to the test."""
        ...


class Agent:
    """A scripted agent at the server."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.calls: list[str] = []

    async def take(self) -> Joinable:
        """Wait for an offer, accept it, talk and be seen."""
        offer = await self.person.stream.wait_for(
            "offer.created", timeout_s=20, where=lambda event: event.call not in self.calls
        )
        joined = await self.person.client.accept(offer.data["offer"]["id"])
        self.calls.append(joined.call["id"])
        if joined.media is not None:
            await self.person.join(joined.media)
            await self.person.appear()
        return joined

    async def leave(self) -> None:
        """No longer there."""
        await self.person.client.set_state("offline")
        await self.person.close()


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture(loop_scope="session")
async def agent(server: ServerProcess, http: aiohttp.ClientSession) -> AsyncIterator[Agent]:
    """The only agent who is available."""
    await release(server, "chen")  # from whatever another file left
    client = await DeskClient.login(server.http_url, "chen", http)
    person = Person("agent", 440, client, await client.events().open())
    await client.set_state("available")
    found = Agent(person)
    yield found
    for call in found.calls:
        if (await client.call(call))["state"] not in ("closed", "wrapping"):
            await client.end(call)
        await client.wrap_up(call, resolved=True)
    await found.leave()


@pytest_asyncio.fixture(loop_scope="session")
async def student(
    browser: Browser, server: ServerProcess, request: pytest.FixtureRequest
) -> AsyncIterator[Student]:
    if not (ROOT / "web/dist/help/index.html").exists():
        pytest.fail("the web pages are not built: run `make web`")
    contexts: list[BrowserContext] = []
    errors: list[str] = []
    expect.set_options(timeout=SLOW_MS)

    async def open_one(
        path: str,
        *,
        base: str = "",
        phone: bool = True,
        script: str = "",
        locale: str = "en-GB",
        expected: tuple[str, ...] = (),
    ) -> Page:
        context = await browser.new_context(
            permissions=["camera", "microphone"],
            viewport=PHONE if phone else {"width": 1280, "height": 800},  # type: ignore[arg-type]
            has_touch=phone,
            is_mobile=phone,
            locale=locale,
        )
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                errors.append(message.text)
                if message.type == "error" and not any(each in message.text for each in expected)
                else None
            ),
        )
        if script:
            await page.add_init_script(script)
        await page.goto((base or server.http_url) + path)
        return page

    yield open_one
    if getattr(request.node, "failed_in_call", False):
        ARTIFACTS.mkdir(exist_ok=True)
        for number, context in enumerate(contexts):
            for page in context.pages:
                name = request.node.name.replace("/", "_")
                await page.screenshot(path=ARTIFACTS / f"{name}-{number}.png")
    for context in contexts:
        await context.close()
    expect.set_options(timeout=USUAL_MS)
    assert not errors


def help_path(**profile: Any) -> str:
    """The whole page for a student whom nobody has seen yet."""
    profile = {"age": 30, "locale": "en"} | profile
    return f"/help/#token={platform_token(new_identity('help'), name='小明', profile=profile)}"


def shown(page: Page, name: str) -> Locator:
    """One of the panel's pages."""
    return page.locator(f"[data-page={name}]")


async def ask(page: Page, topic: str = "no_sound", *, kind: str = "voice") -> str:
    """Press one of the big choices; returns the ticket's number."""
    if kind != "voice":
        await page.locator(f"[data-choice=kind] [data-value={kind}]").click()
    await page.locator(f"[data-topic={topic}]").click()
    await expect(page.locator(".ticket-number").first).to_be_visible(timeout=SLOW_MS)
    return await page.locator(".ticket-number").first.inner_text()


async def hang_up(page: Page) -> None:
    """End the call, as far as the rating."""
    await page.locator("[data-control=hang-up]").click()
    await page.locator("[data-action=hang-up-yes]").click()
    await expect(shown(page, "rating")).to_be_visible(timeout=SLOW_MS)


async def hears(page: Page, *, timeout_ms: float = SLOW_MS) -> None:
    """Wait until sound comes out of the panel."""
    await page.wait_for_function(
        """() => {
            const place = document.querySelector('raisehand-help') ?? document.querySelector('#app');
            window.ear ??= new AudioContext();
            return [...place.shadowRoot.querySelectorAll('audio')].some((element) => {
                if (element.muted || element.paused || !element.srcObject?.active) return false;
                if (element.ear?.stream !== element.srcObject) {
                    const analyser = window.ear.createAnalyser();
                    window.ear.createMediaStreamSource(element.srcObject).connect(analyser);
                    element.ear = { stream: element.srcObject, analyser };
                }
                const samples = new Float32Array(element.ear.analyser.fftSize);
                element.ear.analyser.getFloatTimeDomainData(samples);
                return samples.some((sample) => Math.abs(sample) > 0.01);
            });
        }""",
        timeout=timeout_ms,
    )


async def sees(page: Page, person: str, *, timeout_ms: float = SLOW_MS) -> None:
    """Wait until somebody's picture moves."""
    picture = page.locator(f"[data-person={person}] video")
    await expect(picture).to_be_visible(timeout=timeout_ms)
    await picture.evaluate(
        """(video, limit) => new Promise((resolve, reject) => {
            video.requestVideoFrameCallback(resolve);
            setTimeout(() => reject(new Error("no new picture")), limit);
        })""",
        timeout_ms,
    )
