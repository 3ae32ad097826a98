"""The routes of LiveKit's client protocol, and the sessions of this node."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import structlog
from aiohttp import WSMsgType, hdrs, web
from livekit.protocol import models

from mediaserver.errors import RoomError
from mediaserver.room.model import Identity, JoinSpec, LeaveReason, ParticipantSid, RoomOptions
from signalling.auth import Grants, verify_token
from signalling.errors import AuthenticationError, JoinRequestError, PermissionDeniedError
from signalling.livekit import messages
from signalling.livekit.connection import CLOSE_POLICY, SignalConnection
from signalling.livekit.join_request import ConnectRequest, read_join_request, read_query
from signalling.livekit.limits import TokenBucket
from signalling.livekit.session import Clock, Session, SignalCounters
from signalling.settings import Settings

if TYPE_CHECKING:
    from mediaserver.room.manager import RoomManager

FRAME_BYTES_FACTOR = 4
"""A frame up to this multiple of the message limit is read, so that its sender can be told of the limit."""

REFRESH_LOOK_S = 5.0
"""Seconds between looks for sessions whose token wants refreshing."""

REMEMBERED_JOINERS = 4096
"""Identities whose rate of joining is watched; the one that joined longest ago gives way."""

REMEMBERED_DEPARTURES = 1024
"""Participants whose reason of leaving is kept, to tell those who try to resume."""

NOT_TO_RETURN = frozenset(
    {LeaveReason.DUPLICATE_IDENTITY, LeaveReason.PARTICIPANT_REMOVED, LeaveReason.ROOM_DELETED}
)
"""Who left for these reasons is not asked to join anew."""


class RefusedError(Exception):
    """A connection that is not let in; becomes a plain HTTP answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Admission:
    """A connection that may go on."""

    grants: Grants
    room: str
    request: ConnectRequest


class Doorkeeper(Protocol):
    """Has the last word on who joins: the desk's calls admit only whom they expect."""

    async def admit(self, grants: Grants) -> Grants:
        """The grants to join with; returned unchanged for rooms that are nobody's call.

        Raises RefusedError.
        """


