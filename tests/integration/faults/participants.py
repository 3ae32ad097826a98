"""A participant reduced to the wire that may misbehave, and stamps its audio so that gaps can be told."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import pylibsrtp
from aiortc import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcdtlstransport import State
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from livekit.protocol import models, rtc
from OpenSSL import SSL

from loadtest.server import ServerProcess, access_token
from loadtest.waiting import wait_until
from loadtest.wire import WireClient, shared_certificate

STAMP = struct.Struct("!QI")
"""Nanoseconds (`time.time_ns`) at which an audio packet was sent, and its number."""

AUDIO_BYTES = 130
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_CONTROL_BYTES = 64
_BATCH = 256


class Participant(WireClient):
    """A `WireClient` that sees the kernel's receive times, DTLS records and signalling messages."""

    def __init__(
        self,
        server: ServerProcess,
        http: aiohttp.ClientSession,
        room: str,
        identity: str,
        *,
        publish: Sequence[str] = (),
        receive: tuple[int, int] = (0, 0),
        data: bool = False,
        **options: Any,
    ) -> None:
        self.server = server
        self.room = room
        self.identity = identity
        self.token = access_token(room, identity)
        super().__init__(server.url, self.token, http, publish=publish, receive=receive, **options)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._data = data
        self._records: asyncio.Queue[bytes] = asyncio.Queue()
        self._numbers = 0
        self.sid = ""
        self.said: list[rtc.SignalResponse] = []
        """What the server signalled since the answer."""
        self.closed = False
        """Whether the server closed the WebSocket."""
        self.stamps: list[tuple[int, int, int]] = []
        """Of each stamped packet received: its number, when it was sent and when the kernel got it, in ns."""
        self.keep_stamps = False
        self.rtcp: list[bytes] = []
        """Decrypted compound packets, as far as they were asked for by `keep_rtcp`."""
        self.keep_rtcp = False
        self.sctp: RTCSctpTransport | None = None
        self.messages: list[tuple[str, bytes]] = []
        self.channels: dict[str, RTCDataChannel] = {}
        self.hears = True
        """Off: media received is thrown away."""
        self.read_records = True
        """Off: nothing that comes over DTLS is taken, no data is acknowledged."""
        self.on_media: Callable[[bytes, float], object] | None = None
        """Called with each protected RTP packet."""

    # What others need ----------------------------------------------------------------------------

    @property
    def websocket(self) -> aiohttp.ClientWebSocketResponse:
        assert self._ws is not None
        return self._ws

    @property
    def credentials(self) -> tuple[str, str]:
        """The server's ufrag and password for this participant."""
        return self._remote_ufrag, self._remote_password

    @property
    def own_ufrag(self) -> str:
        return self._ufrag

    def heard(self, kind: str) -> list[Any]:
        """Signalling messages of a kind."""
        return [getattr(each, kind) for each in self.said if each.WhichOneof("message") == kind]

    async def signal(self, **message: Any) -> None:
        """Send a SignalRequest."""
        await self.websocket.send_bytes(rtc.SignalRequest(**message).SerializeToString())

    def send_raw(self, data: bytes) -> None:
        """Send a datagram from this participant's address as it is."""
        try:
            self._socket.send(data)
        except (BlockingIOError, ConnectionError):
            pass

    def send_plain_rtp(self, packet: bytes) -> None:
        """Protect and send an RTP packet made by hand; libsrtp refuses the most absurd ones already here."""
        assert self._dtls is not None
        with contextlib.suppress(pylibsrtp.Error):
            self.send_raw(self._dtls._tx_srtp.protect(packet))

    def send_rtcp(self, compound: bytes) -> None:
        """Protect and send RTCP made by hand."""
        assert self._dtls is not None
        self.send_raw(self._dtls._tx_srtp.protect_rtcp(compound))

    async def send_sctp(self, packet: bytes) -> None:
        """Encrypt and send an SCTP packet made by hand."""
        assert self._dtls is not None
        await self._dtls._send_data(packet)

    def send_stamped_audio(self) -> None:
        """One audio packet that says when it was sent."""
        stream = self.outgoing[0]
        self._numbers += 1
        body = b"\x78" + STAMP.pack(time.time_ns(), self._numbers)
        self.send(stream, body + bytes(AUDIO_BYTES - 20 - len(body)), 960 * self._numbers, marker=False)

    # Data channels -------------------------------------------------------------------------------

    async def open_channels(self) -> None:
        """Start SCTP and open LiveKit's two channels; returns when both can be used."""
        assert self._dtls is not None
        dtls: Any = self._dtls
        self.sctp = RTCSctpTransport(dtls, 5000)
        await self.sctp.start(RTCSctpCapabilities(maxMessageSize=1 << 20), 5000)
        for label, options in (
            ("_reliable", {}),
            ("_lossy", {"ordered": False, "maxRetransmits": 0}),
        ):
            parameters = RTCDataChannelParameters(label=label, **options)  # type: ignore[arg-type]
            channel = RTCDataChannel(self.sctp, parameters)
            channel.on("message", lambda message, label=label: self.messages.append((label, message)))
            self.channels[label] = channel
        await wait_until(
            lambda: all(channel.readyState == "open" for channel in self.channels.values()),
            "the data channels are open",
        )

    async def start_sctp(self) -> int:
        """Open channels; the verification tag for packets by hand."""
        await self.open_channels()
        assert self.sctp is not None
        return self.sctp._remote_verification_tag

    # WireClient's parts that differ --------------------------------------------------------------

    def _offer(self) -> str:
        offer = super()._offer()
        if not self._data:
            return offer
        digest = next(f for f in shared_certificate().getFingerprints() if f.algorithm == "sha-256")
        before, _, after = offer.partition("a=group:BUNDLE")
        mids, _, sections = after.partition("\r\n")
        lines = [
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            "a=mid:data",
            f"a=ice-ufrag:{self._ufrag}",
            f"a=ice-pwd:{self._password}",
            f"a=fingerprint:{digest.algorithm} {digest.value}",
            "a=setup:actpass",
            "a=sctp-port:5000",
            "a=max-message-size:65536",
        ]
        bundle = " ".join(["a=group:BUNDLE", *mids.split(), "data"])
        return f"{before}{bundle}\r\n{sections}" + "\r\n".join(lines) + "\r\n"

    async def _wait_for_answer(self) -> str:
        async for message in self.websocket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            response = rtc.SignalResponse.FromString(message.data)
            kind = response.WhichOneof("message")
            if kind == "join":
                self.sid = response.join.participant.sid
            elif kind == "answer":
                return response.answer.sdp
            elif kind == "leave":
                raise ConnectionError(f"the server refused: reason {response.leave.reason}")
        raise ConnectionError("the signalling connection closed before the answer")

    async def _signalling(self) -> None:
        async for message in self.websocket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            response = rtc.SignalResponse.FromString(message.data)
            self.said.append(response)
            if response.WhichOneof("message") == "media_sections_requirement":
                offer = rtc.SessionDescription(type="offer", sdp=self._offer(), id=2)
                await self.signal(offer=offer)
        self.closed = True

    async def _connect(self, answer: str) -> None:
        await super()._connect(answer)
        assert self._dtls is not None
        self._dtls._set_state(State.CONNECTED)  # its own reader was cancelled, which closed it
        self._tasks.append(asyncio.create_task(self._run_records()))

    async def _keep_alive(self) -> None:
        try:
            await super()._keep_alive()
        except ConnectionError:
            return

    def _on_readable(self) -> None:
        receive = self._socket.recvmsg
        for _ in range(_BATCH):
            try:
                data, control, _, _ = receive(2048, _CONTROL_BYTES)
            except (BlockingIOError, ConnectionError):
                return
            if not data:
                continue
            if 20 <= data[0] < 64:
                self._records.put_nowait(data)
            elif 128 <= data[0] < 192 and self.hears:
                self._take_media(data, control)

    def _take_media(self, data: bytes, control: list[tuple[int, int, bytes]]) -> None:
        assert self._dtls is not None
        try:
            if 192 <= data[1] <= 223:
                if self.keep_rtcp:
                    self.rtcp.append(self._dtls._rx_srtp.unprotect_rtcp(data))
                return
            if not self.packets_received:
                self.timings["first_packet"] = time.perf_counter() - self._started
            self.packets_received += 1
            self.bytes_received += len(data)
            if self.on_media is not None:
                self.on_media(data, time.monotonic())
            if not self.keep_stamps:
                return
            plain = self.unprotect(data)
        except pylibsrtp.Error:
            return
        start = 12 + 4 * (plain[0] & 15)
        if plain[0] & 0x10:
            start += 4 + 4 * int.from_bytes(plain[start + 2 : start + 4])
        seconds, nanoseconds = _TIMESPEC.unpack_from(control[0][2])
        sent, number = STAMP.unpack_from(plain, start + 1)
        self.stamps.append((number, sent, seconds * 1_000_000_000 + nanoseconds))

    async def _run_records(self) -> None:
        assert self._dtls is not None
        dtls = self._dtls
        while True:
            record = await self._records.get()
            ssl = dtls._ssl
            receiver = dtls._data_receiver
            if ssl is None or not self.read_records:
                continue
            ssl.bio_write(record)
            try:
                message = ssl.recv(16384)
            except SSL.Error:
                continue
            if message and receiver is not None:
                await receiver._handle_data(message)

    async def abandon(self) -> None:
        """Vanish without a word: what remains is closed, nothing is said."""
        for task in self._tasks:
            task.cancel()
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        if self._ws is not None:
            response: Any = self._ws._response
            if response.connection is not None and response.connection.transport is not None:
                response.connection.transport.abort()
        self._socket.close()


def encoded_join_request(request: rtc.JoinRequest | bytes, *, compress: bool = False) -> str:
    """The ``join_request`` parameter for a request, or for bytes that pretend to be one."""
    raw = request if isinstance(request, bytes) else request.SerializeToString()
    wrapped = rtc.WrappedJoinRequest(join_request=gzip.compress(raw) if compress else raw)
    if compress:
        wrapped.compression = rtc.WrappedJoinRequest.GZIP
    return base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()


def resume_request(sid: str) -> rtc.JoinRequest:
    """What a client sends that wants to go on as the participant `sid`."""
    return rtc.JoinRequest(
        client_info=models.ClientInfo(sdk=models.ClientInfo.GO, protocol=16, version="wire"),
        connection_settings=rtc.ConnectionSettings(auto_subscribe=True),
        reconnect=True,
        participant_sid=sid,
    )
