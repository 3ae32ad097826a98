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

from signalling.cluster.child import ValkeyChild, wheel_server
from signalling.cluster.cluster import Cluster
from signalling.cluster.connection import RedisConnection
from signalling.cluster.leases import LeaseStore
from signalling.cluster.nodes import NodeLoad
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


class ClusterNode(Node):
    """A node that says it is as busy as a test wants."""

    wished = NodeLoad()

    def load(self) -> NodeLoad:
        """Both nodes are this one process: its processor time says nothing about either."""
        now = super().load()
        return replace(now, cpu=self.wished.cpu, draining=self.wished.draining or now.draining)


@dataclass
class Member:
    """A node of the cluster."""

    node: ClusterNode
    cluster: Cluster
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.node.listening.port}"

    @property
    def id(self) -> str:
        return self.cluster.config.node_id

    async def stop(self) -> None:
        await self.http.close()
        await self.node.stop()


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
    # Each node has a desk of its own here: who owns a room is decided in what they share.
    with unittest.mock.patch("signalling.service.runtime.DatabaseLeases", return_value=leases):
        node = await ClusterNode.start(settings)
    assert isinstance(node, ClusterNode)
    return Member(node, node.desk.cluster, aiohttp.ClientSession())


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
