"""The node's timer: slow while there is nobody, at work as soon as there is a room."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.room import manager
from tests.unit.room.fakes import World


async def test_a_new_room_is_served_at_once_however_rare_the_ticks_of_an_empty_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manager, "EMPTY_TICK_S", 3600.0)
    world = World()
    world.manager.delete("class-301")
    ticked = asyncio.Event()
    monkeypatch.setattr(world.manager, "tick", lambda now: ticked.set())
    running = asyncio.create_task(world.manager.run())
    await asyncio.sleep(0)  # it waits now
    assert not ticked.is_set()
    world.manager.get_or_create("class-302")
    async with asyncio.timeout(10):
        await ticked.wait()
    assert world.manager.late_ticks == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
