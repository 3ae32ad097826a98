"""The help button where things get in its way: phone calls, full screens, holds, transfers, hostile words."""

from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import expect

from loadtest.desk_client import DeskClient
from loadtest.server import ServerProcess
from tests.e2e.desk import release
from tests.e2e.students import (
    Agent,
    Student,
    agent,
    ask,
    hang_up,
    hears,
    help_path,
    http,
    shown,
    student,
)

__all__ = ["agent", "http", "student"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE_RINGS = """
    // Keeps what was opened, and takes it away as a phone call does: nothing can be opened meanwhile.
    window.opened = [];
    window.ringing = false;
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        if (window.ringing) throw new DOMException("busy", "NotReadableError");
        const stream = await open(wanted);
        window.opened.push(...stream.getAudioTracks());
        return stream;
    };
    window.leave = (hidden) => {
        window.ringing = hidden;
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        Object.defineProperty(document, "visibilityState", {
            configurable: true,
            get: () => (hidden ? "hidden" : "visible"),
        });
        document.dispatchEvent(new Event("visibilitychange"));
    };
    window.take = (how) => {
        const track = window.opened.at(-1);
        if (how === "ended") track.stop();
        else {
            track.enabled = false;
            Object.defineProperty(track, "muted", { get: () => true });
        }
        window.taken = track;
        window.leave(true);
        track.dispatchEvent(new Event(how));
    };
"""


@pytest.mark.parametrize("how", ["mute", "ended"])
async def test_a_phone_call_takes_the_microphone_for_a_while(
    student: Student, agent: Agent, how: str
) -> None:
    page = await student(help_path(), script=PHONE_RINGS)
    await ask(page)
    joined = await agent.take()
    await agent.person.bot.wait_for_sound(joined.student["id"])
    await page.evaluate("(how) => window.take(how)", how)
    card = page.locator("[data-card=microphone-interrupted]")
    await expect(card).to_contain_text("Your microphone was interrupted")
    await agent.person.bot.wait_for_silence(joined.student["id"])
    await page.evaluate("() => window.leave(false)")
    await expect(card).to_have_count(0)
    await agent.person.bot.wait_for_sound(joined.student["id"])
    assert await page.evaluate("() => window.opened.at(-1) !== window.taken")
    await hang_up(page)


async def test_above_a_class_in_full_screen(student: Student, agent: Agent) -> None:
    page = await student("/class/?student=student-3&lang=en", phone=False)
    await page.locator("[data-action=enter]").click()
    await page.locator("[data-action=full-screen]").click()
    await page.wait_for_function("() => document.fullscreenElement !== null")
    await page.locator("raisehand-help .launcher").click()  # Playwright clicks only what lies on top
    await ask(page)
    await agent.take()
    await expect(page.locator("[data-person=chen]")).to_be_visible()

    await page.evaluate("() => document.exitFullscreen()")
    await page.wait_for_function("() => document.fullscreenElement === null")
    await page.locator("[data-action=minimise]").click()
    await page.locator("[data-action=full-screen]").click()
    await page.wait_for_function("() => document.fullscreenElement !== null")
    await page.locator("[data-view=small] [data-action=expand]").click()
    await hears(page)
    await page.locator("[data-control=microphone]").focus()
    await page.evaluate("() => document.exitFullscreen()")
    await page.wait_for_function("() => document.fullscreenElement === null")
    await page.wait_for_function(
        "() => document.querySelector('raisehand-help').parentNode === document.body"
    )
    await expect(page.locator("[data-control=microphone]")).to_be_focused()
    await hang_up(page)


async def test_holds_and_transfers_are_told_by_name(
    student: Student, agent: Agent, server: ServerProcess, http: aiohttp.ClientSession
) -> None:
    page = await student(help_path())
    await ask(page)
    call = (await agent.take()).call["id"]
    await expect(page.locator("[data-person=chen]")).to_be_visible()
    chen = agent.person.client
    await chen.hold(call)
    await expect(page.locator("[data-banner=held]")).to_contain_text("陈老师 is checking something for you.")
    microphone = page.locator("[data-control=microphone]")
    await expect(microphone).to_be_disabled()  # as the text says
    await chen.resume(call)
    await expect(microphone).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("[data-banner=held]")).to_have_count(0)

    await release(server, "lin")
    lin = await DeskClient.login(server.http_url, "lin", http)
    await lin.set_state("available")
    try:
        await chen.transfer(call, {"agent": "lin"}, kind="warm")
        await expect(page.locator("[data-banner=transfer]")).to_contain_text("We are asking 林老师 to join.")
        await chen.cancel_transfer(call)
        await expect(page.locator("[data-banner=transfer]")).to_have_count(0)
        await chen.transfer(call, {"agent": "lin"}, kind="cold")
        await expect(shown(page, "waiting")).to_be_visible()
        await expect(page.locator("[data-banner=transfer]")).to_contain_text("林老师")
        offers = (await lin.get("/offers"))["items"]
        await lin.accept(next(offer["id"] for offer in offers if offer["call"] == call))
        await expect(page.locator("[data-banner=taken]")).to_contain_text("林老师 goes on helping you.")
        await hang_up(page)
    finally:
        await release(server, "lin")
