"""The board of this node: built from the store, fed by every event, and what is shown from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalling.desk.board import Board
from signalling.desk.errors import SequenceGap
from signalling.desk.estimate import Advice, advice
from signalling.desk.events import AgentEvent, CallEvent, Event
from signalling.desk.model import Agent, AgentId, CallId, CallState, DeskPolicy, Kind
from signalling.service.desk_service import Outcome
from signalling.service.feed import EventFeed
from signalling.store.errors import StoreError
from signalling.store.queries import Queries
from signalling.store.relay import StoredEvent
from signalling.store.unit_of_work import DeskStore

REMEMBERED: Final = timedelta(days=7)
"""How far back handle times are read at start."""

RETRY_S: Final = 0.5

_log = structlog.get_logger("board")


class LiveBoard:
    """A `Board` that stays true. What it missed it loads again."""

    def __init__(self, store: DeskStore, queries: Queries) -> None:
        self._store = store
        self._queries = queries
        self.board = Board()
        self.policy = DeskPolicy()
        self.advice: Callable[[str], Sequence[Advice]] = advice
        """What somebody who waits may try, by topic."""
        self.changed = asyncio.Event()
        """Set by every change; whoever waits for it clears it."""
        self._missed: set[tuple[str, str]] = set()
        self._reload = asyncio.Event()

    @property
    def names(self) -> Mapping[str, str]:
        """Names of agents and supervisors by id, always the newest."""
        return _Names(self)

    def supervises(self, agent: str) -> bool:
        """Whether this is a supervisor."""
        found = self.board.desk.agents.get(AgentId(agent))
        return found is not None and found.profile.supervisor

    async def open(self, feed: EventFeed) -> None:
        """Build it, and let `feed` begin where it ends. Raises StoreError."""
        snapshot = await self._store.snapshot()
        desk = snapshot.desk
        self.policy = desk.policy
        self.board = Board(
            policy=desk.policy,
            queues=desk.queues.values(),
            agents=desk.agents.values(),
            calls=desk.calls.values(),
        )
        feed.last_id = snapshot.event_id
        now = await self._store.database.now()
        for time in reversed(await self._queries.handle_times(now - REMEMBERED)):
            self.board.handle_times.observe(time.queue, time.kind == Kind.CHAT.value, time.handled_s)
        feed.on_event(self.on_event)

    def on_outcome(self, outcome: Outcome) -> None:
        """What this node decided, at once."""
        self.policy = outcome.desk.policy
        for event in outcome.events:
            try:
                self.board.apply(event)
            except SequenceGap:
                self._take(event, outcome)
            except Exception:
                _log.exception("the board cannot follow", event_type=event.TYPE)
                self._miss(event)
        self.changed.set()

    def _take(self, event: Event, outcome: Outcome) -> None:
        """Another node's events are still on their way: take the aggregate as it is now."""
        if isinstance(event, CallEvent) and event.call in outcome.desk.calls:
            self.board.put_call(outcome.desk.calls[event.call])
        elif isinstance(event, AgentEvent) and event.agent in outcome.desk.agents:
            self.board.put_agent(outcome.desk.agents[event.agent])

    def on_event(self, stored: StoredEvent) -> None:
        """What anybody decided, through the feed."""
        try:
            event = stored.event()
        except ValueError as error:  # a newer node wrote it
            _log.warning("an event is unknown here", event_type=stored.type, reason=str(error))
            self._missed.add((stored.stream, stored.aggregate_id))
            self._reload.set()
            return
        try:
            self.board.apply(event)
        except SequenceGap:
            self._miss(event)
        except Exception:
            _log.exception("the board cannot follow", event_type=event.TYPE)
            self._miss(event)
        self.changed.set()

    def _miss(self, event: Event) -> None:
        self._missed.add((event.STREAM.value, event.stream_id))
        self._reload.set()

    def suspect(self, call: CallId, agent: AgentId) -> None:
        """What is known of these does not agree with the store: load them again."""
        self._missed |= {("call", call), ("agent", agent)}
        self._reload.set()

    async def run(self) -> None:
        """Load again what was missed, for as long as the node runs; an owned task."""
        while True:
            await self._reload.wait()
            self._reload.clear()
            while self._missed:
                stream, identifier = key = self._missed.pop()
                try:
                    await self._load(stream, identifier)
                except StoreError as error:
                    _log.warning("the board cannot be mended yet", reason=str(error))
                    self._missed.add(key)
                    await asyncio.sleep(RETRY_S)
            self.changed.set()

    async def _load(self, stream: str, identifier: str) -> None:
        if stream == "call":
            call = await self._queries.call(CallId(identifier))
            known = self.board.desk.calls.get(CallId(identifier))
            if call is None or (known is not None and known.version > call.version):
                return
            if call.state is not CallState.CLOSED or known is not None:
                self.board.put_call(call)
        elif stream == "agent":
            agent = await self._queries.agent(AgentId(identifier))
            old = self.board.desk.agents.get(AgentId(identifier))
            if agent is not None and (old is None or old.version <= agent.version):
                self.board.put_agent(agent)

    def next_deadline(self) -> datetime | None:
        """When timers or matches may have something new."""
        return self.board.next_deadline()


class _Names(Mapping[str, str]):
    """Names straight from the board's agents."""

    def __init__(self, live: LiveBoard) -> None:
        self._live = live

    @property
    def _agents(self) -> Mapping[AgentId, Agent]:
        return self._live.board.desk.agents

    def __getitem__(self, key: str) -> str:
        return self._agents[AgentId(key)].profile.name

    def __iter__(self) -> Iterator[str]:
        return iter(self._agents)

    def __len__(self) -> int:
        return len(self._agents)
