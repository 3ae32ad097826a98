"""The floor: what a supervisor sees, and getting into a call with one click."""

from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from loadtest.desk_client import DeskClient
from loadtest.server import ServerProcess
from loadtest.waiting import wait_until
from tests.e2e.conftest import ARTIFACTS
from tests.e2e.desk import SLOW_MS, TalkedCall, console, new_identity, talked_call

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("empty_desk"),
]


def identities(call: TalkedCall) -> set[str]:
    """Whom the student's client knows of."""
    return set(call.student.bot.room.remote_participants)


async def test_one_click_into_a_call(browser: Browser, server: ServerProcess) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    async with (
        aiohttp.ClientSession() as http,
        talked_call(server, student=new_identity("floor"), agent="chen") as call,
        console(browser, server, "qian", path="/supervisor") as shown,
    ):
        page = shown.page
        await expect(page.get_by_text("Nobody is waiting.")).to_be_visible(timeout=SLOW_MS)
        waiting = DeskClient.student(server.http_url, new_identity("floor"), http, name="小红")
        asked = await waiting.ask(kind="chat", topic="homework", severity="general")
        row = page.locator(f"[data-call='{call.id}']")
        await expect(row).to_contain_text("小明")
        await expect(row.locator("[data-quality]")).to_have_attribute(
            "data-quality", "excellent", timeout=SLOW_MS
        )
        await expect(page.locator(f"[data-waiting='{asked.call['id']}']")).to_contain_text(
            "小红", timeout=SLOW_MS
        )
        await expect(page.locator("[data-agent=chen]")).to_have_attribute("data-activity", "talking")

        await call.agent.client.post(f"/calls/{call.id}/raise-hand", {"note": "needs a refund"})
        await expect(page.locator(f"[data-hand='{call.id}'][role=alert]")).to_contain_text("needs a refund")
        await page.screenshot(path=ARTIFACTS / "floor.png")

        before = identities(call)
        await row.locator("[data-join=monitor]").click()
        panel = page.locator(f"[data-panel-call='{call.id}']")
        await expect(panel.locator("[data-person=chen]")).to_be_visible(timeout=SLOW_MS)
        await expect(panel.locator("video")).to_be_visible(timeout=SLOW_MS)
        await expect(panel.locator("[data-person=chen][data-speaking=true]")).to_be_visible(timeout=SLOW_MS)
        await expect(panel.locator("[data-person=me]")).to_contain_text("Microphone off")
        await page.screenshot(path=ARTIFACTS / "floor-monitor.png")
        assert identities(call) == before  # the student learns of nobody

        await panel.locator("[data-join=whisper]").click()
        await expect(panel.locator("[data-join=whisper]")).to_have_attribute("aria-pressed", "true")
        await expect(panel.locator("[data-person=me]")).to_contain_text("Microphone on")
        assert identities(call) == before
        await panel.locator("[data-join=barge]").click()
        await expect(panel.locator("[data-join=barge]")).to_have_attribute("aria-pressed", "true")
        await wait_until(lambda: "qian" in identities(call), "the student learns of the supervisor")
        await panel.locator("[data-join=leave]").click()
        await expect(panel.locator("[data-join=barge]")).to_have_attribute("aria-pressed", "false")

        await row.locator("[data-join=takeover]").click()
        await page.wait_for_url(f"**/console/#/desk/call/{call.id}")
        current = await call.student.client.call(call.id)
        assert current["state"] in ("connecting", "active")
