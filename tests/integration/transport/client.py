"""A WebRTC client made of aiortc's own parts, for talking to the front over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCCertificate, RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcdtlstransport import (
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
)
from aiortc.rtcicetransport import RTCIceCandidate, RTCIceGatherer, RTCIceParameters, RTCIceTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from mediaserver.transport.config import TransportConfig
from mediaserver.transport.front import MediaFront
from mediaserver.transport.peer import PeerTransport
from mediaserver.transport.types import RemoteTransport, TransportState

DEADLINE_S = 8.0


async def eventually(condition: Callable[..., Any], what: str = "condition", *arguments: Any) -> None:
    """Wait for a condition of ``arguments``, with a deadline."""
    end = asyncio.get_running_loop().time() + DEADLINE_S
    while not condition(*arguments):
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"not in time: {what}")
        await asyncio.sleep(0.005)


class Handler:
    """Remembers what the transport said."""

    def __init__(self) -> None:
        self.states: list[TransportState] = []
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.opened: list[str] = []
        self.messages: list[tuple[str, bytes]] = []

    def on_transport_state(self, state: TransportState) -> None:
        self.states.append(state)

    def on_rtp(self, data: bytes, arrival: float) -> None:
        self.rtp.append(data)

    def on_rtcp(self, data: bytes, arrival: float) -> None:
        self.rtcp.append(data)

    def on_data_channel_open(self, label: str) -> None:
        self.opened.append(label)

    def on_data(self, label: str, payload: bytes) -> None:
        self.messages.append((label, payload))


class ClientDtls(RTCDtlsTransport):
    """Keeps decrypted media instead of routing it."""

    def __init__(self, ice: Any, certificate: RTCCertificate) -> None:
        super().__init__(ice, [certificate])
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self._set_role("client")

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        self.rtp.append(data)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        self.rtcp.append(data)


class Client:
    """One remote: ICE (controlling), DTLS client, SCTP."""

    def __init__(self, certificate: RTCCertificate | None = None) -> None:
        self.certificate = certificate or RTCCertificate.generateCertificate()
        self.gatherer = RTCIceGatherer(iceServers=[])
        self.ice = RTCIceTransport(self.gatherer)
        self.ice._connection.ice_controlling = True
        self.dtls = ClientDtls(self.ice, self.certificate)
        self.sctp: RTCSctpTransport | None = None
        self.messages: list[tuple[str, Any]] = []
        self.channels: dict[str, RTCDataChannel] = {}

    @property
    def fingerprints(self) -> tuple[tuple[str, str], ...]:
        return tuple((f.algorithm, f.value) for f in self.certificate.getFingerprints())

    async def describe(self) -> RemoteTransport:
        """What its session description would say."""
        await self.gatherer.gather()
        parameters = self.gatherer.getLocalParameters()
        assert parameters.usernameFragment is not None
        assert parameters.password is not None
        return RemoteTransport(parameters.usernameFragment, parameters.password, self.fingerprints)

    async def connect_ice(self, front: MediaFront, transport: PeerTransport, address: str) -> None:
        await self.ice.addRemoteCandidate(
            RTCIceCandidate(1, "1", address, front.udp_port, 2130706431, "udp", "host")
        )
        await self.ice.addRemoteCandidate(None)
        await self.ice.start(RTCIceParameters(transport.local_ufrag, transport.local_password, iceLite=True))

    async def connect(
        self,
        front: MediaFront,
        transport: PeerTransport,
        address: str = "127.0.0.1",
        profiles: list[SRTPProtectionProfile] | None = None,
    ) -> None:
        if profiles is not None:
            self.dtls._srtp_profiles = profiles
        await self.connect_ice(front, transport, address)
        await self.dtls.start(
            RTCDtlsParameters([RTCDtlsFingerprint("sha-256", transport.fingerprint)], role="server")
        )
        assert self.dtls.state == "connected", self.dtls.state

    async def start_sctp(self) -> None:
        self.sctp = RTCSctpTransport(self.dtls, 5000)
        self.sctp.on("datachannel", self._adopt)
        await self.sctp.start(RTCSctpCapabilities(maxMessageSize=262144), 5000)

    def open_channel(self, label: str, **options: Any) -> RTCDataChannel:
        assert self.sctp is not None
        channel = RTCDataChannel(self.sctp, RTCDataChannelParameters(label=label, **options))
        self._adopt(channel)
        return channel

    def _adopt(self, channel: RTCDataChannel) -> None:
        self.channels[channel.label] = channel
        channel.on("message", lambda message: self.messages.append((channel.label, message)))

    async def close(self) -> None:
        if self.sctp is not None:
            await self.sctp.stop()
        await self.dtls.stop()
        await self.ice.stop()


class Call:
    """A connected client with its transport on the front."""

    def __init__(self, front: MediaFront, client: Client, transport: PeerTransport, handler: Handler) -> None:
        self.front = front
        self.client = client
        self.transport = transport
        self.handler = handler

    @classmethod
    async def connect(
        cls, front: MediaFront, address: str = "127.0.0.1", data: bool = False, **options: Any
    ) -> Call:
        handler = Handler()
        transport = front.create_transport(handler)
        client = Client()
        transport.start(await client.describe())
        await client.connect(front, transport, address, **options)
        await eventually(lambda: transport.state is TransportState.CONNECTED, "connected")
        if data:
            await client.start_sctp()
        return cls(front, client, transport, handler)

    async def media_flows(self, sequence: int) -> bool:
        """Send one packet each way and see it arrive."""
        from tests.integration.transport.packets import rtp

        before = len(self.handler.rtp), len(self.client.dtls.rtp)
        await self.client.dtls._send_rtp(rtp(sequence, ssrc=0x1111))
        packet = rtp(sequence, ssrc=0x2222)
        self.transport.queue.append(packet[:12], packet[12:], 0)
        self.front.schedule_flush()
        await eventually(
            lambda: len(self.handler.rtp) > before[0] and len(self.client.dtls.rtp) > before[1], "media"
        )
        return self.handler.rtp[-1] == rtp(sequence, ssrc=0x1111) and self.client.dtls.rtp[-1] == packet


Connect = Callable[..., Awaitable[Call]]


def make_config(**changes: Any) -> TransportConfig:
    """Loopback only, unless told otherwise."""
    return TransportConfig(**{"hosts": ("127.0.0.1",), **changes})
