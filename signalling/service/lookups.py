"""Small reads for answers: numbers of tickets, agents of a call."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from signalling.store.engine import Database
from signalling.store.tables import assignments, tickets


class Lookups:
    """Reads; every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ticket_numbers(self, ids: Collection[str]) -> dict[str, str]:
        """The numbers that students were told, by ticket id."""
        if not ids:
            return {}
        statement = sa.select(tickets.c.id, tickets.c.number).where(tickets.c.id.in_(sorted(ids)))
        async with self._database.read() as connection:
            return {row.id: row.number for row in await connection.execute(statement)}

    async def agents_of_call(self, call: str) -> set[str]:
        """Everybody of the staff who belongs or belonged to a call."""
        statement = sa.select(assignments.c.agent_id).where(assignments.c.call_id == call).distinct()
        async with self._database.read() as connection:
            return {row.agent_id for row in await connection.execute(statement)}
