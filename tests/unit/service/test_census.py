"""Who is missed: only those who should be in a room, are in none, and were missed twice in a row."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mediaserver.errors import RoomError
from signalling.desk import commands as c
from signalling.desk.errors import Refusal
from signalling.desk.model import SYSTEM, Kind
from signalling.service.census import RoomCensus, expected
from tests.sim.desk.world import World


class Rooms:
    """The rooms of this node, by the identities in them."""

    def __init__(self) -> None:
        self.here: dict[str, list[str]] = {}
        self.closing = False

    async def list_rooms(self) -> list[Any]:
        return [SimpleNamespace(name=name) for name in self.here]

    async def list_participants(self, room: str) -> list[Any]:
        if self.closing:
            raise RoomError("room_not_found", "closed meanwhile")
        return [SimpleNamespace(identity=identity) for identity in self.here[room]]


class Reports:
    """What the desk was told."""

    def __init__(self) -> None:
        self.left: list[tuple[str, int | None]] = []
        self.refuses = False

    async def execute(self, command: c.Command) -> None:
        assert isinstance(command, c.ReportLeft)
        self.left.append((command.identity, command.fence))
        if self.refuses:
            raise Refusal("not_found", "gone already")


class Node:
    """A census of one call in which student and agent talk."""

    def __init__(self) -> None:
        self.world = World()
        self.world.hire("ann")
        call = self.world.press("s1")
        self.world.execute(c.ReportJoined(by=SYSTEM, call=call.id, identity="s1", fence=None))
        self.world.match()
        self.world.accept(call)
        self.call = self.world.call(call)
        self.rooms, self.reports = Rooms(), Reports()
        self.owned, self.leads = set[str](), True
        self.census = RoomCensus(
            self.reports,  # type: ignore[arg-type]
            SimpleNamespace(board=self.world.board),  # type: ignore[arg-type]
            self.rooms,  # type: ignore[arg-type]
            owned=self._owned,
            leads=lambda: self.leads,
        )

    async def _owned(self) -> set[str]:
        return self.owned

    async def look(self, times: int = 2) -> list[str]:
        for _ in range(times):
            await self.census.look()
        return sorted(identity for identity, _ in self.reports.left)


@pytest.fixture
def node() -> Node:
    return Node()


def test_who_should_be_in_the_room_and_with_which_fence(node: Node) -> None:
    fence = node.call.live_assignments[0].fence
    assert list(expected(node.call)) == [("s1", None), ("ann", fence)]


async def test_whoever_is_there_is_not_missed(node: Node) -> None:
    node.rooms.here = {node.call.room: ["s1", "ann"]}
    assert await node.look(5) == []


async def test_one_look_is_not_enough_and_coming_back_in_between_counts(node: Node) -> None:
    node.rooms.here = {node.call.room: ["s1"]}
    assert await node.look(1) == []
    node.rooms.here = {node.call.room: ["s1", "ann"]}
    assert await node.look(1) == []
    node.rooms.here = {node.call.room: ["s1"]}
    assert await node.look(1) == []
    assert await node.look(1) == ["ann"]
    assert node.reports.left == [("ann", node.call.live_assignments[0].fence)]


async def test_a_room_that_no_node_has_is_the_leader_s_to_notice(node: Node) -> None:
    node.leads = False
    assert await node.look() == []
    node.leads, node.owned = True, {node.call.room}
    assert await node.look() == []  # another node has it, and looks itself
    node.owned = set()
    assert await node.look() == ["ann", "s1"]


async def test_a_room_that_closes_meanwhile_and_a_refusal_are_no_faults(node: Node) -> None:
    node.rooms.here, node.rooms.closing = {node.call.room: []}, True
    assert await node.look() == []
    node.rooms.closing, node.reports.refuses = False, True
    assert await node.look() == ["ann", "s1"]


async def test_chats_have_no_room(node: Node) -> None:
    node.world.press("s2", kind=Kind.CHAT)
    node.rooms.here = {node.call.room: ["s1", "ann"]}
    assert await node.look(3) == []
