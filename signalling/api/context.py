"""What handlers work with."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from mediaserver.room.control import RoomControl
from signalling.api.admission import Admission, LoginLock
from signalling.api.attention import Attention
from signalling.api.event_views import EventTexts, People
from signalling.api.identity import Authenticator
from signalling.api.keys import KeyRing
from signalling.api.limits import Concurrency, Lockout, Rate
from signalling.api.passwords import Passwords
from signalling.api.roles import Role
from signalling.cluster.connection import RedisConnection
from signalling.cluster.limits import RateLimiter as SharedLimiter
from signalling.cluster.limits import SharedLockout
from signalling.errors import ConfigurationError
from signalling.livekit.server import client_address, parse_networks
from signalling.service.desk_service import DeskService
from signalling.service.feed import EventFeed
from signalling.service.live_board import LiveBoard
from signalling.service.lookups import Lookups
from signalling.service.presence import ConsolePresence
from signalling.service.tokens import TokenMint
from signalling.service.topics import TopicList
from signalling.settings import Settings
from signalling.store.accounts import Accounts
from signalling.store.administration import ApiKeys, AuditLog
from signalling.store.attachments import ClassStatsLog, Files
from signalling.store.idempotency import IdempotencyKeys
from signalling.store.queries import Queries


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class ApiClock:
    """Where the API reads the time."""

    monotonic: Callable[[], float] = time.monotonic
    utc_now: Callable[[], datetime.datetime] = _utc_now


@dataclass(frozen=True, slots=True)
class ClusterLimits:
    """Limits that hold for all nodes together."""

    limits: SharedLimiter
    redis: RedisConnection

    def lockout(self, like: Lockout) -> SharedLockout:
        """Failed logins of all nodes, by the rules of a node's own."""
        return SharedLockout(self.redis, allowed=like.allowed, first_s=like.first_s, longest_s=like.longest_s)


@dataclass
class Api:
    """Everything a handler may use; one per node."""

    settings: Settings
    accounts: Accounts
    api_keys: ApiKeys
    audit: AuditLog
    topics: TopicList
    idempotency: IdempotencyKeys
    passwords: Passwords
    desk: DeskService
    queries: Queries
    lookups: Lookups
    files: Files
    class_stats: ClassStatsLog
    board: LiveBoard
    feed: EventFeed
    control: RoomControl
    mint: TokenMint
    presence: ConsolePresence
    clock: ApiClock = field(default_factory=ApiClock)
    version: str = "0"
    node_id: str = ""
    cluster: ClusterLimits | None = None
    """What counts for all nodes together; None when this one is alone."""
    draining: Callable[[], bool] = lambda: False
    """Whether new calls are refused."""
    openapi: str | None = None
    """The rendered document, once it was asked for."""

    def __post_init__(self) -> None:
        api = self.settings.api
        shared = self.cluster.limits if self.cluster is not None else None
        # Requests are what one node has to bear; presses and logins are what people do, wherever they do it.
        self.requests = Admission("requests", Rate(api.requests_per_s, api.request_burst), None)
        self.logins = Admission("logins", Rate(api.logins_per_minute / 60, api.logins_per_minute), shared)
        self.presses = Admission("presses", Rate(api.presses_per_minute / 60, api.presses_per_minute), shared)
        self.streams = Concurrency(api.event_streams_per_actor)
        self.closing = asyncio.Event()
        """The server ends: event streams shall, too."""
        self.people = People(self.lookups)
        self.event_texts = EventTexts(self.board.names, self.board.supervises)
        self.attention = Attention(self.people)
        self.feed.on_event(self.people.learn)
        self.feed.on_event(self.attention.on_event)
        lockout = Lockout(api.failed_logins, api.lockout_s)
        self.lockout = LoginLock(lockout, self.cluster.lockout(lockout) if self.cluster is not None else None)
        self.signing_key = next(iter(self.settings.secrets.items()))
        """Key and secret of what this server mints itself."""
        self.keys = KeyRing(
            self.api_keys,
            self.settings.secrets,
            utc_now=self.clock.utc_now,
            monotonic=self.clock.monotonic,
        )
        self._proxies = parse_networks(self.settings.trusted_proxies)
        self.authenticator = Authenticator(
            self.accounts,
            api_secrets=self.settings.secrets,
            key_roles=key_roles(self.settings),
            keys=self.keys,
            allowed_origins=frozenset(self.settings.allowed_origin),
            utc_now=self.clock.utc_now,
            monotonic=self.clock.monotonic,
        )

    def address_of(self, request: web.Request) -> str:
        """Where a request really comes from."""
        return client_address(request, self._proxies)


def key_roles(settings: Settings) -> dict[str, frozenset[Role]]:
    """The roles API keys may issue; raises ConfigurationError for a role there is none of."""
    try:
        return {key: frozenset(Role(role) for role in roles) for key, roles in settings.api.key_roles.items()}
    except ValueError as error:
        known = ", ".join(role.value for role in Role)
        raise ConfigurationError(f"api.key_roles: {error}; the roles are {known}") from None
