"""The cluster's leases in the database: its table ``leases``, its clock, the truth of who owns which room.

`signalling.store.leases` takes and renews one at a time. A node holds as many leases as it has rooms and
renews them every second, hence here one statement for all of them; and a lease that expired while the
database was away stays its holder's as long as nobody else took it, so that a restarted database ends no
call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from signalling.cluster.errors import LeasesAwayError
from signalling.cluster.leases import Lease
from signalling.store.engine import Database
from signalling.store.errors import StoreError
from signalling.store.tables import leases as table

BATCH = 400
"""Leases renewed by one statement; SQLite takes 999 parameters at least."""


@contextmanager
def _translated() -> Iterator[None]:
    """Whatever the store could not do is, to us, that it is away: the lease stays as it was."""
    try:
        yield
    except StoreError as error:
        raise LeasesAwayError(str(error)) from None


class DatabaseLeases:
    """`LeaseStore` on a database."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds; it only keeps tokens rising after a row was deleted."""
        self._database = database
        self._clock = clock

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease:
        """See `LeaseStore`."""
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        until, floor = self._database.time(ttl_s), int(self._clock() * 1000)
        ours = sa.and_(table.c.holder == holder, table.c.expires_at > self._database.time())
        next_token = sa.case(
            (ours, table.c.fencing_token),
            (table.c.fencing_token >= floor, table.c.fencing_token + 1),
            else_=floor,
        )
        taking = (
            insert(table)
            .values(name=name, holder=holder, fencing_token=floor, expires_at=until)
            .on_conflict_do_update(
                index_elements=[table.c.name],
                set_={"holder": holder, "fencing_token": next_token, "expires_at": until},
                where=sa.or_(table.c.expires_at <= self._database.time(), table.c.holder == holder),
            )
            .returning(table.c.fencing_token)
        )
        while True:
            with _translated():
                async with self._database.write("READ COMMITTED") as connection:
                    token = (await connection.execute(taking)).scalar_one_or_none()
            if token is not None:
                return Lease(name, holder, token)
            if (other := await self.find(name)) is not None:
                return other  # else it ended between the two: once more

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> Sequence[Lease]:
        """See `LeaseStore`."""
        kept = list[Lease]()
        for first in range(0, len(leases), BATCH):
            batch = {lease.name: lease for lease in leases[first : first + BATCH]}
            holders = {lease.holder for lease in batch.values()}
            statement = (
                sa.update(table)
                .where(table.c.name.in_(sorted(batch)), table.c.holder.in_(sorted(holders)))
                .values(expires_at=self._database.time(ttl_s))
                .returning(table.c.name, table.c.holder, table.c.fencing_token)
            )
            with _translated():
                async with self._database.write("READ COMMITTED") as connection:
                    rows = (await connection.execute(statement)).all()
            renewed = {Lease(row.name, row.holder, row.fencing_token) for row in rows}
            kept += [lease for lease in batch.values() if lease in renewed]
        return kept

    async def release(self, lease: Lease) -> None:
        """See `LeaseStore`. The row goes: rooms of calls never come back, and tokens follow the clock."""
        statement = sa.delete(table).where(
            table.c.name == lease.name,
            table.c.holder == lease.holder,
            table.c.fencing_token == lease.token,
        )
        with _translated():
            async with self._database.write("READ COMMITTED") as connection:
                await connection.execute(statement)

    async def find(self, name: str) -> Lease | None:
        """See `LeaseStore`."""
        found = await self._select(table.c.name == name)
        return found[0] if found else None

    async def list_valid(self, prefix: str) -> Sequence[Lease]:
        """See `LeaseStore`."""
        return await self._select(table.c.name.startswith(prefix, autoescape=True))

    async def _select(self, which: sa.ColumnElement[bool]) -> list[Lease]:
        statement = sa.select(table).where(which, table.c.expires_at > self._database.time())
        with _translated():
            async with self._database.read() as connection:
                rows = (await connection.execute(statement)).all()
        return [Lease(row.name, row.holder, row.fencing_token) for row in rows]
