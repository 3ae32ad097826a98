"""Notices who is in a call's room no longer without anybody having said so: a node died with its rooms.

Each node looks at the rooms that it has; the leader looks at calls whose room no node has. Whoever is missed
twice in a row is reported as gone, and then has the usual time to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Final

import structlog

from mediaserver.errors import RoomError
from mediaserver.room.control import RoomControl
from signalling.cluster.errors import LeasesAwayError
from signalling.desk.commands import ReportLeft
from signalling.desk.errors import Refusal
from signalling.desk.model import SYSTEM, AssignmentState, Call, Kind, StudentPresence
from signalling.service.desk_service import DeskService
from signalling.service.live_board import LiveBoard
from signalling.store.errors import StoreError

LOOK_S: Final = 2.0
"""Seconds between looks: time for clients of a dead node to come back before they are missed."""

_log = structlog.get_logger("census")

Missing = tuple[str, str, int | None]
"""Call, identity and fence of somebody who should be in a room."""


class RoomCensus:
    """Tells the desk whom nobody saw leave; `run` is an owned task of a node that is one of several."""

    def __init__(
        self,
        service: DeskService,
        board: LiveBoard,
        control: RoomControl,
        *,
        owned: Callable[[], Awaitable[Collection[str]]],
        leads: Callable[[], bool],
    ) -> None:
        """`control` has this node's rooms; `owned` names the rooms that any node has."""
        self._service = service
        self._board = board
        self._control = control
        self._owned = owned
        self._leads = leads
        self._missed: set[Missing] = set()

    async def run(self) -> None:
        """Look for as long as the node runs."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except (StoreError, LeasesAwayError) as error:
                self._missed.clear()
                _log.warning("nobody can be missed now", reason=str(error))
            except Exception:
                _log.exception("the census failed")

    async def look(self) -> None:
        """Report who is missing now and was at the last look."""
        missing = set(await self._missing())
        for key in missing & self._missed:
            call, identity, fence = key
            _log.info("somebody is gone", call=call, participant=identity)
            try:
                await self._service.execute(
                    ReportLeft(by=SYSTEM, call=call, identity=identity, fence=fence)  # type: ignore[arg-type]
                )
            except Refusal as refusal:
                _log.info("nobody to miss", call=call, code=refusal.code)
        self._missed = missing

    async def _missing(self) -> list[Missing]:
        found = list[Missing]()
        here = {room.name for room in await self._control.list_rooms()}
        owned = await self._owned() if self._leads() else None
        for call in list(self._board.board.desk.calls.values()):
            if call.kind is Kind.CHAT or not call.open:
                continue
            if call.room in here:
                try:
                    participants = await self._control.list_participants(call.room)
                except RoomError:
                    continue
                present = {str(each.identity) for each in participants}
            elif owned is not None and call.room not in owned:
                present = set()
            else:
                continue
            found += ((call.id, *who) for who in expected(call) if who[0] not in present)
        return found


def expected(call: Call) -> Iterator[tuple[str, int | None]]:
    """Who is in the call's room as far as the desk knows, with the fence it came with."""
    if call.presence is StudentPresence.PRESENT:
        yield call.student.id, None
    for guest in call.guests:
        if guest.joined:
            yield guest.identity, guest.fence
    for assignment in call.live_assignments:
        if assignment.state is AssignmentState.LIVE:
            yield assignment.agent, assignment.fence
