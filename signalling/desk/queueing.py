"""Rules: asking for help, waiting, offers, and what happens when a call loses its agent or ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk import routing
from signalling.desk.draft import Draft, is_chat, kind_of
from signalling.desk.errors import Refusal
from signalling.desk.machines import AGENT, TICKET, AgentHappening, SupervisionState, TicketHappening
from signalling.desk.model import (
    SERVED_CALL_STATES,
    ActorRole,
    AgentId,
    AgentState,
    Assignment,
    AssignmentRole,
    AssignmentState,
    Call,
    CallId,
    CallState,
    ClosedReason,
    Due,
    DueId,
    DueKind,
    Kind,
    Mode,
    Offer,
    OfferState,
    Parked,
    ParkReason,
    Routing,
    Seek,
    StudentPresence,
    StudentProfile,
    Target,
    Ticket,
    TicketId,
    TransferKind,
    TransferState,
    derive_id,
    ticket_number,
)

PRIMARY, CONSULT = AssignmentRole.PRIMARY, AssignmentRole.CONSULT


# Opening


def open_call(d: Draft, command: c.OpenCall) -> None:
    """The press on the button: one open call and one case per student, however often it is pressed."""
    student = command.student
    d.require(
        d.leads or (d.by.role is ActorRole.STUDENT and d.by.id == student.id),
        "a student asks for himself, a service for anybody",
    )
    if d.desk.call_of(student.id) is not None:
        return
    if command.queue is not None and command.queue not in d.desk.queues:
        raise Refusal("unknown_queue", f"no queue {command.queue}")
    if command.subject.affected_count < 1:
        raise Refusal("invalid", "affected_count: at least 1")
    wanted = command.queue or routing.choose_queue(d.desk.queues, d.desk.policy, student, command.topic)
    queue = routing.staffed_queue(d.desk.queues, wanted, d.now)
    if queue is None and not command.bot and d.desk.answer_of(student.id) is not None:
        return  # Pressed again out of hours: the call-back is promised already.
    ticket = _case(d, command)
    call = Call(
        id=command.call,
        ticket=ticket,
        student=student,
        kind=command.kind,
        queue=queue or wanted,
        topic=command.topic,
        severity=command.severity,
        created_at=d.now,
        room=command.room or command.call,
        note=command.note,
        subject=command.subject,
        context=command.context,
        channel=command.channel,
        skills=command.skills,
        wanted_agent=command.wanted_agent,
        presence=StudentPresence.NONE if command.kind is Kind.CHAT else StudentPresence.EXPECTED,
        student_until=None if command.kind is Kind.CHAT else d.in_s(d.desk.policy.first_join_s),
    )
    begin(d, call, e.QueuedReason.NEW, out_of_hours=queue is None and not command.bot, bot=command.bot)


def begin(
    d: Draft, call: Call, reason: e.QueuedReason, *, out_of_hours: bool = False, bot: bool = False
) -> None:
    """Open a call of an existing case and put it into its queue, or promise a call-back out of hours."""
    d.emit(e.CallOpened, call.id, opened=call)
    d.emit(e.TicketCall, call.ticket, call=call.id)
    if out_of_hours:
        d.emit(e.CallEnded, call.id, reason=ClosedReason.CALLBACK)
        opening = routing.next_opening(d.desk.queues[call.queue], d.now)
        schedule(d, call.ticket, DueKind.CALLBACK, opening or d.now + d.desk.policy.same_case, call.id)
        return
    d.emit(
        e.CallQueued,
        call.id,
        seek=Seek(PRIMARY, since=d.now, requested_by=d.by),
        queue=call.queue,
        reason=reason,
    )
    if bot:
        d.emit(e.CallParked, call.id, parked=Parked(ParkReason.BOT, None))
    else:
        _ask_outside(d, call.id)


def _ask_outside(d: Draft, call: CallId) -> None:
    """With external routing: let the host's routing layer name an agent first."""
    queue = d.queue(d.call(call))
    if queue.routing is Routing.EXTERNAL:
        until = d.in_s(queue.external_deadline_s)
        d.emit(e.RoutingRequested, call, until=until, queue=queue.id)


