"""Data channels: both directions, openings by either side, limits."""

import time
from typing import Any

from mediaserver.transport.front import MediaFront
from mediaserver.transport.types import TransportState
from tests.integration.transport.client import Call, eventually, make_config
from tests.integration.transport.loopback import call_over_loopback


async def test_echo_on_channels_opened_by_the_client(any_front: tuple[MediaFront, str]) -> None:
    front, host = any_front
    call, client = await call_over_loopback(front, host, data=True)
    for label, options in (("_reliable", {}), ("_lossy", {"ordered": False, "maxRetransmits": 0})):
        channel = client.open_channel(label, **options)
        await eventually(lambda c: c.readyState == "open", label, channel)
        await eventually(call.transport.data.is_open, label, label)
        channel.send(b"binary")
        channel.send("text \u4e3e\u624b")
        channel.send(b"")
        await eventually(lambda: len(call.handler.messages) == 3, "messages")
        for got, payload in call.handler.messages:
            assert got == label
            assert call.transport.data.send(label, payload)
        await eventually(lambda: len(client.messages) == 3, "echo")
        assert client.messages == [(label, b"binary"), (label, "text \u4e3e\u624b".encode()), (label, b"")]
        client.messages.clear()
        call.handler.messages.clear()
    assert call.handler.opened == ["_reliable", "_lossy"]
    await client.close()


async def test_channels_opened_by_us_also_before_connecting(front: MediaFront) -> None:
    from tests.integration.transport.client import Handler
    from tests.integration.transport.loopback import LoopbackClient

    handler = Handler()
    transport = front.create_transport(handler)
    transport.data.open_channel("_reliable")
    transport.data.open_channel("_lossy", ordered=False, max_retransmits=0)
    transport.data.open_channel("agreed", negotiated_id=9)
    client = LoopbackClient(front)
    transport.start(await client.describe())
    await client.check(transport)
    await client.handshake(transport)
    await client.start_sctp()
    client.open_channel("agreed", negotiated=True, id=9)
    await eventually(lambda: set(handler.opened) == {"_reliable", "_lossy", "agreed"}, "open")
    await eventually(lambda: set(client.channels) == {"_reliable", "_lossy", "agreed"}, "adopted")
    assert client.channels["_lossy"].maxRetransmits == 0
    assert not client.channels["_lossy"].ordered
    for label in ("_reliable", "_lossy", "agreed"):
        assert transport.data.send(label, label.encode())
    await eventually(lambda: len(client.messages) == 3, "messages")
    client.channels["_reliable"].send(b"up")
    await eventually(lambda: handler.messages == [("_reliable", b"up")], "up")
    await client.close()


async def test_messages_before_the_channel_is_open_wait(front: MediaFront) -> None:
    call, client = await call_over_loopback(front, data=True)
    for index in range(3):
        assert call.transport.data.send("_reliable", bytes([index]))
    assert call.transport.data.send("_lossy", b"stale")
    assert call.transport.data.buffered_amount("_reliable") == 3
    client.open_channel("_reliable")
    client.open_channel("_lossy", ordered=False, maxRetransmits=0)
    await eventually(lambda: len(client.messages) == 3, "kept messages")
    assert [payload for _, payload in client.messages] == [b"\0", b"\1", b"\2"]
    await eventually(lambda: call.transport.stats().dropped.get("data_lossy_early") == 1, "stale")
    await client.close()


