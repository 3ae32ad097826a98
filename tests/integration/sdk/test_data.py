"""Data packets, calls of remote procedures and streams between participants."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from livekit import rtc

from loadtest.bot import Bot
from loadtest.waiting import wait_until
from tests.integration.sdk.conftest import Join


def packets(bot: Bot, topic: str = "t") -> list[bytes]:
    received = [event.arguments[0] for event in bot.seen("data_received")]
    return [packet.data for packet in received if packet.topic == topic]


async def both_ready(one: Bot, other: Bot) -> None:
    await one.wait_for_participant(other.identity)
    await other.wait_for_participant(one.identity)


async def test_reliable_packets_come_all_and_in_order(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await both_ready(student, agent)
    sent = [f"{number}".encode() * (1 + number % 50) for number in range(100)]
    for data in sent:
        await student.local.publish_data(data, topic="t")
    await wait_until(lambda: len(packets(agent)) >= 100, "100 packets", detail=lambda: len(packets(agent)))
    assert packets(agent) == sent
    assert not packets(student)
    packet = agent.seen("data_received")[0].arguments[0]
    assert packet.kind == rtc.DataPacketKind.KIND_RELIABLE
    assert packet.participant.identity == "student"


async def test_lossy_packets_come(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await both_ready(student, agent)
    number = 0

    async def send() -> None:
        nonlocal number
        while True:
            await student.local.publish_data(f"{number}".encode(), reliable=False, topic="t")
            number += 1
            await asyncio.sleep(0.02)

    sending = asyncio.create_task(send())
    await wait_until(lambda: len(packets(agent)) >= 20, "20 packets")
    sending.cancel()
    assert agent.seen("data_received")[0].arguments[0].kind == rtc.DataPacketKind.KIND_LOSSY


async def test_a_packet_sent_right_after_joining_is_not_lost(join: Join, mode: str) -> None:
    """The receiver's channel may open later than the sender's."""
    student = await join("student", mode=mode)
    for number in range(5):
        agent = await join(f"agent-{number}", mode=mode, watch_media=False)
        await student.wait_for_participant(agent.identity)
        await student.local.publish_data(b"welcome", topic="t", destination_identities=[agent.identity])
        await wait_until(lambda bot=agent: packets(bot) == [b"welcome"], "the packet")  # type: ignore[misc]


async def test_targeted_packets_reach_only_the_target(join: Join, mode: str) -> None:
    student = await join("student", mode=mode)
    agent, specialist = await join("agent", mode=mode), await join("specialist", mode=mode)
    for other in (agent, specialist):
        await both_ready(student, other)
    await student.local.publish_data(b"agent only", topic="t", destination_identities=["agent"])
    await student.local.publish_data(b"all", topic="t")
    for other in (agent, specialist):
        await wait_until(lambda bot=other: b"all" in packets(bot), "the packet for all")  # type: ignore[misc]
    assert packets(agent) == [b"agent only", b"all"]
    assert packets(specialist) == [b"all"]


async def test_large_reliable_packets_pass(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await both_ready(student, agent)
    data = os.urandom(14_000)
    await student.local.publish_data(data, topic="t")
    await wait_until(lambda: packets(agent) == [data], "14 kB")


async def test_remote_procedures(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await both_ready(student, agent)

    async def greet(call: rtc.RpcInvocationData) -> str:
        assert call.caller_identity == "student"
        if call.payload == "fail":
            raise rtc.RpcError(1234, "as asked", "with data")
        return f"hello {call.payload}" * 1000

    agent.local.register_rpc_method("greet", greet)
    answer = await student.local.perform_rpc(destination_identity="agent", method="greet", payload="you")
    assert answer == "hello you" * 1000
    with pytest.raises(rtc.RpcError) as failed:
        await student.local.perform_rpc(destination_identity="agent", method="greet", payload="fail")
    assert (failed.value.code, failed.value.message) == (1234, "as asked")
    with pytest.raises(rtc.RpcError) as unknown:
        await student.local.perform_rpc(destination_identity="agent", method="unknown", payload="")
    assert unknown.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD


async def test_remote_procedures_run_side_by_side(join: Join) -> None:
    student, agent = await join("student"), await join("agent")
    await both_ready(student, agent)

    async def echo(call: rtc.RpcInvocationData) -> str:
        return call.payload

    for bot in (student, agent):
        bot.local.register_rpc_method("echo", echo)
    calls = [
        one.local.perform_rpc(destination_identity=other.identity, method="echo", payload=f"{number}")
        for number in range(20)
        for one, other in ((student, agent), (agent, student))
    ]
    assert await asyncio.gather(*calls) == [f"{number}" for number in range(20) for _ in range(2)]


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("size", [5, 200_000])
async def test_text_streams(join: Join, mode: str, size: int, compress: bool) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await both_ready(student, agent)
    text = "".join(f"{number} 举手 " for number in range(size))[:size]
    received: list[tuple[str, str, dict[str, str]]] = []

    async def read(reader: rtc.TextStreamReader, identity: str) -> None:
        words = await reader.read_all()
        received.append((identity, words, dict(reader.info.attributes or {})))

    reading: list[asyncio.Task[None]] = []
    agent.room.register_text_stream_handler(
        "t", lambda reader, identity: reading.append(asyncio.ensure_future(read(reader, identity)))
    )
    await student.local.send_text(text, topic="t", attributes={"a": "b"}, compress=compress)
    await wait_until(lambda: received, "the text", 20)
    assert [(identity, words) for identity, words, _ in received] == [("student", text)]
    assert received[0][2].get("a") == "b"


async def test_text_is_streamed_piece_by_piece(join: Join, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await both_ready(student, agent)
    pieces: list[str] = []
    ended = asyncio.Event()

    async def read(reader: rtc.TextStreamReader) -> None:
        async for piece in reader:
            pieces.append(piece)
        ended.set()

    reading: list[asyncio.Task[None]] = []
    agent.room.register_text_stream_handler(
        "t", lambda reader, _: reading.append(asyncio.ensure_future(read(reader)))
    )
    writer = await student.local.stream_text(topic="t")
    await writer.write("one ")
    await wait_until(lambda: "".join(pieces) == "one ", "the first piece before the stream has ended")
    await writer.write("two")
    await writer.aclose()
    await asyncio.wait_for(ended.wait(), 10)
    assert "".join(pieces) == "one two"


async def test_byte_streams_and_files(join: Join, mode: str, tmp_path: Path) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await both_ready(student, agent)
    received: dict[str, bytes] = {}

    async def read(reader: rtc.ByteStreamReader) -> None:
        received[reader.info.name] = b"".join([chunk async for chunk in reader])

    reading: list[asyncio.Task[None]] = []
    agent.room.register_byte_stream_handler(
        "t", lambda reader, _: reading.append(asyncio.ensure_future(read(reader)))
    )
    picture = tmp_path / "exercise.png"
    picture.write_bytes(os.urandom(300_000))
    await student.local.send_file(str(picture), topic="t")
    small = os.urandom(100)
    await student.local.send_bytes(small, topic="t", name="small")
    await wait_until(lambda: len(received) == 2, "file and bytes", 20, detail=lambda: list(received))
    assert received == {"exercise.png": picture.read_bytes(), "small": small}
