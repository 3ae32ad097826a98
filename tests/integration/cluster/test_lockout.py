"""Failed logins of all nodes, on a real Valkey."""

from __future__ import annotations

from signalling.cluster.limits import SharedLockout
from tests.integration.cluster.conftest import Connect, Valkey, eventually


async def test_failures_on_two_nodes_close_the_key_for_both(connect: Connect) -> None:
    nodes = [
        SharedLockout(await connect(), allowed=3, first_s=10.0, longest_s=35.0),
        SharedLockout(await connect(), allowed=3, first_s=10.0, longest_s=35.0),
    ]
    for number in range(2):
        await nodes[number].failed("ann|1.2.3.4")
        assert await nodes[1 - number].remaining_s("ann|1.2.3.4") == 0
    for expected in (10.0, 20.0, 35.0, 35.0):
        await nodes[0].failed("ann|1.2.3.4")
        assert expected - 5.0 < await nodes[1].remaining_s("ann|1.2.3.4") <= expected
    assert await nodes[1].remaining_s("bob|1.2.3.4") == 0
    await nodes[1].succeeded("ann|1.2.3.4")
    assert await nodes[0].remaining_s("ann|1.2.3.4") == 0


async def test_a_closed_key_is_forgotten_when_it_would_be_forgiven(connect: Connect) -> None:
    redis = await connect()
    lock = SharedLockout(redis, allowed=1, first_s=1.0, longest_s=30.0)
    await lock.failed("ann")
    (key,) = list(await redis.call("KEYS", "*lockout*"))
    assert 0 < await redis.call("PTTL", key) <= 3_600_000


async def test_without_valkey_nobody_is_locked_out_and_nothing_fails(
    connect: Connect, valkey: Valkey
) -> None:
    redis = await connect()
    lock = SharedLockout(redis, allowed=1, first_s=10.0, longest_s=30.0)
    await valkey.child.stop()
    await eventually(lambda: not redis.health.up)
    await lock.failed("ann")
    assert await lock.remaining_s("ann") == 0
    await lock.succeeded("ann")
