"""One connection of a participant: the way of packets from and to its transport."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from mediaserver.clock import monotonic, ntp_now
from mediaserver.flow.forwarder import Forwarder, OutgoingStream
from mediaserver.flow.transport_feedback import FeedbackRecorder, RembEstimator
from mediaserver.room.limits import RoomLimits
from mediaserver.room.model import TrackKind
from mediaserver.room.negotiation import Negotiation
from mediaserver.room.receiving import StreamTable
from mediaserver.room.sections import Section
from mediaserver.room.uplink import Uplink
from mediaserver.rtp.packet import parse_rtp
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
    parse_compound,
)
from mediaserver.sdp.negotiated import NegotiatedMedia, NegotiatedSession
from mediaserver.stats import ConnectionStats
from mediaserver.transport.types import TransportState

if TYPE_CHECKING:
    from mediaserver.room.downlink import Downlink
    from mediaserver.room.track import PublishedTrack
    from mediaserver.transport.front import MediaFront

REPORTS_PER_PACKET = 31
"""Blocks or chunks that fit one report (RFC 3550: the count has five bits)."""

RTCP_PACKET_BYTES = 1100
"""Compound packets are cut at about this size, to stay below any usual path MTU."""

RELIABLE_LABEL = "_reliable"
LOSSY_LABEL = "_lossy"
"""LiveKit's names of the two data channels for data packets."""


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
    """A peer connection seen from the server: an ICE/DTLS association and the streams on it.

    The client makes the offers, or (`offering`) the server does.
    """

    def __init__(
        self, front: MediaFront, owner: PeerOwner, limits: RoomLimits, *, offering: bool = False
    ) -> None:
        self.owner = owner
        self._front = front
        self.transport = front.create_transport(self)
        self.own_ssrc = secrets.randbits(32) or 1
        """Sender SSRC of our feedback messages."""
        self._cname = secrets.token_urlsafe(12)
        self._used_ssrcs = {self.own_ssrc}
        self._feedback = FeedbackRecorder(self.own_ssrc)
        self._remb: RembEstimator | None = None
        self._negotiation = Negotiation(
            front, self.transport, self, limits, offering=offering, cname=self._cname
        )
        self._streams = StreamTable(
            self._negotiation.sections,
            self._feedback,
            self,
            own_ssrc=self.own_ssrc,
            max_streams=limits.max_streams_per_peer,
            poll_soon=self._poll_soon,
        )
        self._downlinks: dict[int, Downlink] = {}
        self._offering = offering
        self._channels_opened = False
        self._closed = False
        self.urgent = False
        """Something is due before the next regular poll (a NACK or key frame request)."""
        self.available_outgoing_bitrate: float | None = None
        self.damaged_packets = 0

    # Negotiation ---------------------------------------------------------------------------------

    def accept_offer(self, sdp: str, offer_id: int) -> None:
        """Answer a client's offer; raises `SdpError`."""
        self._negotiation.accept_offer(sdp, offer_id)

    def accept_answer(self, sdp: str, offer_id: int) -> None:
        """Take a client's answer to our offer; raises `SdpError`."""
        self._negotiation.accept_answer(sdp, offer_id)

    def start_offering(self) -> None:
        """Make the first offer: data channels, and what waits to be received."""
        if not self._channels_opened:
            self._channels_opened = True
            self.transport.data.open_channel(RELIABLE_LABEL, ordered=True)
            self.transport.data.open_channel(LOSSY_LABEL, ordered=False, max_retransmits=0)
        self._negotiation.start_offering()

    def resumed(self) -> None:
        """The client has a new signalling connection."""
        self._negotiation.resumed()
        if self._offering:
            self._negotiation.restart_ice()

    def add_downlink(self, downlink: Downlink) -> None:
        """Send a track as soon as a section is negotiated for it."""
        self._negotiation.add(downlink)

    def remove_downlink(self, downlink: Downlink, *, negotiate: bool = False) -> None:
        """Stop sending a track; `negotiate` tells the client now, otherwise the next exchange will."""
        self._downlinks.pop(downlink.ssrc, None)
        self._negotiation.remove(downlink, at_once=negotiate)

    def bind_waiting_sections(self) -> None:
        """A track was announced: its section may have been offered before."""
        for section in self._negotiation.sections:
            self.bind_section(section)

    def release_track(self, track: PublishedTrack) -> None:
        """Receive nothing of a track any more."""
        self._streams.forget(track)
        for section in self._negotiation.sections:
            if section.track is track:
                section.track = None

    # NegotiationHost

    def track_of_section(self, section: Section) -> PublishedTrack | None:
        """The track the client announced for what it sends in a section."""
        kind = TrackKind.AUDIO if section.kind == "audio" else TrackKind.VIDEO
        return self.owner.track_for_section(self, kind, section.cid)

    def may_publish(self) -> bool:
        """Whether sections in which the client sends are accepted."""
        return self.owner.may_receive_from_client()

    def allocate_ssrc(self) -> int:
        """An SSRC that was never used on this connection."""
        while True:
            ssrc = secrets.randbits(32)
            if ssrc and ssrc not in self._used_ssrcs:
                self._used_ssrcs.add(ssrc)
                return ssrc

    def say_answer(self, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """The answer for the client."""
        self.owner.answered(self, sdp, offer_id, mid_to_track)

    def say_offer(self, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """An offer for the client."""
        self.owner.offered(self, sdp, offer_id, mid_to_track)

    def ask_for_offer(self, audio: int, video: int) -> None:
        """The client has to offer again."""
        self.owner.sections_required(self, audio, video)

    def negotiated(self, session: NegotiatedSession) -> None:
        """An exchange is complete: begin and end streams accordingly."""
        self._streams.extension_ids = session.extensions
        for section in self._negotiation.sections:
            media = session.media.get(section.mid)
            section.negotiated = media
            if media is None or not media.receive:
                self._end_uplink(section)
            else:
                self._begin_uplink(section, media)
            if media is not None and media.send and section.downlink is not None:
                self._begin_downlink(section, media, section.downlink)

    def _begin_uplink(self, section: Section, media: NegotiatedMedia) -> None:
        section.cid = media.track_id or section.cid
        if section.track is not None and section.cid and section.cid not in section.track.cids:
            self._end_uplink(section)
        self._streams.announce(section, media.ssrcs)
        self.bind_section(section)

    def _end_uplink(self, section: Section) -> None:
        track = section.track
        if track is not None:
            self.release_track(track)
            self.owner.section_ended(self, track)

    def bind_section(self, section: Section) -> None:
        """Look (again) for the track that a sending section carries."""
        media = section.negotiated
        if section.track is not None or media is None or not media.receive:
            return
        track = self.track_of_section(section)
        if track is None:
            return
        section.track = track
        changes: dict[str, object] = {"mid": section.mid}
        if track.info.kind is TrackKind.AUDIO:
            changes["mime_type"] = "audio/opus"
        elif media.codecs and not track.request.codecs:
            changes["mime_type"] = f"video/{media.codecs[0].name}"
        if len(media.rids) > 1:
            changes["simulcast"] = True
        track.update(**changes)
        if track.info.muted:
            self.owner.track_started(track)

    def _begin_downlink(self, section: Section, media: NegotiatedMedia, downlink: Downlink) -> None:
        if self._downlinks.get(downlink.ssrc) is downlink:
            return
        track = downlink.track
        codec = media.payload_type_for(track.codec)
        if codec is None:
            downlink.unsupported()
            return
        red = media.payload_type_for("red") if track.info.kind is TrackKind.AUDIO else None
        self._downlinks[downlink.ssrc] = downlink
        stream = OutgoingStream(
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
        downlink.ready(Forwarder(stream, self.transport.queue))

    # ReceivingHost

    def uplink_started(self, uplink: Uplink) -> None:
        """The first packet of a stream arrived."""
        if uplink.codec.remb and not uplink.codec.transport_cc and self._remb is None:
            self._remb = RembEstimator(self.own_ssrc)
        self.owner.track_started(uplink.track)
        self.owner.layers_changed(uplink.track)

    # Packets in ----------------------------------------------------------------------------------

    def on_rtp(self, data: bytes, arrival: float) -> None:
        """A decrypted RTP packet: to its stream, then to everybody who receives the track."""
        try:
            uplink, media = self._streams.receive(parse_rtp(data), arrival)
        except ValueError:
            self.damaged_packets += 1
            return
        if uplink is None or media is None:
            return
        track = uplink.track
        if media.audio_level is not None:
            self.owner.audio_level(track, media.audio_level, arrival)
        track.deliver(media)
        if not self.urgent and uplink.receiver.deadline() is not None:
            self.urgent = True

    def on_rtcp(self, data: bytes, arrival: float) -> None:
        """A decrypted compound RTCP packet from the client."""
        try:
            messages = parse_compound(data)
        except ValueError:
            self.damaged_packets += 1
            return
        for message in messages:
            self._on_rtcp_message(message, arrival)

    def _on_rtcp_message(self, message: AnyRtcp, now: float) -> None:
        if isinstance(message, SenderReport):
            uplink = self._streams.uplinks.get(message.ssrc)
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
            self._on_keyframe_request(message.media_ssrc, now, full=False)
        elif isinstance(message, Fir):
            for ssrc, _ in message.entries:
                self._on_keyframe_request(ssrc, now, full=True)
        elif isinstance(message, TransportFeedback):
            self.transport.queue.sent.on_feedback(message, now)
        elif isinstance(message, Remb):
            self.available_outgoing_bitrate = float(message.bitrate_bps)

    def _on_reports(self, reports: Sequence[ReportBlock], now: float) -> None:
        for block in reports:
            downlink = self._downlinks.get(block.ssrc)
            if downlink is not None and downlink.forwarder is not None:
                downlink.forwarder.on_report_block(block, now)

    def _on_keyframe_request(self, ssrc: int, now: float, *, full: bool) -> None:
        downlink = self._downlinks.get(ssrc)
        if downlink is not None and downlink.forwarder is not None:
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
        for uplink in self._streams.uplinks.values():
            deadline = uplink.receiver.deadline()
            if deadline is not None:
                urgent = True
                if deadline <= now:
                    messages.extend(uplink.receiver.poll(now))
        self.urgent = urgent
        messages.extend(self._feedback.poll(now))
        for downlink in self._downlinks.values():
            downlink.request_keyframe_if_needed(now)
        self._send(messages)

    def report(self, now: float) -> None:
        """Once a second: sender reports of what we send, receiver reports of what we receive, REMB."""
        if self.transport.state is not TransportState.CONNECTED:
            return
        blocks = [uplink.receiver.report_block(now) for uplink in self._streams.uplinks.values()]
        messages: list[AnyRtcp] = [
            ReceiverReport(self.own_ssrc, tuple(blocks[start : start + REPORTS_PER_PACKET]))
            for start in range(0, max(len(blocks), 1), REPORTS_PER_PACKET)
        ]
        cname = ((SDES_CNAME, self._cname.encode()),)
        chunks = [SdesChunk(self.own_ssrc, cname)]
        ntp = ntp_now()
        for downlink in self._downlinks.values():
            report = None if downlink.forwarder is None else downlink.forwarder.sender_report(now, ntp)
            if report is not None:
                messages.append(report)
                chunks.append(SdesChunk(downlink.ssrc, cname))
        messages.extend(
            SourceDescription(tuple(chunks[start : start + REPORTS_PER_PACKET]))
            for start in range(0, len(chunks), REPORTS_PER_PACKET)
        )
        remb = self._remb_message(now)
        if remb is not None:
            messages.append(remb)
        self._send(messages)

    def _remb_message(self, now: float) -> Remb | None:
        if self._remb is None or not self._streams.uplinks:
            return None
        stats = [uplink.receiver.stats(now) for uplink in self._streams.uplinks.values()]
        return self._remb.poll(
            now,
            sum(stream.bitrate for stream in stats),
            max(stream.fraction_lost for stream in stats),
            tuple(self._streams.uplinks),
        )

    def _send(self, messages: Sequence[AnyRtcp]) -> None:
        if not messages or self.transport.state is not TransportState.CONNECTED:
            return
        part: list[bytes] = []
        size = 0
        for message in messages:
            packed = message.pack()
            if part and size + len(packed) > RTCP_PACKET_BYTES:
                self.transport.send_rtcp(b"".join(part))
                part, size = [], 0
            part.append(packed)
            size += len(packed)
        self.transport.send_rtcp(b"".join(part))

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
            self._negotiation.close()
            self.transport.close()
            self._streams.clear()
            self._downlinks.clear()

    # For statistics ------------------------------------------------------------------------------

    @property
    def uplinks(self) -> list[Uplink]:
        """The streams received."""
        return list(self._streams.uplinks.values())

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
        return min(times) if times else self.transport.queue.sent.round_trip_time

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
