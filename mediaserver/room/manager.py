"""All rooms of a node, and the timers that keep their streams going."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import structlog

from mediaserver.clock import monotonic
from mediaserver.errors import RoomError
from mediaserver.room.limits import RoomLimits
from mediaserver.room.local import FrameClock, LocalSource
from mediaserver.room.model import LeaveReason, ParticipantState, RoomEvent, RoomEventKind, RoomOptions
from mediaserver.room.participant import Participant
from mediaserver.room.room import Room
from mediaserver.transport.front import MediaFront
from mediaserver.transport.types import TransportState

TICK_S = 0.02
"""Seconds between ticks: how late a NACK may be."""

EMPTY_TICK_S = 0.1
"""Seconds between ticks while there is no room: then they only show whether the event loop was blocked."""

POLL_SLOTS = 5
"""Ticks per poll of one participant: every 100 ms, spread so that each tick serves a fifth of them."""

SPEAKERS_EVERY_TICKS = 15
"""300 ms between looks at who speaks."""

SECOND_TICKS = 50
"""Ticks per second: reports, expiry of rooms and sessions."""

QUALITY_EVERY_S = 2
"""Seconds between looks at connection quality."""


class RoomManager:
    """Owns the rooms of a node and runs their clocks; one per process."""

    def __init__(
        self, front: MediaFront, limits: RoomLimits | None = None, *, greeting: Sequence[bytes] = ()
    ) -> None:
        """`greeting`: Opus packets of 20 ms that each participant hears, alone, once it is connected."""
        self.front = front
        self.limits = limits or RoomLimits()
        self.frame_clock = FrameClock()
        self.observers: list[Callable[[RoomEvent], None]] = []
        """Told who comes and leaves; they neither raise nor block."""
        self._greeting = greeting
        self._rooms: dict[str, Room] = {}
        self._occupied = asyncio.Event()
        self._ticks = 0
        self.late_ticks = 0
        """Ticks that came more than 50 ms late: the event loop was blocked."""
        self.max_lag_s = 0.0
        """Longest delay of a tick since the last `take_max_lag`."""
        self.log = structlog.get_logger("rooms")

    @property
    def rooms(self) -> Mapping[str, Room]:
        """The rooms by name."""
        return MappingProxyType(self._rooms)

    @property
    def participant_count(self) -> int:
        """Participants in all rooms."""
        return sum(len(room.participants) for room in self._rooms.values())

    def get(self, name: str) -> Room | None:
        """A room by name."""
        return self._rooms.get(name)

    def get_or_create(self, name: str, options: RoomOptions | None = None) -> Room:
        """A room by name, created if need be; raises `RoomError` ``node_full``."""
        room = self._rooms.get(name)
        if room is None:
            if len(self._rooms) >= self.limits.max_rooms:
                raise RoomError("node_full", f"the node has its {self.limits.max_rooms} rooms")
            room = Room(
                name,
                options or RoomOptions(),
                self.front,
                self.limits,
                on_connected=self._greet,
                on_event=self._tell,
            )
            self._rooms[name] = room
            self._occupied.set()
            self.log.info("room created", room=name, sid=room.sid)
        return room

    def _tell(self, event: RoomEvent) -> None:
        for observer in self.observers:
            observer(event)

    def _greet(self, participant: Participant) -> None:
        if self._greeting and participant.permissions.can_subscribe:
            LocalSource(
                participant.room,
                self.frame_clock,
                self._greeting,
                identity=f"greeting-{participant.sid}",
                name="Raisehand",
                only_for=frozenset((participant.identity,)),
                wait_for_listener=True,
            ).start()

    def ensure_capacity(self) -> None:
        """Raise `RoomError` ``node_full`` when no further participant fits."""
        if self.participant_count >= self.limits.max_participants_per_node:
            raise RoomError("node_full", "the node has no place for another participant")

    def delete(self, name: str, reason: LeaveReason = LeaveReason.ROOM_DELETED) -> None:
        """End a room; raises `RoomError` ``room_not_found``."""
        room = self._rooms.pop(name, None)
        if room is None:
            raise RoomError("room_not_found", f"no room {name}")
        room.close(reason)
        self._tell(RoomEvent(RoomEventKind.ENDED, name, reason=reason))
        self.log.info("room deleted", room=name, reason=reason.name.lower())

    async def close(self, reason: LeaveReason = LeaveReason.SERVER_SHUTDOWN) -> None:
        """End all rooms."""
        for name in list(self._rooms):
            self.delete(name, reason)
        self.front.schedule_flush()
        await asyncio.sleep(0)

    # Time ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """The node's media timer; runs until cancelled."""
        next_tick = monotonic()
        while True:
            next_tick += TICK_S if self._rooms else EMPTY_TICK_S
            delay = next_tick - monotonic()
            if not self._rooms:
                if await self._until_occupied(delay):
                    next_tick = monotonic()
            elif delay > 0:
                await asyncio.sleep(delay)
            else:
                await asyncio.sleep(0)
            now = monotonic()
            lag = now - next_tick
            self.max_lag_s = max(self.max_lag_s, lag)
            if lag > 0.05:
                self.late_ticks += 1
                next_tick = now
            try:
                self.tick(now)
            except Exception:
                self.log.exception("tick failed")

    async def _until_occupied(self, delay: float) -> bool:
        """Until there is a room, at most `delay` seconds; whether there is one."""
        self._occupied.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._occupied.wait()
        return bool(self._rooms)

    def take_max_lag(self) -> float:
        """The longest delay of a tick since the last call, seconds."""
        lag, self.max_lag_s = self.max_lag_s, 0.0
        return lag

    def tick(self, now: float) -> None:
        """One step of all clocks of the node."""
        self._ticks += 1
        slot = self._ticks % POLL_SLOTS
        second = self._ticks % SECOND_TICKS
        index = 0
        for room in list(self._rooms.values()):
            for participant in list(room.participants.values()):
                index += 1
                polled = index % POLL_SLOTS == slot
                reported = index % SECOND_TICKS == second
                for peer in participant.peers:
                    if peer.urgent or polled:
                        peer.poll(now)
                    if reported:
                        peer.report(now)
                if reported:
                    self._check_session(participant, now)
            if self._ticks % SPEAKERS_EVERY_TICKS == 0:
                room.poll_speakers(now)
                room.poll_layers()
            if second == 0:
                self._check_room(room, now)
        self.front.schedule_flush()

    def _check_session(self, participant: Participant, now: float) -> None:
        lost_at = participant.signal_lost_at
        if lost_at is not None and now - lost_at > self.limits.resume_window_s:
            participant.leave(LeaveReason.SIGNAL_CLOSE)
        elif (
            participant.state is not ParticipantState.ACTIVE
            and now - participant.joined_at > self.limits.join_timeout_s
            and participant.subscriber.transport.state in (TransportState.NEW, TransportState.CONNECTING)
        ):
            participant.leave(LeaveReason.JOIN_FAILURE)

    def _check_room(self, room: Room, now: float) -> None:
        if (self._ticks // SECOND_TICKS) % QUALITY_EVERY_S == 0:
            for participant in room.participants.values():
                participant.update_quality(now)
            room.tell_quality()
        if room.expired(now):
            self.delete(room.name, LeaveReason.ROOM_CLOSED)
