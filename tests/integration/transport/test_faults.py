"""Faults of the libraries beneath, and hostile participants: a call in progress must not notice.

Each test has a `bystander`, a call that carries media before and after.
"""

import asyncio
import os
import random
import socket
import struct
import time

import pytest

from mediaserver.transport import stun
from mediaserver.transport.front import MediaFront
from mediaserver.transport.types import TransportState
from tests.integration.transport.client import Call, Handler, eventually, make_config
from tests.integration.transport.loopback import LoopbackClient, call_over_loopback
from tests.integration.transport.packets import rtp
from tests.unit.transport import sctp_packets as sctp

LOOP_STALL_S = 0.25
"""CPU time, so that a busy machine does not matter. Far above what a refused packet costs (0.1 ms), far below
what the faults cost (1.3 s and more)."""


class Stranger:
    """Somebody who can only send datagrams."""

    def __init__(self, front: MediaFront) -> None:
        self.front = front
        self.target = ("127.0.0.1", front.udp_port)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(("127.0.0.1", 0))

    async def send(self, *datagrams: bytes) -> None:
        for number, data in enumerate(datagrams):
            self.sock.sendto(data, self.target)
            if number % 32 == 31:
                await asyncio.sleep(0)

    def answers(self) -> int:
        try:
            return len(self.sock.recv(4096))
        except BlockingIOError:
            return 0

    async def seen(self, before: int, count: int) -> None:
        await eventually(lambda: self.front.stats().datagrams_received >= before + count, "all seen")


async def test_datagrams_of_every_length(front: MediaFront, bystander: Call) -> None:
    stranger = Stranger(front)
    before = front.stats().datagrams_received
    garbage = [
        bytes([first]) + os.urandom(length - 1) if length else b""
        for length in range(65)
        for first in (0, 1, 3, 20, 22, 63, 64, 128, 191, 200, 255)
    ]
    await stranger.send(*garbage, bytes(4000))
    await stranger.seen(before, len(garbage) + 1)
    dropped = front.stats().dropped
    assert dropped["empty"] == 11
    assert dropped["too_long"] == 1
    assert {"stun_malformed", "dtls_unvalidated", "unvalidated"} <= set(dropped)
    assert stranger.answers() == 0


async def test_the_same_from_a_participant(front: MediaFront, bystander: Call) -> None:
    call, client = await call_over_loopback(front)
    before = front.stats().datagrams_received
    for first in (0, 1, 3, 20, 22, 23, 63, 64, 127, 128, 144, 191, 192, 255):
        for second in (0, 96, 200, 255):
            for length in range(65):
                client.wire.send((bytes([first, second]) + os.urandom(64))[:length])
            await asyncio.sleep(0)
    await eventually(lambda: front.stats().datagrams_received >= before + 14 * 4 * 65, "all seen")
    assert await call.media_flows(5)
    assert call.transport.dropped["srtp_unauthentic"] > 0
    await client.close()


async def test_spoofed_client_hello_during_set_up(front: MediaFront, bystander: Call) -> None:
    victim = Handler()
    transport = front.create_transport(victim)
    client = LoopbackClient(front)
    transport.start(await client.describe())
    await client.check(transport)
    # A genuine ClientHello of somebody else, sent from elsewhere all along.
    other = LoopbackClient(front)
    recorded: list[bytes] = []
    other.wire.send = recorded.append  # type: ignore[method-assign,assignment]
    spoof = asyncio.create_task(other.handshake(transport))
    await eventually(lambda: recorded, "a ClientHello")
    stranger = Stranger(front)
    await stranger.send(*recorded * 20)
    shaking = asyncio.create_task(client.handshake(transport))
    for _ in range(10):
        await stranger.send(*recorded * 5)
        await asyncio.sleep(0)
    await asyncio.wait_for(shaking, 5)
    await eventually(lambda: transport.state is TransportState.CONNECTED, "connected")
    assert front.stats().dropped["dtls_unvalidated"] >= 70
    assert stranger.answers() == 0
    spoof.cancel()
    await client.close()
    other.wire.close()


