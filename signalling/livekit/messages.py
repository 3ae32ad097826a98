"""The room's values as LiveKit's protobuf messages, and back.

Enumerations have LiveKit's numbers (`mediaserver.room.model`), so they pass as they are; numbers a client
sends that we do not know become the enumeration's first member.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from livekit.protocol import models, rtc

from mediaserver.room.model import (
    CodecQualities,
    LeaveReason,
    ParticipantInfo,
    Permissions,
    Quality,
    QualityInfo,
    RoomInfo,
    Speaker,
    StreamState,
    TrackCodec,
    TrackInfo,
    TrackKind,
    TrackPermission,
    TrackRequest,
    TrackSource,
    VideoLayer,
)

SERVER_VERSION = "1.9.0"
"""The LiveKit version we announce: SDKs switch features by it (RPC from 1.8.0, CLIENT-PROTOCOL.md 2)."""
PROTOCOL_VERSION = 16

PUBLISH_CODECS = ("audio/opus", "audio/red", "video/VP8", "video/H264", "video/VP9", "video/AV1")
"""What clients may send; all of it is passed on as it comes."""

_MAXIMUM_LAYERS = 8
_MAXIMUM_CODECS = 4
_MAXIMUM_FEATURES = 16
_MAXIMUM_PERMISSIONS = 256
_MAXIMUM_TEXT = 1024
"""Characters of a track's name, cid or stream that are kept."""

_Number = TypeVar("_Number", bound=enum.IntEnum)

RECONNECT_REASONS = frozenset(
    {
        LeaveReason.SERVER_SHUTDOWN,
        LeaveReason.STATE_MISMATCH,
        LeaveReason.MIGRATION,
        LeaveReason.CONNECTION_TIMEOUT,
        LeaveReason.MEDIA_FAILURE,
    }
)
"""Reasons after which the client shall come back by a full reconnect; after all others it shall not."""


def _known(kind: type[_Number], number: int) -> _Number:
    try:
        return kind(number)
    except ValueError:
        return next(iter(kind))


# Out -------------------------------------------------------------------------------------------------


def permission_message(permissions: Permissions) -> models.ParticipantPermission:
    """A participant's rights."""
    return models.ParticipantPermission(
        can_subscribe=permissions.can_subscribe,
        can_publish=permissions.can_publish,
        can_publish_data=permissions.can_publish_data,
        can_publish_sources=[int(source) for source in permissions.can_publish_sources],  # type: ignore[misc]
        hidden=permissions.hidden,
        can_update_metadata=permissions.can_update_metadata,
        recorder=permissions.recorder,
        agent=permissions.agent,
    )


def layer_message(layer: VideoLayer) -> models.VideoLayer:
    """One encoding of a video track."""
    return models.VideoLayer(
        quality=int(layer.quality),  # type: ignore[arg-type]
        width=layer.width,
        height=layer.height,
        bitrate=layer.bitrate_bps,
        ssrc=layer.ssrc,
        spatial_layer=layer.spatial_layer,
        rid=layer.rid,
    )


def track_message(track: TrackInfo) -> models.TrackInfo:
    """A published track."""
    message = models.TrackInfo(
        sid=track.sid,
        type=int(track.kind),  # type: ignore[arg-type]
        name=track.name,
        muted=track.muted,
        width=track.width,
        height=track.height,
        simulcast=track.simulcast,
        disable_dtx=track.disable_dtx,
        source=int(track.source),  # type: ignore[arg-type]
        layers=[layer_message(layer) for layer in track.layers],
        mime_type=track.mime_type,
        mid=track.mid,
        codecs=[
            models.SimulcastCodecInfo(
                mime_type=codec.mime_type,
                mid=track.mid if index == 0 else "",
                cid=codec.cid,
                layers=[layer_message(layer) for layer in codec.layers],
            )
            for index, codec in enumerate(track.codecs)
        ],
        stereo=track.stereo,
        disable_red=track.disable_red,
        encryption=track.encryption,  # type: ignore[arg-type]
        stream=track.stream,
        audio_features=track.audio_features,  # type: ignore[arg-type]
        backup_codec_policy=track.backup_codec_policy,  # type: ignore[arg-type]
        packet_trailer_features=track.packet_trailer_features,  # type: ignore[arg-type]
    )
    message.version.unix_micro = track.version_us
    return message


