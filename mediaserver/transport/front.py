"""The node's media front: one UDP port (per bound address) and one TCP port for every transport.

A datagram is STUN, DTLS or SRTP by its first byte (RFC 7983). STUN may come from anywhere but does nothing
without one of our passwords; DTLS and SRTP are admitted only from addresses that passed a check. Everything
else is dropped and counted by reason. Whatever goes wrong while one datagram is handled ends at most the
transport it belongs to.
"""

import asyncio
import logging
import socket
from collections import Counter, deque
from typing import Any

from mediaserver.clock import monotonic
from mediaserver.flow.send_queue import SendQueue
from mediaserver.transport import stun
from mediaserver.transport.config import TransportConfig
from mediaserver.transport.datagrams import (
    RECEIVE_SLOTS,
    SLOT_BYTES,
    SLOT_SHIFT,
    Peer,
    Receiver,
    Sender,
    ffi,
    make_batches,
    open_udp_socket,
)
from mediaserver.transport.dtls import (
    REPLAY_STATUS,
    CertificateStore,
    SharedCertificate,
    new_length,
    srtp_unprotect,
    srtp_unprotect_rtcp,
)
from mediaserver.transport.egress import Egress
from mediaserver.transport.ice import local_ufrag_of
from mediaserver.transport.peer import PeerTransport
from mediaserver.transport.tcp import TcpFront, TcpPath
from mediaserver.transport.types import Candidate, FrontStats, TransportHandler

log = logging.getLogger(__name__)

MAX_BATCHES_PER_WAKEUP = 4
"""Batches of `RECEIVE_SLOTS` taken from one socket before the rest of the loop gets its turn: 256 datagrams,
about 2 ms of work at fan-out 1."""
SWEEP_S = 1.0
"""Interval at which consent and other deadlines are looked at."""
MIN_SRTP_BYTES = 12 + 10
"""An RTP header and the shortest tag."""
MIN_SRTCP_BYTES = 8 + 4 + 10

TYPE_PREFERENCE_UDP = 126
"""RFC 8445, section 5.1.2.2."""
TYPE_PREFERENCE_TCP = 90
"""Below every UDP candidate (RFC 6544, section 4.2)."""

