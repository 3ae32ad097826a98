"""LiveKit access tokens: who somebody is and what he may do.

A token is a JWT (HS256) whose `iss` names the API key and which the key's secret signs. Tokens and secrets
never reach a log or an error text.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from jwt.warnings import InsecureKeyLengthWarning

from mediaserver.room.model import ParticipantInfo, Permissions, RoomOptions, TrackSource
from signalling.errors import AuthenticationError, PermissionDeniedError

# `settings` refuses short secrets itself, those of development excepted.
warnings.filterwarnings("ignore", category=InsecureKeyLengthWarning)

ALGORITHM = "HS256"
LEEWAY_S = 60
"""Tolerated difference between our clock and the one that signed, as LiveKit's own verifiers have."""
MAXIMUM_TOKEN_CHARACTERS = 32_768

ORDINARY = Permissions(can_update_metadata=True)
"""What a minted token allows unless told otherwise."""

_KINDS = {"standard": 0, "ingress": 1, "egress": 2, "sip": 3, "agent": 4, "connector": 7, "bridge": 8}
_SOURCES = {
    "camera": TrackSource.CAMERA,
    "microphone": TrackSource.MICROPHONE,
    "screen_share": TrackSource.SCREEN_SHARE,
    "screen_share_audio": TrackSource.SCREEN_SHARE_AUDIO,
}
_KIND_NAMES = {number: name for name, number in _KINDS.items()}
_SOURCE_NAMES = {source: name for name, source in _SOURCES.items()}


@dataclass(frozen=True, slots=True)
class Grants:
    """A verified token's content."""

    key: str
    """The API key that signed it."""
    expires_at: float
    """Unix seconds."""
    identity: str = ""
    name: str = ""
    metadata: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    kind: int = 0
    room: str = ""
    room_join: bool = False
    room_create: bool = False
    room_list: bool = False
    room_admin: bool = False
    destination_room: str = ""
    permissions: Permissions = field(default_factory=Permissions)
    room_options: RoomOptions | None = None
    """How to make the room if it does not exist yet (the token's ``roomConfig``)."""

    def require_join(self) -> str:
        """The room that the token lets its bearer join.

        Raises PermissionDeniedError.
        """
        if not self.room_join or not self.room:
            raise PermissionDeniedError("the token does not allow joining a room")
        if not self.identity:
            raise PermissionDeniedError("the token names no identity")
        return self.room

    def require_admin(self, room: str) -> None:
        """Raises PermissionDeniedError unless the token administers `room`."""
        if not self.room_admin or self.room != room:
            raise PermissionDeniedError("the token does not allow administering this room")

    def require_create(self) -> None:
        """Raises PermissionDeniedError unless the token may make and delete rooms."""
        if not self.room_create:
            raise PermissionDeniedError("the token does not allow creating or deleting rooms")

    def require_list(self) -> None:
        """Raises PermissionDeniedError unless the token may list rooms."""
        if not self.room_list:
            raise PermissionDeniedError("the token does not allow listing rooms")

    def require_destination(self, room: str, destination: str) -> None:
        """Raises PermissionDeniedError unless the token may move participants to `destination`."""
        self.require_admin(room)
        if self.destination_room != destination:
            raise PermissionDeniedError("the token does not allow moving participants to that room")


def verify_token(token: str, secrets: Mapping[str, str]) -> Grants:
    """The content of a genuine token that is valid now.

    Raises AuthenticationError.
    """
    if not token:
        raise AuthenticationError("no access token was given")
    if len(token) > MAXIMUM_TOKEN_CHARACTERS:
        raise AuthenticationError("the access token is too long")
    try:
        claimed = jwt.decode(token, options={"verify_signature": False})
        key = claimed.get("iss")
        secret = secrets.get(key) if isinstance(key, str) else None
        if secret is None:
            raise AuthenticationError("the access token was issued by an unknown API key")
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss"], "verify_aud": False},
        )
    except jwt.ExpiredSignatureError:
        raise AuthenticationError("the access token has expired") from None
    except jwt.ImmatureSignatureError:
        raise AuthenticationError("the access token is not valid yet") from None
    except jwt.MissingRequiredClaimError as error:
        raise AuthenticationError(f"the access token lacks the claim {error.claim}") from None
    except jwt.InvalidSignatureError:
        raise AuthenticationError("the access token's signature does not match the API key") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise AuthenticationError("the access token cannot be read") from None
    if "aud" in claims:  # a platform token (API.md, Identity) opens no media room
        raise AuthenticationError("this is not a LiveKit access token")
    try:
        return _read_claims(str(key), claims)
    except (ValueError, TypeError, AttributeError):
        raise AuthenticationError("the access token's claims cannot be read") from None


