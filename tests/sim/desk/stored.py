"""The evening on the real repositories, in virtual time, with crashes between any two steps.

A crash drops the whole service with its board in the middle of a command and starts a new one on the same
store. What was committed by then must stand, all of it; what was not must be gone, all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from signalling.cluster.wakeups import Wakeups
from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk.board import Board
from signalling.desk.errors import Refusal
from signalling.desk.state import Desk, Needs
from signalling.service.desk_service import DeskService, Outcome
from signalling.service.feed import EventFeed
from signalling.service.live_board import LiveBoard
from signalling.store import migrate, tables
from signalling.store.engine import Database
from signalling.store.queries import Queries
from signalling.store.relay import Feed, Relay, StoredEvent, stored_event
from signalling.store.unit_of_work import DeskStore, UnitOfWork
from tests.sim.desk.evening import Evening
from tests.sim.desk.world import START, World

STEPS = ("begun", "loaded", "decided", "saved", "committed", "told")
"""After which a process may die."""

Result = TypeVar("Result")


class CrashError(Exception):
    """The process dies here."""


class Fate:
    """Decides when the process dies."""

    def __init__(self, seed: int, share: float) -> None:
        self._rng = random.Random(seed)
        self._share = share
        self._step: str | None = None
        self.crashes: Counter[str] = Counter()

    def next_command(self) -> None:
        """Draw the lot of the next command."""
        self._step = self._rng.choice(STEPS) if self._rng.random() < self._share else None

    def passed(self, step: str) -> None:
        """A step was done; raises CrashError when it was the last."""
        if step == self._step:
            self._step = None
            self.crashes[step] += 1
            raise CrashError(step)


class MortalStore(DeskStore):
    """The store of a process that may die at any step."""

    def __init__(self, database: Database, fate: Fate) -> None:
        super().__init__(database)
        self._fate = fate

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """The real unit of work, with places to die."""
        async with super().begin() as work:
            yield _MortalWork(work, self._fate)  # type: ignore[misc]
        self._fate.passed("committed")


class _MortalWork:
    def __init__(self, work: UnitOfWork, fate: Fate) -> None:
        self._work = work
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)

    async def load(self, needs: Needs) -> Desk:
        self._fate.passed("begun")
        desk = await self._work.load(needs)
        self._fate.passed("loaded")
        return desk

    async def save(self, events: Sequence[e.Event]) -> Desk:
        self._fate.passed("decided")
        after = await self._work.save(events)
        self._fate.passed("saved")
        return after


class _NobodyToWake:
    async def wake(self, topic: str) -> None:
        """The relay is run by hand."""


class Process:
    """A server's service and board, as they are after a start."""

    def __init__(self, database: Database, fate: Fate, number: int) -> None:
        self.store = MortalStore(database, fate)
        self.service = DeskService(self.store, _NobodyToWake())
        self.live = LiveBoard(self.store, Queries(database))
        relay = Relay(database, f"process-{number}")
        self.feed = EventFeed(Feed(database), relay, cast(Wakeups, _NobodyToWake()))
        self._fate = fate

    async def start(self) -> None:
        """Read what there is."""
        await self.live.open(self.feed)
        self.service.on_outcome(self.live.on_outcome)
        self.service.on_outcome(self._told)

    def _told(self, _: Outcome) -> None:
        self._fate.passed("told")


class StoredWorld(World):
    """A world whose commands run in a real service; `desk` and `log` are what its events say."""

    def __init__(self, seed: int, url: str, *, crashes: float) -> None:
        self.runner = asyncio.Runner()
        self.now = START
        self.fate = Fate(seed, 0.0)
        self.database = self._run(Database.open(url, Path(), clock=lambda: self.now))
        self._run(migrate.migrate(self.database))
        self.position = 0
        self.processes = 0
        self._start()
        super().__init__(seed, board=False)
        self.fate = self.process.store._fate = self.process._fate = Fate(seed, crashes)

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    def _start(self) -> None:
        self.processes += 1
        self.process = Process(self.database, self.fate, self.processes)
        self._run(self.process.start())

    @property
    def board(self) -> Board:
        """That of the living process."""
        return self.process.live.board

    @board.setter
    def board(self, _: object) -> None:
        """The world makes none."""

    def execute(self, command: c.Command) -> list[e.Event]:
        """What a client does: after a crash it looks what came of it, and asks again if nothing did.

        :raises Refusal: nothing happened.
        """
        self.commands += 1
        self.fate.next_command()
        while True:
            try:
                self._run(self.process.service.execute(command))
            except CrashError:
                self._start()
                if events := self._take_in():
                    return events
                continue
            except Refusal as refusal:
                self.refusals[refusal.code] += 1
                raise
            return self._take_in()

    def _take_in(self) -> list[e.Event]:
        """What was committed since the last look, and nothing else."""
        stored = self._run(self._committed())
        events = [each.event() for each in stored]
        for event in events:
            self.desk.apply(event)
            if isinstance(event, e.CallEvent):
                self.touched.add(event.call)
            if self.watch is not None:
                self.watch(event)
        self.log.extend(events)
        return events

    async def _committed(self) -> list[StoredEvent]:
        statement = sa.select(tables.events).where(tables.events.c.position > self.position)
        async with self.database.read() as connection:
            rows = await connection.execute(statement.order_by(tables.events.c.position))
            found = [stored_event(row) for row in rows]
        if found:
            self.position = found[-1].position
        return found

    def check_store(self) -> None:
        """The database holds what the events say: aggregates, parts, and a feed without gaps."""
        self._run(self._check_store())

    async def _check_store(self) -> None:
        while await self.process.feed._relay.run_once():
            pass
        feed, ids = Feed(self.database), list[int]()
        while batch := await feed.after(ids[-1] if ids else 0):
            ids += [event.event_id or 0 for event in batch]
        assert ids == list(range(1, len(self.log) + 1)), "the feed has gaps"
        queries = Queries(self.database)
        for call in self.desk.calls.values():
            assert await queries.call(call.id) == call, f"{call.id} differs from its events"
        for agent in self.desk.agents.values():
            assert await queries.agent(agent.id) == agent, f"{agent.id} differs from its events"
        living, held = tables.assignments.c, ("connecting", "live", "away")
        twice = (
            sa.select(living.call_id)
            .where(living.role == "primary", living.state.in_(held))
            .group_by(living.call_id)
            .having(sa.func.count() > 1)
        )
        async with self.database.read() as connection:
            assert not list(await connection.execute(twice)), "double assignments"

    def close(self) -> None:
        """Let go of the database."""
        self._run(self.database.close())
        self.runner.close()


def play(seed: int, url: str, *, students: int, agents: int, crashes: float = 0.05) -> str:
    """One evening with crashes; the counts, after all that must hold was looked at."""
    world = StoredWorld(seed, url, crashes=crashes)
    try:
        evening = Evening(seed, students=students, agents=agents, world=world)
        evening.run()
        evening.finish()
        world.check_store()
        crashed = ", ".join(f"{step} {world.fate.crashes[step]}" for step in STEPS)
        return f"{evening.report()}\n{world.processes - 1} crashes after: {crashed}"
    finally:
        world.close()
