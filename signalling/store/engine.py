"""The connection to the database: SQLite for one machine, PostgreSQL for production and for several nodes.

`Database.read` and `Database.write` give transactions; every error that leaves them is one of
`signalling.store.errors`. Nothing else of the store opens a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from signalling.errors import ConfigurationError
from signalling.store.errors import (
    ConcurrencyError,
    DatabaseUnavailableError,
    SchemaError,
    StoreError,
    UniquenessError,
)
from signalling.store.types import DatabaseTime, to_text

SQLITE_FILE = "raisehand.sqlite3"
"""Name of the database in the data directory when no URL is given."""

SQLITE_BUSY_MS = 5_000
"""How long a SQLite connection waits for another process's transaction."""

SQLITE_POOL_SIZE = 10
"""Connections kept to SQLite: each is a thread, and opening one costs more than a command."""

SQLITE_CACHE_KIB = 16_384
"""Pages that one SQLite connection may keep in memory."""

POOL_SIZE = 10
"""Connections kept to PostgreSQL by one node. Commands are short: ten carry several hundred a second."""

POOL_OVERFLOW = 10
"""More connections in a burst."""

POOL_WAIT_S = 5.0
"""How long a transaction waits for a free connection."""

CONNECT_S = 5.0
"""Deadline for a new connection to PostgreSQL."""

COMMAND_S = 20.0
"""Deadline for one statement as we see it: a server that is frozen or behind a dead line ends here."""

STATEMENT_MS = 15_000
"""Deadline for one statement as PostgreSQL sees it."""

LOCK_MS = 3_000
"""How long a statement waits for another transaction's lock. Ours take milliseconds."""

IDLE_TRANSACTION_MS = 5_000
"""PostgreSQL ends a transaction that does nothing for so long: a frozen node must not hold its locks."""

Isolation = Literal["REPEATABLE READ", "READ COMMITTED"]
Clock = Callable[[], datetime.datetime]

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}

_WRITES: Final = "raisehand_writes"

_RETRY_STATES: Final = {
    "40001": "another transaction changed the same rows first",
    "40P01": "two transactions waited for each other",
    "55P03": "another transaction held a lock for too long",
}
_UNIQUE_VIOLATION: Final = "23505"
_MISSING_STATES: Final = ("42P01", "42703")
"""PostgreSQL: undefined table, undefined column."""
_AWAY_CLASSES: Final = ("08", "53", "57", "58")
"""Classes of SQLSTATE that say the server cannot serve now: connection, resources, intervention, system."""


def parse_url(url: str, data_dir: Path) -> URL:
    """The database that `url` means; an empty one means a SQLite file in `data_dir`.

    Raises ConfigurationError saying what to write instead.
    """
    if not url.strip():
        return URL.create("sqlite+aiosqlite", database=str(data_dir.absolute() / SQLITE_FILE))
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):  # its message would show the password
        raise ConfigurationError(
            "database: not a URL. Write postgresql://user:password@host/name or sqlite:////path/to/file; "
            "characters such as @ and / in a password must be percent-encoded"
        ) from None
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise ConfigurationError(
            f"database: {parsed.drivername} is not supported; write postgresql://… or sqlite:////path/to/file"
        )
    parsed = parsed.set(drivername=driver)
    return _sqlite_url(parsed) if driver.startswith("sqlite") else _postgresql_url(parsed)


def _sqlite_url(url: URL) -> URL:
    if url.host:
        raise ConfigurationError(
            f"database: sqlite://{url.host}… has two slashes; write sqlite:///relative/file or sqlite:////absolute/file"
        )
    if url.query:
        raise ConfigurationError("database: a SQLite URL takes no options after '?'")
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            "database: SQLite in memory would forget every call; name a file: sqlite:////var/lib/raisehand/desk.sqlite3"
        )
    return url.set(database=str(Path(url.database).expanduser().absolute()))


def _postgresql_url(url: URL) -> URL:
    if not url.database:
        raise ConfigurationError("database: the PostgreSQL URL names no database: postgresql://host/NAME")
    query = dict(url.query)
    if "sslmode" in query:  # libpq's word; asyncpg's is ssl, with the same values
        query["ssl"] = query.pop("sslmode")
    return url.set(query=query)


