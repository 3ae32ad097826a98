"""The registry of nodes: who is there, where it is reached, how loaded it is, and where a new room goes.

The registry is an index: each node says of itself every second what is true, and vanishes when it no longer
does. Who owns a room is decided by leases (`ownership`), never here.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog

from signalling.cluster.connection import RedisConnection
from signalling.cluster.errors import RedisAwayError
from signalling.cluster.presence import NODES, Presence

NODE_TTL_S = 4.0
"""Seconds until a node that says nothing is no longer in the registry."""
NODE_INTERVAL_S = 1.0
"""Seconds between what a node says of itself, and between looks at the others."""
GONE_AFTER_S = 2.5
"""Seconds without an entry before a node counts as gone: after a flush all need a turn to be back."""
KEEP_WITHIN = 0.1
"""A room stays at the node that was asked if the best one's load is less by no more than this (0–1)."""
ROOM_WEIGHT = 0.002
"""Load that a room adds which was placed since its node last spoke: about 1/500 of a core."""
CPU_FULL = 0.85
"""Share of the core at which a node counts as full: forwarding needs room for bursts."""

_log = structlog.get_logger("nodes")


@dataclass(frozen=True, slots=True)
class NodeLoad:
    """How busy a node is."""

    rooms: int = 0
    participants: int = 0
    cpu: float = 0.0
    """Share (0–1) of its core that the process used of late."""
    max_participants: int = 1000
    draining: bool = False
    """Takes no new rooms."""

    @property
    def has_place(self) -> bool:
        """Whether another participant fits."""
        return self.participants < self.max_participants

    @property
    def share(self) -> float:
        """How full it is, 0–1: the scarcer of processor and places."""
        return max(self.cpu / CPU_FULL, self.participants / max(1, self.max_participants))


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What a node says of itself."""

    id: str
    internal_url: str
    """Where other nodes reach its HTTP, such as ``http://10.0.0.3:7880``."""
    media_addresses: tuple[str, ...] = ()
    """Where clients send media, for people who look."""
    version: str = ""
    started_at: float = 0.0
    """Unix seconds."""
    load: NodeLoad = NodeLoad()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NodeInfo:
        """Raises ValueError for what `to_json` did not make; unknown keys of newer nodes are skipped."""
        try:
            load = {
                name: values["load"][name] for name in NodeLoad.__dataclass_fields__ if name in values["load"]
            }
            facts = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
            facts |= {"media_addresses": tuple(values.get("media_addresses", ())), "load": NodeLoad(**load)}
            return cls(**facts)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a node: {error}") from None


class CpuMeter:
    """Share of a core that this process used since the last look."""

    def __init__(
        self, wall: Callable[[], float] = time.monotonic, cpu: Callable[[], float] = time.process_time
    ) -> None:
        self._wall, self._cpu = wall, cpu
        self._last = (wall(), cpu())

    def share(self) -> float:
        """0–1 (more with threads)."""
        wall, cpu = self._wall(), self._cpu()
        passed, used = wall - self._last[0], cpu - self._last[1]
        self._last = (wall, cpu)
        return used / passed if passed > 0 else 0.0


def choose(room: str, nodes: Iterable[NodeInfo], *, asked: str) -> NodeInfo | None:
    """Where a new room goes; None if every node drains. `asked`: the node whose client wants it.

    The node that was asked keeps it unless another is clearly less loaded: that spares the way over it. Of
    several that are about equal, the room's name decides, so that nodes with the same view choose the same,
    and rooms spread. A full node is chosen when all are full: loads are a second old, a busy processor serves
    one more call, and a node without a place says so itself.
    """
    awake = [node for node in nodes if not node.load.draining]
    if not awake:
        return None
    free = [node for node in awake if node.load.share < 1.0]
    takers = free or [node for node in awake if node.load.has_place] or awake
    least = min(node.load.share for node in takers)
    near = [node for node in takers if node.load.share <= least + KEEP_WITHIN]
    for node in near:
        if node.id == asked:
            return node
    return max(near, key=lambda node: hashlib.blake2b(f"{room}/{node.id}".encode(), digest_size=8).digest())


class NodeRegistry:
    """This node's entry, and what is known of the others."""

    def __init__(
        self,
        redis: RedisConnection,
        me: NodeInfo,
        load: Callable[[], NodeLoad],
        *,
        ttl_s: float = NODE_TTL_S,
        interval_s: float = NODE_INTERVAL_S,
    ) -> None:
        self._presence = Presence(redis, ttl_s=ttl_s, interval_s=interval_s)
        self._load = load
        self._interval_s = interval_s
        self._me = replace(me, load=load())
        self._nodes: dict[str, NodeInfo] = {}
        self._placed: dict[str, int] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._missing_since: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def me(self) -> NodeInfo:
        """This node, with its load of a moment ago."""
        return self._me

    def live(self) -> list[NodeInfo]:
        """All nodes as of the last look, this one included; with Redis away, as they were before."""
        return [self._me, *(node for name, node in self._nodes.items() if name != self._me.id)]

    def find(self, node: str) -> NodeInfo | None:
        """A live node by its id."""
        return self._me if node == self._me.id else self._nodes.get(node)

    def forget(self, node: str) -> None:
        """A node did not answer: do not place anything there until it speaks again."""
        self._nodes.pop(node, None)

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of each node that left the registry, in good order or not."""
        self._listeners.append(listener)

    def place(self, room: str) -> NodeInfo | None:
        """Where a new room goes by load; None if every live node drains."""
        nodes = []
        for node in self.live():
            extra = self._placed.get(node.id, 0) * ROOM_WEIGHT
            nodes.append(replace(node, load=replace(node.load, cpu=node.load.cpu + extra * CPU_FULL)))
        chosen = choose(room, nodes, asked=self._me.id)
        if chosen is None:
            return None
        self._placed[chosen.id] = self._placed.get(chosen.id, 0) + 1
        return self.find(chosen.id)

    async def start(self) -> None:
        """Tell the others, look once, and go on doing both. Never fails."""
        await self._turn()
        self._task = asyncio.create_task(self._run(), name="node registry")

    async def stop(self) -> None:
        """Leave the registry."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._presence.stop()

    async def refresh(self) -> None:
        """Announce and look now; raises RedisAwayError."""
        self._me = replace(self._me, load=self._load())
        await self._presence.announce(NODES, self._me.id, details=self._me.to_json())
        nodes = {}
        for present in await self._presence.present(NODES):
            try:
                nodes[present.who] = NodeInfo.from_json(present.details)
            except ValueError as error:
                _log.warning("a node's entry cannot be read", node=present.who, error=str(error))
        before, self._nodes = self._nodes, nodes
        self._placed.clear()
        self._notice(before)

    def _notice(self, before: Mapping[str, NodeInfo]) -> None:
        """Tell of nodes that are gone. A flushed Redis lists nobody until all have spoken again."""
        now = time.monotonic()
        for node in before:
            self._missing_since.setdefault(node, now)
        for node, since in list(self._missing_since.items()):
            if node in self._nodes:
                del self._missing_since[node]
            elif now - since >= GONE_AFTER_S:
                del self._missing_since[node]
                _log.info("a node is gone", node=node)
                for listener in self._listeners:
                    listener(node)

    async def _turn(self) -> None:
        try:
            await self.refresh()
        except RedisAwayError:
            pass
        except Exception:
            _log.exception("the node registry could not be refreshed")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self._turn()
