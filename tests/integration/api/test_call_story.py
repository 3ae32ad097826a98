"""From the pressed button to the end of a call, over HTTP and without media."""

from __future__ import annotations

import asyncio

from tests.integration.api.conftest import Person, Site

ASK = {
    "kind": "video",
    "topic": "no_sound",
    "severity": "class_stopping",
    "note": "听不到老师",
    "context": {"class_id": "301", "network": "wifi"},
}


async def ring(agent: Person) -> dict[str, object]:
    """The offer that rings at an agent's console, once it does."""
    found: list[dict[str, object]] = []

    async def rings() -> bool:
        found[:] = (await agent.get("/offers")).body["items"]
        return bool(found)

    await agent.site.eventually(rings)
    return found[0]


async def test_press_ticket_offer_accept_end_wrapup_rating(site: Site) -> None:
    student = site.student(level="vip", age=12)
    agent = await site.staff("he")
    opened = await student.post("/calls", ASK)
    assert opened.status == 201, opened
    call = opened.body["call"]
    assert call["state"] == "queued"
    assert call["queue"] == "vip"
    assert len(call["ticket"]) == 16
    assert opened.body["queue"]["position"] == 1
    assert opened.body["queue"]["estimated_wait_s"] is None  # nobody is at work
    assert opened.body["media"]["url"].startswith("ws://")
    assert call["student"] is None  # what the staff sees is not shown to the student

    again = await student.post("/calls", ASK)
    assert (again.status, again.body["created"]) == (201, False)
    assert again.body["call"]["id"] == call["id"]

    state = await agent.put("/agents/he/state", {"state": "available"})
    assert (state.status, state.body["state"]) == (200, "available")
    offer = await ring(agent)
    assert offer["call"] == call["id"]
    seen = await agent.get(f"/calls/{call['id']}")
    assert seen.body["student"]["name"] == "小明"
    assert seen.body["student"]["minor"] is True
    assert seen.body["context"]["network"] == "wifi"

    accepted = await agent.post(f"/offers/{offer['id']}/accept")
    assert accepted.status == 200, accepted
    assert accepted.body["student"]["level"] == "vip"
    assert accepted.body["media"]["token"]
    assert accepted.body["call"]["state"] == "connecting"
    twice = await agent.post(f"/offers/{offer['id']}/accept")
    assert twice.status == 200

    ended = await student.post(f"/calls/{call['id']}/end")
    assert ended.body["state"] == "closed"
    rated = await student.post(f"/calls/{call['id']}/rating", {"stars": 5, "resolved": True})
    assert rated.body["rating"]["stars"] == 5
    assert (await student.post(f"/calls/{call['id']}/rating", {"stars": 1})).code == "already_rated"
    ticket = await student.get(f"/tickets/{call['ticket']}")
    assert (ticket.body["state"], ticket.body["calls"]) == ("confirmed", [call["id"]])


async def test_others_see_nothing_of_a_call(site: Site) -> None:
    opened = (await site.student("ann").post("/calls", ASK)).body["call"]
    bob = site.student("bob")
    for method, path in (
        ("GET", ""), ("GET", "/messages"), ("POST", "/cancel"), ("POST", "/end"), ("POST", "/media"),
    ):  # fmt: skip
        assert (await bob.ask(method, f"/calls/{opened['id']}{path}")).code == "not_found"
    assert (await bob.get(f"/tickets/{opened['ticket']}")).code == "not_found"
    assert (await bob.get("/calls")).body["items"] == []
    assert (await bob.get("/calls?student=ann")).code == "not_found"
    guest = site.platform("guest", "dad", call=opened["id"])
    assert (await guest.get(f"/calls/{opened['id']}")).code == "not_found"  # nobody invited him


async def test_a_declined_call_comes_back_to_its_old_place(site: Site) -> None:
    agent = await site.staff("lin")
    await agent.put("/agents/lin/state", {"state": "available"})
    call = (await site.student("ann").post("/calls", ASK)).body["call"]
    offer = await ring(agent)
    declined = await agent.post(f"/offers/{offer['id']}/decline", {"reason": "lunch"})
    assert declined.body["state"] == "declined"
    shown = (await site.student("ann").get(f"/calls/{call['id']}/queue")).body
    assert shown["position"] == 1
    late = await agent.post(f"/offers/{offer['id']}/accept")
    assert (late.status, late.code) == (410, "offer_withdrawn")


async def test_an_idempotency_key_gives_the_same_answer_once_more(site: Site) -> None:
    service = site.platform("service", "crm")
    body = {**ASK, "student": {"id": "ann", "name": "Ann", "profile": {"level": "vip"}}}
    headers = {"Idempotency-Key": "press-1"}
    first = await service.post("/calls", body, headers=headers)
    second = await service.post("/calls", body, headers=headers)
    assert first.status == second.status == 201
    assert second.headers["Idempotent-Replay"] == "true"
    assert first.body == second.body
    other = await service.post("/calls", {**body, "topic": "app"}, headers=headers)
    assert other.code == "idempotency_conflict"
    bob = {**body, "student": {"id": "bob"}}
    assert (await service.post("/calls", bob)).body["call"]["id"] != first.body["call"]["id"]
    assert (await service.post("/calls", ASK)).body["errors"][0]["field"] == "body.student"


async def test_pressing_twice_at_once_gives_one_call(site: Site) -> None:
    """On two devices, within the same moment."""
    ann = site.student("ann")
    answers = await asyncio.gather(*(ann.post("/calls", ASK) for _ in range(8)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["call"]["id"] for answer in answers}) == 1
    assert len({answer.body["call"]["ticket"] for answer in answers}) == 1
    assert sum(answer.body["created"] for answer in answers) == 1
    assert len((await ann.get("/tickets")).body["items"]) == 1
