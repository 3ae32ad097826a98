"""Events as each role may see them.

Supervisors see everything; services all but what is for supervisors only; agents what happens in their calls;
students and guests what concerns them, in a form made for them. A row here is the only way out: an event type
without a row for students does not reach them.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from signalling.api.roles import Actor, Role
from signalling.desk import events as e
from signalling.desk.events import Scope
from signalling.desk.model import ActorRole, AgentId, AssignmentRole
from signalling.service.lookups import Lookups
from signalling.store.relay import StoredEvent

REMEMBERED_CALLS: Final = 20_000
"""Calls whose people are remembered."""

REMEMBERED_TEXTS: Final = 1024
"""Texts kept for listeners that come to the same event a little later."""

REVIEWED: Final = frozenset({"call.ended", "call.closed", "rating.created", "wrapup.created"})
"""What reviewers follow."""

_LOUD = frozenset({"talk", "barge"})

Json = dict[str, Any]


@dataclass(slots=True)
class CallPeople:
    """Who has to do with a call, as its events say."""

    student: str
    agents: set[str] = field(default_factory=set)


class People:
    """Who belongs to which call; learnt from the feed, read from the store where that began later."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._calls: OrderedDict[str, CallPeople] = OrderedDict()

    def learn(self, stored: StoredEvent) -> None:
        """Take note of an event; called for every one, in order."""
        if stored.call_id is None:
            return
        if stored.type == e.CallOpened.TYPE:
            self._keep(stored.call_id, CallPeople(stored.student_id or ""))
        elif stored.type == e.AssignmentStarted.TYPE:
            people = self._calls.get(stored.call_id)
            if people is not None:
                people.agents.add(stored.payload["data"]["assignment"]["agent"])

    def _keep(self, call: str, people: CallPeople) -> None:
        self._calls[call] = people
        while len(self._calls) > REMEMBERED_CALLS:
            self._calls.popitem(last=False)

    def known(self, stored: StoredEvent) -> CallPeople | None:
        """The people of an event's call, if they need not be read."""
        if stored.call_id is None:
            return CallPeople(stored.student_id or "")
        return self._calls.get(stored.call_id)

    async def of(self, stored: StoredEvent) -> CallPeople:
        """The people of an event's call. Raises StoreError."""
        people = self.known(stored)
        if people is None:
            assert stored.call_id is not None
            agents = await self._lookups.agents_of_call(stored.call_id)
            people = CallPeople(stored.student_id or "", agents)
            self._keep(stored.call_id, people)
        return people


class EventTexts:
    """Events as text for each listener; what many get alike is written once."""

    def __init__(self, names: Mapping[str, str], supervises: Callable[[str], bool]) -> None:
        """`supervises`: whether an id is a supervisor's."""
        self._names = names
        self._supervises = supervises
        self._texts: OrderedDict[tuple[int | None, bool], str] = OrderedDict()

    def text(self, stored: StoredEvent, actor: Actor, people: CallPeople) -> str | None:
        """The event as the actor may see it, as JSON; None: not at all."""
        try:
            event = stored.event()
        except ValueError:  # a newer node's; only those who see everything get it
            if not actor.leads:
                return None
            return to_text(_envelope(stored, stored.payload.get("data", {}), inside=True))
        if actor.role in (Role.STUDENT, Role.GUEST):
            shown = _for_outsider(stored, event, actor, people, self._names)
            return None if shown is None else to_text(shown)
        if not _may_see(event, stored, actor, people):
            return None
        short = isinstance(event, e.AgentChanged) and actor.role is Role.AGENT and event.agent != actor.id
        if short and self._supervises(event.stream_id):
            return None  # when a supervisor is busy, somebody is being listened to
        key = (stored.event_id, short)
        found = self._texts.get(key)
        if found is None:
            data = event.data()
            if short and isinstance(event, e.AgentChanged):
                data = {"state": event.state.value, "activity": event.activity.value}
            found = self._texts[key] = to_text(_envelope(stored, data, inside=True))
            while len(self._texts) > REMEMBERED_TEXTS:
                self._texts.popitem(last=False)
        return found


