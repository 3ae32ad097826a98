import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator

import pylibsrtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.flow.send_queue import SendQueue
from mediaserver.transport.config import Batching, TransportConfig
from mediaserver.transport.datagrams import Peer, make_batches, open_udp_socket, pack_address
from mediaserver.transport.egress import Egress

KEY = bytes(range(28))
TAG_BYTES = 16


def session(direction: int, key: bytes = KEY) -> pylibsrtp.Session:
    profile = pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM
    policy = pylibsrtp.Policy(key=key, ssrc_type=direction, srtp_profile=profile)
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


def header(sequence: int, ssrc: int = 5, extended: bool = False) -> bytes:
    first = 0x90 if extended else 0x80
    data = struct.pack("!BBHII", first, 96, sequence & 0xFFFF, sequence, ssrc)
    return data + (b"\xbe\xde\x00\x01\x31\xff\xff\x00" if extended else b"")


class Outlet:
    """A transport as egress sees it."""

    def __init__(self, dirty: list[SendQueue]) -> None:
        self.session = session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self.tx = self.session._srtp[0]
        self.tag_bytes = TAG_BYTES
        self.tcp = None
        self.packets_sent = self.bytes_sent = 0
        self.dropped: Counter[str] = Counter()
        self.errors: list[Exception] = []
        self.queue = SendQueue(dirty, self)

    def count(self, reason: str, packets: int = 1) -> None:
        self.dropped[reason] += packets

    def on_internal_error(self, error: Exception) -> None:
        self.errors.append(error)


class Bench:
    def __init__(self, batching: Batching) -> None:
        self.sock = open_udp_socket("127.0.0.1", 0, TransportConfig())
        _, self.sender = make_batches(self.sock, TransportConfig(batching=batching), lambda wanted: None)
        self.egress = Egress()
        self.sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sink.bind(("127.0.0.1", 0))
        self.outlet = self.new_outlet()

    def new_outlet(self) -> Outlet:
        outlet = Outlet(self.egress.dirty)
        outlet.sender = self.sender  # type: ignore[attr-defined]
        outlet.peer = Peer(pack_address(self.sink.getsockname()))  # type: ignore[attr-defined]
        return outlet

    def flush(self, now: float = 1.0) -> list[bytes]:
        self.egress.collect(now)
        self.sender.flush()
        found: list[bytes] = []
        self.sink.setblocking(False)
        try:
            while True:
                found.append(self.sink.recv(4096))
        except BlockingIOError:
            return found

    def close(self) -> None:
        self.sock.close()
        self.sink.close()


@pytest.fixture(params=[Batching.SENDMMSG, Batching.SENDTO])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(request.param)
    yield bench
    bench.close()


SIZES = [1100, 1100, 1101, 1101, 1100, 3, 900, 900, 900, 20, 1200] + [800] * 70 + [1300] * 400


def test_every_packet_arrives_whole_and_in_order(bench: Bench) -> None:
    receiver = session(pylibsrtp.Policy.SSRC_ANY_INBOUND)
    packets = [(header(i), os.urandom(size)) for i, size in enumerate(SIZES)]
    for head, payload in packets:
        bench.outlet.queue.append(head, payload, 0)
    arrived = bench.flush()
    assert [receiver.unprotect(data) for data in arrived] == [head + payload for head, payload in packets]
    assert bench.outlet.packets_sent == len(SIZES)
    assert bench.outlet.bytes_sent == sum(map(len, arrived))
    assert not bench.outlet.dropped


def test_transport_sequence_is_stamped_and_recorded(bench: Bench) -> None:
    receiver = session(pylibsrtp.Policy.SSRC_ANY_INBOUND)
    for index in range(5):
        bench.outlet.queue.append(
            header(index, extended=index != 2), b"x" * (50 + index), 17 if index != 2 else 0
        )
    plain = [receiver.unprotect(data) for data in bench.flush(now=7.5)]
    assert [p[17:19] for i, p in enumerate(plain) if i != 2] == [bytes((0, n)) for n in range(4)]
    assert bench.outlet.queue.sent.next_sequence == 4
    assert plain[2] == header(2) + b"x" * 52


