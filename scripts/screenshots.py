"""Takes the pictures of docs/images from the running product: ``make screenshots``.

A server, a student with a drawn camera picture and a shared exercise (LiveKit's Python SDK), and the
playground in Chromium as the agent sees it. People and exercise are drawn; the page around them is real.
"""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import cv2
import numpy as np
from livekit import rtc
from numpy.typing import NDArray
from playwright.async_api import Browser, Page, Playwright, ViewportSize, async_playwright

from loadtest.server import ServerProcess, access_token
from tests.chromium import find_chromium

IMAGES = Path(__file__).parents[1] / "docs" / "images"
DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
CAMERA = ViewportSize(width=640, height=480)
SCREEN = ViewportSize(width=1280, height=720)
# Until a picture is decoded on a busy machine, in milliseconds.
SLOW_MS = 30_000
# Until the strips show figures of a settled call, in seconds.
SETTLE_S = 8.0

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Language:
    """Texts of one set of pictures."""

    code: str
    room: str
    student: str
    agent: str
    join: str
    title: str
    exercise: str
    steps: tuple[str, ...]


LANGUAGES = (
    Language(
        code="zh-CN",
        room="数学答疑",
        student="王小明",
        agent="李老师",
        join="加入",
        title="二次函数 · 课堂练习",
        exercise="求 y = x² − 4x + 3 的顶点和与 x 轴的交点。",
        steps=("配方：y = (x − 2)² − 1", "顶点：(2, −1)", "交点：x = 1，x = 3"),
    ),
    Language(
        code="en",
        room="algebra-help",
        student="Ming",
        agent="Ms Li",
        join="Join",
        title="Quadratic functions · exercise",
        exercise="Find the vertex of y = x² − 4x + 3 and where it meets the x axis.",
        steps=(
            "Complete the square: y = (x − 2)² − 1",
            "Vertex: (2, −1)",
            "Meets the axis at x = 1 and x = 3",
        ),
    ),
)


def person(background: str, hair: str, shirt: str) -> str:
    """A drawn person before a wall, as a page."""
    return f"""<!doctype html><body style="margin:0"><svg viewBox="0 0 640 480" width="640" height="480">
    <defs><linearGradient id="wall" x1="0" y1="0" x2="1" y2="1"><stop stop-color="{background}"/>
    <stop offset="1" stop-color="#5b6472"/></linearGradient></defs>
    <rect width="640" height="480" fill="url(#wall)"/>
    <rect x="40" y="60" width="130" height="190" rx="6" fill="#ffffff" opacity=".25"/>
    <rect x="480" y="120" width="120" height="12" fill="#00000040"/>
    <rect x="490" y="60" width="18" height="60" fill="#c9563c"/>
    <rect x="512" y="72" width="14" height="48" fill="#3c7dc9"/>
    <rect x="530" y="66" width="22" height="54" fill="#dfb452"/>
    <path d="M130 480 C140 370 230 340 320 340 C410 340 500 370 510 480 Z" fill="{shirt}"/>
    <rect x="280" y="280" width="80" height="80" rx="34" fill="#dfae8b"/>
    <ellipse cx="320" cy="218" rx="92" ry="112" fill="#efc3a0"/>
    <path d="M224 222 C210 90 280 78 322 82 C390 76 432 110 416 222
    C404 170 380 150 320 150 C262 150 236 170 224 222 Z"
    fill="{hair}"/>
    <circle cx="286" cy="222" r="8" fill="#33261f"/><circle cx="354" cy="222" r="8" fill="#33261f"/>
    <path d="M290 272 Q320 296 350 272" stroke="#8c4a3c" stroke-width="6" fill="none"
    stroke-linecap="round"/></svg>"""


def exercise(language: Language) -> str:
    """A page of an exercise with its graph, as a student would share it."""
    points = " ".join(
        f"{300 + 70 * x / 10:.0f},{260 - 45 * ((x / 10 - 2) ** 2 - 1):.0f}" for x in range(-4, 43)
    )
    steps = "".join(f"<li>{step}</li>" for step in language.steps)
    return f"""<!doctype html><meta charset="utf-8"><body style="margin:0;background:#fff;color:#1d2733;
    font:30px/1.7 system-ui,'Noto Sans CJK SC',sans-serif">
    <header style="background:#22577a;color:#fff;padding:18px 48px;
    font-size:36px">{language.title}</header><main style="display:flex;gap:32px;padding:32px 48px">
    <div style="flex:1"><p>{language.exercise}</p><ol>{steps}</ol></div><svg width="600" height="500">
    <path d="M40 260 H580 M300 20 V480" stroke="#8a96a3" stroke-width="2"/>
    <polyline points="{points}" fill="none" stroke="#d1495b" stroke-width="5"/>
    <circle cx="440" cy="305" r="8" fill="#22577a"/></svg></main>"""


