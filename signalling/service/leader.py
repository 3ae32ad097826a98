"""What one node does for all: asking agents, and everything that is due.

The leader holds a lease of the database. Each offer is made in a transaction that checks the lease and both
aggregates again, so that a leader that slept past its lease does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalling.desk.board import Match
from signalling.desk.commands import Command, TicketDue
from signalling.desk.errors import Refusal
from signalling.desk.events import TicketScheduled
from signalling.desk.model import SYSTEM, TicketId
from signalling.service.desk_service import DeskService
from signalling.service.live_board import LiveBoard
from signalling.store.engine import Database
from signalling.store.errors import LeaseLostError, StoreError
from signalling.store.housekeeping import purge
from signalling.store.leases import Lease, Leases
from signalling.store.queries import Queries
from signalling.store.relay import StoredEvent

LEASE: Final = "desk-leader"
LEASE_S: Final = 5.0
"""Life of the lease: how long nobody is asked after the leader was killed."""
RENEW_S: Final = 2.0
"""Seconds between renewals."""
CANDIDATE_S: Final = 1.0
"""Seconds between attempts of the others to become leader."""
AT_ONCE: Final = 8
"""Offers made side by side."""
REST_S: Final = 1.0
"""Longest pause between looks at the board: some of what is due there follows from opening hours."""
TICKETS_S: Final = 5.0
"""Longest pause between looks at tickets in the store, in case their events were missed."""
FAILED_FOR: Final = timedelta(seconds=0.5)
"""How long a match that did not hold is not tried again: the board is being mended meanwhile."""
HOUSEKEEPING_S: Final = 600.0
"""Seconds between looks for what has outlived its use."""
RETRY_S: Final = 0.5

_log = structlog.get_logger("leader")


class DeskLeader:
    """One node's attempt at leading; `run` is an owned task."""

    def __init__(
        self,
        service: DeskService,
        board: LiveBoard,
        queries: Queries,
        leases: Leases,
        holder: str,
        utc_now: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._board = board
        self._queries = queries
        self._leases = leases
        self._holder = holder
        self._utc_now = utc_now
        self._lease: Lease | None = None
        self._renewed: float = 0.0
        self._tickets_at: datetime | None = None
        """When to look at the tickets that are due; None: now."""
        self._failed: dict[tuple[str, str], datetime] = {}
        """Matches that did not hold, not to be tried again before."""
        self.offers = 0
        """Offers made since the start."""
        self.failed_matches = 0
        """Matches since the start that no longer held when they were tried."""

    @property
    def leads(self) -> bool:
        """Whether this node leads, as far as it knows."""
        return self._lease is not None

    async def run(self) -> None:
        """Lead whenever nobody else does."""
        while True:
            try:
                lease = await self._hold()
                if lease is None:
                    await asyncio.sleep(CANDIDATE_S)
                    continue
                if not await self._step(lease):
                    await self._rest()
            except LeaseLostError:
                _log.info("another node leads now")
                self._lease = None
            except StoreError as error:
                _log.warning("nothing can be decided now", reason=str(error))
                await asyncio.sleep(RETRY_S)
            except Exception:
                _log.exception("a step of the leader failed")
                await asyncio.sleep(RETRY_S)

    def on_event(self, stored: StoredEvent) -> None:
        """A promise was made: look at the tickets when it is due."""
        if stored.type == TicketScheduled.TYPE and self._tickets_at is not None:
            event = stored.event()
            assert isinstance(event, TicketScheduled)
            self._tickets_at = min(self._tickets_at, event.due.at)

    async def run_housekeeping(self, database: Database) -> None:
        """While leading, delete what has outlived its use; an owned task."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                while self.leads and (purged := await purge(database)).total:
                    _log.info("purged", rows=purged.total)
            except StoreError as error:
                _log.warning("nothing can be purged now", reason=str(error))

    async def resign(self) -> None:
        """Let another node lead at once."""
        lease, self._lease = self._lease, None
        if lease is not None:
            with contextlib.suppress(StoreError):
                await self._leases.release(lease)

    async def _hold(self) -> Lease | None:
        clock = asyncio.get_running_loop().time()
        if self._lease is None:
            self._lease = await self._leases.acquire(LEASE, self._holder, LEASE_S)
            self._renewed = clock
        elif clock - self._renewed >= RENEW_S:
            self._lease = await self._leases.renew(self._lease, LEASE_S)
            self._renewed = clock
        return self._lease

    async def _rest(self) -> None:
        """Until the board changes or something is due."""
        now = self._utc_now()
        deadline = self._board.next_deadline()
        if self._tickets_at is not None:
            deadline = min(deadline or self._tickets_at, self._tickets_at)
        patience_s = REST_S
        if deadline is not None:
            patience_s = min(patience_s, max(0.0, (deadline - now).total_seconds()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._board.changed.wait()

    async def _step(self, lease: Lease) -> bool:
        """Carry out what is due and ask whom there is to ask; whether there was anything."""
        self._board.changed.clear()
        now = self._utc_now()
        worked = False
        for command in self._board.board.due(now):
            worked |= await self._try(command, lease)
        if self._tickets_at is None or now >= self._tickets_at:
            self._tickets_at = now + timedelta(seconds=TICKETS_S)
            for due in await self._queries.due(now):
                if due.stream == "ticket":
                    worked |= await self._try(TicketDue(by=SYSTEM, ticket=TicketId(due.id)), lease)
        self._failed = {pair: until for pair, until in self._failed.items() if until > now}
        matches = [
            match for match in self._board.board.matches(now) if (match.call, match.agent) not in self._failed
        ]
        for start in range(0, len(matches), AT_ONCE):
            made = await asyncio.gather(
                *(self._ask(match, lease) for match in matches[start : start + AT_ONCE])
            )
            worked |= any(made)
        return worked

    async def _try(self, command: Command, lease: Lease) -> bool:
        try:
            return bool((await self._service.execute(command, lease=lease)).events)
        except Refusal as refusal:
            _log.warning("what is due was refused", command=command.TYPE, code=refusal.code)
            return False

    async def _ask(self, match: Match, lease: Lease) -> bool:
        try:
            await self._service.execute(match.command(), lease=lease)
        except Refusal as refusal:  # the board was behind
            _log.info("a match no longer holds", call=match.call, agent=match.agent, code=refusal.code)
            self.failed_matches += 1
            self._board.suspect(match.call, match.agent)
            self._failed[match.call, match.agent] = self._utc_now() + FAILED_FOR
            return False
        self.offers += 1
        return True
