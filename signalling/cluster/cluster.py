"""`Cluster`: this node's part in the cluster, from start to stop.

Two steps, because a node is reachable only after it listens: `start` gives Redis, wake-ups, presence and
limits, which everything else needs; `join` makes the node one of several that own rooms and pass requests on.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web

from signalling.cluster.child import ValkeyChild
from signalling.cluster.connection import RedisConnection
from signalling.cluster.errors import LeasesAwayError, NoOwnerError, RedisAwayError
from signalling.cluster.internal import derive_secret
from signalling.cluster.leases import LeaseStore, MemoryLeases, RedisLeases
from signalling.cluster.limits import RateLimiter
from signalling.cluster.metrics import ClusterCollector
from signalling.cluster.nodes import NodeInfo, NodeLoad, NodeRegistry
from signalling.cluster.ownership import LEASE_TTL_S, Owner, RoomOwnership
from signalling.cluster.presence import Presence
from signalling.cluster.proxy import RETRY_S, TAKEOVER_S, Handler, SignalProxy
from signalling.cluster.reconciler import Reconciler
from signalling.cluster.wakeups import Wakeups
from signalling.settings import Settings

STUCK_CHILD_S = 15.0
"""Seconds without an answer after which the private Valkey is killed, to be started again."""
CHILD_LOOK_S = 1.0
"""Seconds between looks at it."""

_log = structlog.get_logger("cluster")


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """What a node's place in the cluster depends on."""

    node_id: str
    """New with each start of the process: a node that starts again is another one."""
    data_dir: Path
    """Where the private Valkey keeps its socket."""
    redis_url: str = ""
    """Redis or Valkey shared by all nodes; empty: a private one, and this node is alone."""
    api_keys: Mapping[str, str] | None = None
    """API keys with secrets; the secret between nodes is derived from them."""
    secret: str = ""
    """The secret between nodes, if it shall not depend on the API keys."""
    lease_ttl_s: float = LEASE_TTL_S
    """Seconds after which a dead node's rooms are free."""


