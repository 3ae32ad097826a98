"""The words of the desk: identifiers, enumerations and aggregates as frozen values.

Four kinds of aggregate, each with its own gap-free stream of events: :class:`Call` (with its seeks, offers,
assignments, guests, transfer and consents), :class:`Ticket`, :class:`Agent` and :class:`QueueConfig`. An
aggregate's ``version`` is the sequence number of the last event applied to it. All times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from signalling.desk.identifiers import (
    EPOCH,
    KEPT_ASSIGNMENTS,
    KEPT_OFFERS,
    MINOR_AGE_YEARS,
    AgentId,
    CallId,
    DueId,
    JsonObject,
    MessageId,
    OfferId,
    QueueId,
    StudentId,
    TicketId,
    TransferId,
    derive_id,
    ticket_number,
    uuid7,
)
from signalling.desk.people import SYSTEM, Actor, CallContext, StudentProfile, Subject
from signalling.desk.places import (
    Assignment,
    Consent,
    FileRef,
    Guest,
    Offer,
    Parked,
    Rating,
    Refused,
    Seek,
    SkillNeed,
    Supervision,
    Target,
    Transfer,
    Wrapup,
)
from signalling.desk.vocabulary import (
    LIVE_ASSIGNMENT_STATES,
    LIVE_TRANSFER_STATES,
    OPEN_CALL_STATES,
    SERVED_CALL_STATES,
    Activity,
    ActorRole,
    AgentState,
    AssignmentRole,
    AssignmentState,
    CallState,
    ClosedReason,
    ConsentBy,
    Decision,
    DueKind,
    EngagementState,
    Kind,
    Mode,
    OfferState,
    ParkReason,
    Purpose,
    Relation,
    Routing,
    Severity,
    StudentPresence,
    TicketState,
    Tier,
    TransferKind,
    TransferState,
)

__all__ = [
    "EPOCH",
    "KEPT_ASSIGNMENTS",
    "KEPT_OFFERS",
    "LIVE_ASSIGNMENT_STATES",
    "LIVE_TRANSFER_STATES",
    "MINOR_AGE_YEARS",
    "OPEN_CALL_STATES",
    "SERVED_CALL_STATES",
    "SYSTEM",
    "Activity",
    "Actor",
    "ActorRole",
    "Agent",
    "AgentId",
    "AgentProfile",
    "AgentState",
    "Assignment",
    "AssignmentRole",
    "AssignmentState",
    "Call",
    "CallContext",
    "CallId",
    "CallState",
    "ClosedReason",
    "Consent",
    "ConsentBy",
    "Decision",
    "DeskPolicy",
    "Due",
    "DueId",
    "DueKind",
    "Engagement",
    "EngagementState",
    "FileRef",
    "Guest",
    "JsonObject",
    "Kind",
    "Link",
    "MessageId",
    "Mode",
    "Offer",
    "OfferId",
    "OfferState",
    "OpenHours",
    "Overflow",
    "ParkReason",
    "Parked",
    "Purpose",
    "QueueConfig",
    "QueueId",
    "Rating",
    "Refused",
    "Relation",
    "Routing",
    "Seek",
    "Severity",
    "SkillNeed",
    "StudentId",
    "StudentPresence",
    "StudentProfile",
    "Subject",
    "Supervision",
    "Target",
    "Ticket",
    "TicketId",
    "TicketState",
    "Tier",
    "Transfer",
    "TransferId",
    "TransferKind",
    "TransferState",
    "Wrapup",
    "derive_id",
    "ticket_number",
    "uuid7",
]


@dataclass(frozen=True, slots=True)
class Call:
    """One request for help, from the press to the end of wrap-up."""

    id: CallId
    ticket: TicketId
    student: StudentProfile
    kind: Kind
    queue: QueueId
    topic: str
    severity: Severity
    created_at: datetime
    room: str
    note: str = ""
    subject: Subject = field(default_factory=Subject)
    context: CallContext = field(default_factory=CallContext)
    channel: str = "web"
    skills: tuple[SkillNeed, ...] = ()
    """Wanted beyond what the queue wants."""
    wanted_agent: AgentId | None = None
    callback: bool = False
    """We call the student: he is rung when an agent has accepted."""
    version: int = 0
    state: CallState = CallState.QUEUED
    closed_reason: ClosedReason | None = None
    seeks: tuple[Seek, ...] = ()
    offers: tuple[Offer, ...] = ()
    """Pending ones and the last ended ones."""
    assignments: tuple[Assignment, ...] = ()
    """Live ones and the last ended ones."""
    guests: tuple[Guest, ...] = ()
    transfer: Transfer | None = None
    """The live or the last transfer."""
    consents: tuple[Consent, ...] = ()
    refused_by: tuple[Refused, ...] = ()
    parked: Parked | None = None
    external_until: datetime | None = None
    """Until when an outside routing layer has the first word."""
    fence: int = 0
    presence: StudentPresence = StudentPresence.NONE
    student_until: datetime | None = None
    """While the student is expected or away: when the call counts as abandoned."""
    accepted_at: datetime | None = None
    connected_at: datetime | None = None
    ended_at: datetime | None = None
    closed_at: datetime | None = None
    hand_raised_by: AgentId | None = None
    messages: int = 0
    wrapping_agent: AgentId | None = None
    wrapup: Wrapup | None = None
    rating: Rating | None = None
    summoned: bool = False
    """A call-back's student was rung."""

    @property
    def open(self) -> bool:
        """Whether the student is still waiting or being helped."""
        return self.state in OPEN_CALL_STATES

    @property
    def live_assignments(self) -> tuple[Assignment, ...]:
        """Agents and supervisors who belong to the call now."""
        return tuple(a for a in self.assignments if a.live)

    @property
    def pending_offers(self) -> tuple[Offer, ...]:
        """Offers that still ring."""
        return tuple(o for o in self.offers if o.state is OfferState.PENDING)

    @property
    def primary(self) -> Assignment | None:
        """The agent who is responsible for the student."""
        return next((a for a in self.assignments if a.role is AssignmentRole.PRIMARY and a.live), None)

    @property
    def live_transfer(self) -> Transfer | None:
        """The transfer under way."""
        return self.transfer if self.transfer is not None and self.transfer.live else None

    @property
    def supervisions(self) -> tuple[Supervision, ...]:
        """Supervisors in the call, in any mode."""
        return tuple(
            Supervision(a.agent, a.mode, a.since)
            for a in self.live_assignments
            if a.role is AssignmentRole.SUPERVISOR
        )

    def assignment_of(self, agent: str) -> Assignment | None:
        """The live assignment of this agent."""
        return next((a for a in self.assignments if a.agent == agent and a.live), None)

    def seek(self, role: AssignmentRole) -> Seek | None:
        """The open place of this role."""
        return next((s for s in self.seeks if s.role is role), None)

    def pending_offer(self, role: AssignmentRole) -> Offer | None:
        """The offer that rings for this role."""
        return next((o for o in self.offers if o.role is role and o.state is OfferState.PENDING), None)

    def offer(self, offer: OfferId) -> Offer | None:
        """An offer of this call, live or lately ended."""
        return next((o for o in self.offers if o.id == offer), None)

    def guest(self, identity: str) -> Guest | None:
        """A guest of this call."""
        return next((g for g in self.guests if g.identity == identity), None)

    def consent(self, participant: str, purpose: Purpose = Purpose.RECORDING) -> Consent | None:
        """The last word of a participant."""
        return next((c for c in self.consents if c.participant == participant and c.purpose is purpose), None)

    def may_record(self, participant: str) -> bool:
        """Whether this participant may be recorded now."""
        consent = self.consent(participant)
        return consent is not None and consent.decision is Decision.GRANTED

    def may_join(self, identity: str, fence: int) -> bool:
        """The media join's question about an agent: does this fencing token still hold?"""
        assignment = self.assignment_of(identity)
        return assignment is not None and assignment.fence == fence

    def next_due(self) -> datetime | None:
        """When :class:`commands.CallDue` must be executed next, if nothing happens before."""
        times = [o.deadline for o in self.pending_offers]
        times += [a.until for a in self.live_assignments if a.until is not None]
        times += [s.until for s in self.seeks if s.until is not None]
        if self.open and self.student_until is not None:
            times.append(self.student_until)
        if self.parked is not None and self.parked.until is not None:
            times.append(self.parked.until)
        return min(times, default=None)