async def test_odd_stun_from_anyone_and_from_a_participant(front: MediaFront, bystander: Call) -> None:
    transport = front.create_transport(Handler())
    client = LoopbackClient(front)
    good = client.request(transport.local_ufrag, transport.local_password)
    before = front.stats().datagrams_received
    odd = [good[:size] for size in range(len(good))]
    for attribute in range(20, len(good) - 4, 4):
        for length in (0, 1, 3, 0xFFFF):
            damaged = good[: attribute + 2] + struct.pack("!H", length) + good[attribute + 4 : -8]
            odd.append(damaged + struct.pack("!HHI", stun.FINGERPRINT, 4, stun._fingerprint(damaged)))
    await Stranger(front).send(*odd)
    for data in odd:
        client.wire.send(data)
    await eventually(lambda: front.stats().datagrams_received >= before + 2 * len(odd), "all seen")
    await client.check(transport)
    client.wire.close()


async def test_no_reflection(front: MediaFront, bystander: Call) -> None:
    """Nothing unauthenticated is answered, and no answer is longer than its request."""
    transport = front.create_transport(Handler())
    client = LoopbackClient(front)
    stranger = Stranger(front)
    before = front.stats().datagrams_received
    bare = stun.build_stun(stun.BINDING_REQUEST, os.urandom(12), [], None)
    unsigned = stun.build_stun(
        stun.BINDING_REQUEST, os.urandom(12), [(stun.USERNAME, f"{transport.local_ufrag}:x".encode())], None
    )
    forged = client.request(transport.local_ufrag, "guess" * 6)
    await stranger.send(bare, unsigned, forged, client.request("nobody", "x" * 32))
    await stranger.seen(before, 4)
    assert stranger.answers() == 0
    signed = client.request(transport.local_ufrag, transport.local_password, nominate=False)
    client.wire.send(signed)
    answer = await asyncio.wait_for(client.wire.answers.get(), 5)
    assert len(answer) <= len(signed)
    client.wire.close()


async def test_garbage_srtp_and_replays(front: MediaFront, bystander: Call) -> None:
    call, client = await call_over_loopback(front)
    sent: list[bytes] = []
    genuine = client.wire.send

    def record(data: bytes) -> None:
        sent.append(data)
        genuine(data)

    client.wire.send = record  # type: ignore[method-assign]
    await client.dtls._send_rtp(rtp(7))
    await eventually(lambda: len(call.handler.rtp) == 1, "packet")
    for _ in range(5):
        genuine(sent[-1])
    damaged = bytearray(sent[-1])
    damaged[3] += 1  # as if it were the next one
    genuine(bytes(damaged))
    await eventually(lambda: call.transport.dropped["srtp_unauthentic"] == 1, "damage refused")
    await eventually(lambda: call.transport.dropped["srtp_replayed"] == 5, "replays refused")
    assert len(call.handler.rtp) == 1
    stranger = Stranger(front)
    await stranger.send(sent[-1], rtp(8))
    await eventually(lambda: front.stats().dropped.get("unvalidated") == 2, "strangers refused")
    await client.close()


async def test_ssrc_flood_is_bounded(bystander: Call) -> None:
    front = await MediaFront.create(make_config(max_inbound_ssrcs=20))
    call, client = await call_over_loopback(front)
    for ssrc in range(1, 41):
        await client.dtls._send_rtp(rtp(1, ssrc=ssrc))
    await eventually(lambda: call.transport.dropped["too_many_ssrcs"] == 20, "refused")
    assert len(call.handler.rtp) == 20
    await client.dtls._send_rtp(rtp(2, ssrc=1))
    await eventually(lambda: len(call.handler.rtp) == 21, "known SSRCs go on")
    await client.close()
    await front.close()


