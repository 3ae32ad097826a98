"""Rules: what happens in a call that has its agent: hold, third parties, transfer, supervision, chat."""

from __future__ import annotations

from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk import routing
from signalling.desk.draft import Draft, is_chat
from signalling.desk.errors import Refusal
from signalling.desk.machines import SupervisionState
from signalling.desk.model import (
    SERVED_CALL_STATES,
    ActorRole,
    Agent,
    AgentId,
    Assignment,
    AssignmentRole,
    AssignmentState,
    Call,
    CallId,
    CallState,
    EngagementState,
    Guest,
    Kind,
    MessageId,
    Mode,
    Seek,
    Target,
    Transfer,
    TransferId,
    TransferKind,
    TransferState,
    derive_id,
)
from signalling.desk.queueing import (
    cancel_transfer,
    hand_to_human,
    lower_hand,
    offer_failed,
    put_in,
    requeue,
    switch_primary,
    unpark,
)
from signalling.desk.words import asks_for_human

PRIMARY, CONSULT = AssignmentRole.PRIMARY, AssignmentRole.CONSULT

MAXIMUM_ANSWERS = 50
"""Answers to structured questions in one call."""


def _open(d: Draft, call: CallId) -> Call:
    found = d.call(call)
    if not found.open:
        raise Refusal("call_closed", "the call has ended")
    return found


def _may_conduct(d: Draft, call: Call) -> None:
    d.require(d.leads or d.is_primary(call), "the call's agent, a supervisor or a service")


# Hold


def hold(d: Draft, command: c.HoldCall) -> None:
    """The student hears music; twice is the same as once."""
    call = _open(d, command.call)
    _may_conduct(d, call)
    if call.state is CallState.HELD:
        return
    if call.state is not CallState.ACTIVE:
        raise Refusal("illegal_state", f"cannot hold a call that is {call.state}")
    d.emit(e.CallHeld, call.id)


def resume(d: Draft, command: c.ResumeCall) -> None:
    """The student is back in the talk; twice is the same as once."""
    call = _open(d, command.call)
    _may_conduct(d, call)
    if call.state is CallState.ACTIVE:
        return
    if call.state is not CallState.HELD:
        raise Refusal("illegal_state", f"cannot resume a call that is {call.state}")
    d.emit(e.CallResumed, call.id)


def upgrade(d: Draft, command: c.UpgradeCall) -> None:
    """Chat to voice or video, voice to video; the agents in it must have room for it."""
    call = _open(d, command.call)
    d.require(d.leads or d.is_student(call) or d.is_primary(call), "the student, the agent or a service")
    ranks = list(_KINDS)
    if ranks.index(command.kind) == ranks.index(call.kind):
        return
    if ranks.index(command.kind) < ranks.index(call.kind):
        raise Refusal("invalid", "a call cannot be made less than it is")
    if is_chat(call):
        d.withdraw_offers(call.id, "upgraded", PRIMARY)
        for offer in d.call(call.id).pending_offers:
            d.withdraw_offers(call.id, "upgraded", offer.role)
            offer_failed(d, call.id, offer)
        for assignment in call.live_assignments:
            if assignment.role is not AssignmentRole.SUPERVISOR:
                agent = d.desk.agents.get(assignment.agent)
                if agent is not None and not agent.has_room_for(command.kind):
                    raise Refusal("agent_busy", "an agent of this chat is in another voice or video call")
    d.emit(e.CallUpgraded, call.id, before=call.kind, after=command.kind)
    for assignment in d.call(call.id).live_assignments:
        engaged = d.desk.agents.get(assignment.agent)
        tie = engaged.engagement(call.id) if engaged is not None else None
        if tie is not None:
            d.engage(
                assignment.agent,
                type(tie)(tie.call, command.kind, tie.role, tie.state, tie.since, tie.until),
            )
    for offer in d.call(call.id).pending_offers:
        asked = d.desk.agents.get(offer.agent)
        tie = asked.engagement(call.id) if asked is not None else None
        if tie is not None:
            d.engage(
                offer.agent, type(tie)(tie.call, command.kind, tie.role, tie.state, tie.since, tie.until)
            )


