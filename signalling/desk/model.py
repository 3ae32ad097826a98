"""The words of the desk: identifiers, enumerations and aggregates as frozen values.

Four kinds of aggregate, each with its own gap-free stream of events: :class:`Call` (with its seeks, offers,
assignments, guests, transfer and consents), :class:`Ticket`, :class:`Agent` and :class:`QueueConfig`. An
aggregate's ``version`` is the sequence number of the last event applied to it. All times are aware UTC.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

CallId = NewType("CallId", str)
TicketId = NewType("TicketId", str)
AgentId = NewType("AgentId", str)
"""A member of staff who can be in a call: agents, specialists and supervisors."""
StudentId = NewType("StudentId", str)
OfferId = NewType("OfferId", str)
TransferId = NewType("TransferId", str)
QueueId = NewType("QueueId", str)
MessageId = NewType("MessageId", str)
DueId = NewType("DueId", str)

JsonObject = Mapping[str, Any]
"""Data of others that the desk carries but does not read."""

EPOCH = datetime.fromtimestamp(0, UTC)
"""Long ago."""

MINOR_AGE_YEARS = 14
"""Below this age a guardian decides about recording (Personal Information Protection Law, article 31)."""

KEPT_OFFERS = 30
"""Ended offers that a call remembers, to tell a late agent what became of his offer."""

KEPT_ASSIGNMENTS = 30
"""Ended assignments that a call remembers."""


def uuid7(at: datetime, entropy: bytes) -> str:
    """A UUID version 7 (RFC 9562, section 5.7) of this moment; `entropy` is at least 10 bytes."""
    if len(entropy) < 10:
        raise ValueError("entropy: at least 10 bytes")
    value = (int(at.timestamp() * 1000) & ((1 << 48) - 1)) << 80 | int.from_bytes(entropy[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def derive_id(at: datetime, *parts: object) -> str:
    """A UUID version 7 whose random bits follow from `parts`: the same decision gives the same identifiers.

    Not a secret: whoever knows an identifier may do nothing by that alone.
    """
    return uuid7(at, hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=10).digest())


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ticket_number(at: datetime, ticket: TicketId) -> str:
    """A number that can be read out over the phone, such as ``261121-7K3F-9QZD``: the day and 40 bits."""
    bits = int.from_bytes(hashlib.blake2b(ticket.encode(), digest_size=5).digest(), "big")
    code = "".join(_CROCKFORD[bits >> shift & 31] for shift in range(35, -5, -5))
    return f"{at:%y%m%d}-{code[:4]}-{code[4:]}"


# --- words ------------------------------------------------------------------------------------------------


class ActorRole(StrEnum):
    """In what capacity somebody acts; ``system`` is the server itself (timers, presence, matcher)."""

    STUDENT = "student"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    REVIEWER = "reviewer"
    ADMIN = "admin"
    SERVICE = "service"
    GUEST = "guest"
    GUARDIAN = "guardian"
    SYSTEM = "system"


class Kind(StrEnum):
    """What a call consists of."""

    VOICE = "voice"
    VIDEO = "video"
    CHAT = "chat"


class Severity(StrEnum):
    """How badly the student is hit."""

    CLASS_STOPPING = "class_stopping"
    DEGRADED = "degraded"
    GENERAL = "general"


class Relation(StrEnum):
    """For whom the caller asks."""

    SELF = "self"
    CHILD = "child"
    CLASS = "class"


class Tier(StrEnum):
    """The service a student has bought."""

    BASIC = "basic"
    ADVANCED = "advanced"
    EXCLUSIVE = "exclusive"


class TicketState(StrEnum):
    """Where a case stands; it outlives its calls."""

    OPEN = "open"
    WAITING_US = "waiting_us"
    WAITING_USER = "waiting_user"
    SOLVED = "solved"
    CONFIRMED = "confirmed"
    REOPENED = "reopened"


class CallState(StrEnum):
    """Where a call stands."""

    QUEUED = "queued"
    OFFERED = "offered"
    CONNECTING = "connecting"
    ACTIVE = "active"
    HELD = "held"
    WRAPPING = "wrapping"
    CLOSED = "closed"


OPEN_CALL_STATES = frozenset(
    {CallState.QUEUED, CallState.OFFERED, CallState.CONNECTING, CallState.ACTIVE, CallState.HELD}
)
"""The student is still in the call; at most one such call per student."""

SERVED_CALL_STATES = frozenset({CallState.CONNECTING, CallState.ACTIVE, CallState.HELD})
"""The call has a primary agent."""


class ClosedReason(StrEnum):
    """Why a call ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    CALLBACK = "callback"
    FAILED = "failed"


