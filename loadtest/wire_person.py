"""Somebody in a call on the wire: a client of the API, and media whose packets say who sent them.

Sound is 50 packets a second with the sender's mark at their end, so that the receiver counts who is heard,
packet by packet; packets without a mark are music.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

import aiohttp
from livekit.protocol import rtc

from loadtest.desk_client import DeskClient, EventStream, Joinable, Media
from loadtest.waiting import wait_until
from loadtest.wire import Outgoing, WireClient

MUSIC = "music"
"""Who is heard when a packet carries nobody's mark."""

USUAL_SIGNALS = frozenset({"speakers_changed", "connection_quality", "refresh_token"})
"""What the server tells a client from time to time without anybody coming, going or changing."""

_PACKET_S = 0.02
_PACKET_BYTES = 130
_SAMPLES = 960  # of 48 kHz in one packet
_MARK_BYTES = 8
_FRAME_EVERY = 4  # packets of sound to one picture
_VIDEO_TICKS = 90_000 // 50
_FIRST_SECTIONS = (2, 2)


def _mark(identity: str) -> bytes:
    return b"WP" + zlib.crc32(identity.encode()).to_bytes(4, "big") + b"PW"


class WirePerson:
    """One participant. `join` with what the API answered, `talk`, look at `heard`, `close`."""

    def __init__(self, client: DeskClient, events: EventStream | None = None) -> None:
        self.client = client
        self.events = events
        self._wire: WireClient | None = None
        self._names: dict[bytes, str] = {}
        self._talking: asyncio.Task[None] | None = None
        self.heard: dict[str, list[float]] = defaultdict(list)
        """Monotonic moments of sound packets, by who sent them."""
        self.seen: dict[str, list[float]] = defaultdict(list)
        """The same of pictures' packets."""

    @property
    def identity(self) -> str:
        """In the room and in the API."""
        return self.client.actor

    @property
    def wire(self) -> WireClient:
        """The media side; raises RuntimeError before `join`."""
        if self._wire is None:
            raise RuntimeError(f"{self.identity} is in no room")
        return self._wire

    @property
    def stream(self) -> EventStream:
        """The event stream; raises RuntimeError for whoever has none."""
        if self.events is None:
            raise RuntimeError(f"{self.identity} reads no events")
        return self.events

    def knows(self, others: Iterable[WirePerson | str]) -> None:
        """Whose marks shall be recognised."""
        for other in others:
            name = other if isinstance(other, str) else other.identity
            self._names[_mark(name)] = name

    async def join(self, media: Media | Joinable | None) -> WireClient:
        """Join; raises ValueError for a chat, ConnectionError or aiohttp's errors when it is refused."""
        if isinstance(media, Joinable):
            media = media.media
        if media is None:
            raise ValueError("the answer has no media")
        wire = WireClient(media.url, media.token, self.client.http, receive=_FIRST_SECTIONS)
        wire.on_packet = self._on_packet
        self._wire = wire
        return await wire.join()

    def _on_packet(self, data: bytes, _now: float) -> None:
        plain = self.wire.unprotect(data)
        sender = self._names.get(plain[-_MARK_BYTES:], MUSIC)
        # Our pictures are larger than any sound.
        kept = self.seen if len(plain) > _PACKET_BYTES * 3 else self.heard
        kept[sender].append(time.monotonic())

    async def may_publish(self, *, timeout_s: float = 5.0) -> None:
        """Wait until the server allows to publish; raises ConditionNotMetError."""

        def allowed() -> bool:
            return any(
                info.permission.can_publish
                for signal in self.wire.signals
                if signal.WhichOneof("message") == "update"
                for info in signal.update.participants
                if info.identity == self.identity
            )

        await wait_until(allowed, f"{self.identity} may publish", timeout_s)

    async def talk(self, *, video: bool = False) -> None:
        """Send sound (and small pictures) from now on."""
        streams = await self.wire.publish("audio", *(["video"] if video else []))
        self._talking = asyncio.create_task(self._talk(streams), name=f"{self.identity} talks")

    async def _talk(self, streams: Sequence[Outgoing]) -> None:
        mark = _mark(self.identity)
        sound = b"\x78" + bytes(_PACKET_BYTES - 20 - 1 - _MARK_BYTES) + mark
        picture = b"\x10\x10\x02\x00\x9d\x01\x2a\x40\x01\xb4\x00" + bytes(600) + mark
        started = time.monotonic()
        for number in itertools.count():
            self.wire.send(streams[0], sound, number * _SAMPLES, marker=False)
            if len(streams) > 1 and number % _FRAME_EVERY == 0:
                self.wire.send(streams[1], picture, number * _VIDEO_TICKS, marker=True)
            await asyncio.sleep(max(0.0, started + (number + 1) * _PACKET_S - time.monotonic()))

    # What was heard ----------------------------------------------------------------------------------------

    async def hears(self, other: WirePerson | str, *, since: float = 0.0, timeout_s: float = 5.0) -> float:
        """Wait for sound of somebody (or MUSIC) after `since`; returns when it began (monotonic)."""
        return await self._receives(self.heard, "hears", other, since, timeout_s)

    async def sees(self, other: WirePerson | str, *, since: float = 0.0, timeout_s: float = 5.0) -> float:
        """Wait for pictures of somebody after `since`; returns when they began (monotonic)."""
        return await self._receives(self.seen, "sees", other, since, timeout_s)

    async def _receives(
        self,
        kept: dict[str, list[float]],
        verb: str,
        other: WirePerson | str,
        since: float,
        timeout_s: float,
    ) -> float:
        name = other if isinstance(other, str) else other.identity

        def first() -> float | None:
            return next((at for at in kept[name] if at >= since), None)

        what = f"{self.identity} {verb} {name}"
        found = await wait_until(first, what, timeout_s, detail=lambda: self.who(since))
        assert found is not None
        return found

    def who(self, since: float) -> dict[str, int]:
        """How many packets of sound came from whom since a moment."""
        counts = {name: sum(at >= since for at in times) for name, times in self.heard.items()}
        return {name: count for name, count in counts.items() if count}

    def last_heard(self, other: WirePerson | str) -> float:
        """When the last packet of somebody's sound came; 0.0 before the first."""
        name = other if isinstance(other, str) else other.identity
        return self.heard[name][-1] if self.heard[name] else 0.0

    def longest_silence_s(self, since: float, until: float) -> float:
        """The longest time without any packet of sound, music included, between two moments."""
        times = sorted(at for moments in self.heard.values() for at in moments if since <= at <= until)
        return max(later - earlier for earlier, later in itertools.pairwise([since, *times, until]))

    def mark_signals(self) -> int:
        """A place in what the server says, for `signals_since`."""
        return len(self.wire.signals)

    def signals_since(self, mark: int) -> list[rtc.SignalResponse]:
        """What the server said since, the usual reports left out."""
        return [s for s in self.wire.signals[mark:] if s.WhichOneof("message") not in USUAL_SIGNALS]

    def offers_since(self, mark: int) -> int:
        """How often the server made this client negotiate again."""
        kinds = [signal.WhichOneof("message") for signal in self.wire.signals[mark:]]
        return kinds.count("media_sections_requirement") + kinds.count("offer")

    async def hang_up(self) -> None:
        """Leave the room."""
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.gather(self._talking, return_exceptions=True)
            self._talking = None
        if self._wire is not None:
            wire, self._wire = self._wire, None
            await wire.close()

    async def close(self) -> None:
        """Leave room and event stream; may be called twice."""
        await self.hang_up()
        if self.events is not None:
            await self.events.close()


async def staff(url: str, username: str, http: aiohttp.ClientSession) -> WirePerson:
    """Somebody who works here, logged in, with an event stream."""
    client = await DeskClient.login(url, username, http)
    return WirePerson(client, await client.events().open())
