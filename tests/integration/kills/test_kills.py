"""What is left of calls for help when a server, a node or Valkey dies: nothing may be lost but time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.cluster.conftest import Valkey
from tests.integration.kills.conftest import (
    DATABASES,
    LONG_ON_POSTGRESQL,
    SOON_S,
    Desk,
    StartDesk,
    both_known,
    come_back,
    kill,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AGENTS = ("lin", "chen")
CONNECT_S = 20.0
"""Seconds that an agent who accepted has for coming (the desk's `connect_timeout_s`)."""
GAP_S = 0.5
"""A longer silence in a call is a disturbance; the tests share a few cores with the servers."""
NEW_CALL_S = 3.0
"""From the press until both hear each other."""


async def test_killed_between_ticket_and_offer(start_desk: StartDesk) -> None:
    """The ticket that the student was told is there after the restart, and an agent is asked."""
    desk = await start_desk()
    node = await desk.node()
    student = await desk.student(node)
    opened = await desk.press(student, join=False)
    await kill(node)

    await node.start()
    assert (await student.client.ticket(opened.ticket))["calls"] == [opened.id]
    assert await desk.state(node, opened.id) == "queued"
    agent = await desk.agent(node, "lin")
    await come_back(student, node, opened.id, talk=False)
    await desk.enter(agent, await desk.accept(agent, opened.id))
    student.knows(desk.people)
    await student.hears(agent)


async def test_killed_between_accept_and_join(start_desk: StartDesk) -> None:
    """The agent accepted and never came: the call is offered again after the restart, and then answered."""
    desk = await start_desk()
    node = await desk.node()
    student, agent = await desk.student(node), await desk.agent(node, "lin")
    opened = await desk.press(student)
    accepted = await desk.accept(agent, opened.id)
    assert accepted.call["id"] == opened.id
    await kill(node)

    await node.start()
    assert (await student.client.ticket(opened.ticket))["calls"] == [opened.id]
    await come_back(student, node, opened.id, talk=False)
    other = await desk.agent(node, "chen")
    media = await desk.accept(other, opened.id, timeout_s=CONNECT_S + SOON_S)
    await desk.enter(other, media)
    student.knows(desk.people)
    await student.hears(other)
    await desk.until_state(node, opened.id, "active")


@pytest.mark.parametrize("pair", DATABASES, indirect=True)
@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.long)])
async def test_a_node_is_killed_with_calls_on_both(pair: Desk, rounds: int) -> None:
    """Its calls go on at the other node under their ids; the other's calls do not notice."""
    for _ in range(rounds):
        survivor, victim = pair.nodes[-2:]
        first, second = await pair.student(survivor), await pair.student(victim)
        one = await pair.agent(survivor, AGENTS[0])
        other = await pair.agent(victim, AGENTS[1], available=False)
        await pair.quiet()
        stays = await pair.talk(first, one)
        await other.client.set_state("available")
        moves = await pair.talk(second, other)
        assert (await pair.rooms_at(survivor), await pair.rooms_at(victim)) == (1, 1)

        killed = time.monotonic()
        await kill(victim)
        await moves.come_back(survivor)
        back = time.monotonic()
        await moves.both_hear(since=back)
        assert await pair.rooms_at(survivor) == 2
        await pair.until_state(survivor, moves.id, "active")
        print(f"talking again {time.monotonic() - killed:.2f} s after the kill")
        assert stays.longest_silence_s(killed, time.monotonic()) < GAP_S
        for talk in (stays, moves):
            await talk.agent.client.end(talk.id)
            await talk.agent.client.set_state("offline")
            await talk.student.close()
            await talk.agent.close()
        pair.nodes.remove(victim)
        await pair.node()
        await both_known(pair)


@pytest.mark.parametrize("pair", LONG_ON_POSTGRESQL, indirect=True)
async def test_whoever_does_not_come_back_is_missed(pair: Desk) -> None:
    """A node dies with a call, and only the student comes back: the desk notices that the agent is gone."""
    survivor, victim = pair.nodes
    student, agent = await pair.student(victim), await pair.agent(victim, "lin")
    await pair.quiet()
    talk = await pair.talk(student, agent)
    assert await pair.rooms_at(victim) == 1
    await kill(victim)
    talk.student.client.url = survivor.http_url
    await talk.agent.hang_up()
    await come_back(talk.student, survivor, talk.id)

    async def agent_is_away() -> bool:
        call = await talk.student.client.call(talk.id)
        return all(
            each["state"] != "live"
            for each in call["participants"]
            if each["identity"] == talk.agent.identity
        )

    async with asyncio.timeout(20):
        while not await agent_is_away():
            await asyncio.sleep(0.1)


async def _kill(valkey: Valkey) -> None:
    valkey.child.kill()


async def _freeze(valkey: Valkey) -> None:
    valkey.freeze()


async def _flush(valkey: Valkey) -> None:
    await valkey.flush()


@pytest.mark.parametrize("pair", LONG_ON_POSTGRESQL, indirect=True)
@pytest.mark.parametrize("fault", [_kill, _freeze, _flush], ids=["killed", "frozen", "flushed"])
async def test_valkey_fails(pair: Desk, valkey: Valkey, fault: Callable[[Valkey], Awaitable[None]]) -> None:
    """Calls over two nodes do not notice, and a new call begins as fast as ever."""
    here, there = pair.nodes
    going_on = await pair.talk(await pair.student(here), await pair.agent(there, AGENTS[0]))
    student, agent = await pair.student(here), await pair.agent(there, AGENTS[1])
    struck = time.monotonic()
    await fault(valkey)
    await pair.talk(student, agent)
    assert time.monotonic() - struck < NEW_CALL_S
    now = time.monotonic()
    await going_on.both_hear(since=now)
    assert going_on.longest_silence_s(struck, now) < GAP_S
    assert await pair.state(here, going_on.id) == "active"
    valkey.thaw()
