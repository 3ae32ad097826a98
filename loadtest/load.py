"""`raisehand loadtest`: students press and wait, agents accept and end; a summary, no knowledge of locust."""

from __future__ import annotations

import asyncio
import csv
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import click

from loadtest.server import ServerProcess
from loadtest.table import table
from loadtest.tokens import DEV_API_KEY, DEV_API_SECRET

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
SPAWN_PER_S = 10.0
_STOP_S = 30  # for calls in progress at the end

COLUMNS = (
    ("Request Count", "count"),
    ("Failure Count", "failed"),
    ("Requests/s", "per s"),
    ("50%", "p50 ms"),
    ("95%", "p95 ms"),
    ("99%", "p99 ms"),
    ("Max Response Time", "max ms"),
)
"""Columns of locust's statistics, and what we call them."""


def rows_of(path: Path) -> list[list[str]]:
    """The summary's rows from locust's statistics file: heading first, what people feel before requests."""
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    felt = [row for row in found if row["Type"] == "WS"]
    requests = [row for row in found if row["Type"] not in ("WS", "")]
    total = [row for row in found if row["Name"] == "Aggregated"]
    rows = [["what", *(name for _, name in COLUMNS)]]
    for row in [*felt, *requests, *total]:
        name = "all" if row["Name"] == "Aggregated" else f"{row['Type']} {row['Name']}".removeprefix("WS ")
        cells = [row[column] for column, _ in COLUMNS]
        rows.append([name, *(_number(cell) for cell in cells)])
    return rows


def _number(cell: str) -> str:
    try:
        value = float(cell)
    except ValueError:
        return "–"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def failures_of(path: Path) -> list[str]:
    """What failed, most frequent first, from locust's file of failures."""
    with path.open(newline="") as file:
        found = sorted(csv.DictReader(file), key=lambda row: -int(row["Occurrences"]))
    return [f"{row['Occurrences']} × {row['Method']} {row['Name']}: {row['Error']}" for row in found]


async def run(
    url: str | None,
    *,
    students: int,
    agents: int,
    seconds: float,
    handle_s: float,
    kind: str,
    key: str,
    secret: str,
) -> int:
    """Run it (against a server of its own without `url`) and print the summary; returns the exit code."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="raisehand-load-")))
        if url is None:
            environment = {"RAISEHAND_DRAIN_TIMEOUT": "1"}
            server = ServerProcess(directory / "data", environment=environment)
            await stack.enter_async_context(server)
            url = server.http_url
        click.echo(f"{url}: {students} students, {agents} agents, {seconds:g} s", err=True)
        with (directory / "locust.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--host", url),
                *("--students", str(students), "--agents", str(agents), "--users", str(students + agents)),
                *("--spawn-rate", str(SPAWN_PER_S), "--run-time", f"{max(1, round(seconds))}s"),
                *("--handle-time", str(handle_s), "--call-kind", kind, "--stop-timeout", str(_STOP_S)),
                *("--csv", str(directory / "load"), "--only-summary"),
                stdout=log,
                stderr=log,
                env={**os.environ, "LOADTEST_API_KEY": key, "LOADTEST_API_SECRET": secret},
            )
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()
        statistics = directory / "load_stats.csv"
        if not statistics.exists() or len(rows_of(statistics)) == 1:
            click.echo((directory / "locust.log").read_text("utf-8", "replace"), err=True)
            return code or 1
        click.echo(table(rows_of(statistics)))
        for failure in failures_of(directory / "load_failures.csv"):
            click.echo(f"  ✗ {failure}")
        return code


@click.command(
    "loadtest",
    epilog="""\b
Examples:
  raisehand loadtest                                   50 students, 10 agents, one minute, own server
  raisehand loadtest --url https://help.example.org --api-key KEY --api-secret SECRET --students 500
""",
)
@click.option("--url", default=None, help="The server to load; without it one is started for the test.")
@click.option("--students", default=50, show_default=True, help="How many press, wait and press again.")
@click.option("--agents", default=10, show_default=True, help="How many accept, help and end.")
@click.option("--seconds", default=60.0, show_default=True, help="How long.")
@click.option("--handle-time", default=8.0, show_default=True, help="Mean seconds of one call.")
@click.option(
    "--kind", type=click.Choice(("chat", "voice", "video")), default="chat", show_default=True,
    help="Kind of the calls. No media is sent: agents of voice and video calls never come into the room.",
)  # fmt: skip
@click.option("--api-key", default=DEV_API_KEY, show_default=True, envvar="LOADTEST_API_KEY")
@click.option("--api-secret", default=DEV_API_SECRET, envvar="LOADTEST_API_SECRET", help="Of the key.")
def command(
    url: str | None,
    students: int,
    agents: int,
    seconds: float,
    handle_time: float,
    kind: str,
    api_key: str,
    api_secret: str,
) -> None:
    """Load the desk: students press and wait, agents accept and end, everybody reads events.

    Prints how long requests took and what people felt (press to ring, press to accepted). Exits with 0 only
    if nothing failed. For more, use loadtest/locustfile.py with locust itself.
    """
    code = asyncio.run(
        run(
            url,
            students=students,
            agents=agents,
            seconds=seconds,
            handle_s=handle_time,
            kind=kind,
            key=api_key,
            secret=api_secret,
        )
    )
    sys.exit(code)


if __name__ == "__main__":
    command()
