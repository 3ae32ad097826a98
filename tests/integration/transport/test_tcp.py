"""ICE-TCP: the way in when UDP is blocked, and its limits."""

import asyncio
import socket
import struct

import pytest

from mediaserver.transport.front import MediaFront
from mediaserver.transport.types import TransportState
from tests.integration.transport.client import Call, Handler, eventually, make_config
from tests.integration.transport.loopback import LoopbackClient, call_over_loopback


async def test_call_over_tcp(front: MediaFront) -> None:
    call, client = await call_over_loopback(front, tcp=True, data=True)
    assert await call.media_flows(1)
    assert await call.media_flows(2)
    channel = client.open_channel("_reliable")
    await eventually(lambda: channel.readyState == "open", "channel")
    channel.send(bytes(50_000))
    await eventually(lambda: call.handler.messages == [("_reliable", bytes(50_000))], "message")
    stats = call.transport.stats()
    assert stats.protocol == "tcp"
    assert stats.remote_address == client.wire.local_address
    assert front.stats().tcp_connections == 1
    call.transport.close()
    await eventually(lambda: front.stats().tcp_connections == 0, "connection closed")
    await client.close()


async def test_call_moves_from_udp_to_tcp(front: MediaFront) -> None:
    call, client = await call_over_loopback(front)
    assert await call.media_flows(1)
    await client.wire.use_tcp()
    await client.check(call.transport)
    assert await call.media_flows(2)
    assert call.transport.stats().protocol == "tcp"
    await client.close()


async def test_lost_connection_leaves_the_transport_waiting(front: MediaFront) -> None:
    call, client = await call_over_loopback(front, tcp=True)
    assert client.wire.stream is not None
    client.wire.stream.transport.abort()
    await eventually(lambda: call.transport.stats().protocol is None, "path gone")
    assert call.transport.state is TransportState.CONNECTED
    client.wire.stream = None
    client.wire.move()
    await client.check(call.transport)
    assert await call.media_flows(1)
    await client.close()


@pytest.mark.parametrize("data", [b"\xff\xff", b"GET / HTTP/1.1\r\n\r\n", struct.pack("!H", 2049)])
async def test_garbage_closes_the_connection(front: MediaFront, bystander: Call, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", front.tcp_port)
    writer.write(data)
    assert await asyncio.wait_for(_closed(reader), 5)
    assert front.stats().dropped["tcp_frame"] == 1
    writer.close()


async def _closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_unauthenticated_connection_is_closed_by_bytes_and_by_time() -> None:
    front = await MediaFront.create(make_config(tcp_unauthenticated_s=0.05))
    for flood in (b"", struct.pack("!H", 4) + b"\xc0abc"):
        reader, writer = await asyncio.open_connection("127.0.0.1", front.tcp_port)
        writer.write(flood * 1000)
        assert await asyncio.wait_for(_closed(reader), 5)
        writer.close()
    assert front.stats().dropped["tcp_unauthenticated"] == 2
    assert front.stats().tcp_connections == 0
    await front.close()


async def test_connections_per_address_are_limited() -> None:
    front = await MediaFront.create(make_config(max_tcp_connections_per_address=2))
    streams = [await asyncio.open_connection("127.0.0.1", front.tcp_port) for _ in range(3)]
    await eventually(lambda: front.stats().dropped.get("tcp_connections") == 1, "third refused")
    assert front.stats().tcp_connections == 2
    for _, writer in streams:
        writer.close()
    await eventually(lambda: front.stats().tcp_connections == 0, "all gone")
    again = await asyncio.open_connection("127.0.0.1", front.tcp_port)
    await eventually(lambda: front.stats().tcp_connections == 1, "room again")
    again[1].close()
    await front.close()


async def test_slow_reader_loses_media_first_and_then_its_connection() -> None:
    front = await MediaFront.create(make_config(tcp_media_buffer_bytes=20_000, tcp_max_buffer_bytes=60_000))
    call, client = await call_over_loopback(front, tcp=True)
    assert client.wire.stream is not None
    client.wire.stream.transport.pause_reading()  # type: ignore[attr-defined]
    raw: socket.socket = client.wire.stream.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sequence = 0
    while not call.transport.stats().dropped.get("tcp_full"):
        for _ in range(20):
            sequence += 1
            header = struct.pack("!BBHII", 0x80, 96, sequence & 0xFFFF, 0, 1)
            call.transport.queue.append(header, bytes(1000), 0)
        front.flush()
        assert sequence < 50_000
    assert call.transport.stats().protocol == "tcp"
    sent = 0
    while not front.stats().dropped.get("tcp_slow_reader"):
        call.transport.send_rtcp(struct.pack("!BBHI", 0x80, 201, 1, 7) + bytes(1000))
        sent += 1
        assert sent < 1000
    await eventually(lambda: front.stats().tcp_connections == 0, "closed")
    assert call.transport.stats().protocol is None
    await client.close()
    await front.close()


async def test_bytes_in_drips(front: MediaFront) -> None:
    handler = Handler()
    transport = front.create_transport(handler)
    client = LoopbackClient(front)
    await client.wire.use_tcp()
    stream = client.wire.stream
    assert stream is not None
    request = client.request(transport.local_ufrag, transport.local_password)
    for byte in struct.pack("!H", len(request)) + request:
        stream.write(bytes([byte]))
        await stream.drain()
        await asyncio.sleep(0)
    await asyncio.wait_for(client.wire.answers.get(), 5)
    client.wire.close()
