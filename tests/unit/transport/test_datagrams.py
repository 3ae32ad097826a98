import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from mediaserver.transport import datagrams
from mediaserver.transport.config import Batching, TransportConfig
from mediaserver.transport.datagrams import (
    MAX_GSO_SEGMENTS,
    RECEIVE_SLOTS,
    SEND_MESSAGES,
    SLOT_BYTES,
    SLOT_SHIFT,
    Peer,
    Receiver,
    Sender,
    make_batches,
    open_udp_socket,
    pack_address,
    supports_gso,
    unpack_address,
)


class Pair:
    """A batched socket and a plain one that talks to it."""

    def __init__(self, batching: Batching, host: str, **changes: int) -> None:
        config = TransportConfig(batching=batching, **changes)  # type: ignore[arg-type]
        self.sock = open_udp_socket(host, 0, config)
        self.watched: list[bool] = []
        self.receiver: Receiver
        self.sender: Sender
        self.receiver, self.sender = make_batches(self.sock, config, self.watched.append)
        self.other = socket.socket(self.sock.family, socket.SOCK_DGRAM)
        self.other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.other.bind((host, 0))
        self.other.settimeout(2)
        self.peer = Peer(pack_address(self.other.getsockname()))

    def arrived(self) -> list[bytes]:
        found: list[bytes] = []
        self.other.setblocking(False)
        try:
            while True:
                found.append(self.other.recv(4096))
        except BlockingIOError:
            return found

    def put_run(self, sizes: list[int]) -> list[bytes]:
        """Announce one run as egress does."""
        start = position = self.sender.position
        parts: list[bytes] = []
        for number, size in enumerate(sizes):
            part = bytes([number & 255]) * size
            self.sender.arena[position : position + size] = part
            position += size
            parts.append(part)
        self.sender.position = position
        self.sender.put(self.peer, start, position - start, sizes[0], len(sizes))
        return parts

    def close(self) -> None:
        self.sock.close()
        self.other.close()


@pytest.fixture(params=[Batching.SENDMMSG, Batching.SENDTO])
def batching(request: pytest.FixtureRequest) -> Batching:
    value: Batching = request.param
    return value


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest, batching: Batching) -> Iterator[Pair]:
    pair = Pair(batching, request.param)
    yield pair
    pair.close()


@pytest.mark.parametrize(
    "address", [("192.0.2.1", 4711), ("2001:db8::1", 4711, 0, 0), ("fe80::1", 1, 0x12345, 3)]
)
def test_raw_addresses_round_trip(address: tuple[object, ...]) -> None:
    assert unpack_address(pack_address(address)) == address


def test_receives_batches_with_their_sources(pair: Pair) -> None:
    for index in range(RECEIVE_SLOTS + 3):
        pair.other.sendto(bytes([index]) * (index + 1), pair.sock.getsockname())
    seen = 0
    for expected in (RECEIVE_SLOTS, 3, 0):
        count = pair.receiver.receive()
        assert count == expected
        for i in range(count):
            start = i << SLOT_SHIFT
            length = pair.receiver.lengths[i]
            assert pair.receiver.buffer[start : start + length] == bytes([seen]) * (seen + 1)
            assert pair.receiver.names[i] == pack_address(pair.other.getsockname())
            seen += 1


def test_receives_empty_and_too_long_datagrams(pair: Pair) -> None:
    pair.other.sendto(b"", pair.sock.getsockname())
    pair.other.sendto(bytes(5000), pair.sock.getsockname())
    pair.other.sendto(b"x", pair.sock.getsockname())
    assert pair.receiver.receive() == 3
    assert [pair.receiver.lengths[i] for i in range(3)] == [0, SLOT_BYTES, 1]


def test_sends_single_datagrams(pair: Pair) -> None:
    sent = [bytes([i]) * (i + 1) for i in range(100)]
    for data in sent:
        pair.sender.send(pair.peer, data)
    assert not pair.arrived()
    pair.sender.flush()
    assert pair.arrived() == sent
    assert pair.sender.datagrams_sent == 100


def test_full_batches_flush_themselves(pair: Pair) -> None:
    for _ in range(SEND_MESSAGES + 1):
        pair.sender.send(pair.peer, b"x")
    assert len(pair.arrived()) == SEND_MESSAGES
    for _ in range(200):
        pair.sender.send(pair.peer, bytes(1400))
    pair.sender.flush()
    assert len(pair.arrived()) == 201


