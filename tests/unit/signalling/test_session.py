"""What a client is told and in which order, over one WebSocket and the next."""

from __future__ import annotations

import jwt
import pytest
from livekit.protocol import models, rtc

from mediaserver.errors import RoomError
from mediaserver.room.model import (
    CodecQualities,
    ConnectionQuality,
    LeaveReason,
    ParticipantSid,
    ParticipantState,
    Permissions,
    Quality,
    QualityInfo,
    Speaker,
    StreamState,
    SubscriptionError,
    TrackSid,
)
from mediaserver.sdp.description import SdpError
from signalling.livekit.session import NOTICE_INTERVAL_S, Session
from tests.unit.signalling.fakes import FakeSessions, dual_request, room_info, single_request, track_info

Reason = rtc.RequestResponse
Action = rtc.LeaveRequest


def ask(session: Session, **message: object) -> None:
    """Let the client send a request."""
    session.receive(rtc.SignalRequest(**message).SerializeToString())  # type: ignore[arg-type]


def data_packet(sequence: int = 0, *, payload: bytes = b"x", to: tuple[str, ...] = ()) -> bytes:
    packet = models.DataPacket(
        sequence=sequence,
        user=models.UserPacket(payload=payload),
        destination_identities=list(to),
        participant_identity="somebody else",
        participant_sid="PA_other",
    )
    return packet.SerializeToString()


class TestJoin:
    def test_join_response_first_then_tracks_then_answer(self) -> None:
        offer = rtc.SessionDescription(type="offer", sdp="v=0", id=7)
        track = rtc.AddTrackRequest(cid="mic", type=models.TrackType.AUDIO)
        _, participant, connection = FakeSessions().join(
            request=single_request(offer=offer, add_tracks=(track,))
        )
        assert connection.kinds() == ["join", "refresh_token", "track_published", "answer"]
        answer = connection.last("answer")
        assert (answer.type, answer.id, dict(answer.mid_to_track_id)) == ("answer", 7, {"0": "TR_1"})
        assert not participant.named("start_subscriber")

    def test_join_response_tells_what_sdks_need(self) -> None:
        sessions = FakeSessions()
        sessions.join("agent")
        _, _, connection = sessions.join()
        join = connection.last("join")
        assert join.room.name == "room"
        assert join.participant.identity == "student"
        assert join.participant.permission.can_publish
        assert [other.identity for other in join.other_participants] == ["agent"]
        assert (join.server_info.version, join.server_info.protocol) == ("1.9.0", 16)
        assert (join.ping_interval, join.ping_timeout) == (5, 15)
        assert {codec.mime for codec in join.enabled_publish_codecs} >= {"audio/opus", "video/VP8"}
        assert join.sif_trailer == b"trailer"
        assert not join.subscriber_primary

    def test_two_connections_get_the_subscriber_offer(self) -> None:
        _, participant, connection = FakeSessions().join(request=dual_request())
        assert connection.kinds() == ["join", "refresh_token", "offer"]
        assert connection.last("join").subscriber_primary
        assert participant.named("start_subscriber")

    def test_nothing_goes_out_before_the_join_response(self) -> None:
        sessions = FakeSessions()
        session = Session(sessions, sessions.join("x")[0]._grants, single_request())
        session.on_room_update(room_info())
        session.on_mute(TrackSid("TR_1"), True)
        participant = sessions.room.participants["x"]  # type: ignore[index]
        connection = sessions.connection()
        session.join(participant, connection, single_request())  # type: ignore[arg-type]
        assert connection.kinds()[0] == "join"
        assert "mute" in connection.kinds()

    def test_more_tracks_than_allowed_with_the_join(self) -> None:
        track = rtc.AddTrackRequest(cid="mic", type=models.TrackType.AUDIO)
        request = single_request(add_tracks=(track,) * 1000)
        _, participant, connection = FakeSessions(add_tracks_per_join=3).join(request=request)
        assert len(participant.named("add_track")) == 3
        assert connection.last("request_response").reason == Reason.LIMIT_EXCEEDED

    def test_refresh_token_is_the_clients_own(self) -> None:
        _, _, connection = FakeSessions().join()
        token = connection.last("refresh_token")
        claims = jwt.decode(token, "secret", algorithms=["HS256"], options={"verify_exp": False})
        assert (claims["sub"], claims["video"]["room"], claims["iss"]) == ("student", "room", "devkey")


