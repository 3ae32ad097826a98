"""Settings of the transport layer. Every limit that a remote can push against is here."""

from dataclasses import dataclass
from enum import StrEnum


class Batching(StrEnum):
    """How datagrams reach the kernel."""

    AUTO = "auto"
    """`sendmmsg`/`recvmmsg` where the C library has them, else one system call per datagram."""
    SENDMMSG = "sendmmsg"
    SENDTO = "sendto"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportConfig:
    """Where a node listens, and what a remote may use up."""

    hosts: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104 - a media server listens everywhere by default
    """Addresses to bind, one socket each; an IPv6 address is skipped where the host has no IPv6."""
    udp_port: int = 0
    """One port for all media of the node; 0 lets the system choose (the same for every host)."""
    tcp_port: int | None = 0
    """Port for ICE-TCP; 0: any, None: no ICE-TCP."""
    advertised_addresses: tuple[str, ...] = ()
    """Addresses put into candidates; empty: the bound ones, or this machine's own for a wildcard."""

    batching: Batching = Batching.AUTO
    gso: bool = True
    """Use UDP generic segmentation offload for runs of equal size where the kernel has it."""
    receive_buffer_bytes: int = 4 << 20
    """SO_RCVBUF asked for; the kernel may give less. 4 MiB is about 0.4 s at 80 Mbit/s."""
    send_buffer_bytes: int = 4 << 20
    """SO_SNDBUF asked for."""
    max_send_backlog_bytes: int = 4 << 20
    """Bytes kept per socket while the kernel refuses more; beyond that datagrams are dropped and counted."""

    disconnected_after_s: float = 10.0
    """Silence of connectivity checks after which a transport counts as disconnected."""
    gone_after_s: float = 30.0
    """Silence after which it failed for good (the consent lifetime of RFC 7675, section 5.1)."""
    connect_timeout_s: float = 30.0
    """Time from `start` to the end of the DTLS handshake."""
    max_paths: int = 8
    """Validated remote addresses kept per transport; the one unused for longest gives way."""

    certificate_lifetime_s: float = 7 * 86400.0
    """Age after which new transports get a new certificate; those that exist keep theirs."""
    max_handshakes: int = 256
    """DTLS handshakes at a time; a ClientHello beyond that is dropped and comes again by itself."""
    handshake_budget_s: float = 0.005
    """Handshake work done at a stretch before media gets its turn again."""
    max_queued_handshake_datagrams: int = 16
    """DTLS datagrams waiting per transport during the handshake, also before `start`."""

    max_inbound_ssrcs: int = 1024
    """SSRCs accepted from one transport over its life; each costs some 400 bytes of replay window."""

    max_sctp_packets_per_s: int = 4000
    """Rate of SCTP packets accepted from one transport, with a burst of the same size (about 36 Mbit/s)."""
    max_sctp_cpu_share: float = 0.25
    """Share of the node's core that the SCTP packets of one transport may use, with a quarter of a second in
    advance; beyond it they are dropped (and come again). A bulk upload of 5 MB/s needs about this much."""
    max_message_bytes: int = 262144
    """Longest data channel message, both ways; what our SDP advertises (a=max-message-size)."""
    max_lossy_buffered_bytes: int = 64 * 1024
    """Bytes waiting on a lossy channel above which its messages are dropped."""
    max_reliable_buffered_bytes: int = 4 << 20
    """Bytes waiting above which the reader counts as stuck and the transport is closed."""
    reader_stuck_after_s: float = 20.0
    """Time without an acknowledgement, with data waiting, after which the transport is closed."""

    max_tcp_connections: int = 4096
    max_tcp_connections_per_address: int = 32
    """A school behind one address with UDP blocked needs many; one attacker should not have all."""
    tcp_unauthenticated_s: float = 10.0
    """Time an ICE-TCP connection has for its first valid connectivity check."""
    tcp_media_buffer_bytes: int = 256 * 1024
    """Bytes waiting in an ICE-TCP connection above which media is dropped."""
    tcp_max_buffer_bytes: int = 1 << 20
    """Bytes waiting above which a slow reader's connection is closed."""
