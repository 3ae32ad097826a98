"""The client must notice lost and doubled events, and come back where it broke off."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from loadtest.desk_client import DeskClient, ProblemError
from loadtest.tokens import DEV_API_SECRET, platform_token
from loadtest.waiting import wait_until

AT = "2026-01-05T12:00:00+00:00"


class Site:
    """A server that sends what a test tells it to."""

    def __init__(self) -> None:
        self.scripts: list[list[dict[str, Any]]] = []
        """What each further connection is sent, before it is closed (the last one stays)."""
        self.asked: list[str | None] = []
        self.close_code = 1011

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        self.asked.append(request.query.get("after"))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for message in self.scripts.pop(0):
            await socket.send_str(json.dumps(message))
        if self.scripts or self.close_code == 4403:
            await socket.close(code=self.close_code)
        else:
            await socket.receive()
        return socket

    async def refuse(self, _request: web.Request) -> web.Response:
        body = {"code": "offer_expired", "detail": "too late"}
        return web.json_response(body, status=410, content_type="application/problem+json")


def event(number: int, kind: str = "message.created", **data: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "at": AT, "call": "c1", "data": data}


def ready(number: int) -> dict[str, Any]:
    return {"id": number, "type": "ready", "data": {}}


@pytest.fixture
def site() -> Site:
    return Site()


@pytest_asyncio.fixture
async def client(site: Site) -> AsyncIterator[DeskClient]:
    app = web.Application()
    app.add_routes([web.get("/v1/events", site.events), web.post("/v1/offers/{offer}/accept", site.refuse)])
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield DeskClient(str(server.make_url("")), "token", http, actor="me")


async def test_it_resumes_after_the_last_event_and_tells_of_doubles(client: DeskClient, site: Site) -> None:
    site.scripts = [[ready(7), event(8), event(9)], [ready(9), event(9), event(10)]]
    async with client.events() as stream:
        await wait_until(lambda: stream.connects == 2, "it comes back")
        await stream.wait_for("message.created", where=lambda each: each.id == 10)
        assert [each.id for each in stream.events] == [8, 9, 10]
        assert stream.doubled == [9]
    assert site.asked == [None, "9"]


async def test_a_quiet_stream_resumes_where_the_server_said_it_was(client: DeskClient, site: Site) -> None:
    site.scripts = [[ready(7)], [ready(7), event(8)]]
    async with client.events() as stream:
        await stream.wait_for("message.created")
    assert site.asked == [None, "7"]


async def test_momentary_events_carry_the_last_id_without_being_doubles(
    client: DeskClient, site: Site
) -> None:
    site.scripts = [[ready(7), event(8), event(8, "call.position", position=3), event(9)]]
    async with client.events(after=7) as stream:
        await stream.wait_for("message.created", where=lambda each: each.id == 9)
        assert [each.type for each in stream.events][1] == "call.position"
        assert stream.doubled == []
    assert site.asked == ["7"]


async def test_events_that_are_no_longer_kept_are_noticed(client: DeskClient, site: Site) -> None:
    site.scripts = [[{"id": 90, "type": "events.lost", "data": {"after": 3}}, ready(90), event(91)]]
    async with client.events(after=3) as stream:
        await stream.wait_for("message.created")
        assert stream.lost == [90]


async def test_a_refused_stream_does_not_come_back(client: DeskClient, site: Site) -> None:
    site.scripts, site.close_code = [[]], 4403
    with pytest.raises(ProblemError) as refused:
        await client.events().open()
    assert refused.value.code == "forbidden"


async def test_events_are_found_by_what_is_in_their_data(client: DeskClient, site: Site) -> None:
    offers = [
        event(8, "offer.created", offer={"agent": "a"}),
        event(9, "offer.created", offer={"agent": "b"}),
    ]
    site.scripts = [[ready(7), *offers]]
    async with client.events() as stream:
        found = await stream.wait_for("offer.created", call="c1", offer__agent="b")
        assert found.id == 9
        assert stream.of("offer.created", offer__agent="c") == []
        assert stream.of("offer.created", offer__agent__nothing="b") == []


async def test_a_refusal_has_its_code(client: DeskClient) -> None:
    with pytest.raises(ProblemError) as refused:
        await client.accept("offer-1")
    assert (refused.value.status, refused.value.code) == (410, "offer_expired")


def test_a_platform_token_says_who_and_what() -> None:
    token = platform_token("s1", name="Ming", profile={"level": "vip"})
    claims = jwt.decode(token, DEV_API_SECRET, ["HS256"], audience="raisehand")
    assert (claims["iss"], claims["sub"], claims["name"]) == ("devkey", "s1", "Ming")
    assert claims["raisehand"] == {"role": "student", "profile": {"level": "vip"}}
