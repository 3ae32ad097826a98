"""The facade: what a node starts, alone and with others, and what it reports."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from signalling.cluster.cluster import Cluster, ClusterConfig
from signalling.cluster.leases import MemoryLeases, RedisLeases
from signalling.errors import ConfigurationError
from tests.integration.cluster.conftest import Member, Valkey, eventually


def metrics(cluster: Cluster) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(cluster.collector())
    lines = generate_latest(registry).decode().splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#")}


async def test_a_node_alone_has_a_valkey_of_its_own(tmp_path: Path) -> None:
    cluster = await Cluster.start(ClusterConfig(node_id="ND_a", data_dir=tmp_path))
    assert cluster.child is not None
    assert isinstance(cluster.leases, MemoryLeases)
    await eventually(lambda: cluster.wakeups.reaching)
    assert metrics(cluster)["raisehand_redis_up"] == 1
    pid = cluster.child.pid
    await cluster.stop()
    assert cluster.child.pid is None
    assert pid is not None
    assert not Path(f"/proc/{pid}").exists()


async def test_a_shared_redis_that_is_away_is_no_reason_not_to_start(tmp_path: Path) -> None:
    config = ClusterConfig(node_id="ND_a", data_dir=tmp_path, redis_url="redis://127.0.0.1:1")
    async with asyncio.timeout(5):
        cluster = await Cluster.start(config)
        assert cluster.child is None
        assert isinstance(cluster.leases, RedisLeases)
        assert metrics(cluster)["raisehand_redis_up"] == 0
        await cluster.wakeups.wake("events")
        await cluster.stop()


async def test_a_url_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="redis"):
        await Cluster.start(ClusterConfig(node_id="a", data_dir=tmp_path, redis_url="http://here"))
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.slow
async def test_a_stuck_private_valkey_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signalling.cluster.cluster.STUCK_CHILD_S", 1.0)
    monkeypatch.setattr("signalling.cluster.cluster.CHILD_LOOK_S", 0.05)
    cluster = await Cluster.start(ClusterConfig(node_id="ND_a", data_dir=tmp_path))
    child = cluster.child
    assert child is not None
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    await eventually(lambda: child.restarts > 0 and cluster.redis.health.up)
    await cluster.stop()


async def test_metrics_tell_of_nodes_rooms_and_faults(pair: tuple[Member, Member], valkey: Valkey) -> None:
    first, second = pair
    await first.cluster.ownership.claim("lesson")
    said = metrics(first.cluster)
    assert said["raisehand_nodes"] == 2
    assert said["raisehand_rooms_owned"] == said["raisehand_rooms_claimed_total"] == 1
    assert said["raisehand_lease_store_up"] == said["raisehand_redis_up"] == 1
    assert said["raisehand_redis_calls_total"] > 0
    valkey.freeze()
    await eventually(lambda: metrics(second.cluster)["raisehand_lease_store_up"] == 0)
    said = metrics(second.cluster)
    assert said["raisehand_redis_up"] == 0
    assert said["raisehand_redis_outages_total"] == 1
    assert said["raisehand_redis_failures_total"] > 0


async def test_nodes_see_each_other_come_and_go(pair: tuple[Member, Member]) -> None:
    first, second = pair
    gone: list[str] = []
    first.cluster.nodes.on_lost(gone.append)
    assert {node.id for node in first.cluster.nodes.live()} == {first.id, second.id}
    await second.cluster.nodes.stop()
    await eventually(lambda: gone == [second.id])
    assert [node.id for node in first.cluster.nodes.live()] == [first.id]
