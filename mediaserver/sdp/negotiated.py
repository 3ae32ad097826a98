"""The outcome of an offer and its answer: what the transport and the forwarding path need to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mediaserver.rtp.extensions import HeaderExtension
from mediaserver.sdp.codecs import NegotiatedCodec, best_match
from mediaserver.sdp.description import SdpError

DEFAULT_MAX_MESSAGE_SIZE = 64 * 1024
"""Bytes a data channel message may have if the other side says nothing (RFC 8841, section 6.1)."""


@dataclass(frozen=True, slots=True)
class NegotiatedMedia:
    """One accepted audio or video section."""

    mid: str
    kind: str
    """`audio` or `video`."""
    receive: bool
    """We receive media from the client in this section."""
    send: bool
    """We send media to the client in this section."""
    codecs: tuple[NegotiatedCodec, ...]
    """In the answer's order: the first is what a browser sends."""
    extensions: Mapping[int, HeaderExtension]
    stream_id: str | None = None
    """First half of the client's `a=msid`; None if it names no track or no stream."""
    track_id: str | None = None
    """Second half of the client's `a=msid`, which is what AddTrack calls `cid`."""
    ssrcs: Mapping[int, int | None] = field(default_factory=dict)
    """The client's media SSRCs, each with its retransmission SSRC; empty if it only announces rids."""
    rids: tuple[str, ...] = ()
    """The client's simulcast layers that we receive, in its order."""

    def payload_type_for(self, codec: str, fmtp_hint: str = "") -> NegotiatedCodec | None:
        """The codec under which this client wants to receive a stream of `codec`, None if it cannot.

        `codec` is a normalised name (`opus`, `red`, `vp8`, `h264`, `vp9`, `av1`); `fmtp_hint` the sender's
        format parameters, which matter for H264 (profile, packetization mode), VP9 and AV1 (profile).
        """
        return best_match(self.codecs, codec, fmtp_hint)

    def codec_of(self, payload_type: int) -> NegotiatedCodec | None:
        """The codec of a primary (not retransmission) payload type."""
        for codec in self.codecs:
            if codec.payload_type == payload_type:
                return codec
        return None

    @property
    def rtx_payload_types(self) -> dict[int, int]:
        """Retransmission payload type -> the payload type it repairs (RFC 4588, section 8.6)."""
        return {
            codec.rtx_payload_type: codec.payload_type
            for codec in self.codecs
            if codec.rtx_payload_type is not None
        }

    @property
    def transport_cc(self) -> bool:
        """Transport-wide feedback is agreed: packets carry the sequence number, and feedback is sent."""
        return any(codec.transport_cc for codec in self.codecs) and (
            HeaderExtension.TRANSPORT_SEQUENCE in self.extensions.values()
        )

    def extension_id(self, extension: HeaderExtension) -> int | None:
        """The identifier of a header extension in this section, None if it was not negotiated."""
        for identifier, known in self.extensions.items():
            if known is extension:
                return identifier
        return None


@dataclass(frozen=True, slots=True)
class NegotiatedSession:
    """What one offer and answer settled."""

    remote_ufrag: str
    remote_password: str
    remote_fingerprints: tuple[tuple[str, str], ...]
    """(algorithm, `AA:BB:...`), at least one."""
    remote_setup: str
    """The client's DTLS role: always `active`, for we are the DTLS server."""
    media: Mapping[str, NegotiatedMedia]
    """Accepted audio and video sections by mid, in the description's order."""
    data_channel: bool = False
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    """Bytes the client accepts in one data channel message; 0 is "any size"."""
    rejected: Mapping[str, str] = field(default_factory=dict)
    """Why a section was refused, by mid, in words for a client developer."""
    extensions: Mapping[int, HeaderExtension] = field(default_factory=dict)
    """Header extensions of all sections together: a bundle uses one numbering (RFC 9143, section 9.1)."""


def merge_extensions(media: Mapping[str, NegotiatedMedia]) -> dict[int, HeaderExtension]:
    """The header extensions of all sections of a bundle.

    Raises SdpError if two sections give one identifier to different extensions.
    """
    merged: dict[int, HeaderExtension] = {}
    for section in media.values():
        for identifier, extension in section.extensions.items():
            if merged.setdefault(identifier, extension) is not extension:
                raise SdpError(
                    f"section {section.mid!r}: header extension id {identifier} means {extension.value} here "
                    f"but {merged[identifier].value} in another section of the bundle"
                )
    return merged
