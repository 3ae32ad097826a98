"""The instrument itself: what it must notice, it notices."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from loadtest.waiting import wait_until
from tests.integration.faults.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def freeze(site: Site, seconds: float) -> None:
    """What a blocked event loop looks like from outside."""
    os.kill(site.server.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(site.server.pid, signal.SIGCONT)


async def test_a_gap_in_the_media_is_noticed(site: Site) -> None:
    with pytest.raises(AssertionError, match="media was disturbed"):
        async with site.undisturbed(set_ups=0):
            await asyncio.sleep(0.2)
            await freeze(site, 0.4)


async def test_a_blocked_event_loop_is_noticed(site: Site) -> None:
    with pytest.raises(AssertionError, match="event loop was blocked"):
        async with site.undisturbed(set_ups=0, max_gap_s=5.0):
            await asyncio.sleep(0.2)
            await freeze(site, 0.4)


async def test_a_lost_direction_is_noticed(site: Site) -> None:
    deaf = site.callers[0]
    with pytest.raises(AssertionError, match="last packets"):
        async with site.undisturbed(set_ups=0):
            await asyncio.sleep(0.1)
            deaf.hears = False
            unheard = site.callers[1].outgoing[0].packets + 3
            await wait_until(lambda: site.callers[1].outgoing[0].packets >= unheard, "packets go unheard")
    deaf.hears = True
