"""Loading, saving and losing races, on both databases."""

from __future__ import annotations

import asyncio
import datetime
import statistics
import time
from dataclasses import replace

import pytest
import sqlalchemy as sa

from signalling.desk import codec
from signalling.desk import events as e
from signalling.desk.errors import SequenceGap
from signalling.desk.model import (
    AgentId,
    Assignment,
    AssignmentRole,
    AssignmentState,
    Call,
    CallId,
    CallState,
    DeskPolicy,
    Mode,
    StudentId,
    TicketId,
)
from signalling.desk.state import Needs
from signalling.store import tables
from signalling.store.errors import ConcurrencyError, LeaseLostError, UniquenessError
from signalling.store.leases import Leases
from signalling.store.queries import CallFilter, Queries
from signalling.store.unit_of_work import DeskStore
from tests.integration.store import story


async def test_what_was_saved_is_loaded(store: DeskStore) -> None:
    await story.make_queue(store)
    anna = await story.make_agent(store, "anna")
    call_id = await story.make_call(store, "mei", class_id="301")
    await story.offer(store, call_id, anna)
    saved = await story.accept(store, call_id, anna)

    async with store.begin() as work:
        loaded = await work.load(Needs(calls=frozenset({call_id})))
    assert dict(loaded.calls) == dict(saved.calls)
    assert dict(loaded.tickets) == dict(saved.tickets)
    assert dict(loaded.agents) == dict(saved.agents)
    assert dict(loaded.queues) == dict(saved.queues)
    assert loaded.calls[call_id].primary is not None
    assert loaded.agents[anna].media_call is not None


async def test_the_closure_is_the_desks_own(store: DeskStore) -> None:
    """`Desk.excerpt` says what needs mean; the store must load the same."""
    await story.make_queue(store)
    agents = [await story.make_agent(store, name) for name in ("anna", "bo", "chen")]
    calls = [await story.make_call(store, name) for name in ("mei", "li", "tom", "zoe")]
    await story.offer(store, calls[0], agents[0])
    await story.accept(store, calls[0], agents[0])
    await story.offer(store, calls[1], agents[1])
    whole = (await store.snapshot()).desk
    tickets = [whole.calls[call].ticket for call in calls]
    for needs in (
        Needs(),
        Needs(calls=frozenset(calls[:1])),
        Needs(calls=frozenset({calls[2], CallId("nobody")}), agents=frozenset({agents[2], AgentId("x")})),
        Needs(agents_with_calls=frozenset({agents[0]})),
        Needs(agents_with_calls=frozenset({agents[1]}), calls=frozenset({calls[3]})),
        Needs(students=frozenset({StudentId("mei")})),
        Needs(students=frozenset({StudentId("nobody")})),
        Needs(tickets=frozenset({tickets[1], TicketId("none")})),
    ):
        async with store.begin() as work:
            loaded = await work.load(needs)
            expected = whole.excerpt(needs, now=work.now)
        for kind in ("calls", "tickets", "agents", "queues"):
            assert dict(getattr(loaded, kind)) == dict(getattr(expected, kind)), (needs, kind)


async def test_an_exception_leaves_nothing(store: DeskStore) -> None:
    events = story.opened("mei")
    with pytest.raises(RuntimeError, match="after saving"):
        async with store.begin() as work:
            await work.load(Needs(students=frozenset({StudentId("mei")})))
            await work.save(events)
            raise RuntimeError("after saving")
    assert await Queries(store.database).unfinished_calls() == []
    await story.run(store, events)  # nothing is in the way


async def test_events_must_follow_from_what_was_loaded(store: DeskStore) -> None:
    call_id = await story.make_call(store, "mei")
    call = await Queries(store.database).call(call_id)
    assert call is not None
    with pytest.raises(SequenceGap):
        await story.run(
            store,
            [story.wrote(replace(call, version=call.version + 1), "?")],
            Needs(calls=frozenset({call_id})),
        )


