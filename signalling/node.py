"""A node: media front, rooms and HTTP in one process on one event loop, from start to drain."""

from __future__ import annotations

import asyncio
import datetime
import signal as signals
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from mediaserver.room.control import LocalRoomControl
from mediaserver.room.limits import RoomLimits
from mediaserver.room.manager import RoomManager
from mediaserver.room.model import LeaveReason, new_sid
from mediaserver.room.opus_file import read_opus_packets
from mediaserver.transport.config import Batching, TransportConfig
from mediaserver.transport.front import MediaFront
from mediaserver.transport.types import Candidate
from signalling.addresses import host_in_url, own_addresses
from signalling.app import create_app
from signalling.certificates import LocalCertificate, ensure_local_certificate, server_context
from signalling.cluster.nodes import CpuMeter, NodeLoad
from signalling.errors import ConfigurationError
from signalling.garbage import Garbage
from signalling.livekit.server import SignalServer
from signalling.logs import AccessLog
from signalling.service.runtime import DeskRuntime
from signalling.settings import Settings

GREETING = Path(__file__).with_name("sounds") / "greeting.opus"

FAREWELL_S = 2.0
"""Seconds that clients get to hear that the server stops."""

DRAIN_LOOK_S = 0.25
"""Seconds between looks whether all calls have ended."""

HTTP_HEADER_BYTES = 32_768
"""One header field: tokens may be long."""

_log = structlog.get_logger("node")


