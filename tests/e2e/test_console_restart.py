"""The server is killed in mid-call and comes back: the agent's page finds into the call by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from loadtest.desk_client import Media
from loadtest.server import ServerProcess
from tests.e2e.desk import SLOW_MS
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server that may be killed."""
    async with ServerProcess(tmp_path, environment={"RAISEHAND_DRAIN_TIMEOUT": "1"}) as process:
        yield process


async def test_a_call_survives_the_servers_death(stage: Stage) -> None:
    chen = await stage.console("chen", language="en")
    chen.expected = ("ERR_CONNECTION", "WebSocket connection", "503")
    student = stage.student("Tom", age=20)
    opened = await stage.call(student)
    await chen.answer()
    await student.appear()
    await chen.sees("camera")

    os.kill(stage.server.pid, signal.SIGKILL)
    await stage.server.stop()  # collects what is left of it
    await student.close()
    trouble = chen.page.locator(".rh-overlay")
    await expect(trouble).to_be_visible(timeout=SLOW_MS)
    await stage.server.start()
    up = time.monotonic()
    back = (await student.client.post(f"/calls/{opened.id}/media"))["media"]
    await student.join(Media(back["url"], back["token"]))
    await student.appear()
    await expect(trouble).to_have_count(0, timeout=2 * SLOW_MS)
    print(f"server up again -> the agent's page is back in the call: {time.monotonic() - up:.1f} s")
    await chen.sees("camera")
    await asyncio.gather(chen.hears(), student.bot.wait_for_sound("chen", timeout_s=20))

    # The page's own work goes on as well: a message arrives, the call ends with its summary.
    await student.client.write(opened.id, "Hello again")
    await expect(chen.page.get_by_role("log")).to_contain_text("Hello again", timeout=SLOW_MS)
    await chen.hang_up()
    await chen.sum_up()
    assert (await student.client.call(opened.id))["state"] == "closed"
