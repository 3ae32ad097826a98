"""The tables are made by migrations, once, whoever asks how often, and are those that the code expects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from signalling.store.engine import Database
from signalling.store.errors import SchemaError
from signalling.store.migrate import config, current, head, migrate, prepare
from signalling.store.tables import metadata
from tests.integration.store.conftest import BACKENDS
from tests.postgres import PostgresServer


@pytest.fixture(params=BACKENDS)
async def bare(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Database, str]]:
    """A database without tables, and its URL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/new/desk.sqlite3"
        database = await Database.open(url, tmp_path)
        yield database, url
        await database.close()
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = await asyncio.to_thread(server.create_database)
    database = await Database.open(server.url(name), tmp_path)
    yield database, server.url(name)
    await database.close()
    await asyncio.to_thread(server.drop_database, name)


def _conditions(connection: sa.Connection) -> dict[str, object]:
    """The conditions of all indexes, to which `compare_metadata` is blind."""
    inspector, key = sa.inspect(connection), f"{connection.dialect.name}_where"
    return {
        str(index["name"]): index.get("dialect_options", {}).get(key)
        for table in inspector.get_table_names()
        for index in inspector.get_indexes(table)
    }


async def test_the_migrated_tables_are_the_ones_of_the_code(bare: tuple[Database, str]) -> None:
    database, _ = bare
    assert await current(database) is None
    assert await migrate(database)
    assert await current(database) == head()
    assert not await migrate(database)

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return list(compare_metadata(context, metadata))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
        found = await connection.run_sync(_conditions)
    for table in metadata.tables.values():
        for index in table.indexes:
            wanted = index.dialect_options[database.engine.dialect.name]["where"]
            assert (wanted is None) == (found[str(index.name)] is None), index.name


async def test_down_and_up_again(bare: tuple[Database, str]) -> None:
    database, _ = bare
    await migrate(database)

    def down(connection: sa.Connection) -> None:
        made = config()
        made.attributes["connection"] = connection
        command.downgrade(made, "base")

    async with database.write("READ COMMITTED") as connection:
        await connection.run_sync(down)
        left = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
    assert left == ["alembic_version"]
    assert await migrate(database)


async def test_several_nodes_start_at_once(bare: tuple[Database, str], tmp_path: Path) -> None:
    _, url = bare
    nodes = [await Database.open(url, tmp_path) for _ in range(4)]
    did = await asyncio.gather(*(migrate(node) for node in nodes))
    assert sorted(did) == [False, False, False, True]
    for node in nodes:
        await prepare(node)
        await node.close()


async def test_a_server_starts_with_the_right_tables_only(bare: tuple[Database, str]) -> None:
    database, _ = bare
    if database.is_sqlite:
        await prepare(database)  # migrates by itself
    else:
        with pytest.raises(SchemaError, match="has no tables yet: run `raisehand migrate`"):
            await prepare(database)
        await migrate(database)
        await prepare(database)
    async with database.write() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for start in (prepare, migrate):
        with pytest.raises(SchemaError, match="9999, which this program does not know"):
            await start(database)


async def test_a_failed_migration_leaves_nothing(bare: tuple[Database, str]) -> None:
    database, _ = bare
    async with database.write() as connection:  # in the way of the last table but one
        await connection.execute(sa.text("CREATE TABLE transfers (id TEXT)"))
    with pytest.raises(Exception, match="transfers"):
        await migrate(database)
    async with database.read() as connection:
        left = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
    assert left == ["transfers"]


async def test_using_the_database_before_migrating_says_so(bare: tuple[Database, str]) -> None:
    database, _ = bare
    with pytest.raises(SchemaError, match="raisehand migrate"):
        async with database.read() as connection:
            await connection.execute(sa.text("SELECT * FROM calls"))
