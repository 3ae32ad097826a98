"""API keys, accounts, topics: made, used, ended, and noted."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from signalling.api.identity import mint_platform_token
from signalling.api.keys import secret_of
from signalling.store.tables import api_keys
from tests.integration.api.conftest import Person, Site

PASSWORD = "correct horse battery"


def speaks_for(site: Site, key: str, secret: str, role: str = "student") -> Person:
    now = datetime.datetime.now(datetime.UTC)
    return Person(site, mint_platform_token(key, secret, subject="ann", role=role, now=now, name="Ann"))


async def audit(site: Site) -> list[tuple[str, str]]:
    entries = (await (await site.staff("admin")).get("/audit")).body["items"]
    return [(entry["action"], entry["target"]) for entry in entries]


# API keys ---------------------------------------------------------------------------------------------


async def test_a_key_signs_tokens_until_it_is_revoked(site: Site) -> None:
    admin = await site.staff("admin")
    made = await admin.post("/keys", {"name": "LMS"})
    assert made.status == 201
    key, secret = made.body["key"], made.body["secret"]
    assert key["roles"] == ["student", "service"] and key["created_by"] == "admin"
    student = speaks_for(site, key["id"], secret)
    assert (await student.get("/me")).body["id"] == "ann"
    assert (await speaks_for(site, key["id"], secret, "service").get("/me")).status == 200
    assert (await speaks_for(site, key["id"], secret, "admin").get("/me")).status == 401
    assert (await speaks_for(site, key["id"], secret + "x").get("/me")).status == 401
    [listed] = [each for each in (await admin.get("/keys")).body["items"] if each["id"] == key["id"]]
    assert "secret" not in listed and listed["last_used_at"] is not None

    assert (await admin.delete(f"/keys/{key['id']}")).status == 204
    assert (await student.get("/me")).status == 401
    assert (await admin.delete(f"/keys/{key['id']}")).status == 404
    [listed] = [each for each in (await admin.get("/keys")).body["items"] if each["id"] == key["id"]]
    assert listed["revoked_at"] is not None
    assert (await audit(site))[:2] == [("key.revoked", key["id"]), ("key.created", key["id"])]


async def test_no_secret_is_stored(site: Site) -> None:
    admin = await site.staff("admin")
    made = await admin.post("/keys", {"name": "LMS"})
    async with site.node.desk.database.read() as connection:
        rows = (await connection.execute(sa.select(api_keys))).all()
    assert made.body["secret"] not in repr(rows)
    assert made.body["secret"] != secret_of("rhk_other", "secret")


async def test_configured_keys_stay(site: Site) -> None:
    admin = await site.staff("admin")
    [configured] = [each for each in (await admin.get("/keys")).body["items"] if each["configured"]]
    assert configured["id"] == "devkey"
    assert (await admin.delete("/keys/devkey")).code == "conflict"


@pytest.mark.parametrize("roles", [[], ["guest"], ["student", "student"], ["king"]])
async def test_roles_of_keys(site: Site, roles: list[str]) -> None:
    answer = await (await site.staff("admin")).post("/keys", {"name": "x", "roles": roles})
    assert answer.code == "invalid"


# Accounts ---------------------------------------------------------------------------------------------


async def test_an_account_from_first_to_last_day(site: Site) -> None:
    admin = await site.staff("admin")
    made = await admin.post("/accounts", {"username": "Mei", "name": "梅老师", "role": "agent"})
    assert made.status == 201
    assert made.body["account"] == {
        "id": "mei", "username": "mei", "name": "梅老师", "role": "agent", "disabled": False,
    }  # fmt: skip
    mei = await site.staff("mei", made.body["password"])
    assert (await mei.get("/me")).body["name"] == "梅老师"
    agent = (await admin.get("/agents/mei")).body
    assert (agent["name"], agent["supervisor"], agent["routable"]) == ("梅老师", False, True)

    again = await admin.post("/accounts", {"username": "MEI", "name": "x", "role": "agent"})
    assert again.code == "invalid" and again.body["errors"][0]["field"] == "body.username"

    changed = await admin.patch("/accounts/mei", {"role": "supervisor", "password": PASSWORD})
    assert changed.body["password"] is None
    assert (await mei.get("/me")).status in (200, 401)  # believed for two seconds at most
    mei = await site.staff("mei", PASSWORD)
    assert (await mei.get("/me")).body["role"] == "supervisor"
    agent = (await admin.get("/agents/mei")).body
    assert (agent["supervisor"], agent["routable"]) == (True, False)

    reset = await admin.patch("/accounts/mei", {"reset_password": True})
    assert len(reset.body["password"]) >= 16
    assert (await admin.patch("/accounts/mei", {"disabled": True})).body["account"]["disabled"]
    login = await site.nobody.post("/login", {"username": "mei", "password": reset.body["password"]})
    assert login.code == "bad_credentials"
    assert [action for action, target in await audit(site) if target == "mei"] == [
        "account.changed", "account.changed", "account.changed", "account.created",
    ]  # fmt: skip
    listed = (await admin.get("/accounts")).body["items"]
    assert [each["username"] for each in listed if each["disabled"]] == ["mei"]
    assert "hash" not in str(listed)


async def test_nobody_takes_his_own_rights_away(site: Site) -> None:
    admin = await site.staff("admin")
    assert (await admin.patch("/accounts/admin", {"disabled": True})).code == "conflict"
    assert (await admin.patch("/accounts/admin", {"role": "agent"})).code == "conflict"
    assert (await admin.patch("/accounts/admin", {"name": "Root"})).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"username": "a b", "name": "x", "role": "agent"},
        {"username": "ok", "name": "", "role": "agent"},
        {"username": "ok", "name": "x", "role": "student"},
        {"username": "ok", "name": "x", "role": "agent", "password": "short"},
    ],
)
async def test_accounts_that_cannot_be(site: Site, body: dict[str, Any]) -> None:
    assert (await (await site.staff("admin")).post("/accounts", body)).code == "invalid"


async def test_a_changed_password_is_in_no_answer_and_no_note(site: Site) -> None:
    admin = await site.staff("admin")
    body = {"username": "bo", "name": "Bo", "role": "reviewer", "password": PASSWORD}
    assert PASSWORD not in str((await admin.post("/accounts", body)).body)
    assert PASSWORD not in str((await admin.get("/audit")).body)
    short = await admin.patch("/accounts/bo", {"password": "tiny"})
    assert short.code == "invalid" and "tiny" not in str(short.body)


# Topics -----------------------------------------------------------------------------------------------


def body_of(answer: dict[str, Any]) -> dict[str, Any]:
    return {"version": answer["version"], "items": answer["items"]}


async def test_topics_as_students_and_staff_see_them(site: Site) -> None:
    student, agent = site.student("ann"), await site.staff("lin")
    seen = (await student.get("/topics")).body
    assert [each["id"] for each in seen["items"]][:2] == ["no_sound", "no_picture"]
    assert {each["queue"] for each in seen["items"]} == {None}
    queues = {each["id"]: each["queue"] for each in (await agent.get("/topics")).body["items"]}
    assert (queues["no_sound"], queues["homework"], queues["general"]) == ("technical", "teaching", None)


async def test_a_new_list_moves_topics_between_queues_and_advises(site: Site) -> None:
    admin, student = await site.staff("admin"), site.student("ann", age=12)
    body = body_of((await admin.get("/topics")).body)
    topics = {each["id"]: each for each in body["items"]}
    topics["homework"]["queue"] = "sales"
    topics["app"]["advice"] = {"zh-CN": "请先更新软件。", "en": "Update the app first."}
    topics["app"]["child_advice"] = {
        "zh-CN": "请爸爸妈妈更新软件。",
        "en": "Ask your parents to update the app.",
    }
    new = {"id": "exam", "choice": "other", "name": {"zh-CN": "考试", "en": "Exams"}, "queue": "teaching"}
    body["items"] = [each for each in body["items"] if each["id"] != "price"] + [new]
    answer = await admin.put("/topics", body)
    assert answer.status == 200, answer
    assert answer.body["version"] == 1
    queues = {
        each["id"]: set(each["config"]["topics"]) for each in (await admin.get("/queues")).body["items"]
    }
    assert "homework" in queues["sales"] and "homework" not in queues["teaching"]
    assert "exam" in queues["teaching"] and "price" not in queues["sales"]
    assert "exam" in [each["id"] for each in (await student.get("/topics")).body["items"]]

    asked = await student.post("/calls", {"kind": "chat", "topic": "app"})
    assert asked.body["queue"]["advice"][0]["zh-CN"] == "请爸爸妈妈更新软件。"

    late = await admin.put("/topics", body)
    assert late.code == "conflict"
    assert ("topics.replaced", "topics") in await audit(site)


@pytest.mark.parametrize(
    "change",
    [
        {"queue": "no-such-queue"},
        {"queue": "vip"},
        {"name": {"zh-CN": "只有中文"}},
        {"choice": "fourth"},
        {"id": "homework"},
        {"id": "<b>"},
    ],
)
async def test_topics_that_cannot_be(site: Site, change: dict[str, Any]) -> None:
    admin = await site.staff("admin")
    body = body_of((await admin.get("/topics")).body)
    body["items"][0] |= change
    assert (await admin.put("/topics", body)).code == "invalid"
    assert (await admin.get("/topics")).body["version"] == 0
