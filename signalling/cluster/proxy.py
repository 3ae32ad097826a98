"""Any node answers for every room: what is about another node's room is passed on to that node.

A middleware looks at the LiveKit client routes (``/rtc``, ``/rtc/v1`` and their validate routes) and at the
RoomService. It finds the room in the token or the request, and its owner by `ownership`; a room that nobody
owns is placed by load. Only signalling passes through here: the owner's join answer names the owner's own
media addresses.

An owner that cannot be reached is waited for until its lease ends; then the room is placed anew, and the
client that asked is served there: it comes back under the same room name.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote

import aiohttp
import structlog
from aiohttp import hdrs, web
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from livekit.protocol import room as proto
from yarl import URL

from signalling.auth import Grants, verify_token
from signalling.cluster.bridge import Bridge, BridgeCounters
from signalling.cluster.errors import LeasesAwayError
from signalling.cluster.internal import HEADER, Facts, InternalRequestError, sign, verify
from signalling.cluster.nodes import NodeRegistry
from signalling.cluster.ownership import Owner, RoomOwnership
from signalling.errors import AuthenticationError, PermissionDeniedError
from signalling.livekit.roomservice import PREFIX as TWIRP_PREFIX
from signalling.livekit.server import FRAME_BYTES_FACTOR, client_address, parse_networks
from signalling.settings import Settings

TAKEOVER_S = 6.0
"""Seconds that a request waits for an owner that does not answer: its lease ends sooner."""
RETRY_S = 0.1
"""Seconds between attempts meanwhile."""
CONNECT_TIMEOUT_S = 1.0
"""Seconds for reaching another node."""
ANSWER_TIMEOUT_S = 2.0
"""Seconds for its answer to an upgrade."""
CALL_TIMEOUT_S = 10.0
"""Seconds for a RoomService call at another node."""
HEARTBEAT_S = 6.0
"""Seconds between pings to the owner; an answer may take half of it."""
REASON_CHARACTERS = 1000
"""Of a refusal's text that travel in a header."""

REASON_HEADER: Final = "X-Raisehand-Reason"
"""Carries the text of an answer that is no upgrade: WebSocket clients do not get its body."""

_JOINS = frozenset({"/rtc", "/rtc/v1"})
_VALIDATIONS = frozenset({"/rtc/validate", "/rtc/v1/validate"})
_PASSED_ON = (
    hdrs.AUTHORIZATION,
    hdrs.ORIGIN,
    hdrs.USER_AGENT,
    hdrs.CONTENT_TYPE,
    hdrs.ACCEPT,
    hdrs.ACCEPT_LANGUAGE,
)
_PASSED_BACK = (
    hdrs.CONTENT_TYPE,
    hdrs.CACHE_CONTROL,
    hdrs.VARY,
    hdrs.RETRY_AFTER,
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN,
)
MISDIRECTED = 421
"""Misdirected Request (RFC 9110 section 15.5.20): the node that was asked does not own the room."""

_ROOM_CALLS: Mapping[str, Callable[[], Message]] = {
    "CreateRoom": proto.CreateRoomRequest,
    "DeleteRoom": proto.DeleteRoomRequest,
    "ListParticipants": proto.ListParticipantsRequest,
    "GetParticipant": proto.RoomParticipantIdentity,
    "RemoveParticipant": proto.RoomParticipantIdentity,
    "MutePublishedTrack": proto.MuteRoomTrackRequest,
    "UpdateParticipant": proto.UpdateParticipantRequest,
    "UpdateSubscriptions": proto.UpdateSubscriptionsRequest,
    "SendData": proto.SendDataRequest,
    "UpdateRoomMetadata": proto.UpdateRoomMetadataRequest,
    "MoveParticipant": proto.MoveParticipantRequest,
}

_FACTS: Final = web.RequestKey("raisehand.internal", Facts)

