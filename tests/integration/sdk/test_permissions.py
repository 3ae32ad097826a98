"""What a token does not grant must not be possible, and what it grants may change during the call."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from livekit import api, rtc

from loadtest.server import DEV_API_KEY, DEV_API_SECRET, access_token
from loadtest.sound import tone
from loadtest.waiting import hold_during, wait_until
from tests.integration.sdk.conftest import Join

REFUSAL_S = 12.0  # the SDK waits up to ten seconds for the answer to a refused AddTrack
PublishTrackError = rtc.participant.PublishTrackError


@pytest.mark.slow
async def test_who_may_not_publish_cannot(join: Join, mode: str) -> None:
    """Both kinds of refusal at once, for the SDK takes its time to give up."""
    student = await join("student", mode=mode, grants=api.VideoGrants(can_publish=False))
    guest = await join("guest", mode=mode, grants=api.VideoGrants(can_publish_sources=["microphone"]))
    agent = await join("agent", mode=mode)
    await guest.publish_microphone(tone(440, 0.5))
    await agent.publish_microphone(tone(1000, 0.5))
    refused = await asyncio.gather(
        asyncio.wait_for(student.publish_microphone(tone(440, 0.5)), REFUSAL_S),
        asyncio.wait_for(guest.publish_camera(), REFUSAL_S),
        return_exceptions=True,
    )
    assert [type(error) for error in refused] == [PublishTrackError, PublishTrackError]
    await student.wait_for_sound("agent", hz=1000)
    await agent.wait_for_sound("guest", hz=440)
    published = [event.arguments[0].name for event in agent.seen("track_published")]
    assert published == ["microphone"]


@pytest.mark.slow
async def test_who_may_not_subscribe_gets_nothing(join: Join, mode: str) -> None:
    student = await join("student", mode=mode, grants=api.VideoGrants(can_subscribe=False))
    agent = await join("agent", mode=mode)
    await agent.publish_microphone(tone(1000, 0.5))
    await student.publish_microphone(tone(440, 0.5))
    await agent.wait_for_sound("student", hz=440)
    await hold_during(lambda: not student.seen("track_subscribed"), "no track for the student", 1.0)


async def test_who_may_not_send_data_is_not_heard(join: Join, mode: str) -> None:
    student = await join("student", mode=mode, grants=api.VideoGrants(can_publish_data=False))
    agent = await join("agent", mode=mode)
    await agent.wait_for_participant("student")
    await student.wait_for_participant("agent")
    await student.local.publish_data(b"forbidden", topic="t")
    await agent.local.publish_data(b"allowed", topic="t")
    await wait_until(lambda: student.seen("data_received"), "the agent's packet")
    await hold_during(lambda: not agent.seen("data_received"), "nothing from the student", 0.5)


async def test_own_metadata_needs_a_grant(join: Join) -> None:
    student = await join("student", grants=api.VideoGrants(can_update_own_metadata=False))
    agent = await join("agent")
    seen = await agent.wait_for_participant("student")
    await student.local.set_metadata("forbidden")  # the Python SDK does not raise what the server answers
    await hold_during(lambda: seen.metadata == "", "no metadata", 0.5)


async def test_hidden_participants_are_not_announced(join: Join) -> None:
    agent = await join("agent")
    hidden = await join("recorder", grants=api.VideoGrants(hidden=True, can_publish=False))
    await hidden.wait_for_participant("agent")
    student = await join("student")
    await agent.wait_for_participant("student")
    assert list(agent.room.remote_participants) == ["student"]
    assert list(student.room.remote_participants) == ["agent"]


@pytest.mark.slow
async def test_permissions_can_be_given_and_taken_during_the_call(
    join: Join, service: Any, room: str, mode: str
) -> None:
    student = await join("student", mode=mode, grants=api.VideoGrants(can_publish=False))
    agent = await join("agent", mode=mode)

    def permission(can_publish: bool, can_subscribe: bool) -> Any:
        from livekit.protocol.models import ParticipantPermission
        from livekit.protocol.room import UpdateParticipantRequest

        return UpdateParticipantRequest(
            room=room,
            identity="student",
            permission=ParticipantPermission(
                can_publish=can_publish, can_subscribe=can_subscribe, can_publish_data=True
            ),
        )

    await agent.publish_microphone(tone(1000, 0.5))
    await student.wait_for_sound("agent", hz=1000)
    await service.update_participant(permission(can_publish=True, can_subscribe=True))
    await student.wait_for_event("participant_permissions_changed")
    await student.publish_microphone(tone(440, 0.5))
    await agent.wait_for_sound("student", hz=440)

    taken = time.monotonic()
    await service.update_participant(permission(can_publish=False, can_subscribe=False))
    await agent.wait_for_event("track_unpublished", since=taken)
    await agent.wait_for_silence("student")
    await student.wait_for_silence("agent")

    given = time.monotonic()
    await service.update_participant(permission(can_publish=True, can_subscribe=True))
    await student.wait_for_event("track_subscribed", since=given)
    await student.wait_for_sound("agent", hz=1000)


@pytest.mark.slow
async def test_a_publisher_chooses_who_receives(join: Join, mode: str) -> None:
    student = await join("student", mode=mode)
    agent, stranger = await join("agent", mode=mode), await join("stranger", mode=mode)
    await stranger.wait_for_participant("agent")
    allowed = rtc.ParticipantTrackPermission(participant_identity="agent", allow_all=True)
    student.local.set_track_subscription_permissions(
        allow_all_participants=False, participant_permissions=[allowed]
    )
    await student.publish_microphone(tone(440, 0.5))
    await agent.wait_for_sound("student", hz=440)
    await hold_during(lambda: stranger.audio_of("student") is None, "nothing for the stranger", 0.5)
    student.local.set_track_subscription_permissions(allow_all_participants=True)
    await stranger.wait_for_sound("student", hz=440)
    student.local.set_track_subscription_permissions(
        allow_all_participants=False, participant_permissions=[allowed]
    )
    await stranger.wait_for_silence("student")
    assert agent.audio_of("student") is not None
    await agent.wait_for_sound("student", hz=440)


def expired(room: str) -> str:
    return access_token(room, "student", ttl_s=-3600)


def foreign(room: str) -> str:
    return access_token(room, "student", secret="another secret, just as long as it must be")


def unknown_key(room: str) -> str:
    return access_token(room, "student", key="nobody")


def without_join(room: str) -> str:
    grants = api.VideoGrants(room_list=True, room=room)
    token = api.AccessToken(DEV_API_KEY, DEV_API_SECRET).with_identity("student").with_grants(grants)
    return token.with_ttl(timedelta(hours=1)).to_jwt()


@pytest.mark.parametrize("mode", ["single", "dual"])
@pytest.mark.parametrize("made", [expired, foreign, unknown_key, without_join, lambda _: "rubbish"])
async def test_bad_tokens_are_refused(join: Join, room: str, made: Any, mode: str) -> None:
    with pytest.raises(rtc.ConnectError):
        await asyncio.wait_for(join("student", mode=mode, token=made(room)), 15)
