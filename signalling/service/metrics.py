"""What the desk of a node counts, for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from signalling.service.desk_service import DeskService
from signalling.service.leader import DeskLeader
from signalling.service.live_board import LiveBoard


class DeskCollector(Collector):
    """Commands of this node; who waits and who is free, as every node sees it."""

    def __init__(self, service: DeskService, leader: DeskLeader, live: LiveBoard) -> None:
        self._service = service
        self._leader = leader
        self._live = live

    def collect(self) -> Iterator[Metric]:
        """All metrics of now."""
        service, leader, board = self._service, self._leader, self._live.board
        yield CounterMetricFamily("raisehand_desk_commands", "Commands run here", value=service.commands)
        yield CounterMetricFamily(
            "raisehand_desk_refusals", "Commands that the rules refused", value=service.refusals
        )
        yield CounterMetricFamily(
            "raisehand_desk_races", "Times a command lost a race and was run again", value=service.races
        )
        yield GaugeMetricFamily("raisehand_desk_leads", "1 while this node matches", value=leader.leads)
        yield CounterMetricFamily(
            "raisehand_desk_offers", "Offers made by this node as leader", value=leader.offers
        )
        yield CounterMetricFamily(
            "raisehand_desk_failed_matches", "Matches that no longer held", value=leader.failed_matches
        )
        yield GaugeMetricFamily(
            "raisehand_desk_calls", "Calls that are not closed", value=len(board.desk.calls)
        )
        yield GaugeMetricFamily("raisehand_desk_waiting", "Calls that wait for an agent", value=board.waiting)
        yield GaugeMetricFamily(
            "raisehand_desk_free_agents", "Agents who could be given a voice call", value=board.idle
        )