def _case(d: Draft, command: c.OpenCall) -> TicketId:
    """The case this request belongs to: an unsolved or lately solved one, else a new one."""
    best: Ticket | None = None
    for ticket in d.desk.tickets_of(command.student.id):
        same_topic = ticket.topic == command.topic
        if ticket.unsolved:
            fits = same_topic or d.now - ticket.updated_at <= d.desk.policy.same_case
        else:
            solved = ticket.solved_at
            fits = same_topic and solved is not None and d.now - solved <= d.desk.policy.same_case
        if fits and (best is None or (ticket.unsolved, ticket.updated_at) > (best.unsolved, best.updated_at)):
            best = ticket
    if best is None:
        new_case(d, command.ticket, command.student, command.topic, command)
        return command.ticket
    if not best.unsolved:
        d.move_ticket(best.id, TicketHappening.REOPEN, "asked_again")
    for due in best.dues:
        if due.kind is DueKind.CALLBACK:
            d.emit(e.TicketUnscheduled, best.id, due=due, reason="asked_again")
    return best.id


def new_case(d: Draft, ticket: TicketId, student: StudentProfile, topic: str, command: c.OpenCall) -> None:
    """Open a ticket."""
    d.emit(
        e.TicketOpened,
        ticket,
        opened=Ticket(
            id=ticket,
            number=ticket_number(d.now, ticket),
            student=student,
            topic=topic,
            severity=command.severity,
            opened_at=d.now,
            updated_at=d.now,
        ),
    )


def schedule(
    d: Draft, ticket: TicketId, kind: DueKind, at: datetime, call: CallId | None, note: str = ""
) -> None:
    """Promise something; a second promise of the same kind for the same call replaces the first."""
    due = Due(DueId(derive_id(d.now, "due", ticket, kind, d.ticket(ticket).version)), kind, at, note, call)
    for other in d.ticket(ticket).dues:
        if other.kind is kind and (other.call == call or kind is DueKind.CALLBACK):
            d.emit(e.TicketUnscheduled, ticket, due=other, reason="replaced")
    d.emit(e.TicketScheduled, ticket, due=due)


def unpark(d: Draft, call: CallId, reason: str) -> None:
    """The built-in routing takes the call from here."""
    if d.call(call).parked is not None:
        d.emit(e.CallUnparked, call, reason=reason)


def hand_to_human(d: Draft, call: CallId) -> None:
    """The bot's turn is over: into the queue at once, or a call-back if nobody is at work at this hour."""
    current = d.call(call)
    if current.parked is None or current.parked.reason is not ParkReason.BOT:
        return
    unpark(d, call, "human")
    if routing.staffed_queue(d.desk.queues, current.queue, d.now) is None:
        _call_back_later(d, call)
    else:
        _ask_outside(d, call)


def _call_back_later(d: Draft, call: CallId) -> None:
    """Nobody is at work at this hour: the call ends with a promise for the next opening."""
    current = d.call(call)
    opening = routing.next_opening(d.queue(current), d.now)
    end(d, call, ClosedReason.CALLBACK)
    schedule(d, current.ticket, DueKind.CALLBACK, opening or d.now + d.desk.policy.same_case, call)


def _leave_closed_queue(d: Draft, call: CallId) -> None:
    """Who still waits some time after closing goes to an open overflow queue, or is called back."""
    current = d.call(call)
    seek = current.seek(PRIMARY)
    if seek is None or not waits(current, seek):
        return
    if not routing.served_no_longer(d.queue(current), seek, d.now, d.desk.policy.closing_grace_s):
        return
    other = routing.staffed_queue(d.desk.queues, current.queue, d.now)
    if other is None:
        _call_back_later(d, call)
    else:
        d.emit(e.CallQueued, call, seek=seek, queue=other, reason=e.QueuedReason.OVERFLOW)