async def test_the_slower_of_two_writers_loses(store: DeskStore) -> None:
    """Both read version 2; the one who saves second must not overwrite the first."""
    call_id = await story.make_call(store, "mei")
    stale = await Queries(store.database).call(call_id)
    assert stale is not None
    if store.database.is_sqlite:
        # BEGIN IMMEDIATE: the second cannot even read before the first has committed.
        async def write(text: str) -> int:
            async with store.begin() as work:
                desk = await work.load(Needs(calls=frozenset({call_id})))
                after = await work.save([story.wrote(desk.calls[call_id], text)])
                return after.calls[call_id].version

        assert sorted(await asyncio.gather(write("one"), write("two"))) == [3, 4]
        return
    async with store.begin() as first:
        desk = await first.load(Needs(calls=frozenset({call_id})))
        with pytest.raises(ConcurrencyError):
            async with store.begin() as second:
                other = await second.load(Needs(calls=frozenset({call_id})))
                await first.save([story.wrote(desk.calls[call_id], "one")])
                await first.connection.commit()
                await second.save([story.wrote(other.calls[call_id], "two")])
    page = await Queries(store.database).messages(call=call_id)
    assert [message.text for message in page.items] == ["one"]


async def test_a_version_that_is_not_there_is_not_overwritten(store: DeskStore) -> None:
    """The same on SQLite, where only a bug can cause it."""
    call_id = await story.make_call(store, "mei")
    with pytest.raises(ConcurrencyError):
        async with store.begin() as work:
            desk = await work.load(Needs(calls=frozenset({call_id})))
            await work.connection.execute(
                sa.update(tables.calls).where(tables.calls.c.id == call_id).values(version=7)
            )
            await work.save([story.wrote(desk.calls[call_id], "?")])


async def test_two_devices_get_one_call(store: DeskStore) -> None:
    """Two presses of one student at once, without any rule in between: the index decides."""
    outcomes = await asyncio.gather(
        *(story.make_call(store, "mei") for _ in range(4)), return_exceptions=True
    )
    made = [outcome for outcome in outcomes if isinstance(outcome, str)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, UniquenessError | ConcurrencyError)]
    assert (len(made), len(lost)) == (1, 3), outcomes
    assert [call.id for call in await Queries(store.database).unfinished_calls()] == made
    page = await Queries(store.database).calls(CallFilter(student=StudentId("mei")))
    assert len(page.items) == 1


async def test_two_matches_of_one_agent(store: DeskStore) -> None:
    """Two calls want the same agent at the same moment: one offer, one loser, and the loser left no trace."""
    anna = await story.make_agent(store, "anna")
    calls = [await story.make_call(store, name) for name in ("mei", "li", "tom")]
    outcomes = await asyncio.gather(
        *(story.offer(store, call, anna) for call in calls), return_exceptions=True
    )
    if store.database.is_sqlite:
        # One after the other: the later ones see an agent who rings already. No rules here, so the index.
        assert sum(isinstance(outcome, UniquenessError) for outcome in outcomes) == 2, outcomes
    else:
        losers = [one for one in outcomes if isinstance(one, ConcurrencyError | UniquenessError)]
        assert len(losers) == 2, outcomes
    states = sorted(call.state.value for call in await Queries(store.database).unfinished_calls())
    assert states == ["offered", "queued", "queued"]
    async with store.database.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(tables.offers))).scalar() == 1


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        ("one_live_offer_per_agent", {"call_id": 0, "agent_id": "a"}, {"call_id": 1, "agent_id": "a"}),
        ("one_live_offer_per_place", {"call_id": 0, "agent_id": "a"}, {"call_id": 0, "agent_id": "b"}),
    ],
)
async def test_the_database_guards_offers(
    store: DeskStore, rule: str, first: dict[str, object], second: dict[str, object]
) -> None:
    calls = [await story.make_call(store, name) for name in ("mei", "li")]

    def row(values: dict[str, object], number: int) -> dict[str, object]:
        index = values["call_id"]
        assert isinstance(index, int)
        return {
            "id": f"offer-{number}",
            "role": "primary",
            "mode": "talk",
            "fence": number,
            "state": "pending",
            "created_at": story.NOW,
            "deadline": story.NOW,
            "note": "",
            **values,
            "call_id": calls[index],
        }

    with pytest.raises(UniquenessError) as caught:
        async with store.database.write() as connection:
            await connection.execute(sa.insert(tables.offers).values(row(first, 1)))
            await connection.execute(sa.insert(tables.offers).values(row(second, 2)))
    assert caught.value.rule == rule
    async with store.database.write() as connection:  # an ended one is in nobody's way
        await connection.execute(sa.insert(tables.offers).values(row(first, 1) | {"state": "expired"}))
        await connection.execute(sa.insert(tables.offers).values(row(second, 2)))


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        ("one_live_primary_per_call", (0, "a", "primary", "video"), (0, "b", "primary", "video")),
        ("one_live_media_call_per_agent", (0, "a", "primary", "voice"), (1, "a", "consult", "video")),
        ("one_live_assignment_per_agent_and_call", (0, "a", "supervisor", "chat"), (0, "a", "third", "chat")),
        (None, (0, "a", "primary", "chat"), (1, "a", "primary", "chat")),
        (None, (0, "a", "primary", "video"), (1, "a", "supervisor", "video")),
        (None, (0, "a", "primary", "video"), (0, "b", "consult", "video")),
    ],
)
async def test_the_database_guards_assignments(
    store: DeskStore,
    rule: str | None,
    first: tuple[int, str, str, str],
    second: tuple[int, str, str, str],
) -> None:
    calls = [await story.make_call(store, name) for name in ("mei", "li")]

    def row(values: tuple[int, str, str, str], fence: int) -> dict[str, object]:
        call, agent, role, kind = values
        fixed = {"fence": fence, "mode": "talk", "state": "live", "since": story.NOW}
        return {"call_id": calls[call], "agent_id": agent, "role": role, "kind": kind, **fixed}

    async def both(state: str) -> None:
        async with store.database.write() as connection:
            await connection.execute(sa.insert(tables.assignments).values(row(first, 1) | {"state": state}))
            await connection.execute(sa.insert(tables.assignments).values(row(second, 2)))

    if rule is None:
        await both("live")
        return
    with pytest.raises(UniquenessError) as caught:
        await both("live")
    assert caught.value.rule == rule
    await both("ended")