def to_text(message: Json) -> str:
    """As it goes over the wire."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def _may_see(event: e.Event, stored: StoredEvent, actor: Actor, people: CallPeople) -> bool:
    if actor.role in (Role.SUPERVISOR, Role.ADMIN):
        return True
    if actor.role is Role.REVIEWER:
        return event.TYPE in REVIEWED
    if event.scope is Scope.SUPERVISORS or _is_supervision(event):
        return False
    if actor.role is Role.SERVICE:
        return True
    if isinstance(event, e.AgentEvent | e.QueueChanged):
        return True
    if isinstance(event, e.OfferCreated):
        return event.offer.agent == actor.id or actor.id in people.agents
    if isinstance(event, e.OfferEnded):
        return event.agent == actor.id or actor.id in people.agents
    return stored.call_id is not None and actor.id in people.agents


def _is_supervision(event: e.Event) -> bool:
    """Whether it says what ``supervision.changed`` says too, which knows who may be told."""
    return isinstance(event, e.AssignmentStarted) and event.assignment.role is AssignmentRole.SUPERVISOR


def _envelope(stored: StoredEvent, data: Mapping[str, Any], *, inside: bool) -> Json:
    event: Json = {
        "id": stored.event_id,
        "type": stored.type,
        "at": stored.at.isoformat(),
        "call": stored.call_id,
        "data": dict(data),
    }
    if inside:
        event["of"] = {"stream": stored.stream, "id": stored.aggregate_id, "sequence": stored.sequence}
        event["by"] = stored.payload.get("by")
    return event


# For students and guests --------------------------------------------------------------------------------


def _person(identity: str, kind: ActorRole, names: Mapping[str, str]) -> Json:
    return {"identity": identity, "name": names.get(identity, ""), "kind": kind.value}


def _participant(event: e.ParticipantEvent, names: Mapping[str, str]) -> Json:
    return _person(event.identity, event.kind, names)


def _message(event: e.MessageCreated | e.TicketMessage, names: Mapping[str, str]) -> Json:
    return {
        "id": event.message,
        "author": event.author,
        "name": names.get(event.author, ""),
        "role": event.author_role.value,
        "text": event.text,
        "files": event.data()["files"],
    }


def _named(agent: AgentId | None, names: Mapping[str, str]) -> Json:
    return {"id": agent, "name": names.get(agent or "", "")}


def _agent(event: e.CallAccepted | e.CallConnected | e.TransferCompleted, names: Mapping[str, str]) -> Json:
    return {"agent": _named(event.agent, names)}


def _transfer(event: e.TransferStarted, names: Mapping[str, str]) -> Json:
    return {"kind": event.transfer.kind.value, "to": _named(event.transfer.target.agent, names)}


_OUTSIDE: Final[Mapping[type[e.Event], Callable[[Any, Mapping[str, str]], Json]]] = {
    e.CallQueued: lambda event, _: {"queue": event.queue, "reason": event.reason.value},
    e.CallAccepted: _agent,
    e.CallConnected: _agent,
    e.CallHeld: lambda _, __: {},
    e.CallResumed: lambda _, __: {},
    e.CallUpgraded: lambda event, _: {"kind": event.after.value},
    e.CallSummoned: lambda event, _: {"until": event.until.isoformat()},
    e.CallEnded: lambda event, _: {"reason": event.reason.value},
    e.ParticipantJoined: _participant,
    e.ParticipantAway: _participant,
    e.ParticipantLeft: _participant,
    e.TransferStarted: _transfer,
    e.TransferCancelled: lambda _, __: {},
    e.TransferFailed: lambda _, __: {},
    e.TransferCompleted: _agent,
    e.MessageCreated: _message,
    e.ConsentChanged: lambda event, _: {
        "participant": event.consent.participant,
        "decision": event.consent.decision.value,
        "by": event.consent.by.value,
    },
    e.RatingCreated: lambda event, _: {"stars": event.rating.stars},
    e.TicketOpened: lambda event, _: {"ticket": event.opened.number, "state": event.opened.state.value},
    e.TicketChanged: lambda event, _: {"state": event.after.value},
    e.TicketMessage: _message,
    e.TicketScheduled: lambda event, _: {"kind": event.due.kind.value, "at": event.due.at.isoformat()},
}
"""What students are told, by event."""

_GUARDIAN: Final = (e.ConsentChanged, e.CallEnded)
_GUEST_NOT: Final = (e.RatingCreated, e.TicketEvent)
_TOLD_ANYWAY: Final = (e.TransferStarted, e.TransferFailed)
"""Events for staff of which the student gets a short form."""


def _for_outsider(
    stored: StoredEvent, event: e.Event, actor: Actor, people: CallPeople, names: Mapping[str, str]
) -> Json | None:
    if actor.role is Role.STUDENT:
        if people.student != actor.id:
            return None
    elif (
        stored.call_id != actor.call
        or isinstance(event, _GUEST_NOT)
        or (actor.guardian_of and not isinstance(event, _GUARDIAN))
    ):
        return None
    if isinstance(event, e.SupervisionChanged):
        return _supervision(stored, event, names)
    build = _OUTSIDE.get(type(event))
    if build is None or (event.scope is not Scope.PARTICIPANTS and not isinstance(event, _TOLD_ANYWAY)):
        return None
    return _envelope(stored, build(event, names), inside=False)


def _supervision(stored: StoredEvent, event: e.SupervisionChanged, names: Mapping[str, str]) -> Json | None:
    """A supervisor who begins to talk joins, as far as the student knows; one who falls silent leaves."""
    before, after = event.before.value in _LOUD, event.after.value in _LOUD
    if before == after:
        return None
    data = _person(event.supervisor, ActorRole.AGENT, names)
    shown = _envelope(stored, data, inside=False)
    shown["type"] = e.ParticipantJoined.TYPE if after else e.ParticipantLeft.TYPE
    return shown
