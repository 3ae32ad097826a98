"""What `raisehand bench` measures, each against a server pinned to a core of its own."""

from __future__ import annotations

import asyncio
import os
import statistics
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from loadtest.server import ServerProcess, access_token
from loadtest.wire import Outgoing, WireClient

VIDEO_CLOCK_HZ = 90_000
AUDIO_CLOCK_HZ = 48_000
SETTLE_S = 1.0
"""Time after the last join before anything is measured."""


class Server:
    """A server process on its own core, and its CPU clock."""

    def __init__(self, process: ServerProcess, http: aiohttp.ClientSession, core: int | None = None) -> None:
        self.process = process
        self.http = http
        self.core = core
        """The core it has for itself; None on a machine with one."""
        self._ps = psutil.Process(process.pid)

    def cpu_s(self) -> float:
        """User and system seconds used so far."""
        times = self._ps.cpu_times()
        return float(times.user + times.system)

    def memory_bytes(self) -> int:
        """Resident memory."""
        return int(self._ps.memory_info().rss)

    def client(
        self, room: str, identity: str, *, publish: tuple[str, ...] = (), receive: tuple[int, int] = (0, 0)
    ) -> WireClient:
        """A client that has not joined yet."""
        return WireClient(
            self.process.url, access_token(room, identity), self.http, publish=publish, receive=receive
        )


@asynccontextmanager
async def pinned_server(data_dir: Path, *arguments: str) -> AsyncIterator[Server]:
    """A server on the first core, ourselves on the others."""
    cores = sorted(os.sched_getaffinity(0))
    async with (
        ServerProcess(data_dir, arguments=arguments) as process,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        if len(cores) > 1:
            os.sched_setaffinity(process.pid, {cores[0]})
            os.sched_setaffinity(0, set(cores[1:]))
        try:
            yield Server(process, http, cores[0] if len(cores) > 1 else None)
        finally:
            os.sched_setaffinity(0, set(cores))


@dataclass(slots=True)
class Forwarding:
    """CPU per forwarded packet."""

    name: str
    fan_out: int
    burst: int
    size: int
    offered_per_s: float
    """Packets per second the server has to send."""
    us_per_packet: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)
    """Share of the packets that reached the receivers' programs."""

    @property
    def median(self) -> float:
        """Median microseconds."""
        return statistics.median(self.us_per_packet)


async def _wait_until_flowing(subscribers: list[WireClient], prime: Callable[[], None]) -> None:
    deadline = time.monotonic() + 15.0
    while any(not client.packets_received for client in subscribers):
        if time.monotonic() > deadline:
            raise TimeoutError("media does not flow")
        prime()
        await asyncio.sleep(0.05)


