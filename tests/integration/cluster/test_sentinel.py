"""A real Sentinel: the primary dies, a replica takes over, and the connection follows."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signalling.cluster.connection import RedisConnection
from tests.integration.cluster.conftest import eventually

PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server")

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="needs valkey-server or redis-server (apt-get install redis-server) for Sentinel"
)

DOWN_MS = 500
FAILOVER_S = 40.0
"""Sentinel asks itself, waits, promotes; the connection finds out by asking Sentinel."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Servers:
    """A primary, its replica and one Sentinel."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ports = {name: _free_port() for name in ("primary", "replica", "sentinel")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *lines: str) -> None:
        assert PROGRAM is not None
        directory = self._directory / name
        directory.mkdir()
        config = directory / "server.conf"
        port = self.ports[name]
        config.write_text("\n".join([f"port {port}", "bind 127.0.0.1", f"dir {directory}", *lines]) + "\n")
        arguments = [PROGRAM, str(config), *(["--sentinel"] if name == "sentinel" else [])]
        self.processes[name] = subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    async def answers(self, name: str) -> None:
        async with asyncio.timeout(15):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.ports[name])
                except OSError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                return


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    found = Servers(tmp_path)
    primary = found.ports["primary"]
    try:
        found.start("primary", 'save ""')
        await found.answers("primary")
        found.start("replica", 'save ""', f"replicaof 127.0.0.1 {primary}", "repl-diskless-sync-delay 0")
        await found.answers("replica")
        found.start(
            "sentinel",
            f"sentinel monitor desk 127.0.0.1 {primary} 1",
            f"sentinel down-after-milliseconds desk {DOWN_MS}",
            "sentinel failover-timeout desk 3000",
        )
        await found.answers("sentinel")
        yield found
    finally:
        for process in found.processes.values():
            process.kill()
            process.wait()


async def _said(redis: RedisConnection, *command: str) -> str:
    return str(await redis.call(*command))


async def test_the_connection_follows_sentinel_to_the_new_primary(servers: Servers) -> None:
    redis = RedisConnection(f"redis+sentinel://127.0.0.1:{servers.ports['sentinel']}/desk")
    watcher = RedisConnection(f"redis://127.0.0.1:{servers.ports['primary']}")
    await watcher.start()
    await redis.start()
    try:
        await eventually(lambda: redis.health.up)
        async with asyncio.timeout(15):  # a replica that has not caught up would not be promoted
            while "online" not in await _said(watcher, "INFO", "replication"):
                await asyncio.sleep(0.05)
        sentinel = RedisConnection(f"redis://127.0.0.1:{servers.ports['sentinel']}")
        await sentinel.start()
        async with asyncio.timeout(20):  # Sentinel must have found the replica
            while str(servers.ports["replica"]) not in await _said(sentinel, "SENTINEL", "replicas", "desk"):
                await asyncio.sleep(0.05)
        await sentinel.stop()
        await redis.call("SET", "who", "primary")
        assert await watcher.call("GET", "who") == b"primary"

        servers.processes["primary"].kill()
        await eventually(lambda: not redis.health.up)
        await eventually(lambda: redis.health.up, FAILOVER_S)
        await redis.call("SET", "who", "promoted")
        promoted = RedisConnection(f"redis://127.0.0.1:{servers.ports['replica']}")
        await promoted.start()
        assert await promoted.call("GET", "who") == b"promoted"
        await promoted.stop()
    finally:
        await redis.stop()
        await watcher.stop()
