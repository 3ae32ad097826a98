"""Server processes on one database, a Valkey of the test's own, and people on the wire who call."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import pytest

from loadtest.desk_client import DeskClient, DeskEvent, Joinable, Media, Opened
from loadtest.server import ServerProcess
from loadtest.wire_person import WirePerson, staff
from signalling.store import migrate
from signalling.store.engine import Database
from tests.integration.cluster.conftest import Valkey, valkey
from tests.postgres import PostgresMissingError, PostgresServer

__all__ = ["valkey"]

QUEUE = "technical"
RING_S = 20.0
SOON_S = 10.0
LOOK_S = 2.5
"""Between looks at the nodes' processor time; they tell each other every second."""
QUIET_S = 0.15
"""Processor seconds in that time of a node that does next to nothing."""

_numbers = itertools.count(1)


async def kill(server: ServerProcess) -> None:
    """Like a power cut; returns when it is dead."""
    os.kill(server.pid, signal.SIGKILL)
    await server.stop()


async def come_back(person: WirePerson, node: ServerProcess, call: str, *, talk: bool = True) -> None:
    """What a client does whose node is gone: it joins its call by another (or the same, started again)."""
    await person.hang_up()
    person.client.url = node.http_url
    deadline = time.monotonic() + SOON_S
    while True:
        try:
            media = (await person.client.post(f"/calls/{call}/media"))["media"]
            await person.join(Media(media["url"], media["token"]))
            break
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
    if talk:
        await person.talk()


@dataclass
class Talk:
    """A call in which both talk."""

    id: str
    student: WirePerson
    agent: WirePerson

    async def come_back(self, node: ServerProcess) -> None:
        """Both go to `node`, under the same call, and talk on."""
        await asyncio.gather(come_back(self.student, node, self.id), come_back(self.agent, node, self.id))

    def longest_silence_s(self, since: float, until: float) -> float:
        """The longest time in which one of them heard nothing."""
        return max(person.longest_silence_s(since, until) for person in (self.student, self.agent))

    async def both_hear(self, since: float = 0.0, timeout_s: float = SOON_S) -> None:
        """Wait for sound in both directions after a moment (monotonic)."""
        await asyncio.gather(
            self.student.hears(self.agent, since=since, timeout_s=timeout_s),
            self.agent.hears(self.student, since=since, timeout_s=timeout_s),
        )


