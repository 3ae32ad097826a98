"""One server, one browser and the drawings: what every scene is taken with."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
from playwright.async_api import Browser, Page, Playwright, ViewportSize, async_playwright

from loadtest.server import ServerProcess
from scripts.screenshots.drawings import CAMERA, LANGUAGES, SCREEN, Language, Picture, draw, exercise, person
from tests.chromium import find_chromium

DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
SLOW_MS = 30_000
"""Until a picture is decoded on a busy machine."""


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


async def wait_for_pictures(page: Page, count: int) -> None:
    """Wait until that many videos have decoded a few frames."""
    condition = """(count) => [...document.querySelectorAll("video")]
        .filter((video) => video.getVideoPlaybackQuality().totalVideoFrames > 5).length >= count"""
    await page.wait_for_function(condition, arg=count, timeout=SLOW_MS)


@dataclass(frozen=True)
class Drawings:
    """What cameras and screens show."""

    agent: Picture
    student: Picture
    screens: dict[str, Picture]
    """An exercise, by language."""


class Studio:
    """A running server and two browsers: one with the agent's camera, one with the student's."""

    def __init__(
        self, server: ServerProcess, agent: Browser, student: Browser, drawings: Drawings, out: Path
    ) -> None:
        self.server = server
        self.drawings = drawings
        self._browsers = {"agent": agent, "student": student}
        self._out = out

    async def page(
        self, who: str, language: Language, size: ViewportSize = DESKTOP, *, dark: bool = False
    ) -> Page:
        """An empty page in a browser profile of its own; `who` is agent or student."""
        context = await self._browsers[who].new_context(
            permissions=["camera", "microphone", "notifications"],
            viewport=size,
            device_scale_factor=2 if size is PHONE else 1,
            locale=language.code,
            color_scheme="dark" if dark else "light",
            has_touch=size is PHONE,
        )
        return await context.new_page()

    async def snap(self, page: Page, name: str) -> None:
        """Write a picture."""
        path = self._out / f"{name}.png"
        await page.screenshot(path=path)
        print(path, flush=True)


@asynccontextmanager
async def open_studio(out: Path) -> AsyncIterator[Studio]:
    """Everything started, and ended afterwards. Raises SystemExit where there is no Chromium."""
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("no Chromium found; `make screenshots` installs it or says how")
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        async with async_playwright() as playwright, ServerProcess(scratch / "server") as server:
            drawing = await launch(playwright, chromium)
            agent = await draw(drawing, person("#c8d3d9", "#2b2220", "#3f6c51"), CAMERA)
            student = await draw(drawing, person("#e8d8c3", "#1c1917", "#d9793a"), CAMERA)
            screens = {each.code: await draw(drawing, exercise(each), SCREEN) for each in LANGUAGES}
            await drawing.close()
            browsers = []
            for name, picture in (("agent", agent), ("student", student)):
                camera = scratch / f"{name}.mjpeg"
                camera.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes() * 2)
                browsers.append(await launch(playwright, chromium, camera))
            try:
                yield Studio(server, browsers[0], browsers[1], Drawings(agent, student, screens), out)
            finally:
                for browser in browsers:
                    await browser.close()
