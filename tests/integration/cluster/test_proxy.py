"""Two nodes in this process: whatever node a client asks, its room's owner answers."""

from __future__ import annotations

import asyncio
import base64
import gzip
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from livekit import api
from livekit.protocol import room as proto
from livekit.protocol import rtc
from yarl import URL

from loadtest.bot import Bot
from loadtest.sound import tone
from mediaserver.room.model import LeaveReason
from signalling.auth import mint_join_token
from signalling.cluster.bridge import Bridge, BridgeCounters
from signalling.cluster.internal import HEADER, Facts, derive_secret, sign
from signalling.cluster.nodes import NodeLoad
from signalling.cluster.ownership import LEASE_TTL_S
from signalling.cluster.proxy import REASON_HEADER
from tests.integration.cluster.conftest import (
    DEADLINE_S,
    Member,
    StartMember,
    Valkey,
    eventually,
    eventually_is,
)


def token(room: str, identity: str = "ann", **more: Any) -> str:
    return mint_join_token("devkey", "secret", room=room, identity=identity, **more)


def join_request(reconnect: bool = False, sid: str = "") -> str:
    asked = rtc.JoinRequest()
    asked.connection_settings.auto_subscribe = True
    asked.client_info.protocol = 17
    asked.reconnect = reconnect
    asked.participant_sid = sid
    wrapped = rtc.WrappedJoinRequest(
        compression=rtc.WrappedJoinRequest.GZIP, join_request=gzip.compress(asked.SerializeToString())
    )
    return base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()


def connect(member: Member, room: str, identity: str = "ann", **more: Any) -> Any:
    params = {"access_token": token(room, identity), "join_request": join_request(**more)}
    return member.http.ws_connect(member.url + "/rtc/v1", params=params)


async def receive(websocket: aiohttp.ClientWebSocketResponse) -> rtc.SignalResponse | None:
    async with asyncio.timeout(DEADLINE_S):
        message = await websocket.receive()
    return rtc.SignalResponse.FromString(message.data) if message.type is aiohttp.WSMsgType.BINARY else None


@pytest.mark.slow
async def test_a_client_whose_signalling_goes_through_another_node_has_media(
    pair: tuple[Member, Member],
) -> None:
    """The SDK's signalling passes through `first`; the media goes straight to `second`, the room's owner."""
    first, second = pair
    assert (await second.cluster.ownership.claim("lesson")).node == second.id
    ann = Bot(first.url.replace("http", "ws"), token("lesson", "ann"))
    bob = Bot(second.url.replace("http", "ws"), token("lesson", "bob"))
    try:
        await ann.connect()
        await bob.connect()
        await ann.publish_microphone(tone(440, 0.5))
        await bob.publish_microphone(tone(1000, 0.5))
        await bob.wait_for_sound("ann", hz=440)
        await ann.wait_for_sound("bob", hz=1000)
        assert list(first.node.rooms.rooms) == []
        assert set(second.node.rooms.rooms["lesson"].participants) == {"ann", "bob"}
        assert first.cluster.proxy.bridge_count == 1
        assert first.node.front.stats().datagrams_received == 0
    finally:
        await asyncio.gather(ann.close(), bob.close())
    await eventually(lambda: first.cluster.proxy.bridge_count == 0)


async def test_the_join_answer_names_the_owners_media_port(pair: tuple[Member, Member]) -> None:
    first, second = pair
    await second.cluster.ownership.claim("lesson")
    async with connect(first, "lesson") as websocket:
        answer = await receive(websocket)
        assert answer is not None
        assert answer.join.room.name == "lesson"
        assert answer.join.server_info.node_id == second.node.signal.server_info.node_id
        assert [str(each) for each in second.node.rooms.rooms["lesson"].participants] == ["ann"]


async def test_a_client_resumes_by_another_node_than_it_joined_by(pair: tuple[Member, Member]) -> None:
    first, second = pair
    await second.cluster.ownership.claim("lesson")
    async with connect(first, "lesson") as websocket:
        joined = await receive(websocket)
        assert joined is not None
        sid = joined.join.participant.sid
    async with connect(second, "lesson", reconnect=True, sid=sid) as websocket:
        answer = await receive(websocket)
        assert answer is not None
        assert answer.WhichOneof("message") == "reconnect"
    async with connect(first, "lesson", reconnect=True, sid=sid) as websocket:
        answer = await receive(websocket)
        assert answer is not None
        assert answer.WhichOneof("message") == "reconnect"