async def forwarding(
    server: Server,
    name: str,
    *,
    kind: str,
    rooms: int,
    fan_out: int,
    burst: int,
    size: int,
    bursts_per_s: float,
    seconds: float,
    rounds: int,
    between: Callable[[], Awaitable[None]] | None = None,
) -> Forwarding:
    """Publishers send, subscribers count; the server's CPU time is divided by what arrived.

    `between` runs after each round, while nothing is sent.
    """
    publishers = [
        await server.client(f"{name}-{room}", "publisher", publish=(kind,)).join() for room in range(rooms)
    ]
    sections = (1, 0) if kind == "audio" else (0, 1)
    subscribers = [
        await server.client(f"{name}-{room}", f"subscriber-{number}", receive=sections).join()
        for room in range(rooms)
        for number in range(fan_out)
    ]
    clock = AUDIO_CLOCK_HZ if kind == "audio" else VIDEO_CLOCK_HZ
    tick = 0

    def send(client: WireClient, keyframe: bool = False) -> None:
        stream: Outgoing = client.outgoing[0]
        timestamp = int(tick * clock / bursts_per_s)
        if kind == "audio":
            client.send_audio(stream, size, timestamp)
        else:
            client.send_frame(stream, burst, size, timestamp, keyframe=keyframe)

    def prime() -> None:
        nonlocal tick
        tick += 1
        for client in publishers:
            send(client, keyframe=True)

    result = Forwarding(name, fan_out, burst, size, rooms * fan_out * burst * bursts_per_s)
    try:
        await _wait_until_flowing(subscribers, prime)
        await asyncio.sleep(SETTLE_S)
        for _ in range(rounds):
            before_packets = sum(client.packets_received for client in subscribers)
            before_sent = sum(client.outgoing[0].packets for client in publishers)
            before = server.cpu_s()
            started = time.perf_counter()
            sent_bursts = 0
            # Publishers are spread over the interval, as independent callers are.
            step = 1 / (bursts_per_s * rooms)
            while (elapsed := time.perf_counter() - started) < seconds:
                while sent_bursts * step <= elapsed:
                    if sent_bursts % rooms == 0:
                        tick += 1
                    send(publishers[sent_bursts % rooms])
                    sent_bursts += 1
                await asyncio.sleep(max(0.0, sent_bursts * step - (time.perf_counter() - started)))
            await asyncio.sleep(0.1)
            cpu = server.cpu_s() - before
            arrived = sum(client.packets_received for client in subscribers) - before_packets
            expected = (sum(client.outgoing[0].packets for client in publishers) - before_sent) * fan_out
            result.us_per_packet.append(cpu * 1e6 / max(arrived, 1))
            result.delivered.append(arrived / max(expected, 1))
            if between is not None:
                await between()
    finally:
        for client in [*publishers, *subscribers]:
            await client.close()
    return result


@dataclass(slots=True)
class Joining:
    """What joining costs and how long it takes."""

    cpu_ms: list[float]
    connected_ms: list[float]
    memory_kb: float
    """Resident kilobytes per participant while all are connected."""
    participants: int


async def joining(server: Server, *, participants: int, rounds: int) -> Joining:
    """Participants join one after the other, two to a room, as in support calls; then all leave."""
    cpu_ms: list[float] = []
    connected_ms: list[float] = []
    memory: list[float] = []
    for attempt in range(rounds):
        clients: list[WireClient] = []
        memory_before, before = server.memory_bytes(), server.cpu_s()
        try:
            for number in range(participants):
                client = server.client(
                    f"join-{attempt}-{number // 2}", f"p{number}", publish=("audio", "video"), receive=(1, 1)
                )
                clients.append(client)
                await client.join()
                connected_ms.append(client.timings["connected"] * 1000)
            cpu_ms.append((server.cpu_s() - before) * 1000 / participants)
            await asyncio.sleep(SETTLE_S)
            memory.append((server.memory_bytes() - memory_before) / participants / 1000)
        finally:
            for client in clients:
                await client.close()
        await asyncio.sleep(SETTLE_S)
    # Later rounds reuse what earlier ones freed: the first shows the need.
    return Joining(cpu_ms, connected_ms, memory[0], participants)


@dataclass(slots=True)
class FirstMedia:
    """From the beginning of a join to the first packet of a track that is already flowing."""

    audio_ms: list[float]
    video_ms: list[float]


async def first_media(server: Server, *, joins: int) -> FirstMedia:
    """A publisher talks; newcomers join one after the other and wait for its first packet."""
    publisher = await server.client("first", "publisher", publish=("audio", "video")).join()
    audio, video = publisher.outgoing
    running = True

    async def talk() -> None:
        tick = 0
        while running:
            publisher.send_audio(audio, 130, tick * 960)
            if tick % 2 == 0:
                # A key frame each second, or at once when the server asks, as an encoder would.
                publisher.send_frame(video, 3, 1100, tick * 1800, keyframe=tick % 10 == 0)
            tick += 1
            await asyncio.sleep(0.02)

    talking = asyncio.create_task(talk())
    result = FirstMedia([], [])
    try:
        await asyncio.sleep(SETTLE_S)
        for number in range(joins):
            for kind, values in (("audio", result.audio_ms), ("video", result.video_ms)):
                sections = (1, 0) if kind == "audio" else (0, 1)
                client = await server.client("first", f"{kind}-{number}", receive=sections).join()
                await asyncio.wait_for(client.first_packet.wait(), 5.0)
                values.append(client.timings["first_packet"] * 1000)
                await client.close()
    finally:
        running = False
        await talking
        await publisher.close()
    return result