class Database:
    """One database, open. `open` it, `close` it."""

    def __init__(self, url: URL, engine: AsyncEngine, clock: Clock | None) -> None:
        self.url: Final = url
        self.engine: Final = engine
        self._clock: Final = clock
        # SQLite has one writer at a time. Ours queue here, in order; its own waiting polls and starves.
        self._turn: Final = asyncio.Lock()
        self._writer: asyncio.Task[object] | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        data_dir: Path,
        *,
        clock: Clock | None = None,
        pool_size: int = POOL_SIZE,
    ) -> Database:
        """Connect, and see that the database answers.

        `clock` replaces the database's time, for tests in virtual time.

        Raises ConfigurationError (the URL, the file, the password, the database's name) and
        DatabaseUnavailableError (nobody answers), both with what to do.
        """
        parsed = parse_url(url, data_dir)
        if parsed.get_backend_name() == "sqlite":
            _prepare_file(parsed)
            engine = _sqlite_engine(parsed)
        else:
            engine = _postgresql_engine(parsed, pool_size)
        database = cls(parsed, engine, clock)
        try:
            await database._greet()
        except BaseException:
            await engine.dispose()
            raise
        return database

    async def _greet(self) -> None:
        try:
            async with self.read() as connection:
                await connection.execute(sa.text("SELECT 1"))
        except StoreError as error:
            if remedy := _remedy(error, self.url):
                raise ConfigurationError(f"database: {remedy}") from None
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a file of one machine."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def display(self) -> str:
        """The URL for people, without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextlib.asynccontextmanager
    async def read(self, isolation: Isolation = "READ COMMITTED") -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads. Raises StoreError.

        With ``REPEATABLE READ`` all its statements see the same moment; on SQLite they always do.
        """
        with _translating(self.url):
            async with self.engine.connect() as connection:
                if not self.is_sqlite:
                    await connection.execution_options(postgresql_readonly=True, isolation_level=isolation)
                async with connection.begin():
                    yield connection

    @contextlib.asynccontextmanager
    async def write(self, isolation: Isolation = "REPEATABLE READ") -> AsyncIterator[AsyncConnection]:
        """A transaction that writes, committed when the block ends without an exception.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE): a transaction that reads first and
        writes later would fail at once when another wrote in between, whatever the busy timeout.

        Raises StoreError; on SQLite RuntimeError within another `write` of the same task.
        """
        async with self._turn_to_write():
            with _translating(self.url) as progress:
                async with self.engine.connect() as connection:
                    if self.is_sqlite:
                        await connection.execution_options(**{_WRITES: True})
                    else:
                        await connection.execution_options(isolation_level=isolation)
                    await connection.begin()
                    yield connection  # an exception from here rolls back: closing the connection does
                    progress.committing = True
                    await connection.commit()

    @contextlib.asynccontextmanager
    async def _turn_to_write(self) -> AsyncIterator[None]:
        if not self.is_sqlite:
            yield
            return
        task = asyncio.current_task()
        if self._writer is task:
            raise RuntimeError("a transaction that writes within another one would wait for itself")
        async with self._turn:
            self._writer = task
            try:
                yield
            finally:
                self._writer = None

    def time(self, after_s: float = 0.0) -> sa.ColumnElement[datetime.datetime]:
        """An SQL expression: the database's time at the moment of evaluation, plus `after_s` seconds."""
        if self._clock is None:
            return DatabaseTime(after_s)
        moment = self._clock() + datetime.timedelta(seconds=after_s)
        return sa.literal(moment, DatabaseTime.type)

    @property
    def tells_time(self) -> bool:
        """Whether the time must be asked of the database: SQLite's is this machine's."""
        return self._clock is None and not self.is_sqlite

    async def now(self, connection: AsyncConnection | None = None) -> datetime.datetime:
        """The database's time, aware UTC. On SQLite it is this machine's and costs nothing.

        Raises StoreError.
        """
        if self._clock is not None:
            return self._clock()
        if self.is_sqlite:
            return datetime.datetime.now(datetime.UTC)
        if connection is None:
            async with self.read() as own:
                return await self.now(own)
        moment = (await connection.execute(sa.select(DatabaseTime()))).scalar_one()
        assert isinstance(moment, datetime.datetime)
        return moment


def _prepare_file(url: URL) -> None:
    assert url.database is not None
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"database: cannot make the directory {path.parent} ({error.strerror}); "
            "give data_dir a place that this user may write to"
        ) from None
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.R_OK | os.W_OK):
        raise ConfigurationError(
            f"database: this user may not write to {path}; change its owner, or name another file"
        )


