"""A room: who is in it, who knows of whom, and which tracks reach whom."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from mediaserver.clock import monotonic, unix_us
from mediaserver.errors import RoomError
from mediaserver.flow.speakers import ActiveSpeakers
from mediaserver.room.audience import OPEN, AudiencePolicy
from mediaserver.room.limits import RoomLimits
from mediaserver.room.local import LocalParticipant
from mediaserver.room.model import (
    Identity,
    JoinSpec,
    LeaveReason,
    ParticipantInfo,
    ParticipantSid,
    ParticipantState,
    QualityInfo,
    RoomEvent,
    RoomEventKind,
    RoomInfo,
    RoomOptions,
    RoomSid,
    Speaker,
    TrackKind,
    TrackSid,
    TrackSource,
    new_sid,
)
from mediaserver.room.participant import Participant

if TYPE_CHECKING:
    from mediaserver.room.listener import ParticipantListener
    from mediaserver.room.track import PublishedTrack
    from mediaserver.transport.front import MediaFront


class Room:
    """One room of this node. Everything happens on the node's event loop, nothing blocks."""

    def __init__(
        self,
        name: str,
        options: RoomOptions,
        front: MediaFront,
        limits: RoomLimits,
        *,
        on_connected: Callable[[Participant], None] | None = None,
        on_event: Callable[[RoomEvent], None] | None = None,
    ) -> None:
        self.name = name
        self.sid = RoomSid(new_sid("RM_"))
        self.options = options
        self.front = front
        self.limits = limits
        self.metadata = options.metadata
        self.created_at_ms = unix_us() // 1000
        self.empty_since = monotonic()
        self.ever_joined = False
        self.closed = False
        self.participants: dict[Identity, Participant] = {}
        self.locals: dict[Identity, LocalParticipant] = {}
        """Participants inside the process: music, announcements."""
        self.speakers: ActiveSpeakers[TrackSid] = ActiveSpeakers()
        self.log = structlog.get_logger("room").bind(room=name)
        self._on_connected = on_connected
        self._on_event = on_event
        self._audience: AudiencePolicy = OPEN
        self._told_speakers: dict[Identity, tuple[Speaker, ...]] = {}
        self._told_counts: dict[Identity, tuple[int, int]] = {}

    # Membership ----------------------------------------------------------------------------------

    def join(self, spec: JoinSpec, listener: ParticipantListener) -> Participant:
        """Let somebody in; an older participant of the same identity has to leave.

        Raises `RoomError` ``room_full`` or ``room_not_found`` (just deleted).
        """
        if self.closed:
            raise RoomError("room_not_found", f"room {self.name} was deleted")
        if spec.identity in self.locals:
            raise RoomError("not_allowed", f"identity {spec.identity} is reserved")
        older = self.participants.get(spec.identity)
        if older is not None:
            older.leave(LeaveReason.DUPLICATE_IDENTITY)
        limit = self.options.max_participants or self.limits.max_participants_per_room
        if len(self.participants) >= min(limit, self.limits.max_participants_per_room):
            raise RoomError("room_full", f"room {self.name} has its {limit} participants")
        participant = Participant(self, spec, listener)
        self._enter(participant)
        self.log.info("participant joined", participant=spec.identity, sid=participant.sid)
        return participant

    def _enter(self, participant: Participant) -> None:
        self.participants[participant.identity] = participant
        self.ever_joined = True
        for other in self.members():
            if other is not participant:
                if self._knows(participant, other):
                    participant.known.add(other.identity)
                    for track in other.announced_tracks:
                        self.refresh_subscription(participant, other, track)
                if isinstance(other, Participant):
                    self._refresh_view(other, participant)
        self._tell_counts()
        self._happened(RoomEventKind.JOINED, participant)

    def _happened(self, kind: RoomEventKind, participant: Participant) -> None:
        if self._on_event is not None:
            self._on_event(
                RoomEvent(
                    kind,
                    self.name,
                    participant.identity,
                    participant.sid,
                    participant.leave_reason,
                    participant.spec.attributes,
                )
            )

    def participant_left(self, participant: Participant) -> None:
        """A participant is on its way out: whoever knew is told."""
        if self.participants.get(participant.identity) is participant:
            del self.participants[participant.identity]
        self._told_speakers.pop(participant.identity, None)
        self._told_counts.pop(participant.identity, None)
        self._tell_gone(participant)
        for other in self.participants.values():
            for track in other.announced_tracks:
                self.wanted_layers_changed(track)
        if not self.participants:
            self.empty_since = monotonic()
        self._tell_counts()
        self.log.info(
            "participant left",
            participant=participant.identity,
            sid=participant.sid,
            reason=participant.leave_reason.name.lower(),
        )
        self._happened(RoomEventKind.LEFT, participant)

    def _tell_gone(self, gone: Participant | LocalParticipant) -> None:
        info = gone.info()
        for viewer in self.participants.values():
            if gone.identity in viewer.known:
                viewer.known.discard(gone.identity)
                viewer.listener.on_participants([_as_gone(info)])

    def move_in(self, participant: Participant) -> None:
        """Take in a participant that comes from another room of this node, connections and all."""
        if len(self.participants) >= self.limits.max_participants_per_room:
            raise RoomError("room_full", f"room {self.name} is full")
        older = self.participants.get(participant.identity)
        if older is not None:
            older.leave(LeaveReason.DUPLICATE_IDENTITY)
        participant.move_to(self)
        self._enter(participant)
        for track in participant.announced_tracks:
            self.track_published(participant, track)
        participant.listener.on_moved(self.info(participant), participant.info(), self.others(participant))

    def close(self, reason: LeaveReason) -> None:
        """End the room for everybody."""
        self.closed = True
        for local in list(self.locals.values()):
            self.remove_local(local)
        for participant in list(self.participants.values()):
            participant.leave(reason)

    def expired(self, now: float) -> bool:
        """Whether nobody has been here for as long as the room's options allow."""
        if self.participants:
            return False
        patience = self.options.departure_timeout_s if self.ever_joined else self.options.empty_timeout_s
        return now - self.empty_since > patience

    # In-process participants ---------------------------------------------------------------------

    def add_local(self, local: LocalParticipant) -> None:
        """Let an in-process participant in; its tracks are published at once."""
        if local.identity in self.participants or local.identity in self.locals:
            raise RoomError("bad_request", f"identity {local.identity} is taken")
        self.locals[local.identity] = local
        for viewer in self.participants.values():
            self._refresh_view(viewer, local)
        self._tell_counts()

    def remove_local(self, local: LocalParticipant) -> None:
        """Let an in-process participant go."""
        if self.locals.pop(local.identity, None) is None:
            return
        for track in list(local.announced_tracks):
            self.track_unpublished(local, track)
            track.end()
        local.gone = True
        self._tell_gone(local)
        self._tell_counts()

    def members(self) -> list[Participant | LocalParticipant]:
        """Everybody here, in-process participants included."""
        return [*self.participants.values(), *self.locals.values()]

    # Views ---------------------------------------------------------------------------------------

    @property
    def audience(self) -> AudiencePolicy:
        """Who may know of whom and receive whom."""
        return self._audience

    def set_audience(self, audience: AudiencePolicy) -> None:
        """Replace the audience; in force when this returns."""
        self._audience = audience
        self.refresh_all()

    def refresh_all(self) -> None:
        """Bring every view and subscription in line with audience and permissions."""
        members = self.members()
        for viewer in list(self.participants.values()):
            for other in members:
                if other is not viewer:
                    self._refresh_view(viewer, other)
        self._tell_counts()

    def _knows(self, viewer: Participant, other: Participant | LocalParticipant) -> bool:
        if isinstance(other, LocalParticipant) and not (
            other.only_for is None or viewer.identity in other.only_for
        ):
            return False
        return (
            not other.gone
            and not other.permissions.hidden
            and self._audience.may_know(viewer.identity, other.identity)
        )

    def _refresh_view(self, viewer: Participant, other: Participant | LocalParticipant) -> None:
        knows = self._knows(viewer, other)
        if knows:
            if other.identity not in viewer.known:
                viewer.known.add(other.identity)
                viewer.listener.on_participants([other.info()])
                self._count_subscriber(viewer, other)
            for track in other.announced_tracks:
                self.refresh_subscription(viewer, other, track)
        elif other.identity in viewer.known:
            viewer.known.discard(other.identity)
            for track in other.announced_tracks:
                viewer.unsubscribe(track.sid)
            viewer.listener.on_participants([_as_gone(other.info())])

    def _count_subscriber(self, publisher: Participant, other: Participant | LocalParticipant) -> None:
        """A publisher has just learnt of somebody, who may already receive tracks of it."""
        if isinstance(other, Participant):
            for track in publisher.announced_tracks:
                if track.sid in other.subscriptions:
                    self._tell_subscribed(publisher, track)
                    self.wanted_layers_changed(track)

    def _tell_subscribed(self, publisher: Participant, track: PublishedTrack) -> None:
        if not track.subscriber_announced:
            track.subscriber_announced = True
            publisher.listener.on_track_subscribed(track.sid)

    def refresh_subscription(
        self, viewer: Participant, publisher: Participant | LocalParticipant, track: PublishedTrack
    ) -> None:
        """Create, gate or end one subscription according to wishes, permissions and audience."""
        knows = publisher.identity in viewer.known
        wanted = (
            knows
            and track.announced
            and viewer.permissions.can_subscribe
            and publisher.lets_subscribe(viewer, track)
            and viewer.wishes(track)
        )
        subscription = viewer.subscriptions.get(track.sid)
        if not wanted:
            if subscription is not None:
                viewer.unsubscribe(track.sid, negotiate=True)
                self.wanted_layers_changed(track)
            return
        if subscription is None:
            subscription = viewer.subscribe(track)
            if isinstance(publisher, Participant) and viewer.identity in publisher.known:
                self._tell_subscribed(publisher, track)
        subscription.allowed = self._audience.may_receive(
            viewer.identity, publisher.identity, track.info.source
        )
        subscription.apply()
        self.wanted_layers_changed(track)

    def others(self, viewer: Participant) -> list[ParticipantInfo]:
        """Everybody else the viewer may know of."""
        return [
            member.info()
            for member in self.members()
            if member is not viewer and member.identity in viewer.known
        ]

    def info(self, viewer: Participant | None = None) -> RoomInfo:
        """The room as a viewer may see it, or as it is (None)."""
        if viewer is None:
            visible: Sequence[Participant | LocalParticipant] = [
                member for member in self.members() if not member.permissions.hidden
            ]
        else:
            visible = [
                member for member in self.members() if member is viewer or member.identity in viewer.known
            ]
        return RoomInfo(
            sid=self.sid,
            name=self.name,
            metadata=self.metadata,
            created_at_ms=self.created_at_ms,
            empty_timeout_s=self.options.empty_timeout_s,
            departure_timeout_s=self.options.departure_timeout_s,
            max_participants=self.options.max_participants,
            num_participants=len(visible),
            num_publishers=sum(1 for member in visible if member.announced_tracks),
        )

    def set_metadata(self, metadata: str) -> None:
        """Change the room's metadata; raises `RoomError` when it is too long."""
        if len(metadata.encode()) > self.limits.max_metadata_bytes:
            raise RoomError("bad_request", f"metadata is longer than {self.limits.max_metadata_bytes} bytes")
        if metadata != self.metadata:
            self.metadata = metadata
            for viewer in self.participants.values():
                viewer.listener.on_room_update(self.info(viewer))

    def _tell_counts(self) -> None:
        for viewer in self.participants.values():
            info = self.info(viewer)
            counts = (info.num_participants, info.num_publishers)
            if self._told_counts.get(viewer.identity, counts) != counts:
                viewer.listener.on_room_update(info)
            self._told_counts[viewer.identity] = counts

    def participant_connected(self, participant: Participant) -> None:
        """Its media connection came up for the first time."""
        if self._on_connected is not None:
            self._on_connected(participant)
        self._happened(RoomEventKind.CONNECTED, participant)

    # What participants report ---------------------------------------------------------------------

    def participant_changed(self, participant: Participant | LocalParticipant) -> None:
        """Its info changed: itself and those who know are told."""
        info = participant.info()
        for viewer in self.participants.values():
            if viewer is participant or participant.identity in viewer.known:
                viewer.listener.on_participants([info])
        self._tell_counts()

    def track_published(self, publisher: Participant | LocalParticipant, track: PublishedTrack) -> None:
        """A track can be received from now on."""
        for viewer in list(self.participants.values()):
            if viewer is not publisher:
                self.refresh_subscription(viewer, publisher, track)
        self.wanted_layers_changed(track)

    def track_unpublished(self, publisher: Participant | LocalParticipant, track: PublishedTrack) -> None:
        """A track ends: nobody receives it any more."""
        self.speakers.remove(track.sid)
        for viewer in self.participants.values():
            viewer.unsubscribe(track.sid)

    def subscription_permissions_changed(self, publisher: Participant) -> None:
        """A publisher lets others, or others no longer, have its tracks."""
        for viewer in list(self.participants.values()):
            if viewer is publisher or publisher.identity not in viewer.known:
                continue
            for track in publisher.announced_tracks:
                had = track.sid in viewer.subscriptions
                self.refresh_subscription(viewer, publisher, track)
                has = track.sid in viewer.subscriptions
                allowed = publisher.lets_subscribe(viewer, track)
                if had != has or not allowed:
                    viewer.listener.on_subscription_permission(publisher.sid, track.sid, allowed)

    def find_track(
        self, viewer: Participant, track_sid: TrackSid
    ) -> tuple[Participant | LocalParticipant, PublishedTrack] | None:
        """A track by its sid, if the viewer may know of it."""
        for member in self.members():
            track = member.tracks.get(track_sid)
            if track is not None and track.announced and member.identity in viewer.known:
                return member, track
        return None

    def refresh_layers(self, track: PublishedTrack) -> None:
        """The layers of a track changed: every subscriber may now get another one."""
        for viewer in self.participants.values():
            subscription = viewer.subscriptions.get(track.sid)
            if subscription is not None:
                subscription.apply()

    def poll_layers(self) -> None:
        """Let every video subscription fall back from a layer that died, or return to one that lives."""
        for viewer in self.participants.values():
            for subscription in viewer.subscriptions.values():
                if subscription.track.info.kind is TrackKind.VIDEO:
                    subscription.apply()

    def wanted_layers_changed(self, track: PublishedTrack) -> None:
        """Tell the publisher which layers are wanted, when that changed (dynacast).

        Subscribers it may not know of do not count: their coming and going must not show. They get the best
        of what is there.
        """
        if track.info.kind is not TrackKind.VIDEO or not track.announced or track.gone:
            return
        publisher = self.participants.get(track.publisher_identity)
        if publisher is None:
            return
        wanted = []
        for viewer in self.participants.values():
            subscription = viewer.subscriptions.get(track.sid)
            if subscription is not None and viewer.identity in publisher.known:
                layer = subscription.wished_layer
                if layer is not None:
                    wanted.append(layer)
        qualities = track.wanted_layers(wanted)
        if qualities != track.subscribed_quality:
            track.subscribed_quality = qualities
            publisher.listener.on_subscribed_quality(track.sid, qualities)

    # Data ----------------------------------------------------------------------------------------

    def route_data(
        self,
        sender: Participant | None,
        reliable: bool,
        payload: bytes,
        destinations: Collection[str] | None,
    ) -> None:
        """Deliver a serialised data packet to all, or to the named identities or sids.

        Nobody gets data of somebody the audience hides from them. Raises `RoomError` when the sender may
        not publish data.
        """
        if sender is not None and not sender.permissions.can_publish_data:
            raise RoomError("not_allowed", "the token does not allow publishing data")
        for receiver in self.data_receivers(sender, destinations):
            receiver.send_data(reliable, payload)

    def data_receivers(
        self, sender: Participant | None, destinations: Collection[str] | None
    ) -> list[Participant]:
        """Who would get data of `sender` addressed to `destinations`."""
        named = None if destinations is None else set(destinations)
        receivers = []
        for receiver in self.participants.values():
            if receiver is sender or receiver.gone:
                continue
            if named is not None and receiver.identity not in named and receiver.sid not in named:
                continue
            if sender is not None and not self._reaches(sender, receiver):
                continue
            receivers.append(receiver)
        return receivers

    def _reaches(self, sender: Participant, receiver: Participant) -> bool:
        if sender.permissions.hidden:
            return True
        return sender.identity in receiver.known and self._audience.may_receive(
            receiver.identity, sender.identity, TrackSource.UNKNOWN
        )

    # Periodic ------------------------------------------------------------------------------------

    def poll_speakers(self, now: float) -> None:
        """Tell everybody whose speaking changed, each what it may know."""
        speaking = self.speakers.speakers(now)
        if not speaking and not any(self._told_speakers.values()):
            return
        by_identity: dict[Identity, tuple[ParticipantSid, float]] = {}
        for track_id, level in speaking:
            for member in self.members():
                if track_id in member.tracks:
                    known = by_identity.get(member.identity)
                    if known is None or known[1] < level:
                        by_identity[member.identity] = (member.sid, round(level, 2))
        for viewer in self.participants.values():
            heard = tuple(
                Speaker(sid, level, True)
                for identity, (sid, level) in by_identity.items()
                if identity == viewer.identity or self._hears(viewer, identity)
            )
            told = self._told_speakers.get(viewer.identity, ())
            if heard == told:
                continue
            self._told_speakers[viewer.identity] = heard
            still = {speaker.participant_sid for speaker in heard}
            stopped = [
                Speaker(speaker.participant_sid, 0.0, False)
                for speaker in told
                if speaker.participant_sid not in still and self._knows_sid(viewer, speaker.participant_sid)
            ]
            changed = [speaker for speaker in heard if speaker not in told]
            if stopped or changed:
                viewer.listener.on_speakers([*changed, *stopped])

    def _hears(self, viewer: Participant, identity: Identity) -> bool:
        return identity in viewer.known and self._audience.may_receive(
            viewer.identity, identity, TrackSource.MICROPHONE
        )

    def _knows_sid(self, viewer: Participant, sid: ParticipantSid) -> bool:
        return sid == viewer.sid or any(
            member.sid == sid and member.identity in viewer.known for member in self.members()
        )

    def tell_quality(self) -> None:
        """Tell everybody the connection qualities it may know and was not told yet, its own included."""
        active = [p for p in self.participants.values() if p.state is ParticipantState.ACTIVE]
        for viewer in active:
            seen = {p.sid: p for p in active if p is viewer or p.identity in viewer.known}
            news = [p for sid, p in seen.items() if viewer.told_quality.get(sid) is not p.quality]
            viewer.told_quality = {sid: p.quality for sid, p in seen.items()}
            if news:
                viewer.listener.on_connection_quality(
                    [QualityInfo(p.sid, p.quality, p.quality_score) for p in news]
                )


def _as_gone(info: ParticipantInfo) -> ParticipantInfo:
    """How a participant is shown to somebody who may no longer know of it."""
    if info.state is ParticipantState.DISCONNECTED:
        return info
    return replace(info, state=ParticipantState.DISCONNECTED, version=info.version + 1, tracks=())