_PROBE_ADDRESSES = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Documentation addresses (RFC 5737, RFC 3849): nothing is sent there, only the route is looked up."""


class UdpPath:
    """A validated remote UDP address on one of our sockets."""

    __slots__ = ("address", "local_address", "name", "peer", "sender", "socket", "transport")

    def __init__(self, udp: "UdpSocket", name: bytes) -> None:
        self.socket = udp
        self.sender: Sender = udp.sender
        self.name = name
        self.peer = Peer(name)
        self.address: tuple[Any, ...] = self.peer.address
        self.local_address: tuple[Any, ...] = udp.local_address
        self.transport: PeerTransport | None = None


class UdpSocket:
    """A bound socket with its batches and the paths validated on it."""

    def __init__(self, sock: socket.socket, config: TransportConfig, loop: asyncio.AbstractEventLoop) -> None:
        self.sock = sock
        self.local_address: tuple[Any, ...] = sock.getsockname()
        self.receiver: Receiver
        self.sender: Sender
        self.receiver, self.sender = make_batches(sock, config, self._watch)
        self.paths: dict[bytes, UdpPath] = {}
        self._loop = loop

    def close(self) -> None:
        """Stop watching and close."""
        self._loop.remove_reader(self.sock.fileno())
        self._loop.remove_writer(self.sock.fileno())
        self.sender.close()
        self.sock.close()

    def _watch(self, wanted: bool) -> None:
        if wanted:
            self._loop.add_writer(self.sock.fileno(), self.sender.on_writable)
        else:
            self._loop.remove_writer(self.sock.fileno())


class MediaFront:
    """Sockets, transports, and the one flush per wake-up. One per node; made by `create`."""

    def __init__(self, config: TransportConfig) -> None:
        """Use `create` instead."""
        self.config = config
        self._loop = asyncio.get_running_loop()
        self._certificates = CertificateStore(config.certificate_lifetime_s)
        self._egress = Egress()
        self._sockets: list[UdpSocket] = []
        self._tcp: TcpFront | None = None
        self._transports: set[PeerTransport] = set()
        self._by_ufrag: dict[bytes, PeerTransport] = {}
        self._handshakes: set[PeerTransport] = set()
        self._handshake_queue: deque[PeerTransport] = deque()
        self._handshake_scheduled = False
        self._flush_scheduled = False
        self._in_batch = False
        self._closed = False
        self._sweep_handle: asyncio.TimerHandle | None = None
        self._dropped: Counter[str] = Counter()
        self._datagrams_received = 0
        self._length = new_length()
        self._scratch: Any = ffi.new("char[]", SLOT_BYTES + 64)
        self._scratch_buffer: Any = ffi.buffer(self._scratch)

    @classmethod
    async def create(cls, config: TransportConfig) -> "MediaFront":
        """Bind and listen. Raises OSError if no address can be bound."""
        front = cls(config)
        try:
            await front._bind()
        except BaseException:
            await front.close()
            raise
        return front

    # For the node

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate that new transports get."""
        return self.certificate().fingerprint

    @property
    def dirty_queues(self) -> list[SendQueue]:
        """The list that every `SendQueue` of the node enters itself in."""
        return self._egress.dirty

    @property
    def udp_port(self) -> int:
        """The bound UDP port."""
        port: int = self._sockets[0].local_address[1]
        return port

    @property
    def tcp_port(self) -> int | None:
        """The bound TCP port, None without ICE-TCP."""
        return self._tcp.port if self._tcp is not None else None

    def candidates(self) -> list[Candidate]:
        """Our host candidates, best first."""
        addresses = list(self.config.advertised_addresses) or self._own_addresses()
        found: list[Candidate] = []
        for index, address in enumerate(addresses):
            local = 65535 - index
            foundation = f"{'6' if ':' in address else '4'}{index + 1}"
            priority = (TYPE_PREFERENCE_UDP << 24) | (local << 8) | 255
            found.append(Candidate(f"1{foundation}", 1, "udp", priority, address, self.udp_port))
            if self.tcp_port is not None:
                priority = (TYPE_PREFERENCE_TCP << 24) | (local << 8) | 255
                found.append(
                    Candidate(f"2{foundation}", 1, "tcp", priority, address, self.tcp_port, "host", "passive")
                )
        return sorted(found, key=lambda candidate: -candidate.priority)

    def create_transport(self, handler: TransportHandler) -> PeerTransport:
        """A new transport, ready for connectivity checks; `PeerTransport.start` follows."""
        transport = PeerTransport(self, handler)
        self._transports.add(transport)
        self.update_ufrags(transport, set())
        return transport

    def schedule_flush(self) -> None:
        """Send what is queued before this iteration of the event loop ends."""
        if not self._flush_scheduled and not self._in_batch and not self._closed:
            self._flush_scheduled = True
            self._loop.call_soon(self._scheduled_flush)

    def flush(self) -> None:
        """Send what is queued now."""
        if not self._egress.collect(monotonic()):
            self._loop.call_soon(self._scheduled_flush)
        for udp in self._sockets:
            if udp.sender.count:
                udp.sender.flush()

    def stats(self) -> FrontStats:
        """A snapshot."""
        senders = [udp.sender for udp in self._sockets]
        dropped = Counter(self._dropped)
        for sender in senders:
            dropped["send_backlog"] += sender.dropped_backlog
            dropped["send_error"] += sender.dropped_error
        return FrontStats(
            transports=len(self._transports),
            handshakes=len(self._handshakes),
            tcp_connections=len(self._tcp.connections) if self._tcp is not None else 0,
            batching=type(senders[0]).__name__ if senders else "",
            gso=any(sender.gso for sender in senders),
            datagrams_received=self._datagrams_received,
            datagrams_sent=sum(sender.datagrams_sent for sender in senders),
            send_calls=sum(sender.send_calls for sender in senders),
            backlog_bytes=sum(sender.backlog_bytes for sender in senders),
            dropped={reason: number for reason, number in dropped.items() if number},
        )

    async def close(self) -> None:
        """Close every transport and socket."""
        for transport in list(self._transports):
            transport.close()
        if not self._closed and self._sockets:
            self.flush()
        self._closed = True
        if self._sweep_handle is not None:
            self._sweep_handle.cancel()
        if self._tcp is not None:
            self._tcp.close()
        for udp in self._sockets:
            udp.close()
        self._sockets.clear()
        await asyncio.sleep(0)

    # For transports

    def certificate(self) -> SharedCertificate:
        """The certificate for a new transport."""
        return self._certificates.current(monotonic())

    def count(self, reason: str) -> None:
        """Count a datagram dropped."""
        self._dropped[reason] += 1

    def update_ufrags(self, transport: PeerTransport, before: set[bytes]) -> None:
        """The transport's credentials changed."""
        now = set(transport.ice.ufrags)
        for ufrag in before - now:
            self._by_ufrag.pop(ufrag, None)
        for ufrag in now:
            self._by_ufrag[ufrag] = transport

    def queue_handshake(self, transport: PeerTransport) -> None:
        """The transport has DTLS datagrams of its handshake waiting."""
        if transport not in self._handshakes:
            if len(self._handshakes) >= self.config.max_handshakes:
                transport.pending_dtls.clear()
                self.count("handshakes")
                return
            self._handshakes.add(transport)
        self._handshake_queue.append(transport)
        if not self._handshake_scheduled:
            self._handshake_scheduled = True
            self._loop.call_soon(self._run_handshakes)

    def handshake_done(self, transport: PeerTransport) -> None:
        """The transport's handshake is over."""
        self._handshakes.discard(transport)

    def release(self, transport: PeerTransport) -> None:
        """The transport has ended: forget everything that leads to it."""
        self._transports.discard(transport)
        self._handshakes.discard(transport)
        for ufrag in transport.ice.ufrags:
            if self._by_ufrag.get(ufrag) is transport:
                del self._by_ufrag[ufrag]
        for path in list(transport.ice.paths):
            self._remove_path(path)
            if isinstance(path, TcpPath):
                # What was written, a close_notify for instance, may still leave.
                self._loop.call_soon(path.close)
        transport.ice.paths.clear()

    # Set-up

    async def _bind(self) -> None:
        port = self.config.udp_port
        failure: OSError | None = None
        for host in self.config.hosts:
            try:
                sock = open_udp_socket(host, port, self.config)
            except OSError as error:
                failure = error
                log.info("media does not listen on %s: %s", host, error)
                continue
            udp = UdpSocket(sock, self.config, self._loop)
            self._sockets.append(udp)
            port = udp.local_address[1]
            self._loop.add_reader(sock.fileno(), self._on_readable, udp)
        if not self._sockets:
            raise failure or OSError("no host to bind")
        if self.config.tcp_port is not None:
            self._tcp = TcpFront(self.config, self._on_tcp_datagram, self._on_tcp_lost, self.count)
            await self._tcp.listen(tuple(str(udp.local_address[0]) for udp in self._sockets))
        self._sweep_handle = self._loop.call_later(SWEEP_S, self._sweep)

    def _own_addresses(self) -> list[str]:
        addresses: list[str] = []
        loopback: list[str] = []
        for udp in self._sockets:
            host = str(udp.local_address[0])
            if host not in ("0.0.0.0", "::"):  # noqa: S104 - a comparison
                addresses.append(host)
                continue
            loopback.append("127.0.0.1" if udp.sock.family == socket.AF_INET else "::1")
            with socket.socket(udp.sock.family, socket.SOCK_DGRAM) as probe:
                try:
                    probe.connect((_PROBE_ADDRESSES[udp.sock.family], 9))
                except OSError:
                    continue
                addresses.append(str(probe.getsockname()[0]))
        return addresses or loopback

    # Receiving

    def _on_readable(self, udp: UdpSocket) -> None:
        """Take batches from one socket, and flush what they caused after each."""
        receiver = udp.receiver
        paths = udp.paths
        view = receiver.view
        buffer = receiver.buffer
        pointers = receiver.pointers
        lengths = receiver.lengths
        length_pointer = self._length
        unprotect = srtp_unprotect
        max_ssrcs = self.config.max_inbound_ssrcs
        self._in_batch = True
        try:
            for _ in range(MAX_BATCHES_PER_WAKEUP):
                try:
                    count = receiver.receive()
                except OSError as error:
                    # Left-over errors of earlier sends (ICMP) show up here; the next call continues.
                    self.count("receive_error")
                    log.debug("receive: %s", error)
                    break
                if not count:
                    break
                self._datagrams_received += count
                now = monotonic()
                names = receiver.names
                for i in range(count):
                    length = lengths[i]
                    start = i << SLOT_SHIFT
                    path = paths.get(names[i])
                    transport = path.transport if path is not None else None
                    if (
                        transport is None
                        or length < MIN_SRTP_BYTES
                        or length == SLOT_BYTES
                        or not 128 <= view[start] < 192
                        or 192 <= view[start + 1] < 224
                        or transport.rx is None
                    ):
                        data = buffer[start : start + length]
                        try:
                            self._on_other(data, udp, names[i], path, now)
                        except Exception as error:
                            self._on_datagram_error(error, transport)
                        continue
                    ssrc = buffer[start + 8 : start + 12]
                    new_ssrc = ssrc not in transport.ssrcs
                    if new_ssrc and len(transport.ssrcs) >= max_ssrcs:
                        transport.count("too_many_ssrcs")
                        continue
                    length_pointer[0] = length
                    status = unprotect(transport.rx, pointers[i], length_pointer)
                    if status:
                        transport.count("srtp_replayed" if status in REPLAY_STATUS else "srtp_unauthentic")
                        continue
                    if new_ssrc:
                        transport.ssrcs.add(ssrc)
                    transport.packets_received += 1
                    transport.bytes_received += length
                    try:
                        transport.on_rtp(buffer[start : start + length - transport.tag_bytes], now)
                    except Exception as error:
                        transport.on_internal_error(error)
                self.flush()
                if count < RECEIVE_SLOTS:
                    break  # asking again just to hear "nothing" costs 2.9 us; the loop will call if there is
        finally:
            self._in_batch = False

    def _on_other(self, data: bytes, udp: UdpSocket, name: bytes, path: UdpPath | None, now: float) -> None:
        """Everything on UDP that is not an SRTP packet of a connected transport."""
        if not data:
            self.count("empty")
        elif len(data) >= SLOT_BYTES:
            self.count("too_long")
        elif data[0] < 4:
            self._on_stun(data, path if path is not None else (udp, name), now)
        elif path is None or path.transport is None:
            self.count("dtls_unvalidated" if 20 <= data[0] < 64 else "unvalidated")
        else:
            self._demultiplex(data, path.transport, now)

    def _demultiplex(self, data: bytes, transport: PeerTransport, now: float) -> None:
        """One datagram from a validated path (RFC 7983), STUN excepted."""
        first = data[0]
        if 20 <= first < 64:
            transport.receive_dtls(data)
        elif 128 <= first < 192:
            self._on_srtp(data, transport, now)
        else:
            self.count("unknown_protocol")

    def _on_srtp(self, data: bytes, transport: PeerTransport, now: float) -> None:
        """SRTCP from anywhere, and SRTP over TCP."""
        length = len(data)
        if transport.rx is None:
            transport.count("not_connected")
            return
        rtcp = length > 1 and 192 <= data[1] < 224
        if length < (MIN_SRTCP_BYTES if rtcp else MIN_SRTP_BYTES):
            transport.count("srtp_too_short")
            return
        ssrc = data[4:8] if rtcp else data[8:12]
        if ssrc not in transport.ssrcs and len(transport.ssrcs) >= self.config.max_inbound_ssrcs:
            transport.count("too_many_ssrcs")
            return
        self._length[0] = length
        self._scratch_buffer[0:length] = data
        if rtcp:
            status = srtp_unprotect_rtcp(transport.rx, self._scratch, self._length)
        else:
            status = srtp_unprotect(transport.rx, self._scratch, self._length)
        if status:
            transport.count("srtp_replayed" if status in REPLAY_STATUS else "srtp_unauthentic")
            return
        transport.ssrcs.add(ssrc)
        plain: bytes = self._scratch_buffer[0 : self._length[0]]
        try:
            if rtcp:
                transport.rtcp_received += 1
                transport.on_rtcp(plain, now)
            else:
                transport.packets_received += 1
                transport.bytes_received += length
                transport.on_rtp(plain, now)
        except Exception as error:
            transport.on_internal_error(error)

    def _on_stun(
        self, data: bytes, source: "UdpPath | TcpPath | tuple[UdpSocket, bytes]", now: float
    ) -> None:
        try:
            request = stun.parse_stun(data)
        except ValueError:
            self.count("stun_malformed")
            return
        if request.message_type != stun.BINDING_REQUEST:
            return  # keep-alives (indications) and answers to checks that a lite agent never sends
        ufrag = local_ufrag_of(request)
        transport = self._by_ufrag.get(ufrag)
        if transport is None:
            self.count("stun_unknown_ufrag")
            return
        path = UdpPath(*source) if isinstance(source, tuple) else source
        before = set(transport.ice.ufrags)
        result = transport.ice.check(request, path, path.address[0], path.address[1], now)
        if result is None:
            self.count("stun_unauthentic")
            return
        if isinstance(path, TcpPath):
            path.send(result.response)
        else:
            path.sender.send(path.peer, result.response)
            self.schedule_flush()
        if not result.accepted:
            return
        if len(before) > 1:
            self.update_ufrags(transport, before)
        if isinstance(path, TcpPath):
            self._adopt_tcp(path, transport)
        else:
            self._adopt_udp(path, transport)
        for evicted in transport.ice.evicted:
            self._remove_path(evicted)
        transport.ice.evicted.clear()
        if result.selected_changed:
            transport.on_selected()
        transport.on_check()

    def _adopt_udp(self, path: UdpPath, transport: PeerTransport) -> None:
        present = path.socket.paths.get(path.name)
        if present is path and path.transport is transport:
            return
        if present is not None and present.transport is not None and present.transport is not transport:
            # The address is someone else's now (a NAT gave the port to another client).
            self._leave(present, present.transport)
        path.socket.paths[path.name] = path
        path.transport = transport

    def _adopt_tcp(self, path: TcpPath, transport: PeerTransport) -> None:
        if path.transport is not None and path.transport is not transport:
            self._leave(path, path.transport)
        path.transport = transport
        if not path.authenticated and self._tcp is not None:
            self._tcp.authenticated(path)

    def _leave(self, path: UdpPath | TcpPath, transport: PeerTransport) -> None:
        transport.ice.forget(path)
        transport.on_selected()

    def _remove_path(self, path: UdpPath | TcpPath) -> None:
        path.transport = None
        if isinstance(path, UdpPath) and path.socket.paths.get(path.name) is path:
            del path.socket.paths[path.name]

    def _on_tcp_datagram(self, data: bytes, path: TcpPath) -> None:
        now = monotonic()
        try:
            self._datagrams_received += 1
            if data[0] < 4:
                self._on_stun(data, path, now)
            elif path.transport is None or len(data) > SLOT_BYTES:
                self.count("unvalidated")
            else:
                self._demultiplex(data, path.transport, now)
        except Exception as error:
            self._on_datagram_error(error, path.transport)
        self.schedule_flush()

    def _on_tcp_lost(self, path: TcpPath) -> None:
        transport = path.transport
        if transport is not None:
            path.transport = None
            self._leave(path, transport)

    def _on_datagram_error(self, error: Exception, transport: PeerTransport | None) -> None:
        if transport is not None:
            transport.on_internal_error(error)
        else:
            self.count("internal_error")
            log.error("a datagram caused an error", exc_info=error)

    # Timers

    def _scheduled_flush(self) -> None:
        self._flush_scheduled = False
        if not self._closed:
            self.flush()

    def _run_handshakes(self) -> None:
        self._handshake_scheduled = False
        end = monotonic() + self.config.handshake_budget_s
        queue = self._handshake_queue
        while queue:
            queue.popleft().process_handshake()
            if monotonic() > end:
                break
        if queue:
            self._handshake_scheduled = True
            self._loop.call_soon(self._run_handshakes)
        self.flush()

    def _sweep(self) -> None:
        now = monotonic()
        for transport in list(self._transports):
            try:
                transport.poll(now)
            except Exception as error:
                transport.on_internal_error(error)
        self._sweep_handle = self._loop.call_later(SWEEP_S, self._sweep)
