"""The desk of one node, put together: store, cluster, service, tasks and API, from start to stop."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import structlog
from aiohttp import web

from mediaserver.room.control import RoomControl
from signalling.api.context import Api, ClusterLimits
from signalling.api.gate import Gate
from signalling.api.passwords import Passwords
from signalling.api.routes import ROUTES
from signalling.cluster.cluster import Cluster, ClusterConfig
from signalling.cluster.database_leases import DatabaseLeases
from signalling.cluster.ownership import LEASE_PREFIX
from signalling.cluster.rooms import ClusterRoomControl
from signalling.desk.commands import PutQueue, ReportLeft
from signalling.desk.errors import Refusal
from signalling.desk.model import (
    SYSTEM,
    AssignmentState,
    Kind,
    QueueConfig,
    Routing,
)
from signalling.errors import ConfigurationError
from signalling.service.census import RoomCensus, expected
from signalling.service.desk_service import DeskService
from signalling.service.feed import EventFeed
from signalling.service.file_keeper import FileKeeper
from signalling.service.leader import DeskLeader
from signalling.service.live_board import LiveBoard
from signalling.service.lookups import Lookups
from signalling.service.presence import GRACE_S, ConsolePresence
from signalling.service.rooms import RoomConductor, RoomReporter
from signalling.service.samples import add_sample_accounts, add_sample_desk
from signalling.service.sounds import Sounds
from signalling.service.tokens import TokenMint
from signalling.service.topics import TopicList
from signalling.settings import Settings
from signalling.store import migrate
from signalling.store.accounts import Accounts
from signalling.store.administration import ApiKeys, AuditLog, StoredTopics
from signalling.store.attachments import ClassStatsLog, Files
from signalling.store.engine import Database
from signalling.store.errors import StoreError
from signalling.store.idempotency import IdempotencyKeys
from signalling.store.leases import Leases
from signalling.store.queries import Queries
from signalling.store.relay import Feed, Relay
from signalling.store.unit_of_work import DeskStore

DRAIN_S: Final = 2.0
"""Seconds at stop for telling the desk who left."""

_log = structlog.get_logger("desk")


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class DeskRuntime:
    """Everything of a node that is not media. `start`, serve `routes`, `stop`."""

    def __init__(
        self, settings: Settings, database: Database, cluster: Cluster, control: RoomControl
    ) -> None:
        node_id = cluster.config.node_id
        self.settings = settings
        self.database = database
        self.cluster = cluster
        self.store = DeskStore(database)
        self.queries = Queries(database)
        self.service = DeskService(self.store, cluster.wakeups)
        self.board = LiveBoard(self.store, self.queries)
        self.feed = EventFeed(Feed(database), Relay(database, node_id), cluster.wakeups)
        sounds = Sounds(settings.desk.sounds) if settings.desk.music else None
        if sounds is not None:
            sounds.load_all()
        self.conductor = RoomConductor(control, self.queries, sounds, lambda: self.board.policy)
        self.reporter = RoomReporter(self.service, self.conductor, control)
        self.leader = DeskLeader(self.service, self.board, self.queries, Leases(database), node_id, _utc_now)
        self.census = RoomCensus(
            self.service, self.board, control, owned=self._owned_rooms, leads=lambda: self.leader.leads
        )
        self.rooms = ClusterRoomControl(control, cluster)
        self.presence = ConsolePresence(cluster.presence, self.service, self._talks, grace_s=GRACE_S)
        self.files = FileKeeper(Files(database), settings.data_dir, _utc_now)
        self.passwords = Passwords()
        self.accounts = Accounts(database)
        self.topics = TopicList(StoredTopics(database))
        self.board.advice = self.topics.advice
        self.api = Api(
            settings=settings,
            accounts=self.accounts,
            api_keys=ApiKeys(database),
            audit=AuditLog(database),
            topics=self.topics,
            idempotency=IdempotencyKeys(database),
            passwords=self.passwords,
            desk=self.service,
            queries=self.queries,
            lookups=Lookups(database),
            files=Files(database),
            class_stats=ClassStatsLog(database),
            board=self.board,
            feed=self.feed,
            control=self.rooms,
            mint=TokenMint(*next(iter(settings.secrets.items()))),
            presence=self.presence,
            version=_version(),
            node_id=node_id,
            cluster=ClusterLimits(cluster.limits, cluster.redis) if settings.redis else None,
        )
        self._gate = Gate(self.api, ROUTES)
        self.service.on_outcome(self.board.on_outcome)
        self.service.on_outcome(self.conductor.on_outcome)
        self.feed.on_event(self.conductor.on_event)
        self.feed.on_event(self.leader.on_event)
        control.watch(self.reporter.on_event)
        self.tasks: list[asyncio.Task[None]] = []
        """Owned by the node: one that ends ends the node."""

    @classmethod
    async def start(cls, settings: Settings, control: RoomControl, *, node_id: str) -> DeskRuntime:
        """Open the store, reach Redis and begin to work.

        Raises ConfigurationError when the database or Redis cannot be used.
        """
        try:
            database = await Database.open(settings.database, settings.data_dir)
        except StoreError as error:
            raise ConfigurationError(f"database: {error}") from None
        cluster: Cluster | None = None
        runtime: DeskRuntime | None = None
        try:
            await migrate.prepare(database)
            config = ClusterConfig(node_id, settings.data_dir, settings.redis, settings.secrets)
            cluster = await Cluster.start(config, leases=DatabaseLeases(database))
            runtime = cls(settings, database, cluster, control)
            await runtime._begin()
        except BaseException as error:
            if runtime is not None:
                await runtime.stop()
            else:
                if cluster is not None:
                    await cluster.stop()
                await database.close()
            if isinstance(error, StoreError):
                raise ConfigurationError(f"database: {error}") from None
            raise
        return runtime

    async def _begin(self) -> None:
        await self._apply_settings()
        if self.settings.dev:
            await add_sample_accounts(self.accounts, self.passwords)
            await add_sample_desk(self.service, self.queries, self.settings.desk)
        await self._set_routing()
        await self.board.open(self.feed)
        if not self.settings.redis:
            await self._report_absent()
        for name, work in (
            ("event relay", self.feed.run_relay()),
            ("event feed", self.feed.run_reader()),
            ("board", self.board.run()),
            ("desk leader", self.leader.run()),
            ("housekeeping", self.leader.run_housekeeping(self.database)),
            ("file keeper", self.files.run()),
            ("room reports", self.reporter.run()),
        ):
            self._own(name, work)

    def watch_rooms(self) -> None:
        """This node is one of several, and joined: notice what became of the others' rooms."""
        self._own("census", self.census.run())

    async def _owned_rooms(self) -> set[str]:
        leases = await self.cluster.leases.list_valid(LEASE_PREFIX)
        return {lease.name.removeprefix(LEASE_PREFIX) for lease in leases}

    def _own(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work, name=name))

    async def _apply_settings(self) -> None:
        """What the configuration says of the whole desk goes into the stored policy."""
        desk = self.settings.desk
        policy = await self.store.policy()
        wanted = replace(policy, agents_told=desk.tell_agents, abandon_after_s=desk.rejoin_s)
        if wanted != policy:
            await self.store.put_policy(wanted)

    async def _set_routing(self) -> None:
        """A desk without any queue gets one; `desk.routing: external` holds for all queues."""
        desk = self.settings.desk
        queues = await self.queries.queues()
        if not queues:
            policy = await self.store.policy()
            queues = [QueueConfig(policy.default_queue, offer_timeout_s=desk.offer_timeout_s)]
            await self.service.execute(PutQueue(by=SYSTEM, config=queues[0]))
        if desk.routing != Routing.EXTERNAL.value:
            return
        for queue in await self.queries.queues():
            wanted = replace(queue, routing=Routing.EXTERNAL, external_deadline_s=desk.external_deadline_s)
            if wanted != queue:
                await self.service.execute(PutQueue(by=SYSTEM, config=wanted))

    async def _report_absent(self) -> None:
        """This node is alone and has just started: whoever was in a room is not in it any more."""
        for call in await self.queries.unfinished_calls():
            if call.kind is Kind.CHAT or not call.open:
                continue
            for identity, fence in expected(call):
                try:
                    await self.service.execute(
                        ReportLeft(by=SYSTEM, call=call.id, identity=identity, fence=fence)
                    )
                except Refusal as refusal:
                    _log.info("nobody to miss", call=call.id, code=refusal.code)

    def _talks(self, agent: str) -> bool:
        """Whether an agent's media is connected, on any node."""
        return any(
            assignment.agent == agent and assignment.state is AssignmentState.LIVE
            for call in self.board.board.desk.calls.values()
            if call.kind is not Kind.CHAT
            for assignment in call.live_assignments
        )

    def routes(self) -> Iterator[web.RouteDef]:
        """The routes below `/v1`."""
        return self._gate.routes()

    async def end_streams(self, _app: web.Application) -> None:
        """Before the HTTP server stops: event streams would keep it waiting."""
        self.api.closing.set()

    async def stop(self) -> None:
        """End the tasks and close the store. Call it after the rooms were closed."""
        if self.tasks:
            await self.reporter.drain(DRAIN_S)
        await self.presence.close()
        await self.conductor.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.leader.resign()
        await self.cluster.stop()
        self.passwords.close()
        await self.database.close()


def _version() -> str:
    try:
        return version("raisehand")
    except PackageNotFoundError:
        return "0"