_KINDS = (Kind.CHAT, Kind.VOICE, Kind.VIDEO)


# Further participants


def drop_in(d: Draft, command: c.DropIn) -> None:
    """Put somebody of the staff into a call."""
    call = _open(d, command.call)
    target, mode = command.target, command.mode
    d.require(d.leads or d.is_assigned(call), "an agent of the call, a supervisor or a service")
    d.require(d.leads or mode is Mode.TALK, "only supervisors and services may listen in")
    himself = target.agent is not None and target.agent == d.by.id and d.by.role is ActorRole.SUPERVISOR
    d.require(d.leads or not command.force, "only supervisors and services may put somebody in by force")
    if command.force and target.agent is None:
        raise Refusal("invalid", "force: needs a named agent")
    waiting = call.state in (CallState.QUEUED, CallState.OFFERED)
    role = AssignmentRole.SUPERVISOR
    if mode is Mode.TALK and waiting:
        role = PRIMARY
    elif mode is Mode.TALK and not himself:
        role = AssignmentRole.THIRD
    if role is not PRIMARY:
        _room_for_one_more(d, call)
    if target.agent is None:
        _seek(d, call, role, target, mode, command.note)
        return
    agent = d.agent(target.agent)
    if call.assignment_of(agent.id) is not None:
        raise Refusal("already_in_call", "this agent is in the call")
    if command.force or himself:
        _free_by_force(d, call, agent, role)
        if role is PRIMARY:
            d.withdraw_offers(call.id, "dropped_in", PRIMARY)
        put_in(d, call.id, agent.id, role, mode=mode, note=command.note)
        if role is AssignmentRole.SUPERVISOR:
            lower_hand(d, call.id)
        return
    if role is not PRIMARY and call.pending_offer(role) is not None:
        raise Refusal("already_seeking", "somebody is being asked already")
    if role is PRIMARY:
        mine = call.pending_offer(PRIMARY)
        if mine is not None and mine.agent == agent.id:
            return
    _must_be_askable(d, call, agent)
    if role is PRIMARY:
        d.withdraw_offers(call.id, "dropped_in", PRIMARY)
    d.offer(call.id, agent.id, role, mode=mode, note=command.note)


def _room_for_one_more(d: Draft, call: Call) -> None:
    if (
        len(call.guests) + len(call.live_assignments) + len(call.pending_offers)
        >= d.desk.policy.max_participants
    ):
        raise Refusal("call_full", "too many participants")


def _must_be_askable(d: Draft, call: Call, agent: Agent) -> None:
    tie = agent.engagement(call.id)
    if tie is not None and tie.state is EngagementState.WRAPPING:
        d.release(agent.id, call.id)
        agent = d.agent(agent.id)
    if not routing.can_be_asked(agent, call.kind):
        raise Refusal("agent_unavailable", "this agent is not at work, or has another call or offer")


def _free_by_force(d: Draft, call: Call, agent: Agent, role: AssignmentRole) -> None:
    """Force spares the asking, not the capacity; who acts himself is there, whatever he declared."""
    if not agent.online and agent.id != d.by.id:
        raise Refusal("agent_unavailable", "this agent is not at work")
    tie = agent.engagement(call.id)
    if tie is not None and tie.state is EngagementState.OFFERED:
        offer = next(o for o in call.pending_offers if o.agent == agent.id)
        d.withdraw_offers(call.id, "dropped_in", offer.role)
        if offer.role is not role:
            offer_failed(d, call.id, offer)
    elif tie is not None:
        d.release(agent.id, call.id)
    agent = d.agent(agent.id)
    if agent.offered:
        raise Refusal("agent_busy", "another call is being offered to this agent")
    if role is not AssignmentRole.SUPERVISOR and not agent.has_room_for(call.kind):
        raise Refusal("agent_busy", "this agent is in another call")


