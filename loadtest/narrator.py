"""The record of a told story: its steps, what was measured, and how they are printed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import click

from loadtest.table import display_width, table
from loadtest.texts import text

TARGETS_MS = {
    "press_to_ticket": 100.0,
    "press_to_ring": 300.0,
    "accept_to_audio": 500.0,
    "accept_to_video": 800.0,
    "transfer_silence": 300.0,
    "hold_switch": 100.0,
    "resume_switch": 100.0,
    "whisper_switch": 100.0,
    "barge_switch": 100.0,
    "monitor_switch": 100.0,
}
"""What the project aims at (95 of 100 times); shown beside what was measured, judged by the benchmarks."""

_TITLE_COLUMNS = 66


class StepFailedError(Exception):
    """What a step promises was not seen."""


@dataclass(slots=True)
class Step:
    """One step of the story and how it went."""

    key: str
    passed: bool
    duration_s: float
    note: str = ""


@dataclass(slots=True)
class Stream:
    """One direction of one medium, as its receiver measured it."""

    sender: str
    receiver: str
    kind: str
    first_media_ms: float | None = None
    """From the call to publish until the first sound or readable picture at the receiver."""
    frames_per_second: float | None = None
    kbps: float | None = None
    loss_percent: float | None = None
    jitter_ms: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    size: str = ""
    codec: str = ""


@dataclass(slots=True)
class Figures:
    """Everything that was measured; written to figures.json."""

    language: str
    story: str
    passed: bool = False
    steps: list[Step] = field(default_factory=list)
    moments_ms: dict[str, float] = field(default_factory=dict)
    targets_ms: dict[str, float] = field(default_factory=lambda: dict(TARGETS_MS))
    streams: list[Stream] = field(default_factory=list)
    events: int = 0
    """Events of the call in the log."""


class Narrator:
    """Prints the steps as they go and keeps the record."""

    def __init__(self, figures: Figures, *, colour: bool) -> None:
        self.figures = figures
        self._colour = colour

    def say(self, line: str = "") -> None:
        """Print a line."""
        click.echo(line)

    def moment(self, key: str, seconds: float) -> None:
        """Keep a measured time."""
        self.figures.moments_ms[key] = round(max(0.0, seconds) * 1000, 1)

    def _mark(self, passed: bool) -> str:
        mark = "✓" if passed else "✗"
        return click.style(mark, fg="green" if passed else "red", bold=True) if self._colour else mark

    @asynccontextmanager
    async def step(self, key: str) -> AsyncIterator[Step]:
        """Time a step and print how it went; a failure is recorded and raised again as StepFailedError."""
        step = Step(key, passed=False, duration_s=0.0)
        started = time.monotonic()
        try:
            yield step
            step.passed = True
        except asyncio.CancelledError:
            step.note = text("timeout", self.figures.language)
            raise
        except Exception as error:
            step.note = str(error) or type(error).__name__
            raise StepFailedError(key) from error
        finally:
            step.duration_s = round(time.monotonic() - started, 3)
            self.figures.steps.append(step)
            title = text(key, self.figures.language)
            filler = " " * max(1, _TITLE_COLUMNS - display_width(title))
            note = f"  {step.note}" if step.note else ""
            self.say(f"  {self._mark(step.passed)} {title}{filler}{step.duration_s:6.2f} s{note}")


def summary(figures: Figures) -> str:
    """The measured times and streams as tables."""

    def word(key: str) -> str:
        return text(key, figures.language)

    def number(value: float | None, digits: int = 0) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    moments = [[word("moment"), "ms", word("target")]]
    for key, value in figures.moments_ms.items():
        target = figures.targets_ms.get(key)
        moments.append([word(key), number(value), "" if target is None else f"≤ {target:g}"])
    parts = [table(moments), "  " + word("moments_note")] if figures.moments_ms else []
    columns = ("stream", "first_media", "fps", "kbps", "loss", "jitter", "latency", "size", "codec")
    streams = [[word(column) for column in columns]]
    for stream in figures.streams:
        latency = "–"
        if stream.latency_p50_ms is not None:
            latency = f"{number(stream.latency_p50_ms)} / {number(stream.latency_p95_ms)}"
        streams.append(
            [
                f"{word(stream.sender)} → {word(stream.receiver)} · {word(stream.kind)}",
                number(stream.first_media_ms),
                number(stream.frames_per_second, 1),
                number(stream.kbps),
                number(stream.loss_percent, 2),
                number(stream.jitter_ms, 1),
                latency,
                stream.size or "–",
                stream.codec or "–",
            ]
        )
    if figures.streams:
        parts += [table(streams), "  " + word("latency_note")]
    return "\n\n".join(parts)