class TestRequests:
    def test_offer_answer_and_trickle(self) -> None:
        session, participant, connection = FakeSessions().join(request=dual_request())
        ask(session, offer=rtc.SessionDescription(sdp="o", id=3))
        ask(session, answer=rtc.SessionDescription(sdp="a", id=4))
        ask(session, trickle=rtc.TrickleRequest(candidateInit="{}"))
        assert participant.named("client_offer") == [("o", 3)]
        assert participant.named("client_answer") == [("a", 4)]
        assert connection.closed is None

    def test_single_connection_has_no_offer_to_answer(self) -> None:
        session, participant, connection = FakeSessions().join()
        ask(session, answer=rtc.SessionDescription(sdp="a"))
        assert not participant.named("client_answer")
        assert connection.last("request_response").reason == Reason.INVALID_REQUEST

    def test_subscriptions_of_both_spellings(self) -> None:
        session, participant, _ = FakeSessions().join()
        tracks = models.ParticipantTracks(participant_sid="PA_1", track_sids=["TR_2"])
        update = rtc.UpdateSubscription(track_sids=["TR_1"], participant_tracks=[tracks], subscribe=True)
        ask(session, subscription=update)
        assert participant.named("update_subscription") == [(["TR_1", "TR_2"], True)]

    def test_track_settings(self) -> None:
        session, participant, _ = FakeSessions().join()
        setting = rtc.UpdateTrackSettings(track_sids=["TR_1"], width=640, height=360, quality=models.MEDIUM)
        ask(session, track_setting=setting)
        sids, settings = participant.named("update_track_settings")[0]
        assert (sids, settings["quality"], settings["width"]) == (["TR_1"], Quality.MEDIUM, 640)

    def test_mute_layers_features_permissions(self) -> None:
        session, participant, _ = FakeSessions().join()
        ask(session, mute=rtc.MuteTrackRequest(sid="TR_1", muted=True))
        ask(
            session,
            update_layers=rtc.UpdateVideoLayers(track_sid="TR_1", layers=[models.VideoLayer(width=9)]),
        )
        ask(
            session,
            update_audio_track=rtc.UpdateLocalAudioTrack(
                track_sid="TR_1", features=[models.AudioTrackFeature.TF_STEREO]
            ),
        )
        ask(session, update_video_track=rtc.UpdateLocalVideoTrack(track_sid="TR_1", width=1, height=2))
        ask(session, subscription_permission=rtc.SubscriptionPermission(all_participants=False))
        assert participant.named("set_muted") == [("TR_1", True)]
        assert participant.named("update_layers")[0][1][0].width == 9
        assert participant.named("update_track_features")[0][1] == {"audio_features": [0], "stereo": True}
        assert participant.named("update_track_features")[1][1] == {"width": 1, "height": 2}
        assert participant.named("set_subscription_permissions") == [(False, ())]

    def test_pings(self) -> None:
        session, _, connection = FakeSessions().join()
        ask(session, ping=1)
        ask(session, ping_req=rtc.Ping(timestamp=42))
        assert connection.last("pong") == 1_700_001_000_000
        assert connection.last("pong_resp").last_ping_timestamp == 42

    def test_metadata_is_confirmed_and_needs_the_right(self) -> None:
        session, participant, connection = FakeSessions().join()
        update = rtc.UpdateParticipantMetadata(name="Ann", attributes={"a": "1"}, request_id=5)
        ask(session, update_metadata=update)
        assert participant.named("update_metadata") == [("Ann", None, {"a": "1"})]
        response = connection.last("request_response")
        assert (response.request_id, response.reason) == (5, Reason.OK)
        participant.permissions = Permissions()
        ask(session, update_metadata=update)
        response = connection.last("request_response")
        assert (response.request_id, response.reason) == (5, Reason.NOT_ALLOWED)
        assert response.update_metadata.name == "Ann"
        assert len(participant.named("update_metadata")) == 1

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("not_allowed", Reason.NOT_ALLOWED),
            ("track_limit", Reason.LIMIT_EXCEEDED),
            ("track_not_found", Reason.NOT_FOUND),
            ("bad_request", Reason.INVALID_REQUEST),
            ("something new", Reason.UNCLASSIFIED_ERROR),
        ],
    )
    def test_refusals_say_why(self, code: str, reason: int) -> None:
        session, participant, connection = FakeSessions().join()
        participant.refuse = RoomError(code, "because")
        ask(session, add_track=rtc.AddTrackRequest(cid="c", type=models.TrackType.VIDEO))
        response = connection.last("request_response")
        assert (response.reason, response.message, response.add_track.cid) == (reason, "because", "c")
        assert connection.closed is None

    def test_data_tracks_are_declined(self) -> None:
        session, _, connection = FakeSessions().join()
        ask(session, publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=1))
        response = connection.last("request_response")
        assert response.reason == Reason.UNSUPPORTED_TYPE
        assert response.publish_data_track.pub_handle == 1

    def test_leave_of_the_client(self) -> None:
        sessions = FakeSessions()
        session, participant, connection = sessions.join()
        ask(session, leave=rtc.LeaveRequest())
        assert participant.gone
        assert connection.closed == (1000, "client_initiated")
        assert "leave" not in connection.kinds()
        assert sessions.departed == [LeaveReason.CLIENT_INITIATED]


