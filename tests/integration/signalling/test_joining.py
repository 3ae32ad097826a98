"""Joining, resuming, being sent away: over real WebSockets, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from base64 import urlsafe_b64encode
from dataclasses import replace

import aiohttp
import pytest
from livekit.protocol import models, rtc

from mediaserver.room.model import Identity, Permissions
from signalling.auth import mint_join_token
from tests.integration.signalling.conftest import Server, StartServer, join_request, join_token

Action = rtc.LeaveRequest
Reason = models.DisconnectReason


async def refusal(server: Server, path: str, **params: str) -> tuple[int, str]:
    async with server.http.get(server.url + path, params=params) as answer:
        return answer.status, await answer.text()


class TestJoining:
    @pytest.mark.parametrize("single", [True, False])
    async def test_join_response_comes_first(self, server: Server, single: bool) -> None:
        async with server.connect(single=single) as client:
            first = await client.receive()
            assert first is not None
            assert first.join.participant.identity == "ann"
            assert first.join.subscriber_primary is not single
            if not single:
                offer = await client.until("offer")
                assert offer.sdp.startswith("v=0")

    async def test_token_in_the_header(self, server: Server) -> None:
        headers = {"Authorization": f"Bearer {join_token('lesson', 'bob')}"}
        async with server.connect(token="", headers=headers) as client:
            join = await client.until("join")
            assert join.participant.identity == "bob"

    async def test_others_hear_of_it(self, server: Server) -> None:
        async with server.connect(identity="ann") as ann:
            await ann.until("join")
            async with server.connect(identity="bob") as bob:
                join = await bob.until("join")
                assert [other.identity for other in join.other_participants] == ["ann"]
                update = await ann.until("update")
                assert update.participants[0].identity == "bob"
                await bob.send(leave=rtc.LeaveRequest())
                code, _ = await bob.until_closed()
                assert code == 1000
            update = await ann.until("update")
            assert update.participants[0].state == models.ParticipantInfo.DISCONNECTED

    async def test_large_join_request(self, server: Server) -> None:
        padding = rtc.JoinRequest(
            metadata="".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(15_000)),
        )
        token = join_token("lesson", "ann")
        encoded = join_request(padding)
        assert 30_000 < len(encoded) < 60_000
        async with server.http.ws_connect(
            f"{server.url}/rtc/v1", params={"access_token": token, "join_request": encoded}
        ) as websocket:
            message = await websocket.receive()
            join = rtc.SignalResponse.FromString(message.data).join
            assert len(join.participant.metadata) == 15_000

    async def test_duplicate_identity(self, server: Server) -> None:
        async with server.connect() as first:
            await first.until("join")
            async with server.connect() as second:
                await second.until("join")
                leave = await first.until("leave")
                assert (leave.reason, leave.action) == (Reason.DUPLICATE_IDENTITY, Action.DISCONNECT)
                code, _ = await first.until_closed()
                assert code == 1000
                assert len(server.node.rooms.rooms["lesson"].participants) == 1

    async def test_turn_credentials(self, start_server: StartServer) -> None:
        server = await start_server(turn={"urls": "turn:turn.example.org:3478", "secret": "shared"})
        async with server.connect() as client:
            (ice,) = (await client.until("join")).ice_servers
            assert list(ice.urls) == ["turn:turn.example.org:3478"]
            assert ice.username.endswith(":" + client.last("join").participant.sid)

    async def test_v1_off_makes_clients_fall_back(self, start_server: StartServer) -> None:
        server = await start_server(signal={"v1": False})
        for path in ("/rtc/v1", "/rtc/v1/validate"):
            assert (await refusal(server, path))[0] == 404
        async with server.connect(single=False) as client:
            await client.until("join")

    async def test_plain_get_is_told_to_upgrade(self, server: Server) -> None:
        status, _ = await refusal(server, "/rtc", access_token=join_token("lesson", "ann"))
        assert status == 426


class TestRefusals:
    @pytest.mark.parametrize("path", ["/rtc/v1", "/rtc"])
    async def test_without_a_token(self, server: Server, path: str) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await server.http.ws_connect(server.url + path)
        assert refused.value.status == 401

    async def test_validate_says_what_is_wrong(self, server: Server) -> None:
        good = join_token("lesson", "ann")
        assert await refusal(server, "/rtc/validate", access_token=good) == (200, "success")
        single = join_request()
        path = "/rtc/v1/validate"
        assert await refusal(server, path, access_token=good, join_request=single) == (200, "success")
        assert (await refusal(server, path, access_token=good))[0] == 400
        assert (await refusal(server, path, access_token=good, join_request="###"))[0] == 400
        status, text = await refusal(server, "/rtc/validate", access_token="x.y.z")
        assert (status, text) == (401, "the access token cannot be read")
        long = join_token("r" * 300, "ann")
        assert (await refusal(server, "/rtc/validate", access_token=long))[0] == 400

    async def test_bomb(self, server: Server) -> None:
        wrapped = rtc.WrappedJoinRequest(
            compression=rtc.WrappedJoinRequest.GZIP, join_request=gzip.compress(bytes(20_000_000))
        )
        encoded = urlsafe_b64encode(wrapped.SerializeToString()).decode()
        token = join_token("lesson", "ann")
        status, text = await refusal(server, "/rtc/v1/validate", access_token=token, join_request=encoded)
        assert status == 400
        assert "larger than" in text

    async def test_too_long_a_request_line(self, server: Server) -> None:
        token = join_token("lesson", "ann")
        status, _ = await refusal(server, "/rtc/v1", access_token=token, join_request="A" * 70_000)
        assert status in (400, 414)

    async def test_own_metadata_needs_the_right(self, server: Server) -> None:
        token = join_token("lesson", "ann", permissions=Permissions())
        encoded = join_request(rtc.JoinRequest(metadata="mine"))
        status, _ = await refusal(server, "/rtc/v1/validate", access_token=token, join_request=encoded)
        assert status == 401

    async def test_full_room(self, start_server: StartServer) -> None:
        server = await start_server(limits={"participants_per_room": 1})
        async with server.connect(identity="ann") as ann:
            await ann.until("join")
            status, text = await refusal(server, "/rtc/validate", access_token=join_token("lesson", "bob"))
            assert status == 403
            assert "full" in text
            with pytest.raises(aiohttp.WSServerHandshakeError):
                async with server.connect(identity="bob"):
                    pass
            async with server.connect(identity="ann") as again:  # one's own place may be taken over
                await again.until("join")

    async def test_full_node(self, start_server: StartServer) -> None:
        server = await start_server(limits={"participants_per_node": 1})
        async with server.connect(room="a") as client:
            await client.until("join")
            status, _ = await refusal(server, "/rtc/validate", access_token=join_token("b", "bob"))
            assert status == 503
            async with server.http.get(f"{server.url}/readyz") as answer:
                assert answer.status == 503

    async def test_too_many_joins(self, start_server: StartServer) -> None:
        server = await start_server(limits={"joins_per_s": 1, "join_burst": 2})
        for identity in ("a", "b"):
            async with server.connect(identity=identity) as client:
                await client.until("join")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with server.connect(identity="c"):
                pass
        assert refused.value.status == 429

    async def test_one_participant_joining_over_and_over(self, start_server: StartServer) -> None:
        server = await start_server(limits={"joins_per_participant_per_s": 1, "participant_join_burst": 3})
        for _ in range(3):
            async with server.connect(identity="ann") as client:
                await client.until("join")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with server.connect(identity="ann"):
                pass
        assert refused.value.status == 429
        async with server.connect(identity="bob") as client:
            await client.until("join")

    async def test_origins(self, start_server: StartServer) -> None:
        server = await start_server(allowed_origin=("https://school.example.org",))
        async with server.connect(headers={"Origin": "https://school.example.org"}) as client:
            await client.until("join")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with server.connect(headers={"Origin": "https://evil.example.org"}):
                pass
        assert refused.value.status == 403
        async with server.connect() as client:  # apps and bots send no origin
            await client.until("join")


class TestCors:
    async def test_open_by_default(self, server: Server) -> None:
        headers = {"Origin": "https://school.example.org"}
        for params in ({"access_token": join_token("lesson", "ann")}, {}):
            async with server.http.get(
                f"{server.url}/rtc/validate", params=params, headers=headers
            ) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
        async with server.http.options(f"{server.url}/rtc/v1/validate", headers=headers) as answer:
            assert answer.status == 204
            assert "authorization" in answer.headers["Access-Control-Allow-Headers"]

    async def test_only_allowed_origins(self, start_server: StartServer) -> None:
        server = await start_server(allowed_origin=("https://a.example",))
        for origin, expected in (("https://a.example", "https://a.example"), ("https://b.example", None)):
            async with server.http.get(f"{server.url}/rtc/validate", headers={"Origin": origin}) as answer:
                assert answer.headers.get("Access-Control-Allow-Origin") == expected


def resume_request(sid: str, **more: object) -> rtc.JoinRequest:
    return rtc.JoinRequest(reconnect=True, participant_sid=sid, **more)  # type: ignore[arg-type]


class TestResuming:
    async def test_same_participant_over_a_new_connection(self, server: Server) -> None:
        async with server.connect(identity="bob") as bob:
            await bob.until("join")
            async with server.connect() as first:
                sid = (await first.until("join")).participant.sid
            room = server.node.rooms.rooms["lesson"]
            participant = room.participants[Identity("ann")]
            await server.eventually(lambda: participant.signal_lost_at is not None)
            async with server.connect(request=resume_request(sid)) as second:
                response = await second.receive()
                assert response is not None
                assert response.WhichOneof("message") == "reconnect"
                update = await second.until("update")
                assert {info.identity for info in update.participants} == {"ann", "bob"}
                assert room.participants[Identity("ann")] is participant
                assert participant.signal_lost_at is None
                kinds = [message.WhichOneof("message") for message in bob.seen]
                assert "update" not in kinds[2:]

    async def test_resume_while_the_old_connection_is_half_dead(self, server: Server) -> None:
        async with server.connect() as first:
            sid = (await first.until("join")).participant.sid
            async with server.connect(request=resume_request(sid)) as second:
                await second.until("reconnect")
                code, _ = await first.until_closed()
                assert code == 1000
                await second.send(ping_req=rtc.Ping(timestamp=1))
                await second.until("pong_resp")
                assert len(server.node.rooms.rooms["lesson"].participants) == 1

    async def test_dual_resume_by_query(self, server: Server) -> None:
        async with server.connect(single=False) as first:
            sid = (await first.until("join")).participant.sid
        async with server.connect(single=False, reconnect="1", sid=sid) as second:
            await second.until("reconnect")

    async def test_unknown_sid_has_to_join_anew(self, server: Server) -> None:
        async with server.connect(request=resume_request("PA_unknown")) as client:
            leave = await client.until("leave")
            assert (leave.reason, leave.action) == (Reason.STATE_MISMATCH, Action.RECONNECT)
            assert len(client.seen) == 1
            await client.until_closed()

    async def test_nobody_resumes_as_another(self, server: Server) -> None:
        async with server.connect() as ann:
            sid = (await ann.until("join")).participant.sid
            async with server.connect(identity="eve", request=resume_request(sid)) as eve:
                leave = await eve.until("leave")
                assert leave.reason == Reason.STATE_MISMATCH
            async with server.connect(room="other", request=resume_request(sid)) as elsewhere:
                leave = await elsewhere.until("leave")
                assert leave.reason == Reason.STATE_MISMATCH
            await ann.send(ping_req=rtc.Ping(timestamp=1))
            await ann.until("pong_resp")

    async def test_who_was_put_out_is_told_so(self, server: Server) -> None:
        async with server.connect() as client:
            sid = (await client.until("join")).participant.sid
            server.node.rooms.delete("lesson")
            leave = await client.until("leave")
            assert leave.reason == Reason.ROOM_DELETED
        async with server.connect(request=resume_request(sid)) as again:
            leave = await again.until("leave")
            assert (leave.reason, leave.action) == (Reason.ROOM_DELETED, Action.DISCONNECT)

    async def test_window_closes(self, start_server: StartServer) -> None:
        server = await start_server(signal={"resume_window_s": 0.2})
        async with server.connect(identity="bob") as bob:
            await bob.until("join")
            async with server.connect() as ann:
                await ann.until("join")
            update = await bob.until("update")
            while update.participants[0].state != models.ParticipantInfo.DISCONNECTED:
                update = await bob.until("update")
            assert update.participants[0].disconnect_reason == Reason.SIGNAL_CLOSE


class TestLimits:
    async def test_large_message_names_the_limit(self, start_server: StartServer) -> None:
        server = await start_server(limits={"signal_message_bytes": 10_000})
        async with server.connect() as client:
            await client.until("join")
            await client.websocket.send_bytes(bytes(20_000))
            response = await client.until("request_response")
            assert response.reason == rtc.RequestResponse.LIMIT_EXCEEDED
            assert "10000 bytes" in response.message
            code, _ = await client.until_closed()
            assert code == 1008
            assert client.last("leave").action == Action.DISCONNECT

    async def test_huge_message_is_not_even_read(self, server: Server) -> None:
        async with server.connect() as client:
            await client.until("join")
            with contextlib.suppress(ConnectionError):  # cut off before all of it is sent
                await client.websocket.send_bytes(bytes(8_000_000))
            code, _ = await client.until_closed()
            assert code in (1009, 1006)  # the close frame may be lost in the reset

    async def test_no_compression_is_agreed(self, server: Server) -> None:
        async with server.http.ws_connect(
            f"{server.url}/rtc",
            params={"access_token": join_token("lesson", "ann")},
            compress=15,
        ) as websocket:
            assert websocket.compress == 0

    async def test_flood(self, start_server: StartServer) -> None:
        server = await start_server(limits={"signal_messages_per_s": 10, "signal_message_burst": 50})
        async with server.connect() as client:
            await client.until("join")
            for _ in range(200):
                try:
                    await client.send(ping=1)
                except ConnectionError:
                    break
            code, _ = await client.until_closed()
            assert code == 1008
            assert "signalling messages a second" in client.last("request_response").message
        assert server.node.rooms.participant_count == 0

    async def test_garbage(self, server: Server) -> None:
        async with server.connect() as client:
            await client.until("join")
            for _ in range(5):
                await client.websocket.send_bytes(b"\xff\xff\xff")
            code, _ = await client.until_closed()
            assert code == 1008

    async def test_thousands_of_tracks(self, start_server: StartServer) -> None:
        server = await start_server(
            limits={"tracks_per_participant": 3, "signal_message_burst": 5000, "change_burst": 5000}
        )
        async with server.connect() as client:
            await client.until("join")
            for number in range(1000):
                await client.send(
                    add_track=rtc.AddTrackRequest(cid=f"c{number}", type=models.TrackType.AUDIO)
                )
            await client.send(ping_req=rtc.Ping(timestamp=1))
            await client.until("pong_resp")
            kinds = [message.WhichOneof("message") for message in client.seen]
            assert kinds.count("track_published") == 3
            assert client.last("request_response").reason == rtc.RequestResponse.LIMIT_EXCEEDED
            room = server.node.rooms.rooms["lesson"]
            assert len(room.participants[Identity("ann")].tracks) == 3

    async def test_flood_leaves_others_their_turn(self, start_server: StartServer) -> None:
        """A burst of large messages that is within the limits must not block the event loop."""
        server = await start_server()
        async with server.connect(identity="busy") as busy, server.connect(identity="bob") as bob:
            await busy.until("join")
            await bob.until("join")
            update = rtc.UpdateParticipantMetadata(attributes={f"k{n}": "v" * 60 for n in range(100)})
            frame = rtc.SignalRequest(update_metadata=update).SerializeToString()
            server.node.rooms.take_max_lag()
            for _ in range(150):
                await busy.websocket.send_bytes(frame)
            await bob.send(ping_req=rtc.Ping(timestamp=1))
            await bob.until("pong_resp")
            assert server.node.rooms.take_max_lag() < 0.5

    async def test_huge_attributes(self, server: Server) -> None:
        async with server.connect() as client:
            await client.until("join")
            attributes = {f"key {number}": "v" * 100 for number in range(1500)}
            update = rtc.UpdateParticipantMetadata(attributes=attributes, request_id=9)
            await client.send(update_metadata=update)
            response = await client.until("request_response")
            assert (response.request_id, response.reason) == (9, rtc.RequestResponse.INVALID_REQUEST)
            room = server.node.rooms.rooms["lesson"]
            assert room.participants[Identity("ann")].attributes == {}

    async def test_client_that_does_not_read(self, start_server: StartServer) -> None:
        server = await start_server(limits={"outgoing_messages": 20, "outgoing_bytes": 200_000})
        token = join_token("lesson", "slow")
        _, writer = await asyncio.open_connection("127.0.0.1", server.node.listening.port, limit=1024)
        writer.write(
            f"GET /rtc?access_token={token} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        rooms = server.node.rooms.rooms
        await server.eventually(lambda: "lesson" in rooms and bool(rooms["lesson"].participants))
        slow = rooms["lesson"].participants[Identity("slow")]

        def tell_more() -> bool:
            for _ in range(10):
                slow.listener.on_participants([replace(slow.info(), metadata="x" * 30_000)])
            return slow.signal_lost_at is not None

        await server.eventually(tell_more)
        assert server.node.signal.counters.slow_clients == 1
        writer.close()

    async def test_silent_connection_counts_as_lost(self, start_server: StartServer) -> None:
        server = await start_server(signal={"ping_timeout_s": 1})
        params = {"access_token": join_token("lesson", "ann")}
        async with server.http.ws_connect(f"{server.url}/rtc", params=params, autoping=False) as websocket:
            await websocket.receive()
            participant = server.node.rooms.rooms["lesson"].participants[Identity("ann")]
            await server.eventually(lambda: participant.signal_lost_at is not None)


class TestTokenRefresh:
    async def test_when_it_is_due(self, start_server: StartServer) -> None:
        server = await start_server(signal={"refresh_interval_s": 0.05})
        token = mint_join_token("devkey", "secret", identity="ann", room="lesson", ttl_s=5)
        async with server.connect(token=token) as client:
            await client.until("join")
            await client.until("refresh_token")
            await asyncio.sleep(0.1)
            server.node.signal.refresh_tokens()
            fresh = await client.until("refresh_token")
        async with server.connect(token=fresh) as client:
            await client.until("join")
