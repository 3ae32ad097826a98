"""Calls at the desk for browser tests: students and agents by script, staff in a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from playwright.async_api import Browser, BrowserContext, Page, expect

from loadtest.desk_client import SAMPLE_PASSWORD, DeskClient, Json
from loadtest.person import Person
from loadtest.server import ServerProcess

SLOW_MS = 20_000
"""For whatever needs a camera, a connection or a key frame first."""


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
            offer = await _offer(helper)
            taken = await helper.accept(offer["id"])
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


async def _offer(helper: DeskClient) -> Json:
    async with asyncio.timeout(10):
        while True:
            items: list[Json] = (await helper.get("/offers"))["items"]
            if items:
                return items[0]
            await asyncio.sleep(0.05)


class Console:
    """The console in a browser context of its own, with somebody signed in."""

    def __init__(self, page: Page, context: BrowserContext) -> None:
        self.page, self.context = page, context
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)


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
    """Sign in through the page; at the end there was no error in its console."""
    context = await browser.new_context(
        permissions=["camera", "microphone", "clipboard-read", "clipboard-write"],
        viewport={"width": width, "height": 900},
        locale=language,
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    try:
        shown = Console(await context.new_page(), context)
        await shown.page.goto(f"{server.http_url}/console/#{path}")
        fields = shown.page.locator("form input")
        await fields.nth(0).fill(username)
        await fields.nth(1).fill(SAMPLE_PASSWORD)
        await shown.page.keyboard.press("Enter")
        await expect(shown.page.locator("nav.rh-rail")).to_be_visible(timeout=SLOW_MS)
        shown.errors.clear()  # asking who is signed in answers 401 before
        yield shown
        assert shown.errors == [], shown.errors
    finally:
        await context.close()


async def release(server: ServerProcess, username: str) -> None:
    """End and wrap up whatever an agent is in, so that the next test finds him free."""
    async with aiohttp.ClientSession() as http:
        client = await DeskClient.login(server.http_url, username, http)
        for engagement in (await client.get(f"/agents/{username}"))["engagements"]:
            if engagement["state"] != "wrapping":
                await client.end(engagement["call"])
            await client.wrap_up(engagement["call"], codes=["other"], resolved=True)
        await client.set_state("offline")