@dataclass(frozen=True, slots=True)
class Due:
    """Something promised for a time."""

    id: DueId
    kind: DueKind
    at: datetime
    note: str = ""
    call: CallId | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A pointer from a ticket to something elsewhere: another ticket, a CRM record."""

    kind: str
    target: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """The case behind the calls."""

    id: TicketId
    number: str
    """What the student is told and can chase."""
    student: StudentProfile
    topic: str
    severity: Severity
    opened_at: datetime
    updated_at: datetime
    version: int = 0
    state: TicketState = TicketState.OPEN
    owner: AgentId | None = None
    calls: tuple[CallId, ...] = ()
    dues: tuple[Due, ...] = ()
    links: tuple[Link, ...] = ()
    messages: int = 0
    solved_at: datetime | None = None

    @property
    def unsolved(self) -> bool:
        """Whether somebody still has to do something."""
        return self.state not in (TicketState.SOLVED, TicketState.CONFIRMED)

    def next_due(self) -> datetime | None:
        """When :class:`commands.TicketDue` must be executed next."""
        return min((due.at for due in self.dues), default=None)


@dataclass(frozen=True, slots=True)
class Engagement:
    """What ties an agent to one call; mirrors that call's offers and assignments."""

    call: CallId
    kind: Kind
    role: AssignmentRole
    state: EngagementState
    since: datetime
    until: datetime | None = None
    """Wrap-up: when he is released without having written anything."""


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """What an administrator says about an agent."""

    id: AgentId
    name: str = ""
    queues: frozenset[QueueId] = frozenset()
    skills: Mapping[str, int] = field(default_factory=dict)
    """Skill to level, 1 to 5."""
    languages: frozenset[str] = frozenset({"zh"})
    """Primary language subtags in lower case."""
    max_chats: int = 3
    supervisor: bool = False
    routable: bool = True
    """Whether the built-in routing gives him calls unasked (false for supervisors by default)."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A member of staff at work."""

    profile: AgentProfile
    version: int = 0
    state: AgentState = AgentState.OFFLINE
    reason: str = ""
    engagements: tuple[Engagement, ...] = ()
    idle_since: datetime = EPOCH
    """Since when he could have been given a call: the longest idle goes first."""
    missed: int = 0
    """Offers in a row that he let expire."""

    @property
    def id(self) -> AgentId:
        """His identifier, also his identity in rooms."""
        return self.profile.id

    @property
    def online(self) -> bool:
        """Whether he is there at all."""
        return self.state is not AgentState.OFFLINE

    @property
    def offered(self) -> bool:
        """Whether an offer rings at his console."""
        return any(e.state is EngagementState.OFFERED for e in self.engagements)

    @property
    def media_call(self) -> Engagement | None:
        """The voice or video call he is assigned to or wraps up (supervising does not count)."""
        return next(
            (
                e
                for e in self.engagements
                if e.kind is not Kind.CHAT
                and e.role is not AssignmentRole.SUPERVISOR
                and e.state is not EngagementState.OFFERED
            ),
            None,
        )

    @property
    def chats(self) -> int:
        """Chats he has or wraps up."""
        return sum(
            e.kind is Kind.CHAT
            and e.role is not AssignmentRole.SUPERVISOR
            and e.state is not EngagementState.OFFERED
            for e in self.engagements
        )

    def engagement(self, call: CallId) -> Engagement | None:
        """What ties him to this call."""
        return next((e for e in self.engagements if e.call == call), None)

    def has_room_for(self, kind: Kind) -> bool:
        """Whether his capacity admits one more: one voice or video call, and `max_chats` chats."""
        if kind is Kind.CHAT:
            return self.chats < self.profile.max_chats
        return self.media_call is None

    @property
    def activity(self) -> Activity:
        """What he is doing."""
        best = Activity.IDLE
        for e in self.engagements:
            if e.state is EngagementState.OFFERED:
                now = Activity.OFFERED
            elif e.state is EngagementState.WRAPPING:
                now = Activity.WRAPPING
            elif e.role is AssignmentRole.SUPERVISOR:
                now = Activity.SUPERVISING
            else:
                now = Activity.CHATTING if e.kind is Kind.CHAT else Activity.TALKING
            if _ACTIVITY_RANK[now] > _ACTIVITY_RANK[best]:
                best = now
        return best

    def next_due(self) -> datetime | None:
        """When :class:`commands.AgentDue` must be executed next (the end of a wrap-up)."""
        return min((e.until for e in self.engagements if e.until is not None), default=None)


