"""One remote's ICE/DTLS association: the shell that joins `ice`, `dtls` and `data`."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

import pylibsrtp

from mediaserver.clock import monotonic
from mediaserver.errors import ClosedError, IllegalTransitionError
from mediaserver.flow.send_queue import SendQueue
from mediaserver.transport.data import DataChannels
from mediaserver.transport.dtls import DtlsTransport
from mediaserver.transport.errors import RemoteClosedError, TransportError
from mediaserver.transport.ice import IceSession, Liveness
from mediaserver.transport.tcp import TcpPath
from mediaserver.transport.types import (
    TRANSITIONS,
    RemoteTransport,
    TransportEvent,
    TransportHandler,
    TransportState,
    TransportStats,
)

if TYPE_CHECKING:
    from mediaserver.transport.datagrams import Peer, Sender
    from mediaserver.transport.front import MediaFront, UdpPath

log = logging.getLogger(__name__)

MAX_RTCP_BYTES = 1400
"""Longest compound RTCP packet sent, before protection."""
ENDED = (TransportState.FAILED, TransportState.CLOSED)


class PeerTransport:
    """One ICE/DTLS/SCTP association. Made by `MediaFront.create_transport`.

    We are always ICE-lite and the DTLS server (``a=setup:passive``).
    """

    __slots__ = (
        "_dtls",
        "_dtls_timer",
        "_front",
        "_handler",
        "_ice",
        "_pending_dtls",
        "_remote",
        "_started_at",
        "bytes_received",
        "bytes_sent",
        "data",
        "dropped",
        "on_rtcp",
        "on_rtp",
        "packets_received",
        "packets_sent",
        "path_changes",
        "peer",
        "queue",
        "reason",
        "rtcp_received",
        "rtcp_sent",
        "rx",
        "sender",
        "ssrcs",
        "state",
        "tag_bytes",
        "tcp",
        "tx",
    )

    def __init__(self, front: MediaFront, handler: TransportHandler) -> None:
        self._front = front
        self._handler = handler
        self.state = TransportState.NEW
        self.reason: str | None = None
        """Why the transport failed or closed."""
        self._ice: IceSession[UdpPath | TcpPath] = IceSession(front.config.max_paths)
        self._dtls = DtlsTransport(front.certificate(), self._send_to_selected)
        self._dtls_timer: asyncio.TimerHandle | None = None
        self._pending_dtls: deque[bytes] = deque()
        self._remote: RemoteTransport | None = None
        self._started_at = 0.0
        self.queue = SendQueue(front.dirty_queues, self)
        """Through which every RTP packet leaves."""
        self.data = DataChannels(self._dtls, front.config, self._on_channel_open, self._on_message)
        self.dropped: Counter[str] = Counter()
        self.path_changes = 0
        # Read by the hot paths of front and egress
        self.on_rtp = handler.on_rtp
        self.on_rtcp = handler.on_rtcp
        self.rx: Any = None
        self.tx: Any = None
        self.tag_bytes = 0
        self.ssrcs: set[bytes] = set()
        self.sender: Sender | None = None
        self.peer: Peer | None = None
        self.tcp: TcpPath | None = None
        self.packets_sent = self.bytes_sent = self.rtcp_sent = 0
        self.packets_received = self.bytes_received = self.rtcp_received = 0

    # For the owner

    @property
    def local_ufrag(self) -> str:
        """Our a=ice-ufrag."""
        return self._ice.local_ufrag

    @property
    def local_password(self) -> str:
        """Our a=ice-pwd."""
        return self._ice.local_password

    @property
    def fingerprint(self) -> str:
        """Our SHA-256 a=fingerprint; stays the same for the life of this transport."""
        return self._dtls.fingerprint

    def start(self, remote: RemoteTransport) -> None:
        """Accept the remote's parameters. Checks and a ClientHello that came earlier are not lost.

        Raises ValueError if a parameter is unusable, ClosedError if the transport has ended.
        """
        if self.state in ENDED:
            raise ClosedError("transport has ended")
        self._dtls.begin(remote.fingerprints)
        self._remote = remote
        self._ice.remote_ufrag = remote.ufrag.encode()
        self._started_at = monotonic()
        self._apply(TransportEvent.STARTED)
        for _ in range(len(self._pending_dtls)):
            self._front.queue_handshake(self)

    def restart_ice(self, remote: RemoteTransport) -> None:
        """Give new local credentials for an ICE restart; the old ones work until the new are used.

        The DTLS association goes on, so the remote's fingerprints must be the same ones (ValueError).
        """
        if self.state in ENDED:
            raise ClosedError("transport has ended")
        if self._remote is not None and set(remote.fingerprints) != set(self._remote.fingerprints):
            raise ValueError("fingerprints: changed in an ICE restart")
        before = set(self._ice.ufrags)
        self._ice.renew_credentials()
        self._ice.remote_ufrag = remote.ufrag.encode()
        self._front.update_ufrags(self, before)

    def send_rtcp(self, compound: bytes) -> None:
        """Protect one compound RTCP packet and send it with the next flush."""
        if self.tx is None:
            self.count("not_connected")
            return
        if len(compound) > MAX_RTCP_BYTES:
            self.count("rtcp_too_long")
            return
        try:
            protected = self._dtls.protect_rtcp(compound)
        except (pylibsrtp.Error, ValueError):
            self.count("srtp_error")
            return
        self.rtcp_sent += 1
        self._send_to_selected(protected)

    def stats(self) -> TransportStats:
        """A snapshot."""
        selected = self._ice.selected
        last_check = self._ice.last_check
        return TransportStats(
            state=self.state,
            reason=self.reason,
            packets_sent=self.packets_sent,
            packets_received=self.packets_received,
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
            rtcp_packets_sent=self.rtcp_sent,
            rtcp_packets_received=self.rtcp_received,
            dropped=dict(self.dropped + Counter(self.data.dropped)),
            protocol=None if selected is None else ("tcp" if isinstance(selected, TcpPath) else "udp"),
            local_address=None if selected is None else selected.local_address[:2],
            remote_address=None if selected is None else selected.address[:2],
            path_changes=self.path_changes,
            srtp_suite=self._dtls.suite,
            dtls_version=self._dtls.version,
            last_check_age_s=None if last_check is None else monotonic() - last_check,
            data_buffered_bytes=self.data.buffered_bytes,
        )

    def close(self, reason: str = "closed") -> None:
        """End the association; tells the remote. Does nothing the second time."""
        if self.state is TransportState.CLOSED:
            return
        if self.state is not TransportState.FAILED:
            self.reason = reason
            self._release()
        self._apply(TransportEvent.CLOSED)

    # For front and egress

    @property
    def ice(self) -> IceSession[UdpPath | TcpPath]:
        """The ICE-lite side."""
        return self._ice

    @property
    def handshaking(self) -> bool:
        """Whether the DTLS handshake still has to be done."""
        return not self._dtls.connected

    @property
    def pending_dtls(self) -> deque[bytes]:
        """DTLS datagrams that wait for their turn."""
        return self._pending_dtls

    def count(self, reason: str, packets: int = 1) -> None:
        """Count packets dropped."""
        self.dropped[reason] += packets

    def fail(self, reason: str) -> None:
        """End the association because of something the remote or the network did."""
        if self.state in ENDED:
            return
        log.info("transport %s failed: %s", self.local_ufrag, reason)
        self.reason = reason
        self._release()
        self._apply(TransportEvent.BROKEN)

    def on_internal_error(self, error: Exception) -> None:
        """End the association because of a bug of ours, so that no other suffers."""
        log.error("transport %s ends: internal error", self.local_ufrag, exc_info=error)
        self._front.count("internal_error")
        self.fail("internal error")

    def on_selected(self) -> None:
        """The selected path changed."""
        selected = self._ice.selected
        if self.sender is not None or self.tcp is not None:
            self.path_changes += 1
        if isinstance(selected, TcpPath):
            self.sender, self.peer, self.tcp = None, None, selected
        elif selected is None:
            self.sender, self.peer, self.tcp = None, None, None
        else:
            self.sender, self.peer, self.tcp = selected.sender, selected.peer, None

    def on_check(self) -> None:
        """A valid connectivity check arrived."""
        if self.state is TransportState.DISCONNECTED:
            self._apply(TransportEvent.HEARD)

    def receive_dtls(self, datagram: bytes) -> None:
        """Take one DTLS datagram from a validated path."""
        if self.state in ENDED:
            return
        if self.handshaking:
            if len(self._pending_dtls) >= self._front.config.max_queued_handshake_datagrams:
                self.count("dtls_queue")
                return
            self._pending_dtls.append(datagram)
            if self.state is not TransportState.NEW:
                self._front.queue_handshake(self)
            return
        self._process_dtls(datagram)

    def process_handshake(self) -> None:
        """Work off one waiting DTLS datagram."""
        if self._pending_dtls and self.state not in ENDED:
            self._process_dtls(self._pending_dtls.popleft())

    def poll(self, now: float) -> None:
        """Look at the deadlines: consent, handshake, stuck data reader."""
        if self.state in ENDED:
            return
        config = self._front.config
        if self.state is TransportState.CONNECTING:
            if now - self._started_at > config.connect_timeout_s:
                waited = "no connectivity check" if self._ice.selected is None else "DTLS handshake: timeout"
                self.fail(waited)
            return
        if self.state is TransportState.NEW:
            return
        liveness = self._ice.liveness(now, config.disconnected_after_s, config.gone_after_s)
        if liveness is Liveness.GONE:
            self.fail("consent expired")
            return
        if liveness is Liveness.SILENT:
            if self.state is TransportState.CONNECTED:
                self._apply(TransportEvent.SILENT)
            return
        try:
            self.data.poll(now)
        except TransportError as error:
            self.fail(str(error))

    # Inside

    def _process_dtls(self, datagram: bytes) -> None:
        was_connected = self._dtls.connected
        try:
            self._dtls.receive(datagram)
            if not was_connected and self._dtls.connected:
                self._on_secured()
        except RemoteClosedError as error:
            self.close(str(error))
        except TransportError as error:
            self.fail(str(error))
        except Exception as error:
            # aiortc raises whatever a hostile packet makes it raise (AssertionError, KeyError, struct.error).
            log.info(
                "transport %s: %s in DTLS or SCTP", self.local_ufrag, type(error).__name__, exc_info=error
            )
            self.fail(f"sctp: {type(error).__name__}")
        self._arm_dtls_timer()

    def _on_secured(self) -> None:
        self.rx = self._dtls.rx
        self.tx = self._dtls.tx
        self.tag_bytes = self._dtls.tag_bytes
        self._front.handshake_done(self)
        self._apply(TransportEvent.SECURED)
        if self._remote is not None and self._remote.sctp_port is not None and self.state not in ENDED:
            self.data.start(self._remote.sctp_port, self._remote.max_message_bytes)

    def _arm_dtls_timer(self) -> None:
        if self._dtls_timer is not None:
            self._dtls_timer.cancel()
            self._dtls_timer = None
        if self.state in ENDED:
            return
        timeout = self._dtls.timeout()
        if timeout is not None:
            self._dtls_timer = asyncio.get_running_loop().call_later(timeout, self._on_dtls_timeout)

    def _on_dtls_timeout(self) -> None:
        self._dtls_timer = None
        try:
            self._dtls.on_timeout()
        except TransportError as error:
            self.fail(str(error))
        self._arm_dtls_timer()

    def _send_to_selected(self, datagram: bytes) -> None:
        if self.tcp is not None:
            self.tcp.send(datagram)
        elif self.sender is not None and self.peer is not None:
            self.sender.send(self.peer, datagram)
            self._front.schedule_flush()
        else:
            self.count("no_path")

    def _on_channel_open(self, label: str) -> None:
        try:
            self._handler.on_data_channel_open(label)
        except Exception as error:
            self.on_internal_error(error)

    def _on_message(self, label: str, payload: bytes) -> None:
        try:
            self._handler.on_data(label, payload)
        except Exception as error:
            self.on_internal_error(error)

    def _apply(self, event: TransportEvent) -> None:
        state = TRANSITIONS.get((self.state, event))
        if state is None:
            raise IllegalTransitionError(f"transport {self.state.value}: {event.value}")
        log.debug("transport %s: %s -> %s", self.local_ufrag, self.state.value, state.value)
        self.state = state
        try:
            self._handler.on_transport_state(state)
        except Exception as error:
            self.on_internal_error(error)

    def _release(self) -> None:
        """Give back everything that others hold of this transport."""
        if self._dtls_timer is not None:
            self._dtls_timer.cancel()
            self._dtls_timer = None
        try:
            self.data.close()
            self._dtls.shutdown()
        except Exception as error:
            log.debug("transport %s: closing", self.local_ufrag, exc_info=error)
        self.rx = self.tx = None
        self._pending_dtls.clear()
        self.queue.clear()
        self._front.release(self)
        self.sender = self.peer = self.tcp = None
