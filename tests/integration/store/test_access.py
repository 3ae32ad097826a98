"""Accounts, sessions, idempotency keys, files, class measures, and what is purged when."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from signalling.store.accounts import Accounts, StaffAccount
from signalling.store.attachments import ClassStats, ClassStatsLog, Files, StoredFile
from signalling.store.engine import Database
from signalling.store.errors import UniquenessError
from signalling.store.housekeeping import CLASS_STATS_S, FEED_S, purge
from signalling.store.idempotency import (
    CLAIM_S,
    KEEP_S,
    IdempotencyBusyError,
    IdempotencyConflictError,
    IdempotencyKeys,
    KeptAnswer,
)
from signalling.store.leases import Leases
from signalling.store.relay import Feed, Relay
from signalling.store.tables import sessions
from signalling.store.unit_of_work import DeskStore
from tests.integration.store import story
from tests.integration.store.virtual import START, VirtualTime

HOUR = datetime.timedelta(hours=1)
ANNA = StaffAccount("agent-anna", "Anna", "Anna Li", "agent", "$argon2id$…")


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
async def virtual(url: str, tmp_path: Path, time: VirtualTime) -> AsyncIterator[Database]:
    """A database whose time is `time`."""
    database = await Database.open(url, tmp_path, clock=time)
    yield database
    await database.close()


async def test_accounts(virtual: Database) -> None:
    accounts = Accounts(virtual)
    await accounts.add(ANNA)
    stored = replace(ANNA, username="anna")
    assert await accounts.account("ANNA") == stored
    assert await accounts.get("agent-anna") == stored
    assert await accounts.account("bo") is None
    with pytest.raises(UniquenessError) as caught:
        await accounts.add(replace(ANNA, id="another"))
    assert caught.value.rule == "uq_accounts_username"
    with pytest.raises(UniquenessError) as caught:
        await accounts.add(replace(ANNA, username="another"))
    assert caught.value.rule == "pk_accounts"
    assert not await accounts.update(replace(ANNA, id="nobody"))
    assert await accounts.update(replace(ANNA, name="Anna Wang"))
    assert [one.name for one in await accounts.all()] == ["Anna Wang"]
    assert await accounts.remove("agent-anna")
    assert not await accounts.remove("agent-anna")


async def test_sessions_end(virtual: Database, time: VirtualTime) -> None:
    accounts = Accounts(virtual)
    await accounts.add(ANNA)

    async def alive(digest: str) -> bool:
        return await accounts.session(digest, time()) is not None

    async def log_in(digest: str) -> None:
        await accounts.add_session(digest, ANNA.id, time(), time() + HOUR)

    for digest in ("one", "two"):
        await log_in(digest)
    session = await accounts.session("one", time())
    assert session is not None
    assert session.id == ANNA.id
    await accounts.revoke_session("one")
    assert [await alive("one"), await alive("two"), await alive("three")] == [False, True, False]
    await accounts.update(replace(ANNA, name="Anna Wang"))
    assert await alive("two")
    for change in ({"password_hash": "new"}, {"role": "admin", "password_hash": "new"}, {"disabled": True}):
        await log_in(f"before {change}")
        await accounts.update(replace(ANNA, **change))
        assert not await alive(f"before {change}"), change
    await accounts.update(ANNA)
    await log_in("before a pause")
    await accounts.update(replace(ANNA, disabled=True))
    await accounts.update(ANNA)
    assert not await alive("before a pause")
    await log_in("late")
    time.advance(HOUR.total_seconds())
    assert not await alive("late")
    assert (await purge(virtual)).sessions == 1
    await log_in("last")
    await accounts.remove(ANNA.id)
    async with virtual.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(sessions))).scalar() == 0


async def test_a_request_is_done_once(virtual: Database, time: VirtualTime) -> None:
    keys = IdempotencyKeys(virtual)
    begun = await asyncio.gather(
        *(keys.begin("student:mei:calls:k", "digest") for _ in range(5)), return_exceptions=True
    )
    assert [one for one in begun if one is None] == [None]
    assert sum(isinstance(one, IdempotencyBusyError) for one in begun) == 4
    with pytest.raises(IdempotencyConflictError):
        await keys.begin("student:mei:calls:k", "another digest")
    await keys.keep("student:mei:calls:k", 201, '{"id":"…"}')
    assert await keys.begin("student:mei:calls:k", "digest") == KeptAnswer(201, '{"id":"…"}')
    with pytest.raises(IdempotencyConflictError):
        await keys.begin("student:mei:calls:k", "another digest")
    await keys.forget("student:mei:calls:k")  # an answer that was given is not forgotten
    time.advance(KEEP_S - 1)
    assert await keys.begin("student:mei:calls:k", "digest") is not None
    assert (await purge(virtual)).total == 0
    time.advance(1)
    assert (await purge(virtual)).idempotency_keys == 1
    assert await keys.begin("student:mei:calls:k", "another digest") is None


async def test_a_request_that_failed_or_died_may_be_tried_again(virtual: Database, time: VirtualTime) -> None:
    keys = IdempotencyKeys(virtual)
    assert await keys.begin("failed", "digest") is None
    await keys.forget("failed")
    assert await keys.begin("failed", "digest") is None
    assert await keys.begin("died", "digest") is None
    time.advance(CLAIM_S - 1)
    with pytest.raises(IdempotencyBusyError):
        await keys.begin("died", "digest")
    time.advance(1)
    assert await keys.begin("died", "digest") is None


async def test_files(virtual: Database) -> None:
    files = Files(virtual)
    file = StoredFile(
        id="f1",
        student_id="mei",
        ticket_id=None,
        call_id="c1",
        uploaded_by="mei",
        uploaded_role="student",
        name="截图.png",
        media_type="image/png",
        size_bytes=5_000_000_000,
        sha256="0" * 64,
        path="files/f1",
        created_at=START,
    )
    later = replace(file, id="f2", created_at=START + HOUR)
    await files.add(later)
    await files.add(file)
    assert await files.get("f1") == file
    assert await files.of_call("c1") == [file, later]
    assert await files.forget("f1")
    assert not await files.forget("f1")
    assert await files.get("f1") is None


async def test_class_measures_for_a_while(virtual: Database, time: VirtualTime) -> None:
    log = ClassStatsLog(virtual)
    for number, (student, class_id) in enumerate((("mei", "301"), ("mei", "302"), ("li", "301"))):
        at = START + number * HOUR
        await log.add(ClassStats(f"s{number}", student, class_id, at, {"loss": 0.12, "log": ["卡"]}))

    async def ids(**wanted: str) -> list[str]:
        return [one.id for one in await log.newest(since=START, **wanted)]  # type: ignore[arg-type]

    assert await ids(student="mei") == ["s1", "s0"]
    assert await ids(class_id="301") == ["s2", "s0"]
    assert await ids(student="mei", class_id="301") == ["s0"]
    assert [one.id for one in await log.newest(since=START + 2 * HOUR)] == ["s2"]
    assert (await log.newest(since=START, limit=1))[0].data == {"loss": 0.12, "log": ["卡"]}
    time.advance(CLASS_STATS_S + 3600)
    assert (await purge(virtual, batch=1)).class_stats == 1
    assert (await purge(virtual, batch=1)).class_stats == 1
    assert (await purge(virtual, batch=1)).class_stats == 0
    assert await ids() == ["s2"]


async def test_the_audit_is_never_purged(virtual: Database, time: VirtualTime) -> None:
    """What calls and tickets went through stays, and so do the ids that readers resume from."""
    store, feed = DeskStore(virtual), Feed(virtual)
    await story.make_agent(store, "anna")
    call = await story.make_call(store, "mei")
    time.advance(FEED_S + 3600)
    assert (await purge(virtual)).events == 0  # nobody has seen them yet
    await Relay(virtual, "node-a").run_once()
    purged = await purge(virtual)
    assert purged.events == 2
    assert [event.type for event in await feed.of("call", call)] == ["call.opened", "call.queued"]
    assert [event.event_id for event in await feed.after(0)] == [3, 4, 5, 6]
    assert await feed.oldest_id() == 3
    await story.make_call(store, "li")
    published = await Relay(virtual, "node-a").run_once()
    assert [event.event_id for event in published] == [7, 8, 9, 10]


async def test_a_lease_is_remembered_longer_than_anybody_sleeps(virtual: Database, time: VirtualTime) -> None:
    leases = Leases(virtual)
    held = await leases.acquire("matcher", "node-a", 5.0)
    time.advance(24 * 3600)
    assert (await purge(virtual)).leases == 0
    again = await leases.acquire("matcher", "node-a", 5.0)
    assert held is not None
    assert again is not None
    assert again.fencing_token == held.fencing_token + 1
    time.advance(8 * 24 * 3600)
    assert (await purge(virtual)).leases == 1
