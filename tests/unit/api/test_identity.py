"""Platform tokens: what is accepted, and every way of not being one."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import jwt
import pytest

from signalling.api.identity import (
    AUDIENCE,
    digest_of,
    mint_platform_token,
    new_staff_token,
    verify_platform_token,
)
from signalling.api.problems import Problem
from signalling.api.roles import Actor, Role
from signalling.auth import mint_join_token

KEYS = {"school": "s" * 40, "other": "o" * 40}
NOW = datetime.datetime.now(datetime.UTC)
FREE: Mapping[str, frozenset[Role]] = {}


def token(key: str = "school", secret: str | None = None, **changes: Any) -> str:
    claims: dict[str, Any] = {
        "iss": key,
        "aud": AUDIENCE,
        "sub": "student-1",
        "name": "小明",
        "exp": int(NOW.timestamp()) + 86_400,
        "raisehand": {"role": "student", "profile": {"level": "vip", "age": 12, "hobby": "chess"}},
    }
    claims |= changes
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, secret or KEYS[key], "HS256")


def refused(text: str, roles: Mapping[str, frozenset[Role]] = FREE) -> str:
    with pytest.raises(Problem) as caught:
        verify_platform_token(text, KEYS, roles)
    assert caught.value.code == "unauthenticated"
    return caught.value.detail


def test_a_platform_token_says_who_and_what() -> None:
    actor = verify_platform_token(token(), KEYS, FREE)
    assert (actor.role, actor.id, actor.name, actor.key) == (Role.STUDENT, "student-1", "小明", "school")
    assert actor.profile == {"level": "vip", "age": 12, "hobby": "chess"}


def test_a_minted_token_is_accepted() -> None:
    minted = mint_platform_token(
        "school", KEYS["school"], subject="crm", role=Role.SERVICE, now=datetime.datetime.now(datetime.UTC)
    )
    assert verify_platform_token(minted, KEYS, FREE).role is Role.SERVICE


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aud": None}, "claim aud"),
        ({"aud": "livekit"}, "audience"),
        ({"exp": int(NOW.timestamp()) - 3600}, "expired"),
        ({"exp": None}, "claim exp"),
        ({"sub": None}, "claim sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "a\nb"}, "sub"),
        ({"sub": "x" * 129}, "sub"),
        ({"iss": "unknown"}, "unknown API key"),
        ({"iss": None}, "unknown API key"),
        ({"nbf": int(NOW.timestamp()) + 3600}, "not valid yet"),
        ({"raisehand": None}, "raisehand"),
        ({"raisehand": {"role": "root"}}, "raisehand.role"),
        ({"raisehand": {"role": "student", "profile": {"age": -1}}}, "raisehand.profile.age"),
        ({"raisehand": {"role": "student", "profile": {"age": True}}}, "raisehand.profile.age"),
        ({"raisehand": {"role": "student", "profile": {"x": float("nan")}}}, "raisehand.profile"),
        ({"raisehand": "student"}, "raisehand"),
        ({"video": {"roomJoin": True}}, "LiveKit access token"),
    ],
)
def test_what_is_no_platform_token_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert expected in refused(token(**changes))


def test_a_livekit_access_token_is_refused() -> None:
    assert refused(mint_join_token("school", KEYS["school"], identity="student-1", room="lesson"))


def test_a_signature_of_another_key_is_refused() -> None:
    assert "signature" in refused(token("school", KEYS["other"]))


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "rhs_unknown", "." * 100, "e" * 40_000])
def test_rubbish_is_refused(text: str) -> None:
    refused(text)


def test_an_unsigned_token_is_refused() -> None:
    claims = jwt.decode(token(), options={"verify_signature": False})
    refused(jwt.encode(claims, "", "none"))


def test_a_key_may_be_held_to_its_roles() -> None:
    roles = {"school": frozenset({Role.SERVICE})}
    assert "role student" in refused(token(), roles)
    assert verify_platform_token(token("other"), KEYS, roles).role is Role.STUDENT


def test_staff_tokens_are_unguessable_and_only_their_digest_is_kept() -> None:
    first, second = new_staff_token(), new_staff_token()
    assert first != second
    assert len(first) > 40
    assert first not in digest_of(first)
    assert digest_of(first) == digest_of(first) != digest_of(second)


def test_who_leads_and_who_works_here() -> None:
    assert Actor(Role.SUPERVISOR, "s").leads
    assert not Actor(Role.AGENT, "a").leads
    assert Actor(Role.REVIEWER, "r").is_staff
    assert not Actor(Role.SERVICE, "crm").is_staff
