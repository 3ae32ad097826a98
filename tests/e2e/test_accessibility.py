"""axe finds no serious fault on the pages of students and staff, in light and in dark."""

from __future__ import annotations

import itertools
from typing import Literal

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from loadtest.desk_client import DeskClient
from loadtest.server import ServerProcess
from loadtest.tokens import platform_token
from tests.e2e.conftest import ROOT
from tests.e2e.desk import SLOW_MS, console, talked_call
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
RUN = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    const serious = violations.filter((each) => ['serious', 'critical'].includes(each.impact));
    const places = (each) => each.nodes.slice(0, 4).map((node) => `${node.target} ${node.html}`).join(' | ');
    return serious.map((each) => `${each.id}: ${each.help}: ${places(each)}`);
}"""
SETTINGS = ("agents", "queues", "topics", "accounts", "keys", "audit")

_numbers = itertools.count(1)


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
IN_SCHEME = """(scheme) => {
    const root = document.documentElement;
    return matchMedia(`(prefers-color-scheme: ${scheme})`).matches
        && (root.dataset.theme ?? scheme) === scheme
        && document.getAnimations().every((each) => each.playState !== 'running'
            || each.effect?.getComputedTiming().iterations === Infinity);
}"""
"""What fades in has no contrast yet."""
COLOURS = """() => {
    const behind = [document.body, document.documentElement];
    return behind.map((each) => getComputedStyle(each).backgroundColor).join();
}"""


async def look(page: Page, name: str, faults: list[str]) -> None:
    """Note every serious or critical fault of the page as it is now, in light and in dark."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    colours = set()
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        await page.wait_for_function(IN_SCHEME, arg=scheme)
        colours.add(await page.evaluate(COLOURS))
        faults += [f"{name}, {scheme}: {each}" for each in await page.evaluate(RUN)]
    assert len(colours) == len(SCHEMES), f"{name} looks the same in light and in dark: {colours}"


async def test_the_students_pages(browser: Browser, server: ServerProcess) -> None:
    context = await browser.new_context(
        viewport={"width": 390, "height": 844},
        locale="zh-CN",
        permissions=["camera", "microphone"],
    )
    faults: list[str] = []
    page = await context.new_page()
    await page.goto(server.http_url)
    await page.get_by_role("button", name="加入").wait_for(timeout=SLOW_MS)
    await look(page, "playground", faults)
    await page.goto(f"{server.http_url}/class/?student=student-3")
    await page.locator("raisehand-help .launcher").wait_for(timeout=SLOW_MS)
    await look(page, "class", faults)

    profile = {"age": 30, "locale": "zh-CN"}
    token = platform_token(f"axe-{next(_numbers)}", name="小明", profile=profile)
    async with aiohttp.ClientSession() as http:
        agent = await DeskClient.login(server.http_url, "lin", http)
        await page.goto(f"{server.http_url}/help/#token={token}")
        await page.locator("[data-topic=no_sound]").wait_for(timeout=SLOW_MS)
        await look(page, "start", faults)
        await page.locator("[data-topic=no_sound]").click()
        await expect(page.locator(".ticket-number").first).to_be_visible(timeout=SLOW_MS)
        await look(page, "waiting", faults)
        await agent.set_state("available")
        async with agent.events() as stream:
            items = (await agent.get("/offers"))["items"]
            offer = (
                items[0] if items else (await stream.wait_for("offer.created", timeout_s=20)).data["offer"]
            )
        joined = await agent.accept(offer["id"])
        await expect(page.locator("[data-page=call]")).to_be_visible(timeout=SLOW_MS)
        await expect(page.locator("[data-card=consent]")).to_be_visible(timeout=SLOW_MS)
        await look(page, "call", faults)
        await page.locator("[data-control=chat]").click()
        await agent.write(joined.call["id"], "您好")
        await expect(page.get_by_role("log")).to_contain_text("您好")
        await look(page, "chat", faults)
        await agent.end(joined.call["id"])
        await expect(page.locator("[data-page=rating]")).to_be_visible(timeout=SLOW_MS)
        await look(page, "rating", faults)
        await agent.wrap_up(joined.call["id"], codes=["other"], resolved=True)
        await agent.set_state("offline")
    await context.close()
    assert not faults, "\n".join(faults)