async def draw(browser: Browser, html: str, size: ViewportSize) -> Picture:
    """A page as a picture in BGR."""
    page = await browser.new_page(viewport=size)
    await page.set_content(html)
    encoded = np.frombuffer(await page.screenshot(), np.uint8)
    await page.close()
    picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.astype(np.uint8)


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
async def student(url: str, language: Language, camera: Picture, screen: Picture) -> AsyncIterator[rtc.Room]:
    """The student in the room, with microphone, camera and shared screen."""
    room = rtc.Room()
    await room.connect(url, access_token(language.room, "student", name=language.student))
    feeding: list[asyncio.Task[None]] = []
    for name, picture, source, rate in (
        ("camera", camera, rtc.TrackSource.SOURCE_CAMERA, 15),
        ("screen", screen, rtc.TrackSource.SOURCE_SCREENSHARE, 5),
    ):
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


async def launch(playwright: Playwright, chromium: Path, camera: Path | None = None) -> Browser:
    """Chromium, with a file as its camera."""
    arguments = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
    ]
    if camera is not None:
        arguments.append(f"--use-file-for-fake-video-capture={camera}")
    return await playwright.chromium.launch(executable_path=str(chromium), args=arguments)


async def join(browser: Browser, base: str, language: Language, size: ViewportSize) -> Page:
    """The playground joined as the agent."""
    context = await browser.new_context(
        permissions=["camera", "microphone"], viewport=size, device_scale_factor=1.5, locale=language.code
    )
    page = await context.new_page()
    query = {"lang": language.code, "room": language.room, "name": language.agent}
    await page.goto(f"{base}/?{urlencode(query)}")
    await page.get_by_role("button", name=language.join, exact=True).click()
    await page.locator("[data-control=leave]").wait_for(timeout=SLOW_MS)
    return page


async def wait_for_pictures(page: Page, count: int) -> None:
    """Wait until that many videos have decoded a few frames."""
    condition = """(count) => [...document.querySelectorAll("video")]
        .filter((video) => video.getVideoPlaybackQuality().totalVideoFrames > 5).length >= count"""
    await page.wait_for_function(condition, arg=count, timeout=SLOW_MS)


async def take_all(out: Path) -> None:
    """Write playground-LANG.png, and playground-phone.png in the first language, to a directory."""
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("no Chromium found; `make screenshots` installs it or says how")
    with tempfile.TemporaryDirectory() as scratch:
        async with async_playwright() as playwright, ServerProcess(Path(scratch) / "server") as server:
            drawing = await launch(playwright, chromium)
            agent_camera = await draw(drawing, person("#c8d3d9", "#2b2220", "#3f6c51"), CAMERA)
            student_camera = await draw(drawing, person("#e8d8c3", "#1c1917", "#d9793a"), CAMERA)
            screens = [await draw(drawing, exercise(language), SCREEN) for language in LANGUAGES]
            await drawing.close()

            camera = Path(scratch) / "agent.mjpeg"
            camera.write_bytes(cv2.imencode(".jpg", agent_camera)[1].tobytes() * 2)
            browser = await launch(playwright, chromium, camera)
            for language, screen in zip(LANGUAGES, screens, strict=True):
                sizes = {f"playground-{language.code}": DESKTOP}
                if language is LANGUAGES[0]:
                    sizes["playground-phone"] = PHONE
                async with student(server.url, language, student_camera, screen):
                    for name, size in sizes.items():
                        page = await join(browser, server.http_url, language, size)
                        await wait_for_pictures(page, 3 if size is DESKTOP else 2)
                        await asyncio.sleep(SETTLE_S)
                        await page.screenshot(path=out / f"{name}.png")
                        print(out / f"{name}.png")
                        await page.context.close()
            await browser.close()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=IMAGES, help="directory for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_all(out))


if __name__ == "__main__":
    main()
