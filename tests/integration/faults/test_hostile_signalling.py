"""Hostile signalling: join requests, WebSocket messages, session descriptions, identities."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import random
import secrets
import socket
import struct
import zlib
from functools import partial
from typing import Any

import aiohttp
import pytest
from livekit import api
from livekit.protocol import models, rtc

from loadtest.server import DEV_API_KEY, DEV_API_SECRET, access_token
from loadtest.waiting import wait_until
from tests.integration.faults.participants import Participant, encoded_join_request, resume_request
from tests.integration.faults.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def refusal(site: Site, query: dict[str, str], token: str = "") -> tuple[int, str]:
    """How a join is refused: the HTTP status and the text."""
    headers = {"Authorization": f"Bearer {token or access_token('room', 'person')}"}
    url = f"{site.server.http_url}/rtc/v1/validate"
    async with site.http.get(url, params=query, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_compression_bomb_in_a_join_request(site: Site) -> None:
    """32 MB of zeros in 32 kB, and one of them twice."""
    compressor = zlib.compressobj(9, wbits=31)
    bomb = compressor.compress(bytes(32 << 20)) + compressor.flush()
    wrapped = rtc.WrappedJoinRequest(compression=rtc.WrappedJoinRequest.GZIP, join_request=bomb)
    encoded = base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()
    assert len(encoded) < 60_000
    async with site.undisturbed():
        for _ in range(30):
            status, text = await refusal(site, {"join_request": encoded})
            assert (status, "larger than" in text) == (400, True)


async def test_join_requests_of_garbage(site: Site) -> None:
    chance = random.Random(5)
    nested = b""
    for _ in range(200):  # depth, which protobuf's parser limits
        nested = b"\x0a" + _varint(len(nested)) + nested
    garbage = [
        chance.randbytes(200).hex(),
        encoded_join_request(chance.randbytes(5000)),
        encoded_join_request(chance.randbytes(5000), compress=True),
        encoded_join_request(b"\x0a\xff\xff\xff\xff\x0f"),
        encoded_join_request(nested),
        "%00" * 100,
        "=",
        "A" * 40_000,
    ]
    async with site.undisturbed():
        for encoded in garbage * 3:
            status, _ = await refusal(site, {"join_request": encoded})
            assert status in (200, 400), encoded[:40]
        status, _ = await refusal(site, {"join_request": "A" * 70_000})
        assert status in (400, 414)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


async def test_flood_of_add_track(site: Site) -> None:
    async with site.joined() as hostile, site.undisturbed():
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            for number in range(3000):
                request = rtc.AddTrackRequest(cid=f"track-{number}", name="x" * 100)
                await hostile.signal(add_track=request)
        await wait_until(lambda: hostile.closed, "the flood ends the connection")
        assert len(hostile.heard("track_published")) <= 16
        assert hostile.heard("request_response")


async def test_giant_metadata_and_messages(site: Site) -> None:
    async with site.undisturbed():
        async with site.joined() as hostile:
            await hostile.signal(update_metadata=rtc.UpdateParticipantMetadata(metadata="x" * 66_000))
            await wait_until(lambda: hostile.heard("request_response"), "the refusal")
            assert not hostile.closed
            await hostile.signal(update_metadata=rtc.UpdateParticipantMetadata(metadata="x" * 300_000))
            await wait_until(lambda: hostile.closed, "an oversized message ends the connection")
        async with site.joined() as hostile:
            await hostile.websocket.send_bytes(bytes(3 << 20))
            await wait_until(lambda: hostile.closed, "a giant frame ends the connection")


async def test_flood_of_metadata_does_not_cost_the_neighbour_its_connection(site: Site) -> None:
    """Each change goes to everybody in the room: six times what may wait for a client that reads slowly."""
    room = site.unique("room")
    async with site.joined(room) as neighbour, site.joined(room) as hostile:
        async with site.undisturbed():
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                for number in range(450):
                    metadata = f"{number}".ljust(60_000)
                    await hostile.signal(update_metadata=rtc.UpdateParticipantMetadata(metadata=metadata))
            await wait_until(lambda: hostile.closed, "the flood ends the connection")
            assert neighbour.heard("update")
            await neighbour.signal(ping=1)
            await wait_until(lambda: neighbour.heard("pong"), "the neighbour is still served")
        assert not neighbour.closed


async def test_unknown_protobuf_and_text(site: Site) -> None:
    chance = random.Random(6)
    async with site.undisturbed():
        async with site.joined() as hostile:
            for field in (40, 99, 2000):  # of a protocol to come: ignored
                await hostile.websocket.send_bytes(_varint(field << 3 | 2) + b"\x03abc")
            await hostile.websocket.send_bytes(b"")
            await hostile.signal(ping=1)
            await wait_until(lambda: hostile.heard("pong"), "it is still served")
            for _ in range(10):
                with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                    await hostile.websocket.send_bytes(b"\xff" + chance.randbytes(100))
            await wait_until(lambda: hostile.closed, "garbage ends the connection")
        async with site.joined() as hostile:
            for _ in range(10):
                with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                    await hostile.websocket.send_str('{"offer": "x"}')
            await wait_until(lambda: hostile.closed, "text ends the connection")


async def test_requests_about_what_is_not_there(site: Site) -> None:
    sids = [f"TR_{secrets.token_hex(6)}" for _ in range(600)]
    async with site.joined() as hostile, site.undisturbed():
        await hostile.signal(subscription=rtc.UpdateSubscription(track_sids=sids, subscribe=True))
        await hostile.signal(track_setting=rtc.UpdateTrackSettings(track_sids=sids, disabled=True))
        await hostile.signal(mute=rtc.MuteTrackRequest(sid=sids[0], muted=True))
        await hostile.signal(answer=rtc.SessionDescription(type="answer", sdp="v=0", id=9))
        await hostile.signal(trickle=rtc.TrickleRequest(candidateInit="x" * 50_000))
        await hostile.signal(
            sync_state=rtc.SyncState(
                datachannel_receive_states=[
                    rtc.DataChannelReceiveState(publisher_sid=sid, last_seq=0) for sid in sids
                ]
            )
        )
        await hostile.signal(ping=1)
        await wait_until(lambda: hostile.heard("pong"), "it is still served")


async def test_half_open_connections(site: Site) -> None:
    """Connections that never finish a request, and WebSockets that never say a word."""
    port = site.server.port
    writers = []
    token = access_token(site.unique("room"), "quiet")
    query = encoded_join_request(rtc.JoinRequest())
    starts = [
        b"",
        b"GET /rtc/v1?join_request=",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /twirp/livekit.RoomService/ListRooms HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        (
            f"GET /rtc/v1?join_request={query}&access_token={token} HTTP/1.1\r\nHost: x\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ).encode(),
    ]
    async with site.undisturbed():
        for number in range(200):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(starts[number % len(starts)])
            writers.append(writer)
        async with site.http.get(f"{site.server.http_url}/readyz") as answer:
            assert answer.status == 200
    for writer in writers:
        writer.transport.abort()


async def test_websocket_frames_of_garbage(site: Site) -> None:
    """Reserved bits, giant lengths, fragments that never end."""
    frames = [
        b"\xf2\x85\x00\x00\x00\x00hello",
        b"\x82\xff" + struct.pack("!Q", 1 << 62) + bytes(4),
        b"\x02\x80\x00\x00\x00\x00" * 1000,
        b"\x88\x81\x00\x00\x00\x00\x01",
        b"\x89\xfe\x10\x00\x00\x00\x00\x00" + bytes(4096),
        b"\x0f\x80\x00\x00\x00\x00",
    ]
    async with site.undisturbed():
        for frame in frames:
            async with site.joined() as hostile:
                response: Any = hostile.websocket._response
                response.connection.transport.write(frame)
                await wait_until(partial(getattr, hostile, "closed"), f"{frame[:4]!r} ends the connection")


async def test_reader_of_signalling_that_is_too_slow(site: Site) -> None:
    """It is cut off by what waits for it; everybody else goes on."""
    room = site.unique("room")
    before = (await site.metrics())["raisehand_signal_slow_clients_total"]
    async with (
        site.joined(room) as slow,
        site.joined(room) as neighbour,
        api.LiveKitAPI(site.server.http_url, DEV_API_KEY, DEV_API_SECRET) as control,
    ):
        response: Any = slow.websocket._response
        transport = response.connection.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        transport.pause_reading()
        async with site.undisturbed():
            async with asyncio.timeout(20.0):
                for number in itertools.count():
                    metadata = f"{number}".ljust(60_000, "x")
                    await control.room.update_room_metadata(
                        api.UpdateRoomMetadataRequest(room=room, metadata=metadata)
                    )
                    if number % 20 == 0:
                        now = (await site.metrics())["raisehand_signal_slow_clients_total"]
                        if now > before:
                            print(f"cut off after {number} updates")
                            break
        assert neighbour.heard("room_update")
        assert not neighbour.closed


async def test_loop_of_duplicate_identities(site: Site) -> None:
    """Each newcomer takes the place of the one before; nothing is left behind."""
    room = site.unique("room")
    before = (await site.metrics())["raisehand_participants"]
    loop = [site.participant(room, "me", receive=(1, 0)) for _ in range(15)]
    async with site.undisturbed():
        for participant in loop:
            await participant.join()
        await wait_until(lambda: all(each.closed for each in loop[:-1]), "all but the last are put out")
    reasons = {each.heard("leave")[0].reason for each in loop[:-1]}
    assert reasons == {models.DisconnectReason.DUPLICATE_IDENTITY}
    assert not loop[-1].closed
    assert (await site.metrics())["raisehand_participants"] <= before + 1
    for participant in loop:
        await participant.abandon()


async def try_to_resume(site: Site, sid: str, token: str) -> tuple[list[str | None], int]:
    """The kinds of messages that came back, and the HTTP status."""
    query = {"join_request": encoded_join_request(resume_request(sid))}
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with site.http.ws_connect(
            f"{site.server.url}/rtc/v1", params=query, headers=headers
        ) as websocket:
            heard = [
                rtc.SignalResponse.FromString(message.data).WhichOneof("message")
                async for message in websocket
            ]
    except aiohttp.WSServerHandshakeError as error:
        return [], error.status
    return heard, 101


async def test_stolen_sid_cannot_be_resumed(site: Site) -> None:
    """A sid is no secret (everybody in the room knows it): without its owner's token it is worth nothing."""
    victim = site.callers[0]
    thieves = {
        "another of the room": access_token(victim.room, "thief"),
        "the same name in another room": access_token("elsewhere", victim.identity),
        "a forged token": access_token(victim.room, victim.identity, secret="guess" * 8),
        "an expired token": access_token(victim.room, victim.identity, ttl_s=-60.0),
    }
    joined = len(site.callers)
    async with site.undisturbed():
        for who, token in thieves.items():
            heard, status = await try_to_resume(site, victim.sid, token)
            assert (heard, status) in ((["leave"], 101), ([], 401)), who
    assert len(site.callers) == joined
    assert not victim.closed


