"""Lets rooms follow what the desk decided, and tells the desk who is in them.

What a room must look like follows from the call alone (`plan_of`), so following is the same after every
event, after a restart, and for a room that was made anew: audience, music, who may publish, who must go.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Final
from weakref import WeakValueDictionary

import structlog

from mediaserver.errors import RoomError
from mediaserver.room.audience import EVERYBODY, Audience, Place
from mediaserver.room.control import RoomControl
from mediaserver.room.model import (
    LeaveReason,
    ParticipantInfo,
    Permissions,
    RoomEvent,
    RoomEventKind,
    RoomOptions,
)
from signalling.auth import Grants
from signalling.desk import audience as desk_audience
from signalling.desk.commands import ReportJoined, ReportLeft
from signalling.desk.errors import Refusal
from signalling.desk.events import Stream
from signalling.desk.model import (
    SYSTEM,
    ActorRole,
    Call,
    CallId,
    CallState,
    DeskPolicy,
    Kind,
    Mode,
)
from signalling.livekit.server import RefusedError
from signalling.service.desk_service import DeskService, Outcome
from signalling.service.sounds import Occasion, Sounds
from signalling.service.tokens import (
    MAY_LISTEN,
    MAY_TALK,
    Membership,
    membership_of,
    student_may_publish,
)
from signalling.store.errors import StoreError
from signalling.store.queries import Queries
from signalling.store.relay import StoredEvent

MUSIC_IDENTITY: Final = "raisehand-music"
MUSIC_NAME: Final = "Raisehand"

MEMBERS: Final = frozenset(
    {
        desk_audience.STUDENTS,
        desk_audience.GUESTS,
        desk_audience.AGENTS,
        desk_audience.STAFF,
        desk_audience.MUSIC,
    }
)
"""Everybody in a call's own room. Whoever came in by a foreign token is in no group and learns of nobody."""

DEPARTURE_S: Final = 180
"""Seconds that a call's room stays when nobody is in it: longer than anybody may be cut off."""

RETRY_S: Final = 0.5
"""Seconds between attempts to report while the database is away."""

_log = structlog.get_logger("rooms")


# What a room must look like ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """What follows for a room from its call."""

    open: bool
    audience: Audience
    music: Occasion | None
    """Played to the student alone."""


IN_CLASS: Final = replace(EVERYBODY, groups=frozenset({desk_audience.STUDENTS}))
"""Everybody whom a call found in a room that was there before: the class goes on, its helpers hear it."""


def is_attached(call: Call) -> bool:
    """Whether the call lives in a room that somebody else made: a class, say."""
    return call.room != call.id


def plan_of(call: Call, policy: DeskPolicy) -> RoomPlan:
    """What a call's room must look like."""
    seats = desk_audience.seats(call, policy)
    if is_attached(call):  # the class goes on as it was; only who was added has a place
        own = {identity: seat for identity, seat in seats.items() if identity != call.student.id}
        return RoomPlan(call.open, Audience(_places(own, None), IN_CLASS), None)
    places = _places(seats, MEMBERS)
    outsiders = frozenset({desk_audience.STUDENTS, desk_audience.GUESTS})
    places[MUSIC_IDENTITY] = Place(
        frozenset({desk_audience.MUSIC}), known_to=outsiders, heard_by=outsiders, hears=frozenset()
    )
    music = _occasion(call) if desk_audience.music_plays(call) else None
    return RoomPlan(call.open, Audience(places, _place(desk_audience.NOT_ADMITTED, MEMBERS)), music)


def _occasion(call: Call) -> Occasion:
    if call.state is CallState.HELD:
        return Occasion.HOLD
    if call.accepted_at is not None:
        return Occasion.TRANSFER
    return Occasion.WAITING


def _places(seats: Mapping[str, desk_audience.Seat], everybody: frozenset[str] | None) -> dict[str, Place]:
    return {identity: _place(seat, everybody) for identity, seat in seats.items()}


def _place(seat: desk_audience.Seat, everybody: frozenset[str] | None) -> Place:
    """A seat as the media side's place; `everybody`: who that is in this room."""

    def groups(given: frozenset[str] | None) -> frozenset[str] | None:
        return everybody if given is None else given

    return Place(
        seat.groups,
        known_to=groups(seat.known_to),
        heard_by=groups(seat.heard_by),
        hears=groups(seat.hears),
    )


def may_be_in(call: Call, identity: str, membership: Membership) -> bool:
    """Whether somebody with these attributes belongs in the call's room now."""
    if not call.open or call.kind is Kind.CHAT:
        return False
    if membership.role is ActorRole.STUDENT:
        return identity == call.student.id
    if membership.role is ActorRole.GUEST:
        guest = call.guest(identity)
        return guest is not None and guest.fence == membership.fence
    return membership.fence is not None and call.may_join(identity, membership.fence)


