"""Participants inside the process: sources that play into a room and sinks that take its tracks.

Neither has ICE or DTLS. A source plays Opus packets that were encoded beforehand, all sources of a node on
one 20 ms timer, so that music for a hundred waiting students costs no encoding at all. A sink is given the
packets before they are rewritten for anybody; it has a bounded queue, and when it is slow it loses its own
packets and counts them, never anybody else's.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from mediaserver.clock import monotonic, ntp_now, unix_us
from mediaserver.flow.media_packet import MediaPacket
from mediaserver.room.model import (
    Identity,
    LeaveReason,
    ParticipantInfo,
    ParticipantSid,
    ParticipantState,
    Permissions,
    TrackKind,
    TrackRequest,
    TrackSid,
    TrackSource,
    new_sid,
)
from mediaserver.room.track import PublishedTrack

if TYPE_CHECKING:
    from mediaserver.room.participant import Participant
    from mediaserver.room.room import Room

OPUS_FRAME_S = 0.02
"""Seconds of one Opus packet as we make and play them (RFC 6716 allows 2.5 to 60 ms)."""

OPUS_FRAME_RTP = 960
"""The same in ticks of the 48 kHz RTP clock (RFC 7587, section 4.1)."""

LOCAL_OPUS_PAYLOAD_TYPE = 111
"""Payload type of packets made here; every subscriber gets its own negotiated one."""

LISTENER_PATIENCE_S = 5.0
"""How long a source that waits for a listener waits: negotiating a media section takes a few round trips."""

MAX_LATE_FRAMES = 5
"""After a stall of the event loop at most so many frames are played at once; the rest is skipped."""

SINK_QUEUE_PACKETS = 2048
"""Packets a sink may lag behind: about 4 s of a two-party video call."""

KIND_AGENT = 4
"""LiveKit's participant kind of things that are not people."""


class FrameClock:
    """The one 20 ms timer of a node, shared by all sources; it runs only while a source plays."""

    def __init__(self) -> None:
        self._callbacks: dict[int, Callable[[float], None]] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._next = 0.0
        self._token = 0

    def add(self, callback: Callable[[float], None]) -> int:
        """Call `callback(now)` every 20 ms; the number returned removes it again."""
        self._token += 1
        self._callbacks[self._token] = callback
        if self._handle is None:
            self._next = monotonic()
            self._tick()
        return self._token

    def remove(self, token: int) -> None:
        """Stop calling."""
        self._callbacks.pop(token, None)

    def play(self, now: float) -> None:
        """Let every source play one frame."""
        for callback in list(self._callbacks.values()):
            callback(now)

    def _tick(self) -> None:
        if not self._callbacks:
            self._handle = None
            return
        now = monotonic()
        played = 0
        while self._next <= now:
            self._next += OPUS_FRAME_S
            played += 1
            if played <= MAX_LATE_FRAMES:
                self.play(now)
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(max(0.0, self._next - monotonic()), self._tick)


class LocalParticipant:
    """A participant of the server's own, such as the voice of announcements."""

    def __init__(
        self,
        room: Room,
        identity: str,
        *,
        name: str = "",
        attributes: Iterable[tuple[str, str]] = (),
        only_for: frozenset[Identity] | None = None,
    ) -> None:
        self.room = room
        self.sid = ParticipantSid(new_sid("PA_"))
        self.identity = Identity(identity)
        self.name = name
        self.attributes = tuple(attributes)
        self.permissions = Permissions(can_subscribe=False)
        self.only_for = only_for
        """The only ones who may know of it, whatever the audience says; None: no such restriction."""
        self.gone = False
        self.tracks: dict[TrackSid, PublishedTrack] = {}
        self.joined_at_ms = unix_us() // 1000

    @property
    def announced_tracks(self) -> list[PublishedTrack]:
        """Everything it plays."""
        return list(self.tracks.values())

    def lets_subscribe(self, subscriber: Participant, track: PublishedTrack) -> bool:
        """Whoever the audience lets may hear it."""
        return True

    def publish(self, request: TrackRequest) -> PublishedTrack:
        """Add a track; call before or after `Room.add_local`."""
        track = PublishedTrack(self.sid, self.identity, request)
        track.announced = True
        self.tracks[track.sid] = track
        if self.room.locals.get(self.identity) is self:
            self.room.participant_changed(self)
            self.room.track_published(self, track)
        return track

    def info(self) -> ParticipantInfo:
        """The participant as others see it."""
        tracks = tuple(track.info for track in self.tracks.values())
        return ParticipantInfo(
            sid=self.sid,
            identity=self.identity,
            name=self.name,
            state=ParticipantState.DISCONNECTED if self.gone else ParticipantState.ACTIVE,
            metadata="",
            attributes=self.attributes,
            joined_at_ms=self.joined_at_ms,
            permissions=self.permissions,
            tracks=tracks,
            is_publisher=bool(tracks),
            kind=KIND_AGENT,
            version=1 + len(tracks) + self.gone,
            leave_reason=LeaveReason.UNKNOWN,
        )


