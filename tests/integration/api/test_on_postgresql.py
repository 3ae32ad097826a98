"""The story of a call on PostgreSQL: the very tests of SQLite, on the other database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalling.store import migrate
from signalling.store.engine import Database
from tests.integration.api import test_call_story, test_events, test_routes
from tests.integration.api.conftest import Site, StartSite
from tests.postgres import PostgresMissingError, PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer.create()
    except PostgresMissingError as error:
        pytest.fail(str(error))
    with server:
        yield server


@pytest.fixture
async def site(postgres: PostgresServer, start_site: StartSite, tmp_path: Path) -> Site:
    url = postgres.url(await asyncio.to_thread(postgres.create_database))
    database = await Database.open(url, tmp_path)
    await migrate.migrate(database)
    await database.close()
    return await start_site(database=url)


async def test_press_ticket_offer_accept_end_wrapup_rating(site: Site) -> None:
    await test_call_story.test_press_ticket_offer_accept_end_wrapup_rating(site)


async def test_a_declined_call_comes_back_to_its_old_place(site: Site) -> None:
    await test_call_story.test_a_declined_call_comes_back_to_its_old_place(site)


async def test_an_idempotency_key_gives_the_same_answer_once_more(site: Site) -> None:
    await test_call_story.test_an_idempotency_key_gives_the_same_answer_once_more(site)


async def test_resuming_loses_and_doubles_nothing(site: Site) -> None:
    await test_events.test_resuming_loses_and_doubles_nothing(site)


async def test_one_history_over_channels(site: Site) -> None:
    await test_routes.test_one_history_over_channels(site)


async def test_pressing_twice_at_once_gives_one_call(site: Site) -> None:
    await test_call_story.test_pressing_twice_at_once_gives_one_call(site)
