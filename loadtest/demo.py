"""`raisehand demo`: the story of one support call, told by real clients against a real server."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from loadtest.narrator import Figures, Narrator, StepFailedError, summary
from loadtest.story import LENGTHS, Story
from loadtest.texts import LANGUAGES, language_of, text

_CLEAN_UP_S = 8.0


async def run(length_name: str, out: Path, language: str, *, colour: bool) -> Figures:
    """Tell the story, printing its steps, with snapshot and logs left in the existing directory `out`."""
    figures = Figures(language, length_name)
    narrator = Narrator(figures, colour=colour)
    length = LENGTHS[length_name]
    narrator.say(f"\n{text('title', language)}\n")
    complete = False
    story = asyncio.ensure_future(Story(narrator, length, out, language).tell())
    done, _ = await asyncio.wait({story}, timeout=length.limit_s)
    if not done:
        story.cancel()
        await asyncio.wait({story}, timeout=_CLEAN_UP_S)
        narrator.say(f"  {text('timeout', language)}: {length.limit_s:g} s")
    elif story.exception() is None:
        complete = True
    else:
        error = story.exception()
        if not isinstance(error, StepFailedError):
            narrator.say(f"  {type(error).__name__}: {error}")
    figures.passed = complete and all(step.passed for step in figures.steps)
    return figures


def _make_room(out: Path) -> None:
    """Make the directory, and take away what an earlier telling left, so that nothing stale is looked at."""
    out.mkdir(parents=True, exist_ok=True)
    for old in (
        "snapshot.png",
        "agent-heard.wav",
        "figures.json",
        "events.jsonl",
        "server.log",
        "clients.log",
    ):
        (out / old).unlink(missing_ok=True)


def _conclude(figures: Figures, out: Path) -> None:
    written = json.dumps(asdict(figures), indent=2, ensure_ascii=False)
    (out / "figures.json").write_text(written + "\n", "utf-8")
    language = figures.language
    click.echo(f"\n{summary(figures)}\n")
    click.echo(f"  {text('files', language)} {out}/: {', '.join(sorted(p.name for p in out.iterdir()))}")
    click.echo(f"  {text('success' if figures.passed else 'failure', language)}\n")


@click.command(name="demo")
@click.option(
    "--story",
    "story_name",
    type=click.Choice(sorted(LENGTHS)),
    default="full",
    envvar="STORY",
    show_default=True,
    help="full: within 150 s; short: within 60 s.  [env: STORY]",
)
@click.option(
    "--lang", type=click.Choice(LANGUAGES), default=None, help="Language; by default the locale's (LANG)."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-out"),
    show_default=True,
    help="Directory for the snapshot, the figures and the logs.",
)
def command(story_name: str, lang: str | None, out: Path) -> None:
    """Show one support call from beginning to end, headless, with real WebRTC clients.

    Starts a server of its own. A VIP student asks for help and waits with music, one agent lets the
    offer expire, another accepts; a teacher joins by link, a specialist takes over, a supervisor
    monitors, whispers and barges; then the event log and what was measured. Everybody sends a tone and
    test cards of its own. Exits with 0 only if every step was seen to work.

    \b
    Example:
      raisehand demo --story short --lang en --out /tmp/demo
    """
    language = lang or language_of(os.environ)
    _make_room(out)
    logging.basicConfig(filename=out / "clients.log", level=logging.INFO, force=True)
    figures = asyncio.run(run(story_name, out, language, colour=sys.stdout.isatty()))
    _conclude(figures, out)
    sys.exit(0 if figures.passed else 1)


if __name__ == "__main__":
    command()
