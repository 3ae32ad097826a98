"""Events as the desk makes them, written by hand: the tests of the store need none of its rules."""

from __future__ import annotations

import datetime
from dataclasses import replace

from signalling.desk import events as e
from signalling.desk.model import (
    SYSTEM,
    Activity,
    Actor,
    ActorRole,
    Agent,
    AgentId,
    AgentProfile,
    AgentState,
    Assignment,
    AssignmentRole,
    Call,
    CallContext,
    CallId,
    ClosedReason,
    Engagement,
    EngagementState,
    Kind,
    MessageId,
    Mode,
    Offer,
    OfferId,
    QueueConfig,
    QueueId,
    Seek,
    Severity,
    StudentId,
    StudentProfile,
    Ticket,
    TicketId,
    ticket_number,
)
from signalling.desk.state import Desk, Needs
from signalling.store.ids import new_id
from signalling.store.unit_of_work import DeskStore

NOW = datetime.datetime(2026, 3, 2, 19, 40, tzinfo=datetime.UTC)
TECHNICAL = QueueId("technical")
OFFER_S = 20.0


def student(name: str) -> StudentProfile:
    return StudentProfile(id=StudentId(name), name=name.title(), level="vip", locale="zh-CN")


def actor(name: str, role: ActorRole = ActorRole.STUDENT) -> Actor:
    return Actor(name, role)


def opened(
    name: str,
    *,
    call: str | None = None,
    kind: Kind = Kind.VIDEO,
    at: datetime.datetime = NOW,
    class_id: str | None = None,
) -> list[e.Event]:
    """A student presses for the first time: a new ticket and a new call in the queue."""
    ticket_id, call_id = TicketId(new_id()), CallId(call or new_id())
    who, by = student(name), actor(name)
    ticket = Ticket(
        id=ticket_id,
        number=ticket_number(at, ticket_id),
        student=who,
        topic="sound",
        severity=Severity.CLASS_STOPPING,
        opened_at=at,
        updated_at=at,
    )
    new = Call(
        id=call_id,
        ticket=ticket_id,
        student=who,
        kind=kind,
        queue=TECHNICAL,
        topic="sound",
        severity=Severity.CLASS_STOPPING,
        created_at=at,
        room=call_id,
        context=CallContext(class_id=class_id),
    )
    seek = Seek(AssignmentRole.PRIMARY, at)
    return [
        e.TicketOpened(stream_id=ticket_id, seq=1, at=at, by=by, opened=ticket),
        e.CallOpened(stream_id=call_id, seq=1, at=at, by=by, opened=new),
        e.TicketCall(stream_id=ticket_id, seq=2, at=at, by=by, call=call_id),
        e.CallQueued(
            stream_id=call_id, seq=2, at=at, by=by, seek=seek, queue=TECHNICAL, reason=e.QueuedReason.NEW
        ),
    ]


def engaged(agent: Agent, engagements: tuple[Engagement, ...], at: datetime.datetime = NOW) -> e.AgentChanged:
    return e.AgentChanged(
        stream_id=agent.id,
        seq=agent.version + 1,
        at=at,
        by=SYSTEM,
        state=AgentState.AVAILABLE,
        reason="",
        engagements=engagements,
        idle_since=agent.idle_since,
        missed=agent.missed,
        activity=replace(agent, engagements=engagements).activity,
    )


def offered(desk: Desk, call_id: CallId, agent_id: AgentId, at: datetime.datetime = NOW) -> list[e.Event]:
    """The matcher asks an agent."""
    call, agent = desk.calls[call_id], desk.agents[agent_id]
    offer = Offer(
        id=OfferId(new_id()),
        agent=agent_id,
        role=AssignmentRole.PRIMARY,
        mode=Mode.TALK,
        fence=call.fence + 1,
        created_at=at,
        deadline=at + datetime.timedelta(seconds=OFFER_S),
    )
    tie = Engagement(call_id, call.kind, AssignmentRole.PRIMARY, EngagementState.OFFERED, at)
    return [
        e.OfferCreated(stream_id=call_id, seq=call.version + 1, at=at, by=SYSTEM, offer=offer),
        engaged(agent, (*agent.engagements, tie), at),
    ]