def request_human(d: Draft, command: c.RequestHuman) -> None:
    """A bot hands over."""
    call = d.call(command.call)
    d.require(d.leads or d.is_student(call), "the student or a service")
    if not call.open:
        raise Refusal("call_closed", "the call has ended")
    hand_to_human(d, call.id)


# Offers


def make_offer(d: Draft, command: c.MakeOffer) -> None:
    """The matcher's proposal, checked again with fresh aggregates."""
    d.require(d.leads, "the matcher or a supervisor")
    call, agent = d.call(command.call), d.agent(command.agent)
    seek = call.seek(command.role)
    if seek is None or not waits(call, seek):
        raise Refusal("conflict", "this place no longer waits for an agent")
    wanted = routing.wants(call, seek, d.desk.queues, d.now)
    if routing.fitness(agent, wanted, d.now) is None:
        raise Refusal("conflict", "this agent is no longer free for it")
    d.offer(call.id, agent.id, command.role, mode=seek.mode, note=seek.note)


def waits(call: Call, seek: Seek) -> bool:
    """Whether the matcher may fill this place now."""
    if not call.open or call.pending_offer(seek.role) is not None:
        return False
    if seek.role is not PRIMARY:
        return True
    # A student who is cut off keeps his place, but no agent's time is spent on him.
    return call.parked is None and call.presence is not StudentPresence.AWAY


def _own_offer(d: Draft, call: Call, command: c.AcceptOffer | c.DeclineOffer) -> Offer:
    offer = call.offer(command.offer)
    if offer is None:
        raise Refusal("not_found", "no such offer")
    d.require(
        offer.agent == d.by.id and d.by.role in (ActorRole.AGENT, ActorRole.SUPERVISOR), "not his offer"
    )
    return offer


def accept_offer(d: Draft, command: c.AcceptOffer) -> None:
    """The agent says yes: in time he belongs to the call, late he is politely refused."""
    call = d.call(command.call)
    offer = _own_offer(d, call, command)
    if offer.state is OfferState.ACCEPTED:
        held = call.assignment_of(offer.agent)
        if held is not None and held.fence == offer.fence:
            return
        raise Refusal("offer_withdrawn", "the call has gone on without this agent")
    if offer.state is OfferState.EXPIRED or (offer.state is OfferState.PENDING and offer.deadline <= d.now):
        raise Refusal("offer_expired", "the call was offered to somebody else")
    if offer.state is not OfferState.PENDING:
        raise Refusal("offer_withdrawn", "the offer no longer stands")
    agent = d.agent(offer.agent)
    if offer.role is not AssignmentRole.SUPERVISOR and not agent.has_room_for(call.kind):
        raise Refusal("agent_busy", "another call has taken this agent's place")
    d.emit(e.OfferAccepted, call.id, offer=offer.id, agent=offer.agent, role=offer.role)
    put_in(d, call.id, offer.agent, offer.role, mode=offer.mode, fence=offer.fence, note=offer.note)


def put_in(
    d: Draft,
    call: CallId,
    agent: AgentId,
    role: AssignmentRole,
    *,
    mode: Mode = Mode.TALK,
    fence: int | None = None,
    takes_over: bool = False,
    note: str = "",
) -> None:
    """Assign an agent and follow it up: a transfer moves on; in a chat he is in at once."""
    d.assign(call, agent, role, mode=mode, fence=fence, takes_over=takes_over, note=note)
    transfer = d.call(call).live_transfer
    if transfer is not None and role is CONSULT:
        d.emit(e.TransferAccepted, call, agent=agent)
    if transfer is not None and role is PRIMARY and transfer.kind is TransferKind.COLD:
        d.emit(e.TransferCompleted, call, agent=agent)
    if is_chat(d.call(call)):
        arrived(d, call, agent)