def permissions_of(call: Call, identity: str, membership: Membership) -> Permissions:
    """What a member may do in the room now."""
    if membership.role is ActorRole.STUDENT:
        return MAY_TALK if student_may_publish(call) else MAY_LISTEN
    if membership.role is ActorRole.GUEST:
        guest = call.guest(identity)
        return MAY_LISTEN if guest is not None and guest.mode is Mode.MONITOR else MAY_TALK
    return MAY_TALK


def why_not(call: Call, membership: Membership) -> RefusedError:
    """The polite refusal of somebody who does not belong in the room."""
    if not call.open:
        return RefusedError(410, "the call is over")
    if call.kind is Kind.CHAT:
        return RefusedError(409, "this call is a chat; upgrade it first")
    if membership.role in (ActorRole.AGENT, ActorRole.SUPERVISOR):
        return RefusedError(403, "this call has gone on without you; you are not in it")
    return RefusedError(403, "the invitation no longer holds")


# Following --------------------------------------------------------------------------------------------


class RoomConductor:
    """The rooms of this node, kept in line with their calls. Also the doorkeeper of media joins."""

    def __init__(
        self, control: RoomControl, queries: Queries, sounds: Sounds | None, policy: Callable[[], DeskPolicy]
    ) -> None:
        """`sounds` None: nothing is played."""
        self._control = control
        self._queries = queries
        self._sounds = sounds
        self._policy = policy
        self._calls: dict[CallId, Call] = {}
        """The newest we know of calls whose rooms are here; with the database away, all there is."""
        self._locks: WeakValueDictionary[CallId, asyncio.Lock] = WeakValueDictionary()
        self._playing: dict[CallId, Occasion] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def known(self) -> list[Call]:
        """Calls whose rooms are here."""
        return list(self._calls.values())

    def on_outcome(self, outcome: Outcome) -> None:
        """After a command: let the rooms of the changed calls follow."""
        changed = {event.stream_id for event in outcome.events if event.STREAM == "call"}
        for call_id in changed:
            call = outcome.desk.calls.get(CallId(call_id))
            if call is not None:
                self.follow_soon(call)

    def on_event(self, stored: StoredEvent) -> None:
        """From the feed: what another node decided about a call whose room is here."""
        if stored.stream != Stream.CALL.value:
            return
        known = self._calls.get(CallId(stored.aggregate_id))
        if known is not None and known.version < stored.sequence:
            self._begin(self._catch_up(known.id))

    async def _catch_up(self, call_id: CallId) -> None:
        try:
            call = await self._queries.call(call_id)
        except StoreError as error:
            _log.warning("a room is behind its call", call=call_id, reason=str(error))
            return
        if call is not None:
            await self._follow_safely(call)

    def follow_soon(self, call: Call) -> None:
        """Begin to follow; `admit` waits for it."""
        if call.id not in self._calls and not call.open:
            return
        self._begin(self._follow_safely(call))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="follow a call")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow_safely(self, call: Call) -> None:
        try:
            await self.follow(call)
        except RoomError as error:
            _log.warning("a room does not follow its call", call=call.id, code=error.code, reason=str(error))
        except Exception:
            _log.exception("a room does not follow its call", call=call.id)

    async def follow(self, call: Call) -> None:
        """Bring the call's room, if it is here, in line with the call. Older news than known is ignored."""
        async with self._lock(call.id):
            known = self._calls.get(call.id)
            if known is not None and known.version > call.version:
                call = known
            if not await self._control.list_rooms((call.room,)):
                self._forget(call.id)
                return
            self._calls[call.id] = call
            await self._apply(call)
            if not call.open:
                self._forget(call.id)

    def _lock(self, call: CallId) -> asyncio.Lock:
        lock = self._locks.get(call)
        if lock is None:
            lock = self._locks[call] = asyncio.Lock()
        return lock

    def _forget(self, call: CallId) -> None:
        self._calls.pop(call, None)
        self._playing.pop(call, None)

    async def _apply(self, call: Call) -> None:
        plan = plan_of(call, self._policy())
        if not plan.open and not is_attached(call):
            with contextlib.suppress(RoomError):
                await self._control.delete_room(call.room)
            return
        await self._control.set_audience(call.room, self._audience(call, plan))
        present = await self._control.list_participants(call.room)
        for participant in present:
            await self._settle(call, participant)
        here = any(str(participant.identity) == call.student.id for participant in present)
        await self._play(call, plan.music if here else None)

    def _audience(self, call: Call, plan: RoomPlan) -> Audience:
        """Several calls may be attached to one room."""
        if not is_attached(call):
            return plan.audience
        places: dict[str, Place] = {}
        for other in self._calls.values():
            if other.room == call.room and other.open:
                places |= plan_of(other, self._policy()).audience.places
        return Audience(places, IN_CLASS)

    async def _settle(self, call: Call, participant: ParticipantInfo) -> None:
        membership = membership_of(dict(participant.attributes))
        if membership is None or membership.call != call.id:
            return
        with contextlib.suppress(RoomError):  # gone meanwhile
            if not may_be_in(call, participant.identity, membership):
                await self._control.remove_participant(call.room, participant.identity)
                return
            wanted = permissions_of(call, participant.identity, membership)
            if participant.permissions != wanted:
                await self._control.update_participant(call.room, participant.identity, permissions=wanted)

    async def _play(self, call: Call, occasion: Occasion | None) -> None:
        if self._sounds is None or self._playing.get(call.id) is occasion:
            return
        if self._playing.pop(call.id, None) is not None:
            # It stays in the room, silent: hold and transfer need no negotiation with the student.
            with contextlib.suppress(RoomError):
                await self._control.stop_playing(call.room, MUSIC_IDENTITY)
        if occasion is not None:
            await self._control.play(
                call.room,
                self._sounds.music(),
                identity=MUSIC_IDENTITY,
                name=MUSIC_NAME,
                loop=True,
                intro=self._sounds.announcement(occasion, call.student.locale),
                only_for=(call.student.id,),
            )
            self._playing[call.id] = occasion

    def room_ended(self, room: str) -> None:
        """A room is gone; it may be made anew."""
        for call in [call for call in self._calls.values() if call.room == room]:
            self._forget(call.id)

    async def refollow(self, call_id: CallId) -> None:
        """Follow what is known, because somebody came."""
        call = self._calls.get(call_id)
        if call is not None:
            await self._follow_safely(call)

    async def close(self) -> None:
        """Let what was begun come to its end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    # The door ------------------------------------------------------------------------------------

    async def admit(self, grants: Grants) -> Grants:
        """See `signalling.livekit.server.Doorkeeper`."""
        membership = membership_of(dict(grants.attributes))
        if membership is None:
            return grants
        call = await self._newest(CallId(membership.call))
        if call is None or call.room != grants.room:
            raise RefusedError(403, "the token belongs to no call of this room")
        if not may_be_in(call, grants.identity, membership):
            raise why_not(call, membership)
        try:
            await self._open_room(call)
        except RoomError as error:
            raise RefusedError(503, str(error)) from None
        return replace(grants, permissions=permissions_of(call, grants.identity, membership))

    async def _newest(self, call_id: CallId) -> Call | None:
        try:
            call = await self._queries.call(call_id)
        except StoreError:
            _log.info("joining by what is remembered", call=call_id)
            return self._calls.get(call_id)
        known = self._calls.get(call_id)
        return known if call is None or (known is not None and known.version > call.version) else call

    async def _open_room(self, call: Call) -> None:
        """The room with the right audience, before anybody is in it."""
        async with self._lock(call.id):
            known = self._calls.get(call.id)
            current = known is not None and known.version >= call.version
            if current and await self._control.list_rooms((call.room,)):
                return
            self._calls[call.id] = call
            await self._control.create_room(call.room, RoomOptions(departure_timeout_s=DEPARTURE_S))
            await self._apply(call)


# Reporting --------------------------------------------------------------------------------------------


class RoomReporter:
    """Tells the desk who comes and goes. The last word about somebody counts; nothing is lost while the
    database is away."""

    def __init__(self, service: DeskService, conductor: RoomConductor, control: RoomControl) -> None:
        self._service = service
        self._conductor = conductor
        self._control = control
        self._pending: dict[tuple[str, str], tuple[RoomEvent, Membership]] = {}
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def on_event(self, event: RoomEvent) -> None:
        """An observer of rooms."""
        if event.kind is RoomEventKind.ENDED:
            self._conductor.room_ended(event.room)
            return
        if event.kind is RoomEventKind.CONNECTED or event.reason is LeaveReason.DUPLICATE_IDENTITY:
            return
        membership = membership_of(dict(event.attributes))
        if membership is not None:
            self._pending.pop((membership.call, event.identity), None)  # to the end of the line
            self._pending[membership.call, event.identity] = (event, membership)
            self._idle.clear()
            self._some.set()

    async def run(self) -> None:
        """Report for as long as the node runs; an owned task."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._pending:
                key = next(iter(self._pending))
                event, membership = self._pending.pop(key)
                try:
                    await self._report(event, membership)
                except StoreError as error:
                    _log.warning("who is in a room cannot be reported yet", reason=str(error))
                    self._pending.setdefault(key, (event, membership))
                    await asyncio.sleep(RETRY_S)
                except Exception:
                    _log.exception("who is in a room cannot be reported", room=event.room)
            self._idle.set()

    async def drain(self, timeout_s: float) -> None:
        """Wait until everything was reported, for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()

    async def _report(self, event: RoomEvent, membership: Membership) -> None:
        call = CallId(membership.call)
        joined = event.kind is RoomEventKind.JOINED
        command = ReportJoined if joined else ReportLeft
        try:
            await self._service.execute(
                command(by=SYSTEM, call=call, identity=event.identity, fence=membership.fence)
            )
        except Refusal as refusal:
            _log.info("not in this call", call=call, participant=event.identity, code=refusal.code)
            if joined:
                with contextlib.suppress(RoomError):
                    await self._control.remove_participant(event.room, event.identity)
            return
        if joined:
            await self._conductor.refollow(call)
