"""Values that cross the border of the transport layer."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class TransportState(Enum):
    """Life of one ICE/DTLS association."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


class TransportEvent(Enum):
    """What moves a transport from one state to another."""

    STARTED = "started"
    SECURED = "secured"
    SILENT = "silent"
    HEARD = "heard"
    BROKEN = "broken"
    CLOSED = "closed"


_S, _E = TransportState, TransportEvent

TRANSITIONS: dict[tuple[TransportState, TransportEvent], TransportState] = {
    (_S.NEW, _E.STARTED): _S.CONNECTING,
    (_S.NEW, _E.BROKEN): _S.FAILED,
    (_S.NEW, _E.CLOSED): _S.CLOSED,
    (_S.CONNECTING, _E.SECURED): _S.CONNECTED,
    (_S.CONNECTING, _E.BROKEN): _S.FAILED,
    (_S.CONNECTING, _E.CLOSED): _S.CLOSED,
    (_S.CONNECTED, _E.SILENT): _S.DISCONNECTED,
    (_S.CONNECTED, _E.BROKEN): _S.FAILED,
    (_S.CONNECTED, _E.CLOSED): _S.CLOSED,
    (_S.DISCONNECTED, _E.HEARD): _S.CONNECTED,
    (_S.DISCONNECTED, _E.BROKEN): _S.FAILED,
    (_S.DISCONNECTED, _E.CLOSED): _S.CLOSED,
    (_S.FAILED, _E.CLOSED): _S.CLOSED,
}
"""Every legal change; anything else is a bug (`IllegalTransitionError`)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of our ICE candidates (RFC 8839, section 5.1; TCP: RFC 6544, section 4.5)."""

    foundation: str
    component: int
    protocol: str
    """``udp`` or ``tcp``."""
    priority: int
    address: str
    port: int
    type: str = "host"
    tcp_type: str | None = None
    """``passive`` for TCP, None for UDP."""


@dataclass(frozen=True, slots=True)
class RemoteTransport:
    """What the remote's session description says about its side."""

    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]
    """Pairs of hash name (``sha-256``) and colon-separated digest (RFC 8122)."""
    sctp_port: int | None = 5000
    """The remote's SCTP port (RFC 8841), None if no data section was negotiated."""
    max_message_bytes: int = 65536
    """The remote's a=max-message-size; 0: no limit."""


class TransportHandler(Protocol):
    """What a transport tells its owner. All synchronous; an exception closes that one transport."""

    def on_transport_state(self, state: TransportState) -> None:
        """The state changed; `PeerTransport.reason` says why it failed or closed."""

    def on_rtp(self, data: bytes, arrival: float) -> None:
        """A decrypted RTP packet arrived at ``arrival`` (monotonic seconds)."""

    def on_rtcp(self, data: bytes, arrival: float) -> None:
        """A decrypted compound RTCP packet arrived."""

    def on_data_channel_open(self, label: str) -> None:
        """A data channel can be sent on, whichever side opened it."""

    def on_data(self, label: str, payload: bytes) -> None:
        """A message arrived; text messages come as UTF-8."""


@dataclass(slots=True)
class TransportStats:
    """A snapshot of one transport (compare W3C `RTCTransportStats`)."""

    state: TransportState
    reason: str | None
    """Why it failed or closed."""
    packets_sent: int
    """RTP packets handed to the kernel."""
    packets_received: int
    """RTP packets decrypted."""
    bytes_sent: int
    """RTP bytes on the wire, without UDP and IP headers."""
    bytes_received: int
    rtcp_packets_sent: int
    rtcp_packets_received: int
    dropped: dict[str, int]
    """Packets dropped, by reason."""
    protocol: str | None
    """``udp`` or ``tcp`` of the selected path."""
    local_address: tuple[str, int] | None
    remote_address: tuple[str, int] | None
    path_changes: int
    """Times the selected path moved to another address."""
    srtp_suite: str | None
    dtls_version: str | None
    last_check_age_s: float | None
    """Seconds since the last valid connectivity check."""
    data_buffered_bytes: int
    """Data channel bytes not yet handed to SCTP."""


@dataclass(slots=True)
class FrontStats:
    """A snapshot of the node's front."""

    transports: int
    handshakes: int
    """Handshakes going on."""
    tcp_connections: int
    batching: str
    gso: bool
    datagrams_received: int
    datagrams_sent: int
    """Datagrams handed to the kernel, the segments of a GSO run counted singly."""
    send_calls: int
    backlog_bytes: int
    dropped: dict[str, int] = field(default_factory=dict)
    """Datagrams dropped, by reason."""
