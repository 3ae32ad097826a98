"""A server of our own as a child process: started, awaited until ready, ended by its process id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import aiohttp
from livekit import api

from loadtest import tokens

DEV_API_KEY, DEV_API_SECRET = tokens.DEV_API_KEY, tokens.DEV_API_SECRET

_READY_DEADLINE_S = 30.0
_STOP_DEADLINE_S = 5.0  # for each of: SIGTERM, a second SIGTERM, SIGKILL
_POLL_INTERVAL_S = 0.05
_LOG_TAIL_LINES = 40


class ServerStartError(RuntimeError):
    """The server ended or was not ready in time; the message ends with the tail of its log."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """`raisehand serve --dev` on free ports. Use as an asynchronous context manager."""

    def __init__(
        self,
        data_dir: Path,
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
        log_path: Path | None = None,
    ) -> None:
        self.port = free_port()
        self.tcp_port = free_port()
        self.udp_port = free_port(socket.SOCK_DGRAM)
        self.data_dir = data_dir
        self.log_path = log_path or data_dir / "server.log"
        self._arguments = list(arguments)
        self._environment = dict(environment or {})
        self._command = list(command) if command is not None else [sys.executable, "-m", "signalling.cli"]
        self._process: asyncio.subprocess.Process | None = None
        self.ready_after_s = 0.0
        """Seconds from the start of the process until it said that it was ready."""

    @property
    def url(self) -> str:
        """What LiveKit clients connect to."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id; raises ServerStartError when it was not started."""
        if self._process is None:
            raise ServerStartError("the server was not started")
        return self._process.pid

    def log_tail(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log_path.read_text("utf-8", "replace").splitlines()[-_LOG_TAIL_LINES:])
        return ""

    async def start(self) -> ServerProcess:
        """Start it and wait until `/readyz` answers 200; raises ServerStartError."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = [
            *self._command,
            "serve",
            "--dev",
            *("--port", str(self.port)),
            *("--udp-port", str(self.udp_port)),
            *("--tcp-port", str(self.tcp_port)),
            *("--data-dir", str(self.data_dir)),
            *self._arguments,
        ]
        started = time.monotonic()
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
            )
        try:
            await self._wait_until_ready(started + _READY_DEADLINE_S)
        except BaseException:
            await self.stop()
            raise
        self.ready_after_s = time.monotonic() - started
        return self

    async def _wait_until_ready(self, deadline: float) -> None:
        assert self._process is not None
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session:
            while time.monotonic() < deadline:
                if self._process.returncode is not None:
                    raise ServerStartError(
                        f"server ended with {self._process.returncode}:\n{self.log_tail()}"
                    )
                with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
                    async with session.get(f"{self.http_url}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(_POLL_INTERVAL_S)
        raise ServerStartError(f"server not ready within {_READY_DEADLINE_S:g} s:\n{self.log_tail()}")

    async def stop(self) -> int | None:
        """End it: SIGTERM, SIGTERM again (a drain may be going on), SIGKILL; returns its exit code."""
        process = self._process
        if process is None:
            return None
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP_DEADLINE_S)
        return process.returncode

    async def __aenter__(self) -> ServerProcess:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def access_token(
    room: str,
    identity: str,
    *,
    name: str = "",
    metadata: str = "",
    attributes: Mapping[str, str] | None = None,
    grants: api.VideoGrants | None = None,
    ttl_s: float = 3600.0,
    key: str = DEV_API_KEY,
    secret: str = DEV_API_SECRET,
) -> str:
    """A LiveKit access token to join `room`; `grants` replaces the usual ones (publish, subscribe, data)."""
    given = grants or api.VideoGrants(can_update_own_metadata=True)
    given.room_join = True
    given.room = room
    token = api.AccessToken(key, secret).with_identity(identity).with_grants(given)
    token = token.with_ttl(timedelta(seconds=ttl_s))
    if name:
        token = token.with_name(name)
    if metadata:
        token = token.with_metadata(metadata)
    if attributes:
        token = token.with_attributes(dict(attributes))
    return token.to_jwt()