def _seek(d: Draft, call: Call, role: AssignmentRole, target: Target, mode: Mode, note: str) -> None:
    """Let the matcher find somebody by skill or queue."""
    if target.queue is not None and target.queue not in d.desk.queues:
        raise Refusal("unknown_queue", f"no queue {target.queue}")
    if role is PRIMARY:
        d.withdraw_offers(call.id, "dropped_in", PRIMARY)
        before = d.call(call.id).seek(PRIMARY)
        assert before is not None
        seek = Seek(PRIMARY, before.since, target=target, head=before.head, requested_by=d.by, note=note)
        unpark(d, call.id, "answered")
        d.emit(
            e.CallQueued,
            call.id,
            seek=seek,
            queue=target.queue or call.queue,
            reason=e.QueuedReason.TRANSFER,
        )
        return
    if call.seek(role) is not None or call.pending_offer(role) is not None:
        raise Refusal("already_seeking", "somebody is being sought already")
    d.emit(
        e.SeekStarted,
        call.id,
        seek=Seek(
            role,
            d.now,
            mode=mode,
            target=target,
            requested_by=d.by,
            note=note,
            until=d.in_s(d.desk.policy.seek_timeout_s),
        ),
    )


def invite_guest(d: Draft, command: c.InviteGuest) -> None:
    """A third party by link; inviting the same identity again gives the same place."""
    call = _open(d, command.call)
    d.require(d.leads or d.is_assigned(call), "an agent of the call, a supervisor or a service")
    d.require(d.leads or command.mode is Mode.TALK, "only supervisors and services may let guests listen in")
    if not command.identity or command.identity == call.student.id or command.identity in d.desk.agents:
        raise Refusal("invalid", "identity: taken")
    if call.guest(command.identity) is not None:
        return
    _room_for_one_more(d, call)
    guest = Guest(
        identity=command.identity,
        name=command.name,
        mode=command.mode,
        adult=command.adult,
        invited_by=d.by,
        invited_at=d.now,
        fence=call.fence + 1,
    )
    d.emit(e.GuestInvited, call.id, guest=guest)


def change_mode(d: Draft, command: c.ChangeMode) -> None:
    """Switch a supervisor, a third or a guest; the same mode again is no change."""
    call = _open(d, command.call)
    d.require(d.leads, "a supervisor or a service")
    told = d.desk.policy.agents_told
    guest = call.guest(command.identity)
    if guest is not None:
        if guest.mode is not command.mode:
            d.emit(
                e.ModeChanged,
                call.id,
                identity=guest.identity,
                kind=ActorRole.GUEST,
                mode=command.mode,
                told=told,
            )
        return
    assignment = call.assignment_of(command.identity)
    if assignment is None:
        raise Refusal("not_found", "no such participant")
    if assignment.role in (PRIMARY, CONSULT):
        raise Refusal("illegal_state", "the responsible or consulted agent always talks")
    if assignment.mode is command.mode:
        return
    if assignment.role is AssignmentRole.SUPERVISOR:
        before, after = SupervisionState(assignment.mode.value), SupervisionState(command.mode.value)
        d.supervise(call.id, assignment.agent, before, after)
    else:
        d.emit(
            e.ModeChanged,
            call.id,
            identity=assignment.agent,
            kind=ActorRole.AGENT,
            mode=command.mode,
            told=told,
        )


