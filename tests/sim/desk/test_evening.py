"""Evenings at the desk: thousands of students, agents with habits, and nobody lost or stuck."""

from __future__ import annotations

import time

import pytest

from tests.sim.desk.evening import Evening
from tests.sim.desk.world import random_history


def play(seed: int, students: int, agents: int, compare_every: int = 0) -> Evening:
    evening = Evening(seed, students=students, agents=agents, compare_every=compare_every)
    evening.run()
    evening.finish()
    print(f"\nseed {seed}: {evening.report()}")
    return evening


def test_a_quiet_evening() -> None:
    evening = play(1, students=120, agents=12, compare_every=2)
    assert evening.counts["served"] >= 0.9 * evening.counts["calls"]
    assert evening.kept >= 0.8 * (evening.kept + evening.broken)
    assert evening.counts["agents vanished"] > 0
    assert evening.counts["pressed again: same call"] > 0


@pytest.mark.slow
def test_an_evening_with_too_few_agents() -> None:
    evening = play(2, students=600, agents=12)
    assert evening.counts["served"] >= 0.8 * evening.counts["calls"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(4, 10))])
def test_a_busy_evening(seed: int) -> None:
    play(seed, students=1500, agents=90)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(10, 30))
def test_many_long_evenings(seed: int) -> None:
    play(seed, students=5000, agents=60 + 12 * (seed % 10))


def histories(first: int, number: int, steps: int) -> None:
    """Random commands, sensible or not; prints the counts."""
    started, commands = time.process_time(), 0
    for seed in range(first, first + number):
        commands += random_history(seed, steps, compare_every=7).commands
    took = time.process_time() - started
    print(
        f"\n{number} random histories, {commands} commands in {took:.0f} s of CPU: "
        "0 double assignments, 0 lost students, 0 stuck agents, 0 gaps"
    )


def test_random_histories() -> None:
    histories(0, 25, 60)


@pytest.mark.slow
def test_many_random_histories() -> None:
    histories(1000, 150, 100)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("block", range(100))
def test_a_million_random_histories(block: int) -> None:
    histories(1_000_000 + 10_000 * block, 10_000, 20)
