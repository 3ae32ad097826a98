"""Waiting for a condition with a deadline, the only way the harness ever waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_POLL_INTERVAL_S = 0.01  # how often a condition is looked at


class ConditionNotMetError(AssertionError):
    """A condition did not come true before its deadline; the message says which and how long it took."""


async def wait_until(
    condition: Callable[[], Value],
    what: str,
    timeout_s: float = 10.0,
    *,
    detail: Callable[[], object] | None = None,
) -> Value:
    """Wait until `condition()` is truthy and return its value.

    Raises ConditionNotMetError after `timeout_s`, naming `what` and, when given, what `detail()` says then.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            seen = f"; seen instead: {detail()}" if detail is not None else ""
            raise ConditionNotMetError(f"not within {timeout_s:g} s: {what}{seen}")
        await asyncio.sleep(_POLL_INTERVAL_S)


async def hold_during(condition: Callable[[], bool], what: str, duration_s: float) -> None:
    """Check that `condition()` stays true for `duration_s`; else raises ConditionNotMetError."""
    deadline = time.monotonic() + duration_s
    while time.monotonic() < deadline:
        if not condition():
            raise ConditionNotMetError(f"did not stay so for {duration_s:g} s: {what}")
        await asyncio.sleep(_POLL_INTERVAL_S)
