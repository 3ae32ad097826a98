"""Whether agents' consoles are there: an open event stream is a sign of life.

A console that vanishes is given a while to come back; then its agent is lost: offline, his offers withdrawn,
his calls looked after. Agents without an event stream (driven by another system) are not watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

import structlog

from signalling.cluster.presence import AGENTS, Presence
from signalling.desk.commands import AgentLost
from signalling.desk.errors import Refusal
from signalling.desk.model import SYSTEM, AgentId
from signalling.service.desk_service import DeskService
from signalling.store.errors import StoreError

GRACE_S: Final = 10.0
"""Seconds a console may be away (a reload, a change of network) before its agent counts as lost."""

RETRY_S: Final = 1.0

_log = structlog.get_logger("presence")


class ConsolePresence:
    """This node's open consoles, announced to all nodes."""

    def __init__(
        self, presence: Presence, service: DeskService, in_a_room: Callable[[str], bool], *, grace_s: float
    ) -> None:
        """`in_a_room`: whether an agent's media is connected somewhere: then he is not lost."""
        self._presence = presence
        self._service = service
        self._in_a_room = in_a_room
        self._grace_s = grace_s
        self._consoles: dict[str, set[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        presence.on_lost(AGENTS, self._vanished)

    async def opened(self, agent: str, console: str) -> None:
        """A console of this agent is here."""
        self._consoles.setdefault(agent, set()).add(console)
        await self._presence.announce(AGENTS, agent, console)

    def closed(self, agent: str, console: str) -> None:
        """That console is gone; the agent has a while to come back."""
        consoles = self._consoles.get(agent, set())
        consoles.discard(console)
        if not consoles:
            self._consoles.pop(agent, None)
        self._begin(self._close(agent, console))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self, agent: str, console: str) -> None:
        await asyncio.sleep(self._grace_s)
        last = await self._presence.withdraw(AGENTS, agent, console)
        if last and agent not in self._consoles:
            await self._lose(agent)

    def _vanished(self, agent: str) -> None:
        """Another node with his console died."""
        if agent not in self._consoles:
            self._begin(self._lose(agent))

    async def _lose(self, agent: str) -> None:
        # He talks: his page is gone, he is not.
        while agent not in self._consoles and self._in_a_room(agent):  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(self._grace_s)
        while agent not in self._consoles:
            try:
                await self._service.execute(AgentLost(by=SYSTEM, agent=AgentId(agent)))
            except Refusal as refusal:
                _log.info("a lost agent needs nothing", agent=agent, code=refusal.code)
            except StoreError:
                await asyncio.sleep(RETRY_S)
                continue
            return

    async def close(self) -> None:
        """Watch no more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