class LocalSource:
    """Plays 20 ms Opus packets into a room as a participant of its own.

    `frames` are complete Opus packets of 20 ms each; they are only referred to, so that any number of
    rooms play the same recording. `intro` is played once before them: an announcement before music that
    loops. With `wait_for_listener` it begins when somebody can hear it.
    """

    def __init__(
        self,
        room: Room,
        clock: FrameClock,
        frames: Sequence[bytes],
        *,
        identity: str,
        name: str = "",
        loop: bool = False,
        only_for: frozenset[Identity] | None = None,
        wait_for_listener: bool = False,
        intro: Sequence[bytes] = (),
        on_end: Callable[[LocalSource], None] | None = None,
    ) -> None:
        if not frames:
            raise ValueError("frames: nothing to play")
        self.participant = LocalParticipant(room, identity, name=name, only_for=only_for)
        self._track = self.participant.publish(
            TrackRequest(
                cid=identity, kind=TrackKind.AUDIO, name=name or identity, source=TrackSource.MICROPHONE
            )
        )
        self._room = room
        self._clock = clock
        self._frames = intro or frames
        self._then = frames if intro else None
        self._loop = loop
        self._patience = round(LISTENER_PATIENCE_S / OPUS_FRAME_S) if wait_for_listener else 0
        self._on_end = on_end
        self._position = 0
        self._sequence = 1 << 16 | secrets.randbits(15)
        self._timestamp = secrets.randbits(32)
        self._token: int | None = None
        self._first = True
        self._silent_since = 0.0

    @property
    def track(self) -> PublishedTrack:
        """The track it plays."""
        return self._track

    def start(self) -> None:
        """Enter the room and play."""
        self._room.add_local(self.participant)
        self._token = self._clock.add(self._play)

    def stop(self) -> None:
        """Fall silent and leave the room."""
        if self._token is not None:
            self._clock.remove(self._token)
            self._token = None
        if not self.participant.gone:
            self._room.remove_local(self.participant)

    def silence(self) -> None:
        """Fall silent and stay in the room, so that `replay` needs no new negotiation with the listeners."""
        if self._token is not None:
            self._clock.remove(self._token)
            self._token = None
            self._silent_since = monotonic()

    def replay(self, frames: Sequence[bytes], *, loop: bool, intro: Sequence[bytes] = ()) -> None:
        """Play something else from its beginning, on the same track; raises ValueError for nothing."""
        if not frames:
            raise ValueError("frames: nothing to play")
        self._frames = intro or frames
        self._then = frames if intro else None
        self._loop = loop
        self._position = 0
        if self._token is None:
            silent = round((monotonic() - self._silent_since) / OPUS_FRAME_S)
            self._timestamp = (self._timestamp + silent * OPUS_FRAME_RTP) & 0xFFFFFFFF
            self._first = True
            self._token = self._clock.add(self._play)

    def _play(self, now: float) -> None:
        if self.participant.gone:
            self.stop()
            return
        if self._patience and not self._track.forwarders:
            self._patience -= 1
            return
        self._patience = 0
        if self._position == len(self._frames) and self._then is not None:
            self._frames, self._then, self._position = self._then, None, 0
        if self._position == len(self._frames):
            if not self._loop:
                self.stop()
                if self._on_end is not None:
                    self._on_end(self)
                return
            self._position = 0
        packet = MediaPacket(
            extended_sequence=self._sequence,
            timestamp=self._timestamp,
            marker=self._first,
            payload_type=LOCAL_OPUS_PAYLOAD_TYPE,
            payload=self._frames[self._position],
            arrival=now,
            keyframe=True,
            frame_start=True,
        )
        self._first = False
        self._position += 1
        self._sequence += 1
        self._timestamp = (self._timestamp + OPUS_FRAME_RTP) & 0xFFFFFFFF
        self._track.deliver(packet)
        self._room.front.schedule_flush()


