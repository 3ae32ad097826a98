"""A LiveKit client reduced to the wire: signalling, ICE, DTLS-SRTP and synthetic RTP, without any codec.

It joins by `/rtc/v1` with one peer connection, sends packets that look like video or audio, counts what it
receives and reports it back (receiver reports, transport-wide feedback) as a browser does. One process can
hold hundreds of them, which makes it the measuring instrument of `raisehand bench`.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from aioice import stun
from aiortc import RTCCertificate
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from livekit.protocol import models, rtc

from mediaserver.rtp.rtcp import ReceiverReport, ReportBlock, TransportFeedback

AUDIO_PAYLOAD_TYPE = 111
VIDEO_PAYLOAD_TYPE = 96
RTX_PAYLOAD_TYPE = 97
MID_EXTENSION, TRANSPORT_SEQUENCE_EXTENSION = 4, 3

FEEDBACK_INTERVAL_S = 0.1
"""As often as libwebrtc sends transport-wide feedback at moderate rates."""

CHECK_INTERVAL_S = 2.5
"""Connectivity checks of a nominated pair (RFC 7675 asks for one every 5 s)."""

DEADLINE_S = 15.0
_RECEIVE_BATCH = 256
_SO_TIMESTAMPNS = 35
_UDP_SEGMENT = 103
_TIMESPEC = struct.Struct("@qq")
_VP8_KEYFRAME = bytes([0x10, 0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0x00, 0x05, 0xD0, 0x02])
_VP8_DELTA = bytes([0x10, 0x11, 0x02, 0x00])

_certificate: RTCCertificate | None = None


def shared_certificate() -> RTCCertificate:
    """One certificate for all clients of this process."""
    global _certificate
    if _certificate is None:
        _certificate = RTCCertificate.generateCertificate()
    return _certificate


@dataclass(slots=True)
class Outgoing:
    """A stream the client sends."""

    kind: str
    """``audio`` or ``video``."""
    cid: str
    ssrc: int
    rtx_ssrc: int
    mid: str
    sequence: int = 1000
    packets: int = 0


@dataclass(slots=True)
class Received:
    """What arrived on one SSRC."""

    packets: int = 0
    highest: int = 0
    first_at: float = 0.0
    last_at: float = 0.0


class _SocketTransport:
    """What aiortc's DTLS transport calls its ICE transport, on a connected socket."""

    role = "controlling"

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    async def _recv(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._socket, 2048)

    async def _send(self, data: bytes) -> None:
        self._socket.send(data)


