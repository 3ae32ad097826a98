"""Events of agents and of queues."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from signalling.desk.event import Event, Stream
from signalling.desk.model import (
    Activity,
    Agent,
    AgentId,
    AgentProfile,
    AgentState,
    Engagement,
    QueueConfig,
)


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
