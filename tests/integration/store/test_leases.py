"""Leases on both databases, with the database's own clock and with several that want the same."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

import pytest

from signalling.store.engine import Database
from signalling.store.errors import LeaseLostError
from signalling.store.leases import Leases
from tests.integration.store.virtual import VirtualTime


@pytest.fixture
async def clocked(url: str, tmp_path: Path, database: Database) -> tuple[Leases, Database, VirtualTime]:
    time = VirtualTime()
    virtual = await Database.open(url, tmp_path, clock=time)
    return Leases(virtual), virtual, time


async def test_the_databases_clock_tells_the_time(database: Database) -> None:
    before = datetime.datetime.now(datetime.UTC)
    lease = await Leases(database).acquire("matcher", "node-a", 5.0)
    after = datetime.datetime.now(datetime.UTC)
    assert lease is not None
    slack = datetime.timedelta(milliseconds=2)  # SQLite's clock has whole milliseconds
    assert before - slack <= lease.expires_at - datetime.timedelta(seconds=5) <= after + slack
    assert await Leases(database).current("matcher") == lease
    assert before - slack <= await database.now() <= datetime.datetime.now(datetime.UTC) + slack


async def test_one_holder_until_it_expires(clocked: tuple[Leases, Database, VirtualTime]) -> None:
    leases, database, time = clocked
    first = await leases.acquire("matcher", "node-a", 5.0)
    assert first is not None
    assert await leases.acquire("matcher", "node-b", 5.0) is None
    assert await leases.acquire("timers", "node-b", 5.0) is not None  # another name is free

    time.advance(4.0)
    renewed = await leases.renew(first, 5.0)
    assert renewed.fencing_token == first.fencing_token
    time.advance(4.9)
    assert await leases.acquire("matcher", "node-b", 5.0) is None
    time.advance(0.1)
    assert await leases.current("matcher") is None
    with pytest.raises(LeaseLostError):  # expired, though nobody took it: others may have acted meanwhile
        await leases.renew(renewed, 5.0)

    second = await leases.acquire("matcher", "node-b", 5.0)
    assert second is not None
    assert second.fencing_token > first.fencing_token
    async with database.write() as connection:
        with pytest.raises(LeaseLostError):
            await leases.check(connection, renewed)
        await leases.check(connection, second)
    await database.close()


async def test_release_frees_at_once_but_only_ones_own(
    clocked: tuple[Leases, Database, VirtualTime],
) -> None:
    leases, database, _ = clocked
    first = await leases.acquire("matcher", "node-a", 5.0)
    assert first is not None
    await leases.release(first)
    second = await leases.acquire("matcher", "node-b", 5.0)
    assert second is not None
    assert second.fencing_token == first.fencing_token + 1
    await leases.release(first)  # late: must not take it from its new holder
    assert await leases.current("matcher") == second
    await database.close()


async def test_who_starts_again_fences_its_former_self(
    clocked: tuple[Leases, Database, VirtualTime],
) -> None:
    leases, database, _ = clocked
    former = await leases.acquire("matcher", "node-a", 5.0)
    again = await leases.acquire("matcher", "node-a", 5.0)
    assert former is not None
    assert again is not None
    assert again.fencing_token > former.fencing_token
    with pytest.raises(LeaseLostError):
        await leases.renew(former, 5.0)
    await database.close()


async def test_of_many_that_ask_at_once_one_gets_it(database: Database) -> None:
    leases = Leases(database)
    given = await asyncio.gather(*(leases.acquire("matcher", f"node-{n}", 30.0) for n in range(8)))
    assert sum(lease is not None for lease in given) == 1
