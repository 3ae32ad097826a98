"""When Python looks for cycles of garbage among all objects.

Left to itself it does so whenever the number of objects has grown by a quarter, and then nothing else
happens: 0.7 s with 2,300 open event streams. Media is sent every 20 ms, so the two young generations are
left to Python (about a millisecond), and all objects are looked through when the node can bear it: for a
small share of the time, and sooner when nobody talks or waits.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Final

YOUNG: Final = 2_000
"""New objects that make Python look through them; its own number is 700."""
MIDDLE: Final = 20
"""Looks at the youngest that make it look at those that survived."""
NEVER: Final = 1_000_000
"""Looks at the middle generation until Python would look at all objects by itself."""

LOOK_S: Final = 5.0
"""Seconds between questions whether it is time."""
SHARE: Final = 0.002
"""Most of the time that may go into looking through all objects while people talk: 0.2 s every 100 s."""
QUIET_SHARE: Final = 0.01
"""The same while nobody talks or waits."""
MIN_PAUSE_S: Final = 30.0
"""Not more often, however little there is."""


class Garbage:
    """Looks through all objects when it is time; `run` is an owned task."""

    def __init__(self, people: Callable[[], int]) -> None:
        """`people`: how many there are who would notice a pause."""
        self._people = people
        self._collected_at = 0.0
        self.took_s = 0.0
        """How long the last look took."""
        self.looks = 0
        """Looks since the start."""

    def begin(self) -> None:
        """The node has started: what is there now stays, and need not be looked at again."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, NEVER)
        self._collected_at = time.monotonic()

    def is_time(self, now: float) -> bool:
        """Whether all objects should be looked through (monotonic seconds)."""
        share = SHARE if self._people() else QUIET_SHARE
        return now - self._collected_at >= max(MIN_PAUSE_S, self.took_s / share)

    def collect(self) -> None:
        """Look through all objects; everything else waits meanwhile."""
        began = time.monotonic()
        gc.collect()
        self._collected_at = time.monotonic()
        self.took_s = self._collected_at - began
        self.looks += 1

    async def run(self) -> None:
        """Look for as long as the node runs."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self.is_time(time.monotonic()):
                self.collect()
