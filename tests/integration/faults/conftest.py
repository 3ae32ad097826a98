"""A server with calls in progress, one for each module: its tests run on one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from loadtest.server import ServerProcess
from tests.integration.faults.clock import ProcessWatch
from tests.integration.faults.site import Site

CALLS = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A server with a handful of calls."""
    async with (
        ServerProcess(tmp_path_factory.mktemp("server")) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        watch = ProcessWatch(server.pid)
        site = Site(server, http, watch)
        try:
            await site.begin_calls(CALLS)
            for _ in range(3):  # what is made once (certificate, caches) is not growth
                await site.set_up()
            yield site
        finally:
            await site.close()
            watch.close()
