"""Operating-system processes that race for the same calls and agents on one PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from signalling.desk.events import Stream
from signalling.desk.model import AssignmentRole, Call, EngagementState
from signalling.desk.state import Desk
from signalling.store import tables
from signalling.store.relay import Feed, Relay
from signalling.store.rows import agent_of, call_of, ticket_of
from signalling.store.unit_of_work import DeskStore
from tests.integration.store import racer

ROOT = Path(__file__).parents[3]
PROCESSES = 4


async def run_racers(url: str, number: int) -> Counter[str]:
    racers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.store.racer", url, str(seed), str(number)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for seed in range(PROCESSES)
    ]
    total = Counter[str]()
    for one in racers:
        out, complaint = await one.communicate()
        assert one.returncode == 0, complaint.decode()
        total.update(json.loads(out))
    return total


async def check(store: DeskStore) -> int:
    """What must hold whatever happened; the number of events."""
    relay = Relay(store.database, "checker")
    while await relay.run_once():
        pass
    feed = Feed(store.database)
    async with store.database.read() as connection:
        calls = [call_of(row) for row in await connection.execute(sa.select(tables.calls.c.data))]
        tickets = [ticket_of(row) for row in await connection.execute(sa.select(tables.tickets.c.data))]
        agents = [agent_of(row) for row in await connection.execute(sa.select(tables.agents.c.data))]

    # The events, in the order of the feed, are all there is to know.
    replayed, expected = Desk(), 0
    while batch := await feed.after(expected):
        for stored in batch:
            expected += 1
            assert stored.event_id == expected
            replayed.apply(stored.event())
    assert {call.id: call for call in calls} == dict(replayed.calls)
    assert {ticket.id: ticket for ticket in tickets} == dict(replayed.tickets)
    assert {agent.id: agent for agent in agents} == dict(replayed.agents)
    for call in calls:
        assert len(await feed.of(Stream.CALL.value, call.id)) == call.version

    # One open call per student; what ties agents to calls says the same on both sides.
    students = [call.student.id for call in calls if call.open]
    assert len(students) == len(set(students))
    ties = {(agent.id, tie.call): tie.state for agent in agents for tie in agent.engagements}
    assert ties == _ties(calls)
    for agent in agents:
        assert sum(tie.state is EngagementState.OFFERED for tie in agent.engagements) <= 1
    for call in calls:
        assert sum(one.role is AssignmentRole.PRIMARY for one in call.live_assignments) <= 1
    return expected


def _ties(calls: list[Call]) -> dict[tuple[str, str], EngagementState]:
    found: dict[tuple[str, str], EngagementState] = {}
    for call in calls:
        if call.wrapping_agent is not None:
            found[call.wrapping_agent, call.id] = EngagementState.WRAPPING
        for offer in call.pending_offers:
            found[offer.agent, call.id] = EngagementState.OFFERED
        for assignment in call.live_assignments:
            found[assignment.agent, call.id] = EngagementState.ASSIGNED
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [60, pytest.param(1000, marks=pytest.mark.long)])
async def test_processes_race(
    number: int, postgres_store: DeskStore, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await racer.prepare(postgres_store)
    counts = await run_racers(postgres_url, number)
    events = await check(postgres_store)
    with capsys.disabled():
        print(f"\n{PROCESSES} processes x {number} commands, {events} events: {dict(sorted(counts.items()))}")
    assert counts["lost: ConcurrencyError"] + counts["lost: UniquenessError"] > 0, "they never met"
    assert counts["done: accept_offer"] > 0
    assert counts["done: wrap_up"] > 0
