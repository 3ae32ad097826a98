"""The connection to Redis or Valkey: every call bounded in time, and "away" as a normal state.

A call that gets no answer in time marks Redis as away; from then on calls fail at once, and one probe asks
until it answers again. So a frozen Redis costs each caller at most one time limit, and the loop nothing.

A call whose connection broke is repeated once (a pooled connection may have died long ago), therefore
commands must bear being done twice. All of ours do: leases are renewed, counters may skip a number.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import parse_qs, unquote, urlsplit

import structlog
from redis import asyncio as redis_asyncio
from redis import exceptions

from signalling.cluster.errors import RedisAwayError
from signalling.errors import ConfigurationError

CALL_TIMEOUT_S = 0.5
"""Seconds for one call, connecting included; answers usually take a millisecond."""
PROBE_INTERVAL_S = 0.2
"""Seconds between probes while Redis is away: how late we notice that it is back."""
CHECK_INTERVAL_S = 1.0
"""Seconds between probes while nobody else calls, so that the state is known without a caller."""
CONCURRENT_CALLS = 32
"""Calls under way at once; further ones wait within their time limit."""
SENTINEL_PORT = 26379

_SCHEMES = ("redis", "rediss", "unix")
_SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
_AWAY_REPLIES = (
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "NOREPLICAS",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "MISCONF",
    "OOM",
)
"""Error replies of a Redis that cannot serve just now, for instance during a fail-over."""

_log = structlog.get_logger("redis")

Argument = str | bytes | int | float
T = TypeVar("T")


class Client(Protocol):
    """What is needed of redis-py's client."""

    async def execute_command(self, *args: Argument) -> Any: ...

    def pipeline(self, transaction: bool = True) -> Any: ...

    def pubsub(self) -> Any: ...

    def aclose(self) -> Coroutine[Any, Any, None]: ...


@dataclass(frozen=True, slots=True)
class Health:
    """Whether Redis answers, and since when."""

    up: bool
    since: float
    """Unix seconds of the last change."""
    reason: str = ""
    """Why it is away."""


@dataclass(slots=True)
class ConnectionCounters:
    """What happened, for `/metrics`."""

    calls: int = 0
    failures: int = 0
    """Calls that failed for Redis was away or went away."""
    refused: int = 0
    """Of these, calls that were not tried because it was known to be away."""
    outages: int = 0
    seconds: float = 0.0
    """Time spent in calls that were answered."""


