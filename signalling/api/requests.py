"""Bodies and queries of the routes."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from signalling.api.fields import Id, Json, Line, Text, Time, Url, Word
from signalling.api.identity import Profile
from signalling.api.pagination import DEFAULT_LIMIT, MAXIMUM_LIMIT
from signalling.api.route import Query, Request
from signalling.desk.model import (
    AgentState,
    CallState,
    ConsentBy,
    Decision,
    Kind,
    Mode,
    Relation,
    Routing,
    Severity,
    TicketState,
    TransferKind,
)

MAXIMUM_AFFECTED = 100_000
Note = Annotated[str, StringConstraints(max_length=2000)]


class Skill(Request):
    """A skill and its level."""

    skill: Word
    level: int = Field(default=1, ge=1, le=5)


class SubjectBody(Request):
    """For whom, and for how many, help is asked."""

    relation: Relation = Relation.SELF
    affected_count: int = Field(default=1, ge=1, le=MAXIMUM_AFFECTED)


class ContextBody(Request):
    """What the page or the class client knows; all of it optional, none of it trusted."""

    class_id: Line | None = None
    lesson_id: Line | None = None
    lesson_starts_at: Time | None = None
    lesson_ends_at: Time | None = None
    device: Line = ""
    os: Line = ""
    browser: Line = ""
    app_version: Line = ""
    network: Line = ""
    page_url: Url = ""
    answers: Json = Field(default_factory=dict, description="Structured questions answered beforehand.")
    class_stats: Json = Field(default_factory=dict, description="What the class client measured.")
    transcript: list[Json] = Field(
        default_factory=list, max_length=500, description="What was said to a bot before, oldest first."
    )


class StudentBody(Request):
    """For whom a service asks."""

    id: Id
    name: Line = ""
    profile: Profile = Field(default_factory=Profile)


class AskForHelp(Request):
    """A request for help."""

    kind: Kind = Kind.VOICE
    topic: Word = "general"
    severity: Severity = Severity.GENERAL
    note: Note = ""
    subject: SubjectBody = Field(default_factory=SubjectBody)
    context: ContextBody = Field(default_factory=ContextBody)
    channel: Word = "web"
    queue: Id | None = Field(default=None, description="Empty: by topic and profile.")
    skills: list[Skill] = Field(default_factory=list, max_length=10)
    wanted_agent: Id | None = None
    room: Id | None = Field(default=None, description="Attach to a room that exists; for services.")
    bot: bool = Field(default=False, description="A bot talks first.")
    student: StudentBody | None = Field(default=None, description="For services: for whom.")


class CallsQuery(Query):
    """Which calls."""

    state: CallState | None = None
    agent: Id | None = None
    student: Id | None = None
    class_: Line | None = Field(default=None, alias="class")
    queue: Id | None = None
    ticket: Id | None = None
    from_: Time | None = Field(default=None, alias="from")
    to: Time | None = None
    cursor: str | None = Field(default=None, max_length=512)
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAXIMUM_LIMIT)


class PageQuery(Query):
    """Which part of a list."""

    cursor: str | None = Field(default=None, max_length=512)
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAXIMUM_LIMIT)


class HistoryQuery(Query):
    """Which part of a history."""

    until: Time | None = Field(default=None, description="Nothing newer than this; empty: from now on back.")
    limit: int = Field(default=100, ge=1, le=MAXIMUM_LIMIT, description="Of each sort.")


class DescribeBody(Request):
    """What the student says beyond the press on the button."""

    answers: Json = Field(default_factory=dict, description="Added to those there are, by question.")
    note: Note | None = Field(default=None, description="Replaces the note.")


class CallbackBody(Request):
    """When to call back."""

    when: Time | None = Field(default=None, description="Empty: as soon as the queue is open.")
    note: Note = ""


class UpgradeBody(Request):
    """What the call becomes."""

    kind: Literal[Kind.VOICE, Kind.VIDEO]


class TargetBody(Request):
    """Whom: exactly one of the three."""

    agent: Id | None = None
    skill: Word | None = None
    queue: Id | None = None

    @model_validator(mode="after")
    def _one(self) -> TargetBody:
        if sum(part is not None for part in (self.agent, self.skill, self.queue)) != 1:
            raise ValueError("give exactly one of agent, skill, queue")
        return self


class GuestBody(Request):
    """A third party."""

    identity: Id
    name: Line = ""
    adult: bool = Field(default=False, description="Else the guest counts as a minor for consent.")


class DropInBody(Request):
    """Who shall join: exactly one of agent, skill, queue, guest."""

    agent: Id | None = None
    skill: Word | None = None
    queue: Id | None = None
    guest: GuestBody | None = None
    mode: Mode = Mode.TALK
    note: Note = ""
    force: bool = Field(default=False, description="A named agent joins at once, without an offer.")

    @model_validator(mode="after")
    def _one(self) -> DropInBody:
        given = (self.agent, self.skill, self.queue, self.guest)
        if sum(part is not None for part in given) != 1:
            raise ValueError("give exactly one of agent, skill, queue, guest")
        if self.force and self.agent is None:
            raise ValueError("force needs a named agent")
        return self


class MuteBody(Request):
    """What shall be silent or dark. Only its owner can turn it on again."""

    source: Literal["microphone", "camera", "screen"] = "microphone"


class ModeBody(Request):
    """How to take part from now on."""

    mode: Mode


class TransferBody(Request):
    """To whom, and how."""

    to: TargetBody
    kind: TransferKind = TransferKind.COLD
    note: Note = ""


class NoteBody(Request):
    """A word about why."""

    note: Note = ""


class MessageBody(Request):
    """Something written."""

    text: Annotated[str, StringConstraints(max_length=4000)] = ""
    files: list[Id] = Field(default_factory=list, max_length=10, description="Ids of uploaded files.")
    staff_only: bool = False

    @model_validator(mode="after")
    def _something(self) -> MessageBody:
        if not self.text and not self.files:
            raise ValueError("give a text or a file")
        return self


class FileQuery(Query):
    """What the file is called."""

    name: Line = "file"


class ConsentBody(Request):
    """What somebody decided about recording."""

    participant: Id
    decision: Decision
    by: ConsentBy = ConsentBy.SELF
    notice_version: Line = Field(min_length=1)


class GuardianLinkBody(Request):
    """For whom a guardian shall decide."""

    participant: Id
    guardian: Line = ""


class WrapupBody(Request):
    """What it was."""

    codes: list[Word] = Field(default_factory=list, max_length=20)
    notes: Text = ""
    resolved: bool = False
    first_diagnosis: Line = ""


class RatingBody(Request):
    """What the student thought of it."""

    stars: int = Field(ge=1, le=5)
    resolved: bool | None = None
    comment: Note = ""


class FollowupBody(Request):
    """When we come back."""

    when: Time
    note: Note = ""


class TicketsQuery(Query):
    """Which tickets."""

    state: TicketState | None = None
    student: Id | None = None
    owner: Id | None = None
    cursor: str | None = Field(default=None, max_length=512)
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAXIMUM_LIMIT)


class LinkBody(Request):
    """A pointer to something elsewhere."""

    kind: Word
    target: Url = Field(min_length=1)


class TicketPatch(Request):
    """What changes. A student may only say whether it is solved."""

    state: TicketState | None = None
    owner: Id | None = None
    link: LinkBody | None = None
    resolved: bool | None = Field(default=None, description="The user's word.")
    comment: Note = ""

    @model_validator(mode="after")
    def _something(self) -> TicketPatch:
        if self.resolved is None and self.state is None and self.owner is None and self.link is None:
            raise ValueError("give state, owner, link or resolved")
        if self.resolved is not None and (self.state or self.owner or self.link):
            raise ValueError("resolved stands alone")
        return self


class TicketMessageBody(Request):
    """What was said elsewhere."""

    author: Line = Field(min_length=1)
    role: Literal["student", "agent", "service", "guest", "guardian"] = "student"
    channel: Word
    time: Time | None = Field(default=None, description="Empty: now.")
    text: Text = ""
    files: list[Id] = Field(default_factory=list, max_length=10)
    staff_only: bool = False

    @model_validator(mode="after")
    def _something(self) -> TicketMessageBody:
        if not self.text and not self.files:
            raise ValueError("give a text or a file")
        return self


class ClassStatsBody(Request):
    """What a student's class client measures."""

    student: Id | None = Field(default=None, description="For services: of whom.")
    class_id: Line | None = None
    at: Time | None = None
    stats: Json


