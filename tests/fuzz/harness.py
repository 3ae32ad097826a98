"""A seeded mutation fuzzer for parsers.

A target promises that any input either is accepted or raises one of its declared exceptions, within 10 ms.
The harness mutates the target's corpus, and the inputs that led to an outcome not seen before; it needs no
instrumentation and gives the same inputs for the same seed.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import random
import re
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol, cast, runtime_checkable

from tests.fuzz import targets as _targets

TIME_LIMIT_S = 0.010
"""Longest that one input may take."""

RETRIES = 7
"""A slow input is timed this often again, in CPU time, and its fastest run counts: machines are shared."""

HANG_CPU_S = 2.0
"""CPU seconds on one input after which it is taken for an endless loop."""

MAX_INPUT_BYTES = 65_535
"""Longest input, unless the target says otherwise with `MAX_BYTES`."""

MAX_POOL = 2_000
"""Inputs kept as material for mutations."""

KEEP_ACCEPTED = 0.002
"""Share of accepted mutations that become samples themselves: steps away from the corpus that stay valid."""

MAX_MEMORY_GROWTH_KIB = 256 * 1024
"""Growth of the process's peak memory during one target."""


@runtime_checkable
class Target(Protocol):
    """What a module under `targets/` exposes.

    It may also expose `TOKENS: list[bytes]`, words worth inserting, and `MAX_BYTES: int`.
    """

    NAME: str
    CORPUS: list[bytes]
    """Valid samples."""
    ALLOWED: tuple[type[Exception], ...]
    """What `run` may raise."""

    @staticmethod
    def run(data: bytes) -> None:
        """Gives one input to the parser; checks what it likes with `assert`."""


