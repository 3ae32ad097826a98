"""The layer that a listener wishes for is the one it gets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from livekit import rtc

from loadtest.bot import VideoWatch
from loadtest.waiting import wait_until
from tests.integration.sdk.conftest import Join

pytestmark = pytest.mark.slow

LOW, MEDIUM, HIGH = (
    rtc.VideoQuality.VIDEO_QUALITY_LOW,
    rtc.VideoQuality.VIDEO_QUALITY_MEDIUM,
    rtc.VideoQuality.VIDEO_QUALITY_HIGH,
)
# A publisher of simulcast starts with its lowest layer and adds the others as its estimate grows.
RAMP_UP_S = 40.0


async def frames_sent(track: rtc.Track) -> int:
    return sum(
        item.outbound_rtp.outbound.frames_sent
        for item in await track.get_stats()
        if item.HasField("outbound_rtp")
    )


async def wait_for(condition: Callable[[], Awaitable[bool]], what: str, timeout_s: float = 15.0) -> None:
    """Wait for a condition that must be asked for; each look covers half a second."""
    deadline = time.monotonic() + timeout_s
    while True:
        await asyncio.sleep(0.5)
        if await condition():
            return
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"


async def wished(watch: VideoWatch, quality: rtc.VideoQuality.ValueType, width: int) -> None:
    watch.publication.set_video_quality(quality)
    await wait_until(
        lambda: watch.size[0] == width, f"width {width}", RAMP_UP_S, detail=lambda: (watch.size, watch.sizes)
    )


@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_wishes_change_the_resolution_received(join: Join, mode: str, codec: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await student.publish_camera(width=1280, height=720, fps=15, codec=codec, simulcast=True)
    watch = await agent.wait_for_video("student")
    assert watch.publication.simulcasted
    await wait_until(lambda: watch.size[0] == 1280, "the best without a wish", RAMP_UP_S)
    for quality, width in ((LOW, 320), (HIGH, 1280), (MEDIUM, 640), (LOW, 320)):
        switched = time.monotonic()
        await wished(watch, quality, width)
        assert watch.longest_gap_s(switched) < 2.0
    assert watch.backward == 0
    inbound = await watch.inbound()
    assert inbound is not None
    assert inbound.freeze_count <= 1


async def test_two_listeners_get_different_layers(join: Join, mode: str) -> None:
    student = await join("student", mode=mode)
    agent, specialist = await join("agent", mode=mode), await join("specialist", mode=mode)
    await student.publish_camera(width=1280, height=720, fps=15, simulcast=True)
    large, small = await agent.wait_for_video("student"), await specialist.wait_for_video("student")
    await wished(small, LOW, 320)
    await wait_until(lambda: large.size[0] == 1280, "the best without a wish", RAMP_UP_S)
    assert small.size[0] == 320


async def test_layers_stop_without_listeners_and_start_with_them(join: Join, mode: str) -> None:
    student = await join("student", mode=mode, dynacast=True)
    published = await student.publish_camera(width=640, height=360, fps=15, simulcast=True)
    sent = await frames_sent(published.track)

    async def stopped() -> bool:
        nonlocal sent
        before, sent = sent, await frames_sent(published.track)
        return before == sent

    await wait_for(stopped, "nothing is sent to nobody")
    for number in range(2):
        agent = await join(f"agent-{number}", mode=mode)
        await agent.wait_for_video("student")
        await student.wait_for_participant(agent.identity)
        await agent.close()
        await wait_for(stopped, "nothing is sent to nobody again")


@pytest.mark.parametrize("codec", ["vp9", "av1"])
async def test_scalable_codecs_pass(join: Join, codec: str) -> None:
    student, agent = await join("student"), await join("agent")
    await student.publish_camera(width=640, height=360, fps=10, codec=codec, simulcast=True)
    watch = await agent.wait_for_video("student", frames=30, timeout_s=30)
    assert watch.backward == 0
