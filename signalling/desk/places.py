"""What a call is made of: places sought, offers, assignments, guests, transfers, consents, the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from signalling.desk.identifiers import (
    AgentId,
    OfferId,
    QueueId,
    TransferId,
)
from signalling.desk.people import SYSTEM, Actor
from signalling.desk.vocabulary import (
    LIVE_ASSIGNMENT_STATES,
    LIVE_TRANSFER_STATES,
    AssignmentRole,
    AssignmentState,
    ConsentBy,
    Decision,
    Mode,
    OfferState,
    ParkReason,
    Purpose,
    TransferKind,
    TransferState,
)


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