class SinkEventKind(Enum):
    """What a sink is told besides packets."""

    PACKET = "packet"
    MUTED = "muted"
    UNMUTED = "unmuted"
    SENDER_REPORT = "sender_report"
    END = "end"


@dataclass(frozen=True, slots=True)
class SinkEvent:
    """One thing a sink learns, in the order it happened."""

    kind: SinkEventKind
    track_sid: TrackSid
    at: float
    """Monotonic seconds."""
    packet: MediaPacket | None = None
    """With PACKET: before any rewriting, repaired by RTX, with extended sequence number."""
    ntp_time: int = 0
    """With SENDER_REPORT: the publisher's 64-bit NTP time."""
    rtp_timestamp: int = 0
    """With SENDER_REPORT: the same instant on the track's RTP clock."""


@dataclass(frozen=True, slots=True)
class ClockAnchor:
    """One instant on both of our clocks, so that monotonic times can be told as wall-clock times."""

    monotonic: float
    ntp: int
    """64-bit NTP timestamp."""


class LocalSink:
    """Takes the packets and events of tracks through a bounded queue, without ICE, DTLS or rewriting."""

    def __init__(self, max_packets: int = SINK_QUEUE_PACKETS) -> None:
        self._queue: deque[SinkEvent] = deque()
        self._max = max_packets
        self._wake = asyncio.Event()
        self._tracks: list[PublishedTrack] = []
        self.dropped_packets = 0
        """Packets lost because the sink was slow; its own loss only."""
        self.anchor = ClockAnchor(monotonic(), ntp_now())

    def attach(self, track: PublishedTrack) -> None:
        """Take this track's packets from now on, beginning with a key frame as soon as there is one."""
        self._tracks.append(track)
        track.add_sink(self)
        now = monotonic()
        for layer in track.uplinks:
            track.request_keyframe(layer, now)

    def close(self) -> None:
        """Take nothing more."""
        for track in self._tracks:
            track.remove_sink(self)
        self._tracks.clear()
        self._wake.set()

    async def get(self) -> SinkEvent:
        """The next event; waits for one."""
        while not self._queue:
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()

    def _put(self, event: SinkEvent) -> None:
        self._queue.append(event)
        self._wake.set()

    def on_packet(self, track: PublishedTrack, packet: MediaPacket) -> None:
        """A packet of an attached track."""
        if len(self._queue) >= self._max:
            self.dropped_packets += 1
            return
        self._put(SinkEvent(SinkEventKind.PACKET, track.sid, packet.arrival, packet))

    def on_muted(self, track: PublishedTrack, muted: bool) -> None:
        """An attached track was muted or unmuted."""
        kind = SinkEventKind.MUTED if muted else SinkEventKind.UNMUTED
        self._put(SinkEvent(kind, track.sid, monotonic()))

    def on_sender_report(self, track: PublishedTrack, ntp_time: int, rtp_timestamp: int, at: float) -> None:
        """The publisher told its clock."""
        self._put(
            SinkEvent(
                SinkEventKind.SENDER_REPORT, track.sid, at, ntp_time=ntp_time, rtp_timestamp=rtp_timestamp
            )
        )

    def on_end(self, track: PublishedTrack) -> None:
        """An attached track is over."""
        self._put(SinkEvent(SinkEventKind.END, track.sid, monotonic()))
