"""Doing a request once, however often a client sends it, on whichever node.

`begin` claims a key before the work, `keep` puts the answer beside it, `forget` frees a key whose work
failed without effect. A node that dies in between leaves a claim; after `CLAIM_S` the next one may take it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from signalling.store.engine import Database
from signalling.store.tables import idempotency_keys

CLAIM_S: Final = 30.0
"""How long a request may work before another one with its key counts it as dead."""

KEEP_S: Final = 24 * 3600.0
"""How long answers are kept: longer than any client retries."""


class IdempotencyConflictError(Exception):
    """The key was used for another request."""


class IdempotencyBusyError(Exception):
    """The first request with this key is still being worked on; ask again in a moment."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the first request was answered."""

    status: int
    body: str


class IdempotencyKeys:
    """Keys and answers. Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def begin(self, scope: str, request_digest: str) -> KeptAnswer | None:
        """Claim a key: None means work, an answer means give it again.

        `scope` is the key with everything it is valid for (actor, route). Raises
        IdempotencyConflictError when `request_digest` is not the first request's, IdempotencyBusyError.
        """
        table = idempotency_keys
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        now = self._database.time()
        claim = (
            insert(table)
            .values(scope=scope, request_digest=request_digest, created_at=now)
            .on_conflict_do_update(
                index_elements=[table.c.scope],
                set_={"request_digest": request_digest, "created_at": now, "status": None, "body": None},
                where=sa.or_(
                    table.c.created_at <= self._database.time(-KEEP_S),
                    sa.and_(table.c.status.is_(None), table.c.created_at <= self._database.time(-CLAIM_S)),
                ),
            )
            .returning(table.c.scope)
        )
        async with self._database.write("READ COMMITTED") as connection:
            if (await connection.execute(claim)).one_or_none() is not None:
                return None
            row = (await connection.execute(sa.select(table).where(table.c.scope == scope))).one_or_none()
        if row is None:  # forgotten between the two statements
            raise IdempotencyBusyError(scope)
        if row.request_digest != request_digest:
            raise IdempotencyConflictError(scope)
        if row.status is None:
            raise IdempotencyBusyError(scope)
        return KeptAnswer(row.status, row.body)

    async def keep(self, scope: str, status: int, body: str) -> None:
        """Keep the answer of a claimed key."""
        async with self._database.write("READ COMMITTED") as connection:
            await connection.execute(
                sa.update(idempotency_keys)
                .where(idempotency_keys.c.scope == scope)
                .values(status=status, body=body)
            )

    async def forget(self, scope: str) -> None:
        """Free a claimed key: the request failed and may be tried again."""
        async with self._database.write("READ COMMITTED") as connection:
            await connection.execute(
                sa.delete(idempotency_keys).where(
                    idempotency_keys.c.scope == scope, idempotency_keys.c.status.is_(None)
                )
            )
