"""A server, a browser, and a bare page with livekit-client served from an origin of its own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from loadtest.proxy import TcpProxy
from loadtest.server import ServerProcess, access_token
from tests.e2e.desk import clear_desk
from tests.e2e.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
LIVEKIT_CLIENT = ROOT / "web/node_modules/livekit-client/dist/livekit-client.umd.js"
PAGE = Path(__file__).parent / "page"
ARTIFACTS = ROOT / "test-out"

CHROMIUM_ARGUMENTS = [
    "--headless",
    "--force-prefers-reduced-motion",  # what moves for its own sake costs the machine's time
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream=fps=10",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]

_rooms = itertools.count(1)

expect.set_options(timeout=15_000)  # a busy machine may need more than Playwright's five seconds


def _quick_end(**more: str) -> dict[str, str]:
    return {"RAISEHAND_DRAIN_TIMEOUT": "1", **more}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    async with ServerProcess(tmp_path_factory.mktemp("server"), environment=_quick_end()) as process:
        yield process


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tcp_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server that offers no UDP candidate, as a client behind a strict firewall sees it."""
    environment = _quick_end(RAISEHAND_MEDIA__UDP_CANDIDATES="false")
    async with ServerProcess(tmp_path_factory.mktemp("tcp"), environment=environment) as process:
        yield process


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def choosy_server(
    tmp_path_factory: pytest.TempPathFactory, page_origin: str
) -> AsyncIterator[ServerProcess]:
    """A server that lets pages of one origin in, which is not the test page's."""
    arguments = ["--allowed-origin", "https://school.example.org"]
    data_dir = tmp_path_factory.mktemp("choosy")
    async with ServerProcess(data_dir, arguments=arguments, environment=_quick_end()) as process:
        yield process


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def page_origin() -> AsyncIterator[str]:
    """Origin of the bare page: another host name and port than the server's."""
    if not LIVEKIT_CLIENT.exists():
        pytest.fail("livekit-client is not installed: run `make web` (or npm ci in web/)")

    async def client(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(LIVEKIT_CLIENT)

    async def index(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE / "index.html")

    async def script(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE / "call.js")

    application = web.Application()
    application.router.add_get("/", index)
    application.router.add_get("/call.js", script)
    application.router.add_get("/livekit-client.umd.js", client)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://localhost:{port}"
    await runner.cleanup()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium_path: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=str(chromium_path), args=CHROMIUM_ARGUMENTS, headless=True
        )
        yield launched
        await launched.close()


