import asyncio
import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.transport import sctp_guard
from mediaserver.transport.errors import SctpBreachError
from mediaserver.transport.sctp_guard import SctpGuard
from tests.unit.transport import sctp_packets as sctp

OURS, THEIRS = 5000, 1000
"""Initial TSNs."""


@pytest.fixture
def guard() -> SctpGuard:
    """After the hand-shake, with ten chunks of ours outstanding."""
    guard = SctpGuard()
    guard.outbound(sctp.packet(sctp.init(OURS)))
    assert guard.inbound(sctp.packet(sctp.init(THEIRS), tag=0))
    for index in range(10):
        guard.outbound(sctp.packet(sctp.data(OURS + index)))
    return guard


def test_honest_traffic_passes(guard: SctpGuard) -> None:
    assert guard.inbound(sctp.packet(sctp.chunk(10, bytes(24))))
    assert guard.inbound(sctp.packet(sctp.data(THEIRS), sctp.data(THEIRS + 1), sctp.sack(OURS + 2)))
    assert guard.inbound(sctp.packet(sctp.sack(OURS + 2, [(2, 3), (5, 7)], duplicates=3)))
    assert guard.inbound(sctp.packet(sctp.data(THEIRS + 3)))
    assert guard.inbound(sctp.packet(sctp.forward_tsn(THEIRS + 2, streams=1)))
    assert guard.inbound(sctp.packet(sctp.chunk(4, struct.pack("!HHQ", 1, 12, 7))))
    assert guard.inbound(sctp.packet(sctp.reset_streams([0, 1])))
    assert guard.inbound(sctp.packet(sctp.chunk(6, b"")))


BREACHES = {
    "short packet": bytes(15),
    "parameter of length zero": sctp.EVIL_INIT,
    "parameter beyond the chunk": sctp.packet(sctp.init(params=struct.pack("!HH", 1, 400)), tag=0),
    "chunk of length zero": sctp.packet(sctp.chunk(4, b"", length=0)),
    "chunk beyond the packet": sctp.packet(sctp.chunk(0, bytes(20), length=400)),
    "DATA without payload": sctp.packet(sctp.data(THEIRS, payload=b"")),
    "DATA cut in its header": sctp.packet(sctp.chunk(0, bytes(6))),
    "INIT beside another chunk": sctp.packet(sctp.init(THEIRS), sctp.sack(OURS), tag=0),
    "INIT with tag zero": sctp.packet(sctp.init(THEIRS, tag=0), tag=0),
    "INIT without streams": sctp.packet(sctp.init(THEIRS, streams=0), tag=0),
    "a second association": sctp.packet(sctp.init(THEIRS + 9, tag=99), tag=0),
    "SACK shorter than it says": sctp.packet(sctp.chunk(3, struct.pack("!IIHH", OURS, 1, 50, 0))),
    "SACK with 280 wide gap blocks": sctp.packet(sctp.sack(OURS, sctp.EVIL_SACK_GAPS)),
    "SACK gap blocks overlap": sctp.packet(sctp.sack(OURS, [(2, 4), (4, 5)])),
    "SACK gap blocks descend": sctp.packet(sctp.sack(OURS, [(5, 6), (2, 3)])),
    "SACK gap block backwards": sctp.packet(sctp.sack(OURS, [(5, 4)])),
    "SACK gap beyond what was sent": sctp.packet(sctp.sack(OURS, [(5, 10)])),
    "SACK of long ago": sctp.packet(sctp.sack(OURS - 5000)),
    "old SACK with wide gap blocks": sctp.packet(sctp.sack(OURS - 100, [(2, 60000)])),
    "SACK of what was not sent": sctp.packet(sctp.sack(OURS + 10)),
    "FORWARD-TSN odd": sctp.packet(sctp.chunk(192, struct.pack("!IHB", THEIRS, 1, 1))),
    "FORWARD-TSN far ahead": sctp.packet(sctp.forward_tsn(THEIRS + 70000)),
    "FORWARD-TSN with many streams": sctp.packet(sctp.forward_tsn(THEIRS + 1, streams=17)),
    "TSN far ahead": sctp.packet(sctp.data(THEIRS + 70000)),
    "TSN far behind": sctp.packet(sctp.data(THEIRS - 70000)),
    "too many streams": sctp.packet(*(sctp.data(THEIRS + i, stream=i) for i in range(17))),
    "too many chunks": sctp.packet(*[sctp.chunk(11, b"")] * 129),
    "too many parameters": sctp.packet(sctp.chunk(4, struct.pack("!HH", 1, 4) * 33)),
    "RE-CONFIG cut": sctp.packet(sctp.chunk(130, struct.pack("!HHI", 13, 8, 1))),
    "RE-CONFIG with half a stream": sctp.packet(sctp.chunk(130, struct.pack("!HHIIIB", 13, 17, 1, 1, 1, 1))),
    "streams added": sctp.packet(sctp.chunk(130, struct.pack("!HHIHH", 17, 12, 1, 9, 0))),
}