@pytest.mark.parametrize("through", ["owner", "other"])
async def test_the_owners_goodbye_and_close_code_arrive(pair: tuple[Member, Member], through: str) -> None:
    first, second = pair
    await second.cluster.ownership.claim("lesson")
    async with connect(second if through == "owner" else first, "lesson") as websocket:
        assert await receive(websocket) is not None
        second.node.rooms.delete("lesson", LeaveReason.ROOM_DELETED)
        kinds = []
        while (message := await receive(websocket)) is not None:
            kinds.append(message.WhichOneof("message"))
        assert kinds[-1] == "leave"
        assert websocket.close_code == 1000


async def test_refusals_arrive_with_status_and_words(pair: tuple[Member, Member]) -> None:
    first, second = pair
    await second.cluster.ownership.claim("lesson")
    second.node.signal.draining = True
    for member in pair:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await connect(member, "lesson")
        assert refused.value.status == 503
    params = {"access_token": token("lesson"), "join_request": join_request()}
    for path in (
        "/rtc/v1",
        "/rtc/v1/validate",
    ):  # without an upgrade
        async with first.http.get(first.url + path, params=params) as answer:
            own = (426, "this is a WebSocket endpoint")
            drained = (503, "the server is shutting down and takes no new calls")
            assert (answer.status, await answer.text()) == (own if path == "/rtc/v1" else drained)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    upgrade["Sec-WebSocket-Key"] = base64.b64encode(bytes(16)).decode()
    async with first.http.get(first.url + "/rtc/v1", params=params, headers=upgrade) as answer:
        assert (answer.status, await answer.text()) == drained
        assert REASON_HEADER not in answer.headers


async def test_a_bad_token_is_refused_where_it_arrives(pair: tuple[Member, Member]) -> None:
    first, _ = pair
    async with first.http.get(first.url + "/rtc/validate", params={"access_token": "no"}) as answer:
        assert answer.status == 401
    assert first.cluster.proxy.counters.passed == 0


async def test_the_owner_sees_the_clients_address(start_member: StartMember) -> None:
    first = await start_member(trusted_proxies="127.0.0.1")
    second = await start_member()
    await second.cluster.ownership.claim("lesson")
    params = {"access_token": token("lesson"), "join_request": join_request()}
    headers = {"X-Forwarded-For": "203.0.113.9"}
    async with first.http.ws_connect(first.url + "/rtc/v1", params=params, headers=headers) as websocket:
        assert await receive(websocket) is not None
        (session,) = second.node.signal._sessions.values()
        assert session.participant.spec.client.address == "203.0.113.9"


# RoomService -------------------------------------------------------------------------------------


async def test_room_service_reaches_every_room_by_any_node(pair: tuple[Member, Member]) -> None:
    first, second = pair
    await second.cluster.ownership.claim("theirs")
    service = api.LiveKitAPI(first.url, "devkey", "secret")
    try:
        for name in ("ours", "theirs"):
            made = await service.room.create_room(proto.CreateRoomRequest(name=name, metadata=name))
            assert made.metadata == name
        assert list(first.node.rooms.rooms) == ["ours"]
        assert list(second.node.rooms.rooms) == ["theirs"]
        listed = await service.room.list_rooms(proto.ListRoomsRequest())
        assert sorted(room.name for room in listed.rooms) == ["ours", "theirs"]
        named = await service.room.list_rooms(proto.ListRoomsRequest(names=["theirs"]))
        assert [room.name for room in named.rooms] == ["theirs"]
        async with connect(second, "theirs"):
            asked = proto.RoomParticipantIdentity(room="theirs", identity="ann")
            assert (await service.room.get_participant(asked)).identity == "ann"
            with pytest.raises(api.TwirpError) as missing:
                await service.room.get_participant(proto.RoomParticipantIdentity(room="theirs", identity="x"))
            assert missing.value.code == "not_found"
            with pytest.raises(api.TwirpError) as elsewhere:
                await service.room.move_participant(
                    proto.MoveParticipantRequest(room="theirs", identity="ann", destination_room="ours")
                )
            assert elsewhere.value.code == "failed_precondition"
            moved = proto.MoveParticipantRequest(room="theirs", identity="ann", destination_room="new")
            await service.room.move_participant(moved)
            assert "ann" in second.node.rooms.rooms["new"].participants
        await service.room.delete_room(proto.DeleteRoomRequest(room="theirs"))
        assert "theirs" not in second.node.rooms.rooms
    finally:
        await service.aclose()


async def test_rooms_are_listed_in_json_too(pair: tuple[Member, Member]) -> None:
    first, second = pair
    for member, name in ((first, "a"), (second, "b")):
        await member.cluster.ownership.claim(name)
        member.node.rooms.get_or_create(name)
    grant = api.AccessToken("devkey", "secret").with_grants(api.VideoGrants(room_list=True)).to_jwt()
    async with first.http.post(
        first.url + "/twirp/livekit.RoomService/ListRooms",
        json={},
        headers={"Authorization": f"Bearer {grant}"},
    ) as answer:
        assert sorted(room["name"] for room in (await answer.json())["rooms"]) == ["a", "b"]


