"""`RoomControl`: the one way into rooms for everything that is not a participant.

Asynchronous and made of plain values, so that the same calls can later go to another node. Everything
raises `mediaserver.errors.RoomError` with a stable code when it cannot be done, and has happened when it
returns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from mediaserver.clock import monotonic
from mediaserver.errors import RoomError
from mediaserver.room.audience import AudiencePolicy
from mediaserver.room.local import LocalSource
from mediaserver.room.manager import RoomManager
from mediaserver.room.model import (
    Identity,
    LeaveReason,
    ParticipantInfo,
    Permissions,
    RoomEvent,
    RoomEventKind,
    RoomInfo,
    RoomOptions,
    TrackInfo,
    TrackSid,
)
from mediaserver.room.participant import Participant
from mediaserver.room.room import Room
from mediaserver.stats import ParticipantStatistics


class RoomControl(Protocol):
    """What the desk, the REST API and Twirp can do with rooms."""

    async def create_room(self, name: str, options: RoomOptions) -> RoomInfo:
        """Create a room, or return the one there is."""

    async def list_rooms(self, names: Collection[str] = ()) -> list[RoomInfo]:
        """The rooms, or those of them that are named."""

    async def delete_room(self, name: str) -> None:
        """End a room for everybody."""

    async def list_participants(self, room: str) -> list[ParticipantInfo]:
        """Everybody in a room, hidden ones included."""

    async def get_participant(self, room: str, identity: str) -> ParticipantInfo:
        """One participant."""

    async def remove_participant(self, room: str, identity: str) -> None:
        """Put a participant out."""

    async def mute_published_track(self, room: str, identity: str, track_sid: str, muted: bool) -> TrackInfo:
        """Mute or unmute a track by the server."""

    async def update_participant(
        self,
        room: str,
        identity: str,
        *,
        name: str | None = None,
        metadata: str | None = None,
        attributes: Mapping[str, str] | None = None,
        permissions: Permissions | None = None,
    ) -> ParticipantInfo:
        """Change what is given, leave the rest."""

    async def update_subscriptions(
        self,
        room: str,
        identity: str,
        track_sids: Sequence[str],
        participant_tracks: Sequence[tuple[str, Sequence[str]]],
        subscribe: bool,
    ) -> None:
        """Subscribe a participant to tracks or end that; `participant_tracks` are (sid, track sids)."""

    async def send_data(
        self, room: str, payload: bytes, reliable: bool, destinations: Collection[str] | None
    ) -> None:
        """Deliver a serialised data packet from the server to all or to named identities or sids."""

    async def update_room_metadata(self, room: str, metadata: str) -> RoomInfo:
        """Change a room's metadata."""

    async def move_participant(self, room: str, identity: str, destination: str) -> None:
        """Move a participant to another room of this node; its connections stay."""

    async def set_audience(self, room: str, audience: AudiencePolicy) -> None:
        """Replace who may know of whom and receive whom; in force on return."""

    async def replace_source(self, room: str, identity: str, track_sid: str, source_track_sid: str) -> None:
        """Send a subscriber another track of the same codec in the stream of one it has."""

    async def play(
        self,
        room: str,
        frames: Sequence[bytes],
        *,
        identity: str,
        name: str = "",
        loop: bool = False,
        intro: Sequence[bytes] = (),
        only_for: Collection[str] | None = None,
    ) -> None:
        """Play 20 ms Opus packets into a room as a participant of the server's own.

        It begins when somebody can hear it, or after a few seconds. `intro` is played once before; `only_for`
        names the only identities that may know of it. Whoever plays already, or was stopped, goes on with
        this on its track.
        """

    async def stop_playing(self, room: str, identity: str) -> None:
        """Interrupt what `play` began; its participant stays, so that playing again needs no negotiation."""

    async def statistics(self, room: str) -> list[ParticipantStatistics]:
        """What is measured about everybody in the room."""

    def watch(self, observer: Callable[[RoomEvent], None]) -> None:
        """Tell `observer` from now on who comes to and leaves which room; it must not raise or block."""


