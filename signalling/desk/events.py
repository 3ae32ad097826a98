"""What happened: every change of an aggregate, and nothing else, is one of these.

An event belongs to the stream of exactly one aggregate (``STREAM`` and ``stream_id``) and carries that
stream's next sequence number, so a stream is gap-free and `(stream_id, seq)` is unique: of two writers only
one can succeed.
``evolve`` gives the aggregate after the event; :meth:`state.Desk.apply` calls it and sets the version.

In JSON: ``{"type", "v", "stream_id", "seq", "at", "by", "data"}``. The types are those of the public event
list where one exists. A later version of a type must still read the earlier data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from signalling.desk import codec
from signalling.desk.machines import (
    ASSIGNMENT,
    CALL,
    OFFER,
    SUPERVISION,
    TRANSFER,
    AssignmentHappening,
    CallHappening,
    OfferHappening,
    SupervisionHappening,
    SupervisionState,
    TransferHappening,
)
from signalling.desk.model import (
    KEPT_ASSIGNMENTS,
    KEPT_OFFERS,
    SERVED_CALL_STATES,
    Activity,
    Actor,
    ActorRole,
    Agent,
    AgentId,
    AgentProfile,
    AgentState,
    Assignment,
    AssignmentRole,
    AssignmentState,
    Call,
    CallId,
    CallState,
    ClosedReason,
    Consent,
    Due,
    Engagement,
    FileRef,
    Guest,
    JsonObject,
    Kind,
    Link,
    MessageId,
    Mode,
    Offer,
    OfferId,
    OfferState,
    Parked,
    ParkReason,
    QueueConfig,
    QueueId,
    Rating,
    Refused,
    Seek,
    StudentPresence,
    Ticket,
    TicketState,
    Transfer,
    Wrapup,
)


class Stream(StrEnum):
    """Which kind of aggregate an event belongs to."""

    CALL = "call"
    AGENT = "agent"
    TICKET = "ticket"
    QUEUE = "queue"


class Scope(StrEnum):
    """Who may learn of an event, beside what the roles' own filters say."""

    PARTICIPANTS = "participants"
    """Student and guests as well."""
    STAFF = "staff"
    """Agents of the call, supervisors, services."""
    SUPERVISORS = "supervisors"
    """Not even the agents of the call (a silent monitor)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have."""

    TYPE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1
    STREAM: ClassVar[Stream]

    stream_id: str
    seq: int
    at: datetime
    by: Actor

    @property
    def scope(self) -> Scope:
        """Who may learn of it."""
        return Scope.STAFF

    def data(self) -> dict[str, Any]:
        """The JSON data without the envelope."""
        return {
            name: codec.dump(getattr(self, name))
            for name in codec.field_names(self.__class__)
            if name not in _ENVELOPE
        }

    def public_data(self) -> dict[str, Any]:
        """The data without what is for staff only; for events of scope ``participants``."""
        return self.data()

    def to_json(self) -> dict[str, Any]:
        """The whole event as a JSON object."""
        return {
            "type": self.TYPE,
            "v": self.VERSION,
            "stream_id": self.stream_id,
            "seq": self.seq,
            "at": self.at.isoformat(),
            "by": codec.dump(self.by),
            "data": self.data(),
        }


_ENVELOPE = frozenset({"stream_id", "seq", "at", "by"})


def from_json(value: Mapping[str, Any]) -> Event:
    """The inverse of :meth:`Event.to_json`.

    :raises ValueError: unknown type, or a field that does not fit.
    """
    try:
        kind = EVENT_TYPES[value["type"]]
        flat = {**value["data"], **{name: value[name] for name in _ENVELOPE}}
    except KeyError as error:
        raise ValueError(f"event: unknown type or missing field {error}") from error
    return codec.load(kind, flat)


# --- calls ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent(Event):
    """An event of a call."""

    STREAM: ClassVar[Stream] = Stream.CALL

    @property
    def call(self) -> CallId:
        """The call it belongs to."""
        return CallId(self.stream_id)

    def evolve(self, call: Call) -> Call:
        """The call after this event.

        :raises IllegalTransition: the call's state does not allow it.
        """
        return call


def _without_seek(call: Call, role: AssignmentRole) -> tuple[Seek, ...]:
    return tuple(s for s in call.seeks if s.role is not role)


