"""Identifiers: UUIDv7 (RFC 9562 section 5.7), so that what is created later sorts later."""

from __future__ import annotations

import secrets
import threading
import time

_COUNTER_BITS = 12
"""Of `rand_a`, used as a counter within one millisecond (RFC 9562 section 6.2, method 1)."""
_COUNTER_START_BITS = 11
"""The counter starts in its lower half, so that it rarely runs over within a millisecond."""


class _Sequence:
    """Millisecond and counter of the newest identifier: later calls always get a greater one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ms = 0
        self._counter = 0

    def next(self, ms: int) -> tuple[int, int]:
        with self._lock:
            if ms > self._ms:
                self._ms, self._counter = ms, secrets.randbits(_COUNTER_START_BITS)
            else:  # the same millisecond, or the clock went back
                self._counter += 1
                if self._counter >> _COUNTER_BITS:
                    self._ms, self._counter = self._ms + 1, secrets.randbits(_COUNTER_START_BITS)
            return self._ms, self._counter


_sequence = _Sequence()


def new_id(unix_ms: int | None = None) -> str:
    """A new UUIDv7 in lower case with hyphens, greater than every one made before in this process.

    `unix_ms` is the time to put into it, for virtual time; by default the system's.
    """
    ms, counter = _sequence.next(time.time_ns() // 1_000_000 if unix_ms is None else unix_ms)
    return format_id(ms, counter, secrets.randbits(62))


def format_id(unix_ms: int, rand_a: int, rand_b: int) -> str:
    """A UUIDv7 of its parts: 48 bits of time, 12 and 62 bits of counter and chance."""
    value = (unix_ms & (1 << 48) - 1) << 80 | 7 << 76 | rand_a << 64 | 2 << 62 | rand_b
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
