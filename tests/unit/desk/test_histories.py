"""Histories that hypothesis writes: whatever people do, nobody is assigned twice, lost or stuck."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from signalling.desk import commands as c
from signalling.desk.model import (
    SYSTEM,
    AgentId,
    AgentState,
    AssignmentState,
    Call,
    CallState,
    Kind,
    Mode,
    QueueId,
    StudentId,
    StudentProfile,
    Target,
    TransferKind,
)
from tests.sim.desk.world import SERVICE, World, pupil, random_command, staff

AGENTS = ("a0", "a1", "a2", "sup0")
agents = st.sampled_from(AGENTS)
places = st.integers(0, 5)
targets = st.one_of(
    agents.map(lambda a: Target(agent=AgentId(a))),
    st.just(Target(skill="device")),
    st.just(Target(queue=QueueId("teaching"))),
)


class Desk(RuleBasedStateMachine):
    """People at a small desk; every command is compared with the decision on the full state."""

    def __init__(self) -> None:
        super().__init__()
        self.w = World(compare_every=1)

    @initialize(levels=st.lists(st.integers(1, 5), min_size=3, max_size=3))
    def hire(self, levels: list[int]) -> None:
        for name, level in zip(AGENTS, levels, strict=False):
            self.w.hire(name, level=level)
        self.w.hire("sup0", supervisor=True)

    def live(self) -> list[Call]:
        return [x for x in self.w.desk.calls.values() if x.state is not CallState.CLOSED]

    def pick(self, place: int) -> Call:
        live = self.live()
        return live[place % len(live)]

    def somebody(self, call: Call, place: int) -> str:
        inside = [a.agent for a in call.live_assignments]
        return inside[place % len(inside)] if inside else AGENTS[place % len(AGENTS)]

    @rule(
        student=st.integers(0, 2),
        kind=st.sampled_from(Kind),
        topic=st.sampled_from(("no_sound", "homework", "sales")),
        bot=st.booleans(),
        own=st.one_of(st.none(), agents),
    )
    def press(self, student: int, kind: Kind, topic: str, bot: bool, own: str | None) -> None:
        profile = StudentProfile(
            StudentId(f"s{student}"), dedicated_agent=AgentId(own) if own is not None else None
        )
        self.w.press(profile.id, profile=profile, kind=kind, topic=topic, bot=bot)

    @rule()
    def match(self) -> None:
        self.w.match()

    @rule(seconds=st.sampled_from((0.1, 1.0, 5.0, 20.0, 61.0, 600.0)))
    def wait(self, seconds: float) -> None:
        self.w.later(seconds)
        self.w.run_due()

    @precondition(lambda self: self.live())
    @rule(place=places, join=st.booleans())
    def accept(self, place: int, join: bool) -> None:
        call = self.pick(place)
        for offer in call.pending_offers:
            self.w.attempt(c.AcceptOffer(by=staff(offer.agent), call=call.id, offer=offer.id))
            if join:
                self.joined(place, 0)

    @precondition(lambda self: self.live())
    @rule(place=places)
    def decline(self, place: int) -> None:
        call = self.pick(place)
        for offer in call.pending_offers:
            self.w.attempt(c.DeclineOffer(by=staff(offer.agent), call=call.id, offer=offer.id))

    @precondition(lambda self: self.live())
    @rule(place=places, who=places)
    def joined(self, place: int, who: int) -> None:
        call = self.pick(place)
        for assignment in call.live_assignments:
            if assignment.state is not AssignmentState.LIVE:
                report = c.ReportJoined(
                    by=SYSTEM, call=call.id, identity=assignment.agent, fence=assignment.fence
                )
                self.w.attempt(report)

    @precondition(lambda self: self.live())
    @rule(place=places, who=places)
    def cut_off(self, place: int, who: int) -> None:
        call = self.pick(place)
        self.w.attempt(c.ReportLeft(by=SYSTEM, call=call.id, identity=self.somebody(call, who)))

    @precondition(lambda self: self.live())
    @rule(place=places, there=st.booleans())
    def student_comes_or_goes(self, place: int, there: bool) -> None:
        call = self.pick(place)
        report = c.ReportJoined if there else c.ReportLeft
        self.w.attempt(report(by=SYSTEM, call=call.id, identity=call.student.id))

    @precondition(lambda self: self.live())
    @rule(place=places, kind=st.sampled_from(TransferKind), to=targets)
    def transfer(self, place: int, kind: TransferKind, to: Target) -> None:
        call = self.pick(place)
        self.w.attempt(c.StartTransfer(by=SERVICE, call=call.id, target=to, kind=kind))

    @precondition(lambda self: self.live())
    @rule(place=places, complete=st.booleans())
    def finish_transfer(self, place: int, complete: bool) -> None:
        finish = c.CompleteTransfer if complete else c.CancelTransfer
        self.w.attempt(finish(by=SERVICE, call=self.pick(place).id))

    @precondition(lambda self: self.live())
    @rule(place=places, to=targets, mode=st.sampled_from(Mode), force=st.booleans())
    def drop_in(self, place: int, to: Target, mode: Mode, force: bool) -> None:
        call = self.pick(place)
        self.w.attempt(c.DropIn(by=SERVICE, call=call.id, target=to, mode=mode, force=force))

    @precondition(lambda self: self.live())
    @rule(place=places, hold=st.booleans())
    def hold_or_resume(self, place: int, hold: bool) -> None:
        self.w.attempt((c.HoldCall if hold else c.ResumeCall)(by=SERVICE, call=self.pick(place).id))

    @precondition(lambda self: self.live())
    @rule(place=places)
    def take_over(self, place: int) -> None:
        self.w.attempt(c.TakeOver(by=staff("sup0"), call=self.pick(place).id))

    @precondition(lambda self: self.live())
    @rule(place=places)
    def end(self, place: int) -> None:
        call = self.pick(place)
        self.w.attempt(c.EndCall(by=pupil(call.student.id), call=call.id))

    @rule(agent=agents)
    def vanish(self, agent: str) -> None:
        self.w.attempt(c.AgentLost(by=SYSTEM, agent=AgentId(agent)))
        assert not self.w.desk.agents[AgentId(agent)].engagements

    @rule(agent=agents, state=st.sampled_from(AgentState))
    def declare(self, agent: str, state: AgentState) -> None:
        self.w.attempt(c.SetAgentState(by=staff(agent), agent=AgentId(agent), state=state))

    @precondition(lambda self: self.live())
    @rule(place=places, seed=st.integers(0, 2**16))
    def anything(self, place: int, seed: int) -> None:
        self.w.rng.seed(seed)
        self.w.attempt(random_command(self.w, self.pick(place), [AgentId(a) for a in AGENTS]))

    @invariant()
    def holds(self) -> None:
        self.w.check()

    def teardown(self) -> None:
        if self.w.desk.agents:
            self.w.check_board()
            self.w.drain()
            self.w.check_log()


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=max(15, settings.default.max_examples // 3), stateful_step_count=40)  # type: ignore[union-attr]
