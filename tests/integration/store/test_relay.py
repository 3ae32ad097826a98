"""Global event ids: without gaps, in commit order as seen, resumable."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from signalling.desk.events import CallOpened
from signalling.desk.model import CallId
from signalling.desk.state import Needs
from signalling.store.engine import Database
from signalling.store.errors import LeaseLostError
from signalling.store.leases import Leases
from signalling.store.relay import LEASE_S, Feed, Relay, publish
from signalling.store.unit_of_work import DeskStore
from tests.integration.store import story
from tests.integration.store.virtual import VirtualTime


async def everything(feed: Feed, after: int = 0, limit: int = 3) -> list[int]:
    """What a reader gets that asks in small steps; the ids in the order it got them."""
    ids: list[int] = []
    while True:
        events = await feed.after(ids[-1] if ids else after, limit)
        if not events:
            return ids
        ids += [event.event_id for event in events if event.event_id is not None]


async def test_ids_have_no_gaps_and_events_read_back(store: DeskStore) -> None:
    call_id = await story.make_call(store, "mei")
    with pytest.raises(RuntimeError):
        async with store.begin() as work:  # takes positions, and gives them up
            await work.load(Needs())
            await work.save(story.configured("nobody"))
            raise RuntimeError
    anna = await story.make_agent(store, "anna")
    await story.offer(store, call_id, anna)

    feed, relay = Feed(store.database), Relay(store.database, "node-a")
    assert await feed.after(0) == []
    assert await feed.newest_id() == 0
    published = await relay.run_once()
    assert [event.event_id for event in published] == list(range(1, 9))
    assert published == await feed.after(0)
    assert await relay.run_once() == []
    assert await feed.newest_id() == 8
    assert await feed.oldest_id() == 1
    assert await feed.after(10**30) == []
    assert len(await feed.after(-1)) == 8

    trail = await feed.of("call", call_id)
    assert [event.type for event in trail] == ["call.opened", "call.queued", "offer.created"]
    assert [event.sequence for event in trail] == [1, 2, 3]
    assert {event.student_id for event in trail} == {"mei"}
    first = trail[0].event()
    assert isinstance(first, CallOpened)
    assert first.opened.student == story.student("mei")
    assert await feed.of("call", call_id, after_sequence=2) == trail[2:]
    by_agent = await feed.of("agent", anna)
    assert [event.call_id for event in by_agent] == [None] * 3


async def test_an_unknown_type_does_not_stop_the_feed(store: DeskStore) -> None:
    """A newer node wrote it during a rolling upgrade: the raw event is there, only decoding it fails."""
    await story.make_call(store, "mei")
    (stored, *_) = await Relay(store.database, "node-a").run_once()
    unknown = replace(stored, payload=stored.payload | {"type": "call.teleported"})
    with pytest.raises(ValueError, match=r"call\.teleported"):
        unknown.event()


async def test_commits_in_reversed_order_lose_nothing(postgres_store: DeskStore) -> None:
    """The first to write commits last. A reader that resumed in between must still get its events.

    Not on SQLite, which has one writer at a time: its commits cannot be reversed.
    """
    store = postgres_store
    feed, relay = Feed(store.database), Relay(store.database, "node-a")
    async with store.begin() as slow:
        await slow.load(Needs())
        await slow.save(story.opened("slow", call="slow"))
        async with store.begin() as fast:
            await fast.load(Needs())
            await fast.save(story.opened("fast", call="fast"))
        first = await relay.run_once()
        assert {event.student_id for event in first} == {"fast"}
        assert await everything(feed) == [1, 2, 3, 4]
        seen = await feed.newest_id()
        assert await relay.run_once() == []
    second = await relay.run_once()
    assert {event.student_id for event in second} == {"slow"}
    assert max(event.position for event in second) < min(event.position for event in first)
    assert await everything(feed, after=seen) == [5, 6, 7, 8]
    assert [event.sequence for event in second if event.call_id == "slow" and event.stream == "call"] == [
        1,
        2,
    ]


async def test_batches_keep_the_order(store: DeskStore) -> None:
    calls = [await story.make_call(store, f"student-{number}") for number in range(5)]
    relay = Relay(store.database, "node-a", batch=3)
    sizes = []
    while published := await relay.run_once():
        sizes.append(len(published))
    assert sizes == [3, 3, 3, 3, 3, 3, 2]
    assert await everything(Feed(store.database)) == list(range(1, 21))
    order = [event.call_id for event in await Feed(store.database).after(0) if event.type == "call.queued"]
    assert order == calls


async def test_only_the_holder_of_the_lease_publishes(url: str, tmp_path: Path, database: Database) -> None:
    time = VirtualTime()
    virtual = await Database.open(url, tmp_path, clock=time)
    store = DeskStore(virtual)
    await story.make_call(store, "mei")
    first, second = Relay(virtual, "node-a"), Relay(virtual, "node-b")
    assert len(await first.run_once()) == 4
    await story.make_call(store, "li")
    assert await second.run_once() == []
    assert (first.leads, second.leads) == (True, False)

    time.advance(LEASE_S - 1)
    assert len(await first.run_once()) == 4  # and renews
    time.advance(LEASE_S - 1)
    assert await second.run_once() == []

    time.advance(1.5)  # node-a is gone
    await story.make_call(store, "tom")
    assert len(await second.run_once()) == 4
    await story.make_call(store, "zoe")
    assert await first.run_once() == []  # node-a is back
    await second.resign()
    assert len(await first.run_once()) == 4
    assert await everything(Feed(virtual)) == list(range(1, 17))
    await virtual.close()


async def test_a_relay_that_slept_past_its_lease_publishes_nothing(store: DeskStore) -> None:
    """It believes in its lease, as after SIGSTOP between looking and writing: the transaction finds out."""
    await story.make_call(store, "mei")
    leases = Leases(store.database)
    sleeper = Relay(store.database, "node-a")
    believed = await leases.acquire("event-relay", "node-a", 30.0)
    assert believed is not None
    await leases.release(believed)
    assert await leases.acquire("event-relay", "node-b", 30.0) is not None
    sleeper._lease = believed
    assert await sleeper.run_once() == []
    assert not sleeper.leads
    assert await Feed(store.database).newest_id() == 0
    async with store.database.write() as connection:
        with pytest.raises(LeaseLostError):
            await leases.check(connection, believed)


async def test_even_without_a_lease_no_id_is_given_twice(store: DeskStore) -> None:
    for number in range(6):
        await story.make_call(store, f"student-{number}")

    async def one() -> int:
        async with store.database.write("READ COMMITTED") as connection:
            return len(await publish(connection, 5))

    assert sum(await asyncio.gather(*(one() for _ in range(6)))) == 24
    assert await everything(Feed(store.database)) == list(range(1, 25))


async def test_a_reader_that_follows_gets_each_event_once(store: DeskStore) -> None:
    """Writers, a relay and a reader at once; the reader comes back with its last id again and again."""
    writers = 4
    calls_each = 5
    total = writers * calls_each * 4
    done = asyncio.Event()
    feed, relay = Feed(store.database), Relay(store.database, "node-a", batch=7)

    async def write(writer: int) -> None:
        for number in range(calls_each):
            await story.make_call(store, f"student-{writer}-{number}")

    async def publish_all() -> None:
        while not done.is_set() or await relay.run_once():
            await relay.run_once()
            await asyncio.sleep(0)

    async def follow() -> list[tuple[int | None, str | None, int]]:
        got: list[tuple[int | None, str | None, int]] = []
        while len(got) < total:
            events = await feed.after(len(got), 5)
            assert len(got) < total or not events
            got += [(event.event_id, event.call_id, event.sequence) for event in events if event.event_id]
        return got

    publishing, following = asyncio.create_task(publish_all()), asyncio.create_task(follow())
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    done.set()
    await publishing
    got = await asyncio.wait_for(following, 30)
    assert [event_id for event_id, _, _ in got] == list(range(1, total + 1))
    sequences: dict[str, list[int]] = {}
    for event in await feed.after(0, total):
        if event.stream == "call":
            sequences.setdefault(event.aggregate_id, []).append(event.sequence)
    assert all(numbers == [1, 2] for numbers in sequences.values())


async def test_a_snapshot_and_the_feed_fit_together(store: DeskStore) -> None:
    """An index that starts from a snapshot and follows the feed misses nothing, published late or not."""
    relay = Relay(store.database, "node-a")
    early = await story.make_call(store, "early")
    await relay.run_once()
    late = await story.make_call(store, "late")  # committed, but numbered after the snapshot
    snapshot = await store.snapshot()
    anna = await story.make_agent(store, "anna")
    await story.offer(store, late, anna)
    await relay.run_once()
    desk = snapshot.desk
    for stored in await Feed(store.database).after(snapshot.event_id):
        event = stored.event()
        if event.seq > desk.version(event.STREAM, event.stream_id):
            desk.apply(event)
    fresh = (await store.snapshot()).desk
    assert dict(desk.calls) == dict(fresh.calls)
    assert dict(desk.agents) == dict(fresh.agents)
    assert set(desk.calls) == {early, CallId(late)}
