"""Room ownership in virtual time, with a store that can go away and a Redis that is away all the time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from signalling.cluster.connection import RedisConnection
from signalling.cluster.errors import LeasesAwayError
from signalling.cluster.leases import Lease, MemoryLeases
from signalling.cluster.ownership import UNUSED_S, RoomOwnership
from signalling.cluster.wakeups import Wakeups

TTL_S = 2.0


class World:
    """A clock, a store and nodes."""

    def __init__(self) -> None:
        self.now = 100.0
        self.store = FallibleLeases(self)
        self.rooms: dict[str, list[str]] = {}
        self.lost: list[tuple[str, str]] = []

    def clock(self) -> float:
        return self.now

    def node(self, name: str) -> RoomOwnership:
        redis = RedisConnection("unix:///nowhere")  # never started: away
        rooms = self.rooms.setdefault(name, [])
        owner = RoomOwnership(
            self.store,
            redis,
            Wakeups(redis),
            node=name,
            url=f"http://{name}",
            rooms=lambda: rooms,
            ttl_s=TTL_S,
            clock=self.clock,
        )
        owner.on_lost(lambda room: self.lost.append((name, room)))
        return owner


class FallibleLeases(MemoryLeases):
    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self._world = world
        self.away = False
        self.asleep_s = 0.0
        """How long the node that asks stands still, and then gives up."""

    def _look(self) -> None:
        self._world.now += self.asleep_s
        if self.away or self.asleep_s:
            raise LeasesAwayError("away")

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease:
        self._look()
        return await super().acquire(name, holder, ttl_s)

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> Sequence[Lease]:
        self._look()
        return await super().renew(leases, ttl_s)

    async def find(self, name: str) -> Lease | None:
        self._look()
        return await super().find(name)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_lease_is_trusted_for_less_than_its_time(world: World) -> None:
    a = world.node("a")
    await a.claim("r")
    world.now += TTL_S * 0.89
    assert a.owns("r") is not None
    world.now += TTL_S * 0.02
    assert a.owns("r") is None
    assert await a.confirm("r") is not None  # nobody took it


async def test_a_node_that_slept_asks_before_it_serves(world: World) -> None:
    a, b = world.node("a"), world.node("b")
    first = await a.claim("r")
    world.now += TTL_S + 0.1
    second = await b.claim("r")
    assert second.node == "b"
    assert second.token > first.token
    assert await a.confirm("r") is None
    assert world.lost == [("a", "r")]
    assert await a.find("r") == second
    assert (await a.claim("r")) == second


@pytest.mark.parametrize("when", ["during a question", "between two"])
async def test_who_slept_does_not_blame_the_store(world: World, when: str) -> None:
    """After a sleep the connection looks dead, too: others reached the store all the time."""
    a, b = world.node("a"), world.node("b")
    world.rooms["a"].append("r")
    await a.claim("r")
    if when == "during a question":
        world.store.asleep_s = TTL_S + 0.1
        await a.turn()
        world.store.asleep_s = 0.0
    else:
        world.now += TTL_S + 0.1
        world.store.away = True
        await a.turn()
        world.store.away = False
    assert (await b.claim("r")).node == "b"
    assert a.owns("r") is None
    assert await a.confirm("r") is None
    assert world.lost == [("a", "r")]


async def test_renewal_keeps_it_and_loss_is_told_once(world: World) -> None:
    a, b = world.node("a"), world.node("b")
    world.rooms["a"].append("r")
    await a.claim("r")
    for _ in range(50):
        world.now += TTL_S / 3
        await a.turn()
        assert (await b.claim("r")).node == "a"
    world.now += TTL_S * 2
    await b.claim("r")
    await a.turn()
    await a.turn()
    assert world.lost == [("a", "r")]
    assert a.held == frozenset()


async def test_a_store_that_is_away_changes_nothing(world: World) -> None:
    a, b = world.node("a"), world.node("b")
    world.rooms["a"].append("r")
    owner = await a.claim("r")
    assert await b.find("r") == owner
    world.store.away = True
    for _ in range(45):
        world.now += TTL_S / 3
        await a.turn()
        await b.turn()
        assert a.owns("r") is not None
        assert await b.find("r") == owner
    with pytest.raises(LeasesAwayError):
        await b.claim("r")
    world.store.away = False
    await b.turn()  # b is the first to reach the store
    assert not b.store_away
    with pytest.raises(LeasesAwayError, match="renew first"):
        await b.claim("r")
    await a.turn()
    world.now += TTL_S + 0.1
    await a.turn()
    assert (await b.claim("r")).node == "a"
    assert world.lost == []


async def test_a_store_that_is_back_gives_a_dead_nodes_rooms_after_a_lease(world: World) -> None:
    a, b = world.node("a"), world.node("b")
    await a.claim("r")
    world.store.away = True
    await b.turn()
    world.now += 10
    world.store.away = False
    await b.turn()
    world.now += TTL_S + 0.1
    assert (await b.claim("r")).node == "b"


async def test_rooms_without_anybody_are_given_back(world: World) -> None:
    a = world.node("a")
    world.rooms["a"].append("used")
    await a.claim("used")
    await a.claim("unused")
    passed = 0.0
    while passed <= UNUSED_S:
        await a.turn()
        assert "used" in a.held
        world.now += TTL_S / 3
        passed += TTL_S / 3
    await a.turn()
    assert a.held == {"used"}
    assert await world.node("b").find("unused") is None


async def test_the_owner_can_be_reached_from_the_lease_alone(world: World) -> None:
    a, b = world.node("a"), world.node("b")
    await a.claim("r")
    found = await b.find("r")
    assert found is not None
    assert (found.node, found.url) == ("a", "http://a")
