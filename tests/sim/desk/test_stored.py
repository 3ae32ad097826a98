"""Evenings at the desk on real databases, with processes that die between any two steps of a command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import PostgresMissingError, PostgresServer
from tests.sim.desk.stored import STEPS, play


def test_an_evening_with_crashes_on_sqlite(tmp_path: Path) -> None:
    report = play(1, f"sqlite:///{tmp_path}/desk.sqlite3", students=14, agents=5, crashes=0.15)
    print(f"\n{report}")
    crashed = dict(re.findall(r"(\w+) (\d+)(?:,|$)", report.splitlines()[-1].partition(": ")[2]))
    assert set(crashed) == set(STEPS)
    assert all(int(count) > 0 for count in crashed.values()), crashed


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(10, 20))
def test_busy_evenings_with_crashes_on_sqlite(seed: int, tmp_path: Path) -> None:
    print(f"\n{play(seed, f'sqlite:///{tmp_path}/desk.sqlite3', students=2000, agents=90)}")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer.create()
    except PostgresMissingError as error:
        pytest.fail(str(error))
    with server:
        yield server


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(20, 25))
def test_busy_evenings_with_crashes_on_postgresql(seed: int, postgres: PostgresServer) -> None:
    print(f"\n{play(seed, postgres.url(postgres.create_database()), students=2000, agents=90)}")
