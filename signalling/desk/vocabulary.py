"""The enumerations of the desk."""

from __future__ import annotations

from enum import StrEnum


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
