"""Sending to clients that read, that do not, and that are gone."""

from __future__ import annotations

import asyncio

from livekit.protocol import rtc

from signalling.livekit.connection import SignalConnection
from signalling.settings import LimitSettings


class FakeWebSocket:
    """Takes messages while `reading`."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed: tuple[int, bytes] | None = None
        self.reading = asyncio.Event()
        self.reading.set()
        self.broken = False
        self.stuck = False
        self.aborted = False

    async def send_bytes(self, data: bytes) -> None:
        await self.reading.wait()
        if self.broken:
            raise ConnectionResetError
        self.sent.append(data)

    def abort(self) -> None:
        self.aborted = True

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool:
        if self.stuck:
            raise ConnectionResetError
        self.closed = (code, message)
        return True


def pong(number: int) -> rtc.SignalResponse:
    return rtc.SignalResponse(pong=number)


async def test_in_order_and_all_before_the_close() -> None:
    connection, websocket = SignalConnection(LimitSettings()), FakeWebSocket()
    for number in range(1, 50):
        connection.send(pong(number))
    connection.close(1008, "enough")
    connection.send(pong(99))
    await connection.run_writer(websocket, websocket.abort)
    assert [rtc.SignalResponse.FromString(data).pong for data in websocket.sent] == list(range(1, 50))
    assert websocket.closed == (1008, b"enough")


async def test_what_comes_later_is_sent() -> None:
    connection, websocket = SignalConnection(LimitSettings()), FakeWebSocket()
    writer = asyncio.create_task(connection.run_writer(websocket, websocket.abort))
    for number in range(1, 4):
        connection.send(pong(number))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    connection.close()
    await writer
    assert len(websocket.sent) == 3


async def test_slow_client_is_cut_off() -> None:
    connection, websocket = SignalConnection(LimitSettings(outgoing_messages=10)), FakeWebSocket()
    websocket.reading.clear()
    connection.send(pong(0))
    writer = asyncio.create_task(connection.run_writer(websocket, websocket.abort))
    for _ in range(5):
        await asyncio.sleep(0)
    for number in range(20):
        connection.send(pong(number))
    await asyncio.wait_for(writer, 1.0)
    assert connection.overflowed
    assert websocket.aborted
    assert "slowly" in connection.close_reason


async def test_bytes_are_bounded_too() -> None:
    connection = SignalConnection(LimitSettings(outgoing_bytes=1000))
    connection.send(rtc.SignalResponse(refresh_token="x" * 900))
    assert not connection.overflowed
    connection.send(rtc.SignalResponse(refresh_token="x" * 900))
    assert connection.overflowed


async def test_client_that_is_gone() -> None:
    connection, websocket = SignalConnection(LimitSettings()), FakeWebSocket()
    websocket.broken = True
    connection.send(pong(1))
    await asyncio.wait_for(connection.run_writer(websocket, websocket.abort), 1.0)
    assert websocket.sent == []


async def test_long_reasons_fit_a_close_frame() -> None:
    connection, websocket = SignalConnection(LimitSettings()), FakeWebSocket()
    connection.close(1008, "原因" * 100)
    await connection.run_writer(websocket, websocket.abort)
    assert websocket.closed is not None
    assert len(websocket.closed[1]) <= 123
    websocket.closed[1].decode()


async def test_connection_that_takes_nothing_is_dropped() -> None:
    connection, websocket = SignalConnection(LimitSettings()), FakeWebSocket()
    websocket.stuck = True
    connection.close()
    await connection.run_writer(websocket, websocket.abort)
    assert websocket.aborted
