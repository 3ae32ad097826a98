"""A small room, by hand, for tests of signalling: it does what it is told and remembers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from livekit.protocol import models, rtc

from mediaserver.errors import RoomError
from mediaserver.room.listener import ParticipantListener
from mediaserver.room.model import (
    Identity,
    JoinSpec,
    LeaveReason,
    ParticipantInfo,
    ParticipantSid,
    ParticipantState,
    Permissions,
    RoomInfo,
    RoomSid,
    TrackInfo,
    TrackRequest,
    TrackSid,
)
from signalling.auth import Grants
from signalling.livekit.connection import SignalConnection
from signalling.livekit.join_request import ConnectRequest
from signalling.livekit.messages import server_info
from signalling.livekit.session import Clock, Session, SignalCounters
from signalling.settings import LimitSettings, Settings


class FakeParticipant:
    """Somebody in a `FakeRoom`."""

    def __init__(self, room: FakeRoom, identity: str, listener: ParticipantListener) -> None:
        self.room = room
        self.identity = Identity(identity)
        self.sid = ParticipantSid(f"PA_{identity}")
        self.listener = listener
        self.permissions = Permissions(can_update_metadata=True)
        self.gone = False
        self.gone_for_resume = False
        self.name = identity
        self.calls: list[tuple[str, Any]] = []
        self.received: list[tuple[bool, bytes]] = []
        self.refuse: RoomError | ValueError | None = None
        self.on_call: Callable[[str], None] = lambda name: None

    def info(self) -> ParticipantInfo:
        return ParticipantInfo(
            sid=self.sid,
            identity=self.identity,
            name=self.name,
            state=ParticipantState.DISCONNECTED if self.gone else ParticipantState.JOINED,
            metadata="",
            attributes=(),
            joined_at_ms=1_700_000_000_000,
            permissions=self.permissions,
            tracks=(),
            is_publisher=False,
            kind=0,
            version=1,
        )

    def _call(self, name: str, value: Any) -> None:
        self.calls.append((name, value))
        self.on_call(name)
        if self.refuse is not None:
            raise self.refuse

    def named(self, name: str) -> list[Any]:
        """The arguments of every call of this name."""
        return [value for called, value in self.calls if called == name]

    def client_offer(self, sdp: str, offer_id: int) -> None:
        self._call("client_offer", (sdp, offer_id))
        self.listener.on_answer("answer to " + sdp, offer_id, {"0": "TR_1"})

    def client_answer(self, sdp: str, offer_id: int) -> None:
        self._call("client_answer", (sdp, offer_id))

    def start_subscriber(self) -> None:
        self._call("start_subscriber", None)
        self.listener.on_offer("server offer", 1, {})

    def resumed(self) -> None:
        self._call("resumed", None)

    def add_track(self, request: TrackRequest) -> None:
        self._call("add_track", request)
        self.listener.on_track_published(request.cid, track_info("TR_" + request.cid))

    def set_muted(self, track_sid: str, muted: bool) -> None:
        self._call("set_muted", (track_sid, muted))

    def update_subscription(self, track_sids: Sequence[str], subscribe: bool) -> None:
        self._call("update_subscription", (list(track_sids), subscribe))

    def update_track_settings(self, track_sids: Sequence[str], **settings: Any) -> None:
        self._call("update_track_settings", (list(track_sids), settings))

    def update_layers(self, track_sid: str, layers: Sequence[Any]) -> None:
        self._call("update_layers", (track_sid, layers))

    def update_track_features(self, track_sid: str, **features: Any) -> None:
        self._call("update_track_features", (track_sid, features))

    def set_subscription_permissions(self, all_participants: bool, permissions: Sequence[Any]) -> None:
        self._call("set_subscription_permissions", (all_participants, permissions))

    def update_metadata(
        self, *, name: str | None, metadata: str | None, attributes: Mapping[str, str] | None
    ) -> None:
        self._call("update_metadata", (name, metadata, attributes))

    def send_data(self, reliable: bool, payload: bytes) -> None:
        self.received.append((reliable, payload))

    def signal_lost(self) -> None:
        self._call("signal_lost", None)

    def resume(self, listener: ParticipantListener) -> None:
        if self.gone or self.gone_for_resume:
            raise RoomError("session_gone", "gone")
        self._call("resume", None)
        self.listener = listener

    def leave(self, reason: LeaveReason) -> None:
        if not self.gone:
            self.gone = True
            self.calls.append(("leave", reason))
            self.room.participants.pop(self.identity, None)
            self.listener.on_leave(reason)


class FakeRoom:
    """A room in which everybody knows everybody, unless hidden."""

    def __init__(self, name: str = "room") -> None:
        self.name = name
        self.participants: dict[Identity, FakeParticipant] = {}
        self.hidden: set[Identity] = set()

    def join(self, spec: JoinSpec, listener: ParticipantListener) -> FakeParticipant:
        participant = FakeParticipant(self, spec.identity, listener)
        self.participants[participant.identity] = participant
        return participant

    def info(self, viewer: object = None) -> RoomInfo:
        return room_info(self.name, len(self.participants))

    def others(self, viewer: FakeParticipant) -> list[ParticipantInfo]:
        return [other.info() for other in self.participants.values() if other is not viewer]

    def data_receivers(
        self, sender: FakeParticipant, destinations: Collection[str] | None
    ) -> list[FakeParticipant]:
        return [
            other
            for other in self.participants.values()
            if other is not sender
            and other.identity not in self.hidden
            and (destinations is None or {other.identity, other.sid} & set(destinations))
        ]


def room_info(name: str = "room", count: int = 0) -> RoomInfo:
    return RoomInfo(
        sid=RoomSid("RM_1"),
        name=name,
        metadata="",
        created_at_ms=1_700_000_000_000,
        empty_timeout_s=300,
        departure_timeout_s=20,
        max_participants=0,
        num_participants=count,
        num_publishers=0,
    )


def track_info(sid: str = "TR_1") -> TrackInfo:
    from mediaserver.room.model import TrackKind, TrackSource

    return TrackInfo(
        sid=TrackSid(sid),
        kind=TrackKind.AUDIO,
        name="mic",
        source=TrackSource.MICROPHONE,
        muted=False,
        mime_type="audio/opus",
    )


@dataclass
class FakeClock:
    """Time that stands still until it is moved."""

    now: float = 1000.0
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(monotonic=lambda: self.now, unix=lambda: 1_700_000_000.0 + self.now)


class RecordedConnection(SignalConnection):
    """A connection that keeps what is sent."""

    def __init__(self, limits: LimitSettings) -> None:
        super().__init__(limits)
        self.sent: list[rtc.SignalResponse] = []
        self.closed: tuple[int, str] | None = None

    def send(self, message: rtc.SignalResponse) -> None:
        if self.closed is None:
            self.sent.append(rtc.SignalResponse.FromString(message.SerializeToString()))

    def close(self, code: int = 1000, reason: str = "") -> None:
        super().close(code, reason)
        self.closed = self.closed or (code, reason)

    def kinds(self) -> list[str]:
        """What was sent, by kind."""
        return [str(message.WhichOneof("message")) for message in self.sent]

    def last(self, kind: str) -> Any:
        """The last message of a kind."""
        return [getattr(message, kind) for message in self.sent if message.WhichOneof("message") == kind][-1]


class FakeSessions:
    """The sessions of a node with one room."""

    def __init__(self, **limits: int) -> None:
        base = Settings(dev=True)
        self.settings = base.model_copy(update={"limits": LimitSettings(**limits)})
        self.counters = SignalCounters()
        self.time = FakeClock()
        self.clock = self.time.clock
        self.server_info: models.ServerInfo = server_info("ND_1")
        self.sif_trailer = b"trailer"
        self.room = FakeRoom()
        self.sessions: dict[str, Session] = {}
        self.departed: list[LeaveReason] = []

    def find(self, sid: str) -> Session | None:
        return self.sessions.get(sid)

    def ended(self, session: Session, reason: LeaveReason) -> None:
        self.departed.append(reason)

    def connection(self) -> RecordedConnection:
        return RecordedConnection(self.settings.limits)

    def join(
        self, identity: str = "student", request: ConnectRequest | None = None
    ) -> tuple[Session, FakeParticipant, RecordedConnection]:
        """Let somebody join."""
        asked = request or single_request()
        grants = Grants(
            key="devkey",
            expires_at=1_700_010_000.0,
            identity=identity,
            room="room",
            room_join=True,
            permissions=Permissions(can_update_metadata=True),
        )
        session = Session(self, grants, asked)
        participant = self.room.join(JoinSpec(identity=Identity(identity)), session)
        connection = self.connection()
        self.sessions[participant.sid] = session
        session.join(cast(Any, participant), connection, asked)
        return session, participant, connection


def single_request(**changes: Any) -> ConnectRequest:
    request = ConnectRequest(single_peer_connection=True)
    return replace(request, client=replace(request.client, protocol=17), **changes)


def dual_request(**changes: Any) -> ConnectRequest:
    return replace(single_request(), single_peer_connection=False, **changes)