def arrived(d: Draft, call: CallId, agent: AgentId) -> None:
    """An assigned agent is in the room: connect, consult or take over."""
    assignment = d.call(call).assignment_of(agent)
    assert assignment is not None
    d.joined(call, assignment)
    current = d.call(call)
    if assignment.takes_over:
        switch_primary(d, call, agent, "taken_over")
        return
    if assignment.role is PRIMARY and current.state is CallState.CONNECTING:
        d.emit(e.CallConnected, call, agent=agent)
        if current.callback and not current.summoned:
            d.emit(e.CallSummoned, call, until=d.in_s(d.desk.policy.callback_ring_s))
    transfer = current.live_transfer
    if assignment.role is CONSULT and transfer is not None and transfer.state is TransferState.JOINING:
        d.emit(e.TransferConsulting, call, agent=agent)


def switch_primary(d: Draft, call: CallId, agent: AgentId, reason: str) -> None:
    """Somebody in the room becomes primary; the present one leaves and wraps up."""
    cancel_transfer(d, call, reason)
    d.resume_if_held(call)
    current = d.call(call)
    primary = current.primary
    if primary is not None:
        d.leave(call, primary, reason, wrap=current.state is not CallState.CONNECTING)
    d.make_primary(call, agent)
    if d.call(call).hand_raised_by is not None:
        lower_hand(d, call)


def lower_hand(d: Draft, call: CallId) -> None:
    """Nobody's hand is up any more."""
    agent = d.call(call).hand_raised_by
    if agent is not None:
        d.emit(e.HandLowered, call, agent=agent)


def decline_offer(d: Draft, command: c.DeclineOffer) -> None:
    """The agent says no; twice is the same as once."""
    call = d.call(command.call)
    offer = _own_offer(d, call, command)
    if offer.state is OfferState.PENDING:
        refuse(d, call.id, offer, expired=False, reason=command.reason)


def refuse(d: Draft, call: CallId, offer: Offer, *, expired: bool, reason: str = "") -> None:
    """An offer was declined or missed: the call is back at its old place, the agent free (or set to away)."""
    until = d.in_s(d.desk.policy.refused_cooldown_s)
    common = {"offer": offer.id, "agent": offer.agent, "role": offer.role, "until": until}
    if expired:
        d.emit(e.OfferExpired, call, **common)
    else:
        d.emit(e.OfferDeclined, call, reason=reason, **common)
    d.release(offer.agent, call, idle_now=False)
    agent = d.desk.agents.get(offer.agent)
    if agent is not None and expired:
        missed = agent.missed + 1
        limit = d.desk.policy.missed_offers_away
        if limit and missed >= limit and agent.state is AgentState.AVAILABLE:
            state = AGENT.apply(agent.state, AgentHappening.MISS)
            d.set_agent(agent.id, state=state, reason="missed_offers", missed=missed)
        else:
            d.set_agent(agent.id, missed=missed)
    elif agent is not None:
        d.set_agent(agent.id, missed=0)
    offer_failed(d, call, offer)


def offer_failed(d: Draft, call: CallId, offer: Offer) -> None:
    """What an offer's failing means beyond the offer: a named consult is a failed transfer."""
    current = d.call(call)
    if offer.role is CONSULT and current.seek(CONSULT) is None and current.live_transfer is not None:
        d.emit(e.TransferFailed, call, agent=None, reason="refused")
    if offer.role is PRIMARY and current.parked is not None and current.parked.reason is ParkReason.EXTERNAL:
        if current.external_until is not None and d.now < current.external_until:
            d.emit(e.RoutingRequested, call, until=current.external_until, queue=current.queue)
        else:
            unpark(d, call, "deadline")


# Losing agents


