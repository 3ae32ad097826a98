"""Rules: agents at work, agents vanishing, and what administrators set."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from signalling.desk import commands as c
from signalling.desk import events as e
from signalling.desk.casework import finish_wrap_up
from signalling.desk.draft import LEADS, Draft
from signalling.desk.errors import Refusal
from signalling.desk.machines import AGENT, AgentHappening
from signalling.desk.model import (
    ActorRole,
    AgentId,
    AgentState,
    CallId,
    EngagementState,
    Offer,
)
from signalling.desk.queueing import agent_gone, offer_failed, refuse

_WISHES = {
    AgentState.AVAILABLE: AgentHappening.GO_AVAILABLE,
    AgentState.AWAY: AgentHappening.GO_AWAY,
    AgentState.BUSY: AgentHappening.GO_BUSY,
    AgentState.OFFLINE: AgentHappening.GO_OFFLINE,
}


def set_state(d: Draft, command: c.SetAgentState) -> None:
    """An agent (or a supervisor for him) declares a state. Calls in progress go on."""
    agent = d.agent(command.agent)
    d.require(d.by.role in LEADS or d.by.id == agent.id, "the agent himself or a supervisor")
    state = AGENT.apply(agent.state, _WISHES[command.state])
    coming = state is AgentState.AVAILABLE and agent.state is not AgentState.AVAILABLE
    d.set_agent(
        agent.id,
        state=state,
        reason=command.reason,
        missed=0 if state is AgentState.AVAILABLE else None,
        idle_now=coming,
    )
    if state is not AgentState.AVAILABLE:
        for engagement in agent.engagements:
            if engagement.state is EngagementState.OFFERED:
                offer = _offer_to(d, engagement.call, agent.id)
                if offer is not None:
                    refuse(d, engagement.call, offer, expired=False, reason=f"agent_{state}")


def _offer_to(d: Draft, call: CallId, agent: AgentId) -> Offer | None:
    found = d.desk.calls.get(call)
    if found is None:
        return None
    return next((o for o in found.pending_offers if o.agent == agent), None)


def lost(d: Draft, command: c.AgentLost) -> None:
    """Presence ran out: offline, offers withdrawn, calls looked after, wrap-up over."""
    if command.agent not in d.desk.agents:
        return
    d.require(d.by.role in LEADS, "the server's presence watch")
    agent = d.agent(command.agent)
    d.set_agent(agent.id, state=AGENT.apply(agent.state, AgentHappening.VANISH), reason="lost")
    for engagement in agent.engagements:
        call = d.desk.calls.get(engagement.call)
        if call is None:
            d.release(agent.id, engagement.call)
        elif engagement.state is EngagementState.OFFERED:
            offer = _offer_to(d, call.id, agent.id)
            if offer is not None:
                d.emit(
                    e.OfferWithdrawn,
                    call.id,
                    offer=offer.id,
                    agent=agent.id,
                    role=offer.role,
                    reason="agent_lost",
                )
                d.release(agent.id, call.id)
                offer_failed(d, call.id, offer)
        elif engagement.state is EngagementState.ASSIGNED:
            assignment = call.assignment_of(agent.id)
            if assignment is not None:
                agent_gone(d, call.id, assignment, "lost")
        else:
            finish_wrap_up(d, agent.id, call.id, "agent_lost")


def due(d: Draft, command: c.AgentDue) -> None:
    """Wrap-up times that are over."""
    if command.agent not in d.desk.agents:
        return
    d.require(d.by.role in LEADS, "the server's timers")
    for engagement in d.agent(command.agent).engagements:
        if engagement.until is not None and engagement.until <= d.now:
            finish_wrap_up(d, command.agent, engagement.call, "timeout")


MAX_SKILL_LEVEL = 5


def put_agent(d: Draft, command: c.PutAgent) -> None:
    """Create or change an agent's profile."""
    d.require(d.by.role in (ActorRole.ADMIN, ActorRole.SERVICE, ActorRole.SYSTEM), "an administrator")
    profile = command.profile
    if any(not 1 <= level <= MAX_SKILL_LEVEL for level in profile.skills.values()):
        raise Refusal("invalid", "skills: levels are 1 to 5")
    if profile.max_chats < 0:
        raise Refusal("invalid", "max_chats: at least 0")
    present = d.desk.agents.get(profile.id)
    if present is None or present.profile != profile:
        d.emit(e.AgentConfigured, profile.id, profile=profile)


def put_queue(d: Draft, command: c.PutQueue) -> None:
    """Create or change a queue."""
    d.require(d.by.role in (ActorRole.ADMIN, ActorRole.SERVICE, ActorRole.SYSTEM), "an administrator")
    config = command.config
    if config.offer_timeout_s <= 0 or config.wrapup_s < 0 or config.external_deadline_s <= 0:
        raise Refusal("invalid", "timeouts: must be positive")
    for span in config.hours:
        if not 0 <= span.opens_minute < 1440 or not span.opens_minute < span.closes_minute <= 2880:
            raise Refusal("invalid", "hours: minutes after midnight, closing after opening")
        if not span.weekdays <= frozenset(range(7)):
            raise Refusal("invalid", "hours: weekdays are 0 (Monday) to 6")
    try:
        ZoneInfo(config.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Refusal("invalid", f"timezone: {config.timezone!r} is unknown") from None
    d.emit(e.QueueChanged, config.id, config=config)
