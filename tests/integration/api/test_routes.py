"""Chat, files, consent, tickets, class statistics, diagnostics, queues, outside routing, lost consoles."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from signalling.service import presence
from tests.integration.api.conftest import Person, Site, StartSite
from tests.integration.api.people import InRoom, until
from tests.integration.api.test_call_story import ASK, ring
from tests.integration.api.test_events import stream

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 100
CHAT = {**ASK, "kind": "chat"}


async def chat(site: Site, **profile: Any) -> tuple[Person, Person, dict[str, Any]]:
    """A student and an agent in a chat."""
    ann, lin = site.student("ann", **profile), await site.staff("lin")
    await lin.put("/agents/lin/state", {"state": "available"})
    call = (await ann.post("/calls", CHAT)).body["call"]
    accepted = await lin.post(f"/offers/{(await ring(lin))['id']}/accept")
    assert accepted.body["media"] is None
    assert accepted.body["call"]["state"] == "active"
    return ann, lin, call


async def test_chat_with_files(site: Site) -> None:
    ann, lin, call = await chat(site)
    path = f"/calls/{call['id']}"
    png = {"Content-Type": "image/png"}
    sent = await ann.post(f"{path}/files?name=../截图.html", data=PNG, headers=png)
    assert sent.body | {"id": ""} == {
        "id": "", "name": "截图.html.png", "media_type": "image/png", "size_bytes": len(PNG)
    }  # fmt: skip
    message = await ann.post(f"{path}/messages", {"text": "看这里", "files": [sent.body["id"]]})
    assert message.body["files"] == [sent.body]
    got = await lin.get(f"{path}/files/{sent.body['id']}")
    assert (got.status, got.body) == (200, PNG)
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["Content-Type"] == "image/png"
    bob = site.student("bob")
    assert (await bob.get(f"{path}/files/{sent.body['id']}")).code == "not_found"
    html = await ann.post(f"{path}/files?name=a.png", data=b"<html>", headers=png)
    assert html.code == "unsupported_media_type"
    large = await ann.post(f"{path}/files", data=b"x" * 10_485_761, headers=png)
    assert large.code == "too_large"
    unknown = await ann.post(f"{path}/messages", {"text": "a", "files": ["nothing"]})
    assert unknown.body["errors"][0]["field"] == "body.files"
    await lin.post(f"{path}/messages", {"text": "内部", "staff_only": True})
    assert (await ann.post(f"{path}/messages", {"text": "x", "staff_only": True})).code == "forbidden"
    assert [each["text"] for each in (await ann.get(f"{path}/messages")).body["items"]] == ["看这里"]
    first = (await lin.get(f"{path}/messages?limit=1")).body
    rest = (await lin.get(f"{path}/messages?cursor={first['next']}")).body
    assert [each["text"] for each in first["items"] + rest["items"]] == ["看这里", "内部"]
    assert rest["next"] is None
    assert (await lin.get(f"/calls?cursor={first['next']}")).code == "invalid"


async def test_consent_of_a_minor_is_the_guardians(site: Site) -> None:
    ann, _, call = await chat(site, age=10)
    path = f"/calls/{call['id']}/consent"
    grant = {"participant": "ann", "decision": "granted", "notice_version": "2026-11"}
    assert (await ann.post(path, grant)).code == "guardian_required"
    link = (await ann.post(f"{path}/link", {"participant": "ann", "guardian": "妈妈"})).body
    guardian = Person(site, link["token"])
    assert (await guardian.get(f"/calls/{call['id']}")).status == 200
    given = await guardian.post(path, {**grant, "by": "guardian"})
    assert given.status == 200, given
    assert given.body["consents"][0]["by"] == "guardian"
    withdrawn = await guardian.post(path, {**grant, "by": "guardian", "decision": "withdrawn"})
    assert withdrawn.body["consents"][0]["decision"] == "withdrawn"
    assert (await ann.post(path, {**grant, "by": "guardian"})).code == "forbidden"
    other = (await site.student("bob").post("/calls", CHAT)).body["call"]
    assert (await guardian.get(f"/calls/{other['id']}")).code == "not_found"
    assert (await ann.post(f"/calls/{call['id']}/cancel")).body["state"] in ("wrapping", "closed")


async def test_one_history_over_channels(site: Site) -> None:
    ann, lin, call = await chat(site)
    crm = site.platform("service", "wechat")
    said = "2026-11-20T08:00:00+08:00"
    body = {"author": "ann", "role": "student", "channel": "wechat", "time": said, "text": "昨天也没声音"}
    added = await crm.post(f"/tickets/{call['ticket']}/messages", body)
    assert (added.status, added.body["channel"]) == (201, "wechat")
    await ann.post(f"/calls/{call['id']}/messages", {"text": "还是没有"})
    history = (await lin.get("/students/ann/history")).body
    assert [each["text"] for each in history["messages"]] == ["还是没有", "昨天也没声音"]
    assert [each["id"] for each in history["calls"]] == [call["id"]]
    assert history["tickets"][0]["ticket"] == call["ticket"]
    ticket = (await ann.get(f"/tickets/{call['ticket']}")).body
    assert {each["text"] for each in ticket["messages"]} == {"还是没有", "昨天也没声音"}
    assert (await lin.get("/students/nobody/history")).code == "not_found"
    future = {**body, "time": "2999-01-01T00:00:00Z"}
    assert (await crm.post(f"/tickets/{call['ticket']}/messages", future)).code == "invalid"


async def test_a_long_history_comes_page_by_page(site: Site) -> None:
    _ann, lin, call = await chat(site)
    crm = site.platform("service", "wechat")
    for minute in range(9):  # three of them in the same moment
        time = f"2026-11-20T08:{min(minute, 6):02}:00+08:00"
        body = {"author": "ann", "role": "student", "channel": "wechat", "time": time, "text": str(minute)}
        await crm.post(f"/tickets/{call['ticket']}/messages", body)
    seen: list[str] = []
    until = ""
    for _ in range(9):
        page = (await lin.get(f"/students/ann/history?limit=4{until}")).body
        seen += [each["text"] for each in page["messages"] if each["text"] not in seen]
        if page["next"] is None:
            break
        until = f"&until={page['next'].replace('+', '%2B')}"
    assert sorted(seen) == [str(minute) for minute in range(9)]
    assert seen[3:] == ["5", "4", "3", "2", "1", "0"]


async def test_asking_for_a_human_elsewhere_opens_a_chat(site: Site) -> None:
    ann = site.student("ann")
    call = (await ann.post("/calls", CHAT)).body["call"]
    await ann.post(f"/calls/{call['id']}/cancel")
    crm = site.platform("service", "wechat")
    body = {"author": "ann", "channel": "wechat", "text": "转人工"}
    await crm.post(f"/tickets/{call['ticket']}/messages", body)
    open_calls = (await crm.get("/calls?student=ann&state=queued")).body["items"]
    assert [(each["kind"], each["channel"]) for each in open_calls] == [("chat", "wechat")]


async def test_tickets_are_changed_by_staff_and_confirmed_by_the_student(site: Site) -> None:
    ann, lin, call = await chat(site)
    path = f"/tickets/{call['ticket']}"
    linked = await lin.patch(path, {"owner": "lin", "link": {"kind": "crm", "target": "https://crm/7"}})
    assert linked.body["links"] == [{"kind": "crm", "target": "https://crm/7"}]
    assert (await ann.get(path)).body["links"] is None
    await ann.post(f"/calls/{call['id']}/end")
    when = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).isoformat()
    assert (await lin.post(f"/calls/{call['id']}/followup", {"when": when})).status == 200
    assert (await lin.post(f"/calls/{call['id']}/followup", {"when": 1700000000})).code == "invalid"
    assert (await lin.post(f"/calls/{call['id']}/wrapup", {"resolved": True})).body["state"] == "closed"
    assert (await ann.patch(path, {"state": "solved"})).code == "forbidden"
    again = await ann.patch(path, {"resolved": False})
    assert again.body["state"] == "reopened"
    assert again.body["dues"]
    assert (await ann.patch(path, {"resolved": True})).body["state"] == "confirmed"
    mine = (await ann.get("/tickets")).body["items"]
    assert [each["ticket"] for each in mine] == [call["ticket"]]


@pytest.mark.slow
async def test_diagnostics_show_both_directions_and_the_class(site: Site) -> None:
    ann, lin = site.student("ann", class_id="301"), await site.staff("lin")
    await lin.put("/agents/lin/state", {"state": "available"})
    opened = (await ann.post("/calls", {**ASK, "kind": "voice"})).body
    sent = await ann.post("/class-stats", {"stats": {"loss": 0.12, "freezes": 3}})
    assert (sent.status, sent.body["class_id"]) == (201, "301")
    assert (await ann.post("/class-stats", {"student": "bob", "stats": {}})).code == "forbidden"
    path = f"/calls/{opened['call']['id']}/diagnostics"
    before = (await lin.get(path)).body
    assert before["participants"] == []
    assert before["class_stats"][0]["stats"] == {"loss": 0.12, "freezes": 3}
    student = await InRoom.join(ann, opened["media"], "ann", talk=False)
    accepted = (await lin.post(f"/offers/{(await ring(lin))['id']}/accept")).body
    agent = await InRoom.join(lin, accepted["media"], "lin")
    try:
        await until(lambda: student.hears("lin"), "the student hears the agent")

        async def measured() -> bool:
            found = {each["identity"]: each for each in (await lin.get(path)).body["participants"]}
            up, down = found["lin"]["uplink"], found["ann"]["downlink"]
            return bool(up["bitrate_bps"] and down["bitrate_bps"] and up["streams"] and down["streams"])

        await site.eventually(measured)
        assert (await ann.get(path)).code == "forbidden"
    finally:
        await student.leave()
        await agent.leave()


async def test_queues_and_agents_are_set_by_administrators(site: Site) -> None:
    admin, lin = await site.staff("admin"), await site.staff("lin")
    body = {"name": "夜间", "topics": ["night"], "skills": [{"skill": "audio", "level": 2}]}
    made = await admin.put("/queues/night", body)
    assert (made.status, made.body["config"]["skills"]) == (200, [{"skill": "audio", "level": 2}])
    assert (await lin.put("/queues/night", body)).code == "forbidden"
    bad = await admin.put("/queues/night", {**body, "timezone": "Moon/Crater"})
    assert bad.code == "invalid"
    profile = {"name": "林老师", "queues": ["night"], "skills": {"audio": 3}}
    assert (await admin.put("/agents/lin", profile)).body["skills"] == {"audio": 3}
    call = (await site.student("ann").post("/calls", {**CHAT, "topic": "night"})).body["call"]
    shown = (await lin.get("/queues/night")).body
    assert [each["call"] for each in shown["calls"]] == [call["id"]]
    assert (shown["waiting"], shown["calls"][0]["position"]) == (1, 1)
    assert {each["id"] for each in (await lin.get("/queues")).body["items"]} >= {"technical", "night"}
    unknown = await site.student("bob").post("/calls", {**CHAT, "queue": "nowhere"})
    assert (unknown.status, unknown.code) == (422, "unknown_queue")


async def test_an_outside_routing_layer_answers_or_the_built_in_one_does(start_site: StartSite) -> None:
    site = await start_site(desk={"routing": "external", "external_deadline_s": 0.5})
    crm, lin, zhao = site.platform("service", "crm"), await site.staff("lin"), await site.staff("zhao")
    for name, person in (("lin", lin), ("zhao", zhao)):
        await person.put(f"/agents/{name}/state", {"state": "available"})
    async with stream(crm) as events:
        ann = (await site.student("ann").post("/calls", CHAT)).body["call"]
        requested = await events.until("routing.requested")
        assert requested["call"] == ann["id"]
        assert requested["data"]["queue"] == "technical"
        named = await crm.post(f"/calls/{ann['id']}/participants", {"agent": "zhao", "note": "熟悉"})
        assert named.body["offer"]["agent"] == "zhao"
        offer = await ring(zhao)
        assert (await zhao.post(f"/offers/{offer['id']}/accept")).status == 200
        bob = (await site.student("bob").post("/calls", CHAT)).body["call"]
        await events.until("call.unparked")  # nobody answered
        offered = await events.until("offer.created")
        assert offered["call"] == bob["id"]


async def test_an_agent_whose_console_vanishes_loses_the_offer(
    start_site: StartSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.service.runtime.GRACE_S", 0.05)
    assert presence.GRACE_S > 1
    site = await start_site()
    lin, zhao = await site.staff("lin"), await site.staff("zhao")
    async with stream(lin):
        await lin.put("/agents/lin/state", {"state": "available"})
        call = (await site.student("ann").post("/calls", CHAT)).body["call"]
        await ring(lin)

    async def lost() -> bool:
        return bool((await zhao.get("/agents/lin")).body["state"] == "offline")

    await site.eventually(lost)
    await zhao.put("/agents/zhao/state", {"state": "available"})
    assert (await ring(zhao))["call"] == call["id"]


async def test_a_restarted_server_knows_its_calls(start_site: StartSite) -> None:
    site = await start_site()
    ann = site.student("ann")
    opened = (await ann.post("/calls", {**ASK, "kind": "voice"})).body
    student = await InRoom.join(ann, opened["media"], "ann", talk=False)
    path = f"/calls/{opened['call']['id']}"

    async def present() -> bool:
        return bool((await ann.get(path)).body["participants"][0]["state"] == "present")

    await site.eventually(present)
    await site.node.stop()
    await student.leave()
    again = await start_site()
    ann = again.student("ann")
    back = (await ann.post("/calls", ASK)).body
    assert (back["call"]["id"], back["created"]) == (opened["call"]["id"], False)
    assert back["call"]["participants"][0]["state"] == "away"
    assert back["queue"]["position"] == 1
    student = await InRoom.join(ann, back["media"], "ann", talk=False)
    await until(lambda: student.counts, "music sounds again")
    await student.leave()
