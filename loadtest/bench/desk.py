"""What `raisehand bench --only desk` measures: from the press to the ring, the switches of a call, crowds."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from loadtest.bench.scenarios import Server, pinned_server
from loadtest.desk_client import DeskClient, EventStream
from loadtest.tokens import platform_token
from loadtest.waiting import wait_until
from loadtest.wire_person import MUSIC, WirePerson, staff

QUEUE = "technical"
SETTLE_S = 0.1
"""After a switch, before the next: packets under way have arrived."""

BURST_HANDLE_S = 6.0
"""How long a call of the burst takes; 20 agents then just keep up with 150 presses a minute."""
BURST_AGENTS = 20

CROWD_AGENT_S = 62.0 / 300
"""How long a chat of the crowd takes, for each agent: five begin and end a second, with 50 events."""
CROWD_SETTLE_S = 10.0
CROWD_WAIT_S = 60.0
_ROUNDING = 1e-9  # 0.95 * 20 is a little more than 19
_SHOWN_ERRORS = 20
_AT_ONCE = 12  # requests under way while a crowd gathers


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0-1) of the values do not exceed; raises ValueError for none."""
    if not values:
        raise ValueError("values: there are none")
    ordered = sorted(values)
    rank = math.ceil(share * len(ordered) - _ROUNDING)
    return ordered[min(len(ordered), max(1, rank)) - 1]


