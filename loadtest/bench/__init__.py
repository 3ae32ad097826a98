"""`raisehand bench`: CPU per forwarded packet, join cost, memory, latency, beside bare loops; the desk."""

from __future__ import annotations

import asyncio
import json
import platform
import statistics
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from loadtest.bench import desk
from loadtest.bench.baseline import CompiledLoop, Rhythm, python_us_per_packet
from loadtest.bench.scenarios import Forwarding, first_media, forwarding, joining, latency, pinned_server
from loadtest.table import table

PARTS = ("forwarding", "joining", "media", "latency", "desk")

FORWARDING: dict[str, dict[str, Any]] = {
    "video 1:32, bursts of 8": {
        "kind": "video", "rooms": 1, "fan_out": 32, "burst": 8, "size": 1100, "bursts_per_s": 100.0,
    },
    "video 1:32, bursts of 8, twice": {
        "kind": "video", "rooms": 1, "fan_out": 32, "burst": 8, "size": 1100, "bursts_per_s": 200.0,
    },
    "video 1:32, evenly spaced": {
        "kind": "video", "rooms": 1, "fan_out": 32, "burst": 1, "size": 1100, "bursts_per_s": 400.0,
    },
    "video 1:4, bursts of 8": {
        "kind": "video", "rooms": 10, "fan_out": 4, "burst": 8, "size": 1100, "bursts_per_s": 30.0,
    },
    "video 1:1, many streams": {
        "kind": "video", "rooms": 32, "fan_out": 1, "burst": 8, "size": 1100, "bursts_per_s": 29.4,
    },
    "video 1:1, three times": {
        "kind": "video", "rooms": 32, "fan_out": 1, "burst": 8, "size": 1100, "bursts_per_s": 88.2,
    },
    "audio 1:32": {
        "kind": "audio", "rooms": 4, "fan_out": 32, "burst": 1, "size": 130, "bursts_per_s": 50.0,
    },
}  # fmt: skip
"""Name and load of each forwarding scenario; "many streams" is 7,500 packets/s, as in support calls."""

TARGETS_US = {
    "video 1:32, bursts of 8": 7.0,
    "video 1:32, bursts of 8, twice": 7.0,
    "video 1:1, many streams": 13.0,
    "video 1:1, three times": 13.0,
    "audio 1:32": 18.0,
}


@click.command(
    "bench",
    epilog="""\b
Examples:
  raisehand bench                          everything, about nine minutes
  raisehand bench --quick                  one short round of each
  raisehand bench --only desk              from the press to the ring, switches, crowds
  raisehand bench --only forwarding --json figures.json
""",
)
@click.option("--quick", is_flag=True, help="One short round of each; good for a look, not for figures.")
@click.option(
    "--only",
    type=click.Choice(PARTS),
    multiple=True,
    help="Measure only these (may be repeated).",
)
@click.option("--rounds", default=5, show_default=True, help="Rounds of each; medians are reported.")
@click.option("--seconds", default=3.0, show_default=True, help="Length of one forwarding round.")
@click.option("--calls", default=4, show_default=True, help="Two-party calls in the latency measurement.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Also write the figures here.")
@click.option("--markdown", "markdown_path", type=click.Path(path_type=Path), help="Also write tables here.")
def command(
    quick: bool,
    only: tuple[str, ...],
    rounds: int,
    seconds: float,
    calls: int,
    json_path: Path | None,
    markdown_path: Path | None,
) -> None:
    """Measure a server on this machine, pinned to one core, with real DTLS-SRTP clients on the others."""
    if quick:
        rounds, seconds = 1, 1.0
    wanted = set(only or PARTS)
    figures = asyncio.run(_measure(wanted, rounds, seconds, calls, quick=quick))
    report = _report(figures)
    click.echo(report)
    if json_path is not None:
        json_path.write_text(json.dumps(figures, indent=2) + "\n")
    if markdown_path is not None:
        markdown_path.write_text(_markdown(figures))


