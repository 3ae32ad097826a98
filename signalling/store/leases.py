"""Leases: who does what only one process may do, decided by the database and its clock.

A lease has a *fencing token* that grows with every change of hands. Who acts under a lease calls
`Leases.check` in the very transaction that acts: a process that slept past its lease finds that out there,
instead of undoing its successor's work.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from signalling.store.engine import Database
from signalling.store.errors import LeaseLostError
from signalling.store.tables import leases

_LONG_AGO: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of `holder` to do what `name` says, until `expires_at` by the database's clock."""

    name: str
    holder: str
    fencing_token: int
    expires_at: datetime.datetime


class Leases:
    """The leases of one database."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        """Take a lease that is free, expired, or `holder`'s own; None while somebody else has it.

        Every success gives a greater fencing token, so a `holder` that starts again fences its former self.

        Raises StoreError.
        """
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        expires_at = self._database.time(ttl_s)
        statement = insert(leases).values(name=name, holder=holder, fencing_token=1, expires_at=expires_at)
        taking = statement.on_conflict_do_update(
            index_elements=[leases.c.name],
            set_={"holder": holder, "fencing_token": leases.c.fencing_token + 1, "expires_at": expires_at},
            where=sa.or_(leases.c.expires_at <= self._database.time(), leases.c.holder == holder),
        ).returning(leases.c.fencing_token, leases.c.expires_at)
        async with self._database.write("READ COMMITTED") as connection:
            row = (await connection.execute(taking)).one_or_none()
        return None if row is None else Lease(name, holder, row.fencing_token, row.expires_at)

    async def renew(self, lease: Lease, ttl_s: float) -> Lease:
        """Keep a lease for `ttl_s` more seconds from now, with the same fencing token.

        Raises LeaseLostError when it has expired (even if nobody took it yet) or changed hands; StoreError.
        """
        statement = (
            sa.update(leases)
            .where(self._is_ours(lease))
            .values(expires_at=self._database.time(ttl_s))
            .returning(leases.c.expires_at)
        )
        async with self._database.write("READ COMMITTED") as connection:
            expires_at = (await connection.execute(statement)).scalar_one_or_none()
        if expires_at is None:
            raise _lost(lease)
        return Lease(lease.name, lease.holder, lease.fencing_token, expires_at)

    async def release(self, lease: Lease) -> None:
        """Give a lease back; without effect when it is lost already. Raises StoreError."""
        statement = sa.update(leases).where(self._is_ours(lease)).values(expires_at=_LONG_AGO)
        async with self._database.write("READ COMMITTED") as connection:
            await connection.execute(statement)

    async def check(self, connection: AsyncConnection, lease: Lease) -> None:
        """Within a transaction, before all else: the lease is ours, and nobody takes it before the commit.

        Raises LeaseLostError.
        """
        statement = sa.select(leases.c.name).where(self._is_ours(lease)).with_for_update(read=True)
        if (await connection.execute(statement)).one_or_none() is None:
            raise _lost(lease)

    async def current(self, name: str) -> Lease | None:
        """Who holds `name` now; None when nobody does. Raises StoreError."""
        statement = sa.select(leases).where(
            leases.c.name == name, leases.c.expires_at > self._database.time()
        )
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else Lease(row.name, row.holder, row.fencing_token, row.expires_at)

    def _is_ours(self, lease: Lease) -> sa.ColumnElement[bool]:
        return sa.and_(
            leases.c.name == lease.name,
            leases.c.holder == lease.holder,
            leases.c.fencing_token == lease.fencing_token,
            leases.c.expires_at > self._database.time(),
        )


def _lost(lease: Lease) -> LeaseLostError:
    return LeaseLostError(f"the lease {lease.name} (token {lease.fencing_token}) is no longer ours")