class Script:
    """A Lua script, sent once and then called by its digest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_leftovers: set[asyncio.Future[Any]] = set()


async def bounded(act: Coroutine[Any, Any, T], seconds: float) -> T:
    """What `act` gives, or TimeoutError after `seconds`, whatever becomes of it.

    redis-py swallows some cancellations: it looks for stray input under ``asyncio.timeout(0)``, which takes a
    cancellation from outside for its own. So neither ``asyncio.timeout`` nor cancelling a task that waits for
    redis-py can be relied on: `act` runs as a task that is left to its end. Its socket has a time limit, too.
    """
    task = asyncio.ensure_future(act)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            _leftovers.add(task)
            task.add_done_callback(_left_over)
            task.cancel()
    if not done:
        raise TimeoutError
    return task.result()


def _left_over(task: asyncio.Future[Any]) -> None:
    _leftovers.discard(task)
    if not task.cancelled():
        task.exception()  # nobody else will look at it


def check_url(url: str) -> None:
    """Raises ConfigurationError when no connection could ever be made from this URL."""
    _make_client(url, CALL_TIMEOUT_S)


class RedisConnection:
    """One node's way to Redis; `start`, then `call`, `run`, `transaction`, at last `stop`."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`url`: ``redis://``, ``rediss://``, ``unix://``, or for Sentinel
        ``redis+sentinel://[user:password@]host[:port],host…/service[/database][?sentinel_password=…]``.

        Raises ConfigurationError for a URL that cannot be used. Connects only in `start`.
        """
        self._client = _make_client(url, timeout_s)
        self.place = _without_password(url)
        """The URL without its password, for logs."""
        self._timeout_s = timeout_s
        self._clock = clock
        self._health = Health(False, clock(), "not started")
        self._slots = asyncio.Semaphore(CONCURRENT_CALLS)
        self._watcher: asyncio.Task[None] | None = None
        self._trouble = asyncio.Event()
        self._up = asyncio.Event()
        self._listeners: list[Callable[[Health], None]] = []
        self.counters = ConnectionCounters()

    @property
    def health(self) -> Health:
        """Whether Redis answers, and since when."""
        return self._health

    def on_change(self, listener: Callable[[Health], None]) -> None:
        """Tell `listener` whenever Redis comes or goes; it must not block."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Look once whether Redis is there, then keep looking. Never fails: away is a normal state."""
        await self._probe()
        self._watcher = asyncio.create_task(self._watch(), name="redis health")

    async def stop(self) -> None:
        """Close all connections."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        with contextlib.suppress(Exception):
            await bounded(self._client.aclose(), self._timeout_s)
        self._set(False, "stopped")

    async def wait_up(self) -> None:
        """Return when Redis answers."""
        await self._up.wait()

    # Calls ---------------------------------------------------------------------------------------

    async def call(self, *command: Argument) -> Any:
        """One command's answer, as redis-py reads it (bytes, not text).

        Raises RedisAwayError after at most the time limit, at once when Redis is known to be away;
        redis.exceptions.ResponseError for a command that is wrong.
        """
        return await self._bounded(lambda: self._client.execute_command(*command))

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument] = ()) -> Any:
        """A script's answer; raises like `call`."""

        async def by_digest() -> Any:
            given = (len(keys), *keys, *arguments)
            try:
                return await self._client.execute_command("EVALSHA", script.digest, *given)
            except exceptions.NoScriptError:  # a Redis that was restarted or flushed has none
                return await self._client.execute_command("EVAL", script.text, *given)

        return await self._bounded(by_digest)

    async def transaction(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Several commands in one message and one MULTI, and their answers; raises like `call`."""
        if not commands:
            return []

        async def all_at_once() -> Any:
            async with self._client.pipeline(transaction=True) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                return await pipeline.execute()

        return cast(list[Any], await self._bounded(all_at_once))

    def pubsub(self) -> Any:
        """redis-py's PubSub on a connection of its own; the caller bounds its calls in time."""
        return self._client.pubsub()

    async def _bounded(self, act: Callable[[], Awaitable[Any]]) -> Any:
        self.counters.calls += 1
        if not self._health.up:
            self.counters.failures += 1
            self.counters.refused += 1
            raise RedisAwayError(self._health.reason)
        try:
            return await self._attempt(act)
        except RedisAwayError as error:
            self.counters.failures += 1
            self._set(False, str(error))
            raise

    async def _attempt(self, act: Callable[[], Awaitable[Any]]) -> Any:
        """Raises RedisAwayError, or ResponseError for a mistake of ours."""
        began = time.monotonic()

        async def twice() -> Any:
            async with self._slots:
                try:
                    return await act()
                except exceptions.ConnectionError as error:
                    if isinstance(error, exceptions.AuthenticationError | exceptions.BusyLoadingError):
                        raise
                    return await act()  # on a new connection

        try:
            answer = await bounded(twice(), self._timeout_s)
        except TimeoutError:
            raise RedisAwayError(f"no answer within {self._timeout_s:g} s") from None
        except exceptions.TimeoutError as error:
            raise RedisAwayError(str(error) or "no answer in time") from None
        except (exceptions.ConnectionError, OSError) as error:
            raise RedisAwayError(str(error) or type(error).__name__) from None
        except exceptions.ResponseError as error:
            if isinstance(error, exceptions.ReadOnlyError) or str(error).startswith(_AWAY_REPLIES):
                raise RedisAwayError(str(error)) from None
            raise
        self.counters.seconds += time.monotonic() - began
        return answer

    # Health --------------------------------------------------------------------------------------

    async def _probe(self) -> bool:
        try:
            await self._attempt(lambda: self._client.execute_command("PING"))
        except (RedisAwayError, exceptions.RedisError) as error:
            self._set(False, str(error))
            return False
        self._set(True)
        return True

    async def _watch(self) -> None:
        while True:
            if await self._probe():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CHECK_INTERVAL_S):
                        await self._trouble.wait()
            else:
                await asyncio.sleep(PROBE_INTERVAL_S)
            self._trouble.clear()

    def _set(self, up: bool, reason: str = "") -> None:
        if up == self._health.up and (up or self._watcher is not None):
            return
        before, self._health = self._health, Health(up, self._clock(), reason)
        if up:
            self._up.set()
            _log.info("redis is there", place=self.place, away_s=round(self._clock() - before.since, 1))
        else:
            self._up.clear()
            self._trouble.set()
            self.counters.outages += 1
            _log.warning("redis is away; going on without it", place=self.place, reason=reason)
        for listener in self._listeners:
            listener(self._health)


# URLs --------------------------------------------------------------------------------------------


def _make_client(url: str, timeout_s: float) -> Client:
    """Raises ConfigurationError."""
    scheme = url.partition("://")[0].lower()
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "socket_keepalive": scheme != "unix",
        "max_connections": CONCURRENT_CALLS + 8,
        "retry": None,
    }
    library: Any = redis_asyncio
    try:
        if scheme in _SENTINEL_SCHEMES:
            return _sentinel_client(url, options)
        if scheme not in _SCHEMES:
            raise ValueError("it must begin with " + ", ".join(f"{each}://" for each in _SCHEMES[:2]))
        if scheme == "unix":
            del options["socket_keepalive"]
        return cast(Client, library.Redis.from_url(url, **options))
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"redis: the URL cannot be used: {error}") from None


def _sentinel_client(url: str, options: dict[str, Any]) -> Client:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = set(query) - {"sentinel_username", "sentinel_password"}
    if not service:
        raise ValueError("it must name Sentinel's service: redis+sentinel://host1,host2,host3/SERVICE")
    if unknown:
        raise ValueError(f"unknown parameters {', '.join(sorted(unknown))}")
    if database and not database.isdigit():
        raise ValueError("the database must be a number")
    secure = parts.scheme == "rediss+sentinel"
    timeouts = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout")}
    library: Any = redis_asyncio
    sentinel = library.Sentinel(
        [_host_and_port(text) for text in hosts.split(",")],
        sentinel_kwargs={
            **timeouts,
            "username": query.get("sentinel_username"),
            "password": query.get("sentinel_password"),
            **({"ssl": True} if secure else {}),
        },
        **options,
    )
    return cast(
        Client,
        sentinel.master_for(
            service,
            username=unquote(username) or None,
            password=unquote(password) or None,
            db=int(database or 0),
            **({"ssl": True} if secure else {}),
        ),
    )


def _host_and_port(text: str) -> tuple[str, int]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if not host or (port and not port.isdigit()):
        raise ValueError(f"{text!r} is not host:port")
    return host, int(port or SENTINEL_PORT)


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
