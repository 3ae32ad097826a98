"""A server with calls in progress, and the proof that a fault did not disturb them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from loadtest.server import ServerProcess
from loadtest.waiting import wait_until
from tests.integration.faults.clock import ProcessWatch
from tests.integration.faults.participants import Participant

PACKET_S = 0.02
"""50 audio packets a second, as Opus sends them."""

MAX_GAP_S = 0.2
"""A longer gap in somebody's media is a disturbance (the same in docs/faults.md)."""

MAX_LOOP_DELAY_S = 0.05
"""How late the server's media timer may be through its own doing."""

MAX_GROWTH_BYTES = 20 << 20
"""What the server's memory may grow by in the course of one fault."""

CONTENTION = 2.0
"""Of the loop's delay, its waiting for a CPU is deducted twice: what arrived meanwhile has to be worked off.
On a quiet machine that is nothing; the gaps, from which it is deducted once, tell a blocked loop anywhere."""

LEAST_PACKETS = 25
"""Of each caller, before a quick disturbance is judged: half a second."""
SET_UP_DEADLINE_S = 8.0
SCRAPE_S = 0.25
ARRIVAL_DEADLINE_S = 3.0
"""After the fault: until the last packets must have arrived."""


@dataclass
class Verdict:
    """What the calls and the server went through during a fault."""

    seconds: float = 0.0
    sent: int = 0
    received: int = 0
    gap_s: float = 0.0
    """Longest gap at a receiver, without what its sender or the scheduler caused."""
    raw_gap_s: float = 0.0
    loop_delay_s: float = 0.0
    raw_loop_delay_s: float = 0.0
    set_ups: list[float] = field(default_factory=list)
    """Seconds each took, from the first byte to media."""
    failures: list[str] = field(default_factory=list)
    growth_bytes: int = 0

    def __str__(self) -> str:
        slowest = max(self.set_ups, default=0.0)
        return (
            f"{self.seconds:.1f} s, {self.received} of {self.sent} packets, gap {self.gap_s * 1e3:.0f} ms "
            f"(raw {self.raw_gap_s * 1e3:.0f}), loop delay {self.loop_delay_s * 1e3:.0f} ms "
            f"(raw {self.raw_loop_delay_s * 1e3:.0f}), {len(self.set_ups)} set-ups "
            f"(slowest {slowest:.2f} s), {self.growth_bytes / 1e6:+.1f} MB"
        )