class TcpOnlyFront(MediaFront):
    """A front that tells clients of its TCP port only."""

    def candidates(self) -> list[Candidate]:
        """Our host candidates without the UDP ones."""
        return [candidate for candidate in super().candidates() if candidate.protocol == "tcp"]


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a node can be reached, with the ports it really has."""

    host: str
    port: int
    udp_port: int | None
    tcp_port: int | None
    media_addresses: tuple[str, ...]
    secure: bool
    authority: Path | None
    """The local CA of `--dev-tls`."""


class Node:
    """One node. `start`, then `run_until_stopped`, or `drain` and `stop`."""

    def __init__(
        self,
        settings: Settings,
        front: MediaFront,
        rooms: RoomManager,
        signal: SignalServer,
        desk: DeskRuntime,
        runner: web.AppRunner,
        listening: Listening,
    ) -> None:
        self.settings = settings
        self.front = front
        self.rooms = rooms
        self.signal = signal
        self.desk = desk
        self.listening = listening
        self._runner = runner
        self._tasks = [
            asyncio.create_task(rooms.run(), name="rooms"),
            asyncio.create_task(signal.run(), name="token refresh"),
        ]
        self.garbage = Garbage(lambda: rooms.participant_count + desk.board.board.waiting)
        self._stopping = asyncio.Event()
        self._cpu = CpuMeter()

    @classmethod
    async def start(cls, settings: Settings) -> Node:
        """Bind everything and begin to serve.

        Raises ConfigurationError when a port is taken or a certificate cannot be used.
        """
        certificate = _local_certificate(settings)
        context = _tls_context(settings, certificate)
        front = await _create_front(settings)
        desk: DeskRuntime | None = None
        try:
            greeting = read_opus_packets(GREETING) if settings.media.greeting else ()
            rooms = RoomManager(front, room_limits(settings), greeting=greeting)
            node_id = new_sid("ND_")
            signal = SignalServer(settings, rooms, node_id=node_id)
            control = LocalRoomControl(rooms)
            desk = await DeskRuntime.start(settings, control, node_id=node_id)
            desk.api.draining = lambda: signal.draining
            signal.doorkeeper = desk.conductor
            app = create_app(
                settings,
                front,
                rooms,
                control,
                signal,
                desk,
                local_authority=certificate.authority if certificate else None,
            )
            if settings.redis:
                app.add_routes(list(desk.rooms.routes()))
                app.middlewares.append(desk.cluster.middleware)
            runner = web.AppRunner(
                app,
                access_log_class=AccessLog,
                max_line_size=settings.limits.request_line_bytes,
                max_field_size=HTTP_HEADER_BYTES,
                keepalive_timeout=settings.limits.request_header_s,
                shutdown_timeout=FAREWELL_S,
            )
            await runner.setup()
            site = web.TCPSite(runner, settings.bind_host, settings.port, ssl_context=context)
            try:
                await site.start()
            except OSError as error:
                await runner.cleanup()
                raise ConfigurationError(
                    f"cannot listen on {settings.bind_host} port {settings.port}: {error.strerror}; "
                    "choose another with --port"
                ) from None
        except BaseException:
            if desk is not None:
                await desk.stop()
            await front.close()
            raise
        port = int(runner.addresses[0][1])
        listening = Listening(
            host=settings.bind_host,
            port=port,
            udp_port=front.udp_port if settings.media.udp_candidates else None,
            tcp_port=front.tcp_port,
            media_addresses=tuple(dict.fromkeys(candidate.address for candidate in front.candidates())),
            secure=context is not None,
            authority=certificate.authority if certificate else None,
        )
        _log.info(
            "serving", host=listening.host, port=port, udp_port=listening.udp_port, tcp_port=front.tcp_port
        )
        node = cls(settings, front, rooms, signal, desk, runner, listening)
        if settings.redis:
            try:
                await node._join_others()
            except BaseException:
                await node.stop()
                raise
        return node

    async def _join_others(self) -> None:
        """Become one of several nodes: own rooms, and pass on what is about others' rooms."""
        await self.desk.cluster.join(
            self.settings,
            internal_url=internal_url(self.settings, self.listening),
            media_addresses=self.listening.media_addresses,
            version=self.desk.api.version,
            load=self.load,
            rooms=lambda: list(self.rooms.rooms),
            room_lost=self._end_lost_room,
            ssl_context=_internal_tls(self.listening),
        )
        self.desk.watch_rooms()

    def load(self) -> NodeLoad:
        """How busy this node is; the processor's share is that since the last question."""
        return NodeLoad(
            rooms=len(self.rooms.rooms),
            participants=self.rooms.participant_count,
            cpu=self._cpu.share(),
            max_participants=self.rooms.limits.max_participants_per_node,
            draining=self.signal.draining,
        )

    def _end_lost_room(self, name: str) -> None:
        """Another node owns it now: clients come back there."""
        if self.rooms.get(name) is not None:
            self.rooms.delete(name, LeaveReason.SERVER_SHUTDOWN)

    def begin_drain(self) -> None:
        """Take no new calls; those in progress go on."""
        if not self.signal.draining:
            self.signal.draining = True
            _log.info("draining", participants=self.rooms.participant_count)

    def request_stop(self) -> None:
        """End `run_until_stopped` at once."""
        self._stopping.set()

    async def drain(self) -> None:
        """Wait until nobody is in a call, at most `drain_timeout` seconds."""
        self.begin_drain()
        try:
            async with asyncio.timeout(self.settings.drain_timeout):
                while self.rooms.participant_count:  # noqa: ASYNC110  (rooms have no event for being empty)
                    await asyncio.sleep(DRAIN_LOOK_S)
        except TimeoutError:
            _log.warning("drain timeout", participants=self.rooms.participant_count)

    async def run_until_stopped(self, on_signal: Callable[[bool], None] | None = None) -> None:
        """Serve until told to stop: SIGTERM drains, a second one (or SIGINT) ends at once.

        `on_signal` is told whether a drain begins. Raises what a failed task of the node raised.
        """
        loop = asyncio.get_running_loop()
        drain_requested = asyncio.Event()

        def terminate() -> None:
            if drain_requested.is_set():
                self.request_stop()
            else:
                drain_requested.set()
                if on_signal:
                    on_signal(True)

        def interrupt() -> None:
            self.request_stop()
            if on_signal:
                on_signal(False)

        loop.add_signal_handler(signals.SIGTERM, terminate)
        loop.add_signal_handler(signals.SIGINT, interrupt)

        async def drained() -> None:
            await drain_requested.wait()
            await self.drain()

        waiting: list[asyncio.Task[Any]] = [
            asyncio.create_task(drained()),
            asyncio.create_task(self._stopping.wait()),
        ]
        self.garbage.begin()
        self._tasks.append(asyncio.create_task(self.garbage.run(), name="garbage"))
        try:
            owned = [*self._tasks, *self.desk.tasks]
            await asyncio.wait([*waiting, *owned], return_when=asyncio.FIRST_COMPLETED)
            for task in owned:
                if task.done():
                    task.result()
        finally:
            loop.remove_signal_handler(signals.SIGTERM)
            loop.remove_signal_handler(signals.SIGINT)
            for task in waiting:
                task.cancel()
            await self.stop()

    async def stop(self) -> None:
        """End all calls, telling clients to come back, and close everything."""
        self.begin_drain()
        await self.rooms.close(LeaveReason.SERVER_SHUTDOWN)
        if self.desk.cluster.joined:
            await self.desk.cluster.proxy.stop()
        await self._runner.cleanup()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.desk.stop()
        await self.front.close()
        _log.info("stopped")