class TestLimits:
    def test_too_large_a_message(self) -> None:
        session, participant, connection = FakeSessions(signal_message_bytes=100).join()
        session.receive(bytes(101))
        assert participant.gone
        assert connection.last("request_response").reason == Reason.LIMIT_EXCEEDED
        assert connection.last("leave").action == Action.DISCONNECT
        assert connection.closed is not None
        assert "100 bytes" in connection.closed[1]

    def test_too_many_messages(self) -> None:
        sessions = FakeSessions(signal_messages_per_s=10, signal_message_burst=20)
        session, participant, connection = sessions.join()
        for _ in range(20):
            ask(session, ping=1)
        assert connection.closed is None
        sessions.time.now += 1.0
        for _ in range(10):
            ask(session, ping=1)
        assert connection.closed is None
        ask(session, ping=1)
        assert participant.gone
        assert connection.closed is not None
        assert "10 signalling messages a second" in connection.closed[1]
        assert sessions.counters.limits_exceeded == 1

    def test_too_many_bytes(self) -> None:
        session, participant, connection = FakeSessions(signal_burst_bytes=1000).join()
        for _ in range(3):
            ask(session, trickle=rtc.TrickleRequest(candidateInit="x" * 400))
        assert participant.gone
        assert connection.closed is not None
        assert "bytes of signalling" in connection.closed[1]

    def test_too_many_offers(self) -> None:
        sessions = FakeSessions(negotiations_per_s=1, negotiation_burst=5)
        session, participant, connection = sessions.join()
        for number in range(6):
            ask(session, offer=rtc.SessionDescription(sdp="o", id=number))
        assert len(participant.named("client_offer")) == 5
        assert participant.gone
        assert connection.closed is not None
        assert "offers and answers" in connection.closed[1]

    def test_too_many_changes_are_refused_one_by_one(self) -> None:
        sessions = FakeSessions(changes_per_s=1, change_burst=5)
        session, participant, connection = sessions.join()
        for number in range(10):
            ask(session, update_metadata=rtc.UpdateParticipantMetadata(name="n", request_id=number))
        assert len(participant.named("update_metadata")) == 5
        response = connection.last("request_response")
        assert (response.request_id, response.reason) == (9, Reason.LIMIT_EXCEEDED)
        assert connection.closed is None
        sessions.time.now += 1.0
        ask(session, mute=rtc.MuteTrackRequest(sid="TR_1"))
        assert participant.named("set_muted")

    def test_unreadable_messages(self) -> None:
        session, participant, connection = FakeSessions(bad_messages=3).join()
        session.receive(b"\xff\xff")
        session.receive_text()
        assert connection.closed is None
        session.receive(b"\xff\xff")
        assert participant.gone
        assert connection.closed is not None

    def test_messages_of_a_newer_protocol_do_no_harm(self) -> None:
        session, participant, connection = FakeSessions(bad_messages=3).join()
        for _ in range(10):
            session.receive(b"\xaa\x06\x00")  # field 101
        assert not participant.gone
        assert connection.closed is None

    def test_too_long_a_description(self) -> None:
        session, participant, connection = FakeSessions(sdp_bytes=50).join()
        ask(session, offer=rtc.SessionDescription(sdp="x" * 51))
        assert participant.gone
        assert not participant.named("client_offer")
        assert connection.last("leave").reason == models.DisconnectReason.JOIN_FAILURE

    def test_unusable_description(self) -> None:
        session, participant, connection = FakeSessions().join()
        participant.refuse = SdpError("no ice-ufrag")
        ask(session, offer=rtc.SessionDescription(sdp="x"))
        assert "no ice-ufrag" in connection.last("request_response").message
        assert participant.gone

    def test_too_many_tracks_in_one_request(self) -> None:
        session, participant, connection = FakeSessions().join()
        ask(session, subscription=rtc.UpdateSubscription(track_sids=[str(n) for n in range(600)]))
        assert not participant.named("update_subscription")
        assert connection.last("request_response").reason == Reason.LIMIT_EXCEEDED

    def test_neither_audio_nor_video(self) -> None:
        session, participant, connection = FakeSessions().join()
        ask(session, add_track=rtc.AddTrackRequest(cid="c", type=models.TrackType.DATA))
        assert not participant.named("add_track")
        assert connection.last("request_response").reason == Reason.INVALID_REQUEST

    def test_failing_ends_with_join_again(self) -> None:
        session, participant, connection = FakeSessions().join()
        session.fail()
        assert participant.gone
        assert connection.last("leave").action == Action.RECONNECT


