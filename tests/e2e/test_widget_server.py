"""The help button on a server that is changed for good, or killed: each test has one of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from loadtest.desk_client import DeskClient, Json, Media
from loadtest.server import ServerProcess
from tests.e2e.desk import SLOW_MS
from tests.e2e.hostile import HOSTILE, STRANGERS
from tests.e2e.students import (
    PHONE,
    Agent,
    Student,
    agent,
    ask,
    hang_up,
    hears,
    help_path,
    http,
    sees,
    shown,
    student,
)

__all__ = ["agent", "http", "student"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BACK_MS = 60_000
"""For a server that starts while others work."""


ENVIRONMENT = {"RAISEHAND_DRAIN_TIMEOUT": "1", "RAISEHAND_API__FILES_PER_CALL": "200"}


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """What administrators change stays changed."""
    async with ServerProcess(tmp_path, environment=ENVIRONMENT) as process:
        yield process


def topic(name: str, choice: str, words: str, advice: str = "") -> Json:
    """A topic as administrators write it, the same in both languages."""
    both = {"zh-CN": words, "en": words}
    advised = {"zh-CN": advice, "en": advice}
    return {"id": name, "choice": choice, "name": both, "advice": advised, "queue": "technical"}


async def ids(page: Page) -> list[str]:
    """The topics of the second list."""
    found: list[str] = await page.locator(".topics.small .topic").evaluate_all(
        "(all) => all.map((each) => each.dataset.topic)"
    )
    return found


async def test_a_new_topic_is_offered_and_asked_about(
    student: Student, agent: Agent, server: ServerProcess, http: aiohttp.ClientSession
) -> None:
    admin = await DeskClient.login(server.http_url, "admin", http)
    before = await admin.get("/topics")
    page = await student("/class/?student=student-3&lang=en", phone=False)
    launcher = page.locator("raisehand-help .launcher")
    await launcher.click()
    await page.locator("[data-topic=other]").click()
    listed = [each["id"] for each in before["items"] if each["choice"] == "other"]
    assert [*await ids(page), "general"] == listed  # our own words for the server's own list
    await page.locator("[data-action=minimise]").click()

    changed = [
        topic("no_sound", "no_sound", "Nothing can be heard"),
        topic("headset", "no_sound", "My headset is silent", "Pull the plug and put it in again."),
        topic("black", "no_picture", "The board is black"),
        topic("exam", "other", "The exam page"),
    ]
    await admin.put("/topics", {"version": before["version"], "items": changed})
    await launcher.click()
    # A single topic gives the big choice its name, and is asked about at once.
    await expect(page.locator("[data-topic=no_picture]")).to_have_text("The board is black")
    await page.locator("[data-topic=other]").click()
    assert await ids(page) == ["exam"]
    await page.locator("[data-action=back-to-start]").click()
    await page.locator("[data-topic=no_sound]").click()
    await expect(shown(page, "no_sound")).to_be_visible()
    assert await ids(page) == ["no_sound", "headset"]
    await page.locator("[data-topic=headset]").click()
    await expect(page.locator("[data-card=advice]")).to_contain_text(
        "Pull the plug and put it in again.", timeout=SLOW_MS
    )
    await expect(page.locator("[data-choice=question-elsewhere]")).to_be_visible()  # as for any silence
    joined = await agent.take()
    assert (joined.call["topic"], joined.call["severity"]) == ("headset", "class_stopping")


async def test_help_is_there_while_the_list_is_not(student: Student, agent: Agent) -> None:
    page = await student("/help/", expected=("Failed to load resource",))
    await page.route("**/v1/topics", lambda route: route.fulfill(status=503, body="{}"))
    path = help_path()
    await page.goto(page.url.removesuffix("/help/") + path)
    await page.reload()
    await page.locator("[data-topic=other]").click()
    await page.locator("[data-topic=stutter]").click()
    await expect(shown(page, "waiting")).to_be_visible(timeout=SLOW_MS)
    joined = await agent.take()
    assert joined.call["topic"] == "stutter"


async def test_the_call_goes_on_after_the_server_was_killed(
    student: Student, agent: Agent, server: ServerProcess
) -> None:
    page = await student(help_path(), expected=("ERR_", "WebSocket", "Failed to load resource"))
    ticket = await ask(page)
    joined = await agent.take()
    await asyncio.gather(sees(page, "chen"), hears(page))

    await agent.person.close()
    os.kill(server.pid, signal.SIGKILL)
    await server.stop()
    await expect(page.locator("[data-banner=reconnecting]")).to_be_visible(timeout=SLOW_MS)
    await server.start()
    media = (await agent.person.client.post(f"/calls/{joined.call['id']}/media"))["media"]
    await agent.person.join(Media(media["url"], media["token"]))
    await agent.person.appear()

    await expect(page.locator("[data-banner=reconnecting]")).to_have_count(0, timeout=BACK_MS)
    await asyncio.gather(sees(page, "chen", timeout_ms=BACK_MS), hears(page, timeout_ms=BACK_MS))
    await agent.person.bot.wait_for_sound(joined.student["id"], timeout_s=BACK_MS / 1000)
    await hang_up(page)
    assert await page.locator(".ticket-number").inner_text() == ticket


async def test_hostile_words_run_nothing(
    student: Student, agent: Agent, server: ServerProcess, http: aiohttp.ClientSession
) -> None:
    assert len(HOSTILE) == 200
    clean = [text.replace("\u0000", "") for text in HOSTILE]
    admin = await DeskClient.login(server.http_url, "admin", http)
    chen = {"name": clean[1], "queues": ["technical"], "languages": ["zh", "en"]}
    await admin.put("/agents/chen", chen)
    topics = [topic("t0", "no_picture", clean[0])]
    topics += [topic(f"t{n}", "other", clean[n], clean[100 + n]) for n in range(1, 100)]
    await admin.put("/topics", {"version": (await admin.get("/topics"))["version"], "items": topics})

    page = await student(help_path())
    # A list that is open stays as it was at the tap: tap when the server's has come.
    await expect(page.locator("[data-topic=no_picture]")).to_contain_text(clean[0], timeout=SLOW_MS)
    await page.locator("[data-topic=other]").click()
    assert await page.locator(".topics.small .topic").all_text_contents() == clean[1:100]
    await nothing_ran(page)
    await page.locator("[data-topic=t41]").click()
    await expect(page.locator("[data-card=advice]")).to_contain_text(clean[141])
    await nothing_ran(page)
    call = (await agent.take()).call["id"]
    await expect(page.locator(".call-who")).to_contain_text(clean[1])
    await page.locator("[data-control=chat]").click()
    writer = agent.person.client
    names = []
    for text in clean:
        file = await attach(http, server, writer, call, text)
        names.append(file["name"])
        await writer.write(call, text, files=[file["id"]])
    await expect(page.locator(".bubble")).to_have_count(len(clean), timeout=BACK_MS)
    assert await page.locator(".bubble-text").all_text_contents() == clean
    assert await page.locator(".attachment").all_text_contents() == names
    await nothing_ran(page)


async def attach(
    http: aiohttp.ClientSession, server: ServerProcess, client: DeskClient, call: str, name: str
) -> Json:
    """Store a file of this name with a call."""
    headers = {"Authorization": f"Bearer {client.token}"}
    url = f"{server.http_url}/v1/calls/{call}/files"
    async with http.post(url, params={"name": name}, data=b"text", headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        stored: Json = await answer.json()
        return stored


async def nothing_ran(page: Page) -> None:
    """Every text is a text, and stays within the panel."""
    found = await page.evaluate(
        """(strangers) => {
            const panel = document.querySelector('#app').shadowRoot.querySelector('.panel');
            const boxes = panel.querySelectorAll('.body, .page, .chat-log, .topic, .card, .bubble');
            const isWide = (each) => each.scrollWidth > each.clientWidth + 1;
            return {
                ran: window.__ran ?? null,
                title: document.title,
                strangers: panel.querySelectorAll(strangers).length,
                wide: [panel, ...boxes].filter(isWide).map((each) => each.className),
                page: document.documentElement.scrollWidth,
            };
        }""",
        STRANGERS,
    )
    assert found.pop("title") != "ran"
    assert found == {"ran": None, "strangers": 0, "wide": [], "page": PHONE["width"]}
