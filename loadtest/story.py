"""The story of one support call, from a pressed button to the rating, played with real clients.

Everybody sends a tone and test cards of its own, so that each check says who is heard and seen by whom.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from loadtest import snapshot
from loadtest.bot import AudioWatch, Rate, VideoWatch
from loadtest.desk_client import DeskClient, DeskEvent, EventStream, Joinable, Opened, ProblemError
from loadtest.narrator import Narrator, StepFailedError, Stream
from loadtest.person import SCREEN, Person
from loadtest.proxy import TcpProxy
from loadtest.server import ServerProcess
from loadtest.texts import text
from loadtest.waiting import hold_during, wait_until

QUEUE = "vip"
"""The queue of VIP students in the sample data; two technical agents serve it."""

AGENTS = ("chen", "he")
SPECIALIST = "lin"
SUPERVISOR = "qian"

TONES_HZ = {"student": 500.0, "agent": 700.0, "teacher": 900.0, "specialist": 1100.0, "supervisor": 1300.0}

MAX_TRANSFER_SILENCE_S = 0.3
"""More than this and the student would think that the line is dead."""

_PATIENT_RING_S = 30.0
_STILL_S = 0.6  # how long something must not happen to count as not happening
_MAX_GAP_S = 1.0  # a picture that stands longer than this while signalling is down counts as interrupted
_MAX_LOSS = 0.02  # on loopback; more means that somebody drops packets


@dataclass(frozen=True, slots=True)
class Length:
    """How long a telling of the story takes, in seconds."""

    limit_s: float
    measure_s: float
    ring_s: float
    """How long an offer rings before it expires."""
    with_cut: bool
    """Whether the student's signalling connection is cut on the way."""


LENGTHS = {
    "full": Length(limit_s=135.0, measure_s=12.0, ring_s=4.0, with_cut=True),
    "short": Length(limit_s=50.0, measure_s=3.0, ring_s=2.0, with_cut=False),
}


def _check(holds: object, what: str) -> None:
    if not holds:
        raise StepFailedError(what)


def _offer(event: DeskEvent) -> dict[str, Any]:
    return dict(event.data["offer"])