@pytest.mark.parametrize(
    "method", ["on_rtp", "on_rtcp", "on_data", "on_data_channel_open", "on_transport_state"]
)
async def test_failing_handler_ends_only_its_transport(
    front: MediaFront, bystander: Call, method: str
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("a bug")

    handler = Handler()
    transport = None
    if method != "on_transport_state":
        setattr(handler, method, broken)
    transport = front.create_transport(handler)
    client = LoopbackClient(front)
    transport.start(await client.describe())
    await client.check(transport)
    if method == "on_transport_state":
        setattr(handler, method, broken)
    shaking = asyncio.create_task(client.handshake(transport))
    await eventually(lambda: transport.state is not TransportState.CONNECTING, "connected")
    await shaking
    if transport.state is TransportState.CONNECTED:
        await client.start_sctp()
        await client.dtls._send_rtp(rtp(1))
        await client.dtls._send_rtp(struct.pack("!BBHI", 0x80, 201, 1, 7))
        channel = client.open_channel("_reliable")
        channel.on("open", lambda: channel.send(b"x"))
    await eventually(lambda: transport.state is TransportState.FAILED, "ended")
    assert transport.reason == "internal error"
    assert front.stats().dropped["internal_error"] >= 1
    client.wire.close()


async def hostile(front: MediaFront) -> tuple[Call, LoopbackClient, int]:
    """A participant with an association, and the tag it must use."""
    call, client = await call_over_loopback(front, data=True)
    assert client.sctp is not None
    client.open_channel("_reliable")
    await eventually(lambda: call.transport.data.is_open("_reliable"), "open")
    return call, client, client.sctp._remote_verification_tag


async def test_init_with_a_parameter_of_length_zero(front: MediaFront, bystander: Call) -> None:
    call, client = await call_over_loopback(front)
    await client.dtls._send_data(sctp.EVIL_INIT)
    await eventually(lambda: call.transport.state is TransportState.FAILED, "ended")
    assert call.transport.reason == "sctp: parameter length"
    client.wire.close()


async def test_sack_with_280_gap_blocks(front: MediaFront, bystander: Call) -> None:
    call, client, tag = await hostile(front)
    assert client.sctp is not None
    evil = sctp.packet(sctp.sack(client.sctp._last_received_tsn or 0, sctp.EVIL_SACK_GAPS), tag=tag)
    began = time.thread_time()
    await client.dtls._send_data(evil)
    await eventually(lambda: call.transport.state is TransportState.FAILED, "ended")
    assert time.thread_time() - began < LOOP_STALL_S
    assert call.transport.reason == "sctp: SACK gap blocks"
    client.wire.close()


async def test_flood_of_data_out_of_order(front: MediaFront, bystander: Call) -> None:
    call, client, tag = await hostile(front)
    assert client.sctp is not None
    first = client.sctp._local_tsn
    stalls: list[float] = []
    for at in range(2, 3000, 2):
        began = time.thread_time()
        await client.dtls._send_data(sctp.packet(sctp.data(first + at, payload=bytes(200)), tag=tag))
        if at % 64 == 0:
            await asyncio.sleep(0)
        stalls.append(time.thread_time() - began)
    dropped = call.transport.data.dropped
    await eventually(lambda: sum(dropped.get(why, 0) for why in ("sctp_window", "sctp_cpu")) > 900, "dropped")
    association = call.transport.data._sctp
    assert association is not None
    assert association.held()[1] <= 1024
    assert max(stalls) < LOOP_STALL_S
    client.wire.close()


async def test_early_messages_cannot_fill_memory(front: MediaFront, bystander: Call) -> None:
    """In order by TSN, but each message later in its stream than the one awaited: all must be held."""
    call, client, tag = await hostile(front)
    assert client.sctp is not None
    first = client.sctp._local_tsn
    for at in range(1600):
        await client.dtls._send_data(
            sctp.packet(sctp.data(first + at, sequence=77, payload=bytes(1000)), tag=tag)
        )
        if at % 32 == 0:
            await asyncio.sleep(0)
    association = call.transport.data._sctp
    assert association is not None
    held_bytes, held_chunks = association.held()
    assert held_bytes <= 1 << 20
    assert held_chunks <= 1024
    dropped = call.transport.data.dropped
    assert sum(dropped.get(why, 0) for why in ("sctp_window", "sctp_cpu")) > 400
    client.wire.close()


@pytest.mark.parametrize(
    "packets",
    {
        "open twice": [
            sctp.data(0, payload=bytes([3]) + bytes(11)),
            sctp.data(1, payload=bytes([3]) + bytes(11)),
        ],
        "ack of nothing": [sctp.data(0, stream=8, payload=b"\x02")],
        "label beyond the message": [
            sctp.data(0, stream=8, payload=struct.pack("!BBHLHH", 3, 0, 0, 0, 999, 9))
        ],
        "label not UTF-8": [
            sctp.data(0, stream=8, payload=struct.pack("!BBHLHH", 3, 0, 0, 0, 2, 0) + b"\xff\xfe")
        ],
        "long label": [
            sctp.data(0, stream=8, payload=struct.pack("!BBHLHH", 3, 0, 0, 0, 900, 0) + b"a" * 900)
        ],
        "cookie of nothing": [sctp.chunk(10, bytes(24))],
        "abort": [sctp.chunk(6, b"")],
        "shutdown": [sctp.chunk(7, bytes(4))],
        "reset of everything": [sctp.reset_streams(list(range(100)))],
    }.items(),
    ids=lambda item: item[0],
)
async def test_odd_sctp_ends_at_most_its_own_transport(
    front: MediaFront, bystander: Call, packets: tuple[str, list[bytes]]
) -> None:
    _, client, tag = await hostile(front)
    assert client.sctp is not None
    before = front.stats().datagrams_received
    tsn = client.sctp._local_tsn
    for odd in packets[1]:
        chunk = odd
        if odd[0] == 0:  # the right TSN, and the payload protocol of DCEP
            chunk = (
                odd[:4] + struct.pack("!I", tsn & 0xFFFFFFFF) + odd[8:12] + struct.pack("!I", 50) + odd[16:]
            )
            tsn += 1
        await client.dtls._send_data(sctp.packet(chunk, tag=tag))
    await eventually(lambda: front.stats().datagrams_received >= before + len(packets[1]), "seen")
    client.wire.close()


async def test_random_sctp_from_participants(front: MediaFront, bystander: Call) -> None:
    chance = random.Random(1)
    for attempt in range(12):
        call, client, tag = await hostile(front)
        assert client.sctp is not None
        for _ in range(60):
            body = b"".join(
                sctp.chunk(
                    chance.choice((0, 1, 2, 3, 4, 6, 7, 9, 10, 11, 14, 130, 192, 77)),
                    struct.pack("!I", (client.sctp._local_tsn + chance.randint(-2, 5)) & 0xFFFFFFFF)
                    + chance.randbytes(chance.randint(0, 24)),
                    chance.randint(0, 7),
                )
                for _ in range(chance.randint(1, 2))
            )
            if client.dtls.state != "connected":
                break
            await client.dtls._send_data(sctp.packet(body, tag=tag))
            await asyncio.sleep(0)
        assert await bystander.media_flows(100 + attempt)
        call.transport.close()
        client.wire.close()


async def test_sctp_cpu_share_is_limited(bystander: Call) -> None:
    front = await MediaFront.create(make_config(max_sctp_cpu_share=0.0))
    call, client, tag = await hostile(front)
    call.transport.data.spent(0.25)
    await client.dtls._send_data(sctp.packet(sctp.chunk(4, struct.pack("!HHQ", 1, 12, 7)), tag=tag))
    await eventually(lambda: call.transport.data.dropped.get("sctp_cpu"), "refused")
    assert call.transport.state is TransportState.CONNECTED
    assert await call.media_flows(1)
    await client.close()
    await front.close()


async def test_sctp_packet_rate_is_limited(bystander: Call) -> None:
    front = await MediaFront.create(make_config(max_sctp_packets_per_s=50))
    call, client, tag = await hostile(front)
    heartbeat = sctp.packet(sctp.chunk(4, struct.pack("!HHQ", 1, 12, 7)), tag=tag)
    for _ in range(100):
        await client.dtls._send_data(heartbeat)
    await eventually(lambda: call.transport.data.dropped.get("sctp_rate", 0) > 20, "limited")
    assert call.transport.state is TransportState.CONNECTED
    await client.close()
    await front.close()
