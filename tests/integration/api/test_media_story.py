"""Calls with media: who hears whom from the first note of music to the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.integration.api.conftest import Answer, Person, Site
from tests.integration.api.people import InRoom, until
from tests.integration.api.test_call_story import ASK, ring


class Talk:
    """A call with a student and an agent who talk."""

    def __init__(self, site: Site, student: InRoom, agent: InRoom, call: str) -> None:
        self.site = site
        self.student = student
        self.agent = agent
        self.call = call
        self.others: list[InRoom] = []

    async def state(self) -> str:
        """The call's state."""
        return str((await self.agent.person.get(f"/calls/{self.call}")).body["state"])


async def accept(agent: Person) -> dict[str, Any]:
    offer = await ring(agent)
    accepted = await agent.post(f"/offers/{offer['id']}/accept")
    assert accepted.status == 200, accepted
    return dict(accepted.body)


@asynccontextmanager
async def talk(site: Site) -> AsyncIterator[Talk]:
    student_person, agent_person = site.student("ann"), await site.staff("lin")
    await agent_person.put("/agents/lin/state", {"state": "available"})
    opened = (await student_person.post("/calls", {**ASK, "kind": "voice"})).body
    student = await InRoom.join(student_person, opened["media"], "ann", talk=False)
    accepted = await accept(agent_person)
    agent = await InRoom.join(agent_person, accepted["media"], "lin")
    await until(student.may_publish, "the student may publish")
    await student.begin_to_talk()
    await until(lambda: student.hears("lin") and agent.hears("ann"), "they hear each other")
    together = Talk(site, student, agent, opened["call"]["id"])
    try:
        yield together
    finally:
        for person in (student, agent, *together.others):
            await person.leave()


async def _read_when_active(person: Person, call: str) -> Answer:
    """The call as soon as the desk has been told that both are in the room: sound may come before."""
    async with asyncio.timeout(5):
        while (shown := await person.get(f"/calls/{call}")).body["state"] != "active":
            await asyncio.sleep(0.02)
    return shown


async def test_music_while_waiting_then_talk_then_the_end(site: Site) -> None:
    student_person, agent_person = site.student("ann"), await site.staff("lin")
    opened = (await student_person.post("/calls", {**ASK, "kind": "voice"})).body
    student = await InRoom.join(student_person, opened["media"], "ann", talk=False)
    try:
        await until(lambda: student.counts, "an announcement or music sounds")
        assert not student.may_publish()
        await agent_person.put("/agents/lin/state", {"state": "available"})
        accepted = await accept(agent_person)
        agent = await InRoom.join(agent_person, accepted["media"], "lin")
        try:
            await until(student.may_publish, "the student may publish")
            await student.begin_to_talk()
            await until(lambda: student.hears("lin"), "the student hears the agent")
            await until(lambda: agent.hears("ann"), "the agent hears the student")
            shown = await _read_when_active(agent_person, opened["call"]["id"])
            present = {each["identity"]: each["state"] for each in shown.body["participants"]}
            assert present == {"ann": "present", "lin": "live"}
            assert "music" not in agent.counts
            assert student.client.ice_restarts == 0
            ended = await agent_person.post(f"/calls/{opened['call']['id']}/end")
            assert ended.body["state"] == "wrapping"
            await asyncio.wait_for(student.client.closed_by_server.wait(), 5)
            done = await agent_person.post(
                f"/calls/{opened['call']['id']}/wrapup", {"codes": ["audio"], "resolved": True}
            )
            assert done.body["state"] == "closed"
            assert (await agent_person.get("/agents/lin")).body["activity"] == "idle"
        finally:
            await agent.leave()
    finally:
        await student.leave()


@pytest.mark.slow
async def test_hold_and_resume(site: Site) -> None:
    async with talk(site) as call:
        await call.agent.person.post(f"/calls/{call.call}/hold")
        await until(lambda: not call.agent.hears("ann"), "the agent no longer hears the student")
        await until(lambda: not call.student.hears("lin"), "the student no longer hears the agent")
        before = call.student.counts.get("lin", 0)
        await until(lambda: call.student.hears("music") or len(call.student.counts) > 1, "music")
        assert call.student.counts.get("lin", 0) == before
        await call.agent.person.post(f"/calls/{call.call}/resume")
        await until(lambda: call.student.hears("lin"), "the student hears the agent again")
        await until(lambda: call.agent.hears("ann"), "the agent hears the student again")
        await until(lambda: not call.student.hears("music"), "no more music")


@pytest.mark.slow
async def test_the_responsible_agent_mutes(site: Site) -> None:
    async with talk(site) as together:
        agent, student = together.agent.person, together.student
        path = f"/calls/{together.call}/participants"
        muted = await agent.post(f"{path}/ann/mute", {"source": "microphone"})
        assert (muted.status, len(muted.body["tracks"])) == (200, 1)
        await until(lambda: not together.agent.hears("ann"), "the student is not heard")
        assert (await agent.post(f"{path}/ann/mute")).body == {"tracks": []}
        assert (await agent.post(f"{path}/nobody/mute")).code == "not_found"
        assert (await student.person.post(f"{path}/lin/mute")).code == "forbidden"
        other = await site.staff("zhao")
        assert (await other.post(f"{path}/ann/mute")).code == "forbidden"