def becoming(call: Call) -> e.Event:
    """An event after which the call is as given: for states that the rules rarely reach."""

    class Becomes(e.MessageCreated):
        def evolve(self, _: Call) -> Call:
            return call

    said = story.wrote(call, "?")
    return Becomes(**{name: getattr(said, name) for name in codec.field_names(type(said))})


async def test_an_offer_that_its_call_forgets_does_not_ring_for_ever(store: DeskStore) -> None:
    anna = await story.make_agent(store, "anna")
    call_id = await story.make_call(store, "mei")
    await story.offer(store, call_id, anna)
    async with store.begin() as work:
        desk = await work.load(Needs(calls=frozenset({call_id})))
        await work.save([becoming(replace(desk.calls[call_id], offers=()))])
    other = await story.make_call(store, "li")
    await story.offer(store, other, anna)  # would break one_live_offer_per_agent


@pytest.mark.parametrize("first", [0, 1])
async def test_places_are_given_up_before_they_are_taken(store: DeskStore, first: int) -> None:
    """An agent goes from one call to another, and two agents swap roles, in one command: indexes look at
    every single statement, so the order of writing matters, whatever the order of the identifiers."""
    calls = sorted([await story.make_call(store, "mei"), await story.make_call(store, "li")])
    old, new = calls[first], calls[1 - first]
    anna, bo = AgentId("anna"), AgentId("bo")
    both = Needs(calls=frozenset(calls))

    def assignment(agent: AgentId, role: AssignmentRole, fence: int, state: AssignmentState) -> Assignment:
        at = story.NOW if state is AssignmentState.ENDED else None
        return Assignment(agent, role, Mode.TALK, fence, story.NOW, state, ended_at=at)

    live, ended = AssignmentState.LIVE, AssignmentState.ENDED
    primary, third = AssignmentRole.PRIMARY, AssignmentRole.THIRD
    steps = [
        {old: [assignment(anna, primary, 2 - first, live), assignment(bo, third, 1 + first, live)]},
        {old: [assignment(anna, third, 2 - first, live), assignment(bo, primary, 1 + first, live)]},
        {
            old: [assignment(anna, third, 2 - first, ended), assignment(bo, primary, 1 + first, live)],
            new: [assignment(anna, primary, 1, live)],
        },
        {
            old: [assignment(anna, third, 2 - first, ended), assignment(bo, primary, 1 + first, ended)],
            new: [assignment(anna, primary, 1, live), assignment(bo, third, 2, live)],
        },
    ]
    for step in steps:
        async with store.begin() as work:
            desk = await work.load(both)
            await work.save(
                [
                    becoming(replace(desk.calls[call], assignments=tuple(assignments)))
                    for call, assignments in step.items()
                ]
            )
    found = await Queries(store.database).live_assignments()
    assert sorted(found) == [(new, anna, 1), (new, bo, 2)]