def agent_gone(d: Draft, call: CallId, assignment: Assignment, reason: str) -> None:
    """An assigned agent will not come (back). The student is never lost."""
    d.leave(call, assignment, reason)
    if assignment.role is PRIMARY:
        primary_gone(d, call, "source_lost")
    elif assignment.role is CONSULT and d.call(call).live_transfer is not None:
        d.emit(e.TransferFailed, call, agent=assignment.agent, reason=reason)


def primary_gone(d: Draft, call: CallId, reason: str) -> None:
    """The call has no primary: whoever is in the talk takes over, else it goes to the head of its queue."""
    current = d.call(call)
    transfer = current.live_transfer
    if transfer is not None and transfer.state in (TransferState.JOINING, TransferState.CONSULTING):
        target = transfer.agent
        consult = current.assignment_of(target) if target is not None else None
        if consult is not None and consult.state is not AssignmentState.AWAY:
            d.make_primary(call, consult.agent)
            d.emit(e.TransferCompleted, call, agent=consult.agent, reason=reason)
            return
    cancel_transfer(d, call, reason)
    heir = _heir(d, d.call(call))
    if heir is not None:
        d.make_primary(call, heir.agent)
        return
    requeue(d, call, e.QueuedReason.AGENT_LOST)


def _heir(d: Draft, call: Call) -> Assignment | None:
    """Who is talking to the student already and can go on alone."""
    for assignment in call.live_assignments:
        if assignment.state is not AssignmentState.LIVE or assignment.mode not in (Mode.TALK, Mode.BARGE):
            continue
        if assignment.role is AssignmentRole.THIRD:
            return assignment
    for assignment in call.live_assignments:
        if assignment.state is not AssignmentState.LIVE or assignment.mode not in (Mode.TALK, Mode.BARGE):
            continue
        agent = d.desk.agents.get(assignment.agent)
        if agent is not None and agent.has_room_for(call.kind) and not agent.offered:
            return assignment
    return None


def requeue(
    d: Draft, call: CallId, reason: e.QueuedReason, *, target: Target | None = None, note: str = ""
) -> None:
    """Back into the queue, before all who never had an agent. Further agents are let go."""
    d.end_seek(call, AssignmentRole.THIRD, "requeued")
    d.end_seek(call, AssignmentRole.SUPERVISOR, "requeued")
    for assignment in d.call(call).live_assignments:
        if assignment.role in (AssignmentRole.THIRD, CONSULT):
            d.leave(call, assignment, "requeued")
    seek = Seek(PRIMARY, since=d.now, target=target, head=True, requested_by=d.by, note=note)
    queue = d.call(call).queue
    if target is not None and target.queue is not None:
        queue = target.queue
    d.emit(e.CallQueued, call, seek=seek, queue=queue, reason=reason)


def cancel_transfer(d: Draft, call: CallId, reason: str) -> None:
    """End a live transfer of either kind; a consulted agent leaves."""
    transfer = d.call(call).live_transfer
    if transfer is None:
        return
    d.end_seek(call, CONSULT, reason)
    for assignment in d.call(call).live_assignments:
        if assignment.role is CONSULT:
            d.leave(call, assignment, reason)
    d.emit(e.TransferCancelled, call, reason=reason)


# Ending


def end(d: Draft, call: CallId, reason: ClosedReason) -> None:
    """The student's part is over: offers withdrawn, everybody leaves, the primary wraps up."""
    current = d.call(call)
    cancel_transfer(d, call, "ended")
    d.withdraw_offers(call, "ended")
    for assignment in current.live_assignments:
        if assignment.role is AssignmentRole.SUPERVISOR:
            before = SupervisionState(assignment.mode.value)
            d.supervise(call, assignment.agent, before, SupervisionState.ABSENT)
    leaving = d.call(call).live_assignments
    primary = current.primary
    talked = primary is not None and current.state in (CallState.ACTIVE, CallState.HELD)
    wraps = primary is not None and talked and d.queue(current).wrapup_s > 0
    connected = current.connected_at
    d.emit(
        e.CallEnded,
        call,
        reason=reason,
        wrapping=primary.agent if primary is not None and wraps else None,
        talked_s=(d.now - connected).total_seconds() if connected is not None else 0.0,
    )
    for assignment in leaving:
        wrap = primary is not None and assignment.agent == primary.agent and wraps
        d.wrap_or_release(current, assignment.agent, wrap=wrap)