class AssignmentRole(StrEnum):
    """What an agent is in a call. At most one live primary per call; supervisors take no capacity."""

    PRIMARY = "primary"
    CONSULT = "consult"
    THIRD = "third"
    SUPERVISOR = "supervisor"


class Mode(StrEnum):
    """How somebody takes part."""

    TALK = "talk"
    MONITOR = "monitor"
    WHISPER = "whisper"
    BARGE = "barge"


class AssignmentState(StrEnum):
    """Whether an assigned agent is in the room."""

    CONNECTING = "connecting"
    LIVE = "live"
    AWAY = "away"
    ENDED = "ended"


LIVE_ASSIGNMENT_STATES = frozenset({AssignmentState.CONNECTING, AssignmentState.LIVE, AssignmentState.AWAY})
"""The agent belongs to the call (a partial unique index holds for these)."""


class OfferState(StrEnum):
    """What became of an offer; only ``pending`` is live."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class TransferKind(StrEnum):
    """Cold: the first agent leaves at once. Warm: the agents talk first."""

    COLD = "cold"
    WARM = "warm"


class TransferState(StrEnum):
    """Where a transfer stands. Warm: ringing, joining, consulting, completed; cold: ringing, completed."""

    RINGING = "ringing"
    JOINING = "joining"
    CONSULTING = "consulting"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


LIVE_TRANSFER_STATES = frozenset({TransferState.RINGING, TransferState.JOINING, TransferState.CONSULTING})


class AgentState(StrEnum):
    """What an agent has declared (or the server has concluded); independent of what he is engaged in."""

    OFFLINE = "offline"
    AVAILABLE = "available"
    AWAY = "away"
    BUSY = "busy"


class Activity(StrEnum):
    """What an agent is doing, derived from his engagements: the most demanding one counts."""

    IDLE = "idle"
    CHATTING = "chatting"
    SUPERVISING = "supervising"
    OFFERED = "offered"
    WRAPPING = "wrapping"
    TALKING = "talking"


class EngagementState(StrEnum):
    """What ties an agent to a call."""

    OFFERED = "offered"
    ASSIGNED = "assigned"
    WRAPPING = "wrapping"


class ParkReason(StrEnum):
    """Why a queued call is not given to an agent at present."""

    EXTERNAL = "external"
    BOT = "bot"


class Routing(StrEnum):
    """Who finds the agent."""

    BUILTIN = "builtin"
    EXTERNAL = "external"


class StudentPresence(StrEnum):
    """Whether the student is in the room. ``none``: a chat, which has no media connection to watch."""

    NONE = "none"
    EXPECTED = "expected"
    PRESENT = "present"
    AWAY = "away"


class Decision(StrEnum):
    """What somebody decided about a purpose."""

    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ConsentBy(StrEnum):
    """Who decided."""

    SELF = "self"
    GUARDIAN = "guardian"


class Purpose(StrEnum):
    """What consent is asked for."""

    RECORDING = "recording"


class DueKind(StrEnum):
    """What is to be done at a ticket's due time."""

    CALLBACK = "callback"
    FOLLOW_UP = "follow_up"


# --- people -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something; stands in every event, which makes the events the audit trail."""

    id: str
    role: ActorRole


SYSTEM = Actor("system", ActorRole.SYSTEM)
"""The server itself: timers, presence and the matcher."""


@dataclass(frozen=True, slots=True)
class StudentProfile:
    """What the host platform says about a student (claim ``raisehand.profile`` of its token)."""

    id: StudentId
    name: str = ""
    level: str = "normal"
    """``vip`` goes first among equals; anything else is ordinary."""
    tier: Tier = Tier.BASIC
    age: int | None = None
    """Years; ``None`` counts as a minor."""
    locale: str | None = None
    """BCP 47, such as ``zh-CN``; the language part must be spoken by the agent."""
    grade: str = ""
    courses: tuple[str, ...] = ()
    dedicated_agent: AgentId | None = None
    guardian: str | None = None
    """Name or identifier of the guardian, as the platform has it."""
    extra: JsonObject = field(default_factory=dict)

    @property
    def vip(self) -> bool:
        """Whether the platform marked this student as VIP."""
        return self.level == "vip"

    @property
    def language(self) -> str | None:
        """The primary language subtag in lower case, such as ``zh``."""
        return self.locale.replace("_", "-").split("-")[0].lower() if self.locale else None


@dataclass(frozen=True, slots=True)
class Subject:
    """For whom, and for how many, help is asked."""

    relation: Relation = Relation.SELF
    affected_count: int = 1