@dataclass
class Desk:
    """The nodes and the people of a test."""

    data_dir: Path
    redis: str
    database: str
    http: aiohttp.ClientSession
    nodes: list[ServerProcess] = field(default_factory=list)
    people: list[WirePerson] = field(default_factory=list)

    def prepare(self) -> ServerProcess:
        """A further node on the same database, not started yet."""
        arguments = ["--redis", self.redis] if self.redis else []
        arguments += ["--database", self.database] if self.database else []
        server = ServerProcess(
            self.data_dir,
            arguments=arguments,
            environment={"RAISEHAND_DRAIN_TIMEOUT": "1"},
            log_path=self.data_dir / f"node{len(self.nodes)}.log",
        )
        self.nodes.append(server)
        return server

    async def node(self) -> ServerProcess:
        """Start another node on the same database."""
        server = await self.prepare().start()
        if len(self.nodes) == 1:
            admin = await DeskClient.login(server.http_url, "admin", self.http)
            await admin.change_queue(QUEUE, wrapup_s=0, offer_timeout_s=RING_S)
        return server

    async def agent(self, node: ServerProcess, username: str, *, available: bool = True) -> WirePerson:
        """An agent at the console, served by `node`."""
        person = await staff(node.http_url, username, self.http)
        self.people.append(person)
        if available:
            await person.client.set_state("available")
        return person

    async def student(self, node: ServerProcess) -> WirePerson:
        """A student nobody has seen before, served by `node`."""
        identity = f"caller-{next(_numbers)}"
        client = DeskClient.student(node.http_url, identity, self.http, name=identity)
        person = WirePerson(client, await client.events().open())
        self.people.append(person)
        return person

    async def press(self, student: WirePerson, *, join: bool = True) -> Opened:
        """Ask for help, and come into the room."""
        opened = await student.client.ask(kind="voice", topic="no_sound", severity="class_stopping")
        if join:
            student.knows(self.people)
            await student.join(opened.media)
        return opened

    async def ring(self, agent: WirePerson, call: str, *, timeout_s: float = SOON_S) -> DeskEvent:
        """Wait until an agent's console rings for a call."""
        return await agent.stream.wait_for(
            "offer.created", timeout_s=timeout_s, call=call, offer__agent=agent.identity
        )

    async def accept(self, agent: WirePerson, call: str, *, timeout_s: float = SOON_S) -> Joinable:
        """Accept a call's offer."""
        rung = await self.ring(agent, call, timeout_s=timeout_s)
        return await agent.client.accept(str(rung.data["offer"]["id"]))

    async def enter(self, person: WirePerson, media: Joinable | Opened) -> None:
        """Join and talk."""
        person.knows(self.people)
        await person.join(media.media)
        await person.talk()

    async def talk(self, student: WirePerson, agent: WirePerson) -> Talk:
        """A call in which both hear each other."""
        opened = await self.press(student)
        await self.enter(agent, await self.accept(agent, opened.id))
        student.knows(self.people)
        await student.may_publish(timeout_s=SOON_S)
        await student.talk()
        talk = Talk(opened.id, student, agent)
        await talk.both_hear()
        return talk

    async def quiet(self) -> None:
        """Wait until the nodes know of each other that they are idle: then a room stays where it is asked."""
        processes = [psutil.Process(node.pid) for node in self.nodes if psutil.pid_exists(node.pid)]
        spent = [0.0] * len(processes)
        async with asyncio.timeout(SOON_S):
            while True:
                before, spent = spent, [sum(process.cpu_times()[:2]) for process in processes]
                if all(now - then < QUIET_S for now, then in zip(spent, before, strict=True)):
                    return
                await asyncio.sleep(LOOK_S)

    async def state(self, node: ServerProcess, call: str) -> str:
        """A call's state, as `node` says."""
        return str((await DeskClient.service(node.http_url, self.http).call(call))["state"])

    async def until_state(self, node: ServerProcess, call: str, *states: str) -> None:
        """Wait for a state."""
        async with asyncio.timeout(SOON_S):
            while await self.state(node, call) not in states:
                await asyncio.sleep(0.05)

    async def rooms_at(self, node: ServerProcess) -> float:
        """How many rooms a node has, by its metrics."""
        async with self.http.get(f"{node.http_url}/metrics") as answer:
            text = await answer.text()
        lines = [line for line in text.splitlines() if line.startswith("raisehand_rooms ")]
        return float(lines[0].split()[1])


StartDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def start_desk(tmp_path: Path) -> AsyncIterator[StartDesk]:
    """A desk without nodes; `redis` makes them several, `database` is SQLite in a file unless it is given."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        desks: list[Desk] = []

        async def start(redis: str = "", database: str = "") -> Desk:
            desks.append(Desk(tmp_path / "data", redis, database, http))
            return desks[-1]

        yield start
        for desk in desks:
            await asyncio.gather(*(person.close() for person in desk.people), return_exceptions=True)
            await asyncio.gather(*(node.stop() for node in desk.nodes))


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL that the test may stop and start."""
    try:
        server = PostgresServer.create()
    except PostgresMissingError as error:
        pytest.fail(str(error))
    with server:
        yield server


async def make_database(postgres: PostgresServer) -> str:
    """URL of a new, migrated database."""
    url = postgres.url(await asyncio.to_thread(postgres.create_database))
    database = await Database.open(url, Path())
    try:
        await migrate.migrate(database)
    finally:
        await database.close()
    return url


DATABASES = ("sqlite", "postgresql")
"""What the nodes of `pair` share; parametrize it indirectly. SQLite alone if a test does not say."""
LONG_ON_POSTGRESQL = ("sqlite", pytest.param("postgresql", marks=pytest.mark.long))


async def both_known(desk: Desk) -> None:
    """Wait until two nodes know of each other."""

    async def known(node: ServerProcess) -> bool:
        async with desk.http.get(f"{node.http_url}/metrics") as answer:
            return "raisehand_nodes 2.0" in await answer.text()

    async with asyncio.timeout(SOON_S):
        for node in desk.nodes:
            while not await known(node):
                await asyncio.sleep(0.05)


@pytest.fixture
async def pair(request: pytest.FixtureRequest, start_desk: StartDesk, valkey: Valkey) -> Desk:
    """Two nodes on one database that know each other."""
    url = ""
    if getattr(request, "param", "sqlite") == "postgresql":
        url = await make_database(request.getfixturevalue("postgres"))
    desk = await start_desk(valkey.url, url)
    await desk.node()
    await desk.node()
    await both_known(desk)
    return desk
