"""A whole desk in virtual time: full state, board, event log, and the invariants that must always hold.

Every command is decided on the excerpt that a store would load (`needs`), and the outcome is compared with
the decision on the full desk now and then: this proves that `needs` names enough.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk import routing
from signalling.desk.board import Board
from signalling.desk.decide import decide
from signalling.desk.errors import Refusal
from signalling.desk.model import (
    SERVED_CALL_STATES,
    SYSTEM,
    Actor,
    ActorRole,
    Agent,
    AgentId,
    AgentProfile,
    AgentState,
    AssignmentRole,
    AssignmentState,
    Call,
    CallContext,
    CallId,
    CallState,
    ClosedReason,
    ConsentBy,
    Decision,
    DeskPolicy,
    EngagementState,
    Kind,
    Mode,
    OfferState,
    Overflow,
    ParkReason,
    QueueConfig,
    QueueId,
    Relation,
    Routing,
    Severity,
    SkillNeed,
    StudentId,
    StudentProfile,
    Subject,
    Target,
    TicketId,
    TicketState,
    Tier,
    TransferKind,
    TransferState,
    uuid7,
)
from signalling.desk.state import Desk, needs

START = datetime(2026, 3, 1, 11, 40, tzinfo=UTC)
"""A Sunday evening in Shanghai, 19:40."""

ADMIN = Actor("admin", ActorRole.ADMIN)
SERVICE = Actor("platform", ActorRole.SERVICE)

QUEUES = (
    QueueConfig(
        QueueId("technical"),
        topics=frozenset({"no_sound", "no_picture"}),
        skills=(SkillNeed("device", 2),),
        overflow=(Overflow(QueueId("teaching"), 60.0),),
        wrapup_s=60.0,
    ),
    QueueConfig(QueueId("teaching"), topics=frozenset({"homework"}), wrapup_s=0.0),
    QueueConfig(
        QueueId("outside"),
        topics=frozenset({"sales"}),
        routing=Routing.EXTERNAL,
        external_deadline_s=5.0,
        overflow=(Overflow(QueueId("teaching"), 30.0),),
    ),
    QueueConfig(
        QueueId("vip"),
        vip_only=True,
        skills=(SkillNeed("device", 4),),
        overflow=(Overflow(QueueId("technical"), 20.0),),
    ),
)
TOPICS = ("no_sound", "no_picture", "homework", "sales", "general")


class World:
    """A desk, its board and its log. `execute` is what the service does."""

    def __init__(
        self,
        seed: int = 0,
        *,
        policy: DeskPolicy | None = None,
        queues: Iterable[QueueConfig] = QUEUES,
        compare_every: int = 0,
        board: bool = True,
    ) -> None:
        self.rng = random.Random(seed)
        self.now = START
        self.policy = policy or DeskPolicy()
        self.desk = Desk(policy=self.policy)
        self.board = Board(policy=self.policy) if board else None
        self.log: list[e.Event] = []
        self.refusals: Counter[str] = Counter()
        self.commands = 0
        self.compare_every = compare_every
        self.touched: set[CallId] = set()
        self.watch: Callable[[e.Event], None] | None = None
        for queue in queues:
            self.execute(c.PutQueue(by=ADMIN, config=queue))

    def new_id(self) -> str:
        return uuid7(self.now, self.rng.randbytes(10))

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def execute(self, command: c.Command) -> list[e.Event]:
        """Decide on an excerpt, apply everywhere. :raises Refusal: nothing happened."""
        self.commands += 1
        part = self.desk.excerpt(needs(command), now=self.now)
        compare = self.compare_every and self.commands % self.compare_every == 0
        try:
            events = decide(part, command, self.now)
        except Refusal as refusal:
            self.refusals[refusal.code] += 1
            if compare:
                self._compare_refusal(command, refusal)
            raise
        if compare:
            assert decide(self.desk, command, self.now) == events, f"needs() of {command.TYPE} is not enough"
        for event in events:
            self.desk.apply(event)
            if self.board is not None:
                self.board.apply(event)
            if isinstance(event, e.CallEvent):
                self.touched.add(event.call)
            if self.watch is not None:
                self.watch(event)
        self.log.extend(events)
        return events

    def _compare_refusal(self, command: c.Command, refusal: Refusal) -> None:
        code = "none"
        try:
            decide(self.desk, command, self.now)
        except Refusal as other:
            code = other.code
        assert code == refusal.code, f"needs() of {command.TYPE} is not enough: {refusal}"

    def attempt(self, command: c.Command) -> list[e.Event]:
        """Execute; a refusal counts and is no fault."""
        try:
            return self.execute(command)
        except Refusal:
            return []

    # People

    def hire(
        self,
        agent: str,
        queues: Iterable[str] = ("technical", "teaching"),
        *,
        level: int = 3,
        supervisor: bool = False,
        languages: Iterable[str] = ("zh", "en"),
        max_chats: int = 2,
        available: bool = True,
    ) -> AgentId:
        profile = AgentProfile(
            AgentId(agent),
            name=agent,
            queues=frozenset(QueueId(q) for q in queues),
            skills={"device": level},
            languages=frozenset(languages),
            max_chats=max_chats,
            supervisor=supervisor,
            routable=not supervisor,
        )
        self.execute(c.PutAgent(by=ADMIN, profile=profile))
        if available:
            self.execute(c.SetAgentState(by=staff(agent), agent=AgentId(agent), state=AgentState.AVAILABLE))
        return AgentId(agent)

    def press(self, student: str, **fields: object) -> Call:
        """A student presses the button; the answer as the service would give it."""
        profile = fields.pop("profile", None) or StudentProfile(StudentId(student), locale="zh-CN", age=30)
        assert isinstance(profile, StudentProfile)
        values: dict[str, object] = {"kind": Kind.VOICE, "topic": "no_sound", **fields}
        self.execute(
            c.OpenCall(
                by=pupil(student),
                call=CallId(self.new_id()),
                ticket=TicketId(self.new_id()),
                student=profile,
                **values,  # type: ignore[arg-type]
            )
        )
        call = self.desk.answer_of(profile.id)
        assert call is not None
        return call

    def call(self, call: Call | CallId) -> Call:
        return self.desk.calls[call.id if isinstance(call, Call) else call]

    # Machinery of the shell

    def match(self) -> int:
        """One round of the matcher."""
        assert self.board is not None
        made = 0
        for match in self.board.matches(self.now):
            made += bool(self.execute(match.command()))
        return made

    def run_due(self) -> int:
        """Carry out what is due now, on calls, agents and tickets."""
        assert self.board is not None
        count = 0
        for command in self.board.due(self.now):
            count += bool(self.execute(command))
        for ticket in list(self.desk.tickets.values()):
            due = ticket.next_due()
            if due is not None and due <= self.now:
                count += bool(self.execute(c.TicketDue(by=SYSTEM, ticket=ticket.id)))
        return count

    def accept(self, call: Call | CallId, *, join: bool = True) -> AgentId:
        """The agent who is asked for this call says yes and comes into the room."""
        call_id = self.call(call).id
        offers = self.call(call).pending_offers
        offer = next((o for o in offers if o.role is AssignmentRole.PRIMARY), offers[0])
        self.execute(c.AcceptOffer(by=staff(offer.agent), call=call_id, offer=offer.id))
        if join and self.call(call).kind is not Kind.CHAT:
            self.execute(c.ReportJoined(by=SYSTEM, call=call_id, identity=offer.agent, fence=offer.fence))
        return offer.agent

    # Invariants

    def check(self, *, everything: bool = True) -> None:
        """What must hold after every command (of the touched calls, or of all)."""
        calls = list(self.desk.calls.values()) if everything else [self.desk.calls[k] for k in self.touched]
        self.touched.clear()
        for call in calls:
            check_call(call, self.desk)
        check_agents(self.desk)
        if everything:
            open_calls = Counter(call.student.id for call in calls if call.open)
            assert all(count == 1 for count in open_calls.values()), "two open calls of one student"

    def check_log(self) -> None:
        """Gap-free streams, and the same state from the log alone, through JSON as well."""
        seen: Counter[str] = Counter()
        rebuilt = Desk(policy=self.policy)
        for event in self.log:
            key = f"{event.STREAM}:{event.stream_id}"
            seen[key] += 1
            assert event.seq == seen[key], f"gap in {key}"
            rebuilt.apply(e.from_json(json.loads(json.dumps(event.to_json()))))
        assert dict(rebuilt.calls) == dict(self.desk.calls)
        assert dict(rebuilt.agents) == dict(self.desk.agents)
        assert dict(rebuilt.tickets) == dict(self.desk.tickets)
        assert dict(rebuilt.queues) == dict(self.desk.queues)

    def check_board(self) -> None:
        """The board fed by events proposes what a freshly built one does."""
        assert self.board is not None
        fresh = Board(
            policy=self.policy,
            queues=self.desk.queues.values(),
            agents=self.desk.agents.values(),
            calls=self.desk.calls.values(),
        )
        assert fresh.matches(self.now) == self.board.matches(self.now)
        assert fresh.waiting == self.board.waiting
        assert fresh.idle == self.board.idle
        for queue in self.desk.queues:
            assert fresh.positions(queue, self.now) == self.board.positions(queue, self.now)

    def drain(self, limit: int = 20_000) -> None:
        """Let everything come to its end with one good agent at work: nobody may be lost or stuck."""
        assert self.board is not None
        for agent in list(self.desk.agents):
            self.attempt(c.AgentLost(by=SYSTEM, agent=agent))
        assert not any(a.engagements for a in self.desk.agents.values()), "a vanished agent is still tied"
        self.check()
        for call in list(self.desk.calls.values()):
            if call.open and call.parked is not None and call.parked.reason is ParkReason.BOT:
                self.execute(c.RequestHuman(by=SERVICE, call=call.id))
        good = self.hire(
            "last-resort",
            (str(q) for q in self.desk.queues),
            level=5,
            languages=("zh", "en", "ja"),
            max_chats=5,
        )
        waiting = {call.id for call in self.desk.calls.values() if call.open}
        served: set[CallId] = set()
        for _ in range(limit):
            remaining = [call for call in (self.desk.calls[k] for k in waiting) if call.open]
            if not remaining:
                break
            self.run_due()
            self.match()
            for call in remaining:
                current = self.call(call)
                if current.state is CallState.OFFERED:
                    self.accept(current)
                    served.add(current.id)
                    self.execute(c.EndCall(by=staff(good), call=current.id))
                    self.attempt(c.WrapUp(by=staff(good), call=current.id, resolved=True))
            self.later(1.0)
        else:
            raise AssertionError(f"{len(remaining)} students were never served: {remaining[0]}")
        for call_id in waiting - served:
            # Only who went away himself ends unserved.
            assert self.call(call_id).closed_reason is ClosedReason.ABANDONED, self.call(call_id)
        for _ in range(10):
            self.later(60.0)
            self.run_due()
        assert not self.desk.agents[good].engagements, "an agent is stuck"
        self.check()


def staff(agent: str) -> Actor:
    return Actor(agent, ActorRole.SUPERVISOR if agent.startswith("sup") else ActorRole.AGENT)


def pupil(student: str) -> Actor:
    return Actor(student, ActorRole.STUDENT)


def check_call(call: Call, desk: Desk) -> None:
    """The invariants of one call."""
    where = f"{call.id} {call.state}"
    primaries = [a for a in call.live_assignments if a.role is AssignmentRole.PRIMARY]
    assert len(primaries) <= 1, f"{where}: two primaries"
    served = call.state in SERVED_CALL_STATES
    assert bool(primaries) == served, f"{where}: primary and state disagree"
    waiting = call.state in (CallState.QUEUED, CallState.OFFERED)
    assert (call.seek(AssignmentRole.PRIMARY) is not None) == waiting, f"{where}: no place in the queue"
    offered = call.pending_offer(AssignmentRole.PRIMARY) is not None
    assert offered == (call.state is CallState.OFFERED), f"{where}: offer and state disagree"
    for role in AssignmentRole:
        pending = [o for o in call.pending_offers if o.role is role]
        assert len(pending) <= 1, f"{where}: two offers for one place"
    fences = [a.fence for a in call.assignments]
    assert len(set(fences)) == len(fences), f"{where}: a token was used twice"
    assert max([*fences, *(o.fence for o in call.offers), 0]) <= call.fence, f"{where}: token from the future"
    if not call.open:
        assert not call.live_assignments and not call.pending_offers and not call.seeks, f"{where}: leftovers"
        assert call.live_transfer is None, f"{where}: a transfer goes on"
        assert call.closed_reason is not None
    for a in call.live_assignments:
        assert (a.until is not None) == (a.state is not AssignmentState.LIVE), f"{where}: no way out of {a}"
        tie = desk.agents[a.agent].engagement(call.id)
        assert tie is not None and tie.state is EngagementState.ASSIGNED, f"{where}: {a.agent} does not know"
        assert tie.role is a.role and tie.kind is call.kind, f"{where}: {tie} is not {a}"
    for o in call.pending_offers:
        tie = desk.agents[o.agent].engagement(call.id)
        assert tie is not None and tie.state is EngagementState.OFFERED, f"{where}: {o.agent} is not asked"
    consults = [a for a in call.live_assignments if a.role is AssignmentRole.CONSULT]
    transfer = call.live_transfer
    if transfer is not None and transfer.kind is TransferKind.WARM:
        if transfer.state is TransferState.RINGING:
            ringing = call.pending_offer(AssignmentRole.CONSULT) is not None
            assert ringing or call.seek(AssignmentRole.CONSULT) is not None, f"{where}: transfer to nobody"
            assert not consults
        else:
            assert [a.agent for a in consults] == [transfer.agent], f"{where}: consult and transfer disagree"
        assert primaries, f"{where}: transfer without source"
    else:
        assert not consults, f"{where}: consult without transfer"
        if transfer is not None:
            assert waiting, f"{where}: cold transfer that nobody waits for"
    if call.state is CallState.WRAPPING:
        assert call.wrapping_agent is not None
        tie = desk.agents[call.wrapping_agent].engagement(call.id)
        assert tie is not None and tie.state is EngagementState.WRAPPING, f"{where}: waits for nobody"
    if call.parked is not None:
        assert call.parked.until is not None or call.parked.reason is ParkReason.BOT, (
            f"{where}: parked for ever"
        )
    if any(a.agent == call.hand_raised_by for a in call.assignments if not a.live):
        assert call.assignment_of(str(call.hand_raised_by)) is not None, f"{where}: a hand without agent"
    ticket = desk.tickets[call.ticket]
    assert call.id in ticket.calls, f"{where}: not in its case"
    times = [o.state for o in call.offers]
    assert times.count(OfferState.PENDING) == len(call.pending_offers)


def check_agents(desk: Desk) -> None:
    """The invariants of all agents."""
    for agent in desk.agents.values():
        offers = media = 0
        for tie in agent.engagements:
            call = desk.calls[tie.call]
            if tie.state is EngagementState.OFFERED:
                offers += 1
                assert any(o.agent == agent.id for o in call.pending_offers), f"{agent.id}: rings for nothing"
            elif tie.state is EngagementState.ASSIGNED:
                assert call.assignment_of(agent.id) is not None, f"{agent.id}: tied to a call without him"
                media += tie.kind is not Kind.CHAT and tie.role is not AssignmentRole.SUPERVISOR
            else:
                assert tie.until is not None, f"{agent.id}: wraps up for ever"
        assert offers <= 1, f"{agent.id}: two offers at once"
        assert media <= 1, f"{agent.id}: assigned twice"


# Random histories


def random_step(w: World, students: int, agents: list[AgentId]) -> None:
    """One random thing that somebody might do, sensible or not."""
    rng = w.rng
    action = rng.random()
    live = [x for x in w.desk.calls.values() if x.state is not CallState.CLOSED]
    if action < 0.12 or not live:
        _random_press(w, students)
        return
    if action < 0.30:
        w.match()
        return
    if action < 0.40:
        w.later(rng.choice((0.0, 0.1, 1.0, 5.0, 20.0, 65.0)))
        w.run_due()
        return
    call = rng.choice(live)
    offers = call.pending_offers
    if offers and action < 0.60:
        offer = rng.choice(offers)
        by = staff(offer.agent)
        if rng.random() < 0.75:
            w.attempt(c.AcceptOffer(by=by, call=call.id, offer=offer.id))
            if rng.random() < 0.8:
                w.attempt(c.ReportJoined(by=SYSTEM, call=call.id, identity=offer.agent, fence=offer.fence))
        else:
            w.attempt(c.DeclineOffer(by=by, call=call.id, offer=offer.id, reason="busy"))
        return
    w.attempt(random_command(w, call, agents))


def _random_press(w: World, students: int) -> None:
    rng = w.rng
    name = f"student{rng.randrange(students)}"
    w.attempt(
        c.OpenCall(
            by=pupil(name),
            call=CallId(w.new_id()),
            ticket=TicketId(w.new_id()),
            student=StudentProfile(
                StudentId(name),
                level=rng.choice(("normal", "normal", "vip")),
                tier=rng.choice(list(Tier)),
                age=rng.choice((None, 9, 13, 14, 40)),
                locale=rng.choice((None, "zh-CN", "en-GB")),
                dedicated_agent=rng.choice((None, AgentId("a0"))),
            ),
            kind=rng.choice(list(Kind)),
            topic=rng.choice(TOPICS),
            severity=rng.choice(list(Severity)),
            subject=Subject(Relation.SELF, rng.choice((1, 1, 300))),
            context=CallContext(lesson_ends_at=w.now + timedelta(minutes=rng.randrange(1, 90))),
            bot=rng.random() < 0.1,
        )
    )


def random_command(w: World, call: Call, agents: list[AgentId]) -> c.Command:
    rng = w.rng
    agent = rng.choice(agents)
    inside = [a.agent for a in call.live_assignments]
    insider = rng.choice(inside) if inside and rng.random() < 0.8 else agent
    supervisor = rng.choice([a for a in agents if a.startswith("sup")])
    by = rng.choice(
        (staff(insider), staff(insider), staff(insider), staff(supervisor), SERVICE, pupil(call.student.id))
    )
    target = rng.choice(
        (
            Target(agent=agent),
            Target(agent=agent),
            Target(skill="device"),
            Target(queue=QueueId("teaching")),
        )
    )
    mode = rng.choice(list(Mode))
    anybody = rng.choice([*inside, call.student.id, "mum", agent])
    fence = next((a.fence for a in call.live_assignments if a.agent == anybody), None)
    offer = rng.choice(call.offers).id if call.offers else None
    options: list[Callable[[], c.Command]] = [
        lambda: c.EndCall(by=by, call=call.id),
        lambda: c.CancelCall(by=pupil(call.student.id), call=call.id),
        lambda: c.HoldCall(by=by, call=call.id),
        lambda: c.ResumeCall(by=by, call=call.id),
        lambda: c.StartTransfer(by=by, call=call.id, target=target, kind=TransferKind.WARM),
        lambda: c.StartTransfer(by=by, call=call.id, target=target, kind=rng.choice(list(TransferKind))),
        lambda: c.CompleteTransfer(by=by, call=call.id),
        lambda: c.CompleteTransfer(by=by, call=call.id),
        lambda: c.CancelTransfer(by=by, call=call.id),
        lambda: c.DropIn(by=by, call=call.id, target=target, mode=mode, force=rng.random() < 0.3),
        lambda: c.DropIn(by=by, call=call.id, target=target),
        lambda: c.DropIn(by=staff(supervisor), call=call.id, target=Target(agent=supervisor), mode=mode),
        lambda: c.ChangeMode(by=staff(supervisor), call=call.id, identity=anybody, mode=mode),
        lambda: c.RemoveParticipant(by=by, call=call.id, identity=anybody),
        lambda: c.InviteGuest(by=by, call=call.id, identity="mum", mode=mode),
        lambda: c.TakeOver(by=staff(supervisor), call=call.id),
        lambda: c.RaiseHand(by=staff(insider), call=call.id),
        lambda: c.LowerHand(by=by, call=call.id),
        lambda: c.ReportJoined(by=SYSTEM, call=call.id, identity=anybody, fence=fence),
        lambda: c.ReportJoined(by=SYSTEM, call=call.id, identity=anybody, fence=rng.randrange(5)),
        lambda: c.ReportJoined(by=SYSTEM, call=call.id, identity=call.student.id),
        lambda: c.ReportLeft(by=SYSTEM, call=call.id, identity=anybody, fence=fence),
        lambda: c.RequestCallback(by=by, call=call.id),
        lambda: c.RequestHuman(by=SERVICE, call=call.id),
        lambda: c.UpgradeCall(by=by, call=call.id, kind=rng.choice(list(Kind))),
        lambda: c.DescribeCall(by=by, call=call.id, answers={"who": rng.choice(("me", "everyone"))}),
        lambda: c.PostMessage(by=by, call=call.id, text=rng.choice(("你好", "转人工", ""))),
        lambda: c.WrapUp(by=staff(call.wrapping_agent or insider), call=call.id, resolved=rng.random() < 0.5),
        lambda: c.RateCall(by=pupil(call.student.id), call=call.id, stars=rng.randrange(7), resolved=True),
        lambda: c.GiveConsent(
            by=by,
            call=call.id,
            participant=anybody,
            decision=rng.choice(list(Decision)),
            consent_by=rng.choice(list(ConsentBy)),
            notice_version="3",
        ),
        lambda: c.ConfirmTicket(by=SERVICE, ticket=call.ticket, resolved=rng.random() < 0.5),
        lambda: c.UpdateTicket(by=by, ticket=call.ticket, state=rng.choice(list(TicketState))),
        lambda: c.AppendMessage(
            by=SERVICE,
            ticket=call.ticket,
            author="x",
            author_role="student",
            channel="wechat",
            said_at=w.now,
            text=rng.choice(("还是不行", "人工")),
        ),
        lambda: c.SetAgentState(by=staff(agent), agent=agent, state=AgentState.AVAILABLE),
        lambda: c.SetAgentState(by=staff(agent), agent=agent, state=AgentState.AVAILABLE),
        lambda: c.SetAgentState(by=staff(agent), agent=agent, state=rng.choice(list(AgentState))),
        lambda: c.AgentLost(by=SYSTEM, agent=rng.choice((agent, AgentId(insider)))),
        lambda: c.CallDue(by=SYSTEM, call=call.id),
        lambda: c.MakeOffer(by=SYSTEM, call=call.id, agent=agent, role=rng.choice(list(AssignmentRole))),
    ]
    if offer is not None:
        asked = next(o.agent for o in call.offers if o.id == offer)
        options.append(lambda: c.AcceptOffer(by=staff(asked), call=call.id, offer=offer))
    return rng.choice(options)()


def random_history(seed: int, steps: int, *, compare_every: int = 0, check_every: int = 1) -> World:
    """A history of random commands; invariants are checked on the way and everything at its end."""
    w = World(seed, compare_every=compare_every)
    agents = [w.hire(f"a{i}", level=1 + i % 5) for i in range(4)]
    agents += [w.hire(f"sup{i}", supervisor=True) for i in range(2)]
    for step in range(steps):
        random_step(w, 5, agents)
        if step % check_every == 0:
            w.check(everything=False)
    w.check()
    w.check_board()
    w.check_log()
    w.drain()
    w.check_log()
    return w


__all__ = ["Agent", "World", "random_history", "replace", "routing"]
