"""Who waits and who is free, in memory: the matcher's, the timers' and the position display's index.

Fed with every event after commit and built from the store at start. It decides nothing: a match is a proposal
that :func:`decide.decide` checks again with fresh aggregates. When it missed an event, :meth:`Board.apply`
raises :class:`SequenceGap`; the owner then loads that aggregate (:meth:`put_call`, :meth:`put_agent`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk import routing
from signalling.desk.estimate import Estimate, HandleTimes, estimate
from signalling.desk.model import (
    SYSTEM,
    Agent,
    AgentId,
    AgentState,
    AssignmentRole,
    Call,
    CallId,
    CallState,
    DeskPolicy,
    EngagementState,
    Kind,
    QueueConfig,
    QueueId,
    Seek,
    SkillNeed,
)
from signalling.desk.queueing import waits
from signalling.desk.ranking import Ranking
from signalling.desk.state import Desk

RETRY = timedelta(seconds=1)
"""A timer whose command changed nothing is tried again after this."""

CLOSING_LOOK = timedelta(seconds=15)
"""How often waiting lists of queues that have closed are looked at."""

_AFTER_CLOSING = (e.RatingCreated, e.ConsentChanged, e.WrapupCreated)
"""Events of calls that the board has forgotten already."""


@dataclass(frozen=True, slots=True)
class Match:
    """A proposal for :class:`commands.MakeOffer`."""

    call: CallId
    agent: AgentId
    role: AssignmentRole

    def command(self) -> c.MakeOffer:
        """The command that tries it."""
        return c.MakeOffer(by=SYSTEM, call=self.call, agent=self.agent, role=self.role)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a call stands in its queue."""

    call: CallId
    ahead: int
    """How many go first."""
    waiting_since: datetime
    urgency_s: float


@dataclass(frozen=True, slots=True)
class Staffing:
    """What a queue has to serve its calls with."""

    staffed: int
    """Agents at work who may serve it."""
    servers: int
    """Calls of this kind that they can serve at once."""
    free: int
    """Calls of this kind that could start now."""


_Group = tuple[bool, frozenset[QueueId] | None, tuple[SkillNeed, ...], str | None, AgentId | None]


@dataclass(slots=True)
class _Place:
    """A seek that waits for an agent."""

    call: Call
    seek: Seek
    wants: routing.Wants
    group: _Group
    worth: routing.Worth


_PlaceKey = tuple[CallId, AssignmentRole]


