"""The stream of events: who sees what, resuming, credentials."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.integration.api.conftest import DEADLINE_S, Person, Site
from tests.integration.api.test_call_story import ASK, ring


class Stream:
    """One event stream."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.seen: list[dict[str, Any]] = []

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            message = await self.websocket.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, f"closed with {self.websocket.close_code}"
        event: dict[str, Any] = json.loads(message.data)
        self.seen.append(event)
        return event

    async def until(self, kind: str) -> dict[str, Any]:
        while (event := await self.next())["type"] != kind:
            pass
        return event

    def types(self) -> list[str]:
        return [event["type"] for event in self.seen if event["type"] not in ("ready", "call.position")]


@asynccontextmanager
async def stream(person: Person, after: int | None = None) -> AsyncIterator[Stream]:
    params = {} if after is None else {"after": str(after)}
    headers = {"Authorization": f"Bearer {person.token}"}
    url = f"{person.site.url}/v1/events"
    async with person.site.http.ws_connect(url, params=params, headers=headers) as websocket:
        opened = Stream(websocket)
        assert (await opened.next())["type"] in ("ready", "events.lost")
        yield opened


async def test_each_role_sees_only_what_it_may(site: Site) -> None:
    ann, bob = site.student("ann"), site.student("bob")
    lin, zhao, qian, song = [await site.staff(name) for name in ("lin", "zhao", "qian", "song")]
    crm = site.platform("service", "crm")
    async with (
        stream(ann) as to_ann, stream(bob) as to_bob, stream(lin) as to_lin, stream(zhao) as to_zhao,
        stream(qian) as to_qian, stream(song) as to_song, stream(crm) as to_crm,
    ):  # fmt: skip
        await lin.put("/agents/lin/state", {"state": "available"})
        call = (await ann.post("/calls", ASK)).body["call"]
        queued = await to_ann.until("call.queued")
        assert queued["call"] == call["id"]
        assert set(queued) == {"id", "type", "at", "call", "data"}
        offered = await to_lin.until("offer.created")
        assert offered["data"]["offer"]["agent"] == "lin"
        await lin.post(f"/offers/{offered['data']['offer']['id']}/accept")
        accepted = await to_ann.until("call.accepted")
        assert accepted["data"] == {"agent": {"id": "lin", "name": "林老师"}}
        await to_lin.until("call.accepted")
        path = f"/calls/{call['id']}"
        await qian.post(f"{path}/participants", {"agent": "qian", "mode": "monitor"})
        await lin.post(f"{path}/messages", {"text": "内部备注", "staff_only": True})
        await lin.post(f"{path}/messages", {"text": "您好"})
        message = await to_ann.until("message.created")
        assert message["data"]["text"] == "您好"
        assert message["data"]["name"] == "林老师"
        note = await to_lin.until("message.created")
        assert note["data"]["text"] == "内部备注"
        await ann.post(f"{path}/end")
        for each in (to_ann, to_lin, to_qian, to_song, to_crm):
            await each.until("call.ended")
        # What follows comes after everything before on every stream.
        await bob.post("/calls", {**ASK, "topic": "app", "kind": "chat"})
        await to_bob.until("call.queued")
        await zhao.put("/agents/zhao/state", {"state": "away"})
        while (await to_zhao.until("agent.state"))["data"].get("reason") is None:
            pass
    assert "offer.created" not in to_ann.types()
    assert "supervision.changed" not in to_ann.types()
    assert "qian" not in json.dumps(to_ann.seen)
    assert to_bob.types()[:2] == ["ticket.opened", "call.queued"]
    assert set(to_zhao.types()) == {"agent.state"}
    assert [each for each in to_zhao.seen if "engagements" in each.get("data", {})][-1]["by"]["id"] == "zhao"
    assert to_song.types() == ["call.ended"]
    assert "supervision.changed" in to_qian.types()
    assert "supervision.changed" in to_lin.types()  # the policy tells agents by default
    assert {"call.queued", "offer.created", "call.accepted", "message.created"} <= set(to_crm.types())