@pytest.mark.parametrize("name", BREACHES)
def test_breach_ends_the_association(guard: SctpGuard, name: str) -> None:
    with pytest.raises(SctpBreachError, match="sctp: "):
        guard.inbound(BREACHES[name])


def test_nothing_before_init() -> None:
    for chunk in (sctp.data(1), sctp.sack(1), sctp.forward_tsn(1)):
        with pytest.raises(SctpBreachError, match="before INIT"):
            SctpGuard().inbound(sctp.packet(chunk))


def test_late_init_is_dropped(guard: SctpGuard) -> None:
    assert guard.inbound(sctp.packet(sctp.init(THEIRS), tag=0))
    assert guard.inbound(sctp.packet(sctp.data(THEIRS)))
    assert not guard.inbound(sctp.packet(sctp.init(THEIRS), tag=0))


def test_data_outside_the_window_is_dropped_until_the_gap_closes(guard: SctpGuard) -> None:
    limit = sctp_guard.MAX_TSN_AHEAD
    assert guard.inbound(sctp.packet(sctp.data(THEIRS - 1 + limit)))
    assert not guard.inbound(sctp.packet(sctp.data(THEIRS + limit)))
    assert guard.inbound(sctp.packet(sctp.data(THEIRS)))
    assert guard.inbound(sctp.packet(sctp.data(THEIRS + limit)))


def test_endless_drops_end_the_association(guard: SctpGuard) -> None:
    ahead = sctp.packet(sctp.data(THEIRS + 2000))
    with pytest.raises(SctpBreachError, match="no progress"):
        for _ in range(sctp_guard.MAX_DROPS_IN_A_ROW + 1):
            assert not guard.inbound(ahead)


def test_unassembled_data_is_bounded(guard: SctpGuard) -> None:
    full = sctp_guard.MAX_HELD_BYTES
    assert guard.inbound(sctp.packet(sctp.data(THEIRS + 1)), full - 100, 10)
    assert not guard.inbound(sctp.packet(sctp.data(THEIRS + 2)), full, 10)
    assert not guard.inbound(sctp.packet(sctp.data(THEIRS + 2)), 10, sctp_guard.MAX_HELD_CHUNKS)
    # What closes the first gap is taken, else nothing would ever be delivered again.
    assert guard.inbound(sctp.packet(sctp.data(THEIRS)), full, 10)
    with pytest.raises(SctpBreachError, match="overrun"):
        guard.inbound(sctp.packet(sctp.data(THEIRS + 2)), 2 * full, 10)


def test_sequence_numbers_wrap() -> None:
    guard = SctpGuard()
    guard.outbound(sctp.packet(sctp.init(0xFFFFFFFE)))
    guard.inbound(sctp.packet(sctp.init(0xFFFFFFFE), tag=0))
    for index in range(5):
        guard.outbound(sctp.packet(sctp.data(0xFFFFFFFE + index)))
        assert guard.inbound(sctp.packet(sctp.data(0xFFFFFFFE + index)))
    assert guard.inbound(sctp.packet(sctp.sack(0xFFFFFFFF, [(2, 3)])))
    with pytest.raises(SctpBreachError):
        guard.inbound(sctp.packet(sctp.sack(0xFFFFFFFF, [(2, 4)])))


