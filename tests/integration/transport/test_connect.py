"""Set-up, media both ways, moving, restarting, ending."""

import asyncio
import gc
import os
import time

import pytest
import uvloop
from aiortc.rtcdtlstransport import SRTPProtectionProfile

from mediaserver.errors import ClosedError
from mediaserver.transport import stun
from mediaserver.transport.config import Batching
from mediaserver.transport.dtls import SRTP_PROFILES
from mediaserver.transport.front import MediaFront
from mediaserver.transport.types import RemoteTransport, TransportState
from tests.integration.transport.client import Call, Handler, eventually, make_config
from tests.integration.transport.loopback import LoopbackClient, call_over_loopback
from tests.integration.transport.packets import receiver_report, rtp


async def test_aiortc_client_connects_and_media_flows(front: MediaFront) -> None:
    call = await Call.connect(front)
    assert call.handler.states == [TransportState.CONNECTING, TransportState.CONNECTED]
    for sequence in (65534, 65535, 0, 1):
        assert await call.media_flows(sequence)
    stats = call.transport.stats()
    assert (stats.packets_sent, stats.packets_received) == (4, 4)
    assert stats.protocol == "udp"
    assert stats.srtp_suite == "SRTP_AEAD_AES_128_GCM"
    assert stats.dropped == {}
    await call.client.close()
    await eventually(lambda: call.transport.state is TransportState.CLOSED, "goodbye")
    assert call.transport.reason == "closed by the remote"
    assert front.stats().transports == 0


@pytest.mark.parametrize("profile", SRTP_PROFILES, ids=lambda p: p.openssl_profile.decode())
async def test_media_and_rtcp_on_every_back_end(
    any_front: tuple[MediaFront, str], profile: SRTPProtectionProfile
) -> None:
    front, host = any_front
    call, client = await call_over_loopback(front, host, profiles=[profile])
    assert call.transport.stats().srtp_suite == profile.openssl_profile.decode()
    assert await call.media_flows(1)
    await client.dtls._send_rtp(receiver_report(9))
    call.transport.send_rtcp(receiver_report(10))
    await eventually(lambda: call.handler.rtcp and client.dtls.rtcp, "RTCP")
    assert call.handler.rtcp == [receiver_report(9)]
    assert client.dtls.rtcp == [receiver_report(10)]
    await client.close()


async def test_burst_of_equal_and_odd_sizes_arrives_whole(any_front: tuple[MediaFront, str]) -> None:
    front, host = any_front
    call, client = await call_over_loopback(front, host)
    sizes = [1100] * 20 + [1101, 1100, 5, 700, 700, 1300] * 10
    packets = [rtp(i, payload=os.urandom(size)) for i, size in enumerate(sizes)]
    for packet in packets:
        call.transport.queue.append(packet[:12], packet[12:], 0)
    front.schedule_flush()
    await eventually(lambda: len(client.dtls.rtp) == len(packets), "burst")
    assert client.dtls.rtp == packets
    await client.close()


async def test_several_clients_share_the_port(front: MediaFront) -> None:
    calls = [await call_over_loopback(front) for _ in range(8)]
    for sequence, (call, _) in enumerate(calls):
        assert await call.media_flows(sequence)
    for call, client in calls:
        assert len(call.handler.rtp) == 1
        await client.close()


def test_works_on_uvloop() -> None:
    async def main() -> None:
        front = await MediaFront.create(make_config())
        for tcp in (False, True):
            call, client = await call_over_loopback(front, tcp=tcp, data=True)
            assert await call.media_flows(1)
            channel = client.open_channel("_reliable")
            await eventually(lambda c: c.readyState == "open", "channel", channel)
            await client.close()
        await front.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_early_check_and_client_hello_are_not_lost(front: MediaFront) -> None:
    """When we offer, the client's packets may overtake its answer."""
    handler = Handler()
    transport = front.create_transport(handler)
    client = LoopbackClient(front)
    await client.check(transport)
    shaking = asyncio.create_task(client.handshake(transport))
    await eventually(lambda: len(transport.pending_dtls) > 0, "early ClientHello")
    began = time.monotonic()
    transport.start(await client.describe())
    await eventually(lambda: transport.state is TransportState.CONNECTED, "connected")
    assert time.monotonic() - began < 0.9, "waited for a retransmission"
    await shaking
    await client.close()


