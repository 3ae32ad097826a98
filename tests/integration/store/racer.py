"""One of several processes that race for calls and agents.

``python -m tests.integration.store.racer URL SEED N`` runs N random commands through the real rules, retries
lost races like the service does, and prints counts.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from pathlib import Path

from signalling.desk import commands as c
from signalling.desk.decide import decide
from signalling.desk.errors import Refusal
from signalling.desk.model import (
    SYSTEM,
    Actor,
    ActorRole,
    AgentId,
    AgentState,
    CallId,
    CallState,
    Kind,
    TicketId,
)
from signalling.desk.state import Desk, needs
from signalling.store.engine import Database
from signalling.store.errors import ConcurrencyError, UniquenessError
from signalling.store.ids import new_id
from signalling.store.unit_of_work import DeskStore
from tests.integration.store import story

ATTEMPTS = 3
STUDENTS = 12
AGENTS = 5


async def execute(store: DeskStore, command: c.Command, counts: Counter[str]) -> None:
    """As the service does it."""
    for _ in range(ATTEMPTS):
        try:
            async with store.begin() as work:
                desk = await work.load(needs(command))
                events = decide(desk, command, work.now)
                await work.save(events)
        except (ConcurrencyError, UniquenessError) as error:
            counts[f"lost: {type(error).__name__}"] += 1
            continue
        except Refusal as refusal:
            counts[f"refused: {refusal.code}"] += 1
            return
        counts["events"] += len(events)
        counts[f"done: {command.TYPE}"] += bool(events)
        return
    counts["given up"] += 1


def choose(desk: Desk, chance: random.Random) -> c.Command:
    """Something that somebody might do now, judged by what was true a moment ago."""
    calls = list(desk.calls.values())
    waiting = [call for call in calls if call.state is CallState.QUEUED]
    ringing = [call for call in calls if call.pending_offers]
    served = [call for call in calls if call.primary is not None]
    wrapping = [call for call in calls if call.state is CallState.WRAPPING and call.wrapping_agent]
    agents = list(desk.agents)
    kind = chance.choice(
        ["open", "open", "match", "match", "match", "answer", "answer", "end", "wrap", "state"]
    )
    if kind == "match" and waiting and agents:
        return c.MakeOffer(by=SYSTEM, call=chance.choice(waiting).id, agent=chance.choice(agents))
    if kind == "answer" and ringing:
        call = chance.choice(ringing)
        offer = chance.choice(call.pending_offers)
        by = Actor(offer.agent, ActorRole.AGENT)
        answer = c.AcceptOffer if chance.random() < 0.8 else c.DeclineOffer
        return answer(by=by, call=call.id, offer=offer.id)
    if kind == "end" and served:
        call = chance.choice(served)
        return c.EndCall(by=Actor(call.student.id, ActorRole.STUDENT), call=call.id)
    if kind == "wrap" and wrapping:
        call = chance.choice(wrapping)
        assert call.wrapping_agent is not None
        return c.WrapUp(by=Actor(call.wrapping_agent, ActorRole.AGENT), call=call.id, resolved=True)
    if kind == "state" and agents:
        agent = chance.choice(agents)
        state = AgentState.AVAILABLE if chance.random() < 0.8 else AgentState.AWAY
        return c.SetAgentState(by=Actor(agent, ActorRole.AGENT), agent=agent, state=state)
    student = story.student(f"student-{chance.randrange(STUDENTS)}")
    return c.OpenCall(
        by=Actor(student.id, ActorRole.STUDENT),
        call=CallId(new_id()),
        ticket=TicketId(new_id()),
        student=student,
        kind=chance.choice([Kind.VOICE, Kind.VIDEO, Kind.CHAT]),
        topic="sound",
        queue=story.TECHNICAL,
    )


async def race(url: str, seed: int, number: int) -> Counter[str]:
    """`number` commands one after the other."""
    chance, counts = random.Random(seed), Counter[str]()
    database = await Database.open(url, Path(), pool_size=2)
    store = DeskStore(database)
    for _ in range(number):
        desk = (await store.snapshot()).desk
        await execute(store, choose(desk, chance), counts)
    await database.close()
    return counts


async def prepare(store: DeskStore) -> None:
    """A queue and agents."""
    counts = Counter[str]()
    await story.make_queue(store)
    for number in range(AGENTS):
        agent = AgentId(f"agent-{number}")
        await story.make_agent(store, agent)
        by = Actor(agent, ActorRole.AGENT)
        await execute(store, c.SetAgentState(by=by, agent=agent, state=AgentState.AVAILABLE), counts)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(race(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
