"""The console: the desk, the ring, the call, the summary; the floor; the settings."""

import asyncio
import itertools
from contextlib import AsyncExitStack

import aiohttp
from playwright.async_api import Page, ViewportSize, expect

from loadtest.desk_client import DeskClient
from scripts.screenshots.desk import SAID, agent_at_work, answered, sign_in, student_asks
from scripts.screenshots.drawings import LANGUAGES, SCREEN, Language
from scripts.screenshots.people import in_room
from scripts.screenshots.studio import SLOW_MS, Studio

WIDE = ViewportSize(width=1440, height=900)
SETTLE_S = 4.0
CURVES_S = 25.0
"""Until the curves of the line are curves."""

SETTINGS = ("agents", "queues", "topics", "accounts", "keys", "audit")

_numbers = itertools.count(1)


async def _draw(page: Page) -> None:
    """An arrow and a box on the student's screen."""
    box = await page.locator("[data-stage=screen] .rh-picture").bounding_box()
    assert box is not None

    height = box["width"] * SCREEN["height"] / SCREEN["width"]
    top = box["y"] + (box["height"] - height) / 2

    async def drag(*places: tuple[float, float]) -> None:
        points = [(box["x"] + x * box["width"], top + y * height) for x, y in places]
        await page.mouse.move(*points[0])
        await page.mouse.down()
        for point in points[1:]:
            await page.mouse.move(*point, steps=8)
        await page.mouse.up()

    await page.locator("[data-guide=box]").click()
    await drag((0.03, 0.545), (0.34, 0.62))
    await page.locator("[data-guide=arrow]").click()
    await drag((0.72, 0.8), (0.825, 0.62))


async def _call(studio: Studio, language: Language, *, dark: bool) -> None:
    suffix = f"{language.code}-dark" if dark else language.code
    page = await studio.page("agent", language, WIDE, dark=dark)
    if not dark:
        await page.goto(f"{studio.server.http_url}/console/")
        await page.locator("#username").wait_for(timeout=SLOW_MS)
        await studio.snap(page, f"console-sign-in-{suffix}")
    await sign_in(studio, page, "he")
    await page.locator("[data-control=start]").click(timeout=SLOW_MS)
    await expect(page.locator("[data-state=available]")).to_be_visible()
    await asyncio.sleep(1)
    await studio.snap(page, f"console-desk-{suffix}")
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        identity = f"pictured-{next(_numbers)}"
        student, opened = await stack.enter_async_context(student_asks(studio, language, http, identity))
        await expect(page.locator("[data-offer]")).to_be_visible(timeout=SLOW_MS)
        await asyncio.sleep(1)
        await studio.snap(page, f"console-offer-{suffix}")
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-room=in]")).to_be_visible(timeout=SLOW_MS)
        assert opened.media is not None
        drawings = studio.drawings
        await stack.enter_async_context(
            in_room(
                opened.media.url,
                opened.media.token,
                camera=drawings.student,
                screen=drawings.screens[language.code],
            )
        )
        await expect(page.locator("[data-stage=screen]")).to_be_visible(timeout=SLOW_MS)
        for author, text in SAID[language.code]:
            if author == "student":
                await student.write(opened.id, text)
            else:
                await page.locator("[data-control=message]").fill(text)
                await page.locator("[data-control=send]").click()
            await expect(page.get_by_role("log")).to_contain_text(text)
        await asyncio.sleep(SETTLE_S)
        await _draw(page)
        await asyncio.sleep(1)
        await studio.snap(page, f"console-call-{suffix}")
        await page.get_by_role("tab", name={"zh-CN": "线路", "en": "Line"}[language.code]).click()
        await asyncio.sleep(CURVES_S)
        await studio.snap(page, f"console-line-{suffix}")
    await expect(page.locator("[data-wrapup]")).to_be_visible(timeout=SLOW_MS)
    await asyncio.sleep(1)
    await studio.snap(page, f"console-summary-{suffix}")
    await page.context.close()
    async with agent_at_work(studio, "he"):
        pass  # wraps up what is left


async def _floor(studio: Studio, language: Language) -> None:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        agent = await stack.enter_async_context(agent_at_work(studio, "he"))
        identity = f"floored-{next(_numbers)}"
        _, opened = await stack.enter_async_context(student_asks(studio, language, http, identity))
        joined = await stack.enter_async_context(answered(studio, agent))
        assert opened.media is not None
        drawings = studio.drawings
        await stack.enter_async_context(
            in_room(
                opened.media.url,
                opened.media.token,
                camera=drawings.student,
                screen=drawings.screens[language.code],
            )
        )
        waiting = []
        for number, topic in enumerate(("homework", "refund", "no_picture")):
            other = DeskClient.student(
                studio.server.http_url, f"waits-{next(_numbers)}", http, name=_names(language)[number]
            )
            asked = await other.ask(kind="voice", topic=topic, severity="degraded")
            waiting.append((other, asked))
        note = {"zh-CN": "家长想申请退款", "en": "The parent asks for a refund"}[language.code]
        await agent.post(f"/calls/{joined.call['id']}/raise-hand", {"note": note})
        page = await studio.page("agent", language, WIDE)
        await sign_in(studio, page, "qian", "#/supervisor")
        await expect(page.locator("[data-call]").first).to_be_visible(timeout=SLOW_MS)
        await asyncio.sleep(SETTLE_S)
        await studio.snap(page, f"supervisor-{language.code}")
        await page.locator("[data-call] [data-join=monitor]").first.click()
        await expect(page.locator("[data-panel-call] video").first).to_be_visible(timeout=SLOW_MS)
        await asyncio.sleep(SETTLE_S)
        await studio.snap(page, f"supervisor-monitor-{language.code}")
        await page.context.close()
        for other, asked in waiting:
            await other.cancel(asked.id)


def _names(language: Language) -> tuple[str, ...]:
    return {"zh-CN": ("小红", "王妈妈", "小刚"), "en": ("Rose", "Mrs Wang", "Leo")}[language.code]


async def _settings(studio: Studio, language: Language) -> None:
    page = await studio.page("agent", language, WIDE)
    await sign_in(studio, page, "admin", "#/admin")
    for part in SETTINGS:
        await page.locator(f"a[href='#/admin/{part}']").click(timeout=SLOW_MS)
        await asyncio.sleep(1)
        await studio.snap(page, f"admin-{part}-{language.code}")
    await page.context.close()


async def take(studio: Studio) -> None:
    """console-STATE-LANG.png (and -dark in the first language), supervisor-…, admin-PART-…."""
    for language in LANGUAGES:
        await _call(studio, language, dark=False)
        await _floor(studio, language)
        await _settings(studio, language)
    await _call(studio, LANGUAGES[0], dark=True)
