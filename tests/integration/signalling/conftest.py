"""A whole node in this process, and a client that speaks the wire protocol by hand."""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from livekit.protocol import rtc

from mediaserver.room.model import Permissions
from signalling.auth import ORDINARY, mint_join_token
from signalling.node import Node
from signalling.settings import load_settings

DEADLINE_S = 10.0


def join_token(room: str, identity: str, *, permissions: Permissions = ORDINARY, **more: Any) -> str:
    return mint_join_token("devkey", "secret", room=room, identity=identity, permissions=permissions, **more)


def join_request(request: rtc.JoinRequest | None = None) -> str:
    asked = request or rtc.JoinRequest()
    asked.connection_settings.auto_subscribe = True
    asked.client_info.protocol = asked.client_info.protocol or 17
    wrapped = rtc.WrappedJoinRequest(
        compression=rtc.WrappedJoinRequest.GZIP, join_request=gzip.compress(asked.SerializeToString())
    )
    return base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()


class WireClient:
    """One WebSocket of a client."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.seen: list[rtc.SignalResponse] = []

    async def receive(self) -> rtc.SignalResponse | None:
        """The next message, None when the server closed."""
        async with asyncio.timeout(DEADLINE_S):
            message = await self.websocket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            return None
        response = rtc.SignalResponse.FromString(message.data)
        self.seen.append(response)
        return response

    async def until(self, kind: str) -> Any:
        """The next message of a kind; fails when the server closes before."""
        while (response := await self.receive()) is not None:
            if response.WhichOneof("message") == kind:
                return getattr(response, kind)
        raise AssertionError(f"closed with {self.closing()} without {kind}")

    async def until_closed(self) -> tuple[int | None, str]:
        """Read everything; the close code and what came before the end, by kind."""
        while await self.receive() is not None:
            pass
        return self.closing()

    def closing(self) -> tuple[int | None, str]:
        kinds = [str(response.WhichOneof("message")) for response in self.seen]
        return self.websocket.close_code, " ".join(kinds)

    def last(self, kind: str) -> Any:
        return [getattr(each, kind) for each in self.seen if each.WhichOneof("message") == kind][-1]

    async def send(self, **message: Any) -> None:
        await self.websocket.send_bytes(rtc.SignalRequest(**message).SerializeToString())


class Server:
    """A running node and an HTTP session to it."""

    def __init__(self, node: Node, http: aiohttp.ClientSession) -> None:
        self.node = node
        self.http = http
        scheme = "https" if node.listening.secure else "http"
        self.url = f"{scheme}://127.0.0.1:{node.listening.port}"

    @asynccontextmanager
    async def connect(
        self,
        room: str = "lesson",
        identity: str = "ann",
        *,
        request: rtc.JoinRequest | None = None,
        single: bool = True,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> AsyncIterator[WireClient]:
        """Join (or resume, by the request); the token goes in the query as browsers do it."""
        params = {"access_token": token or join_token(room, identity), **query}
        if single:
            params["join_request"] = join_request(request)
        path = "/rtc/v1" if single else "/rtc"
        async with self.http.ws_connect(self.url + path, params=params, headers=headers) as websocket:
            yield WireClient(websocket)

    async def eventually(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.01)


StartServer = Callable[..., Awaitable[Server]]


@pytest.fixture
async def start_server(tmp_path: Path) -> AsyncIterator[StartServer]:
    """Starts nodes with settings of the test's own."""
    nodes: list[Node] = []
    sessions: list[aiohttp.ClientSession] = []

    async def start(**flags: Any) -> Server:
        defaults = {"dev": True, "port": 0, "tcp_port": 0, "udp_port": 0, "data_dir": tmp_path}
        settings = load_settings({**defaults, "media": {"listen": "127.0.0.1"}, **flags}, environment={})
        node = await Node.start(settings)
        nodes.append(node)
        sessions.append(aiohttp.ClientSession())
        return Server(node, sessions[-1])

    yield start
    for session in sessions:
        await session.close()
    for node in nodes:
        await node.stop()


@pytest.fixture
async def server(start_server: StartServer) -> Server:
    """A node with the settings of `--dev`."""
    return await start_server()