async def test_messages_lie_beside_their_events(store: DeskStore) -> None:
    call_id = await story.make_call(store, "mei")
    for number, text in enumerate(("没有声音", "nul\0 and lone \ud800 surrogate")):
        async with store.begin() as work:
            desk = await work.load(Needs(calls=frozenset({call_id})))
            at = story.NOW + datetime.timedelta(seconds=number)
            after = await work.save([story.wrote(desk.calls[call_id], text, at)])
    assert after.calls[call_id].messages == 2
    page = await Queries(store.database).messages(call=call_id)
    assert [message.text for message in page.items] == ["没有声音", "nul\ufffd and lone \ufffd surrogate"]
    assert page.items[0].student_id == "mei"
    history = await Queries(store.database).history(StudentId("mei"))
    assert [message.text for message in history.messages] == [page.items[1].text, page.items[0].text]
    assert [call.id for call in history.calls] == [call_id]
    assert history.student == story.student("mei")


async def test_queues_and_policy_are_fresh(store: DeskStore) -> None:
    """Another node changed them: the next command sees it, whatever this one had decoded before."""
    await story.make_queue(store)
    other = DeskStore(store.database)
    async with other.begin() as work:
        desk = await work.load(Needs())
        assert desk.policy == DeskPolicy()
        queue = desk.queues[story.TECHNICAL]
    by = story.actor("root")
    change = e.QueueChanged(
        stream_id=queue.id, seq=2, at=story.NOW, by=by, config=replace(queue, name="Technik")
    )
    await story.run(store, [change])
    await store.put_policy(DeskPolicy(rejoin_s=7.0))
    async with other.begin() as work:
        desk = await work.load(Needs())
    assert desk.queues[story.TECHNICAL].name == "Technik"
    assert desk.queues[story.TECHNICAL].version == 2
    assert desk.policy.rejoin_s == 7.0
    await store.put_policy(DeskPolicy(rejoin_s=8.0))
    assert (await other.policy()).rejoin_s == 8.0


async def test_a_guarded_command_needs_its_lease(store: DeskStore) -> None:
    leases = Leases(store.database)
    lease = await leases.acquire("matcher", "node-a", 30.0)
    assert lease is not None
    async with store.begin() as work:
        await work.guard(lease)
        await work.load(Needs())
        await work.save(story.configured("anna"))
    await leases.release(lease)
    await leases.acquire("matcher", "node-b", 30.0)
    with pytest.raises(LeaseLostError):
        async with store.begin() as work:
            await work.guard(lease)
    assert [agent.id for agent in await Queries(store.database).agents()] == ["anna"]


async def test_a_snapshot_holds_what_is_unfinished(store: DeskStore) -> None:
    call_id = await story.make_call(store, "mei")
    gone = await story.make_call(store, "li")
    async with store.begin() as work:
        desk = await work.load(Needs(calls=frozenset({gone})))
        await work.save(story.closed(desk.calls[gone]))
    snapshot = await store.snapshot()
    assert set(snapshot.desk.calls) == {call_id}
    assert snapshot.desk.calls[call_id].state is CallState.QUEUED
    assert snapshot.event_id == 0
    assert await Queries(store.database).open_call_of(StudentId("li")) is None
    await story.make_call(store, "li")  # the next call of the same student is welcome


@pytest.mark.slow
async def test_what_a_command_costs(store: DeskStore, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints, and asserts only what would be absurd: machines are shared."""
    anna = await story.make_agent(store, "anna")
    opening: list[float] = []
    for number in range(60):
        start = time.perf_counter()
        call_id = await story.make_call(store, f"student-{number}")
        opening.append(time.perf_counter() - start)
    start = time.perf_counter()
    await story.offer(store, call_id, anna)
    await story.accept(store, call_id, anna)
    both = time.perf_counter() - start
    writing: list[float] = []
    for _ in range(60):
        start = time.perf_counter()
        async with store.begin() as work:
            desk = await work.load(Needs(calls=frozenset({call_id})))
            await work.save([story.wrote(desk.calls[call_id], "好的")])
        writing.append(time.perf_counter() - start)
    name = store.database.engine.dialect.name
    open_ms, both_ms = statistics.median(opening) * 1e3, both * 1e3
    with capsys.disabled():
        print(
            f"\n{name}: opening a call {open_ms:.1f} ms, offer and accept {both_ms:.1f} ms, a message",
            end=" ",
        )
        print(f"{statistics.median(writing) * 1e3:.1f} ms (medians)")
    assert statistics.median(opening) < 1.0