class WireClient:
    """One participant. Use: `join`, then `send_video`/`send_audio`, then `close`."""

    def __init__(
        self,
        url: str,
        token: str,
        http: aiohttp.ClientSession,
        *,
        publish: Sequence[str] = (),
        receive: tuple[int, int] = (0, 0),
        feedback: bool = True,
    ) -> None:
        """`publish`: kinds of tracks to send; `receive`: how many audio and video sections to offer."""
        self._url = url
        self._token = token
        self._http = http
        self._feedback = feedback
        self._ufrag = secrets.token_hex(4)
        self._password = secrets.token_hex(12)
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._dtls: RTCDtlsTransport | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._transport_sequence = 0
        self._kernel_time = False
        self._arrivals: list[tuple[int, float]] = []
        self._feedback_count = 0
        self._sections: list[tuple[str, Outgoing | None]] = [("audio", None)] * receive[0]
        self._sections += [("video", None)] * receive[1]
        self._offers = 0
        self._remote_ufrag = self._remote_password = ""
        self._outgoing_body: dict[int, bytes] = {}
        self.own_ssrc = secrets.randbits(31) + 1
        self.outgoing: list[Outgoing] = []
        for kind in publish:
            self._new_outgoing(kind)
        self.received: dict[int, Received] = {}
        self.packets_received = 0
        self.bytes_received = 0
        self.signals: list[rtc.SignalResponse] = []
        """Everything the server said since `join` returned, pongs left out."""
        self.ice_restarts = 0
        """Answers with other ICE credentials than the first one's."""
        self.closed_by_server = asyncio.Event()
        """Set when the signalling connection ended or the server said to leave."""
        self.on_packet: Callable[[bytes, float], None] | None = None
        """Called with each protected RTP packet; for latency measurements."""
        self.timings: dict[str, float] = {}
        """Seconds since `join` began: ``signal``, ``answer``, ``connected``, ``first_packet``."""
        self._started = 0.0
        self.first_packet = asyncio.Event()
        """Set when media arrives."""

    # Joining -------------------------------------------------------------------------------------

    async def join(self) -> WireClient:
        """Connect; returns when DTLS is done. Raises TimeoutError, ConnectionError or aiohttp's errors."""
        started = time.perf_counter()
        self._started = started
        request = rtc.JoinRequest(
            client_info=models.ClientInfo(sdk=models.ClientInfo.GO, protocol=16, version="wire"),
            connection_settings=rtc.ConnectionSettings(auto_subscribe=True),
            publisher_offer=self._next_offer(),
            add_track_requests=[self._add_track(stream) for stream in self.outgoing],
        )
        wrapped = rtc.WrappedJoinRequest(join_request=request.SerializeToString())
        query = {"join_request": base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()}
        self._ws = await self._http.ws_connect(
            f"{self._url}/rtc/v1", params=query, headers={"Authorization": f"Bearer {self._token}"}
        )
        self.timings["signal"] = time.perf_counter() - started
        async with asyncio.timeout(DEADLINE_S):
            answer = await self._wait_for_answer()
            self.timings["answer"] = time.perf_counter() - started
            await self._connect(answer)
        self.timings["connected"] = time.perf_counter() - started
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket.fileno(), self._on_readable)
        self._tasks.append(asyncio.create_task(self._signalling()))
        self._tasks.append(asyncio.create_task(self._keep_alive()))
        if self._feedback:
            self._tasks.append(asyncio.create_task(self._report()))
        return self

    def _new_outgoing(self, kind: str) -> Outgoing:
        stream = Outgoing(
            kind,
            f"wire-{secrets.token_hex(6)}",
            secrets.randbits(31) + 1,
            secrets.randbits(31) + 1,
            str(len(self._sections)),
        )
        self._sections.append((kind, stream))
        self.outgoing.append(stream)
        return stream

    async def publish(self, *kinds: str) -> list[Outgoing]:
        """Announce further tracks and offer again; packets may be sent at once."""
        assert self._ws is not None
        streams = [self._new_outgoing(kind) for kind in kinds]
        for stream in streams:
            request = rtc.SignalRequest(add_track=self._add_track(stream))
            await self._ws.send_bytes(request.SerializeToString())
        await self._offer_again()
        return streams

    def _next_offer(self) -> rtc.SessionDescription:
        self._offers += 1
        return rtc.SessionDescription(type="offer", sdp=self._offer(), id=self._offers)

    async def _offer_again(self) -> None:
        assert self._ws is not None
        await self._ws.send_bytes(rtc.SignalRequest(offer=self._next_offer()).SerializeToString())

    def _add_track(self, stream: Outgoing) -> rtc.AddTrackRequest:
        video = stream.kind == "video"
        return rtc.AddTrackRequest(
            cid=stream.cid,
            name=stream.cid,
            type=models.TrackType.VIDEO if video else models.TrackType.AUDIO,
            source=models.TrackSource.CAMERA if video else models.TrackSource.MICROPHONE,
            width=1280 if video else 0,
            height=720 if video else 0,
        )

    async def _wait_for_answer(self) -> str:
        assert self._ws is not None
        async for message in self._ws:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            response = rtc.SignalResponse.FromString(message.data)
            kind = response.WhichOneof("message")
            if kind == "answer":
                return response.answer.sdp
            if kind == "leave":
                raise ConnectionError(f"the server refused: reason {response.leave.reason}")
        raise ConnectionError("the signalling connection closed before the answer")

    def _offer(self) -> str:
        digest = next(f for f in shared_certificate().getFingerprints() if f.algorithm == "sha-256")
        mids = " ".join(str(number) for number in range(len(self._sections)))
        origin = f"o=- 1 {self._offers} IN IP4 127.0.0.1"
        lines = ["v=0", origin, "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
        for number, (kind, stream) in enumerate(self._sections):
            lines += self._section(kind, str(number), stream)
            lines += [
                f"a=ice-ufrag:{self._ufrag}",
                f"a=ice-pwd:{self._password}",
                f"a=fingerprint:{digest.algorithm} {digest.value}",
                "a=setup:actpass",
                "a=rtcp-mux",
                "a=rtcp-rsize",
            ]
        return "\r\n".join(lines) + "\r\n"

    def _section(self, kind: str, mid: str, stream: Outgoing | None) -> list[str]:
        video = kind == "video"
        types = f"{VIDEO_PAYLOAD_TYPE} {RTX_PAYLOAD_TYPE}" if video else str(AUDIO_PAYLOAD_TYPE)
        lines = [f"m={kind} 9 UDP/TLS/RTP/SAVPF {types}", "c=IN IP4 0.0.0.0", f"a=mid:{mid}"]
        if video:
            lines += [
                f"a=rtpmap:{VIDEO_PAYLOAD_TYPE} VP8/90000",
                f"a=rtcp-fb:{VIDEO_PAYLOAD_TYPE} nack",
                f"a=rtcp-fb:{VIDEO_PAYLOAD_TYPE} nack pli",
                f"a=rtcp-fb:{VIDEO_PAYLOAD_TYPE} transport-cc",
                f"a=rtpmap:{RTX_PAYLOAD_TYPE} rtx/90000",
                f"a=fmtp:{RTX_PAYLOAD_TYPE} apt={VIDEO_PAYLOAD_TYPE}",
            ]
        else:
            lines += [
                f"a=rtpmap:{AUDIO_PAYLOAD_TYPE} opus/48000/2",
                f"a=rtcp-fb:{AUDIO_PAYLOAD_TYPE} transport-cc",
            ]
        lines += [
            f"a=extmap:{MID_EXTENSION} urn:ietf:params:rtp-hdrext:sdes:mid",
            f"a=extmap:{TRANSPORT_SEQUENCE_EXTENSION} "
            "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        ]
        if stream is None:
            return [*lines, "a=recvonly"]
        lines += ["a=sendonly", f"a=msid:{stream.cid} {stream.cid}"]
        if video:
            lines += [
                f"a=ssrc-group:FID {stream.ssrc} {stream.rtx_ssrc}",
                f"a=ssrc:{stream.ssrc} cname:wire",
                f"a=ssrc:{stream.rtx_ssrc} cname:wire",
            ]
        else:
            lines.append(f"a=ssrc:{stream.ssrc} cname:wire")
        return lines

    async def _connect(self, answer: str) -> None:
        values = dict(
            line[2:].split(":", 1) for line in reversed(answer.splitlines()) if line.startswith("a=ice-")
            and ":" in line
        )  # fmt: skip
        self._remote_ufrag, self._remote_password = values["ice-ufrag"], values["ice-pwd"]
        fingerprint = next(line for line in answer.splitlines() if line.startswith("a=fingerprint:"))
        algorithm, value = fingerprint.removeprefix("a=fingerprint:").split(" ", 1)
        candidates = [line.split() for line in answer.splitlines() if line.startswith("a=candidate:")]
        port = next(int(fields[5]) for fields in candidates if fields[2].lower() == "udp")
        self._socket.connect(("127.0.0.1", port))
        loop = asyncio.get_running_loop()
        while True:
            self._send_check()
            try:
                data = await asyncio.wait_for(loop.sock_recv(self._socket, 2048), 0.5)
            except TimeoutError:
                continue
            if data[:2] == b"\x01\x01":
                break
        wire: Any = _SocketTransport(self._socket)
        dtls = RTCDtlsTransport(wire, [shared_certificate()])
        dtls._srtp_profiles = [SRTP_AEAD_AES_128_GCM]
        dtls._set_role("client")
        await dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(algorithm, value)], role="server"))
        if dtls.state != "connected":
            raise ConnectionError(f"DTLS is {dtls.state}")
        assert dtls._task is not None
        dtls._task.cancel()  # we read the socket ourselves from here on
        await asyncio.sleep(0)
        self._dtls = dtls

    def _send_check(self) -> None:
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["USERNAME"] = f"{self._remote_ufrag}:{self._ufrag}"
        message.attributes["PRIORITY"] = 2130706431
        message.attributes["ICE-CONTROLLING"] = 1
        message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity(self._remote_password.encode())
        message.add_fingerprint()
        self._socket.send(bytes(message))

    # Sending -------------------------------------------------------------------------------------

    def send(self, stream: Outgoing, payload: bytes, timestamp: int, *, marker: bool) -> None:
        """Protect and send one RTP packet."""
        self._transmit([self._protected(stream, payload, timestamp, marker=marker)])

    def _transmit(self, packets: list[bytes]) -> None:
        """Send packets of equal size as one burst: they reach the server together, as from a network card."""
        try:
            if len(packets) == 1:
                self._socket.send(packets[0])
            else:
                segment = struct.pack("=H", len(packets[0]))
                self._socket.sendmsg([b"".join(packets)], [(socket.IPPROTO_UDP, _UDP_SEGMENT, segment)])
        except (BlockingIOError, ConnectionError):
            pass

    def _protected(self, stream: Outgoing, payload: bytes, timestamp: int, *, marker: bool) -> bytes:
        assert self._dtls is not None
        kind = AUDIO_PAYLOAD_TYPE if stream.kind == "audio" else VIDEO_PAYLOAD_TYPE
        header = struct.pack(
            "!BBHIIHHBHB",
            0x90,
            kind | (0x80 if marker else 0),
            stream.sequence & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            stream.ssrc,
            0xBEDE,
            1,
            TRANSPORT_SEQUENCE_EXTENSION << 4 | 1,
            self._transport_sequence & 0xFFFF,
            0,
        )
        self._transport_sequence += 1
        stream.sequence += 1
        stream.packets += 1
        protected: bytes = self._dtls._tx_srtp.protect(header + payload)
        return protected

    def send_frame(
        self, stream: Outgoing, packets: int, size: int, timestamp: int, *, keyframe: bool
    ) -> None:
        """Send one VP8 picture of so many RTP packets of `size` bytes each, all at once."""
        burst = []
        for number in range(packets):
            head = (_VP8_KEYFRAME if keyframe else _VP8_DELTA) if number == 0 else b"\x00"
            body = self._body(head, size - 20)
            burst.append(self._protected(stream, body, timestamp, marker=number == packets - 1))
        self._transmit(burst)

    def send_audio(self, stream: Outgoing, size: int, timestamp: int) -> None:
        """Send one audio packet of `size` bytes in all."""
        self.send(stream, self._body(b"\x78", size - 20), timestamp, marker=False)

    def _body(self, head: bytes, size: int) -> bytes:
        tail = self._outgoing_body.get(size)
        if tail is None:
            tail = self._outgoing_body[size] = os.urandom(size)
        return head + tail[len(head) :]

    # Receiving -----------------------------------------------------------------------------------

    def stamp_arrivals(self) -> None:
        """From now on `on_packet` gets the kernel's receive time (seconds since 1970) instead of our own.

        What this process takes to come round to a packet is then not measured.
        """
        self._kernel_time = True
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    def _on_readable(self) -> None:
        receive = self._socket.recv
        now = time.perf_counter()
        stamped = self._kernel_time
        arrived_at = now
        for _ in range(_RECEIVE_BATCH):
            try:
                if stamped:
                    data, ancillary, _, _ = self._socket.recvmsg(2048, 64)
                    seconds, nanoseconds = _TIMESPEC.unpack_from(ancillary[0][2])
                    arrived_at = seconds + nanoseconds / 1e9
                else:
                    data = receive(2048)
            except (BlockingIOError, ConnectionError):
                return
            first = data[0]
            if not 128 <= first <= 191 or 192 <= data[1] <= 223:
                continue
            if not self.packets_received:
                self.timings["first_packet"] = now - self._started
                self.first_packet.set()
            self.packets_received += 1
            self.bytes_received += len(data)
            ssrc = int.from_bytes(data[8:12], "big")
            stream = self.received.get(ssrc)
            if stream is None:
                stream = self.received[ssrc] = Received(first_at=now)
            stream.packets += 1
            stream.highest = data[2] << 8 | data[3]
            stream.last_at = now
            if first & 0x10 and data[16] >> 4 == TRANSPORT_SEQUENCE_EXTENSION:
                self._arrivals.append((data[17] << 8 | data[18], now))
            if self.on_packet is not None:
                self.on_packet(data, arrived_at)

    def unprotect(self, data: bytes) -> bytes:
        """The plaintext of a received RTP packet; raises pylibsrtp.Error."""
        assert self._dtls is not None
        return self._dtls._rx_srtp.unprotect(data)

    async def _report(self) -> None:
        assert self._dtls is not None
        while True:
            await asyncio.sleep(FEEDBACK_INTERVAL_S)
            if not self._arrivals:
                continue
            blocks = tuple(
                ReportBlock(ssrc, 0, 0, stream.highest, 0, 0, 0)
                for ssrc, stream in list(self.received.items())[:31]
            )
            compound = ReceiverReport(self.own_ssrc, blocks).pack() + self._transport_feedback().pack()
            try:
                self._socket.send(self._dtls._tx_srtp.protect_rtcp(compound))
            except (BlockingIOError, ConnectionError):
                pass

    def _transport_feedback(self) -> TransportFeedback:
        arrivals, self._arrivals = self._arrivals[-400:], []
        base = arrivals[0][0]
        reference = int(arrivals[0][1] / 0.064)
        previous = reference * 256
        packets: list[tuple[int, int | None]] = []
        expected = base
        for sequence, at in arrivals:
            while expected != sequence and len(packets) < 400:
                packets.append((expected, None))
                expected = (expected + 1) & 0xFFFF
            ticks = int(at * 4000)
            packets.append((sequence, max(-32768, min(32767, ticks - previous))))
            previous = ticks
            expected = (sequence + 1) & 0xFFFF
        self._feedback_count = (self._feedback_count + 1) & 0xFF
        return TransportFeedback(
            self.own_ssrc, 0, base, reference & 0xFFFFFF, self._feedback_count, tuple(packets[:400])
        )

    # Keeping and closing -------------------------------------------------------------------------

    async def _signalling(self) -> None:
        assert self._ws is not None
        async for message in self._ws:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            response = rtc.SignalResponse.FromString(message.data)
            kind = response.WhichOneof("message")
            if kind in ("pong", "pong_resp"):
                continue
            if kind == "leave":
                self.closed_by_server.set()
            self.signals.append(response)
            if kind == "media_sections_requirement":
                needed = response.media_sections_requirement
                self._sections += [("audio", None)] * needed.num_audios
                self._sections += [("video", None)] * needed.num_videos
                await self._offer_again()
            elif kind == "answer":
                self._notice_restart(response.answer.sdp)
        self.closed_by_server.set()

    def _notice_restart(self, answer: str) -> None:
        if f"a=ice-ufrag:{self._remote_ufrag}" not in answer:
            self.ice_restarts += 1

    async def _keep_alive(self) -> None:
        assert self._ws is not None
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            try:
                self._send_check()
            except (BlockingIOError, ConnectionError):
                continue
            ping = rtc.Ping(timestamp=int(time.time() * 1000))
            if self._ws.closed:
                return
            await self._ws.send_bytes(rtc.SignalRequest(ping_req=ping).SerializeToString())

    async def close(self) -> None:
        """Leave the room and free everything."""
        for task in self._tasks:
            task.cancel()
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        if self._ws is not None and not self._ws.closed:
            leave = rtc.SignalRequest(leave=rtc.LeaveRequest(reason=models.DisconnectReason.CLIENT_INITIATED))
            await self._ws.send_bytes(leave.SerializeToString())
            await self._ws.close()
        self._socket.close()
