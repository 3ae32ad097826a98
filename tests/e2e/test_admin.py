"""Settings: agents from a file, hours, topics, accounts and keys, as an administrator does it."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from loadtest.desk_client import DeskClient
from loadtest.server import ServerProcess
from signalling.api.identity import mint_platform_token
from tests.e2e.conftest import ARTIFACTS
from tests.e2e.desk import SLOW_MS, console

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CSV = """id,name,queues,skills,languages,max_chats
mei,梅老师,technical;教学服务,audio:4;network:2,zh;en,5
chen,,,audio:5;video:3,,
bad id,,nowhere,audio:9,,
"""


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server for each test: what administrators change stays changed."""
    async with ServerProcess(tmp_path, environment={"RAISEHAND_DRAIN_TIMEOUT": "1"}) as process:
        yield process


async def drawer_save(page: Page) -> None:
    await page.locator(".ant-drawer [data-save]").click()


async def test_agents_from_a_file(browser: Browser, server: ServerProcess) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    async with (
        aiohttp.ClientSession() as http,
        console(browser, server, "admin", path="/admin/agents") as shown,
    ):
        page = shown.page
        admin = await DeskClient.login(server.http_url, "admin", http)
        await expect(page.get_by_role("row", name="陈老师")).to_be_visible()
        await page.locator("[data-admin=import]").click()
        async with page.expect_download() as template:
            await page.locator("[data-admin=template]").click()
        assert (await (await template.value).path()).read_text("utf-8-sig").startswith("id,name,queues")
        file = {"name": "agents.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
        await page.locator(".ant-modal input[type=file]").set_input_files(file)  # type: ignore[arg-type]
        await expect(page.locator("[data-import-summary]")).to_have_text(
            "1 new, 1 changed, 0 unchanged, 1 wrong"
        )
        await expect(page.locator(".rh-admin-wrong")).to_contain_text("There is no queue “nowhere”")
        await page.screenshot(path=ARTIFACTS / "admin-import.png")
        assert "mei" not in {agent["id"] for agent in await admin.agents()}  # nothing changed yet
        await page.locator("[data-admin=apply]").click()
        await expect(page.locator(".ant-modal")).to_be_hidden()  # its table has rows of the same names
        await expect(page.get_by_role("row", name="梅老师")).to_be_visible()
        await expect(page.get_by_role("row", name="chen")).to_contain_text("video 3")
        agents = {agent["id"]: agent for agent in await admin.agents()}
        assert agents["mei"]["queues"] == ["teaching", "technical"] and agents["mei"]["max_chats"] == 5
        assert agents["chen"]["skills"] == {"audio": 5, "video": 3}
        assert agents["chen"]["name"] == "陈老师"

        await page.get_by_role("button", name="Change 梅老师").click()
        await page.get_by_role("textbox", name="Name", exact=True).fill("")
        await drawer_save(page)
        await expect(page.locator(".ant-drawer .ant-form-item-explain-error")).to_have_text(
            "Please fill this in"
        )
        await page.get_by_role("textbox", name="Name", exact=True).fill("梅主任")
        await drawer_save(page)
        await expect(page.get_by_role("row", name="梅主任")).to_be_visible()


async def test_hours_and_topics(browser: Browser, server: ServerProcess) -> None:
    async with (
        aiohttp.ClientSession() as http,
        console(browser, server, "admin", path="/admin/queues") as shown,
    ):
        page = shown.page
        admin = await DeskClient.login(server.http_url, "admin", http)
        await page.get_by_role("button", name="Change 课程顾问").click()
        await page.locator("[data-admin=hours]").click()
        await page.locator(".ant-drawer").get_by_label("To", exact=True).fill("01:00")
        await page.screenshot(path=ARTIFACTS / "admin-hours.png")
        await drawer_save(page)
        await expect(page.get_by_role("row", name="课程顾问")).to_contain_text(
            "Every day 09:00–01:00 next day"
        )
        config = (await admin.queue("sales"))["config"]
        assert (config["hours"][0]["opens_minute"], config["hours"][0]["closes_minute"]) == (540, 1500)

        await page.locator(".rh-admin-nav a", has_text="Topics").click()
        await page.locator("[data-admin=add]").click()
        await page.get_by_role("textbox", name="Chinese name").fill("考试")
        await page.get_by_role("textbox", name="English name").fill("Exams")
        await page.locator(".ant-drawer").get_by_label("Id", exact=True).fill("homework")
        await drawer_save(page)
        await expect(page.locator(".ant-drawer .ant-form-item-explain-error")).to_have_text(
            "This id is taken"
        )
        await page.locator(".ant-drawer").get_by_label("Id", exact=True).fill("exam")
        await page.get_by_role("textbox", name="Advice (English)").fill("Reload the exam page.")
        await drawer_save(page)
        await expect(page.get_by_role("row", name="Exams")).to_be_visible()
        await page.locator("[data-admin=save]").click()
        await expect(page.locator("[data-admin=save]")).to_be_hidden()
        await page.screenshot(path=ARTIFACTS / "admin-topics.png")
        student = DeskClient.student(server.http_url, "admin-1", http)
        topics = {topic["id"]: topic for topic in (await student.get("/topics"))["items"]}
        assert topics["exam"]["advice"]["en"] == "Reload the exam page."

        # Agents read the names, in their own language.
        async with console(browser, server, "chen", language="zh-CN") as agent:
            await agent.start()
            await student.ask(kind="voice", topic="exam", severity="general", wanted_agent="chen")
            offer = agent.page.locator("[data-offer]")
            await expect(offer).to_contain_text("考试", timeout=SLOW_MS)


async def test_accounts_and_keys(browser: Browser, server: ServerProcess) -> None:
    async with (
        aiohttp.ClientSession() as http,
        console(browser, server, "admin", path="/admin/accounts") as shown,
    ):
        page = shown.page
        await page.locator("[data-admin=add]").click()
        await page.get_by_role("textbox", name="User name").fill("Yang")
        await page.get_by_role("textbox", name="Name", exact=True).fill("杨老师")
        await drawer_save(page)
        secret = page.locator("[data-secret]")
        await expect(secret).to_be_visible()
        password = (await secret.inner_text()).strip()
        await page.screenshot(path=ARTIFACTS / "admin-secret.png")
        await page.get_by_role("button", name="I have saved it").click()
        yang = await DeskClient.login(server.http_url, "yang", http, password=password)
        assert (await yang.me())["name"] == "杨老师"

        await page.locator(".rh-admin-nav a", has_text="API keys").click()
        await page.locator("[data-admin=add]").click()
        await page.get_by_role("textbox", name="What for").fill("LMS")
        await drawer_save(page)
        await expect(secret).to_be_visible()
        key = (await page.locator(".ant-modal-confirm-content p").first.inner_text()).split()[-1]
        now = datetime.datetime.now(datetime.UTC)
        token = mint_platform_token(
            key, (await secret.inner_text()).strip(), subject="a", role="student", now=now
        )
        await page.get_by_role("button", name="I have saved it").click()
        row = page.get_by_role("row", name="LMS")
        student = DeskClient(server.http_url, token, http, actor="a")
        assert (await student.me())["role"] == "student"
        await row.get_by_role("button", name="Revoke").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await expect(row).to_contain_text("Revoked")
        with pytest.raises(Exception, match="unauthenticated"):
            await student.me()
        await page.locator(".rh-admin-nav a", has_text="Changes").click()
        await expect(page.get_by_role("row", name="Revoked a key")).to_be_visible()
