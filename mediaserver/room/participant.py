"""One participant of a room: its connections, the tracks it publishes and those it receives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mediaserver.clock import monotonic, unix_us
from mediaserver.errors import RoomError
from mediaserver.flow.quality import ConnectionQuality as JudgedQuality
from mediaserver.flow.quality import QualityJudge, StreamQuality
from mediaserver.room.downlink import Downlink
from mediaserver.room.model import (
    ConnectionQuality,
    Identity,
    JoinSpec,
    LeaveReason,
    ParticipantInfo,
    ParticipantSid,
    ParticipantState,
    Permissions,
    Quality,
    SubscriptionError,
    TrackInfo,
    TrackKind,
    TrackPermission,
    TrackRequest,
    TrackSid,
    TrackSource,
    VideoLayer,
    new_sid,
)
from mediaserver.room.peer import LOSSY_LABEL, RELIABLE_LABEL, Peer
from mediaserver.room.subscription import Subscription
from mediaserver.room.track import PublishedTrack
from mediaserver.stats import ParticipantStatistics, TrackInbound, TrackOutbound
from mediaserver.transport.types import TransportState

if TYPE_CHECKING:
    from mediaserver.room.listener import ParticipantListener
    from mediaserver.room.room import Room

QUALITY_WORDS = {
    JudgedQuality.LOST: ConnectionQuality.LOST,
    JudgedQuality.POOR: ConnectionQuality.POOR,
    JudgedQuality.GOOD: ConnectionQuality.GOOD,
    JudgedQuality.EXCELLENT: ConnectionQuality.EXCELLENT,
}

QUALITY_SCORES = {
    ConnectionQuality.LOST: 0.0,
    ConnectionQuality.POOR: 2.0,
    ConnectionQuality.GOOD: 3.5,
    ConnectionQuality.EXCELLENT: 4.5,
}
"""The score that goes with each word, on the scale of a mean opinion score."""


class Participant:
    """Somebody in a room, from joining to leaving; a resumed connection is the same participant."""

    def __init__(self, room: Room, spec: JoinSpec, listener: ParticipantListener) -> None:
        self.room = room
        self.spec = spec
        self.listener = listener
        self.sid = ParticipantSid(new_sid("PA_"))
        self.identity = spec.identity
        self.name = spec.name
        self.metadata = spec.metadata
        self.attributes: dict[str, str] = dict(spec.attributes)
        self.permissions = spec.permissions
        self.state = ParticipantState.JOINED
        self.leave_reason = LeaveReason.UNKNOWN
        self.joined_at_ms = unix_us() // 1000
        self.joined_at = monotonic()
        self.signal_lost_at: float | None = None
        self.quality = ConnectionQuality.EXCELLENT
        self.quality_score = 4.5
        self.known: set[Identity] = set()
        """Others this participant's client has been told of."""
        self.told_quality: dict[ParticipantSid, ConnectionQuality] = {}
        """Connection qualities this participant's client has been told."""
        self.tracks: dict[TrackSid, PublishedTrack] = {}
        self.subscriptions: dict[TrackSid, Subscription] = {}
        self._wishes: dict[TrackSid, bool] = {}
        self._open_to_all = True
        self._track_permissions: tuple[TrackPermission, ...] = ()
        self._version = 1
        self._judge = QualityJudge()
        if spec.single_peer_connection:
            self.publisher = self.subscriber = Peer(room.front, self, room.limits)
        else:
            self.publisher = Peer(room.front, self, room.limits)
            self.subscriber = Peer(room.front, self, room.limits, offering=True)
        self.peers = tuple({id(peer): peer for peer in (self.publisher, self.subscriber)}.values())

    # What others see -----------------------------------------------------------------------------

    @property
    def gone(self) -> bool:
        """Whether the participant has left the room for good."""
        return self.state is ParticipantState.DISCONNECTED

    @property
    def announced_tracks(self) -> list[PublishedTrack]:
        """The tracks the room knows of."""
        return [track for track in self.tracks.values() if track.announced]

    def info(self) -> ParticipantInfo:
        """The participant as those who may know of it see it."""
        tracks = tuple(track.info for track in self.announced_tracks)
        return ParticipantInfo(
            sid=self.sid,
            identity=self.identity,
            name=self.name,
            state=self.state,
            metadata=self.metadata,
            attributes=tuple(sorted(self.attributes.items())),
            joined_at_ms=self.joined_at_ms,
            permissions=self.permissions,
            tracks=tracks,
            is_publisher=bool(tracks),
            kind=self.spec.kind,
            version=self._version,
            leave_reason=self.leave_reason,
            client_protocol=self.spec.client.client_protocol,
        )

    def changed(self) -> None:
        """Tell everybody who may know that the info changed."""
        self._version += 1
        self.room.participant_changed(self)

    # Negotiation ---------------------------------------------------------------------------------

    def client_offer(self, sdp: str, offer_id: int) -> None:
        """The client's offer (its only connection, or the publisher of two); answered via the listener.

        Raises `mediaserver.sdp.SdpError` naming what is wrong.
        """
        self._ensure_present()
        self.publisher.accept_offer(sdp, offer_id)

    def client_answer(self, sdp: str, offer_id: int) -> None:
        """The client's answer to our subscriber offer; raises `mediaserver.sdp.SdpError`."""
        self._ensure_present()
        self.subscriber.accept_answer(sdp, offer_id)

    def start_subscriber(self) -> None:
        """Make the first offer of the subscriber connection (dual connections only)."""
        self._ensure_present()
        if self.subscriber is not self.publisher:
            self.subscriber.start_offering()

    def _ensure_present(self) -> None:
        if self.gone:
            raise RoomError("session_gone", "the participant has left the room")

    # Publishing ----------------------------------------------------------------------------------

    def add_track(self, request: TrackRequest) -> TrackInfo:
        """Announce a track to come; raises `RoomError` when it may not be published."""
        self._ensure_present()
        if not request.cid:
            raise RoomError("bad_request", "AddTrackRequest without cid")
        for track in self.tracks.values():
            if request.cid in track.cids:
                self.listener.on_track_published(request.cid, track.info)
                return track.info
        self._check_may_publish(request.source)
        if len(self.tracks) >= self.room.limits.max_tracks_per_participant:
            raise RoomError(
                "track_limit",
                f"at most {self.room.limits.max_tracks_per_participant} tracks per participant",
            )
        track = PublishedTrack(self.sid, self.identity, request)
        self.tracks[track.sid] = track
        self.listener.on_track_published(request.cid, track.info)
        self.publisher.bind_waiting_sections()
        return track.info

    def _check_may_publish(self, source: TrackSource) -> None:
        if not self.permissions.can_publish:
            raise RoomError("not_allowed", "the token does not allow publishing")
        allowed = self.permissions.can_publish_sources
        if allowed and source not in allowed:
            raise RoomError("not_allowed", f"the token does not allow publishing {source.name.lower()}")

    def own_track(self, track_sid: str) -> PublishedTrack:
        """A track this participant publishes; raises `RoomError` ``track_not_found``."""
        track = self.tracks.get(TrackSid(track_sid))
        if track is None:
            raise RoomError("track_not_found", f"no track {track_sid} of {self.identity}")
        return track

    def set_muted(self, track_sid: str, muted: bool, *, by_server: bool = False) -> TrackInfo:
        """Mute or unmute one of the own tracks, by the client itself or by the server."""
        track = self.own_track(track_sid)
        if track.set_muted(muted):
            if by_server:
                self.listener.on_mute(track.sid, muted)
            if track.announced:
                self.changed()
            if not muted:
                now = monotonic()
                for layer in track.uplinks:
                    track.request_keyframe(layer, now)
        return track.info

    def update_layers(self, track_sid: str, layers: Sequence[VideoLayer]) -> None:
        """The publisher changed the sizes of its simulcast layers."""
        track = self.own_track(track_sid)
        top = max(layers, key=lambda layer: layer.width * layer.height, default=None)
        if top is None:
            return
        track.update(layers=tuple(layers), width=top.width, height=top.height, simulcast=len(layers) > 1)
        if track.announced:
            self.changed()
            self.room.refresh_layers(track)

    def update_track_features(
        self,
        track_sid: str,
        *,
        audio_features: Sequence[int] | None = None,
        stereo: bool | None = None,
        width: int | None = None,
        height: int | None = None,
    ) -> None:
        """The publisher changed facts of a track (noise filter, stereo, size)."""
        track = self.own_track(track_sid)
        changes: dict[str, object] = {}
        if audio_features is not None:
            changes["audio_features"] = tuple(audio_features)[:16]
        if stereo is not None:
            changes["stereo"] = stereo
        if width is not None and height is not None:
            changes |= {"width": width, "height": height}
        if changes:
            track.update(**changes)
            if track.announced:
                self.changed()

    def unpublish(self, track: PublishedTrack, *, tell_client: bool = True) -> None:
        """Take a track out of the room."""
        if self.tracks.pop(track.sid, None) is None:
            return
        self.publisher.release_track(track)
        self.room.track_unpublished(self, track)
        track.end()
        if tell_client:
            self.listener.on_track_unpublished(track.sid)
        if track.announced:
            self.changed()

    def set_subscription_permissions(
        self, all_participants: bool, permissions: Sequence[TrackPermission]
    ) -> None:
        """Restrict who may subscribe to this participant's tracks."""
        self._open_to_all = all_participants
        self._track_permissions = tuple(permissions)[:256]
        self.room.subscription_permissions_changed(self)

    def lets_subscribe(self, subscriber: Participant, track: PublishedTrack) -> bool:
        """Whether this publisher lets `subscriber` have `track`."""
        if self._open_to_all:
            return True
        for permission in self._track_permissions:
            names = permission.participant_identity or permission.participant_sid
            if names in (subscriber.identity, subscriber.sid):
                return permission.all_tracks or track.sid in permission.track_sids
        return False

    # Subscribing ---------------------------------------------------------------------------------

    def wishes(self, track: PublishedTrack) -> bool:
        """Whether the client wants the track: by its explicit word, else by its join option."""
        return self._wishes.get(track.sid, self.spec.auto_subscribe)

    def update_subscription(self, track_sids: Sequence[str], subscribe: bool) -> None:
        """The client (or the administration) wants or no longer wants these tracks."""
        self._ensure_present()
        for name in track_sids:
            sid = TrackSid(name)
            if len(self._wishes) >= 4096 and sid not in self._wishes:
                raise RoomError("track_limit", "too many subscription wishes")
            found = self.room.find_track(self, sid)
            if found is None:
                if subscribe:
                    self.listener.on_subscription_error(sid, SubscriptionError.TRACK_NOT_FOUND)
                    self._wishes[sid] = True
                continue
            self._wishes[sid] = subscribe
            publisher, track = found
            self.room.refresh_subscription(self, publisher, track)

    def update_track_settings(
        self,
        track_sids: Sequence[str],
        *,
        disabled: bool,
        quality: Quality,
        width: int,
        height: int,
        fps: int,
    ) -> None:
        """The client says what it can use of subscribed tracks now: nothing, a quality, a size."""
        for name in track_sids:
            subscription = self.subscriptions.get(TrackSid(name))
            if subscription is None:
                continue
            subscription.wish(disabled=disabled, quality=quality, width=width, height=height)
            self.room.wanted_layers_changed(subscription.track)

    def subscribe(self, track: PublishedTrack) -> Subscription:
        """Begin to receive a track: gets a media section at the next negotiation (the room decides)."""
        downlink = Downlink(
            track,
            stream_id=f"{track.publisher_sid}|{track.sid}",
            track_id=track.sid,
            on_unsupported=lambda: self._codec_unsupported(track),
        )
        subscription = Subscription(track, downlink)
        self.subscriptions[track.sid] = subscription
        self.subscriber.add_downlink(downlink)
        return subscription

    def unsubscribe(self, track_sid: TrackSid, *, negotiate: bool = False) -> None:
        """Stop receiving a track; with `negotiate` the client's media section is ended now, not later."""
        subscription = self.subscriptions.pop(track_sid, None)
        if subscription is not None:
            subscription.close()
            self.subscriber.remove_downlink(subscription.downlink, negotiate=negotiate)

    def _codec_unsupported(self, track: PublishedTrack) -> None:
        self.listener.on_subscription_error(track.sid, SubscriptionError.CODEC_UNSUPPORTED)

    # Metadata ------------------------------------------------------------------------------------

    def update_metadata(
        self, *, name: str | None, metadata: str | None, attributes: Mapping[str, str] | None
    ) -> None:
        """Change name, metadata or attributes; an empty attribute value removes it. None: as it is.

        Raises `RoomError` when a limit is exceeded; nothing is changed then.
        """
        limits = self.room.limits
        if name is not None and len(name.encode()) > limits.max_name_bytes:
            raise RoomError("bad_request", f"name is longer than {limits.max_name_bytes} bytes")
        if metadata is not None and len(metadata.encode()) > limits.max_metadata_bytes:
            raise RoomError("bad_request", f"metadata is longer than {limits.max_metadata_bytes} bytes")
        merged = dict(self.attributes)
        if attributes is not None:
            for key, value in attributes.items():
                if value:
                    merged[key] = value
                else:
                    merged.pop(key, None)
            size = sum(len(key.encode()) + len(value.encode()) for key, value in merged.items())
            if size > limits.max_attributes_bytes:
                raise RoomError("bad_request", f"attributes exceed {limits.max_attributes_bytes} bytes")
        before = (self.name, self.metadata, self.attributes)
        self.name = self.name if name is None else name
        self.metadata = self.metadata if metadata is None else metadata
        self.attributes = merged
        if before != (self.name, self.metadata, self.attributes):
            self.changed()

    def set_permissions(self, permissions: Permissions) -> None:
        """Give other rights, in force at once: forbidden tracks and subscriptions end."""
        self.permissions = permissions
        for track in list(self.tracks.values()):
            try:
                self._check_may_publish(track.info.source)
            except RoomError:
                self.unpublish(track)
        self.changed()
        self.room.refresh_all()

    # Data ----------------------------------------------------------------------------------------

    def send_data(self, reliable: bool, payload: bytes) -> None:
        """Send a serialised data packet; reliable ones wait (bounded) for the channel to open.

        A participant that does not take its reliable data in time is put out: skipping some of it would break
        the promise of the channel.
        """
        label = RELIABLE_LABEL if reliable else LOSSY_LABEL
        taken = self.subscriber.transport.data.send(label, payload)
        if reliable and not taken and self.subscriber.transport.state is not TransportState.CLOSED:
            self.room.log.warning("reliable data not taken", participant=self.identity)
            self.leave(LeaveReason.STATE_MISMATCH)

    # PeerOwner -----------------------------------------------------------------------------------

    def answered(self, peer: Peer, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """A peer answered the client's offer."""
        self.listener.on_answer(sdp, offer_id, mid_to_track)

    def offered(self, peer: Peer, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """A peer has an offer for the client."""
        self.listener.on_offer(sdp, offer_id, mid_to_track)

    def sections_required(self, peer: Peer, audio: int, video: int) -> None:
        """The client must offer again, with so many more sections."""
        self.listener.on_media_sections_required(audio, video)

    def track_for_section(self, peer: Peer, kind: TrackKind, cid: str) -> PublishedTrack | None:
        """The announced-to-be track that a sending media section carries."""
        for track in self.tracks.values():
            if cid in track.cids:
                return track
        waiting = [track for track in self.tracks.values() if track.info.kind is kind and not track.info.mid]
        return waiting[0] if len(waiting) == 1 else None

    def may_receive_from_client(self) -> bool:
        """Whether sections in which the client sends are accepted at all."""
        return self.permissions.can_publish

    def section_ended(self, peer: Peer, track: PublishedTrack) -> None:
        """The client stopped sending in the section of a track: it is unpublished."""
        self.unpublish(track, tell_client=False)

    def track_started(self, track: PublishedTrack) -> None:
        """The first packet of a track arrived, or it is muted and may be shown as such."""
        if not track.announced and track.sid in self.tracks:
            track.announced = True
            self.changed()
            self.room.track_published(self, track)

    def layers_changed(self, track: PublishedTrack) -> None:
        """A simulcast layer of a track was seen for the first time."""
        self.room.refresh_layers(track)

    def peer_state_changed(self, peer: Peer, state: TransportState) -> None:
        """A connection came up, was interrupted, or is gone."""
        if self.gone:
            return
        if state is TransportState.CONNECTED:
            if self.state is not ParticipantState.ACTIVE and peer is self.subscriber:
                self.state = ParticipantState.ACTIVE
                self.changed()
                self.room.participant_connected(self)
        elif state is TransportState.FAILED:
            self.leave(LeaveReason.CONNECTION_TIMEOUT)

    def data_channel_opened(self, peer: Peer, label: str) -> None:
        """A data channel is usable."""

    def audio_level(self, track: PublishedTrack, level: int, arrival: float) -> None:
        """A packet of an own audio track said how loud it is."""
        if not track.info.muted:
            self.room.speakers.update(track.sid, level, arrival)

    def data_received(self, peer: Peer, label: str, payload: bytes) -> None:
        """The client sent something on a data channel."""
        if label in (RELIABLE_LABEL, LOSSY_LABEL) and not self.gone:
            self.listener.on_data(label == RELIABLE_LABEL, payload)

    # Coming and going ----------------------------------------------------------------------------

    def signal_lost(self) -> None:
        """The signalling connection broke; media goes on and the client may resume."""
        if self.signal_lost_at is None:
            self.signal_lost_at = monotonic()

    def resume(self, listener: ParticipantListener) -> None:
        """The client is back with a new signalling connection; raises `RoomError` ``session_gone``."""
        self._ensure_present()
        if any(peer.transport.state in (TransportState.FAILED, TransportState.CLOSED) for peer in self.peers):
            raise RoomError("session_gone", "the media connection is gone; join again")
        self.listener = listener
        self.signal_lost_at = None

    def resumed(self) -> None:
        """The session has told the client that it is back: negotiation may go on, ICE is restarted."""
        for peer in self.peers:
            peer.resumed()

    def leave(self, reason: LeaveReason) -> None:
        """Leave the room: tracks end, connections close, those who knew are told."""
        if self.gone:
            return
        self.state = ParticipantState.DISCONNECTED
        self.leave_reason = reason
        self._version += 1
        for track in list(self.tracks.values()):
            self.tracks.pop(track.sid)
            self.room.track_unpublished(self, track)
            track.end()
        for sid in list(self.subscriptions):
            self.unsubscribe(sid)
        for peer in self.peers:
            peer.close()
        self.room.participant_left(self)
        self.listener.on_leave(reason)

    def move_to(self, room: Room) -> None:
        """Change rooms on this node with connections and tracks as they are."""
        for sid in list(self.subscriptions):
            self.unsubscribe(sid)
        self.room.participant_left(self)
        self.room = room
        self.known.clear()
        self._version += 1

    # Measures ------------------------------------------------------------------------------------

    def update_quality(self, now: float) -> None:
        """Judge the connection again."""
        streams = []
        last_arrival = None
        for peer in self.peers:
            round_trip = peer.round_trip_time
            for uplink in peer.uplinks:
                stats = uplink.receiver.stats(now)
                video = stats.kind == "video"
                streams.append(StreamQuality(video, stats.fraction_lost, stats.jitter, round_trip))
            for downlink in peer.downlinks:
                if downlink.forwarder is not None:
                    sent = downlink.forwarder.stats(now)
                    video = sent.kind == "video"
                    streams.append(StreamQuality(video, sent.fraction_lost, sent.jitter, round_trip))
            age = peer.transport.stats().last_check_age_s
            if age is not None:
                last_arrival = now - age if last_arrival is None else max(last_arrival, now - age)
        self.quality = QUALITY_WORDS[self._judge.judge(streams, last_arrival, now)]
        self.quality_score = QUALITY_SCORES[self.quality]

    def statistics(self, now: float) -> ParticipantStatistics:
        """Everything measured about this participant, both directions."""
        inbound = []
        outbound = []
        for peer in self.peers:
            for uplink in peer.uplinks:
                inbound.append(TrackInbound(uplink.track.sid, uplink.receiver.stats(now)))
            for downlink in peer.downlinks:
                if downlink.forwarder is not None:
                    outbound.append(
                        TrackOutbound(
                            downlink.track.sid,
                            downlink.track.publisher_identity,
                            downlink.forwarder.stats(now),
                        )
                    )
        return ParticipantStatistics(
            at=now,
            room=self.room.name,
            sid=self.sid,
            identity=self.identity,
            quality=self.quality,
            score=self.quality_score,
            client=self.spec.client,
            connections=tuple(peer.connection_stats() for peer in self.peers),
            inbound=tuple(inbound),
            outbound=tuple(outbound),
        )
