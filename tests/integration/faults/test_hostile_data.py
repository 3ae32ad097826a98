"""A participant whose SCTP or data packets are hostile."""

from __future__ import annotations

import asyncio
import struct

import pytest
from livekit import api
from livekit.protocol import models

from loadtest.server import DEV_API_KEY, DEV_API_SECRET
from loadtest.waiting import wait_until
from tests.integration.faults.site import Site, paced
from tests.unit.transport import sctp_packets as sctp

MESSAGES_PER_S = 500
BURST_MESSAGES = 4000
"""What one participant may send (`limits.data_messages_per_s`, and eight seconds of it at once)."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


def user_packet(payload: bytes, *, identity: str = "", sid: str = "") -> bytes:
    packet = models.DataPacket(
        user=models.UserPacket(payload=payload, participant_identity=identity, participant_sid=sid),
        participant_identity=identity,
        participant_sid=sid,
    )
    return packet.SerializeToString()


async def test_init_with_a_parameter_of_length_zero(site: Site) -> None:
    """40 bytes that would stall the event loop for good."""
    async with site.joined(data=True) as hostile, site.undisturbed():
        await hostile.send_sctp(sctp.EVIL_INIT)
        await wait_until(lambda: hostile.closed, "the hostile participant is put out")


async def test_sack_with_280_gap_blocks(site: Site) -> None:
    async with site.joined(data=True) as hostile:
        tag = await hostile.start_sctp()
        assert hostile.sctp is not None
        last = hostile.sctp._last_received_tsn or 0
        async with site.undisturbed():
            await hostile.send_sctp(sctp.packet(sctp.sack(last, sctp.EVIL_SACK_GAPS), tag=tag))
            await wait_until(lambda: hostile.closed, "the hostile participant is put out")


async def test_data_out_of_order(site: Site) -> None:
    async with site.joined(data=True) as hostile:
        tag = await hostile.start_sctp()
        assert hostile.sctp is not None
        first = hostile.sctp._local_tsn

        async def ahead(number: int) -> None:
            tsn = first + 2 + 2 * (number % 2000)
            await hostile.send_sctp(sctp.packet(sctp.data(tsn, payload=bytes(200)), tag=tag))

        async with site.undisturbed():
            await paced(ahead, 3000, 1.5)


async def test_messages_that_wait_for_one_that_never_comes(site: Site) -> None:
    async with site.joined(data=True) as hostile:
        tag = await hostile.start_sctp()
        assert hostile.sctp is not None
        first = hostile.sctp._local_tsn

        async def early(number: int) -> None:
            chunk = sctp.data(first + number, sequence=77, payload=bytes(1000))
            await hostile.send_sctp(sctp.packet(chunk, tag=tag))

        async with site.undisturbed():
            await paced(early, 2000, 1.5)


async def test_too_many_streams(site: Site) -> None:
    async with site.joined(data=True) as hostile:
        tag = await hostile.start_sctp()
        assert hostile.sctp is not None
        first = hostile.sctp._local_tsn
        async with site.undisturbed():
            for number in range(200):
                chunk = sctp.data(first + number, stream=number)
                await hostile.send_sctp(sctp.packet(chunk, tag=tag))
                if hostile.closed:
                    break
                await asyncio.sleep(0)
            await wait_until(lambda: hostile.closed, "the hostile participant is put out")


async def test_oversized_and_unreadable_messages(site: Site) -> None:
    room = site.unique("room")
    async with site.joined(room, data=True) as hostile, site.joined(room, data=True) as other:
        await hostile.open_channels()
        await other.open_channels()
        before = (await site.metrics())["raisehand_signal_data_packets_refused_total"]
        async with site.undisturbed():
            for payload in (b"\xff" * 100, b"", b"\x0a\xff\xff\xff\xff\x0f", bytes(60_000), b"text \xe5"):
                hostile.channels["_reliable"].send(payload or b"\x00")
            hostile.channels["_lossy"].send(user_packet(b"x" * 200_000)[:200_000])
            hostile.channels["_reliable"].send(user_packet(b"honest"))
            await wait_until(lambda: other.messages, "an honest message after them arrives")
        assert models.DataPacket.FromString(other.messages[0][1]).user.payload == b"honest"
        assert (await site.metrics())["raisehand_signal_data_packets_refused_total"] >= before + 4


async def test_nobody_speaks_for_another(site: Site) -> None:
    room = site.unique("room")
    async with site.joined(room, data=True) as hostile, site.joined(room, data=True) as other:
        await hostile.open_channels()
        await other.open_channels()
        for label in ("_reliable", "_lossy"):
            hostile.channels[label].send(user_packet(b"pay me", identity=other.identity, sid=other.sid))
        await wait_until(lambda: len(other.messages) == 2, "both packets arrive")
        for _, payload in other.messages:
            packet = models.DataPacket.FromString(payload)
            assert packet.participant_identity == packet.user.participant_identity == hostile.identity
            assert packet.participant_sid == packet.user.participant_sid == hostile.sid


async def test_flood_of_data_packets(site: Site) -> None:
    """Over the limit lossy packets are dropped; what is passed on stays within it."""
    room = site.unique("room")
    async with site.joined(room, data=True) as hostile, site.joined(room, data=True) as other:
        await hostile.open_channels()
        await other.open_channels()
        packet = user_packet(b"x" * 40)
        before = (await site.metrics())["raisehand_signal_data_packets_refused_total"]
        async with site.undisturbed() as verdict:
            sent = await paced(lambda _: hostile.channels["_lossy"].send(packet), 3000, 3.0)
        assert sent == 9000
        assert not other.closed
        after = (await site.metrics())["raisehand_signal_data_packets_refused_total"]
        assert after > before
        assert len(other.messages) <= BURST_MESSAGES + MESSAGES_PER_S * (verdict.seconds + 2)


async def test_reader_of_a_data_channel_that_is_stuck(site: Site) -> None:
    """Who does not take its reliable data is put out, and nothing piles up."""
    room = site.unique("room")
    async with (
        site.joined(room, data=True) as stuck,
        api.LiveKitAPI(site.server.http_url, DEV_API_KEY, DEV_API_SECRET) as control,
    ):
        await stuck.open_channels()
        stuck.read_records = False
        async with site.undisturbed():
            for number in range(150):
                if stuck.closed:
                    break
                await control.room.send_data(
                    api.SendDataRequest(
                        room=room,
                        data=struct.pack("!I", number) + bytes(60_000),
                        kind=models.DataPacket.RELIABLE,
                        destination_identities=[stuck.identity],
                    )
                )
            await wait_until(lambda: stuck.closed, "the stuck reader is put out")


async def test_nobody_needs_to_be_polite_to_leave(site: Site) -> None:
    """Aborts and shutdowns of the association, in the middle of a call."""
    for odd in (sctp.chunk(6, b""), sctp.chunk(7, bytes(4)), sctp.reset_streams(list(range(100)))):
        async with site.joined(data=True) as hostile:
            tag = await hostile.start_sctp()
            async with site.undisturbed(set_ups=0):
                await hostile.send_sctp(sctp.packet(odd, tag=tag))
                await asyncio.sleep(0.1)
