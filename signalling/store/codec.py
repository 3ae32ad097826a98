"""Frozen dataclasses of the desk as plain JSON values and back, by their type hints.

The desk's model knows nothing of storage; this module reads its fields. A converter is built once for each
type. Unknown fields are ignored and missing ones take the field's default, so that rows written by the
previous version can be read during a rolling upgrade.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

Value = TypeVar("Value")
_Convert = Callable[[Any], Any]

_PLAIN = (str, int, float, bool, type(None))


def encode(value: Any) -> Any:
    """`value` as JSON's own types. Raises TypeError for a type that has no converter."""
    return _encoder(type(value))(value)


def decode(kind: type[Value], value: Any) -> Value:
    """A `kind` from what `encode` made. Raises ValueError naming the field that cannot be read."""
    try:
        return typing.cast("Value", _decoder(kind)(value))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error


@functools.cache
def _encoder(kind: type) -> _Convert:
    if kind in _PLAIN:
        return _same
    if issubclass(kind, Enum):
        return _enum_value
    if dataclasses.is_dataclass(kind):
        return _dataclass_encoder(kind)
    if issubclass(kind, datetime.datetime):
        return _encode_datetime
    if issubclass(kind, datetime.date | datetime.time):
        return _isoformat
    if issubclass(kind, datetime.timedelta):
        return datetime.timedelta.total_seconds
    if issubclass(kind, Mapping):
        return _encode_mapping
    if issubclass(kind, AbstractSet):
        return _encode_set
    if issubclass(kind, list | tuple):
        return _encode_sequence
    if issubclass(kind, str | int | float):
        return _same
    raise TypeError(f"{kind.__qualname__} cannot be stored")


def _dataclass_encoder(kind: type) -> _Convert:
    names = tuple(field.name for field in dataclasses.fields(kind))

    def convert(value: Any) -> dict[str, Any]:
        return {name: encode(getattr(value, name)) for name in names}

    return convert


def _same(value: Any) -> Any:
    return value


def _enum_value(value: Enum) -> Any:
    return value.value


def _isoformat(value: datetime.date | datetime.time) -> str:
    return value.isoformat()


def _encode_datetime(value: datetime.datetime) -> str:
    if value.tzinfo is None:
        raise TypeError(f"{value!r} has no time zone")
    return value.astimezone(datetime.UTC).isoformat()


def _encode_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key.value if isinstance(key, Enum) else key): encode(item) for key, item in value.items()}


def _encode_sequence(value: Sequence[Any]) -> list[Any]:
    return [encode(item) for item in value]


def _encode_set(value: AbstractSet[Any]) -> list[Any]:
    return sorted((encode(item) for item in value), key=str)


@functools.cache
def _decoder(kind: Any) -> _Convert:
    if isinstance(kind, NewType):
        return _decoder(kind.__supertype__)
    if kind in (Any, object, str, bool, int, type(None), None):
        return _same
    if kind is float:
        return float
    if isinstance(kind, typing.TypeAliasType if hasattr(typing, "TypeAliasType") else ()):
        return _decoder(kind.__value__)
    origin = get_origin(kind)
    if origin is None:
        return _class_decoder(kind)
    arguments = get_args(kind)
    if origin in (Union, types.UnionType):
        return _union_decoder(arguments)
    if origin is Literal:
        return _same
    if origin is tuple:
        return _tuple_decoder(arguments)
    if issubclass(origin, Mapping):
        key, item = _decoder(arguments[0]), _decoder(arguments[1])
        return lambda value: {key(name): item(one) for name, one in value.items()}
    if issubclass(origin, AbstractSet):
        member = _decoder(arguments[0])
        return lambda value: frozenset(member(one) for one in value)
    if issubclass(origin, list):
        element = _decoder(arguments[0])
        return lambda value: [element(one) for one in value]
    if issubclass(origin, Sequence):
        element = _decoder(arguments[0])
        return lambda value: tuple(element(one) for one in value)
    raise TypeError(f"{kind} cannot be stored")


def _class_decoder(kind: type) -> _Convert:
    if issubclass(kind, Enum):
        return kind
    if dataclasses.is_dataclass(kind):
        return _dataclass_decoder(kind)
    if issubclass(kind, datetime.datetime | datetime.date | datetime.time):
        return kind.fromisoformat
    if issubclass(kind, datetime.timedelta):
        return lambda value: datetime.timedelta(seconds=value)
    if issubclass(kind, tuple):
        return tuple
    if issubclass(kind, AbstractSet):
        return frozenset
    if issubclass(kind, list | Mapping):
        return _same
    raise TypeError(f"{kind.__qualname__} cannot be stored")


def _dataclass_decoder(kind: type) -> _Convert:
    hints = get_type_hints(kind)
    fields = [(field.name, _decoder(hints[field.name])) for field in dataclasses.fields(kind) if field.init]

    def convert(value: Any) -> Any:
        return kind(**{name: read(value[name]) for name, read in fields if name in value})

    return convert


def _union_decoder(arguments: tuple[Any, ...]) -> _Convert:
    members = [argument for argument in arguments if argument is not type(None)]
    if len(members) > 1 and not all(member in _PLAIN for member in members):
        raise TypeError(f"{Union[arguments]} cannot be told apart when it is read again")
    read = _decoder(members[0]) if len(members) == 1 else _same
    return lambda value: None if value is None else read(value)


def _tuple_decoder(arguments: tuple[Any, ...]) -> _Convert:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        element = _decoder(arguments[0])
        return lambda value: tuple(element(one) for one in value)
    elements = [_decoder(argument) for argument in arguments]
    return lambda value: tuple(read(one) for read, one in zip(elements, value, strict=True))
