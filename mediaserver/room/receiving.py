"""Which received SSRC is which track: the way from a packet to its stream (RFC 9143, section 9.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from mediaserver.flow.receiver import StreamReceiver
from mediaserver.flow.sender_clock import WallClock
from mediaserver.flow.transport_feedback import FeedbackRecorder
from mediaserver.room.sections import Section, SectionTable
from mediaserver.room.uplink import Uplink
from mediaserver.rtp.extensions import HeaderExtension, parse_extensions
from mediaserver.rtp.packet import RtpPacket
from mediaserver.sdp.codecs import NegotiatedCodec

if TYPE_CHECKING:
    from mediaserver.flow.media_packet import MediaPacket
    from mediaserver.room.track import PublishedTrack
    from mediaserver.sdp.negotiated import NegotiatedMedia

SCALABLE_CODECS = frozenset(("vp9", "av1"))
"""Codecs whose layers may all travel in one stream (SVC)."""


class ReceivingHost(Protocol):
    """The connection the packets come from."""

    def bind_section(self, section: Section) -> None:
        """Look again for the track that a section carries."""

    def uplink_started(self, uplink: Uplink) -> None:
        """The first packet of a stream arrived."""


class StreamTable:
    """The streams a client sends, by SSRC. The number of streams is bounded."""

    def __init__(
        self,
        sections: SectionTable,
        feedback: FeedbackRecorder,
        host: ReceivingHost,
        *,
        own_ssrc: int,
        max_streams: int,
        poll_soon: Callable[[], None],
    ) -> None:
        self.extension_ids: Mapping[int, HeaderExtension] = {}
        self.uplinks: dict[int, Uplink] = {}
        """By the SSRC of the stream itself."""
        self._rtx: dict[int, Uplink] = {}
        self._announced: dict[int, tuple[Section, int | None]] = {}
        self._announced_rtx: dict[int, int] = {}
        self._sections = sections
        self._feedback = feedback
        self._host = host
        self._own_ssrc = own_ssrc
        self._max_streams = max_streams
        self._poll_soon = poll_soon
        self._wall_clock = WallClock()
        """The publisher's, shared by its streams so that they stay together (lip sync)."""
        self.unknown_packets = 0
        """Packets that belonged to no stream (yet)."""

    def announce(self, section: Section, ssrcs: Mapping[int, int | None]) -> None:
        """The client's description names SSRCs of a section, each with that of its retransmissions."""
        for ssrc, rtx in ssrcs.items():
            if len(self._announced) < self._max_streams:
                self._announced[ssrc] = (section, rtx)
                if rtx is not None:
                    self._announced_rtx[rtx] = ssrc

    def receive(self, packet: RtpPacket, arrival: float) -> tuple[Uplink | None, MediaPacket | None]:
        """Account for a packet; what there is to forward, and whose it is. Raises ValueError if damaged."""
        uplink = self.uplinks.get(packet.ssrc)
        if uplink is not None:
            return uplink, uplink.receiver.on_rtp(packet, self.extension_ids, arrival)
        uplink = self._rtx.get(packet.ssrc)
        if uplink is not None:
            return uplink, uplink.receiver.on_rtx(packet, self.extension_ids, arrival)
        return self._receive_first(packet, arrival)

    def forget(self, track: PublishedTrack) -> None:
        """Receive nothing of a track any more."""
        self._drop(uplink for uplink in self.uplinks.values() if uplink.track is track)

    def clear(self) -> None:
        """Forget all streams."""
        self.uplinks.clear()
        self._rtx.clear()

    def _drop(self, uplinks: Iterable[Uplink]) -> None:
        dropped = list(uplinks)
        for table in (self.uplinks, self._rtx):
            for ssrc in [number for number, known in table.items() if known in dropped]:
                del table[ssrc]

    def _receive_first(self, packet: RtpPacket, arrival: float) -> tuple[Uplink | None, MediaPacket | None]:
        values = {
            name: value
            for number, value in parse_extensions(packet)
            if (name := self.extension_ids.get(number)) is not None
        }
        uplink = self._bind_rtx(packet, values)
        if uplink is not None:
            return uplink, uplink.receiver.on_rtx(packet, self.extension_ids, arrival)
        uplink = self._bind(packet, values)
        if uplink is not None:
            return uplink, uplink.receiver.on_rtp(packet, self.extension_ids, arrival)
        self.unknown_packets += 1
        sequence = values.get(HeaderExtension.TRANSPORT_SEQUENCE, b"")
        if len(sequence) == 2:
            # Feedback tells of every packet, or the publisher takes these for lost.
            self._feedback.record(int.from_bytes(sequence, "big"), arrival, packet.ssrc)
        return None, None

    def _full(self) -> bool:
        return len(self.uplinks) + len(self._rtx) >= self._max_streams

    def _section_of(
        self, packet: RtpPacket, values: Mapping[HeaderExtension, bytes]
    ) -> tuple[Section, NegotiatedMedia] | None:
        section = self._announced.get(packet.ssrc, (None, None))[0]
        mid = values.get(HeaderExtension.MID)
        if mid is not None:
            section = self._sections.get(_text(mid)) or section
        if section is None or section.negotiated is None or not section.negotiated.receive:
            return None
        return section, section.negotiated

    def _bind_rtx(self, packet: RtpPacket, values: Mapping[HeaderExtension, bytes]) -> Uplink | None:
        primary = self._announced_rtx.get(packet.ssrc)
        uplink = None if primary is None else self.uplinks.get(primary)
        if uplink is None:
            found = self._section_of(packet, values)
            if found is None or packet.payload_type not in found[1].rtx_payload_types:
                return None
            rid = _text(values.get(HeaderExtension.REPAIRED_RID, b""))
            uplink = next(
                (known for known in self.uplinks.values() if known.mid == found[0].mid and known.rid == rid),
                None,
            )
        if uplink is None or self._full():
            return None
        self._rtx[packet.ssrc] = uplink
        uplink.receiver.rtx_ssrc = packet.ssrc
        return uplink

    def _bind(self, packet: RtpPacket, values: Mapping[HeaderExtension, bytes]) -> Uplink | None:
        found = self._section_of(packet, values)
        if found is None or self._full():
            return None
        section, media = found
        codec = media.codec_of(packet.payload_type)
        rid = _text(values.get(HeaderExtension.RID, b""))
        if codec is None or (media.rids and rid not in media.rids):
            return None
        self._host.bind_section(section)
        if section.track is None:
            return None
        uplink = self._create(packet.ssrc, section, media, section.track, codec, rid)
        self._host.uplink_started(uplink)
        return uplink

    def _create(
        self,
        ssrc: int,
        section: Section,
        media: NegotiatedMedia,
        track: PublishedTrack,
        codec: NegotiatedCodec,
        rid: str,
    ) -> Uplink:
        layer = track.layer_of_rid(rid, media.rids) if rid else 0
        rtx_ssrc = self._announced.get(ssrc, (None, None))[1]
        receiver = StreamReceiver(
            ssrc,
            codec.name,
            codec.clock_rate,
            nack=codec.nack,
            layer=layer,
            rtx_ssrc=rtx_ssrc,
            own_ssrc=self._own_ssrc,
            payload_types={known.payload_type: known.name for known in media.codecs},
            rtx_payload_types=media.rtx_payload_types,
            wall_clock=self._wall_clock,
            feedback=self._feedback,
        )
        uplink = Uplink(track, receiver, section.mid, rid, codec, self._poll_soon)
        former = track.uplinks.get(layer)
        if former is not None:
            self._drop([former])  # the publisher changed its SSRC (RFC 3550, section 8.2)
        track.uplinks[layer] = uplink
        self.uplinks[ssrc] = uplink
        if rtx_ssrc is not None:
            self._rtx[rtx_ssrc] = uplink
        if section.kind == "video":
            if codec.name != track.codec:
                track.update(mime_type=f"video/{codec.name}")
            track.scalable = codec.name in SCALABLE_CODECS and not media.rids and len(track.info.layers) > 1
        return uplink


def _text(value: bytes) -> str:
    """A mid or rid as text; a damaged one becomes something that matches nothing."""
    return value.decode("ascii", "replace")
