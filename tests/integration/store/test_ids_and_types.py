"""Identifiers and column values: no database needed, but it is the store's promise."""

from __future__ import annotations

import datetime
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from signalling.store.ids import format_id, new_id
from signalling.store.types import UtcDateTime, clean_text, to_text


def test_identifiers_are_uuid7_and_sort_by_creation() -> None:
    made = [new_id() for _ in range(5000)]  # far more than one millisecond's counter starts with
    assert made == sorted(set(made))
    parsed = uuid.UUID(made[0])
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, made[0])


def test_a_clock_that_goes_back_does_not_take_identifiers_back() -> None:
    ahead = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000) + 50
    first = new_id(ahead)
    assert first < new_id(ahead - 40) < new_id(ahead)


def test_threads_do_not_share_identifiers() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = [
            one for batch in pool.map(lambda _: [new_id() for _ in range(500)], range(8)) for one in batch
        ]
    assert len(set(made)) == 4000


def test_the_example_of_the_standard() -> None:
    """RFC 9562 appendix A.6."""
    assert format_id(0x017F22E279B0, 0xCC3, 0x18C4DC0C0C07398F) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.text())
def test_any_text_can_be_stored(text: str) -> None:
    cleaned = clean_text(text)
    assert "\0" not in cleaned
    cleaned.encode()
    assert len(cleaned) == len(text)
    if "\0" not in text and not any(0xD800 <= ord(one) <= 0xDFFF for one in text):
        assert cleaned == text


def test_json_that_both_databases_hold() -> None:
    assert to_text({"a": "中\0\ud800", "b": [1, None]}) == '{"a":"中\ufffd\ufffd","b":[1,null]}'
    text_about_a_zero = "\\" + "u0000"
    assert json.loads(to_text([text_about_a_zero, {"\0": "\0"}])) == [text_about_a_zero, {"\ufffd": "\ufffd"}]
    with pytest.raises(ValueError, match="float"):
        to_text(float("nan"))


@given(st.datetimes(timezones=st.timezones()))
def test_moments_keep_their_microseconds_and_lose_their_zone(moment: datetime.datetime) -> None:
    try:
        utc = moment.astimezone(datetime.UTC)
    except OverflowError:
        return
    column = UtcDateTime()
    dialects: tuple[Dialect, ...] = (sqlite.dialect(), postgresql.dialect())  # type: ignore[no-untyped-call]
    for dialect in dialects:
        stored = column.process_bind_param(moment, dialect)
        assert column.process_result_value(stored, dialect) == utc


@given(st.datetimes(timezones=st.just(datetime.UTC)), st.datetimes(timezones=st.just(datetime.UTC)))
def test_text_on_sqlite_sorts_by_time(one: datetime.datetime, other: datetime.datetime) -> None:
    column, dialect = UtcDateTime(), sqlite.dialect()
    first, second = (column.process_bind_param(moment, dialect) for moment in (one, other))
    assert (first < second) == (one < other)
    assert len(first) == len(second)


def test_naive_moments_are_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        UtcDateTime().process_bind_param(datetime.datetime(2026, 3, 2), sqlite.dialect())  # noqa: DTZ001