def _with_assignment(call: Call, changed: Assignment) -> tuple[Assignment, ...]:
    return tuple(changed if a.live and a.agent == changed.agent else a for a in call.assignments)


def _assignment(call: Call, agent: str) -> Assignment:
    assignment = call.assignment_of(agent)
    if assignment is None:
        raise LookupError(f"{agent} is not assigned to {call.id}")
    return assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOpened(CallEvent):
    """A student asked for help. First event of a call; it has no place in the queue yet."""

    TYPE: ClassVar[str] = "call.opened"
    opened: Call

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def public_data(self) -> dict[str, Any]:
        """Without profile and context."""
        call = self.opened
        return {
            "ticket": call.ticket,
            "kind": call.kind.value,
            "queue": call.queue,
            "topic": call.topic,
            "severity": call.severity.value,
            "callback": call.callback,
        }


class QueuedReason(StrEnum):
    """Why a call entered the queue."""

    NEW = "new"
    AGENT_LOST = "agent_lost"
    TRANSFER = "transfer"
    CALLBACK = "callback"
    OVERFLOW = "overflow"
    """Its queue has closed, another one is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQueued(CallEvent):
    """The call waits for an agent (again)."""

    TYPE: ClassVar[str] = "call.queued"
    seek: Seek
    queue: QueueId
    reason: QueuedReason

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def public_data(self) -> dict[str, Any]:
        """Without the notes of a transfer."""
        return {"queue": self.queue, "reason": self.reason.value, "since": self.seek.since.isoformat()}

    def evolve(self, call: Call) -> Call:
        """Adds the primary seek."""
        state = call.state
        if state in SERVED_CALL_STATES:
            state = CALL.apply(state, CallHappening.REQUEUE)
        seeks = (*_without_seek(call, AssignmentRole.PRIMARY), self.seek)
        return replace(call, state=state, seeks=seeks, queue=self.queue, hand_raised_by=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallParked(CallEvent):
    """The call keeps its place but is not given to an agent for now."""

    TYPE: ClassVar[str] = "call.parked"
    parked: Parked

    def evolve(self, call: Call) -> Call:
        """Sets `parked`."""
        return replace(call, parked=self.parked)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUnparked(CallEvent):
    """From now on the built-in routing looks for an agent."""

    TYPE: ClassVar[str] = "call.unparked"
    reason: str
    """``human`` (the student asked for one), ``deadline`` or ``answered``."""

    def evolve(self, call: Call) -> Call:
        """Clears `parked`."""
        return replace(call, parked=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRequested(CallEvent):
    """An outside routing layer has until `until` to name an agent."""

    TYPE: ClassVar[str] = "routing.requested"
    until: datetime
    queue: str

    def evolve(self, call: Call) -> Call:
        """Parks the call."""
        return replace(call, parked=Parked(ParkReason.EXTERNAL, self.until), external_until=self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeekStarted(CallEvent):
    """A further agent is sought by skill or queue."""

    TYPE: ClassVar[str] = "seek.started"
    seek: Seek

    def evolve(self, call: Call) -> Call:
        """Adds the seek."""
        return replace(call, seeks=(*_without_seek(call, self.seek.role), self.seek))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeekEnded(CallEvent):
    """A further agent is no longer sought."""

    TYPE: ClassVar[str] = "seek.ended"
    role: AssignmentRole
    reason: str

    def evolve(self, call: Call) -> Call:
        """Removes the seek."""
        return replace(call, seeks=_without_seek(call, self.role))


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferCreated(CallEvent):
    """One agent is asked."""

    TYPE: ClassVar[str] = "offer.created"
    offer: Offer

    def evolve(self, call: Call) -> Call:
        """Adds the offer."""
        state = call.state
        if self.offer.role is AssignmentRole.PRIMARY:
            state = CALL.apply(state, CallHappening.OFFER)
        return replace(call, state=state, offers=(*call.offers, self.offer), fence=self.offer.fence)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferEnded(CallEvent):
    """What the ends of offers have in common."""

    HAPPENING: ClassVar[OfferHappening]
    offer: OfferId
    agent: AgentId
    role: AssignmentRole

    def evolve(self, call: Call) -> Call:
        """Ends the offer; a primary offer that is not accepted returns the call to its old place."""
        state = call.state
        if self.role is AssignmentRole.PRIMARY and self.HAPPENING is not OfferHappening.ACCEPT:
            state = CALL.apply(state, CallHappening.UNOFFER)
        offers = tuple(
            replace(o, state=OFFER.apply(o.state, self.HAPPENING), ended_at=self.at)
            if o.id == self.offer
            else o
            for o in call.offers
        )
        surplus = len(offers) - KEPT_OFFERS
        if surplus > 0:
            ended = [o for o in offers if o.state is not OfferState.PENDING]
            dropped = {o.id for o in ended[:surplus]}
            offers = tuple(o for o in offers if o.id not in dropped)
        return replace(call, state=state, offers=offers)


def _refused(call: Call, agent: AgentId, until: datetime, now: datetime) -> tuple[Refused, ...]:
    still = [r for r in call.refused_by if r.agent != agent and r.until > now]
    return (*still, Refused(agent, until))


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAccepted(OfferEnded):
    """The agent said yes in time; his assignment follows."""

    TYPE: ClassVar[str] = "offer.accepted"
    HAPPENING: ClassVar[OfferHappening] = OfferHappening.ACCEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDeclined(OfferEnded):
    """The agent said no."""

    TYPE: ClassVar[str] = "offer.declined"
    HAPPENING: ClassVar[OfferHappening] = OfferHappening.DECLINE
    reason: str
    until: datetime
    """He is not asked about this call again before."""

    def evolve(self, call: Call) -> Call:
        """Remembers who refused."""
        after = OfferEnded.evolve(self, call)
        return replace(after, refused_by=_refused(after, self.agent, self.until, self.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferExpired(OfferEnded):
    """The deadline passed."""

    TYPE: ClassVar[str] = "offer.expired"
    HAPPENING: ClassVar[OfferHappening] = OfferHappening.EXPIRE
    until: datetime

    def evolve(self, call: Call) -> Call:
        """Remembers who missed it."""
        after = OfferEnded.evolve(self, call)
        return replace(after, refused_by=_refused(after, self.agent, self.until, self.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferWithdrawn(OfferEnded):
    """The offer lost its reason: the call ended, the agent vanished, somebody else took the place."""

    TYPE: ClassVar[str] = "offer.withdrawn"
    HAPPENING: ClassVar[OfferHappening] = OfferHappening.WITHDRAW
    reason: str


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
            seeks=_without_seek(call, role),
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
        before = _assignment(call, self.agent)
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
            assignments=_with_assignment(call, after),
            seeks=_without_seek(call, self.role),
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
        before = _assignment(call, self.identity)
        state = ASSIGNMENT.apply(before.state, AssignmentHappening.JOIN)
        return replace(call, assignments=_with_assignment(call, replace(before, state=state, until=None)))


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
        before = _assignment(call, self.identity)
        state = ASSIGNMENT.apply(before.state, AssignmentHappening.DROP)
        after = replace(before, state=state, until=self.until)
        return replace(call, assignments=_with_assignment(call, after))


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
        before = _assignment(call, self.identity)
        state = ASSIGNMENT.apply(before.state, AssignmentHappening.END)
        after = replace(before, state=state, until=None, ended_at=self.at)
        hand = None if call.hand_raised_by == self.identity else call.hand_raised_by
        return replace(call, assignments=_with_assignment(call, after), hand_raised_by=hand)


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
        after = replace(_assignment(call, self.identity), mode=self.mode)
        return replace(call, assignments=_with_assignment(call, after))


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
        return replace(call, assignments=_with_assignment(call, replace(assignment, mode=Mode(after.value))))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChanged(CallEvent):
    """A participant (or guardian) decided."""

    TYPE: ClassVar[str] = "consent.changed"
    consent: Consent

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Replaces the participant's last word."""
        new = self.consent
        others = tuple(
            c for c in call.consents if (c.participant, c.purpose) != (new.participant, new.purpose)
        )
        return replace(call, consents=(*others, new))


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCreated(CallEvent):
    """Somebody wrote in the call's chat."""

    TYPE: ClassVar[str] = "message.created"
    message: MessageId
    author: str
    author_role: ActorRole
    text: str
    files: tuple[FileRef, ...] = ()
    staff_only: bool = False
    """A note among staff."""

    @property
    def scope(self) -> Scope:
        """Participants, unless it is a note among staff."""
        return Scope.STAFF if self.staff_only else Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Counts it; the text lives in the event."""
        return replace(call, messages=call.messages + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummoned(CallEvent):
    """A call-back has its agent: the student is rung until `until`."""

    TYPE: ClassVar[str] = "call.summoned"
    until: datetime

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """The student is expected."""
        return replace(call, summoned=True, presence=StudentPresence.EXPECTED, student_until=self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(CallEvent):
    """The student's part is over; everybody leaves. If an agent wraps up, ``call.closed`` follows."""

    TYPE: ClassVar[str] = "call.ended"
    reason: ClosedReason
    wrapping: AgentId | None = None
    talked_s: float = 0.0

    @property
    def scope(self) -> Scope:
        """Participants as well."""
        return Scope.PARTICIPANTS

    def evolve(self, call: Call) -> Call:
        """Ends every assignment, guest and seek. Offers and a transfer were ended by earlier events."""
        happening = CallHappening.WRAP if self.wrapping is not None else CallHappening.CLOSE
        assignments = tuple(
            replace(
                a,
                state=ASSIGNMENT.apply(a.state, AssignmentHappening.END),
                until=None,
                ended_at=self.at,
            )
            if a.live
            else a
            for a in call.assignments
        )
        return replace(
            call,
            state=CALL.apply(call.state, happening),
            closed_reason=self.reason,
            assignments=assignments,
            guests=(),
            seeks=(),
            parked=None,
            student_until=None,
            hand_raised_by=None,
            ended_at=self.at,
            closed_at=self.at if self.wrapping is None else None,
            wrapping_agent=self.wrapping,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallClosed(CallEvent):
    """Wrap-up is over."""

    TYPE: ClassVar[str] = "call.closed"
    reason: str
    """``wrapped_up``, ``timeout`` or ``agent_lost``."""

    def evolve(self, call: Call) -> Call:
        """Wrapping becomes closed."""
        return replace(
            call,
            state=CALL.apply(call.state, CallHappening.CLOSE),
            closed_at=self.at,
            wrapping_agent=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapupCreated(CallEvent):
    """The agent noted what it was."""

    TYPE: ClassVar[str] = "wrapup.created"
    wrapup: Wrapup

    def evolve(self, call: Call) -> Call:
        """Keeps the last wrap-up."""
        return replace(call, wrapup=self.wrapup)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingCreated(CallEvent):
    """The student rated."""

    TYPE: ClassVar[str] = "rating.created"
    rating: Rating

    def evolve(self, call: Call) -> Call:
        """Keeps the rating."""
        return replace(call, rating=self.rating)


# --- agents -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent(Event):
    """An event of an agent."""

    STREAM: ClassVar[Stream] = Stream.AGENT

    @property
    def agent(self) -> AgentId:
        """The agent it belongs to."""
        return AgentId(self.stream_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfigured(AgentEvent):
    """An administrator set an agent's profile; the first one creates the agent."""

    TYPE: ClassVar[str] = "agent.configured"
    profile: AgentProfile

    def evolve(self, agent: Agent | None) -> Agent:
        """Sets the profile."""
        return Agent(self.profile) if agent is None else replace(agent, profile=self.profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentChanged(AgentEvent):
    """An agent's declared state or engagements changed; carries all of both."""

    TYPE: ClassVar[str] = "agent.state"
    state: AgentState
    reason: str
    engagements: tuple[Engagement, ...]
    idle_since: datetime
    missed: int
    activity: Activity

    def evolve(self, agent: Agent) -> Agent:
        """Takes it over."""
        return replace(
            agent,
            state=self.state,
            reason=self.reason,
            engagements=self.engagements,
            idle_since=self.idle_since,
            missed=self.missed,
        )


# --- tickets ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketEvent(Event):
    """An event of a ticket."""

    STREAM: ClassVar[Stream] = Stream.TICKET

    @property
    def ticket(self) -> str:
        """The ticket it belongs to."""
        return self.stream_id

    @property
    def scope(self) -> Scope:
        """The student may follow his own case."""
        return Scope.PARTICIPANTS

    def evolve(self, ticket: Ticket) -> Ticket:
        """The ticket after this event."""
        return ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketOpened(TicketEvent):
    """A new case."""

    TYPE: ClassVar[str] = "ticket.opened"
    opened: Ticket

    def public_data(self) -> dict[str, Any]:
        """Without the profile."""
        ticket = self.opened
        return {"number": ticket.number, "topic": ticket.topic, "severity": ticket.severity.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketCall(TicketEvent):
    """A call belongs to this case."""

    TYPE: ClassVar[str] = "ticket.call"
    call: CallId

    def evolve(self, ticket: Ticket) -> Ticket:
        """Appends the call."""
        return replace(ticket, calls=(*ticket.calls, self.call))


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketChanged(TicketEvent):
    """The case stands elsewhere, or somebody else owns it."""

    TYPE: ClassVar[str] = "ticket.state"
    before: TicketState
    after: TicketState
    owner: AgentId | None
    reason: str = ""

    def evolve(self, ticket: Ticket) -> Ticket:
        """Sets state and owner."""
        solved_at = self.at if self.after is TicketState.SOLVED else ticket.solved_at
        return replace(ticket, state=self.after, owner=self.owner, solved_at=solved_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketMessage(TicketEvent):
    """What was said outside a call: by WeChat, phone, mail, a bot, or as a note."""

    TYPE: ClassVar[str] = "ticket.message"
    message: MessageId
    author: str
    author_role: ActorRole
    channel: str
    said_at: datetime
    text: str
    files: tuple[FileRef, ...] = ()
    staff_only: bool = False

    @property
    def scope(self) -> Scope:
        """Participants, unless it is a note among staff."""
        return Scope.STAFF if self.staff_only else Scope.PARTICIPANTS

    def evolve(self, ticket: Ticket) -> Ticket:
        """Counts it; the text lives in the event."""
        return replace(ticket, messages=ticket.messages + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketScheduled(TicketEvent):
    """A call-back or follow-up was promised."""

    TYPE: ClassVar[str] = "ticket.scheduled"
    due: Due

    def public_data(self) -> dict[str, Any]:
        """Without the note."""
        return {"kind": self.due.kind.value, "due_at": self.due.at.isoformat()}

    def evolve(self, ticket: Ticket) -> Ticket:
        """Adds it."""
        return replace(ticket, dues=(*(d for d in ticket.dues if d.id != self.due.id), self.due))


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketUnscheduled(TicketEvent):
    """A promise lost its reason: the student called himself, the case is confirmed."""

    TYPE: ClassVar[str] = "ticket.unscheduled"
    due: Due
    reason: str

    def public_data(self) -> dict[str, Any]:
        """Without the note."""
        return {"kind": self.due.kind.value, "reason": self.reason}

    def evolve(self, ticket: Ticket) -> Ticket:
        """Removes it."""
        return replace(ticket, dues=tuple(d for d in ticket.dues if d.id != self.due.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDue(TicketEvent):
    """The time of a promise has come."""

    TYPE: ClassVar[str] = "ticket.due"
    due: Due

    @property
    def scope(self) -> Scope:
        """For staff; the student learns of a call-back by ``call.summoned``."""
        return Scope.STAFF

    def evolve(self, ticket: Ticket) -> Ticket:
        """Removes it."""
        return replace(ticket, dues=tuple(d for d in ticket.dues if d.id != self.due.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLinked(TicketEvent):
    """The case points to something elsewhere."""

    TYPE: ClassVar[str] = "ticket.linked"
    link: Link

    @property
    def scope(self) -> Scope:
        """For staff."""
        return Scope.STAFF

    def evolve(self, ticket: Ticket) -> Ticket:
        """Adds the link once."""
        return ticket if self.link in ticket.links else replace(ticket, links=(*ticket.links, self.link))


# --- queues -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChanged(Event):
    """An administrator set a queue."""

    TYPE: ClassVar[str] = "queue.changed"
    STREAM: ClassVar[Stream] = Stream.QUEUE
    config: QueueConfig

    @property
    def queue(self) -> str:
        """The queue it belongs to."""
        return self.stream_id


EVENT_TYPES: Mapping[str, type[Event]] = {
    kind.TYPE: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Event) and kind.TYPE
}
"""Event classes by type name."""