@dataclass(slots=True)
class Times:
    """Measured times of one kind, in seconds."""

    values: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Count and percentiles in milliseconds."""
        return {
            "count": len(self.values),
            "p50_ms": round(percentile(self.values, 0.50) * 1000, 1),
            "p95_ms": round(percentile(self.values, 0.95) * 1000, 1),
            "p99_ms": round(percentile(self.values, 0.99) * 1000, 1),
        }


@asynccontextmanager
async def desk_server(data_dir: Path) -> AsyncIterator[Server]:
    """A pinned server whose technical queue needs no wrap-up."""
    async with pinned_server(data_dir) as server:
        admin = await DeskClient.login(server.process.http_url, "admin", server.http)
        await admin.change_queue(QUEUE, wrapup_s=0)
        yield server


def _student(server: Server, identity: str, **profile: Any) -> DeskClient:
    return DeskClient.student(server.process.http_url, identity, server.http, name=identity, **profile)


async def _hire(server: Server, identity: str) -> DeskClient:
    """A further agent of the technical queue, known to the host platform, with one call or chat at a time."""
    url = server.process.http_url
    service = DeskClient.service(url, server.http, identity=f"hr-{identity}")
    body = {"name": identity, "queues": [QUEUE], "languages": ["zh", "en"], "max_chats": 1}
    await service.put(f"/agents/{identity}", body)
    return DeskClient(url, platform_token(identity, "agent"), server.http, actor=identity)


async def pressing(server: Server, *, presses: int) -> dict[str, Any]:
    """One press after the other while an agent is free: until the ticket is told, until the console rings."""
    agent = await staff(server.process.http_url, "chen", server.http)
    await agent.client.set_state("available")
    ticket, ring = Times(), Times()
    try:
        for number in range(presses):
            student = _student(server, f"press-{number}")
            pressed = time.monotonic()
            opened = await student.ask(
                kind="voice", topic="no_sound", severity="class_stopping", context={"class_id": "301"}
            )
            ticket.values.append(time.monotonic() - pressed)
            rung = await agent.stream.wait_for("offer.created", call=opened.id)
            ring.values.append(rung.arrived_at - pressed)
            await student.cancel(opened.id)
            await agent.stream.wait_for("offer.withdrawn", call=opened.id)
            agent.stream.events.clear()
    finally:
        await agent.client.set_state("offline")
        await agent.close()
    return {"press_to_ticket": ticket.figures(), "press_to_ring": ring.figures()}


async def switches(server: Server, *, rounds: int) -> dict[str, Any]:
    """Whole calls on the wire: how long each switch takes until the first (or last) packet of sound."""
    times: dict[str, Times] = {}

    def keep(name: str, seconds: float) -> None:
        times.setdefault(name, Times()).values.append(max(0.0, seconds))

    url = server.process.http_url
    agent, specialist, supervisor = [await staff(url, name, server.http) for name in ("chen", "lin", "qian")]
    offers = 0
    try:
        for number in range(rounds):
            offers = max(offers, await _call(server, number, agent, specialist, supervisor, keep))
    finally:
        for person in (agent, specialist, supervisor):
            await person.client.set_state("offline")
            await person.close()
    return {name: each.figures() for name, each in times.items()} | {"transfer_offers": offers}


async def _call(
    server: Server,
    number: int,
    agent: WirePerson,
    specialist: WirePerson,
    supervisor: WirePerson,
    keep: Callable[[str, float], None],
) -> int:
    student = WirePerson(_student(server, f"switch-{number}"))
    people = (student, agent, specialist, supervisor)
    for person in people:
        person.knows(people)
        person.heard.clear()
    await agent.client.set_state("available")
    await specialist.client.set_state("away")
    try:
        opened = await student.client.ask(kind="voice", topic="no_sound")
        call = opened.id
        await student.join(opened.media)
        await student.hears(MUSIC)
        rung = await agent.stream.wait_for("offer.created", call=call)

        async def appear() -> None:
            await student.may_publish()
            await student.talk()

        since = time.monotonic()
        appearing = asyncio.create_task(appear())
        accepted = await agent.client.accept(rung.data["offer"]["id"])
        await agent.join(accepted)
        await agent.talk()
        await appearing
        heard = await asyncio.gather(student.hears(agent, since=since), agent.hears(student, since=since))
        keep("accept_to_audio", max(heard) - since)

        await asyncio.sleep(SETTLE_S)
        since = time.monotonic()
        await agent.client.hold(call)
        await student.hears(MUSIC, since=since)
        await asyncio.sleep(SETTLE_S)
        keep("hold", agent.last_heard(student) - since)
        since = time.monotonic()
        await agent.client.resume(call)
        heard = await asyncio.gather(student.hears(agent, since=since), agent.hears(student, since=since))
        keep("resume", max(heard) - since)

        offers = await _transfer(call, student, agent, specialist, keep)
        await _supervise(call, student, specialist, supervisor, keep)
        await specialist.client.end(call)
        await agent.client.set_state("away")
    finally:
        for person in people:
            await person.hang_up()
            if person.events is not None:
                person.stream.events.clear()
    return offers


async def _transfer(
    call: str,
    student: WirePerson,
    agent: WirePerson,
    specialist: WirePerson,
    keep: Callable[[str, float], None],
) -> int:
    await specialist.client.set_state("available")
    mark, before = student.mark_signals(), time.monotonic()
    await agent.client.transfer(call, {"agent": specialist.identity}, kind="warm")
    rung = await specialist.stream.wait_for("offer.created", call=call)
    await specialist.join(await specialist.client.accept(rung.data["offer"]["id"]))
    await specialist.talk()
    since = time.monotonic()
    await asyncio.gather(agent.hears(specialist), specialist.hears(agent), student.hears(MUSIC, since=since))
    await asyncio.sleep(SETTLE_S)
    since = time.monotonic()
    await agent.client.complete_transfer(call)
    heard = await student.hears(specialist, since=since)
    await specialist.hears(student, since=since)
    keep("transfer", heard - since)
    keep("transfer_silence", student.longest_silence_s(before, time.monotonic()))
    return student.offers_since(mark)


async def _supervise(
    call: str,
    student: WirePerson,
    agent: WirePerson,
    supervisor: WirePerson,
    keep: Callable[[str, float], None],
) -> None:
    client, identity = supervisor.client, supervisor.identity
    since = time.monotonic()
    joined = await client.drop_in(call, agent=identity, mode="monitor", force=True)
    await supervisor.join(joined)
    await supervisor.talk()
    keep("monitor_joining", await supervisor.hears(student, since=since) - since)
    await asyncio.sleep(SETTLE_S)
    since = time.monotonic()
    await client.set_mode(call, identity, "whisper")
    keep("whisper", await agent.hears(supervisor, since=since) - since)
    await asyncio.sleep(SETTLE_S)
    since = time.monotonic()
    await client.set_mode(call, identity, "barge")
    keep("barge", await student.hears(supervisor, since=since) - since)
    await asyncio.sleep(SETTLE_S)
    since = time.monotonic()
    await client.set_mode(call, identity, "monitor")
    await asyncio.sleep(2 * SETTLE_S)
    keep("monitor", student.last_heard(supervisor) - since)


# Crowds ------------------------------------------------------------------------------------------------


class Floor:
    """Agents who accept what rings and end each call after a while, told by one supervisor's stream."""

    def __init__(self, stream: EventStream, agents: dict[str, DeskClient], handle_s: float) -> None:
        self._stream = stream
        self._agents = agents
        self._handle_s = handle_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._read = 0
        self.times: dict[str, Times] = {"accept": Times(), "end": Times()}
        self.rung: dict[str, float] = {}
        """When (monotonic) a call rang first."""
        self.errors: list[str] = []

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                events = self._stream.events
                for event in events[self._read :]:
                    if event.type == "offer.created" and event.call is not None:
                        self.rung.setdefault(event.call, event.arrived_at)
                        self._begin(
                            self._agents.get(event.data["offer"]["agent"]), event.data["offer"], event.call
                        )
                self._read = len(events)
                await asyncio.sleep(0.01)
        finally:
            for task in self._tasks:
                task.cancel()

    def _begin(self, agent: DeskClient | None, offer: dict[str, Any], call: str) -> None:
        if agent is None:
            return
        task = asyncio.create_task(self._handle(agent, str(offer["id"]), call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, agent: DeskClient, offer: str, call: str) -> None:
        try:
            await self._timed("accept", agent.accept(offer))
            await asyncio.sleep(self._handle_s * random.uniform(0.1, 1.9))
            await self._timed("end", agent.end(call))
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    async def _timed(self, name: str, work: Awaitable[object]) -> None:
        began = time.monotonic()
        await work
        self.times[name].values.append(time.monotonic() - began)


async def burst(
    server: Server, *, presses: int, seconds: float, agents: int = BURST_AGENTS
) -> dict[str, Any]:
    """A class breaks: `presses` students press within `seconds`, every tenth of them twice at once."""
    url = server.process.http_url
    hired = {name: await _hire(server, name) for name in (f"burst-agent-{n}" for n in range(agents))}
    supervisor = await staff(url, "qian", server.http)
    for agent in hired.values():
        await agent.set_state("available")
    floor = Floor(supervisor.stream, hired, BURST_HANDLE_S)
    handling = asyncio.create_task(floor.run())
    ticket = Times()
    calls: dict[str, set[str]] = {}
    tickets: dict[str, set[str]] = {}
    pressed_at: dict[str, float] = {}

    async def press(number: int, at: float) -> None:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        identity = f"burst-{number}"
        student = _student(server, identity)
        began = time.monotonic()

        async def once() -> None:
            opened = await student.ask(
                kind="voice", topic="no_sound", severity="class_stopping", context={"class_id": "301"}
            )
            ticket.values.append(time.monotonic() - began)
            calls.setdefault(identity, set()).add(opened.id)
            tickets.setdefault(identity, set()).add(opened.ticket)
            pressed_at.setdefault(opened.id, began)

        await asyncio.gather(*(once() for _ in range(2 if number % 10 == 0 else 1)))

    try:
        started = time.monotonic()
        chance = random.Random(7)
        moments = sorted(chance.uniform(0, seconds) for _ in range(presses))
        await asyncio.gather(*(press(n, started + moment) for n, moment in enumerate(moments)))
        ours = {call for each in calls.values() for call in each}
        await wait_until(lambda: ours <= set(floor.rung), "every call rings", CROWD_WAIT_S)
    finally:
        handling.cancel()
        await asyncio.gather(handling, return_exceptions=True)
        for agent in hired.values():
            await agent.set_state("offline")
        await supervisor.close()
    ring = Times([floor.rung[call] - at for call, at in pressed_at.items()])
    return {
        "presses": presses,
        "seconds": seconds,
        "agents": agents,
        "ticketed": len(tickets),
        "duplicates": sum(len(each) - 1 for each in [*calls.values(), *tickets.values()]),
        "press_to_ticket": ticket.figures(),
        "press_to_ring": ring.figures(),
        "errors": floor.errors[:_SHOWN_ERRORS],
    }


class Listeners:
    """Open event streams of which only the number of messages is looked at: pages that somebody has open."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._tasks: list[asyncio.Task[None]] = []
        self.messages = 0

    async def add(self, client: DeskClient) -> None:
        """Open the stream of this actor."""
        socket = await self._server.http.ws_connect(
            f"{client.url}/v1/events", headers={"Authorization": f"Bearer {client.token}"}, max_msg_size=0
        )
        self._tasks.append(asyncio.create_task(self._drain(socket)))

    async def _drain(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for _ in socket:
            self.messages += 1

    async def close(self) -> None:
        """Close them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def crowd(
    server: Server, *, waiting: int, agents: int, seconds: float, listening: bool = True
) -> dict[str, Any]:
    """`waiting` students wait for a chat while `agents` work: the time of each command.

    With `listening` every student and every agent has an event stream open, as their pages do.
    """
    supervisor = await staff(server.process.http_url, "qian", server.http)
    listeners = Listeners(server)
    limit = asyncio.Semaphore(_AT_ONCE)
    numbers = itertools.count()
    press_times = Times()

    async def press() -> None:
        student = _student(server, f"crowd-{next(numbers)}")
        async with limit:
            began = time.monotonic()
            await student.ask(kind="chat", topic="no_sound")
            press_times.values.append(time.monotonic() - began)
            if listening:
                await listeners.add(student)

    hired: dict[str, DeskClient] = {}

    async def hire(name: str) -> None:
        async with limit:
            hired[name] = await _hire(server, name)
            if listening:
                await listeners.add(hired[name])

    async def begin_work(agent: DeskClient) -> None:
        async with limit:
            await agent.set_state("available")

    began = time.monotonic()
    await asyncio.gather(*(press() for _ in range(waiting + agents)))
    gathered_s = time.monotonic() - began
    await asyncio.gather(*(hire(f"crowd-agent-{n}") for n in range(agents)))
    handle_s = agents * CROWD_AGENT_S
    floor = Floor(supervisor.stream, hired, handle_s)
    handling = asyncio.create_task(floor.run())
    pressing_on: set[asyncio.Task[None]] = set()
    try:
        await asyncio.gather(*(begin_work(agent) for agent in hired.values()))
        await wait_until(lambda: len(floor.times["accept"].values) >= agents, "all agents talk", CROWD_WAIT_S)
        await asyncio.sleep(CROWD_SETTLE_S)  # from here on chats end and begin evenly
        for each in (press_times, *floor.times.values()):
            each.values.clear()
        events_before, cpu_before, started = len(supervisor.stream.events), server.cpu_s(), time.monotonic()
        listeners.messages = 0
        rate = agents / handle_s  # as many press as are helped
        while (elapsed := time.monotonic() - started) < seconds:
            while len(pressing_on) < elapsed * rate:
                pressing_on.add(asyncio.create_task(press()))
            await asyncio.sleep(1 / rate)
        lasted = time.monotonic() - started
        cpu = server.cpu_s() - cpu_before
        events = len(supervisor.stream.events) - events_before
        heard = listeners.messages
        board = await supervisor.client.queue(QUEUE)
    finally:
        handling.cancel()
        await asyncio.gather(handling, *pressing_on, return_exceptions=True)
        await listeners.close()
        await supervisor.close()
    commands = [*press_times.values, *floor.times["accept"].values, *floor.times["end"].values]
    return {
        "waiting": board["waiting"],
        "agents": agents,
        "gathered_per_s": round((waiting + agents) / gathered_s, 1),
        "commands_per_s": round(len(commands) / lasted, 1),
        "events_per_s": round(events / lasted, 1),
        "messages_per_s": round(heard / lasted),
        "cpu_percent": round(100 * cpu / lasted),
        "command": Times(commands).figures(),
        "press": press_times.figures(),
        "errors": floor.errors[:_SHOWN_ERRORS],
    }


async def measure(data_dir: Path, *, quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """All of it; each on a server of its own."""
    figures: dict[str, Any] = {}
    say("desk: press, ticket, ring")
    async with desk_server(data_dir / "press") as server:
        figures["pressing"] = await pressing(server, presses=20 if quick else 200)
    say("desk: switches of a call")
    async with desk_server(data_dir / "switches") as server:
        figures["switches"] = await switches(server, rounds=3 if quick else 20)
    say("desk: a class presses")
    async with desk_server(data_dir / "burst") as server:
        presses, seconds = (25, 10.0) if quick else (150, 60.0)
        figures["burst"] = await burst(server, presses=presses, seconds=seconds)
    say("desk: a crowd waits")
    async with desk_server(data_dir / "crowd") as server:
        waiting, agents, seconds = (100, 20, 5.0) if quick else (2000, 300, 30.0)
        figures["crowd"] = await crowd(server, waiting=waiting, agents=agents, seconds=seconds)
    return figures


# Tables ------------------------------------------------------------------------------------------------

_PRESSING = (
    ("press_to_ticket", "press → ticket", "p95 ≤ 100"),
    ("press_to_ring", "press → a free agent's console rings", "p95 ≤ 300"),
)
_SWITCHES = (
    ("accept_to_audio", "accept → both hear (joining included)", "p95 ≤ 500"),
    ("hold", "hold → the student's last packet", "≤ 100"),
    ("resume", "resume → both hear", "≤ 100"),
    ("transfer", "warm transfer → the specialist is heard", ""),
    ("transfer_silence", "longest silence of a transfer", "≤ 300"),
    ("monitor_joining", "monitor → hears (joining included)", ""),
    ("whisper", "monitor → whisper", "≤ 100"),
    ("barge", "whisper → barge", "≤ 100 + 1.5 round trips"),
    ("monitor", "barge → monitor: last packet", "≤ 100"),
)


def rows(figures: dict[str, Any]) -> list[tuple[str, list[list[str]]]]:
    """The tables of a report: title, heading and rows."""

    def row(name: str, times: dict[str, float], target: str) -> list[str]:
        parts = [f"{times[key]:.0f}" for key in ("p50_ms", "p95_ms", "p99_ms")]
        return [name, str(times["count"]), *parts, target]

    heading = ["what (ms)", "count", "p50", "p95", "p99", "target"]
    pressed, burst_, crowd_ = figures["pressing"], figures["burst"], figures["crowd"]
    calls = [heading]
    calls += [row(name, pressed[key], target) for key, name, target in _PRESSING]
    calls += [row(name, figures["switches"][key], target) for key, name, target in _SWITCHES]
    crowds = [heading]
    title = f"{burst_['presses']} presses in {burst_['seconds']:g} s, {burst_['agents']} agents"
    crowds.append(row(f"{title}: ticket", burst_["press_to_ticket"], "p99 ≤ 500"))
    crowds.append(row("the same: ring (agents are busy)", burst_["press_to_ring"], ""))
    title = f"{crowd_['waiting']:,} waiting, {crowd_['agents']} agents, {crowd_['events_per_s']:g} events/s"
    crowds.append(row(f"{title}: each command", crowd_["command"], "p99 ≤ 100"))
    crowds.append(row("the same: press → ticket", crowd_["press"], "p95 ≤ 100"))
    counts = [
        ["count", "measured", "target"],
        ["re-offers to the student in a transfer", str(figures["switches"]["transfer_offers"]), "≤ 1"],
        ["burst: students with a ticket", f"{burst_['ticketed']} of {burst_['presses']}", "all"],
        ["burst: duplicates", str(burst_["duplicates"]), "0"],
        ["crowd: commands/s of clients", f"{crowd_['commands_per_s']:g}", ""],
        ["crowd: messages/s to open pages", f"{crowd_['messages_per_s']:,}", ""],
        ["crowd: the server's core meanwhile", f"{crowd_['cpu_percent']} %", "< 100 %"],
        ["errors of agents in burst and crowd", str(len(burst_["errors"] + crowd_["errors"])), "0"],
    ]
    return [("A call at the desk", calls), ("Crowds", crowds), ("Counts", counts)]
