"""LiveKit's RoomService over Twirp: `livekit-api`, the `lk` command and server SDKs administer rooms by it.

Twirp (twitchtv/twirp, "PROTOCOL.md") is a POST per method with protobuf or JSON; errors are JSON with a code.
All of it goes through `RoomControl`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import hdrs, web
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from livekit.protocol import models
from livekit.protocol import room as proto

from mediaserver.errors import RoomError
from mediaserver.room.model import RoomOptions
from signalling.auth import Grants, verify_token
from signalling.errors import AuthenticationError, PermissionDeniedError
from signalling.livekit import messages
from signalling.livekit.data import MAXIMUM_DESTINATIONS, server_packet
from signalling.settings import Settings

if TYPE_CHECKING:
    from mediaserver.room.control import RoomControl

PREFIX = "/twirp/livekit.RoomService/"
NONCE_BYTES = 16

_STATUS = {
    "invalid_argument": 400,
    "malformed": 400,
    "bad_route": 404,
    "unauthenticated": 401,
    "permission_denied": 403,
    "not_found": 404,
    "resource_exhausted": 429,
    "failed_precondition": 412,
    "unimplemented": 501,
    "internal": 500,
}
"""HTTP status of each Twirp code we use (Twirp specification, "Error Codes")."""

_ROOM_CODES = {
    "room_not_found": "not_found",
    "participant_not_found": "not_found",
    "track_not_found": "not_found",
    "room_full": "resource_exhausted",
    "node_full": "resource_exhausted",
    "track_limit": "resource_exhausted",
    "not_allowed": "permission_denied",
    "bad_request": "invalid_argument",
    "session_gone": "not_found",
}


class TwirpError(Exception):
    """A call that fails; `code` is Twirp's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: the type of its request, and what does it."""

    request: Callable[[], Message]
    run: Callable[[Grants, Any], Awaitable[Message]]