# Session descriptions


def offer_of(site: Site, lines: list[str]) -> str:
    """A usable offer with lines added to its one section."""
    participant = site.participant(receive=(1, 0))
    offer = participant._offer()
    participant._socket.close()
    return offer + "".join(f"{line}\r\n" for line in lines)


def sections(number: int) -> str:
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    lines.append("a=group:BUNDLE " + " ".join(str(mid) for mid in range(number)))
    for mid in range(number):
        lines += [
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{mid}",
            "a=ice-ufrag:abcd",
            "a=ice-pwd:" + "x" * 24,
            "a=fingerprint:sha-256 " + ":".join(["00"] * 32),
            "a=setup:actpass",
            "a=rtpmap:111 opus/48000/2",
            "a=recvonly",
        ]
    return "\r\n".join(lines) + "\r\n"


async def test_hostile_session_descriptions(site: Site) -> None:
    hostile_offers = {
        "1 MiB": offer_of(site, [f"a=ssrc:{n} cname:{'x' * 80}" for n in range(10_000)]),
        "just under the message limit": offer_of(site, [f"a=ssrc:{n} cname:x" for n in range(11_000)]),
        "33 sections": sections(33),
        "400 sections": sections(400)[:65_000],
        "only m-lines": "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 1900,
        "nothing": "",
        "binary": "\x00\xff" * 3000,
        "one long line": "v=0\r\na=" + "x" * 60_000,
        "numbers": "v=0\r\nm=audio " + "9" * 4000 + " UDP/TLS/RTP/SAVPF " + "9" * 4000 + "\r\n",
    }
    async with site.undisturbed():
        for what, sdp in hostile_offers.items():
            async with site.joined() as hostile:
                with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                    await hostile.signal(offer=rtc.SessionDescription(type="offer", sdp=sdp, id=7))
                await wait_until(partial(getattr, hostile, "closed"), f"{what}: refused")