def remove(d: Draft, command: c.RemoveParticipant) -> None:
    """Take somebody out who is neither the student nor the responsible agent."""
    call = _open(d, command.call)
    own = command.identity == d.by.id
    guest = call.guest(command.identity)
    if guest is not None:
        d.require(d.leads or own or d.is_assigned(call), "an agent of the call, a supervisor or a service")
        d.emit(
            e.ParticipantLeft,
            call.id,
            identity=guest.identity,
            kind=ActorRole.GUEST,
            mode=guest.mode,
            told=d.desk.policy.agents_told,
            reason="left" if own else "removed",
        )
        return
    offer = next((o for o in call.pending_offers if o.agent == command.identity), None)
    if offer is not None and offer.role is not PRIMARY:
        d.require(d.leads or d.is_primary(call), "the call's agent, a supervisor or a service")
        d.emit(
            e.OfferWithdrawn, call.id, offer=offer.id, agent=offer.agent, role=offer.role, reason="removed"
        )
        d.release(offer.agent, call.id, idle_now=False)
        if d.call(call.id).seek(offer.role) is not None:
            d.end_seek(call.id, offer.role, "removed")
        offer_failed(d, call.id, offer)
        return
    assignment = call.assignment_of(command.identity)
    if assignment is None:
        raise Refusal("not_found", "no such participant")
    if assignment.role is PRIMARY:
        raise Refusal("illegal_state", "the responsible agent leaves by transfer or by ending the call")
    d.require(_may_remove(d, call, assignment), "who added him, the call's agent, a supervisor or a service")
    if assignment.role is CONSULT:
        cancel_transfer(d, call.id, "left" if own else "removed")
    else:
        d.leave(call.id, assignment, "left" if own else "removed")


def _may_remove(d: Draft, call: Call, assignment: Assignment) -> bool:
    if d.leads or assignment.agent == d.by.id:
        return True
    if assignment.role is AssignmentRole.SUPERVISOR:
        return False
    return d.is_primary(call) or assignment.added_by.id == d.by.id


# Transfer


def start_transfer(d: Draft, command: c.StartTransfer) -> None:
    """Hand the call on: cold lets the first agent go at once, warm lets the agents talk first."""
    call = _open(d, command.call)
    _may_conduct(d, call)
    primary = call.primary
    if primary is None or call.state not in (CallState.ACTIVE, CallState.HELD):
        raise Refusal("illegal_state", f"cannot transfer a call that is {call.state}")
    if call.live_transfer is not None:
        raise Refusal("already_transferring", "a transfer is under way")
    target = command.target
    if target.queue is not None and target.queue not in d.desk.queues:
        raise Refusal("unknown_queue", f"no queue {target.queue}")
    if target.agent is not None:
        agent = d.agent(target.agent)
        if call.assignment_of(agent.id) is not None:
            raise Refusal("already_in_call", "this agent is in the call")
        _must_be_askable(d, call, agent)
    transfer = Transfer(
        id=TransferId(derive_id(d.now, "transfer", call.id, call.version)),
        kind=command.kind,
        source=primary.agent,
        target=target,
        state=TransferState.RINGING,
        started_at=d.now,
        started_by=d.by,
        note=command.note,
    )
    if command.kind is TransferKind.WARM:
        d.emit(e.TransferStarted, call.id, transfer=transfer)
        if target.agent is not None:
            d.offer(call.id, target.agent, CONSULT, note=command.note)
        else:
            _seek(d, call, CONSULT, target, Mode.TALK, command.note)
        return
    d.leave(call.id, primary, "transferred", wrap=True)
    d.emit(e.TransferStarted, call.id, transfer=transfer)
    requeue(d, call.id, e.QueuedReason.TRANSFER, target=target, note=command.note)
    if target.agent is not None:
        d.offer(call.id, target.agent, PRIMARY, note=command.note)


def _warm(call: Call) -> Transfer:
    transfer = call.live_transfer
    if transfer is None or transfer.kind is not TransferKind.WARM:
        raise Refusal("no_transfer", "no warm transfer is under way")
    return transfer


def complete_transfer(d: Draft, command: c.CompleteTransfer) -> None:
    """The consulted agent gets the student; the first one wraps up."""
    call = _open(d, command.call)
    _may_conduct(d, call)
    transfer = _warm(call)
    target = call.assignment_of(transfer.agent) if transfer.agent is not None else None
    if (
        transfer.state is not TransferState.CONSULTING
        or target is None
        or target.state is not AssignmentState.LIVE
    ):
        raise Refusal("illegal_state", "the other agent is not in the call yet")
    primary = call.primary
    d.resume_if_held(call.id)
    if primary is not None:
        d.leave(call.id, primary, "transferred", wrap=True)
    d.make_primary(call.id, target.agent)
    d.emit(e.TransferCompleted, call.id, agent=target.agent)


