"""Every test of the store runs twice: on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from signalling.store.engine import Database
from signalling.store.migrate import migrate
from signalling.store.tables import EVENT_FEED, metadata
from signalling.store.unit_of_work import DeskStore
from tests.postgres import PostgresMissingError, PostgresServer

BACKENDS = ("sqlite", "postgresql")

# Much faster than a new database, or TRUNCATE, for a few rows. Whoever still is connected goes first.
EMPTY = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid();"
    + "".join(f'DELETE FROM "{table.name}";' for table in reversed(metadata.sorted_tables))
    + f"INSERT INTO feeds (name, last_id) VALUES ('{EVENT_FEED}', 0)"
)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL server for the whole run."""
    try:
        server = PostgresServer.create()
    except PostgresMissingError as error:
        pytest.fail(str(error))
    with server:
        yield server


async def _migrate(url: str) -> None:
    database = await Database.open(url, Path())
    await migrate(database)
    await database.close()


@pytest.fixture(scope="session")
def migrated_database(postgres: PostgresServer) -> str:
    """The name of a database with tables on PostgreSQL, emptied between tests."""
    name = postgres.create_database()
    asyncio.run(_migrate(postgres.url(name)))
    return name


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with tables, copied for each test."""
    path = tmp_path_factory.mktemp("store") / "migrated.sqlite3"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture
def postgres_url(postgres: PostgresServer, migrated_database: str) -> Iterator[str]:
    """URL of an empty database with tables on PostgreSQL."""
    yield postgres.url(migrated_database)
    postgres.run(EMPTY, migrated_database)


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database with tables."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("migrated_file")
        shutil.copy(template, tmp_path / "desk.sqlite3")
        yield f"sqlite:///{tmp_path}/desk.sqlite3"
        return
    yield request.getfixturevalue("postgres_url")


@pytest.fixture
async def database(url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database with tables."""
    opened = await Database.open(url, tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> DeskStore:
    """The desk in an empty database."""
    return DeskStore(database)


@pytest.fixture
async def postgres_store(postgres_url: str, tmp_path: Path) -> AsyncIterator[DeskStore]:
    """The desk in an empty PostgreSQL database, for what SQLite cannot do."""
    opened = await Database.open(postgres_url, tmp_path)
    yield DeskStore(opened)
    await opened.close()
