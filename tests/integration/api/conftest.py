"""A whole node in this process and people who talk to its API."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from signalling.api.identity import mint_platform_token
from signalling.node import Node
from signalling.service.samples import PASSWORD
from signalling.settings import load_settings

DEADLINE_S = 10.0


class Answer:
    """An HTTP answer, read."""

    def __init__(self, status: int, headers: Mapping[str, str], body: Any) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"{self.status} {self.body}"

    @property
    def code(self) -> str:
        """Of a problem."""
        return str(self.body["code"])


class Person:
    """Somebody with a credential."""

    def __init__(self, site: Site, token: str | None) -> None:
        self.site = site
        self.token = token

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Answer:
        """One request; `body` goes as JSON."""
        sent = dict(headers or {})
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            more["json"] = body
        url = f"{self.site.url}/v1{path}"
        async with self.site.http.request(method, url, headers=sent, **more) as answer:
            text = await answer.read()
            content = await answer.json(content_type=None) if text and "json" in answer.content_type else text
            return Answer(answer.status, answer.headers, content)

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.ask("POST", path, body, **more)

    async def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.ask("PUT", path, body, **more)

    async def patch(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.ask("PATCH", path, body, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        return await self.ask("DELETE", path, **more)


class Site:
    """A running node and its people."""

    def __init__(self, node: Node, http: aiohttp.ClientSession) -> None:
        self.node = node
        self.http = http
        self.url = f"http://127.0.0.1:{node.listening.port}"
        self.nobody = Person(self, None)

    def platform(self, role: str, subject: str, name: str = "", call: str = "", **profile: Any) -> Person:
        """Somebody with a platform token."""
        now = datetime.datetime.now(datetime.UTC)
        token = mint_platform_token(
            "devkey", "secret", subject=subject, role=role, now=now, name=name, profile=profile, call=call
        )
        return Person(self, token)

    def student(self, subject: str = "student-1", name: str = "小明", **profile: Any) -> Person:
        return self.platform("student", subject, name, **{"locale": "zh-CN", **profile})

    async def staff(self, username: str, password: str = PASSWORD) -> Person:
        """Somebody who logs in."""
        answer = await self.nobody.post("/login", {"username": username, "password": password})
        assert answer.status == 200, answer
        return Person(self, answer.body["token"])

    async def eventually(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not await condition():
                await asyncio.sleep(0.02)


StartSite = Callable[..., Awaitable[Site]]


@pytest.fixture
async def start_site(tmp_path: Path) -> AsyncIterator[StartSite]:
    """Starts nodes with settings of the test's own."""
    nodes: list[Node] = []
    sessions: list[aiohttp.ClientSession] = []

    async def start(**flags: Any) -> Site:
        defaults = {"dev": True, "port": 0, "tcp_port": 0, "udp_port": 0, "data_dir": tmp_path}
        settings = load_settings({**defaults, "media": {"listen": "127.0.0.1"}, **flags}, environment={})
        node = await Node.start(settings)
        nodes.append(node)
        sessions.append(aiohttp.ClientSession())
        return Site(node, sessions[-1])

    yield start
    for session in sessions:
        await session.close()
    for node in nodes:
        await node.stop()


@pytest.fixture
async def site(start_site: StartSite) -> Site:
    """A node with the settings of `--dev`."""
    return await start_site()
