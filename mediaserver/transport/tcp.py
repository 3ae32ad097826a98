"""Passive ICE-TCP (RFC 6544) with the framing of RFC 4571: two bytes of length before each datagram."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from mediaserver.transport.config import TransportConfig

if TYPE_CHECKING:
    from mediaserver.transport.peer import PeerTransport

log = logging.getLogger(__name__)

LENGTH_BYTES = 2
MAX_FRAME_BYTES = 2048
"""Longest frame accepted: WebRTC sends datagrams of at most an MTU also over TCP."""
MAX_UNAUTHENTICATED_BYTES = 4096
"""Bytes a connection may send before its first valid check."""


class Deframer:
    """Cuts a byte stream into frames (RFC 4571, section 2). Pure."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._buffer = bytearray()
        self._max_frame_bytes = max_frame_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The frames completed by ``data``, empty ones left out. Raises ValueError for one too long."""
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        position = 0
        size = len(buffer)
        while size - position >= LENGTH_BYTES:
            length = buffer[position] << 8 | buffer[position + 1]
            if length > self._max_frame_bytes:
                raise ValueError("frame length")
            end = position + LENGTH_BYTES + length
            if end > size:
                break
            if length:
                frames.append(bytes(buffer[position + LENGTH_BYTES : end]))
            position = end
        del buffer[:position]
        return frames


def frame(datagram: bytes) -> bytes:
    """One datagram as a frame."""
    return len(datagram).to_bytes(LENGTH_BYTES, "big") + datagram


class TcpPath(asyncio.Protocol):
    """One accepted connection: a path to the remote like a UDP address is."""

    def __init__(self, server: TcpFront) -> None:
        self._server = server
        self._deframer = Deframer()
        self._connection: asyncio.Transport | None = None
        self._unauthenticated_bytes = 0
        self.authenticated = False
        self.address: tuple[Any, ...] = ("", 0)
        self.local_address: tuple[Any, ...] = ("", 0)
        self.transport: PeerTransport | None = None
        """Whose connection this is, once a check said so."""
        self.dropped = 0
        """Media packets dropped because the connection was full."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it, or refuse it."""
        connection = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._connection = connection
        self.address = transport.get_extra_info("peername") or ("", 0)
        self.local_address = transport.get_extra_info("sockname") or ("", 0)
        if not self._server.admit(self):
            connection.abort()
            self._connection = None

    def data_received(self, data: bytes) -> None:
        """Pass on every complete frame."""
        if not self.authenticated:
            self._unauthenticated_bytes += len(data)
            if self._unauthenticated_bytes > MAX_UNAUTHENTICATED_BYTES:
                self._server.count("tcp_unauthenticated")
                self.close()
                return
        try:
            frames = self._deframer.feed(data)
        except ValueError:
            self._server.count("tcp_frame")
            self.close()
            return
        for datagram in frames:
            if self._connection is None:
                return
            self._server.on_datagram(datagram, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The path is no more."""
        self._connection = None
        self._server.remove(self)

    def send(self, datagram: bytes) -> bool:
        """Send one datagram; False if the connection is closed or its reader too slow, which closes it."""
        return self.write(frame(datagram))

    def has_media_room(self) -> bool:
        """Whether media should still be sent: late media is useless."""
        transport = self._connection
        return transport is not None and (
            transport.get_write_buffer_size() < self._server.config.tcp_media_buffer_bytes
        )

    def write(self, frames: bytes) -> bool:
        """Send finished frames; False like `send`."""
        transport = self._connection
        if transport is None:
            return False
        if transport.get_write_buffer_size() + len(frames) > self._server.config.tcp_max_buffer_bytes:
            self._server.count("tcp_slow_reader")
            self.close()
            return False
        transport.write(frames)
        return True

    def close(self) -> None:
        """Drop the connection with whatever it still holds."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
            self._server.remove(self)


class TcpFront:
    """The listener, and the limits on connections."""

    def __init__(
        self,
        config: TransportConfig,
        on_datagram: Callable[[bytes, TcpPath], None],
        on_lost: Callable[[TcpPath], None],
        count: Callable[[str], None],
    ) -> None:
        self.config = config
        self.on_datagram = on_datagram
        self.count = count
        """Count something dropped, by reason."""
        self._on_lost = on_lost
        self._servers: list[asyncio.Server] = []
        self._per_address: Counter[str] = Counter()
        self._deadlines: dict[TcpPath, asyncio.TimerHandle] = {}
        self.connections: set[TcpPath] = set()
        self.port = 0

    async def listen(self, hosts: tuple[str, ...]) -> None:
        """Bind; the port is the same for every host. Raises OSError if no host can be bound."""
        loop = asyncio.get_running_loop()
        port = self.config.tcp_port or 0
        failure: OSError | None = None
        for host in hosts:
            try:
                server = await loop.create_server(lambda: TcpPath(self), host, port, backlog=1024)
            except OSError as error:
                failure = error
                log.info("ICE-TCP does not listen on %s: %s", host, error)
                continue
            self._servers.append(server)
            port = server.sockets[0].getsockname()[1]
        if not self._servers and failure is not None:
            raise failure
        self.port = port

    def admit(self, path: TcpPath) -> bool:
        """Whether a new connection may stay, for now."""
        host = str(path.address[0])
        if (
            len(self.connections) >= self.config.max_tcp_connections
            or self._per_address[host] >= self.config.max_tcp_connections_per_address
        ):
            self.count("tcp_connections")
            return False
        self.connections.add(path)
        self._per_address[host] += 1
        loop = asyncio.get_running_loop()
        self._deadlines[path] = loop.call_later(self.config.tcp_unauthenticated_s, self._expire, path)
        return True

    def authenticated(self, path: TcpPath) -> None:
        """The connection carried a valid check."""
        path.authenticated = True
        deadline = self._deadlines.pop(path, None)
        if deadline is not None:
            deadline.cancel()

    def remove(self, path: TcpPath) -> None:
        """The connection is closed."""
        if path not in self.connections:
            return
        self.connections.discard(path)
        host = str(path.address[0])
        self._per_address[host] -= 1
        if self._per_address[host] <= 0:
            del self._per_address[host]
        deadline = self._deadlines.pop(path, None)
        if deadline is not None:
            deadline.cancel()
        self._on_lost(path)

    def close(self) -> None:
        """Stop listening and drop every connection."""
        for server in self._servers:
            server.close()
        for path in list(self.connections):
            path.close()

    def _expire(self, path: TcpPath) -> None:
        self.count("tcp_unauthenticated")
        path.close()
