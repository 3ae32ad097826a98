"""The chain publisher -> receiver -> forwarder -> subscriber under impairments, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mediaserver.flow.cache import RETRANSMISSION_BURST_BYTES, RETRANSMISSION_SHARE
from mediaserver.flow.layers import LayerSelector
from tests.sim.media import Publisher, Server, Subscriber
from tests.sim.network import Link, LinkConditions, VirtualTime

GOOD = LinkConditions()
WARM_UP_S = 1.0


@dataclass
class World:
    """One run of a scenario."""

    time: VirtualTime
    publishers: list[Publisher]
    server: Server
    subscriber: Subscriber
    up: list[Link]
    down: Link
    down_return: Link
    begin: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """Impairments, actions and what has to hold."""

    name: str
    up: LinkConditions = GOOD
    down: LinkConditions = GOOD
    back: LinkConditions = GOOD
    """Both return paths."""
    seconds: float = 10.0
    layers: int = 1
    sources: int = 1
    first_sequence: int = 65_000
    first_out: int = 32_000
    temporal: bool = False
    padding_every: int = 0
    actions: tuple[tuple[float, Callable[[World], None]], ...] = ()
    max_freeze: float = 0.25
    min_shown: float = 0.97
    """Share of the pictures that an undisturbed subscriber would have been shown."""
    impaired: tuple[str, ...] = ()
    """Counters of the links that must not be 0: the impairment was in force."""
    final: Callable[[World], bool] = field(default=lambda world: True)


def _layer(layer: int | None) -> Callable[[World], None]:
    return lambda world: world.server.forwarder.set_target_layer(layer)


def _source(index: int) -> Callable[[World], None]:
    return lambda world: world.server.use_source(index)


def _jump(distance: int) -> Callable[[World], None]:
    def act(world: World) -> None:
        sender = world.publishers[0].layers[0]
        sender.sequence = (sender.sequence + distance) & 0xFFFF
        sender.key_wanted = True

    return act


def _pause(world: World) -> None:
    world.server.forwarder.pause()


def _resume(world: World) -> None:
    world.server.forwarder.resume()


def _temporal(layer: int | None) -> Callable[[World], None]:
    return lambda world: world.server.forwarder.set_max_temporal_layer(layer)


def _select(world: World) -> None:
    world.server.selector = LayerSelector()


def _enabled(layer: int, enabled: bool) -> Callable[[World], None]:
    def act(world: World) -> None:
        sender = world.publishers[0].layers[layer]
        sender.enabled = enabled

    return act


def _size(width: int, height: int) -> Callable[[World], None]:
    def act(world: World) -> None:
        assert world.server.selector is not None
        world.server.selector.request_size(width, height)

    return act


def _layers_shown(*layers: int) -> Callable[[World], bool]:
    def check(world: World) -> bool:
        shown = [shown.picture.layer for shown in world.subscriber.shown]
        runs = [layer for index, layer in enumerate(shown) if index == 0 or shown[index - 1] != layer]
        return runs == list(layers)

    return check


def _shows(source: int, layer: int) -> Callable[[World], bool]:
    def check(world: World) -> bool:
        picture = world.subscriber.shown[-1].picture
        return (picture.source, picture.layer) == (source, layer)

    return check


def _resends_bounded(world: World) -> bool:
    stats = world.server.forwarder.stats(world.time.now)
    assert stats.retransmitted_packets_sent > 0
    allowed = RETRANSMISSION_SHARE * stats.bytes_sent + RETRANSMISSION_BURST_BYTES
    return stats.retransmitted_bytes_sent <= allowed


def _no_empty_packets(world: World) -> bool:
    return not world.subscriber.empty


LOSS_5 = LinkConditions(loss=0.05, delay=0.025)
LOSS_15 = LinkConditions(loss=0.15, delay=0.025)

SCENARIOS = [
    Scenario("undisturbed", max_freeze=0.05, min_shown=1.0),
    Scenario("loss_up_5", up=LOSS_5, impaired=("up.lost",)),
    Scenario("loss_down_5", down=LOSS_5, impaired=("down.lost",)),
    Scenario("loss_down_15", down=LOSS_15, impaired=("down.lost",), max_freeze=0.5, min_shown=0.95),
    Scenario(
        "loss_both_and_of_feedback",
        up=LOSS_5, down=LOSS_5, back=LinkConditions(loss=0.1),
        impaired=("up.lost", "down.lost"), max_freeze=0.6, min_shown=0.9,
    ),
    Scenario(
        "bursts_down",
        down=LinkConditions(loss=0.01, burst=8),
        impaired=("down.lost",), max_freeze=0.7, min_shown=0.9,  # bursts of up to 32 packets are 0.53 s
    ),
    Scenario(
        "loss_up_30", up=LinkConditions(loss=0.3), impaired=("up.lost",), max_freeze=0.9, min_shown=0.9,
    ),
    Scenario(
        "bottleneck", down=LinkConditions(rate_bps=150_000), impaired=("down.overflowed",),
        max_freeze=9.0, min_shown=0.02, final=_resends_bounded,
    ),
    Scenario("jitter", up=LinkConditions(jitter=0.03), down=LinkConditions(jitter=0.03), min_shown=0.99),
    Scenario(
        "reordering",
        up=LinkConditions(reorder=0.05), down=LinkConditions(reorder=0.05),
        impaired=("up.reordered", "down.reordered"), min_shown=0.99,
    ),
    Scenario(
        "duplicates",
        up=LinkConditions(duplicate=0.2), down=LinkConditions(duplicate=0.2),
        impaired=("up.duplicated", "down.duplicated"), min_shown=0.99,
    ),
    Scenario("padding_closed", padding_every=2, max_freeze=0.05, min_shown=1.0, final=_no_empty_packets),
    Scenario(
        "layer_switches", layers=3,
        actions=((2, _layer(2)), (4, _layer(0)), (6, _layer(1)), (8, _layer(2))),
        min_shown=0.99, final=_shows(1, 2),
    ),
    Scenario(
        "layer_switches_under_loss", layers=3, up=LOSS_5, down=LOSS_5,
        actions=tuple((1 + 0.5 * step, _layer(step * 7 % 3)) for step in range(16)),
        impaired=("up.lost", "down.lost"), max_freeze=0.8, min_shown=0.85,
    ),
    Scenario(
        "layer_dies_and_comes_back", layers=3,
        actions=((0.0, _select), (3, _enabled(2, False)), (6, _enabled(2, True))),
        max_freeze=1.3, min_shown=0.85, final=_layers_shown(2, 1, 2),
    ),
    Scenario(
        "shown_smaller_and_larger", layers=3,
        actions=((0.0, _select), (3, _size(320, 180)), (5, _size(640, 360)), (7, _size(1280, 720))),
        min_shown=0.99, final=_layers_shown(2, 0, 1, 2),
    ),
    Scenario(
        "layer_off_and_on", layers=2, actions=((3, _layer(None)), (5, _layer(1))),
        max_freeze=2.3, min_shown=0.75, final=_shows(1, 1),
    ),
    Scenario(
        "source_replaced", sources=3,
        actions=((2, _source(1)), (4, _source(2)), (6, _source(0)), (8, _source(1))),
        max_freeze=0.3, min_shown=0.93, final=_shows(2, 0),
    ),
    Scenario(
        "source_replaced_under_loss_and_reordering", sources=2, layers=2,
        up=LinkConditions(loss=0.03, reorder=0.05), down=LinkConditions(loss=0.03, reorder=0.05),
        actions=tuple((1 + 0.7 * step, _source(step % 2)) for step in range(12)),
        impaired=("up.lost", "down.reordered"), max_freeze=0.9, min_shown=0.7,
    ),
    Scenario(
        "pause_and_resume", actions=((3, _pause), (5, _resume)),
        max_freeze=2.3, min_shown=0.75, final=_shows(1, 0),
    ),
    Scenario("source_sequence_jumps", actions=tuple((t, _jump(30_000)) for t in range(2, 9)), max_freeze=0.5,
    min_shown=0.9), Scenario("source_sequence_jumps_back", actions=tuple((t, _jump(-5_000)) for t in range(2,
    9)), max_freeze=0.5, min_shown=0.9), Scenario(
        "temporal_layers_dropped", temporal=True,
        actions=((2, _temporal(0)), (5, _temporal(None)), (7, _temporal(0))),
        max_freeze=0.1, min_shown=0.7,
    ),
    Scenario(
        "temporal_layers_dropped_under_loss", temporal=True, up=LOSS_5, down=LOSS_5,
        actions=((1, _temporal(0)), (5, _temporal(None)), (7, _temporal(0))),
        impaired=("up.lost", "down.lost"), max_freeze=0.7, min_shown=0.6,
    ),
    Scenario(
        "outgoing_numbers_wrap", first_out=65_400, seconds=20, up=LOSS_5, down=LOSS_5,
        impaired=("up.lost", "down.lost"), max_freeze=0.5, min_shown=0.95,
    ),
    Scenario("wrap_at_first_packet", first_sequence=65_535, up=LOSS_5, impaired=("up.lost",)),
]  # fmt: skip


def _run(scenario: Scenario, seed: int) -> World:
    time = VirtualTime()
    publishers = [
        Publisher(
            time,
            index + 1,
            layers=scenario.layers,
            first_sequence=scenario.first_sequence,
            temporal=scenario.temporal,
            padding_every=scenario.padding_every,
            first_picture_id=0x7FF0 + 77 * index,
            first_timestamp=(0xFFFF_0000 + 123_456_789 * index) & 0xFFFFFFFF,
        )
        for index in range(scenario.sources)
    ]
    server = Server(time, publishers, first_sequence=scenario.first_out)
    subscriber = Subscriber(time)
    up = []
    for index, publisher in enumerate(publishers):

        def deliver(datagram: bytes, index: int = index) -> None:
            server.on_uplink(index, datagram)

        publisher.uplink = Link(time, scenario.up, deliver, seed * 100 + index)
        server.uplinks[index] = Link(time, scenario.back, publisher.on_datagram, seed * 100 + 20 + index)
        up.append(publisher.uplink)
    down = Link(time, scenario.down, subscriber.on_datagram, seed * 100 + 40)
    back = Link(time, scenario.back, server.on_downlink_return, seed * 100 + 41)
    server.downlink = down
    subscriber.uplink = back
    world = World(time, publishers, server, subscriber, up, down, back, time.now)
    for at, action in scenario.actions:
        time.at(time.now + at, lambda action=action: action(world))  # type: ignore[misc]
    time.run_until(time.now + scenario.seconds)
    return world


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    _check(scenario, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 22))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario_with_other_seeds(scenario: Scenario, seed: int) -> None:
    _check(scenario, seed)


def _check(scenario: Scenario, seed: int) -> World:
    world = _run(scenario, seed)
    subscriber = world.subscriber
    for counter in scenario.impaired:
        link, _, name = counter.partition(".")
        links = world.up if link == "up" else [world.down]
        assert sum(getattr(one, name) for one in links) > 0, f"{counter}: impairment not in force"
    subscriber.check_continuity()
    assert subscriber.violations == []
    expected = 30 * (scenario.seconds - 0.1)
    assert len(subscriber.shown) >= scenario.min_shown * expected - 5
    freeze = subscriber.longest_freeze(world.begin + WARM_UP_S, world.begin + scenario.seconds)
    assert freeze <= scenario.max_freeze
    assert scenario.final(world)
    return world