async def _measure(
    wanted: set[str], rounds: int, seconds: float, calls: int, *, quick: bool
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}, {_cpu_name()}",
        "python": platform.python_version(),
        "command": "raisehand " + " ".join(sys.argv[1:]),
        "rounds": rounds,
    }
    with tempfile.TemporaryDirectory(prefix="raisehand-bench-") as directory:
        data_dir = Path(directory)
        if "forwarding" in wanted:
            figures["forwarding"] = await _measure_forwarding(data_dir, rounds, seconds)
        if "joining" in wanted:
            _say("joining and memory")
            async with pinned_server(data_dir / "join") as server:
                joined = await joining(server, participants=100 if rounds > 1 else 20, rounds=rounds)
            figures["joining"] = {
                "participants": joined.participants,
                "cpu_ms": round(statistics.median(joined.cpu_ms), 2),
                "connected_ms": round(statistics.median(joined.connected_ms), 1),
                "memory_kb": round(joined.memory_kb),
            }
        if "media" in wanted:
            _say("join to first media")
            async with pinned_server(data_dir / "media") as server:
                first = await first_media(server, joins=20 if rounds > 1 else 5)
            figures["media"] = {
                "audio_ms": round(statistics.median(first.audio_ms), 1),
                "video_ms": round(statistics.median(first.video_ms), 1),
            }
        if "latency" in wanted:
            _say("latency under load")
            async with pinned_server(data_dir / "latency") as server:
                figures["latency"] = asdict(
                    await latency(server, calls=calls, seconds=5 * seconds, joins_per_s=2.0)
                )
        if "desk" in wanted:
            figures["desk"] = await desk.measure(data_dir / "desk", quick=quick, say=_say)
    return figures


async def _measure_forwarding(data_dir: Path, rounds: int, seconds: float) -> list[dict[str, Any]]:
    compiled = CompiledLoop.build()
    if compiled is None:
        click.echo("no C compiler: the bare C loop is left out", err=True)
    rows = []
    try:
        for name, load in FORWARDING.items():
            _say(name)
            floor = _Floor(compiled, load)
            async with pinned_server(data_dir / "forwarding") as server:
                measured = await forwarding(
                    server,
                    name,
                    **load,
                    seconds=seconds,
                    rounds=rounds,
                    between=partial(asyncio.to_thread, floor.measure, server.core),
                )
            rows.append(_forwarding_row(measured, floor))
    finally:
        if compiled is not None:
            compiled.close()
    return rows


class _Floor:
    """The bare loops with one scenario's bursts, measured once between every two rounds of the server's."""

    def __init__(self, compiled: CompiledLoop | None, load: dict[str, Any]) -> None:
        self._compiled = compiled
        # With header and tag each datagram is that much longer on the wire.
        period_us = round(1e6 / (load["bursts_per_s"] * load["rooms"]))
        self._rhythm = Rhythm(load["fan_out"], load["burst"], load["size"] + 16, period_us)
        self.c_us: list[float] = []
        self.c_gso_us: list[float] = []
        self.python_us: list[float] = []

    def measure(self, core: int | None) -> None:
        """One run of each."""
        self.python_us.append(python_us_per_packet(self._rhythm, core=core))
        if self._compiled is not None:
            self.c_us.append(self._compiled.us_per_packet(self._rhythm, gso=False, core=core))
            self.c_gso_us.append(self._compiled.us_per_packet(self._rhythm, gso=True, core=core))


def _forwarding_row(measured: Forwarding, floor: _Floor) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": measured.name,
        "packets_per_s": round(measured.offered_per_s),
        "us_per_packet": round(measured.median, 2),
        "range_us": [round(min(measured.us_per_packet), 2), round(max(measured.us_per_packet), 2)],
        "delivered": round(min(measured.delivered), 4),
        "target_us": TARGETS_US.get(measured.name),
        "python_us": round(statistics.median(floor.python_us), 2),
    }
    if floor.c_us:
        row["c_us"] = round(statistics.median(floor.c_us), 2)
        row["c_gso_us"] = round(statistics.median(floor.c_gso_us), 2)
        pairs = zip(measured.us_per_packet, floor.c_us, strict=True)
        row["ratio_to_c"] = round(statistics.median(ours / bare for ours, bare in pairs), 2)
    return row


