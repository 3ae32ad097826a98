"""A session description as plain values (RFC 8866, RFC 9429 and the attributes WebRTC adds).

What a section inherits from the session level (ICE credentials, fingerprints, `a=setup`, direction, header
extensions) is already resolved into each `MediaDescription`. Attributes that a forwarding server has no use
for are not kept.
"""

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_ADDRESS = "0.0.0.0"  # noqa: S104 - nothing is bound to it
"""Connection address of a section whose candidates are trickled or bundled (RFC 8840, section 4.1.1)."""


class SdpError(ValueError):
    """A description is damaged, exceeds a limit or cannot be negotiated; the text says which and where."""

    def __init__(self, reason: str, line_number: int | None = None, line: str = "") -> None:
        self.reason = reason
        self.line_number = line_number
        self.line = line
        where = [f"line {line_number}"] if line_number is not None else []
        where += [f"{line[:48]!r}"] if line else []
        super().__init__(": ".join([*where, reason]))


class Direction(StrEnum):
    """Which way media flows, seen from whoever wrote the description (RFC 8866, section 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self is Direction.SENDRECV or self is Direction.SENDONLY

    @property
    def receives(self) -> bool:
        return self is Direction.SENDRECV or self is Direction.RECVONLY

    @property
    def reversed(self) -> "Direction":
        """The same flow seen from the other side."""
        return _REVERSED[self]

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> "Direction":
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE


_REVERSED = {
    Direction.SENDRECV: Direction.SENDRECV,
    Direction.SENDONLY: Direction.RECVONLY,
    Direction.RECVONLY: Direction.SENDONLY,
    Direction.INACTIVE: Direction.INACTIVE,
}


@dataclass(frozen=True, slots=True)
class Origin:
    """The `o=` line (RFC 8866, section 5.2)."""

    session_id: int
    session_version: int
    username: str = "-"
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ICE candidate (RFC 8839, section 5.1); extension attributes such as `generation` are not kept."""

    foundation: str
    component: int
    protocol: str
    """Lower case: `udp` or `tcp`."""
    priority: int
    address: str
    """An IP address or, from browsers that hide it, an mDNS name."""
    port: int
    type: str
    tcp_type: str | None = None
    """`active`, `passive` or `so` (RFC 6544), for `tcp` only."""
    related_address: str | None = None
    related_port: int | None = None


@dataclass(frozen=True, slots=True)
class CodecDescription:
    """One payload type of a section: `a=rtpmap`, `a=fmtp`, `a=rtcp-fb`."""

    payload_type: int
    name: str
    """As written, for example `VP8` or `opus`; compare without regard to case."""
    clock_rate: int
    """Hz."""
    channels: int = 1
    fmtp: str = ""
    """Format parameters as written; several `a=fmtp` lines are joined by `;`."""
    feedback: tuple[str, ...] = ()
    """For example `nack pli`; `a=rtcp-fb:*` lines are already applied."""


@dataclass(frozen=True, slots=True)
class ExtensionDescription:
    """One `a=extmap` line (RFC 8285, section 8)."""

    id: int
    uri: str
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A certificate's fingerprint (RFC 8122): algorithm in lower case, value in upper-case hexadecimal."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Msid:
    """One `a=msid` line (RFC 8830): the stream and track a section sends. `-` is "no stream"."""

    stream_id: str
    track_id: str = ""


@dataclass(frozen=True, slots=True)
class SsrcDescription:
    """What `a=ssrc` lines say about one SSRC (RFC 5576)."""

    ssrc: int
    cname: str | None = None
    msid: str | None = None
    """`stream track`, the form that precedes `a=msid`."""


@dataclass(frozen=True, slots=True)
class SsrcGroup:
    """One `a=ssrc-group` line: `FID` pairs a stream with its retransmissions, `SIM` lists layers."""

    semantics: str
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RidDescription:
    """One `a=rid` line (RFC 8851)."""

    id: str
    direction: str
    """`send` or `recv`."""
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SimulcastStream:
    """One alternative of one simulcast layer: a rid, perhaps initially paused (`~`)."""

    rid: str
    paused: bool = False


@dataclass(frozen=True, slots=True)
class SimulcastDescription:
    """An `a=simulcast` line (RFC 8853): per direction the layers, each with its alternatives, best first."""

    send: tuple[tuple[SimulcastStream, ...], ...] = ()
    recv: tuple[tuple[SimulcastStream, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One media section: an `m=` line and what follows it."""

    kind: str
    """`audio`, `video`, `application`, or a kind nobody here accepts."""
    mid: str = ""
    """Empty if the section has none."""
    port: int = 9
    """0 refuses the section, unless `bundle_only`."""
    protocol: str = "UDP/TLS/RTP/SAVPF"
    address: str = DEFAULT_ADDRESS
    direction: Direction = Direction.SENDRECV
    formats: tuple[str, ...] = ()
    """Formats of a section that is not RTP, for example `webrtc-datachannel`."""
    codecs: tuple[CodecDescription, ...] = ()
    """In order of preference. A payload type without `a=rtpmap` is left out."""
    extensions: tuple[ExtensionDescription, ...] = ()
    extmap_allow_mixed: bool = False
    """Stated for this section; Chromium states it once for the session instead."""
    bundle_only: bool = False
    ice_ufrag: str | None = None
    ice_password: str | None = None
    ice_options: tuple[str, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: str | None = None
    """DTLS role: `actpass`, `active`, `passive` or `holdconn` (RFC 8842)."""
    candidates: tuple[Candidate, ...] = ()
    end_of_candidates: bool = False
    msids: tuple[Msid, ...] = ()
    ssrcs: tuple[SsrcDescription, ...] = ()
    ssrc_groups: tuple[SsrcGroup, ...] = ()
    rids: tuple[RidDescription, ...] = ()
    simulcast: SimulcastDescription | None = None
    rtcp_mux: bool = False
    rtcp_rsize: bool = False
    sctp_port: int | None = None
    max_message_size: int | None = None
    """Bytes; 0 is "any size", None is "not said" (64 KiB by RFC 8841)."""
    bandwidth: tuple[tuple[str, int], ...] = ()
    """`b=` lines: (`AS`, kbit/s) or (`TIAS`, bit/s)."""

    @property
    def is_rtp(self) -> bool:
        return "RTP/" in self.protocol

    @property
    def rejected(self) -> bool:
        """Refused by whoever wrote the description (RFC 3264, section 6)."""
        return self.port == 0 and not self.bundle_only


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole offer or answer."""

    origin: Origin
    media: tuple[MediaDescription, ...] = ()
    bundle: tuple[str, ...] | None = None
    """Mids of the first BUNDLE group (RFC 9143); None if there is no such group."""
    ice_lite: bool = False
    extmap_allow_mixed: bool = False
