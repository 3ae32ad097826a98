"""Brings the tables to the version of this program (Alembic, with the migrations in the package).

SQLite is migrated when the server starts. PostgreSQL by ``raisehand migrate``, which any number of nodes
may run at once: an advisory lock lets one do it and the others find it done.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection

from signalling.store.engine import Database
from signalling.store.errors import SchemaError

MIGRATIONS: Final = Path(__file__).with_name("migrations")

ADVISORY_LOCK: Final = 0x7261_6973_6568_616E
"""PostgreSQL's advisory lock while migrating: "raisehan" in ASCII, as a 64-bit number."""

LOCK_WAIT: Final = datetime.timedelta(minutes=5)
"""How long a node waits for another one's migration."""


def config() -> Config:
    """Alembic's configuration, without a file: what it needs is in the package."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.set_main_option("path_separator", "os")
    return made


def head() -> str:
    """The version of the tables that this program wants."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None
    return revision


async def current(database: Database) -> str | None:
    """The version of the tables that are there; None for an empty database. Raises StoreError."""
    async with database.read() as connection:
        return await connection.run_sync(_current)


def _current(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def migrate(database: Database, revision: str = "head") -> bool:
    """Bring the tables to `revision`, in one transaction; whether there was anything to do.

    Raises SchemaError when the tables are newer than this program, StoreError.
    """
    async with database.write("READ COMMITTED") as connection:
        if not database.is_sqlite:
            await _lock(connection)
        before = await connection.run_sync(_current)
        _refuse_newer(before)
        await connection.run_sync(_upgrade, revision)
        return before != await connection.run_sync(_current)


async def _lock(connection: AsyncConnection) -> None:
    milliseconds = int(LOCK_WAIT.total_seconds() * 1000)
    for name in ("lock_timeout", "statement_timeout"):
        await connection.execute(sa.select(sa.func.set_config(name, str(milliseconds), True)))
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))


def _upgrade(connection: sa.Connection, revision: str) -> None:
    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, revision)


def _refuse_newer(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaError(
            f"the database's tables have version {revision}, which this program does not know: "
            "it was used by a newer raisehand. Install that version again"
        )


async def prepare(database: Database) -> None:
    """What a server does at its start: migrate SQLite, look whether PostgreSQL has been migrated.

    Raises SchemaError saying what to run, StoreError.
    """
    if database.is_sqlite:
        await migrate(database)
        return
    found = await current(database)
    _refuse_newer(found)
    if found != head():
        there = "has no tables yet" if found is None else f"has tables of version {found}, not {head()}"
        raise SchemaError(f"the database {database.display} {there}: run `raisehand migrate` first")
