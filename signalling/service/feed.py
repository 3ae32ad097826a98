"""The stream of events within a node: numbers them (one node at a time), reads them once, hands them on.

Ids are given after the commit by whichever node holds the relay's lease. Every node reads the feed once for
all its listeners and keeps the newest events in memory; who lags behind reads the database.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from signalling.cluster.wakeups import EVENTS, Wakeups
from signalling.service.desk_service import OUTBOX
from signalling.store.errors import StoreError
from signalling.store.relay import BATCH, Feed, Relay, StoredEvent

RECENT: Final = 4096
"""Events kept in memory for listeners that lag a little."""

RELAY_POLL_S: Final = 1.0
"""The relay looks as often without being woken: its lease lives 5 s, and a lost wake-up delays all events."""

RETRY_S: Final = 0.5
"""Seconds between looks while the database is away."""

_log = structlog.get_logger("feed")


class EventFeed:
    """This node's reading of the feed."""

    def __init__(self, feed: Feed, relay: Relay, wakeups: Wakeups) -> None:
        self._feed = feed
        self._relay = relay
        self._wakeups = wakeups
        self._recent: deque[StoredEvent] = deque(maxlen=RECENT)
        self._listeners: list[Callable[[StoredEvent], None]] = []
        self.last_id = 0
        """The newest event that was read here."""

    async def open(self) -> None:
        """Begin after the newest event; raises StoreError."""
        self.last_id = await self._feed.newest_id()

    def on_event(self, listener: Callable[[StoredEvent], None]) -> None:
        """Tell `listener` of each event, in order; it must not block or raise."""
        self._listeners.append(listener)

    async def run_relay(self) -> None:
        """Number what was committed, for as long as the node runs; an owned task."""
        with self._wakeups.listen(OUTBOX, poll_s=RELAY_POLL_S) as woken:
            while True:
                try:
                    published = await self._relay.run_once()
                except StoreError as error:
                    _log.warning("the relay cannot work", reason=str(error))
                    await asyncio.sleep(RETRY_S)
                    continue
                if published:
                    await self._wakeups.wake(EVENTS)
                if len(published) < BATCH:
                    await woken.wait()

    async def run_reader(self) -> None:
        """Read the feed, for as long as the node runs; an owned task."""
        with self._wakeups.listen(EVENTS) as woken:
            while True:
                try:
                    events = await self._feed.after(self.last_id)
                except StoreError as error:
                    _log.warning("the feed cannot be read", reason=str(error))
                    await asyncio.sleep(RETRY_S)
                    continue
                for event in events:
                    self._recent.append(event)
                    self.last_id = event.event_id or self.last_id
                    for listener in self._listeners:
                        listener(event)
                if len(events) < BATCH:
                    await woken.wait()

    async def after(self, event_id: int) -> Sequence[StoredEvent]:
        """Events that follow `event_id`, oldest first, at most a batch; raises StoreError."""
        if event_id >= self.last_id:
            return ()
        if self._recent and (self._recent[0].event_id or 0) <= event_id + 1:
            newer = list[StoredEvent]()
            for event in reversed(self._recent):
                if (event.event_id or 0) <= event_id:
                    break
                newer.append(event)
            newer.reverse()
            return newer[:BATCH]
        return await self._feed.after(event_id)

    async def oldest_id(self) -> int | None:
        """The oldest event that is still kept; raises StoreError."""
        return await self._feed.oldest_id()
