"""Values that describe rooms, participants and tracks to everything outside the room.

All of them are frozen and made of plain types, so that they can be compared, logged and sent to
another process. Enumerations keep LiveKit's numbers: the client protocol then maps them one to one.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NewType

ParticipantSid = NewType("ParticipantSid", str)
TrackSid = NewType("TrackSid", str)
RoomSid = NewType("RoomSid", str)
Identity = NewType("Identity", str)

_SID_ALPHABET = string.ascii_letters + string.digits
_SID_LENGTH = 14
"""Characters after the prefix: 14 of 62 are 83 bits, unguessable and free of collisions."""


def new_sid(prefix: str) -> str:
    """A new random identifier such as ``TR_x8Zc…``; `prefix` is ``PA_``, ``TR_`` or ``RM_``."""
    return prefix + "".join(secrets.choice(_SID_ALPHABET) for _ in range(_SID_LENGTH))


class TrackKind(IntEnum):
    """What a track carries."""

    AUDIO = 0
    VIDEO = 1


class TrackSource(IntEnum):
    """Where a track comes from, as its publisher says."""

    UNKNOWN = 0
    CAMERA = 1
    MICROPHONE = 2
    SCREEN_SHARE = 3
    SCREEN_SHARE_AUDIO = 4


class Quality(IntEnum):
    """A subscriber's wish for a simulcast track."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    OFF = 3


class ParticipantState(IntEnum):
    """Life of a participant; ACTIVE means its media transport is connected."""

    JOINING = 0
    JOINED = 1
    ACTIVE = 2
    DISCONNECTED = 3


class LeaveReason(IntEnum):
    """Why a participant is no longer in the room."""

    UNKNOWN = 0
    CLIENT_INITIATED = 1
    DUPLICATE_IDENTITY = 2
    SERVER_SHUTDOWN = 3
    PARTICIPANT_REMOVED = 4
    ROOM_DELETED = 5
    STATE_MISMATCH = 6
    JOIN_FAILURE = 7
    MIGRATION = 8
    SIGNAL_CLOSE = 9
    ROOM_CLOSED = 10
    CONNECTION_TIMEOUT = 14
    MEDIA_FAILURE = 15


class ConnectionQuality(IntEnum):
    """How well a participant is connected, for the icon beside the name."""

    POOR = 0
    GOOD = 1
    EXCELLENT = 2
    LOST = 3


class StreamState(IntEnum):
    """Whether a subscribed stream flows or is held back by the server."""

    ACTIVE = 0
    PAUSED = 1


class SubscriptionError(IntEnum):
    """Why a wished subscription cannot be had."""

    UNKNOWN = 0
    CODEC_UNSUPPORTED = 1
    TRACK_NOT_FOUND = 2


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a participant may do; the defaults are LiveKit's for a token that says nothing else."""

    can_subscribe: bool = True
    can_publish: bool = True
    can_publish_data: bool = True
    can_publish_sources: tuple[TrackSource, ...] = ()
    """Empty: every source."""
    hidden: bool = False
    can_update_metadata: bool = False
    recorder: bool = False
    agent: bool = False


@dataclass(frozen=True, slots=True)
class VideoLayer:
    """One encoding of a video track as its publisher announced it."""

    quality: Quality
    width: int
    height: int
    bitrate_bps: int = 0
    ssrc: int = 0
    spatial_layer: int = 0
    rid: str = ""


@dataclass(frozen=True, slots=True)
class TrackCodec:
    """A codec a track is (or wants to be) published in."""

    mime_type: str
    """Such as ``video/VP8``."""
    cid: str = ""
    """The client's media stream track id for this codec."""
    layers: tuple[VideoLayer, ...] = ()


@dataclass(frozen=True, slots=True)
class TrackRequest:
    """A client's announcement that it will publish a track."""

    cid: str
    kind: TrackKind
    name: str = ""
    source: TrackSource = TrackSource.UNKNOWN
    width: int = 0
    height: int = 0
    muted: bool = False
    disable_dtx: bool = False
    disable_red: bool = False
    stereo: bool = False
    layers: tuple[VideoLayer, ...] = ()
    codecs: tuple[TrackCodec, ...] = ()
    """The wished codecs, best first (LiveKit's ``simulcast_codecs``); empty: the client does not mind."""
    sid: str = ""
    """Of an announced track that gets a further (backup) codec."""
    encryption: int = 0
    stream: str = ""
    backup_codec_policy: int = 0
    audio_features: tuple[int, ...] = ()
    packet_trailer_features: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """A published track as others see it."""

    sid: TrackSid
    kind: TrackKind
    name: str
    source: TrackSource
    muted: bool
    mime_type: str
    mid: str = ""
    width: int = 0
    height: int = 0
    simulcast: bool = False
    disable_dtx: bool = False
    disable_red: bool = False
    stereo: bool = False
    layers: tuple[VideoLayer, ...] = ()
    codecs: tuple[TrackCodec, ...] = ()
    encryption: int = 0
    stream: str = ""
    backup_codec_policy: int = 0
    audio_features: tuple[int, ...] = ()
    packet_trailer_features: tuple[int, ...] = ()
    version_us: int = 0
    """Wall-clock microseconds of the last change."""


