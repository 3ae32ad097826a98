"""Kinds of fields that bodies and queries are made of, with their limits."""

from __future__ import annotations

import datetime
import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, Strict, StringConstraints

JSON_DEPTH = 16
"""Nesting of free-form JSON from outside."""
JSON_NODES = 5_000
"""Values in one free-form JSON object."""
MAXIMUM_INTEGER = 2**53
"""Whole numbers that every client reads alike."""

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:@~+-]{1,128}$")]
"""An identifier that can stand in a path."""
Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]
"""A short name for programs: topic, skill, channel."""
Line = Annotated[str, StringConstraints(max_length=200)]
Text = Annotated[str, StringConstraints(max_length=4000)]
Url = Annotated[str, StringConstraints(max_length=2000)]


_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}")


def _written_out(value: object) -> object:
    """Numbers are no times: nobody can tell seconds from milliseconds."""
    if not isinstance(value, str) or _RFC3339.match(value) is None:
        raise ValueError("must be text in RFC 3339 form")
    return value


def _in_our_times(value: datetime.datetime) -> datetime.datetime:
    """Far from the ends of the calendar, so that every zone can express it."""
    if not 1970 <= value.year <= 9000:
        raise ValueError("must lie between the years 1970 and 9000")
    return value


Time = Annotated[
    AwareDatetime,
    Strict(False),  # `_written_out` is stricter
    BeforeValidator(_written_out),
    AfterValidator(_in_our_times),
    Field(description="RFC 3339 with offset."),
]


def _check(value: Any, depth: int, left: list[int]) -> None:
    left[0] -= 1
    if depth > JSON_DEPTH or left[0] < 0:
        raise ValueError(f"is nested deeper than {JSON_DEPTH} or holds more than {JSON_NODES} values")
    if isinstance(value, dict):
        for item in value.values():
            _check(item, depth + 1, left)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1, left)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("holds a number that is not finite")
    elif isinstance(value, int) and abs(value) > MAXIMUM_INTEGER:
        raise ValueError(f"holds a whole number over {MAXIMUM_INTEGER}")


def check_json(value: dict[str, Any]) -> dict[str, Any]:
    """Free-form JSON that every store and client can hold; raises ValueError for other."""
    _check(value, 0, [JSON_NODES])
    return value


Json = Annotated[dict[str, Any], AfterValidator(check_json)]
"""A free-form JSON object."""
