"""A server of our own for the session, and people who ask for help and give it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from loadtest.desk_client import DeskClient, DeskEvent, Joinable, Media, Opened
from loadtest.server import ServerProcess
from loadtest.wire_person import WirePerson, staff

QUEUE = "technical"
RING_S = 20.0

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    process = ServerProcess(
        tmp_path_factory.mktemp("desk"),
        environment={"RAISEHAND_DRAIN_TIMEOUT": "1"},
    )
    async with process, aiohttp.ClientSession() as http:
        admin = await DeskClient.login(process.http_url, "admin", http)
        await admin.change_queue(QUEUE, wrapup_s=0, offer_timeout_s=RING_S)
        yield process


class Desk:
    """What a test needs of the desk, and how it is tidied up afterwards."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http
        self.people: list[WirePerson] = []
        self.service = DeskClient.service(url, http)

    async def agent(self, username: str, *, available: bool = True) -> WirePerson:
        """An agent at the console."""
        person = await staff(self.url, username, self.http)
        self.people.append(person)
        if available:
            await person.client.set_state("available")
        return person

    async def student(self, **profile: object) -> WirePerson:
        """A student nobody has seen before."""
        identity = f"student-{next(_numbers)}"
        client = DeskClient.student(self.url, identity, self.http, name=identity, **profile)
        person = WirePerson(client, await client.events().open())
        self.people.append(person)
        return person

    def guest(self, identity: str, token: str) -> WirePerson:
        """Somebody with an invitation."""
        person = WirePerson(DeskClient(self.url, token, self.http, actor=identity))
        self.people.append(person)
        return person

    async def change_queue(self, **changes: object) -> None:
        """Set the queue until the end of the test."""
        await self.service.change_queue(QUEUE, **changes)

    async def press(self, student: WirePerson, **body: Any) -> Opened:
        """Ask for help, and come into the room."""
        asked = {"kind": "voice", "topic": "no_sound", "severity": "class_stopping", **body}
        opened = await student.client.ask(**asked)
        student.knows(person for person in self.people)
        await student.join(opened.media)
        return opened

    async def ring(self, agent: WirePerson, call: str) -> str:
        """Wait until an agent's console rings for a call; the offer."""
        rung = await agent.stream.wait_for("offer.created", call=call, offer__agent=agent.identity)
        return str(rung.data["offer"]["id"])

    async def talk(self, student: WirePerson, agent: WirePerson, **body: Any) -> str:
        """A call in which both hear each other; returns its id."""
        opened = await self.press(student, **body)
        accepted = await agent.client.accept(await self.ring(agent, opened.id))
        await self.enter(agent, accepted.media)
        await student.may_publish()
        await student.talk()
        await asyncio.gather(student.hears(agent), agent.hears(student))
        await student.stream.wait_for("call.connected", call=opened.id)  # nothing of this is told later
        return opened.id

    async def enter(self, person: WirePerson, media: Media | Joinable | None) -> None:
        """Join and talk."""
        for each in self.people:
            each.knows(self.people)
        await person.join(media)
        await person.talk()

    async def log(self, call: str, *, until: str) -> list[DeskEvent]:
        """All events of a call, as the routing layer sees them, up to the first of a type."""
        async with self.service.events(after=0) as stream:
            await stream.wait_for(until, call=call)
            return [event for event in stream.events if event.call == call]

    async def tidy_up(self) -> None:
        """End the calls, send everybody home."""
        for state in ("queued", "offered"):
            for call in await self.service.calls(state=state):
                await self.service.cancel(call["id"])
        for state in ("connecting", "active", "held"):
            for call in await self.service.calls(state=state):
                await self.service.end(call["id"])
        for person in self.people:
            if person.client.token.startswith("rhs_"):
                await person.client.set_state("offline")
            await person.close()
        await self.service.change_queue(QUEUE, offer_timeout_s=RING_S)


@pytest_asyncio.fixture
async def desk(server: ServerProcess) -> AsyncIterator[Desk]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        desk = Desk(server.http_url, http)
        try:
            yield desk
        finally:
            await desk.tidy_up()
