"""Every test of the store runs twice: on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from signalling.store.engine import Database
from signalling.store.migrate import migrate
from tests.postgres import PostgresMissingError, PostgresServer

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL server for the whole run."""
    try:
        server = PostgresServer.create()
    except PostgresMissingError as error:
        pytest.fail(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> str:
    """A database with tables, to be copied for each test: cheaper than migrating again."""
    name = postgres.create_database()

    async def prepare() -> None:
        database = await Database.open(postgres.url(name), Path())
        await migrate(database)
        await database.close()

    asyncio.run(prepare())
    return name


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a fresh database with tables (PostgreSQL) or without (SQLite makes them when opened)."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/desk.sqlite3"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database(request.getfixturevalue("migrated"))
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
async def database(url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database with tables."""
    opened = await Database.open(url, tmp_path)
    if opened.is_sqlite:
        await migrate(opened)
    yield opened
    await opened.close()