class TestLeaving:
    @pytest.mark.parametrize(
        ("reason", "action"),
        [
            (LeaveReason.DUPLICATE_IDENTITY, Action.DISCONNECT),
            (LeaveReason.PARTICIPANT_REMOVED, Action.DISCONNECT),
            (LeaveReason.ROOM_DELETED, Action.DISCONNECT),
            (LeaveReason.SERVER_SHUTDOWN, Action.RECONNECT),
            (LeaveReason.CONNECTION_TIMEOUT, Action.RECONNECT),
            (LeaveReason.MEDIA_FAILURE, Action.RECONNECT),
        ],
    )
    def test_reason_and_action(self, reason: LeaveReason, action: int) -> None:
        _, participant, connection = FakeSessions().join()
        participant.leave(reason)
        leave = connection.last("leave")
        assert (leave.reason, leave.action) == (int(reason), action)
        assert leave.can_reconnect == (action == Action.RECONNECT)
        assert connection.closed is not None

    def test_lost_connection_waits_for_resume(self) -> None:
        session, participant, connection = FakeSessions().join()
        session.detached(connection)
        assert participant.named("signal_lost") == [None]
        assert not participant.gone
        assert not session.attached

    def test_closing_after_leaving_is_no_loss(self) -> None:
        session, participant, connection = FakeSessions().join()
        participant.leave(LeaveReason.ROOM_DELETED)
        session.detached(connection)
        assert not participant.named("signal_lost")


