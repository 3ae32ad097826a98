"""Opening a database, what is said when it cannot be opened, and what its errors become."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from signalling.desk.state import Needs
from signalling.errors import ConfigurationError
from signalling.store import engine as engine_module
from signalling.store.engine import SQLITE_FILE, Database, parse_url
from signalling.store.errors import (
    ConcurrencyError,
    DatabaseUnavailableError,
    StoreError,
    UniquenessError,
)
from signalling.store.queries import Queries
from signalling.store.tables import leases
from signalling.store.unit_of_work import DeskStore
from tests.integration.store import story
from tests.integration.store.virtual import START
from tests.postgres import PostgresServer


@pytest.mark.parametrize(
    ("url", "becomes"),
    [
        ("postgresql://u:p@db.example.org/desk", "postgresql+asyncpg://u:***@db.example.org/desk"),
        ("postgres://db/desk", "postgresql+asyncpg://db/desk"),
        ("postgresql+asyncpg://db:5433/desk", "postgresql+asyncpg://db:5433/desk"),
        ("postgresql://db/desk?sslmode=require", "postgresql+asyncpg://db/desk?ssl=require"),
        ("sqlite:////var/lib/desk.db", "sqlite+aiosqlite:////var/lib/desk.db"),
    ],
)
def test_urls_of_every_spelling(url: str, becomes: str) -> None:
    assert parse_url(url, Path()).render_as_string(hide_password=True) == becomes


def test_without_a_url_a_file_in_the_data_directory(tmp_path: Path) -> None:
    assert parse_url("", tmp_path).database == str(tmp_path / SQLITE_FILE)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("desk.db", "postgresql://user:password@host/name"),
        ("postgresql://u:s3cr3t/x@host:port/db", "percent-encoded"),
        ("mysql://u:s3cr3t@host/db", "mysql is not supported"),
        ("postgresql+psycopg://u:s3cr3t@host/db", "write postgresql://"),
        ("postgresql://u:s3cr3t@host", "names no database"),
        ("sqlite://desk.db", "sqlite:///relative/file"),
        ("sqlite://", "would forget every call"),
        ("sqlite:///:memory:", "would forget every call"),
        ("sqlite:///desk.db?mode=ro", "takes no options"),
    ],
)
def test_urls_that_cannot_be_used(url: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^database: ") as caught:
        parse_url(url, Path())
    assert remedy in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


async def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot make the directory"):
        await Database.open(f"sqlite:///{tmp_path}/file/desk.db", tmp_path)
    with pytest.raises(ConfigurationError, match="may not write"):
        await Database.open(f"sqlite:///{tmp_path}", tmp_path)
    (tmp_path / "text.db").write_text("no database at all, and long enough for a header " * 20)
    with pytest.raises(StoreError, match="not a database"):
        await Database.open(f"sqlite:///{tmp_path}/text.db", tmp_path)


async def test_servers_that_cannot_be_used(postgres: PostgresServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r'no database "nowhere"; make it: createdb'):
        await Database.open(postgres.url("nowhere"), tmp_path)
    with pytest.raises(ConfigurationError, match="refuses the user mallory"):
        await Database.open(postgres.url().replace("raisehand@", "mallory:s3cr3t@"), tmp_path)
    nobody = "postgresql://u:s3cr3t@127.0.0.1:1/desk"
    with pytest.raises(DatabaseUnavailableError, match=r"u:\*\*\*@127.0.0.1:1/desk does not answer"):
        await Database.open(nobody, tmp_path)


async def test_sqlite_as_promised(tmp_path: Path) -> None:
    database = await Database.open("", tmp_path)
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    async with database.read() as connection:
        for pragma, value in wanted.items():
            assert (await connection.execute(sa.text(f"PRAGMA {pragma}"))).scalar() == value
    assert database.display.endswith(SQLITE_FILE)
    await database.close()


async def test_a_read_that_becomes_a_write_waits_for_its_turn(url: str, tmp_path: Path) -> None:
    """Two processes (here: two engines, which share no lock) read a number and write it back raised by one.

    With SQLite's plain BEGIN both would read before either writes, and one would fail at once. On
    PostgreSQL one of them is told that it lost.
    """
    first, second = await Database.open(url, tmp_path), await Database.open(url, tmp_path)
    async with first.write() as connection:
        row = {"name": "n", "holder": "", "fencing_token": 0, "expires_at": START}
        await connection.execute(sa.insert(leases).values(row))

    async def raise_by_one(database: Database) -> None:
        for _ in range(10):
            while True:
                try:
                    async with database.write() as connection:
                        found = await connection.execute(sa.select(leases.c.fencing_token))
                        await connection.execute(
                            sa.update(leases).values(fencing_token=found.scalar_one() + 1)
                        )
                    break
                except ConcurrencyError:
                    assert not database.is_sqlite

    await asyncio.gather(raise_by_one(first), raise_by_one(second), raise_by_one(second))
    async with first.read() as connection:
        assert (await connection.execute(sa.select(leases.c.fencing_token))).scalar() == 30
    await first.close()
    await second.close()


async def test_a_write_within_a_write_is_a_bug_that_shows(tmp_path: Path) -> None:
    database = await Database.open("", tmp_path)
    with pytest.raises(RuntimeError, match="would wait for itself"):
        async with database.write(), database.write():
            pass
    async with database.write(), database.read():  # another connection, which sees what is committed
        pass
    await database.close()


async def test_another_process_holds_sqlite_for_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "SQLITE_BUSY_MS", 20)
    first, second = await Database.open("", tmp_path), await Database.open("", tmp_path)
    async with first.write() as connection:
        await connection.execute(sa.text("CREATE TABLE t (x INTEGER)"))
        with pytest.raises(DatabaseUnavailableError, match="locked"):
            async with second.write():
                pass
    async with second.write() as connection:  # and then it is free
        await connection.execute(sa.text("INSERT INTO t VALUES (1)"))
    await first.close()
    await second.close()


async def test_a_lock_that_is_held_for_too_long(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "LOCK_MS", 20)
    database = await Database.open(postgres_url, tmp_path)
    change = sa.text("UPDATE feeds SET last_id = last_id")
    async with database.write("READ COMMITTED") as holder:
        await holder.execute(change)
        with pytest.raises(ConcurrencyError, match="lock"):
            async with database.write("READ COMMITTED") as waiter:
                await waiter.execute(change)
    await database.close()


async def test_an_unknown_student_is_nobodys_call(database: Database) -> None:
    """Foreign keys hold on both, and their error is nobody's lost race."""
    with pytest.raises(StoreError) as caught:
        async with database.write() as connection:
            await connection.execute(
                sa.text(
                    "INSERT INTO tickets (id, version, number, student_id, state, topic, severity,"
                    " opened_at, updated_at, data) VALUES ('t', 1, 'n', 'nobody', 'open', '', 'general',"
                    " '2026-03-02 19:40:00', '2026-03-02 19:40:00', '{}')"
                )
            )
    assert not isinstance(caught.value, ConcurrencyError | UniquenessError | DatabaseUnavailableError)


