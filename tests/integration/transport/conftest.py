from collections.abc import AsyncIterator

import pytest

from mediaserver.transport.config import Batching
from mediaserver.transport.front import MediaFront
from tests.integration.transport.client import Call, make_config


@pytest.fixture
async def front() -> AsyncIterator[MediaFront]:
    """A front on loopback with the usual settings."""
    front = await MediaFront.create(make_config())
    yield front
    await front.close()


@pytest.fixture(
    params=[(b, h) for b in (Batching.SENDMMSG, Batching.SENDTO) for h in ("127.0.0.1", "::1")],
    ids=lambda p: f"{p[0].value}-{p[1]}",
)
async def any_front(request: pytest.FixtureRequest) -> AsyncIterator[tuple[MediaFront, str]]:
    """Every back end on both address families, with the address to connect to."""
    batching, host = request.param
    front = await MediaFront.create(make_config(batching=batching, hosts=(host,)))
    yield front, host
    await front.close()


@pytest.fixture
async def bystander(front: MediaFront) -> AsyncIterator[Call]:
    """A call in progress that nothing done by others may disturb."""
    call = await Call.connect(front)
    assert await call.media_flows(1)
    yield call
    assert await call.media_flows(2), "the bystander was disturbed"
    await call.client.close()