class TestResume:
    def test_reconnect_response_first_then_state(self) -> None:
        sessions = FakeSessions()
        session, participant, first = sessions.join()
        sessions.join("agent")
        session.on_data(True, data_packet(12))
        session.detached(first)
        second = sessions.connection()
        session.resume(second, single_request())
        assert second.kinds() == ["reconnect", "update", "room_update", "refresh_token"]
        assert second.last("reconnect").last_message_seq == 12
        assert [info.identity for info in second.last("update").participants] == ["student", "agent"]
        assert participant.named("resume") == [None]

    def test_negotiation_goes_on_after_the_reconnect_response(self) -> None:
        sessions = FakeSessions()
        session, participant, first = sessions.join(request=dual_request())
        session.detached(first)
        second = sessions.connection()
        told: list[tuple[str, list[str]]] = []
        participant.on_call = lambda name: told.append((name, second.kinds()))
        session.resume(second, dual_request())
        assert [name for name, _ in told] == ["resume", "resumed"]
        assert told[1][1][0] == "reconnect"

    def test_what_was_missed_is_told(self) -> None:
        sessions = FakeSessions()
        session, _, first = sessions.join()
        _, agent, _ = sessions.join("agent")
        _, friend, _ = sessions.join("friend")
        session.detached(first)
        for other in (agent, friend):
            other.leave(LeaveReason.CLIENT_INITIATED)
            session.on_participants([other.info()])
        sessions.join("friend")
        session.on_track_published("cid", track_info())
        session.on_speakers([])
        second = sessions.connection()
        session.resume(second, single_request())
        assert second.kinds()[:2] == ["reconnect", "track_published"]
        assert "speakers_changed" not in second.kinds()
        states = {info.identity: info.state for info in second.last("update").participants}
        assert states == {
            "student": ParticipantState.JOINED,
            "agent": ParticipantState.DISCONNECTED,
            "friend": ParticipantState.JOINED,
        }

    def test_older_connection_gives_way(self) -> None:
        sessions = FakeSessions()
        session, participant, first = sessions.join()
        second = sessions.connection()
        session.resume(second, single_request())
        session.detached(first)
        assert first.closed is not None
        assert not participant.named("signal_lost")
        assert session.attached

    def test_refused_resume_changes_nothing(self) -> None:
        sessions = FakeSessions()
        session, participant, first = sessions.join()
        participant.gone_for_resume = True
        second = sessions.connection()
        with pytest.raises(RoomError):
            session.resume(second, single_request())
        assert second.sent == []
        assert first.closed is None
        assert session.attached

    def test_sync_state_restores_wishes(self) -> None:
        session, participant, _ = FakeSessions().join()
        state = rtc.SyncState(
            subscription=rtc.UpdateSubscription(track_sids=["TR_1"], subscribe=False),
            track_sids_disabled=["TR_2"],
        )
        ask(session, sync_state=state)
        assert participant.named("update_subscription") == [(["TR_1"], False)]
        sids, settings = participant.named("update_track_settings")[0]
        assert (sids, settings["disabled"]) == (["TR_2"], True)

    def test_reliable_data_is_replayed_to_who_missed_it(self) -> None:
        sessions = FakeSessions()
        sender, _, _ = sessions.join("sender")
        receiver, participant, _ = sessions.join("receiver")
        sessions.join("third")
        for number in (1, 2, 3):
            sender.on_data(True, data_packet(number, payload=b"%d" % number))
        sender.on_data(True, data_packet(4, to=("third",)))
        participant.received.clear()
        seen = rtc.DataChannelReceiveState(publisher_sid="PA_sender", last_seq=1)
        ask(receiver, sync_state=rtc.SyncState(datachannel_receive_states=[seen]))
        packets = [models.DataPacket.FromString(payload) for _, payload in participant.received]
        assert [packet.sequence for packet in packets] == [2, 3]
        assert all(reliable for reliable, _ in participant.received)

    def test_moved_during_the_gap(self) -> None:
        sessions = FakeSessions()
        session, participant, _ = sessions.join()
        session.on_moved(room_info("elsewhere"), participant.info(), [])
        connection = sessions.connection()
        session.resume(connection, single_request())
        assert connection.kinds()[0] == "reconnect"


class TestData:
    def test_nobody_can_speak_for_another(self) -> None:
        sessions = FakeSessions()
        session, participant, _ = sessions.join()
        _, agent, _ = sessions.join("agent")
        session.on_data(False, data_packet())
        packet = models.DataPacket.FromString(agent.received[0][1])
        assert packet.participant_identity == packet.user.participant_identity == "student"
        assert packet.participant_sid == packet.user.participant_sid == participant.sid

    def test_audience_and_destinations(self) -> None:
        sessions = FakeSessions()
        session, _, _ = sessions.join()
        _, agent, _ = sessions.join("agent")
        _, other, _ = sessions.join("other")
        sessions.room.hidden.add(other.identity)
        session.on_data(True, data_packet(1))
        session.on_data(True, data_packet(2, to=("nobody",)))
        assert len(agent.received) == 1
        assert other.received == []

    def test_without_the_right(self) -> None:
        sessions = FakeSessions()
        session, participant, _ = sessions.join()
        _, agent, _ = sessions.join("agent")
        participant.permissions = Permissions(can_publish_data=False)
        session.on_data(True, data_packet(1))
        assert agent.received == []
        assert sessions.counters.data_packets_refused == 1

    def test_duplicates_after_a_resume_are_dropped(self) -> None:
        sessions = FakeSessions()
        session, _, _ = sessions.join()
        _, agent, _ = sessions.join("agent")
        for number in (1, 2, 2, 1, 3):
            session.on_data(True, data_packet(number))
        assert len(agent.received) == 3

    def test_too_much_lossy_data_is_dropped_with_a_notice_now_and_then(self) -> None:
        sessions = FakeSessions(data_bytes_per_s=1000, data_burst_bytes=1000)
        session, participant, connection = sessions.join()
        _, agent, _ = sessions.join("agent")
        for _ in range(50):
            session.on_data(False, data_packet(payload=bytes(100)))
        assert len(agent.received) < 10
        assert not participant.gone
        assert connection.kinds().count("request_response") == 1
        sessions.time.now += NOTICE_INTERVAL_S
        for _ in range(50):
            session.on_data(False, data_packet(payload=bytes(100)))
        assert connection.kinds().count("request_response") == 2

    def test_too_much_reliable_data_ends_it(self) -> None:
        sessions = FakeSessions(data_bytes_per_s=1000, data_burst_bytes=1000)
        session, participant, connection = sessions.join()
        for number in range(1, 20):
            session.on_data(True, data_packet(number, payload=bytes(100)))
        assert participant.gone
        assert connection.closed is not None
        assert "reliable data" in connection.closed[1]