class Cluster:
    """Redis, who is there, who owns what, and the way to the owner."""

    def __init__(
        self, config: ClusterConfig, redis: RedisConnection, child: ValkeyChild | None, leases: LeaseStore
    ) -> None:
        self.config = config
        self.redis = redis
        self.child = child
        """The private Valkey, None with one of the operator's."""
        self.leases = leases
        self.wakeups = Wakeups(redis)
        self.presence = Presence(redis)
        """Of agents' consoles; nodes have their registry."""
        self.limits = RateLimiter(redis)
        self.reconciler = Reconciler(redis)
        self._nodes: NodeRegistry | None = None
        self._ownership: RoomOwnership | None = None
        self._proxy: SignalProxy | None = None
        self._joined = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, config: ClusterConfig, *, leases: LeaseStore | None = None) -> Cluster:
        """Reach Redis, or start a private one; begin with wake-ups, presence and reconciling.

        `leases`: the truth of who owns which room, `DatabaseLeases` where there is a database. Without one:
        Redis, or this process' memory when Redis is private.

        Raises ConfigurationError for a URL that cannot be used, or when no private server can be started. A
        Redis that does not answer is no error.
        """
        child = None
        url = config.redis_url
        if not url:
            child = ValkeyChild(config.data_dir)
            await child.start()
            url = child.url
        try:
            redis = RedisConnection(url)
        except BaseException:
            if child is not None:
                await child.stop()
            raise
        await redis.start()
        if leases is None:
            leases = RedisLeases(redis) if child is None else MemoryLeases()
        cluster = cls(config, redis, child, leases)
        cluster.wakeups.start()
        cluster.presence.start()
        cluster.reconciler.add("presence", cluster.presence.renew)
        cluster.reconciler.start()
        if child is not None:
            cluster._watcher = asyncio.create_task(cluster._watch_child(child), name="valkey watch")
        return cluster

    async def join(
        self,
        settings: Settings,
        *,
        internal_url: str,
        media_addresses: tuple[str, ...] = (),
        version: str = "",
        load: Callable[[], NodeLoad],
        rooms: Callable[[], Collection[str]],
        room_lost: Callable[[str], None],
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Become one of the nodes: registered, able to own rooms, and passing on what is others'.

        `internal_url`: where the others reach this node's HTTP. `rooms`: names of the rooms that are here.
        `room_lost` is called with a room that another node owns now, and must end it here.
        """
        me = NodeInfo(
            self.config.node_id,
            internal_url,
            media_addresses=media_addresses,
            version=version,
            started_at=time.time(),
        )
        self._nodes = nodes = NodeRegistry(self.redis, me, load)
        self._ownership = ownership = RoomOwnership(
            self.leases,
            self.redis,
            self.wakeups,
            node=me.id,
            url=internal_url,
            rooms=rooms,
            ttl_s=self.config.lease_ttl_s,
        )
        ownership.on_lost(room_lost)
        secret = derive_secret(self.config.api_keys or {}, self.config.secret)
        self._proxy = proxy = SignalProxy(settings, ownership, nodes, secret, ssl_context=ssl_context)
        nodes.on_lost(proxy.cut)
        await proxy.start()
        await nodes.start()
        ownership.start()
        self.reconciler.add("nodes", nodes.refresh)
        self.reconciler.add("rooms", ownership.rebuild)
        self._joined.set()
        _log.info("joined", node=me.id, url=internal_url, nodes=len(nodes.live()))

    async def stop(self) -> None:
        """Give everything back and end the private Valkey. Call it after the rooms were closed."""
        await self.reconciler.stop()
        if self._proxy is not None:
            await self._proxy.stop()
        if self._ownership is not None:
            await self._ownership.stop()
        if self._nodes is not None:
            await self._nodes.stop()
        await self.presence.stop()
        await self.wakeups.stop()
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self.redis.stop()
        if self.child is not None:
            await self.child.stop()

    # Parts that exist after `join` ------------------------------------------------------------------

    @property
    def joined(self) -> bool:
        """Whether `join` has been called."""
        return self._joined.is_set()

    @property
    def nodes(self) -> NodeRegistry:
        """Who else is there; only after `join`."""
        assert self._nodes is not None, "not joined"
        return self._nodes

    @property
    def ownership(self) -> RoomOwnership:
        """Who owns which room; only after `join`."""
        assert self._ownership is not None, "not joined"
        return self._ownership

    @property
    def proxy(self) -> SignalProxy:
        """The way to other nodes; only after `join`."""
        assert self._proxy is not None, "not joined"
        return self._proxy

    # Use -------------------------------------------------------------------------------------------

    async def place_room(self, room: str) -> Owner:
        """The node that owns a room, or shall: one is chosen by load if there is none.

        If it is this node (`is_here`), the room is claimed. Otherwise it is claimed there when the first
        request for it arrives. Raises NoOwnerError when no node can be found within a few seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + TAKEOVER_S
        while True:
            try:
                owner = await self.proxy.locate(room, creates=True)
            except LeasesAwayError as error:
                if loop.time() >= deadline:
                    raise NoOwnerError(str(error)) from None
                await asyncio.sleep(RETRY_S)
                continue
            if owner is None:
                raise NoOwnerError("every node is draining")
            return owner

    def is_here(self, owner: Owner) -> bool:
        """Whether an owner is this node."""
        return owner.node == self.config.node_id

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """For the application: passes on what other nodes have to answer."""
        if not self.joined:
            return await handler(request)
        return await self.proxy.handle(request, handler)

    def collector(self) -> ClusterCollector:
        """For the Prometheus registry."""
        return ClusterCollector(self)

    async def _watch_child(self, child: ValkeyChild) -> None:
        """Kill a private Valkey that hangs: its supervisor starts another, and the reconciler fills it."""
        while True:
            await asyncio.sleep(CHILD_LOOK_S)
            health = self.redis.health
            if not health.up and time.time() - health.since > STUCK_CHILD_S:
                _log.warning("the private valkey does not answer; ending it", pid=child.pid)
                child.kill()
                with contextlib.suppress(TimeoutError, RedisAwayError):
                    async with asyncio.timeout(STUCK_CHILD_S):
                        await self.redis.wait_up()
