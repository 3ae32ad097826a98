"""`raisehand demo`: the story of one support call, told by real clients against a real server."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import statistics
import sys
import tempfile
import time
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import cv2
import numpy as np
from livekit import rtc

from loadtest.bot import AudioWatch, Bot, Rate, VideoWatch, source_number
from loadtest.media import Image
from loadtest.proxy import TcpProxy
from loadtest.server import ServerProcess, access_token
from loadtest.sound import SAMPLE_RATE, speech
from loadtest.table import display_width, table
from loadtest.texts import LANGUAGES, language_of, text
from loadtest.waiting import wait_until

ROOM = "demo"
_SCREEN = rtc.TrackSource.SOURCE_SCREENSHARE
_MAX_GAP_S = 1.0  # a picture that stands longer than this while signalling is down counts as interrupted
_MAX_LOSS = 0.02  # on loopback; more means that somebody drops packets
_CLEAN_UP_S = 8.0


@dataclass(frozen=True, slots=True)
class Length:
    """How long a telling of the story takes, in seconds."""

    limit_s: float
    measure_s: float
    with_specialist: bool


LENGTHS = {
    "full": Length(limit_s=135.0, measure_s=12.0, with_specialist=True),
    "short": Length(limit_s=50.0, measure_s=4.0, with_specialist=False),
}


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
    streams: list[Stream] = field(default_factory=list)


class Narrator:
    """Prints the steps as they go and keeps the record."""

    def __init__(self, figures: Figures, *, colour: bool) -> None:
        self.figures = figures
        self._colour = colour

    def say(self, line: str = "") -> None:
        click.echo(line)

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
            filler = " " * max(1, 62 - display_width(title))
            note = f"  {step.note}" if step.note else ""
            self.say(f"  {self._mark(step.passed)} {title}{filler}{step.duration_s:6.2f} s{note}")


def _milliseconds(later: float | None, earlier: float) -> float | None:
    return None if later is None else round((later - earlier) * 1000, 1)


class Story:
    """The support call: who does what, and what must be seen."""

    def __init__(self, narrator: Narrator, length: Length, out: Path, language: str) -> None:
        self._narrator, self._length, self._out, self._language = narrator, length, out, language
        self._figures = narrator.figures
        self._published: dict[tuple[str, str], float] = {}
        self._stack = AsyncExitStack()

    async def tell(self) -> None:
        """Run every step; raises StepFailedError at the first that was not seen to work."""
        async with self._stack:
            with tempfile.TemporaryDirectory(prefix="raisehand-demo-") as data_dir:
                server = ServerProcess(Path(data_dir), log_path=self._out / "server.log")
                try:
                    await self._call(server)
                finally:
                    await self._stack.aclose()
                    await server.stop()

    async def _call(self, server: ServerProcess) -> None:
        step = self._narrator.step
        async with step("server") as now:
            await server.start()
            now.note = server.http_url
            self._moment("server_ready", server.ready_after_s)
        proxy = await self._stack.enter_async_context(TcpProxy("127.0.0.1", server.port))
        async with step("student_joins"):
            student = await self._join(f"ws://127.0.0.1:{proxy.port}", "student")
            self._moment("connect_student", student.connect_s)
        async with step("agent_joins"):
            agent = await self._join(server.url, "agent")
            self._moment("connect_agent", agent.connect_s)
            await wait_until(
                lambda: "agent" in student.room.remote_participants, "the student sees the agent"
            )
            await wait_until(
                lambda: "student" in agent.room.remote_participants, "the agent sees the student"
            )
        await self._speech_and_picture(student, agent)
        async with step("chat"):
            await self._chat(student, agent)
        async with step("measure"):
            await self._measure(student, agent)
            self._keep_what_the_agent_got(agent)
        await self._mute(student, agent)
        await self._cut(student, agent, proxy)
        if self._length.with_specialist:
            async with step("third"):
                await self._specialist(server.url)
        async with step("leave"):
            await student.close()
            await wait_until(
                lambda: "student" not in agent.room.remote_participants, "the agent sees the student leave"
            )
        await agent.close()
        async with step("stop") as now:
            code = await server.stop()
            now.note = f"exit {code}"
            if code != 0:
                raise StepFailedError(f"exit code {code}")

    def _moment(self, key: str, seconds: float) -> None:
        self._figures.moments_ms[key] = round(seconds * 1000, 1)

    async def _join(self, url: str, identity: str) -> Bot:
        bot = Bot(url, access_token(ROOM, identity, name=text(identity, self._language)))
        self._stack.push_async_callback(bot.close)
        return await bot.connect()

    async def _speech_and_picture(self, student: Bot, agent: Bot) -> None:
        step, voice = self._narrator.step, text("voice", self._language)
        pairs = (
            (student, agent, "agent_hears", "student_says", 70),
            (agent, student, "student_hears", "agent_says", 35),
        )
        for speaker, listener, key, said, pitch in pairs:
            words = await asyncio.to_thread(speech, text(said, self._language), voice=voice, pitch=pitch)
            async with step(key) as now:
                self._published[speaker.identity, "speech"] = time.monotonic()
                await speaker.publish_microphone(words)
                heard = await listener.wait_for_sound(speaker.identity)
                now.note = f"{20 * np.log10(max(heard.level(1.0), 1e-6)):.0f} dBFS"
        for sender, viewer, key in ((student, agent, "agent_sees"), (agent, student, "student_sees")):
            async with step(key) as now:
                self._published[sender.identity, "camera"] = time.monotonic()
                await sender.publish_camera(label=sender.identity)
                seen = await viewer.wait_for_video(sender.identity)
                self._check_source(seen, sender.identity, "camera")
                now.note = f"{seen.size[0]}x{seen.size[1]}"
        async with step("agent_sees_screen") as now:
            self._published[student.identity, "screen"] = time.monotonic()
            await student.publish_screen()
            seen = await agent.wait_for_video(student.identity, source=_SCREEN)
            self._check_source(seen, student.identity, "screen")
            now.note = f"{seen.size[0]}x{seen.size[1]}"

    @staticmethod
    def _check_source(watch: VideoWatch, identity: str, kind: str) -> None:
        if watch.last_source != source_number(identity, kind):
            raise StepFailedError(f"the picture is not {identity}'s {kind}")

    async def _chat(self, student: Bot, agent: Bot) -> None:
        received: list[str] = []
        tasks: set[asyncio.Task[None]] = set()

        async def read(reader: rtc.TextStreamReader) -> None:
            received.append(await reader.read_all())

        def on_text(reader: rtc.TextStreamReader, _identity: str) -> None:
            tasks.add(asyncio.ensure_future(read(reader)))

        agent.room.register_text_stream_handler("lk.chat", on_text)
        words = text("chat_text", self._language)
        await student.local.send_text(words, topic="lk.chat")
        await wait_until(lambda: received == [words], "the chat message", detail=lambda: received)

    async def _measure(self, student: Bot, agent: Bot) -> None:
        for bot in (student, agent):
            for watch in bot.watches.values():
                if isinstance(watch, VideoWatch):
                    watch.latencies_ms.clear()
        of_agent, of_student = await asyncio.gather(
            agent.measure(self._length.measure_s), student.measure(self._length.measure_s)
        )
        for receiver, rates in ((agent, of_agent), (student, of_student)):
            for sid, watch in receiver.watches.items():
                self._figures.streams.append(self._stream(receiver, watch, rates.get(sid)))
        for stream in self._figures.streams:
            name = f"{stream.sender}'s {stream.kind}"
            if stream.kbps is None or stream.kbps < 1:
                raise StepFailedError(f"nothing came of {name}")
            if (stream.loss_percent or 0.0) > _MAX_LOSS * 100:
                raise StepFailedError(f"{name} lost {stream.loss_percent:.1f} %")
            if stream.kind != "speech" and (stream.frames_per_second or 0.0) < 3:
                raise StepFailedError(f"{name} has only {stream.frames_per_second} frames a second")

    def _stream(self, receiver: Bot, watch: VideoWatch | AudioWatch, rate: Rate | None) -> Stream:
        kind = "speech"
        if isinstance(watch, VideoWatch):
            kind = "screen" if watch.source == _SCREEN else "camera"
        stream = Stream(watch.identity, receiver.identity, kind)
        stream.first_media_ms = _milliseconds(watch.first_media_at, self._published[watch.identity, kind])
        if rate is not None:
            stream.kbps = round(rate.kbps, 1)
            stream.loss_percent = round(rate.loss * 100, 2)
            stream.jitter_ms = round(rate.jitter_ms, 1)
            stream.codec = rate.mime_type.partition("/")[2]
            if isinstance(watch, VideoWatch):
                stream.frames_per_second = round(rate.frames_per_second, 1)
                stream.size = f"{watch.size[0]}x{watch.size[1]}"
        if isinstance(watch, VideoWatch) and len(watch.latencies_ms) > 1:
            ordered = sorted(watch.latencies_ms)
            stream.latency_p50_ms = float(statistics.median(ordered))
            stream.latency_p95_ms = float(ordered[int(len(ordered) * 0.95)])
        return stream

    async def _mute(self, student: Bot, agent: Bot) -> None:
        step = self._narrator.step
        async with step("mute"):
            muted_at = time.monotonic()
            student.mute()
            await agent.wait_for_event("track_muted", since=muted_at)
            await agent.wait_for_silence("student", duration_s=1.0)
            heard = agent.audio_of("student")
            if heard is not None and heard.last_audible_at is not None:
                self._moment("silence_after_mute", max(0.0, heard.last_audible_at - muted_at))
        async with step("unmute"):
            unmuted_at = time.monotonic()
            student.unmute()
            await agent.wait_for_event("track_unmuted", since=unmuted_at)
            await agent.wait_for_sound("student")

    async def _cut(self, student: Bot, agent: Bot, proxy: TcpProxy) -> None:
        step = self._narrator.step
        cut_at = time.monotonic()
        async with step("cut"):
            if proxy.cut() == 0:
                raise StepFailedError("there was no connection to cut")
            await student.wait_for_event("reconnected", 15.0, since=cut_at)
            resumed_at = student.seen("reconnected", cut_at)[0].at
            self._moment("resume_after_cut", resumed_at - cut_at)
            seen = agent.video_of("student")
            assert seen is not None
            await wait_until(lambda: seen.arrivals[-1] > resumed_at + 0.5, "pictures after the cut")
            gap_s = seen.longest_gap_s(cut_at, seen.arrivals[-1])
            self._moment("longest_gap", gap_s)
            if gap_s > _MAX_GAP_S:
                raise StepFailedError(f"the picture stood for {gap_s:.2f} s")
            await agent.wait_for_sound("student")
        async with step("resumed"):
            for name in ("participant_disconnected", "track_unpublished"):
                if agent.seen(name, cut_at):
                    raise StepFailedError(f"the agent saw {name}: joined anew instead of resumed")
            await student.local.set_attributes({"resumed": "yes"})
            await wait_until(
                lambda: agent.room.remote_participants["student"].attributes.get("resumed") == "yes",
                "signalling after the cut reaches the agent",
            )

    async def _specialist(self, url: str) -> None:
        specialist = await self._join(url, "specialist")
        for identity in ("student", "agent"):
            await specialist.wait_for_sound(identity)
            await specialist.wait_for_video(identity)
        await specialist.wait_for_video("student", source=_SCREEN)
        await specialist.close()

    def _keep_what_the_agent_got(self, agent: Bot) -> None:
        screen, camera = agent.video_of("student", _SCREEN), agent.video_of("student")
        pictures = [watch.picture() if watch is not None else None for watch in (screen, camera)]
        if pictures[0] is None or pictures[1] is None:
            raise StepFailedError("there is no picture to keep")
        cv2.imwrite(str(self._out / "snapshot.png"), _with_inset(pictures[0], pictures[1]))
        heard = agent.audio_of("student")
        if heard is not None:
            with wave.open(str(self._out / "agent-heard.wav"), "wb") as sound:
                sound.setnchannels(1)
                sound.setsampwidth(2)
                sound.setframerate(SAMPLE_RATE)
                sound.writeframes(heard.recent(3.0).tobytes())


def _with_inset(screen: Image, camera: Image) -> Image:
    """The shared screen with the camera in the lower right corner, as an agent's page shows them."""
    picture = screen.copy()
    height, width = picture.shape[:2]
    inset_width = width // 4
    inset_height = inset_width * camera.shape[0] // camera.shape[1]
    inset = cv2.resize(camera, (inset_width, inset_height), interpolation=cv2.INTER_AREA)
    margin = width // 60
    top, left = height - inset_height - margin, width - inset_width - margin
    cv2.rectangle(
        picture, (left - 3, top - 3), (left + inset_width + 2, top + inset_height + 2), (255, 255, 255), -1
    )
    picture[top : top + inset_height, left : left + inset_width] = inset
    return picture


def _summary(figures: Figures) -> str:
    def word(key: str) -> str:
        return text(key, figures.language)

    def number(value: float | None, digits: int = 0) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

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
    moments = [[word("moment"), "ms"]]
    moments += [[word(key), number(value)] for key, value in figures.moments_ms.items()]
    parts = [table(moments)]
    if figures.streams:
        parts += [table(streams), "  " + word("latency_note")]
    return "\n\n".join(parts)


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
    for old in ("snapshot.png", "agent-heard.wav", "figures.json", "server.log", "clients.log"):
        (out / old).unlink(missing_ok=True)


def _conclude(figures: Figures, out: Path) -> None:
    written = json.dumps(asdict(figures), indent=2, ensure_ascii=False)
    (out / "figures.json").write_text(written + "\n", "utf-8")
    language = figures.language
    click.echo(f"\n{_summary(figures)}\n")
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

    Starts a server of its own, lets a student and an agent talk, show their cameras and share a
    screen, mutes, kills a WebSocket, and measures. Exits with 0 only if every step was seen to work.

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
