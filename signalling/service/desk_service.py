"""One command, one transaction: load what it needs, decide, store, commit, then tell everybody here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog

from signalling.desk.commands import Command
from signalling.desk.decide import decide
from signalling.desk.errors import Refusal
from signalling.desk.events import Event
from signalling.desk.state import Desk, needs
from signalling.store.errors import ConcurrencyError, UniquenessError
from signalling.store.leases import Lease
from signalling.store.unit_of_work import DeskStore

ATTEMPTS: Final = 4
"""How often a command that lost a race is run with fresh state before it is refused."""

OUTBOX: Final = "outbox"
"""Wake-up topic: events were committed that have no id yet."""

_log = structlog.get_logger("desk")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did."""

    events: Sequence[Event]
    desk: Desk
    """The excerpt after the events."""
    now: datetime
    """The database's time at which it was decided."""


class Waker(Protocol):
    """What is needed of `signalling.cluster.wakeups.Wakeups`."""

    async def wake(self, topic: str) -> None:
        """Wake whoever waits for the topic."""


Listener = Callable[[Outcome], None]
"""Told after the commit, on the node that ran the command; must not block or raise."""


class DeskService:
    """Runs commands. Every method raises StoreError when the database is away."""

    def __init__(self, store: DeskStore, wakeups: Waker) -> None:
        self._store = store
        self._wakeups = wakeups
        self._listeners: list[Listener] = []
        self._waking: set[asyncio.Task[None]] = set()
        self.refusals = 0
        self.commands = 0
        self.races = 0
        """How often a command had to be run again."""

    def on_outcome(self, listener: Listener) -> None:
        """Tell `listener` of every outcome that changed something."""
        self._listeners.append(listener)

    async def execute(self, command: Command, *, lease: Lease | None = None) -> Outcome:
        """Run a command; with `lease`, only while it is ours.

        Raises Refusal when the rules do not allow it (code ``conflict`` after too many lost races),
        LeaseLostError.
        """
        self.commands += 1
        for attempt in range(ATTEMPTS):
            try:
                outcome = await self._attempt(command, lease)
            except (ConcurrencyError, UniquenessError) as error:
                self.races += 1
                _log.info("race lost", command=command.TYPE, attempt=attempt, reason=str(error))
                continue
            except Refusal:
                self.refusals += 1
                raise
            if outcome.events:
                for listener in self._listeners:
                    listener(outcome)
                self._wake()
            return outcome
        raise Refusal("conflict", "others changed the same things again and again; try once more")

    async def _attempt(self, command: Command, lease: Lease | None) -> Outcome:
        async with self._store.begin() as work:
            if lease is not None:
                await work.guard(lease)
            desk = await work.load(needs(command))
            events = decide(desk, command, work.now)
            after = await work.save(events)
            now = work.now
        return Outcome(events, after, now)

    def _wake(self) -> None:
        """Not awaited: the caller's answer must not wait for Redis."""
        task = asyncio.create_task(self._wakeups.wake(OUTBOX))
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)
