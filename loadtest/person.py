"""Somebody in the story: a client of the API and of the media, with a tone and test cards of its own."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Collection, Iterable

from livekit import rtc

from loadtest.bot import AUDIBLE_RMS, AudioWatch, Bot, VideoWatch, source_number
from loadtest.desk_client import DeskClient, EventStream, Media
from loadtest.sound import tone
from loadtest.waiting import wait_until

SCREEN = rtc.TrackSource.SOURCE_SCREENSHARE

TONE_AMPLITUDE = 0.02
"""From here on a tone counts as heard; it is sent with 0.3."""

LOUD_RMS = 0.1
"""Half of a tone's loudness: when its packets stop, decoders go on for a while and fade it out."""

QUIET_EVENTS = frozenset({"active_speakers_changed", "connection_quality_changed", "token_refreshed"})
"""What a client is told from time to time without anybody coming, going or changing."""

_TONE_WINDOW_S = 0.2
_CAMERA = {"width": 320, "height": 180, "fps": 15.0, "max_bitrate_bps": 300_000}


class WrongSenderError(AssertionError):
    """What was heard or seen does not come from whom it seems to come."""


class Person:
    """One of the cast."""

    def __init__(self, role: str, hz: float, client: DeskClient, events: EventStream | None = None) -> None:
        """`role`: the key of the word that names it; `hz`: the tone it sends."""
        self.role = role
        self.hz = hz
        self.client = client
        self.events = events
        self._bot: Bot | None = None
        self.published_at: dict[str, float] = {}

    @property
    def identity(self) -> str:
        """In the room and in the API."""
        return self.client.actor

    @property
    def bot(self) -> Bot:
        """The media side; raises RuntimeError before `join`."""
        if self._bot is None:
            raise RuntimeError(f"{self.role} is in no room")
        return self._bot

    @property
    def stream(self) -> EventStream:
        """The event stream; raises RuntimeError for whoever has none."""
        if self.events is None:
            raise RuntimeError(f"{self.role} reads no events")
        return self.events

    async def join(self, media: Media) -> Bot:
        """Join a room."""
        self._bot = Bot(media.url, media.token)
        return await self._bot.connect()

    async def close(self) -> None:
        """Leave room and event stream."""
        if self._bot is not None:
            await self._bot.close()
        if self.events is not None:
            await self.events.close()

    # Sending -----------------------------------------------------------------------------------------------

    async def talk(self) -> None:
        """Send the tone from now on."""
        self.published_at["speech"] = time.monotonic()
        await self.bot.publish_microphone(tone(self.hz, 1.0), dtx=False, red=False)

    async def show_camera(self) -> None:
        """Send the camera's test card from now on."""
        self.published_at["camera"] = time.monotonic()
        await self.bot.publish_camera(**_CAMERA, label=self.identity)  # type: ignore[arg-type]

    async def show_screen(self) -> None:
        """Share the screen from now on."""
        self.published_at["screen"] = time.monotonic()
        await self.bot.publish_screen(fps=8.0)

    async def appear(self) -> None:
        """Talk and show the camera."""
        await asyncio.gather(self.talk(), self.show_camera())

    # Receiving ---------------------------------------------------------------------------------------------

    def sounds(self) -> Iterable[AudioWatch]:
        """Every sound that is or was received."""
        return (watch for watch in self.bot.watches.values() if isinstance(watch, AudioWatch))

    async def hears(self, other: Person, *, timeout_s: float = 10.0) -> AudioWatch:
        """Wait until the other's tone is heard from the other; raises ConditionNotMetError."""
        return await self.bot.wait_for_sound(other.identity, hz=other.hz, timeout_s=timeout_s)

    async def sees(self, other: Person, *, timeout_s: float = 15.0) -> VideoWatch:
        """Wait until the other's camera card is seen; raises ConditionNotMetError, WrongSenderError."""
        return await self._sees(other, rtc.TrackSource.SOURCE_CAMERA, "camera", timeout_s)

    async def sees_screen(self, other: Person, *, timeout_s: float = 15.0) -> VideoWatch:
        """Wait until the other's screen is seen; raises ConditionNotMetError, WrongSenderError."""
        return await self._sees(other, SCREEN, "screen", timeout_s)

    async def _sees(self, other: Person, source: int, kind: str, timeout_s: float) -> VideoWatch:
        seen = await self.bot.wait_for_video(other.identity, frames=2, source=source, timeout_s=timeout_s)
        if seen.last_source != source_number(other.identity, kind):
            raise WrongSenderError(f"the picture is not {other.identity}'s {kind}")
        return seen

    def hears_tone(self, hz: float) -> bool:
        """Whether a tone is in anything that was heard in the last moment."""
        return any(
            watch.audible_within(_TONE_WINDOW_S) and watch.tone(hz, _TONE_WINDOW_S) >= TONE_AMPLITUDE
            for watch in self.sounds()
        )

    async def hears_no_more(self, other: Person, *, since: float, timeout_s: float = 5.0) -> float:
        """Wait until the other's sound is gone; returns how long after `since` it was still loud."""
        await self.bot.wait_for_silence(other.identity, duration_s=0.3, timeout_s=timeout_s)
        watch = self.bot.audio_of(other.identity)
        if watch is None:
            return 0.0
        loud = [at for at, level in watch.levels if level >= LOUD_RMS]
        return max(0.0, loud[-1] - since) if loud else 0.0

    async def hears_music(self, cast: Collection[str], *, since: float, timeout_s: float = 15.0) -> float:
        """Wait until somebody outside `cast` is heard; returns when (monotonic) after `since` it began."""

        def music() -> float | None:
            return first_audible(
                (watch for watch in self.sounds() if watch.identity not in cast), since, frames=5
            )

        found = await wait_until(
            music,
            f"music for {self.identity}",
            timeout_s,
            detail=lambda: {watch.identity: round(watch.level(), 4) for watch in self.sounds()},
        )
        assert found is not None
        return found

    async def begins_to_hear(self, other: Person, *, since: float, timeout_s: float = 5.0) -> float:
        """Wait for the other's tone; returns when (monotonic) its sound began after `since`."""
        await self.hears(other, timeout_s=timeout_s)

        def begin() -> float | None:
            return first_audible(
                (watch for watch in self.sounds() if watch.identity == other.identity), since, frames=1
            )

        found = await wait_until(begin, f"{self.identity} begins to hear {other.identity}", timeout_s)
        assert found is not None
        return found

    def longest_silence_s(self, since: float, until: float) -> float:
        """The longest time in which nothing at all was heard, between two moments (monotonic)."""
        return longest_silence_s(self.sounds(), since, until)

    def noticed(self, since: float) -> list[str]:
        """What the room told this client since a moment, beside the usual reports."""
        return [each.name for each in self.bot.events if each.at >= since and each.name not in QUIET_EVENTS]


def first_audible(watches: Iterable[AudioWatch], since: float, *, frames: int) -> float | None:
    """When the first sound after `since` was heard in one of the watches, once it had so many frames."""
    best: float | None = None
    for watch in watches:
        times = [at for at, level in watch.levels if at >= since and level >= AUDIBLE_RMS]
        if len(times) >= frames and (best is None or times[0] < best):
            best = times[0]
    return best


def longest_silence_s(watches: Iterable[AudioWatch], since: float, until: float) -> float:
    """The longest time without a sound from any of the watches."""
    times = sorted(
        at for watch in watches for at, level in watch.levels if since <= at <= until and level >= AUDIBLE_RMS
    )
    return max(later - earlier for earlier, later in itertools.pairwise([since, *times, until]))
