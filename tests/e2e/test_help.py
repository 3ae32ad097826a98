"""The student's side as people use it: the help button in a class, the whole page, links for others."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page, expect

from loadtest.desk_client import Media
from loadtest.proxy import TcpProxy
from loadtest.server import ServerProcess
from loadtest.tokens import platform_token
from tests.e2e.desk import SLOW_MS, new_identity
from tests.e2e.students import PHONE, Agent, Student, agent, ask, hang_up, help_path, http, shown, student

__all__ = ["agent", "http", "student"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BUTTON_BYTES = 15_000
PANEL_BYTES = 200_000  # with the media client and one language
PIXEL = (  # a PNG of one pixel
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff?\x00\x05\xfe\x02\xfe\xa3\x8a\x99\x1e\x00\x00\x00\x00IEND\xaeB`\x82"
)
NO_MICROPHONE = """
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("none", "NotFoundError"));
    navigator.permissions.query = () => Promise.resolve({ state: "prompt" });
"""
REFUSED = """
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    navigator.permissions.query = () => Promise.resolve({ state: "denied" });
"""


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", ("We have your request", "In a call with 陈老师")),
        ("zh-CN", ("已经收到您的求助", "正在和陈老师通话")),
    ],
)
async def test_the_whole_way_on_a_phone(
    student: Student, agent: Agent, locale: str, words: tuple[str, str]
) -> None:
    page = await student(help_path(locale=locale))
    await expect(page).to_have_url(f"{page.url.partition('#')[0]}")  # the token is out of the address
    assert "token" not in page.url
    await expect(page.locator("html")).to_have_attribute("lang", locale)
    ticket = await ask(page)
    await expect(page.get_by_text(words[0])).to_be_visible()
    joined = await agent.take()
    assert joined.call["ticket"] == ticket
    await expect(page.get_by_text(words[1])).to_be_visible(timeout=SLOW_MS)
    await expect(page.locator("[data-person=chen] video")).to_be_visible(timeout=SLOW_MS)
    await expect(page.locator("[data-control=microphone]")).to_have_attribute(
        "aria-pressed", "true", timeout=SLOW_MS
    )
    identity = joined.student["id"]
    await agent.person.bot.wait_for_sound(identity, timeout_s=15)  # the fake microphone's beeps
    assert not await page.locator("[data-person=raisehand-music]").count()

    await page.locator("[data-card=consent] [data-action=refuse]").click()
    await expect(page.locator("[data-card=consent]")).to_have_count(0)
    await page.locator("[data-control=chat]").click()
    field = page.locator(".chat textarea")
    await field.fill("第三题 <b>&</b>")
    await field.press("Enter")
    await page.locator("input[type=file]").set_input_files(
        {"name": "shot.png", "mimeType": "image/png", "buffer": PIXEL}
    )
    await expect(page.locator(".bubble.own .attachment img")).to_be_visible(timeout=SLOW_MS)
    await agent.person.client.write(joined.call["id"], "请把音量调大")
    await expect(page.get_by_role("log")).to_contain_text("请把音量调大")
    written = await agent.person.client.messages(joined.call["id"])
    assert [each["text"] for each in written if each["author"] == identity] == ["第三题 <b>&</b>", ""]
    await page.locator("[data-action=back]").click()

    await hang_up(page)
    await page.locator("[data-choice=resolved] [data-value=yes]").click()
    await page.locator("[data-stars='5']").click()
    await page.locator("[data-action=rate]").click()
    await expect(shown(page, "done")).to_be_visible()
    await expect(page.locator(".ticket-number")).to_have_text(ticket)
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    call = await agent.person.client.call(joined.call["id"])
    assert (call["rating"]["stars"], call["rating"]["resolved"]) == (5, True)
    assert [(each["decision"], each["by"]) for each in call["consents"]] == [("refused", "self")]


async def test_a_refused_microphone_has_ways_on(student: Student, agent: Agent) -> None:
    page = await student(help_path(), script=REFUSED)
    await ask(page)
    card = page.locator("[data-card=microphone-denied]")
    await expect(card).to_be_visible()
    await card.locator("[data-action=teach]").click()
    await expect(card.locator(".teach")).to_be_visible()
    await card.locator("[data-action=type]").click()
    await page.locator(".chat textarea").fill("没有声音")
    await page.locator(".chat [data-action=send]").click()
    await expect(page.locator(".bubble.own")).to_contain_text("没有声音")
    joined = await agent.take()
    await page.locator("[data-action=back]").click()
    await expect(page.locator("[data-person=chen]")).to_be_visible(timeout=SLOW_MS)  # he is heard and seen
    await page.locator("[data-control=microphone]").click()
    await expect(page.locator("[data-card=microphone-denied]")).to_be_visible()  # and it can be tried again
    await hang_up(page)
    assert [each["text"] for each in await agent.person.client.messages(joined.call["id"])] == ["没有声音"]


async def test_without_a_microphone(student: Student) -> None:
    page = await student(help_path(), script=NO_MICROPHONE)
    await ask(page)
    await page.locator("[data-card=microphone-explain] [data-action=allow]").click()
    await expect(page.locator("[data-card=microphone-missing]")).to_contain_text("No microphone found")
    await expect(page.locator("[data-card=microphone-missing] button")).to_have_count(2)
    await page.locator("[data-action=cancel]").click()
    await page.locator("[data-action=cancel-yes]").click()
    await expect(shown(page, "start")).to_be_visible()


async def test_reloading_in_every_state(student: Student, agent: Agent) -> None:
    await agent.person.client.set_state("away")
    page = await student(help_path())
    ticket = await ask(page)
    await page.locator("[data-choice=question-who] [data-value=everyone]").click()
    await page.reload()
    await expect(shown(page, "waiting")).to_be_visible(timeout=SLOW_MS)
    await expect(page.locator(".ticket-number").first).to_have_text(ticket)
    await expect(page.locator("[data-choice=question-who] [data-value=everyone]")).to_have_attribute(
        "aria-checked", "true"
    )
    await page.wait_for_timeout(1000)  # what was tapped just before the reload is sent again
    await agent.person.client.set_state("available")
    joined = await agent.take()
    assert joined.call["context"]["answers"] == {"who": "everyone"}
    await expect(page.locator("[data-person=chen]")).to_be_visible(timeout=SLOW_MS)
    await page.reload()
    await expect(page.locator("[data-person=chen] video")).to_be_visible(timeout=SLOW_MS)
    await expect(page.locator("[data-control=microphone]")).to_have_attribute(
        "aria-pressed", "true", timeout=SLOW_MS
    )
    await hang_up(page)
    await page.reload()
    await expect(shown(page, "rating")).to_be_visible(timeout=SLOW_MS)
    await page.locator("[data-action=skip-rating]").click()
    await expect(shown(page, "done")).to_be_visible()
    await page.reload()
    await expect(shown(page, "start")).to_be_visible(timeout=SLOW_MS)


async def test_the_class_gets_its_microphone_and_volume_back(
    student: Student, agent: Agent, server: ServerProcess
) -> None:
    page = await student("/class/?student=student-3&lang=en", phone=False)
    await page.locator("[data-action=enter]").click()
    microphone, volume = page.locator("[data-class=microphone]"), page.locator("[data-class=volume]")
    await expect(microphone).to_have_attribute("data-enabled", "true")
    await page.evaluate("""() => {
        window.seen = [];
        const note = (event) => window.seen.push(event.key);
        for (const name of ['keydown', 'keyup']) window.addEventListener(name, note);
    }""")
    before = await page.evaluate("() => document.querySelector('.class').getBoundingClientRect().toJSON()")
    await page.locator("raisehand-help .launcher").click()
    await ask(page)
    await expect(microphone).to_have_attribute("data-enabled", "true")  # while waiting nothing changes
    joined = await agent.take()
    await expect(microphone).to_have_attribute("data-enabled", "false", timeout=SLOW_MS)
    await expect(volume).to_have_attribute("data-percent", "15")
    await agent.person.bot.wait_for_sound(joined.student["id"], timeout_s=15)  # the borrowed microphone
    await page.locator("[data-control=chat]").click()
    await page.locator(".chat textarea").press_sequentially("m1")
    assert await page.evaluate("() => window.seen") == []  # the page's shortcuts hear nothing
    await page.locator("[data-action=back]").click()

    await page.locator("[data-action=minimise]").click()
    mini = page.locator("[data-view=small]")
    place = await mini.bounding_box()
    await mini.locator(".mini-grip").press("ArrowLeft")
    moved = await mini.bounding_box()
    assert place is not None and moved is not None and moved["x"] < place["x"]
    await mini.locator("[data-control=hang-up]").click()
    await page.locator("[data-action=hang-up-yes]").click()
    await expect(shown(page, "rating")).to_be_visible(timeout=SLOW_MS)
    await expect(microphone).to_have_attribute("data-enabled", "true")
    await expect(volume).to_have_attribute("data-percent", "100")
    after = await page.evaluate("() => document.querySelector('.class').getBoundingClientRect().toJSON()")
    assert after == before


@pytest_asyncio.fixture(loop_scope="session")
async def school(server: ServerProcess) -> AsyncIterator[str]:
    """A page of another origin with a strict policy of its own that embeds the button."""
    socket = server.http_url.replace("http", "ws")
    policy = (
        f"default-src 'none'; script-src {server.http_url}; connect-src {server.http_url} {socket}; "
        "style-src 'none'; img-src blob:; media-src blob:"
    )
    token = platform_token(new_identity("school"), name="小红", profile={"age": 9, "locale": "zh-CN"})

    async def index(_request: web.Request) -> web.Response:
        text = (
            '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>School</title>'
            f'<script type="module" src="{server.http_url}/widget/raisehand-help.js"></script>'
            f'<raisehand-help token="{token}" class-id="301" colour="#7a3cff" position="bottom-left">'
            "</raisehand-help>"
        )
        headers = {"Content-Security-Policy": policy}
        return web.Response(text=text, content_type="text/html", headers=headers)

    application = web.Application()
    application.router.add_get("/", index)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://localhost:{runner.addresses[0][1]}"
    await runner.cleanup()


async def weight(page: Page, http: aiohttp.ClientSession) -> int:
    """What the page has loaded of scripts, compressed, in bytes."""
    loaded = await page.evaluate("() => performance.getEntriesByType('resource').map((each) => each.name)")
    total = 0
    for address in {each for each in loaded if each.endswith(".js")}:
        async with http.get(address) as answer:
            total += len(gzip.compress(await answer.read()))
    return total


async def test_embedded_in_a_page_of_another_origin(
    student: Student, agent: Agent, school: str, http: aiohttp.ClientSession
) -> None:
    page = await student("/", base=school, phone=False, expected=("favicon",))
    await expect(page.locator("raisehand-help .launcher")).to_be_visible()
    button = await weight(page, http)
    assert 0 < button <= BUTTON_BYTES
    await page.evaluate("""() => {
        window.told = [];
        const help = document.querySelector('raisehand-help');
        for (const name of ['open', 'ticket', 'accepted', 'connected', 'ended']) {
            help.on(name, () => window.told.push(name));
        }
    }""")
    stats = "() => document.querySelector('raisehand-help').reportClassStats({ loss: 0.12, jitter_ms: 40 })"
    assert await page.evaluate(stats)
    await page.evaluate("() => document.querySelector('raisehand-help').open('no_picture')")
    await expect(page.get_by_text("我们收到你的求助了")).to_be_visible(timeout=SLOW_MS)  # as to a child
    joined = await agent.take()
    await expect(page.locator("[data-person=chen] video")).to_be_visible(timeout=SLOW_MS)
    seen = await agent.person.client.diagnostics(joined.call["id"])
    assert "0.12" in str(seen)

    assert await weight(page, http) <= button + PANEL_BYTES

    # Nine years old: a guardian decides, by link.
    await page.locator("[data-action=guardian]").click()
    link = await page.locator("[data-card=consent-link] input").input_value()
    path = link.partition("/help/")[2]
    parent = await student(f"/help/{path}", locale="zh-CN")
    await expect(parent.get_by_text("您的孩子 小红 正在向 Raisehand 客服求助")).to_be_visible()
    assert "consent" not in parent.url
    await parent.locator("[data-action=agree]").click()
    await expect(parent.get_by_text("您已同意录制")).to_be_visible()
    call = await agent.person.client.call(joined.call["id"])
    assert [(each["decision"], each["by"]) for each in call["consents"]] == [("granted", "guardian")]
    await parent.locator("[data-action=withdraw]").click()
    await expect(parent.get_by_text("您已撤回同意")).to_be_visible()

    await agent.person.client.end(joined.call["id"])
    await expect(shown(page, "rating")).to_be_visible(timeout=SLOW_MS)
    assert await page.evaluate("() => window.told") == ["open", "ticket", "accepted", "connected", "ended"]


async def test_a_guest_comes_by_link(student: Student, agent: Agent) -> None:
    page = await student(help_path())
    await ask(page)
    joined = await agent.take()
    await expect(page.locator("[data-person=chen]")).to_be_visible(timeout=SLOW_MS)
    invited = await agent.person.client.drop_in(
        joined.call["id"], guest={"identity": "dad", "name": "爸爸", "adult": True}
    )
    guest = await student("/help/" + invited.link.partition("/help/")[2])
    await guest.locator("[data-action=join]").click()
    await expect(guest.locator("[data-person=chen]")).to_be_visible(timeout=SLOW_MS)
    await expect(page.locator("[data-person=dad]")).to_be_visible(timeout=SLOW_MS)
    await agent.person.bot.wait_for_sound("dad", timeout_s=15)
    await guest.locator("[data-card=consent] [data-action=agree]").click()
    await expect(guest.locator("[data-card=consent]")).to_have_count(0)
    await guest.reload()
    await expect(guest.locator("[data-person=chen]")).to_be_visible(timeout=SLOW_MS)
    await expect(guest.locator("[data-card=consent]")).to_have_count(0)
    consents = (await agent.person.client.call(joined.call["id"]))["consents"]
    assert [(each["participant"], each["decision"], each["by"]) for each in consents] == [
        ("dad", "granted", "self")
    ]
    await guest.locator("[data-control=hang-up]").click()
    await guest.locator("[data-action=hang-up-yes]").click()
    await expect(shown(guest, "guest-left")).to_be_visible()
    await expect(page.locator("[data-person=dad]")).to_have_count(0, timeout=SLOW_MS)
    child = await agent.person.client.drop_in(joined.call["id"], guest={"identity": "sister", "name": "妹妹"})
    guest = await student("/help/" + child.link.partition("/help/")[2])
    await guest.locator("[data-action=listen]").click()
    await expect(guest.locator("[data-person=chen]")).to_be_visible(timeout=SLOW_MS)
    await guest.locator("[data-control=more]").click()
    await expect(shown(guest, "more")).to_be_visible()
    await expect(guest.locator("[data-card=consent], .consent-state")).to_have_count(0)  # nobody may say yes
    await hang_up(page)


async def test_a_broken_connection_heals_by_itself(student: Student, agent: Agent, proxy: TcpProxy) -> None:
    base = f"http://127.0.0.1:{proxy.port}"
    page = await student(help_path(), base=base, expected=("ERR_", "WebSocket"))
    await ask(page)
    await agent.take()
    await expect(page.locator("[data-person=chen]")).to_be_visible(timeout=SLOW_MS)
    proxy.block()
    proxy.cut()
    await expect(page.locator("[data-banner=reconnecting]")).to_be_visible(timeout=SLOW_MS)
    proxy.unblock()
    await expect(page.locator("[data-banner=reconnecting]")).to_have_count(0, timeout=SLOW_MS)
    await expect(page.locator("[data-person=chen] video")).to_be_visible(timeout=SLOW_MS)
    await hang_up(page)


async def test_typing_first_then_talking(student: Student, agent: Agent) -> None:
    page = await student(help_path())
    await ask(page, "no_picture", kind="chat")
    joined = await agent.take()
    assert joined.media is None
    await expect(page.get_by_text("Chatting with 陈老师")).to_be_visible(timeout=SLOW_MS)
    await page.locator("[data-action=upgrade-voice]").click()
    await expect(shown(page, "call")).to_be_visible(timeout=SLOW_MS)
    answer = await agent.person.client.post(f"/calls/{joined.call['id']}/media")
    await agent.person.join(Media(answer["media"]["url"], answer["media"]["token"]))
    await agent.person.bot.wait_for_sound(joined.student["id"], timeout_s=15)
    await hang_up(page)


async def test_being_called_back_instead(student: Student) -> None:
    page = await student(help_path())
    ticket = await ask(page)
    await page.locator("[data-action=callback]").click()
    await page.locator("[data-time=in30]").click()
    await page.locator("[data-action=callback-confirm]").click()
    await expect(shown(page, "callback")).to_contain_text(ticket)
    await expect(shown(page, "callback")).to_contain_text("around")
    await page.reload()
    await expect(shown(page, "callback")).to_be_visible(timeout=SLOW_MS)