class SignalServer:
    """``/rtc``, ``/rtc/v1`` and their validate routes; owns the sessions of the node."""

    def __init__(
        self, settings: Settings, rooms: RoomManager, *, node_id: str = "", clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.rooms = rooms
        self.counters = SignalCounters()
        self.clock = clock or Clock()
        self.server_info: models.ServerInfo = messages.server_info(node_id)
        self.sif_trailer = secrets.token_bytes(16)
        self.doorkeeper: Doorkeeper | None = None
        self.draining = False
        """Whether rooms without anybody in them are closed to newcomers."""
        self._sessions: dict[str, Session] = {}
        self._departed: OrderedDict[str, LeaveReason] = OrderedDict()
        self._joins = TokenBucket(settings.limits.joins_per_s, settings.limits.join_burst)
        self._joins_of: OrderedDict[tuple[str, str], TokenBucket] = OrderedDict()
        self._proxies = parse_networks(settings.trusted_proxies)
        self.log = structlog.get_logger("signal")

    def routes(self) -> Iterator[web.RouteDef]:
        """The routes to serve."""
        yield web.get("/rtc", self._join_dual)
        yield web.get("/rtc/validate", self._validate_dual)
        yield web.options("/rtc/validate", self._preflight)
        if self.settings.signal.v1:
            yield web.get("/rtc/v1", self._join_single)
            yield web.get("/rtc/v1/validate", self._validate_single)
            yield web.options("/rtc/v1/validate", self._preflight)

    @property
    def session_count(self) -> int:
        """Participants whose signalling this node serves."""
        return len(self._sessions)

    def find(self, sid: str) -> Session | None:
        """The session of a participant of this node."""
        return self._sessions.get(sid)

    def ended(self, session: Session, reason: LeaveReason) -> None:
        """A participant has left for good."""
        sid = session.participant.sid
        if self._sessions.get(sid) is session:
            del self._sessions[sid]
        self._departed[sid] = reason
        while len(self._departed) > REMEMBERED_DEPARTURES:
            self._departed.popitem(last=False)

    async def run(self) -> None:
        """Refresh tokens for as long as the server runs; an owned task."""
        while True:
            await asyncio.sleep(REFRESH_LOOK_S)
            self.refresh_tokens()

    def refresh_tokens(self) -> None:
        """Send a fresh token to everybody whose last one is old."""
        due = self.clock.monotonic() - self.settings.signal.refresh_interval_s
        for session in list(self._sessions.values()):
            if session.attached and session.refreshed_at <= due:
                session.send_refresh_token()

    # Admission -----------------------------------------------------------------------------------

    def admit(self, request: web.Request, *, single: bool) -> Admission:
        """Whether a connection may go on.

        Raises RefusedError.
        """
        self._check_origin(request)
        try:
            grants = verify_token(_bearer(request), self.settings.secrets)
            room = grants.require_join()
            asked = self._read_request(request, single)
        except (AuthenticationError, PermissionDeniedError) as error:
            raise RefusedError(401, str(error)) from None
        except JoinRequestError as error:
            raise RefusedError(400, str(error)) from None
        limit = self.settings.limits.name_bytes
        for what, text in (("room name", room), ("identity", grants.identity), ("name", grants.name)):
            if len(text.encode()) > limit:
                raise RefusedError(400, f"the {what} is longer than {limit} bytes")
        if (asked.metadata or asked.attributes) and not grants.permissions.can_update_metadata:
            raise RefusedError(401, "the token does not allow setting one's own metadata")
        metadata = asked.metadata or grants.metadata
        attributes = dict(grants.attributes) | {name: text for name, text in asked.attributes if text}
        self._check_facts(metadata, attributes)
        grants = replace(grants, metadata=metadata, attributes=tuple(sorted(attributes.items())))
        if not asked.reconnect:
            self._check_capacity(grants, room)
        return Admission(grants, room, asked)

    def _read_request(self, request: web.Request, single: bool) -> ConnectRequest:
        limit = self.settings.limits.join_request_bytes
        if encoded := request.query.get("join_request", ""):
            asked = read_join_request(encoded, limit=limit)
        elif single:
            raise JoinRequestError("join_request is missing")
        else:
            asked = read_query(request.query, strict=request.path.endswith("validate"))
        address = client_address(request, self._proxies)
        return replace(asked, client=replace(asked.client, address=address))

    def _check_rate(self, admission: Admission) -> None:
        limits, now = self.settings.limits, self.clock.monotonic()
        who = (admission.room, admission.grants.identity)
        bucket = self._joins_of.pop(who, None) or TokenBucket(
            limits.joins_per_participant_per_s, limits.participant_join_burst
        )
        self._joins_of[who] = bucket
        while len(self._joins_of) > REMEMBERED_JOINERS:
            self._joins_of.popitem(last=False)
        if not bucket.take(1, now) or not self._joins.take(1, now):
            raise RefusedError(429, "too many joins at once; try again in a moment")

    def _check_facts(self, metadata: str, attributes: dict[str, str]) -> None:
        limits = self.settings.limits
        if len(metadata.encode()) > limits.metadata_bytes:
            raise RefusedError(400, f"the metadata is longer than {limits.metadata_bytes} bytes")
        size = sum(len(name.encode()) + len(text.encode()) for name, text in attributes.items())
        if size > limits.attributes_bytes:
            raise RefusedError(400, f"the attributes are longer than {limits.attributes_bytes} bytes")

    def _check_capacity(self, grants: Grants, name: str) -> None:
        room = self.rooms.get(name)
        if self.draining and (room is None or not room.participants):
            raise RefusedError(503, "the server is shutting down and takes no new calls")
        if room is not None and Identity(grants.identity) in room.participants:
            return  # takes its own place
        try:
            self.rooms.ensure_capacity()
        except RoomError as error:
            raise RefusedError(503, str(error)) from None
        if room is None:
            if len(self.rooms.rooms) >= self.settings.limits.rooms_per_node:
                raise RefusedError(503, "the node has no place for another room")
            return
        limit = room.options.max_participants or self.settings.limits.participants_per_room
        if len(room.participants) >= min(limit, self.settings.limits.participants_per_room):
            raise RefusedError(403, f"the room is full: it has its {limit} participants")

    def _check_origin(self, request: web.Request) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        allowed = self.settings.allowed_origin
        if origin and allowed and origin not in allowed and origin != _own_origin(request):
            raise RefusedError(403, "this web page's origin may not connect (allowed_origin)")

    def _cors(self, request: web.Request) -> dict[str, str]:
        origin = request.headers.get(hdrs.ORIGIN)
        if not origin:
            return {}
        if self.settings.allowed_origin:
            if origin not in self.settings.allowed_origin:
                return {hdrs.VARY: hdrs.ORIGIN}
            return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin, hdrs.VARY: hdrs.ORIGIN}
        return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*"}

    # Handlers ------------------------------------------------------------------------------------

    async def _validate_dual(self, request: web.Request) -> web.Response:
        return self._validate(request, single=False)

    async def _validate_single(self, request: web.Request) -> web.Response:
        return self._validate(request, single=True)

    def _validate(self, request: web.Request, *, single: bool) -> web.Response:
        headers = self._cors(request) | {hdrs.CACHE_CONTROL: "no-store"}
        try:
            self.admit(request, single=single)
        except RefusedError as refused:
            return web.Response(status=refused.status, text=refused.text, headers=headers)
        return web.Response(text="success", headers=headers)

    async def _preflight(self, request: web.Request) -> web.Response:
        headers = self._cors(request) | {
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, OPTIONS",
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "authorization, content-type",
            hdrs.ACCESS_CONTROL_MAX_AGE: "600",
        }
        return web.Response(status=204, headers=headers)

    async def _join_dual(self, request: web.Request) -> web.StreamResponse:
        return await self._connect(request, single=False)

    async def _join_single(self, request: web.Request) -> web.StreamResponse:
        return await self._connect(request, single=True)

    async def _connect(self, request: web.Request, *, single: bool) -> web.StreamResponse:
        limits = self.settings.limits
        websocket = web.WebSocketResponse(
            compress=False,  # signalling is small, and what is not inflated cannot be a bomb
            max_msg_size=limits.signal_message_bytes * FRAME_BYTES_FACTOR,
            heartbeat=self.settings.signal.ping_timeout_s / 1.5,  # plus half of it for the pong
        )
        if not websocket.can_prepare(request):
            return web.Response(
                status=426, text="this is a WebSocket endpoint", headers={hdrs.UPGRADE: "websocket"}
            )
        try:
            admission = self.admit(request, single=single)
            self._check_rate(admission)
            if self.doorkeeper is not None:
                grants = await self.doorkeeper.admit(admission.grants)
                admission = replace(admission, grants=grants)
        except RefusedError as refused:
            self.counters.refused_joins += 1
            self.log.info("join refused", status=refused.status, reason=refused.text)
            return web.Response(status=refused.status, text=refused.text, headers=self._cors(request))
        await websocket.prepare(request)
        transport = request.transport
        await self._serve(websocket, admission, transport.abort if transport else _nothing)
        return websocket

    async def _serve(
        self, websocket: web.WebSocketResponse, admission: Admission, abort: Callable[[], None]
    ) -> None:
        connection = SignalConnection(self.settings.limits)
        writer = asyncio.create_task(connection.run_writer(websocket, abort))
        session: Session | None = None
        try:
            session = self._start(connection, admission)
            if session is not None:
                await self._read(websocket, session)
            else:
                await writer
        finally:
            connection.close()
            if session is not None:
                session.detached(connection)
            await writer

    def _start(self, connection: SignalConnection, admission: Admission) -> Session | None:
        """Let the client in (anew or again); None: it was told why not."""
        try:
            if admission.request.reconnect:
                return self._resume(connection, admission)
            return self._join(connection, admission)
        except RoomError as error:
            self.counters.refused_joins += 1
            self.log.info("join refused", reason=str(error), code=error.code)
            gone = admission.request.reconnect
            connection.send(
                messages.leave_response(LeaveReason.STATE_MISMATCH if gone else LeaveReason.JOIN_FAILURE)
            )
            connection.close(CLOSE_POLICY, str(error))
            return None

    def _join(self, connection: SignalConnection, admission: Admission) -> Session:
        grants, asked = admission.grants, admission.request
        self.rooms.ensure_capacity()
        room = self.rooms.get_or_create(admission.room, grants.room_options or RoomOptions())
        spec = JoinSpec(
            identity=Identity(grants.identity),
            name=grants.name,
            metadata=grants.metadata,
            attributes=grants.attributes,
            permissions=grants.permissions,
            kind=grants.kind,
            single_peer_connection=asked.single_peer_connection,
            auto_subscribe=asked.auto_subscribe,
            adaptive_stream=asked.adaptive_stream,
            client=asked.client,
        )
        session = Session(self, grants, asked)
        participant = room.join(spec, session)
        self._sessions[participant.sid] = session
        self.counters.joins += 1
        session.join(participant, connection, asked)
        return session

    def _resume(self, connection: SignalConnection, admission: Admission) -> Session | None:
        grants, sid = admission.grants, admission.request.participant_sid
        if not sid:  # old clients do not say who they were
            room = self.rooms.get(admission.room)
            present = room.participants.get(Identity(grants.identity)) if room is not None else None
            sid = present.sid if present is not None else ""
        session = self.find(sid)
        reason = self._departed.get(ParticipantSid(sid))
        if session is None and reason in NOT_TO_RETURN and reason is not None:
            connection.send(messages.leave_response(reason))
            connection.close(CLOSE_POLICY, f"the participant left: {reason.name.lower()}")
            return None
        if (
            session is None
            or session.participant.identity != grants.identity
            or session.participant.room.name != admission.room
        ):
            raise RoomError("session_gone", "there is nothing to resume; join again")
        session.resume(connection, admission.request)
        self.counters.resumes += 1
        return session

    async def _read(self, websocket: web.WebSocketResponse, session: Session) -> None:
        async for message in websocket:
            try:
                if message.type is WSMsgType.BINARY:
                    session.receive(message.data)
                elif message.type is WSMsgType.TEXT:
                    session.receive_text()
            except Exception:
                session.log.exception("a signalling message could not be handled")
                session.fail()
            await asyncio.sleep(0)  # reading what is buffered does not yield: others get their turn


def _nothing() -> None:
    """For a connection that is gone already."""


def _bearer(request: web.Request) -> str:
    header = request.headers.get(hdrs.AUTHORIZATION, "")
    if header:
        scheme, _, token = header.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    return request.query.get("access_token", "")


def _own_origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses or networks of trusted proxies, as the settings give them."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def client_address(request: web.Request, proxies: Sequence[Network]) -> str:
    """Where the client really is: the last forwarded address that no trusted proxy added."""
    address = request.remote or ""
    forwarded = [
        part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()
    ]
    while forwarded and _is_in(address, proxies):
        address = forwarded.pop()
    return address


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
