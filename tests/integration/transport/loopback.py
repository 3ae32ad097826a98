"""A client whose ICE is only a socket and hand-made checks: works on ::1, can move, can misbehave."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from aiortc import RTCCertificate
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters, SRTPProtectionProfile

from mediaserver.transport import stun
from mediaserver.transport.front import MediaFront
from mediaserver.transport.peer import PeerTransport
from mediaserver.transport.tcp import Deframer, frame
from mediaserver.transport.types import RemoteTransport, TransportState
from tests.integration.transport.client import Call, Client, ClientDtls, Handler, eventually


class Wire:
    """What aiortc's DTLS takes for an ICE transport: a UDP socket towards the front."""

    role = "controlling"

    def __init__(self, front: MediaFront, host: str) -> None:
        self.target = (host, front.udp_port)
        self.front = front
        self.host = host
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()
        self.sock: socket.socket | None = None
        self.stream: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self.move()

    def move(self) -> None:
        """Send from a new port from now on, as after a change of network."""
        self._close_socket()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind((self.host, 0))
        asyncio.get_running_loop().add_reader(self.sock.fileno(), self._readable, self.sock)

    async def use_tcp(self) -> None:
        """Send over ICE-TCP from now on."""
        self._close_socket()
        assert self.front.tcp_port is not None
        reader, self.stream = await asyncio.open_connection(self.host, self.front.tcp_port)
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        deframer = Deframer()
        while data := await reader.read(65536):
            for datagram in deframer.feed(data):
                self._take(datagram)

    @property
    def local_address(self) -> tuple[Any, ...]:
        if self.stream is not None:
            return self.stream.get_extra_info("sockname")[:2]  # type: ignore[no-any-return]
        assert self.sock is not None
        return self.sock.getsockname()[:2]  # type: ignore[no-any-return]

    def send(self, data: bytes) -> None:
        if self.stream is not None:
            self.stream.write(frame(data))
        elif self.sock is not None:
            self.sock.sendto(data, self.target)

    async def _send(self, data: bytes) -> None:
        self.send(data)

    async def _recv(self) -> bytes:
        return await self.queue.get()

    def _readable(self, sock: socket.socket) -> None:
        try:
            while True:
                self._take(sock.recv(4096))
        except BlockingIOError:
            pass

    def _take(self, data: bytes) -> None:
        (self.answers if data[0] < 4 else self.queue).put_nowait(data)

    def _close_socket(self) -> None:
        if self.sock is not None:
            asyncio.get_running_loop().remove_reader(self.sock.fileno())
            self.sock.close()
            self.sock = None

    def close(self) -> None:
        self._close_socket()
        if self.stream is not None:
            self.stream.transport.abort()
        if self._reading is not None:
            self._reading.cancel()


class LoopbackClient(Client):
    """A client over a `Wire`."""

    def __init__(self, front: MediaFront, host: str = "127.0.0.1") -> None:
        self.certificate = RTCCertificate.generateCertificate()
        self.wire = Wire(front, host)
        self.ice: Any = self.wire
        self.dtls = ClientDtls(self.wire, self.certificate)
        self.sctp = None
        self.messages = []
        self.channels = {}
        self.ufrag = "remote"

    async def describe(self) -> RemoteTransport:
        return RemoteTransport(self.ufrag, "x" * 24, self.fingerprints, max_message_bytes=262144)

    def request(self, ufrag: str, password: str, nominate: bool = True) -> bytes:
        attributes = [
            (stun.USERNAME, f"{ufrag}:{self.ufrag}".encode()),
            (stun.PRIORITY, bytes(4)),
            (stun.ICE_CONTROLLING, bytes(8)),
        ]
        if nominate:
            attributes.append((stun.USE_CANDIDATE, b""))
        return stun.build_stun(stun.BINDING_REQUEST, os.urandom(12), attributes, password.encode())

    async def check(
        self, transport: PeerTransport, credentials: tuple[str, str] | None = None, nominate: bool = True
    ) -> stun.StunMessage:
        """One connectivity check, answered."""
        ufrag, password = credentials or (transport.local_ufrag, transport.local_password)
        self.wire.send(self.request(ufrag, password, nominate))
        answer = stun.parse_stun(await asyncio.wait_for(self.wire.answers.get(), 5))
        assert answer.check_integrity(password.encode())
        return answer

    async def handshake(
        self, transport: PeerTransport, profiles: list[SRTPProtectionProfile] | None = None
    ) -> None:
        if profiles is not None:
            self.dtls._srtp_profiles = profiles
        fingerprint = RTCDtlsFingerprint("sha-256", transport.fingerprint)
        await self.dtls.start(RTCDtlsParameters([fingerprint], role="server"))

    async def close(self) -> None:
        if self.sctp is not None:
            await self.sctp.stop()
        await self.dtls.stop()
        self.wire.close()


async def call_over_loopback(
    front: MediaFront, host: str = "127.0.0.1", *, tcp: bool = False, data: bool = False, **options: Any
) -> tuple[Call, LoopbackClient]:
    """A connected call whose client can move and misbehave."""
    handler = Handler()
    transport = front.create_transport(handler)
    client = LoopbackClient(front, host)
    if tcp:
        await client.wire.use_tcp()
    transport.start(await client.describe())
    await client.check(transport)
    await client.handshake(transport, **options)
    await eventually(lambda: transport.state is TransportState.CONNECTED, "connected")
    if data:
        await client.start_sctp()
    return Call(front, client, transport, handler), client