class Board:
    """The index. Not thread-safe; one owner."""

    def __init__(
        self,
        *,
        policy: DeskPolicy | None = None,
        queues: Iterable[QueueConfig] = (),
        agents: Iterable[Agent] = (),
        calls: Iterable[Call] = (),
    ) -> None:
        self._desk = Desk(policy=policy, queues=queues)
        self.handle_times = HandleTimes()
        self._places: dict[_PlaceKey, _Place] = {}
        self._by_group: dict[_Group, set[_PlaceKey]] = {}
        self._by_preferred: dict[AgentId, set[_PlaceKey]] = {}
        self._stale: list[tuple[datetime, CallId]] = []
        self._rankings: dict[QueueId, Ranking] = {}
        self._queue_of: dict[CallId, QueueId] = {}
        self._free_media: set[AgentId] = set()
        self._free_chat: set[AgentId] = set()
        self._suited: dict[_Group, frozenset[AgentId]] = {}
        self._staffing: dict[tuple[QueueId, bool], Staffing] = {}
        self._closings_at: datetime | None = None
        self._dues: list[tuple[datetime, str, str]] = []
        self._due_of: dict[tuple[str, str], datetime] = {}
        self._served_since: dict[tuple[AgentId, CallId], datetime] = {}
        for agent in agents:
            self.put_agent(agent)
        for call in calls:
            self.put_call(call)

    # Feeding

    @property
    def desk(self) -> Desk:
        """The aggregates as the board knows them; not to be changed."""
        return self._desk

    def apply(self, event: e.Event) -> None:
        """Take in one event; those it knows already are ignored, tickets do not concern it.

        :raises SequenceGap: an earlier event of the same stream is missing.
        """
        if event.STREAM is e.Stream.TICKET:
            return
        if event.seq <= self._desk.version(event.STREAM, event.stream_id):
            return
        if isinstance(event, _AFTER_CLOSING) and event.call not in self._desk.calls:
            return
        if isinstance(event, e.AgentEvent):
            before = self._desk.agents.get(event.agent)
            self._desk.apply(event)
            self._agent_changed(before, self._desk.agents[event.agent], event.at)
        elif isinstance(event, e.CallEvent):
            self._desk.apply(event)
            self._call_changed(self._desk.calls[event.call], event.at)
        else:
            self._desk.apply(event)
            self._queues_changed(event.at)

    def put_call(self, call: Call) -> None:
        """Take a call as it was stored, whatever was known of it."""
        self._desk.put_call(call)
        self._call_changed(call, call.created_at)

    def put_agent(self, agent: Agent) -> None:
        """Take an agent as he was stored."""
        before = self._desk.agents.get(agent.id)
        self._desk.put_agent(agent)
        self._agent_changed(before, agent, None)

    def _call_changed(self, call: Call, now: datetime) -> None:
        for role in AssignmentRole:
            self._drop_place((call.id, role))
        if call.state is CallState.CLOSED:
            self._leave_queue(call.id)
            self._due_of.pop(("call", call.id), None)
            self._desk.forget_call(call.id)
            return
        if call.seek(AssignmentRole.PRIMARY) is not None:
            if self._queue_of.get(call.id) != call.queue:
                self._leave_queue(call.id)
                self._queue_of[call.id] = call.queue
            worth = routing.worth(call, self._desk.queues.get(call.queue))
            self._rankings.setdefault(call.queue, Ranking()).put(call.id, worth, call.created_at)
        else:
            self._leave_queue(call.id)
        for seek in call.seeks:
            if waits(call, seek):
                self._add_place(call, seek, now)
        self._set_due("call", call.id, call.next_due())

    def _leave_queue(self, call: CallId) -> None:
        queue = self._queue_of.pop(call, None)
        if queue is not None:
            self._rankings[queue].drop(call)

    def _add_place(self, call: Call, seek: Seek, now: datetime) -> None:
        wanted = routing.wants(call, seek, self._desk.queues, now)
        group = (call.kind is Kind.CHAT, wanted.queues, wanted.skills, wanted.language, wanted.named)
        key = (call.id, seek.role)
        worth = routing.worth(call, self._desk.queues.get(call.queue), seek)
        self._places[key] = _Place(call, seek, wanted, group, worth)
        self._by_group.setdefault(group, set()).add(key)
        if wanted.preferred is not None:
            self._by_preferred.setdefault(wanted.preferred, set()).add(key)
        if wanted.valid_until is not None:
            heapq.heappush(self._stale, (wanted.valid_until, call.id))

    def _drop_place(self, key: _PlaceKey) -> None:
        place = self._places.pop(key, None)
        if place is None:
            return
        members = self._by_group[place.group]
        members.discard(key)
        if not members:
            del self._by_group[place.group]
            self._suited.pop(place.group, None)
        if place.wants.preferred is not None:
            self._by_preferred[place.wants.preferred].discard(key)

    def _agent_changed(self, before: Agent | None, agent: Agent, now: datetime | None) -> None:
        for free, kind in ((self._free_media, Kind.VOICE), (self._free_chat, Kind.CHAT)):
            if routing.is_free(agent, kind):
                free.add(agent.id)
            else:
                free.discard(agent.id)
        self._staffing.clear()
        if before is None or before.profile != agent.profile:
            self._suited.clear()
        self._set_due("agent", agent.id, agent.next_due())
        self._observe(before, agent, now)

    def _observe(self, before: Agent | None, agent: Agent, now: datetime | None) -> None:
        """Handle time: from the assignment as primary until he is free for the next."""
        held = set()
        for engagement in agent.engagements:
            if engagement.role is AssignmentRole.PRIMARY and engagement.state is not EngagementState.OFFERED:
                key = (agent.id, engagement.call)
                held.add(key)
                self._served_since.setdefault(key, engagement.since)
        for engagement in before.engagements if before is not None else ():
            key = (agent.id, engagement.call)
            since = self._served_since.get(key)
            if since is not None and key not in held:
                del self._served_since[key]
                call = self._desk.calls.get(engagement.call)
                if call is not None and now is not None and agent.online:
                    self.handle_times.observe(
                        call.queue, call.kind is Kind.CHAT, (now - since).total_seconds()
                    )

    def _queues_changed(self, now: datetime) -> None:
        self._suited.clear()
        for call in {key[0] for key in self._places} | self._queue_of.keys():
            self._call_changed(self._desk.calls[call], now)

    # Timers

    def _set_due(self, kind: str, of: str, at: datetime | None) -> None:
        key = (kind, of)
        if at is None:
            self._due_of.pop(key, None)
        elif self._due_of.get(key) != at:
            self._due_of[key] = at
            heapq.heappush(self._dues, (at, kind, of))

    def _drop_outdated_dues(self) -> None:
        while self._dues and self._due_of.get((self._dues[0][1], self._dues[0][2])) != self._dues[0][0]:
            heapq.heappop(self._dues)

    def next_deadline(self) -> datetime | None:
        """When :meth:`due` or :meth:`matches` may have something new to say, if no event comes before."""
        self._drop_outdated_dues()
        times = [self._dues[0][0]] if self._dues else []
        if self._stale:
            times.append(self._stale[0][0])
        return min(times, default=None)

    def due(self, now: datetime) -> list[c.CallDue | c.AgentDue]:
        """Timers that have run out, as commands.

        One whose command changed nothing (it failed, or the deciding clock was behind) is named again after
        `RETRY`.
        """
        found: list[c.CallDue | c.AgentDue] = [*self._left_behind(now)]
        while True:
            self._drop_outdated_dues()
            if not self._dues or self._dues[0][0] > now:
                return found
            _, kind, of = heapq.heappop(self._dues)
            self._set_due(kind, of, now + RETRY)
            if kind == "call":
                found.append(c.CallDue(by=SYSTEM, call=CallId(of)))
            else:
                found.append(c.AgentDue(by=SYSTEM, agent=AgentId(of)))

    def _left_behind(self, now: datetime) -> list[c.CallDue]:
        """Who waits in a queue that has been closed for so long that nobody will come."""
        if self._closings_at is not None and now < self._closings_at:
            return []
        self._closings_at = now + CLOSING_LOOK
        found: list[c.CallDue] = []
        for queue in {queue for queue, ranking in self._rankings.items() if len(ranking)}:
            config = self._desk.queues.get(queue)
            if config is None or routing.is_open(config, now):
                continue
            for _, _, call_id in self._rankings[queue].in_order(now):
                call = self._desk.calls[call_id]
                seek = call.seek(AssignmentRole.PRIMARY)
                if seek is not None and waits(call, seek):
                    grace_s = self._desk.policy.closing_grace_s
                    if routing.served_no_longer(config, seek, now, grace_s):
                        found.append(c.CallDue(by=SYSTEM, call=call_id))
        return found

    # Matching

    def _refresh(self, now: datetime) -> None:
        changed: set[CallId] = set()
        while self._stale and self._stale[0][0] <= now:
            changed.add(heapq.heappop(self._stale)[1])
        for call in changed:
            current = self._desk.calls.get(call)
            if current is not None:
                for role in AssignmentRole:
                    self._drop_place((call, role))
                for seek in current.seeks:
                    if waits(current, seek):
                        self._add_place(current, seek, now)

    def _suited_to(self, group: _Group, wanted: routing.Wants) -> frozenset[AgentId]:
        found = self._suited.get(group)
        if found is None:
            # By profile alone: refusals and preferences are looked at place by place.
            general = routing.Wants(
                call=CallId(""),
                kind=wanted.kind,
                queues=wanted.queues,
                home=wanted.home,
                skills=wanted.skills,
                language=wanted.language,
                experts=False,
                preferred=None,
                reserved_until=None,
                named=wanted.named,
                excluded=frozenset(),
                valid_until=None,
            )
            found = frozenset(a.id for a in self._desk.agents.values() if routing.suits(a, general))
            self._suited[group] = found
        return found

    def matches(self, now: datetime, limit: int = 64) -> list[Match]:
        """Which agents to ask for which calls now: the most urgent first, each agent once.

        :param limit: at most so many; call again after they were tried.
        """
        self._refresh(now)
        if not self._places or not (self._free_media or self._free_chat):
            return []
        free = {False: set(self._free_media), True: set(self._free_chat)}
        candidates: set[_PlaceKey] = set()
        for group, keys in self._by_group.items():
            any_place = self._places[next(iter(keys))]
            if not free[group[0]].isdisjoint(self._suited_to(group, any_place.wants)):
                candidates |= keys
        for agent in free[False] | free[True]:
            candidates |= self._by_preferred.get(agent, set())
        moment = now.timestamp()
        ranked = [
            (-(place := self._places[key]).worth.at(moment), place.call.created_at, key) for key in candidates
        ]
        heapq.heapify(ranked)  # mostly few agents are free: the first of the list will do
        found: list[Match] = []
        while ranked:
            key = heapq.heappop(ranked)[2]
            place = self._places[key]
            pool = free[place.group[0]]
            if not pool:
                continue
            best = self._best(place, pool, now)
            if best is not None:
                found.append(Match(key[0], best, key[1]))
                free[False].discard(best)
                free[True].discard(best)
                if len(found) >= limit or not (free[False] or free[True]):
                    break
        return found

    def _best(self, place: _Place, pool: set[AgentId], now: datetime) -> AgentId | None:
        wanted = place.wants
        preferred = wanted.preferred
        if preferred is not None:
            own = self._desk.agents.get(preferred)
            if preferred in pool and own is not None and routing.fitness(own, wanted, now) is not None:
                return preferred
            if routing.reserves(own, wanted, now):
                return None
        best: tuple[routing.Fitness, AgentId] | None = None
        for agent in pool & self._suited_to(place.group, wanted):
            fit = routing.fitness(self._desk.agents[agent], wanted, now)
            if fit is not None and (best is None or (fit, agent) > best):
                best = (fit, agent)
        return None if best is None else best[1]

    # Showing

    @property
    def waiting(self) -> int:
        """How many calls wait for a primary agent."""
        return len(self._queue_of)

    @property
    def idle(self) -> int:
        """How many agents could be given a voice call."""
        return len(self._free_media)

    def positions(self, queue: QueueId, now: datetime) -> list[Position]:
        """The waiting list of a queue, the most urgent first, calls that are being offered included."""
        ranking = self._rankings.get(queue)
        if ranking is None:
            return []
        return [
            Position(call, ahead, seek.since, -worth)
            for ahead, (worth, _, call) in enumerate(ranking.in_order(now))
            if (seek := self._desk.calls[call].seek(AssignmentRole.PRIMARY)) is not None
        ]

    def ahead(self, call: CallId, now: datetime) -> int | None:
        """How many calls of the same queue go before this one; ``None``: it does not wait."""
        queue = self._queue_of.get(call)
        return None if queue is None else self._rankings[queue].ahead(call, now)

    def staffing(self, queue: QueueId, kind: Kind) -> Staffing:
        """Who is at work for a queue."""
        chat = kind is Kind.CHAT
        found = self._staffing.get((queue, chat))
        if found is None:
            found = self._staffing[queue, chat] = self._count_staff(queue, kind)
        return found

    def _count_staff(self, queue: QueueId, kind: Kind) -> Staffing:
        staffed = servers = free = 0
        for agent in self._desk.agents.values():
            profile = agent.profile
            if queue not in profile.queues or not profile.routable or agent.state is not AgentState.AVAILABLE:
                continue
            staffed += 1
            if kind is Kind.CHAT:
                servers += profile.max_chats
                free += (profile.max_chats - agent.chats) if routing.is_free(agent, kind) else 0
            else:
                servers += 1
                free += routing.is_free(agent, kind)
        return Staffing(staffed, servers, free)

    def estimate(self, call: CallId, now: datetime) -> Estimate | None:
        """The wait that a call still has before it; ``None``: it does not wait, or nobody is at work."""
        ahead = self.ahead(call, now)
        if ahead is None:
            return None
        found = self._desk.calls[call]
        chat = found.kind is Kind.CHAT
        staffing = self.staffing(found.queue, found.kind)
        return estimate(
            ahead=ahead,
            servers=staffing.servers,
            free=staffing.free,
            observed=self.handle_times.of(found.queue, chat),
        )
