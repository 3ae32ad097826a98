"""One connection of a participant: negotiation, and the way of packets from and to its transport."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from mediaserver.clock import monotonic, ntp_now
from mediaserver.flow.forwarder import Forwarder, OutgoingStream
from mediaserver.flow.receiver import StreamReceiver
from mediaserver.flow.transport_feedback import FeedbackRecorder, RembEstimator
from mediaserver.room.limits import RoomLimits
from mediaserver.room.model import TrackKind
from mediaserver.room.sections import KIND_NAMES, Section, SectionTable
from mediaserver.room.uplink import Uplink
from mediaserver.rtp.extensions import HeaderExtension, parse_extensions
from mediaserver.rtp.packet import RtpPacket, parse_rtp
from mediaserver.rtp.rtcp import (
    SDES_CNAME,
    AnyRtcp,
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    SdesChunk,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    pack_compound,
    parse_compound,
)
from mediaserver.sdp.codecs import NegotiatedCodec
from mediaserver.sdp.description import SdpError, SessionDescription
from mediaserver.sdp.negotiate import (
    LocalEndpoint,
    OfferSection,
    SectionPlan,
    SendPlan,
    answer_offer,
    apply_answer,
    create_offer,
)
from mediaserver.sdp.negotiated import NegotiatedMedia, NegotiatedSession
from mediaserver.sdp.parser import parse_sdp
from mediaserver.sdp.writer import write_sdp
from mediaserver.stats import ConnectionStats
from mediaserver.transport.types import RemoteTransport, TransportState

if TYPE_CHECKING:
    from mediaserver.flow.media_packet import MediaPacket
    from mediaserver.room.downlink import Downlink
    from mediaserver.room.track import PublishedTrack
    from mediaserver.transport.front import MediaFront

REPORTS_PER_PACKET = 31
"""Report blocks fit one report (RFC 3550: the count has five bits)."""

RTCP_PACKET_BYTES = 1100
"""Compound packets are cut at about this size, to stay below any usual path MTU."""

MAX_OWN_SECTIONS = 31
"""m-lines of our own offers beside the data section: what `parse_sdp` accepts back."""

SCALABLE_CODECS = frozenset(("vp9", "av1"))
"""Codecs whose layers may all travel in one stream (SVC)."""

RELIABLE_LABEL = "_reliable"
LOSSY_LABEL = "_lossy"
DATA_TRACK_LABEL = "_data_track"


class PeerOwner(Protocol):
    """What a connection tells the participant it belongs to."""

    def answered(self, peer: Peer, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """The client's offer was answered."""

    def offered(self, peer: Peer, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """An offer for the client."""

    def sections_required(self, peer: Peer, audio: int, video: int) -> None:
        """The client has to offer again, with so many more sections."""

    def track_for_section(self, peer: Peer, kind: TrackKind, cid: str) -> PublishedTrack | None:
        """The track that a sending section carries."""

    def may_receive_from_client(self) -> bool:
        """Whether the client may publish at all."""

    def section_ended(self, peer: Peer, track: PublishedTrack) -> None:
        """The client stopped sending a track."""

    def track_started(self, track: PublishedTrack) -> None:
        """A track can be shown to others."""

    def layers_changed(self, track: PublishedTrack) -> None:
        """A simulcast layer appeared."""

    def audio_level(self, track: PublishedTrack, level: int, arrival: float) -> None:
        """A packet of an audio track said how loud it is (RFC 6464, 0 loudest to 127)."""

    def peer_state_changed(self, peer: Peer, state: TransportState) -> None:
        """The transport changed its state."""

    def data_channel_opened(self, peer: Peer, label: str) -> None:
        """A data channel can be used."""

    def data_received(self, peer: Peer, label: str, payload: bytes) -> None:
        """Something arrived on a data channel."""


class Peer:
    """A peer connection seen from the server: an ICE/DTLS association and what is negotiated on it.

    It answers the client's offers, or (`offering`) makes the offers itself.
    """

    def __init__(
        self, front: MediaFront, owner: PeerOwner, limits: RoomLimits, *, offering: bool = False
    ) -> None:
        self.owner = owner
        self.offering = offering
        self._front = front
        self._limits = limits
        self.transport = front.create_transport(self)
        self.own_ssrc = secrets.randbits(32) or 1
        """Sender SSRC of our feedback messages."""
        self._cname = secrets.token_urlsafe(12)
        self._session_id = secrets.randbits(62)
        self._session_version = 0
        self._remote: RemoteTransport | None = None
        self._negotiated: NegotiatedSession | None = None
        self._sections = SectionTable()
        self._extension_ids: Mapping[int, HeaderExtension] = {}
        self._feedback = FeedbackRecorder(self.own_ssrc)
        self._remb: RembEstimator | None = None
        self._uplinks: dict[int, Uplink] = {}
        self._rtx: dict[int, Uplink] = {}
        self._downlinks: dict[int, Downlink] = {}
        self._announced_ssrcs: dict[int, tuple[Section, int | None]] = {}
        self._announced_rtx: dict[int, int] = {}
        self._scheduled = False
        self._asked = False
        self._offer: SessionDescription | None = None
        self._offer_id = 0
        self._offer_again = False
        self._channels_opened = False
        self._closed = False
        self.urgent = False
        """Something is due before the next regular poll (a NACK or key frame request)."""
        self.available_outgoing_bitrate: float | None = None
        self.dropped_packets = 0
        """Packets that were damaged or belonged to no known stream."""

    # Negotiation: the client offers --------------------------------------------------------------

    def accept_offer(self, sdp: str, offer_id: int) -> None:
        """Answer a client's offer; raises `SdpError`, in which case nothing changed."""
        offer = self._parse(sdp)
        self._note_offered_sections(offer)
        self._sections.place_waiting()
        remote_ufrag = next((m.ice_ufrag for m in offer.media if m.ice_ufrag), None)
        if self._remote is not None and remote_ufrag and remote_ufrag != self._remote.ufrag:
            self._restart_for(offer)
        plans = {section.mid: self._plan(section) for section in self._sections}
        answer, session = answer_offer(offer, self._local(), plans)
        self._connect(session)
        self._sections.described()
        self._apply(session)
        self._asked = False
        self.owner.answered(self, write_sdp(answer), offer_id, self._sections.mid_to_track())
        self._negotiate_soon()

    def _parse(self, sdp: str) -> SessionDescription:
        if len(sdp) > self._limits.max_sdp_bytes:
            raise SdpError(f"the description is longer than {self._limits.max_sdp_bytes} bytes")
        return parse_sdp(sdp)

    def _note_offered_sections(self, offer: SessionDescription) -> None:
        for media in offer.media:
            if media.kind not in ("audio", "video") or not media.mid:
                continue
            section = self._sections.ensure(media.mid, media.kind)
            section.client_receives = media.direction.receives and not media.rejected
            section.cid = media.msids[0].track_id if media.msids and media.direction.sends else ""
            if section.downlink is not None and not section.client_receives:
                self._sections.waiting.append(section.downlink)
                section.downlink.mid = None
                section.downlink = None

    def _plan(self, section: Section) -> SectionPlan:
        preferred: tuple[str, ...] = ("red", "opus") if section.kind == "audio" else ()
        track = section.track
        if track is None and section.cid:
            track = self._track_for(section)
        if track is not None:
            wished = tuple(codec.mime_type for codec in track.request.codecs)
            if section.kind == "video":
                preferred = wished
            elif track.info.disable_red or track.encrypted:
                preferred = ("opus",)
        send = None
        if section.downlink is not None:
            send = self._send_plan(section.downlink)
        return SectionPlan(
            receive=self.owner.may_receive_from_client(), send=send, preferred_codecs=preferred
        )

    def _send_plan(self, downlink: Downlink) -> SendPlan:
        info = downlink.track.info
        if not downlink.ssrc:
            downlink.ssrc = self._new_ssrc()
            downlink.rtx_ssrc = self._new_ssrc() if info.kind is TrackKind.VIDEO else 0
        return SendPlan(
            stream_id=downlink.stream_id,
            track_id=downlink.track_id,
            ssrc=downlink.ssrc,
            rtx_ssrc=downlink.rtx_ssrc or None,
            codec=downlink.track.codec if info.kind is TrackKind.VIDEO else None,
            stereo=info.stereo,
        )

    def _new_ssrc(self) -> int:
        while True:
            ssrc = secrets.randbits(32)
            if ssrc and ssrc not in self._downlinks:
                return ssrc

    def _local(self) -> LocalEndpoint:
        self._session_version += 1
        return LocalEndpoint(
            ufrag=self.transport.local_ufrag,
            password=self.transport.local_password,
            fingerprint=self.transport.fingerprint,
            candidates=self._front.candidates(),
            session_id=self._session_id,
            session_version=self._session_version,
            cname=self._cname,
        )

    def _restart_for(self, offer: SessionDescription) -> None:
        """The client restarts ICE (RFC 8839, section 5.4): new credentials for our side too."""
        media = next(m for m in offer.media if m.ice_ufrag)
        if media.ice_ufrag is None or media.ice_password is None or self._remote is None:
            raise SdpError("the offer restarts ICE without a=ice-pwd")
        self._remote = RemoteTransport(
            media.ice_ufrag,
            media.ice_password,
            self._remote.fingerprints,
            self._remote.sctp_port,
            self._remote.max_message_bytes,
        )
        self.transport.restart_ice(self._remote)

    def _connect(self, session: NegotiatedSession) -> None:
        self._negotiated = session
        if self._remote is None:
            self._remote = RemoteTransport(
                session.remote_ufrag,
                session.remote_password,
                session.remote_fingerprints,
                5000 if session.data_channel else None,
                session.max_message_size,
            )
            self.transport.start(self._remote)

    def _apply(self, session: NegotiatedSession) -> None:
        self._extension_ids = session.extensions
        for mid, media in session.media.items():
            section = self._sections.ensure(mid, media.kind)
            section.negotiated = media
            self._apply_uplink(section, media)
            if media.send and section.downlink is not None:
                self._apply_downlink(section, media, section.downlink)
        for section in self._sections:
            if section.track is not None and section.mid not in session.media:
                self._end_uplink(section)

    def _apply_uplink(self, section: Section, media: NegotiatedMedia) -> None:
        if not media.receive:
            if section.track is not None:
                self._end_uplink(section)
            return
        section.cid = media.track_id or section.cid
        if section.track is not None and section.cid and section.cid not in section.track.cids:
            self._end_uplink(section)
        for ssrc, rtx in media.ssrcs.items():
            if len(self._announced_ssrcs) < self._limits.max_streams_per_peer:
                self._announced_ssrcs[ssrc] = (section, rtx)
                if rtx is not None:
                    self._announced_rtx[rtx] = ssrc
        self._bind_section(section)

    def _track_for(self, section: Section) -> PublishedTrack | None:
        kind = TrackKind.AUDIO if section.kind == "audio" else TrackKind.VIDEO
        return self.owner.track_for_section(self, kind, section.cid)

    def _bind_section(self, section: Section) -> None:
        media = section.negotiated
        if section.track is not None or media is None or not media.receive:
            return
        track = self._track_for(section)
        if track is None:
            return
        section.track = track
        changes: dict[str, object] = {"mid": section.mid}
        if track.info.kind is TrackKind.VIDEO and media.codecs and not track.request.codecs:
            changes["mime_type"] = f"video/{media.codecs[0].name}"
        if track.info.kind is TrackKind.AUDIO:
            changes["mime_type"] = "audio/opus"
        if len(media.rids) > 1:
            changes["simulcast"] = True
        track.update(**changes)
        if track.info.muted:
            self.owner.track_started(track)

    def bind_waiting_sections(self) -> None:
        """A track was announced: its section may have been offered before."""
        for section in self._sections:
            self._bind_section(section)

    def _end_uplink(self, section: Section) -> None:
        track, section.track = section.track, None
        if track is not None:
            self.release_track(track)
            self.owner.section_ended(self, track)

    def release_track(self, track: PublishedTrack) -> None:
        """Receive nothing of a track any more."""
        for table in (self._uplinks, self._rtx):
            for ssrc in [ssrc for ssrc, uplink in table.items() if uplink.track is track]:
                del table[ssrc]
        for section in self._sections:
            if section.track is track:
                section.track = None

    # Negotiation: the server offers --------------------------------------------------------------

    def start_offering(self) -> None:
        """Make the first offer: data channels, and what is waiting to be received."""
        if not self._channels_opened:
            self._channels_opened = True
            self.transport.data.open_channel(RELIABLE_LABEL, ordered=True)
            self.transport.data.open_channel(LOSSY_LABEL, ordered=False, max_retransmits=0)
        self._make_offer()

    def _make_offer(self) -> None:
        if self._offer is not None:
            self._offer_again = True
            return
        while any(self._sections.missing()) and len(self._sections.sections) < MAX_OWN_SECTIONS:
            audio, _ = self._sections.missing()
            mid = str(len(self._sections.sections) + 1)
            section = self._sections.ensure(mid, "audio" if audio else "video")
            section.client_receives = True
        self._sections.place_waiting()
        self._offer = create_offer(
            self._local(),
            [
                OfferSection(
                    section.mid,
                    section.kind,
                    None if section.downlink is None else self._send_plan(section.downlink),
                )
                for section in self._sections
            ],
        )
        self._offer_id += 1
        self._sections.described()
        self.owner.offered(self, write_sdp(self._offer), self._offer_id, self._sections.mid_to_track())

    def accept_answer(self, sdp: str, offer_id: int) -> None:
        """Take the client's answer; one to an offer that is no longer open is ignored. Raises `SdpError`."""
        if self._offer is None or (offer_id and offer_id != self._offer_id):
            return
        answer = self._parse(sdp)
        session = apply_answer(self._offer, answer)
        self._offer = None
        if self._remote is not None and session.remote_ufrag != self._remote.ufrag:
            self._remote = RemoteTransport(
                session.remote_ufrag,
                session.remote_password,
                self._remote.fingerprints,
                self._remote.sctp_port,
                self._remote.max_message_bytes,
            )
            self.transport.update_remote(self._remote)
        self._connect(session)
        self._apply(session)
        if self._offer_again:
            self._offer_again = False
            self._make_offer()
        else:
            self._negotiate_soon()

    def restart_ice(self) -> None:
        """Offer new ICE credentials; media goes on over the old ones until the client uses the new."""
        if self._remote is None:
            self._offer = None
            self.start_offering()
            return
        self._offer = None
        self.transport.restart_ice(self._remote)
        self._make_offer()

    def resumed(self) -> None:
        """The client has a new signalling connection: what was asked over the old one may be lost."""
        self._asked = False
        if not self.offering:
            self._negotiate_soon()

    # Negotiation: downlinks ----------------------------------------------------------------------

    def add_downlink(self, downlink: Downlink) -> None:
        """Send a track as soon as a section is negotiated for it."""
        self._sections.waiting.append(downlink)
        self._negotiate_soon()

    def remove_downlink(self, downlink: Downlink, *, negotiate: bool = False) -> None:
        """Stop sending a track; `negotiate` tells the client now, otherwise the next offer will."""
        described = self._sections.remove(downlink)
        self._downlinks.pop(downlink.ssrc, None)
        if described and negotiate and not self._closed:
            self._asked = False
            self._negotiate_soon(force=True)

    def _negotiate_soon(self, *, force: bool = False) -> None:
        if self._closed or self._scheduled or not (force or self._sections.waiting):
            return
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._negotiate, force)

    def _negotiate(self, force: bool) -> None:
        self._scheduled = False
        if self._closed or not (force or self._sections.waiting):
            return
        if self.offering:
            if self._channels_opened:
                self._make_offer()
        elif self._negotiated is not None and not self._asked:
            self._asked = True
            self.owner.sections_required(self, *self._sections.missing())

    def _apply_downlink(self, section: Section, media: NegotiatedMedia, downlink: Downlink) -> None:
        if downlink.forwarder is not None and self._downlinks.get(downlink.ssrc) is downlink:
            return
        track = downlink.track
        codec = media.payload_type_for(track.codec)
        if codec is None:
            downlink.unsupported()
            return
        red = media.payload_type_for("red") if track.info.kind is TrackKind.AUDIO else None
        self._downlinks[downlink.ssrc] = downlink
        downlink.ready(Forwarder(self._outgoing(section, media, downlink, codec, red), self.transport.queue))

    def _outgoing(
        self,
        section: Section,
        media: NegotiatedMedia,
        downlink: Downlink,
        codec: NegotiatedCodec,
        red: NegotiatedCodec | None,
    ) -> OutgoingStream:
        return OutgoingStream(
            ssrc=downlink.ssrc,
            payload_type=codec.payload_type,
            clock_rate=codec.clock_rate,
            codec=codec.name,
            rtx_ssrc=downlink.rtx_ssrc or None,
            rtx_payload_type=codec.rtx_payload_type,
            red_payload_type=None if red is None else red.payload_type,
            mid=section.mid,
            extension_ids={extension: number for number, extension in media.extensions.items()},
        )

    # Packets in ----------------------------------------------------------------------------------

    def on_rtp(self, data: bytes, arrival: float) -> None:
        """A decrypted RTP packet: to its stream, then to everybody who receives the track."""
        try:
            packet = parse_rtp(data)
            uplink = self._uplinks.get(packet.ssrc)
            if uplink is not None:
                media = uplink.receiver.on_rtp(packet, self._extension_ids, arrival)
            else:
                rtx = self._rtx.get(packet.ssrc)
                if rtx is not None:
                    uplink = rtx
                    media = uplink.receiver.on_rtx(packet, self._extension_ids, arrival)
                else:
                    uplink, media = self._first_packet(packet, arrival)
        except ValueError:
            self.dropped_packets += 1
            return
        if uplink is None or media is None:
            return
        if media.audio_level is not None:
            self.owner.audio_level(uplink.track, media.audio_level, arrival)
        uplink.track.deliver(media)
        if not self.urgent and uplink.receiver.deadline() is not None:
            self.urgent = True

    def _first_packet(self, packet: RtpPacket, arrival: float) -> tuple[Uplink | None, MediaPacket | None]:
        found = self._bind_ssrc(packet)
        if found is None:
            self.dropped_packets += 1
            self._record_unknown(packet, arrival)
            return None, None
        uplink, is_rtx = found
        if is_rtx:
            return uplink, uplink.receiver.on_rtx(packet, self._extension_ids, arrival)
        return uplink, uplink.receiver.on_rtp(packet, self._extension_ids, arrival)

    def _record_unknown(self, packet: RtpPacket, arrival: float) -> None:
        """Feedback counts packets of streams not bound yet too, or the publisher would see losses."""
        for number, value in parse_extensions(packet):
            if self._extension_ids.get(number) is HeaderExtension.TRANSPORT_SEQUENCE and len(value) == 2:
                self._feedback.record(int.from_bytes(value, "big"), arrival, packet.ssrc)

    def _bind_ssrc(self, packet: RtpPacket) -> tuple[Uplink, bool] | None:
        """Find the section and layer of an SSRC seen for the first time (RFC 9143, section 9.2)."""
        if len(self._uplinks) + len(self._rtx) >= self._limits.max_streams_per_peer:
            return None
        ids = {name: value for number, value in parse_extensions(packet)
               if (name := self._extension_ids.get(number)) is not None}  # fmt: skip
        primary = self._announced_rtx.get(packet.ssrc)
        if primary is not None:
            uplink = self._uplinks.get(primary)
            return None if uplink is None else self._bind_rtx(packet.ssrc, uplink)
        section, rtx_ssrc = self._announced_ssrcs.get(packet.ssrc, (None, None))
        if HeaderExtension.MID in ids:
            section = self._sections.get(_text(ids[HeaderExtension.MID])) or section
        if section is None or section.negotiated is None:
            return None
        media = section.negotiated
        if packet.payload_type in media.rtx_payload_types:
            rid = _text(ids.get(HeaderExtension.REPAIRED_RID, b""))
            for uplink in self._uplinks.values():
                if uplink.mid == section.mid and uplink.rid == rid:
                    return self._bind_rtx(packet.ssrc, uplink)
            return None
        codec = media.codec_of(packet.payload_type)
        if codec is None or not media.receive:
            return None
        rid = _text(ids.get(HeaderExtension.RID, b""))
        if media.rids and not rid and packet.ssrc not in self._announced_ssrcs:
            return None
        self._bind_section(section)
        track = section.track
        if track is None:
            return None
        return self._bind_uplink(packet.ssrc, rtx_ssrc, section, track, codec, rid), False

    def _bind_rtx(self, ssrc: int, uplink: Uplink) -> tuple[Uplink, bool]:
        self._rtx[ssrc] = uplink
        uplink.receiver.rtx_ssrc = ssrc
        return uplink, True

    def _bind_uplink(
        self,
        ssrc: int,
        rtx_ssrc: int | None,
        section: Section,
        track: PublishedTrack,
        codec: NegotiatedCodec,
        rid: str,
    ) -> Uplink:
        media = section.negotiated
        assert media is not None
        layer = track.layer_of_rid(rid, media.rids) if rid else 0
        receiver = StreamReceiver(
            ssrc,
            codec.name,
            codec.clock_rate,
            nack=codec.nack,
            layer=layer,
            rtx_ssrc=rtx_ssrc,
            own_ssrc=self.own_ssrc,
            payload_types={c.payload_type: c.name for c in media.codecs},
            rtx_payload_types=media.rtx_payload_types,
            feedback=self._feedback,
        )
        if codec.remb and not codec.transport_cc and self._remb is None:
            self._remb = RembEstimator(self.own_ssrc)
        uplink = Uplink(track, receiver, section.mid, rid, self._poll_soon)
        before = track.uplinks.get(layer)
        if before is not None:
            for table in (self._uplinks, self._rtx):
                for old in [number for number, known in table.items() if known is before]:
                    del table[old]
        track.uplinks[layer] = uplink
        self._uplinks[ssrc] = uplink
        if rtx_ssrc is not None:
            self._rtx[rtx_ssrc] = uplink
        if section.kind == "video":
            if codec.name != track.codec:
                track.update(mime_type=f"video/{codec.name}")
            track.scalable = codec.name in SCALABLE_CODECS and not media.rids and len(track.info.layers) > 1
        self.owner.track_started(track)
        self.owner.layers_changed(track)
        return uplink

    def on_rtcp(self, data: bytes, arrival: float) -> None:
        """A decrypted compound RTCP packet from the client."""
        try:
            messages = parse_compound(data)
        except ValueError:
            self.dropped_packets += 1
            return
        for message in messages:
            self._on_rtcp_message(message, arrival)

    def _on_rtcp_message(self, message: AnyRtcp, now: float) -> None:
        if isinstance(message, SenderReport):
            uplink = self._uplinks.get(message.ssrc)
            if uplink is not None:
                uplink.receiver.on_sender_report(message, now)
                for sink in uplink.track.sinks:
                    sink.on_sender_report(uplink.track, message.ntp_time, message.rtp_timestamp, now)
            self._on_reports(message.reports, now)
        elif isinstance(message, ReceiverReport):
            self._on_reports(message.reports, now)
        elif isinstance(message, Nack):
            downlink = self._downlinks.get(message.media_ssrc)
            if downlink is not None and downlink.forwarder is not None:
                downlink.forwarder.on_nack(message.lost, now)
        elif isinstance(message, Pli):
            self._keyframe_wanted(message.media_ssrc, now)
        elif isinstance(message, Fir):
            for ssrc, _ in message.entries:
                self._keyframe_wanted(ssrc, now, full=True)
        elif isinstance(message, TransportFeedback):
            self.transport.queue.sent.on_feedback(message, now)
        elif isinstance(message, Remb):
            self.available_outgoing_bitrate = float(message.bitrate_bps)

    def _on_reports(self, reports: Sequence[ReportBlock], now: float) -> None:
        for block in reports:
            downlink = self._downlinks.get(block.ssrc)
            if downlink is not None and downlink.forwarder is not None:
                downlink.forwarder.on_report_block(block, now)

    def _keyframe_wanted(self, ssrc: int, now: float, *, full: bool = False) -> None:
        downlink = self._downlinks.get(ssrc)
        if downlink is None or downlink.forwarder is None:
            return
        downlink.forwarder.on_keyframe_request(full=full)
        downlink.request_keyframe_if_needed(now)

    # Time ----------------------------------------------------------------------------------------

    def _poll_soon(self) -> None:
        if not self.urgent and not self._closed:
            self.urgent = True
            asyncio.get_running_loop().call_soon(self._poll_urgent)

    def _poll_urgent(self) -> None:
        if not self._closed:
            self.poll(monotonic())
            self._front.schedule_flush()

    def poll(self, now: float) -> None:
        """Say what is due: NACKs, key frame requests, transport-wide feedback."""
        messages: list[AnyRtcp] = []
        urgent = False
        for uplink in self._uplinks.values():
            deadline = uplink.receiver.deadline()
            if deadline is None:
                continue
            if deadline <= now:
                messages.extend(uplink.receiver.poll(now))
            urgent = True
        self.urgent = urgent
        messages.extend(self._feedback.poll(now))
        for downlink in self._downlinks.values():
            downlink.request_keyframe_if_needed(now)
        self._send(messages)

    def report(self, now: float) -> None:
        """Once a second: sender reports of what we send, receiver reports of what we receive, REMB."""
        if self.transport.state is not TransportState.CONNECTED:
            return
        blocks = [uplink.receiver.report_block(now) for uplink in self._uplinks.values()]
        messages: list[AnyRtcp] = [
            ReceiverReport(self.own_ssrc, tuple(blocks[start : start + REPORTS_PER_PACKET]))
            for start in range(0, max(len(blocks), 1), REPORTS_PER_PACKET)
        ]
        ntp = ntp_now()
        cname = ((SDES_CNAME, self._cname.encode()),)
        described = [SdesChunk(self.own_ssrc, cname)]
        for downlink in self._downlinks.values():
            if downlink.forwarder is None:
                continue
            report = downlink.forwarder.sender_report(now, ntp)
            if report is not None:
                messages.append(report)
                described.append(SdesChunk(downlink.ssrc, cname))
        messages.extend(
            SourceDescription(tuple(described[start : start + REPORTS_PER_PACKET]))
            for start in range(0, len(described), REPORTS_PER_PACKET)
        )
        if self._remb is not None and self._uplinks:
            stats = [uplink.receiver.stats(now) for uplink in self._uplinks.values()]
            remb = self._remb.poll(
                now,
                sum(stream.bitrate for stream in stats),
                max(stream.fraction_lost for stream in stats),
                tuple(self._uplinks),
            )
            if remb is not None:
                messages.append(remb)
        self._send(messages)

    def _send(self, messages: Sequence[AnyRtcp]) -> None:
        if not messages or self.transport.state not in (
            TransportState.CONNECTED,
            TransportState.DISCONNECTED,
        ):
            return
        part: list[AnyRtcp] = []
        size = 0
        for message in messages:
            length = len(message.pack())
            if part and size + length > RTCP_PACKET_BYTES:
                self.transport.send_rtcp(pack_compound(part))
                part, size = [], 0
            part.append(message)
            size += length
        self.transport.send_rtcp(pack_compound(part))

    # Other events of the transport ---------------------------------------------------------------

    def on_transport_state(self, state: TransportState) -> None:
        """The transport came up, was interrupted, or is gone."""
        if state is TransportState.CONNECTED:
            now = monotonic()
            for downlink in self._downlinks.values():
                downlink.request_keyframe_if_needed(now)
        self.owner.peer_state_changed(self, state)

    def on_data_channel_open(self, label: str) -> None:
        """A data channel can be used."""
        self.owner.data_channel_opened(self, label)

    def on_data(self, label: str, payload: bytes) -> None:
        """A message on a data channel."""
        self.owner.data_received(self, label, payload)

    def close(self) -> None:
        """End the connection."""
        if not self._closed:
            self._closed = True
            self.transport.close()
            self._uplinks.clear()
            self._rtx.clear()
            self._downlinks.clear()

    # For statistics ------------------------------------------------------------------------------

    @property
    def uplinks(self) -> list[Uplink]:
        """The streams received."""
        return list(self._uplinks.values())

    @property
    def downlinks(self) -> list[Downlink]:
        """The tracks sent."""
        return list(self._downlinks.values())

    @property
    def round_trip_time(self) -> float | None:
        """Seconds to the client and back, as well as it is known."""
        times = [
            time
            for downlink in self._downlinks.values()
            if downlink.forwarder is not None and (time := downlink.forwarder.round_trip_time) is not None
        ]
        if times:
            return min(times)
        return self.transport.queue.sent.round_trip_time

    def connection_stats(self) -> ConnectionStats:
        """The connection in figures."""
        stats = self.transport.stats()
        remote = stats.remote_address
        return ConnectionStats(
            state=stats.state.value,
            protocol=stats.protocol or "",
            remote_address="" if remote is None else f"{remote[0]}:{remote[1]}",
            srtp_profile=stats.srtp_suite or "",
            round_trip_time=self.round_trip_time,
            available_outgoing_bitrate=self.available_outgoing_bitrate,
        )


def _text(value: bytes) -> str:
    """A mid or rid as text; damaged ones become something that matches nothing."""
    return value.decode("ascii", "replace")


__all__ = ["KIND_NAMES", "Peer", "PeerOwner"]
