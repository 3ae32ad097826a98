"""The demonstration must say what fails, exit accordingly and leave its files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from loadtest import story
from loadtest.demo import command
from loadtest.narrator import Figures, Narrator, StepFailedError, Stream, summary
from loadtest.server import ServerProcess
from loadtest.snapshot import with_inset


def test_help_shows_an_example() -> None:
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    assert re.search(r"Example:\n\s+raisehand demo --story short", shown.output)


@pytest.mark.parametrize(("lang", "word"), [("en", "the server started"), ("zh-CN", "服务器已启动")])
def test_a_server_that_does_not_start_fails_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str, word: str
) -> None:
    def broken(data_dir: Path, *, log_path: Path, environment: dict[str, str]) -> ServerProcess:
        program = [sys.executable, "-c", "print('port in use'); raise SystemExit(3)"]
        return ServerProcess(data_dir, log_path=log_path, command=program)

    monkeypatch.setattr(story, "ServerProcess", broken)
    out = tmp_path / "out"
    out.mkdir()
    (out / "snapshot.png").write_text("from an earlier run")
    shown = CliRunner().invoke(command, ["--story", "short", "--lang", lang, "--out", str(out)])
    assert shown.exit_code == 1
    assert "✗" in shown.output
    assert word in shown.output
    assert "port in use" in shown.output
    figures = json.loads((out / "figures.json").read_text("utf-8"))
    assert figures["passed"] is False
    assert [step["passed"] for step in figures["steps"]] == [False]
    assert not (out / "snapshot.png").exists()


async def test_steps_are_recorded_as_they_go(capsys: pytest.CaptureFixture[str]) -> None:
    figures = Figures("en", "short")
    narrator = Narrator(figures, colour=False)
    async with narrator.step("hold") as step:
        step.note = "quick"
    with pytest.raises(StepFailedError):
        async with narrator.step("resume"):
            raise RuntimeError("still silent")
    assert [(step.key, step.passed, step.note) for step in figures.steps] == [
        ("hold", True, "quick"),
        ("resume", False, "still silent"),
    ]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("  ✓ on hold")
    assert lines[1].startswith("  ✗ back in the talk")


def test_summary_shows_what_was_measured_and_a_dash_for_what_was_not() -> None:
    figures = Figures("en", "short", moments_ms={"press_to_ring": 120.4, "transfer_switch": 81.0})
    figures.streams = [
        Stream("student", "agent", "camera", 211.0, 19.9, 700.0, 0.0, 3.1, 61.0, 80.0, "640x360", "VP8"),
        Stream("student", "agent", "speech", 90.0, None, 30.0, 0.0, 1.0, codec="opus"),
    ]
    shown = summary(figures)
    assert re.search(r"press → ring +120 +≤ 300$", shown, re.MULTILINE)
    assert re.search(r"transfer → specialist heard +81$", shown, re.MULTILINE)
    assert "student → agent · camera" in shown
    assert "61 / 80" in shown
    assert "–" in shown


def test_the_snapshot_has_the_camera_in_its_corner() -> None:
    screen = np.full((720, 1280, 3), 10, np.uint8)
    camera = np.full((360, 640, 3), 200, np.uint8)
    picture = with_inset(screen, camera)
    assert picture.shape == screen.shape
    assert picture[600, 1150].tolist() == [200, 200, 200]
    assert picture[100, 100].tolist() == [10, 10, 10]
