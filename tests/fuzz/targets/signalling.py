"""Everything of a client that signalling reads: join requests, signalling messages, data packets, tokens."""

from __future__ import annotations

import base64
import gzip
from typing import Any, cast

from livekit.protocol import models, rtc

from signalling.auth import mint_join_token, verify_token
from signalling.errors import AuthenticationError, JoinRequestError
from signalling.livekit.connection import SignalConnection
from signalling.livekit.join_request import read_join_request, read_query
from signalling.settings import DEVELOPMENT_KEYS
from tests.unit.signalling.fakes import FakeSessions, single_request

NAME = "signalling"

ALLOWED: tuple[type[Exception], ...] = (JoinRequestError, AuthenticationError)
"""What a reader may raise; a session may raise nothing at all."""

_JOIN_LIMIT_BYTES = 65_536

_JOIN, _QUERY, _SIGNAL, _RELIABLE, _LOSSY, _TOKEN = range(6)


def _wrapped() -> bytes:
    request = rtc.JoinRequest(
        client_info=models.ClientInfo(sdk=models.ClientInfo.JS, protocol=17),
        connection_settings=rtc.ConnectionSettings(auto_subscribe=True),
        publisher_offer=rtc.SessionDescription(type="offer", sdp="v=0\r\n", id=1),
        add_track_requests=[rtc.AddTrackRequest(cid="c", type=models.TrackType.VIDEO)],
    )
    return rtc.WrappedJoinRequest(
        compression=rtc.WrappedJoinRequest.GZIP,
        join_request=gzip.compress(request.SerializeToString(), mtime=0),
    ).SerializeToString()


_REQUESTS = (
    rtc.SignalRequest(offer=rtc.SessionDescription(type="offer", sdp="v=0\r\n", id=1)),
    rtc.SignalRequest(
        add_track=rtc.AddTrackRequest(
            cid="c",
            type=models.TrackType.VIDEO,
            layers=[models.VideoLayer(width=1, height=2, rid="q")],
            simulcast_codecs=[rtc.SimulcastCodec(codec="vp8", cid="c")],
        )
    ),
    rtc.SignalRequest(mute=rtc.MuteTrackRequest(sid="TR_1", muted=True)),
    rtc.SignalRequest(subscription=rtc.UpdateSubscription(track_sids=["TR_1"], subscribe=True)),
    rtc.SignalRequest(track_setting=rtc.UpdateTrackSettings(track_sids=["TR_1"], width=640)),
    rtc.SignalRequest(
        subscription_permission=rtc.SubscriptionPermission(
            track_permissions=[rtc.TrackPermission(participant_sid="PA_1", track_sids=["TR_1"])]
        )
    ),
    rtc.SignalRequest(
        sync_state=rtc.SyncState(
            subscription=rtc.UpdateSubscription(track_sids=["TR_1"]),
            datachannel_receive_states=[rtc.DataChannelReceiveState(publisher_sid="PA_1", last_seq=3)],
            track_sids_disabled=["TR_1"],
        )
    ),
    rtc.SignalRequest(update_metadata=rtc.UpdateParticipantMetadata(attributes={"a": "b"}, request_id=1)),
    rtc.SignalRequest(
        update_audio_track=rtc.UpdateLocalAudioTrack(
            track_sid="TR_1", features=[models.AudioTrackFeature.TF_STEREO]
        )
    ),
    rtc.SignalRequest(simulate=rtc.SimulateScenario(migration=True)),
    rtc.SignalRequest(ping_req=rtc.Ping(timestamp=1)),
    rtc.SignalRequest(leave=rtc.LeaveRequest()),
)
_PACKETS = (
    models.DataPacket(user=models.UserPacket(payload=b"x", destination_sids=["PA_1"]), sequence=1),
    models.DataPacket(rpc_request=models.RpcRequest(id="1"), destination_identities=["a"]),
    models.DataPacket(stream_header=models.DataStream.Header(stream_id="1", attributes={"a": "b"})),
)

CORPUS: list[bytes] = [
    bytes((_JOIN,)) + base64.urlsafe_b64encode(_wrapped()),
    bytes((_QUERY,)) + base64.urlsafe_b64encode(b'{"a": "b"}'),
    *(bytes((_SIGNAL,)) + request.SerializeToString() for request in _REQUESTS),
    *(bytes((_RELIABLE,)) + packet.SerializeToString() for packet in _PACKETS),
    *(bytes((_LOSSY,)) + packet.SerializeToString() for packet in _PACKETS),
    bytes((_TOKEN,)) + mint_join_token("devkey", "secret", identity="a", room="r").encode(),
]

_sessions = FakeSessions()


def run(data: bytes) -> None:
    """Read one input; its first byte says as what."""
    kind, body = (data[0] % 6, data[1:]) if data else (_SIGNAL, b"")
    if kind == _JOIN:
        read_join_request(body.decode("latin-1"), limit=_JOIN_LIMIT_BYTES)
    elif kind == _QUERY:
        text = body.decode("latin-1")
        read_query({"attributes": text, "protocol": text, "auto_subscribe": text, "sid": text})
    elif kind == _TOKEN:
        verify_token(body.decode("latin-1"), DEVELOPMENT_KEYS)
    else:
        _run_session(kind, body)


def _run_session(kind: int, body: bytes) -> None:
    session, participant, _ = _sessions.join("fuzzed", single_request())
    _, other, _ = _sessions.join("other", single_request())
    if kind == _SIGNAL:
        session.receive(body)
    else:
        session.on_data(kind == _RELIABLE, body)
    for payload in (payload for _, payload in other.received):
        packet = models.DataPacket.FromString(payload)
        assert packet.participant_identity == "fuzzed", "spoofed identity"
    connection = SignalConnection(_sessions.settings.limits)
    if not participant.gone:
        session.resume(cast(Any, connection), single_request())