class AgentStateBody(Request):
    """What an agent declares."""

    state: AgentState
    reason: Line = ""


class AgentBody(Request):
    """What an administrator says about an agent."""

    name: Line = ""
    queues: list[Id] = Field(default_factory=list, max_length=100)
    skills: dict[Word, Annotated[int, Field(ge=1, le=5)]] = Field(default_factory=dict, max_length=100)
    languages: list[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]] = Field(
        default_factory=lambda: ["zh"], max_length=20
    )
    max_chats: int = Field(default=3, ge=0, le=50)
    supervisor: bool = False
    routable: bool = True


class DeclineBody(Request):
    """Why not."""

    reason: Line = ""


class HoursBody(Request):
    """Open on these weekdays (Monday is 0), minutes after local midnight."""

    weekdays: list[Annotated[int, Field(ge=0, le=6)]] = Field(min_length=1, max_length=7)
    opens_minute: int = Field(ge=0, le=1440)
    closes_minute: int = Field(ge=0, le=2880, description="Over 1440: the next day.")

    @model_validator(mode="after")
    def _order(self) -> HoursBody:
        if self.closes_minute <= self.opens_minute:
            raise ValueError("closes_minute must come after opens_minute")
        return self


class OverflowBody(Request):
    """After this long, agents of another queue may take the call as well."""

    queue: Id
    after_s: float = Field(ge=0, le=86_400, allow_inf_nan=False)


Duration = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class QueueBody(Request):
    """A queue."""

    name: Line = ""
    topics: list[Word] = Field(default_factory=list, max_length=200)
    skills: list[Skill] = Field(default_factory=list, max_length=20)
    vip_only: bool = False
    hours: list[HoursBody] = Field(default_factory=list, max_length=50, description="Empty: always open.")
    timezone: Line = "Asia/Shanghai"
    closed_days: list[datetime.date] = Field(default_factory=list, max_length=400)
    overflow: list[OverflowBody] = Field(default_factory=list, max_length=10)
    priority_s: Duration = 0.0
    offer_timeout_s: float = Field(default=20.0, ge=1, le=600, allow_inf_nan=False)
    wrapup_s: Duration = 90.0
    dedicated_wait_s: Duration = 15.0
    relax_after_s: Duration | None = 120.0
    language_relax_after_s: Duration | None = 300.0
    routing: Routing = Routing.BUILTIN
    external_deadline_s: float = Field(default=5.0, ge=0.5, le=600, allow_inf_nan=False)