_log = structlog.get_logger("proxy")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class UnreachableError(Exception):
    """The node does not answer, or says that the room is not its own."""

    def __init__(self, reason: str, *, heard: bool = False) -> None:
        """`heard`: the request may have reached the node, and been carried out."""
        super().__init__(reason)
        self.heard = heard


@dataclass(slots=True)
class ProxyCounters:
    """What was passed on, for `/metrics`."""

    passed: int = 0
    """Requests that another node answered."""
    unreachable: int = 0
    """Attempts that did not reach the owner."""
    gave_up: int = 0
    """Requests refused because no owner could be found in time."""
    forged: int = 0
    """Requests that claimed to come from a node and did not."""
    bridges: BridgeCounters = field(default_factory=BridgeCounters)


@dataclass(frozen=True, slots=True)
class _Target:
    """What a request is about."""

    room: str
    creates: bool
    """A room that nobody owns is placed for it."""
    destination: str = ""
    """A second room that must be at the same node (MoveParticipant)."""


class SignalProxy:
    """The middleware, and the connections to other nodes; `start`, at last `stop`."""

    def __init__(
        self,
        settings: Settings,
        ownership: RoomOwnership,
        nodes: NodeRegistry,
        secret: bytes,
        *,
        ssl_context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`ssl_context` is for internal URLs that begin with https; without one, public authorities count."""
        self._settings = settings
        self._ownership = ownership
        self._nodes = nodes
        self._secret = secret
        self._ssl = ssl_context
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None
        self._bridges: dict[str, set[Bridge]] = {}
        self._proxies = parse_networks(settings.trusted_proxies)
        self.counters = ProxyCounters()

    async def start(self) -> None:
        """Be ready to reach others."""
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl if self._ssl is not None else True),
            timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def stop(self) -> None:
        """Break all bridges: their clients come back by another node."""
        for node in list(self._bridges):
            self.cut(node)
        if self._http is not None:
            await self._http.close()
            self._http = None

    def cut(self, node: str) -> None:
        """A node is gone: let clients whose signalling goes there come back at once."""
        for bridge in list(self._bridges.get(node, ())):
            bridge.cut()

    # Middleware ----------------------------------------------------------------------------------

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer here, or have another node answer."""
        if HEADER in request.headers:
            return await self._from_node(request, handler)
        if request.path == TWIRP_PREFIX + "ListRooms" and request.method == hdrs.METH_POST:
            return await self._list_rooms(request, handler)
        target = await self._target(request)
        if isinstance(target, web.Response):
            return target
        if target is None:
            return await handler(request)
        return await self._route(request, handler, target)

    async def _from_node(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A request that another node passed on to us."""
        try:
            claim = verify(
                self._secret, request.headers[HEADER], receiver=self._nodes.me.id, now=self._clock()
            )
            original = _as_of_client(request, claim.facts)
            body = await original.read() if request.body_exists else b""
            original[_FACTS] = facts = claim.check(request.method, request.raw_path, body)
        except InternalRequestError as error:
            self.counters.forged += 1
            _log.warning("an internal request was refused", reason=str(error), remote=request.remote)
            return web.Response(status=403, text="not an internal request")
        target = await self._target(original)
        if isinstance(target, web.Response):
            return target
        if target is not None and not facts.local:
            try:
                if not await self._is_ours(target.room, claim=facts.claim):
                    return web.Response(status=MISDIRECTED, text="the room is at another node")
            except LeasesAwayError:
                return web.Response(status=MISDIRECTED, text="the room's owner is not known now")
        response = await self._answer(original, handler, target)
        if response.status >= 400 and isinstance(response, web.Response) and not response.prepared:
            response.headers[REASON_HEADER] = quote((response.text or "")[:REASON_CHARACTERS])
        return response

    async def _is_ours(self, room: str, *, claim: bool) -> bool:
        if await self._ownership.confirm(room) is not None:
            return True
        return claim and (await self._ownership.claim(room)).node == self._nodes.me.id

    async def _answer(
        self, request: web.Request, handler: Handler, target: _Target | None
    ) -> web.StreamResponse:
        """Answer here."""
        if target is not None and target.destination:
            try:
                other = await self._ownership.claim(target.destination)
            except LeasesAwayError:
                return _twirp_error("unavailable", "the destination's node is not known now", 503)
            if other.node != self._nodes.me.id:
                return _twirp_error("failed_precondition", "the destination is at another node", 412)
        return await handler(request)

    # Routing -------------------------------------------------------------------------------------

    async def _route(self, request: web.Request, handler: Handler, target: _Target) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + TAKEOVER_S
        fresh = False
        reason = ""
        while True:
            try:
                owner = await self.locate(target.room, creates=target.creates, fresh=fresh)
                if owner is None or owner.node == self._nodes.me.id:
                    return await self._answer(request, handler, target)
                return await self._pass_on(request, owner)
            except UnreachableError as error:
                self.counters.unreachable += 1
                reason = f"{owner.node if owner else ''}: {error}"
                if owner is not None and owner.token == 0:
                    self._nodes.forget(owner.node)
            except LeasesAwayError as error:
                reason = str(error)
            fresh = True
            if loop.time() >= deadline:
                break
            await asyncio.sleep(RETRY_S)
        self.counters.gave_up += 1
        _log.warning("no node answers for a room", room=target.room, reason=reason)
        if request.path.startswith(TWIRP_PREFIX):
            return _twirp_error("unavailable", "the room's node does not answer; try again", 503)
        return web.Response(
            status=503, text="the room's node does not answer; try again", headers={hdrs.RETRY_AFTER: "1"}
        )

    async def locate(self, room: str, *, creates: bool, fresh: bool = False) -> Owner | None:
        """The node that answers for a room; None: nobody owns it, and this node says so.

        With `creates` a room that nobody owns gets an owner: this node by a claim, or another that is told to
        claim it (`token` 0). None then means that every node drains, this one included, and it refuses.
        Raises LeasesAwayError.
        """
        if lease := await self._ownership.confirm(room):
            return Owner.from_lease(lease)
        owner = await self._ownership.find(room, fresh=fresh)
        if owner is not None and owner.node != self._nodes.me.id:
            return owner
        if not creates:
            return owner
        chosen = self._nodes.place(room)
        if chosen is None:
            return None
        if chosen.id != self._nodes.me.id:
            return Owner(chosen.id, chosen.internal_url, 0)
        return await self._ownership.claim(room)

    async def _pass_on(self, request: web.Request, owner: Owner) -> web.StreamResponse:
        if request.path in _JOINS:
            return await self._bridge(request, owner)
        body = await request.read() if request.body_exists else b""
        answer = await self._call(request, owner, body)
        self.counters.passed += 1
        return answer

    async def _call(
        self, request: web.Request, owner: Owner, body: bytes, *, local: bool = False
    ) -> web.Response:
        """Another node's answer to a plain request; raises UnreachableError."""
        assert self._http is not None
        headers = self._headers(request, owner, body, local=local)
        with _reaching():
            async with self._http.request(
                request.method,
                _url(owner, request),
                headers=headers,
                data=body or None,
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
        if answer.status == MISDIRECTED:
            raise UnreachableError("it is not the room's owner")
        return web.Response(body=content, status=answer.status, headers=_back(answer.headers))

    async def ask(self, owner: Owner, path: str, body: bytes, *, timeout_s: float) -> tuple[int, bytes]:
        """A node's answer to a request of our own; raises UnreachableError."""
        assert self._http is not None
        facts = Facts(
            sender=self._nodes.me.id,
            receiver=owner.node,
            client="",
            host="",
            scheme="http",
            claim=owner.token == 0,
        )
        url = URL(owner.url.rstrip("/") + path)
        headers = {HEADER: sign(self._secret, facts, hdrs.METH_POST, path, body, self._clock())}
        with _reaching():
            async with asyncio.timeout(timeout_s):
                async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                    content = await answer.read()
        if answer.status == MISDIRECTED:
            raise UnreachableError("it is not the room's owner")
        return answer.status, content

    async def _bridge(self, request: web.Request, owner: Owner) -> web.StreamResponse:
        assert self._http is not None
        limits = self._settings.limits
        client = web.WebSocketResponse(
            compress=False,
            max_msg_size=limits.signal_message_bytes * FRAME_BYTES_FACTOR,
            heartbeat=self._settings.signal.ping_timeout_s / 1.5,
        )
        if not client.can_prepare(request):
            return await self._call(request, owner, b"")
        try:
            with _reaching():
                async with asyncio.timeout(CONNECT_TIMEOUT_S + ANSWER_TIMEOUT_S):
                    upstream = await self._http.ws_connect(
                        _url(owner, request),
                        headers=self._headers(request, owner, b""),
                        heartbeat=HEARTBEAT_S,
                        autoclose=False,
                        max_msg_size=0,
                        timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                    )
        except aiohttp.WSServerHandshakeError as refused:
            if refused.status == MISDIRECTED:
                raise UnreachableError("it is not the room's owner") from None
            self.counters.passed += 1
            headers: Mapping[str, str] = refused.headers or {}
            text = unquote(headers.get(REASON_HEADER, ""))
            kept = {name: value for name, value in _back(headers).items() if name != hdrs.CONTENT_TYPE}
            return web.Response(status=refused.status, text=text, headers=kept)
        self.counters.passed += 1
        try:
            await client.prepare(request)
        except BaseException:
            await upstream.close()
            raise
        transport = request.transport
        bridge = Bridge(client, upstream, transport.abort if transport else _nothing, self.counters.bridges)
        self.counters.bridges.opened += 1
        bridges = self._bridges.setdefault(owner.node, set())
        bridges.add(bridge)
        try:
            await bridge.run()
        finally:
            bridges.discard(bridge)
            if not bridges and self._bridges.get(owner.node) is bridges:
                del self._bridges[owner.node]
        return client

    @property
    def bridge_count(self) -> int:
        """Clients whose signalling goes through this node to another."""
        return sum(len(bridges) for bridges in self._bridges.values())

    async def _list_rooms(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The rooms of all nodes in one list."""
        others = [node for node in self._nodes.live() if node.id != self._nodes.me.id]
        if not others:
            return await handler(request)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _twirp_error("resource_exhausted", "the request is too large", 429)
        mine = await handler(request)
        if mine.status != 200 or not isinstance(mine, web.Response):
            return mine
        asked = [
            self._call(request, Owner(node.id, node.internal_url, 0), body, local=True) for node in others
        ]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        parts = [mine]
        for node, answer in zip(others, answers, strict=True):
            if isinstance(answer, web.Response) and answer.status == 200:
                parts.append(answer)
            elif isinstance(answer, BaseException) and not isinstance(answer, UnreachableError):
                raise answer
            else:  # gone, or going: its rooms are no longer there
                _log.warning("a node did not list its rooms", node=node.id)
        return _merged(parts)

    # Requests ------------------------------------------------------------------------------------

    async def _target(self, request: web.Request) -> _Target | web.Response | None:
        """What the request is about; None if any node may answer, which includes refusing it."""
        path = request.path
        if path in _JOINS or path in _VALIDATIONS:
            if request.method != hdrs.METH_GET:
                return None
            grants = self._grants(_bearer(request))
            try:
                room = grants.require_join() if grants is not None else ""
            except PermissionDeniedError:
                return None
            is_upgrade = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
            return _Target(room, creates=path in _JOINS and is_upgrade) if room else None
        if not path.startswith(TWIRP_PREFIX) or request.method != hdrs.METH_POST:
            return None
        method = path.removeprefix(TWIRP_PREFIX)
        if method not in _ROOM_CALLS or (grants := self._grants(_bearer(request))) is None:
            return None
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            limit = self._settings.limits.request_body_bytes
            return _twirp_error("resource_exhausted", f"the request is larger than {limit} bytes", 429)
        message = _decoded(_ROOM_CALLS[method](), body, is_json=request.content_type == "application/json")
        room = getattr(message, "name" if method == "CreateRoom" else "room", "") if message else ""
        if not room or len(room.encode()) > self._settings.limits.name_bytes:
            return None
        destination = getattr(message, "destination_room", "")
        try:
            if method == "CreateRoom":
                grants.require_create()
            elif method == "MoveParticipant":
                grants.require_destination(room, destination)
        except PermissionDeniedError:
            return None
        return _Target(room, creates=method == "CreateRoom", destination=destination)

    def _grants(self, token: str) -> Grants | None:
        try:
            return verify_token(token, self._settings.secrets)
        except AuthenticationError:
            return None

    def _headers(
        self, request: web.Request, owner: Owner, body: bytes, *, local: bool = False
    ) -> dict[str, str]:
        facts = Facts(
            sender=self._nodes.me.id,
            receiver=owner.node,
            client=client_address(request, self._proxies),
            host=request.host,
            scheme=request.scheme,
            claim=owner.token == 0 and not local,
            local=local,
        )
        headers = {str(name): request.headers[name] for name in _PASSED_ON if name in request.headers}
        headers[HEADER] = sign(self._secret, facts, request.method, request.raw_path, body, self._clock())
        return headers


def internal_facts(request: web.Request) -> Facts | None:
    """What another node proved to say of a request; None for a client's."""
    return request.get(_FACTS)


def _nothing() -> None:
    """For a connection that is gone already."""


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except aiohttp.WSServerHandshakeError:
        raise
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        heard = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        raise UnreachableError(str(error) or type(error).__name__, heard=heard) from None


def _url(owner: Owner, request: web.Request) -> URL:
    return URL(owner.url.rstrip("/") + request.raw_path, encoded=True)


def _as_of_client(request: web.Request, facts: Facts) -> web.Request:
    """The request, not read yet, as if the client had made it to us."""
    headers = request.headers.copy()
    headers.popall(HEADER, None)
    headers.popall("X-Forwarded-For", None)
    headers[hdrs.HOST] = facts.host
    return request.clone(headers=headers, scheme=facts.scheme, host=facts.host, remote=facts.client)


def _bearer(request: web.Request) -> str:
    if header := request.headers.get(hdrs.AUTHORIZATION, ""):
        scheme, _, token = header.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    return request.query.get("access_token", "")


def _back(headers: Mapping[str, str]) -> dict[str, str]:
    return {str(name): headers[name] for name in _PASSED_BACK if name in headers}


def _decoded(message: Message, body: bytes, *, is_json: bool) -> Message | None:
    try:
        if is_json:
            return json_format.Parse(body or b"{}", message, ignore_unknown_fields=True)
        message.ParseFromString(body)
    except (json_format.ParseError, DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return message


def _merged(parts: Sequence[web.Response]) -> web.Response:
    first = parts[0]
    bodies = [bytes(part.body) if isinstance(part.body, bytes | bytearray) else b"" for part in parts]
    if first.content_type == "application/json":
        rooms: list[Any] = [room for body in bodies for room in json.loads(body).get("rooms", [])]
        return web.json_response({"rooms": rooms})
    merged = proto.ListRoomsResponse()
    for body in bodies:
        merged.MergeFromString(body)
    return web.Response(body=merged.SerializeToString(), content_type="application/protobuf")


def _twirp_error(code: str, message: str, status: int) -> web.Response:
    return web.json_response({"code": code, "msg": message}, status=status)