def participant_message(info: ParticipantInfo) -> models.ParticipantInfo:
    """A participant."""
    return models.ParticipantInfo(
        sid=info.sid,
        identity=info.identity,
        state=int(info.state),  # type: ignore[arg-type]
        tracks=[track_message(track) for track in info.tracks],
        metadata=info.metadata,
        joined_at=info.joined_at_ms // 1000,
        joined_at_ms=info.joined_at_ms,
        name=info.name,
        version=info.version,
        permission=permission_message(info.permissions),
        is_publisher=info.is_publisher,
        kind=info.kind,  # type: ignore[arg-type]
        attributes=dict(info.attributes),
        disconnect_reason=int(info.leave_reason),  # type: ignore[arg-type]
        client_protocol=info.client_protocol,
    )


def room_message(room: RoomInfo) -> models.Room:
    """A room."""
    return models.Room(
        sid=room.sid,
        name=room.name,
        empty_timeout=room.empty_timeout_s,
        departure_timeout=room.departure_timeout_s,
        max_participants=room.max_participants,
        creation_time=room.created_at_ms // 1000,
        creation_time_ms=room.created_at_ms,
        enabled_codecs=publish_codecs(),
        metadata=room.metadata,
        num_participants=room.num_participants,
        num_publishers=room.num_publishers,
        active_recording=room.active_recording,
    )


def publish_codecs() -> list[models.Codec]:
    """What clients may send."""
    return [models.Codec(mime=mime) for mime in PUBLISH_CODECS]


def server_info(node_id: str = "", region: str = "") -> models.ServerInfo:
    """What we say we are."""
    return models.ServerInfo(
        edition=models.ServerInfo.Standard,
        version=SERVER_VERSION,
        protocol=PROTOCOL_VERSION,
        region=region,
        node_id=node_id,
    )


def leave_response(reason: LeaveReason, *, reconnect: bool | None = None) -> rtc.SignalResponse:
    """Tell the client to go, and whether to come back (by default: by the reason)."""
    again = reason in RECONNECT_REASONS if reconnect is None else reconnect
    action = rtc.LeaveRequest.RECONNECT if again else rtc.LeaveRequest.DISCONNECT
    leave = rtc.LeaveRequest(can_reconnect=again, reason=int(reason), action=action)  # type: ignore[arg-type]
    return rtc.SignalResponse(leave=leave)


def description(kind: str, sdp: str, number: int, mid_to_track: Mapping[str, str]) -> rtc.SessionDescription:
    """An offer or answer of ours; `number` is the offer's id."""
    return rtc.SessionDescription(type=kind, sdp=sdp, id=number, mid_to_track_id=dict(mid_to_track))


def participants_response(participants: Iterable[ParticipantInfo]) -> rtc.SignalResponse:
    """Participants that joined, changed or left."""
    update = rtc.ParticipantUpdate(participants=[participant_message(info) for info in participants])
    return rtc.SignalResponse(update=update)


def speakers_response(speakers: Iterable[Speaker]) -> rtc.SignalResponse:
    """Who speaks."""
    messages = [
        models.SpeakerInfo(sid=speaker.participant_sid, level=speaker.level, active=speaker.active)
        for speaker in speakers
    ]
    return rtc.SignalResponse(speakers_changed=rtc.SpeakersChanged(speakers=messages))


def quality_response(qualities: Iterable[QualityInfo]) -> rtc.SignalResponse:
    """Connection quality of participants."""
    updates = [
        rtc.ConnectionQualityInfo(
            participant_sid=quality.participant_sid,
            quality=int(quality.quality),  # type: ignore[arg-type]
            score=quality.score,
        )
        for quality in qualities
    ]
    return rtc.SignalResponse(connection_quality=rtc.ConnectionQualityUpdate(updates=updates))


def stream_states_response(states: Iterable[tuple[str, str, StreamState]]) -> rtc.SignalResponse:
    """Streams that the server paused or resumed."""
    messages = [
        rtc.StreamStateInfo(participant_sid=participant, track_sid=track, state=int(state))  # type: ignore[arg-type]
        for participant, track, state in states
    ]
    return rtc.SignalResponse(stream_state_update=rtc.StreamStateUpdate(stream_states=messages))


def subscribed_quality_response(track_sid: str, codecs: Sequence[CodecQualities]) -> rtc.SignalResponse:
    """Which layers of a published track anybody wants; old clients read the first codec's."""
    messages = [
        rtc.SubscribedCodec(
            codec=codec.codec,
            qualities=[
                rtc.SubscribedQuality(quality=int(quality), enabled=enabled)  # type: ignore[arg-type]
                for quality, enabled in codec.enabled
            ],
        )
        for codec in codecs
    ]
    update = rtc.SubscribedQualityUpdate(
        track_sid=track_sid,
        subscribed_qualities=messages[0].qualities if messages else (),
        subscribed_codecs=messages,
    )
    return rtc.SignalResponse(subscribed_quality_update=update)


