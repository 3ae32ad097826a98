"""The desk's state: an excerpt of aggregates, and which excerpt a command needs.

:class:`Desk` holds immutable aggregates. The board and the tests hold a whole desk; the service loads just
what :func:`needs` names. :meth:`Desk.apply` is the only way it changes.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime

from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk.errors import SequenceGap
from signalling.desk.model import (
    Agent,
    AgentId,
    Call,
    CallId,
    DeskPolicy,
    DueKind,
    QueueConfig,
    QueueId,
    StudentId,
    Ticket,
    TicketId,
)


@dataclass(frozen=True, slots=True)
class Needs:
    """Which aggregates must be loaded, freshly and in one transaction, before :func:`decide.decide`.

    Queues and the policy are always loaded. Beyond what is named here, load the *closure*:

    * of every call: its ticket, the agents of its pending offers and live assignments, its wrapping agent;
    * of every agent in `agents_with_calls`: the calls of his engagements, with their closure;
    * of every student: his open call with its closure, and his tickets that are unsolved, have dues, or were
      solved within ``DeskPolicy.same_case``, with the calls that their dues name;
    * of every ticket in `tickets`: its last call, and the open call of its student with its closure.

    Whatever is named and does not exist is simply absent: the decision refuses with ``not_found``.
    """

    calls: frozenset[CallId] = frozenset()
    tickets: frozenset[TicketId] = frozenset()
    agents: frozenset[AgentId] = frozenset()
    agents_with_calls: frozenset[AgentId] = frozenset()
    students: frozenset[StudentId] = frozenset()


def needs(command: c.Command) -> Needs:
    """What `command` needs loaded."""
    if isinstance(command, c.OpenCall):
        return Needs(students=frozenset({command.student.id}))
    if isinstance(command, c.MakeOffer):
        return Needs(calls=frozenset({command.call}), agents=frozenset({command.agent}))
    if isinstance(command, c.DropIn | c.StartTransfer):
        named = {command.target.agent} if command.target.agent is not None else set()
        return Needs(calls=frozenset({command.call}), agents=frozenset(named))
    if isinstance(command, c.TakeOver):
        return Needs(calls=frozenset({command.call}), agents=frozenset({AgentId(command.by.id)}))
    if isinstance(command, c.WrapUp):
        # An agent who transferred the call away wraps up although the call no longer names him.
        return Needs(calls=frozenset({command.call}), agents=frozenset({AgentId(command.by.id)}))
    if isinstance(command, c.CallCommand):
        return Needs(calls=frozenset({command.call}))
    if isinstance(command, c.PutAgent):
        return Needs(agents=frozenset({command.profile.id}))
    if isinstance(command, c.AgentCommand):
        return Needs(agents_with_calls=frozenset({command.agent}))
    if isinstance(command, c.TicketCommand):
        return Needs(tickets=frozenset({command.ticket}))
    return Needs()


class Desk:
    """Aggregates by identifier, and the policy. Aggregates are immutable; :meth:`apply` replaces them."""

    def __init__(
        self,
        *,
        policy: DeskPolicy | None = None,
        queues: Iterable[QueueConfig] = (),
        agents: Iterable[Agent] = (),
        tickets: Iterable[Ticket] = (),
        calls: Iterable[Call] = (),
    ) -> None:
        self.policy = policy or DeskPolicy()
        self.queues: MutableMapping[QueueId, QueueConfig] = {q.id: q for q in queues}
        self.agents: MutableMapping[AgentId, Agent] = {a.id: a for a in agents}
        self.tickets: MutableMapping[TicketId, Ticket] = {}
        self.calls: MutableMapping[CallId, Call] = {}
        self._open_call: MutableMapping[StudentId, CallId | None] = {}
        self._tickets_of: MutableMapping[StudentId, tuple[TicketId, ...]] = {}
        for ticket in tickets:
            self.put_ticket(ticket)
        for call in calls:
            self.put_call(call)

    # Loading

    def put_call(self, call: Call) -> None:
        """Add or replace a call as it was stored."""
        self.calls[call.id] = call
        if call.open:
            self._open_call[call.student.id] = call.id
        elif self._open_call.get(call.student.id) == call.id:
            self._open_call[call.student.id] = None

    def put_ticket(self, ticket: Ticket) -> None:
        """Add or replace a ticket as it was stored."""
        if ticket.id not in self.tickets:
            known = self._tickets_of.get(ticket.student.id, ())
            self._tickets_of[ticket.student.id] = (*known, ticket.id)
        self.tickets[ticket.id] = ticket

    def put_agent(self, agent: Agent) -> None:
        """Add or replace an agent as he was stored."""
        self.agents[agent.id] = agent

    def forget_call(self, call: CallId) -> None:
        """Drop a call that is no longer of interest (the board does with closed ones)."""
        gone = self.calls.pop(call, None)
        if gone is not None and self._open_call.get(gone.student.id) == call:
            del self._open_call[gone.student.id]

    def fork(self) -> Desk:
        """A desk that starts from this one and leaves it untouched. Cheap: nothing is copied."""
        other = Desk(policy=self.policy)
        other.queues = ChainMap({}, self.queues)
        other.agents = ChainMap({}, self.agents)
        other.tickets = ChainMap({}, self.tickets)
        other.calls = ChainMap({}, self.calls)
        other._open_call = ChainMap({}, self._open_call)
        other._tickets_of = ChainMap({}, self._tickets_of)
        return other

    # Asking

    def call_of(self, student: StudentId) -> Call | None:
        """The student's open call: what a second press is answered with."""
        call = self._open_call.get(student)
        return None if call is None else self.calls[call]

    def answer_of(self, student: StudentId) -> Call | None:
        """What a press is answered with: the open call, else the one that stands for a promised call-back."""
        found = self.call_of(student)
        if found is None:
            for ticket in self.tickets_of(student):
                for due in ticket.dues:
                    if due.kind is DueKind.CALLBACK and due.call is not None:
                        found = self.calls.get(due.call, found)
        return found

    def tickets_of(self, student: StudentId) -> tuple[Ticket, ...]:
        """The loaded tickets of a student, oldest first."""
        return tuple(self.tickets[t] for t in self._tickets_of.get(student, ()))

    def version(self, stream: e.Stream, stream_id: str) -> int:
        """The version of an aggregate; 0 if it does not exist."""
        aggregate: Call | Agent | Ticket | QueueConfig | None
        if stream is e.Stream.CALL:
            aggregate = self.calls.get(CallId(stream_id))
        elif stream is e.Stream.AGENT:
            aggregate = self.agents.get(AgentId(stream_id))
        elif stream is e.Stream.TICKET:
            aggregate = self.tickets.get(TicketId(stream_id))
        else:
            aggregate = self.queues.get(QueueId(stream_id))
        return 0 if aggregate is None else aggregate.version

    def excerpt(self, wanted: Needs, *, now: datetime) -> Desk:
        """What a store would load for these needs: the closure described at :class:`Needs`."""
        part = Desk(policy=self.policy, queues=self.queues.values())

        def add_agent(agent: AgentId) -> None:
            if agent in self.agents:
                part.put_agent(self.agents[agent])

        def add_call(call: CallId) -> None:
            if call not in self.calls or call in part.calls:
                return
            found = self.calls[call]
            part.put_call(found)
            if found.ticket in self.tickets:
                part.put_ticket(self.tickets[found.ticket])
            for offer in found.pending_offers:
                add_agent(offer.agent)
            for assignment in found.live_assignments:
                add_agent(assignment.agent)
            if found.wrapping_agent is not None:
                add_agent(found.wrapping_agent)

        def add_open_call(student: StudentId) -> None:
            found = self.call_of(student)
            if found is not None:
                add_call(found.id)

        for call in sorted(wanted.calls):
            add_call(call)
        for agent in sorted(wanted.agents | wanted.agents_with_calls):
            add_agent(agent)
        for agent in sorted(wanted.agents_with_calls):
            if agent in self.agents:
                for engagement in self.agents[agent].engagements:
                    add_call(engagement.call)
        for student in sorted(wanted.students):
            add_open_call(student)
            for ticket in self.tickets_of(student):
                recent = ticket.solved_at is not None and now - ticket.solved_at <= self.policy.same_case
                if ticket.unsolved or ticket.dues or recent:
                    part.put_ticket(ticket)
                    for due in ticket.dues:
                        if due.call is not None and due.call in self.calls:
                            part.put_call(self.calls[due.call])
        for ticket_id in sorted(wanted.tickets):
            if ticket_id in self.tickets:
                found = self.tickets[ticket_id]
                part.put_ticket(found)
                for last in found.calls[-1:]:
                    add_call(last)
                add_open_call(found.student.id)
        return part

    # Changing

    def apply(self, event: e.Event) -> None:
        """Change one aggregate by one event.

        :raises SequenceGap: the event does not follow the aggregate's version.
        :raises IllegalTransition: the aggregate's state does not allow it (a bug in the rules).
        """
        version = self.version(event.STREAM, event.stream_id)
        if event.seq != version + 1:
            raise SequenceGap(f"{event.TYPE} {event.seq} of {event.stream_id} does not follow {version}")
        _APPLY[event.STREAM](self, event)

    def _apply_call(self, event: e.Event) -> None:
        assert isinstance(event, e.CallEvent)
        if isinstance(event, e.CallOpened):
            self.put_call(replace(event.opened, version=event.seq))
        else:
            after = event.evolve(self.calls[event.call])
            self.put_call(replace(after, version=event.seq))

    def _apply_agent(self, event: e.Event) -> None:
        if isinstance(event, e.AgentConfigured):
            after = event.evolve(self.agents.get(event.agent))
        else:
            assert isinstance(event, e.AgentChanged)
            after = event.evolve(self.agents[event.agent])
        self.put_agent(replace(after, version=event.seq))

    def _apply_ticket(self, event: e.Event) -> None:
        assert isinstance(event, e.TicketEvent)
        if isinstance(event, e.TicketOpened):
            self.put_ticket(replace(event.opened, version=event.seq))
        else:
            after = event.evolve(self.tickets[TicketId(event.ticket)])
            self.put_ticket(replace(after, version=event.seq, updated_at=event.at))

    def _apply_queue(self, event: e.Event) -> None:
        assert isinstance(event, e.QueueChanged)
        self.queues[event.config.id] = replace(event.config, version=event.seq)


_APPLY: dict[e.Stream, Callable[[Desk, e.Event], None]] = {
    e.Stream.CALL: Desk._apply_call,
    e.Stream.AGENT: Desk._apply_agent,
    e.Stream.TICKET: Desk._apply_ticket,
    e.Stream.QUEUE: Desk._apply_queue,
}
