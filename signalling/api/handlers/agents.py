"""Agents, offers and queues."""

from __future__ import annotations

from signalling.api import requests as r
from signalling.api.answers.agents import AgentAnswer, Agents, agent_answer
from signalling.api.answers.calls import Accepted, OfferAnswer, Offers, offer_answer
from signalling.api.answers.people import student_answer
from signalling.api.answers.queues import QueueAnswer, Queues
from signalling.api.board_views import queue_view
from signalling.api.context import Api
from signalling.api.handlers import common
from signalling.api.problems import Problem
from signalling.api.roles import Role
from signalling.api.route import Asked, NoQuery, Nothing
from signalling.desk import commands as c
from signalling.desk.model import (
    AgentId,
    AgentProfile,
    CallId,
    Kind,
    OfferId,
    OpenHours,
    Overflow,
    QueueConfig,
    QueueId,
    SkillNeed,
)


async def find(api: Api, asked: Asked[Nothing, NoQuery]) -> Agents:
    """All agents and supervisors."""
    return Agents(items=[agent_answer(agent, asked.actor) for agent in await api.queries.agents()])


async def get(api: Api, asked: Asked[Nothing, NoQuery]) -> AgentAnswer:
    """One agent."""
    agent = await api.queries.agent(AgentId(asked.path["agent"]))
    if agent is None:
        raise Problem("not_found", "no such agent")
    return agent_answer(agent, asked.actor)


async def set_state(api: Api, asked: Asked[r.AgentStateBody, NoQuery]) -> AgentAnswer:
    """Available, away, busy or offline; calls in progress go on."""
    actor = asked.actor
    agent = AgentId(asked.path["agent"])
    if actor.role is Role.AGENT and actor.id != agent:
        raise Problem("forbidden", "agents set their own state")
    command = c.SetAgentState(
        by=common.desk_actor(actor), agent=agent, state=asked.body.state, reason=asked.body.reason
    )
    outcome = await common.run(api, command)
    return agent_answer(outcome.desk.agents[agent], actor)


async def put(api: Api, asked: Asked[r.AgentBody, NoQuery]) -> AgentAnswer:
    """Create or change an agent's profile."""
    body, agent = asked.body, AgentId(asked.path["agent"])
    profile = AgentProfile(
        id=agent,
        name=body.name,
        queues=frozenset(QueueId(queue) for queue in body.queues),
        skills=dict(body.skills),
        languages=frozenset(body.languages),
        max_chats=body.max_chats,
        supervisor=body.supervisor,
        routable=body.routable,
    )
    outcome = await common.run(api, c.PutAgent(by=common.desk_actor(asked.actor), profile=profile))
    return agent_answer(outcome.desk.agents[agent], asked.actor)


async def _call_of(api: Api, offer: OfferId) -> CallId:
    call = await api.queries.call_of_offer(offer)
    if call is None:
        raise Problem("not_found", "no such offer")
    return call


async def accept(api: Api, asked: Asked[Nothing, NoQuery]) -> Accepted:
    """Take the call; the answer tells how to join, and who asks."""
    actor, offer = asked.actor, OfferId(asked.path["offer"])
    command = c.AcceptOffer(by=common.desk_actor(actor), call=await _call_of(api, offer), offer=offer)
    outcome = await common.run(api, command)
    call = outcome.desk.calls[command.call]
    assignment = call.assignment_of(actor.id)
    token = None
    if assignment is not None and call.kind is not Kind.CHAT:
        token = api.mint.agent(call, assignment, api.board.names.get(actor.id, actor.name))
    return Accepted(
        call=await common.show_outcome(api, actor, outcome, call.id),
        student=student_answer(call.student, outcome.desk.policy.minor_age),
        media=common.media_answer(api, asked.http, token) if token is not None else None,
    )


async def decline(api: Api, asked: Asked[r.DeclineBody, NoQuery]) -> OfferAnswer:
    """Not now; the call returns to its old place."""
    offer = OfferId(asked.path["offer"])
    command = c.DeclineOffer(
        by=common.desk_actor(asked.actor),
        call=await _call_of(api, offer),
        offer=offer,
        reason=asked.body.reason,
    )
    outcome = await common.run(api, command)
    call = outcome.desk.calls[command.call]
    declined = call.offer(offer)
    if declined is None:
        raise Problem("not_found", "no such offer")
    return offer_answer(call, declined)


async def my_offers(api: Api, asked: Asked[Nothing, NoQuery]) -> Offers:
    """Offers that ring at the agent's console now: after a reload, or without an event stream."""
    found = []
    agent = await api.queries.agent(AgentId(asked.actor.id))
    for engagement in agent.engagements if agent is not None else ():
        call = await api.queries.call(engagement.call)
        if call is not None:
            found += [
                offer_answer(call, offer) for offer in call.pending_offers if offer.agent == asked.actor.id
            ]
    return Offers(items=found)


async def find_queues(api: Api, asked: Asked[Nothing, NoQuery]) -> Queues:
    """All queues with what goes on in them."""
    now = api.clock.utc_now()
    return Queues(items=[queue_view(api.board, queue, now) for queue in await api.queries.queues()])


async def get_queue(api: Api, asked: Asked[Nothing, NoQuery]) -> QueueAnswer:
    """A queue with everybody who waits in it."""
    queue = await api.queries.queue(QueueId(asked.path["queue"]))
    if queue is None:
        raise Problem("not_found", "no such queue")
    now = api.clock.utc_now()
    tickets = {
        api.board.board.desk.calls[each.call].ticket for each in api.board.board.positions(queue.id, now)
    }
    numbers = await api.lookups.ticket_numbers(tickets)
    return queue_view(api.board, queue, now, numbers=numbers)


async def put_queue(api: Api, asked: Asked[r.QueueBody, NoQuery]) -> QueueAnswer:
    """Create or change a queue."""
    body, queue = asked.body, QueueId(asked.path["queue"])
    config = QueueConfig(
        id=queue,
        name=body.name,
        topics=frozenset(body.topics),
        skills=tuple(SkillNeed(skill.skill, skill.level) for skill in body.skills),
        vip_only=body.vip_only,
        hours=tuple(
            OpenHours(frozenset(each.weekdays), each.opens_minute, each.closes_minute) for each in body.hours
        ),
        timezone=body.timezone,
        closed_days=frozenset(body.closed_days),
        overflow=tuple(Overflow(QueueId(each.queue), each.after_s) for each in body.overflow),
        priority_s=body.priority_s,
        offer_timeout_s=body.offer_timeout_s,
        wrapup_s=body.wrapup_s,
        dedicated_wait_s=body.dedicated_wait_s,
        relax_after_s=body.relax_after_s,
        language_relax_after_s=body.language_relax_after_s,
        routing=body.routing,
        external_deadline_s=body.external_deadline_s,
    )
    outcome = await common.run(api, c.PutQueue(by=common.desk_actor(asked.actor), config=config))
    return queue_view(api.board, outcome.desk.queues[queue], outcome.now)
