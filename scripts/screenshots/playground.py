"""The playground in a call, as the agent sees it."""

import asyncio
from urllib.parse import urlencode

from loadtest.server import access_token
from scripts.screenshots.drawings import LANGUAGES
from scripts.screenshots.people import in_room
from scripts.screenshots.studio import DESKTOP, PHONE, SLOW_MS, Studio, wait_for_pictures

SETTLE_S = 8.0
"""Until the strips show figures of a settled call."""


async def take(studio: Studio) -> None:
    """playground-LANG.png, and playground-phone.png in the first language."""
    server = studio.server
    for language in LANGUAGES:
        sizes = {f"playground-{language.code}": DESKTOP}
        if language is LANGUAGES[0]:
            sizes["playground-phone"] = PHONE
        token = access_token(language.room, "student", name=language.student)
        drawings = studio.drawings
        async with in_room(
            server.url, token, camera=drawings.student, screen=drawings.screens[language.code]
        ):
            for name, size in sizes.items():
                page = await studio.page("agent", language, size)
                query = {"lang": language.code, "room": language.room, "name": language.agent}
                await page.goto(f"{server.http_url}/?{urlencode(query)}")
                await page.get_by_role("button", name=language.join, exact=True).click()
                await page.locator("[data-control=leave]").wait_for(timeout=SLOW_MS)
                await wait_for_pictures(page, 3 if size is DESKTOP else 2)
                await asyncio.sleep(SETTLE_S)
                await studio.snap(page, name)
                await page.context.close()
