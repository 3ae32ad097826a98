"""The whole story with the LiveKit SDK's real encoders and decoders: what `make demo` shows."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from loadtest.narrator import TARGETS_MS

DEADLINE_S = 60.0
"""What `STORY=short` promises."""


@pytest.mark.slow
async def test_the_short_story_is_seen_to_work_and_leaves_its_files(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest.demo", "--story", "short", "--lang", "en", "--out", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, said.decode()
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert figures["passed"]
    assert all(step["passed"] for step in figures["steps"])
    assert set(TARGETS_MS) <= set(figures["moments_ms"])
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text("utf-8").splitlines()]
    assert figures["events"] == sum(event["call"] is not None for event in events)
    assert (tmp_path / "snapshot.png").stat().st_size > 10_000
