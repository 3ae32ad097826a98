"""From a publisher's description and packets to a subscriber's queue, without sockets."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from mediaserver.room.audience import Audience, Place
from mediaserver.room.control import LocalRoomControl
from mediaserver.room.local import FrameClock, LocalSink, LocalSource, SinkEventKind
from mediaserver.room.model import (
    LeaveReason,
    Quality,
    RoomEvent,
    RoomEventKind,
    TrackCodec,
    TrackKind,
    TrackRequest,
    TrackSource,
    VideoLayer,
)
from mediaserver.room.opus_file import read_opus_packets
from mediaserver.room.participant import Participant
from mediaserver.rtp.extensions import HeaderExtension
from mediaserver.rtp.packet import RtpPacket, build_rtp, parse_rtp
from mediaserver.rtp.rtcp import Nack, Pli, TransportFeedback, parse_compound
from mediaserver.sdp.description import SdpError
from mediaserver.sdp.parser import parse_sdp
from tests.unit.room.fakes import FakeTransport, World, identities

SDP = Path("tests/data/sdp")
INITIAL = (SDP / "chromium156-livekit-client2.23-single-pc-initial-offer.sdp").read_text()
PUBLISHING = (SDP / "chromium156-livekit-client2.23-single-pc-offer-mic-camera-simulcast.sdp").read_text()
MIC_CID = "c753feb6-f98e-45fd-b3cf-243ce4c88ecb"
CAMERA_CID = "f8afe8c8-e300-4224-9e87-2325110af46c"
MIC_SSRC = 402491210
MID, RID, TRANSPORT_SEQUENCE, AUDIO_LEVEL = 4, 10, 3, 1
KEYFRAME = (
    bytes.fromhex("10") + bytes([0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0x40, 0x01, 0xB4, 0x00]) + b"k" * 60
)
DELTA = bytes.fromhex("10") + bytes([0x11, 0x02, 0x00]) + b"d" * 60

MICROPHONE = TrackRequest(cid=MIC_CID, kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE)
CAMERA = TrackRequest(
    cid=CAMERA_CID,
    kind=TrackKind.VIDEO,
    source=TrackSource.CAMERA,
    width=1280,
    height=720,
    layers=(
        VideoLayer(Quality.LOW, 320, 180, rid="q"),
        VideoLayer(Quality.MEDIUM, 640, 360, rid="h"),
        VideoLayer(Quality.HIGH, 1280, 720, rid="f"),
    ),
    codecs=(TrackCodec("video/VP8", CAMERA_CID),),
)


class Sender:
    """A publishing client: makes packets as Chromium does."""

    def __init__(self, transport: FakeTransport) -> None:
        self.transport = transport
        self.sequences: dict[int, int] = {}
        self.transport_sequence = 0
        self.now = 100.0

    def send(
        self,
        ssrc: int,
        payload: bytes,
        *,
        payload_type: int,
        mid: str = "",
        rid: str = "",
        level: int | None = None,
        marker: bool = True,
        skip: int = 0,
    ) -> None:
        number = self.sequences.get(ssrc, 1000) + skip
        self.sequences[ssrc] = number + 1
        extensions = [(TRANSPORT_SEQUENCE, self.transport_sequence.to_bytes(2, "big"))]
        self.transport_sequence += 1
        if mid:
            extensions.append((MID, mid.encode()))
        if rid:
            extensions.append((RID, rid.encode()))
        if level is not None:
            extensions.append((AUDIO_LEVEL, bytes([0x80 | level])))
        self.now += 0.02
        self.transport.handler.on_rtp(
            build_rtp(
                payload_type=payload_type, sequence_number=number, timestamp=int(self.now * 90000), ssrc=ssrc,
                payload=payload, marker=marker, extensions=extensions,
            ),
            self.now,
        )  # fmt: skip

    def video(self, rid: str, payload: bytes, **more: int) -> None:
        self.send({"q": 1, "h": 2, "f": 3}[rid], payload, payload_type=96, mid="8", rid=rid, **more)  # type: ignore[arg-type]


def queued(transport: FakeTransport) -> list[RtpPacket]:
    return [parse_rtp(header + payload) for header, payload, _ in transport.queue.drain(0.0)]


def publisher(world: World, *requests: TrackRequest) -> tuple[Participant, Sender]:
    student = world.join("student")
    transport = world.front.transports[-1]
    for request in requests:
        student.add_track(request)
    student.client_offer(PUBLISHING, 1)
    transport.connect()
    return student, Sender(transport)


def subscriber(world: World, name: str = "agent") -> tuple[Participant, FakeTransport]:
    agent = world.join(name)
    transport = world.front.transports[-1]
    agent.client_offer(INITIAL, 1)
    transport.connect()
    return agent, transport


async def test_a_track_is_announced_with_its_first_packet_and_forwarded() -> None:
    world = World()
    student, sender = publisher(world, MICROPHONE)
    assert world.heard_by("student").last("on_track_published")[0] == MIC_CID
    agent, _ = subscriber(world)
    world.clear()
    sender.send(MIC_SSRC, b"opus", payload_type=111, level=20)
    (infos,) = world.heard_by("agent").last("on_participants")
    assert infos[0].tracks[0].source is TrackSource.MICROPHONE
    assert infos[0].tracks[0].mid == "7"
    subscription = next(iter(agent.subscriptions.values()))
    assert subscription.track.publisher_identity == student.identity


async def test_a_newcomer_is_served_by_its_first_answer() -> None:
    world = World()
    student, sender = publisher(world, MICROPHONE, CAMERA)
    sender.send(MIC_SSRC, b"opus", payload_type=111)
    sender.video("f", KEYFRAME)
    agent, transport = subscriber(world)
    sdp, offer_id, mid_to_track = world.heard_by("agent").last("on_answer")
    assert offer_id == 1
    assert set(mid_to_track.values()) == set(student.tracks)
    assert world.heard_by("agent").of("on_media_sections_required") == []
    sections = {media.mid: media for media in parse_sdp(sdp).media}
    for mid, sid in mid_to_track.items():
        assert sections[mid].msids[0].stream_id == f"{student.sid}|{sid}"
        assert sections[mid].direction.sends
    queued(transport)
    sender.send(MIC_SSRC, b"opus", payload_type=111, level=20)
    sender.video("f", KEYFRAME)
    sender.video("f", DELTA)
    packets = queued(transport)
    assert [packet.payload for packet in packets] == [b"opus", KEYFRAME, DELTA]
    assert packets[2].sequence_number == (packets[1].sequence_number + 1) & 0xFFFF
    assert agent.statistics(sender.now).outbound[1].stream.packets_sent == 2


async def test_a_late_track_costs_one_request_for_an_offer() -> None:
    world = World()
    _, sender = publisher(world, MICROPHONE, CAMERA)
    agent, transport = subscriber(world)
    sender.send(MIC_SSRC, b"opus", payload_type=111)
    sender.video("q", KEYFRAME)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert world.heard_by("agent").of("on_media_sections_required") == [(0, 0)]
    agent.client_offer(INITIAL, 2)
    assert len(world.heard_by("agent").last("on_answer")[2]) == 2
    sender.send(MIC_SSRC, b"later", payload_type=111)
    assert [packet.payload for packet in queued(transport)] == [b"later"]


async def test_layers_follow_the_wish_and_switch_on_key_frames_only() -> None:
    world = World()
    student, sender = publisher(world, CAMERA)
    for rid in "qhf":
        sender.video(rid, KEYFRAME)
    agent, transport = subscriber(world)
    sid = next(iter(student.tracks))
    agent.update_track_settings([sid], disabled=False, quality=Quality.LOW, width=0, height=0, fps=0)
    sender.video("f", KEYFRAME)
    sender.video("q", DELTA)
    assert queued(transport) == []
    sender.video("q", KEYFRAME)
    sender.video("q", DELTA)
    sender.video("f", DELTA)
    low = queued(transport)
    assert len(low) == 2
    agent.update_track_settings([sid], disabled=False, quality=Quality.HIGH, width=0, height=0, fps=0)
    pli = [m for data in sender.transport.rtcp for m in parse_compound(data) if isinstance(m, Pli)]
    sender.video("q", DELTA)
    sender.video("f", DELTA)
    sender.video("f", KEYFRAME)
    sender.video("q", DELTA)
    high = queued(transport)
    assert [packet.payload for packet in high] == [DELTA, KEYFRAME]
    numbers = [packet.sequence_number for packet in low + high]
    assert [(b - a) & 0xFFFF for a, b in itertools.pairwise(numbers)] == [1, 1, 1]
    assert len({packet.ssrc for packet in low + high}) == 1
    assert pli or student.publisher.urgent
    agent.update_track_settings([sid], disabled=True, quality=Quality.HIGH, width=0, height=0, fps=0)
    sender.video("f", KEYFRAME)
    assert queued(transport) == []


async def test_the_publisher_learns_which_layers_are_wanted() -> None:
    world = World()
    student, sender = publisher(world, CAMERA)
    for rid in "qhf":
        sender.video(rid, KEYFRAME)
    agent, _ = subscriber(world)
    sid = next(iter(student.tracks))
    agent.update_track_settings([sid], disabled=False, quality=Quality.LOW, width=0, height=0, fps=0)
    told_sid, codecs = world.heard_by("student").last("on_subscribed_quality")
    assert told_sid == sid
    assert codecs[0].enabled == ((Quality.LOW, True), (Quality.MEDIUM, False), (Quality.HIGH, False))
    agent.update_track_settings([sid], disabled=True, quality=Quality.LOW, width=0, height=0, fps=0)
    agent.update_track_settings([sid], disabled=False, quality=Quality.HIGH, width=640, height=360, fps=0)
    _, codecs = world.heard_by("student").last("on_subscribed_quality")
    assert codecs[0].enabled == ((Quality.LOW, True), (Quality.MEDIUM, True), (Quality.HIGH, False))


async def test_mute_closes_the_way_and_unmute_asks_for_a_key_frame() -> None:
    world = World()
    student, sender = publisher(world, CAMERA)
    sender.video("f", KEYFRAME)
    _, transport = subscriber(world)
    sid = next(iter(student.tracks))
    sender.video("f", KEYFRAME)
    queued(transport)
    student.set_muted(sid, True, by_server=True)
    assert world.heard_by("student").last("on_mute") == (sid, True)
    sender.video("f", DELTA)
    assert queued(transport) == []
    student.set_muted(sid, False)
    sender.video("f", KEYFRAME)
    assert len(queued(transport)) == 1


async def test_losses_are_asked_for_and_arrivals_are_reported() -> None:
    world = World()
    student, sender = publisher(world, CAMERA)
    sender.video("f", KEYFRAME)
    sender.video("f", DELTA, skip=2)
    student.publisher.poll(sender.now + 0.02)
    student.publisher.poll(sender.now + 0.2)
    messages = [message for data in sender.transport.rtcp for message in parse_compound(data)]
    nacks = [message for message in messages if isinstance(message, Nack)]
    assert set(nacks[0].lost) == {1001, 1002}
    feedback = [message for message in messages if isinstance(message, TransportFeedback)]
    assert [sequence for sequence, _ in feedback[0].packets] == [0, 1]


async def test_unknown_ssrcs_are_bounded_and_dropped() -> None:
    world = World()
    student, sender = publisher(world, MICROPHONE)
    for ssrc in range(5000, 7000):
        sender.send(ssrc, b"x", payload_type=111)
    sender.send(MIC_SSRC, b"opus", payload_type=111)
    assert len(student.publisher.uplinks) == 1
    for ssrc in range(5000, 7000):
        sender.send(ssrc, b"x", payload_type=111, mid="7")
    assert len(student.publisher.uplinks) <= world.manager.limits.max_streams_per_peer


async def test_a_damaged_offer_changes_nothing_and_says_why() -> None:
    world = World()
    student, sender = publisher(world, MICROPHONE)
    with pytest.raises(SdpError):
        student.client_offer("v=0\r\nm=audio", 2)
    with pytest.raises(SdpError, match="longer"):
        student.client_offer("v=0\r\n" + "a=x\r\n" * 100_000, 3)
    sender.send(MIC_SSRC, b"opus", payload_type=111)
    assert len(student.announced_tracks) == 1


async def test_an_ice_restart_keeps_the_association() -> None:
    world = World()
    student, sender = publisher(world, MICROPHONE)
    before = sender.transport.local_ufrag
    ufrag = parse_sdp(PUBLISHING).media[0].ice_ufrag
    assert ufrag is not None
    student.client_offer(PUBLISHING.replace(f"a=ice-ufrag:{ufrag}", "a=ice-ufrag:NEWU"), 2)
    assert sender.transport.restarts == 1
    assert sender.transport.remote is not None
    assert sender.transport.remote.ufrag == "NEWU"
    answer = world.heard_by("student").last("on_answer")[0]
    assert f"a=ice-ufrag:{sender.transport.local_ufrag}" in answer
    assert sender.transport.local_ufrag != before


async def test_leaving_ends_tracks_and_tells_everybody() -> None:
    world = World()
    student, sender = publisher(world, MICROPHONE)
    sender.send(MIC_SSRC, b"opus", payload_type=111)
    agent, transport = subscriber(world)
    sid = next(iter(student.tracks))
    sink = LocalSink()
    sink.attach(student.tracks[sid])
    from mediaserver.room.model import LeaveReason

    student.leave(LeaveReason.CLIENT_INITIATED)
    assert agent.subscriptions == {}
    assert world.heard_by("agent").last("on_participants")[0][0].state.name == "DISCONNECTED"
    assert world.heard_by("student").last("on_leave") == (LeaveReason.CLIENT_INITIATED,)
    assert sender.transport.state.value == "closed"
    assert (await sink.get()).kind is SinkEventKind.END
    sender.send(MIC_SSRC, b"opus", payload_type=111)
    assert queued(transport) == []


async def test_a_sink_gets_packets_before_rewriting_and_counts_its_own_losses() -> None:
    world = World()
    student, sender = publisher(world, MICROPHONE)
    sender.send(MIC_SSRC, b"zero", payload_type=111)
    sink = LocalSink(max_packets=3)
    sink.attach(next(iter(student.tracks.values())))
    for number in range(5):
        sender.send(MIC_SSRC, b"%d" % number, payload_type=111)
    events = [await sink.get() for _ in range(3)]
    assert [event.packet.payload for event in events if event.packet] == [b"0", b"1", b"2"]
    assert [event.packet.extended_sequence & 0xFFFF for event in events if event.packet] == [1001, 1002, 1003]
    assert sink.dropped_packets == 2


async def test_a_source_plays_to_whom_the_audience_lets() -> None:
    world = World()
    student, transport = subscriber(world, "student")
    _, agent_transport = subscriber(world, "agent")
    world.room.set_audience(
        Audience(
            {
                "music": Place(groups=frozenset({"music"}), heard_by=frozenset({"students"})),
                "student": Place(groups=frozenset({"students"})),
            }
        )
    )
    clock = FrameClock()
    source = LocalSource(world.room, clock, [b"frame"] * 3, identity="music", loop=True)
    source.start()
    student.client_offer(INITIAL, 2)
    world.room.participants[student.identity]
    source._play(1.0)
    source._play(1.02)
    packets = queued(transport)
    assert [packet.payload for packet in packets] == [b"frame", b"frame"]
    assert (packets[1].timestamp - packets[0].timestamp) & 0xFFFFFFFF == 960
    assert queued(agent_transport) == []
    source.stop()
    assert world.heard_by("student").last("on_participants")[0][0].state.name == "DISCONNECTED"


async def test_an_announcement_is_played_once_before_the_music_and_only_to_its_listener() -> None:
    world = World()
    student, transport = subscriber(world, "student")
    _, agent_transport = subscriber(world, "agent")
    source = LocalSource(
        world.room,
        FrameClock(),
        [b"la", b"li"],
        identity="music",
        loop=True,
        intro=[b"hello"],
        only_for=frozenset({student.identity}),
        wait_for_listener=True,
    )
    source.start()
    student.client_offer(INITIAL, 2)
    for number in range(5):
        source._play(1.0 + number * 0.02)
    assert [packet.payload for packet in queued(transport)] == [b"hello", b"la", b"li", b"la", b"li"]
    assert queued(agent_transport) == []
    source.stop()


async def test_music_that_was_stopped_plays_again_on_its_track_without_negotiation() -> None:
    world = World()
    control = LocalRoomControl(world.manager)
    student, transport = subscriber(world, "student")
    room = world.room.name
    await control.play(room, [b"la"], identity="music", loop=True)
    student.client_offer(INITIAL, 2)
    (source,) = control._sources.values()
    source._play(1.0)
    first = queued(transport)
    told = len(world.heard_by("student").calls)
    await control.stop_playing(room, "music")
    await control.play(room, [b"li"], identity="music", loop=True, intro=[b"please hold"])
    assert list(control._sources.values()) == [source]
    for number in range(3):
        source._play(2.0 + number * 0.02)
    again = queued(transport)
    assert [packet.payload for packet in again] == [b"please hold", b"li", b"li"]
    assert {packet.ssrc for packet in again} == {first[0].ssrc}
    assert again[0].marker
    assert (again[0].sequence_number - first[-1].sequence_number) & 0xFFFF == 1
    assert len(world.heard_by("student").calls) == told
    world.manager.delete(room)
    assert control._sources == {}


async def test_an_observer_is_told_who_comes_and_leaves() -> None:
    world = World()
    seen: list[RoomEvent] = []
    world.manager.observers.append(seen.append)
    student, _ = subscriber(world, "student")
    student.leave(LeaveReason.CLIENT_INITIATED)
    world.manager.delete(world.room.name)
    assert [(event.kind, event.identity, event.reason) for event in seen] == [
        (RoomEventKind.JOINED, "student", LeaveReason.UNKNOWN),
        (RoomEventKind.CONNECTED, "student", LeaveReason.UNKNOWN),
        (RoomEventKind.LEFT, "student", LeaveReason.CLIENT_INITIATED),
        (RoomEventKind.ENDED, "", LeaveReason.ROOM_DELETED),
    ]
    assert {event.room for event in seen} == {world.room.name}


async def test_a_source_replaced_by_another_of_the_same_codec_is_continuous() -> None:
    world = World()
    student, sender = publisher(world, MICROPHONE)
    sender.send(MIC_SSRC, b"voice", payload_type=111)
    agent, transport = subscriber(world)
    subscription = next(iter(agent.subscriptions.values()))
    sender.send(MIC_SSRC, b"voice", payload_type=111)
    music = LocalSource(world.room, FrameClock(), [b"music"], identity="music", loop=True)
    subscription.replace_source(music.track)
    sender.send(MIC_SSRC, b"voice", payload_type=111)
    music._play(sender.now + 0.02)
    packets = queued(transport)
    assert [packet.payload for packet in packets] == [b"voice", b"music"]
    assert len({packet.ssrc for packet in packets}) == 1
    assert (packets[1].sequence_number - packets[0].sequence_number) & 0xFFFF == 1
    camera = [track for track in student.tracks.values() if track.info.kind is TrackKind.VIDEO]
    assert camera == []


@pytest.mark.parametrize(("codec", "descriptor"), [("video/VP8", False), ("video/AV1", True)])
async def test_the_dependency_descriptor_is_asked_for_only_where_the_codec_needs_it(
    codec: str, descriptor: bool
) -> None:
    """With VP8, Chromium would move picture ids out of the payload, where a layer switch can mend them."""
    world = World()
    publisher(world, replace(CAMERA, codecs=(TrackCodec(codec, CAMERA_CID),)))
    answer = parse_sdp(world.heard_by("student").last("on_answer")[0])
    section = next(media for media in answer.media if media.mid == "8")
    uris = {extension.uri for extension in section.extensions}
    assert (HeaderExtension.DEPENDENCY_DESCRIPTOR in uris) is descriptor


async def test_a_greeting_is_heard_by_the_newcomer_alone_and_from_its_beginning() -> None:
    packets = read_opus_packets(Path("signalling/sounds/greeting.opus"))
    assert 45 <= len(packets) <= 55
    world = World(greeting=packets)
    _, agent_transport = subscriber(world, "agent")
    queued(agent_transport)
    world.clear()
    student, transport = subscriber(world, "student")
    (source,) = [local for local in world.room.locals.values() if student.identity in (local.only_for or ())]
    told = identities(world.heard_by("agent").of("on_participants"))
    assert source.identity not in {identity for identity, _ in told}
    student.client_offer(INITIAL, 2)
    for _ in range(3):
        world.manager.frame_clock.play(1.0)
    assert [packet.payload for packet in queued(transport)] == list(packets[:3])
    assert queued(agent_transport) == []


def test_a_sound_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "noise.opus").write_bytes(b"not a sound at all" * 100)
    with pytest.raises(ValueError, match=r"noise\.opus"):
        read_opus_packets(tmp_path / "noise.opus")