async def test_cancelled_in_the_middle(store: DeskStore) -> None:
    """A client that goes away must not leave a transaction open, nor the lock of SQLite's writers."""
    inside = asyncio.Event()

    async def slow() -> None:
        async with store.begin() as work:
            await work.load(Needs())
            await work.save(story.configured("anna"))
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(slow())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await story.make_agent(store, "anna")
    assert [agent.id for agent in await Queries(store.database).agents()] == ["anna"]


@pytest.mark.slow
async def test_the_server_is_restarted(tmp_path: Path) -> None:
    """What runs fails with a word of its own; what comes afterwards works, without opening anew."""
    server = await asyncio.to_thread(PostgresServer.create)
    server.start()  # from this thread: the server ends with the thread that started it
    try:
        database = await Database.open(server.url(), tmp_path)
        with pytest.raises(DatabaseUnavailableError) as caught:
            async with database.write() as connection:
                await connection.execute(sa.text("CREATE TABLE t (x INTEGER)"))
                server.stop(kill=True)
                await connection.execute(sa.text("SELECT 1"))
        assert not caught.value.uncertain
        with pytest.raises(DatabaseUnavailableError):
            await database.now()
        server.start()
        async with database.write() as connection:
            await connection.execute(sa.text("CREATE TABLE t (x INTEGER)"))
        with pytest.raises(DatabaseUnavailableError) as caught:
            async with database.write() as connection:
                await connection.execute(sa.text("INSERT INTO t VALUES (1)"))
                server.stop(kill=True)  # the commit gets no answer
        assert caught.value.uncertain
        await database.close()
    finally:
        server.close()


async def test_a_frozen_node_does_not_hold_its_locks(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends a transaction whose process does nothing (SIGSTOP, swapped out); others go on."""
    monkeypatch.setattr(engine_module, "IDLE_TRANSACTION_MS", 50)
    frozen = await Database.open(postgres_url, tmp_path)
    monkeypatch.undo()
    other = await Database.open(postgres_url, tmp_path)
    change = sa.text("UPDATE feeds SET last_id = last_id + 1")
    with pytest.raises(DatabaseUnavailableError):
        async with frozen.write("READ COMMITTED") as stuck:
            await stuck.execute(change)
            async with other.write("READ COMMITTED") as connection:
                await connection.execute(change)  # waits until the server has ended the other one
            await stuck.execute(change)
    async with other.read() as connection:
        assert (await connection.execute(sa.text("SELECT last_id FROM feeds"))).scalar() == 1
    await frozen.close()
    await other.close()