def cancel_call(d: Draft, command: c.CancelCall) -> None:
    """The student changed his mind."""
    call = d.call(command.call)
    d.require(d.leads or d.is_student(call), "the student, a supervisor or a service")
    if call.open:
        served = call.state in SERVED_CALL_STATES
        end(d, call.id, ClosedReason.COMPLETED if served else ClosedReason.CANCELLED)


def end_call(d: Draft, command: c.EndCall) -> None:
    """Hang up."""
    call = d.call(command.call)
    d.require(
        d.leads or d.is_student(call) or d.is_primary(call),
        "the student, the call's agent, a supervisor or a service",
    )
    if not call.open:
        return
    reason = command.reason if d.leads else ClosedReason.COMPLETED
    if reason is ClosedReason.COMPLETED and call.state not in SERVED_CALL_STATES:
        reason = ClosedReason.CANCELLED
    end(d, call.id, reason)


def request_callback(d: Draft, command: c.RequestCallback) -> None:
    """Not waiting any longer: we call."""
    call = d.call(command.call)
    d.require(d.leads or d.is_student(call) or d.is_primary(call), "the student, the agent or a service")
    if not call.open:
        raise Refusal("call_closed", "the call has ended")
    if command.when is not None and command.when <= d.now:
        raise Refusal("invalid", "when: must be in the future")
    at = command.when or d.now + d.desk.policy.callback_after
    opening = routing.next_opening(d.queue(call), at)
    end(d, call.id, ClosedReason.CALLBACK)
    schedule(d, call.ticket, DueKind.CALLBACK, opening or at, call.id, command.note)


# Time


def call_due(d: Draft, command: c.CallDue) -> None:
    """Everything whose time has come, one thing after the other."""
    if command.call not in d.desk.calls:
        return
    d.require(d.leads, "the server's timers")
    for offer in d.call(command.call).pending_offers:
        if offer.deadline <= d.now and _still(d, command.call, offer):
            refuse(d, command.call, offer, expired=True)
    for assignment in d.call(command.call).live_assignments:
        held = d.call(command.call).assignment_of(assignment.agent)
        if held is not None and held.until is not None and held.until <= d.now:
            connecting = held.state is AssignmentState.CONNECTING
            agent_gone(d, command.call, held, "not_connected" if connecting else "lost")
    for seek in d.call(command.call).seeks:
        if seek.until is not None and seek.until <= d.now and d.call(command.call).seek(seek.role) == seek:
            d.end_seek(command.call, seek.role, "timeout")
            if seek.role is CONSULT and d.call(command.call).live_transfer is not None:
                d.emit(e.TransferFailed, command.call, agent=None, reason="timeout")
    call = d.call(command.call)
    if call.parked is not None and call.parked.until is not None and call.parked.until <= d.now:
        unpark(d, call.id, "deadline")
    if call.open and call.student_until is not None and call.student_until <= d.now:
        talked = call.state in SERVED_CALL_STATES and not call.callback
        talked = talked and call.presence is StudentPresence.AWAY and call.connected_at is not None
        end(d, call.id, ClosedReason.COMPLETED if talked else ClosedReason.ABANDONED)
    _leave_closed_queue(d, call.id)


def _still(d: Draft, call: CallId, offer: Offer) -> bool:
    current = d.call(call).offer(offer.id)
    return current is not None and current.state is OfferState.PENDING


