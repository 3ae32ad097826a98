"""Wake-ups: "something changed, look into the database". Nothing depends on one arriving.

Within a node they are handed over directly, between nodes by Redis' publish/subscribe, which keeps nothing: a
message is lost when Redis is away, flushed or slow. So every listener also looks by itself every few seconds,
and more often while Redis is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from redis import exceptions

from signalling.cluster import keys
from signalling.cluster.connection import CALL_TIMEOUT_S, Health, RedisConnection, bounded
from signalling.cluster.errors import RedisAwayError

POLL_S = 3.0
"""Seconds after which a listener looks without having been woken, give or take `SPREAD`."""
POLL_AWAY_S = 0.5
"""The same while wake-ups of other nodes cannot arrive."""
SPREAD = 0.2
"""Share by which waiting times differ, so that listeners do not look all at once."""
PING_INTERVAL_S = 2.0
"""Seconds between questions whether the subscription still lives."""
RETRY_S = 0.5
"""Seconds between attempts to subscribe."""
READ_S = 1.0
"""Seconds of one read, then other things are looked at."""

EVENTS = "events"
"""The outbox or the event table has something new."""
MATCHER = "matcher"
"""Who waits or who is free changed."""
TIMERS = "timers"
"""A deadline was set that may come before all others."""
ROOMS = "rooms"
"""A room changed its owner."""

_log = structlog.get_logger("wakeups")


@dataclass(slots=True)
class WakeupCounters:
    """What happened, for `/metrics`."""

    published: int = 0
    unpublished: int = 0
    """Not sent to other nodes for Redis was away."""
    received: int = 0
    subscriptions: int = 0
    """Times that the subscription had to be made."""


class Listener:
    """Waits for one topic; several wake-ups before a look count as one."""

    def __init__(self, wakeups: Wakeups, topic: str, poll_s: float) -> None:
        self._wakeups = wakeups
        self._poll_s = poll_s
        self._woken = asyncio.Event()
        self.topic = topic

    def wake(self) -> None:
        """Let `wait` return now or the next time."""
        self._woken.set()

    async def wait(self, until_s: float | None = None) -> bool:
        """Return when woken, or when it is time to look anyway, or after `until_s` seconds; whether woken.

        Look *after* it returned: what happens during the look wakes again.
        """
        patience = self._poll_s if self._wakeups.reaching else min(self._poll_s, POLL_AWAY_S)
        patience *= 1 + random.uniform(-SPREAD, SPREAD)
        if until_s is not None:
            patience = max(0.0, min(patience, until_s))
        try:
            async with asyncio.timeout(patience):
                await self._woken.wait()
        except TimeoutError:
            return False
        finally:
            self._woken.clear()
        return True


class Wakeups:
    """Wakes listeners of this node and of the others."""

    def __init__(self, redis: RedisConnection) -> None:
        self._redis = redis
        self._listeners: dict[str, set[Listener]] = {}
        self._channels: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._subscribed: frozenset[str] = frozenset()
        self._listening = False
        self.counters = WakeupCounters()
        redis.on_change(self._on_redis)

    @property
    def reaching(self) -> bool:
        """Whether wake-ups of other nodes arrive, as far as we know."""
        return self._listening and self._redis.health.up

    def start(self) -> None:
        """Subscribe from now on."""
        self._task = asyncio.create_task(self._run(), name="wake-ups")

    async def stop(self) -> None:
        """End the subscription; listeners go on by looking themselves."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._listening = False

    @contextlib.contextmanager
    def listen(self, topic: str, *, poll_s: float = POLL_S) -> Iterator[Listener]:
        """A listener for as long as the block runs."""
        listener = Listener(self, topic, poll_s)
        self._listeners.setdefault(topic, set()).add(listener)
        self._channels[keys.wakeup(topic)] = topic
        self._changed.set()
        try:
            yield listener
        finally:
            self._listeners[topic].discard(listener)
            if not self._listeners[topic]:
                del self._listeners[topic]
                del self._channels[keys.wakeup(topic)]
                self._changed.set()

    async def wake(self, topic: str) -> None:
        """Wake all listeners of a topic on all nodes; never fails, and may reach only those of this node."""
        self._wake_here(topic)
        try:
            await self._redis.call("PUBLISH", keys.wakeup(topic), "")
            self.counters.published += 1
        except RedisAwayError:
            self.counters.unpublished += 1

    # Within --------------------------------------------------------------------------------------

    def _on_redis(self, health: Health) -> None:
        """Redis is away: nobody goes on waiting in the belief of being woken."""
        if not health.up:
            for topic in list(self._listeners):
                self._wake_here(topic)

    def _wake_here(self, topic: str) -> None:
        for listener in self._listeners.get(topic, ()):
            listener.wake()

    async def _run(self) -> None:
        while True:
            try:
                await self._redis.wait_up()
                await self._subscription()
            except (exceptions.RedisError, OSError, TimeoutError) as error:
                _log.info("the subscription ended", reason=str(error) or type(error).__name__)
            except Exception:
                _log.exception("wake-ups failed")
            self._listening = False
            await asyncio.sleep(RETRY_S)

    async def _subscription(self) -> None:
        """Read until the connection breaks; every step is bounded in time."""
        pubsub = self._redis.pubsub()
        try:
            self._subscribed = frozenset()
            await self._follow(pubsub)
            self.counters.subscriptions += 1
            self._listening = True
            clock = asyncio.get_running_loop().time
            asked_at, heard_at = clock(), clock()
            while True:
                message = await bounded(pubsub.get_message(timeout=READ_S), READ_S + CALL_TIMEOUT_S)
                now = clock()
                if message is not None:
                    heard_at = now
                    self._received(message)
                if self._changed.is_set():
                    await self._follow(pubsub)
                if asked_at <= heard_at:
                    if now - heard_at > PING_INTERVAL_S or now - asked_at > PING_INTERVAL_S:
                        asked_at = now
                        await bounded(pubsub.ping(), CALL_TIMEOUT_S)
                elif now - asked_at > PING_INTERVAL_S:
                    raise TimeoutError("no answer to a ping")
        finally:
            with contextlib.suppress(exceptions.RedisError, OSError, TimeoutError):
                await bounded(pubsub.aclose(), CALL_TIMEOUT_S)

    async def _follow(self, pubsub: Any) -> None:
        """Subscribe to what has listeners, and to no more."""
        self._changed.clear()
        wanted = frozenset(self._channels) | {keys.wakeup(ROOMS)}
        if new := wanted - self._subscribed:
            await bounded(pubsub.subscribe(*new), CALL_TIMEOUT_S)
            for channel in new:  # what was published before is lost
                if channel in self._channels:
                    self._wake_here(self._channels[channel])
        if old := self._subscribed - wanted:
            await bounded(pubsub.unsubscribe(*old), CALL_TIMEOUT_S)
        self._subscribed = wanted

    def _received(self, message: dict[str, Any]) -> None:
        if message["type"] != "message":
            return
        topic = self._channels.get(message["channel"].decode())
        if topic is not None:
            self.counters.received += 1
            self._wake_here(topic)