# Placing, loss and failure --------------------------------------------------------------------------


async def test_a_new_room_goes_where_there_is_room(pair: tuple[Member, Member]) -> None:
    first, second = pair
    async with connect(first, "near"):
        assert list(first.node.rooms.rooms) == ["near"]
    first.node.wished = NodeLoad(draining=True)
    await first.cluster.nodes.refresh()
    async with connect(first, "far") as websocket:
        assert await receive(websocket) is not None
        assert list(second.node.rooms.rooms) == ["far"]
    assert first.cluster.is_here(await first.cluster.place_room("near"))
    assert not first.cluster.is_here(await first.cluster.place_room("far"))


async def test_many_clients_at_once_by_both_nodes_meet_in_one_room(pair: tuple[Member, Member]) -> None:
    for number in range(5):
        room = f"lesson-{number}"
        sockets = await asyncio.gather(
            *(
                connect(member, room, f"{place}-{each}")
                for place, member in enumerate(pair)
                for each in range(4)
            )
        )
        sizes = [len(found.participants) for each in pair if (found := each.node.rooms.get(room))]
        assert sizes == [8]
        await asyncio.gather(*(socket.close() for socket in sockets))


async def test_nodes_that_are_all_busy_share_one_room(pair: tuple[Member, Member]) -> None:
    for member in pair:
        member.node.wished = NodeLoad(cpu=1.0)
        await member.cluster.nodes.refresh()
    for member in pair:
        await member.cluster.nodes.refresh()
    sockets = await asyncio.gather(
        *(connect(member, "lesson", f"{place}") for place, member in enumerate(pair))
    )
    sizes = [len(found.participants) for each in pair if (found := each.node.rooms.get("lesson"))]
    assert sizes == [2]
    assert sum(member.cluster.ownership.owns("lesson") is not None for member in pair) == 1
    await asyncio.gather(*(socket.close() for socket in sockets))


@pytest.mark.slow
async def test_a_dead_nodes_room_is_served_anew_when_its_lease_ends(pair: tuple[Member, Member]) -> None:
    first, second = pair
    await second.cluster.ownership.claim("lesson")
    websocket = await connect(first, "lesson")
    assert await receive(websocket) is not None
    old = second.cluster.ownership.owns("lesson")
    assert old is not None
    await die(second)
    died = time.monotonic()
    while await receive(websocket) is not None:
        pass
    noticed_s = time.monotonic() - died
    websocket = await connect(first, "lesson")
    back_s = time.monotonic() - died
    assert await receive(websocket) is not None
    new = first.cluster.ownership.owns("lesson")
    assert new is not None
    assert new.token > old.token
    print(f"noticed after {noticed_s:.2f} s, served anew after {back_s:.2f} s")
    assert back_s < 2 * LEASE_TTL_S
    await websocket.close()


async def die(member: Member) -> None:
    """As far as others see, the process is gone: no port, no renewal, nothing given back."""
    task = member.cluster.ownership._task
    assert task is not None
    task.cancel()
    for session in list(member.node.signal._sessions.values()):
        assert session._connection is not None
    server = member.node._runner.server
    assert server is not None
    for protocol in list(server.connections):
        protocol.force_close()
    for site in list(member.node._runner.sites):
        await site.stop()


async def test_a_node_that_lost_its_room_ends_it(pair: tuple[Member, Member], valkey: Valkey) -> None:
    """Here by a flush, with Redis as the only store; after a long sleep it is the same."""
    first, second = pair
    await second.cluster.ownership.claim("lesson")
    async with connect(second, "lesson") as websocket:
        assert await receive(websocket) is not None
        await valkey.flush()
        first.cluster.ownership._remembered.clear()
        await first.cluster.ownership.claim("lesson")
        while (message := await receive(websocket)) is not None:
            last = message
        assert last.leave.reason == LeaveReason.SERVER_SHUTDOWN.value
    assert second.cluster.ownership.losses == 1
    async with connect(second, "lesson") as websocket:  # by the old owner to the new one
        assert await receive(websocket) is not None
        assert "ann" in first.node.rooms.rooms["lesson"].participants