_ACTIVITY_RANK = {activity: rank for rank, activity in enumerate(Activity)}


@dataclass(frozen=True, slots=True)
class OpenHours:
    """Open on these weekdays (Monday is 0) from `opens` to `closes`, minutes after local midnight."""

    weekdays: frozenset[int]
    opens_minute: int
    closes_minute: int
    """Exclusive; more than 1440 reaches into the next day."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """After this long, agents of another queue may take the call as well."""

    queue: QueueId
    after_s: float


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """A queue, as an administrator set it."""

    id: QueueId
    name: str = ""
    version: int = 0
    topics: frozenset[str] = frozenset()
    """Topics that lead here when the caller names no queue."""
    skills: tuple[SkillNeed, ...] = ()
    vip_only: bool = False
    """Calls without a named queue come here if the student is VIP."""
    hours: tuple[OpenHours, ...] = ()
    """Empty: always open."""
    timezone: str = "Asia/Shanghai"
    closed_days: frozenset[date] = frozenset()
    overflow: tuple[Overflow, ...] = ()
    priority_s: float = 0.0
    """Seconds of waiting that a call of this queue is worth from the start."""
    offer_timeout_s: float = 20.0
    wrapup_s: float = 90.0
    """How long wrap-up may take; 0: none."""
    dedicated_wait_s: float = 15.0
    """How long a call waits for the student's own agent if he is at work but engaged."""
    relax_after_s: float | None = 120.0
    """After this long any level of a wanted skill will do."""
    language_relax_after_s: float | None = 300.0
    """After this long an agent of another language will do."""
    routing: Routing = Routing.BUILTIN
    external_deadline_s: float = 5.0


