"""Events of a call that waits: opened, queued, parked, seeks and offers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from signalling.desk.call_event import CallEvent, without_seek
from signalling.desk.event import Scope
from signalling.desk.machines import (
    CALL,
    OFFER,
    CallHappening,
    OfferHappening,
)
from signalling.desk.model import (
    KEPT_OFFERS,
    SERVED_CALL_STATES,
    AgentId,
    AssignmentRole,
    Call,
    Offer,
    OfferId,
    OfferState,
    Parked,
    ParkReason,
    QueueId,
    Refused,
    Seek,
)


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
        seeks = (*without_seek(call, AssignmentRole.PRIMARY), self.seek)
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
        return replace(call, seeks=(*without_seek(call, self.seek.role), self.seek))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeekEnded(CallEvent):
    """A further agent is no longer sought."""

    TYPE: ClassVar[str] = "seek.ended"
    role: AssignmentRole
    reason: str

    def evolve(self, call: Call) -> Call:
        """Removes the seek."""
        return replace(call, seeks=without_seek(call, self.role))


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
