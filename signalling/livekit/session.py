"""One participant's signalling, over all the WebSockets it has in its life.

The session is what a room tells things to (`ParticipantListener`) and what reads the client's requests. It
outlives a lost WebSocket: a client that resumes gets what matters of the time between.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog
from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc

from mediaserver.errors import RoomError
from mediaserver.room.model import (
    CodecQualities,
    LeaveReason,
    ParticipantInfo,
    ParticipantSid,
    ParticipantState,
    QualityInfo,
    RoomInfo,
    Speaker,
    StreamState,
    SubscriptionError,
    TrackInfo,
    TrackSid,
)
from mediaserver.sdp.description import SdpError
from signalling.auth import Grants, refresh_token
from signalling.livekit import messages
from signalling.livekit.connection import CLOSE_INTERNAL, CLOSE_NORMAL, CLOSE_POLICY, SignalConnection
from signalling.livekit.data import DataInspector, Refusal, ReliableLog
from signalling.livekit.limits import TokenBucket
from signalling.livekit.turn import ice_servers
from signalling.settings import Settings

if TYPE_CHECKING:
    from mediaserver.room.participant import Participant
    from signalling.livekit.join_request import ConnectRequest

Reason = rtc.RequestResponse

HELD_MESSAGES = 256
"""Messages kept for a client whose connection is lost; the room's state is sent anew instead."""

REMEMBERED_GONE = 64
"""Participants that left, kept to tell a resuming client of."""

NOTICE_INTERVAL_S = 5.0
"""Between two notices to a client about the same refused kind of data."""

MAXIMUM_SIDS = 512
"""Track sids in one request."""

ECHOED_BYTES = 16_384
"""A refused request up to this size is repeated in the refusal."""

PROTOCOL_WITH_OK = 15
"""Clients of this protocol on understand a RequestResponse that says OK."""

NOT_HELD = frozenset(
    {"update", "speakers_changed", "connection_quality", "room_update", "answer", "offer", "refresh_token",
     "media_sections_requirement", "stream_state_update"}
)  # fmt: skip
"""Messages without value to a client that resumes: it gets the state anew and negotiates anew."""

NEGOTIATIONS = frozenset({"offer", "answer"})
"""Requests that cost most."""

CHANGES = frozenset(
    {"add_track", "mute", "update_layers", "update_metadata", "update_audio_track", "update_video_track",
     "subscription_permission"}
)  # fmt: skip
"""Requests that everybody else in the room is told of."""

