"""Starts a real PostgreSQL of the distribution for tests: private, on a Unix socket, never as root.

Nothing is installed and nothing of the machine's own PostgreSQL is touched: the data lie in a new temporary
directory, and the server ends with the process that started it, even when that is killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import asyncpg

PACKAGE = "postgresql"
"""The package of Debian and Ubuntu with the server's programs."""

PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
)
"""Where distributions keep `initdb` and `postgres` when they are not on the PATH."""

ACCOUNTS = ("postgres", "nobody")
"""Whom the server runs as when the tests run as root: PostgreSQL refuses root."""

START_S = 60.0
"""Deadline for the server to answer; starting takes about a second on an idle machine."""

SUPERUSER = "raisehand"

_PR_SET_PDEATHSIG = 1

SETTINGS = (
    "listen_addresses=",  # a Unix socket only: no port to clash with
    "max_connections=200",
    "shared_buffers=32MB",
    "fsync=off",  # the tests kill the server, never the machine
    "full_page_writes=off",
    "max_wal_size=128MB",
    "autovacuum=off",
    "log_min_messages=fatal",
)


class PostgresMissingError(Exception):
    """No PostgreSQL server is installed; the message says which package has one."""


def find_binaries() -> Path:
    """The directory with `initdb` and `postgres`, newest version first.

    Raises PostgresMissingError.
    """
    candidates: list[Path] = []
    for pattern in PLACES:
        places = Path("/").glob(pattern.removeprefix("/"))
        candidates += sorted(places, key=_version, reverse=True)
    if on_path := shutil.which("initdb"):
        candidates.append(Path(on_path).resolve().parent)
    for directory in candidates:
        if all(os.access(directory / name, os.X_OK) for name in ("initdb", "postgres")):
            return directory
    raise PostgresMissingError(
        "these tests need a PostgreSQL server, and none is installed. "
        f"Debian, Ubuntu: apt-get install --no-install-recommends {PACKAGE}"
    )


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", str(path)))


def _account() -> pwd.struct_passwd | None:
    """Whom to become, or None when this process is not root."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresMissingError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(ACCOUNTS)}"
    )


def _end_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


@dataclass
class PostgresServer:
    """A running server. Use it as a context manager, or `start` and `stop` it."""

    directory: Path
    binaries: Path
    account: pwd.struct_passwd | None
    process: subprocess.Popen[bytes] | None = None
    _databases: int = field(default=0)

    @classmethod
    def create(cls) -> PostgresServer:
        """Make a new, empty cluster (not started yet).

        Raises PostgresMissingError.
        """
        binaries, account = find_binaries(), _account()
        # Not pytest's directory: its parents are closed to other users. Short: a socket's path has 107 bytes.
        directory = Path(tempfile.mkdtemp(prefix="raisehand-pg-"))
        if account is not None:
            os.chown(directory, account.pw_uid, account.pw_gid)
        server = cls(directory, binaries, account)
        made = subprocess.run(
            [
                binaries / "initdb",
                *("--pgdata", str(server.data), "--username", SUPERUSER, "--auth", "trust"),
                *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
            ],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **server._child(),
        )
        if made.returncode:
            shutil.rmtree(directory, ignore_errors=True)
            raise RuntimeError(f"initdb failed: {made.stdout.decode(errors='replace')}")
        return server

    @property
    def data(self) -> Path:
        """The cluster's data directory."""
        return self.directory / "data"

    def url(self, database: str = "postgres") -> str:
        """A URL for `signalling.store`, through the Unix socket."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.directory}"

    def start(self) -> None:
        """Start, and return when the server answers."""
        with (self.directory / "server.txt").open("ab") as log:
            command: list[str | Path] = [
                self.binaries / "postgres",
                *("-D", str(self.data), "-k", str(self.directory)),
            ]
            for setting in SETTINGS:
                command += ["-c", setting]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **self._child())
        deadline = time.monotonic() + START_S
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = (self.directory / "server.txt").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start: {said}")
            ready = subprocess.run(
                [self.binaries / "pg_isready", "-q", "-h", str(self.directory)], check=False
            ).returncode
            if ready == 0:
                return
            time.sleep(0.02)

    def stop(self, *, kill: bool = False) -> None:
        """Stop fast, cutting connections; with `kill` as a crash would (SIGQUIT: no shutdown checkpoint)."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT if kill else signal.SIGINT)
            self.process.wait(timeout=START_S)
            self.process = None

    def freeze(self) -> None:
        """Stop the whole server with SIGSTOP; `thaw` it."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue after `freeze`."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self.process is not None
        pid = self.process.pid
        listing = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(pid)], check=True, capture_output=True, text=True
        ).stdout
        for one in [pid, *map(int, listing.split())]:
            try:
                os.kill(one, number)
            except ProcessLookupError:
                continue

    def close(self) -> None:
        """Stop and delete everything."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def create_database(self, template: str | None = None) -> str:
        """Create a database and return its name; a copy of `template`, to which nobody may be connected."""
        self._databases += 1
        name = f"test_{os.getpid()}_{self._databases}"
        copy = f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
        self.run(f'CREATE DATABASE "{name}"{copy}')
        return name

    def drop_database(self, name: str) -> None:
        """Delete a database, cutting its connections."""
        self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def run(self, statement: str, database: str = "postgres") -> None:
        """Execute one statement. Not from within a running event loop: use `execute` there."""
        asyncio.run(self.execute(statement, database))

    async def execute(self, statement: str, database: str = "postgres") -> None:
        """Execute one statement in its own connection."""
        connection = await asyncpg.connect(user=SUPERUSER, database=database, host=str(self.directory))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _child(self) -> dict[str, Any]:
        child: dict[str, Any] = {
            "cwd": "/",
            "stdin": subprocess.DEVNULL,
            "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            "preexec_fn": _end_with_parent,  # runs after the change of user, which would clear it
        }
        if self.account is not None:
            child |= {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        return child

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
