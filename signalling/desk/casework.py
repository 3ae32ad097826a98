"""Rules: consent, wrap-up, rating, and the case that outlives its calls."""

from __future__ import annotations

from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk import routing
from signalling.desk.draft import STAFF, Draft
from signalling.desk.errors import Refusal
from signalling.desk.machines import TICKET, TicketHappening
from signalling.desk.model import (
    ActorRole,
    AgentId,
    AssignmentRole,
    Call,
    CallId,
    CallState,
    Consent,
    ConsentBy,
    Decision,
    DueKind,
    EngagementState,
    Kind,
    MessageId,
    Rating,
    Ticket,
    TicketState,
    Wrapup,
    derive_id,
)
from signalling.desk.queueing import begin, hand_to_human, schedule
from signalling.desk.words import asks_for_human


def is_minor(d: Draft, call: Call, participant: str) -> bool:
    """Whether a guardian decides for this participant; unknown age counts as a minor."""
    if participant == call.student.id:
        age = call.student.age
        return age is None or age < d.desk.policy.minor_age
    guest = call.guest(participant)
    if guest is not None:
        return not guest.adult
    return not any(a.agent == participant for a in call.assignments)


def give_consent(d: Draft, command: c.GiveConsent) -> None:
    """Store somebody's decision. Refusing costs nothing; for a minor only a guardian can grant."""
    call = d.call(command.call)
    participant = command.participant
    before = call.consent(participant, command.purpose)
    known = (
        participant == call.student.id
        or call.guest(participant) is not None
        or any(a.agent == participant for a in call.assignments)
        or before is not None
    )
    if not known:
        raise Refusal("not_found", "no such participant")
    if command.consent_by is ConsentBy.GUARDIAN:
        d.require(d.by.role in (ActorRole.GUARDIAN, ActorRole.SERVICE), "the guardian, or a service for him")
        if participant != call.student.id:
            raise Refusal("invalid", "a guardian decides for the student only")
    else:
        d.require(
            d.by.role is ActorRole.SERVICE
            or (d.by.id == participant and d.by.role is not ActorRole.GUARDIAN),
            "the participant himself, or a service for him",
        )
    if not command.notice_version:
        raise Refusal("invalid", "notice_version: which notice was shown?")
    minor = is_minor(d, call, participant)
    if command.decision is Decision.GRANTED and minor and command.consent_by is ConsentBy.SELF:
        raise Refusal("guardian_required", "under 14 or of unknown age: the guardian decides")
    if command.consent_by is ConsentBy.GUARDIAN and not minor:
        raise Refusal("not_a_minor", "an adult decides for himself")
    if command.decision is Decision.WITHDRAWN and (before is None or before.decision is not Decision.GRANTED):
        raise Refusal("illegal_state", "nothing was granted")
    consent = Consent(
        participant=participant,
        purpose=command.purpose,
        decision=command.decision,
        by=command.consent_by,
        notice_version=command.notice_version,
        at=d.now,
        actor=d.by,
    )
    d.emit(e.ConsentChanged, call.id, consent=consent)


def wrap_up(d: Draft, command: c.WrapUp) -> None:
    """The agent's note; ends his wrap-up time. During the call it is a note only."""
    call = d.call(command.call)
    agent = AgentId(d.by.id)
    served = any(a.agent == agent and a.role is AssignmentRole.PRIMARY for a in call.assignments)
    d.require(d.by.role in STAFF and served, "who was responsible for the call")
    wrapup = Wrapup(agent, command.codes, command.notes, command.resolved, command.first_diagnosis, d.now)
    d.emit(e.WrapupCreated, call.id, wrapup=wrapup)
    ticket = d.desk.tickets.get(call.ticket)
    if ticket is not None and not call.open and command.resolved and ticket.unsolved:
        d.move_ticket(ticket.id, TicketHappening.SOLVE, "wrapped_up")
    present = d.desk.agents.get(agent)
    tie = present.engagement(call.id) if present is not None else None
    if tie is not None and tie.state is EngagementState.WRAPPING:
        finish_wrap_up(d, agent, call.id, "wrapped_up")


def finish_wrap_up(d: Draft, agent: AgentId, call: CallId, reason: str) -> None:
    """Wrap-up time is over: the agent is free, the call closed if it waited for him."""
    d.release(agent, call)
    current = d.desk.calls.get(call)
    if current is not None and current.state is CallState.WRAPPING and current.wrapping_agent == agent:
        d.emit(e.CallClosed, call, reason=reason)


def rate(d: Draft, command: c.RateCall) -> None:
    """The student's word, once, after the call."""
    call = d.call(command.call)
    d.require(d.is_student(call) or d.by.role is ActorRole.SERVICE, "the student")
    if call.open:
        raise Refusal("illegal_state", "the call is not over")
    if call.rating is not None:
        raise Refusal("already_rated", "the call has been rated")
    if not 1 <= command.stars <= 5:
        raise Refusal("invalid", "stars: 1 to 5")
    rating = Rating(command.stars, command.resolved, command.comment, d.now)
    d.emit(e.RatingCreated, call.id, rating=rating)
    if command.resolved is not None and call.ticket in d.desk.tickets:
        _user_says(d, d.ticket(call.ticket), resolved=command.resolved, call=call.id)