async def test_wrong_fingerprint_fails(front: MediaFront) -> None:
    handler = Handler()
    transport = front.create_transport(handler)
    client = LoopbackClient(front)
    transport.start(RemoteTransport("remote", "x" * 24, (("sha-256", ":".join(["AB"] * 32)),)))
    await client.check(transport)
    shaking = asyncio.create_task(client.handshake(transport))
    await eventually(lambda: transport.state is TransportState.FAILED, "failed")
    assert transport.reason == "DTLS fingerprint mismatch"
    shaking.cancel()
    client.wire.close()


async def test_address_change_moves_media(front: MediaFront) -> None:
    call, client = await call_over_loopback(front)
    assert await call.media_flows(1)
    old = call.transport.stats().remote_address
    client.wire.move()
    await client.check(call.transport)
    assert await call.media_flows(2)
    stats = call.transport.stats()
    assert stats.remote_address == client.wire.local_address != old
    assert stats.path_changes == 1
    assert call.handler.states == [TransportState.CONNECTING, TransportState.CONNECTED]
    await client.close()


async def test_ice_restart_keeps_dtls(front: MediaFront) -> None:
    call, client = await call_over_loopback(front)
    old = call.transport.local_ufrag, call.transport.local_password
    fingerprint = call.transport.fingerprint
    client.ufrag = "restarted"
    call.transport.restart_ice(await client.describe())
    assert call.transport.local_ufrag != old[0]
    await client.check(call.transport, old)  # still valid
    assert await call.media_flows(1)
    client.wire.move()
    await client.check(call.transport)
    assert await call.media_flows(2)
    assert call.transport.fingerprint == fingerprint
    client.wire.send(client.request(*old))
    await eventually(lambda: front.stats().dropped.get("stun_unknown_ufrag") == 1, "old ones are void")
    with pytest.raises(ValueError, match="fingerprints"):
        call.transport.restart_ice(RemoteTransport("a", "b", (("sha-256", "00"),)))
    await client.close()


async def test_silence_disconnects_and_a_check_revives() -> None:
    front = await MediaFront.create(make_config(disconnected_after_s=0.0, gone_after_s=60.0))
    call, client = await call_over_loopback(front)
    call.transport.poll(time.monotonic() + 1)
    assert call.transport.state is TransportState.DISCONNECTED
    await client.check(call.transport)
    assert call.transport.state is TransportState.CONNECTED
    call.transport.poll(time.monotonic() + 61)
    assert call.transport.state is TransportState.FAILED
    assert call.transport.reason == "consent expired"
    assert call.handler.states[-3:] == [
        TransportState.DISCONNECTED,
        TransportState.CONNECTED,
        TransportState.FAILED,
    ]
    await client.close()
    await front.close()


async def test_handshake_has_a_time_limit(front: MediaFront) -> None:
    transport = front.create_transport(Handler())
    client = LoopbackClient(front)
    transport.start(await client.describe())
    transport.poll(time.monotonic() + front.config.connect_timeout_s + 1)
    assert transport.state is TransportState.FAILED
    assert transport.reason == "no connectivity check"
    client.wire.close()


async def test_handshakes_at_a_time_are_limited() -> None:
    front = await MediaFront.create(make_config(max_handshakes=1))
    first = front.create_transport(Handler())
    holder = LoopbackClient(front)
    first.start(await holder.describe())
    await holder.check(first)
    holder.wire.send(b"\x16\xfe\xfd" + bytes(40))  # keeps the one place
    await eventually(lambda: front.stats().handshakes == 1, "place taken")
    second = front.create_transport(Handler())
    client = LoopbackClient(front)
    second.start(await client.describe())
    await client.check(second)
    shaking = asyncio.create_task(client.handshake(second))
    await eventually(lambda: front.stats().dropped.get("handshakes", 0) > 0, "refused")
    first.close()
    await eventually(lambda: second.state is TransportState.CONNECTED, "second after the first gave way")
    await shaking
    await client.close()
    holder.wire.close()
    await front.close()


