"""Staff: accounts, and the sessions that logging in gives. Passwords arrive here only as hashes."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from signalling.store.engine import Database
from signalling.store.tables import accounts, sessions


@dataclass(frozen=True, slots=True)
class StaffAccount:
    """Somebody who works here."""

    id: str
    """For agents and supervisors, the agent's id."""
    username: str
    """In the form that `str.casefold` gives; logging in compares without case."""
    name: str
    role: str
    password_hash: str
    disabled: bool = False


class Accounts:
    """Staff accounts and their sessions. Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def add(self, account: StaffAccount) -> None:
        """Create an account. Raises UniquenessError ``pk_accounts`` or ``uq_accounts_username``."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.insert(accounts).values(
                    id=account.id,
                    username=account.username.casefold(),
                    name=account.name,
                    role=account.role,
                    password_hash=account.password_hash,
                    disabled=account.disabled,
                    created_at=self._database.time(),
                )
            )

    async def update(self, account: StaffAccount) -> bool:
        """Replace what is known of an account; whether it exists.

        A new password, role or `disabled` ends its sessions: whoever had stolen one is out.
        """
        async with self._database.write() as connection:
            before = (
                await connection.execute(sa.select(accounts).where(accounts.c.id == account.id))
            ).one_or_none()
            if before is None:
                return False
            await connection.execute(
                sa.update(accounts)
                .where(accounts.c.id == account.id)
                .values(
                    username=account.username.casefold(),
                    name=account.name,
                    role=account.role,
                    password_hash=account.password_hash,
                    disabled=account.disabled,
                )
            )
            if (before.password_hash, before.role) != (
                account.password_hash,
                account.role,
            ) or account.disabled:
                await connection.execute(sa.delete(sessions).where(sessions.c.account_id == account.id))
            return True

    async def remove(self, account_id: str) -> bool:
        """Delete an account with its sessions; whether it existed. Its calls and events stay."""
        async with self._database.write() as connection:
            done = await connection.execute(sa.delete(accounts).where(accounts.c.id == account_id))
            return done.rowcount > 0

    async def get(self, account_id: str) -> StaffAccount | None:
        """An account by its id."""
        return await self._one(sa.select(accounts).where(accounts.c.id == account_id))

    async def account(self, username: str) -> StaffAccount | None:
        """An account by its user name, compared without case."""
        return await self._one(sa.select(accounts).where(accounts.c.username == username.casefold()))

    async def all(self) -> list[StaffAccount]:
        """All accounts by user name."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(accounts).order_by(accounts.c.username))
            return [_account(row._mapping) for row in rows]

    async def add_session(
        self, digest: str, account_id: str, created_at: datetime.datetime, expires_at: datetime.datetime
    ) -> None:
        """Keep a session under the digest of its token."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.insert(sessions).values(
                    digest=digest, account_id=account_id, created_at=created_at, expires_at=expires_at
                )
            )

    async def session(self, digest: str, now: datetime.datetime) -> StaffAccount | None:
        """Whose live session this is; None when it is unknown, expired or its account disabled."""
        return await self._one(
            sa.select(accounts)
            .join(sessions, sessions.c.account_id == accounts.c.id)
            .where(sessions.c.digest == digest, sessions.c.expires_at > now, sa.not_(accounts.c.disabled))
        )

    async def revoke_session(self, digest: str) -> None:
        """End a session."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(sessions).where(sessions.c.digest == digest))

    async def _one(self, statement: sa.Select[Any]) -> StaffAccount | None:
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _account(row._mapping)


def _account(values: Mapping[Any, Any]) -> StaffAccount:
    return StaffAccount(
        id=values["id"],
        username=values["username"],
        name=values["name"],
        role=values["role"],
        password_hash=values["password_hash"],
        disabled=values["disabled"],
    )
