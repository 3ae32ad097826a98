"""A call for help in a room that the host platform has already: the class goes on, an agent visits."""

from __future__ import annotations

import aiohttp
import pytest

from loadtest.desk_client import DeskClient
from loadtest.server import ServerProcess
from loadtest.sound import tone
from loadtest.waiting import wait_until
from tests.integration.sdk.conftest import Join

pytestmark = pytest.mark.slow


async def test_an_agent_comes_into_the_class_and_leaves_it(
    server: ServerProcess, join: Join, room: str
) -> None:
    teacher, pupil = await join("teacher"), await join("pupil")
    await teacher.publish_microphone(tone(440, 0.5))
    await pupil.wait_for_sound("teacher", hz=440)
    async with aiohttp.ClientSession() as http:
        service = DeskClient.service(server.http_url, http)
        desk = await DeskClient.login(server.http_url, "lin", http)
        async with desk.events() as events:
            await desk.set_state("available")
            asked = {"kind": "voice", "topic": "no_sound", "room": room, "student": {"id": "pupil"}}
            opened = await service.post("/calls", asked)
            call = str(opened["call"]["id"])
            rung = await events.wait_for("offer.created", call=call)
            accepted = await desk.accept(str(rung.data["offer"]["id"]))
            assert accepted.media is not None
            agent = await join("lin", token=accepted.media.token)
            await agent.publish_microphone(tone(1000, 0.5))
            await pupil.wait_for_sound("lin", hz=1000)
            await teacher.wait_for_sound("lin", hz=1000)
            await agent.wait_for_sound("teacher", hz=440)

            await desk.end(call)
            await wait_until(
                lambda: "lin" not in pupil.room.remote_participants, "the agent has left the class", 10.0
            )
            assert "teacher" in pupil.room.remote_participants
            heard = await pupil.wait_for_sound("teacher", hz=440)
            assert heard.tone(1000) < 0.005
            await desk.set_state("offline")