@dataclass(slots=True)
class Latency:
    """Time from a publisher's `send` to the kernel's receipt at the subscriber's socket, on loopback."""

    calls: int
    offered_per_s: float
    p50_ms: float
    p99_ms: float
    joins_per_s: float
    cpu_percent: float
    """Of the server's core while measured."""
    delivered: float


async def latency(server: Server, *, calls: int, seconds: float, joins_per_s: float) -> Latency:
    """Two-party calls with video and screen share both ways while others join."""
    clients: list[WireClient] = []
    for number in range(calls):
        for side in ("student", "agent"):
            clients.append(
                await server.client(
                    f"latency-{number}", side, publish=("video", "video"), receive=(0, 2)
                ).join()
            )
    delays: list[float] = []
    stamp = struct.Struct("!d")

    def measured(client: WireClient) -> Callable[[bytes, float], None]:
        def on_packet(data: bytes, now: float) -> None:
            if len(delays) < 2_000_000 and data[3] & 0x0F == 0:
                plain = client.unprotect(data)
                delays.append(now - stamp.unpack_from(plain, len(plain) - 8)[0])

        return on_packet

    tail = bytes(1064)
    sent = 0
    joined = 0
    started = time.perf_counter()
    frame = 0
    rate = 29.4  # pictures of 8 packets a second and stream: 470 packets a second of both streams together
    try:
        for client in clients:
            client.on_packet = None
        await asyncio.sleep(SETTLE_S)
        for client in clients:
            client.stamp_arrivals()
            client.on_packet = measured(client)
        before_cpu, started = server.cpu_s(), time.perf_counter()
        before = sum(client.packets_received for client in clients)
        streams = [(client, stream) for client in clients for stream in client.outgoing]
        step = 1 / (rate * len(streams))
        joining_task: asyncio.Task[None] | None = None

        async def join_once(number: int) -> None:
            guest = server.client(
                f"guests-{number % 50}", f"guest-{number}", publish=("audio",), receive=(1, 1)
            )
            await guest.join()
            await guest.close()

        pending: set[asyncio.Task[None]] = set()
        while (elapsed := time.perf_counter() - started) < seconds:
            while frame * step <= elapsed:
                client, stream = streams[frame % len(streams)]
                pictures = frame // len(streams)
                for number in range(8):
                    head = b"\x10\x10\x02\x00\x9d\x01\x2a\x00\x05\xd0\x02" if number == 0 else b"\x00" * 11
                    client.send(
                        stream,
                        head + tail[:1061] + stamp.pack(time.time()),
                        pictures * 3060,
                        marker=number == 7,
                    )
                    sent += 1
                frame += 1
            if joined < elapsed * joins_per_s:
                joined += 1
                joining_task = asyncio.create_task(join_once(joined))
                pending.add(joining_task)
                joining_task.add_done_callback(pending.discard)
            await asyncio.sleep(max(0.0, frame * step - (time.perf_counter() - started)))
        lasted = time.perf_counter() - started
        cpu = server.cpu_s() - before_cpu
        await asyncio.sleep(0.2)
        arrived = sum(client.packets_received for client in clients) - before
        if pending:
            await asyncio.gather(*pending, return_exceptions=True)
    finally:
        for client in clients:
            await client.close()
    delays.sort()
    return Latency(
        calls=calls,
        offered_per_s=sent / lasted,
        p50_ms=delays[len(delays) // 2] * 1000,
        p99_ms=delays[int(len(delays) * 0.99)] * 1000,
        joins_per_s=joined / lasted,
        cpu_percent=100 * cpu / lasted,
        delivered=arrived / sent,
    )