class Story:
    """The support call: who does what, and what must be seen."""

    def __init__(self, narrator: Narrator, length: Length, out: Path, language: str) -> None:
        self._narrator, self._length, self._out, self._language = narrator, length, out, language
        self._figures = narrator.figures
        self._stack = AsyncExitStack()
        self._people: list[Person] = []

    async def tell(self) -> None:
        """Run every step; raises StepFailedError at the first that was not seen to work."""
        with tempfile.TemporaryDirectory(prefix="raisehand-demo-") as data_dir:
            server = ServerProcess(
                Path(data_dir),
                log_path=self._out / "server.log",
                environment={"RAISEHAND_DRAIN_TIMEOUT": "3"},
            )
            try:
                async with self._stack:
                    await self._tell(server)
            finally:
                await server.stop()

    async def _tell(self, server: ServerProcess) -> None:
        step = self._narrator.step
        async with step("server") as now:
            await server.start()
            now.note = server.http_url
            self._narrator.moment("server_ready", server.ready_after_s)
        await self._prepare(server)
        await self._press()
        await self._wait_with_music()
        await self._let_it_expire()
        await self._accept()
        await self._share()
        await self._measure()
        await self._teacher_by_link()
        await self._hold()
        if self._length.with_cut:
            await self._cut()
        await self._transfer()
        await self._supervise()
        await self._end()
        await self._event_log()
        async with step("stop") as now:
            for person in self._people:
                await person.close()
            code = await server.stop()
            now.note = f"exit {code}"
            _check(code == 0, f"exit code {code}")

    # The cast ---------------------------------------------------------------------------------------------

    async def _prepare(self, server: ServerProcess) -> None:
        self._http = await self._stack.enter_async_context(aiohttp.ClientSession())
        self._proxy = await self._stack.enter_async_context(TcpProxy("127.0.0.1", server.port))
        async with self._narrator.step("at_work") as now:
            self._admin = await DeskClient.login(server.http_url, "admin", self._http)
            await self._admin.change_queue(QUEUE, offer_timeout_s=self._length.ring_s)
            self._service = DeskClient.service(server.http_url, self._http)
            self._agents = {name: await self._staff(server, name, "agent") for name in AGENTS}
            self._specialist = await self._staff(server, SPECIALIST, "specialist")
            self._supervisor = await self._staff(server, SUPERVISOR, "supervisor")
            for person in [*self._agents.values(), self._specialist]:
                await person.client.set_state("available")
            free = {each["id"] for each in await self._service.agents() if each["state"] == "available"}
            _check(free == {*AGENTS, SPECIALIST}, f"available are {sorted(free)}")
            now.note = ", ".join(sorted(free))
        profile = {
            "level": "vip",
            "age": 12,
            "locale": self._language,
            "class_id": "301",
            "timezone": "Asia/Shanghai",
        }
        # By a proxy that can cut its connections, as a home router does.
        client = DeskClient.student(
            f"http://127.0.0.1:{self._proxy.port}",
            "student-301-7",
            self._http,
            name=text("student_name", self._language),
            **profile,
        )
        self._student = self._add(Person("student", TONES_HZ["student"], client, await self._listen(client)))

    async def _staff(self, server: ServerProcess, username: str, role: str) -> Person:
        client = await DeskClient.login(server.http_url, username, self._http)
        return self._add(Person(role, TONES_HZ[role], client, await self._listen(client)))

    async def _listen(self, client: DeskClient) -> EventStream:
        return await client.events().open()

    def _add(self, person: Person) -> Person:
        self._people.append(person)
        self._stack.push_async_callback(person.close)
        return person

    @property
    def _cast(self) -> set[str]:
        return {person.identity for person in self._people}

    # Waiting ----------------------------------------------------------------------------------------------

    async def _press(self) -> None:
        async with self._narrator.step("press") as now:
            ends = datetime.now(UTC) + timedelta(minutes=12)
            self._pressed_at = time.monotonic()
            self._opened = await self._student.client.ask(
                kind="video",
                topic="no_sound",
                severity="class_stopping",
                note=text("chat_text", self._language),
                context={"class_id": "301", "lesson_id": "301-7", "lesson_ends_at": ends.isoformat()},
                idempotency_key=f"press-{time.time_ns()}",
            )
            self._narrator.moment("press_to_ticket", time.monotonic() - self._pressed_at)
            call = self._opened.call
            self._call = self._opened.id
            _check(self._opened.ticket, "there is no ticket number")
            _check(call["queue"] == QUEUE, f"the queue is {call['queue']}")
            _check(call["severity"] == "class_stopping", f"the severity is {call['severity']}")
            _check(self._opened.queue["position"] == 1, f"the place is {self._opened.queue}")
            _check(self._opened.media is not None, "there is no media token")
            again = await self._student.client.ask(kind="video", topic="no_sound")
            _check(
                again.id == self._call and again.ticket == self._opened.ticket,
                "a second press, a second call",
            )
            now.note = self._place(self._opened)

    @staticmethod
    def _place(opened: Opened) -> str:
        wait = opened.queue.get("estimated_wait_s")
        waits = f", {wait['low']}–{wait['high']} s" if wait else ""
        return f"{opened.ticket}, #{opened.queue['position']}{waits}"

    async def _wait_with_music(self) -> None:
        async with self._narrator.step("ring") as now:
            rung = await asyncio.wait_for(self._first_ring(), 10.0)
            self._narrator.moment("press_to_ring", rung.arrived_at - self._pressed_at)
            # The next offer is meant to be accepted, however slow this machine is.
            await self._admin.change_queue(QUEUE, offer_timeout_s=_PATIENT_RING_S)
            self._missed_offer = _offer(rung)
            self._missing = self._agents[self._missed_offer["agent"]]
            call = await self._missing.client.call(self._call)
            _check(call["student"]["level"] == "vip", "the agent does not see a VIP")
            _check(call["context"]["class_id"] == "301", "the agent does not see class 301")
            ends = datetime.fromisoformat(call["context"]["lesson_ends_at"])
            minutes = (ends - datetime.now(UTC)).total_seconds() / 60
            _check(11 < minutes <= 12, f"the agent sees {minutes:.1f} minutes left")
            now.note = f"{self._missing.identity}: VIP, 301, {minutes:.0f} min"
        async with self._narrator.step("music") as now:
            media = self._opened.media
            assert media is not None
            await self._student.join(media)
            _check(
                not self._student.bot.local.permissions.can_publish, "the student could publish while waiting"
            )
            heard_at = await self._student.hears_music(self._cast, since=self._pressed_at)
            self._narrator.moment("press_to_music", heard_at - self._pressed_at)
            level = max(watch.level(0.5) for watch in self._student.sounds())
            now.note = f"RMS {level:.3f}"

    async def _first_ring(self) -> DeskEvent:
        waiting = [
            asyncio.create_task(agent.stream.wait_for("offer.created", call=self._call, offer__agent=name))
            for name, agent in self._agents.items()
        ]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _let_it_expire(self) -> None:
        async with self._narrator.step("expires") as now:
            self._agent = next(person for person in self._agents.values() if person is not self._missing)
            timeout_s = self._length.ring_s + 5.0
            expired = await self._missing.stream.wait_for(
                "offer.expired", call=self._call, timeout_s=timeout_s
            )
            rung = await self._agent.stream.wait_for(
                "offer.created", call=self._call, offer__agent=self._agent.identity, timeout_s=5.0
            )
            self._narrator.moment("expiry_to_ring", (rung.at - expired.at).total_seconds())
            self._offer = _offer(rung)
            now.note = f"{self._missing.identity} → {self._agent.identity}"
        async with self._narrator.step("late") as now:
            try:
                await self._missing.client.accept(self._missed_offer["id"])
            except ProblemError as problem:
                _check(problem.code == "offer_expired", f"the refusal is {problem.code}")
                now.note = f"{problem.status} {problem.code}"
            else:
                raise StepFailedError("an expired offer was accepted")

    # Talking ----------------------------------------------------------------------------------------------

    async def _accept(self) -> None:
        student, agent = self._student, self._agent
        async with self._narrator.step("accept") as now:
            self._accepted_at = time.monotonic()
            appears = asyncio.create_task(self._student_appears())
            try:
                accepted = await agent.client.accept(self._offer["id"])
                _check(accepted.student.get("level") == "vip", "the agent is not told whom it talks to")
                await agent.join(accepted.joinable)
                await agent.appear()
                await appears
            finally:
                appears.cancel()
            heard = await asyncio.gather(
                student.begins_to_hear(agent, since=self._accepted_at),
                agent.begins_to_hear(student, since=self._accepted_at),
            )
            self._narrator.moment("accept_to_audio", max(heard) - self._accepted_at)
            seen = await asyncio.gather(student.sees(agent), agent.sees(student))
            first = [watch.first_media_at or 0.0 for watch in seen]
            self._narrator.moment("accept_to_video", max(first) - self._accepted_at)
            await self._no_music(student)
            _check(
                self._missing.identity not in student.bot.room.remote_participants,
                "who accepted too late is in the call",
            )
            now.note = agent.identity

    async def _student_appears(self) -> None:
        """What a page does when the agent comes: it may speak now, so it does."""
        student = self._student
        await wait_until(lambda: student.bot.local.permissions.can_publish, "the student may speak")
        await student.appear()

    async def _no_music(self, person: Person) -> None:
        def silent() -> bool:
            return not any(w.audible_within(0.3) for w in person.sounds() if w.identity not in self._cast)

        await wait_until(silent, "the music ends")

    async def _share(self) -> None:
        async with self._narrator.step("share") as now:
            await self._student.show_screen()
            seen = await self._agent.sees_screen(self._student)
            now.note = f"{seen.size[0]}x{seen.size[1]}"
        async with self._narrator.step("chat") as now:
            words = text("chat_text", self._language)
            since = time.monotonic()
            await self._student.client.write(self._call, words)
            arrived = await self._agent.stream.wait_for("message.created", call=self._call, since=since)
            written = await self._agent.client.messages(self._call)
            _check([each["text"] for each in written] == [words], f"the chat holds {written}")
            now.note = f"{(arrived.arrived_at - since) * 1000:.0f} ms"

    async def _measure(self) -> None:
        student, agent = self._student, self._agent
        async with self._narrator.step("measure"):
            for person in (student, agent):
                for watch in person.bot.watches.values():
                    if isinstance(watch, VideoWatch):
                        watch.latencies_ms.clear()
            duration_s = self._length.measure_s
            of_agent, of_student = await asyncio.gather(
                agent.bot.measure(duration_s), student.bot.measure(duration_s)
            )
            for receiver, rates in ((agent, of_agent), (student, of_student)):
                for sid, watch in receiver.bot.watches.items():
                    sender = next((p for p in self._people if p.identity == watch.identity), None)
                    if sender is not None:
                        self._figures.streams.append(_stream(sender, receiver, watch, rates.get(sid)))
            _check(len(self._figures.streams) == 5, f"{len(self._figures.streams)} streams instead of five")
            for stream in self._figures.streams:
                _check_stream(stream)
            camera, screen = await agent.sees(student), await agent.sees_screen(student)
            snapshot.keep(self._out, screen, camera, await agent.hears(student))
            measured = await agent.client.diagnostics(self._call)
            _check(measured.get("participants"), "the server's own measures are empty")

    async def _teacher_by_link(self) -> None:
        student, agent = self._student, self._agent
        async with self._narrator.step("guest") as now:
            name = text("teacher", self._language)
            invited = await agent.client.drop_in(
                self._call, guest={"identity": "teacher-301", "name": name, "adult": True}
            )
            _check(invited.token and invited.token in invited.link, f"the link is {invited.link!r}")
            client = DeskClient(agent.client.url, invited.token, self._http, actor="teacher-301")
            teacher = self._teacher = self._add(Person("teacher", TONES_HZ["teacher"], client))
            await teacher.join(invited.joinable)
            await teacher.appear()
            for one, other in ((student, teacher), (agent, teacher), (teacher, student), (teacher, agent)):
                await one.hears(other)
                await one.sees(other)
            own = await client.call(self._call)
            _check(own["context"] is None, "a guest reads what only staff may read")
            now.note = name

    async def _hold(self) -> None:
        student, agent, teacher = self._student, self._agent, self._teacher
        async with self._narrator.step("hold") as now:
            since = time.monotonic()
            await agent.client.hold(self._call)
            music_at, still_heard_s = await asyncio.gather(
                student.hears_music(self._cast, since=since), agent.hears_no_more(student, since=since)
            )
            self._narrator.moment("hold_switch", still_heard_s)
            self._narrator.moment("hold_music", music_at - since)
            await asyncio.gather(
                student.hears_no_more(agent, since=since), agent.hears_no_more(teacher, since=since)
            )
            now.note = f"{still_heard_s * 1000:.0f} ms"
        async with self._narrator.step("resume"):
            since = time.monotonic()
            await agent.client.resume(self._call)
            heard = await asyncio.gather(
                student.begins_to_hear(agent, since=since), agent.begins_to_hear(student, since=since)
            )
            self._narrator.moment("resume_switch", max(heard) - since)
            await self._no_music(student)
            await agent.hears(teacher)

    async def _cut(self) -> None:
        student, agent = self._student, self._agent
        async with self._narrator.step("cut"):
            cut_at = time.monotonic()
            _check(self._proxy.cut(), "there was no connection to cut")
            await student.bot.wait_for_event("reconnected", 15.0, since=cut_at)
            resumed_at = student.bot.seen("reconnected", cut_at)[0].at
            self._narrator.moment("resume_after_cut", resumed_at - cut_at)
            seen = await agent.sees(student)
            await wait_until(lambda: seen.arrivals[-1] > resumed_at + 0.5, "pictures after the cut")
            gap_s = seen.longest_gap_s(cut_at, seen.arrivals[-1])
            self._narrator.moment("longest_gap", gap_s)
            _check(gap_s <= _MAX_GAP_S, f"the picture stood for {gap_s:.2f} s")
            await agent.hears(student)
            for name in ("participant_disconnected", "track_unpublished"):
                _check(not agent.bot.seen(name, cut_at), f"the agent saw {name}: joined anew, not resumed")
            await wait_until(lambda: student.stream.connects >= 2, "the student's event stream is back")

    async def _transfer(self) -> None:
        student, agent, specialist = self._student, self._agent, self._specialist
        before = time.monotonic()
        async with self._narrator.step("consult") as now:
            note = text("transfer_note", self._language)
            await agent.client.transfer(self._call, {"agent": specialist.identity}, kind="warm", note=note)
            rung = await specialist.stream.wait_for(
                "offer.created", call=self._call, offer__agent=specialist.identity
            )
            _check(_offer(rung)["note"] == note, "the specialist does not read the agent's note")
            accepted = await specialist.client.accept(_offer(rung)["id"])
            since = time.monotonic()
            await specialist.join(accepted.joinable)
            await specialist.appear()
            await asyncio.gather(agent.hears(specialist), specialist.hears(agent))
            await student.hears_music(self._cast, since=since)
            await asyncio.gather(
                student.hears_no_more(agent, since=since), agent.hears_no_more(student, since=since)
            )
            await hold_during(
                lambda: not student.hears_tone(agent.hz) and not student.hears_tone(specialist.hz),
                "the student hears only music",
                _STILL_S,
            )
            now.note = specialist.identity
        async with self._narrator.step("transfer") as now:
            since = time.monotonic()
            await agent.client.complete_transfer(self._call)
            heard_at = await student.begins_to_hear(specialist, since=since)
            self._narrator.moment("transfer_switch", heard_at - since)
            await asyncio.gather(
                specialist.hears(student), student.sees(specialist), specialist.sees(student)
            )
            silence_s = student.longest_silence_s(since - 0.2, time.monotonic())
            self._narrator.moment("transfer_silence", silence_s)
            _check(silence_s <= MAX_TRANSFER_SILENCE_S, f"the student heard nothing for {silence_s:.2f} s")
            await wait_until(
                lambda: agent.identity not in student.bot.room.remote_participants, "the first agent has left"
            )
            await student.stream.wait_for("transfer.completed", call=self._call)
            for name in ("reconnecting", "reconnected", "disconnected"):
                _check(not student.bot.seen(name, before), f"the student's client saw {name}")
            now.note = f"{silence_s * 1000:.0f} ms"

    # Supervision, end ---------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        student, specialist, supervisor = self._student, self._specialist, self._supervisor
        step, moment = self._narrator.step, self._narrator.moment
        await student.hears(self._teacher)
        unnoticed_since = time.monotonic()
        async with step("monitor"):
            dropped = await self._drop_in_supervisor()
            await supervisor.join(dropped.joinable)
            await supervisor.appear()
            heard = await asyncio.gather(supervisor.hears(student), supervisor.hears(specialist))
            moment("monitor_first_sound", max(w.first_media_at or 0.0 for w in heard) - unnoticed_since)
            await asyncio.gather(supervisor.sees(student), supervisor.sees(specialist))
            await hold_during(
                lambda: not specialist.hears_tone(supervisor.hz) and not student.hears_tone(supervisor.hz),
                "nobody hears who monitors",
                _STILL_S,
            )
            self._student_noticed_nothing(unnoticed_since)
        async with step("whisper"):
            since = time.monotonic()
            await supervisor.client.set_mode(self._call, supervisor.identity, "whisper")
            moment("whisper_switch", await specialist.begins_to_hear(supervisor, since=since) - since)
            await hold_during(
                lambda: not student.hears_tone(supervisor.hz), "the student hears no whisper", _STILL_S
            )
            self._student_noticed_nothing(unnoticed_since)
        async with step("barge"):
            since = time.monotonic()
            await supervisor.client.set_mode(self._call, supervisor.identity, "barge")
            moment("barge_switch", await student.begins_to_hear(supervisor, since=since) - since)
            await student.sees(supervisor)
        async with step("unbarge"):
            since = time.monotonic()
            await supervisor.client.set_mode(self._call, supervisor.identity, "monitor")
            still = await asyncio.gather(
                student.hears_no_more(supervisor, since=since),
                specialist.hears_no_more(supervisor, since=since),
            )
            moment("monitor_switch", max(still))
            await student.hears(specialist)

    async def _drop_in_supervisor(self) -> Joinable:
        supervisor = self._supervisor
        return await supervisor.client.drop_in(
            self._call, agent=supervisor.identity, mode="monitor", force=True
        )

    def _student_noticed_nothing(self, since: float) -> None:
        student, supervisor = self._student, self._supervisor
        _check(not student.noticed(since), f"the student's client was told: {student.noticed(since)}")
        _check(
            supervisor.identity not in student.bot.room.remote_participants,
            "the student's client knows of the supervisor",
        )
        told = [event.type for event in student.stream.events if event.arrived_at >= since]
        _check(not told, f"the student's event stream told of {told}")

    async def _end(self) -> None:
        student, specialist = self._student, self._specialist
        async with self._narrator.step("end"):
            since = time.monotonic()
            await specialist.client.end(self._call)
            for person in (student, specialist, self._teacher, self._supervisor):
                await person.bot.wait_for_event("disconnected", since=since)
            ended = await student.stream.wait_for("call.ended", call=self._call)
            self._narrator.moment("end_to_told", ended.arrived_at - since)
        async with self._narrator.step("wrap_up") as now:
            await self._agent.client.set_state("away")
            call = await specialist.client.wrap_up(
                self._call,
                codes=["audio.driver"],
                notes=text("wrap_up_notes", self._language),
                resolved=True,
                first_diagnosis="device",
            )
            _check(call["state"] == "closed", f"the call is {call['state']}")
            _check(call["closed_reason"] == "completed", f"the reason is {call['closed_reason']}")
            now.note = str(call["wrapup"]["codes"][0])
        async with self._narrator.step("rating") as now:
            await student.client.rate(self._call, 5, resolved=True, comment=text("thanks", self._language))
            call = await student.client.call(self._call)
            _check(call["rating"]["stars"] == 5, f"the rating is {call['rating']}")
            ticket = await self._service.ticket(self._opened.ticket)
            _check(ticket["state"] in ("solved", "confirmed"), f"the ticket is {ticket['state']}")
            now.note = f"★★★★★ {ticket['ticket']}: {ticket['state']}"

    async def _event_log(self) -> None:
        async with self._narrator.step("events") as now:
            async with self._supervisor.client.events(after=0) as log:
                await log.wait_for("rating.created", call=self._call)
            self._log = [event for event in log.events if event.call == self._call]
            ids = [event.id for event in log.events]
            _check(ids == sorted(set(ids)) and not log.doubled, "ids are doubled or out of order")
            _in_order([event.type for event in self._log])
            modes = [e.data.get("after") for e in self._log if e.type == "supervision.changed"]
            for mode in ("monitor", "whisper", "barge"):
                _check(mode in modes, f"the log does not hold the {mode}")
            for person in self._people:
                if person.events is not None:
                    _check(not person.stream.doubled, f"{person.identity} got events twice")
            lines = [json.dumps(event.raw, ensure_ascii=False) for event in log.events]
            (self._out / "events.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
            self._figures.events = len(self._log)
            now.note = f"{len(self._log)}"
        self._narrator.say()
        for event in self._log:
            after_s = (event.at - self._log[0].at).total_seconds()
            self._narrator.say(f"    {after_s:7.3f} s  {event.type:24s} {_gist(event)}".rstrip())
        self._narrator.say()


EXPECTED_ORDER = (
    "call.queued",
    "offer.created",
    "offer.expired",
    "offer.created",
    "call.accepted",
    "message.created",
    "call.held",
    "call.resumed",
    "transfer.started",
    "transfer.completed",
    "supervision.changed",
    "call.ended",
    "rating.created",
)
"""Events that the story must leave, in this order, others between them."""


def _in_order(types: list[str]) -> None:
    """Check that the expected events stand in the log in order; raises StepFailedError."""
    rest = iter(types)
    for expected in EXPECTED_ORDER:
        _check(expected in rest, f"{expected} is missing or out of order in {types}")


def _gist(event: DeskEvent) -> str:
    """The few words of an event that say what happened."""
    data = event.data
    offer = data.get("offer")
    if isinstance(offer, dict):
        return str(offer.get("agent", ""))
    if event.type == "supervision.changed":
        return f"{data.get('supervisor')}: {data.get('before')} → {data.get('after')}"
    for name in ("agent", "identity", "queue", "author", "reason"):
        if isinstance(data.get(name), str):
            return str(data[name])
    return ""


def _stream(sender: Person, receiver: Person, watch: VideoWatch | AudioWatch, rate: Rate | None) -> Stream:
    kind = "speech"
    if isinstance(watch, VideoWatch):
        kind = "screen" if watch.source == SCREEN else "camera"
    stream = Stream(sender.role, receiver.role, kind)
    if watch.first_media_at is not None and kind in sender.published_at:
        stream.first_media_ms = round((watch.first_media_at - sender.published_at[kind]) * 1000, 1)
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


def _check_stream(stream: Stream) -> None:
    name = f"{stream.sender}'s {stream.kind}"
    _check(stream.kbps is not None and stream.kbps >= 1, f"nothing came of {name}")
    _check((stream.loss_percent or 0.0) <= _MAX_LOSS * 100, f"{name} lost {stream.loss_percent} %")
    if stream.kind != "speech":
        _check(
            (stream.frames_per_second or 0.0) >= 3, f"{name} has {stream.frames_per_second} frames a second"
        )
