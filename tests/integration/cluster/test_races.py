"""Leases on every store, alike; and processes that race for a room, some stopped beyond their lease."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from signalling.cluster.database_leases import DatabaseLeases
from signalling.cluster.leases import Lease, LeaseStore, MemoryLeases, RedisLeases
from signalling.store.engine import Database
from signalling.store.migrate import migrate
from tests.integration.cluster.conftest import Connect, Valkey, eventually_is
from tests.postgres import PostgresMissingError, PostgresServer

PROCESSES = 4
RACE_S = 5.0
TTL_S = 0.6
RACER = Path(__file__).with_name("racer.py")
ROOT = RACER.parents[3]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer.create()
    except PostgresMissingError as error:
        pytest.fail(str(error))
    with server:
        yield server


@pytest.fixture(params=["memory", "redis", "sqlite", "postgresql"])
async def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def place(kind: str, valkey: Valkey, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the store is."""
    if kind == "redis":
        return valkey.url
    if kind == "memory":
        return ""
    url = f"sqlite:///{tmp_path}/desk.sqlite3"
    if kind == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url(await asyncio.to_thread(server.create_database))
    database = await Database.open(url, tmp_path)
    await migrate(database)
    await database.close()
    return url


@pytest.fixture
async def leases(kind: str, place: str, connect: Connect, tmp_path: Path) -> AsyncIterator[LeaseStore]:
    if kind == "redis":
        yield RedisLeases(await connect())
    elif kind == "memory":
        yield MemoryLeases()
    else:
        database = await Database.open(place, tmp_path)
        yield DatabaseLeases(database)
        await database.close()


async def test_a_lease_is_one_holders_until_it_ends(leases: LeaseStore) -> None:
    ours = await leases.acquire("room:a", "us", 60)
    assert (ours.name, ours.holder) == ("room:a", "us")
    assert await leases.acquire("room:a", "them", 60) == ours
    assert await leases.acquire("room:a", "us", 60) == ours
    assert await leases.find("room:a") == ours
    assert await leases.renew([ours], 60) == [ours]
    await leases.release(ours)
    assert await leases.find("room:a") is None
    theirs = await leases.acquire("room:a", "them", 60)
    assert theirs.holder == "them"
    assert theirs.token > ours.token
    await leases.release(ours)  # too late to matter
    assert await leases.find("room:a") == theirs
    assert await leases.renew([ours], 60) == []


async def test_an_ended_lease_stays_unless_another_takes_it(leases: LeaseStore) -> None:
    kept = await leases.acquire("room:kept", "us", 0.05)
    taken = await leases.acquire("room:taken", "us", 0.05)
    await eventually_is(lambda: leases.list_valid("room:"), [])
    other = await leases.acquire("room:taken", "them", 60)
    assert other.holder == "them"
    assert other.token > taken.token
    assert await leases.renew([kept, taken], 60) == [kept]
    assert sorted(await leases.list_valid("room:"), key=lambda lease: lease.name) == [kept, other]
    again = await leases.acquire("room:again", "us", 0.05)
    await eventually_is(lambda: leases.find("room:again"), None)
    assert (await leases.acquire("room:again", "us", 60)).token > again.token


async def test_names_are_taken_literally(leases: LeaseStore) -> None:
    for name in ("room:%", "room:_*[a]", "room:课堂", "rooms:x"):
        await leases.acquire(name, "us", 60)
    assert {each.name for each in await leases.list_valid("room:")} == {"room:%", "room:_*[a]", "room:课堂"}
    assert [each.name for each in await leases.list_valid("room:_")] == ["room:_*[a]"]


async def test_many_leases_are_renewed_at_once(leases: LeaseStore) -> None:
    held = [await leases.acquire(f"room:{number}", "us", 60) for number in range(450)]
    lost = Lease("room:lost", "us", 1)
    assert set(await leases.renew([*held, lost], 60)) >= set(held)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["redis", "sqlite", "postgresql"])
async def test_racing_processes_never_own_a_room_together(kind: str, place: str, leases: LeaseStore) -> None:
    """Each says at which moments it was sure to own the room, on the clock that they share."""
    arguments = [sys.executable, str(RACER), kind if kind == "redis" else "database", place, "lesson"]
    racers = [
        await asyncio.create_subprocess_exec(
            *arguments,
            f"p{number}",
            str(TTL_S),
            str(RACE_S),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for number in range(PROCESSES)
    ]
    outputs = [asyncio.create_task(racer.communicate()) for racer in racers]
    choice = random.Random(7)
    stops = 0
    try:
        while not all(output.done() for output in outputs):
            await asyncio.sleep(choice.uniform(0.1, 0.5))
            held = await leases.find("room:lesson")
            owner = int(held.holder.split()[0].removeprefix("p")) if held is not None else 0
            racer = choice.choice([*racers, racers[owner], racers[owner], racers[owner]])
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(racer.pid, signal.SIGSTOP)
                stops += 1
                await asyncio.sleep(choice.uniform(0.5, 2.5) * TTL_S)
                os.kill(racer.pid, signal.SIGCONT)
    finally:
        for racer in racers:
            if racer.returncode is None:
                racer.kill()
    moments = []
    for number, output in enumerate(outputs):
        said = [line.split() for line in (await output)[0].decode().splitlines() if line.startswith("@ ")]
        moments += [(float(moment), int(token), number) for _, moment, token in said]
    moments.sort()
    owners = [(token, number) for _, token, number in moments]
    terms = [key for key, _ in itertools.groupby(owners)]
    tokens = [token for token, _ in terms]
    owning = {number for _, number in terms}
    print(f"{kind}: {len(moments)} moments, {len(terms)} terms of {len(owning)} processes, {stops} stops")
    assert tokens == sorted(set(tokens)), "two owners at once, or a token that came back"
    assert len(terms) >= 4
    assert len(owning) >= 2