# In --------------------------------------------------------------------------------------------------


def read_layers(layers: Iterable[models.VideoLayer]) -> tuple[VideoLayer, ...]:
    """A client's video layers, at most eight."""
    return tuple(
        VideoLayer(
            quality=_known(Quality, layer.quality),
            width=layer.width,
            height=layer.height,
            bitrate_bps=layer.bitrate,
            ssrc=layer.ssrc,
            spatial_layer=layer.spatial_layer,
            rid=layer.rid[:_MAXIMUM_TEXT],
        )
        for layer in list(layers)[:_MAXIMUM_LAYERS]
    )


def read_track_request(request: rtc.AddTrackRequest) -> TrackRequest:
    """A client's announcement of a track.

    Raises ValueError when it is neither audio nor video.
    """
    if request.type not in (models.TrackType.AUDIO, models.TrackType.VIDEO):
        raise ValueError("AddTrackRequest.type: neither audio nor video")
    kind = TrackKind(request.type)
    prefix = kind.name.lower()
    return TrackRequest(
        cid=request.cid[:_MAXIMUM_TEXT],
        kind=kind,
        name=request.name[:_MAXIMUM_TEXT],
        source=_known(TrackSource, request.source),
        width=request.width,
        height=request.height,
        muted=request.muted,
        disable_dtx=request.disable_dtx or models.AudioTrackFeature.TF_NO_DTX in request.audio_features,
        disable_red=request.disable_red,
        stereo=request.stereo or models.AudioTrackFeature.TF_STEREO in request.audio_features,
        layers=read_layers(request.layers),
        codecs=tuple(
            TrackCodec(
                mime_type=_mime_type(prefix, codec.codec),
                cid=codec.cid[:_MAXIMUM_TEXT],
                layers=read_layers(codec.layers),
            )
            for codec in list(request.simulcast_codecs)[:_MAXIMUM_CODECS]
            if codec.codec
        ),
        sid=request.sid[:_MAXIMUM_TEXT],
        encryption=int(request.encryption),
        stream=request.stream[:_MAXIMUM_TEXT],
        backup_codec_policy=int(request.backup_codec_policy),
        audio_features=tuple(int(feature) for feature in request.audio_features[:_MAXIMUM_FEATURES]),
        packet_trailer_features=tuple(
            int(feature) for feature in request.packet_trailer_features[:_MAXIMUM_FEATURES]
        ),
    )


_MIME_TYPES = {mime.lower(): mime for mime in PUBLISH_CODECS}


def _mime_type(prefix: str, codec: str) -> str:
    """``vp8`` (JS) or ``video/VP8`` (others) as ``video/VP8``."""
    mime = codec.lower() if "/" in codec else f"{prefix}/{codec.lower()}"
    return _MIME_TYPES.get(mime, mime[:_MAXIMUM_TEXT])


def read_permission(permission: models.ParticipantPermission) -> Permissions:
    """Rights as the administration sets them."""
    return Permissions(
        can_subscribe=permission.can_subscribe,
        can_publish=permission.can_publish,
        can_publish_data=permission.can_publish_data,
        can_publish_sources=tuple(
            _known(TrackSource, source) for source in permission.can_publish_sources[:_MAXIMUM_FEATURES]
        ),
        hidden=permission.hidden,
        can_update_metadata=permission.can_update_metadata,
        recorder=permission.recorder,
        agent=permission.agent,
    )


def read_track_permissions(permission: rtc.SubscriptionPermission) -> tuple[TrackPermission, ...]:
    """Whom a publisher lets subscribe to what.

    Raises ValueError when there are too many entries.
    """
    if len(permission.track_permissions) > _MAXIMUM_PERMISSIONS:
        raise ValueError(f"SubscriptionPermission.track_permissions: more than {_MAXIMUM_PERMISSIONS}")
    return tuple(
        TrackPermission(
            participant_sid=entry.participant_sid,
            participant_identity=entry.participant_identity,
            all_tracks=entry.all_tracks,
            track_sids=tuple(entry.track_sids[:_MAXIMUM_PERMISSIONS]),
        )
        for entry in permission.track_permissions
    )


def read_quality(number: int) -> Quality:
    """A subscriber's wished quality."""
    return _known(Quality, number)