@dataclass(frozen=True, slots=True)
class CallContext:
    """What the page or the class client knew when the button was pressed."""

    class_id: str | None = None
    lesson_id: str | None = None
    lesson_starts_at: datetime | None = None
    lesson_ends_at: datetime | None = None
    device: str = ""
    os: str = ""
    browser: str = ""
    app_version: str = ""
    network: str = ""
    page_url: str = ""
    answers: JsonObject = field(default_factory=dict)
    class_stats: JsonObject = field(default_factory=dict)
    transcript: tuple[JsonObject, ...] = ()
    """What was said to a bot before."""


# --- offers, assignments ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SkillNeed:
    """A skill and the least level (1 to 5) that is wanted."""

    skill: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a transfer or a drop-in wants: exactly one of the three."""

    agent: AgentId | None = None
    skill: str | None = None
    queue: QueueId | None = None

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.agent, self.skill, self.queue)) != 1:
            raise ValueError("target: exactly one of agent, skill, queue")


@dataclass(frozen=True, slots=True)
class Seek:
    """A place in a call for which an agent is sought: at most one per role.

    The primary seek *is* the call's place in the queue; it stays, with its `since`, until somebody accepts.
    """

    role: AssignmentRole
    since: datetime
    """Since when the student waits; declines and expiries do not change it."""
    mode: Mode = Mode.TALK
    target: Target | None = None
    """``None``: the call's queue and skills."""
    head: bool = False
    """The call had an agent already and lost him: it goes before all who never had one."""
    requested_by: Actor = SYSTEM
    note: str = ""
    until: datetime | None = None
    """When a seek for a further agent is given up; ``None`` for the primary."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One agent is asked, with a deadline. An agent has at most one pending offer."""

    id: OfferId
    agent: AgentId
    role: AssignmentRole
    mode: Mode
    fence: int
    """Fencing token: grows with every offer and assignment of the call; the media join checks it."""
    created_at: datetime
    deadline: datetime
    state: OfferState = OfferState.PENDING
    ended_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """An agent in a call."""

    agent: AgentId
    role: AssignmentRole
    mode: Mode
    fence: int
    since: datetime
    state: AssignmentState = AssignmentState.CONNECTING
    until: datetime | None = None
    """While connecting or away: when he counts as gone."""
    added_by: Actor = SYSTEM
    takes_over: bool = False
    """Becomes primary as soon as he is in the room."""
    ended_at: datetime | None = None

    @property
    def live(self) -> bool:
        """Whether he still belongs to the call."""
        return self.state in LIVE_ASSIGNMENT_STATES


@dataclass(frozen=True, slots=True)
class Guest:
    """A third party by link."""

    identity: str
    name: str
    mode: Mode
    adult: bool
    """Stated by whoever invited; otherwise the guest counts as a minor for consent."""
    invited_by: Actor
    invited_at: datetime
    joined: bool = False
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """A call on its way from one agent to another."""

    id: TransferId
    kind: TransferKind
    source: AgentId
    target: Target
    state: TransferState
    started_at: datetime
    started_by: Actor
    note: str = ""
    agent: AgentId | None = None
    """Who accepted."""
    ended_at: datetime | None = None

    @property
    def live(self) -> bool:
        """Whether it is still under way."""
        return self.state in LIVE_TRANSFER_STATES


@dataclass(frozen=True, slots=True)
class Supervision:
    """A supervisor's present part in a call, as supervisors' consoles list it."""

    supervisor: AgentId
    mode: Mode
    since: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """The last word of one participant about one purpose."""

    participant: str
    purpose: Purpose
    decision: Decision
    by: ConsentBy
    notice_version: str
    at: datetime
    actor: Actor


@dataclass(frozen=True, slots=True)
class Refused:
    """An agent who declined or missed this call; he is not asked again before `until`."""

    agent: AgentId
    until: datetime


@dataclass(frozen=True, slots=True)
class Parked:
    """A queued call that is given to no agent before `until` (``None``: before somebody asks for a human)."""

    reason: ParkReason
    until: datetime | None


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file that was stored elsewhere; the desk only names it."""

    id: str
    name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Rating:
    """What the student thought of it."""

    stars: int
    resolved: bool | None
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Wrapup:
    """What the agent noted afterwards."""

    agent: AgentId
    codes: tuple[str, ...]
    notes: str
    resolved: bool
    first_diagnosis: str
    at: datetime


# --- aggregates ---------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class DeskPolicy:
    """What holds for the whole desk."""

    default_queue: QueueId = QueueId("technical")
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
