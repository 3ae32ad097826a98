"""Which tokens are believed."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import api

from mediaserver.room.model import Permissions, TrackSource
from signalling.auth import mint_join_token, refresh_token, verify_token
from signalling.errors import AuthenticationError, PermissionDeniedError
from tests.unit.signalling.fakes import FakeRoom, FakeSessions

SECRET = "3q2+7wAbCdEfGhIjKlMnOpQrStUvWxYz0123"
SECRETS = {"key": SECRET}


def token(secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    claims: dict[str, Any] = {
        "iss": "key",
        "sub": "ann",
        "exp": time.time() + 86_400,
        "video": {"room": "lesson", "roomJoin": True},
    }
    claims |= changes
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, algorithm)


def test_livekit_api_tokens() -> None:
    grants = api.VideoGrants(
        room_join=True,
        room="lesson",
        can_publish=False,
        can_publish_sources=["camera", "screen_share"],
        can_update_own_metadata=True,
        hidden=True,
        room_admin=True,
    )
    made = (
        api.AccessToken("key", SECRET)
        .with_identity("ann")
        .with_name("Ann")
        .with_metadata("m")
        .with_attributes({"b": "2", "a": "1"})
        .with_kind("agent")
        .with_grants(grants)
        .to_jwt()
    )
    verified = verify_token(made, SECRETS)
    assert verified.require_join() == "lesson"
    assert (verified.identity, verified.name, verified.metadata, verified.kind) == ("ann", "Ann", "m", 4)
    assert verified.attributes == (("a", "1"), ("b", "2"))
    assert verified.permissions == Permissions(
        can_publish=False,
        can_publish_sources=(TrackSource.CAMERA, TrackSource.SCREEN_SHARE),
        can_update_metadata=True,
        hidden=True,
    )
    verified.require_admin("lesson")
    with pytest.raises(PermissionDeniedError):
        verified.require_admin("other")
    with pytest.raises(PermissionDeniedError):
        verified.require_create()
    with pytest.raises(PermissionDeniedError):
        verified.require_list()
    with pytest.raises(PermissionDeniedError):
        verified.require_destination("lesson", "other")


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ("", "no access token"),
        ("x" * 40_000, "too long"),
        ("abc", "cannot be read"),
        ("a.b.c", "cannot be read"),
        (token(secret="another secret that is long enough ..."), "signature"),
        (token(iss="stranger"), "unknown API key"),
        (token(iss=None), "unknown API key"),
        (token(exp=None), "lacks the claim exp"),
        (token(exp=time.time() - 120), "expired"),
        (token(nbf=time.time() + 600), "not valid yet"),
        (token(algorithm="HS512"), "cannot be read"),
        (token(secret="", algorithm="none"), "cannot be read|signature"),
        (token(aud="raisehand"), "not a LiveKit access token"),
        (token(video="x"), "claims cannot be read"),
        (token(metadata=5), "claims cannot be read"),
        (token(attributes={"a": 1}), "claims cannot be read"),
        (token(video={"room": 7, "roomJoin": True}), "claims cannot be read"),
    ],
)
def test_refused(bad: str, expected: str) -> None:
    with pytest.raises(AuthenticationError, match=expected) as refused:
        verify_token(bad, SECRETS)
    assert SECRET not in str(refused.value)
    assert not bad or bad not in str(refused.value)


@pytest.mark.parametrize(
    "changes", [{"video": {}}, {"video": {"roomJoin": True}}, {"video": {"room": "r"}}, {"sub": ""}]
)
def test_tokens_that_join_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(PermissionDeniedError):
        verify_token(token(**changes), SECRETS).require_join()


def test_room_configuration() -> None:
    options = verify_token(
        token(roomConfig={"emptyTimeout": 5, "max_participants": 3, "metadata": "m"}), SECRETS
    ).room_options
    assert options is not None
    assert (options.empty_timeout_s, options.max_participants, options.metadata) == (5, 3, "m")
    assert options.departure_timeout_s == 20


@given(st.text(max_size=200))
def test_any_text_is_only_ever_refused(text: str) -> None:
    with pytest.raises(AuthenticationError):
        verify_token(text, SECRETS)


def test_refreshed_token_says_what_holds_now_and_lives_as_long() -> None:
    _, participant, _ = FakeSessions().join()
    participant.name, participant.permissions = "New", Permissions(can_publish=False)
    grants = verify_token(token(exp=time.time() + 3600), SECRETS)
    made = refresh_token(grants, SECRET, participant.info(), FakeRoom().name, ttl_s=60, clock=time.time)
    refreshed = verify_token(made, SECRETS)
    assert (refreshed.name, refreshed.permissions.can_publish) == ("New", False)
    assert refreshed.require_join() == "room"
    assert refreshed.expires_at == pytest.approx(grants.expires_at, abs=2)
    short = refresh_token(grants, SECRET, participant.info(), "room", ttl_s=9000, clock=time.time)
    assert verify_token(short, SECRETS).expires_at == pytest.approx(time.time() + 9000, abs=2)


def test_minted_token() -> None:
    made = mint_join_token("key", SECRET, identity="a", room="r", attributes={"x": "y"}, ttl_s=60, admin=True)
    verified = verify_token(made, SECRETS)
    assert verified.require_join() == "r"
    assert verified.attributes == (("x", "y"),)
    verified.require_admin("r")
