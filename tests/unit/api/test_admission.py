"""Limits that hold for all nodes: each node's own count first, the shared one after it."""

from __future__ import annotations

import pytest

from signalling.api.admission import Admission, LoginLock
from signalling.api.limits import Lockout, Rate
from signalling.cluster.limits import RateLimit, Verdict


class SharedBucket:
    """Counts for all nodes; says no from the given number on."""

    def __init__(self, burst: int) -> None:
        self.left = burst
        self.asked: list[tuple[str, str]] = []

    async def take(self, limit: RateLimit, who: str, cost: float = 1.0) -> Verdict:
        self.asked.append((limit.name, who))
        self.left -= 1
        return Verdict(True) if self.left >= 0 else Verdict(False, 7.0)


class SharedLock:
    def __init__(self) -> None:
        self.failures = 0

    async def remaining_s(self, who: str) -> float:
        return 30.0 if self.failures >= 2 else 0.0

    async def failed(self, who: str) -> None:
        self.failures += 1

    async def succeeded(self, who: str) -> None:
        self.failures = 0


async def test_two_nodes_share_a_limit() -> None:
    shared = SharedBucket(3)
    nodes = [Admission("presses", Rate(1, 2), shared) for _ in range(2)]  # type: ignore[arg-type]
    assert [await nodes[0].wait_s("ann", 0.0) for _ in range(2)] == [0, 0]
    assert await nodes[1].wait_s("ann", 0.0) == 0
    assert await nodes[1].wait_s("ann", 0.0) == 7.0
    assert shared.asked == [("presses", "ann")] * 4


async def test_a_node_that_refuses_by_itself_asks_nobody() -> None:
    shared = SharedBucket(100)
    node = Admission("presses", Rate(1, 1), shared)  # type: ignore[arg-type]
    assert await node.wait_s("ann", 0.0) == 0
    assert await node.wait_s("ann", 0.0) == 1.0
    assert len(shared.asked) == 1
    alone = Admission("presses", Rate(1, 1), None)
    assert [await alone.wait_s("ann", 0.0) for _ in range(2)] == [0, 1.0]


async def test_failed_logins_count_on_whichever_node_they_happened() -> None:
    shared = SharedLock()
    first, second = (LoginLock(Lockout(allowed=2, first_s=10), shared) for _ in range(2))  # type: ignore[arg-type]
    await first.failed("ann|1.2.3.4", 0.0)
    assert await second.remaining_s("ann|1.2.3.4", 0.0) == 0
    await second.failed("ann|1.2.3.4", 0.0)
    assert await first.remaining_s("ann|1.2.3.4", 0.0) == 30.0
    await second.succeeded("ann|1.2.3.4")
    assert await first.remaining_s("ann|1.2.3.4", 0.0) == 0


@pytest.mark.parametrize("shared", [None, SharedLock()])
async def test_a_node_s_own_count_holds_whatever_the_others_say(shared: SharedLock | None) -> None:
    lock = LoginLock(Lockout(allowed=1, first_s=10), shared)  # type: ignore[arg-type]
    await lock.failed("ann", 0.0)
    assert await lock.remaining_s("ann", 0.0) == 10
