"""A server of our own for the session, and bots that join rooms of their own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import pytest
import pytest_asyncio
from livekit import api, rtc

from loadtest.bot import Bot
from loadtest.proxy import TcpProxy
from loadtest.server import DEV_API_KEY, DEV_API_SECRET, ServerProcess, access_token

_rooms = itertools.count(1)

MODES = ("single", "dual")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    process = ServerProcess(
        tmp_path_factory.mktemp("server"),
        environment={"RAISEHAND_DRAIN_TIMEOUT": "1"},
    )
    async with process:
        yield process


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server_quick(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """URL of a server that gives up on vanished participants after two seconds."""
    process = ServerProcess(
        tmp_path_factory.mktemp("quick"),
        environment={
            "RAISEHAND_DRAIN_TIMEOUT": "1",
            "RAISEHAND_SIGNAL__RESUME_WINDOW_S": "2",
            "RAISEHAND_MEDIA__DISCONNECTED_AFTER_S": "1",
            "RAISEHAND_MEDIA__GONE_AFTER_S": "2",
        },
    )
    async with process:
        yield process.url


@pytest.fixture
def room() -> str:
    """A room name that no other test uses."""
    return f"room-{next(_rooms)}"


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Runs a test over one peer connection (`/rtc/v1`) and over two (`/rtc`)."""
    return str(request.param)


class Join(Protocol):
    """Joins the test's room."""

    async def __call__(
        self,
        identity: str,
        *,
        mode: str = "single",
        grants: api.VideoGrants | None = None,
        url: str | None = None,
        token: str | None = None,
        auto_subscribe: bool = True,
        watch_media: bool = True,
        dynacast: bool = False,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
    ) -> Bot: ...


@pytest.fixture
async def join(server: ServerProcess, room: str) -> AsyncIterator[Join]:
    """A function that lets a bot join; all of them leave when the test ends."""
    bots: list[Bot] = []

    async def join_room(
        identity: str,
        *,
        mode: str = "single",
        grants: api.VideoGrants | None = None,
        url: str | None = None,
        token: str | None = None,
        auto_subscribe: bool = True,
        watch_media: bool = True,
        dynacast: bool = False,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
    ) -> Bot:
        made = token or access_token(
            room, identity, name=name, metadata=metadata, attributes=attributes, grants=grants
        )
        bot = Bot(
            url or server.url,
            made,
            single_peer_connection=mode == "single",
            auto_subscribe=auto_subscribe,
            watch_media=watch_media,
            dynacast=dynacast,
        )
        bots.append(bot)
        return await bot.connect()

    yield join_room
    await asyncio.gather(*(bot.close() for bot in bots))


@pytest.fixture
async def proxy(server: ServerProcess) -> AsyncIterator[TcpProxy]:
    """A relay before the signalling port, to be cut."""
    async with TcpProxy("127.0.0.1", server.port) as relay:
        yield relay


@pytest.fixture
async def service(server: ServerProcess) -> AsyncIterator[Any]:
    """LiveKit's RoomService client, signed with the development key."""
    client = api.LiveKitAPI(server.http_url, DEV_API_KEY, DEV_API_SECRET)
    yield client.room
    await client.aclose()


def disconnect_reason(bot: Bot) -> rtc.DisconnectReason.ValueType | None:
    """Why a bot's room ended, None while it has not."""
    seen = bot.seen("disconnected")
    return seen[0].arguments[0] if seen and seen[0].arguments else None