def _rows(figures: dict[str, Any]) -> list[tuple[str, list[list[str]]]]:
    sections: list[tuple[str, list[list[str]]]] = []
    if "forwarding" in figures:
        rows = [
            [
                "forwarding",
                "packets/s",
                "µs/packet",
                "from – to",
                "target",
                "bare C",
                "bare C, GSO",
                "bare Python",
                "× C",
                "delivered",
            ]
        ]
        for row in figures["forwarding"]:
            rows.append(
                [
                    row["name"],
                    f"{row['packets_per_s']:,}",
                    f"{row['us_per_packet']:.2f}",
                    f"{row['range_us'][0]:.1f} – {row['range_us'][1]:.1f}",
                    "" if row["target_us"] is None else f"≤ {row['target_us']:g}",
                    f"{row['c_us']:.2f}" if "c_us" in row else "–",
                    f"{row['c_gso_us']:.2f}" if "c_gso_us" in row else "–",
                    f"{row['python_us']:.2f}",
                    f"{row['ratio_to_c']:.2f}" if "ratio_to_c" in row else "–",
                    f"{100 * row['delivered']:.1f} %",
                ]
            )
        sections.append(("CPU time of the server per forwarded packet", rows))
    rows = [["what", "measured", "target"]]
    if "joining" in figures:
        joined = figures["joining"]
        rows += [
            ["server CPU per join", f"{joined['cpu_ms']:.2f} ms", "≤ 5 ms"],
            ["join until DTLS is up", f"{joined['connected_ms']:.1f} ms", ""],
            ["memory per participant", f"{joined['memory_kb']} kB", "≤ 400 kB"],
        ]
    if "media" in figures:
        rows += [
            ["join to first audio", f"{figures['media']['audio_ms']:.0f} ms", "≤ 150 ms"],
            ["join to first video", f"{figures['media']['video_ms']:.0f} ms", "≤ 300 ms"],
        ]
    if "latency" in figures:
        late = figures["latency"]
        load = f"{late['calls']} calls, {late['offered_per_s']:,.0f} packets/s in"
        load += f", {late['joins_per_s']:.1f} joins/s"
        rows += [
            [f"added latency p50 ({load})", f"{late['p50_ms']:.2f} ms", "≤ 0.5 ms"],
            ["added latency p99", f"{late['p99_ms']:.2f} ms", "≤ 5 ms"],
            ["the server's core meanwhile", f"{late['cpu_percent']:.0f} %", ""],
            ["delivered", f"{100 * late['delivered']:.2f} %", "100 %"],
        ]
    if len(rows) > 1:
        sections.append(("Joining, memory, latency", rows))
    if "desk" in figures:
        sections += desk.rows(figures["desk"])
    return sections


def _report(figures: dict[str, Any]) -> str:
    parts = [
        f"{figures['date']}  {figures['machine']}, Python {figures['python']}, medians of {figures['rounds']}"
    ]
    for title, rows in _rows(figures):
        parts.append(f"\n{title}\n{table(rows)}")
    return "\n".join(parts)


def _markdown(figures: dict[str, Any]) -> str:
    lines = [
        f"Measured {figures['date']} with `{figures['command']}` on {figures['machine']}, "
        f"Python {figures['python']}; medians of {figures['rounds']} rounds.",
        "",
    ]
    for title, rows in _rows(figures):
        lines += [f"### {title}", "", "| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
        lines += ["| " + " | ".join(row) + " |" for row in rows[1:]]
        lines.append("")
    return "\n".join(lines)


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _say(what: str) -> None:
    click.echo(f"measuring: {what}", err=True)
