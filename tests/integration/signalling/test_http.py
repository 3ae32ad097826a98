"""Pages, health, metrics, development tokens, RoomService, TLS and the end of a server."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import io
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import redirect_stderr
from pathlib import Path

import aiohttp
import pytest
from livekit import api
from livekit.protocol import models, rtc
from livekit.protocol import room as room_proto
from yarl import URL

from mediaserver.room.model import Identity
from signalling.auth import verify_token
from signalling.certificates import ensure_local_certificate
from signalling.errors import ConfigurationError
from signalling.logs import configure_logging
from signalling.settings import DEVELOPMENT_KEYS, LogSettings
from tests.integration.signalling.conftest import DEADLINE_S, Server, StartServer, join_token

KEYS = "mykey: 3q2+7wAbCdEfGhIjKlMnOpQrStUvWxYz0123"


class TestPages:
    async def test_page_with_strict_headers(self, server: Server) -> None:
        async with server.http.get(f"{server.url}/") as answer:
            assert answer.status == 200
            assert answer.content_type == "text/html"
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-cache"
            etag = answer.headers["ETag"]
        async with server.http.get(f"{server.url}/", headers={"If-None-Match": etag}) as answer:
            assert answer.status == 304

    async def test_nothing_outside_the_page(self, server: Server) -> None:
        for path in (
            "/../pyproject.toml",
            "/%2e%2e/pyproject.toml",
            "/assets/../../pyproject.toml",
            "/nothing",
        ):
            url = URL(server.url + path, encoded=True)
            async with server.http.get(url) as answer:
                assert answer.status == 404, path
                assert answer.headers["X-Content-Type-Options"] == "nosniff"


class TestHealth:
    async def test_health_and_metrics(self, server: Server) -> None:
        for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
            async with server.http.get(server.url + path) as answer:
                assert (answer.status, (await answer.json())["status"]) == (200, status)
        async with server.connect() as client:
            await client.until("join")
            async with server.http.get(f"{server.url}/metrics") as answer:
                text = await answer.text()
        assert "raisehand_rooms 1.0" in text
        assert "raisehand_participants 1.0" in text
        assert "raisehand_signal_joins_total 1.0" in text
        assert "raisehand_datagrams_received_total" in text
        assert "process_cpu_seconds_total" in text


class TestDevelopmentTokens:
    async def test_token_that_joins(self, server: Server) -> None:
        body = {"room": "lesson", "name": "小明"}
        async with server.http.post(f"{server.url}/dev/token", json=body) as answer:
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "no-store"
            minted = await answer.json()
        grants = verify_token(minted["token"], DEVELOPMENT_KEYS)
        assert (grants.room, grants.name, grants.identity) == ("lesson", "小明", minted["identity"])
        assert minted["url"] == server.url.replace("http", "ws")
        async with server.connect(token=minted["token"]) as client:
            assert (await client.until("join")).participant.name == "小明"

    async def test_identity_is_kept(self, server: Server) -> None:
        body = {"room": "lesson", "name": "A", "identity": "mine"}
        async with server.http.post(f"{server.url}/dev/token", json=body) as answer:
            assert (await answer.json())["identity"] == "mine"

    @pytest.mark.parametrize(
        ("body", "headers", "status"),
        [
            ("{}", {}, 400),
            ("[]", {}, 400),
            ("{", {}, 400),
            ('{"room": 1}', {}, 400),
            (json.dumps({"room": "x" * 300}), {}, 400),
            ('{"room": "a"}', {"Content-Type": "text/plain"}, 415),
            ('{"room": "a"}', {"Origin": "https://evil.example"}, 403),
        ],
    )
    async def test_refused(self, server: Server, body: str, headers: dict[str, str], status: int) -> None:
        headers = {"Content-Type": "application/json", **headers}
        async with server.http.post(f"{server.url}/dev/token", data=body, headers=headers) as answer:
            assert answer.status == status
            assert (await answer.json())["error"]

    async def test_get_tells_the_page_that_there_are_tokens(self, server: Server) -> None:
        async with server.http.get(f"{server.url}/dev/token") as answer:
            assert answer.status == 200  # anything else would stand as an error in the page's console

    async def test_sample_students_get_platform_tokens(self, server: Server) -> None:
        async with server.http.get(f"{server.url}/dev/students") as answer:
            first = (await answer.json())["items"][0]
        address = f"{server.url}/dev/platform-token"
        async with server.http.post(address, json={"student": first["id"]}) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            token = (await answer.json())["token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with server.http.get(f"{server.url}/v1/me", headers=headers) as answer:
            me = await answer.json()
        assert (me["id"], me["name"], me["role"]) == (first["id"], first["name"], "student")
        foreign = {"Origin": "https://evil.example"}
        for body, more, status in (
            ({"student": "nobody"}, {}, 400),
            ({"student": first["id"]}, foreign, 403),
        ):
            async with server.http.post(address, json=body, headers=more) as answer:
                assert answer.status == status

    async def test_only_in_development(self, start_server: StartServer) -> None:
        server = await start_server(dev=False, host="127.0.0.1", api_keys=KEYS)
        for method in ("GET", "POST"):
            async with server.http.request(method, f"{server.url}/dev/token", json={"room": "a"}) as answer:
                assert answer.status in (404, 405)
                if method == "GET":
                    assert answer.status == 404
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with server.connect():  # devkey means nothing here
                pass


class TestRoomService:
    async def test_life_of_a_room(self, server: Server) -> None:
        async with api.LiveKitAPI(server.url, "devkey", "secret") as client:
            created = await client.room.create_room(
                api.CreateRoomRequest(name="lesson", metadata="m", empty_timeout=60, max_participants=5)
            )
            assert (created.name, created.metadata, created.max_participants) == ("lesson", "m", 5)
            listed = await client.room.list_rooms(api.ListRoomsRequest())
            assert [room.sid for room in listed.rooms] == [created.sid]
            listed = await client.room.list_rooms(api.ListRoomsRequest(names=["other"]))
            assert not listed.rooms
            await client.room.update_room_metadata(
                api.UpdateRoomMetadataRequest(room="lesson", metadata="changed")
            )
            async with server.connect() as ann:
                join = await ann.until("join")
                assert join.room.metadata == "changed"
                listed_participants = await client.room.list_participants(
                    api.ListParticipantsRequest(room="lesson")
                )
                assert [info.identity for info in listed_participants.participants] == ["ann"]
                info = await client.room.get_participant(
                    api.RoomParticipantIdentity(room="lesson", identity="ann")
                )
                assert info.sid == join.participant.sid
                await client.room.delete_room(api.DeleteRoomRequest(room="lesson"))
                leave = await ann.until("leave")
                assert leave.reason == models.DisconnectReason.ROOM_DELETED

    async def test_what_it_does_to_participants(self, server: Server) -> None:
        async with (
            api.LiveKitAPI(server.url, "devkey", "secret") as client,
            server.connect() as ann,
            server.connect(identity="bob") as bob,
        ):
            await ann.until("join")
            await bob.until("join")
            await ann.send(add_track=rtc.AddTrackRequest(cid="c", type=models.TrackType.AUDIO))
            sid = (await ann.until("track_published")).track.sid
            muted = await client.room.mute_published_track(
                api.MuteRoomTrackRequest(room="lesson", identity="ann", track_sid=sid, muted=True)
            )
            assert muted.track.muted
            assert (await ann.until("mute")).muted
            permission = models.ParticipantPermission(can_subscribe=True)
            updated = await client.room.update_participant(
                api.UpdateParticipantRequest(
                    room="lesson", identity="ann", name="Ann", attributes={"a": "1"}, permission=permission
                )
            )
            assert (updated.name, dict(updated.attributes), updated.permission.can_publish) == (
                "Ann", {"a": "1"}, False,
            )  # fmt: skip
            await client.room.update_subscriptions(
                api.UpdateSubscriptionsRequest(
                    room="lesson", identity="bob", track_sids=[sid], subscribe=False
                )
            )
            await client.room.send_data(
                api.SendDataRequest(room="lesson", data=b"x", kind=models.DataPacket.RELIABLE, topic="t")
            )
            await client.room.move_participant(
                api.MoveParticipantRequest(room="lesson", identity="bob", destination_room="office")
            )
            moved = await bob.until("room_moved")
            assert moved.room.name == "office"
            assert verify_token(moved.token, DEVELOPMENT_KEYS).room == "office"
            await client.room.remove_participant(api.RoomParticipantIdentity(room="lesson", identity="ann"))
            leave = await ann.until("leave")
            assert leave.reason == models.DisconnectReason.PARTICIPANT_REMOVED

    async def call(
        self, server: Server, method: str, body: object, *, token: str | None = None, kind: str = "json"
    ) -> tuple[int, dict[str, object]]:
        grants = api.VideoGrants(room_admin=True, room="lesson")
        made = token or api.AccessToken("devkey", "secret").with_grants(grants).to_jwt()
        async with server.http.post(
            f"{server.url}/twirp/livekit.RoomService/{method}",
            data=body if isinstance(body, bytes) else json.dumps(body),
            headers={"Authorization": f"Bearer {made}", "Content-Type": f"application/{kind}"},
        ) as answer:
            return answer.status, await answer.json()

    async def test_json_in_both_spellings(self, server: Server) -> None:
        grants = api.VideoGrants(room_create=True, room_list=True)
        token = api.AccessToken("devkey", "secret").with_grants(grants).to_jwt()
        status, room = await self.call(
            server, "CreateRoom", {"name": "lesson", "maxParticipants": 3, "newField": 1}, token=token
        )
        assert (status, room["max_participants"], room["num_participants"]) == (200, 3, 0)
        status, listed = await self.call(server, "ListRooms", {}, token=token)
        assert (status, len(listed["rooms"])) == (200, 1)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("method", "body", "status", "code"),
        [
            ("Nothing", {}, 404, "bad_route"),
            ("CreateRoom", {"name": "x"}, 403, "permission_denied"),
            ("ListRooms", {}, 403, "permission_denied"),
            ("ListParticipants", {"room": "other"}, 403, "permission_denied"),
            ("ListParticipants", {"room": "lesson"}, 404, "not_found"),
            ("GetParticipant", {"room": "lesson", "identity": "x"}, 404, "not_found"),
            ("MoveParticipant", {"room": "lesson", "destinationRoom": "other"}, 403, "permission_denied"),
            ("SendData", {"room": "lesson", "nonce": "eA=="}, 400, "invalid_argument"),
            ("SendData", {"room": ["lesson"]}, 400, "malformed"),
            ("SendData", b"{", 400, "malformed"),
        ],
    )
    async def test_errors(self, server: Server, method: str, body: object, status: int, code: str) -> None:
        got, error = await self.call(server, method, body)
        assert (got, error["code"]) == (status, code)
        assert error["msg"]

    async def test_bodies_and_tokens_that_are_refused(self, server: Server) -> None:
        status, error = await self.call(server, "SendData", b"\xff\xff", kind="protobuf")
        assert (status, error["code"]) == (400, "malformed")
        status, error = await self.call(server, "SendData", {}, kind="xml")
        assert (status, error["code"]) == (404, "bad_route")
        status, error = await self.call(server, "SendData", {}, token="x.y.z")
        assert (status, error["code"]) == (401, "unauthenticated")
        status, error = await self.call(server, "SendData", b"x" * 2_000_000)
        assert (status, error["code"]) == (429, "resource_exhausted")
        async with server.http.get(f"{server.url}/twirp/livekit.RoomService/ListRooms") as answer:
            assert answer.status == 404

    async def test_a_join_token_administers_nothing(self, server: Server) -> None:
        status, error = await self.call(
            server, "ListParticipants", {"room": "lesson"}, token=join_token("lesson", "ann")
        )
        assert (status, error["code"]) == (403, "permission_denied")

    async def test_protobuf_of_livekits_types(self, server: Server) -> None:
        grants = api.VideoGrants(room_list=True)
        token = api.AccessToken("devkey", "secret").with_grants(grants).to_jwt()
        async with server.http.post(
            f"{server.url}/twirp/livekit.RoomService/ListRooms",
            data=room_proto.ListRoomsRequest().SerializeToString(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/protobuf"},
        ) as answer:
            assert answer.content_type == "application/protobuf"
            room_proto.ListRoomsResponse.FromString(await answer.read())


class TestTls:
    async def test_local_certificate(self, start_server: StartServer) -> None:
        server = await start_server(dev_tls=True)
        assert server.node.listening.authority is not None
        context = ssl.create_default_context(cafile=str(server.node.listening.authority))
        async with server.http.get(f"{server.url}/healthz", ssl=context) as answer:
            assert answer.status == 200
            assert "Strict-Transport-Security" not in answer.headers
        async with server.http.get(f"{server.url}/dev/ca.crt", ssl=context) as answer:
            assert answer.content_type == "application/x-x509-ca-cert"
            assert b"BEGIN CERTIFICATE" in await answer.read()
        async with server.http.post(f"{server.url}/dev/token", json={"room": "a"}, ssl=context) as answer:
            assert (await answer.json())["url"].startswith("wss://")

    async def test_certificate_of_ones_own(self, start_server: StartServer, tmp_path: Path) -> None:
        now = datetime.datetime.now(datetime.UTC)
        files = ensure_local_certificate(tmp_path / "own", ["127.0.0.1"], now=now)
        server = await start_server(
            dev=False,
            host="127.0.0.1",
            api_keys=KEYS,
            tls_cert=files.certificate,
            tls_key=files.key,
        )
        context = ssl.create_default_context(cafile=str(files.authority))
        async with server.http.get(f"{server.url}/", ssl=context) as answer:
            assert answer.status == 200
            assert "max-age" in answer.headers["Strict-Transport-Security"]
            assert "aiohttp" not in answer.headers["Server"]
        with pytest.raises(ConfigurationError, match="tls_cert and tls_key cannot be used"):
            await start_server(
                dev=False, host="127.0.0.1", api_keys=KEYS, tls_cert=files.key, tls_key=files.key
            )


class TestEnd:
    async def test_drain_lets_calls_go_on(self, server: Server) -> None:
        async with server.connect() as ann:
            sid = (await ann.until("join")).participant.sid
            draining = asyncio.create_task(server.node.drain())
            await asyncio.sleep(0)
            async with server.http.get(f"{server.url}/readyz") as answer:
                assert answer.status == 503
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with server.connect(room="new"):
                    pass
            assert refused.value.status == 503
            async with server.connect(identity="bob") as bob:  # joining a call in progress is no new call
                await bob.until("join")
                await bob.send(leave=rtc.LeaveRequest())
                await bob.until_closed()
            request = rtc.JoinRequest(reconnect=True, participant_sid=sid)
            async with server.connect(request=request) as again:
                await again.until("reconnect")
                assert not draining.done()
                await again.send(leave=rtc.LeaveRequest())
                await again.until_closed()
            async with asyncio.timeout(5):
                await draining

    async def test_stop_tells_clients_to_come_back(self, server: Server) -> None:
        async with server.connect() as ann:
            await ann.until("join")
            stopping = asyncio.create_task(server.node.stop())
            leave = await ann.until("leave")
            assert leave.reason == models.DisconnectReason.SERVER_SHUTDOWN
            assert leave.action == rtc.LeaveRequest.RECONNECT
            await ann.until_closed()
            async with asyncio.timeout(5):
                await stopping


async def test_no_token_is_ever_logged(start_server: StartServer) -> None:
    output = io.StringIO()
    with redirect_stderr(output):
        configure_logging(LogSettings(format="json", level="debug"))
        server = await start_server()
        token = join_token("lesson", "ann")
        async with server.connect(token=token) as client:
            join = await client.until("join")
            refreshed = await client.until("refresh_token")
        await server.eventually(
            lambda: server.node.rooms.rooms["lesson"].participants[Identity("ann")].signal_lost_at is not None
        )
        async with server.http.get(f"{server.url}/rtc/validate", params={"access_token": token}):
            pass
    text = output.getvalue()
    assert token not in text
    assert refreshed not in text
    assert "secret" not in text.replace("secrets", "")
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert any(line.get("path") == "/rtc/validate" for line in lines)
    assert any(
        line.get("room") == "lesson"
        and line.get("participant") == "ann"
        and line.get("sid") == join.participant.sid
        for line in lines
    )


class TestSlowClients:
    """Whoever sends a byte now and then holds no connection for long."""

    async def test_a_header_that_never_ends(self, start_server: StartServer) -> None:
        server = await start_server(limits={"request_header_s": 0.5})
        reader, writer = await asyncio.open_connection("127.0.0.1", server.node.listening.port)
        began = asyncio.get_running_loop().time()
        writer.write(b"GET /healthz HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"X-Slow: 1\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        try:
            async with asyncio.timeout(DEADLINE_S):
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
        finally:
            dripping.cancel()
            writer.close()
        assert asyncio.get_running_loop().time() - began >= 0.4

    async def test_a_body_that_never_ends(self, start_server: StartServer) -> None:
        server = await start_server(limits={"request_body_s": 0.3})

        async def drip() -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.05)

        url = f"{server.url}/v1/login"
        headers = {"Content-Type": "application/json"}
        async with asyncio.timeout(DEADLINE_S), server.http.post(url, data=drip(), headers=headers) as answer:
            assert answer.status == 408
            assert (await answer.json())["code"] == "too_slow"
