"""A decision in the making: a forked desk to which each event is applied as soon as it is drawn up.

The rules (:mod:`queueing`, :mod:`talking`, :mod:`casework`, :mod:`staff`) read the draft's state after their
own events. Nothing reaches the caller's desk; a refusal simply drops the draft.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from signalling.desk import events as e
from signalling.desk.errors import Refusal
from signalling.desk.machines import (
    SUPERVISION,
    TICKET,
    SupervisionHappening,
    SupervisionState,
    TicketHappening,
)
from signalling.desk.model import (
    Actor,
    ActorRole,
    Agent,
    AgentId,
    AgentState,
    Assignment,
    AssignmentRole,
    Call,
    CallId,
    CallState,
    Engagement,
    EngagementState,
    Kind,
    Mode,
    Offer,
    OfferId,
    QueueConfig,
    Ticket,
    TicketId,
    derive_id,
)
from signalling.desk.state import Desk

LEADS = frozenset({ActorRole.SUPERVISOR, ActorRole.ADMIN, ActorRole.SERVICE, ActorRole.SYSTEM})
"""Who may act on any call."""

STAFF = LEADS | {ActorRole.AGENT}


@dataclass(slots=True)
class Draft:
    """Forked desk, events so far, and who decides when."""

    desk: Desk
    now: datetime
    by: Actor
    events: list[e.Event]

    # Looking up

    def call(self, call: CallId) -> Call:
        """The call as it is after the events so far."""
        found = self.desk.calls.get(call)
        if found is None:
            raise Refusal("not_found", f"no call {call}")
        return found

    def agent(self, agent: AgentId) -> Agent:
        """The agent as he is after the events so far."""
        found = self.desk.agents.get(agent)
        if found is None:
            raise Refusal("not_found", f"no agent {agent}")
        return found

    def ticket(self, ticket: TicketId) -> Ticket:
        """The ticket as it is after the events so far."""
        found = self.desk.tickets.get(ticket)
        if found is None:
            raise Refusal("not_found", f"no ticket {ticket}")
        return found

    def queue(self, call: Call) -> QueueConfig:
        """The call's queue; one with defaults if it was removed."""
        return self.desk.queues.get(call.queue) or QueueConfig(call.queue)

    def in_s(self, seconds: float) -> datetime:
        """`now` plus seconds."""
        return self.now + timedelta(seconds=seconds)

    # Who may

    @property
    def leads(self) -> bool:
        """Whether a supervisor, an administrator, a service or the server acts."""
        return self.by.role in LEADS

    def require(self, allowed: bool, message: str) -> None:
        """Refuse with ``forbidden`` unless `allowed`."""
        if not allowed:
            raise Refusal("forbidden", message)

    def is_student(self, call: Call) -> bool:
        """Whether the call's own student acts."""
        return self.by.role is ActorRole.STUDENT and self.by.id == call.student.id

    def is_primary(self, call: Call) -> bool:
        """Whether the call's responsible agent acts."""
        primary = call.primary
        return primary is not None and self.by.role in STAFF and primary.agent == self.by.id

    def is_assigned(self, call: Call) -> bool:
        """Whether somebody assigned to the call acts."""
        return self.by.role in STAFF and call.assignment_of(self.by.id) is not None

    # Drawing up events

    def emit(self, event: type[e.Event], stream_id: str, /, **fields: Any) -> None:
        """Append an event of this stream and apply it to the draft."""
        seq = self.desk.version(event.STREAM, stream_id) + 1
        happened = event(stream_id=stream_id, seq=seq, at=self.now, by=self.by, **fields)
        self.desk.apply(happened)
        self.events.append(happened)

    def set_agent(
        self,
        agent: AgentId,
        *,
        state: AgentState | None = None,
        reason: str | None = None,
        engagements: tuple[Engagement, ...] | None = None,
        missed: int | None = None,
        idle_now: bool = False,
    ) -> None:
        """Change an agent; an agent who was removed meanwhile is passed over."""
        before = self.desk.agents.get(agent)
        if before is None:
            return
        after = replace(
            before,
            state=before.state if state is None else state,
            reason=before.reason if reason is None else reason,
            engagements=before.engagements if engagements is None else engagements,
            missed=before.missed if missed is None else missed,
            idle_since=self.now if idle_now else before.idle_since,
        )
        if after == before:
            return
        self.emit(
            e.AgentChanged,
            agent,
            state=after.state,
            reason=after.reason,
            engagements=after.engagements,
            idle_since=after.idle_since,
            missed=after.missed,
            activity=after.activity,
        )

    def engage(self, agent: AgentId, engagement: Engagement, *, missed: int | None = None) -> None:
        """Tie an agent to a call, replacing what tied him to it before."""
        before = self.desk.agents.get(agent)
        if before is not None:
            others = tuple(x for x in before.engagements if x.call != engagement.call)
            self.set_agent(agent, engagements=(*others, engagement), missed=missed)

    def release(self, agent: AgentId, call: CallId, *, idle_now: bool = True) -> None:
        """Nothing ties the agent to this call any more."""
        before = self.desk.agents.get(agent)
        if before is not None and before.engagement(call) is not None:
            others = tuple(x for x in before.engagements if x.call != call)
            self.set_agent(agent, engagements=others, idle_now=idle_now)

    # Offers and assignments

    def offer(
        self, call: CallId, agent: AgentId, role: AssignmentRole, *, mode: Mode = Mode.TALK, note: str = ""
    ) -> None:
        """Ask an agent."""
        current = self.call(call)
        fence = current.fence + 1
        offer = Offer(
            id=OfferId(derive_id(self.now, "offer", call, fence)),
            agent=agent,
            role=role,
            mode=mode,
            fence=fence,
            created_at=self.now,
            deadline=self.in_s(self.queue(current).offer_timeout_s),
            note=note,
        )
        self.emit(e.OfferCreated, call, offer=offer)
        self.engage(agent, Engagement(call, current.kind, role, EngagementState.OFFERED, self.now))

    def withdraw_offers(self, call: CallId, reason: str, role: AssignmentRole | None = None) -> None:
        """End the pending offers of a call (of one role)."""
        for offer in self.call(call).pending_offers:
            if role is None or offer.role is role:
                self.emit(
                    e.OfferWithdrawn, call, offer=offer.id, agent=offer.agent, role=offer.role, reason=reason
                )
                self.release(offer.agent, call, idle_now=False)

    def end_seek(self, call: CallId, role: AssignmentRole, reason: str) -> None:
        """Give up looking for a further agent, his ringing offer included."""
        self.withdraw_offers(call, reason, role)
        if self.call(call).seek(role) is not None:
            self.emit(e.SeekEnded, call, role=role, reason=reason)

    def assign(
        self,
        call: CallId,
        agent: AgentId,
        role: AssignmentRole,
        *,
        mode: Mode = Mode.TALK,
        fence: int | None = None,
        added_by: Actor | None = None,
        takes_over: bool = False,
        note: str = "",
    ) -> None:
        """Make an agent belong to the call. A chat has no media to wait for: he is in at once."""
        current = self.call(call)
        if role is AssignmentRole.PRIMARY:
            seek = current.seek(AssignmentRole.PRIMARY)
            waited = (self.now - (seek.since if seek is not None else self.now)).total_seconds()
        assignment = Assignment(
            agent=agent,
            role=role,
            mode=mode,
            fence=current.fence + 1 if fence is None else fence,
            since=self.now,
            until=self.in_s(self.desk.policy.connect_timeout_s),
            added_by=added_by or self.by,
            takes_over=takes_over,
        )
        # The token of an accepted offer is the assignment's; the call's counter must never fall.
        if assignment.fence < current.fence:
            assignment = replace(assignment, fence=current.fence + 1)
        self.emit(e.AssignmentStarted, call, assignment=assignment, note=note)
        self.engage(agent, Engagement(call, current.kind, role, EngagementState.ASSIGNED, self.now), missed=0)
        if role is AssignmentRole.SUPERVISOR:
            self.supervise(call, agent, SupervisionState.ABSENT, SupervisionState(mode.value))
        if role is AssignmentRole.PRIMARY:
            self.emit(e.CallAccepted, call, agent=agent, waited_s=max(0.0, waited))
            self.owned(current.ticket, agent)

    def owned(self, ticket: TicketId, agent: AgentId) -> None:
        """An agent works on the case."""
        found = self.desk.tickets.get(ticket)
        if found is not None and TICKET.allows(found.state, TicketHappening.ASKED):
            self.move_ticket(ticket, TicketHappening.ASKED, "accepted", owner=agent)

    def leave(self, call: CallId, assignment: Assignment, reason: str, *, wrap: bool = False) -> None:
        """An assigned agent leaves a call that goes on; with `wrap` he has his wrap-up time."""
        current = self.call(call)
        if assignment.role is AssignmentRole.SUPERVISOR:
            self.supervise(
                call, assignment.agent, SupervisionState(assignment.mode.value), SupervisionState.ABSENT
            )
        self.emit(
            e.ParticipantLeft,
            call,
            identity=assignment.agent,
            kind=kind_of(assignment),
            mode=assignment.mode,
            told=self.desk.policy.agents_told,
            reason=reason,
        )
        self.wrap_or_release(current, assignment.agent, wrap=wrap)

    def wrap_or_release(self, call: Call, agent: AgentId, *, wrap: bool) -> None:
        """After a call: wrap-up time, or free at once."""
        seconds = self.queue(call).wrapup_s
        if wrap and seconds > 0:
            self.engage(
                agent,
                Engagement(
                    call.id,
                    call.kind,
                    AssignmentRole.PRIMARY,
                    EngagementState.WRAPPING,
                    self.now,
                    self.in_s(seconds),
                ),
            )
        else:
            self.release(agent, call.id)

    def supervise(
        self, call: CallId, supervisor: AgentId, before: SupervisionState, after: SupervisionState
    ) -> None:
        """A supervisor comes, switches or leaves; always written for the audit."""
        happening = (
            SupervisionHappening.LEAVE
            if after is SupervisionState.ABSENT
            else SupervisionHappening(after.value)
        )
        SUPERVISION.apply(before, happening)
        loud = {SupervisionState.WHISPER, SupervisionState.BARGE, SupervisionState.TALK}
        told = self.desk.policy.agents_told or bool({before, after} & loud)
        self.emit(e.SupervisionChanged, call, supervisor=supervisor, before=before, after=after, told=told)

    def joined(self, call: CallId, assignment: Assignment) -> None:
        """An assigned agent is in the room."""
        self.emit(
            e.ParticipantJoined,
            call,
            identity=assignment.agent,
            kind=kind_of(assignment),
            mode=assignment.mode,
            told=self.desk.policy.agents_told,
        )

    def resume_if_held(self, call: CallId) -> None:
        """A call that changes hands is not left on hold."""
        if self.call(call).state is CallState.HELD:
            self.emit(e.CallResumed, call)

    def make_primary(self, call: CallId, agent: AgentId) -> None:
        """Somebody who is in the call already becomes responsible; there must be no primary now."""
        current = self.call(call)
        if current.state in (CallState.QUEUED, CallState.OFFERED):
            self.withdraw_offers(call, "served", AssignmentRole.PRIMARY)
        self.resume_if_held(call)
        assignment = self.call(call).assignment_of(agent)
        assert assignment is not None
        if assignment.role is AssignmentRole.SUPERVISOR:
            self.supervise(call, agent, SupervisionState(assignment.mode.value), SupervisionState.ABSENT)
        waited = self.call(call).seek(AssignmentRole.PRIMARY)
        self.emit(e.RoleChanged, call, agent=agent, role=AssignmentRole.PRIMARY)
        self.engage(
            agent,
            Engagement(
                call, current.kind, AssignmentRole.PRIMARY, EngagementState.ASSIGNED, assignment.since
            ),
        )
        since = waited.since if waited is not None else self.now
        self.emit(e.CallAccepted, call, agent=agent, waited_s=max(0.0, (self.now - since).total_seconds()))
        self.owned(current.ticket, agent)

    # Tickets

    def move_ticket(
        self, ticket: TicketId, happening: TicketHappening, reason: str, *, owner: AgentId | None = None
    ) -> None:
        """Move a case on. Nothing is written if neither state nor owner change."""
        before = self.ticket(ticket)
        after = TICKET.apply(before.state, happening)
        owner = owner or before.owner
        if (after, owner) != (before.state, before.owner):
            self.emit(e.TicketChanged, ticket, before=before.state, after=after, owner=owner, reason=reason)


def kind_of(assignment: Assignment) -> ActorRole:
    """How an assigned member of staff appears in participants' events."""
    if assignment.role is AssignmentRole.SUPERVISOR:
        return ActorRole.SUPERVISOR
    return ActorRole.AGENT


def is_chat(call: Call) -> bool:
    """Whether the call has no media."""
    return call.kind is Kind.CHAT