class LocalRoomControl:
    """`RoomControl` for the rooms of this process."""

    def __init__(self, manager: RoomManager) -> None:
        self._manager = manager
        self._sources: dict[tuple[str, str], LocalSource] = {}
        manager.observers.append(self._forget_room)

    def _forget_room(self, event: RoomEvent) -> None:
        if event.kind is RoomEventKind.ENDED:
            for key in [key for key in self._sources if key[0] == event.room]:
                self._sources.pop(key).stop()

    def _room(self, name: str) -> Room:
        room = self._manager.get(name)
        if room is None:
            raise RoomError("room_not_found", f"no room {name}")
        return room

    def _participant(self, room: str, identity: str) -> Participant:
        participant = self._room(room).participants.get(Identity(identity))
        if participant is None:
            raise RoomError("participant_not_found", f"no participant {identity} in room {room}")
        return participant

    async def create_room(self, name: str, options: RoomOptions) -> RoomInfo:
        """Create a room, or return the one there is."""
        if not name:
            raise RoomError("bad_request", "a room needs a name")
        return self._manager.get_or_create(name, options).info()

    async def list_rooms(self, names: Collection[str] = ()) -> list[RoomInfo]:
        """The rooms, or those of them that are named."""
        wanted = set(names)
        return [room.info() for room in self._manager.rooms.values() if not wanted or room.name in wanted]

    async def delete_room(self, name: str) -> None:
        """End a room for everybody."""
        self._manager.delete(name)

    async def list_participants(self, room: str) -> list[ParticipantInfo]:
        """Everybody in a room, hidden ones included."""
        found = self._room(room)
        return [
            *(participant.info() for participant in found.participants.values()),
            *(local.info() for local in found.locals.values()),
        ]

    async def get_participant(self, room: str, identity: str) -> ParticipantInfo:
        """One participant."""
        return self._participant(room, identity).info()

    async def remove_participant(self, room: str, identity: str) -> None:
        """Put a participant out."""
        self._participant(room, identity).leave(LeaveReason.PARTICIPANT_REMOVED)

    async def mute_published_track(self, room: str, identity: str, track_sid: str, muted: bool) -> TrackInfo:
        """Mute or unmute a track by the server."""
        return self._participant(room, identity).set_muted(track_sid, muted, by_server=True)

    async def update_participant(
        self,
        room: str,
        identity: str,
        *,
        name: str | None = None,
        metadata: str | None = None,
        attributes: Mapping[str, str] | None = None,
        permissions: Permissions | None = None,
    ) -> ParticipantInfo:
        """Change what is given, leave the rest."""
        participant = self._participant(room, identity)
        participant.update_metadata(name=name, metadata=metadata, attributes=attributes)
        if permissions is not None:
            participant.set_permissions(permissions)
        return participant.info()

    async def update_subscriptions(
        self,
        room: str,
        identity: str,
        track_sids: Sequence[str],
        participant_tracks: Sequence[tuple[str, Sequence[str]]],
        subscribe: bool,
    ) -> None:
        """Subscribe a participant to tracks or end that."""
        sids = [*track_sids, *(sid for _, tracks in participant_tracks for sid in tracks)]
        self._participant(room, identity).update_subscription(sids, subscribe)

    async def send_data(
        self, room: str, payload: bytes, reliable: bool, destinations: Collection[str] | None
    ) -> None:
        """Deliver a serialised data packet from the server."""
        self._room(room).route_data(None, reliable, payload, destinations)

    async def update_room_metadata(self, room: str, metadata: str) -> RoomInfo:
        """Change a room's metadata."""
        found = self._room(room)
        found.set_metadata(metadata)
        return found.info()

    async def move_participant(self, room: str, identity: str, destination: str) -> None:
        """Move a participant to another room of this node."""
        participant = self._participant(room, identity)
        if destination == room:
            raise RoomError("bad_request", "the participant is in that room already")
        self._room(destination).move_in(participant)

    async def set_audience(self, room: str, audience: AudiencePolicy) -> None:
        """Replace who may know of whom and receive whom."""
        self._room(room).set_audience(audience)

    async def replace_source(self, room: str, identity: str, track_sid: str, source_track_sid: str) -> None:
        """Send a subscriber another track of the same codec in the stream of one it has."""
        participant = self._participant(room, identity)
        subscription = participant.subscriptions.get(TrackSid(track_sid))
        if subscription is None:
            raise RoomError("track_not_found", f"{identity} does not receive {track_sid}")
        for member in self._room(room).members():
            source = member.tracks.get(TrackSid(source_track_sid))
            if source is not None and source.announced:
                try:
                    subscription.replace_source(source)
                except ValueError as error:
                    raise RoomError("bad_request", str(error)) from None
                return
        raise RoomError("track_not_found", f"no track {source_track_sid} in room {room}")

    async def play(
        self,
        room: str,
        frames: Sequence[bytes],
        *,
        identity: str,
        name: str = "",
        loop: bool = False,
        intro: Sequence[bytes] = (),
        only_for: Collection[str] | None = None,
    ) -> None:
        """Play 20 ms Opus packets into a room."""
        key = (room, identity)
        playing = self._sources.get(key)
        if playing is not None and not playing.participant.gone:
            playing.replay(frames, loop=loop, intro=intro)
            return
        source = LocalSource(
            self._room(room),
            self._manager.frame_clock,
            frames,
            identity=identity,
            name=name,
            loop=loop,
            intro=intro,
            wait_for_listener=True,
            only_for=None if only_for is None else frozenset(Identity(each) for each in only_for),
            on_end=lambda _: self._forget_source(key),
        )
        source.start()
        self._sources[key] = source

    def _forget_source(self, key: tuple[str, str]) -> None:
        self._sources.pop(key, None)

    async def stop_playing(self, room: str, identity: str) -> None:
        """Interrupt what `play` began."""
        source = self._sources.get((room, identity))
        if source is None:
            raise RoomError("participant_not_found", f"nothing plays as {identity} in room {room}")
        source.silence()

    async def statistics(self, room: str) -> list[ParticipantStatistics]:
        """What is measured about everybody in the room."""
        now = monotonic()
        return [participant.statistics(now) for participant in self._room(room).participants.values()]

    def watch(self, observer: Callable[[RoomEvent], None]) -> None:
        """Tell `observer` from now on who comes to and leaves which room."""
        self._manager.observers.append(observer)
