"""All tables. What is queried or constrained is a column; the rest of a thing lies in its ``data``.

Every aggregate of the desk has a ``version`` that each change raises by one: who saves must have read the
newest. Rules that must hold whatever the code does are unique indexes with names that say the rule.
A change here needs a migration (`signalling.store.migrations`); a test compares the two.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from signalling.store.types import Json, Text, UtcDateTime

EVENT_FEED: Final = "events"
"""The row of `feeds` that counts the ids given to events."""

metadata: Final = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

_BigKey = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite numbers rows by itself only in a column of type INTEGER."""


def _column(name: str, kind: Any, *rest: Any, **options: Any) -> sa.Column[Any]:
    """A column that must have a value, unless `nullable` says otherwise."""
    return sa.Column(name, kind, *rest, **{"nullable": False, **options})


def _only(name: str, condition: str, *columns: sa.Column[Any]) -> sa.Index:
    """At most one row for each value of `columns`, among the rows that fulfil `condition`."""
    return sa.Index(
        name, *columns, unique=True, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition)
    )


def _among(condition: str, *columns: sa.Column[Any]) -> sa.Index:
    """An index of the rows that fulfil `condition`."""
    return sa.Index(None, *columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))


# Events --------------------------------------------------------------------------------------------

events: Final = sa.Table(
    "events",
    metadata,
    _column("position", _BigKey, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.BigInteger, unique=True),
    _column("type", Text),
    _column("at", UtcDateTime),
    sa.Column("call_id", Text),
    sa.Column("sequence", sa.Integer),
    sa.Column("ticket_id", Text),
    sa.Column("student_id", Text),
    sa.Column("agent_id", Text),
    _column("data", Json),
    sqlite_autoincrement=True,
)
_only("one_event_per_sequence", "call_id IS NOT NULL", events.c.call_id, events.c.sequence)
_among("event_id IS NULL", events.c.position)
sa.Index(None, events.c.at)

feeds: Final = sa.Table(
    "feeds",
    metadata,
    _column("name", Text, primary_key=True),
    _column("last_id", sa.BigInteger),
)

leases: Final = sa.Table(
    "leases",
    metadata,
    _column("name", Text, primary_key=True),
    _column("holder", Text),
    _column("fencing_token", sa.BigInteger),
    _column("expires_at", UtcDateTime),
)
