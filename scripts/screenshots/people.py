"""Who is in the calls beside the browser: real clients made with LiveKit's Python SDK."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import cv2
import numpy as np
from livekit import rtc

from scripts.screenshots.drawings import Picture


async def show(source: rtc.VideoSource, picture: Picture, frames_per_second: int) -> None:
    """Feed a track with a still picture until cancelled; a little noise keeps the encoder working."""
    noise = np.random.default_rng(1)
    height, width = picture.shape[:2]
    while True:
        lively = cv2.add(picture, noise.integers(0, 4, picture.shape, np.uint8))
        rgba = cv2.cvtColor(lively, cv2.COLOR_BGR2RGBA)
        source.capture_frame(rtc.VideoFrame(width, height, rtc.VideoBufferType.RGBA, rgba.tobytes()))
        await asyncio.sleep(1 / frames_per_second)


async def speak(source: rtc.AudioSource) -> None:
    """A soft hum, so that the student counts as speaking."""
    rate, samples = 48_000, 480
    phase = 0
    while True:
        times = (np.arange(samples) + phase) / rate
        wave = 5000 * np.sin(2 * np.pi * 180 * times) * (1 + 0.5 * np.sin(2 * np.pi * 4 * times))
        phase += samples
        await source.capture_frame(rtc.AudioFrame(wave.astype(np.int16).tobytes(), rate, 1, samples))


@asynccontextmanager
async def in_room(
    url: str, token: str, *, camera: Picture | None = None, screen: Picture | None = None
) -> AsyncIterator[rtc.Room]:
    """Somebody in a room: microphone, and camera and shared screen where pictures are given."""
    room = rtc.Room()
    await room.connect(url, token)
    feeding: list[asyncio.Task[None]] = []
    for name, picture, source, rate in (
        ("camera", camera, rtc.TrackSource.SOURCE_CAMERA, 15),
        ("screen", screen, rtc.TrackSource.SOURCE_SCREENSHARE, 5),
    ):
        if picture is None:
            continue
        height, width = picture.shape[:2]
        video = rtc.VideoSource(width, height, is_screencast=name == "screen")
        await room.local_participant.publish_track(
            rtc.LocalVideoTrack.create_video_track(name, video),
            rtc.TrackPublishOptions(source=source, simulcast=name == "camera"),
        )
        feeding.append(asyncio.create_task(show(video, picture, rate)))
    audio = rtc.AudioSource(48_000, 1)
    await room.local_participant.publish_track(
        rtc.LocalAudioTrack.create_audio_track("microphone", audio),
        rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE),
    )
    feeding.append(asyncio.create_task(speak(audio)))
    try:
        yield room
    finally:
        for task in feeding:
            task.cancel()
        await asyncio.gather(*feeding, return_exceptions=True)
        await room.disconnect()