async def test_close_tells_the_remote_and_frees_everything(front: MediaFront) -> None:
    call, client = await call_over_loopback(front, data=True)
    call.transport.close()
    call.transport.close()
    assert call.transport.state is TransportState.CLOSED
    await eventually(lambda: client.dtls.state == "closed", "close_notify")
    assert front.stats().transports == 0
    assert not front._by_ufrag
    assert not any(udp.paths for udp in front._sockets)
    with pytest.raises(ClosedError):
        call.transport.start(await client.describe())
    with pytest.raises(ClosedError):
        call.transport.restart_ice(await client.describe())
    client.wire.close()


async def test_ended_transports_leave_nothing_behind(front: MediaFront) -> None:
    for number in range(6):
        call, client = await call_over_loopback(front, data=True, tcp=number % 2 == 1)
        channel = client.open_channel("_reliable")
        await eventually(lambda c: c.readyState == "open", "channel", channel)
        assert await call.media_flows(number)
        if number < 3:
            call.transport.close()
        else:
            call.transport.fail("a test")
        await client.close()
    del call, client, channel
    await eventually(lambda: front.stats().tcp_connections == 0, "connections closed")
    names = {"PeerTransport", "DtlsTransport", "SctpAssociation", "DataChannels", "UdpPath", "TcpPath"}

    def alive() -> list[str]:
        gc.collect()
        return [type(thing).__name__ for thing in gc.get_objects() if type(thing).__name__ in names]

    await eventually(lambda: not alive(), "all collected")
    assert front.stats().handshakes == 0


async def test_address_given_to_another_client(front: MediaFront) -> None:
    """A NAT may hand the port of a call that died to the next client."""
    first, client = await call_over_loopback(front)
    handler = Handler()
    second = front.create_transport(handler)
    second.start(await client.describe())
    await client.check(second)
    assert first.transport.stats().remote_address is None
    assert second.stats().remote_address == client.wire.local_address
    client.wire.close()


async def test_candidates_name_every_way_in() -> None:
    front = await MediaFront.create(make_config(hosts=("127.0.0.1", "::1"), batching=Batching.AUTO))
    candidates = front.candidates()
    assert [(c.protocol, c.address, c.tcp_type) for c in candidates] == [
        ("udp", "127.0.0.1", None),
        ("udp", "::1", None),
        ("tcp", "127.0.0.1", "passive"),
        ("tcp", "::1", "passive"),
    ]
    assert {c.port for c in candidates if c.protocol == "udp"} == {front.udp_port}
    assert len({c.foundation for c in candidates}) == 4
    await front.close()


async def test_advertised_addresses_replace_the_bound_ones() -> None:
    front = await MediaFront.create(make_config(advertised_addresses=("203.0.113.5",), tcp_port=None))
    assert [(c.protocol, c.address) for c in front.candidates()] == [("udp", "203.0.113.5")]
    await front.close()


async def test_answer_tells_the_address_seen(front: MediaFront) -> None:
    transport = front.create_transport(Handler())
    client = LoopbackClient(front)
    answer = await client.check(transport)
    host, port = client.wire.local_address
    expected = stun.xor_mapped_address(host, port, answer.transaction_id)
    assert answer.attributes[stun.XOR_MAPPED_ADDRESS] == expected
    client.wire.close()


async def test_wrong_password_is_neither_answered_nor_admitted(front: MediaFront) -> None:
    transport = front.create_transport(Handler())
    other = front.create_transport(Handler())
    client = LoopbackClient(front)
    client.wire.send(client.request(transport.local_ufrag, other.local_password))
    await eventually(lambda: front.stats().dropped.get("stun_unauthentic") == 1, "refused")
    assert client.wire.answers.empty()
    assert transport.stats().remote_address is None
    client.wire.close()