@pytest.mark.parametrize(
    "sizes", [[1100] * 8, [1100] * 7 + [3], [50] * MAX_GSO_SEGMENTS, [1000] * 64 + [999]]
)
def test_runs_keep_their_borders(pair: Pair, sizes: list[int]) -> None:
    """The kernel cuts a run into exactly the datagrams that went in."""
    expected: list[bytes] = []
    for at in range(0, len(sizes), MAX_GSO_SEGMENTS):
        expected += pair.put_run(sizes[at : at + MAX_GSO_SEGMENTS])
    pair.sender.flush()
    assert pair.arrived() == expected
    assert pair.sender.datagrams_sent == len(sizes)


def test_run_takes_one_system_call_with_gso() -> None:
    pair = Pair(Batching.SENDMMSG, "127.0.0.1")
    if not supports_gso(pair.sock):
        pytest.skip("no UDP GSO in this kernel")
    pair.put_run([1100] * 8)
    pair.put_run([600] * 4)
    pair.sender.flush()
    assert pair.sender.send_calls == 1
    pair.close()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO, errno.EMSGSIZE])
def test_any_gso_error_falls_back(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    pair = Pair(Batching.SENDMMSG, "127.0.0.1")
    sender = pair.sender
    assert isinstance(sender, datagrams.BatchSender)
    genuine = sender._sendmmsg

    def refuse(fd: int, messages: object, count: int, flags: int) -> int:
        if sender._segment_counts[sender.count - count] > 1:
            datagrams.ffi.errno = number
            return -1
        result: int = genuine(fd, messages, min(count, 1), flags)
        return result

    monkeypatch.setattr(sender, "_sendmmsg", refuse)
    pair.sender.send(pair.peer, b"before")
    run = pair.put_run([700] * 5 + [9])
    pair.sender.send(pair.peer, b"after")
    sender.flush()
    assert pair.arrived() == [b"before", *run, b"after"]
    assert not pair.peer.gso
    assert sender.gso is (number != errno.EIO)
    pair.close()


def test_one_unreachable_peer_does_not_hold_up_the_others(pair: Pair) -> None:
    broken = "255.255.255.255" if pair.sock.family == socket.AF_INET else "2001:db8::1"
    unreachable = Peer(pack_address((broken, 9)))
    pair.sender.send(pair.peer, b"1")
    pair.sender.send(unreachable, b"x")
    pair.sender.send(pair.peer, b"2")
    pair.sender.flush()
    assert pair.arrived() == [b"1", b"2"]
    pair.sender.send(pair.peer, b"3")
    pair.sender.flush()
    assert pair.arrived() == [b"3"]


class Blocked:
    """Makes the kernel say EAGAIN after ``room`` datagrams."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pair: Pair, room: int) -> None:
        self.room = room
        sender = pair.sender
        sock = sender._socket

        class Socket:
            def sendto(_, data: bytes, address: Any) -> int:  # noqa: N805
                if self.room <= 0:
                    raise BlockingIOError
                self.room -= 1
                return sock.sendto(data, address)

        monkeypatch.setattr(sender, "_socket", Socket())
        if isinstance(sender, datagrams.BatchSender):
            genuine = sender._sendmmsg

            def limited(fd: int, messages: object, count: int, flags: int) -> int:
                if self.room <= 0:
                    datagrams.ffi.errno = errno.EAGAIN
                    return -1
                take = min(self.room, count)
                self.room -= take
                result: int = genuine(fd, messages, take, flags)
                return result

            monkeypatch.setattr(sender, "_sendmmsg", limited)


def test_full_socket_keeps_order_and_is_watched(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = Blocked(monkeypatch, pair, room=2)
    sent = [bytes([i]) * 10 for i in range(8)]
    for data in sent[:5]:
        pair.sender.send(pair.peer, data)
    pair.sender.flush()
    assert pair.watched == [True]
    for data in sent[5:]:
        pair.sender.send(pair.peer, data)
    pair.sender.flush()
    assert pair.arrived() == sent[:2]
    assert pair.sender.backlog_bytes == 60
    blocked.room = 3
    pair.sender.on_writable()
    assert pair.watched == [True]
    blocked.room = 100
    pair.sender.on_writable()
    assert pair.watched == [True, False]
    assert pair.arrived() == sent[2:]
    assert pair.sender.backlog_bytes == 0


def test_backlog_is_bounded(batching: Batching, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(batching, "127.0.0.1", max_send_backlog_bytes=1000)
    Blocked(monkeypatch, pair, room=0)
    for _ in range(50):
        pair.sender.send(pair.peer, bytes(100))
    pair.sender.flush()
    assert pair.sender.backlog_bytes == 1000
    assert pair.sender.dropped_backlog == 40
    pair.close()
