"""Whose request it is: platform tokens of the host platform and sessions of staff.

A *platform token* is a JWT (HS256) that the host platform signs with an API key's secret: `iss` the key,
`aud` ``raisehand``, `sub`, `name`, `exp` and the claim `raisehand` with role and profile. A LiveKit access
token has no such audience and is refused here, as a platform token is refused by the media side.

A *staff token* comes from `POST /v1/login`. It is random; only its digest is stored, and the row can be
revoked. Browsers hold it in a cookie that scripts cannot read; a request that authenticates by cookie must
come from our own pages.
"""

from __future__ import annotations

import datetime
import hashlib
import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Protocol

import jwt
from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from signalling.api.fields import check_json
from signalling.api.problems import Problem
from signalling.api.roles import Actor, Role
from signalling.auth import ALGORITHM, LEEWAY_S, MAXIMUM_TOKEN_CHARACTERS
from signalling.store.accounts import StaffAccount

AUDIENCE = "raisehand"
COOKIE = "raisehand_session"
TOKEN_PREFIX = "rhs_"  # noqa: S105  (a prefix, not a secret)
"""Staff tokens begin with it, so that secret scanners can find them."""
TOKEN_BYTES = 32
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION_CACHE_S = 2.0
"""How long a session may be believed without asking the store: the delay of a revocation on other nodes."""
CACHED_SESSIONS = 4096

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
ShortText = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]


class Profile(BaseModel):
    """What the host platform knows of somebody. Further fields are kept and shown to agents."""

    model_config = ConfigDict(extra="allow", title="Profile")

    level: ShortText = Field(default="", description="Tier: `vip`, `exclusive`, `advanced`, `basic`, …")
    age: int | None = Field(default=None, strict=True, ge=0, le=130, description="Unknown counts as a minor.")
    locale: ShortText = Field(default="", description="Such as `zh-CN` or `en`.")
    timezone: ShortText = ""
    grade: ShortText = ""
    class_id: ShortText = ""
    courses: list[ShortText] = Field(default_factory=list, max_length=100)
    dedicated_agent: ShortText = Field(default="", description="The agent who looks after this person.")
    guardian: ShortText = Field(default="", description="The person who decides for a minor.")

    @model_validator(mode="after")
    def _plain(self) -> Profile:
        check_json(self.model_extra or {})
        return self


class RaisehandClaim(BaseModel):
    """The claim `raisehand` of a platform token."""

    model_config = ConfigDict(extra="ignore")

    role: Role
    profile: Profile = Profile()
    call: ShortText = Field(default="", description="Of a guest: the call it was invited to.")
    guardian_of: ShortText = Field(default="", description="Of a guardian: for whom it decides.")


class PlatformClaims(BaseModel):
    """A platform token's content."""

    model_config = ConfigDict(extra="ignore")

    iss: str
    sub: Identifier
    name: ShortText = ""
    exp: float
    raisehand: RaisehandClaim


def verify_platform_token(
    token: str, api_secrets: Mapping[str, str], key_roles: Mapping[str, frozenset[Role]]
) -> Actor:
    """Who a platform token speaks for.

    `key_roles` restricts what a key may say; a key that is not in it may say every role. Raises `Problem`
    ``unauthenticated``.
    """
    if len(token) > MAXIMUM_TOKEN_CHARACTERS:
        raise Problem("unauthenticated", "the token is too long")
    try:
        key = jwt.decode(token, options={"verify_signature": False}).get("iss")
        secret = api_secrets.get(key) if isinstance(key, str) else None
        if secret is None:
            raise Problem("unauthenticated", "the token was issued by an unknown API key")
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "sub", "aud"]},
        )
        if "video" in claims:
            raise Problem("unauthenticated", "this is a LiveKit access token, not a platform token")
        content = PlatformClaims.model_validate(claims)
    except jwt.ExpiredSignatureError:
        raise Problem("unauthenticated", "the token has expired") from None
    except jwt.ImmatureSignatureError:
        raise Problem("unauthenticated", "the token is not valid yet") from None
    except jwt.MissingRequiredClaimError as error:
        raise Problem("unauthenticated", f"the token lacks the claim {error.claim}") from None
    except jwt.InvalidAudienceError:
        raise Problem("unauthenticated", f"the token's audience is not {AUDIENCE!r}") from None
    except jwt.InvalidSignatureError:
        raise Problem("unauthenticated", "the token's signature does not match the API key") from None
    except ValidationError as error:
        where = ", ".join(".".join(str(part) for part in problem["loc"]) for problem in error.errors())
        raise Problem("unauthenticated", f"the token's claims cannot be used: {where}") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Problem("unauthenticated", "the token cannot be read") from None
    role = content.raisehand.role
    allowed = key_roles.get(content.iss)
    if allowed is not None and role not in allowed:
        raise Problem("unauthenticated", f"this API key may not issue tokens of the role {role.value}")
    profile = content.raisehand.profile.model_dump(exclude_defaults=True)
    return Actor(
        role=role,
        id=content.sub,
        name=content.name,
        profile=MappingProxyType(profile),
        call=content.raisehand.call,
        guardian_of=content.raisehand.guardian_of,
        key=content.iss,
    )


