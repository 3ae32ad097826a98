"""Frozen dataclasses as JSON and back, by their type hints: what nodes say to each other about rooms."""

from __future__ import annotations

import base64
import collections.abc
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

_SEQUENCES = (collections.abc.Sequence, collections.abc.Collection, tuple)


@cache
def hints(thing: Any) -> Mapping[str, Any]:
    """The resolved type hints of a class or function."""
    return get_type_hints(thing)


def to_plain(value: Any) -> Any:
    """A value made of dataclasses, enumerations, collections and scalars, as JSON takes it."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(to_plain(item) for item in value)
    if isinstance(value, collections.abc.Iterable):
        return [to_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be sent to another node")


def from_plain(kind: Any, value: Any) -> Any:
    """What `to_plain` was given, when its type is `kind`; raises ValueError, KeyError or TypeError."""
    if isinstance(kind, NewType):
        return from_plain(kind.__supertype__, value)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (only,) = (each for each in get_args(kind) if each is not type(None))
        return from_plain(only, value)
    if origin is frozenset:
        return frozenset(from_plain(get_args(kind)[0], item) for item in value)
    if origin is collections.abc.Mapping:
        return {key: from_plain(get_args(kind)[1], item) for key, item in value.items()}
    if origin is list:
        return [from_plain(get_args(kind)[0], item) for item in value]
    if origin in _SEQUENCES:
        return _sequence(get_args(kind), value)
    if kind is bytes:
        return base64.b64decode(value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if is_dataclass(kind) and isinstance(kind, type):
        known = hints(kind)
        return kind(**{name: from_plain(known[name], value[name]) for name in known if name in value})
    return _scalar(kind, value)


def _sequence(items: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if len(items) == 2 and items[1] is not Ellipsis:
        return tuple(from_plain(kind, item) for kind, item in zip(items, value, strict=True))
    return tuple(from_plain(items[0], item) for item in value)


def _scalar(kind: Any, value: Any) -> Any:
    if kind is type(None):
        return None
    if kind is float:
        return float(value)
    if kind not in (str, int, bool) or not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind}")
    return value