def _sqlite_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        json_serializer=to_text,
        pool_size=SQLITE_POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_S,
        connect_args={"timeout": SQLITE_BUSY_MS / 1000, "isolation_level": None},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",  # readers and the writer do not wait for one another
            "synchronous = FULL",  # a committed ticket survives a power cut, as the students were promised
            "foreign_keys = ON",
            f"busy_timeout = {SQLITE_BUSY_MS}",
            f"cache_size = -{SQLITE_CACHE_KIB}",
            "temp_store = MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        # isolation_level None keeps the driver from beginning transactions by itself.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: URL, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        url,
        json_serializer=to_text,
        pool_size=pool_size,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,  # after a restart of the server the first command must not pay
        connect_args={
            "timeout": CONNECT_S,
            "command_timeout": COMMAND_S,
            "server_settings": {
                "application_name": "raisehand",
                "timezone": "UTC",
                "statement_timeout": str(STATEMENT_MS),
                "lock_timeout": str(LOCK_MS),
                "idle_in_transaction_session_timeout": str(IDLE_TRANSACTION_MS),
                "jit": "off",  # our queries are small; compiling them would cost more than they do
            },
        },
    )


class _Progress:
    committing = False


@contextlib.contextmanager
def _translating(url: URL) -> Iterator[_Progress]:
    """Turns every error of driver and pool into one of ours."""
    progress = _Progress()
    try:
        yield progress
    except DBAPIError as error:
        raise translate(error, committing=progress.committing) from error
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError(
            f"no free connection to the database within {POOL_WAIT_S:g} s: it is too slow or too busy"
        ) from error
    except _connection_errors() as error:
        # asyncpg's own, raw, while connecting and when its deadline has passed.
        where = url.render_as_string(hide_password=True)
        raise DatabaseUnavailableError(
            f"the database {where} does not answer ({type(error).__name__})", uncertain=progress.committing
        ) from error


def translate(error: DBAPIError, *, committing: bool = False) -> StoreError:
    """Our error for a driver's."""
    if state := getattr(error.orig, "sqlstate", None):
        return _translate_postgresql(error, str(state), committing=committing)
    text = str(error.orig)
    if columns := re.search(r"UNIQUE constraint failed: (.+)", text):
        return UniquenessError(_sqlite_rule(columns[1]))
    if "no such table" in text or "no such column" in text:
        return SchemaError(f"{text}: run `raisehand migrate`")
    if "constraint failed" in text:
        return StoreError(text)
    # Locked for longer than the busy timeout, disk full, input/output error, a closed connection.
    return DatabaseUnavailableError(f"the database cannot serve: {text}", uncertain=committing)


def _translate_postgresql(error: DBAPIError, state: str, *, committing: bool) -> StoreError:
    if state == _UNIQUE_VIOLATION:
        cause = error.orig.__cause__ if error.orig is not None else None
        return UniquenessError(str(getattr(cause, "constraint_name", None) or "unknown"))
    if state in _RETRY_STATES:
        return ConcurrencyError(_RETRY_STATES[state])
    if state in _MISSING_STATES:
        return SchemaError("tables are missing or of another version: run `raisehand migrate`")
    if error.connection_invalidated or state[:2] in _AWAY_CLASSES:
        return DatabaseUnavailableError(
            f"the database ended the connection (SQLSTATE {state})", uncertain=committing
        )
    return StoreError(f"{type(error.orig).__name__} (SQLSTATE {state}): {error.orig}")


def _sqlite_rule(failed: str) -> str:
    """The name of the index that SQLite describes by ``table.column, table.column`` or ``index 'name'``."""
    if named := re.fullmatch(r"index '(.+)'", failed):
        return named[1]
    from signalling.store.tables import metadata  # tables need nothing of ours; only errors need tables

    columns = [part.strip().split(".") for part in failed.split(",")]
    table = metadata.tables.get(columns[0][0])
    names = [column for _, column in columns]
    if table is not None:
        for index in table.indexes:
            if index.unique and [column.name for column in index.columns] == names:
                return str(index.name)
        for constraint in table.constraints:
            if isinstance(constraint, sa.UniqueConstraint | sa.PrimaryKeyConstraint) and names == [
                column.name for column in constraint.columns
            ]:
                return str(constraint.name)
    return failed


def _connection_errors() -> tuple[type[Exception], ...]:
    """What drivers raise raw while connecting; asyncpg's only where it is loaded, for that takes 0.1 s."""
    if "asyncpg" not in sys.modules:
        return (OSError, TimeoutError)
    import asyncpg

    return (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


def _remedy(error: BaseException | None, url: URL) -> str | None:
    """What to do about a connection that the server refused for good; None when waiting may help."""
    if "asyncpg" not in sys.modules:
        return None
    import asyncpg

    while error is not None:
        if isinstance(error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
            return f"PostgreSQL at {url.host or 'the socket'} refuses the user {url.username} or its password"
        if isinstance(error, asyncpg.InvalidCatalogNameError):
            name = url.database
            return f'PostgreSQL has no database "{name}"; make it: createdb --encoding UTF8 {name}'
        error = error.__cause__
    return None
