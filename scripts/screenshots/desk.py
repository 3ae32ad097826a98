"""Calls at the desk for the pictures: the other side of whatever page is shown."""

import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from playwright.async_api import Page

from loadtest.desk_client import DeskClient, Joinable, Opened
from scripts.screenshots.drawings import Language
from scripts.screenshots.people import in_room
from scripts.screenshots.studio import Studio
from tests.e2e.desk import Console, offered, release

LESSON_LEFT = datetime.timedelta(minutes=12, seconds=30)

NOTES = {
    "zh-CN": "老师说话断断续续，后来完全没声音了",
    "en": "The teacher's voice broke up, then it was gone",
}
TRIED = {"zh-CN": ["刷新页面", "换耳机"], "en": ["reloaded the page", "other headphones"]}
SAID = {
    "zh-CN": (
        ("student", "老师您好，我听不到上课的声音"),
        ("agent", "小明您好，您的情况我已经看到了，我们一起来处理。"),
        ("agent", "请点一下右下角的喇叭，看看音量是不是 0。"),
        ("student", "调大了，现在能听到一点了"),
    ),
    "en": (
        ("student", "Hello, I cannot hear the lesson"),
        ("agent", "Hello, I can see what happened. Let us sort it out together."),
        ("agent", "Please click the speaker at the bottom right: is the volume at zero?"),
        ("student", "I turned it up, I hear a little now"),
    ),
}


def profile(language: Language, **more: Any) -> dict[str, Any]:
    """What the platform says about the student."""
    grade = {"zh-CN": "六年级", "en": "Grade 6"}[language.code]
    return {"level": "vip", "age": 15, "locale": language.code, "grade": grade, "class_id": "301", **more}


def lesson_ends() -> str:
    """Soon."""
    return (datetime.datetime.now(datetime.UTC) + LESSON_LEFT).isoformat()


@asynccontextmanager
async def agent_at_work(studio: Studio, username: str) -> AsyncIterator[DeskClient]:
    """A scripted agent, available; what is left is wrapped up at the end."""
    async with aiohttp.ClientSession() as http:
        client = await DeskClient.login(studio.server.http_url, username, http)
        await client.set_state("available")
        try:
            yield client
        finally:
            await release(studio.server, username)


@asynccontextmanager
async def answered(studio: Studio, agent: DeskClient) -> AsyncIterator[Joinable]:
    """The agent takes the next offer and is seen and heard."""
    joined = await agent.accept(await offered(agent))
    media = joined.joinable
    async with in_room(media.url, media.token, camera=studio.drawings.agent):
        yield joined


@asynccontextmanager
async def student_asks(
    studio: Studio, language: Language, http: aiohttp.ClientSession, identity: str
) -> AsyncIterator[tuple[DeskClient, Opened]]:
    """A scripted student presses help and waits in the room; publishes nothing yet."""
    client = DeskClient.student(
        studio.server.http_url, identity, http, name=language.student, **profile(language)
    )
    opened = await client.ask(
        kind="video",
        topic="no_sound",
        severity="class_stopping",
        note=NOTES[language.code],
        context={
            "class_id": "301",
            "lesson_ends_at": lesson_ends(),
            "device": "iPad",
            "browser": "Safari 20",
            "network": "wifi",
            "answers": {"tried": TRIED[language.code]},
            "class_stats": {"loss": 0.12, "jitter_ms": 48},
        },
    )
    yield client, opened
    if (await client.call(opened.id))["state"] not in ("closed", "wrapping"):
        await client.end(opened.id)


async def sign_in(studio: Studio, page: Page, username: str, path: str = "") -> None:
    """The console with somebody signed in."""
    await page.goto(f"{studio.server.http_url}/console/{path}")
    await Console(page, username).sign_in()
