"""What a room needs from the signalling session of a participant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mediaserver.room.model import (
    CodecQualities,
    LeaveReason,
    ParticipantInfo,
    ParticipantSid,
    QualityInfo,
    RoomInfo,
    Speaker,
    StreamState,
    SubscriptionError,
    TrackInfo,
    TrackSid,
)


class ParticipantListener(Protocol):
    """A participant's signalling session.

    Every call is synchronous and comes on the node's event loop; it must neither block nor raise, and
    is made only with what the participant may know (the audience has been applied).
    """

    def on_offer(self, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """The server's offer for the subscriber connection (dual connections only)."""

    def on_answer(self, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """The answer to the client's offer `offer_id`."""

    def on_media_sections_required(self, audio: int, video: int) -> None:
        """The client must offer, with so many more recvonly sections (0, 0: just offer again)."""

    def on_participants(self, participants: Sequence[ParticipantInfo]) -> None:
        """These participants (others or self) joined, changed or left (state DISCONNECTED)."""

    def on_track_published(self, cid: str, track: TrackInfo) -> None:
        """The client's AddTrack was accepted."""

    def on_track_unpublished(self, track_sid: TrackSid) -> None:
        """A track of the client's own is gone."""

    def on_track_subscribed(self, track_sid: TrackSid) -> None:
        """A track of the client's own has its first subscriber."""

    def on_mute(self, track_sid: TrackSid, muted: bool) -> None:
        """The server muted (or unmuted) a track of the client's own."""

    def on_speakers(self, speakers: Sequence[Speaker]) -> None:
        """Whose speaking started, changed or stopped."""

    def on_connection_quality(self, qualities: Sequence[QualityInfo]) -> None:
        """Connection quality of participants, self included."""

    def on_stream_states(self, states: Sequence[tuple[ParticipantSid, TrackSid, StreamState]]) -> None:
        """Subscribed streams that the server paused or resumed."""

    def on_room_update(self, room: RoomInfo) -> None:
        """Metadata or counts of the room changed."""

    def on_subscription_permission(
        self, participant_sid: ParticipantSid, track_sid: TrackSid, allowed: bool
    ) -> None:
        """The publisher allowed or forbade the client to subscribe to a track."""

    def on_subscription_error(self, track_sid: TrackSid, error: SubscriptionError) -> None:
        """A wished subscription cannot be had."""

    def on_subscribed_quality(self, track_sid: TrackSid, codecs: Sequence[CodecQualities]) -> None:
        """Which layers of the client's own track are wanted by anybody (dynacast)."""

    def on_data(self, reliable: bool, payload: bytes) -> None:
        """The client sent this on its data channel ``_reliable`` or ``_lossy``."""

    def on_moved(
        self, room: RoomInfo, participant: ParticipantInfo, others: Sequence[ParticipantInfo]
    ) -> None:
        """The participant was moved to another room of this node."""

    def on_leave(self, reason: LeaveReason) -> None:
        """The participant is out of the room; the session should say so to the client and close."""
