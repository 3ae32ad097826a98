"""The student's side: the button in a class, the whole page on a phone, links for guests and guardians."""

import asyncio
import itertools
from urllib.parse import urlencode

import aiohttp
from playwright.async_api import Page, expect

from loadtest.tokens import platform_token
from scripts.screenshots.desk import SAID, agent_at_work, answered, lesson_ends, profile, student_asks
from scripts.screenshots.drawings import LANGUAGES, Language
from scripts.screenshots.studio import DESKTOP, PHONE, SLOW_MS, Studio

SETTLE_S = 3.0
"""Until pictures are sharp and nothing slides any more."""

GUEST = {"zh-CN": "小明爸爸", "en": "Ming's father"}

_numbers = itertools.count(1)


def _address(studio: Studio, language: Language) -> str:
    identity = f"picture-{next(_numbers)}"
    token = platform_token(identity, name=language.student, profile=profile(language))
    opening = urlencode({"token": token, "class": "301", "lesson_ends_at": lesson_ends()})
    return f"{studio.server.http_url}/help/#{opening}"


async def _ask(page: Page) -> None:
    await page.locator("[data-topic=no_sound]").click(timeout=SLOW_MS)
    await expect(page.locator(".ticket-number").first).to_be_visible(timeout=SLOW_MS)


async def _phone(studio: Studio, language: Language, *, dark: bool) -> None:
    suffix = f"{language.code}-dark" if dark else language.code
    page = await studio.page("student", language, PHONE, dark=dark)
    await page.goto(_address(studio, language))
    await page.locator("[data-topic=no_sound]").wait_for(timeout=SLOW_MS)
    await studio.snap(page, f"help-start-{suffix}")
    await page.locator("[data-topic=other]").click()
    await page.locator("[data-page=other]").wait_for()
    await studio.snap(page, f"help-topics-{suffix}")
    await page.locator("[data-action=back-to-start]").click()
    await _ask(page)
    await asyncio.sleep(SETTLE_S)
    await studio.snap(page, f"help-waiting-{suffix}")
    async with agent_at_work(studio, "he") as agent, answered(studio, agent) as joined:
        await expect(page.locator("[data-person=he] video")).to_be_visible(timeout=SLOW_MS)
        await asyncio.sleep(SETTLE_S)
        await studio.snap(page, f"help-consent-{suffix}")
        await page.locator("[data-card=consent] [data-action=refuse]").click()
        await asyncio.sleep(SETTLE_S)
        await studio.snap(page, f"help-call-{suffix}")
        await agent.hold(joined.call["id"])
        await page.locator("[data-banner=held]").wait_for(timeout=SLOW_MS)
        await asyncio.sleep(SETTLE_S)
        await studio.snap(page, f"help-held-{suffix}")
        await agent.resume(joined.call["id"])
        await page.locator("[data-control=chat]").click()
        for author, text in SAID[language.code]:
            if author == "agent":
                await agent.write(joined.call["id"], text)
                await expect(page.get_by_role("log")).to_contain_text(text)
            else:
                field = page.locator(".chat textarea")
                await field.fill(text)
                await field.press("Enter")
                await expect(page.locator(".bubble.own").last).to_contain_text(text)
        await asyncio.sleep(1)
        await studio.snap(page, f"help-chat-{suffix}")
        await agent.end(joined.call["id"])
    await expect(page.locator("[data-page=rating]")).to_be_visible(timeout=SLOW_MS)
    await page.locator("[data-choice=resolved] [data-value=yes]").click()
    await page.locator("[data-stars='5']").click()
    await studio.snap(page, f"help-rating-{suffix}")
    await page.locator("[data-action=rate]").click()
    await expect(page.locator("[data-page=done]")).to_be_visible(timeout=SLOW_MS)
    await studio.snap(page, f"help-done-{suffix}")
    await page.context.close()


async def _class(studio: Studio, language: Language) -> None:
    page = await studio.page("student", language, DESKTOP)
    await page.goto(f"{studio.server.http_url}/class/?student=student-3&lang={language.code}")
    await page.locator("[data-action=enter]").click(timeout=SLOW_MS)
    await page.locator("raisehand-help .launcher").click()
    await _ask(page)
    async with agent_at_work(studio, "chen") as agent, answered(studio, agent) as joined:
        await expect(page.locator("[data-person=chen] video")).to_be_visible(timeout=SLOW_MS)
        await page.locator("[data-card=consent] [data-action=refuse]").click(timeout=SLOW_MS)
        await asyncio.sleep(SETTLE_S)
        await studio.snap(page, f"class-call-{language.code}")
        await page.locator("[data-action=minimise]").click()
        await asyncio.sleep(1)
        await studio.snap(page, f"class-small-{language.code}")
        await page.locator("[data-action=full-screen]").click()
        await page.locator("[data-action=expand]").click()
        await asyncio.sleep(SETTLE_S)
        await studio.snap(page, f"class-full-screen-{language.code}")
        await agent.end(joined.call["id"])
    await page.context.close()


async def _links(studio: Studio, language: Language) -> None:
    """What a guest and a guardian see who got a link."""
    async with (
        aiohttp.ClientSession() as http,
        student_asks(studio, language, http, f"picture-{next(_numbers)}") as (student, opened),
        agent_at_work(studio, "he") as agent,
        answered(studio, agent),
    ):
        guest = {"identity": "guest", "name": GUEST[language.code], "adult": True}
        invitation = (await agent.drop_in(opened.id, guest=guest)).link
        page = await studio.page("student", language, PHONE)
        await page.goto(invitation)
        await page.locator("[data-page=guest-invited]").wait_for(timeout=SLOW_MS)
        await studio.snap(page, f"guest-invited-{language.code}")
        await page.locator("[data-action=join]").click()
        await expect(page.locator("[data-person=he] video")).to_be_visible(timeout=SLOW_MS)
        await page.locator("[data-card=consent]").wait_for(timeout=SLOW_MS)
        await asyncio.sleep(SETTLE_S)
        await studio.snap(page, f"guest-call-{language.code}")
        await page.context.close()

        body = {"participant": student.actor, "guardian": ""}
        link = (await student.post(f"/calls/{opened.id}/consent/link", body))["link"]
        page = await studio.page("student", language, PHONE)
        await page.goto(link)
        await page.locator("[data-page=guardian] [data-action=agree]").wait_for(timeout=SLOW_MS)
        await studio.snap(page, f"guardian-{language.code}")
        await page.context.close()


async def take(studio: Studio) -> None:
    """help-, class-, guest-STATE-LANG.png and guardian-LANG.png; help- dark as well in the first language."""
    for language in LANGUAGES:
        await _phone(studio, language, dark=False)
        await _class(studio, language)
        await _links(studio, language)
    await _phone(studio, LANGUAGES[0], dark=True)
