"""A participant with keys that sends RTP and RTCP no honest client sends: its neighbours must not notice."""

from __future__ import annotations

import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from loadtest.waiting import wait_until
from loadtest.wire import (
    AUDIO_PAYLOAD_TYPE,
    MID_EXTENSION,
    RTX_PAYLOAD_TYPE,
    TRANSPORT_SEQUENCE_EXTENSION,
    VIDEO_PAYLOAD_TYPE,
)
from mediaserver.rtp.rtcp import (
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    TransportFeedback,
    parse_compound,
)
from tests.integration.faults.participants import Participant
from tests.integration.faults.site import Site, paced

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SECONDS = 1.5
MAX_KEYFRAME_REQUESTS_PER_S = 2.0
"""A publisher is asked for a key frame every 0.5 s at most, whatever its subscribers do."""


def rtp(
    sequence: int,
    ssrc: int,
    *,
    payload_type: int = VIDEO_PAYLOAD_TYPE,
    timestamp: int = 0,
    mid: str = "",
    payload: bytes = b"\x10" + bytes(200),
) -> bytes:
    """A packet with the extensions a browser puts on the first ones."""
    extensions = bytes([TRANSPORT_SEQUENCE_EXTENSION << 4 | 1]) + struct.pack("!H", sequence & 0xFFFF)
    if mid:
        extensions += bytes([MID_EXTENSION << 4 | len(mid) - 1]) + mid.encode()
    extensions += bytes(-len(extensions) % 4)
    return (
        struct.pack("!BBHII", 0x90, payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        + struct.pack("!HH", 0xBEDE, len(extensions) // 4)
        + extensions
        + payload
    )


@asynccontextmanager
async def watched_publisher(site: Site) -> AsyncIterator[tuple[Participant, Participant]]:
    """A publisher of video and one who watches it, video flowing."""
    room = site.unique("room")
    async with (
        site.joined(room, publish=["video"], feedback=False) as publisher,
        site.joined(room, receive=(0, 1), feedback=False) as viewer,
    ):
        frame = 0

        def watched() -> bool:
            nonlocal frame
            frame += 1
            publisher.send_frame(publisher.outgoing[0], 2, 500, 3000 * frame, keyframe=True)
            return bool(viewer.received or viewer.packets_received)

        await wait_until(watched, "the viewer gets video")
        yield publisher, viewer


async def test_sequence_numbers_that_leap(site: Site) -> None:
    """Each leap would be 30,000 losses to ask for."""
    async with watched_publisher(site) as (hostile, _):
        stream = hostile.outgoing[0]
        async with site.undisturbed():

            def leap(number: int) -> None:
                hostile.send_plain_rtp(rtp(30_000 * number, stream.ssrc, timestamp=3000 * number))

            await paced(leap, 1500, SECONDS)

            def pairs(number: int) -> None:  # two in order each time: taken for a restart
                hostile.send_plain_rtp(rtp(30_000 * (number // 2) + number % 2, stream.ssrc))

            await paced(pairs, 1500, SECONDS)


async def test_small_gaps_all_the_time(site: Site) -> None:
    """Every second packet missing: NACKs stay bounded."""
    async with watched_publisher(site) as (hostile, _):
        hostile.keep_rtcp = True
        stream = hostile.outgoing[0]
        first = stream.sequence + 1
        async with site.undisturbed():
            await paced(lambda n: hostile.send_plain_rtp(rtp(first + 2 * n, stream.ssrc)), 1500, SECONDS)
        asked = sum(
            len(message.lost)
            for compound in hostile.rtcp
            for message in parse_compound(compound)
            if isinstance(message, Nack)
        )
        assert 0 < asked < 20 * 1500 * SECONDS


async def test_ssrc_flood(site: Site) -> None:
    chance = random.Random(2)
    async with watched_publisher(site) as (hostile, viewer):
        stream = hostile.outgoing[0]
        async with site.undisturbed():

            def flood(number: int) -> None:
                payload_type = (VIDEO_PAYLOAD_TYPE, RTX_PAYLOAD_TYPE, AUDIO_PAYLOAD_TYPE)[number % 3]
                ssrc = chance.getrandbits(32)
                hostile.send_plain_rtp(rtp(number, ssrc, payload_type=payload_type, mid=stream.mid))

            await paced(flood, 1500, SECONDS)
        assert not viewer.closed


async def test_header_extensions_of_garbage(site: Site) -> None:
    chance = random.Random(3)
    async with watched_publisher(site) as (hostile, _):
        ssrc = hostile.outgoing[0].ssrc
        async with site.undisturbed():

            def garbage(number: int) -> None:
                head = struct.pack(
                    "!BBHII",
                    chance.choice((0x80, 0x90, 0x9F, 0xB0, 0xBF, 0x8F)),
                    VIDEO_PAYLOAD_TYPE,
                    6000 + number,
                    3000 * number,
                    ssrc,
                )
                profile = chance.choice((0xBEDE, 0x1000, 0x100F, 0, 0xFFFF))
                words = chance.choice((0, 1, 2, 5, 250, 0xFFFF))
                body = chance.randbytes(chance.randint(0, 1000))
                hostile.send_plain_rtp(head + struct.pack("!HH", profile, words) + body)

            await paced(garbage, 1500, SECONDS)


async def test_ten_megabytes_of_one_frame(site: Site) -> None:
    async with watched_publisher(site) as (hostile, _):
        stream = hostile.outgoing[0]
        packets = 10_000_000 // 1100
        async with site.undisturbed():
            for number in range(packets):
                head = b"\x10\x10\x02\x00\x9d\x01\x2a" if number == 0 else b"\x00"
                hostile.send(stream, head + bytes(1080), 999_000, marker=number == packets - 1)
                if number % 50 == 49:
                    await paced(lambda _: None, 100, 0.01)


async def test_nack_storm(site: Site) -> None:
    """Everything asked for again and again: resends stay a share of the media."""
    async with watched_publisher(site) as (publisher, hostile):
        ssrcs: set[int] = set()
        counted = {"media": 0, "rtx": 0}

        def count(data: bytes, _now: float) -> None:
            if data[1] & 0x7F == RTX_PAYLOAD_TYPE:
                counted["rtx"] += len(data)
            else:
                counted["media"] += len(data)
                ssrcs.add(int.from_bytes(data[8:12]))

        hostile.on_media = count
        frame = 1000

        def picture(_number: int) -> None:
            nonlocal frame
            frame += 1
            publisher.send_frame(publisher.outgoing[0], 4, 1000, 3000 * frame, keyframe=frame % 30 == 0)

        await paced(picture, 50, 0.5)
        await wait_until(lambda: ssrcs, "the stream's SSRC")
        ssrc = next(iter(ssrcs))
        storms = [
            b"".join(
                Nack(hostile.own_ssrc, ssrc, tuple(n & 0xFFFF for n in range(start, start + 250))).pack()
                for start in range(base, base + 2000, 250)
            )
            for base in range(0, 65_536, 2000)
        ]
        async with site.undisturbed():

            def storm(number: int) -> None:
                if number % 10 == 0:
                    picture(number)
                hostile.send_rtcp(storms[number % len(storms)])

            await paced(storm, 500, SECONDS)
        assert counted["media"] > 100_000
        assert counted["rtx"] <= 0.5 * counted["media"] + 80_000, counted


async def test_storm_of_key_frame_requests(site: Site) -> None:
    async with watched_publisher(site) as (publisher, hostile):
        ssrcs: set[int] = set()
        hostile.on_media = lambda data, _now: ssrcs.add(int.from_bytes(data[8:12]))
        frame = 1000

        def picture() -> set[int]:
            nonlocal frame
            frame += 1
            publisher.send_frame(publisher.outgoing[0], 1, 500, 3000 * frame, keyframe=False)
            return ssrcs

        await wait_until(picture, "the stream's SSRC")
        ssrc = next(iter(ssrcs))
        publisher.keep_rtcp = True
        publisher.rtcp.clear()
        async with site.undisturbed() as verdict:

            def storm(number: int) -> None:
                if number % 20 == 0:
                    picture()
                compound = Pli(hostile.own_ssrc, ssrc).pack()
                compound += Fir(hostile.own_ssrc, tuple((ssrc, n & 0xFF) for n in range(100))).pack()
                hostile.send_rtcp(compound)

            await paced(storm, 1000, 2.0)
        asked = sum(
            isinstance(message, (Pli, Fir))
            for compound in publisher.rtcp
            for message in parse_compound(compound)
        )
        assert 1 <= asked <= MAX_KEYFRAME_REQUESTS_PER_S * (verdict.seconds + 1), asked


async def test_lies_in_rtcp(site: Site) -> None:
    chance = random.Random(4)
    async with watched_publisher(site) as (_, hostile):
        own = hostile.own_ssrc
        blocks = tuple(
            ReportBlock(chance.getrandbits(32), 255, -0x800000, *[0xFFFFFFFF] * 4) for _ in range(31)
        )
        lies = [
            Remb(own, 0, (1,)).pack(),
            Remb(own, (1 << 62), tuple(range(200))).pack(),
            ReceiverReport(own, blocks).pack() + ReceiverReport(own, blocks[:12]).pack(),
            *(
                TransportFeedback(
                    own,
                    0,
                    base,
                    0xFFFFFF if base % 2 else 0,
                    base & 0xFF,
                    tuple((base + n & 0xFFFF, delta) for n in range(400)),
                ).pack()
                for base, delta in ((0, None), (65_300, 32767), (1, -32768), (30_001, 0))
            ),
            struct.pack("!BBHIIHHHBB", 0x8F, 205, 5, own, 0, 7, 0xFFFF, 0xFFFF, 0xFF, 0)
            + b"\x3f\xff\x1f\xff",
            struct.pack("!BBHII", 0x81, 205, 2, own, 1) * 80,
            struct.pack("!BBH", 0x80, 201, 0) * 300,
            struct.pack("!BBH", 0x9F, 203, 0xFFFF) + bytes(500),
            struct.pack("!BBHI", 0x80, 202, 1, 0) * 140,
        ]
        lies += [
            struct.pack("!BBHI", 0x80 | n & 31, 192 + n % 31, 40, own) + chance.randbytes(156)
            for n in range(60)
        ]
        async with site.undisturbed():
            await paced(lambda n: hostile.send_rtcp(lies[n % len(lies)]), 1000, SECONDS)
        assert not hostile.closed
