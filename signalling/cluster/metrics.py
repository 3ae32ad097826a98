"""What the cluster counts, for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from signalling.cluster.cluster import Cluster


class ClusterCollector(Collector):
    """Redis' health, nodes, rooms' leases and what was passed on."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def collect(self) -> Iterator[Metric]:
        """All metrics of now."""
        redis = self._cluster.redis
        health, calls = redis.health, redis.counters
        yield GaugeMetricFamily("raisehand_redis_up", "1 while Redis answers", value=health.up)
        yield GaugeMetricFamily(
            "raisehand_redis_since_seconds", "Unix time of Redis' last coming or going", value=health.since
        )
        yield CounterMetricFamily("raisehand_redis_calls", "Calls to Redis", value=calls.calls)
        yield CounterMetricFamily(
            "raisehand_redis_failures", "Calls that Redis did not answer", value=calls.failures
        )
        yield CounterMetricFamily("raisehand_redis_outages", "Times Redis went away", value=calls.outages)
        yield CounterMetricFamily(
            "raisehand_redis_call_seconds", "Time spent in calls that were answered", value=calls.seconds
        )
        yield CounterMetricFamily(
            "raisehand_redis_rebuilds",
            "Times Redis was filled again",
            value=self._cluster.reconciler.rebuilds,
        )
        wakeups = self._cluster.wakeups
        yield GaugeMetricFamily(
            "raisehand_wakeups_reaching", "1 while wake-ups of other nodes arrive", value=wakeups.reaching
        )
        yield CounterMetricFamily(
            "raisehand_wakeups_published", "Wake-ups sent to other nodes", value=wakeups.counters.published
        )
        yield CounterMetricFamily(
            "raisehand_wakeups_received", "Wake-ups of other nodes", value=wakeups.counters.received
        )
        if (child := self._cluster.child) is not None:
            yield CounterMetricFamily(
                "raisehand_valkey_restarts",
                "Times the private Valkey was started again",
                value=child.restarts,
            )
        if not self._cluster.joined:
            return
        ownership, proxy = self._cluster.ownership, self._cluster.proxy
        yield GaugeMetricFamily(
            "raisehand_nodes",
            "Nodes of the cluster as this one sees it",
            value=len(self._cluster.nodes.live()),
        )
        yield GaugeMetricFamily(
            "raisehand_rooms_owned", "Rooms whose lease this node has", value=len(ownership.held)
        )
        yield GaugeMetricFamily(
            "raisehand_lease_store_up", "1 while the store of leases answers", value=not ownership.store_away
        )
        yield CounterMetricFamily(
            "raisehand_rooms_claimed", "Rooms that this node took", value=ownership.claims
        )
        yield CounterMetricFamily(
            "raisehand_rooms_lost", "Rooms that other nodes took from this one", value=ownership.losses
        )
        yield GaugeMetricFamily(
            "raisehand_bridges", "Clients whose signalling goes on to another node", value=proxy.bridge_count
        )
        counters = proxy.counters
        yield CounterMetricFamily(
            "raisehand_proxy_passed", "Requests answered by another node", value=counters.passed
        )
        yield CounterMetricFamily(
            "raisehand_proxy_unreachable", "Attempts that did not reach the owner", value=counters.unreachable
        )
        yield CounterMetricFamily(
            "raisehand_proxy_gave_up", "Requests for which no node answered", value=counters.gave_up
        )
        yield CounterMetricFamily(
            "raisehand_proxy_forged", "Requests that pretended to come from a node", value=counters.forged
        )
        yield CounterMetricFamily(
            "raisehand_bridge_messages", "Signalling messages passed on", value=counters.bridges.messages
        )
