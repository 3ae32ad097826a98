"""The process: drained, and frozen for three seconds."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from loadtest.server import ServerProcess
from loadtest.waiting import wait_until
from tests.integration.faults.clock import ProcessWatch
from tests.integration.faults.site import Site

pytestmark = pytest.mark.slow

CALLS = 3
FROZEN_S = 3.0
RECOVERY_S = 1.0
"""After a freeze: until everybody must hear everybody again."""


@pytest_asyncio.fixture
async def own_site(tmp_path: Path) -> AsyncIterator[Site]:
    """A server of the test's own, with calls: it will not survive the test."""
    async with (
        ServerProcess(tmp_path) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        site = Site(server, http, ProcessWatch(server.pid))
        try:
            await site.begin_calls(CALLS)
            yield site
        finally:
            await site.close()
            site.watch.close()


def exited(pid: int) -> bool:
    """Whether a child has ended (it may not have been waited for)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_drain(own_site: Site) -> None:
    """SIGTERM: calls go on, also for who comes back to one; new calls go elsewhere; a second one ends all."""
    site = own_site
    pid = site.server.pid
    async with site.undisturbed(set_ups=0):
        os.kill(pid, signal.SIGTERM)
        async with asyncio.timeout(5.0):
            while True:
                async with site.http.get(f"{site.server.http_url}/readyz") as answer:
                    if answer.status == 503:
                        assert await answer.json() == {"status": "draining"}
                        break
                await asyncio.sleep(0.02)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await site.participant(receive=(1, 0)).join()
        assert refused.value.status == 503
        async with site.http.get(
            f"{site.server.http_url}/rtc/validate",
            params={"access_token": site.participant().token},
        ) as answer:
            assert answer.status == 503
            assert "shutting down" in await answer.text()
        async with site.joined(site.callers[0].room) as helper:  # a call in progress may still grow
            assert helper.sid
        await asyncio.sleep(1.0)
    assert not exited(pid)
    os.kill(pid, signal.SIGTERM)
    await wait_until(lambda: exited(pid), "the second SIGTERM ends it", 5.0)
    await wait_until(lambda: all(caller.closed for caller in site.callers), "all were told")
    reasons = {leave.reason for caller in site.callers for leave in caller.heard("leave")}
    assert reasons == {3}, reasons  # SERVER_SHUTDOWN


async def test_drain_ends_with_the_last_call(own_site: Site) -> None:
    pid = own_site.server.pid
    os.kill(pid, signal.SIGTERM)
    await asyncio.sleep(0.5)
    assert not exited(pid)
    for caller in own_site.callers:
        await caller.close()
    await wait_until(lambda: exited(pid), "the drained server ends by itself", 5.0)


async def test_frozen_for_three_seconds(own_site: Site) -> None:
    """A suspended virtual machine, a swap storm: calls go on afterwards, nobody has to join again."""
    site = own_site
    pid = site.server.pid
    before = await site.metrics()
    sids = [caller.sid for caller in site.callers]
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(FROZEN_S)
    os.kill(pid, signal.SIGCONT)
    thawed = time.time_ns()
    for caller in site.callers:
        caller.stamps.clear()
        caller.keep_stamps = True

    def recovered() -> bool:
        return all(any(sent > thawed for _, sent, _ in caller.stamps) for caller in site.callers)

    await wait_until(recovered, "everybody hears everybody again")
    first = max(min(got for _, sent, got in caller.stamps if sent > thawed) for caller in site.callers)
    waited_s = site.watch.waited_ns(thawed, first) / 1e9
    print(f"media again {(first - thawed) / 1e6:.0f} ms after waking up (waited {waited_s * 1e3:.0f} ms)")
    assert (first - thawed) / 1e9 - waited_s <= RECOVERY_S
    async with site.undisturbed():  # and from then on as if nothing had been
        await asyncio.sleep(1.0)
    assert [caller.sid for caller in site.callers] == sids
    after = await site.metrics()
    assert after["raisehand_participants"] >= 2 * CALLS
    assert after["raisehand_signal_resumes_total"] == before["raisehand_signal_resumes_total"]
    assert not any(caller.heard("leave") for caller in site.callers)
