"""Cursors: opaque, and only good for the list they came from."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import TypeVar

from signalling.api.problems import FieldError, Problem

DEFAULT_LIMIT, MAXIMUM_LIMIT = 50, 200
_MAXIMUM_CHARACTERS = 512

Item = TypeVar("Item")


def encode_cursor(kind: str, *key: str | int) -> str:
    """A cursor that continues list `kind` after the item with this sort key."""
    text = json.dumps([kind, *key], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str, parts: int) -> tuple[str | int, ...]:
    """The sort key in a cursor; raises `Problem` ``invalid`` when it is not ours."""
    try:
        if len(cursor) > _MAXIMUM_CHARACTERS:
            raise ValueError("too long")
        padded = cursor + "=" * (-len(cursor) % 4)
        value = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(value, list) or len(value) != parts + 1 or value[0] != kind:
            raise ValueError("of another list")
        key = tuple(value[1:])
        if not all(isinstance(part, str | int) and not isinstance(part, bool) for part in key):
            raise ValueError("parts")
    except (ValueError, binascii.Error, UnicodeDecodeError, RecursionError):
        error = FieldError(field="query.cursor", message="is not a cursor of this list", kind="cursor")
        raise Problem("invalid", "the cursor cannot be used", [error]) from None
    return key


def page(items: Sequence[Item], limit: int) -> tuple[Sequence[Item], bool]:
    """From up to `limit` + 1 items: those of the page, and whether more follow."""
    return items[:limit], len(items) > limit