DEFAULT_QUEUE = QueueId("technical")


@dataclass(frozen=True, slots=True)
class DeskPolicy:
    """What holds for the whole desk."""

    default_queue: QueueId = DEFAULT_QUEUE
    connect_timeout_s: float = 20.0
    """From accepting to being in the room; then the call goes to somebody else."""
    rejoin_s: float = 20.0
    """How long an agent may be cut off before the call goes to somebody else."""
    first_join_s: float = 120.0
    """How long a student may take to come into the room after pressing."""
    abandon_after_s: float = 60.0
    """How long a student may be cut off before the call counts as abandoned."""
    refused_cooldown_s: float = 60.0
    """How long an agent who declined or missed a call is not asked about it again."""
    missed_offers_away: int = 3
    """Offers in a row that an agent lets expire before he is set to away; 0: never."""
    seek_timeout_s: float = 120.0
    """How long a consult or third is sought by skill or queue."""
    callback_ring_s: float = 60.0
    """How long a student who is called back is rung."""
    agents_told: bool = True
    """Whether agents are told that a supervisor monitors."""
    minor_age: int = MINOR_AGE_YEARS
    closing_grace_s: float = 900.0
    """How long those who wait when their queue closes are still served, before they get a call-back."""
    callback_after: timedelta = timedelta(minutes=15)
    """When a call-back without a wished time is due, if the queue is open then."""
    same_case: timedelta = timedelta(hours=24)
    """A new request within this time after a solved one of the same topic reopens it."""
    follow_up_after: timedelta = timedelta(hours=24)
    """When a student says "not solved", we come back by then."""
    max_message_chars: int = 4000
    max_participants: int = 8
    """Guests and further agents in one call."""