def accepted(desk: Desk, call_id: CallId, agent_id: AgentId, at: datetime.datetime = NOW) -> list[e.Event]:
    """The agent says yes."""
    call, agent = desk.calls[call_id], desk.agents[agent_id]
    offer = call.pending_offers[0]
    assignment = Assignment(agent_id, AssignmentRole.PRIMARY, Mode.TALK, offer.fence, at)
    tie = Engagement(call_id, call.kind, AssignmentRole.PRIMARY, EngagementState.ASSIGNED, at)
    by, seq = actor(agent_id, ActorRole.AGENT), call.version
    rest = tuple(one for one in agent.engagements if one.call != call_id)
    return [
        e.OfferAccepted(
            stream_id=call_id, seq=seq + 1, at=at, by=by, offer=offer.id, agent=agent_id, role=offer.role
        ),
        e.AssignmentStarted(stream_id=call_id, seq=seq + 2, at=at, by=by, assignment=assignment),
        e.CallAccepted(stream_id=call_id, seq=seq + 3, at=at, by=by, agent=agent_id, waited_s=1.0),
        engaged(agent, (*rest, tie), at),
    ]


def wrote(call: Call, text: str, at: datetime.datetime = NOW) -> e.MessageCreated:
    return e.MessageCreated(
        stream_id=call.id,
        seq=call.version + 1,
        at=at,
        by=actor(call.student.id),
        message=MessageId(new_id()),
        author=call.student.id,
        author_role=ActorRole.STUDENT,
        text=text,
    )


def closed(call: Call, at: datetime.datetime = NOW) -> list[e.Event]:
    by, seq = actor(call.student.id), call.version
    return [
        e.CallEnded(stream_id=call.id, seq=seq + 1, at=at, by=by, reason=ClosedReason.CANCELLED),
    ]


def configured(name: str, at: datetime.datetime = NOW) -> list[e.Event]:
    """An administrator makes an agent, who then is available."""
    agent_id, by = AgentId(name), actor("root", ActorRole.ADMIN)
    profile = AgentProfile(agent_id, name.title(), queues=frozenset({TECHNICAL}))
    return [
        e.AgentConfigured(stream_id=agent_id, seq=1, at=at, by=by, profile=profile),
        e.AgentChanged(
            stream_id=agent_id,
            seq=2,
            at=at,
            by=by,
            state=AgentState.AVAILABLE,
            reason="",
            engagements=(),
            idle_since=at,
            missed=0,
            activity=Activity.IDLE,
        ),
    ]


async def run(store: DeskStore, events: list[e.Event], needs: Needs | None = None) -> Desk:
    """One command whose events are known beforehand."""
    async with store.begin() as work:
        await work.load(needs or Needs())
        return await work.save(events)


async def make_agent(store: DeskStore, name: str) -> AgentId:
    await run(store, configured(name))
    return AgentId(name)


async def make_queue(store: DeskStore) -> None:
    config = QueueConfig(id=TECHNICAL, name="Technical", topics=frozenset({"sound"}))
    by = actor("root", ActorRole.ADMIN)
    await run(store, [e.QueueChanged(stream_id=TECHNICAL, seq=1, at=NOW, by=by, config=config)])


async def make_call(store: DeskStore, name: str, **options: object) -> CallId:
    events = opened(name, **options)  # type: ignore[arg-type]
    await run(store, events, Needs(students=frozenset({StudentId(name)})))
    return CallId(events[1].stream_id)


async def offer(store: DeskStore, call: CallId, agent: AgentId) -> Desk:
    async with store.begin() as work:
        desk = await work.load(Needs(calls=frozenset({call}), agents=frozenset({agent})))
        return await work.save(offered(desk, call, agent))


async def accept(store: DeskStore, call: CallId, agent: AgentId) -> Desk:
    async with store.begin() as work:
        desk = await work.load(Needs(calls=frozenset({call})))
        return await work.save(accepted(desk, call, agent))
