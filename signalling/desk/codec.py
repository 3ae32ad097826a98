"""Frozen dataclasses to JSON values and back, by their type hints.

Enumerations become their values, times ISO 8601 with offset, timedeltas seconds, tuples and frozensets lists.
Unknown keys are ignored (a newer version wrote them), missing ones take the field's default.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_Load = Callable[[Any], Any]


def dump(value: object) -> Any:
    """A JSON value (dict, list, str, int, float, bool, None)."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, tuple | list):
        return [dump(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(dump(item) for item in value)
    if isinstance(value, Mapping):
        return {str(key): dump(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: dump(getattr(value, name)) for name in field_names(value.__class__)}
    raise TypeError(f"cannot be written as JSON: {type(value).__name__}")


def load(kind: Callable[..., T], value: object) -> T:
    """The inverse of :func:`dump`.

    :raises ValueError: the value does not fit, naming the field.
    """
    loaded: T = _loader(kind)(value)
    return loaded


_NAMES: dict[Any, tuple[str, ...]] = {}


def field_names(kind: Any) -> tuple[str, ...]:
    """The names of a dataclass's fields."""
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(f.name for f in dataclasses.fields(kind))
    return names


@cache
def _loader(kind: Any) -> _Load:
    if kind is Any or kind is object:
        return lambda value: value
    if isinstance(kind, NewType):
        return _loader(kind.__supertype__)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        inner = [_loader(arg) for arg in args if arg is not type(None)]
        if len(inner) != 1:
            raise TypeError(f"unions other than with None are not supported: {kind}")
        return lambda value: None if value is None else inner[0](value)
    if origin is tuple:
        item = _loader(args[0])
        return lambda value: tuple([item(part) for part in value])
    if origin is frozenset:
        item = _loader(args[0])
        return lambda value: frozenset([item(part) for part in value])
    if origin is not None and issubclass(origin, Mapping):
        item = _loader(args[1])
        return lambda value: {key: item(part) for key, part in value.items()}
    if not isinstance(kind, type):
        raise TypeError(f"not supported: {kind}")
    if dataclasses.is_dataclass(kind):
        return _dataclass_loader(kind)
    if issubclass(kind, Enum):
        return kind
    if issubclass(kind, datetime):
        return _time
    if issubclass(kind, date):
        return date.fromisoformat
    if issubclass(kind, timedelta):
        return lambda value: timedelta(seconds=value)
    return _plain(kind)


def _time(value: Any) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("time without offset")
    return at


def _plain(kind: type) -> _Load:
    def check(value: Any) -> Any:
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise ValueError(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return check


def _dataclass_loader(kind: type) -> _Load:
    loaders: dict[str, _Load] = {}

    def read(value: Any) -> Any:
        if not loaders:  # Made at first use: a type may mention itself.
            hints = get_type_hints(kind)
            loaders.update({f.name: _loader(hints[f.name]) for f in dataclasses.fields(kind)})
        if not isinstance(value, Mapping):
            raise ValueError(f"{kind.__name__}: expected an object")
        arguments = {}
        for name, loader in loaders.items():
            if name in value:
                try:
                    arguments[name] = loader(value[name])
                except (ValueError, TypeError, AttributeError, KeyError) as error:
                    raise ValueError(f"{kind.__name__}.{name}: {error}") from error
        try:
            return kind(**arguments)
        except TypeError as error:
            raise ValueError(f"{kind.__name__}: {error}") from error

    return read
