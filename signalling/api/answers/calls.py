"""Calls and what happens in them, as the routes answer with them: each role sees what it may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from signalling.api.answers.people import ParticipantAnswer, StudentAnswer, participants, student_answer
from signalling.api.answers.visibility import is_inside
from signalling.api.roles import Actor, Role
from signalling.desk.model import (
    AssignmentRole,
    Call,
    CallState,
    ClosedReason,
    Consent,
    ConsentBy,
    Decision,
    Kind,
    Mode,
    Offer,
    OfferState,
    Relation,
    Severity,
    Transfer,
    TransferKind,
    TransferState,
)


class MediaAnswer(BaseModel):
    """How to join the room."""

    url: str = Field(description="What a LiveKit client connects to.")
    token: str = Field(description="LiveKit access token.")


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


class Calls(BaseModel):
    """A page of calls, newest first."""

    items: list[CallAnswer]
    next: str | None = Field(description="Cursor of the next page.")


class CallWithMedia(BaseModel):
    """A call and how to join it."""

    call: CallAnswer
    media: MediaAnswer | None


class WaitRange(BaseModel):
    """Seconds, from probably not before to probably by."""

    low: int
    high: int


class QueuePlace(BaseModel):
    """Where a waiting call stands."""

    position: int | None = Field(description="1: next. Null: not waiting.")
    estimated_wait_s: WaitRange | None = Field(description="An honest range; null: unknown.")
    advice: list[dict[str, str]] = Field(
        default_factory=list, description="What to try meanwhile, each by language."
    )
    open: bool = Field(description="Whether the queue is within its hours.")
    opens_at: AwareDatetime | None = None


class CallOpened(BaseModel):
    """A request for help was taken."""

    call: CallAnswer
    media: MediaAnswer | None = Field(description="Null for chat until it is upgraded.")
    queue: QueuePlace
    created: bool = Field(description="False: the call that was open already.")


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


class Muted(BaseModel):
    """What was muted; empty: nothing was on."""

    tracks: list[str]


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
