"""LiveKit's RoomService, called with the unmodified `livekit-api`."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import pytest
from livekit import api, rtc
from livekit.protocol import models
from livekit.protocol import room as proto

from loadtest.server import ServerProcess
from loadtest.sound import tone
from loadtest.waiting import hold_during, wait_until
from tests.integration.sdk.conftest import Join, disconnect_reason


def names(listed: Any) -> list[str]:
    return [item.name for item in listed.rooms]


async def test_rooms_are_created_listed_and_deleted(service: Any, room: str) -> None:
    made = await service.create_room(proto.CreateRoomRequest(name=room, metadata="m", max_participants=7))
    assert (made.name, made.metadata, made.max_participants) == (room, "m", 7)
    assert made.sid.startswith("RM_")
    again = await service.create_room(proto.CreateRoomRequest(name=room))
    assert again.sid == made.sid
    assert names(await service.list_rooms(proto.ListRoomsRequest(names=[room]))) == [room]
    assert room in names(await service.list_rooms(proto.ListRoomsRequest()))
    assert names(await service.list_rooms(proto.ListRoomsRequest(names=["no such room"]))) == []
    await service.delete_room(proto.DeleteRoomRequest(room=room))
    assert names(await service.list_rooms(proto.ListRoomsRequest(names=[room]))) == []


async def test_deleting_a_room_ends_the_call(join: Join, service: Any, room: str) -> None:
    student = await join("student")
    await service.delete_room(proto.DeleteRoomRequest(room=room))
    await wait_until(lambda: disconnect_reason(student) is not None, "the student is told")
    assert disconnect_reason(student) == rtc.DisconnectReason.ROOM_DELETED


@pytest.mark.slow
async def test_participants_are_listed_with_their_tracks(join: Join, service: Any, room: str) -> None:
    student = await join("student", name="李雷", attributes={"level": "vip"})
    agent = await join("agent")
    await student.publish_microphone(tone(440, 0.5))
    await student.publish_camera(width=320, height=180)
    await wait_until(lambda: len(agent.seen("track_published")) == 2, "both tracks are announced")
    listed = (await service.list_participants(proto.ListParticipantsRequest(room=room))).participants
    assert sorted(item.identity for item in listed) == ["agent", "student"]
    one = await service.get_participant(proto.RoomParticipantIdentity(room=room, identity="student"))
    assert (one.sid, one.name, dict(one.attributes)) == (student.local.sid, "李雷", {"level": "vip"})
    assert one.state == models.ParticipantInfo.State.ACTIVE
    tracks = {track.name: track for track in one.tracks}
    assert tracks["camera"].type == models.TrackType.VIDEO
    assert tracks["camera"].source == models.TrackSource.CAMERA
    assert tracks["microphone"].source == models.TrackSource.MICROPHONE
    assert tracks["camera"].sid == student.publishings["camera"].publication.sid
    (info,) = (await service.list_rooms(proto.ListRoomsRequest(names=[room]))).rooms
    assert info.num_participants == 2
    assert info.num_publishers == 1


@pytest.mark.slow
async def test_the_server_mutes(join: Join, service: Any, room: str, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    published = await student.publish_microphone(tone(440, 0.5))
    await agent.wait_for_sound("student", hz=440)
    begun = time.monotonic()
    answer = await service.mute_published_track(
        proto.MuteRoomTrackRequest(
            room=room, identity="student", track_sid=published.publication.sid, muted=True
        )
    )
    assert answer.track.muted
    await agent.wait_for_event("track_muted", since=begun)
    await student.wait_for_event("track_muted", since=begun)
    await agent.wait_for_silence("student")
    await hold_during(lambda: agent.audio_of("student").level(0.3) < 0.003, "silence", 1.0)  # type: ignore[union-attr]
    student.unmute()
    await agent.wait_for_event("track_unmuted", since=begun)
    await agent.wait_for_sound("student", hz=440)


async def test_the_server_removes(join: Join, service: Any, room: str, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await agent.wait_for_participant("student")
    await service.remove_participant(proto.RoomParticipantIdentity(room=room, identity="student"))
    await wait_until(lambda: disconnect_reason(student) is not None, "the student is told")
    assert disconnect_reason(student) == rtc.DisconnectReason.PARTICIPANT_REMOVED
    await wait_until(lambda: not agent.room.remote_participants, "the agent is told")


async def test_the_server_changes_a_participant(join: Join, service: Any, room: str) -> None:
    student, agent = await join("student"), await join("agent")
    seen = await agent.wait_for_participant("student")
    await service.update_participant(
        proto.UpdateParticipantRequest(
            room=room, identity="student", name="new", metadata="data", attributes={"a": "b"}
        )
    )
    await wait_until(lambda: (seen.name, seen.metadata) == ("new", "data"), "name and metadata")
    await wait_until(lambda: seen.attributes == {"a": "b"}, "attributes")
    await wait_until(lambda: student.local.metadata == "data", "the student's own metadata")


async def test_the_server_sends_data(join: Join, service: Any, room: str, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    await agent.wait_for_participant("student")
    await service.send_data(
        proto.SendDataRequest(
            room=room,
            data=b"agent only",
            kind=models.DataPacket.Kind.RELIABLE,
            destination_identities=["agent"],
            topic="t",
        )
    )
    await service.send_data(
        proto.SendDataRequest(room=room, data=b"all", kind=models.DataPacket.Kind.RELIABLE, topic="t")
    )

    def received(bot: Any) -> list[bytes]:
        return [event.arguments[0].data for event in bot.seen("data_received")]

    await wait_until(lambda: b"all" in received(student) and b"all" in received(agent), "packet for all")
    assert received(student) == [b"all"]
    assert received(agent) == [b"agent only", b"all"]
    packet = agent.seen("data_received")[0].arguments[0]
    assert packet.participant is None
    assert packet.topic == "t"


async def test_room_metadata_changes(join: Join, service: Any, room: str) -> None:
    student = await join("student")
    changed = await service.update_room_metadata(
        proto.UpdateRoomMetadataRequest(room=room, metadata="lesson 7")
    )
    assert changed.metadata == "lesson 7"
    await wait_until(lambda: student.room.metadata == "lesson 7", "the student is told")


@pytest.mark.slow
async def test_the_server_changes_subscriptions(join: Join, service: Any, room: str, mode: str) -> None:
    student, agent = await join("student", mode=mode), await join("agent", mode=mode)
    published = await student.publish_microphone(tone(440, 0.5))
    await agent.wait_for_sound("student", hz=440)

    def wish(subscribe: bool) -> Any:
        return proto.UpdateSubscriptionsRequest(
            room=room, identity="agent", track_sids=[published.publication.sid], subscribe=subscribe
        )

    await service.update_subscriptions(wish(False))
    await agent.wait_for_silence("student")
    await service.update_subscriptions(wish(True))
    await agent.wait_for_sound("student", hz=440)


async def test_a_full_room_turns_people_away(join: Join, service: Any, room: str) -> None:
    await service.create_room(proto.CreateRoomRequest(name=room, max_participants=1))
    await join("student")
    with pytest.raises(rtc.ConnectError):
        await join("agent")


@pytest.mark.slow
async def test_a_participant_moves_to_another_room(join: Join, service: Any, room: str) -> None:
    student, agent = await join("student"), await join("agent")
    await student.publish_microphone(tone(440, 0.5))
    await agent.wait_for_sound("student", hz=440)
    await service.create_room(proto.CreateRoomRequest(name=f"{room}-other"))
    await service.move_participant(
        proto.MoveParticipantRequest(room=room, identity="student", destination_room=f"{room}-other")
    )
    await wait_until(lambda: not agent.room.remote_participants, "the agent no longer sees the student")
    listed = await service.list_participants(proto.ListParticipantsRequest(room=f"{room}-other"))
    assert [item.identity for item in listed.participants] == ["student"]
    await student.wait_for_event("moved")


async def test_what_does_not_exist_is_not_found(service: Any, room: str) -> None:
    with pytest.raises(api.TwirpError) as missing:
        await service.get_participant(proto.RoomParticipantIdentity(room=room, identity="nobody"))
    assert missing.value.code == "not_found"


async def test_callers_need_the_right_grants(server: ServerProcess, room: str, service: Any) -> None:
    await service.create_room(proto.CreateRoomRequest(name=room))
    url = f"{server.http_url}/twirp/livekit.RoomService"

    def headers(grants: api.VideoGrants | None, secret: str = "secret") -> dict[str, str]:
        if grants is None:
            return {}
        token = api.AccessToken("devkey", secret).with_identity("x").with_grants(grants).to_jwt()
        return {"Authorization": f"Bearer {token}"}

    async with aiohttp.ClientSession() as session:

        async def status(method: str, body: dict[str, str], headers: dict[str, str]) -> int:
            async with session.post(f"{url}/{method}", json=body, headers=headers) as answer:
                return answer.status

        listing = {"room": room}
        assert await status("ListParticipants", listing, headers(None)) == 401
        admin = api.VideoGrants(room_admin=True, room=room)
        assert await status("ListParticipants", listing, headers(admin, "x" * 40)) == 401
        elsewhere = api.VideoGrants(room_admin=True, room="elsewhere")
        assert await status("ListParticipants", listing, headers(elsewhere)) == 403
        joiner = api.VideoGrants(room_join=True, room=room)
        assert await status("ListParticipants", listing, headers(joiner)) == 403
        assert await status("DeleteRoom", listing, headers(joiner)) == 403
        assert await status("ListParticipants", listing, headers(admin)) == 200
