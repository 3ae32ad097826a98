"""Logging in, cookies, origins, lock-out and revocation over HTTP."""

from __future__ import annotations

import pytest

from signalling.api.identity import COOKIE
from signalling.auth import mint_join_token
from signalling.service.samples import PASSWORD, STAFF
from tests.integration.api.conftest import Person, Site, StartSite

CREDENTIALS = {"username": "chen", "password": PASSWORD}


async def test_login_gives_a_token_that_says_who_i_am(site: Site) -> None:
    answer = await site.nobody.post("/login", CREDENTIALS)
    assert answer.status == 200
    assert answer.body["user"] == {
        "id": "chen", "name": "陈老师", "role": "agent", "profile": {}, "call": None
    }  # fmt: skip
    assert "Set-Cookie" not in answer.headers
    me = await Person(site, answer.body["token"]).get("/me")
    assert (me.status, me.body["id"]) == (200, "chen")
    assert me.headers["Cache-Control"] == "no-store"


async def test_every_sample_account_can_log_in_whatever_the_case(site: Site) -> None:
    for person in STAFF:
        me = await (await site.staff(person.username.upper())).get("/me")
        assert me.body["role"] == person.role


async def test_a_platform_token_says_who_i_am(site: Site) -> None:
    me = await site.student(level="vip", age=12, hobby="chess").get("/me")
    assert me.body["role"] == "student"
    assert me.body["profile"] == {"level": "vip", "age": 12, "hobby": "chess", "locale": "zh-CN"}


@pytest.mark.parametrize(
    "token", ["x", "rhs_unknown", mint_join_token("devkey", "secret", identity="a", room="b")]
)
async def test_other_tokens_are_refused(site: Site, token: str) -> None:
    answer = await Person(site, token).get("/me")
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"].startswith("application/problem+json")


async def test_a_platform_token_opens_no_room(site: Site) -> None:
    token = site.student().token
    async with site.http.get(f"{site.url}/rtc/validate", params={"access_token": str(token)}) as answer:
        assert answer.status == 401


async def test_logging_out_ends_the_session_at_once(site: Site) -> None:
    agent = await site.staff("chen")
    other = await site.staff("chen")
    assert (await agent.get("/me")).status == 200
    assert (await agent.post("/logout")).status == 204
    assert (await agent.get("/me")).code == "unauthenticated"
    assert (await other.get("/me")).status == 200


async def test_wrong_passwords_and_unknown_users_look_the_same_and_lock_out(start_site: StartSite) -> None:
    site = await start_site(api={"failed_logins": 3, "lockout_s": 30})
    for username in ("lin", "nobody"):
        body = {"username": username, "password": "wrong"}
        codes = [(await site.nobody.post("/login", body)).code for _ in range(4)]
        assert codes == ["bad_credentials"] * 3 + ["locked_out"]
    locked = await site.nobody.post("/login", {"username": "lin", "password": PASSWORD})
    assert locked.code == "locked_out"
    assert int(locked.headers["Retry-After"]) > 0
    assert (await site.nobody.post("/login", CREDENTIALS)).status == 200  # others are not locked out


async def test_too_many_logins_from_one_address(start_site: StartSite) -> None:
    site = await start_site(api={"logins_per_minute": 2})
    codes = [(await site.nobody.post("/login", CREDENTIALS)).status for _ in range(3)]
    assert codes == [200, 200, 429]


async def test_requests_are_limited_per_actor(start_site: StartSite) -> None:
    site = await start_site(api={"requests_per_s": 1, "request_burst": 5})
    ann, bob = site.student("ann"), site.student("bob")
    statuses = [(await ann.get("/me")).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    assert (await bob.get("/me")).status == 200


async def test_browsers_get_a_cookie_that_only_our_pages_can_use(site: Site) -> None:
    own = {"Origin": site.url}
    answer = await site.nobody.post("/login", CREDENTIALS, headers=own)
    assert answer.body["token"] is None
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="):
        assert part in cookie
    value = cookie.split(";")[0]
    assert value.startswith(f"{COOKIE}=rhs_")
    site.http.cookie_jar.clear()
    assert (await site.nobody.get("/me", headers={"Cookie": value})).body["id"] == "chen"
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        refused = await site.nobody.post("/logout", headers={"Cookie": value, **headers})
        assert refused.code == "origin_refused"
    assert (await site.nobody.post("/logout", headers={"Cookie": value, **own})).status == 204
    site.http.cookie_jar.clear()
    assert (await site.nobody.get("/me", headers={"Cookie": value})).code == "unauthenticated"


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BAD_BODIES: list[tuple[bytes, dict[str, str], str]] = [
    (b"{}", JSON, "invalid"),
    (b"{", JSON, "malformed"),
    (b"[]", JSON, "invalid"),
    (b'{"username":"a","password":"b","extra":1}', JSON, "invalid"),
    (b'{"username":"a\\u0000","password":"b"}', JSON, "invalid"),
    (b"username=a", FORM, "unsupported_media_type"),
    (b"[" * 100_000, JSON, "malformed"),
    (b" " * 2_000_000, JSON, "too_large"),
]


async def test_bad_bodies(site: Site) -> None:
    for content, headers, code in BAD_BODIES:
        answer = await site.nobody.post("/login", data=content, headers=headers)
        assert answer.code == code, (content[:40], answer)


async def test_field_errors_name_the_field_and_not_the_value(site: Site) -> None:
    answer = await site.nobody.post("/login", {"username": "chen", "password": 12345})
    assert answer.body["errors"][0]["field"] == "body.password"
    assert "12345" not in str(answer.body)


async def test_unknown_routes_and_methods(site: Site) -> None:
    assert (await site.nobody.get("/nothing")).code == "not_found"
    wrong = await site.nobody.get("/login")
    assert (wrong.code, wrong.headers["Allow"]) == ("method_not_allowed", "POST")
    assert (await site.student().get("/me?x=1")).code == "invalid"


async def test_pages_of_other_origins_may_use_tokens(site: Site, start_site: StartSite) -> None:
    origin = {"Origin": "https://school.example"}
    answer = await site.student().get("/me", headers=origin)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    preflight = await site.nobody.ask(
        "OPTIONS", "/me", headers={**origin, "Access-Control-Request-Method": "GET"}
    )
    assert preflight.status == 204
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"]
    strict = await start_site(allowed_origin="https://school.example")
    assert (await strict.student().get("/me", headers=origin)).headers[
        "Access-Control-Allow-Origin"
    ] == "https://school.example"
    other = await strict.student().get("/me", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers


async def test_the_server_describes_itself(site: Site) -> None:
    answer = await site.nobody.get("/openapi.json")
    assert answer.status == 200
    assert answer.body["openapi"] == "3.1.0"
    assert "/v1/login" in answer.body["paths"]
