"""Who may know of whom: the policy alone, then in force in a room."""

from __future__ import annotations

import pytest

from mediaserver.errors import RoomError
from mediaserver.room.audience import OPEN, Audience, Place
from mediaserver.room.model import Identity, LeaveReason, TrackKind, TrackRequest, TrackSource
from tests.unit.room.fakes import World, identities

STUDENT, AGENT, SUPERVISOR = Identity("student"), Identity("agent"), Identity("supervisor")


def places(**supervisor: object) -> Audience:
    return Audience(
        {
            "student": Place(groups=frozenset({"students"})),
            "agent": Place(groups=frozenset({"agents"})),
            "supervisor": Place(groups=frozenset({"staff"}), **supervisor),  # type: ignore[arg-type]
        }
    )


NOBODY: frozenset[str] = frozenset()
MONITOR = places(known_to=NOBODY, heard_by=NOBODY)
WHISPER = places(known_to=frozenset({"agents"}), heard_by=frozenset({"agents"}))
BARGE = places()


def test_open_audience_hides_nothing() -> None:
    assert OPEN.may_know(STUDENT, AGENT)
    assert OPEN.may_receive(STUDENT, AGENT, TrackSource.CAMERA)


@pytest.mark.parametrize(
    ("audience", "student_knows", "agent_knows"),
    [(MONITOR, False, False), (WHISPER, False, True), (BARGE, True, True)],
)
def test_supervision_modes(audience: Audience, student_knows: bool, agent_knows: bool) -> None:
    assert audience.may_know(STUDENT, SUPERVISOR) is student_knows
    assert audience.may_know(AGENT, SUPERVISOR) is agent_knows
    assert audience.may_receive(STUDENT, SUPERVISOR, TrackSource.MICROPHONE) is student_knows
    assert audience.may_receive(AGENT, SUPERVISOR, TrackSource.MICROPHONE) is agent_knows
    assert audience.may_receive(SUPERVISOR, STUDENT, TrackSource.SCREEN_SHARE)


def test_hold_lets_a_student_hear_music_only() -> None:
    audience = Audience(
        {
            "student": Place(hears=frozenset({"music"}), heard_by=NOBODY),
            "music": Place(groups=frozenset({"music"})),
        }
    )
    assert audience.may_know(STUDENT, AGENT)
    assert not audience.may_receive(STUDENT, AGENT, TrackSource.MICROPHONE)
    assert audience.may_receive(STUDENT, Identity("music"), TrackSource.MICROPHONE)
    assert not audience.may_receive(AGENT, STUDENT, TrackSource.MICROPHONE)


def test_sources_can_be_held_back() -> None:
    audience = Audience({"agent": Place(sources=frozenset({TrackSource.MICROPHONE}))})
    assert audience.may_receive(STUDENT, AGENT, TrackSource.MICROPHONE)
    assert not audience.may_receive(STUDENT, AGENT, TrackSource.CAMERA)


async def test_a_student_learns_nothing_of_a_monitor_or_a_whisperer() -> None:
    world = World()
    world.room.set_audience(MONITOR)
    world.join("student")
    agent = world.join("agent")
    world.clear()
    student = world.heard_by("student")
    supervisor = world.join("supervisor")
    assert student.calls == []
    assert world.heard_by("agent").calls == []
    assert {info.identity for info in world.room.others(supervisor)} == {"student", "agent"}
    assert world.room.info(world.room.participants[STUDENT]).num_participants == 2
    assert world.room.info(supervisor).num_participants == 3

    world.room.set_audience(WHISPER)
    assert student.calls == []
    assert ("supervisor", "JOINED") in identities(world.heard_by("agent").of("on_participants"))

    supervisor.update_metadata(name="Wen", metadata="notes", attributes={"k": "v"})
    world.room.route_data(supervisor, True, b"whisper", None)
    world.room.route_data(supervisor, False, b"whisper", ["student"])
    assert student.calls == []
    data = [transport.data.sent for transport in world.front.transports]
    assert data == [[], [("_reliable", b"whisper")], []]

    world.room.set_audience(BARGE)
    assert ("supervisor", "JOINED") in identities(student.of("on_participants"))
    world.room.route_data(supervisor, True, b"hello", None)
    assert world.front.transports[0].data.sent == [("_reliable", b"hello")]

    world.room.set_audience(MONITOR)
    assert identities(student.of("on_participants"))[-1] == ("supervisor", "DISCONNECTED")
    assert student.last("on_room_update")[0].num_participants == 2
    world.clear()
    supervisor.leave(LeaveReason.CLIENT_INITIATED)
    assert student.calls == []
    assert agent.known == {"student"}


async def test_whispered_media_reaches_the_agent_only() -> None:
    world = World()
    world.room.set_audience(WHISPER)
    student, agent = world.join("student"), world.join("agent")
    supervisor = world.join("supervisor")
    supervisor.add_track(TrackRequest(cid="mic", kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE))
    track = next(iter(supervisor.tracks.values()))
    world.clear()
    supervisor.track_started(track)
    assert track.sid not in student.subscriptions
    assert agent.subscriptions[track.sid].allowed
    assert world.heard_by("student").calls == []
    world.room.set_audience(BARGE)
    assert student.subscriptions[track.sid].allowed
    world.room.set_audience(MONITOR)
    assert track.sid not in student.subscriptions
    assert track.sid not in agent.subscriptions


async def test_speakers_are_told_only_to_those_who_hear_them() -> None:
    world = World()
    world.room.set_audience(WHISPER)
    world.join("student")
    world.join("agent")
    supervisor = world.join("supervisor")
    supervisor.add_track(TrackRequest(cid="mic", kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE))
    track = next(iter(supervisor.tracks.values()))
    supervisor.track_started(track)
    world.clear()
    for packet in range(50):
        supervisor.audio_level(track, 10, 1.0 + packet * 0.02)
    world.room.poll_speakers(2.0)
    assert world.heard_by("student").of("on_speakers") == []
    (speakers,) = world.heard_by("agent").last("on_speakers")
    assert [(speaker.participant_sid, speaker.active) for speaker in speakers] == [(supervisor.sid, True)]
    world.room.poll_speakers(4.0)
    (speakers,) = world.heard_by("agent").last("on_speakers")
    assert [(speaker.participant_sid, speaker.active) for speaker in speakers] == [(supervisor.sid, False)]
    assert world.heard_by("student").calls == []


async def test_a_known_but_unheard_track_is_prepared_and_gated() -> None:
    """A section negotiated before the switch makes the switch free of any offer."""
    world = World()
    hold = Audience({"agent": Place(groups=frozenset({"agents"}), heard_by=frozenset({"staff"}))})
    world.room.set_audience(hold)
    student, agent = world.join("student"), world.join("agent")
    agent.add_track(TrackRequest(cid="mic", kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE))
    track = next(iter(agent.tracks.values()))
    agent.track_started(track)
    assert not student.subscriptions[track.sid].allowed
    world.room.set_audience(OPEN)
    assert student.subscriptions[track.sid].allowed


async def test_hidden_participants_do_not_exist_for_others() -> None:
    world = World()
    world.join("student")
    world.clear()
    recorder = world.join("recorder", hidden=True, can_publish=False)
    assert world.heard_by("student").calls == []
    assert world.room.others(recorder)[0].identity == "student"
    assert world.room.info().num_participants == 1
    with pytest.raises(RoomError, match="publishing"):
        recorder.add_track(TrackRequest(cid="x", kind=TrackKind.AUDIO))
