"""Guiding on the shared screen: what the agent draws is where the student sees it, and soon."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from loadtest.tokens import platform_token
from tests.e2e.conftest import ARTIFACTS, CHROMIUM_ARGUMENTS
from tests.e2e.desk import SLOW_MS, Console, new_identity
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

POINTS = 150
POINTER_MS = 100.0

WATCH_PACKETS = """() => {
    // Both pages run on one machine: their clocks have one origin.
    const now = () => performance.timeOrigin + performance.now();
    const times = (window.pointerTimes = { moved: [], shown: {} });
    document.addEventListener('pointermove', (event) => {
        times.moved.push(performance.timeOrigin + event.timeStamp);
    }, true);
    const watch = (channel) => channel.addEventListener('message', (message) => {
        const text = new TextDecoder().decode(message.data);
        const found = /"t":"point"[^}]*"n":(\\d+)/.exec(text);
        // Seen when the next frame is painted, not when it arrives.
        if (found !== null) requestAnimationFrame(() => (times.shown[found[1]] = now()));
    });
    const send = RTCDataChannel.prototype.send;
    times.sent = {};
    RTCDataChannel.prototype.send = function (data) {
        const found = /"t":"point"[^}]*"n":(\\d+)/.exec(new TextDecoder().decode(data));
        const moved = times.moved.at(-1);
        // A pointer that rests is told again: only the first telling of a place counts.
        if (found !== null && moved !== times.told) times.sent[found[1]] = times.told = moved;
        return send.call(this, data);
    };
    const Real = RTCPeerConnection;
    window.RTCPeerConnection = class extends Real {
        constructor(...given) {
            super(...given);
            this.addEventListener('datachannel', (event) => watch(event.channel));
        }
        createDataChannel(...given) {
            const channel = super.createDataChannel(...given);
            watch(channel);
            return channel;
        }
    };
}"""

INK = """(canvas) => {
    // Where there is ink on a canvas: its middle, as a part of the picture below it.
    const video = canvas.parentElement.querySelector('video')
        ?? canvas.closest('.rh-picture').querySelector('video');
    const scale = Math.min(canvas.width / video.videoWidth, canvas.height / video.videoHeight);
    const [wide, high] = [video.videoWidth * scale, video.videoHeight * scale];
    const [left, top] = [(canvas.width - wide) / 2, (canvas.height - high) / 2];
    const copy = new OffscreenCanvas(canvas.width, canvas.height)
        .getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let [count, x, y] = [0, 0, 0];
    for (let at = 3; at < data.length; at += 4) {
        if (data[at] < 128) continue;
        const pixel = (at - 3) / 4;
        count += 1;
        x += pixel % canvas.width;
        y += Math.floor(pixel / canvas.width);
    }
    return count === 0 ? null : [(x / count - left) / wide, (y / count - top) / high];
}"""


async def drag(page: Page, box: Mapping[str, Any], *places: tuple[float, float]) -> None:
    """Press at the first place of a box, move through the others, release."""
    at = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in places]
    await page.mouse.move(*at[0])
    await page.mouse.down()
    for place in at[1:]:
        await page.mouse.move(*place, steps=8)
    await page.mouse.up()


async def same_ink(one: Any, other: Any) -> None:
    """Wait until both canvases have ink at the same place of their pictures."""
    async with asyncio.timeout(10):
        while True:
            here, there = await one.evaluate(INK), await other.evaluate(INK)
            if here and there and all(abs(a - b) < 0.01 for a, b in zip(here, there, strict=True)):
                return
            await asyncio.sleep(0.1)


async def asks_for_help(stage: Stage, student: Page, agent: Console) -> None:
    """The student presses help on the whole page, the agent answers."""
    token = platform_token(new_identity("guided"), name="小明", profile={"age": 20, "locale": "en"})
    opening = urlencode({"token": token, "lang": "en"})
    await student.goto(f"{stage.server.http_url}/help/#{opening}")
    await student.locator("[data-choice=kind] [data-value=voice]").click()
    await student.locator("[data-topic=no_picture]").click()
    await agent.answer()


async def test_drawing_on_the_students_screen(stage: Stage) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    context = await stage.browser.new_context(
        locale="en", permissions=["camera", "microphone"], viewport={"width": 420, "height": 860}
    )
    zhao = await stage.console("zhao", language="en")
    agent = zhao.page
    async with context:
        student = await context.new_page()
        await student.add_init_script(f"({WATCH_PACKETS})()")
        await agent.evaluate(WATCH_PACKETS)
        await asks_for_help(stage, student, zhao)
        await student.locator("[data-control=screen]").click(timeout=SLOW_MS)
        tools = agent.locator(".rh-guide")
        await expect(tools).to_be_visible(timeout=SLOW_MS)
        mirror = student.locator("[data-guide-mirror=screen]")
        await expect(mirror).to_be_visible(timeout=SLOW_MS)
        await expect(tools.locator(".rh-guide-shown")).to_have_attribute(
            "data-shown", "mirror", timeout=SLOW_MS
        )

        await zhao.sees("screen")
        box = await agent.locator(".rh-picture video").bounding_box()
        assert box is not None
        ours, theirs = tools.locator("canvas.rh-guide-marks"), mirror.locator("canvas.guide-marks")
        await tools.locator("[data-guide=arrow]").click()
        await drag(agent, dict(box), (0.3, 0.3), (0.55, 0.5))
        await same_ink(ours, theirs)
        await tools.locator("[data-guide=pen]").click()
        await drag(agent, dict(box), (0.6, 0.4), (0.7, 0.35), (0.75, 0.5), (0.65, 0.55))
        await tools.locator("[data-guide=box]").click()
        await tools.locator("[data-colour='4']").click()
        await drag(agent, dict(box), (0.2, 0.6), (0.4, 0.7))
        await tools.locator("[data-guide=text]").click()
        await agent.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.7)
        await agent.locator(".rh-guide-write").fill("点这里 <b>")
        await agent.keyboard.press("Enter")
        await same_ink(ours, theirs)
        await tools.locator("[data-guide=freeze]").click()
        await expect(mirror).to_have_attribute("data-frozen", "true")
        await student.screenshot(path=ARTIFACTS / "guide-student.png")
        await agent.screenshot(path=ARTIFACTS / "guide-agent.png")
        await mirror.locator("button").click()  # the student lets it move again
        await expect(tools).to_have_attribute("data-frozen", "false")

        await agent.set_viewport_size({"width": 1000, "height": 700})
        await same_ink(ours, theirs)
        await agent.set_viewport_size({"width": 1440, "height": 900})
        for _ in range(4):
            await tools.locator("[data-guide=undo]").click()
        await expect(tools.locator("[data-guide=clear]")).to_be_disabled()
        assert await theirs.evaluate(INK) is None

        await tools.locator("[data-guide=laser]").click()
        box = await agent.locator(".rh-picture video").bounding_box()
        assert box is not None
        for step in range(POINTS):
            await agent.mouse.move(
                box["x"] + box["width"] * (0.2 + step / POINTS / 2), box["y"] + 200 + step % 40
            )
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        sent = await agent.evaluate("() => window.pointerTimes.sent")
        seen = await student.evaluate("() => window.pointerTimes.shown")
        took = sorted(seen[number] - at for number, at in sent.items() if number in seen and at)
        assert len(took) > POINTS / 2, (len(sent), len(seen))
        median, p95 = statistics.median(took), took[int(len(took) * 0.95)]
        print(f"pointer moved -> painted there: median {median:.1f} ms, p95 {p95:.1f} ms, n {len(took)}")
        assert median < POINTER_MS  # p95 is for the benchmark, on a machine that has nothing else to do


TAB_TITLE = "The lesson"
PRIVATE = """() => {
    const secret = document.createElement('div');
    secret.id = 'secret';
    secret.setAttribute('data-raisehand-private', '');
    secret.textContent = '138 0013 8000';
    // A transition must not let it fade slowly, and a part that insists on being visible must not be.
    secret.style.cssText = 'position:fixed;z-index:5;left:40px;top:300px;width:300px;height:80px;' +
        'background:rgb(255,0,255);transition:all 5s';
    const part = document.createElement('b');
    part.style.cssText = 'visibility:visible;display:block;width:300px;height:40px;background:rgb(255,0,255)';
    secret.append(part);
    document.body.append(secret);
}"""
OVERLAY = "document.querySelector('raisehand-guide-overlay')"
PAGE_INK = f"""() => {{
    const canvas = {OVERLAY}.shadowRoot.querySelector('canvas');
    const {{ data }} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let [count, x, y] = [0, 0, 0];
    for (let at = 3; at < data.length; at += 4) {{
        if (data[at] < 128) continue;
        count += 1;
        x += ((at - 3) / 4) % canvas.width;
        y += Math.floor((at - 3) / 4 / canvas.width);
    }}
    return count === 0 ? null : [x / count / canvas.width, y / count / canvas.height];
}}"""
WATCH_FOR_SECRET = """() => {
    // Looks at every picture that comes, from the first: is any of it the secret's colour?
    window.leaked = 0;
    window.pictures = 0;
    const canvas = new OffscreenCanvas(320, 180).getContext('2d', { willReadFrequently: true });
    const look = () => {
        const video = document.querySelector('.rh-picture video');
        if (video?.videoWidth > 0) {
            window.pictures += 1;
            canvas.drawImage(video, 0, 0, 320, 180);
            const { data } = canvas.getImageData(0, 0, 320, 180);
            for (let at = 0; at < data.length; at += 4) {
                if (data[at] > 200 && data[at + 1] < 70 && data[at + 2] > 200) window.leaked += 1;
            }
        }
        requestAnimationFrame(look);
    };
    look();
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def sharer(chromium_path: Path, browser: Browser, tmp_path: Path) -> AsyncIterator[BrowserContext]:
    """A browser that shares the tab of a given title for real, instead of a made-up picture."""
    arguments = [each for each in CHROMIUM_ARGUMENTS if not each.startswith("--use-fake")]
    arguments.append(f"--auto-select-tab-capture-source-by-title={TAB_TITLE}")
    # With a profile of its own: a private window does not tell which other tab is shared.
    async with await browser.browser_type.launch_persistent_context(
        tmp_path,
        executable_path=str(chromium_path),
        args=arguments,
        headless=True,
        locale="en",
        viewport={"width": 1000, "height": 640},
    ) as context:
        yield context


async def take_title(page: Page) -> None:
    """Make this page the one that is shared."""
    await page.evaluate("(title) => { document.title = title; }", TAB_TITLE)


async def saw_no_secret(agent: Page) -> None:
    """Pictures came, and none of them showed what is private."""
    await agent.wait_for_function("() => window.pictures > 20", timeout=SLOW_MS)
    assert await agent.evaluate("() => window.leaked") == 0


SECRET_SEEN = "() => getComputedStyle(document.getElementById('secret')).visibility"


async def test_marks_on_the_shared_page_itself(stage: Stage, sharer: BrowserContext) -> None:
    zhao = await stage.console("zhao", language="en")
    agent = zhao.page
    student = await sharer.new_page()
    await asks_for_help(stage, student, zhao)
    await agent.evaluate(WATCH_FOR_SECRET)
    await student.evaluate(PRIVATE)
    await take_title(student)
    await student.locator("[data-control=screen]").click(timeout=SLOW_MS)

    tools = agent.locator(".rh-guide")
    hint = tools.locator(".rh-guide-shown")
    await expect(hint).to_have_attribute("data-shown", "page", timeout=SLOW_MS)
    await expect(hint).to_contain_text("Private places covered: 1")
    await zhao.sees("screen")
    box = await agent.locator(".rh-picture video").bounding_box()
    assert box is not None
    await tools.locator("[data-guide=box]").click()
    await drag(agent, dict(box), (0.4, 0.4), (0.6, 0.6))
    ours = tools.locator("canvas.rh-guide-marks")
    async with asyncio.timeout(10):
        while True:
            here, there = await ours.evaluate(INK), await student.evaluate(PAGE_INK)
            if here and there and all(abs(a - b) < 0.01 for a, b in zip(here, there, strict=True)):
                break
            await asyncio.sleep(0.1)
    await student.screenshot(path=ARTIFACTS / "guide-page.png")
    await agent.screenshot(path=ARTIFACTS / "guide-page-agent.png")
    await saw_no_secret(agent)

    await student.locator("[data-control=screen]").click()
    await student.wait_for_function(f"() => {OVERLAY} === null", timeout=SLOW_MS)
    assert await student.evaluate(SECRET_SEEN) == "visible"


async def test_what_is_private_on_another_tab(stage: Stage, sharer: BrowserContext) -> None:
    zhao = await stage.console("zhao", language="en")
    lesson, student = await sharer.new_page(), await sharer.new_page()
    await lesson.goto(f"{stage.server.http_url}/class/")
    await lesson.locator("raisehand-help .launcher").wait_for(timeout=SLOW_MS)
    await lesson.evaluate(PRIVATE)
    await take_title(lesson)
    await student.bring_to_front()
    await asks_for_help(stage, student, zhao)
    await zhao.page.evaluate(WATCH_FOR_SECRET)
    await student.locator("[data-control=screen]").click(timeout=SLOW_MS)
    await saw_no_secret(zhao.page)
    assert await lesson.evaluate(SECRET_SEEN) == "hidden"
    await student.locator("[data-control=screen]").click()
    await expect(zhao.page.locator("[data-stage=screen]")).to_have_count(0, timeout=SLOW_MS)
    await lesson.wait_for_function(f"() => ({SECRET_SEEN})() === 'visible'")


FRAME_NUMBERS = """() => {
    // Sixteen squares, black or white: the frame's number in binary, so that pictures can be told apart.
    const canvas = document.createElement('canvas');
    canvas.width = 640;
    canvas.height = 40;
    canvas.style.cssText = 'position:fixed;z-index:9;left:20px;top:20px;width:640px;height:40px';
    document.body.append(canvas);
    const paint = canvas.getContext('2d');
    let number = 0;
    const next = () => {
        number = (number + 1) % 65536;
        for (let bit = 0; bit < 16; bit += 1) {
            paint.fillStyle = (number >> bit) & 1 ? 'white' : 'black';
            paint.fillRect(bit * 40, 0, 40, 40);
        }
        requestAnimationFrame(next);
    };
    next();
}"""
FRAME_NUMBER = """(picture) => {
    // Of a page of 1000 x 640 that fills the picture's height or width.
    const width = picture.videoWidth ?? picture.width, height = picture.videoHeight ?? picture.height;
    const scale = Math.min(width / 1000, height / 640);
    const left = (width - 1000 * scale) / 2, top = (height - 640 * scale) / 2;
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(picture, 0, 0);
    let number = 0;
    for (let bit = 0; bit < 16; bit += 1) {
        const [red] = copy.getImageData(left + (20 + bit * 40 + 20) * scale, top + 40 * scale, 1, 1).data;
        if (red > 128) number |= 1 << bit;
    }
    return number;
}"""


async def test_both_hold_the_same_frame(stage: Stage, sharer: BrowserContext) -> None:
    zhao = await stage.console("zhao", language="en")
    student = await sharer.new_page()
    await asks_for_help(stage, student, zhao)
    await take_title(student)
    await student.evaluate(FRAME_NUMBERS)
    await student.locator("[data-control=screen]").click(timeout=SLOW_MS)
    await zhao.sees("screen")
    picture = zhao.page.locator(".rh-picture video")
    tools = zhao.page.locator(".rh-guide")
    held = set()
    for _ in range(3):
        await tools.locator("[data-guide=freeze]").click()
        mirror = student.locator("[data-guide-mirror=screen][data-frozen=true]")
        still = mirror.locator("canvas.guide-still")
        await expect(still).to_be_visible(timeout=SLOW_MS)
        ours = await tools.locator("canvas.rh-guide-still").evaluate(FRAME_NUMBER)
        assert await still.evaluate(FRAME_NUMBER) == ours
        assert await picture.evaluate(FRAME_NUMBER) != ours  # below it, the picture goes on
        held.add(ours)
        await mirror.get_by_role("button").click()  # the student lets it move again
        await expect(tools).to_have_attribute("data-frozen", "false")
    assert len(held) == 3