async def test_silent_monitors_are_told_to_supervisors_only(start_site: Any) -> None:
    site = await start_site(desk={"tell_agents": False})
    ann, lin, qian = site.student("ann"), await site.staff("lin"), await site.staff("qian")
    await lin.put("/agents/lin/state", {"state": "available"})
    call = (await ann.post("/calls", {**ASK, "kind": "chat"})).body["call"]
    await lin.post(f"/offers/{(await ring(lin))['id']}/accept")
    async with stream(lin) as to_lin, stream(qian) as to_qian:
        path = f"/calls/{call['id']}/participants"
        assert (await qian.post(path, {"agent": "qian", "mode": "monitor"})).status == 200
        await to_qian.until("supervision.changed")
        shown = await lin.get(f"/calls/{call['id']}")
        assert {each["identity"] for each in shown.body["participants"]} == {"lin"}
        await ann.post(f"/calls/{call['id']}/end")
        await to_lin.until("call.ended")
    assert [event for event in to_lin.seen if "qian" in json.dumps(event)] == []


async def test_resuming_loses_and_doubles_nothing(site: Site) -> None:
    crm = site.platform("service", "crm")
    async with stream(crm) as live:
        for number in range(5):
            body = {**ASK, "kind": "chat", "student": {"id": f"s{number}"}}
            assert (await crm.post("/calls", body)).status == 201
        while live.types().count("call.queued") < 5:
            await live.next()
    everything = [event for event in live.seen if event["type"] != "ready"]
    ids = [event["id"] for event in everything]
    assert ids == sorted(set(ids))
    for cut in (0, 3, len(everything) - 1):
        async with stream(crm, after=ids[cut]) as resumed:
            for expected in everything[cut + 1 :]:
                assert await resumed.next() == expected
    async with stream(crm, after=ids[0] - 1) as again:
        assert (await again.next())["id"] == ids[0]


async def test_a_waiting_student_is_told_its_place(site: Site) -> None:
    crm, ann = site.platform("service", "crm"), site.student("ann")
    first = (await crm.post("/calls", {**ASK, "kind": "chat", "student": {"id": "first"}})).body["call"]
    async with stream(ann) as to_ann:
        await ann.post("/calls", {**ASK, "kind": "chat"})
        assert (await to_ann.until("call.position"))["data"]["position"] == 2
        await crm.post(f"/calls/{first['id']}/cancel")
        assert (await to_ann.until("call.position"))["data"]["position"] == 1


async def test_browsers_authenticate_by_the_first_message(site: Site) -> None:
    ann = site.student("ann")
    url = f"{site.url}/v1/events"
    async with site.http.ws_connect(url) as websocket:
        await websocket.send_json({"token": ann.token})
        assert (await websocket.receive_json())["data"] == {"role": "student"}
    for text in ("{}", "x", json.dumps({"token": "x"})):
        async with site.http.ws_connect(url) as websocket:
            await websocket.send_str(text)
            await websocket.receive()
            assert websocket.close_code == 4401


async def test_cookies_need_our_own_origin(site: Site) -> None:
    login = await site.nobody.post(
        "/login", {"username": "lin", "password": "raisehand"}, headers={"Origin": site.url}
    )
    cookie = login.headers["Set-Cookie"].split(";")[0]
    site.http.cookie_jar.clear()
    url = f"{site.url}/v1/events"
    async with site.http.ws_connect(url, headers={"Cookie": cookie, "Origin": site.url}) as websocket:
        assert (await websocket.receive_json())["type"] == "ready"
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await site.http.ws_connect(url, headers={"Cookie": cookie, "Origin": "https://evil.example"})
    assert caught.value.status == 403


async def test_plain_http_and_bad_queries(site: Site) -> None:
    ann = site.student("ann")
    assert (await ann.get("/events")).status == 426
    assert (await ann.get("/events?after=x")).code == "invalid"


async def test_streams_are_limited(start_site: Any) -> None:
    site = await start_site(api={"event_streams_per_actor": 1})
    ann = site.student("ann")
    async with stream(ann):
        headers = {"Authorization": f"Bearer {ann.token}"}
        async with site.http.ws_connect(f"{site.url}/v1/events", headers=headers) as second:
            await second.receive()
            assert second.close_code == 4429
