"""Deleting what has outlived its use. Calls, tickets, consents and their events are never deleted here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from signalling.store.engine import Database
from signalling.store.idempotency import KEEP_S as IDEMPOTENCY_S
from signalling.store.tables import class_stats, events, idempotency_keys, leases, sessions

CLASS_STATS_S: Final = 14 * 24 * 3600.0
"""How long measures of class clients are kept: longer than it takes to look into a case about a class."""

LEASE_S: Final = 7 * 24 * 3600.0
"""How long a lease that nobody holds is remembered. Its fencing token starts anew afterwards, so this must be
far longer than any process can sleep and still believe in a lease."""

FEED_S: Final = 30 * 24 * 3600.0
"""How long events of agents and queues are kept. They audit nothing that calls and tickets do not have."""

BATCH: Final = 2_000
"""Most rows that one transaction deletes: on SQLite everybody else waits for it."""


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows were deleted."""

    idempotency_keys: int
    sessions: int
    class_stats: int
    leases: int
    events: int

    @property
    def total(self) -> int:
        """Of all sorts."""
        return self.idempotency_keys + self.sessions + self.class_stats + self.leases + self.events


async def purge(
    database: Database,
    *,
    class_stats_s: float = CLASS_STATS_S,
    feed_s: float = FEED_S,
    batch: int = BATCH,
) -> Purged:
    """Delete up to `batch` rows of each sort; call again while `total` is above zero. Raises StoreError."""
    time = database.time
    return Purged(
        idempotency_keys=await _delete(
            database,
            idempotency_keys.c.scope,
            idempotency_keys.c.created_at <= time(-IDEMPOTENCY_S),
            batch,
        ),
        sessions=await _delete(database, sessions.c.digest, sessions.c.expires_at <= time(), batch),
        class_stats=await _delete(
            database, class_stats.c.id, class_stats.c.at <= time(-class_stats_s), batch
        ),
        leases=await _delete(database, leases.c.name, leases.c.expires_at <= time(-LEASE_S), batch),
        events=await _delete(
            database,
            events.c.position,
            sa.and_(
                events.c.at <= time(-feed_s),
                events.c.stream.in_(("agent", "queue")),
                events.c.event_id.is_not(None),
            ),
            batch,
        ),
    )


async def _delete(
    database: Database, key: sa.Column[str] | sa.Column[int], condition: sa.ColumnElement[bool], batch: int
) -> int:
    table = key.table
    assert isinstance(table, sa.Table)
    some = sa.select(key).where(condition).limit(batch)
    async with database.read() as connection:  # mostly there is nothing: take no write lock to find that out
        if (await connection.execute(some.limit(1))).one_or_none() is None:
            return 0
    async with database.write("READ COMMITTED") as connection:
        return (await connection.execute(sa.delete(table).where(key.in_(some)))).rowcount
