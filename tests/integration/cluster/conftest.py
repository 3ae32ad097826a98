"""A real Valkey of the test's own, connections to it, and nodes that share it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import unittest.mock
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from mediaserver.room.model import LeaveReason, new_sid
from signalling.app import create_app
from signalling.cluster.child import ValkeyChild, wheel_server
from signalling.cluster.cluster import Cluster, ClusterConfig
from signalling.cluster.connection import RedisConnection
from signalling.cluster.leases import LeaseStore
from signalling.cluster.nodes import CpuMeter, NodeLoad
from signalling.node import Node
from signalling.settings import load_settings

DEADLINE_S = 15.0

_REDIS = shutil.which("redis-server") or shutil.which("valkey-server")
SERVERS = {"wheel": wheel_server(), "installed": Path(_REDIS) if _REDIS else None}


async def eventually(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.01)


async def eventually_is(question: Callable[[], Awaitable[Any]], answer: Any) -> None:
    """Wait until a question has this answer."""
    async with asyncio.timeout(DEADLINE_S):
        while await question() != answer:
            await asyncio.sleep(0.02)


class Valkey:
    """A server that can be killed, frozen and flushed."""

    def __init__(self, child: ValkeyChild) -> None:
        self.child = child
        self.url = child.url
        self._frozen: int | None = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self.child.pid is not None
        self._frozen = self.child.pid
        os.kill(self._frozen, signal.SIGSTOP)

    def thaw(self) -> None:
        if self._frozen is not None:
            try:
                os.kill(self._frozen, signal.SIGCONT)
            except ProcessLookupError:
                pass
            self._frozen = None

    async def flush(self) -> None:
        redis = RedisConnection(self.url)
        await redis.start()
        await redis.call("FLUSHALL")
        await redis.stop()


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Valkey]:
    child = ValkeyChild(tmp_path)
    await child.start()
    server = Valkey(child)
    yield server
    server.thaw()
    await child.stop()


Connect = Callable[..., Awaitable[RedisConnection]]


@pytest.fixture
async def connect(valkey: Valkey) -> AsyncIterator[Connect]:
    """Further connections to the test's Valkey."""
    made: list[RedisConnection] = []

    async def connect_one(**options: Any) -> RedisConnection:
        redis = RedisConnection(valkey.url, **options)
        made.append(redis)
        await redis.start()
        return redis

    yield connect_one
    valkey.thaw()
    for redis in made:
        await redis.stop()


@pytest.fixture
async def redis(connect: Connect) -> RedisConnection:
    return await connect()


@dataclass
class Member:
    """A node of the cluster."""

    node: Node
    cluster: Cluster
    http: aiohttp.ClientSession
    load: NodeLoad

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.node.listening.port}"

    @property
    def id(self) -> str:
        return self.cluster.config.node_id

    async def stop(self) -> None:
        await self.http.close()
        await self.node.stop()
        await self.cluster.stop()


StartMember = Callable[..., Awaitable[Member]]


async def start_cluster_node(
    data_dir: Path, redis_url: str, *, leases: LeaseStore | None = None, **flags: Any
) -> Member:
    """What a node does to be one of several."""
    defaults = {
        "dev": True,
        "port": 0,
        "tcp_port": 0,
        "udp_port": 0,
        "data_dir": data_dir,
        "redis": redis_url,
    }
    settings = load_settings({**defaults, "media": {"listen": "127.0.0.1"}, **flags}, environment={})
    config = ClusterConfig(
        node_id=new_sid("ND_"), data_dir=data_dir, redis_url=redis_url, api_keys=settings.secrets
    )
    cluster = await Cluster.start(config, leases=leases)

    def create(*arguments: Any, **options: Any) -> web.Application:
        app = create_app(*arguments, **options)
        app.middlewares.append(cluster.middleware)
        return app

    with unittest.mock.patch("signalling.node.create_app", create):
        node = await Node.start(settings)
    member = Member(node, cluster, aiohttp.ClientSession(), NodeLoad())
    cpu = CpuMeter()

    def load() -> NodeLoad:
        cpu.share()  # both nodes are this one process: its processor time says nothing about either
        return replace(
            member.load,
            rooms=len(node.rooms.rooms),
            participants=node.rooms.participant_count,
            draining=member.load.draining or node.signal.draining,
        )

    def room_lost(room: str) -> None:
        if node.rooms.get(room) is not None:
            node.rooms.delete(room, LeaveReason.SERVER_SHUTDOWN)

    await cluster.join(
        settings,
        internal_url=f"http://127.0.0.1:{node.listening.port}",
        load=load,
        rooms=lambda: list(node.rooms.rooms),
        room_lost=room_lost,
    )
    return member


@pytest.fixture
async def start_member(valkey: Valkey, tmp_path: Path) -> AsyncIterator[StartMember]:
    """Starts nodes that share the test's Valkey."""
    members: list[Member] = []

    async def start(**options: Any) -> Member:
        member = await start_cluster_node(tmp_path / f"node{len(members)}", valkey.url, **options)
        members.append(member)
        for each in members:
            await each.cluster.nodes.refresh()
        return member

    yield start
    valkey.thaw()
    for member in members:
        await member.stop()


@pytest.fixture
async def pair(start_member: StartMember) -> tuple[Member, Member]:
    """Two nodes that know each other."""
    first, second = await start_member(), await start_member()
    await first.cluster.nodes.refresh()
    assert len(first.cluster.nodes.live()) == len(second.cluster.nodes.live()) == 2
    return first, second
