"""What browsers really send, read and written again."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from mediaserver.rtp.extensions import HeaderExtension, build_extensions, parse_audio_level, parse_extensions
from mediaserver.rtp.packet import parse_rtp
from mediaserver.rtp.payload import PayloadFacts, PayloadInspector
from mediaserver.rtp.payload.dependency_descriptor import parse_dependency_descriptor
from mediaserver.rtp.payload.red import build_red, parse_red
from mediaserver.rtp.rtcp import (
    Nack,
    ReceiverReport,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    pack_compound,
    parse_compound,
)
from tests.unit.rtp.captures import CAPTURES, Capture
from tests.unit.rtp.damage import survives

VIDEO = {
    "chromium156-vp8-simulcast": "VP8",
    "chromium156-vp9-l3t3-key": "VP9",
    "chromium156-av1-l2t2": "AV1",
    "chromium156-h264": "H264",
}

each_capture = pytest.mark.parametrize("capture", CAPTURES.values(), ids=list(CAPTURES))


def facts_of(capture: Capture, codec: str) -> dict[int, list[PayloadFacts]]:
    """The facts of each stream's packets, in their order."""
    inspectors: dict[int, PayloadInspector] = defaultdict(lambda: PayloadInspector(codec))
    facts: dict[int, list[PayloadFacts]] = defaultdict(list)
    for packet in capture.of_codec(codec):
        named = {capture.extensions[key]: value for key, value in parse_extensions(packet)}
        descriptor = named.get(HeaderExtension.DEPENDENCY_DESCRIPTOR)
        facts[packet.ssrc].append(inspectors[packet.ssrc].inspect(packet.payload, descriptor))
    return facts


@each_capture
def test_rtp_packets_are_read_to_the_end(capture: Capture) -> None:
    assert len(capture.rtp) > 40
    for data in capture.rtp:
        packet = parse_rtp(data)
        assert packet.payload_type in capture.codecs
        items = parse_extensions(packet)
        assert {key for key, _ in items} <= set(capture.extensions)
        assert {HeaderExtension.MID, HeaderExtension.TRANSPORT_SEQUENCE} <= {
            capture.extensions[key] for key, _ in items
        }
        block = data[packet.extension_start - 4 : packet.extension_end]
        if packet.extension_profile == 0xBEDE:
            assert build_extensions(items) == block


@each_capture
def test_transport_sequence_counts_every_packet(capture: Capture) -> None:
    identifier = next(
        key for key, uri in capture.extensions.items() if uri == HeaderExtension.TRANSPORT_SEQUENCE
    )
    first = [int.from_bytes(dict(parse_extensions(parse_rtp(data)))[identifier]) for data in capture.rtp[:20]]
    assert [sequence - first[0] for sequence in first] == list(range(20))


@each_capture
def test_rtcp_survives_being_packed_again(capture: Capture) -> None:
    assert capture.rtcp
    for data in capture.rtcp:
        packets = parse_compound(data)
        assert packets, "a browser sends nothing else"
        packed = pack_compound(packets)
        assert parse_compound(packed) == packets
        assert len(packed) <= len(data)
        if not any(isinstance(packet, TransportFeedback) for packet in packets):
            assert packed == data  # feedback may choose other chunks


def test_rtcp_kinds() -> None:
    kinds = Counter(
        type(packet)
        for capture in CAPTURES.values()
        for data in capture.rtcp
        for packet in parse_compound(data)
    )
    assert {SenderReport, ReceiverReport, SourceDescription, TransportFeedback, Nack} <= set(kinds)


@each_capture
def test_transport_feedback_makes_sense(capture: Capture) -> None:
    messages = [
        packet
        for data in capture.rtcp
        for packet in parse_compound(data)
        if isinstance(packet, TransportFeedback)
    ]
    assert len(messages) > 5
    for earlier, later in pairwise(messages):
        assert later.feedback_count == (earlier.feedback_count + 1) & 0xFF
        assert later.reference_time_64ms >= earlier.reference_time_64ms
    lost = sum(delta is None for message in messages for _, delta in message.packets)
    total = sum(len(message.packets) for message in messages)
    assert lost < 0.2 * total


