"""Events of a call that is served: who is in it and how, hold, transfers, raised hands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from signalling.desk.call_event import CallEvent, assignment_in, with_assignment, without_seek
from signalling.desk.event import Scope
from signalling.desk.machines import (
    ASSIGNMENT,
    CALL,
    SUPERVISION,
    TRANSFER,
    AssignmentHappening,
    CallHappening,
    SupervisionHappening,
    SupervisionState,
    TransferHappening,
)
from signalling.desk.model import (
    KEPT_ASSIGNMENTS,
    ActorRole,
    AgentId,
    Assignment,
    AssignmentRole,
    AssignmentState,
    Call,
    CallState,
    Guest,
    JsonObject,
    Kind,
    Mode,
    StudentPresence,
    Transfer,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentStarted(CallEvent):
    """An agent belongs to the call: he accepted, was put in by force, supervises or takes over."""

    TYPE: ClassVar[str] = "assignment.started"
    assignment: Assignment
    note: str = ""

    def evolve(self, call: Call) -> Call:
        """Adds the assignment and closes the seek of its role."""
        state, role = call.state, self.assignment.role
        if role is AssignmentRole.PRIMARY:
            waiting = state in (CallState.QUEUED, CallState.OFFERED)
            state = CALL.apply(state, CallHappening.ACCEPT if waiting else CallHappening.RECONNECT)
        assignments = (*call.assignments, self.assignment)
        surplus = len(assignments) - KEPT_ASSIGNMENTS
        if surplus > 0:
            ended = [a for a in assignments if not a.live]
            dropped = {id(a) for a in ended[:surplus]}
            assignments = tuple(a for a in assignments if id(a) not in dropped)
        return replace(
            call,
            state=state,
            assignments=assignments,
            seeks=without_seek(call, role),
            fence=self.assignment.fence,
            parked=None if role is AssignmentRole.PRIMARY else call.parked,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAccepted(CallEvent):
    """The call has a primary agent; his media is on its way."""

    TYPE: ClassVar[str] = "call.accepted"
    agent: AgentId
    waited_s: float
    """Since the student (last) began to wait."""

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Notes the first time."""
        return call if call.accepted_at is not None else replace(call, accepted_at=self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallConnected(CallEvent):
    """The primary agent is in the room."""

    TYPE: ClassVar[str] = "call.connected"
    agent: AgentId

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Connecting becomes active."""
        return replace(
            call,
            state=CALL.apply(call.state, CallHappening.CONNECT),
            connected_at=call.connected_at or self.at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChanged(CallEvent):
    """An agent in the call has another role: a consult became primary."""

    TYPE: ClassVar[str] = "assignment.role"
    agent: AgentId
    role: AssignmentRole
    mode: Mode = Mode.TALK

    def evolve(self, call: Call) -> Call:
        """Changes the role; the call connects or reconnects with its new primary."""
        before = assignment_in(call, self.agent)
        after = replace(before, role=self.role, mode=self.mode, takes_over=False)
        state = call.state
        if self.role is AssignmentRole.PRIMARY:
            in_room = after.state is AssignmentState.LIVE
            if state is CallState.QUEUED:
                state = CALL.apply(state, CallHappening.ACCEPT)
            if in_room and state is CallState.CONNECTING:
                state = CALL.apply(state, CallHappening.CONNECT)
            elif not in_room and state is not CallState.CONNECTING:
                state = CALL.apply(state, CallHappening.RECONNECT)
        return replace(
            call,
            state=state,
            assignments=with_assignment(call, after),
            seeks=without_seek(call, self.role),
            parked=None if self.role is AssignmentRole.PRIMARY else call.parked,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantEvent(CallEvent):
    """What events about one participant have in common."""

    identity: str
    kind: ActorRole
    """``student``, ``agent``, ``supervisor`` or ``guest``."""
    mode: Mode = Mode.TALK
    told: bool = True
    """Whether the agents of the call may know of a monitor."""

    @property
    def scope(self) -> Scope:
        """Participants learn of those who talk, agents of those who whisper, and of monitors if told."""
        return scope_of(self.mode, self.told)


def scope_of(mode: Mode, told: bool) -> Scope:
    """Who may learn that somebody takes part in this mode."""
    if mode in (Mode.TALK, Mode.BARGE):
        return Scope.PARTICIPANTS
    return Scope.STAFF if told or mode is Mode.WHISPER else Scope.SUPERVISORS


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantJoined(ParticipantEvent):
    """Somebody is in the room (for the first time or again)."""

    TYPE: ClassVar[str] = "participant.joined"

    def evolve(self, call: Call) -> Call:
        """Marks the participant as present."""
        if self.kind is ActorRole.STUDENT:
            return replace(call, presence=StudentPresence.PRESENT, student_until=None)
        if self.kind is ActorRole.GUEST:
            guests = tuple(replace(g, joined=True) if g.identity == self.identity else g for g in call.guests)
            return replace(call, guests=guests)
        before = assignment_in(call, self.identity)
        state = ASSIGNMENT.apply(before.state, AssignmentHappening.JOIN)
        return replace(call, assignments=with_assignment(call, replace(before, state=state, until=None)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantAway(ParticipantEvent):
    """Somebody was cut off and may come back until `until`."""

    TYPE: ClassVar[str] = "participant.away"
    until: datetime | None

    def evolve(self, call: Call) -> Call:
        """Marks the participant as away."""
        if self.kind is ActorRole.STUDENT:
            return replace(call, presence=StudentPresence.AWAY, student_until=self.until)
        if self.kind is ActorRole.GUEST:
            guests = tuple(
                replace(g, joined=False) if g.identity == self.identity else g for g in call.guests
            )
            return replace(call, guests=guests)
        before = assignment_in(call, self.identity)
        state = ASSIGNMENT.apply(before.state, AssignmentHappening.DROP)
        after = replace(before, state=state, until=self.until)
        return replace(call, assignments=with_assignment(call, after))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantLeft(ParticipantEvent):
    """Somebody no longer belongs to the call, which goes on."""

    TYPE: ClassVar[str] = "participant.left"
    reason: str
    """``left``, ``lost``, ``removed``, ``transferred``, ``taken_over``, ``not_connected``."""

    def evolve(self, call: Call) -> Call:
        """Ends the assignment, or forgets the guest."""
        if self.kind is ActorRole.GUEST:
            return replace(call, guests=tuple(g for g in call.guests if g.identity != self.identity))
        before = assignment_in(call, self.identity)
        state = ASSIGNMENT.apply(before.state, AssignmentHappening.END)
        after = replace(before, state=state, until=None, ended_at=self.at)
        hand = None if call.hand_raised_by == self.identity else call.hand_raised_by
        return replace(call, assignments=with_assignment(call, after), hand_raised_by=hand)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeChanged(ParticipantEvent):
    """A guest or a third takes part in another way (supervisors: :class:`SupervisionChanged`)."""

    TYPE: ClassVar[str] = "participant.mode"

    def evolve(self, call: Call) -> Call:
        """Changes the mode."""
        if self.kind is ActorRole.GUEST:
            guests = tuple(
                replace(g, mode=self.mode) if g.identity == self.identity else g for g in call.guests
            )
            return replace(call, guests=guests)
        after = replace(assignment_in(call, self.identity), mode=self.mode)
        return replace(call, assignments=with_assignment(call, after))


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestInvited(CallEvent):
    """A third party got a link."""

    TYPE: ClassVar[str] = "guest.invited"
    guest: Guest

    def evolve(self, call: Call) -> Call:
        """Adds the guest."""
        return replace(call, guests=(*call.guests, self.guest), fence=self.guest.fence)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionChanged(CallEvent):
    """A supervisor came, switched or left. Always written, whoever is told."""

    TYPE: ClassVar[str] = "supervision.changed"
    supervisor: AgentId
    before: SupervisionState
    after: SupervisionState
    told: bool
    """Whether the agents of the call are told."""

    @property
    def scope(self) -> Scope:
        """Never the student: he meets who barges or talks as a new participant of the room."""
        return Scope.STAFF if self.told else Scope.SUPERVISORS

    def evolve(self, call: Call) -> Call:
        """Changes the mode of the supervisor's assignment."""
        after = SUPERVISION.apply(
            self.before,
            SupervisionHappening.LEAVE
            if self.after is SupervisionState.ABSENT
            else SupervisionHappening(self.after.value),
        )
        assignment = call.assignment_of(self.supervisor)
        if assignment is None or after is SupervisionState.ABSENT:
            return call
        return replace(call, assignments=with_assignment(call, replace(assignment, mode=Mode(after.value))))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHeld(CallEvent):
    """The student hears music; nobody hears him."""

    TYPE: ClassVar[str] = "call.held"

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Active becomes held."""
        return replace(call, state=CALL.apply(call.state, CallHappening.HOLD))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResumed(CallEvent):
    """The student is back in the talk."""

    TYPE: ClassVar[str] = "call.resumed"

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Held becomes active."""
        return replace(call, state=CALL.apply(call.state, CallHappening.RESUME))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDescribed(CallEvent):
    """The student said more about the trouble: all answers, and the note, as they are now."""

    TYPE: ClassVar[str] = "call.described"
    answers: JsonObject
    note: str

    def evolve(self, call: Call) -> Call:
        """Changes what agents read before they accept."""
        return replace(call, note=self.note, context=replace(call.context, answers=self.answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUpgraded(CallEvent):
    """A chat became a voice or video call, or voice became video."""

    TYPE: ClassVar[str] = "call.upgraded"
    before: Kind
    after: Kind

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Changes the kind; from now on the student is expected in the room."""
        presence = call.presence
        if presence is StudentPresence.NONE:
            presence = StudentPresence.EXPECTED
        return replace(call, kind=self.after, presence=presence)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferStarted(CallEvent):
    """A transfer began. Cold: the first agent has left and ``call.queued`` follows."""

    TYPE: ClassVar[str] = "transfer.started"
    transfer: Transfer

    def evolve(self, call: Call) -> Call:
        """Sets the transfer."""
        return replace(call, transfer=self.transfer)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferStep(CallEvent):
    """What the steps of a transfer have in common."""

    HAPPENING: ClassVar[TransferHappening]
    agent: AgentId | None = None
    """The target, once somebody accepted."""
    reason: str = ""

    def evolve(self, call: Call) -> Call:
        """Moves the transfer on."""
        if call.transfer is None:
            raise LookupError(f"{call.id} has no transfer")
        state = TRANSFER.apply(call.transfer.state, self.HAPPENING)
        ended = self.at if self.HAPPENING in _TRANSFER_ENDS else None
        agent = self.agent or call.transfer.agent
        return replace(call, transfer=replace(call.transfer, state=state, agent=agent, ended_at=ended))


_TRANSFER_ENDS = (TransferHappening.COMPLETE, TransferHappening.CANCEL, TransferHappening.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferAccepted(TransferStep):
    """The target of a warm transfer said yes and is on his way."""

    TYPE: ClassVar[str] = "transfer.accepted"
    HAPPENING: ClassVar[TransferHappening] = TransferHappening.ACCEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferConsulting(TransferStep):
    """The agents talk; the student hears music."""

    TYPE: ClassVar[str] = "transfer.consulting"
    HAPPENING: ClassVar[TransferHappening] = TransferHappening.JOIN

    @property
    def scope(self) -> Scope:
        """Participants as well: somebody is being asked to help."""
        return Scope.PARTICIPANTS


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCompleted(TransferStep):
    """The target is responsible for the student now."""

    TYPE: ClassVar[str] = "transfer.completed"
    HAPPENING: ClassVar[TransferHappening] = TransferHappening.COMPLETE

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCancelled(TransferStep):
    """Called off; the first agent goes on (or the call ended)."""

    TYPE: ClassVar[str] = "transfer.cancelled"
    HAPPENING: ClassVar[TransferHappening] = TransferHappening.CANCEL

    @property
    def scope(self) -> Scope:
        """Participants as well: the music ends."""
        return Scope.PARTICIPANTS


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFailed(TransferStep):
    """Nobody came; the first agent goes on, or the call waits in its queue."""

    TYPE: ClassVar[str] = "transfer.failed"
    HAPPENING: ClassVar[TransferHappening] = TransferHappening.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class HandRaised(CallEvent):
    """An agent asks for a supervisor."""

    TYPE: ClassVar[str] = "hand.raised"
    agent: AgentId
    note: str = ""

    def evolve(self, call: Call) -> Call:
        """Remembers whose hand is up."""
        return replace(call, hand_raised_by=self.agent)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandLowered(CallEvent):
    """A supervisor came, or the agent no longer needs one."""

    TYPE: ClassVar[str] = "hand.lowered"
    agent: AgentId

    def evolve(self, call: Call) -> Call:
        """Forgets it."""
        return replace(call, hand_raised_by=None)