def cancel_warm_transfer(d: Draft, command: c.CancelTransfer) -> None:
    """The student comes back to the first agent."""
    call = _open(d, command.call)
    _may_conduct(d, call)
    _warm(call)
    cancel_transfer(d, call.id, "cancelled")


# Supervision


def take_over(d: Draft, command: c.TakeOver) -> None:
    """The supervisor becomes responsible, at the latest when he is in the room."""
    call = _open(d, command.call)
    d.require(d.by.role in (ActorRole.SUPERVISOR, ActorRole.ADMIN), "a supervisor")
    supervisor = d.agent(AgentId(d.by.id))
    mine = call.assignment_of(supervisor.id)
    if mine is not None and mine.role is PRIMARY:
        return
    if mine is None:
        _free_by_force(d, call, supervisor, PRIMARY)
    elif mine.role is AssignmentRole.SUPERVISOR and (
        supervisor.offered or not supervisor.has_room_for(call.kind)
    ):
        raise Refusal("agent_busy", "this supervisor is in another call")
    if mine is not None and mine.role is CONSULT:
        raise Refusal("illegal_state", "complete the transfer instead")
    if call.state not in SERVED_CALL_STATES:
        d.withdraw_offers(call.id, "taken_over", PRIMARY)
        if mine is not None:
            d.leave(call.id, mine, "takes_over")
        put_in(d, call.id, supervisor.id, PRIMARY)
        return
    if mine is not None and mine.state is AssignmentState.LIVE:
        switch_primary(d, call.id, supervisor.id, "taken_over")
        return
    if mine is not None:
        d.leave(call.id, mine, "takes_over")
    put_in(d, call.id, supervisor.id, AssignmentRole.SUPERVISOR, takes_over=True)


def raise_hand(d: Draft, command: c.RaiseHand) -> None:
    """An agent asks for a supervisor; asking again is no change."""
    call = _open(d, command.call)
    if call.hand_raised_by == d.by.id:
        return
    d.require(d.is_assigned(call), "an agent of the call")
    d.emit(e.HandRaised, call.id, agent=AgentId(d.by.id), note=command.note)


def lower(d: Draft, command: c.LowerHand) -> None:
    """No supervisor is needed any more."""
    call = _open(d, command.call)
    d.require(d.leads or d.is_assigned(call), "an agent of the call or a supervisor")
    lower_hand(d, call.id)


# Chat


def describe(d: Draft, command: c.DescribeCall) -> None:
    """The student answers questions while waiting; the agent reads it all before accepting."""
    call = _open(d, command.call)
    d.require(d.is_student(call) or d.by.role is ActorRole.SERVICE, "the student or a service")
    answers = {**call.context.answers, **command.answers}
    if len(answers) > MAXIMUM_ANSWERS:
        raise Refusal("invalid", f"answers: at most {MAXIMUM_ANSWERS}")
    note = call.note if command.note is None else command.note
    if answers != call.context.answers or note != call.note:
        d.emit(e.CallDescribed, call.id, answers=answers, note=note)


def post_message(d: Draft, command: c.PostMessage) -> None:
    """Chat. The student's words for "human" end a bot's turn at once."""
    call = _open(d, command.call)
    student = d.is_student(call)
    guest = call.guest(d.by.id) if d.by.role is ActorRole.GUEST else None
    d.require(d.leads or student or d.is_assigned(call) or guest is not None, "participants of the call")
    if command.staff_only:
        d.require(d.leads or d.is_assigned(call), "notes are for staff")
    if not command.text.strip() and not command.files:
        raise Refusal("invalid", "text: empty")
    if len(command.text) > d.desk.policy.max_message_chars:
        raise Refusal("invalid", f"text: at most {d.desk.policy.max_message_chars} characters")
    d.emit(
        e.MessageCreated,
        call.id,
        message=MessageId(derive_id(d.now, "message", call.id, call.version)),
        author=d.by.id,
        author_role=d.by.role,
        text=command.text,
        files=command.files,
        staff_only=command.staff_only,
    )
    if student and asks_for_human(command.text):
        hand_to_human(d, call.id)