@dataclass(frozen=True, slots=True)
class ParticipantInfo:
    """A participant as others see it."""

    sid: ParticipantSid
    identity: Identity
    name: str
    state: ParticipantState
    metadata: str
    attributes: tuple[tuple[str, str], ...]
    joined_at_ms: int
    permissions: Permissions
    tracks: tuple[TrackInfo, ...]
    is_publisher: bool
    kind: int
    version: int
    leave_reason: LeaveReason = LeaveReason.UNKNOWN
    client_protocol: int = 0


@dataclass(frozen=True, slots=True)
class RoomInfo:
    """A room as one viewer (or the administration) sees it: counts hold only whom the viewer may know of."""

    sid: RoomSid
    name: str
    metadata: str
    created_at_ms: int
    empty_timeout_s: int
    departure_timeout_s: int
    max_participants: int
    num_participants: int
    num_publishers: int
    active_recording: bool = False


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """How a room is created."""

    empty_timeout_s: int = 300
    """Seconds a room that nobody has joined yet stays."""
    departure_timeout_s: int = 20
    """Seconds a room stays after the last participant left."""
    max_participants: int = 0
    """0: the node's limit."""
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A participant who speaks (or, with `active` false, just stopped)."""

    participant_sid: ParticipantSid
    level: float
    """0 (silent) to 1 (as loud as it gets)."""
    active: bool


@dataclass(frozen=True, slots=True)
class QualityInfo:
    """A participant's connection quality and the score (1 to 5, like a MOS) behind it."""

    participant_sid: ParticipantSid
    quality: ConnectionQuality
    score: float


@dataclass(frozen=True, slots=True)
class CodecQualities:
    """Which layers of a published track somebody wants (for the publisher's dynacast)."""

    codec: str
    """Such as ``vp8``."""
    enabled: tuple[tuple[Quality, bool], ...]


@dataclass(frozen=True, slots=True)
class TrackPermission:
    """Whom a publisher lets subscribe: all tracks of his or the listed ones, by sid or identity."""

    participant_sid: str
    participant_identity: str
    all_tracks: bool
    track_sids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """What a client says of itself; kept for diagnosis, never trusted."""

    sdk: str = ""
    version: str = ""
    protocol: int = 0
    os: str = ""
    os_version: str = ""
    browser: str = ""
    browser_version: str = ""
    device_model: str = ""
    network: str = ""
    address: str = ""
    client_protocol: int = 0


@dataclass(frozen=True, slots=True)
class JoinSpec:
    """Everything needed to let somebody into a room."""

    identity: Identity
    name: str = ""
    metadata: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    permissions: Permissions = field(default_factory=Permissions)
    kind: int = 0
    single_peer_connection: bool = True
    """True: the client offers everything on one connection (`/rtc/v1`); False: publisher and subscriber."""
    auto_subscribe: bool = True
    adaptive_stream: bool = False
    client: ClientFacts = field(default_factory=ClientFacts)


class RoomEventKind(Enum):
    """What happened to a room's membership."""

    JOINED = "joined"
    """Signalling is up; media follows."""
    CONNECTED = "connected"
    """Media is up for the first time."""
    LEFT = "left"
    ENDED = "ended"
    """The room is gone."""


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """Somebody came to or left a room, or the room ended."""

    kind: RoomEventKind
    room: str
    identity: str = ""
    """Empty with ENDED."""
    sid: str = ""
    reason: LeaveReason = LeaveReason.UNKNOWN
    """With LEFT."""
    attributes: tuple[tuple[str, str], ...] = ()
    """What the participant's token said; nothing the client changed since."""


class Target(Enum):
    """Which of a dual-connection client's peer connections is meant."""

    PUBLISHER = 0
    SUBSCRIBER = 1