async def test_an_unused_room_is_given_back(
    pair: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair
    monkeypatch.setattr("signalling.cluster.ownership.UNUSED_S", 0.0)
    await first.cluster.ownership.claim("lesson")
    await eventually(lambda: "lesson" not in first.cluster.ownership.held)
    await eventually_is(lambda: second.cluster.ownership.find("lesson"), None)


# Trust between nodes ------------------------------------------------------------------------------


async def test_only_nodes_may_speak_for_clients(pair: tuple[Member, Member]) -> None:
    first, second = pair
    secret = derive_secret(second.node.settings.secrets)
    path = "/rtc/validate?access_token=" + token("lesson")
    good = Facts(
        sender=first.id, receiver=second.id, client="203.0.113.9", host="h", scheme="http", claim=True
    )
    now = time.time()
    forged = {
        "unsigned": "abc.def",
        "another secret": sign(b"x", good, "GET", path, b"", now),
        "another node": sign(secret, replace(good, receiver=first.id), "GET", path, b"", now),
        "another request": sign(secret, good, "GET", path + "x", b"", now),
        "old": sign(secret, good, "GET", path, b"", now - 60),
    }
    for name, header in forged.items():
        async with first.http.get(URL(second.url + path, encoded=True), headers={HEADER: header}) as answer:
            assert answer.status == 403, name
    assert second.cluster.proxy.counters.forged == len(forged)
    header = sign(secret, good, "GET", path, b"", now)
    async with first.http.get(URL(second.url + path, encoded=True), headers={HEADER: header}) as answer:
        assert answer.status == 200


# The bridge alone ------------------------------------------------------------------------------------


class Backend:
    """An owner, as seen by the bridge, that does what a test says."""

    def __init__(self) -> None:
        self.closed_with: int | None = None
        self.sent = 0
        self.websocket = web.WebSocketResponse()
        self.request: web.Request | None = None

    async def owner(self, request: web.Request) -> web.WebSocketResponse:
        self.request = request
        await self.websocket.prepare(request)
        async for message in self.websocket:
            if message.data == "flood":
                block = bytes(1 << 16)
                while True:
                    await self.websocket.send_bytes(block)
                    self.sent += 1
            await self.websocket.send_str(f"echo {message.data}")
        self.closed_with = self.websocket.close_code
        return self.websocket

    async def front(self, request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse(max_msg_size=1 << 20)
        async with aiohttp.ClientSession() as http:
            upstream = await http.ws_connect(
                f"http://{request.host}/owner", autoclose=False, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)
            )
            await client.prepare(request)
            assert request.transport is not None
            await Bridge(client, upstream, request.transport.abort, self.counters).run()
        return client

    counters = BridgeCounters()


@pytest.fixture
async def backend() -> AsyncIterator[tuple[Backend, aiohttp.ClientWebSocketResponse]]:
    backend = Backend()
    backend.counters = BridgeCounters()
    app = web.Application()
    app.add_routes([web.get("/owner", backend.owner), web.get("/front", backend.front)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"http://127.0.0.1:{runner.addresses[0][1]}/front") as websocket,
    ):
        await websocket.send_str("hello")
        assert (await websocket.receive()).data == "echo hello"
        yield backend, websocket
    await runner.cleanup()


Joined = tuple[Backend, aiohttp.ClientWebSocketResponse]


async def test_the_owners_close_code_and_reason_are_kept(backend: Joined) -> None:
    owner, client = backend
    closing = asyncio.create_task(owner.websocket.close(code=4321, message=b"for a reason"))
    message = await client.receive()
    assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4321, "for a reason")
    await closing


async def test_the_clients_close_code_is_kept(backend: Joined) -> None:
    owner, client = backend
    await client.close(code=4002)
    await eventually(lambda: owner.closed_with == 4002)


async def test_an_owner_that_breaks_off_breaks_the_client_off(backend: Joined) -> None:
    owner, client = backend
    assert owner.request is not None
    assert owner.request.transport is not None
    owner.request.transport.abort()
    message = await client.receive()
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert client.close_code == 1006


async def test_a_client_that_breaks_off_leaves_the_owner(backend: Joined) -> None:
    owner, client = backend
    client._conn.transport.abort()  # type: ignore[union-attr]
    await eventually(lambda: owner.closed_with is not None)


async def test_a_slow_reader_slows_the_sender(backend: Joined) -> None:
    """What the owner could send beyond what the client read stays within the sockets' buffers."""
    owner, client = backend
    await client.send_str("flood")
    before = -1
    while owner.sent != before:  # until it cannot send any more
        before = owner.sent
        await asyncio.sleep(0.3)
    assert 0 < owner.sent < 512  # 32 MB; the buffers of three sockets hold a few
    passed = owner.counters.messages
    assert passed < 512
    for _ in range(50):
        await client.receive()
    await eventually(lambda: owner.sent > before)
