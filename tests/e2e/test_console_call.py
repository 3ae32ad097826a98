"""An agent's work during a call: writing at once, files, a second monitor, handing over without asking."""

from __future__ import annotations

import asyncio
import base64
import time

import pytest
from playwright.async_api import Page, expect

from loadtest.waiting import wait_until
from tests.e2e.desk import SLOW_MS, Console
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PIXEL = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff?\x00\x05\xfe\x02\xfe\xa3\x8a\x99\x1e\x00\x00\x00\x00IEND\xaeB`\x82"
).decode()
"""A PNG of one pixel."""

DROP = """([selector, files]) => {
    // What a browser does when files are let go over an element; whether the page took them for itself.
    const dataTransfer = new DataTransfer();
    for (const [name, type, content] of files) {
        const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
        dataTransfer.items.add(new File([bytes], name, { type }));
    }
    const target = document.querySelector(selector);
    const tell = (type) => !target.dispatchEvent(
        new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
    return tell('dragover') && tell('drop');
}"""
TEXT = base64.b64encode(b"what the router says").decode()


async def test_nothing_typed_after_the_key_is_lost(stage: Stage) -> None:
    chen = await stage.console("chen", language="en")
    await stage.call(stage.student("Tom", age=20), kind="voice")
    await chen.answer()
    await chen.page.get_by_role("tab", name="Line").click()
    await chen.page.locator(".rh-call-header").click()
    await chen.page.keyboard.type("cThe rest, at once: meh")
    await expect(chen.control("message")).to_have_value("The rest, at once: meh")
    await expect(chen.page.get_by_role("dialog")).to_have_count(0)


async def test_files_dropped_into_the_chat(stage: Stage) -> None:
    chen = await stage.console("chen", language="en")
    student = stage.student("Tom", age=20)
    opened = await stage.call(student, kind="voice")
    await chen.answer()
    files = [["screen.png", "image/png", PIXEL], ["router.txt", "text/plain", TEXT]]
    assert await chen.page.evaluate(DROP, ["[role=log]", files])
    log = chen.page.get_by_role("log")
    await expect(log.locator("img[alt='screen.png']")).to_be_visible(timeout=SLOW_MS)
    await expect(log.get_by_role("link", name="router.txt")).to_be_visible(timeout=SLOW_MS)
    messages = await student.client.messages(opened.id)
    assert [file["name"] for message in messages for file in message["files"]] == ["screen.png", "router.txt"]

    # Beside the chat nothing is sent, and the file does not open in place of the call.
    assert await chen.page.evaluate(DROP, [".rh-call-header", files])
    await chen.page.keyboard.type("cseen")
    await chen.page.keyboard.press("Enter")
    await expect(log).to_contain_text("seen")
    assert len(await student.client.messages(opened.id)) == len(messages) + 1


async def frames(page: Page) -> int:
    """Pictures of the student's screen that a window has shown."""
    count: int = await page.evaluate(
        "() => document.querySelector('.rh-picture video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0"
    )
    return count


async def keeps_moving(page: Page) -> None:
    """Wait for many more pictures: a window that the media library takes for hidden gets none."""
    before = await frames(page)

    async def moved() -> bool:
        return await frames(page) > before + 15

    async with asyncio.timeout(SLOW_MS / 1000):
        while not await moved():
            await asyncio.sleep(0.1)


async def test_the_students_screen_on_a_second_monitor(stage: Stage) -> None:
    chen = await stage.console("chen", language="en")
    student = stage.student("Tom", age=20)
    await stage.call(student)
    await chen.answer()
    await student.appear()
    await student.show_screen()
    await chen.sees("screen")
    async with chen.page.expect_popup() as opening:
        await chen.page.keyboard.press("p")
    window = await opening.value
    complaints = Console(window, "chen").complaints
    await keeps_moving(window)
    await expect(chen.page.locator(".rh-stage-main .rh-picture")).to_have_count(0)
    await expect(chen.page.locator(".rh-stage-main")).to_contain_text("in its own window")

    # The tools have come along, and others see what is drawn there.
    await window.locator("[data-guide=box]").click()
    picture = await window.locator(".rh-picture video").bounding_box()
    assert picture is not None
    at = [
        (picture["x"] + picture["width"] * part, picture["y"] + picture["height"] * part)
        for part in (0.4, 0.6)
    ]
    await window.mouse.move(*at[0])
    await window.mouse.down()
    await window.mouse.move(*at[1], steps=5)
    await window.mouse.up()
    await expect(window.locator("[data-guide=undo]")).to_be_enabled()

    await window.close()
    await chen.sees("screen")
    await expect(chen.page.locator("[data-guide=undo]")).to_be_enabled()  # the box is still there
    assert not complaints


async def test_handing_over_without_asking(stage: Stage) -> None:
    chen = await stage.console("chen", language="en")
    he = await stage.console("he", language="en", start=False)
    student = stage.student("Tom", age=20)
    opened = await stage.call(student, wanted_agent="chen")
    await chen.answer()
    await student.appear()
    await chen.sees("camera")

    await he.start()
    since = time.monotonic()
    await chen.page.keyboard.press("t")
    await chen.page.locator("label:has([data-control=transfer-cold])").click()
    await chen.page.locator("[data-agent=he]").click()
    await chen.control("transfer-note").fill("New headset, same trouble")
    await chen.control("transfer-send").click()
    await student.hears_music({"chen", "he"}, since=since)
    offer = he.page.locator("[data-offer]")
    await expect(offer).to_contain_text("Transferred by a colleague", timeout=SLOW_MS)
    await expect(offer).to_contain_text("New headset, same trouble")
    await he.answer()
    await chen.sum_up("handed over")
    await he.sees("camera")
    await asyncio.gather(he.hears(), student.bot.wait_for_sound("he", timeout_s=20))
    await wait_until(lambda: "chen" not in student.bot.room.remote_participants, "the first agent leaves", 20)
    primary = [
        each for each in (await student.client.call(opened.id))["participants"] if each["role"] == "primary"
    ]
    assert [each["identity"] for each in primary] == ["he"]
