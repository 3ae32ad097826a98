"""Limits of rooms and participants, so that one of them cannot exhaust the node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What a node lets rooms and participants have."""

    max_rooms: int = 2000
    """Rooms on the node."""

    max_participants_per_room: int = 100
    """Participants in one room; support calls have two to five."""

    max_participants_per_node: int = 2000
    """Participants on the node, in all rooms together."""

    max_tracks_per_participant: int = 16
    """Tracks one participant publishes or has announced."""

    max_streams_per_peer: int = 96
    """SSRCs accepted on one connection, RTX included: 16 tracks of 3 layers with RTX each."""

    max_metadata_bytes: int = 65_536
    """Metadata of a participant or a room, UTF-8 encoded."""

    max_attributes_bytes: int = 65_536
    """All attribute names and values of a participant together, UTF-8 encoded."""

    max_name_bytes: int = 1024
    """Display name, UTF-8 encoded."""

    max_sdp_bytes: int = 65_536
    """An offer or answer, UTF-8 encoded."""

    resume_window_s: float = 30.0
    """Seconds a participant without signalling connection may take to come back."""

    join_timeout_s: float = 30.0
    """Seconds a participant may take to bring its media connection up."""
