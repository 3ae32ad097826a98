"""`raisehand loadtest` with a server of its own: calls are really helped, and the exit code says so."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

DEADLINE_S = 90.0


@pytest.mark.slow
async def test_a_small_load_test_helps_students_and_fails_nobody() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest.load", "--students", "6", "--agents", "3"),
        *("--seconds", "6", "--handle-time", "1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    report = said.decode()
    assert process.returncode == 0, report
    counts = {name.strip(): (int(count), int(failed)) for name, count, failed in
              re.findall(r"^  (\S.*?) {2,}(\d+) +(\d+) ", report, re.MULTILINE)}  # fmt: skip
    for felt in ("press to ring (queue included)", "press to accepted (queue included)", "end to told"):
        assert counts[felt][0] > 0, report
    assert counts["POST /v1/calls/{call}/rating"][0] > 0, report
    assert all(failed == 0 for _, failed in counts.values()), report


@pytest.mark.slow
async def test_a_server_that_is_not_there_is_a_failure() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest.load", "--url", "http://127.0.0.1:9"),
        *("--students", "1", "--agents", "1", "--seconds", "2"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 1, said.decode()
    assert "✗" in said.decode()