async def test_long_messages_up_to_the_limit(front: MediaFront) -> None:
    call, client = await call_over_loopback(front, data=True)
    channel = client.open_channel("_reliable")
    await eventually(lambda: call.transport.data.is_open("_reliable"), "open")
    limit = front.config.max_message_bytes
    payload = bytes(range(256)) * (limit // 256)
    channel.send(payload)
    await eventually(lambda: call.handler.messages == [("_reliable", payload)], "up")
    assert call.transport.data.send("_reliable", payload)
    await eventually(lambda: client.messages == [("_reliable", payload)], "down")
    assert not call.transport.data.send("_reliable", payload + b"x")
    client.sctp._remote_max_message_size = 0  # type: ignore[union-attr]
    channel.send(payload + b"x")
    await eventually(lambda: call.transport.stats().dropped.get("data_message_too_long") == 2, "refused")
    assert len(call.handler.messages) == 1
    await client.close()


async def stop_reading(client: Any) -> None:
    """The client's SCTP hears nothing more, its ICE goes on."""
    client.dtls._data_receiver = None


async def test_lossy_is_dropped_when_full(front: MediaFront) -> None:
    call, client = await call_over_loopback(front, data=True)
    client.open_channel("_lossy", ordered=False, maxRetransmits=0)
    await eventually(lambda: call.transport.data.is_open("_lossy"), "open")
    await stop_reading(client)
    sent = sum(call.transport.data.send("_lossy", bytes(1000)) for _ in range(200))
    assert 60 <= sent <= 70
    assert call.transport.data.buffered_amount("_lossy") <= front.config.max_lossy_buffered_bytes
    assert call.transport.state is TransportState.CONNECTED
    await client.close()


async def test_stuck_reliable_reader_is_disconnected(front: MediaFront, bystander: Call) -> None:
    call, client = await call_over_loopback(front, data=True)
    client.open_channel("_reliable")
    await eventually(lambda: call.transport.data.is_open("_reliable"), "open")
    association = call.transport.data._sctp
    assert association is not None
    await eventually(lambda: not association.outstanding(), "all acknowledged")
    await stop_reading(client)
    call.transport.data.send("_reliable", bytes(100_000))
    await eventually(association.outstanding, "on the way")
    now = time.monotonic()
    call.transport.data.poll(now)
    call.transport.data.poll(now + front.config.reader_stuck_after_s - 1)
    assert call.transport.state is TransportState.CONNECTED
    await client.check(call.transport)
    call.transport.ice.last_check = now + front.config.reader_stuck_after_s
    call.transport.poll(now + front.config.reader_stuck_after_s + 1)
    assert call.transport.state is TransportState.FAILED
    assert call.transport.reason == "data reader stuck"
    await client.close()


async def test_slow_reliable_reader_is_disconnected_by_volume() -> None:
    front = await MediaFront.create(make_config(max_reliable_buffered_bytes=300_000))
    call, client = await call_over_loopback(front, data=True)
    client.open_channel("_reliable")
    await eventually(lambda: call.transport.data.is_open("_reliable"), "open")
    await stop_reading(client)
    results = [call.transport.data.send("_reliable", bytes(100_000)) for _ in range(6)]
    assert results[:3] == [True] * 3
    assert not results[-1]
    assert call.transport.stats().data_buffered_bytes <= 300_000
    call.transport.poll(time.monotonic())
    assert call.transport.reason == "data reader too slow"
    await client.close()
    await front.close()


async def test_closed_channel_can_be_opened_again(front: MediaFront) -> None:
    call, client = await call_over_loopback(front, data=True)
    for round_number in (1, 2):
        channel = client.open_channel("_reliable")
        await eventually(lambda: call.transport.data.is_open("_reliable"), "open")
        channel.send(b"hello")
        await eventually(lambda n: len(call.handler.messages) == n, "message", round_number)
        channel.close()
        await eventually(lambda c: c.readyState == "closed", "closed", channel)
        await eventually(lambda: not call.transport.data.is_open("_reliable"), "closed here")
    assert call.transport.state is TransportState.CONNECTED
    await client.close()


async def test_no_data_section_means_no_sctp(front: MediaFront) -> None:
    from dataclasses import replace

    from tests.integration.transport.client import Handler
    from tests.integration.transport.loopback import LoopbackClient

    transport = front.create_transport(Handler())
    client = LoopbackClient(front)
    transport.start(replace(await client.describe(), sctp_port=None))
    await client.check(transport)
    await client.handshake(transport)
    await eventually(lambda: transport.state is TransportState.CONNECTED, "connected")
    assert transport.data._sctp is None
    await client.close()
