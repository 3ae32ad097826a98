"""Calls whose people are at different nodes."""

from __future__ import annotations

import time

import pytest

from tests.integration.kills.conftest import LONG_ON_POSTGRESQL, Desk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.mark.parametrize("pair", LONG_ON_POSTGRESQL, indirect=True)
async def test_a_call_over_two_nodes(pair: Desk) -> None:
    """The room is at the student's node, the agent works at the other: music, accept, talk, hold, end."""
    here, there = pair.nodes
    student, agent = await pair.student(here), await pair.agent(there, "lin", available=False)
    await pair.quiet()
    opened = await pair.press(student)
    assert (await pair.rooms_at(here), await pair.rooms_at(there)) == (1, 0)
    await student.hears("music")

    await agent.client.set_state("available")
    await pair.enter(agent, await pair.accept(agent, opened.id))
    assert (await pair.rooms_at(here), await pair.rooms_at(there)) == (1, 0)
    student.knows(pair.people)
    await student.may_publish()
    await student.talk()
    await student.hears(agent)
    await agent.hears(student)
    connected = time.monotonic()
    await agent.hears(student, since=connected)
    assert "music" not in agent.heard
    measured = await agent.client.diagnostics(opened.id)
    assert {each["identity"] for each in measured["participants"]} == {student.identity, agent.identity}

    await agent.client.hold(opened.id)
    held = time.monotonic()
    await student.hears("music", since=held)
    await agent.client.resume(opened.id)
    resumed = time.monotonic()
    await student.hears(agent, since=resumed)

    await agent.client.end(opened.id)
    await pair.until_state(here, opened.id, "wrapping", "closed")