class Site:
    """A server process with two-party calls, each sending 50 audio packets a second both ways."""

    def __init__(self, server: ServerProcess, http: aiohttp.ClientSession, watch: ProcessWatch) -> None:
        self.server = server
        self.http = http
        self.watch = watch
        self.callers: list[Participant] = []
        self._numbers = itertools.count(1)
        self._pump: asyncio.Task[None] | None = None
        self.packet_s = PACKET_S

    @property
    def media_address(self) -> tuple[str, int]:
        return "127.0.0.1", self.server.udp_port

    def unique(self, word: str) -> str:
        """A name not used before."""
        return f"{word}-{next(self._numbers)}"

    def participant(self, room: str = "", identity: str = "", **options: object) -> Participant:
        """Somebody new, not joined yet."""
        return Participant(
            self.server,
            self.http,
            room or self.unique("room"),
            identity or self.unique("person"),
            **options,  # type: ignore[arg-type]
        )

    @asynccontextmanager
    async def joined(
        self, room: str = "", identity: str = "", **options: object
    ) -> AsyncIterator[Participant]:
        """Somebody new in a room."""
        options.setdefault("receive", (1, 0))
        participant = self.participant(room, identity, **options)
        try:
            await participant.join()
            yield participant
        finally:
            await participant.abandon()

    async def call(self) -> tuple[Participant, Participant]:
        """A new two-party call that carries audio both ways."""
        room = self.unique("call")
        pair = [self.participant(room, publish=["audio"], receive=(1, 0), feedback=False) for _ in range(2)]
        for caller in pair:
            await caller.join()
        return pair[0], pair[1]

    async def begin_calls(self, number: int, packet_s: float = PACKET_S) -> None:
        """Set up calls and keep them talking."""
        for _ in range(number):
            self.callers.extend(await self.call())
        self.packet_s = packet_s
        self._pump = asyncio.create_task(self._talk())
        await wait_until(
            lambda: all(caller.packets_received >= 3 for caller in self.callers), "everybody hears", 20.0
        )

    async def close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
        for caller in self.callers:
            await caller.abandon()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.server.pid, signal.SIGTERM)  # a drain; `ServerProcess.stop` then ends it at once

    async def _talk(self) -> None:
        due = time.monotonic()
        while True:
            for number, caller in enumerate(self.callers):
                caller.send_stamped_audio()
                if number % 32 == 31:
                    await asyncio.sleep(0)
            due = max(due + self.packet_s, time.monotonic() - self.packet_s)
            await asyncio.sleep(max(due - time.monotonic(), 0))

    async def metrics(self) -> dict[str, float]:
        """The server's metrics; a label's value is appended to the name after a slash."""
        async with (
            asyncio.timeout(SET_UP_DEADLINE_S),
            self.http.get(f"{self.server.http_url}/metrics") as answer,
        ):
            text = await answer.text()
        return {
            "/".join([sample.name, *sample.labels.values()]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def dropped(self, reason: str) -> float:
        """Datagrams dropped so far for a reason."""
        return (await self.metrics()).get(f"raisehand_datagrams_dropped_total/{reason}", 0.0)

    async def set_up(self) -> float:
        """Two people join a new room and hear each other; the seconds it took."""
        began = time.perf_counter()
        async with AsyncExitStack() as stack, asyncio.timeout(SET_UP_DEADLINE_S):
            pair = await self.call()
            for caller in pair:
                stack.push_async_callback(caller.close)

            def hear() -> bool:
                for caller in pair:
                    caller.send_stamped_audio()
                return all(caller.packets_received for caller in pair)

            await wait_until(hear, "both hear each other", SET_UP_DEADLINE_S)
        return time.perf_counter() - began

    @asynccontextmanager
    async def undisturbed(
        self,
        *,
        set_ups: int = 2,
        max_gap_s: float = MAX_GAP_S,
        max_loop_delay_s: float = MAX_LOOP_DELAY_S,
        max_growth_bytes: int = MAX_GROWTH_BYTES,
    ) -> AsyncIterator[Verdict]:
        """Whatever is done inside must not disturb a call, a set-up, the event loop or the memory.

        Set-ups go on all the time, at least `set_ups` of them; with 0 there are none.
        """
        verdict = Verdict()
        before = self.watch.resident_bytes()
        self.watch.reset()
        for caller in self.callers:
            caller.stamps.clear()
            caller.keep_stamps = True
        first_numbers = [caller._numbers for caller in self.callers]
        began = time.monotonic()
        over = asyncio.Event()
        setting_up = asyncio.create_task(self._keep_setting_up(verdict, over, set_ups))
        scraping = asyncio.create_task(self._watch_loop(verdict, over))
        try:
            yield verdict
            await self._wait_for_last([number + LEAST_PACKETS for number in first_numbers])
        finally:
            over.set()
            await asyncio.gather(setting_up, scraping)
        verdict.seconds = time.monotonic() - began
        last_numbers = [caller._numbers for caller in self.callers]
        await self._wait_for_last(last_numbers)
        self._judge_gaps(verdict, first_numbers, last_numbers)
        verdict.growth_bytes = max(self.watch.peak_bytes, self.watch.resident_bytes()) - before
        for caller in self.callers:
            caller.keep_stamps = False
        print(verdict)
        least = 0.3 * verdict.seconds / self.packet_s * len(self.callers)
        assert verdict.sent >= least, f"too little was sent: {verdict}"
        assert verdict.gap_s <= max_gap_s, f"media was disturbed: {verdict}"
        assert not any(caller.closed or caller.heard("leave") for caller in self.callers), "a call ended"
        assert not verdict.failures, f"set-ups failed: {verdict.failures}"
        assert verdict.loop_delay_s <= max_loop_delay_s, f"the event loop was blocked: {verdict}"
        assert verdict.growth_bytes <= max_growth_bytes, f"memory grew: {verdict}"

    async def _keep_setting_up(self, verdict: Verdict, over: asyncio.Event, least: int) -> None:
        if not least:
            return
        while not over.is_set() or len(verdict.set_ups) + len(verdict.failures) < least:
            try:
                verdict.set_ups.append(await self.set_up())
            except (OSError, aiohttp.ClientError, AssertionError) as error:  # TimeoutError is an OSError
                verdict.failures.append(repr(error))
            if len(verdict.set_ups) >= least:
                await asyncio.sleep(0.1)

    async def _watch_loop(self, verdict: Verdict, over: asyncio.Event) -> None:
        await self.metrics()  # takes what was before
        last = False
        while not last:
            start_ns = time.time_ns()
            try:
                await asyncio.wait_for(over.wait(), SCRAPE_S)
                last = True
            except TimeoutError:
                pass
            lag = (await self.metrics())["raisehand_tick_lag_seconds"]
            window_ns = int((lag + PACKET_S) * 1e9)
            waited = self.watch.worst_wait_ns(start_ns - window_ns, time.time_ns(), window_ns) / 1e9
            verdict.raw_loop_delay_s = max(verdict.raw_loop_delay_s, lag)
            verdict.loop_delay_s = max(verdict.loop_delay_s, lag - CONTENTION * waited)

    async def _wait_for_last(self, last_numbers: list[int]) -> None:
        """Everybody's last packet, or a later one, must arrive at the other of the call."""

        def arrived() -> bool:
            return all(
                caller.stamps and caller.stamps[-1][0] >= last_numbers[index ^ 1]
                for index, caller in enumerate(self.callers)
            )

        await wait_until(arrived, "the last packets of all calls arrive", ARRIVAL_DEADLINE_S)

    def _judge_gaps(self, verdict: Verdict, first_numbers: list[int], last_numbers: list[int]) -> None:
        for index, caller in enumerate(self.callers):
            stamps = sorted(caller.stamps)
            verdict.sent += last_numbers[index ^ 1] - first_numbers[index ^ 1]
            verdict.received += len(stamps)
            for (number, sent, got), (next_number, next_sent, next_got) in itertools.pairwise(stamps):
                gap = next_got - got
                sender_late = max(next_sent - sent - int(self.packet_s * 1e9) * (next_number - number), 0)
                verdict.raw_gap_s = max(verdict.raw_gap_s, (gap - sender_late) / 1e9)
                if (gap - sender_late) / 1e9 > verdict.gap_s:
                    own = gap - sender_late - self.watch.waited_ns(sent, next_got)
                    verdict.gap_s = max(verdict.gap_s, own / 1e9)


async def paced(send: Callable[[int], Awaitable[None] | None], per_second: float, seconds: float) -> int:
    """Call `send` with 0, 1, 2... at a rate, in bursts of 10 ms; how often it was called."""
    total = int(per_second * seconds)
    began = time.monotonic()
    done = 0
    while done < total:
        due = min(int((time.monotonic() - began) * per_second) + 1, total, done + int(per_second / 10) + 1)
        while done < due:
            result = send(done)
            if result is not None:
                await result
            done += 1
        await asyncio.sleep(0.01)
    return done