def _read_claims(key: str, claims: Mapping[str, Any]) -> Grants:
    video = claims.get("video") or {}
    attributes = claims.get("attributes") or {}
    sources = tuple(_SOURCES[name] for name in video.get("canPublishSources") or () if name in _SOURCES)
    permissions = Permissions(
        can_subscribe=video.get("canSubscribe", True) is not False,
        can_publish=video.get("canPublish", True) is not False,
        can_publish_data=video.get("canPublishData", True) is not False,
        can_publish_sources=sources,
        hidden=video.get("hidden") is True,
        can_update_metadata=video.get("canUpdateOwnMetadata") is True,
        recorder=video.get("recorder") is True,
        agent=video.get("agent") is True,
    )
    return Grants(
        key=key,
        expires_at=float(claims["exp"]),
        identity=_text(claims.get("sub")) or _text(claims.get("identity")),
        name=_text(claims.get("name")),
        metadata=_text(claims.get("metadata")),
        attributes=tuple(sorted((_text(name), _text(value)) for name, value in attributes.items())),
        kind=_KINDS.get(_text(claims.get("kind")), 0),
        room=_text(video.get("room")),
        room_join=video.get("roomJoin") is True,
        room_create=video.get("roomCreate") is True,
        room_list=video.get("roomList") is True,
        room_admin=video.get("roomAdmin") is True,
        destination_room=_text(video.get("destinationRoom")),
        permissions=permissions,
        room_options=_room_options(claims.get("roomConfig")),
    )


def _room_options(value: object) -> RoomOptions | None:
    """From the token's ``roomConfig``, in JSON names of either spelling."""
    if not isinstance(value, dict):
        return None

    def number(camel: str, snake: str, default: int) -> int:
        given = value.get(camel, value.get(snake, 0))
        return max(0, int(given or 0)) or default

    defaults = RoomOptions()
    return RoomOptions(
        empty_timeout_s=number("emptyTimeout", "empty_timeout", defaults.empty_timeout_s),
        departure_timeout_s=number("departureTimeout", "departure_timeout", defaults.departure_timeout_s),
        max_participants=number("maxParticipants", "max_participants", 0),
        metadata=_text(value.get("metadata")),
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("a claim must be text")
    return value


def mint_join_token(
    key: str,
    secret: str,
    *,
    identity: str,
    room: str,
    name: str = "",
    ttl_s: float = 6 * 3600,
    metadata: str = "",
    attributes: Mapping[str, str] | None = None,
    permissions: Permissions = ORDINARY,
    kind: int = 0,
    admin: bool = False,
) -> str:
    """A LiveKit access token with which `identity` may join `room`."""
    video: dict[str, Any] = {
        "roomJoin": True,
        "room": room,
        "canPublish": permissions.can_publish,
        "canSubscribe": permissions.can_subscribe,
        "canPublishData": permissions.can_publish_data,
    }
    sources = [_SOURCE_NAMES[source] for source in permissions.can_publish_sources if source in _SOURCE_NAMES]
    if sources:
        video["canPublishSources"] = sources
    for name_of_right, given in (
        ("canUpdateOwnMetadata", permissions.can_update_metadata),
        ("hidden", permissions.hidden),
        ("recorder", permissions.recorder),
        ("agent", permissions.agent),
        ("roomAdmin", admin),
    ):
        if given:
            video[name_of_right] = True
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": key,
        "sub": identity,
        "nbf": now,
        "exp": now + math.ceil(ttl_s),
        "video": video,
    }
    optional = {"name": name, "metadata": metadata, "attributes": dict(attributes or {})}
    claims |= {claim: value for claim, value in optional.items() if value}
    if kind:
        claims["kind"] = _KIND_NAMES.get(kind, "standard")
    return jwt.encode(claims, secret, ALGORITHM)


def refresh_token(
    grants: Grants, secret: str, info: ParticipantInfo, room: str, *, ttl_s: float, clock: Callable[[], float]
) -> str:
    """A token like the client's own, as things are now, that lives at least `ttl_s` and as long as the first.

    `clock` gives Unix seconds.
    """
    return mint_join_token(
        grants.key,
        secret,
        identity=info.identity,
        room=room,
        name=info.name,
        ttl_s=max(ttl_s, grants.expires_at - clock()),
        metadata=info.metadata,
        attributes=dict(info.attributes),
        permissions=info.permissions,
        kind=info.kind,
        admin=grants.room_admin,
    )
