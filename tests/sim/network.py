"""A seeded network in virtual time: loss, bursts of loss, delay, jitter, reordering, a bottleneck with a
queue."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass


class VirtualTime:
    """A clock that jumps from event to event."""

    def __init__(self, start: float = 1000.0) -> None:
        self.now = start
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Run ``action`` at ``time``, but never in the past; events of one time run in the order of this
        call."""
        heapq.heappush(self._events, (max(time, self.now), next(self._order), action))

    def after(self, delay: float, action: Callable[[], None]) -> None:
        self.at(self.now + delay, action)

    def every(self, interval: float, action: Callable[[], None]) -> None:
        def again() -> None:
            action()
            self.after(interval, again)

        self.after(interval, again)

    def run_until(self, time: float) -> None:
        while self._events and self._events[0][0] <= time:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = time


@dataclass(frozen=True)
class LinkConditions:
    """What one direction of a network path does to datagrams."""

    loss: float = 0.0
    """Probability that a packet begins a loss."""
    burst: float = 1.0
    """Mean number of packets lost in a row once a loss began."""
    delay: float = 0.02
    """Seconds."""
    jitter: float = 0.0
    """Seconds; each packet is delayed by up to this in addition, without overtaking others."""
    reorder: float = 0.0
    """Probability that a packet is held back by `reorder_delay`, so that others overtake it."""
    reorder_delay: float = 0.015
    duplicate: float = 0.0
    rate_bps: float | None = None
    queue_s: float = 0.3
    """Seconds of queue before the bottleneck drops."""


class Link:
    """One direction of a path."""

    def __init__(
        self, time: VirtualTime, conditions: LinkConditions, deliver: Callable[[bytes], None], seed: int
    ) -> None:
        self.conditions = conditions
        self._time = time
        self._deliver = deliver
        self._random = random.Random(seed)
        self._burst_left = 0
        self._free_at = 0.0
        self._last_out = 0.0
        self.sent = 0
        self.lost = 0
        self.overflowed = 0
        self.reordered = 0
        self.duplicated = 0
        self.delivered = 0

    def send(self, datagram: bytes) -> None:
        conditions, now = self.conditions, self._time.now
        self.sent += 1
        if self._loses(conditions):
            self.lost += 1
            return
        leaves = now
        if conditions.rate_bps is not None:
            leaves = max(now, self._free_at)
            if leaves - now > conditions.queue_s:
                self.overflowed += 1
                return
            leaves += len(datagram) * 8 / conditions.rate_bps
            self._free_at = leaves
        arrives = leaves + conditions.delay
        if conditions.jitter:
            arrives += self._random.random() * conditions.jitter
        if conditions.reorder and self._random.random() < conditions.reorder:
            self.reordered += 1
            arrives += conditions.reorder_delay
        else:
            arrives = self._last_out = max(arrives, self._last_out)
        self._time.at(arrives, lambda: self._arrive(datagram))
        if conditions.duplicate and self._random.random() < conditions.duplicate:
            self.duplicated += 1
            self._time.at(arrives + 0.001, lambda: self._arrive(datagram))

    def _loses(self, conditions: LinkConditions) -> bool:
        if self._burst_left > 0:
            self._burst_left -= 1
            return True
        if conditions.loss and self._random.random() < conditions.loss:
            if conditions.burst > 1:
                # Geometric length with the given mean, this packet included.
                while self._random.random() < 1 - 1 / conditions.burst:
                    self._burst_left += 1
            return True
        return False

    def _arrive(self, datagram: bytes) -> None:
        self.delivered += 1
        self._deliver(datagram)
