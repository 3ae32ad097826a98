"""CPU time of one outgoing packet in egress alone, beside bare loops in the same run.

    python -m tests.bench.egress [--size 1100] [--fan-out 32] [--burst 8] [--rounds 5]

Egress is everything after `SendQueue.append`: drain, copy, stamp, record, AES-GCM, batch, system call. The
bare loops send the same datagrams from prefilled structures: ``sendmmsg`` without and with GSO, and with GSO
and `srtp_protect` per packet, which is the floor for any Python that protects packets one by one. CPU time is
of this process (`time.process_time`), the kernel's loopback work included; medians of ``--rounds``.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import pylibsrtp

from mediaserver.flow.send_queue import SendQueue
from mediaserver.transport.config import Batching, TransportConfig
from mediaserver.transport.datagrams import Peer, Sender, ffi, make_batches, open_udp_socket, pack_address
from mediaserver.transport.dtls import new_length, srtp_protect
from mediaserver.transport.egress import Egress

PACKETS_PER_ROUND = 60_000
TAG_BYTES = 16
HEADER_BYTES = 20


class Outlet:
    """A transport as egress sees it."""

    def __init__(self, session: Any, sender: Sender, peer: Peer, dirty: list[SendQueue]) -> None:
        self.tx = session
        self.tag_bytes = TAG_BYTES
        self.sender = sender
        self.peer = peer
        self.tcp = None
        self.packets_sent = self.bytes_sent = 0
        self.dropped = 0
        self.queue = SendQueue(dirty, self)

    def count(self, reason: str, packets: int = 1) -> None:
        self.dropped += packets

    def on_internal_error(self, error: Exception) -> None:
        raise error


def new_session() -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(
        key=os.urandom(28),
        ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    )
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


def headers(count: int) -> list[bytes]:
    """RTP headers with a one-byte extension that holds the transport-wide sequence number."""
    return [struct.pack("!BBHIIHHBHx", 0x90, 96, i & 0xFFFF, i, 7, 0xBEDE, 1, 0x31, 0) for i in range(count)]


class Bench:
    def __init__(self, size: int, fan_out: int, burst: int, batching: Batching, gso: bool) -> None:
        self.burst = burst
        self.fan_out = fan_out
        self.payload = os.urandom(size - HEADER_BYTES)
        self.sinks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(fan_out)]
        for sink in self.sinks:
            sink.bind(("127.0.0.1", 0))
        config = TransportConfig(batching=batching, gso=gso)
        self.sock = open_udp_socket("127.0.0.1", 0, config)
        _, self.sender = make_batches(self.sock, config, lambda wanted: None)
        self.egress = Egress()
        self.sessions = [new_session() for _ in range(fan_out)]
        self.peers = [Peer(pack_address(sink.getsockname())) for sink in self.sinks]
        self.outlets = [
            Outlet(session._srtp[0], self.sender, peer, self.egress.dirty)
            for session, peer in zip(self.sessions, self.peers, strict=True)
        ]
        self.bursts = max(1, PACKETS_PER_ROUND // (burst * fan_out))
        self.headers = headers(self.bursts * burst + 65536)
        self.next = 0

    def close(self) -> None:
        self.sock.close()
        for sink in self.sinks:
            sink.close()

    def drain_sinks(self) -> None:
        """Empty the receivers, outside the measured time, so that delivery is paid for."""
        for sink in self.sinks:
            try:
                while True:
                    sink.recv(2048, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass

    def measure(self, work: Callable[[list[bytes]], None]) -> float:
        """Microseconds of CPU per packet."""
        total = 0.0
        self.next = 0
        for _ in range(self.bursts):
            burst = self.headers[self.next : self.next + self.burst]
            self.next += self.burst
            start = time.process_time_ns()
            work(burst)
            total += time.process_time_ns() - start
            self.drain_sinks()
        return total / (self.bursts * self.burst * self.fan_out) / 1e3

    def append_only(self, burst: list[bytes]) -> None:
        payload = self.payload
        for outlet in self.outlets:
            append = outlet.queue.append
            for header in burst:
                append(header, payload, 17)

    def through_egress(self, burst: list[bytes]) -> None:
        self.append_only(burst)
        self.egress.collect(1.0)
        self.sender.flush()

    def run_append(self) -> float:
        def work(burst: list[bytes]) -> None:
            self.append_only(burst)
            for outlet in self.outlets:
                outlet.queue.clear()
            self.egress.dirty.clear()

        return self.measure(work)

    def run_egress(self) -> float:
        result = self.measure(self.through_egress)
        assert not any(outlet.dropped for outlet in self.outlets)
        return result

    def run_bare(self, gso: bool, protect: bool) -> float:
        """Prefilled structures: one message per packet, or one per peer with GSO."""
        sender: Any = self.sender
        wire = len(self.payload) + HEADER_BYTES + TAG_BYTES
        length = new_length()
        fresh = [new_session() for _ in self.peers]  # its own: the same packets will pass egress
        sessions = [session._srtp[0] for session in fresh]
        packers = struct.Struct(f"{HEADER_BYTES}s{len(self.payload)}s").pack_into
        libc = ffi.dlopen(None)
        arena, base, payload = sender.arena, sender.base, self.payload
        peers = self.peers

        def work(burst: list[bytes]) -> None:
            position = 0
            for index, peer in enumerate(peers):
                start = position
                for header in burst:
                    packers(arena, position, header, payload)
                    if protect:
                        length[0] = wire - TAG_BYTES
                        if srtp_protect(sessions[index], base + position, length):
                            raise RuntimeError("srtp")
                    if not gso:
                        prepare(peer, position, wire, wire, 1)
                    position += wire
                if gso:
                    prepare(peer, start, position - start, wire, len(burst))
                if position + wire * len(burst) > len(arena) or sender.count + len(burst) >= 256:
                    send()
                    position = 0
            send()

        def prepare(peer: Peer, start: int, size: int, segment: int, segments: int) -> None:
            sender.put(peer, start, size, segment, segments)

        def send() -> None:
            libc.sendmmsg(self.sock.fileno(), sender._messages, sender.count, socket.MSG_DONTWAIT)
            sender.count = 0
            sender._peers.clear()
            sender._segment_counts.clear()

        return self.measure(work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1100, help="plain RTP packet, bytes")
    parser.add_argument("--fan-out", type=int, default=32)
    parser.add_argument("--burst", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    size, fan_out, burst = arguments.size, arguments.fan_out, arguments.burst
    results: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        results.setdefault(name, []).append(value)

    for _ in range(arguments.rounds):
        for name, batching, gso in (
            ("egress, sendmmsg + GSO", Batching.SENDMMSG, True),
            ("egress, sendmmsg", Batching.SENDMMSG, False),
            ("egress, sendto", Batching.SENDTO, False),
        ):
            bench = Bench(size, fan_out, burst, batching, gso)
            if gso:
                note("append to the queue alone", bench.run_append())
                note("bare sendmmsg", bench.run_bare(gso=False, protect=False))
                note("bare sendmmsg + GSO", bench.run_bare(gso=True, protect=False))
                note("bare sendmmsg + GSO + AES-GCM", bench.run_bare(gso=True, protect=True))
            note(name, bench.run_egress())
            bench.close()
    sys.stdout.write(f"{size} B, fan-out {fan_out}, bursts of {burst}: CPU us per packet\n")
    for name, values in results.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        sys.stdout.write(f"{name:32} {middle:6.2f}  ({low:.2f} - {high:.2f})\n")


if __name__ == "__main__":
    main()