def answered_or_refused(participant: Participant) -> bool:
    return participant.closed or bool(participant.heard("answer"))


async def test_costly_but_allowed_session_descriptions(site: Site) -> None:
    """As large as allowed and as bad as possible for a parser: answered or refused, at once."""
    costly = [
        offer_of(site, [f"a=ssrc:{n} cname:x" for n in range(2500)]),
        offer_of(site, [f"a=ssrc-group:FID {n} {n + 1}" for n in range(2000)]),
        offer_of(site, [f"a=rtpmap:{n % 128} x{n}/90000" for n in range(2000)]),
        offer_of(site, [f"a=fmtp:111 a{n}={n}" for n in range(2500)]),
        offer_of(site, ["a=simulcast:send " + ";".join(f"r{n}" for n in range(9000))]),
        offer_of(site, [f"a=extmap:{n % 14 + 1} urn:x:{n}" for n in range(2000)]),
        offer_of(site, [f"a=rid:{n} send pt=111" for n in range(2000)]),
        offer_of(site, [f"a=candidate:{n} 1 udp 1 192.0.2.1 9 typ host" for n in range(1000)]),
    ]
    async with site.undisturbed():
        for sdp in costly:
            assert len(sdp) <= 65_536
            async with site.joined() as hostile:
                for number in range(3):
                    offer = rtc.SessionDescription(type="offer", sdp=sdp, id=7 + number)
                    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                        await hostile.signal(offer=offer)
                await wait_until(partial(answered_or_refused, hostile), "answered or refused")
