"""A TCP relay in front of the signalling port, to cut connections as a bad network does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from types import TracebackType

_CHUNK_BYTES = 65536
_NO_LINGER = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: closing sends RST instead of FIN


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection at once with a TCP reset."""
    end = writer.get_extra_info("socket")
    if end is not None and not writer.transport.is_closing():
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()


class TcpProxy:
    """Relays one local port to a target; `cut()` resets what is connected, `block()` refuses newcomers."""

    def __init__(self, target_host: str, target_port: int, host: str = "127.0.0.1", port: int = 0) -> None:
        self._target = (target_host, target_port)
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._blocked = False
        self.accepted = 0
        """Connections relayed so far."""
        self.cuts = 0
        """Connections that `cut` has reset so far."""
        self.refused = 0
        """Connections reset while blocked."""
        self.request_lines: list[str] = []
        """First line of every connection: of HTTP, method and path with query."""

    async def start(self) -> TcpProxy:
        self._server = await asyncio.start_server(self._accept, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Stop listening and reset all connections."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 2.0)

    async def __aenter__(self) -> TcpProxy:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def port(self) -> int:
        return self._port

    @property
    def open_connections(self) -> int:
        """Client connections relayed at this moment."""
        return len(self._writers) // 2

    def cut(self) -> int:
        """Reset every connection at once, without a closing handshake; returns how many there were."""
        connections = self.open_connections
        for writer in list(self._writers):
            _reset(writer)
        self.cuts += connections
        return connections

    def block(self) -> None:
        """From now on, reset newcomers at once, as long as `unblock` is not called."""
        self._blocked = True

    def unblock(self) -> None:
        self._blocked = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._blocked:
            self.refused += 1
            _reset(writer)
            return
        try:
            onward_reader, onward_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        self.accepted += 1
        pair = (writer, onward_writer)
        self._writers.update(pair)
        pumps = [
            asyncio.ensure_future(self._pump_requests(reader, onward_writer)),
            asyncio.ensure_future(self._pump(onward_reader, writer)),
        ]
        self._tasks.update(pumps)
        try:
            await asyncio.gather(*pumps)
        finally:
            self._tasks.difference_update(pumps)
            for pump in pumps:
                pump.cancel()
            for end in pair:
                self._writers.discard(end)
                end.transport.abort()

    async def _pump_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.read(_CHUNK_BYTES)
            self.request_lines.append(first.partition(b"\r\n")[0].decode("latin-1"))
            writer.write(first)
        except OSError:
            _reset(writer)
            return
        await self._pump(reader, writer)

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                writer.write(chunk)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            _reset(writer)
