"""Column types and expressions that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import datetime
import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

JsonValue = dict[str, Any] | list[Any] | str | int | float | bool | None


class UtcDateTime(sa.types.TypeDecorator[datetime.datetime]):
    """A moment as an aware UTC datetime; naive ones are refused.

    ``timestamptz`` on PostgreSQL; on SQLite text of fixed width, which sorts by time and can be read.
    """

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type that really stores it."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        return dialect.type_descriptor(sa.String(26))

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> Any:
        """Raises ValueError for a datetime without a time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        value = value.astimezone(datetime.UTC)
        if dialect.name == "postgresql":
            return value
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime.datetime | None:
        """The stored moment in UTC."""
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.datetime.fromisoformat(value).replace(tzinfo=datetime.UTC)
        assert isinstance(value, datetime.datetime)
        return value.astimezone(datetime.UTC)


class Json(sa.types.TypeDecorator[Any]):
    """``jsonb`` on PostgreSQL, text on SQLite. What neither can hold is replaced, see `to_text`."""

    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type that really stores it."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.JSONB(none_as_null=True))
        return dialect.type_descriptor(sa.JSON(none_as_null=True))


def to_text(value: Any) -> str:
    """`value` as compact JSON. Zero bytes and lone surrogates become U+FFFD: PostgreSQL holds neither.

    Raises TypeError for what JSON has no word for, ValueError for NaN and infinities.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if "\\u0000" in text:  # a zero byte, or somebody's text about one
        text = json.dumps(_without_zeros(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return clean_text(text)


def _without_zeros(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {_without_zeros(key): _without_zeros(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_zeros(item) for item in value]
    return value


def clean_text(text: str) -> str:
    """`text` with zero bytes and lone surrogates replaced by U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if 0xD800 <= ord(one) <= 0xDFFF else one for one in text)
    return text


class Text(sa.types.TypeDecorator[str]):
    """Text of any length, with what PostgreSQL cannot hold replaced (`clean_text`)."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as it is stored."""
        return None if value is None else clean_text(value)


class DatabaseTime(FunctionElement[datetime.datetime]):
    """The database's own clock at the moment of evaluation, plus `after_s` seconds."""

    inherit_cache = True
    type = UtcDateTime()
    name = "database_time"

    def __init__(self, after_s: float = 0.0) -> None:
        super().__init__(sa.bindparam("after_s", after_s, sa.Float, unique=True))


@compiles(DatabaseTime, "postgresql")
def _postgresql_time(element: DatabaseTime, compiler: SQLCompiler, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(clock_timestamp() + make_interval(secs => {seconds}))"


@compiles(DatabaseTime, "sqlite")
def _sqlite_time(element: DatabaseTime, compiler: SQLCompiler, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    # %f has milliseconds only; zeros make it as wide as what Python writes.
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {seconds} || ' seconds') || '000')"