@pytest.mark.usefixtures("empty_desk")
async def test_the_guests_and_the_guardians_pages(browser: Browser, server: ServerProcess) -> None:
    context = await browser.new_context(
        viewport={"width": 390, "height": 844},
        locale="zh-CN",
        permissions=["camera", "microphone"],
    )
    faults: list[str] = []
    page = await context.new_page()
    async with talked_call(server, student=f"axe-{next(_numbers)}", agent="chen") as call:
        guest = {"identity": "dad", "name": "爸爸", "adult": True}
        invited = await call.agent.client.drop_in(call.id, guest=guest)
        await page.goto(f"{server.http_url}/help/{invited.link.partition('/help/')[2]}")
        await page.locator("[data-page=guest-invited]").wait_for(timeout=SLOW_MS)
        await look(page, "invited", faults)
        await page.locator("[data-action=join]").click()
        await page.locator("[data-card=consent]").wait_for(timeout=SLOW_MS)
        await look(page, "guest", faults)
        await page.locator("[data-control=hang-up]").click()
        await look(page, "hanging up", faults)
        await page.locator("[data-action=hang-up-yes]").click()
        await page.locator("[data-page=guest-left]").wait_for(timeout=SLOW_MS)
        await look(page, "left", faults)

        body = {"participant": call.student.identity, "guardian": "妈妈"}
        answer = await call.student.client.post(f"/calls/{call.id}/consent/link", body)
        await page.goto("about:blank")
        await page.goto(f"{server.http_url}/help/{answer['link'].partition('/help/')[2]}")
        await page.locator("[data-page=guardian][data-decision=open]").wait_for(timeout=SLOW_MS)
        await look(page, "guardian", faults)
        await page.locator("[data-action=agree]").click()
        await page.locator("[data-page=guardian][data-decision=granted]").wait_for(timeout=SLOW_MS)
        await look(page, "agreed", faults)
    await context.close()
    assert not faults, "\n".join(faults)


@pytest.mark.usefixtures("empty_desk")
async def test_the_staffs_pages(browser: Browser, server: ServerProcess) -> None:
    context = await browser.new_context(locale="zh-CN")
    faults: list[str] = []
    page = await context.new_page()
    await page.goto(f"{server.http_url}/console/")
    await page.locator("#username").wait_for(timeout=SLOW_MS)
    await look(page, "sign in", faults)
    await context.close()

    async with console(browser, server, "zhou", path="/desk", language="zh-CN") as shown:
        await shown.page.locator("[data-readiness]").wait_for(timeout=SLOW_MS)
        await look(shown.page, "desk", faults)
        await shown.page.locator("[data-control=start]").click()
        async with aiohttp.ClientSession() as http:
            asker = DeskClient.student(
                server.http_url, f"axe-{next(_numbers)}", http, name="小红", level="vip", age=12
            )
            opened = await asker.ask(
                kind="chat", topic="course", severity="class_stopping", wanted_agent="zhou"
            )
            await expect(shown.page.locator("[data-offer]")).to_be_visible(timeout=SLOW_MS)
            await look(shown.page, "offer", faults)
            await shown.page.keyboard.press("Enter")
            await expect(shown.page.locator("[data-control=message]")).to_be_visible(timeout=SLOW_MS)
            await asker.write(opened.id, "老师您好")
            await expect(shown.page.get_by_role("log")).to_contain_text("老师您好")
            await look(shown.page, "call", faults)
            await asker.end(opened.id)
            await expect(shown.page.locator("[data-wrapup]")).to_be_visible(timeout=SLOW_MS)
            await look(shown.page, "summary", faults)

    async with (
        talked_call(server, student=f"axe-{next(_numbers)}", agent="sun") as call,
        console(browser, server, "qian", path="/supervisor", language="zh-CN") as shown,
    ):
        row = shown.page.locator(f"[data-call='{call.id}']")
        await row.locator("[data-join=monitor]").click(timeout=SLOW_MS)
        await expect(shown.page.locator("[data-panel-call] video")).to_be_visible(timeout=SLOW_MS)
        await look(shown.page, "floor", faults)
        await shown.page.locator("[data-panel-call] [data-join=leave]").click()

    async with console(browser, server, "admin", path="/admin", language="zh-CN") as shown:
        for part in SETTINGS:
            await shown.page.locator(f"a[href='#/admin/{part}']").click(timeout=SLOW_MS)
            await shown.page.locator(".rh-admin-page h1, .rh-admin-page h2").first.wait_for(timeout=SLOW_MS)
            await look(shown.page, f"settings, {part}", faults)
    assert not faults, "\n".join(faults)


async def test_the_agents_page_in_a_video_call(stage: Stage) -> None:
    faults: list[str] = []
    zhou = await stage.console("zhou")
    student = stage.student("小红", level="vip", age=12)
    await stage.call(student, wanted_agent="zhou")
    await zhou.answer()
    await student.appear()
    await student.show_screen()
    await zhou.sees("screen")
    await zhou.page.locator("[data-guide=pen]").click()
    await look(zhou.page, "call", faults)
    for tab in ("线路", "记录", "往来"):
        await zhou.page.get_by_role("tab", name=tab).click()
        await look(zhou.page, tab, faults)
    for key, what in (("t", "transfer"), ("i", "invite"), ("r", "hand"), ("?", "keys")):
        await zhou.page.locator(".rh-call-header").click()
        await zhou.page.keyboard.press(key)
        dialog = zhou.page.get_by_role("dialog")
        await expect(dialog).to_be_visible()
        await look(zhou.page, what, faults)
        await zhou.page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
    await zhou.page.keyboard.press("h")
    await expect(zhou.page.locator("[data-banner=held]")).to_be_visible()
    await look(zhou.page, "hold", faults)
    assert not faults, "\n".join(faults)
