"""PostgreSQL stops and comes back while people call; and two nodes meet an empty one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest

from loadtest.desk_client import DeskClient, Opened, ProblemError
from loadtest.wire_person import WirePerson
from signalling.store import migrate
from signalling.store.engine import Database
from tests.integration.cluster.conftest import Valkey
from tests.integration.kills.conftest import SOON_S, StartDesk, both_known, make_database
from tests.integration.kills.test_kills import GAP_S
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PRESSING = 5
AFTERWARDS_S = 30.0
"""Deadline for the desk to be at work again: a connection attempt of its own may be under way."""


async def _press_until_accepted(student: WirePerson) -> Opened:
    while True:
        try:
            return await student.client.ask(kind="chat", topic="no_sound")
        except (ProblemError, aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error, ProblemError) and error.status < 500 and error.status != 429:
                raise
            await asyncio.sleep(0.5)


@pytest.mark.parametrize("outage_s", [4.0, pytest.param(30.0, marks=pytest.mark.long)])
async def test_the_database_is_restarted(
    start_desk: StartDesk, valkey: Valkey, postgres: PostgresServer, outage_s: float
) -> None:
    """Calls go on, a pressed button is refused or kept, and no ticket that was told is lost."""
    desk = await start_desk(valkey.url, await make_database(postgres))
    here, there = await desk.node(), await desk.node()
    await both_known(desk)
    talk = await desk.talk(await desk.student(here), await desk.agent(there, "lin"))
    await talk.agent.client.set_state("busy")  # a chat beside the call would be his
    waiting = await desk.student(there)
    before = await waiting.client.ask(kind="chat", topic="no_sound")

    stopped = time.monotonic()
    await asyncio.to_thread(postgres.stop)
    pressing = [await desk.student(node) for node in (here, there) for _ in range(PRESSING)]
    tries = [asyncio.create_task(_press_until_accepted(student)) for student in pressing]
    await talk.both_hear(since=stopped + outage_s, timeout_s=outage_s + SOON_S)
    assert not any(task.done() for task in tries)
    with pytest.raises(ProblemError) as refused:
        await waiting.client.ticket(before.ticket)
    assert refused.value.status == 503
    await asyncio.to_thread(postgres.start)

    async with asyncio.timeout(AFTERWARDS_S):
        opened = await asyncio.gather(*tries)
    back = time.monotonic()
    for student, each in [(waiting, before), *zip(pressing, opened, strict=True)]:
        ticket = await student.client.ticket(each.ticket)
        assert ticket["calls"] == [each.id]
        assert (await student.client.call(each.id))["state"] in ("queued", "offered")
    assert len({each.ticket for each in opened}) == len(pressing)
    chen = await desk.agent(here, "chen")
    await desk.ring(chen, before.id, timeout_s=AFTERWARDS_S)
    await talk.both_hear(since=back)
    assert talk.longest_silence_s(stopped, time.monotonic()) < GAP_S
    assert await desk.state(there, talk.id) == "active"
    await talk.agent.client.end(talk.id)


async def test_two_nodes_meet_an_empty_database(
    start_desk: StartDesk, valkey: Valkey, postgres: PostgresServer, tmp_path: Path
) -> None:
    """Both make the tables, then both fill in the sample data: neither fails, nothing is there twice."""
    url = postgres.url(await asyncio.to_thread(postgres.create_database))
    databases = [await Database.open(url, tmp_path) for _ in range(2)]
    await asyncio.gather(*(migrate.migrate(database) for database in databases))
    for database in databases:
        await database.close()
    desk = await start_desk(valkey.url, url)
    first, second = desk.prepare(), desk.prepare()
    await asyncio.gather(first.start(), second.start())
    await both_known(desk)
    for node in (first, second):
        admin = await DeskClient.login(node.http_url, "admin", desk.http)
        names = [each["id"] for each in (await admin.get("/queues"))["items"]]
        assert sorted(names) == sorted(set(names))
        assert "technical" in names
    talk = await desk.talk(await desk.student(first), await desk.agent(second, "lin"))
    await talk.agent.client.end(talk.id)
