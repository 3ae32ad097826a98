"""What the routes answer with, and how the desk's values become that: each role sees what it may."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from signalling.api.roles import Actor, Role
from signalling.desk.model import (
    Activity,
    ActorRole,
    Agent,
    AgentState,
    Assignment,
    AssignmentRole,
    AssignmentState,
    Call,
    CallState,
    ClosedReason,
    Consent,
    ConsentBy,
    Decision,
    FileRef,
    Kind,
    Mode,
    Offer,
    OfferState,
    QueueConfig,
    Relation,
    Severity,
    StudentPresence,
    StudentProfile,
    Ticket,
    TicketState,
    Transfer,
    TransferKind,
    TransferState,
)
from signalling.store.queries import StoredMessage

VISIBLE_MODES = frozenset({Mode.TALK, Mode.BARGE})
"""Ways of taking part that the student and guests may know of."""


class MediaAnswer(BaseModel):
    """How to join the room."""

    url: str = Field(description="What a LiveKit client connects to.")
    token: str = Field(description="LiveKit access token.")


class StudentAnswer(BaseModel):
    """Who asks, as the host platform says."""

    id: str
    name: str
    level: str = ""
    tier: str = ""
    age: int | None = None
    minor: bool = True
    locale: str | None = None
    grade: str = ""
    courses: list[str] = Field(default_factory=list)
    dedicated_agent: str | None = None
    guardian: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


class SubjectAnswer(BaseModel):
    """For whom, and for how many, help is asked."""

    relation: Relation
    affected_count: int


class ContextAnswer(BaseModel):
    """What the page or the class client knew."""

    class_id: str | None
    lesson_id: str | None
    lesson_starts_at: AwareDatetime | None
    lesson_ends_at: AwareDatetime | None
    device: str
    os: str
    browser: str
    app_version: str
    network: str
    page_url: str
    answers: dict[str, Any]
    class_stats: dict[str, Any]
    transcript: list[dict[str, Any]]


class ParticipantAnswer(BaseModel):
    """Somebody in a call."""

    identity: str
    name: str
    kind: ActorRole
    role: AssignmentRole | None = None
    mode: Mode
    state: str = Field(description="connecting, live, away; of a student expected, present, away.")


class TransferAnswer(BaseModel):
    """The live or last transfer."""

    id: str
    kind: TransferKind
    state: TransferState
    from_: str = Field(serialization_alias="from")
    to: dict[str, str]
    agent: str | None
    note: str
    started_at: AwareDatetime


class OfferAnswer(BaseModel):
    """An agent is asked."""

    id: str
    call: str
    agent: str
    role: AssignmentRole
    mode: Mode
    state: OfferState
    created_at: AwareDatetime
    deadline: AwareDatetime
    note: str


class Offers(BaseModel):
    """Offers that ring now."""

    items: list[OfferAnswer]


class ConsentAnswer(BaseModel):
    """The last word of a participant about recording."""

    participant: str
    decision: Decision
    by: ConsentBy
    notice_version: str
    at: AwareDatetime


class RatingAnswer(BaseModel):
    """What the student thought of it."""

    stars: int
    resolved: bool | None
    comment: str
    at: AwareDatetime


class WrapupAnswer(BaseModel):
    """What the agent noted afterwards."""

    agent: str
    codes: list[str]
    notes: str
    resolved: bool
    first_diagnosis: str
    at: AwareDatetime


class CallAnswer(BaseModel):
    """A call. Fields that only staff may see are null for others."""

    id: str
    ticket: str = Field(description="The number to be told; stands for the ticket in every route.")
    ticket_id: str
    state: CallState
    closed_reason: ClosedReason | None
    room: str
    kind: Kind
    queue: str
    topic: str
    severity: Severity
    channel: str
    note: str
    subject: SubjectAnswer
    created_at: AwareDatetime
    accepted_at: AwareDatetime | None
    connected_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    closed_at: AwareDatetime | None
    participants: list[ParticipantAnswer]
    consents: list[ConsentAnswer]
    rating: RatingAnswer | None
    callback: bool
    student: StudentAnswer | None = None
    context: ContextAnswer | None = None
    transfer: TransferAnswer | None = None
    offers: list[OfferAnswer] | None = None
    wrapup: WrapupAnswer | None = None
    hand_raised_by: str | None = None
    version: int


class QueuePlace(BaseModel):
    """Where a waiting call stands."""

    position: int | None = Field(description="1: next. Null: not waiting.")
    estimated_wait_s: WaitRange | None = Field(description="An honest range; null: unknown.")
    advice: list[dict[str, str]] = Field(
        default_factory=list, description="What to try meanwhile, each by language."
    )
    open: bool = Field(description="Whether the queue is within its hours.")
    opens_at: AwareDatetime | None = None


class WaitRange(BaseModel):
    """Seconds, from probably not before to probably by."""

    low: int
    high: int


class CallOpened(BaseModel):
    """A request for help was taken."""

    call: CallAnswer
    media: MediaAnswer | None = Field(description="Null for chat until it is upgraded.")
    queue: QueuePlace
    created: bool = Field(description="False: the call that was open already.")


class CallWithMedia(BaseModel):
    """A call and how to join it."""

    call: CallAnswer
    media: MediaAnswer | None


class Calls(BaseModel):
    """A page of calls, newest first."""

    items: list[CallAnswer]
    next: str | None = Field(description="Cursor of the next page.")


class Muted(BaseModel):
    """What was muted; empty: nothing was on."""

    tracks: list[str]


class Accepted(BaseModel):
    """The agent is in the call."""

    call: CallAnswer
    student: StudentAnswer
    media: MediaAnswer | None


class DroppedIn(BaseModel):
    """Somebody was invited or asked."""

    call: CallAnswer
    offer: OfferAnswer | None = Field(default=None, description="An agent was asked.")
    media: MediaAnswer | None = Field(
        default=None, description="Of a guest, or of an agent who joins at once (for the agent itself)."
    )
    link: str | None = Field(default=None, description="For a guest: opens the help page in this call.")
    token: str | None = Field(default=None, description="For a guest: its platform token.")


class GuardianLink(BaseModel):
    """Where a guardian decides."""

    link: str
    token: str
    expires_at: AwareDatetime


class FileAnswer(BaseModel):
    """A file."""

    id: str
    name: str
    media_type: str
    size_bytes: int


class MessageAnswer(BaseModel):
    """Something written."""

    id: str
    author: str
    role: str
    channel: str
    at: AwareDatetime
    text: str
    files: list[FileAnswer]
    staff_only: bool
    call: str | None


class Messages(BaseModel):
    """A page of messages, oldest first."""

    items: list[MessageAnswer]
    next: str | None


class DueAnswer(BaseModel):
    """Something promised for a time."""

    id: str
    kind: str
    at: AwareDatetime
    note: str


class LinkAnswer(BaseModel):
    """A pointer to something elsewhere."""

    kind: str
    target: str


class TicketAnswer(BaseModel):
    """The case behind the calls."""

    id: str
    ticket: str
    student: str
    state: TicketState
    topic: str
    severity: Severity
    owner: str | None
    opened_at: AwareDatetime
    updated_at: AwareDatetime
    solved_at: AwareDatetime | None
    calls: list[str]
    dues: list[DueAnswer]
    links: list[LinkAnswer] | None = None
    messages: list[MessageAnswer] | None = None


class Tickets(BaseModel):
    """A page of tickets, newest first."""

    items: list[TicketAnswer]
    next: str | None


class HistoryAnswer(BaseModel):
    """All contacts of a student, newest first."""

    student: StudentAnswer | None
    tickets: list[TicketAnswer]
    calls: list[CallAnswer]
    messages: list[MessageAnswer]
    class_stats: list[ClassStatsAnswer]
    next: AwareDatetime | None = Field(
        default=None,
        description="`until` of the next page; what happened at just that moment comes once more.",
    )


class ClassStatsAnswer(BaseModel):
    """What a class client measured."""

    id: str
    student: str
    class_id: str | None
    at: AwareDatetime
    stats: dict[str, Any]


class EngagementAnswer(BaseModel):
    """What ties an agent to a call."""

    call: str
    kind: Kind
    role: AssignmentRole
    state: str
    since: AwareDatetime
    until: AwareDatetime | None = Field(default=None, description="When a wrap-up ends by itself.")


class AgentAnswer(BaseModel):
    """A member of staff at work."""

    id: str
    name: str
    state: AgentState
    reason: str
    activity: Activity
    queues: list[str]
    skills: dict[str, int]
    languages: list[str]
    max_chats: int
    supervisor: bool
    routable: bool
    idle_since: AwareDatetime | None
    engagements: list[EngagementAnswer] | None = Field(
        default=None, description="Only for supervisors, services and the agent itself."
    )
    version: int | None


class Agents(BaseModel):
    """All agents."""

    items: list[AgentAnswer]


class WaitingAnswer(BaseModel):
    """A call that waits."""

    call: str
    ticket: str
    student: str
    name: str
    level: str
    topic: str
    severity: Severity
    kind: Kind
    state: CallState
    position: int
    waited_s: float
    since: AwareDatetime
    affected_count: int
    lesson_ends_at: AwareDatetime | None
    sla_deadline: AwareDatetime | None = None


class SkillAnswer(BaseModel):
    """A skill and its level."""

    skill: str
    level: int


class HoursAnswer(BaseModel):
    """Opening hours."""

    weekdays: list[int]
    opens_minute: int
    closes_minute: int


class OverflowAnswer(BaseModel):
    """Where calls may go after a while."""

    queue: str
    after_s: float


class QueueConfigAnswer(BaseModel):
    """How a queue is set."""

    name: str
    topics: list[str]
    skills: list[SkillAnswer]
    vip_only: bool
    hours: list[HoursAnswer]
    timezone: str
    closed_days: list[datetime.date]
    overflow: list[OverflowAnswer]
    priority_s: float
    offer_timeout_s: float
    wrapup_s: float
    dedicated_wait_s: float
    relax_after_s: float | None
    language_relax_after_s: float | None
    routing: str
    external_deadline_s: float
    version: int


class QueueAnswer(BaseModel):
    """A queue now."""

    id: str
    name: str
    open: bool
    waiting: int
    longest_wait_s: float
    agents_available: int
    agents_online: int
    config: QueueConfigAnswer
    calls: list[WaitingAnswer] | None = Field(default=None, description="With `GET /queues/{id}`.")


class Queues(BaseModel):
    """All queues."""

    items: list[QueueAnswer]


# --- from the desk's values ---------------------------------------------------------------------------


def sees_all(actor: Actor) -> bool:
    """Whether the actor may know of silent monitors."""
    return actor.role in (Role.SUPERVISOR, Role.ADMIN)


def is_inside(actor: Actor) -> bool:
    """Whether the actor sees what only staff and services see."""
    return actor.is_staff or actor.role is Role.SERVICE


def student_answer(student: StudentProfile, minor_age: int) -> StudentAnswer:
    """For staff."""
    return StudentAnswer(
        id=student.id,
        name=student.name,
        level=student.level,
        tier=student.tier.value,
        age=student.age,
        minor=student.age is None or student.age < minor_age,
        locale=student.locale,
        grade=student.grade,
        courses=list(student.courses),
        dedicated_agent=student.dedicated_agent,
        guardian=student.guardian,
        extra=dict(student.extra),
    )


def _context(call: Call) -> ContextAnswer:
    context = call.context
    return ContextAnswer(
        class_id=context.class_id,
        lesson_id=context.lesson_id,
        lesson_starts_at=context.lesson_starts_at,
        lesson_ends_at=context.lesson_ends_at,
        device=context.device,
        os=context.os,
        browser=context.browser,
        app_version=context.app_version,
        network=context.network,
        page_url=context.page_url,
        answers=dict(context.answers),
        class_stats=dict(context.class_stats),
        transcript=[dict(line) for line in context.transcript],
    )


def may_know(actor: Actor, assignment: Assignment, told: bool) -> bool:
    """Whether the actor may learn that this agent or supervisor is in the call."""
    if assignment.mode in VISIBLE_MODES or assignment.agent == actor.id or sees_all(actor):
        return True
    if actor.role is Role.AGENT or actor.role is Role.SERVICE:
        return assignment.mode is Mode.WHISPER or told
    return False


def participants(call: Call, actor: Actor, names: Mapping[str, str], told: bool) -> list[ParticipantAnswer]:
    """Everybody in a call that the actor may know of."""
    found = []
    if call.presence is not StudentPresence.NONE:
        found.append(
            ParticipantAnswer(
                identity=call.student.id,
                name=call.student.name,
                kind=ActorRole.STUDENT,
                mode=Mode.TALK,
                state=call.presence.value,
            )
        )
    for assignment in call.live_assignments:
        if may_know(actor, assignment, told):
            supervises = assignment.role is AssignmentRole.SUPERVISOR
            found.append(
                ParticipantAnswer(
                    identity=assignment.agent,
                    name=names.get(assignment.agent, ""),
                    kind=ActorRole.SUPERVISOR if supervises else ActorRole.AGENT,
                    role=assignment.role,
                    mode=assignment.mode,
                    state=assignment.state.value,
                )
            )
    for guest in call.guests:
        if guest.mode in VISIBLE_MODES or is_inside(actor) or guest.identity == actor.id:
            state = AssignmentState.LIVE if guest.joined else AssignmentState.CONNECTING
            found.append(
                ParticipantAnswer(
                    identity=guest.identity,
                    name=guest.name,
                    kind=ActorRole.GUEST,
                    mode=guest.mode,
                    state=state.value,
                )
            )
    return found


def offer_answer(call: Call, offer: Offer) -> OfferAnswer:
    """An offer."""
    return OfferAnswer(
        id=offer.id,
        call=call.id,
        agent=offer.agent,
        role=offer.role,
        mode=offer.mode,
        state=offer.state,
        created_at=offer.created_at,
        deadline=offer.deadline,
        note=offer.note,
    )


def _transfer(transfer: Transfer | None) -> TransferAnswer | None:
    if transfer is None:
        return None
    target = {"agent": transfer.target.agent, "skill": transfer.target.skill, "queue": transfer.target.queue}
    return TransferAnswer(
        id=transfer.id,
        kind=transfer.kind,
        state=transfer.state,
        from_=transfer.source,
        to={key: value for key, value in target.items() if value is not None},
        agent=transfer.agent,
        note=transfer.note,
        started_at=transfer.started_at,
    )


def _consent(consent: Consent) -> ConsentAnswer:
    return ConsentAnswer(
        participant=consent.participant,
        decision=consent.decision,
        by=consent.by,
        notice_version=consent.notice_version,
        at=consent.at,
    )


def call_answer(
    call: Call,
    actor: Actor,
    *,
    number: str,
    names: Mapping[str, str],
    told: bool = True,
    minor_age: int = 14,
) -> CallAnswer:
    """A call as the actor may see it. `names`: of agents; `told`: whether agents know of monitors."""
    inside = is_inside(actor)
    rating, wrapup = call.rating, call.wrapup
    consents = [
        consent
        for consent in call.consents
        if inside or consent.participant in (actor.id, actor.guardian_of) or actor.role is Role.STUDENT
    ]
    return CallAnswer(
        id=call.id,
        ticket=number,
        ticket_id=call.ticket,
        state=call.state,
        closed_reason=call.closed_reason,
        room=call.room,
        kind=call.kind,
        queue=call.queue,
        topic=call.topic,
        severity=call.severity,
        channel=call.channel,
        note=call.note if actor.role is not Role.GUEST else "",
        subject=SubjectAnswer(relation=call.subject.relation, affected_count=call.subject.affected_count),
        created_at=call.created_at,
        accepted_at=call.accepted_at,
        connected_at=call.connected_at,
        ended_at=call.ended_at,
        closed_at=call.closed_at,
        participants=participants(call, actor, names, told),
        consents=[_consent(consent) for consent in consents],
        rating=RatingAnswer(
            stars=rating.stars, resolved=rating.resolved, comment=rating.comment, at=rating.at
        )
        if rating is not None and actor.role is not Role.GUEST
        else None,
        callback=call.callback,
        student=student_answer(call.student, minor_age) if inside else None,
        context=_context(call) if inside else None,
        transfer=_transfer(call.transfer) if inside else None,
        offers=[offer_answer(call, offer) for offer in call.pending_offers] if inside else None,
        wrapup=WrapupAnswer(
            agent=wrapup.agent,
            codes=list(wrapup.codes),
            notes=wrapup.notes,
            resolved=wrapup.resolved,
            first_diagnosis=wrapup.first_diagnosis,
            at=wrapup.at,
        )
        if inside and wrapup is not None
        else None,
        hand_raised_by=call.hand_raised_by if inside else None,
        version=call.version,
    )


def file_answer(file: FileRef) -> FileAnswer:
    """A file."""
    return FileAnswer(id=file.id, name=file.name, media_type=file.media_type, size_bytes=file.size_bytes)


def message_answer(message: StoredMessage) -> MessageAnswer:
    """Something written."""
    return MessageAnswer(
        id=message.id,
        author=message.author_id,
        role=message.author_role,
        channel=message.channel,
        at=message.at,
        text=message.text,
        files=[file_answer(file) for file in message.files],
        staff_only=message.staff_only,
        call=message.call_id,
    )


def visible_messages(messages: Iterable[StoredMessage], actor: Actor) -> list[MessageAnswer]:
    """Without notes among staff for those who are not."""
    inside = is_inside(actor)
    return [message_answer(each) for each in messages if inside or not each.staff_only]


def ticket_answer(
    ticket: Ticket, actor: Actor, messages: Sequence[StoredMessage] | None = None
) -> TicketAnswer:
    """A ticket as the actor may see it."""
    inside = is_inside(actor)
    return TicketAnswer(
        id=ticket.id,
        ticket=ticket.number,
        student=ticket.student.id,
        state=ticket.state,
        topic=ticket.topic,
        severity=ticket.severity,
        owner=ticket.owner,
        opened_at=ticket.opened_at,
        updated_at=ticket.updated_at,
        solved_at=ticket.solved_at,
        calls=list(ticket.calls),
        dues=[
            DueAnswer(id=due.id, kind=due.kind.value, at=due.at, note=due.note if inside else "")
            for due in ticket.dues
        ],
        links=[LinkAnswer(kind=link.kind, target=link.target) for link in ticket.links] if inside else None,
        messages=visible_messages(messages, actor) if messages is not None else None,
    )


def agent_answer(agent: Agent, actor: Actor) -> AgentAnswer:
    """An agent as the actor may see him."""
    profile = agent.profile
    full = sees_all(actor) or actor.role is Role.SERVICE or actor.id == agent.id
    engagements = [
        EngagementAnswer(
            call=each.call,
            kind=each.kind,
            role=each.role,
            state=each.state.value,
            since=each.since,
            until=each.until,
        )
        for each in agent.engagements
    ]
    return AgentAnswer(
        id=agent.id,
        name=profile.name,
        state=agent.state,
        reason=agent.reason if full else "",
        # When a supervisor is busy, somebody is being listened to.
        activity=Activity.IDLE if profile.supervisor and not full else agent.activity,
        queues=sorted(profile.queues),
        skills=dict(profile.skills),
        languages=sorted(profile.languages),
        max_chats=profile.max_chats,
        supervisor=profile.supervisor,
        routable=profile.routable,
        idle_since=agent.idle_since if full and agent.idle_since.timestamp() > 0 else None,
        engagements=engagements if full else None,
        version=agent.version if full else None,
    )


def queue_config_answer(config: QueueConfig) -> QueueConfigAnswer:
    """How a queue is set."""
    return QueueConfigAnswer(
        name=config.name,
        topics=sorted(config.topics),
        skills=[SkillAnswer(skill=need.skill, level=need.level) for need in config.skills],
        vip_only=config.vip_only,
        hours=[
            HoursAnswer(
                weekdays=sorted(each.weekdays),
                opens_minute=each.opens_minute,
                closes_minute=each.closes_minute,
            )
            for each in config.hours
        ],
        timezone=config.timezone,
        closed_days=sorted(config.closed_days),
        overflow=[OverflowAnswer(queue=each.queue, after_s=each.after_s) for each in config.overflow],
        priority_s=config.priority_s,
        offer_timeout_s=config.offer_timeout_s,
        wrapup_s=config.wrapup_s,
        dedicated_wait_s=config.dedicated_wait_s,
        relax_after_s=config.relax_after_s,
        language_relax_after_s=config.language_relax_after_s,
        routing=config.routing.value,
        external_deadline_s=config.external_deadline_s,
        version=config.version,
    )
