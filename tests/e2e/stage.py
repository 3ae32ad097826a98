"""A test's consoles and students, and their way home."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from playwright.async_api import Browser

from loadtest.desk_client import DeskClient, Opened
from loadtest.person import Person
from loadtest.server import ServerProcess
from tests.e2e.desk import Console, console, new_identity


class Stage:
    """Opens consoles and brings students; use as an asynchronous context manager."""

    def __init__(self, server: ServerProcess, browser: Browser) -> None:
        self.server = server
        self.browser = browser
        self.consoles: list[Console] = []
        self._ending = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.http = await self._ending.enter_async_context(aiohttp.ClientSession())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything; raises AssertionError for what a page complained about."""
        await self._ending.aclose()

    async def console(
        self, username: str, *, language: str = "zh-CN", scheme: str = "light", start: bool = True
    ) -> Console:
        """A signed-in agent who takes calls."""
        opening = console(self.browser, self.server, username, language=language, scheme=scheme)
        opened = await self._ending.enter_async_context(opening)
        self.consoles.append(opened)
        if start:
            await opened.start()
        return opened

    def student(self, name: str = "小明", **profile: Any) -> Person:
        """A new student; nobody has met him before."""
        identity = new_identity("staged")
        client = DeskClient.student(self.server.http_url, identity, self.http, name=name, **profile)
        person = Person("student", 700.0, client)
        self._ending.push_async_callback(person.close)
        return person

    async def call(self, student: Person, **more: Any) -> Opened:
        """Ask for help and join the room."""
        asked = {"kind": "video", "topic": "no_sound", "severity": "class_stopping", **more}
        opened = await student.client.ask(**asked)
        if opened.media is not None:
            await student.join(opened.media)
        return opened

    async def keep_pictures(self, folder: Path, name: str) -> None:
        """What the consoles show now."""
        folder.mkdir(exist_ok=True)
        for shown in self.consoles:
            await shown.page.screenshot(path=folder / f"{name}-{shown.username}.png")
