"""The load test's summary, and what the locust file promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from loadtest.load import LOCUSTFILE, command, failures_of, rows_of

STATISTICS = """\
Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,\
Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%
POST,/v1/calls,67,1,11,12.5,9.1,44.4,900,3.35,0.1,11,12,13,14,20,26,40,44,44,44,44
WS,end to told,29,0,38,39.0,20.0,60.0,0,1.3,0.0,38,40,41,45,50,55,60,60,60,60,60
,Aggregated,96,1,12,20.0,9.1,60.0,500,4.65,0.1,12,20,30,35,41,50,58,60,60,60,60
"""
FAILURES = """\
Method,Name,Error,Occurrences,First Seen,Last Seen
POST,/v1/calls,503 draining,1,1,1
POST,/v1/offers/{offer}/accept,500,12,1,1
"""


def test_what_people_feel_comes_before_the_requests(tmp_path: Path) -> None:
    path = tmp_path / "load_stats.csv"
    path.write_text(STATISTICS)
    assert rows_of(path) == [
        ["what", "count", "failed", "per s", "p50 ms", "p95 ms", "p99 ms", "max ms"],
        ["end to told", "29", "0", "1.3", "38", "55", "60", "60"],
        ["POST /v1/calls", "67", "1", "3.4", "11", "26", "44", "44"],
        ["all", "96", "1", "4.7", "12", "50", "60", "60"],
    ]


def test_failures_are_named_most_frequent_first(tmp_path: Path) -> None:
    path = tmp_path / "load_failures.csv"
    path.write_text(FAILURES)
    assert failures_of(path) == [
        "12 × POST /v1/offers/{offer}/accept: 500",
        "1 × POST /v1/calls: 503 draining",
    ]


def test_help_shows_an_example() -> None:
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    assert "raisehand loadtest --url" in shown.output


@pytest.mark.slow
def test_locust_finds_the_users() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--list"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert {"Agent", "Student"} <= set(shown.stdout.split())
