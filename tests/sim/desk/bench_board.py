"""2,000 waiting, 300 agents, 50 commands a second: how long does one command take, matching included?

``python -m tests.sim.desk.bench_board`` prints median and p99 of CPU time per command: deciding on the loaded
excerpt, applying to the state, feeding the board, matching. Storage and network are not in it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from statistics import median

from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk.model import (
    SYSTEM,
    AgentId,
    CallContext,
    CallId,
    CallState,
    Kind,
    QueueId,
    Severity,
    StudentId,
    StudentProfile,
    Subject,
)
from tests.sim.desk.world import QUEUES, World, pupil, staff

SKILLS = 12
"""Queues with different demands, so that the board has groups to tell apart."""


def run(waiting: int, agents: int, commands: int) -> list[float]:
    """CPU seconds per command while the queue stays full."""
    queues = [
        replace(QUEUES[0], id=QueueId(f"q{i}"), topics=frozenset({f"t{i}"}), overflow=())
        for i in range(SKILLS)
    ]
    w = World(1, queues=queues)
    assert w.board is not None
    rng, number = w.rng, 0

    def press() -> None:
        nonlocal number
        number += 1
        w.press(
            f"s{number}",
            profile=StudentProfile(StudentId(f"s{number}"), locale="zh-CN"),
            topic=f"t{rng.randrange(SKILLS)}",
            severity=rng.choice(list(Severity)),
            kind=rng.choice((Kind.VOICE, Kind.VIDEO)),
            subject=Subject(affected_count=rng.choice((1, 1, 1, 300))),
            context=CallContext(lesson_ends_at=w.now),
        )

    for i in range(agents):
        w.hire(f"a{i}", (f"q{i % SKILLS}", f"q{(i * 5 + 1) % SKILLS}"), level=1 + i % 5)
    while w.board.waiting < waiting + agents:
        w.later(0.05)
        press()
    active: list[CallId] = []
    while w.match():
        for call in list(w.desk.calls.values()):
            if call.state is CallState.OFFERED:
                w.accept(call)
                active.append(call.id)
    took: list[float] = []

    def timed(command: c.Command) -> list[e.Event]:
        start = time.process_time()
        events = w.execute(command)
        for match in w.board.matches(w.now) if w.board is not None else ():
            w.execute(match.command())
        took.append(time.process_time() - start)
        return events

    while len(took) < commands:
        w.later(1 / 50)
        while w.board.waiting < waiting:
            press()
        for due in w.board.due(w.now):
            timed(due)
        what = rng.random()
        offered = [a for a in w.desk.agents.values() if a.offered]
        if offered and what < 0.6:
            agent = offered[0]
            call = w.call(next(x.call for x in agent.engagements))
            offer = call.pending_offers[0]
            timed(c.AcceptOffer(by=staff(agent.id), call=call.id, offer=offer.id))
            timed(c.ReportJoined(by=SYSTEM, call=call.id, identity=agent.id, fence=offer.fence))
            active.append(call.id)
        elif active and what < 0.8:
            call = w.call(active.pop(rng.randrange(len(active))))
            if call.primary is not None:
                by = staff(call.primary.agent)
                timed(c.EndCall(by=by, call=call.id))
                timed(c.WrapUp(by=by, call=call.id, resolved=True))
        elif what < 0.9:
            number += 1
            name = f"s{number}"
            profile = StudentProfile(StudentId(name), locale="zh-CN")
            call_id = CallId(w.new_id())
            timed(
                c.OpenCall(
                    by=pupil(name),
                    call=call_id,
                    ticket=w.new_id(),  # type: ignore[arg-type]
                    student=profile,
                    kind=Kind.VOICE,
                    topic=f"t{rng.randrange(SKILLS)}",
                )
            )
            start = time.process_time()
            assert w.board.estimate(call_id, w.now) is not None  # Part of the answer.
            took[-1] += time.process_time() - start
        else:
            agent_id = AgentId(f"a{rng.randrange(agents)}")
            timed(c.AgentDue(by=SYSTEM, agent=agent_id))
    print(f"{w.board.waiting} waiting, {len(w.desk.agents)} agents, {len(took)} commands")
    w.check()
    return took


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=2000)
    parser.add_argument("--agents", type=int, default=300)
    parser.add_argument("--commands", type=int, default=3000)
    args = parser.parse_args()
    took = sorted(run(args.waiting, args.agents, args.commands))
    p99 = took[len(took) * 99 // 100]
    print(
        f"CPU per command: median {median(took) * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms, "
        f"max {took[-1] * 1e3:.2f} ms; at 50/s {sum(took) / len(took) * 50 * 100:.1f} % of a core"
    )


if __name__ == "__main__":
    main()