class CallPage:
    """One browser tab in a call, driven through `window.call` of the bare page."""

    def __init__(self, page: Page, context: BrowserContext) -> None:
        self.page, self._context = page, context
        self.console: list[str] = []
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.console.append(f"error: {error}"))

    async def run(self, expression: str, argument: Any = None) -> Any:
        """Evaluate JavaScript in the page: an expression, or a function of one argument."""
        return await self.page.evaluate(expression, argument)

    async def wait(self, expression: str, argument: Any = None, timeout_s: float = 15.0) -> None:
        """Wait until a JavaScript function, which may be asynchronous, returns something true."""
        # Playwright's wait_for_function does not await promises; poll inside the page instead.
        script = """async ([source, argument, limit]) => {
            const condition = eval(source);
            const end = performance.now() + limit;
            let last;
            while (performance.now() < end) {
                try { last = await condition(argument); } catch (error) { last = String(error); }
                if (last === true) return null;
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
            return JSON.stringify(last ?? null);
        }"""
        left = await self.page.evaluate(script, [expression, argument, timeout_s * 1000])
        if left is not None:
            tail = "\n".join(self.console[-15:])
            raise AssertionError(
                f"not within {timeout_s:g} s: {expression} ({argument}); last {left}\n{tail}"
            )

    async def join(self, url: str, token: str, **options: Any) -> float:
        """Join; returns the milliseconds it took."""
        joining = "([url, token, options]) => call.join(url, token, options)"
        return float(await self.run(joining, [url, token, options]))

    async def received(self, identity: str, source: str) -> dict[str, Any]:
        """Counters of a received track; empty before it is subscribed."""
        found = await self.run("([who, what]) => call.received(who, what)", [identity, source])
        return found or {}

    async def wait_for_picture(
        self, identity: str, source: str = "camera", *, more: int = 10, timeout_s: float = 20.0
    ) -> dict[str, Any]:
        """Wait until `more` further frames of somebody's picture were decoded, and it is shown."""
        before = (await self.received(identity, source)).get("frames", 0)
        condition = """async ([who, what, count]) => {
            const now = await call.received(who, what);
            return now && now.frames >= count && now.width > 0 && now.shown > 0 ? true : now;
        }"""
        await self.wait(condition, [identity, source, before + more], timeout_s)
        return await self.received(identity, source)

    async def wait_for_sound(
        self, identity: str, source: str = "microphone", *, timeout_s: float = 20.0
    ) -> dict[str, Any]:
        """Wait until energy of somebody's sound has come."""
        before = (await self.received(identity, source)).get("energy", 0.0)
        condition = """async ([who, what, before]) => {
            const now = await call.received(who, what);
            return now && now.energy > before + 1e-5 ? true : now;
        }"""
        await self.wait(condition, [identity, source, before], timeout_s)
        return await self.received(identity, source)

    async def wait_for_event(self, name: str, *, after: int = 0, timeout_s: float = 15.0) -> dict[str, Any]:
        """The first event of a name beyond the first `after` events."""
        condition = "([name, after]) => call.events.slice(after).some((e) => e.name === name) || call.events"
        await self.wait(condition, [name, after], timeout_s)
        find = "([name, after]) => call.events.slice(after).find((e) => e.name === name)"
        return dict(await self.run(find, [name, after]))

    async def event_count(self) -> int:
        return int(await self.run("() => call.events.length"))

    async def close(self) -> None:
        await self._context.close()


class OpenPage(Protocol):
    """Opens a tab with the bare page and, given an identity, joins the test's room."""

    async def __call__(
        self, identity: str | None = None, *, url: str | None = None, **options: Any
    ) -> CallPage: ...


@pytest.fixture
def room() -> str:
    return f"e2e-{next(_rooms)}"


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(
    browser: Browser, server: ServerProcess, page_origin: str, room: str, request: pytest.FixtureRequest
) -> AsyncIterator[OpenPage]:
    pages: list[CallPage] = []

    async def open_one(identity: str | None = None, *, url: str | None = None, **options: Any) -> CallPage:
        context = await browser.new_context(permissions=["camera", "microphone"])
        page = CallPage(await context.new_page(), context)
        pages.append(page)
        await page.page.goto(page_origin)
        if identity is not None:
            await page.join(url or server.url, access_token(room, identity), **options)
        return page

    yield open_one
    failed = getattr(request.node, "failed_in_call", False)
    for number, page in enumerate(pages):
        if failed:
            ARTIFACTS.mkdir(exist_ok=True)
            name = f"{request.node.name}-{number}".replace("/", "_")
            await page.page.screenshot(path=ARTIFACTS / f"{name}.png")
            (ARTIFACTS / f"{name}.log").write_text("\n".join(page.console), "utf-8")
        await page.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    """Remember a failed call, so that its pages are kept as pictures."""
    report = yield
    if report.when == "call" and report.failed:
        item.failed_in_call = True  # type: ignore[attr-defined]
    return report


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(server: ServerProcess) -> AsyncIterator[TcpProxy]:
    async with TcpProxy("127.0.0.1", server.port) as relay:
        yield relay


@pytest_asyncio.fixture(loop_scope="session")
async def empty_desk(server: ServerProcess) -> AsyncIterator[None]:
    """Nobody at work and no call open, before and after: a failed attempt leaves nothing to the next."""
    await clear_desk(server)
    yield
    await clear_desk(server)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(
    server: ServerProcess, browser: Browser, empty_desk: None, request: pytest.FixtureRequest
) -> AsyncIterator[Stage]:
    if not (ROOT / "web/dist/console/index.html").exists():
        pytest.fail("the web pages are not built: run `make web`")
    async with Stage(server, browser) as made:
        yield made
        if getattr(request.node, "failed_in_call", False):
            await made.keep_pictures(ARTIFACTS, request.node.name)
