"""What a room can say about its streams at one instant, for diagnosis and for people.

Streams use the W3C names of `mediaserver.flow.stats`; "inbound" and "outbound" are seen from the server:
inbound is what a participant sends us (its uplink), outbound what we send it (its downlink).
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.flow.stats import InboundStats, OutboundStats
from mediaserver.room.model import ClientFacts, ConnectionQuality, Identity, ParticipantSid, TrackSid


@dataclass(frozen=True, slots=True)
class TrackInbound:
    """A stream received from the participant, and the track it belongs to."""

    track_sid: TrackSid
    stream: InboundStats


@dataclass(frozen=True, slots=True)
class TrackOutbound:
    """A stream sent to the participant, the track it carries and whose track that is."""

    track_sid: TrackSid
    publisher: Identity
    stream: OutboundStats


@dataclass(frozen=True, slots=True)
class ConnectionStats:
    """One connection of a participant."""

    state: str
    protocol: str
    """``udp`` or ``tcp``; empty before a path is chosen."""
    remote_address: str
    """IP address and port; empty before a path is chosen."""
    srtp_profile: str
    round_trip_time: float | None
    """Seconds, smoothed, from receiver reports or transport-wide feedback; None before the first."""
    available_outgoing_bitrate: float | None
    """Bits per second, as the client's REMB says; None where it sends none."""


@dataclass(frozen=True, slots=True)
class ParticipantStatistics:
    """Everything measured about one participant."""

    at: float
    """Monotonic seconds."""
    room: str
    sid: ParticipantSid
    identity: Identity
    quality: ConnectionQuality
    score: float
    client: ClientFacts
    connections: tuple[ConnectionStats, ...]
    inbound: tuple[TrackInbound, ...]
    outbound: tuple[TrackOutbound, ...]