@each_capture
def test_damaged_twins_of_rtcp(capture: Capture) -> None:
    seen = set()
    for data in capture.rtcp:
        kind = tuple(type(packet).__name__ for packet in parse_compound(data))
        if kind not in seen:
            seen.add(kind)
            accepted, rejected = survives(parse_compound, data)
            assert accepted
            assert rejected


@pytest.mark.parametrize(("name", "codec"), VIDEO.items())
def test_each_stream_begins_with_a_key_frame(name: str, codec: str) -> None:
    for facts in facts_of(CAPTURES[name], codec).values():
        assert facts[0].keyframe
        assert facts[0].frame_start
        assert any(fact.width for fact in facts[:2])
        assert 1 <= sum(fact.keyframe for fact in facts) <= 6
        assert any(not fact.frame_start for fact in facts) or len(facts) < 40


def test_vp8_simulcast_streams_have_their_sizes_and_layers() -> None:
    sizes = set()
    for facts in facts_of(CAPTURES["chromium156-vp8-simulcast"], "VP8").values():
        sizes.add((facts[0].width, facts[0].height))
        assert {fact.temporal_layer for fact in facts} == {0, 1, 2}
    assert sizes == {(160, 90), (320, 180)}


def test_vp9_layers() -> None:
    (facts,) = facts_of(CAPTURES["chromium156-vp9-l3t3-key"], "VP9").values()
    assert {fact.temporal_layer for fact in facts} == {0, 1, 2}
    assert {fact.spatial_layer for fact in facts if not fact.keyframe} == {0, 1}
    assert all(fact.spatial_layer == 0 for fact in facts if fact.keyframe)


@pytest.mark.parametrize("name", ["chromium156-vp9-l3t3-key"])
def test_vp9_payload_and_dependency_descriptor_agree(name: str) -> None:
    capture = CAPTURES[name]
    inspector = PayloadInspector("VP9")
    structure = None
    for packet in capture.of_codec("VP9"):
        named = {capture.extensions[key]: value for key, value in parse_extensions(packet)}
        descriptor = parse_dependency_descriptor(named[HeaderExtension.DEPENDENCY_DESCRIPTOR], structure)
        structure = descriptor.structure or structure
        facts = inspector.inspect(packet.payload)
        assert descriptor.template is not None
        assert (facts.spatial_layer, facts.temporal_layer) == (
            descriptor.template.spatial_layer,
            descriptor.template.temporal_layer,
        )
        assert facts.frame_start is descriptor.start_of_frame
        assert facts.keyframe is (descriptor.structure is not None)


def test_av1_layers() -> None:
    (facts,) = facts_of(CAPTURES["chromium156-av1-l2t2"], "AV1").values()
    assert (facts[0].width, facts[0].height) == (640, 360)
    assert {(fact.spatial_layer, fact.temporal_layer) for fact in facts} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_av1_without_its_descriptor_still_shows_the_key_frame() -> None:
    first = next(CAPTURES["chromium156-av1-l2t2"].of_codec("AV1"))
    facts = PayloadInspector("AV1").inspect(first.payload)
    assert facts.keyframe
    assert facts.frame_start
    assert (facts.width, facts.height) == (640, 360)


@each_capture
def test_red_audio(capture: Capture) -> None:
    counts: Counter[int] = Counter()
    for packet in capture.of_codec("red"):
        blocks = parse_red(packet.payload)
        counts[len(blocks)] += 1
        assert build_red(blocks) == packet.payload
        assert all(capture.codecs[payload_type] == "opus" for payload_type, _, _ in blocks)
        assert [offset for _, offset, _ in blocks] == [960, 0][-len(blocks) :]
        named = {capture.extensions[key]: value for key, value in parse_extensions(packet)}
        assert 0 <= parse_audio_level(named[HeaderExtension.AUDIO_LEVEL]).level_dbov <= 127
    assert counts[2] > 5
