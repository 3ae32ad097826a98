"""The figures of the desk's benchmark."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.bench.desk import Times, percentile, rows
from loadtest.bot import AUDIBLE_RMS
from loadtest.person import first_audible, longest_silence_s


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(1, 0.5, 1), (1, 0.99, 1), (4, 0.5, 2), (100, 0.95, 95), (100, 0.99, 99), (20, 0.95, 19), (3, 1.0, 3)],
)
def test_percentiles_are_values_that_occurred(count: int, share: float, expected: int) -> None:
    assert percentile(list(range(count, 0, -1)), share) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="values"):
        percentile([], 0.5)


def test_the_report_shows_targets_beside_what_was_measured() -> None:
    times = Times([0.010, 0.020, 0.240]).figures()
    assert times == {"count": 3, "p50_ms": 20.0, "p95_ms": 240.0, "p99_ms": 240.0}
    names = ("accept_to_audio", "hold", "resume", "transfer", "transfer_silence", "monitor_joining")
    switches: dict[str, Any] = dict.fromkeys((*names, "whisper", "barge", "monitor"), times)
    figures = {
        "pressing": {"press_to_ticket": times, "press_to_ring": times},
        "switches": switches | {"transfer_offers": 1},
        "burst": {
            "presses": 150, "seconds": 60.0, "agents": 20, "ticketed": 150, "duplicates": 0,
            "press_to_ticket": times, "press_to_ring": times, "errors": ["late"],
        },
        "crowd": {
            "waiting": 2000, "agents": 300, "commands_per_s": 8.0, "events_per_s": 41.0,
            "messages_per_s": 900, "cpu_percent": 30,
            "command": times, "press": times, "errors": [],
        },
    }  # fmt: skip
    sections = dict(rows(figures))
    assert ["press → ticket", "3", "20", "240", "240", "p95 ≤ 100"] in sections["A call at the desk"]
    assert ["burst: students with a ticket", "150 of 150", "all"] in sections["Counts"]
    assert ["errors of agents in burst and crowd", "1", "0"] in sections["Counts"]


class Heard:
    """What is needed of an `AudioWatch`."""

    def __init__(self, *frames: tuple[float, float]) -> None:
        self.levels = frames


LOUD, QUIET = AUDIBLE_RMS * 2, AUDIBLE_RMS / 2


def test_silence_is_the_time_without_a_sound_from_anybody() -> None:
    music = Heard((1.0, LOUD), (1.1, LOUD), (1.2, QUIET))
    agent = Heard((1.3, QUIET), (1.4, LOUD), (1.5, LOUD))
    assert longest_silence_s([music, agent], 1.0, 1.5) == pytest.approx(0.3)  # type: ignore[list-item]
    assert longest_silence_s([agent], 1.0, 1.6) == pytest.approx(0.4)  # type: ignore[list-item]
    assert longest_silence_s([], 1.0, 3.0) == pytest.approx(2.0)


def test_a_sound_begins_with_its_first_audible_frame_after_the_switch() -> None:
    heard = Heard((0.9, LOUD), (1.1, QUIET), (1.2, LOUD), (1.3, LOUD))
    assert first_audible([heard], 1.0, frames=2) == 1.2  # type: ignore[list-item]
    assert first_audible([heard], 1.0, frames=3) is None  # type: ignore[list-item]
