"""A supervisor monitors, whispers and barges: what reaches the student, message by message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from loadtest.bot import Bot
from loadtest.server import access_token
from loadtest.sound import tone
from loadtest.wire import WireClient
from mediaserver.room.audience import Audience, Place
from mediaserver.room.control import LocalRoomControl
from mediaserver.room.model import Identity
from tests.integration.signalling.conftest import Server

NOBODY: frozenset[str] = frozenset()
AGENTS = frozenset({"agents"})
ROOM = "class-301"
SUPERVISOR_HZ, AGENT_HZ = 880.0, 440.0


def audience(**supervisor: frozenset[str]) -> Audience:
    return Audience(
        {
            "student": Place(groups=frozenset({"students"})),
            "agent": Place(groups=AGENTS),
            "supervisor": Place(groups=frozenset({"staff"}), **supervisor),  # type: ignore[arg-type]
        }
    )


MONITOR = audience(known_to=NOBODY, heard_by=NOBODY)
WHISPER = audience(known_to=AGENTS, heard_by=AGENTS)
BARGE = audience()


async def until(condition: Callable[[], object], what: str, deadline_s: float = 10.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not in time: {what}"
        await asyncio.sleep(0.01)


def sounds(client: WireClient) -> int:
    """How many different streams the client has received packets of."""
    return len(client.received)


@pytest.mark.slow
async def test_monitor_and_whisper_leave_no_trace_at_the_student(server: Server) -> None:
    url = server.url.replace("http", "ws")
    rooms = server.node.rooms
    control = LocalRoomControl(rooms)
    rooms.get_or_create(ROOM)
    await control.set_audience(ROOM, MONITOR)
    student = await WireClient(
        url, access_token(ROOM, "student"), server.http, publish=("audio",), receive=(3, 1)
    ).join()
    talking = asyncio.create_task(_talk(student))
    agent = await Bot(url, access_token(ROOM, "agent")).connect()
    supervisor = None
    try:
        await agent.publish_microphone(tone(AGENT_HZ, 1.0))
        await until(lambda: sounds(student) == 1, "the student hears the agent")
        member = rooms.rooms[ROOM].participants[Identity("student")]
        await until(lambda: member.publisher.uplinks, "the student is heard")
        await asyncio.sleep(2.5)  # speakers and connection quality of these two have been told
        student.signals.clear()

        supervisor = await Bot(url, access_token(ROOM, "supervisor")).connect()
        await supervisor.publish_microphone(tone(SUPERVISOR_HZ, 1.0))
        await supervisor.wait_for_sound("agent", hz=AGENT_HZ)
        assert await agent_knows(agent) == {"student"}

        await control.set_audience(ROOM, WHISPER)
        await agent.wait_for_sound("supervisor", hz=SUPERVISOR_HZ)
        assert await agent_knows(agent) == {"student", "supervisor"}
        await supervisor.local.publish_data(b"only for the agent", reliable=True)
        heard = await agent.wait_for_event("data_received")
        assert heard.arguments[0].data == b"only for the agent"
        assert sounds(student) == 1

        await control.set_audience(ROOM, MONITOR)
        await until(lambda: "supervisor" not in agent.room.remote_participants, "the whisperer is gone")
        traces = [
            signal
            for signal in student.signals
            if signal.WhichOneof("message") not in ("speakers_changed", "connection_quality")
        ]
        assert traces == []
        said = b"".join(signal.SerializeToString() for signal in student.signals)
        hidden = rooms.rooms[ROOM].participants[Identity("supervisor")]
        assert hidden.sid.encode() not in said
        assert b"supervisor" not in said
        assert sounds(student) == 1

        switched = time.perf_counter()
        await control.set_audience(ROOM, BARGE)
        await until(lambda: sounds(student) == 2, "the student hears the supervisor after the barge")
        barge_s = min(s.first_at for s in student.received.values() if s.first_at > switched) - switched
        kinds = [str(signal.WhichOneof("message")) for signal in student.signals]
        assert kinds.count("media_sections_requirement") == 1
        assert barge_s < 1.0, barge_s
    finally:
        talking.cancel()
        await student.close()
        await agent.close()
        if supervisor is not None:
            await supervisor.close()


async def agent_knows(agent: Bot) -> set[str]:
    return set(agent.room.remote_participants)


async def _talk(student: WireClient) -> None:
    number = 0
    while True:
        student.send_audio(student.outgoing[0], 130, number * 960)
        number += 1
        await asyncio.sleep(0.02)
