"""A participant on the unmodified LiveKit Python SDK that publishes test media and measures what it gets."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
import zlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from loadtest.media import Image, TestCard, elapsed_ms, i420_to_bgr, read_stamp
from loadtest.sound import SAMPLE_RATE, Samples, rms, tone_energy
from loadtest.waiting import wait_until

AUDIBLE_RMS = 0.003  # about -50 dBFS: far above an encoder's noise, far below speech

_AUDIO_FRAME_S = 0.02
_AUDIO_QUEUE_MS = 60  # sound buffered in the SDK, small so that a mute is heard at once
_HEARD_S = 3.0  # how much of the last sound is kept
_END_OF_STREAM_S = 1.0
_LATENCIES_KEPT = 600
_ARRIVALS_KEPT = 900

CODECS: Mapping[str, rtc.VideoCodec.ValueType] = {
    "vp8": rtc.VideoCodec.VP8,
    "h264": rtc.VideoCodec.H264,
    "vp9": rtc.VideoCodec.VP9,
    "av1": rtc.VideoCodec.AV1,
}


def source_number(identity: str, kind: str) -> int:
    """The number (0-255) that a bot's camera or screen carries in its picture, for the receiver to check."""
    return zlib.crc32(f"{identity}/{kind}".encode()) & 0xFF


@dataclass(frozen=True, slots=True)
class Inbound:
    """Counters of one received track since it began, from the client's W3C statistics."""

    at: float
    bytes_received: int
    packets_received: int
    packets_lost: int
    jitter_s: float
    frames_decoded: int
    key_frames_decoded: int
    frame_width: int
    frame_height: int
    freeze_count: int
    concealed_samples: int
    total_samples: int
    mime_type: str


@dataclass(frozen=True, slots=True)
class Rate:
    """What one received track carried between two looks at its counters."""

    kbps: float
    """Kilobits of payload a second."""
    frames_per_second: float
    loss: float
    """Share (0-1) of packets that never came."""
    concealed: float
    """Share (0-1) of sound that the decoder had to invent."""
    jitter_ms: float
    frame_width: int
    frame_height: int
    mime_type: str


def rate_between(first: Inbound, last: Inbound) -> Rate:
    duration_s = max(last.at - first.at, 1e-6)
    received = last.packets_received - first.packets_received
    lost = max(0, last.packets_lost - first.packets_lost)
    samples = last.total_samples - first.total_samples
    return Rate(
        kbps=(last.bytes_received - first.bytes_received) * 8 / 1000 / duration_s,
        frames_per_second=(last.frames_decoded - first.frames_decoded) / duration_s,
        loss=lost / (received + lost) if received + lost else 0.0,
        concealed=max(0, last.concealed_samples - first.concealed_samples) / samples if samples else 0.0,
        jitter_ms=last.jitter_s * 1000,
        frame_width=last.frame_width,
        frame_height=last.frame_height,
        mime_type=last.mime_type,
    )


def longest_gap_s(arrivals: Iterable[float], since: float, until: float) -> float:
    """Longest time between two neighbours of `since`, the arrivals between, and `until`."""
    moments = [since, *(arrival for arrival in arrivals if since < arrival < until), until]
    return max(later - earlier for earlier, later in itertools.pairwise(moments))


async def inbound_of(track: rtc.Track) -> Inbound | None:
    """The client's counters of a received track, None while it has none."""
    stats = await track.get_stats()
    codecs = {item.codec.rtc.id: item.codec.codec.mime_type for item in stats if item.HasField("codec")}
    for item in stats:
        if not item.HasField("inbound_rtp"):
            continue
        received, inbound = item.inbound_rtp.received, item.inbound_rtp.inbound
        return Inbound(
            at=time.monotonic(),
            bytes_received=inbound.bytes_received,
            packets_received=received.packets_received,
            packets_lost=received.packets_lost,
            jitter_s=received.jitter,
            frames_decoded=inbound.frames_decoded,
            key_frames_decoded=inbound.key_frames_decoded,
            frame_width=inbound.frame_width,
            frame_height=inbound.frame_height,
            freeze_count=inbound.freeze_count,
            concealed_samples=inbound.concealed_samples,
            total_samples=inbound.total_samples_received,
            mime_type=codecs.get(item.inbound_rtp.stream.codec_id, ""),
        )
    return None