def mint_platform_token(
    key: str,
    secret: str,
    *,
    subject: str,
    role: Role | str,
    now: datetime.datetime,
    ttl_s: float = 3600.0,
    name: str = "",
    profile: Mapping[str, Any] | None = None,
    call: str = "",
    guardian_of: str = "",
) -> str:
    """A platform token, as a host platform makes it (docs/integrating.md)."""
    claim: dict[str, Any] = {"role": str(role), "profile": dict(profile or {})}
    if call:
        claim["call"] = call
    if guardian_of:
        claim["guardian_of"] = guardian_of
    return jwt.encode(
        {
            "iss": key,
            "aud": AUDIENCE,
            "sub": subject,
            "name": name,
            "exp": int(now.timestamp() + ttl_s),
            "raisehand": claim,
        },
        secret,
        ALGORITHM,
    )


# Staff --------------------------------------------------------------------------------------------


class StaffDirectory(Protocol):
    """Where accounts and sessions are kept."""

    async def account(self, username: str) -> StaffAccount | None:
        """An account by its user name (compared without case)."""

    async def add_session(
        self, digest: str, account_id: str, created_at: datetime.datetime, expires_at: datetime.datetime
    ) -> None:
        """Keep a session."""

    async def session(self, digest: str, now: datetime.datetime) -> StaffAccount | None:
        """Whose live session this is; None when it is unknown, expired, revoked or its account disabled."""

    async def revoke_session(self, digest: str) -> None:
        """End a session."""


def new_staff_token() -> str:
    """A fresh, unguessable token."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> str:
    """What is stored of a staff token: it has 256 random bits, so a plain digest is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


KEY_PREFIX = "rhk_"
"""API keys made by administrators begin with it."""


class KeyDirectory(Protocol):
    """Where API keys are kept that administrators made."""

    async def find(self, key: str) -> tuple[str, frozenset[Role]] | None:
        """Secret and roles of a key in force."""


class Authenticator:
    """Finds the actor of a request."""

    def __init__(
        self,
        directory: StaffDirectory,
        *,
        api_secrets: Mapping[str, str],
        key_roles: Mapping[str, frozenset[Role]],
        keys: KeyDirectory | None = None,
        allowed_origins: frozenset[str],
        utc_now: Callable[[], datetime.datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._secrets = api_secrets
        self._key_roles = key_roles
        self._keys = keys
        self._origins = allowed_origins
        self._utc_now = utc_now
        self._monotonic = monotonic
        self._cache: dict[str, tuple[float, Actor]] = {}

    async def identify(self, request: web.Request) -> Actor | None:
        """The actor, None when the request carries no credential.

        Raises `Problem` when it carries one that is not good.
        """
        header = request.headers.get(hdrs.AUTHORIZATION, "")
        if header:
            scheme, _, token = header.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise Problem("unauthenticated", "the Authorization header must be `Bearer <token>`")
            return await self.by_token(token.strip())
        cookie = request.cookies.get(COOKIE)
        if not cookie:
            return None
        if request.method not in SAFE_METHODS or _upgrades(request):
            self.require_own_origin(request)
        return await self.by_token(cookie)

    async def by_token(self, token: str) -> Actor:
        """The actor a token speaks for; raises `Problem` ``unauthenticated``."""
        if not token.startswith(TOKEN_PREFIX):
            key = _issuer(token)
            found = (
                await self._keys.find(key) if self._keys is not None and key.startswith(KEY_PREFIX) else None
            )
            if found is not None:
                secret, roles = found
                return verify_platform_token(token, {key: secret}, {key: roles})
            return verify_platform_token(token, self._secrets, self._key_roles)
        digest = digest_of(token)
        now = self._monotonic()
        cached = self._cache.get(digest)
        if cached is not None and now - cached[0] < SESSION_CACHE_S:
            return cached[1]
        account = await self._directory.session(digest, self._utc_now())
        if account is None:
            self._cache.pop(digest, None)
            raise Problem("unauthenticated", "the session has ended; log in again")
        actor = Actor(role=Role(account.role), id=account.id, name=account.name, session=digest)
        if len(self._cache) >= CACHED_SESSIONS:
            self._cache.clear()
        self._cache[digest] = (now, actor)
        return actor

    async def revoke(self, actor: Actor) -> None:
        """End the actor's own session."""
        self._cache.pop(actor.session, None)
        await self._directory.revoke_session(actor.session)

    def require_own_origin(self, request: web.Request) -> None:
        """A cookie alone proves nothing about which page sent the request.

        Raises `Problem` ``origin_refused`` unless the browser says that it was ours or an allowed one.
        """
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            if request.headers.get("Sec-Fetch-Site") == "same-origin":
                return
            raise Problem("origin_refused", "a request with a session cookie needs an Origin header")
        if origin.partition("://")[2].lower() == request.host.lower() or origin.lower() in self._origins:
            return
        raise Problem("origin_refused", "this origin may not use the session cookie")


def _issuer(token: str) -> str:
    """The key a token names, before anything of it is believed; empty: none."""
    if len(token) > MAXIMUM_TOKEN_CHARACTERS:
        return ""
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (jwt.PyJWTError, ValueError, RecursionError):
        return ""
    return issuer if isinstance(issuer, str) else ""


def _upgrades(request: web.Request) -> bool:
    return request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
