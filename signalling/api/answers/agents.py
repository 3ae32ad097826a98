"""Agents, as the routes answer with them."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, Field

from signalling.api.answers.visibility import sees_all
from signalling.api.roles import Actor, Role
from signalling.desk.model import Activity, Agent, AgentState, AssignmentRole, Kind


class EngagementAnswer(BaseModel):
    """What ties an agent to a call."""

    call: str
    kind: Kind
    role: AssignmentRole
    state: str
    since: AwareDatetime
    until: AwareDatetime | None = Field(default=None, description="When a wrap-up ends by itself.")


class AgentAnswer(BaseModel):
    """A member of staff at work."""

    id: str
    name: str
    state: AgentState
    reason: str
    activity: Activity
    queues: list[str]
    skills: dict[str, int]
    languages: list[str]
    max_chats: int
    supervisor: bool
    routable: bool
    idle_since: AwareDatetime | None
    engagements: list[EngagementAnswer] | None = Field(
        default=None, description="Only for supervisors, services and the agent itself."
    )
    version: int | None


class Agents(BaseModel):
    """All agents."""

    items: list[AgentAnswer]


def agent_answer(agent: Agent, actor: Actor) -> AgentAnswer:
    """An agent as the actor may see him."""
    profile = agent.profile
    full = sees_all(actor) or actor.role is Role.SERVICE or actor.id == agent.id
    engagements = [
        EngagementAnswer(
            call=each.call,
            kind=each.kind,
            role=each.role,
            state=each.state.value,
            since=each.since,
            until=each.until,
        )
        for each in agent.engagements
    ]
    return AgentAnswer(
        id=agent.id,
        name=profile.name,
        state=agent.state,
        reason=agent.reason if full else "",
        # When a supervisor is busy, somebody is being listened to.
        activity=Activity.IDLE if profile.supervisor and not full else agent.activity,
        queues=sorted(profile.queues),
        skills=dict(profile.skills),
        languages=sorted(profile.languages),
        max_chats=profile.max_chats,
        supervisor=profile.supervisor,
        routable=profile.routable,
        idle_since=agent.idle_since if full and agent.idle_since.timestamp() > 0 else None,
        engagements=engagements if full else None,
        version=agent.version if full else None,
    )
