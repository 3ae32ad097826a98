"""One WebSocket of a client: what waits to be sent, in order and bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from livekit.protocol import rtc

from signalling.settings import LimitSettings

CLOSE_NORMAL = 1000
CLOSE_GOING_AWAY = 1001
CLOSE_POLICY = 1008
CLOSE_TOO_BIG = 1009
CLOSE_INTERNAL = 1011
"""Close codes of RFC 6455 section 7.4.1."""

CLOSE_REASON_BYTES = 123
"""What a close frame can carry (RFC 6455 section 5.5)."""

LINGER_S = 2.0
"""Seconds a connection that is being closed may take to send what waits."""


class WebSocket(Protocol):
    """What is needed of aiohttp's WebSocketResponse."""

    async def send_bytes(self, data: bytes) -> None: ...

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool: ...


class SignalConnection:
    """Sends a client's messages in order; a client that does not read is cut off.

    `send` and `close` never block; one task, `run_writer`, does the writing.
    """

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._close_requested = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self.overflowed = False
        """Whether the client was cut off because it did not read."""

    @property
    def closing(self) -> bool:
        """Whether nothing more is accepted."""
        return self._closing is not None

    @property
    def close_reason(self) -> str:
        """Why it was closed by us; empty while open."""
        return self._closing[1] if self._closing else ""

    def send(self, message: rtc.SignalResponse) -> None:
        """Queue a message; too much of it waiting closes the connection."""
        if self._closing is not None:
            return
        data = message.SerializeToString()
        if (
            len(self._queue) >= self._limits.outgoing_messages
            or self._queued_bytes + len(data) > self._limits.outgoing_bytes
        ):
            self.overflowed = True
            self._queue.clear()
            self._queued_bytes = 0
            self.close(CLOSE_POLICY, "the client reads its messages too slowly")
            return
        self._queue.append(data)
        self._queued_bytes += len(data)
        self._wake.set()

    def close(self, code: int = CLOSE_NORMAL, reason: str = "") -> None:
        """Close after what is queued has been sent."""
        if self._closing is None:
            self._closing = (code, reason)
            self._wake.set()
            self._close_requested.set()

    async def run_writer(self, websocket: WebSocket, abort: Callable[[], None]) -> None:
        """Send until closed, then close the WebSocket; ends early when the WebSocket is gone.

        `abort` drops the connection beneath it, for a client that takes nothing at all.
        """
        writing = asyncio.ensure_future(self._write(websocket))
        closing = asyncio.ensure_future(self._close_requested.wait())
        try:
            await asyncio.wait({writing, closing}, return_when=asyncio.FIRST_COMPLETED)
            if not writing.done() and not self.overflowed:
                await asyncio.wait({writing}, timeout=LINGER_S)
        finally:
            everything_sent = writing.done()
            writing.cancel()
            closing.cancel()
            await asyncio.gather(writing, closing, return_exceptions=True)
        if not everything_sent:  # nor would a close frame get through
            abort()
            return
        code, reason = self._closing or (CLOSE_NORMAL, "")
        message = reason.encode()[:CLOSE_REASON_BYTES].decode(errors="ignore").encode()
        try:
            async with asyncio.timeout(LINGER_S):
                await websocket.close(code=code, message=message)
        except (TimeoutError, ConnectionError, RuntimeError):
            abort()

    async def _write(self, websocket: WebSocket) -> None:
        try:
            while True:
                while self._queue:
                    data = self._queue.popleft()
                    self._queued_bytes -= len(data)
                    await websocket.send_bytes(data)
                if self._closing is not None:
                    return
                self._wake.clear()
                await self._wake.wait()
        except (ConnectionError, RuntimeError):  # the WebSocket is closed or closing
            return
