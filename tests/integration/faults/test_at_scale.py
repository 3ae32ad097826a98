"""The figures of an off-path attack: 100 calls, 100 set-ups, 50,000 datagrams of garbage a second."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from loadtest.server import ServerProcess
from tests.integration.faults.clock import ProcessWatch
from tests.integration.faults.site import Site, paced
from tests.integration.faults.test_strangers import Strangers, client_hellos

pytestmark = [pytest.mark.slow, pytest.mark.long]

CALLS = 100
SET_UPS = 100
PACKET_S = 0.1
"""One process plays 200 callers: each sends 10 packets a second, often enough to see a gap of 200 ms."""
GARBAGE_PER_S = 50_000
GARBAGE_S = 10.0
SERVER_ROOT = Path(__file__).parents[3]


@pytest_asyncio.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Site]:
    """A server with a hundred calls."""
    async with (
        ServerProcess(tmp_path) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        site = Site(server, http, ProcessWatch(server.pid))
        try:
            await site.begin_calls(CALLS, PACKET_S)
            yield site
        finally:
            await site.close()
            site.watch.close()


@pytest.mark.timeout(300)
async def test_garbage_at_fifty_thousand_a_second(crowd: Site) -> None:
    async with crowd.undisturbed(set_ups=10) as verdict:
        flooding = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.faults.flood"),
            *(str(crowd.server.udp_port), str(GARBAGE_PER_S), str(GARBAGE_S)),
            cwd=SERVER_ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await flooding.communicate()
    dropped = await crowd.dropped("unvalidated")
    print(f"garbage: {int(output)} datagrams sent, {dropped:.0f} seen and dropped by the server; {verdict}")
    assert int(output) >= 0.5 * GARBAGE_PER_S * GARBAGE_S
    assert dropped > 0


@pytest.mark.timeout(300)
async def test_a_hundred_set_ups_under_spoofed_client_hellos(crowd: Site) -> None:
    hellos = await client_hellos(32)
    over = asyncio.Event()
    with Strangers(crowd, 32) as strangers:

        async def attack() -> None:
            while not over.is_set():
                await paced(lambda n: strangers.send(hellos[n % len(hellos)]), 1000, 1.0)

        attacking = asyncio.create_task(attack())
        async with crowd.undisturbed(set_ups=SET_UPS) as verdict:
            while len(verdict.set_ups) + len(verdict.failures) < SET_UPS:
                await asyncio.sleep(0.1)
        over.set()
        await attacking
        assert strangers.answers() == 0
        print(f"{strangers.sent} spoofed ClientHellos; {verdict}")
    assert len(verdict.set_ups) >= SET_UPS
