"""Logging in and out, and who I am."""

from __future__ import annotations

import datetime
from typing import Any

from aiohttp import hdrs, web
from pydantic import AwareDatetime, BaseModel, Field, SecretStr

from signalling.api.context import Api
from signalling.api.identity import COOKIE, digest_of, new_staff_token
from signalling.api.problems import Problem
from signalling.api.roles import Actor, Role
from signalling.api.route import Asked, NoQuery, Nothing, Reply, Request

MAXIMUM_USERNAME_CHARACTERS = 128


class Login(Request):
    """User name and password of somebody who works here."""

    username: str = Field(min_length=1, max_length=MAXIMUM_USERNAME_CHARACTERS)
    password: SecretStr = Field(min_length=1, max_length=256)


class Me(BaseModel):
    """Who the credential belongs to."""

    id: str
    name: str
    role: Role
    profile: dict[str, Any] = Field(default_factory=dict)
    call: str | None = Field(default=None, description="Of a guest: the only call it may touch.")


class LoggedIn(BaseModel):
    """A new session."""

    token: str | None = Field(description="Null for browsers: they got it as an HttpOnly cookie.")
    expires_at: AwareDatetime
    user: Me


def me_of(actor: Actor) -> Me:
    """An actor as it sees itself."""
    return Me(
        id=actor.id, name=actor.name, role=actor.role, profile=dict(actor.profile), call=actor.call or None
    )


async def log_in(api: Api, asked: Asked[Login, NoQuery]) -> Reply:
    """Check the password; every failure looks and takes the same."""
    address = api.address_of(asked.http)
    now = api.clock.monotonic()
    if wait_s := await api.logins.wait_s(address, now):
        raise Problem("rate_limited", "too many logins", retry_after_s=wait_s)
    username = asked.body.username.casefold()
    key = f"{username}|{address}"
    if closed_s := await api.lockout.remaining_s(key, now):
        raise Problem("locked_out", retry_after_s=closed_s)
    account = await api.accounts.account(username)
    usable = account is not None and not account.disabled
    good = await api.passwords.verify(
        account.password_hash if account is not None and usable else None,
        asked.body.password.get_secret_value(),
    )
    if account is None or not good:
        await api.lockout.failed(key, now)
        raise Problem("bad_credentials")
    await api.lockout.succeeded(key)
    token = new_staff_token()
    created_at = api.clock.utc_now()
    expires_at = created_at + datetime.timedelta(hours=api.settings.api.session_hours)
    await api.accounts.add_session(digest_of(token), account.id, created_at, expires_at)
    actor = Actor(role=Role(account.role), id=account.id, name=account.name)
    browser = hdrs.ORIGIN in asked.http.headers or "Sec-Fetch-Site" in asked.http.headers
    answer = LoggedIn(token=None if browser else token, expires_at=expires_at, user=me_of(actor))
    return Reply(answer, headers=_cookie(api, asked.http, token) if browser else {})


def _cookie(api: Api, request: web.Request, token: str) -> dict[str, str]:
    lasts_s = round(api.settings.api.session_hours * 3600) if token else 0
    parts = [f"{COOKIE}={token}", f"Max-Age={lasts_s}", "Path=/", "HttpOnly", "SameSite=Strict"]
    if request.secure or not api.settings.dev:  # behind a proxy the request looks plain
        parts.append("Secure")
    return {hdrs.SET_COOKIE: "; ".join(parts)}


async def log_out(api: Api, asked: Asked[Nothing, NoQuery]) -> Reply:
    """End the session at once."""
    if not asked.actor.session:
        raise Problem("invalid", "a platform token has no session to end")
    await api.authenticator.revoke(asked.actor)
    return Reply(None, headers=_cookie(api, asked.http, ""))


async def me(_api: Api, asked: Asked[Nothing, NoQuery]) -> Me:
    """Whose credential it is."""
    return me_of(asked.actor)
