"""What administrators keep besides the desk: API keys, topics, and who changed what."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from signalling.store.engine import Database
from signalling.store.errors import ConcurrencyError
from signalling.store.tables import api_keys, audit, policies

TOPICS: Final = "topics"
"""The row of `policies` that holds the list of topics."""

USED_S: Final = 60
"""Seconds between notes that a key is in use: more exactly nobody needs to know it."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of a host platform. Its secret is not stored: it follows from the id and a configured secret."""

    id: str
    name: str
    roles: tuple[str, ...]
    """What its tokens may say."""
    made_with: str
    """The configured key from whose secret this one's follows."""
    created_at: datetime.datetime
    created_by: str
    last_used_at: datetime.datetime | None = None
    revoked_at: datetime.datetime | None = None


class ApiKeys:
    """API keys. Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        values = {name: getattr(key, name) for name in key.__slots__} | {"roles": list(key.roles)}
        async with self._database.write() as connection:
            await connection.execute(sa.insert(api_keys).values(values))

    async def all(self) -> list[ApiKey]:
        """All keys, newest first, revoked ones too."""
        statement = sa.select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        async with self._database.read() as connection:
            return [_key(row) for row in await connection.execute(statement)]

    async def get(self, key: str) -> ApiKey | None:
        """A key that is not revoked."""
        statement = sa.select(api_keys).where(api_keys.c.id == key, api_keys.c.revoked_at.is_(None))
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _key(row)

    async def revoke(self, key: str) -> bool:
        """End a key; whether there was one in force."""
        statement = sa.update(api_keys).where(api_keys.c.id == key, api_keys.c.revoked_at.is_(None))
        async with self._database.write() as connection:
            done = await connection.execute(statement.values(revoked_at=self._database.time()))
            return done.rowcount > 0

    async def used(self, key: str, now: datetime.datetime) -> None:
        """Note that a key is in use."""
        async with self._database.write() as connection:
            await connection.execute(sa.update(api_keys).where(api_keys.c.id == key).values(last_used_at=now))


def _key(row: sa.Row[Any]) -> ApiKey:
    values = dict(row._mapping)
    return ApiKey(**values | {"roles": tuple(values["roles"])})


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Somebody changed something. Changes of the desk stand in its own events."""

    at: datetime.datetime
    actor: str
    role: str
    action: str
    """Such as `key.created`, `account.changed`."""
    target: str
    data: Mapping[str, Any]
    """What was changed; never a secret."""


class AuditLog:
    """Who changed what; nothing in it is ever changed. Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def add(self, actor: str, role: str, action: str, target: str, data: Mapping[str, Any]) -> None:
        """Note a change."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.insert(audit).values(
                    at=self._database.time(),
                    actor_id=actor,
                    actor_role=role,
                    action=action,
                    target=target,
                    data=dict(data),
                )
            )

    async def newest(self, limit: int) -> list[AuditEntry]:
        """The last changes, newest first."""
        statement = sa.select(audit).order_by(audit.c.position.desc()).limit(limit)
        async with self._database.read() as connection:
            return [
                AuditEntry(row.at, row.actor_id, row.actor_role, row.action, row.target, row.data)
                for row in await connection.execute(statement)
            ]


class StoredTopics:
    """The list of topics, replaced as a whole. Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def get(self) -> tuple[int, list[dict[str, Any]]] | None:
        """Version and list; None: nobody has set one."""
        statement = sa.select(policies.c.version, policies.c.data).where(policies.c.name == TOPICS)
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else (row.version, list(row.data["items"]))

    async def put(self, items: Sequence[Mapping[str, Any]], version: int) -> int:
        """Replace the list that had this version (0: none); gives the new version.

        Raises ConcurrencyError when somebody was faster.
        """
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        values = {"updated_at": self._database.time(), "data": {"items": [dict(item) for item in items]}}
        statement = (
            insert(policies)
            .values(name=TOPICS, version=1, **values)
            .on_conflict_do_update(
                index_elements=[policies.c.name],
                set_={"version": version + 1, **values},
                where=policies.c.version == version,
            )
        )
        async with self._database.write() as connection:
            done = await connection.execute(statement)
            if done.rowcount == 0:
                raise ConcurrencyError("the topics were changed meanwhile")
        return version + 1
