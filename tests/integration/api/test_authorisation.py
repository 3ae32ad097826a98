"""Every route with every role: what the table says is what the server does."""

from __future__ import annotations

from typing import Any

from signalling.api.roles import Role
from signalling.api.route import Route
from signalling.api.routes import ROUTES
from signalling.auth import mint_join_token
from tests.integration.api.conftest import Person, Site

ACCOUNTS = {
    Role.AGENT: "lin",
    Role.SUPERVISOR: "qian",
    Role.REVIEWER: "song",
    Role.ADMIN: "admin",
}
SPECIAL = {"get_events"}
"""WebSockets have a test of their own."""


def path_of(route: Route) -> str:
    path = route.path
    for name in route.parameters:
        path = path.replace(f"{{{name}}}", "no-such-thing")
    return path


def request_of(route: Route) -> dict[str, Any]:
    if route.upload is not None:
        return {"data": b"hello", "headers": {"Content-Type": "text/plain"}}
    return {"body": {}} if route.body is not None else {}


async def people(site: Site) -> dict[Role, Person]:
    found = {role: await site.staff(username) for role, username in ACCOUNTS.items()}
    found[Role.STUDENT] = site.student("ann")
    found[Role.SERVICE] = site.platform("service", "crm")
    found[Role.GUEST] = site.platform("guest", "dad", call="no-such-call")
    return found


async def test_every_route_with_every_role(site: Site) -> None:
    everybody = await people(site)
    livekit = Person(site, mint_join_token("devkey", "secret", identity="ann", room="r", admin=True))
    wrong: list[str] = []
    for route in ROUTES:
        if route.name in SPECIAL:
            continue
        for role, person in everybody.items():
            if route.name == "post_logout":
                person = await site.staff(ACCOUNTS[role]) if role in ACCOUNTS else person  # noqa: PLW2901
            answer = await person.ask(route.method, path_of(route), **request_of(route))
            allowed = route.public or role in route.roles
            if allowed != (answer.status not in (401, 403)) or answer.status >= 500:
                wrong.append(f"{role} {route.method} {route.path}: {answer}")
        for who, person in (("nobody", site.nobody), ("a LiveKit token", livekit)):
            answer = await person.ask(route.method, path_of(route), **request_of(route))
            if not route.public and answer.status != 401:
                wrong.append(f"{who} {route.method} {route.path}: {answer}")
    assert wrong == []


async def test_platform_tokens_of_every_role_are_as_good_as_accounts(site: Site) -> None:
    for role in Role:
        me = await site.platform(role.value, "somebody").get("/me")
        assert (me.status, me.body["role"]) == (200, role.value)


async def test_a_key_that_may_not_issue_a_role(start_site: Any) -> None:
    site = await start_site(api={"key_roles": {"devkey": ["student"]}})
    assert (await site.student().get("/me")).status == 200
    assert (await site.platform("admin", "me").get("/me")).status == 401
