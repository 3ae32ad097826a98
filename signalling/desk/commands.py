"""What may be asked of the desk. A command carries who asks; new identifiers are made by whoever builds it.

In JSON: ``{"type", "by", "data"}``, so that a command can be logged, queued or sent to another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from signalling.desk import codec
from signalling.desk.model import (
    Actor,
    AgentId,
    AgentProfile,
    AgentState,
    AssignmentRole,
    CallContext,
    CallId,
    ClosedReason,
    ConsentBy,
    Decision,
    FileRef,
    JsonObject,
    Kind,
    Link,
    Mode,
    OfferId,
    Purpose,
    QueueConfig,
    QueueId,
    Severity,
    SkillNeed,
    StudentProfile,
    Subject,
    Target,
    TicketId,
    TicketState,
    TransferKind,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What all commands have."""

    TYPE: ClassVar[str] = ""
    by: Actor

    def to_json(self) -> dict[str, Any]:
        """The command as a JSON object."""
        names = codec.field_names(self.__class__)
        data = {name: codec.dump(getattr(self, name)) for name in names if name != "by"}
        return {"type": self.TYPE, "by": codec.dump(self.by), "data": data}


def from_json(value: Mapping[str, Any]) -> Command:
    """The inverse of :meth:`Command.to_json`.

    :raises ValueError: unknown type, or a field that does not fit.
    """
    try:
        kind = COMMAND_TYPES[value["type"]]
        flat = {**value["data"], "by": value["by"]}
    except KeyError as error:
        raise ValueError(f"command: unknown type or missing field {error}") from error
    return codec.load(kind, flat)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCommand(Command):
    """A command about one call."""

    call: CallId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall(Command):
    """Ask for help. If the student has an open call: no events, see :meth:`Desk.answer_of`."""

    TYPE: ClassVar[str] = "open_call"
    call: CallId
    """A fresh identifier (UUIDv7); used only if a call is made."""
    ticket: TicketId
    """A fresh identifier; used only if a ticket is opened."""
    student: StudentProfile
    kind: Kind
    topic: str = "general"
    severity: Severity = Severity.GENERAL
    note: str = ""
    subject: Subject = field(default_factory=Subject)
    context: CallContext = field(default_factory=CallContext)
    channel: str = "web"
    queue: QueueId | None = None
    skills: tuple[SkillNeed, ...] = ()
    wanted_agent: AgentId | None = None
    room: str | None = None
    """An existing room to attach to; default: the call's identifier."""
    bot: bool = False
    """A bot talks first; the words for "human" or :class:`RequestHuman` put the call into the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelCall(CallCommand):
    """The student no longer wants help (once an agent has the call: like :class:`EndCall`)."""

    TYPE: ClassVar[str] = "cancel_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCall(CallCommand):
    """Hang up for everybody. The primary agent wraps up."""

    TYPE: ClassVar[str] = "end_call"
    reason: ClosedReason = ClosedReason.COMPLETED


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldCall(CallCommand):
    """The student hears music."""

    TYPE: ClassVar[str] = "hold_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCall(CallCommand):
    """The student comes back into the talk."""

    TYPE: ClassVar[str] = "resume_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCallback(CallCommand):
    """End the call and call the student at `when` (default: as soon as the queue is open)."""

    TYPE: ClassVar[str] = "request_callback"
    when: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHuman(CallCommand):
    """A call that a bot handles goes into the queue at once."""

    TYPE: ClassVar[str] = "request_human"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeCall(CallCommand):
    """Make a chat a voice or video call, or voice video."""

    TYPE: ClassVar[str] = "upgrade_call"
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeOffer(CallCommand):
    """The matcher asks an agent. Refused with ``conflict`` if the match no longer holds."""

    TYPE: ClassVar[str] = "make_offer"
    agent: AgentId
    role: AssignmentRole = AssignmentRole.PRIMARY


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptOffer(CallCommand):
    """The agent says yes. Late: ``offer_expired`` or ``offer_withdrawn``; a second time: no events."""

    TYPE: ClassVar[str] = "accept_offer"
    offer: OfferId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineOffer(CallCommand):
    """The agent says no."""

    TYPE: ClassVar[str] = "decline_offer"
    offer: OfferId
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIn(CallCommand):
    """Put an agent (named, or by skill or queue) into a call, or a supervisor himself.

    While the call has no agent, a talker becomes its primary: this is how outside routing answers.
    """

    TYPE: ClassVar[str] = "drop_in"
    target: Target
    mode: Mode = Mode.TALK
    force: bool = False
    """A named agent joins at once, without an offer."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteGuest(CallCommand):
    """Let a third party in by link."""

    TYPE: ClassVar[str] = "invite_guest"
    identity: str
    name: str = ""
    mode: Mode = Mode.TALK
    adult: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeMode(CallCommand):
    """Switch somebody between talk, monitor, whisper and barge."""

    TYPE: ClassVar[str] = "change_mode"
    identity: str
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveParticipant(CallCommand):
    """Take a third, a consult, a supervisor or a guest out of the call, or withdraw his offer."""

    TYPE: ClassVar[str] = "remove_participant"
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTransfer(CallCommand):
    """Hand the call on."""

    TYPE: ClassVar[str] = "start_transfer"
    target: Target
    kind: TransferKind
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTransfer(CallCommand):
    """Warm: the consulted agent gets the student."""

    TYPE: ClassVar[str] = "complete_transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTransfer(CallCommand):
    """Warm: the student comes back to the first agent."""

    TYPE: ClassVar[str] = "cancel_transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver(CallCommand):
    """The acting supervisor becomes primary; the agent leaves and wraps up.

    If the supervisor is not in the room yet, the switch happens when he is: no silence for the student.
    """

    TYPE: ClassVar[str] = "take_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseHand(CallCommand):
    """The agent asks for a supervisor."""

    TYPE: ClassVar[str] = "raise_hand"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerHand(CallCommand):
    """No longer needed."""

    TYPE: ClassVar[str] = "lower_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportJoined(CallCommand):
    """The media side: somebody is in the room. `fence` as in his token; an outdated one: ``stale_token``."""

    TYPE: ClassVar[str] = "report_joined"
    identity: str
    fence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLeft(CallCommand):
    """The media side: somebody's connection ended."""

    TYPE: ClassVar[str] = "report_left"
    identity: str
    fence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMessage(CallCommand):
    """Write in the call's chat."""

    TYPE: ClassVar[str] = "post_message"
    text: str
    files: tuple[FileRef, ...] = ()
    staff_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeCall(CallCommand):
    """Say more about the trouble while waiting or talking: answers are added, a note replaces the old one."""

    TYPE: ClassVar[str] = "describe_call"
    answers: JsonObject = field(default_factory=dict)
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveConsent(CallCommand):
    """Decide for a participant about a purpose."""

    TYPE: ClassVar[str] = "give_consent"
    participant: str
    decision: Decision
    consent_by: ConsentBy
    notice_version: str
    purpose: Purpose = Purpose.RECORDING


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapUp(CallCommand):
    """The agent notes what it was and is free again."""

    TYPE: ClassVar[str] = "wrap_up"
    codes: tuple[str, ...] = ()
    notes: str = ""
    resolved: bool = False
    first_diagnosis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCall(CallCommand):
    """The student rates, once."""

    TYPE: ClassVar[str] = "rate_call"
    stars: int
    resolved: bool | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFollowUp(CallCommand):
    """Promise to come back to the student."""

    TYPE: ClassVar[str] = "schedule_follow_up"
    when: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDue(CallCommand):
    """Carry out what is due at a call (:meth:`Call.next_due`); nothing due: no events."""

    TYPE: ClassVar[str] = "call_due"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCommand(Command):
    """A command about one agent."""

    agent: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAgentState(AgentCommand):
    """Declare oneself available, away, busy or offline. Calls go on; a ringing offer is declined."""

    TYPE: ClassVar[str] = "set_agent_state"
    state: AgentState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLost(AgentCommand):
    """His presence lease ran out: all his calls are looked after."""

    TYPE: ClassVar[str] = "agent_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDue(AgentCommand):
    """Carry out what is due at an agent (the end of wrap-up); nothing due: no events."""

    TYPE: ClassVar[str] = "agent_due"


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAgent(Command):
    """Create or change an agent's profile."""

    TYPE: ClassVar[str] = "put_agent"
    profile: AgentProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class PutQueue(Command):
    """Create or change a queue."""

    TYPE: ClassVar[str] = "put_queue"
    config: QueueConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketCommand(Command):
    """A command about one ticket."""

    ticket: TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendMessage(TicketCommand):
    """A connector appends what was said elsewhere. The user's words for "human" open a chat call at once."""

    TYPE: ClassVar[str] = "append_message"
    author: str
    author_role: str
    """An :class:`ActorRole` value; ``student`` for the user, whatever the channel."""
    channel: str
    said_at: datetime
    text: str
    files: tuple[FileRef, ...] = ()
    staff_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTicket(TicketCommand):
    """Set the state or the owner, or add a link."""

    TYPE: ClassVar[str] = "update_ticket"
    state: TicketState | None = None
    owner: AgentId | None = None
    link: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmTicket(TicketCommand):
    """The user says whether it is solved."""

    TYPE: ClassVar[str] = "confirm_ticket"
    resolved: bool
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDue(TicketCommand):
    """Carry out what is due at a ticket (:meth:`Ticket.next_due`): a call-back becomes a queued call."""

    TYPE: ClassVar[str] = "ticket_due"


COMMAND_TYPES: Mapping[str, type[Command]] = {
    kind.TYPE: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Command) and kind.TYPE
}
"""Command classes by type name."""