async def _end(stream: rtc.VideoStream | rtc.AudioStream) -> None:
    """Close a stream; the SDK waits for an end-of-stream that a track already gone no longer sends."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(stream.aclose(), _END_OF_STREAM_S)


class _Watch:
    """What is common to received tracks."""

    def __init__(self, track: rtc.Track, publication: rtc.RemoteTrackPublication, identity: str) -> None:
        self.track = track
        self.publication = publication
        self.identity = identity
        self.subscribed_at = time.monotonic()
        self.first_media_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def source(self) -> int:
        """A `TrackSource` value."""
        return self.publication.source

    async def inbound(self) -> Inbound | None:
        return await inbound_of(self.track)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


class VideoWatch(_Watch):
    """Decoded frames of one received video track."""

    def __init__(
        self, track: rtc.RemoteVideoTrack, publication: rtc.RemoteTrackPublication, identity: str
    ) -> None:
        super().__init__(track, publication, identity)
        self.frames = 0
        self.stamped = 0
        """Frames whose counter could be read."""
        self.last_counter: int | None = None
        self.last_source: int | None = None
        self.backward = 0
        """Frames whose counter was older than that of the frame before."""
        self.size = (0, 0)
        self.sizes: dict[tuple[int, int], int] = {}
        """Frames seen of each size (width, height)."""
        self.latencies_ms: deque[int] = deque(maxlen=_LATENCIES_KEPT)
        self.arrivals: deque[float] = deque(maxlen=_ARRIVALS_KEPT)
        self._last_frame: rtc.VideoFrame | None = None
        self._stream = rtc.VideoStream(track, capacity=30, format=rtc.VideoBufferType.I420)
        self._task = asyncio.create_task(self._watch(), name=f"video of {identity}")

    async def _watch(self) -> None:
        async for event in self._stream:
            frame = event.frame
            now = time.monotonic()
            self.frames += 1
            if self.first_media_at is None:
                self.first_media_at = now
            self.arrivals.append(now)
            self.size = (frame.width, frame.height)
            self.sizes[self.size] = self.sizes.get(self.size, 0) + 1
            self._last_frame = frame
            luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height)
            stamp = read_stamp(luma.reshape(frame.height, frame.width))
            if stamp is None:
                continue
            self.stamped += 1
            if self.last_counter is not None and elapsed_ms(self.last_counter, stamp.time_ms) > 1 << 21:
                self.backward += 1
            self.last_counter, self.last_source = stamp.time_ms, stamp.source
            self.latencies_ms.append(elapsed_ms(stamp.time_ms))

    def frames_per_second(self, window_s: float = 2.0) -> float:
        """Decoded frames a second over the last `window_s`."""
        since = time.monotonic() - window_s
        return sum(arrival >= since for arrival in self.arrivals) / window_s

    def longest_gap_s(self, since: float, until: float | None = None) -> float:
        """Longest time without a frame between two moments (monotonic), the ends included."""
        return longest_gap_s(self.arrivals, since, time.monotonic() if until is None else until)

    def picture(self) -> Image | None:
        """The last frame in BGR, None before the first."""
        frame = self._last_frame
        return None if frame is None else i420_to_bgr(frame.data, frame.width, frame.height)

    async def close(self) -> None:
        await super().close()
        await _end(self._stream)


class AudioWatch(_Watch):
    """Decoded sound of one received audio track."""

    def __init__(
        self, track: rtc.RemoteAudioTrack, publication: rtc.RemoteTrackPublication, identity: str
    ) -> None:
        super().__init__(track, publication, identity)
        self.last_audible_at: float | None = None
        self.levels: deque[tuple[float, float]] = deque(maxlen=int(_HEARD_S / _AUDIO_FRAME_S) * 4)
        """(monotonic time, RMS 0-1) of the last frames."""
        self._recent: deque[NDArray[np.int16]] = deque(maxlen=int(_HEARD_S / _AUDIO_FRAME_S))
        self._stream = rtc.AudioStream(
            track, capacity=100, sample_rate=SAMPLE_RATE, num_channels=1, frame_size_ms=20
        )
        self._task = asyncio.create_task(self._watch(), name=f"sound of {identity}")

    async def _watch(self) -> None:
        async for event in self._stream:
            now = time.monotonic()
            samples = np.array(event.frame.data, np.int16)
            level = rms(samples)
            self._recent.append(samples)
            self.levels.append((now, level))
            if level >= AUDIBLE_RMS:
                self.last_audible_at = now
                if self.first_media_at is None:
                    self.first_media_at = now

    def recent(self, duration_s: float) -> NDArray[np.int16]:
        """The last samples heard, at most `duration_s` of them, 48 kHz."""
        count = max(1, round(duration_s / _AUDIO_FRAME_S))
        parts = list(self._recent)[-count:]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def level(self, duration_s: float = 0.5) -> float:
        """RMS (0-1) of the last `duration_s`."""
        return rms(self.recent(duration_s))

    def tone(self, hz: float, duration_s: float = 0.4) -> float:
        """Amplitude (0-1) of a tone in the last `duration_s`."""
        return tone_energy(self.recent(duration_s), SAMPLE_RATE, hz)

    def audible_within(self, duration_s: float) -> bool:
        """Whether a sound was heard in the last `duration_s`."""
        return self.last_audible_at is not None and time.monotonic() - self.last_audible_at <= duration_s

    async def close(self) -> None:
        await super().close()
        await _end(self._stream)


@dataclass(slots=True)
class Publishing:
    """A track of our own and the task that feeds it."""

    track: rtc.LocalAudioTrack | rtc.LocalVideoTrack
    publication: rtc.LocalTrackPublication
    source: rtc.AudioSource | rtc.VideoSource
    published_at: float
    task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.source.aclose()


@dataclass(slots=True)
class Seen:
    """One room event as the SDK reported it."""

    at: float
    name: str
    arguments: tuple[Any, ...] = field(default_factory=tuple)


_RECORDED_EVENTS: tuple[Any, ...] = (
    "participant_connected",
    "participant_disconnected",
    "participant_active",
    "local_track_published",
    "local_track_unpublished",
    "local_track_republished",
    "local_track_subscribed",
    "track_published",
    "track_unpublished",
    "track_subscribed",
    "track_unsubscribed",
    "track_subscription_failed",
    "track_muted",
    "track_unmuted",
    "active_speakers_changed",
    "room_metadata_changed",
    "participant_metadata_changed",
    "participant_name_changed",
    "participant_attributes_changed",
    "connection_quality_changed",
    "participant_permissions_changed",
    "data_received",
    "connection_state_changed",
    "disconnected",
    "reconnecting",
    "reconnected",
    "room_updated",
    "moved",
    "token_refreshed",
)


class Bot:
    """One participant. Use as an asynchronous context manager, or `connect` and `close` it."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        single_peer_connection: bool = True,
        auto_subscribe: bool = True,
        dynacast: bool = False,
        watch_media: bool = True,
        encryption: rtc.E2EEOptions | None = None,
    ) -> None:
        """`watch_media` decodes and measures every subscribed track; without it only events are kept."""
        self.url, self.token = url, token
        self._options = rtc.RoomOptions(
            auto_subscribe=auto_subscribe,
            dynacast=dynacast,
            single_peer_connection=single_peer_connection,
            encryption=encryption,
        )
        self._watch_media = watch_media
        self.room = rtc.Room()
        self.connect_s = 0.0
        """How long `connect` took: WebSocket, join, and the transport when the SDK waits for it."""
        self.events: list[Seen] = []
        self.watches: dict[str, VideoWatch | AudioWatch] = {}
        """By track sid; a watch stays here after its track has ended."""
        self.publishings: dict[str, Publishing] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        for name in _RECORDED_EVENTS:
            self.room.on(name, self._recorder(name))
        self.room.on("track_subscribed", self._on_track_subscribed)
        self.room.on("track_unsubscribed", self._on_track_unsubscribed)

    # Joining and leaving

    async def connect(self) -> Bot:
        """Join; raises `livekit.rtc.ConnectError`."""
        started = time.monotonic()
        await self.room.connect(self.url, self.token, self._options)
        self.connect_s = time.monotonic() - started
        return self

    async def close(self) -> None:
        """Stop publishing, leave, and end every task. May be called twice."""
        for publishing in list(self.publishings.values()):
            await publishing.close()
        self.publishings.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.room.disconnect(), 5.0)
        for watch in self.watches.values():
            await watch.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Bot:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def identity(self) -> str:
        return self.local.identity

    @property
    def local(self) -> rtc.LocalParticipant:
        return self.room.local_participant

    # What happened

    def _recorder(self, name: str) -> Callable[..., None]:
        def record(*arguments: Any) -> None:
            self.events.append(Seen(time.monotonic(), name, arguments))

        return record

    def seen(self, name: str, since: float = 0.0) -> list[Seen]:
        """Recorded room events of a name, oldest first."""
        return [event for event in self.events if event.name == name and event.at >= since]

    async def wait_for_event(self, name: str, timeout_s: float = 10.0, since: float = 0.0) -> Seen:
        """The first event of a name after `since` (monotonic); raises ConditionNotMetError."""
        found = await wait_until(
            lambda: self.seen(name, since),
            f"event {name}",
            timeout_s,
            detail=lambda: [event.name for event in self.events][-20:],
        )
        return found[0]

    async def wait_for_participant(self, identity: str, timeout_s: float = 10.0) -> rtc.RemoteParticipant:
        """Wait until another participant is seen in the room; raises ConditionNotMetError."""
        found = await wait_until(
            lambda: self.room.remote_participants.get(identity),
            f"{identity} in the room",
            timeout_s,
            detail=lambda: list(self.room.remote_participants),
        )
        assert found is not None
        return found

    # Receiving

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_track_subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if not self._watch_media:
            return
        old = self.watches.get(publication.sid)
        if old is not None:
            self._spawn(old.close())
        if isinstance(track, rtc.RemoteVideoTrack):
            self.watches[publication.sid] = VideoWatch(track, publication, participant.identity)
        elif isinstance(track, rtc.RemoteAudioTrack):
            self.watches[publication.sid] = AudioWatch(track, publication, participant.identity)

    def _on_track_unsubscribed(
        self, _track: rtc.Track, publication: rtc.RemoteTrackPublication, _participant: rtc.RemoteParticipant
    ) -> None:
        watch = self.watches.get(publication.sid)
        if watch is not None:
            self._spawn(watch.close())

    def video_of(self, identity: str, source: int = rtc.TrackSource.SOURCE_CAMERA) -> VideoWatch | None:
        """The newest watch on a participant's camera or screen."""
        for watch in reversed(self.watches.values()):
            if isinstance(watch, VideoWatch) and watch.identity == identity and watch.source == source:
                return watch
        return None

    def audio_of(self, identity: str, source: int = rtc.TrackSource.SOURCE_MICROPHONE) -> AudioWatch | None:
        """The newest watch on a participant's sound."""
        for watch in reversed(self.watches.values()):
            if isinstance(watch, AudioWatch) and watch.identity == identity and watch.source == source:
                return watch
        return None

    async def wait_for_video(
        self,
        identity: str,
        *,
        frames: int = 5,
        source: int = rtc.TrackSource.SOURCE_CAMERA,
        timeout_s: float = 15.0,
    ) -> VideoWatch:
        """Wait until `frames` frames with a readable counter have come; raises ConditionNotMetError."""

        def ready() -> VideoWatch | None:
            watch = self.video_of(identity, source)
            return watch if watch is not None and watch.stamped >= frames else None

        def state() -> str:
            watch = self.video_of(identity, source)
            if watch is None:
                return f"no subscription; tracks of {self._published()}"
            return f"{watch.frames} frames, {watch.stamped} with counter, size {watch.size}"

        watch = await wait_until(ready, f"{frames} frames of {identity}", timeout_s, detail=state)
        assert watch is not None
        return watch

    async def wait_for_sound(
        self,
        identity: str,
        *,
        hz: float | None = None,
        amplitude: float = 0.02,
        source: int = rtc.TrackSource.SOURCE_MICROPHONE,
        timeout_s: float = 15.0,
    ) -> AudioWatch:
        """Wait until a participant is heard, with `hz` until that tone is; raises ConditionNotMetError."""

        def ready() -> AudioWatch | None:
            watch = self.audio_of(identity, source)
            if watch is None or not watch.audible_within(1.0):
                return None
            return watch if hz is None or watch.tone(hz) >= amplitude else None

        def state() -> str:
            watch = self.audio_of(identity, source)
            if watch is None:
                return f"no subscription; tracks of {self._published()}"
            heard = f", tone {watch.tone(hz):.4f}" if hz is not None else ""
            return f"level {watch.level():.4f}{heard}"

        watch = await wait_until(ready, f"sound of {identity}", timeout_s, detail=state)
        assert watch is not None
        return watch

    async def wait_for_silence(
        self, identity: str, *, duration_s: float = 0.6, timeout_s: float = 10.0
    ) -> None:
        """Wait until a participant has not been heard for `duration_s`; raises ConditionNotMetError."""

        def silent() -> bool:
            watch = self.audio_of(identity)
            return watch is None or not watch.audible_within(duration_s)

        await wait_until(silent, f"silence of {identity}", timeout_s)

    def _published(self) -> dict[str, list[str]]:
        return {
            identity: [str(publication.name) for publication in participant.track_publications.values()]
            for identity, participant in self.room.remote_participants.items()
        }

    async def measure(self, duration_s: float) -> dict[str, Rate]:
        """Rates of every received track over `duration_s`, by track sid."""
        first = {sid: await watch.inbound() for sid, watch in self.watches.items()}
        await asyncio.sleep(duration_s)
        rates = {}
        for sid, begin in first.items():
            end = await self.watches[sid].inbound()
            if begin is not None and end is not None:
                rates[sid] = rate_between(begin, end)
        return rates

    # Publishing

    async def publish_microphone(
        self, samples: Samples, *, name: str = "microphone", red: bool = True, dtx: bool = True
    ) -> Publishing:
        """Publish a loop of samples (48 kHz mono) as the microphone."""
        source = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=_AUDIO_QUEUE_MS)
        track = rtc.LocalAudioTrack.create_audio_track(name, source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, red=red, dtx=dtx)
        publication = await self._publish(track, options, source)
        publishing = Publishing(track, publication, source, time.monotonic())
        publishing.task = asyncio.create_task(_play(source, samples), name=f"play {name}")
        self.publishings[name] = publishing
        return publishing

    async def publish_camera(
        self,
        *,
        width: int = 640,
        height: int = 360,
        fps: float = 20.0,
        codec: str = "vp8",
        simulcast: bool = False,
        max_bitrate_bps: int | None = None,
        name: str = "camera",
        label: str | None = None,
    ) -> Publishing:
        """Publish a test card as the camera; `codec` is one of CODECS."""
        card = TestCard(width, height, label or self.identity, source_number(self.identity, "camera"))
        return await self._publish_card(
            card, rtc.TrackSource.SOURCE_CAMERA, fps, codec, simulcast, max_bitrate_bps, name
        )

    async def publish_screen(
        self,
        *,
        width: int = 1280,
        height: int = 720,
        fps: float = 10.0,
        codec: str = "vp8",
        name: str = "screen",
        label: str = "Exercise sheet 7",
        max_bitrate_bps: int | None = 1_500_000,
    ) -> Publishing:
        """Publish a sheet of exercises with a moving pointer as the shared screen."""
        card = TestCard(width, height, label, source_number(self.identity, "screen"), page=True)
        return await self._publish_card(
            card, rtc.TrackSource.SOURCE_SCREENSHARE, fps, codec, False, max_bitrate_bps, name
        )

    async def _publish_card(
        self,
        card: TestCard,
        kind: rtc.TrackSource.ValueType,
        fps: float,
        codec: str,
        simulcast: bool,
        max_bitrate_bps: int | None,
        name: str,
    ) -> Publishing:
        screen = kind == rtc.TrackSource.SOURCE_SCREENSHARE
        source = rtc.VideoSource(card.width, card.height, is_screencast=screen)
        track = rtc.LocalVideoTrack.create_video_track(name, source)
        options = rtc.TrackPublishOptions(source=kind, video_codec=CODECS[codec], simulcast=simulcast)
        if max_bitrate_bps is not None:
            options.video_encoding.max_bitrate = max_bitrate_bps
            options.video_encoding.max_framerate = fps
        # Frames must flow while publishing: the server announces a track when its first packet comes.
        task = asyncio.create_task(_film(source, card, fps), name=f"film {name}")
        try:
            publication = await self._publish(track, options, source)
        except BaseException:
            task.cancel()
            raise
        publishing = Publishing(track, publication, source, time.monotonic(), task)
        self.publishings[name] = publishing
        return publishing

    async def _publish(
        self,
        track: rtc.LocalAudioTrack | rtc.LocalVideoTrack,
        options: rtc.TrackPublishOptions,
        source: rtc.AudioSource | rtc.VideoSource,
    ) -> rtc.LocalTrackPublication:
        try:
            return await self.local.publish_track(track, options)
        except BaseException:
            await source.aclose()
            raise

    async def unpublish(self, name: str) -> None:
        """End a track published under `name`."""
        publishing = self.publishings.pop(name)
        await self.local.unpublish_track(publishing.publication.sid)
        await publishing.close()

    def mute(self, name: str = "microphone") -> None:
        self.publishings[name].track.mute()

    def unmute(self, name: str = "microphone") -> None:
        self.publishings[name].track.unmute()


async def _play(source: rtc.AudioSource, samples: Samples) -> None:
    """Feed a loop of samples in real time; the source's queue sets the pace."""
    step = round(_AUDIO_FRAME_S * SAMPLE_RATE)
    position = 0
    while True:
        part = samples[position : position + step]
        if len(part) < step:
            part = np.concatenate([part, samples[: step - len(part)]])
        position = (position + step) % len(samples)
        await source.capture_frame(rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, step))


async def _film(source: rtc.VideoSource, card: TestCard, fps: float) -> None:
    """Draw and capture frames at a steady rate; late frames are dropped, not caught up."""
    interval_s = 1.0 / fps
    due = time.monotonic()
    while True:
        frame = rtc.VideoFrame(card.width, card.height, rtc.VideoBufferType.I420, card.draw().tobytes())
        source.capture_frame(frame, timestamp_us=time.monotonic_ns() // 1000)
        due = max(due + interval_s, time.monotonic() - interval_s)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