class TestTold:
    def test_everything_a_room_tells(self) -> None:
        session, participant, connection = FakeSessions().join()
        sid, track = ParticipantSid("PA_x"), TrackSid("TR_x")
        session.on_media_sections_required(1, 2)
        session.on_track_unpublished(track)
        session.on_track_subscribed(track)
        session.on_mute(track, True)
        session.on_speakers([Speaker(sid, 0.5, True)])
        session.on_connection_quality([QualityInfo(sid, ConnectionQuality.LOST, 1.0)])
        session.on_stream_states([(sid, track, StreamState.PAUSED)])
        session.on_subscription_permission(sid, track, False)
        session.on_subscription_error(track, SubscriptionError.TRACK_NOT_FOUND)
        session.on_subscribed_quality(track, [CodecQualities("vp8", ((Quality.HIGH, False),))])
        session.on_moved(room_info("other"), participant.info(), [])
        assert connection.last("media_sections_requirement").num_videos == 2
        assert connection.last("track_unpublished").track_sid == track
        assert connection.last("track_subscribed").track_sid == track
        assert connection.last("mute").muted
        assert connection.last("speakers_changed").speakers[0].level == 0.5
        assert connection.last("connection_quality").updates[0].quality == models.ConnectionQuality.LOST
        assert connection.last("stream_state_update").stream_states[0].state == rtc.StreamState.PAUSED
        assert not connection.last("subscription_permission_update").allowed
        assert connection.last("subscription_response").err == models.SubscriptionError.SE_TRACK_NOTFOUND
        quality = connection.last("subscribed_quality_update")
        assert not quality.subscribed_codecs[0].qualities[0].enabled
        assert quality.subscribed_qualities[0].quality == models.VideoQuality.HIGH
        moved = connection.last("room_moved")
        claims = jwt.decode(moved.token, "secret", algorithms=["HS256"], options={"verify_exp": False})
        assert claims["video"]["room"] == moved.room.name == "other"

    def test_other_rights_bring_another_token(self) -> None:
        session, participant, connection = FakeSessions().join()
        before = connection.kinds().count("refresh_token")
        session.on_participants([participant.info()])
        assert connection.kinds().count("refresh_token") == before
        participant.permissions = Permissions(can_publish=False)
        session.on_participants([participant.info()])
        token = connection.last("refresh_token")
        claims = jwt.decode(token, "secret", algorithms=["HS256"], options={"verify_exp": False})
        assert claims["video"]["canPublish"] is False


class TestSimulation:
    def test_full_reconnect(self) -> None:
        session, participant, connection = FakeSessions().join()
        ask(session, simulate=rtc.SimulateScenario(leave_request_full_reconnect=True))
        assert connection.last("leave").action == Action.RECONNECT
        assert participant.gone

    def test_node_failure_says_nothing(self) -> None:
        session, participant, connection = FakeSessions().join()
        ask(session, simulate=rtc.SimulateScenario(node_failure=True))
        assert "leave" not in connection.kinds()
        assert connection.closed is not None
        assert participant.gone

    def test_migration_resumes(self) -> None:
        sessions = FakeSessions()
        session, participant, connection = sessions.join()
        ask(session, simulate=rtc.SimulateScenario(migration=True))
        assert connection.closed is not None
        assert not participant.gone
        session.resume(sessions.connection(), single_request())
        assert session.attached

    def test_unknown_scenario(self) -> None:
        session, _, connection = FakeSessions().join()
        ask(session, simulate=rtc.SimulateScenario(speaker_update=3))
        assert connection.last("request_response").reason == Reason.UNSUPPORTED_TYPE