def _user_says(d: Draft, ticket: Ticket, *, resolved: bool, call: CallId | None, comment: str = "") -> None:
    """The closed loop: solved is confirmed; not solved is reopened, and we promise to come back."""
    if resolved:
        if ticket.state is not TicketState.CONFIRMED:
            d.move_ticket(ticket.id, TicketHappening.CONFIRM, "user")
        for due in d.ticket(ticket.id).dues:
            d.emit(e.TicketUnscheduled, ticket.id, due=due, reason="confirmed")
        return
    happening = TicketHappening.ASKED if ticket.unsolved else TicketHappening.REOPEN
    d.move_ticket(ticket.id, happening, "user")
    at = d.now + d.desk.policy.follow_up_after
    schedule(d, ticket.id, DueKind.FOLLOW_UP, at, call, comment)


def confirm_ticket(d: Draft, command: c.ConfirmTicket) -> None:
    """The user's answer to "is it normal again?"."""
    ticket = d.ticket(command.ticket)
    own = d.by.role is ActorRole.STUDENT and d.by.id == ticket.student.id
    d.require(own or d.by.role is ActorRole.SERVICE, "the student or a service")
    call = ticket.calls[-1] if ticket.calls else None
    _user_says(d, ticket, resolved=command.resolved, call=call, comment=command.comment)


def schedule_follow_up(d: Draft, command: c.ScheduleFollowUp) -> None:
    """Promise to come back."""
    call = d.call(command.call)
    agent = AgentId(d.by.id)
    d.require(
        d.leads or (d.by.role is ActorRole.AGENT and any(a.agent == agent for a in call.assignments)),
        "an agent of the call, a supervisor or a service",
    )
    if command.when <= d.now:
        raise Refusal("invalid", "when: must be in the future")
    schedule(d, call.ticket, DueKind.FOLLOW_UP, command.when, call.id, command.note)


_WISHES = {
    TicketState.WAITING_US: TicketHappening.ASKED,
    TicketState.WAITING_USER: TicketHappening.ANSWERED,
    TicketState.SOLVED: TicketHappening.SOLVE,
    TicketState.CONFIRMED: TicketHappening.CONFIRM,
    TicketState.REOPENED: TicketHappening.REOPEN,
}


def update_ticket(d: Draft, command: c.UpdateTicket) -> None:
    """Staff set state or owner, or add a link."""
    ticket = d.ticket(command.ticket)
    d.require(d.by.role in STAFF, "staff")
    if command.state is not None and command.state is not ticket.state:
        happening = _WISHES.get(command.state)
        if happening is None or not TICKET.allows(ticket.state, happening):
            raise Refusal("illegal_state", f"a ticket that is {ticket.state} cannot become {command.state}")
        d.move_ticket(ticket.id, happening, "staff", owner=command.owner)
    elif command.owner is not None and command.owner != ticket.owner:
        d.emit(
            e.TicketChanged,
            ticket.id,
            before=ticket.state,
            after=ticket.state,
            owner=command.owner,
            reason="staff",
        )
    if command.link is not None and command.link not in ticket.links:
        d.emit(e.TicketLinked, ticket.id, link=command.link)


def append_message(d: Draft, command: c.AppendMessage) -> None:
    """What was said elsewhere. A user who asks for a human there is put into the queue as a chat."""
    ticket = d.ticket(command.ticket)
    d.require(
        d.by.role in STAFF or (d.by.role is ActorRole.STUDENT and d.by.id == ticket.student.id),
        "a service, staff or the student",
    )
    try:
        role = ActorRole(command.author_role)
    except ValueError:
        raise Refusal("invalid", f"author_role: {command.author_role!r}") from None
    if d.by.role is ActorRole.STUDENT:
        d.require(role is ActorRole.STUDENT and command.author == d.by.id, "a student writes as himself")
        d.require(not command.staff_only, "notes are for staff")
    if not command.text.strip() and not command.files:
        raise Refusal("invalid", "text: empty")
    if len(command.text) > d.desk.policy.max_message_chars:
        raise Refusal("invalid", f"text: at most {d.desk.policy.max_message_chars} characters")
    d.emit(
        e.TicketMessage,
        ticket.id,
        message=MessageId(derive_id(d.now, "message", ticket.id, ticket.version)),
        author=command.author,
        author_role=role,
        channel=command.channel,
        said_at=command.said_at,
        text=command.text,
        files=command.files,
        staff_only=command.staff_only,
    )
    if command.staff_only or role is ActorRole.SYSTEM:
        return
    if role in (ActorRole.STUDENT, ActorRole.GUARDIAN):
        happening = TicketHappening.ASKED if ticket.unsolved else TicketHappening.REOPEN
        d.move_ticket(ticket.id, happening, "user_wrote")
        if asks_for_human(command.text):
            _human(d, ticket, command)
    elif role in STAFF and ticket.unsolved and role is not ActorRole.SERVICE:
        d.move_ticket(ticket.id, TicketHappening.ANSWERED, "answered")


def _human(d: Draft, ticket: Ticket, command: c.AppendMessage) -> None:
    open_call = d.desk.call_of(ticket.student.id)
    if open_call is not None:
        hand_to_human(d, open_call.id)
        return
    wanted = routing.choose_queue(d.desk.queues, d.desk.policy, ticket.student, ticket.topic)
    queue = routing.staffed_queue(d.desk.queues, wanted, d.now)
    if queue is None and any(due.kind is DueKind.CALLBACK for due in ticket.dues):
        return
    call = CallId(derive_id(d.now, "human", ticket.id, ticket.version))
    begin(
        d,
        Call(
            id=call,
            ticket=ticket.id,
            student=ticket.student,
            kind=Kind.CHAT,
            queue=queue or wanted,
            topic=ticket.topic,
            severity=ticket.severity,
            created_at=d.now,
            room=call,
            channel=command.channel,
            wanted_agent=ticket.owner,
        ),
        e.QueuedReason.NEW,
        out_of_hours=queue is None,
    )
