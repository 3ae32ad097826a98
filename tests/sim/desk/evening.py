"""An evening at the desk in virtual time: students with impatience, agents with habits.

``python -m tests.sim.desk.evening --students 5000 --agents 80 --seed 1`` prints what happened.
"""

from __future__ import annotations

import argparse
import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk.model import (
    SYSTEM,
    Agent,
    AgentId,
    AgentState,
    AssignmentRole,
    CallContext,
    CallId,
    CallState,
    Kind,
    QueueId,
    Severity,
    StudentId,
    StudentProfile,
    Subject,
    Target,
    TicketId,
    TransferKind,
)
from tests.sim.desk.world import SERVICE, START, World, check_agents, check_call, pupil, staff


@dataclass(frozen=True)
class Habit:
    """How an agent works; probabilities per offer or call."""

    name: str
    react_s: float = 3.0
    declines: float = 0.0
    misses: float = 0.0
    vanishes: float = 0.0
    no_show: float = 0.0


HABITS = (
    Habit("prompt"),
    Habit("prompt"),
    Habit("slow", react_s=15.0),
    Habit("declining", declines=0.3),
    Habit("sleepy", misses=0.3),
    Habit("vanishing", vanishes=0.25, no_show=0.1),
)


class Evening:
    """Drives a :class:`World` by a heap of things that will happen."""

    def __init__(
        self,
        seed: int,
        *,
        students: int,
        agents: int,
        hours: float = 2.0,
        compare_every: int = 0,
        world: World | None = None,
    ) -> None:
        self.w = world or World(seed, compare_every=compare_every)
        self.rng = self.w.rng
        self.agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self.order = count()
        self.habits: dict[AgentId, Habit] = {}
        self.counts: Counter[str] = Counter()
        self.waits: list[float] = []
        self.promised: dict[CallId, tuple[float, float]] = {}
        self.kept = self.broken = 0
        self.w.watch = self.saw
        for i in range(agents):
            habit = HABITS[i % len(HABITS)]
            queues = (("technical", "teaching"), ("technical", "outside"), ("vip", "technical"))[i % 3]
            agent = self.w.hire(f"agent{i}", queues, level=1 + i % 5, max_chats=3)
            self.habits[agent] = habit
        self.w.hire("sup", supervisor=True)
        for i in range(students):
            self.at(self.rng.uniform(0, hours * 3600), self.press(f"student{i}"))

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Something that will happen so many seconds from now."""
        heapq.heappush(self.agenda, (self.w.now + timedelta(seconds=seconds), next(self.order), action))

    # Students

    def press(self, name: str) -> Callable[[], None]:
        rng = self.rng
        profile = StudentProfile(
            StudentId(name),
            level=rng.choices(("normal", "vip"), (9, 1))[0],
            age=rng.choice((None, 8, 30)),
            locale=rng.choices(("zh-CN", "en-GB"), (9, 1))[0],
            dedicated_agent=AgentId("agent0") if rng.random() < 0.02 else None,
        )
        kind = rng.choices((Kind.VOICE, Kind.VIDEO, Kind.CHAT), (4, 3, 3))[0]
        topic = rng.choice(("no_sound", "no_picture", "homework", "sales", "general"))
        severity = rng.choice(list(Severity))
        affected = 300 if rng.random() < 0.01 else 1
        left_min = rng.uniform(1, 60)

        def act() -> None:
            w = self.w
            call_id = CallId(w.new_id())
            w.execute(
                c.OpenCall(
                    by=pupil(name),
                    call=call_id,
                    ticket=TicketId(w.new_id()),
                    student=profile,
                    kind=kind,
                    topic=topic,
                    severity=severity,
                    subject=Subject(affected_count=affected),
                    context=CallContext(lesson_ends_at=w.now + timedelta(minutes=left_min)),
                )
            )
            call = w.desk.answer_of(profile.id)
            assert call is not None
            if call.id != call_id:
                self.counts["pressed again: same call"] += 1
                return
            self.counts["calls"] += 1
            assert w.board is not None
            estimate = w.board.estimate(call_id, w.now)
            if estimate is not None:
                self.promised[call_id] = (estimate.low_s, estimate.high_s)
            fate = self.rng.random()
            if fate < 0.10:
                self.at(0.1, act)  # The same student presses on his other device.
            if fate < 0.93 and kind is not Kind.CHAT:
                self.at(0.5, lambda: self.student(call_id, c.ReportJoined))
            if 0.10 < fate < 0.15:
                self.at(self.rng.expovariate(1 / 300), lambda: self.impatient(call_id, name))
            if 0.15 < fate < 0.25:
                self.at(self.rng.expovariate(1 / 300), lambda: self.student(call_id, c.ReportLeft))
                self.at(self.rng.expovariate(1 / 300), lambda: self.student(call_id, c.ReportJoined))

        return act

    def student(self, call_id: CallId, report: type[c.ReportJoined] | type[c.ReportLeft]) -> None:
        call = self.w.desk.calls[call_id]
        if call.open:
            self.w.execute(report(by=SYSTEM, call=call_id, identity=call.student.id))

    def impatient(self, call_id: CallId, name: str) -> None:
        if self.w.desk.calls[call_id].state in (CallState.QUEUED, CallState.OFFERED):
            self.w.execute(c.CancelCall(by=pupil(name), call=call_id))

    # Agents

    def saw(self, event: e.Event) -> None:
        """People react to what they are told."""
        if isinstance(event, e.OfferCreated):
            self.react(event)
        elif isinstance(event, e.RoutingRequested):
            self.at(1.0, lambda: self.outside(event.call))
        elif isinstance(event, e.CallAccepted):
            self.counts["accepted"] += 1
            call = self.w.desk.calls[event.call]
            if event.call in self.promised:
                _, high = self.promised.pop(event.call)
                waited = (event.at - call.created_at).total_seconds()
                self.waits.append(waited)
                if waited <= high:
                    self.kept += 1
                else:
                    self.broken += 1
        elif isinstance(event, e.CallConnected):
            self.talk(event.call, event.agent)
        elif isinstance(event, e.TransferConsulting):
            call_id, source = event.call, self.w.desk.calls[event.call].primary
            if source is not None:
                finish = c.CompleteTransfer if self.rng.random() < 0.7 else c.CancelTransfer
                by = staff(source.agent)
                self.at(self.rng.uniform(5, 40), lambda: self.quietly(finish(by=by, call=call_id)))
                self.at(300, lambda: self.quietly(c.EndCall(by=SERVICE, call=call_id)))
        elif isinstance(event, e.TicketScheduled):
            due_in = (event.due.at - self.w.now).total_seconds()
            ticket = TicketId(event.ticket)
            self.at(due_in, lambda: self.quietly(c.TicketDue(by=SYSTEM, ticket=ticket)))
        elif isinstance(event, e.OfferExpired | e.OfferDeclined | e.OfferWithdrawn):
            self.counts[event.TYPE] += 1
        elif isinstance(event, e.CallQueued) and event.reason is e.QueuedReason.AGENT_LOST:
            self.counts["lost their agent, back at the head"] += 1
        elif isinstance(event, e.TransferCompleted | e.TransferFailed | e.TransferCancelled):
            self.counts[event.TYPE] += 1
        elif isinstance(event, e.CallEnded):
            self.counts[f"ended: {event.reason}"] += 1
            if event.wrapping is not None and self.rng.random() < 0.7:
                agent, call_id = event.wrapping, event.call
                by = staff(agent)
                self.at(
                    self.rng.uniform(5, 50),
                    lambda: self.quietly(c.WrapUp(by=by, call=call_id, resolved=True)),
                )
        elif isinstance(event, e.AgentChanged) and event.state is not AgentState.AVAILABLE:
            agent = event.agent
            if agent in self.habits:
                self.at(
                    120.0,
                    lambda: self.quietly(
                        c.SetAgentState(by=staff(agent), agent=agent, state=AgentState.AVAILABLE)
                    ),
                )

    def quietly(self, command: c.Command) -> None:
        self.w.attempt(command)

    def outside(self, call_id: CallId) -> None:
        """The host's routing layer answers nearly always, with somebody who may be busy."""
        if self.rng.random() < 0.8:
            agent: Agent = self.rng.choice(list(self.w.desk.agents.values()))
            self.quietly(c.DropIn(by=SERVICE, call=call_id, target=Target(agent=agent.id)))

    def react(self, event: e.OfferCreated) -> None:
        offer, habit = event.offer, self.habits.get(event.offer.agent, HABITS[0])
        by, rng = staff(offer.agent), self.rng
        luck = rng.random()
        after = rng.uniform(0.5, 1.5) * habit.react_s
        if luck < habit.misses:
            return
        if luck < habit.misses + habit.declines:
            self.at(after, lambda: self.quietly(c.DeclineOffer(by=by, call=event.call, offer=offer.id)))
            return

        def accept() -> None:
            if not self.w.attempt(c.AcceptOffer(by=by, call=event.call, offer=offer.id)):
                self.counts["accepted too late"] += 1
                return
            if rng.random() < habit.no_show:
                self.counts["accepted, never came"] += 1
            else:
                joined = c.ReportJoined(by=SYSTEM, call=event.call, identity=offer.agent, fence=offer.fence)
                self.at(0.4, lambda: self.quietly(joined))
            if rng.random() < habit.vanishes:
                self.counts["agents vanished"] += 1
                vanish = c.AgentLost(by=SYSTEM, agent=offer.agent)
                self.at(rng.expovariate(1 / 60), lambda: self.quietly(vanish))

        self.at(after, accept)

    def talk(self, call_id: CallId, agent: AgentId) -> None:
        rng, by = self.rng, staff(agent)
        fate = rng.random()
        if fate < 0.08:
            kind = TransferKind.WARM if fate < 0.05 else TransferKind.COLD
            to = Target(queue=QueueId("teaching"))
            self.at(
                rng.uniform(20, 100),
                lambda: self.quietly(c.StartTransfer(by=by, call=call_id, target=to, kind=kind)),
            )
        end = c.EndCall(by=by, call=call_id)
        self.at(min(3000.0, rng.lognormvariate(5.2, 0.6)), lambda: self.end(end))

    def end(self, command: c.EndCall) -> None:
        """The talk is over, unless it is somebody else's by now: then a little later."""
        call = self.w.desk.calls[command.call]
        primary = call.primary
        if not call.open or primary is None:
            return
        mine = command.by == SERVICE or primary.agent == command.by.id
        if mine and call.live_transfer is None:
            self.quietly(command)
        else:
            self.at(60.0, lambda: self.end(c.EndCall(by=SERVICE, call=call.id)))

    # Time

    def run(self, limit_h: float = 40.0) -> None:
        """Until nothing is left to happen."""
        w = self.w
        assert w.board is not None
        end = START + timedelta(hours=limit_h)
        while True:
            deadline = w.board.next_deadline()
            following = self.agenda[0][0] if self.agenda else None
            times = [at for at in (deadline, following) if at is not None]
            if not times or min(times) > end:
                break
            w.now = max(w.now, min(times))
            while self.agenda and self.agenda[0][0] <= w.now:
                heapq.heappop(self.agenda)[2]()
            for command in w.board.due(w.now):
                w.execute(command)
            while w.match():
                pass
            for call in w.touched:
                check_call(w.desk.calls[call], w.desk)
            w.touched.clear()
            check_agents(w.desk)

    def finish(self) -> None:
        """Nobody lost, nobody stuck, no gap in the log."""
        w = self.w
        lost = [call for call in w.desk.calls.values() if call.open]
        stuck = [agent.id for agent in w.desk.agents.values() if agent.engagements]
        assert not lost, f"{len(lost)} students lost: {lost[0]}"
        assert not stuck, f"stuck: {stuck}"
        unclosed = [call for call in w.desk.calls.values() if call.state is not CallState.CLOSED]
        assert not unclosed
        served = sum(
            any(a.role is AssignmentRole.PRIMARY for a in call.assignments) for call in w.desk.calls.values()
        )
        self.counts["served"] = served
        w.check()
        w.check_log()

    def report(self) -> str:
        """What happened, as a table."""
        waits = sorted(self.waits) or [0.0]
        lines = [
            f"{self.w.commands} commands, {len(self.w.log)} events, {len(self.w.desk.agents)} agents",
            "0 double assignments, 0 lost students, 0 stuck agents, 0 gaps",
            f"wait p50 {waits[len(waits) // 2]:.0f} s, p95 {waits[len(waits) * 95 // 100]:.0f} s; "
            f"upper estimate kept {self.kept} of {self.kept + self.broken}",
        ]
        lines += [f"{name}: {number}" for name, number in sorted(self.counts.items())]
        lines += [f"refused {code}: {number}" for code, number in sorted(self.w.refusals.items())]
        return "\n".join(lines)


def main() -> None:
    """Play one evening and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=2000)
    parser.add_argument("--agents", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    evening = Evening(args.seed, students=args.students, agents=args.agents)
    evening.run()
    evening.finish()
    print(evening.report())


if __name__ == "__main__":
    main()
