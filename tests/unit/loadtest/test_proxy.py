"""The relay must carry bytes both ways, reset what it is told to, and refuse while blocked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from loadtest.proxy import TcpProxy
from loadtest.waiting import ConditionNotMetError, hold_during, wait_until


@pytest.fixture
async def echo_port() -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_bytes_pass_both_ways_and_a_closed_end_is_passed_on(echo_port: int) -> None:
    async with TcpProxy("127.0.0.1", echo_port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"GET /rtc HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            == b"GET /rtc HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert proxy.request_lines == ["GET /rtc HTTP/1.1"]
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await wait_until(lambda: proxy.open_connections == 0, "relay forgets the connection", 5)
        assert (proxy.accepted, proxy.cuts) == (1, 0)


async def test_cut_resets_what_is_connected_and_newcomers_still_come_in(echo_port: int) -> None:
    async with TcpProxy("127.0.0.1", echo_port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"x")
        await asyncio.wait_for(reader.readexactly(1), 5)
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 5)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"y")
        assert await asyncio.wait_for(reader.readexactly(1), 5) == b"y"
        writer.close()


async def test_blocked_newcomers_are_reset(echo_port: int) -> None:
    async with TcpProxy("127.0.0.1", echo_port) as proxy:
        proxy.block()
        reader, _ = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 5)
        proxy.unblock()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"z")
        assert await asyncio.wait_for(reader.readexactly(1), 5) == b"z"
        writer.close()


async def test_a_missing_target_resets_the_client() -> None:
    async with TcpProxy("127.0.0.1", 1) as proxy:
        reader, _ = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 5)


async def test_a_condition_that_never_comes_says_what_was_seen_instead() -> None:
    with pytest.raises(ConditionNotMetError, match=r"not within 0 s: rain; seen instead: sun"):
        await wait_until(lambda: False, "rain", 0, detail=lambda: "sun")
    with pytest.raises(ConditionNotMetError, match="rain"):
        await hold_during(lambda: False, "rain", 5)