def ticket_due(d: Draft, command: c.TicketDue) -> None:
    """Promises whose time has come; a call-back becomes a queued call that finds its agent first."""
    if command.ticket not in d.desk.tickets:
        return
    d.require(d.leads, "the server's timers")
    for due in d.ticket(command.ticket).dues:
        if due.at > d.now:
            continue
        d.emit(e.TicketDue, command.ticket, due=due)
        if due.kind is DueKind.CALLBACK:
            _call_back(d, command.ticket, due)


def _call_back(d: Draft, ticket: TicketId, due: Due) -> None:
    case = d.ticket(ticket)
    last = d.desk.calls.get(case.calls[-1]) if case.calls else None
    if last is None or d.desk.call_of(case.student.id) is not None:
        return
    call = Call(
        id=CallId(derive_id(d.now, "callback", due.id)),
        ticket=ticket,
        student=last.student,
        kind=last.kind,
        queue=last.queue,
        topic=last.topic,
        severity=last.severity,
        created_at=d.now,
        room="",
        note=due.note or last.note,
        subject=last.subject,
        context=replace(last.context, lesson_starts_at=None, lesson_ends_at=None),
        channel=last.channel,
        skills=last.skills,
        wanted_agent=last.wanted_agent or case.owner,
        callback=True,
    )
    if not TICKET.allows(case.state, TicketHappening.ASKED):
        d.move_ticket(ticket, TicketHappening.REOPEN, "callback")
    begin(d, replace(call, room=call.id), e.QueuedReason.CALLBACK)


# Media reports


def report_joined(d: Draft, command: c.ReportJoined) -> None:
    """Somebody is in the room. An agent whose token no longer holds is refused, and never appears."""
    d.require(d.leads, "the media side")
    call = d.call(command.call)
    if command.identity == call.student.id:
        if call.open and call.presence is not StudentPresence.PRESENT:
            d.emit(e.ParticipantJoined, call.id, identity=command.identity, kind=ActorRole.STUDENT)
        return
    guest = call.guest(command.identity)
    if guest is not None:
        if not guest.joined:
            d.emit(
                e.ParticipantJoined,
                call.id,
                identity=guest.identity,
                kind=ActorRole.GUEST,
                mode=guest.mode,
                told=d.desk.policy.agents_told,
            )
        return
    assignment = call.assignment_of(command.identity)
    if assignment is None or command.fence not in (None, assignment.fence):
        raise Refusal("stale_token", "this agent no longer belongs to the call")
    if assignment.state is not AssignmentState.LIVE:
        arrived(d, call.id, assignment.agent)


def report_left(d: Draft, command: c.ReportLeft) -> None:
    """Somebody's connection ended; he may come back for a while. Reports of old connections mean nothing."""
    d.require(d.leads, "the media side")
    call = d.call(command.call)
    if not call.open:
        return
    policy = d.desk.policy
    if command.identity == call.student.id:
        if call.presence is StudentPresence.PRESENT and not is_chat(call):
            until = d.in_s(policy.abandon_after_s)
            d.emit(
                e.ParticipantAway,
                call.id,
                identity=command.identity,
                kind=ActorRole.STUDENT,
                until=until,
            )
        return
    guest = call.guest(command.identity)
    if guest is not None:
        if guest.joined:
            d.emit(
                e.ParticipantAway,
                call.id,
                identity=guest.identity,
                kind=ActorRole.GUEST,
                mode=guest.mode,
                until=None,
            )
        return
    assignment = call.assignment_of(command.identity)
    if assignment is None or command.fence not in (None, assignment.fence) or is_chat(call):
        return
    if assignment.state is AssignmentState.LIVE:
        d.emit(
            e.ParticipantAway,
            call.id,
            identity=assignment.agent,
            kind=kind_of(assignment),
            mode=assignment.mode,
            told=policy.agents_told,
            until=d.in_s(policy.rejoin_s),
        )