def discover() -> dict[str, Target]:
    """All targets by name."""
    found: dict[str, Target] = {}
    for info in sorted(pkgutil.iter_modules(_targets.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{_targets.__name__}.{info.name}")
        if not isinstance(module, Target):
            raise TypeError(f"fuzz target {info.name} lacks NAME, CORPUS, ALLOWED or run")
        target = cast(Target, module)
        if target.NAME in found:
            raise ValueError(f"two fuzz targets are named {target.NAME}")
        found[target.NAME] = target
    return found


@dataclass
class Failure:
    """An input that broke the promise."""

    target: str
    data: bytes
    reason: str

    def save(self, folder: Path) -> Path:
        """Writes the input to a file named after the target and the input's digest."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.target}-{hashlib.sha256(self.data).hexdigest()[:12]}.bin"
        path.write_bytes(self.data)
        return path


@dataclass
class Result:
    """What one target's run came to."""

    target: str
    inputs: int = 0
    accepted: int = 0
    elapsed_s: float = 0.0
    slowest_s: float = 0.0
    outcomes: set[str] = field(default_factory=set)
    failure: Failure | None = None

    def __str__(self) -> str:
        return (
            f"{self.target:<22} {self.inputs:>10} inputs {self.inputs / max(self.elapsed_s, 1e-9):>9.0f}/s "
            f"{self.accepted:>9} accepted {len(self.outcomes):>4} outcomes "
            f"slowest {1000 * self.slowest_s:5.2f} ms  {'FAILED' if self.failure else 'ok'}"
        )


class _HangError(BaseException):
    """Raised into an input that does not come to an end."""


class _Watchdog:
    """Notices an input that uses CPU without end.

    It ticks in CPU time (SIGVTALRM), so neither a paused machine nor another user of SIGALRM disturbs it, and
    costs nothing for each input.
    """

    def __init__(self) -> None:
        self.inputs = 0
        self._seen = -1

    def _tick(self, signal_number: int, frame: FrameType | None) -> None:
        if self.inputs == self._seen:
            raise _HangError
        self._seen = self.inputs

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watches while the context lasts."""
        previous = signal.signal(signal.SIGVTALRM, self._tick)
        signal.setitimer(signal.ITIMER_VIRTUAL, HANG_CPU_S, HANG_CPU_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, previous)


_INTERESTING_BYTES = (0x00, 0x01, 0x0F, 0x10, 0x7F, 0x80, 0xBE, 0xC8, 0xDE, 0xF0, 0xFE, 0xFF)
_INTERESTING_NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    15,
    16,
    255,
    256,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
)


class Mutator:
    """Makes inputs from a pool of samples."""

    def __init__(
        self, rng: random.Random, pool: list[bytes], tokens: Sequence[bytes], max_bytes: int
    ) -> None:
        self._rng = rng
        self._pool = pool
        self._tokens = tokens
        self._max_bytes = max_bytes
        self._steps: list[Callable[[bytearray], None]] = [
            self._flip_bit,
            self._flip_bit,
            self._set_byte,
            self._set_byte,
            self._set_number,
            self._add_to_byte,
            self._cut_end,
            self._cut_range,
            self._insert_random,
            self._repeat_range,
            self._splice,
            self._move_range,
        ]
        if tokens:
            self._steps += [self._insert_token, self._insert_token]

    def next(self) -> bytes:
        """A new input."""
        rng = self._rng
        kind = rng.random()
        if kind < 0.03:
            return rng.randbytes(min(int(rng.expovariate(1 / 40)), self._max_bytes))
        data = bytearray(rng.choice(self._pool))
        for _ in range(1 + min(int(rng.expovariate(0.6)), 12)):
            rng.choice(self._steps)(data)
        if kind > 0.995:
            self._blow_up(data)
        del data[self._max_bytes :]
        return bytes(data)

    def _range(self, data: bytearray) -> tuple[int, int]:
        start = self._rng.randrange(len(data) + 1)
        return start, min(len(data), start + 1 + int(self._rng.expovariate(1 / 8)))

    def _flip_bit(self, data: bytearray) -> None:
        if data:
            data[self._rng.randrange(len(data))] ^= 1 << self._rng.randrange(8)

    def _set_byte(self, data: bytearray) -> None:
        if data:
            at = self._rng.randrange(len(data))
            interesting = self._rng.random() < 0.5
            data[at] = self._rng.choice(_INTERESTING_BYTES) if interesting else self._rng.randrange(256)

    def _add_to_byte(self, data: bytearray) -> None:
        if data:
            at = self._rng.randrange(len(data))
            data[at] = (data[at] + self._rng.randint(-4, 4)) & 0xFF

    def _set_number(self, data: bytearray) -> None:
        width = self._rng.choice((2, 2, 3, 4))
        if len(data) >= width:
            at = self._rng.randrange(len(data) - width + 1)
            number = self._rng.choice(_INTERESTING_NUMBERS) & (1 << 8 * width) - 1
            data[at : at + width] = number.to_bytes(width)

    def _cut_end(self, data: bytearray) -> None:
        del data[self._rng.randrange(len(data) + 1) :]

    def _cut_range(self, data: bytearray) -> None:
        start, stop = self._range(data)
        del data[start:stop]

    def _insert_random(self, data: bytearray) -> None:
        at = self._rng.randrange(len(data) + 1)
        data[at:at] = self._rng.randbytes(1 + int(self._rng.expovariate(1 / 4)))

    def _insert_token(self, data: bytearray) -> None:
        at = self._rng.randrange(len(data) + 1)
        data[at:at] = self._rng.choice(self._tokens)

    def _repeat_range(self, data: bytearray) -> None:
        start, stop = self._range(data)
        data[stop:stop] = data[start:stop] * self._rng.choice((1, 1, 2, 3, 20))

    def _move_range(self, data: bytearray) -> None:
        start, stop = self._range(data)
        moved = data[start:stop]
        del data[start:stop]
        at = self._rng.randrange(len(data) + 1)
        data[at:at] = moved

    def _splice(self, data: bytearray) -> None:
        other = self._rng.choice(self._pool)
        at = self._rng.randrange(len(data) + 1)
        data[at:] = other[self._rng.randrange(len(other) + 1) :]

    def _blow_up(self, data: bytearray) -> None:
        """Repeats a part until the input is as long as it may be: finds what grows faster than its input."""
        start, stop = self._range(data)
        part = data[start:stop]
        if part:
            data[stop:stop] = part * ((self._max_bytes - len(data)) // len(part))


def _first_inputs(corpus: Sequence[bytes]) -> Iterator[bytes]:
    """Each sample, each of its truncations, and each of its octets damaged in four ways."""
    yield from corpus
    yield b""
    for sample in corpus:
        for size in range(min(len(sample), 2048)):
            yield sample[:size]
        for at in range(min(len(sample), 512)):
            for octet in (0x00, 0xFF, sample[at] ^ 0x80, sample[at] ^ 0x01):
                yield sample[:at] + bytes((octet,)) + sample[at + 1 :]


def _outcome(error: Exception | None) -> str:
    """What distinguishes one way through the parser from another, as far as can be seen from outside."""
    if error is None:
        return "accepted"
    return f"{type(error).__name__}: " + re.sub("[0-9]+", "#", str(error)[:200])[:80]


def fuzz(target: Target, *, seconds: float, seed: int = 0, max_inputs: int | None = None) -> Result:
    """Fuzzes one target until time or inputs run out or an input breaks the promise."""
    rng = random.Random(f"{seed}:{target.NAME}")
    pool = [sample for sample in target.CORPUS if sample] or [b"\0"]
    longest = max(map(len, pool))
    max_bytes: int = getattr(target, "MAX_BYTES", MAX_INPUT_BYTES)
    tokens: Sequence[bytes] = getattr(target, "TOKENS", ())
    mutator = Mutator(rng, pool, tokens, max_bytes)
    result = Result(target.NAME)
    watchdog = _Watchdog()
    run, allowed = target.run, target.ALLOWED
    memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = _first_inputs(target.CORPUS)
    started = time.perf_counter()
    deadline = started + seconds
    with watchdog.watching():
        while max_inputs is None or result.inputs < max_inputs:
            data = next(first, None)
            if data is None:
                data = mutator.next()
            result.inputs += 1
            watchdog.inputs += 1
            error: Exception | None = None
            begun = time.perf_counter()
            try:
                run(data)
            except allowed as exc:
                error = exc
            except _HangError:
                result.failure = Failure(target.NAME, data, f"no end after {HANG_CPU_S:g} s of CPU")
                break
            except Exception:
                result.failure = Failure(target.NAME, data, traceback.format_exc())
                break
            ended = time.perf_counter()
            took = ended - begun
            if took > TIME_LIMIT_S:
                took = min(took, _time_again(target, data))
                if took > TIME_LIMIT_S:
                    result.failure = Failure(target.NAME, data, f"took {1000 * took:.1f} ms of 10 ms allowed")
                    break
            result.slowest_s = max(result.slowest_s, took)
            result.accepted += error is None
            outcome = _outcome(error)
            keep = outcome not in result.outcomes
            if error is None and not keep:
                keep = rng.random() < KEEP_ACCEPTED and len(data) <= longest
            if keep and len(pool) < MAX_POOL and data:
                pool.append(data)
            result.outcomes.add(outcome)
            if ended >= deadline:
                break
    result.elapsed_s = time.perf_counter() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before
    if result.failure is None and grown > MAX_MEMORY_GROWTH_KIB:
        result.failure = Failure(target.NAME, b"", f"peak memory grew by {grown // 1024} MiB")
    return result


def _time_again(target: Target, data: bytes) -> float:
    """The least CPU time of several runs of an input, in seconds."""
    best = float("inf")
    for _ in range(RETRIES):
        begun = time.thread_time()
        try:
            target.run(data)
        except target.ALLOWED:
            pass
        best = min(best, time.thread_time() - begun)
        if best <= TIME_LIMIT_S:
            break
    return best
