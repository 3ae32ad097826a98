"""Prometheus metrics: read when asked for, from counters that are kept anyway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from mediaserver.room.manager import RoomManager
    from mediaserver.transport.front import MediaFront
    from signalling.livekit.server import SignalServer

_SIGNAL_HELP = {
    "joins": "Participants that joined",
    "resumes": "Signalling connections resumed",
    "refused_joins": "Connections that were not let in",
    "messages_received": "Signalling messages received",
    "bad_messages": "Signalling messages that could not be used",
    "limits_exceeded": "Participants put out for exceeding a limit",
    "slow_clients": "Signalling connections closed because the client did not read",
    "data_packets": "Data packets received from participants",
    "data_packets_refused": "Data packets that were not passed on",
}


class NodeCollector(Collector):
    """What a node counts."""

    def __init__(self, front: MediaFront, rooms: RoomManager, signal: SignalServer) -> None:
        self._front = front
        self._rooms = rooms
        self._signal = signal

    def collect(self) -> Iterator[Metric]:
        """All metrics of now."""
        yield GaugeMetricFamily("raisehand_rooms", "Rooms", value=len(self._rooms.rooms))
        yield GaugeMetricFamily("raisehand_participants", "Participants", value=self._rooms.participant_count)
        yield GaugeMetricFamily("raisehand_draining", "1 while shutting down", value=self._signal.draining)
        yield GaugeMetricFamily(
            "raisehand_tick_lag_seconds",
            "Longest delay of the media timer since the last scrape: how long the event loop was blocked",
            value=self._rooms.take_max_lag(),
        )
        yield CounterMetricFamily(
            "raisehand_late_ticks", "Media timer ticks over 50 ms late", value=self._rooms.late_ticks
        )
        counters = self._signal.counters
        for field in fields(counters):
            name, text = f"raisehand_signal_{field.name}", _SIGNAL_HELP[field.name]
            yield CounterMetricFamily(name, text, value=getattr(counters, field.name))
        yield from self._media()

    def _media(self) -> Iterator[Metric]:
        stats = self._front.stats()
        yield GaugeMetricFamily("raisehand_transports", "Media connections", value=stats.transports)
        yield GaugeMetricFamily("raisehand_handshakes", "DTLS handshakes going on", value=stats.handshakes)
        yield GaugeMetricFamily(
            "raisehand_tcp_connections", "ICE-TCP connections", value=stats.tcp_connections
        )
        yield GaugeMetricFamily(
            "raisehand_send_backlog_bytes", "Bytes waiting for the kernel", value=stats.backlog_bytes
        )
        yield CounterMetricFamily(
            "raisehand_datagrams_received", "Datagrams received", value=stats.datagrams_received
        )
        yield CounterMetricFamily("raisehand_datagrams_sent", "Datagrams sent", value=stats.datagrams_sent)
        yield CounterMetricFamily("raisehand_send_calls", "System calls for sending", value=stats.send_calls)
        dropped = CounterMetricFamily(
            "raisehand_datagrams_dropped", "Datagrams dropped, by reason", labels=["reason"]
        )
        for reason, count in sorted(stats.dropped.items()):
            dropped.add_metric([reason], count)
        yield dropped


def make_registry(front: MediaFront, rooms: RoomManager, signal: SignalServer) -> CollectorRegistry:
    """A registry of this node's metrics and of its process."""
    registry = CollectorRegistry()
    registry.register(NodeCollector(front, rooms, signal))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
