"""Whom an event wakes. Thousands listen at once, and hardly any event is about any one of them.

A student's stream is woken by what is about the student, an agent's by what is about him or his calls; all
others are woken by every event. Nobody misses anything: a stream that was not woken looks by itself after a
while, and then sends everything that its client may see, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

from signalling.api.event_views import People
from signalling.api.roles import Actor, Role
from signalling.desk import events as e
from signalling.store.relay import StoredEvent

_EVERYTHING = (None, "")

_Topic = tuple[Role | None, str]


class Attention:
    """This node's event streams, by what wakes them."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._waiting: dict[_Topic, set[asyncio.Event]] = {}

    @contextlib.contextmanager
    def listen(self, actor: Actor) -> Iterator[asyncio.Event]:
        """An event that is set when something that concerns the actor was read; whoever waits clears it."""
        personal = actor.role in (Role.STUDENT, Role.AGENT)
        topic: _Topic = (actor.role, actor.id) if personal else _EVERYTHING
        attention = asyncio.Event()
        waiting = self._waiting.setdefault(topic, set())
        waiting.add(attention)
        try:
            yield attention
        finally:
            waiting.discard(attention)
            if not waiting and self._waiting.get(topic) is waiting:
                del self._waiting[topic]

    def on_event(self, stored: StoredEvent) -> None:
        """Wake whom it concerns; called for every event, in order, after `People.learn`."""
        for topic in (_EVERYTHING, *self._concerned(stored)):
            for attention in self._waiting.get(topic, ()):
                attention.set()

    def _concerned(self, stored: StoredEvent) -> Iterable[_Topic]:
        if stored.student_id is not None:
            yield Role.STUDENT, stored.student_id
        if stored.stream == e.Stream.AGENT:
            yield Role.AGENT, stored.aggregate_id
        people = self._people.known(stored)
        for agent in people.agents if people is not None else ():
            yield Role.AGENT, agent
        data = stored.payload.get("data", {})
        if stored.type == e.OfferCreated.TYPE:
            yield Role.AGENT, data["offer"]["agent"]
        elif stored.type == e.OfferEnded.TYPE:
            yield Role.AGENT, data["agent"]
