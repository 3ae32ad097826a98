"""Joins two WebSockets: a client's at this node, and ours at the node that owns the room.

Each direction reads a message only when the last one was handed on, so that whoever reads slowly slows down
the sender instead of filling our memory. How one side ended is passed on to the other: a close frame with its
code and reason as the same close frame, an owner's broken connection as a broken one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType, web

SEND_TIMEOUT_S = 20.0
"""Seconds that one message may wait for a side that does not read."""
CLOSE_TIMEOUT_S = 2.0
"""Seconds for closing one side."""
GOING_AWAY = 1001
"""RFC 6455 section 7.4.1; also what is said in place of codes that must not be sent."""
_UNSENDABLE = frozenset({1004, 1005, 1006, 1015})
_REASON_BYTES = 123

WebSocket = web.WebSocketResponse | ClientWebSocketResponse


@dataclass(slots=True)
class BridgeCounters:
    """What went over, for `/metrics`."""

    opened: int = 0
    messages: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a side ended: by a close frame, or (None) without."""

    code: int | None
    reason: str = ""


class Bridge:
    """One client's signalling on its way through."""

    def __init__(
        self,
        client: web.WebSocketResponse,
        owner: ClientWebSocketResponse,
        abort_client: Callable[[], None],
        counters: BridgeCounters,
    ) -> None:
        self._client = client
        self._owner = owner
        self._abort_client = abort_client
        self._counters = counters
        self._cut = asyncio.Event()

    def cut(self) -> None:
        """The owner is gone for good: break the client's connection, so that it comes back at once."""
        self._cut.set()

    async def run(self) -> None:
        """Pass messages on until one side ends, then end the other the same way."""
        upward = asyncio.create_task(self._pump(self._client, self._owner), name="client to owner")
        downward = asyncio.create_task(self._pump(self._owner, self._client), name="owner to client")
        cut = asyncio.create_task(self._cut.wait())
        tasks: set[asyncio.Task[Ending] | asyncio.Task[bool]] = {upward, downward, cut}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            ended = _ending(downward)
            if self._cut.is_set() or (ended is not None and ended.code is None):
                self._abort_client()
                await _close(self._owner, GOING_AWAY, "")
            elif ended is not None:
                if not await _close(self._client, ended.code or GOING_AWAY, ended.reason):
                    self._abort_client()
                await _close(self._owner, GOING_AWAY, "")
            else:
                said = _ending(upward) or Ending(None)
                await _close(self._owner, said.code or GOING_AWAY, said.reason)
                if not await _close(self._client, GOING_AWAY, ""):
                    self._abort_client()

    async def _pump(self, source: WebSocket, sink: WebSocket) -> Ending:
        while True:
            message: WSMessage = await source.receive()
            if message.type is WSMsgType.CLOSE:
                return Ending(message.data or GOING_AWAY, message.extra or "")
            if message.type is WSMsgType.ERROR:  # a frame against the rules, too big for instance
                return Ending(source.close_code)
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                return Ending(None)
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    if message.type is WSMsgType.BINARY:
                        await sink.send_bytes(message.data)
                    else:
                        await sink.send_str(message.data)
            except (TimeoutError, ConnectionError, RuntimeError):
                # The sink is gone or stuck; its own direction says how it ended, if it did say.
                return Ending(GOING_AWAY)
            self._counters.messages += 1
            self._counters.bytes += len(message.data)


def _ending(task: asyncio.Task[Ending]) -> Ending | None:
    if task.cancelled() or task.exception() is not None:
        return None
    return task.result()


async def _close(side: WebSocket, code: int, reason: str) -> bool:
    """Whether the close frame went out."""
    if code in _UNSENDABLE:
        code = GOING_AWAY
    text = reason.encode()[:_REASON_BYTES].decode(errors="ignore").encode()
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await side.close(code=code, message=text)
    except (TimeoutError, ConnectionError, RuntimeError):
        return False
    return True
