"""A staff session belongs to the console's own pages: no other origin can use it, whatever it tries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page, expect

from loadtest.desk_client import DeskClient
from tests.e2e.desk import SLOW_MS
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TRY = """async ({ server, call, state }) => {
    const tried = async (request) => {
        try {
            const answer = await request();
            const { type, status } = answer;
            return type === 'opaque' ? type : `${status} ${(await answer.text()).slice(0, 80)}`;
        } catch {
            return 'refused';
        }
    };
    const credentials = 'include';
    const json = { 'Content-Type': 'application/json' };
    const events = (address) => new Promise((resolve) => {
        const socket = new WebSocket(address);
        socket.onmessage = ({ data }) => resolve(`told ${data}`);
        socket.onclose = () => resolve('refused');
        setTimeout(() => resolve('silent'), 5_000);
    });
    return {
        read: await tried(() => fetch(`${server}/v1/me`, { credentials })),
        change: await tried(() => fetch(`${server}/v1/agents/chen/state`, {
            method: 'PUT', credentials, headers: json, body: JSON.stringify({ state, reason: '' }),
        })),
        blind: await tried(() => fetch(`${server}/v1/calls/${call}/end`, {
            method: 'POST', credentials, mode: 'no-cors', body: '{}',
        })),
        events: await events(`${server.replace('http', 'ws')}/v1/events`),
    };
}"""
"""Reads, changes and listens with whatever session the browser has."""

FORM = """([action, name]) => {
    const frame = document.createElement('iframe');
    frame.name = name;
    const form = document.createElement('form');
    Object.assign(form, { action, method: 'post', target: name, enctype: 'text/plain' });
    const field = document.createElement('input');
    Object.assign(field, { name: '{"reason":"', value: '"}' });
    form.append(field);
    document.body.append(frame, form);
    const sent = new Promise((resolve) => frame.addEventListener('load', () => resolve(true)));
    form.submit();
    return sent;
}"""
"""Posts a form whose text is JSON, as no preflight precedes it."""


@pytest_asyncio.fixture(loop_scope="session")
async def stranger() -> AsyncIterator[int]:
    """Port of a page that has nothing to do with us; on our host, so that cookies go along."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>elsewhere</title>", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", page)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def own_page_may(page: Page, attempt: dict[str, Any]) -> None:
    """The control: what strangers are refused works for the console itself."""
    answers = await page.evaluate(TRY.replace("/end`", "/lower-hand`"), attempt)
    assert answers["read"].startswith("200"), answers
    assert answers["change"].startswith("200"), answers
    assert answers["events"].startswith("told"), answers


# From another site the cookie stays away, and the stream waits for somebody to say who he is.
@pytest.mark.parametrize(("host", "events"), [("127.0.0.1", "refused"), ("localhost", "silent")])
async def test_no_other_origin_uses_the_session(stage: Stage, stranger: int, host: str, events: str) -> None:
    chen = await stage.console("chen")
    opened = await stage.call(stage.student(age=20), kind="chat")
    await expect(chen.page.locator("[data-offer]")).to_be_visible(timeout=SLOW_MS)
    await chen.page.keyboard.press("Enter")
    await expect(chen.page.locator("[data-call-state=active]")).to_be_visible(timeout=SLOW_MS)
    server = stage.server.http_url
    attempt = {"server": server, "call": opened.id}
    await own_page_may(chen.page, attempt | {"state": "away"})

    page = await chen.page.context.new_page()  # in the very profile that is signed in
    await page.goto(f"http://{host}:{stranger}/")
    answers = await page.evaluate(TRY, attempt | {"state": "busy"})
    assert answers == {"read": "refused", "change": "refused", "blind": "opaque", "events": events}
    for number, path in enumerate((f"/v1/calls/{opened.id}/end", "/v1/logout")):
        assert await page.evaluate(FORM, [server + path, f"form-{number}"])
    await page.evaluate(
        """(address) => new Promise((resolve) => {
            const frame = document.createElement('iframe');
            frame.addEventListener('load', resolve);
            frame.src = address;
            document.body.append(frame);
        })""",
        f"{server}/console/",
    )
    framed = [frame for frame in page.frames if "/console/" in frame.url]
    assert not [frame for frame in framed if await frame.locator("#app").count()]
    await page.close()

    # Nothing was ended, changed or signed out.
    async with aiohttp.ClientSession() as http:
        service = DeskClient.service(server, http)
        assert (await service.call(opened.id))["state"] == "active"
        agent = next(each for each in await service.agents() if each["id"] == "chen")
        assert agent["state"] == "away"  # as its own page has set it
    await chen.page.reload()
    await expect(chen.page.locator("[data-call-state=active]")).to_be_visible(timeout=SLOW_MS)