def test_repeated_sequence_number_is_dropped_and_counted(bench: Bench) -> None:
    receiver = session(pylibsrtp.Policy.SSRC_ANY_INBOUND)
    for sequence, payload in ((1, b"a"), (2, b"b"), (1, b"c"), (2, b"b"), (3, b"d")):
        bench.outlet.queue.append(header(sequence), payload * 100, 0)
    plain = [receiver.unprotect(data) for data in bench.flush()]
    assert [p[12:13] for p in plain] == [b"a", b"b", b"d"]
    assert bench.outlet.dropped["srtp_repeat"] == 2


def test_unconnected_transport_sends_nothing(bench: Bench) -> None:
    bench.outlet.tx = None
    bench.outlet.queue.append(header(1), b"x", 0)
    assert bench.flush() == []
    assert bench.outlet.dropped["not_connected"] == 1
    bench.outlet.queue.append(header(2), b"x", 0)
    assert bench.egress.dirty == [bench.outlet.queue]


def test_too_long_packet_is_dropped(bench: Bench) -> None:
    bench.outlet.queue.append(header(1), bytes(1600), 0)
    bench.outlet.queue.append(header(2), bytes(100), 0)
    assert len(bench.flush()) == 1
    assert bench.outlet.dropped["packet_too_long"] == 1


def test_broken_queue_ends_only_its_own_transport(bench: Bench) -> None:
    good = bench.new_outlet()
    bench.outlet.queue.append(header(1), b"fine", 0)
    bench.outlet.queue.append("not bytes", b"x", 0)  # type: ignore[arg-type]
    good.queue.append(header(1), b"good", 0)
    assert len(bench.flush()) == 2
    assert len(bench.outlet.errors) == 1
    assert not good.errors
    assert good.packets_sent == 1


def test_queues_dirtied_while_flushing_do_not_loop_forever(bench: Bench) -> None:
    class Restless(Outlet):
        def count(self, reason: str, packets: int = 1) -> None:
            self.queue.append(header(1), b"again", 0)

    outlet = Restless(bench.egress.dirty)
    outlet.tx = None
    outlet.queue.append(header(1), b"x", 0)
    assert not bench.egress.collect(1.0)
    assert bench.egress.dirty


@given(
    st.lists(
        st.tuples(
            st.sampled_from([5, 6]),
            st.one_of(st.integers(0, 30), st.integers(65500, 65535), st.integers(0, 65535)),
            st.binary(min_size=1, max_size=4),
        ),
        max_size=60,
    )
)
def test_no_two_different_packets_ever_share_a_nonce(history: list[tuple[int, int, bytes]]) -> None:
    """With AES-GCM, equal (SSRC, roll-over, sequence) means equal key stream: XOR shows it."""
    bench = Bench(Batching.SENDTO)
    try:
        for ssrc, sequence, payload in history:
            bench.outlet.queue.append(header(sequence, ssrc), payload * 8, 0)
        arrived = bench.flush()
        assert len(arrived) + bench.outlet.dropped["srtp_repeat"] + bench.outlet.dropped["srtp_error"] == len(
            history
        )
        # The key stream of each sent packet, had by undoing the payload that was sent.
        receiver = session(pylibsrtp.Policy.SSRC_ANY_INBOUND)
        streams: Counter[bytes] = Counter()
        for data in arrived:
            plain = receiver.unprotect(data)
            secret, clear = data[12:20], plain[12:20]
            streams[bytes(a ^ b for a, b in zip(secret, clear, strict=True))] += 1
        assert not [stream for stream, times in streams.items() if times > 1]
    finally:
        bench.close()
