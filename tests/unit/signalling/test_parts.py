"""Rate limits, data packets, TURN credentials, message mapping, logs and pages."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc
from pydantic import SecretStr

from mediaserver.room.model import (
    LeaveReason,
    ParticipantSid,
    Quality,
    TrackCodec,
    TrackKind,
    TrackSource,
    VideoLayer,
)
from signalling.livekit import messages
from signalling.livekit.data import (
    MAXIMUM_DESTINATIONS,
    DataInspector,
    Envelope,
    Refusal,
    ReliableLog,
    server_packet,
)
from signalling.livekit.limits import TokenBucket
from signalling.livekit.turn import ice_servers, turn_credentials
from signalling.logs import hide_secrets
from signalling.pages import Pages, content_security_policy
from signalling.settings import LimitSettings, TurnSettings
from tests.unit.signalling.fakes import track_info

SENDER = SimpleNamespace(identity="ann", sid="PA_ann")


class TestTokenBucket:
    def test_burst_then_rate(self) -> None:
        bucket = TokenBucket(10, 5)
        assert [bucket.take(1, 0.0) for _ in range(6)] == [True] * 5 + [False]
        assert bucket.take(1, 0.1)
        assert not bucket.take(1, 0.1)

    def test_never_more_than_the_burst_saved(self) -> None:
        bucket = TokenBucket(10, 5)
        assert bucket.take(5, 0.0)
        assert bucket.take(5, 1000.0)
        assert not bucket.take(1, 1000.0)

    def test_time_going_back_gives_nothing(self) -> None:
        bucket = TokenBucket(10, 1)
        assert bucket.take(1, 100.0)
        assert not bucket.take(1, 50.0)
        assert not bucket.take(1, 50.05)

    @given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 10)), max_size=50))
    def test_never_more_than_rate_times_time_plus_burst(self, steps: list[tuple[float, float]]) -> None:
        bucket, now, taken = TokenBucket(3, 7), 0.0, 0.0
        for wait, amount in steps:
            now += wait
            if bucket.take(amount, now):
                taken += amount
        assert taken <= 7 + 3 * now + 1e-6


class TestDataInspector:
    def inspect(
        self, packet: models.DataPacket, *, reliable: bool = True, **limits: int
    ) -> Envelope | Refusal:
        return DataInspector(LimitSettings(**limits)).inspect(
            SENDER, reliable, packet.SerializeToString(), 0.0
        )

    def test_destinations_of_every_spelling(self) -> None:
        user = models.UserPacket(payload=b"x", destination_identities=["b"], destination_sids=["PA_c"])
        envelope = self.inspect(models.DataPacket(user=user, destination_identities=["a"]))
        assert isinstance(envelope, Envelope)
        assert envelope.destinations == {"a", "b", "PA_c"}

    def test_everybody(self) -> None:
        envelope = self.inspect(models.DataPacket(user=models.UserPacket(payload=b"x")))
        assert isinstance(envelope, Envelope)
        assert envelope.destinations is None

    @pytest.mark.parametrize(
        "packet",
        [
            models.DataPacket(chat_message=models.ChatMessage(id="1", message="hi")),
            models.DataPacket(rpc_request=models.RpcRequest(id="1"), destination_identities=["b"]),
            models.DataPacket(stream_header=models.DataStream.Header(stream_id="1")),
            models.DataPacket(stream_chunk=models.DataStream.Chunk(stream_id="1", content=b"x")),
            models.DataPacket(stream_trailer=models.DataStream.Trailer(stream_id="1")),
            models.DataPacket(transcription=models.Transcription(track_id="1")),
            models.DataPacket(sip_dtmf=models.SipDTMF(digit="1")),
            models.DataPacket(encrypted_packet=models.EncryptedPacket(encrypted_value=b"x")),
        ],
    )
    def test_passes_every_kind_under_the_senders_name(self, packet: models.DataPacket) -> None:
        envelope = self.inspect(packet)
        assert isinstance(envelope, Envelope)
        delivered = models.DataPacket.FromString(envelope.payload)
        assert (delivered.participant_identity, delivered.participant_sid) == ("ann", "PA_ann")
        kind = packet.WhichOneof("value")
        assert kind is not None
        assert getattr(delivered, kind) == getattr(packet, kind)

    def test_fields_of_a_newer_protocol_are_kept(self) -> None:
        packet = (
            models.DataPacket(user=models.UserPacket(payload=b"x")).SerializeToString() + b"\xaa\x06\x01z"
        )
        envelope = DataInspector(LimitSettings()).inspect(SENDER, True, packet, 0.0)
        assert isinstance(envelope, Envelope)
        assert b"\xaa\x06\x01z" in envelope.payload

    @pytest.mark.parametrize(
        ("packet", "refusal"),
        [
            (models.DataPacket(), Refusal.KIND),
            (models.DataPacket(speaker=models.ActiveSpeakerUpdate()), Refusal.KIND),
            (models.DataPacket(rpc_request=models.RpcRequest(id="1")), Refusal.NO_DESTINATION),
            (models.DataPacket(rpc_response=models.RpcResponse(request_id="1")), Refusal.NO_DESTINATION),
            (
                models.DataPacket(
                    user=models.UserPacket(payload=b"x"),
                    destination_identities=[str(n) for n in range(MAXIMUM_DESTINATIONS + 1)],
                ),
                Refusal.DESTINATIONS,
            ),
        ],
    )
    def test_refused_kinds(self, packet: models.DataPacket, refusal: Refusal) -> None:
        assert self.inspect(packet) is refusal

    def test_damaged_and_large(self) -> None:
        inspector = DataInspector(LimitSettings(data_message_bytes=10))
        assert inspector.inspect(SENDER, True, b"\xff\xff", 0.0) is Refusal.MALFORMED
        assert inspector.inspect(SENDER, True, bytes(11), 0.0) is Refusal.TOO_LARGE

    def test_lossy_packets_are_not_numbered(self) -> None:
        packet = models.DataPacket(user=models.UserPacket(payload=b"x"), sequence=2**31)
        envelope = self.inspect(packet, reliable=False)
        assert isinstance(envelope, Envelope)
        assert models.DataPacket.FromString(envelope.payload).sequence == envelope.sequence == 0

    def test_rates_of_both_kinds(self) -> None:
        packet = models.DataPacket(user=models.UserPacket(payload=bytes(100)))
        assert self.inspect(packet, data_burst_bytes=50) is Refusal.RELIABLE_RATE
        assert self.inspect(packet, reliable=False, data_burst_bytes=50) is Refusal.LOSSY_RATE


class TestReliableLog:
    def test_only_what_was_received_and_missed(self) -> None:
        log, ann, bob = ReliableLog(1000), ParticipantSid("PA_a"), ParticipantSid("PA_b")
        log.add(1, b"one", [ann, bob])
        log.add(2, b"two", [ann])
        log.add(3, b"three", [bob])
        assert list(log.after(0, ann)) == [b"one", b"two"]
        assert list(log.after(1, bob)) == [b"three"]

    def test_bounded(self) -> None:
        log, ann = ReliableLog(100), ParticipantSid("PA_a")
        for number in range(1, 1000):
            log.add(number, bytes(30), [ann])
        assert len(list(log.after(0, ann))) == 3
        log.add(1001, bytes(101), [ann])
        assert len(list(log.after(0, ann))) == 3

    def test_unnumbered_is_not_kept(self) -> None:
        log, ann = ReliableLog(100), ParticipantSid("PA_a")
        log.add(0, b"x", [ann])
        log.add(1, b"x", [])
        assert list(log.after(-1, ann)) == []


def test_packet_of_the_server() -> None:
    packet = models.DataPacket.FromString(
        server_packet(b"x", reliable=False, topic="t", destinations=["a"], nonce=b"n" * 16)
    )
    assert (packet.user.payload, packet.user.topic, packet.kind) == (b"x", "t", models.DataPacket.LOSSY)
    assert list(packet.destination_identities) == ["a"]
    assert packet.participant_identity == ""


class TestTurn:
    def test_credentials_are_what_coturn_computes(self) -> None:
        username, credential = turn_credentials("shared", "PA_1", expires_at=1_700_000_000)
        assert username == "1700000000:PA_1"
        digest = hmac.new(b"shared", username.encode(), hashlib.sha1).digest()
        assert base64.b64decode(credential) == digest

    def test_none_without_a_server(self) -> None:
        assert ice_servers(TurnSettings(), "PA_1", unix_now=0) == []

    def test_with_a_server(self) -> None:
        turn = TurnSettings(urls=("turn:a", "turns:b"), secret=SecretStr("s"), ttl_s=60)
        (server,) = ice_servers(turn, "PA_1", unix_now=100.9)
        assert list(server.urls) == ["turn:a", "turns:b"]
        assert server.username == "160:PA_1"
        assert server.credential


class TestMessages:
    def test_track_request(self) -> None:
        request = rtc.AddTrackRequest(
            cid="cid",
            name="cam",
            type=models.TrackType.VIDEO,
            source=models.TrackSource.CAMERA,
            width=1280,
            height=720,
            layers=[models.VideoLayer(quality=models.VideoQuality.LOW, width=320, bitrate=9, rid="q")],
            simulcast_codecs=[
                rtc.SimulcastCodec(codec="vp9", cid="c9"),
                rtc.SimulcastCodec(codec="video/VP8"),
            ],
        )
        read = messages.read_track_request(request)
        assert (read.kind, read.source, read.width) == (TrackKind.VIDEO, TrackSource.CAMERA, 1280)
        assert read.layers == (VideoLayer(Quality.LOW, 320, 0, bitrate_bps=9, rid="q"),)
        assert read.codecs == (TrackCodec("video/VP9", "c9"), TrackCodec("video/VP8"))

    def test_features_are_the_newer_spelling(self) -> None:
        request = rtc.AddTrackRequest(
            type=models.TrackType.AUDIO,
            audio_features=[models.AudioTrackFeature.TF_STEREO, models.AudioTrackFeature.TF_NO_DTX],
        )
        read = messages.read_track_request(request)
        assert (read.stereo, read.disable_dtx) == (True, True)

    def test_hostile_track_request_is_bounded(self) -> None:
        request = rtc.AddTrackRequest(
            cid="c" * 100_000,
            type=models.TrackType.VIDEO,
            layers=[models.VideoLayer()] * 1000,
            simulcast_codecs=[rtc.SimulcastCodec(codec="x" * 5000, layers=[models.VideoLayer()] * 99)] * 99,
        )
        read = messages.read_track_request(request)
        assert (len(read.cid), len(read.layers), len(read.codecs)) == (1024, 8, 4)
        assert len(read.codecs[0].mime_type) <= 1024
        assert len(read.codecs[0].layers) == 8

    def test_unknown_numbers(self) -> None:
        request = rtc.AddTrackRequest(type=models.TrackType.AUDIO)
        request.source = 99  # type: ignore[assignment]
        assert messages.read_track_request(request).source is TrackSource.UNKNOWN
        assert messages.read_quality(77) is Quality.LOW

    def test_track_message(self) -> None:
        message = messages.track_message(track_info("TR_9"))
        assert (message.sid, message.mime_type, message.type) == (
            "TR_9",
            "audio/opus",
            models.TrackType.AUDIO,
        )

    def test_permissions_round_trip(self) -> None:
        from mediaserver.room.model import Permissions

        given_ = Permissions(can_publish=False, can_publish_sources=(TrackSource.CAMERA,), hidden=True)
        assert messages.read_permission(messages.permission_message(given_)) == given_

    def test_too_many_track_permissions(self) -> None:
        permission = rtc.SubscriptionPermission(track_permissions=[rtc.TrackPermission()] * 300)
        with pytest.raises(ValueError, match="track_permissions"):
            messages.read_track_permissions(permission)

    @pytest.mark.parametrize("reason", list(LeaveReason))
    def test_every_leave_reason_is_livekits(self, reason: LeaveReason) -> None:
        leave = messages.leave_response(reason).leave
        assert models.DisconnectReason.Name(leave.reason).startswith(reason.name.split("_", maxsplit=1)[0])


class TestLogs:
    def test_tokens_and_secrets_are_hidden(self) -> None:
        jwt_text = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0xxx.c2lnbmF0dXJl"
        event = hide_secrets(
            None,
            "info",
            {"event": f"GET /rtc?access_token={jwt_text}&x=1", "api_secret": "hush", "room": "r"},
        )
        assert jwt_text not in str(event)
        assert "hush" not in str(event)
        assert event["room"] == "r"


class TestPages:
    def test_policy_allows_nothing_foreign(self) -> None:
        policy = content_security_policy("school.example.org:7880")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "connect-src 'self' ws://school.example.org:7880 wss://school.example.org:7880;" in policy

    @pytest.mark.parametrize("host", ["a b", "x; script-src *", "x'", "", "[::1];"])
    def test_odd_hosts_are_left_out(self, host: str) -> None:
        assert "connect-src 'self';" in content_security_policy(host)

    def test_without_a_build_says_so(self, tmp_path: Path) -> None:
        assert b"make web" in Pages(None)._files["index.html"].content

    def test_source_maps_are_not_served(self, tmp_path: Path) -> None:
        (tmp_path / "index.html").write_text("x")
        (tmp_path / "a.js.map").write_text("x")
        assert set(Pages(tmp_path)._files) == {"index.html"}

    def test_only_the_help_page_may_be_framed(self, tmp_path: Path) -> None:
        for page in ("help", "console"):
            (tmp_path / page).mkdir()
            (tmp_path / page / "index.html").write_text("x")
        pages = Pages(tmp_path, ["https://class.example.org"])
        request = make_mocked_request("GET", "/", headers={"Host": "help.example.org"})
        framing = {
            name: pages._headers(request, file)["Content-Security-Policy"].rpartition("; ")[2]
            for name, file in pages._files.items()
        }
        assert framing == {
            "help/index.html": "frame-ancestors 'self' https://class.example.org",
            "console/index.html": "frame-ancestors 'none'",
        }

    async def test_a_page_that_asks_gets_a_new_nonce_each_time(self, tmp_path: Path) -> None:
        (tmp_path / "index.html").write_text('<meta name="nonce" content="__STYLE_NONCE__">')
        pages = Pages(tmp_path)
        answers = [await pages._serve(make_mocked_request("GET", "/", match_info={})) for _ in range(2)]
        nonces = []
        for answer in answers:
            found = re.search(
                r"style-src 'self' 'nonce-([\w-]{20,})'", answer.headers["Content-Security-Policy"]
            )
            assert found is not None
            assert isinstance(answer.body, bytes)
            assert f'content="{found[1]}"'.encode() in answer.body
            assert answer.headers["Cache-Control"] == "no-store"
            nonces.append(found[1])
        assert nonces[0] != nonces[1]

    def test_pages_of_any_origin_may_load_the_help_button(self, tmp_path: Path) -> None:
        for name in ("index.html", "widget/raisehand-help.js", "assets/a.js"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("x")
        pages = Pages(tmp_path)
        request = make_mocked_request("GET", "/")
        shared = {
            name
            for name, file in pages._files.items()
            if "Access-Control-Allow-Origin" in pages._headers(request, file)
        }
        assert shared == {"widget/raisehand-help.js", "assets/a.js"}