def test_reset_streams_may_be_used_again(guard: SctpGuard) -> None:
    assert guard.inbound(sctp.packet(*(sctp.data(THEIRS + i, stream=i) for i in range(16))))
    assert guard.inbound(sctp.packet(sctp.reset_streams([3])))
    assert guard.inbound(sctp.packet(sctp.data(THEIRS + 16, stream=200)))
    with pytest.raises(SctpBreachError, match="streams"):
        guard.inbound(sctp.packet(sctp.data(THEIRS + 17, stream=201)))


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_judged_with_the_declared_error_only(body: bytes, established: bool) -> None:
    guard = SctpGuard()
    if established:
        guard.outbound(sctp.packet(sctp.init(OURS)))
        guard.inbound(sctp.packet(sctp.init(THEIRS), tag=0))
    try:
        guard.inbound(sctp.packet(body))
    except SctpBreachError as error:
        assert str(error).startswith("sctp: ")  # noqa: PT017 - both outcomes are fine


class _Pipe:
    """An association of aiortc over a lossy, reordering pipe, guarded in both directions."""

    role = "auto"
    state = "connected"

    def __init__(self, role: str) -> None:
        self._role = role
        self.out: list[bytes] = []
        self.guard = SctpGuard()

    def _register_data_receiver(self, receiver: object) -> None: ...
    def _unregister_data_receiver(self, receiver: object) -> None: ...

    async def _send_data(self, data: bytes) -> None:
        self.guard.outbound(data)
        self.out.append(data)


@pytest.fixture
def seeds() -> Iterator[int]:
    return iter(range(6))


async def test_honest_associations_over_bad_networks_are_never_cut(seeds: Iterator[int]) -> None:
    """aiortc talks to aiortc with loss, reordering and duplication; the guard must not object."""
    from aiortc import RTCDataChannel, RTCDataChannelParameters
    from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

    for seed in seeds:
        chance = random.Random(seed)
        pipes = _Pipe("server"), _Pipe("client")
        ends = [RTCSctpTransport(pipe, 5000) for pipe in pipes]  # type: ignore[arg-type]
        got: list[bytes] = []
        ends[0].on("datachannel", lambda channel, got=got: channel.on("message", got.append))
        for end in ends:
            await end.start(RTCSctpCapabilities(maxMessageSize=262144), 5000)
        messages = [chance.randbytes(chance.choice((1, 20, 1500, 30000))) for _ in range(40)]
        channel = RTCDataChannel(ends[1], RTCDataChannelParameters(label="x", ordered=bool(seed % 2)))
        channel.on("open", lambda channel=channel, messages=messages: [channel.send(m) for m in messages])
        for step in range(4000):
            await asyncio.sleep(0)
            for source, target in ((0, 1), (1, 0)):
                packets, pipes[source].out = pipes[source].out, []
                if seed > 1 and step > 20:
                    chance.shuffle(packets)
                    packets = [p for p in packets if chance.random() > 0.02]
                    packets += [p for p in packets if chance.random() < 0.02]
                for packet in packets:
                    held = sum(len(s.reassembly) for s in ends[target]._inbound_streams.values())
                    if pipes[target].guard.inbound(packet, (1 << 20) - ends[target]._advertised_rwnd, held):
                        await ends[target]._handle_data(packet)
            if len(got) == len(messages):
                break
            if ends[1]._t3_handle and not pipes[1].out and not pipes[0].out:
                ends[1]._t3_handle.cancel()
                ends[1]._t3_expired()
        assert sorted(got) == sorted(messages), (seed, len(got))
        assert [pipe.guard.dropped for pipe in pipes] == [0, 0]
        for end in ends:
            await end.stop()