def internal_url(settings: Settings, listening: Listening) -> str:
    """Where other nodes reach this node's HTTP."""
    if settings.internal_url:
        return settings.internal_url
    host = listening.host
    if host in ("", "0.0.0.0", "::"):  # noqa: S104  (every address)
        host = next(iter(own_addresses()), "127.0.0.1")
    scheme = "https" if listening.secure else "http"
    return f"{scheme}://{host_in_url(host)}:{listening.port}"


def room_limits(settings: Settings) -> RoomLimits:
    """The part of the limits that rooms hold to."""
    limits = settings.limits
    return RoomLimits(
        max_rooms=limits.rooms_per_node,
        max_participants_per_room=limits.participants_per_room,
        max_participants_per_node=limits.participants_per_node,
        max_tracks_per_participant=limits.tracks_per_participant,
        max_metadata_bytes=limits.metadata_bytes,
        max_attributes_bytes=limits.attributes_bytes,
        max_name_bytes=limits.name_bytes,
        max_sdp_bytes=limits.sdp_bytes,
        resume_window_s=settings.signal.resume_window_s,
    )


def transport_config(settings: Settings) -> TransportConfig:
    """The part of the settings that the media front holds to."""
    media = settings.media
    advertised = media.advertised_addresses
    if not advertised and settings.dev:
        advertised = ("127.0.0.1", *own_addresses())
    return TransportConfig(
        hosts=media.listen,
        udp_port=settings.udp_port,
        tcp_port=settings.tcp_port if media.tcp_candidates else None,
        advertised_addresses=advertised,
        batching=Batching(media.batching),
        gso=media.gso,
        disconnected_after_s=media.disconnected_after_s,
        gone_after_s=media.gone_after_s,
        max_message_bytes=settings.limits.data_message_bytes,
    )


async def _create_front(settings: Settings) -> MediaFront:
    kind = MediaFront if settings.media.udp_candidates else TcpOnlyFront
    try:
        return await kind.create(transport_config(settings))
    except OSError as error:
        raise ConfigurationError(
            f"cannot open the media ports (UDP {settings.udp_port}, TCP {settings.tcp_port}): "
            f"{error.strerror or error}; choose others with --udp-port and --tcp-port"
        ) from None


def _local_certificate(settings: Settings) -> LocalCertificate | None:
    if not settings.dev_tls:
        return None
    names = ["localhost", "127.0.0.1", "::1", *own_addresses()]
    try:
        return ensure_local_certificate(
            settings.data_dir / "dev-tls", names, now=datetime.datetime.now(datetime.UTC)
        )
    except OSError as error:
        raise ConfigurationError(
            f"cannot keep the local certificate in {settings.data_dir}: {error}"
        ) from None


def _internal_tls(listening: Listening) -> ssl.SSLContext | None:
    """Trusts the local CA of `--dev-tls`; None: public authorities."""
    return ssl.create_default_context(cafile=listening.authority) if listening.authority else None


def _tls_context(settings: Settings, local: LocalCertificate | None) -> ssl.SSLContext | None:
    if local is not None:
        return server_context(local.certificate, local.key)
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        return server_context(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"tls_cert and tls_key cannot be used: {error}") from None