_REASONS = {
    "not_allowed": Reason.NOT_ALLOWED,
    "track_not_found": Reason.NOT_FOUND,
    "participant_not_found": Reason.NOT_FOUND,
    "room_not_found": Reason.NOT_FOUND,
    "session_gone": Reason.NOT_FOUND,
    "track_limit": Reason.LIMIT_EXCEEDED,
    "room_full": Reason.LIMIT_EXCEEDED,
    "node_full": Reason.LIMIT_EXCEEDED,
    "bad_request": Reason.INVALID_REQUEST,
}


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a session reads the time."""

    monotonic: Callable[[], float] = time.monotonic
    unix: Callable[[], float] = time.time


@dataclass(slots=True)
class SignalCounters:
    """What happened to signalling on this node, for `/metrics`."""

    joins: int = 0
    resumes: int = 0
    refused_joins: int = 0
    messages_received: int = 0
    bad_messages: int = 0
    limits_exceeded: int = 0
    slow_clients: int = 0
    data_packets: int = 0
    data_packets_refused: int = 0


class Sessions(Protocol):
    """The sessions of a node, as one of them needs to know the others."""

    settings: Settings
    counters: SignalCounters
    clock: Clock
    server_info: models.ServerInfo
    sif_trailer: bytes

    def find(self, sid: str) -> Session | None:
        """The session of a participant of this node."""

    def ended(self, session: Session, reason: LeaveReason) -> None:
        """A participant has left for good."""


class Session:
    """A participant's signalling; a `mediaserver.room.listener.ParticipantListener`."""

    def __init__(self, sessions: Sessions, grants: Grants, request: ConnectRequest) -> None:
        limits = sessions.settings.limits
        self._sessions = sessions
        self._limits = limits
        self._grants = grants
        self._protocol = request.client.protocol
        self._single = request.single_peer_connection
        self._participant: Participant | None = None
        self._connection: SignalConnection | None = None
        self._open = False
        self._held: deque[rtc.SignalResponse] = deque(maxlen=HELD_MESSAGES)
        self._gone: OrderedDict[str, ParticipantInfo] = OrderedDict()
        self._rate = TokenBucket(limits.signal_messages_per_s, limits.signal_message_burst)
        self._bytes = TokenBucket(limits.signal_bytes_per_s, limits.signal_burst_bytes)
        self._negotiations = TokenBucket(limits.negotiations_per_s, limits.negotiation_burst)
        self._changes = TokenBucket(limits.changes_per_s, limits.change_burst)
        self._bad = 0
        self._inspector = DataInspector(limits)
        self._noticed: dict[Refusal, float] = {}
        self._own: tuple[object, ...] = ()
        self._drop_on_resume = False
        self.log_of_reliable = ReliableLog(limits.replay_bytes)
        self.refreshed_at = sessions.clock.monotonic()
        self.log = structlog.get_logger("signal").bind(room=grants.room, participant=grants.identity)

    @property
    def participant(self) -> Participant:
        """The participant; only after `join`."""
        assert self._participant is not None
        return self._participant

    @property
    def attached(self) -> bool:
        """Whether the client has a WebSocket now."""
        return self._connection is not None and not self._connection.closing

    # Coming and going ----------------------------------------------------------------------------

    def join(self, participant: Participant, connection: SignalConnection, request: ConnectRequest) -> None:
        """The participant is in the room: greet the client, then do what came with its request."""
        self._participant = participant
        self._connection = connection
        self._own = _own_facts(participant.info())
        self.log = self.log.bind(sid=participant.sid)
        connection.send(self._join_response())
        self._open = True
        self._send_held()
        self.send_refresh_token()
        if not self._single:
            self._do(participant.start_subscriber)
        self._begin(request)

    def resume(self, connection: SignalConnection, request: ConnectRequest) -> None:
        """The client is back on a new WebSocket.

        Raises RoomError when it has to join anew; then nothing has changed.
        """
        participant = self.participant
        participant.resume(self)
        older, self._connection = self._connection, connection
        if older is not None:
            older.close(CLOSE_NORMAL, "replaced by a new connection")
        self._open = False
        if self._drop_on_resume:
            self._drop_on_resume = False
            connection.close(CLOSE_NORMAL, "simulated: the signalling connection is lost again")
            return
        self._protocol = request.client.protocol or self._protocol
        connection.send(rtc.SignalResponse(reconnect=self._reconnect_response()))
        self._open = True
        self._send_held()
        present = participant.room.others(participant)
        identities = {info.identity for info in present}
        gone = [info for info in self._gone.values() if info.identity not in identities]
        self._send(messages.participants_response([*gone, participant.info(), *present]))
        room = messages.room_message(participant.room.info(participant))
        self._send(rtc.SignalResponse(room_update=rtc.RoomUpdate(room=room)))
        self.send_refresh_token()
        self._do(participant.resumed)
        self._begin(request)

    def _begin(self, request: ConnectRequest) -> None:
        if request.sync_state is not None:
            self._sync_state(request.sync_state)
        for add_track in request.add_tracks[: self._limits.add_tracks_per_join]:
            self._do(lambda asked=add_track: self._add_track(asked))  # type: ignore[misc]
        if len(request.add_tracks) > self._limits.add_tracks_per_join:
            self._refuse(Reason.LIMIT_EXCEEDED, f"at most {self._limits.add_tracks_per_join} tracks per join")
        if request.offer is not None:
            offer = request.offer
            self._do(lambda: self._offer(offer))

    def detached(self, connection: SignalConnection) -> None:
        """The WebSocket is gone; unless another took its place, the client may resume for a while."""
        if self._connection is not connection:
            return
        self._connection = None
        self._open = False
        if connection.overflowed:
            self._sessions.counters.slow_clients += 1
            self.log.warning("client too slow", reason=connection.close_reason)
        if self._participant is not None and not self._participant.gone:
            self.log.info("signalling lost")
            self._participant.signal_lost()

    def _join_response(self) -> rtc.SignalResponse:
        participant, settings = self.participant, self._sessions.settings
        room = participant.room
        can_subscribe = participant.permissions.can_subscribe
        join = rtc.JoinResponse(
            room=messages.room_message(room.info(participant)),
            participant=messages.participant_message(participant.info()),
            other_participants=[messages.participant_message(info) for info in room.others(participant)],
            server_version=messages.SERVER_VERSION,
            ice_servers=self._ice_servers(),
            subscriber_primary=not self._single and can_subscribe,
            ping_timeout=settings.signal.ping_timeout_s,
            ping_interval=settings.signal.ping_interval_s,
            server_info=self._sessions.server_info,
            sif_trailer=self._sessions.sif_trailer,
            enabled_publish_codecs=messages.publish_codecs(),
            fast_publish=participant.permissions.can_publish,
        )
        return rtc.SignalResponse(join=join)

    def _reconnect_response(self) -> rtc.ReconnectResponse:
        return rtc.ReconnectResponse(
            ice_servers=self._ice_servers(),
            server_info=self._sessions.server_info,
            last_message_seq=self._inspector.last_sequence,
        )

    def _ice_servers(self) -> list[rtc.ICEServer]:
        return ice_servers(
            self._sessions.settings.turn, self.participant.sid, unix_now=self._sessions.clock.unix()
        )

    def send_refresh_token(self) -> None:
        """Give the client a token with which it can come back after its first has expired."""
        secret = self._sessions.settings.secrets.get(self._grants.key)
        if secret is None or not self._open:
            return
        settings = self._sessions.settings.signal
        participant = self.participant
        token = refresh_token(
            self._grants,
            secret,
            participant.info(),
            participant.room.name,
            ttl_s=settings.refresh_ttl_s,
            clock=self._sessions.clock.unix,
        )
        self.refreshed_at = self._sessions.clock.monotonic()
        self._send(rtc.SignalResponse(refresh_token=token))

    # Out -----------------------------------------------------------------------------------------

    def _send(self, message: rtc.SignalResponse) -> None:
        if self._open and self._connection is not None:
            self._connection.send(message)
        elif message.WhichOneof("message") not in NOT_HELD:
            self._held.append(message)

    def _send_held(self) -> None:
        while self._held:
            self._send(self._held.popleft())

    def _refuse(
        self,
        reason: rtc.RequestResponse.Reason,
        text: str,
        request_id: int = 0,
        request: rtc.SignalRequest | None = None,
    ) -> None:
        """Tell the client why something it asked for was not done."""
        response = rtc.RequestResponse(request_id=request_id, reason=reason, message=text)
        kind = request.WhichOneof("message") if request is not None else None
        if request is not None and kind in _ECHOED and request.ByteSize() <= ECHOED_BYTES:
            getattr(response, _ECHOED[kind]).CopyFrom(getattr(request, kind))
        self.log.info("request refused", kind=kind, reason=text)
        self._send(rtc.SignalResponse(request_response=response))

    def _exceeded(self, text: str) -> None:
        """A limit was broken beyond tolerance: say which, and end the participant."""
        self._sessions.counters.limits_exceeded += 1
        self.log.warning("limit exceeded", limit=text)
        self._refuse(Reason.LIMIT_EXCEEDED, text)
        self._end(LeaveReason.PARTICIPANT_REMOVED, CLOSE_POLICY, text)

    def _end(self, reason: LeaveReason, code: int, text: str, *, reconnect: bool | None = None) -> None:
        """Send the client away with these words, and take the participant out."""
        connection = self._connection
        self._send(messages.leave_response(reason, reconnect=reconnect))
        if connection is not None:
            connection.close(code, text)
        if self._participant is not None:
            self._participant.leave(reason)

    def fail(self) -> None:
        """Something broke on our side: let the client join anew rather than go on half-way."""
        self._end(LeaveReason.STATE_MISMATCH, CLOSE_INTERNAL, "internal error; join again")

    # In ------------------------------------------------------------------------------------------

    def receive_text(self) -> None:
        """The client sent a text message; the protocol is binary."""
        self._bad_message("text messages are not understood, only protobuf in binary ones")

    def receive(self, data: bytes) -> None:
        """A binary message of the client."""
        counters = self._sessions.counters
        counters.messages_received += 1
        if len(data) > self._limits.signal_message_bytes:
            self._exceeded(f"a signalling message exceeds {self._limits.signal_message_bytes} bytes")
            return
        now = self._sessions.clock.monotonic()
        if not self._rate.take(1, now):
            self._exceeded(f"more than {self._limits.signal_messages_per_s} signalling messages a second")
            return
        if not self._bytes.take(len(data), now):
            self._exceeded(f"more than {self._limits.signal_bytes_per_s} bytes of signalling a second")
            return
        try:
            request = rtc.SignalRequest.FromString(data)
        except DecodeError:
            self._bad_message("a signalling message could not be read")
            return
        kind = request.WhichOneof("message")
        handler = _HANDLERS.get(kind or "")
        if handler is None:  # of a newer protocol, or nothing at all: counted, and the rate limit holds
            counters.bad_messages += 1
            return
        if kind in NEGOTIATIONS and not self._negotiations.take(1, now):
            self._exceeded(f"more than {self._limits.negotiations_per_s} offers and answers a second")
            return
        if kind in CHANGES and not self._changes.take(1, now):
            text = f"more than {self._limits.changes_per_s} changes a second"
            self._refuse(Reason.LIMIT_EXCEEDED, text, _request_id(request), request)
            return
        self._do(lambda: handler(self, request), request)

    def _bad_message(self, text: str) -> None:
        self._bad += 1
        self._sessions.counters.bad_messages += 1
        if self._bad >= self._limits.bad_messages:
            self._exceeded(f"{self._bad} unusable signalling messages; the last one: {text}")
        else:
            self._refuse(Reason.INVALID_REQUEST, text)

    def _do(self, action: Callable[[], object], request: rtc.SignalRequest | None = None) -> None:
        """Do what was asked, or tell the client why not."""
        try:
            action()
        except SdpError as error:
            self.log.warning("session description refused", error=str(error))
            self._refuse(Reason.INVALID_REQUEST, f"the session description cannot be used: {error}")
            self._end(LeaveReason.JOIN_FAILURE, CLOSE_POLICY, f"session description: {error}")
        except RoomError as error:
            reason = _REASONS.get(error.code, Reason.UNCLASSIFIED_ERROR)
            self._refuse(reason, str(error), _request_id(request), request)
        except ValueError as error:
            self._refuse(Reason.INVALID_REQUEST, str(error), _request_id(request), request)

    def _handle_offer(self, request: rtc.SignalRequest) -> None:
        self._offer(request.offer)

    def _offer(self, offer: rtc.SessionDescription) -> None:
        self._check_sdp(offer)
        self.participant.client_offer(offer.sdp, offer.id)

    def _handle_answer(self, request: rtc.SignalRequest) -> None:
        if self._single:
            raise ValueError("an answer without an offer of ours")
        self._check_sdp(request.answer)
        self.participant.client_answer(request.answer.sdp, request.answer.id)

    def _check_sdp(self, description: rtc.SessionDescription) -> None:
        if len(description.sdp) > self._limits.sdp_bytes:
            raise SdpError(f"longer than {self._limits.sdp_bytes} bytes")

    def _handle_trickle(self, request: rtc.SignalRequest) -> None:
        """We are ICE-lite: the client's checks come to us, its candidates are of no use."""

    def _handle_add_track(self, request: rtc.SignalRequest) -> None:
        self._add_track(request.add_track)

    def _add_track(self, request: rtc.AddTrackRequest) -> None:
        self.participant.add_track(messages.read_track_request(request))

    def _handle_mute(self, request: rtc.SignalRequest) -> None:
        self.participant.set_muted(request.mute.sid, request.mute.muted)

    def _handle_subscription(self, request: rtc.SignalRequest) -> None:
        self._update_subscription(request.subscription)

    def _update_subscription(self, update: rtc.UpdateSubscription) -> None:
        sids = [*update.track_sids, *(sid for entry in update.participant_tracks for sid in entry.track_sids)]
        self.participant.update_subscription(_bounded(sids), update.subscribe)

    def _handle_track_setting(self, request: rtc.SignalRequest) -> None:
        setting = request.track_setting
        self.participant.update_track_settings(
            _bounded(setting.track_sids),
            disabled=setting.disabled,
            quality=messages.read_quality(setting.quality),
            width=setting.width,
            height=setting.height,
            fps=setting.fps,
        )

    def _handle_leave(self, request: rtc.SignalRequest) -> None:
        self.participant.leave(LeaveReason.CLIENT_INITIATED)

    def _handle_update_layers(self, request: rtc.SignalRequest) -> None:
        update = request.update_layers
        self.participant.update_layers(update.track_sid, messages.read_layers(update.layers))

    def _handle_subscription_permission(self, request: rtc.SignalRequest) -> None:
        permission = request.subscription_permission
        self.participant.set_subscription_permissions(
            permission.all_participants, messages.read_track_permissions(permission)
        )

    def _handle_sync_state(self, request: rtc.SignalRequest) -> None:
        self._sync_state(request.sync_state)

    def _sync_state(self, state: rtc.SyncState) -> None:
        """What the client believes after a resume: its wishes, and what reliable data it has seen."""
        participant = self.participant
        if state.HasField("subscription"):
            self._do(lambda: self._update_subscription(state.subscription))
        if state.track_sids_disabled:
            self._do(
                lambda: participant.update_track_settings(
                    _bounded(state.track_sids_disabled),
                    disabled=True,
                    quality=messages.read_quality(models.VideoQuality.HIGH),
                    width=0,
                    height=0,
                    fps=0,
                )
            )
        for seen in state.datachannel_receive_states[:MAXIMUM_SIDS]:
            sender = self._sessions.find(seen.publisher_sid)
            if sender is not None and sender is not self:
                for payload in sender.log_of_reliable.after(seen.last_seq, participant.sid):
                    participant.send_data(True, payload)

    def _handle_simulate(self, request: rtc.SignalRequest) -> None:
        """What an SDK's own tests ask for; a client can hurt nobody but itself by it."""
        scenario = request.simulate.WhichOneof("scenario")
        self.log.info("simulating", scenario=scenario)
        if scenario == "server_leave":
            self._end(LeaveReason.SERVER_SHUTDOWN, CLOSE_NORMAL, "simulated: the server leaves")
        elif scenario == "leave_request_full_reconnect":
            self._end(LeaveReason.UNKNOWN, CLOSE_NORMAL, "simulated: join again", reconnect=True)
        elif scenario in ("node_failure", "migration"):
            connection, self._connection = self._connection, None
            self._open = False
            if connection is not None:
                connection.close(CLOSE_NORMAL, f"simulated: {scenario}")
            if scenario == "node_failure":
                self.participant.leave(LeaveReason.STATE_MISMATCH)
            else:
                self.participant.signal_lost()
        elif scenario in ("disconnect_signal_on_resume", "disconnect_signal_on_resume_no_messages"):
            self._drop_on_resume = True
        else:
            self._refuse(Reason.UNSUPPORTED_TYPE, f"the scenario {scenario} is not simulated here")

    def _handle_ping(self, request: rtc.SignalRequest) -> None:
        self._send(rtc.SignalResponse(pong=int(self._sessions.clock.unix() * 1000)))

    def _handle_ping_req(self, request: rtc.SignalRequest) -> None:
        now_ms = int(self._sessions.clock.unix() * 1000)
        pong = rtc.Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=now_ms)
        self._send(rtc.SignalResponse(pong_resp=pong))

    def _handle_update_metadata(self, request: rtc.SignalRequest) -> None:
        update = request.update_metadata
        if not self.participant.permissions.can_update_metadata:
            raise RoomError("not_allowed", "the token does not allow updating one's own metadata")
        self.participant.update_metadata(
            name=update.name or None,
            metadata=update.metadata or None,
            attributes=dict(update.attributes) or None,
        )
        if update.request_id and self._protocol >= PROTOCOL_WITH_OK:
            response = rtc.RequestResponse(request_id=update.request_id, reason=Reason.OK)
            self._send(rtc.SignalResponse(request_response=response))

    def _handle_update_audio_track(self, request: rtc.SignalRequest) -> None:
        update = request.update_audio_track
        self.participant.update_track_features(
            update.track_sid,
            audio_features=[int(feature) for feature in update.features],
            stereo=models.AudioTrackFeature.TF_STEREO in update.features,
        )

    def _handle_update_video_track(self, request: rtc.SignalRequest) -> None:
        update = request.update_video_track
        self.participant.update_track_features(update.track_sid, width=update.width, height=update.height)

    def _handle_unsupported(self, request: rtc.SignalRequest) -> None:
        kind = request.WhichOneof("message")
        self._refuse(Reason.UNSUPPORTED_TYPE, f"{kind} is not supported by this server", 0, request)

    # ParticipantListener -------------------------------------------------------------------------

    def on_offer(self, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """The server's offer for the subscriber connection."""
        self._send(rtc.SignalResponse(offer=messages.description("offer", sdp, offer_id, mid_to_track)))

    def on_answer(self, sdp: str, offer_id: int, mid_to_track: Mapping[str, str]) -> None:
        """The answer to the client's offer."""
        self._send(rtc.SignalResponse(answer=messages.description("answer", sdp, offer_id, mid_to_track)))

    def on_media_sections_required(self, audio: int, video: int) -> None:
        """The client must offer (again)."""
        requirement = rtc.MediaSectionsRequirement(num_audios=audio, num_videos=video)
        self._send(rtc.SignalResponse(media_sections_requirement=requirement))

    def on_participants(self, participants: Sequence[ParticipantInfo]) -> None:
        """Participants joined, changed or left."""
        for info in participants:
            if info.state is ParticipantState.DISCONNECTED:
                self._gone[info.sid] = info
                while len(self._gone) > REMEMBERED_GONE:
                    self._gone.popitem(last=False)
        self._send(messages.participants_response(participants))
        if self._participant is not None:
            for info in participants:
                if info.sid == self._participant.sid and _own_facts(info) != self._own:
                    self._own = _own_facts(info)
                    self.send_refresh_token()

    def on_track_published(self, cid: str, track: TrackInfo) -> None:
        """The client's AddTrack was accepted."""
        response = rtc.TrackPublishedResponse(cid=cid, track=messages.track_message(track))
        self._send(rtc.SignalResponse(track_published=response))

    def on_track_unpublished(self, track_sid: TrackSid) -> None:
        """A track of the client's own is gone."""
        self._send(rtc.SignalResponse(track_unpublished=rtc.TrackUnpublishedResponse(track_sid=track_sid)))

    def on_track_subscribed(self, track_sid: TrackSid) -> None:
        """A track of the client's own has its first subscriber."""
        self._send(rtc.SignalResponse(track_subscribed=rtc.TrackSubscribed(track_sid=track_sid)))

    def on_mute(self, track_sid: TrackSid, muted: bool) -> None:
        """The server muted (or unmuted) a track of the client's own."""
        self._send(rtc.SignalResponse(mute=rtc.MuteTrackRequest(sid=track_sid, muted=muted)))

    def on_speakers(self, speakers: Sequence[Speaker]) -> None:
        """Whose speaking started, changed or stopped."""
        self._send(messages.speakers_response(speakers))

    def on_connection_quality(self, qualities: Sequence[QualityInfo]) -> None:
        """Connection quality of participants."""
        self._send(messages.quality_response(qualities))

    def on_stream_states(self, states: Sequence[tuple[ParticipantSid, TrackSid, StreamState]]) -> None:
        """Subscribed streams that the server paused or resumed."""
        self._send(messages.stream_states_response(states))

    def on_room_update(self, room: RoomInfo) -> None:
        """Metadata or counts of the room changed."""
        self._send(rtc.SignalResponse(room_update=rtc.RoomUpdate(room=messages.room_message(room))))

    def on_subscription_permission(
        self, participant_sid: ParticipantSid, track_sid: TrackSid, allowed: bool
    ) -> None:
        """The publisher allowed or forbade the client to subscribe to a track."""
        update = rtc.SubscriptionPermissionUpdate(
            participant_sid=participant_sid, track_sid=track_sid, allowed=allowed
        )
        self._send(rtc.SignalResponse(subscription_permission_update=update))

    def on_subscription_error(self, track_sid: TrackSid, error: SubscriptionError) -> None:
        """A wished subscription cannot be had."""
        response = rtc.SubscriptionResponse(track_sid=track_sid, err=int(error))  # type: ignore[arg-type]
        self._send(rtc.SignalResponse(subscription_response=response))

    def on_subscribed_quality(self, track_sid: TrackSid, codecs: Sequence[CodecQualities]) -> None:
        """Which layers of the client's own track are wanted."""
        self._send(messages.subscribed_quality_response(track_sid, codecs))

    def on_data(self, reliable: bool, payload: bytes) -> None:
        """The client sent a data packet: check it, name its true sender, deliver it."""
        participant = self.participant
        if participant.gone:
            return
        counters, now = self._sessions.counters, self._sessions.clock.monotonic()
        counters.data_packets += 1
        if not participant.permissions.can_publish_data:
            counters.data_packets_refused += 1
            return
        envelope = self._inspector.inspect(participant, reliable, payload, now)
        if isinstance(envelope, Refusal):
            counters.data_packets_refused += 1
            self._refuse_data(envelope, now)
            return
        room = participant.room
        receivers = room.data_receivers(participant, envelope.destinations)
        for receiver in receivers:
            receiver.send_data(reliable, envelope.payload)
        self.log_of_reliable.add(
            envelope.sequence, envelope.payload, [receiver.sid for receiver in receivers]
        )

    def _refuse_data(self, refusal: Refusal, now: float) -> None:
        if refusal is Refusal.RELIABLE_RATE:
            self._exceeded(refusal.value)
        elif refusal is not Refusal.DUPLICATE:
            last = self._noticed.get(refusal)
            if last is None or now - last >= NOTICE_INTERVAL_S:
                self._noticed[refusal] = now
                self._refuse(Reason.LIMIT_EXCEEDED, refusal.value)

    def on_moved(
        self, room: RoomInfo, participant: ParticipantInfo, others: Sequence[ParticipantInfo]
    ) -> None:
        """The participant was moved to another room of this node."""
        self.log = self.log.bind(room=room.name)
        self._gone.clear()
        secret = self._sessions.settings.secrets.get(self._grants.key, "")
        token = refresh_token(
            self._grants,
            secret,
            participant,
            room.name,
            ttl_s=self._sessions.settings.signal.refresh_ttl_s,
            clock=self._sessions.clock.unix,
        )
        moved = rtc.RoomMovedResponse(
            room=messages.room_message(room),
            token=token,
            participant=messages.participant_message(participant),
            other_participants=[messages.participant_message(info) for info in others],
        )
        self._send(rtc.SignalResponse(room_moved=moved))

    def on_leave(self, reason: LeaveReason) -> None:
        """The participant is out of the room: say so and close."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if reason is not LeaveReason.CLIENT_INITIATED and not connection.closing:
                connection.send(messages.leave_response(reason))
            connection.close(CLOSE_NORMAL, reason.name.lower())
        self._open = False
        self._held.clear()
        self._sessions.ended(self, reason)


def _own_facts(info: ParticipantInfo) -> tuple[object, ...]:
    """What of a participant is in its token."""
    return (info.name, info.metadata, info.attributes, info.permissions)


def _bounded(sids: Iterable[str]) -> list[str]:
    listed = list(sids)
    if len(listed) > MAXIMUM_SIDS:
        raise RoomError("track_limit", f"more than {MAXIMUM_SIDS} tracks in one request")
    return listed


def _request_id(request: rtc.SignalRequest | None) -> int:
    return request.update_metadata.request_id if request is not None else 0


_ECHOED = {
    "add_track": "add_track",
    "mute": "mute",
    "update_metadata": "update_metadata",
    "update_audio_track": "update_audio_track",
    "update_video_track": "update_video_track",
    "publish_data_track_request": "publish_data_track",
    "unpublish_data_track_request": "unpublish_data_track",
}
"""Requests that a RequestResponse repeats, and its field for each."""

_HANDLERS: Mapping[str, Callable[[Session, rtc.SignalRequest], None]] = {
    "offer": Session._handle_offer,
    "answer": Session._handle_answer,
    "trickle": Session._handle_trickle,
    "add_track": Session._handle_add_track,
    "mute": Session._handle_mute,
    "subscription": Session._handle_subscription,
    "track_setting": Session._handle_track_setting,
    "leave": Session._handle_leave,
    "update_layers": Session._handle_update_layers,
    "subscription_permission": Session._handle_subscription_permission,
    "sync_state": Session._handle_sync_state,
    "simulate": Session._handle_simulate,
    "ping": Session._handle_ping,
    "ping_req": Session._handle_ping_req,
    "update_metadata": Session._handle_update_metadata,
    "update_audio_track": Session._handle_update_audio_track,
    "update_video_track": Session._handle_update_video_track,
    "publish_data_track_request": Session._handle_unsupported,
    "unpublish_data_track_request": Session._handle_unsupported,
    "update_data_subscription": Session._handle_unsupported,
    "store_data_blob_request": Session._handle_unsupported,
    "get_data_blob_request": Session._handle_unsupported,
}