class RoomService:
    """The Twirp service."""

    def __init__(self, settings: Settings, control: RoomControl) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._control = control
        self.log = structlog.get_logger("roomservice")
        self.methods: Mapping[str, Method] = {
            "CreateRoom": Method(proto.CreateRoomRequest, self._create_room),
            "ListRooms": Method(proto.ListRoomsRequest, self._list_rooms),
            "DeleteRoom": Method(proto.DeleteRoomRequest, self._delete_room),
            "ListParticipants": Method(proto.ListParticipantsRequest, self._list_participants),
            "GetParticipant": Method(proto.RoomParticipantIdentity, self._get_participant),
            "RemoveParticipant": Method(proto.RoomParticipantIdentity, self._remove_participant),
            "MutePublishedTrack": Method(proto.MuteRoomTrackRequest, self._mute_published_track),
            "UpdateParticipant": Method(proto.UpdateParticipantRequest, self._update_participant),
            "UpdateSubscriptions": Method(proto.UpdateSubscriptionsRequest, self._update_subscriptions),
            "SendData": Method(proto.SendDataRequest, self._send_data),
            "UpdateRoomMetadata": Method(proto.UpdateRoomMetadataRequest, self._update_room_metadata),
            "MoveParticipant": Method(proto.MoveParticipantRequest, self._move_participant),
        }

    def routes(self) -> Iterator[web.RouteDef]:
        """The routes to serve."""
        yield web.route("*", PREFIX + "{method}", self.handle)

    async def handle(self, request: web.Request) -> web.Response:
        """One call."""
        name = request.match_info["method"]
        try:
            method = self.methods.get(name)
            if request.method != "POST" or method is None:
                raise TwirpError("bad_route", f"no such method: {request.method} {name}")
            as_json = _is_json(request)
            grants = self._authenticate(request)
            message = _decode(method.request(), await self._body(request), as_json)
            reply = await method.run(grants, message)
        except TwirpError as error:
            return _error(error.code, str(error))
        except PermissionDeniedError as error:
            return _error("permission_denied", str(error))
        except RoomError as error:
            return _error(_ROOM_CODES.get(error.code, "internal"), str(error))
        except Exception:
            self.log.exception("a call failed", method=name)
            return _error("internal", "internal error")
        self.log.info("room service", method=name, room=getattr(message, "room", ""))
        if as_json:
            text = json_format.MessageToJson(
                reply,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
                indent=None,
            )
            return web.Response(text=text, content_type="application/json")
        return web.Response(body=reply.SerializeToString(), content_type="application/protobuf")

    def _authenticate(self, request: web.Request) -> Grants:
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise AuthenticationError("the Authorization header must be 'Bearer' and a token")
            return verify_token(token.strip(), self._settings.secrets)
        except AuthenticationError as error:
            raise TwirpError("unauthenticated", str(error)) from None

    async def _body(self, request: web.Request) -> bytes:
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge:
            limit = self._limits.request_body_bytes
            raise TwirpError("resource_exhausted", f"the request is larger than {limit} bytes") from None

    # Methods -------------------------------------------------------------------------------------

    async def _create_room(self, grants: Grants, request: proto.CreateRoomRequest) -> Message:
        grants.require_create()
        self._check_name("name", request.name)
        self._check_metadata(request.metadata)
        defaults = RoomOptions()
        options = RoomOptions(
            empty_timeout_s=request.empty_timeout or defaults.empty_timeout_s,
            departure_timeout_s=request.departure_timeout or defaults.departure_timeout_s,
            max_participants=request.max_participants,
            metadata=request.metadata,
        )
        return messages.room_message(await self._control.create_room(request.name, options))

    async def _list_rooms(self, grants: Grants, request: proto.ListRoomsRequest) -> Message:
        grants.require_list()
        rooms = await self._control.list_rooms(tuple(request.names))
        return proto.ListRoomsResponse(rooms=[messages.room_message(room) for room in rooms])

    async def _delete_room(self, grants: Grants, request: proto.DeleteRoomRequest) -> Message:
        grants.require_create()
        await self._control.delete_room(request.room)
        return proto.DeleteRoomResponse()

    async def _list_participants(self, grants: Grants, request: proto.ListParticipantsRequest) -> Message:
        grants.require_admin(request.room)
        participants = await self._control.list_participants(request.room)
        return proto.ListParticipantsResponse(
            participants=[messages.participant_message(info) for info in participants]
        )

    async def _get_participant(self, grants: Grants, request: proto.RoomParticipantIdentity) -> Message:
        grants.require_admin(request.room)
        return messages.participant_message(
            await self._control.get_participant(request.room, request.identity)
        )

    async def _remove_participant(self, grants: Grants, request: proto.RoomParticipantIdentity) -> Message:
        grants.require_admin(request.room)
        await self._control.remove_participant(request.room, request.identity)
        return proto.RemoveParticipantResponse()

    async def _mute_published_track(self, grants: Grants, request: proto.MuteRoomTrackRequest) -> Message:
        grants.require_admin(request.room)
        track = await self._control.mute_published_track(
            request.room, request.identity, request.track_sid, request.muted
        )
        return proto.MuteRoomTrackResponse(track=messages.track_message(track))

    async def _update_participant(self, grants: Grants, request: proto.UpdateParticipantRequest) -> Message:
        grants.require_admin(request.room)
        permissions = messages.read_permission(request.permission) if request.HasField("permission") else None
        info = await self._control.update_participant(
            request.room,
            request.identity,
            name=request.name or None,
            metadata=request.metadata or None,
            attributes=dict(request.attributes) or None,
            permissions=permissions,
        )
        return messages.participant_message(info)

    async def _update_subscriptions(
        self, grants: Grants, request: proto.UpdateSubscriptionsRequest
    ) -> Message:
        grants.require_admin(request.room)
        await self._control.update_subscriptions(
            request.room,
            request.identity,
            tuple(request.track_sids),
            tuple((entry.participant_sid, tuple(entry.track_sids)) for entry in request.participant_tracks),
            request.subscribe,
        )
        return proto.UpdateSubscriptionsResponse()

    async def _send_data(self, grants: Grants, request: proto.SendDataRequest) -> Message:
        grants.require_admin(request.room)
        if request.nonce and len(request.nonce) != NONCE_BYTES:
            raise TwirpError("invalid_argument", f"nonce must have {NONCE_BYTES} bytes")
        if len(request.data) > self._limits.data_message_bytes:
            limit = self._limits.data_message_bytes
            raise TwirpError("invalid_argument", f"data is longer than {limit} bytes")
        named = {*request.destination_identities, *request.destination_sids}
        if len(named) > MAXIMUM_DESTINATIONS:
            raise TwirpError("invalid_argument", f"more than {MAXIMUM_DESTINATIONS} destinations")
        reliable = request.kind == models.DataPacket.RELIABLE
        payload = server_packet(
            request.data,
            reliable=reliable,
            topic=request.topic if request.HasField("topic") else None,
            destinations=list(request.destination_identities),
            nonce=request.nonce,
        )
        await self._control.send_data(request.room, payload, reliable, named or None)
        return proto.SendDataResponse()

    async def _update_room_metadata(
        self, grants: Grants, request: proto.UpdateRoomMetadataRequest
    ) -> Message:
        grants.require_admin(request.room)
        self._check_metadata(request.metadata)
        return messages.room_message(await self._control.update_room_metadata(request.room, request.metadata))

    async def _move_participant(self, grants: Grants, request: proto.MoveParticipantRequest) -> Message:
        grants.require_destination(request.room, request.destination_room)
        if request.room == request.destination_room:
            raise TwirpError("invalid_argument", "the destination is the room the participant is in")
        self._check_name("destination_room", request.destination_room)
        await self._control.get_participant(
            request.room, request.identity
        )  # before a room is made for nobody
        await self._control.create_room(request.destination_room, RoomOptions())
        await self._control.move_participant(request.room, request.identity, request.destination_room)
        return proto.MoveParticipantResponse()

    def _check_name(self, field: str, name: str) -> None:
        if not name:
            raise TwirpError("invalid_argument", f"{field} is missing")
        if len(name.encode()) > self._limits.name_bytes:
            raise TwirpError("invalid_argument", f"{field} is longer than {self._limits.name_bytes} bytes")

    def _check_metadata(self, metadata: str) -> None:
        limit = self._limits.metadata_bytes
        if len(metadata.encode()) > limit:
            raise TwirpError("invalid_argument", f"metadata is longer than {limit} bytes")


def _is_json(request: web.Request) -> bool:
    if request.content_type == "application/json":
        return True
    if request.content_type == "application/protobuf":
        return False
    raise TwirpError("bad_route", "Content-Type must be application/json or application/protobuf")


def _decode(message: Message, body: bytes, as_json: bool) -> Message:
    try:
        if as_json:
            return json_format.Parse(body, message, ignore_unknown_fields=True, max_recursion_depth=16)
        message.ParseFromString(body)
    except (json_format.ParseError, DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        raise TwirpError("malformed", "the request body cannot be read") from None
    return message


def _error(code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "msg": message}, status=_STATUS.get(code, 500))
