"""Students, agents and supervisors with media: what each hears, and who is told what."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from livekit.protocol import rtc

from loadtest.wire import Outgoing, WireClient
from signalling.service.sounds import Sounds
from tests.integration.api.conftest import DEADLINE_S, Person

FRAME_RTP = 960
MUSIC = frozenset(Sounds().music())


def payload_of(packet: bytes) -> bytes:
    """The payload of a plain RTP packet."""
    start = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
    return packet[start:end]


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not in time: {what}"
        await asyncio.sleep(0.005)


class InRoom:
    """Somebody in a call's room, who talks in packets that say who is talking."""

    def __init__(self, person: Person, client: WireClient, name: str) -> None:
        self.person = person
        self.client = client
        self.name = name
        self.heard: dict[str, float] = {}
        """Who (or ``music``) was heard last when, monotonic seconds."""
        self.counts: dict[str, int] = {}
        self._talking: asyncio.Task[None] | None = None
        client.on_packet = self._on_packet

    @classmethod
    async def join(cls, person: Person, media: dict[str, Any], name: str, *, talk: bool = True) -> InRoom:
        """Join with a media answer."""
        publish = ("audio",) if talk else ()
        client = WireClient(media["url"], media["token"], person.site.http, publish=publish, receive=(5, 1))
        joined = cls(person, client, name)
        await client.join()
        if talk:
            joined.talk(client.outgoing[0])
        return joined

    async def begin_to_talk(self) -> None:
        """Publish a microphone after joining."""
        (stream,) = await self.client.publish("audio")
        self.talk(stream)

    def talk(self, stream: Outgoing) -> None:
        """Send a packet every 20 ms."""
        self._talking = asyncio.create_task(self._talk(stream))

    async def _talk(self, stream: Outgoing) -> None:
        timestamp = 0
        while True:
            self.client.send(stream, b"\x78" + self.name.encode(), timestamp, marker=False)
            timestamp += FRAME_RTP
            await asyncio.sleep(0.02)

    def _on_packet(self, data: bytes, _now: float) -> None:
        with contextlib.suppress(Exception):
            payload = payload_of(self.client.unprotect(data))
            who = "music" if payload in MUSIC else payload[1:].decode("ascii", "replace")
            self.heard[who] = time.monotonic()
            self.counts[who] = self.counts.get(who, 0) + 1

    def hears(self, who: str) -> bool:
        """Whether this voice was heard within the last tenth of a second."""
        return time.monotonic() - self.heard.get(who, 0.0) < 0.1

    def told(self, identity: str) -> bool:
        """Whether any message of the server named this participant."""
        return any(identity.encode() in signal.SerializeToString() for signal in self.client.signals)

    def may_publish(self) -> bool:
        """What the newest message about ourselves said."""
        newest: rtc.SignalResponse | None = None
        allowed = False
        for signal in self.client.signals:
            for info in signal.update.participants:
                if info.identity == self.name:
                    newest, allowed = signal, info.permission.can_publish
        return newest is not None and allowed

    async def leave(self) -> None:
        """Leave the room."""
        if self._talking is not None:
            self._talking.cancel()
        await self.client.close()