async def test_monitor_whisper_barge(site: Site) -> None:
    async with talk(site) as call:
        boss = await site.staff("qian")
        path = f"/calls/{call.call}/participants"
        joined = await boss.post(path, {"agent": "qian", "mode": "monitor"})
        assert joined.status == 200, joined
        supervisor = await InRoom.join(boss, joined.body["media"], "qian")
        call.others.append(supervisor)
        await until(lambda: supervisor.hears("ann") and supervisor.hears("lin"), "the supervisor hears all")
        seen_by_student = await call.student.person.get(f"/calls/{call.call}")
        assert {each["identity"] for each in seen_by_student.body["participants"]} == {"ann", "lin"}
        assert "qian" not in call.agent.counts

        await boss.patch(f"{path}/qian", {"mode": "whisper"})
        await until(lambda: call.agent.hears("qian"), "the agent hears the whisper")
        assert "qian" not in call.student.counts
        assert not call.student.told("qian")

        await boss.patch(f"{path}/qian", {"mode": "barge"})
        await until(lambda: call.student.hears("qian"), "the student hears the supervisor")
        seen_by_student = await call.student.person.get(f"/calls/{call.call}")
        assert "qian" in {each["identity"] for each in seen_by_student.body["participants"]}

        taken = await boss.post(f"/calls/{call.call}/takeover")
        assert taken.status == 200, taken
        await until(lambda: not call.student.hears("lin"), "the agent is gone")
        await until(lambda: call.student.hears("qian"), "the supervisor goes on")
        assert call.student.client.ice_restarts == 0


@pytest.mark.slow
async def test_warm_transfer_and_a_guest(site: Site) -> None:
    async with talk(site) as call:
        guest_answer = await call.agent.person.post(
            f"/calls/{call.call}/participants", {"guest": {"identity": "dad", "name": "爸爸", "adult": True}}
        )
        assert guest_answer.body["link"].startswith(site.url)
        dad = Person(site, guest_answer.body["token"])
        assert (await dad.get(f"/calls/{call.call}")).status == 200
        guest = await InRoom.join(dad, guest_answer.body["media"], "dad")
        call.others.append(guest)
        await until(lambda: call.student.hears("dad") and guest.hears("ann"), "three talk")

        specialist_person = await site.staff("zhao")
        await specialist_person.put("/agents/zhao/state", {"state": "available"})
        started = await call.agent.person.post(
            f"/calls/{call.call}/transfer", {"to": {"agent": "zhao"}, "kind": "warm", "note": "麦克风"}
        )
        assert started.body["transfer"]["state"] == "ringing"
        accepted = await accept(specialist_person)
        assert accepted["call"]["transfer"]["note"] == "麦克风"
        specialist = await InRoom.join(specialist_person, accepted["media"], "zhao")
        call.others.append(specialist)
        await until(lambda: specialist.hears("lin") and call.agent.hears("zhao"), "the agents consult")
        await until(lambda: not call.agent.hears("ann"), "the student waits")
        await until(lambda: not call.student.hears("lin"), "the student hears no agent")
        done = await call.agent.person.post(f"/calls/{call.call}/transfer/complete")
        assert done.status == 200, done
        await until(lambda: call.student.hears("zhao") and specialist.hears("ann"), "the specialist talks")
        await asyncio.wait_for(call.agent.client.closed_by_server.wait(), 5)
        assert call.student.client.ice_restarts == 0
        assert not call.student.client.closed_by_server.is_set()


async def test_a_withdrawn_token_opens_no_room(site: Site) -> None:
    student_person, agent_person = site.student("ann"), await site.staff("lin")
    await agent_person.put("/agents/lin/state", {"state": "available"})
    opened = (await student_person.post("/calls", {**ASK, "kind": "voice"})).body
    student = await InRoom.join(student_person, opened["media"], "ann", talk=False)
    accepted = await accept(agent_person)
    await student_person.post(f"/calls/{opened['call']['id']}/cancel")
    await asyncio.wait_for(student.client.closed_by_server.wait(), 5)
    for person, media, name in (
        (agent_person, accepted["media"], "lin"),
        (student_person, opened["media"], "ann"),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await InRoom.join(person, media, name)
        assert caught.value.status == 410
    await student.leave()


async def test_an_old_fencing_token_is_refused(site: Site) -> None:
    """An agent who was taken out of the call cannot come back with the token he had."""
    service = site.platform("service", "crm")
    student_person = site.student("ann")
    opened = (await student_person.post("/calls", {**ASK, "kind": "voice"})).body
    student = await InRoom.join(student_person, opened["media"], "ann", talk=False)
    first, second = await site.staff("lin"), await site.staff("zhao")
    for name, person in (("lin", first), ("zhao", second)):
        await person.put(f"/agents/{name}/state", {"state": "available"})
    offer = await ring(first)
    accepted = await first.post(f"/offers/{offer['id']}/accept")
    path = f"/calls/{opened['call']['id']}"
    dropped = await service.post(f"{path}/participants", {"agent": "zhao", "force": True})
    assert dropped.status == 200, dropped
    third = await InRoom.join(second, dropped.body["media"], "zhao")
    removed = await service.delete(f"{path}/participants/zhao")
    assert removed.status == 200, removed
    await asyncio.wait_for(third.client.closed_by_server.wait(), 5)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await InRoom.join(second, dropped.body["media"], "zhao")
    assert caught.value.status == 403
    agent = await InRoom.join(first, accepted.body["media"], "lin")
    await until(lambda: student.hears("lin"), "the right agent is heard")
    for member in (student, agent, third):
        await member.leave()
