from __future__ import annotations

import pytest

from mediaserver.flow.cache import RETRANSMISSION_BURST_BYTES
from mediaserver.flow.forwarder import Forwarder
from mediaserver.flow.media_packet import MediaPacket
from mediaserver.flow.receiver import StreamReceiver
from mediaserver.flow.rewriter import MAX_LATE, MAX_SOURCE_GAP
from mediaserver.flow.sender_clock import SenderClock
from mediaserver.rtp.extensions import HeaderExtension, parse_extensions
from mediaserver.rtp.ntp import ntp_from_unix_ns
from mediaserver.rtp.packet import RtpPacket, build_rtp, parse_rtp
from mediaserver.rtp.payload.red import build_red, parse_red
from mediaserver.rtp.payload.vp8 import parse_vp8_descriptor
from mediaserver.rtp.rtcp import ReportBlock
from tests.unit.flow.packets import IDS, Rig, audio, video, vp8


class _Clock:
    """A source with a known capture clock."""

    def __init__(self, ntp_time: int, rtp_timestamp: int, arrival: float) -> None:
        self._clock = SenderClock(90_000)
        self._clock.on_sender_report(ntp_time, rtp_timestamp, arrival)

    def capture_time(self, timestamp: int) -> float | None:
        return self._clock.capture_time(timestamp)

    def packets_after(self, packet: MediaPacket, now: float) -> list[MediaPacket]:
        return []


def _numbers(packets: list[RtpPacket]) -> list[int]:
    return [packet.sequence_number for packet in packets]


def _report(lsr: int = 0, dlsr: int = 0, ssrc: int = 1000) -> ReportBlock:
    return ReportBlock(ssrc, 64, 9, 0, 900, lsr, dlsr)


def _picture(packet: RtpPacket) -> tuple[int | None, int | None]:
    descriptor = parse_vp8_descriptor(packet.payload)
    return descriptor.picture_id, descriptor.tl0picidx


# Beginning


def test_video_begins_with_a_key_frame_and_keeps_its_payload() -> None:
    rig = Rig()
    assert rig.forwarder.wants_keyframe_of_layer == 0
    assert rig.send(video(70_000), video(70_001)) == []
    sent = rig.send(video(70_002, 900, key=True, marker=False), video(70_003, 900))
    assert _numbers(sent) == [100, 101]
    assert [packet.timestamp for packet in sent] == [5000, 5000]
    assert [packet.payload for packet in sent] == [b"payload-70002", b"payload-70003"]
    assert [packet.marker for packet in sent] == [False, True]
    assert {packet.ssrc for packet in sent} == {1000}
    assert {packet.payload_type for packet in sent} == {100}
    assert rig.forwarder.wants_keyframe_of_layer is None
    assert rig.forwarder.current_layer == 0


def test_audio_begins_at_once() -> None:
    rig = Rig("opus")
    assert _numbers(rig.send(audio(70_000, 0), audio(70_001, 960))) == [100, 101]
    assert rig.forwarder.wants_keyframe_of_layer is None


def test_a_key_frame_whose_start_came_late_is_completed_from_what_is_there() -> None:
    ids: dict[int, HeaderExtension] = {}
    receiver = StreamReceiver(5, "VP8", 90_000, nack=True, payload_types={96: "VP8"})
    rig = Rig()
    packets: dict[int, bytes] = {
        number: build_rtp(
            payload_type=96, sequence_number=number, timestamp=3000 * (number > 1), ssrc=5,
            payload=vp8(number > 1, start=number in (1, 2), key=number == 2), marker=number in (1, 5),
        )
        for number in range(1, 6)
    }  # fmt: skip
    sent = []
    for number in (1, 3, 4, 5, 2):
        media = receiver.on_rtp(parse_rtp(packets[number]), ids, number / 100)
        assert media is not None
        sent += rig.send(media)
    assert _numbers(sent) == [100, 101, 102, 103]
    assert [packet.payload[0] for packet in sent] == [0x90, 0x80, 0x80, 0x80]


# Order, loss and gaps


def test_loss_leaves_a_gap_that_late_packets_fill_once() -> None:
    rig = Rig()
    rig.send(video(10, key=True))
    assert _numbers(rig.send(video(13), video(14))) == [103, 104]
    assert _numbers(rig.send(video(12))) == [102]
    assert _numbers(rig.send(video(11))) == [101]
    assert rig.send(video(12), video(11), video(10), video(13), video(9)) == []
    assert rig.forwarder.late_packets_dropped == 5


def test_padding_leaves_no_gap() -> None:
    rig = Rig()
    rig.send(video(10, key=True))
    assert rig.send(video(11, payload=b""), video(12, payload=b"")) == []
    assert _numbers(rig.send(video(13))) == [101]
    assert rig.send(video(12)) == []


def test_padding_that_comes_late_fills_its_place_with_an_empty_packet() -> None:
    rig = Rig()
    rig.send(video(10, key=True), video(12))
    (sent,) = rig.send(video(11, payload=b""))
    assert sent.sequence_number == 101
    assert sent.payload == b""
    assert not sent.marker


def test_loss_before_and_after_padding_keeps_its_places() -> None:
    rig = Rig()
    rig.send(video(10, key=True))
    assert _numbers(rig.send(video(12, payload=b""), video(14))) == [103]
    assert _numbers(rig.send(video(13), video(11))) == [102, 101]


def test_the_place_of_a_packet_far_behind_is_given_up() -> None:
    rig = Rig()
    rig.send(video(10, key=True), video(12))
    rig.send(*(video(number) for number in range(13, 13 + MAX_LATE)))
    assert rig.send(video(11)) == []


def test_a_leap_of_the_source_is_a_new_beginning() -> None:
    rig = Rig()
    rig.send(video(10, 0, key=True, arrival=1.0), video(11, 3000, arrival=1.1))
    assert rig.send(video(12 + MAX_SOURCE_GAP + 100, 77)) == []
    assert rig.forwarder.wants_keyframe_of_layer == 0
    (sent,) = rig.send(video(13 + MAX_SOURCE_GAP + 100, 999_999, key=True, arrival=1.2))
    assert sent.sequence_number == 102
    assert sent.timestamp == 5000 + 3000 + 9000


def test_a_gap_after_silence_is_closed() -> None:
    rig = Rig("opus")
    rig.send(audio(10, 0, arrival=1.0), audio(11, 960, arrival=1.02))
    (sent,) = rig.send(audio(111, 96_960, arrival=3.02))
    assert (sent.sequence_number, sent.timestamp) == (102, 5000 + 96_960)
    (sent,) = rig.send(audio(121, 106_560, arrival=3.22))
    assert sent.sequence_number == 112
    rig = Rig()
    rig.send(video(10, 0, key=True, arrival=1.0))
    assert rig.send(video(100, 90_000, arrival=2.1)) == []
    assert rig.forwarder.wants_keyframe_of_layer == 0
    (sent,) = rig.send(video(101, 93_000, key=True, arrival=2.2))
    assert (sent.sequence_number, sent.timestamp) == (101, 5000 + 93_000)


def test_slow_pictures_without_a_gap_are_no_silence() -> None:
    rig = Rig()
    rig.send(video(10, 0, key=True, arrival=1.0))
    assert _numbers(rig.send(video(11, 900_000, arrival=11.0))) == [101]


def test_another_ssrc_of_the_publisher_is_a_new_beginning() -> None:
    before, after = (StreamReceiver(ssrc, "VP8", 90_000, nack=True) for ssrc in (5, 7))
    rig = Rig()
    rig.send(video(90_000, 0, key=True, arrival=1.0, source=before))
    assert rig.send(video(66_000, 77, arrival=1.1, source=after)) == []
    (sent,) = rig.send(video(66_001, 777, key=True, arrival=1.2, source=after))
    assert (sent.sequence_number, sent.timestamp) == (101, 5000 + 18_000)
    assert _numbers(rig.send(video(66_002, 3777, arrival=1.23, source=after))) == [102]


def test_leaps_of_a_hostile_source_are_cheap_and_bounded() -> None:
    rig = Rig()
    rig.send(video(10, key=True))
    for step in range(2_000):
        rig.send(video(10 + 2_000 * (step + 1)))
    assert len(rig.forwarder._rewriter._holes) <= 256


# Switching


def test_layers_switch_at_key_frames_only() -> None:
    rig = Rig()
    rig.send(video(10, 0, key=True, arrival=1.0))
    rig.forwarder.set_target_layer(2)
    assert rig.forwarder.wants_keyframe_of_layer == 2
    assert rig.send(video(900, 5, layer=2, arrival=1.01)) == []
    assert _numbers(rig.send(video(11, 3000, arrival=1.03))) == [101]
    (sent,) = rig.send(video(901, 50_000, layer=2, key=True, arrival=1.06))
    assert sent.sequence_number == 102
    assert sent.timestamp == 5000 + 3000 + 2700
    assert rig.send(video(12, 6000), video(9, 0), video(900, 5, layer=2)) == []
    assert _numbers(rig.send(video(902, 53_000, layer=2))) == [103]
    assert rig.forwarder.current_layer == 2


def test_lost_packets_of_the_layer_before_have_no_place_after_a_switch() -> None:
    rig = Rig()
    rig.send(video(10, key=True), video(12))
    rig.forwarder.set_target_layer(1)
    rig.send(video(500, layer=1, key=True))
    assert rig.send(video(11), video(11, layer=1)) == []


def test_timestamps_of_switches_follow_capture_rather_than_arrival() -> None:
    ntp = ntp_from_unix_ns(1_700_000_000_000_000_000)
    low, high = _Clock(ntp, 1_000, 100.0), _Clock(ntp, 800_000, 100.0)
    rig = Rig()
    rig.send(video(10, 1_000, key=True, arrival=100.02, source=low))
    rig.forwarder.set_target_layer(1)
    # Captured 1 s later, but 0.2 s late by a slow way.
    (sent,) = rig.send(video(50, 890_000, layer=1, key=True, arrival=101.22, source=high))
    assert sent.timestamp == 5000 + 90_000


def test_timestamps_never_fall() -> None:
    rig = Rig()
    rig.send(video(10, 90_000, key=True, arrival=5.0))
    rig.forwarder.set_target_layer(1)
    (sent,) = rig.send(video(10, 0, layer=1, key=True, arrival=4.0))
    assert sent.timestamp == 5001


def test_picture_ids_go_on_over_switches() -> None:
    rig = Rig()
    sent = rig.send(
        video(10, 0, payload=vp8(0x7FFE, 254, key=True), key=True),
        video(11, 3000, payload=vp8(0x7FFF, 255)),
    )
    rig.forwarder.set_target_layer(1)
    sent += rig.send(
        video(700, 0, layer=1, payload=vp8(500, 7, key=True, start=True), key=True, marker=False)
    )
    sent += rig.send(video(701, 0, layer=1, payload=vp8(500, 7, start=False)))
    sent += rig.send(video(702, 3000, layer=1, payload=vp8(501, 8)))
    rig.forwarder.set_source()
    sent += rig.send(video(5, 0, layer=1, payload=vp8(9, 9, key=True), key=True))
    assert [_picture(packet) for packet in sent] == [
        (0x7FFE, 254), (0x7FFF, 255), (0, 0), (0, 0), (1, 1), (2, 2)
    ]  # fmt: skip
    assert _numbers(sent) == list(range(100, 106))


def test_the_patched_payload_is_otherwise_the_same() -> None:
    rig = Rig()
    rig.send(video(10, payload=vp8(1, 1, key=True), key=True))
    rig.forwarder.set_source()
    original = vp8(70, 80, key=True)
    (sent,) = rig.send(video(10, payload=original, key=True))
    assert sent.payload[6:] == original[6:]
    assert sent.payload[:2] == original[:2]


def test_temporal_layers_left_out_leave_no_gap_in_any_number() -> None:
    rig = Rig()
    rig.forwarder.set_max_temporal_layer(0)
    sent = []
    for picture in range(8):
        tid = picture & 1
        for part in range(2):
            payload = vp8(
                picture, picture // 2, tid, start=part == 0, key=picture == 0 and part == 0, sync=True
            )
            sent += rig.send(
                video(
                    10 + 2 * picture + part,
                    3000 * picture,
                    payload=payload,
                    key=picture == 0 and part == 0,
                    marker=part == 1,
                )
            )
    assert _numbers(sent) == list(range(100, 108))
    assert [_picture(packet)[0] for packet in sent] == [0, 0, 1, 1, 2, 2, 3, 3]
    rig.forwarder.set_max_temporal_layer(None)
    (sent_again,) = rig.send(video(26, 24_000, payload=vp8(8, 4, 0)))
    assert _picture(sent_again)[0] == 4
    assert rig.send(video(27, 27_000, payload=vp8(9, 4, 1, sync=False))) == []
    assert len(rig.send(video(28, 30_000, payload=vp8(10, 5, 1, sync=True)))) == 1


def test_a_switch_after_left_out_pictures_repeats_no_picture_id() -> None:
    rig = Rig()
    rig.forwarder.set_max_temporal_layer(0)
    sent = rig.send(
        video(10, 0, payload=vp8(50, 0, key=True), key=True),
        video(11, 1, payload=vp8(51, 0, 1)),
        video(12, 2, payload=vp8(52, 0, 1)),
    )
    rig.forwarder.set_source()
    sent += rig.send(video(10, 0, payload=vp8(7, 0, key=True), key=True))
    assert [_picture(packet)[0] for packet in sent] == [50, 51]


def test_spatial_layers_above_the_target_are_dropped_and_the_marker_moves() -> None:
    rig = Rig("VP9")
    rig.forwarder.set_source(scalable=True)
    rig.forwarder.set_target_layer(1)
    sent = []
    number = 10
    for picture in range(3):
        for spatial in range(3):
            packet = video(
                number,
                3000 * picture,
                spatial=spatial,
                key=picture == 0 and spatial == 0,
                marker=spatial == 2,
            )
            sent += rig.send(packet)
            number += 1
    assert _numbers(sent) == list(range(100, 106))
    assert [packet.marker for packet in sent] == [False, True] * 3
    assert rig.forwarder.current_layer == 1
    rig.forwarder.set_target_layer(0)
    assert len(rig.send(*(video(number + s, 9000, spatial=s, marker=s == 2) for s in range(3)))) == 1
    rig.forwarder.set_target_layer(2)
    assert rig.forwarder.wants_keyframe_of_layer == 0
    number += 3
    assert len(rig.send(*(video(number + s, 12_000, spatial=s, marker=s == 2) for s in range(3)))) == 1
    number += 3
    assert (
        len(rig.send(*(video(number + s, 15_000, spatial=s, key=s == 0, marker=s == 2) for s in range(3))))
        == 3
    )


def test_pause_closes_at_once_and_audio_resumes_in_place() -> None:
    rig = Rig("opus")
    rig.send(audio(10, 0), audio(11, 960))
    rig.forwarder.pause()
    assert rig.send(audio(12, 1920), audio(13, 2880)) == []
    rig.forwarder.resume()
    assert rig.send(audio(11, 960)) == []
    (sent,) = rig.send(audio(14, 3840))
    assert sent.sequence_number == 102
    assert sent.timestamp == 5000 + 3840


def test_video_resumes_at_a_key_frame() -> None:
    rig = Rig()
    rig.send(video(10, 0, key=True), video(11, 3000))
    rig.forwarder.pause()
    assert rig.forwarder.wants_keyframe_of_layer is None
    rig.forwarder.resume()
    assert rig.forwarder.wants_keyframe_of_layer == 0
    assert rig.send(video(12, 6000)) == []
    (sent,) = rig.send(video(13, 9000, key=True))
    assert (sent.sequence_number, sent.timestamp) == (102, 14_000)


def test_off_stops_at_once() -> None:
    rig = Rig()
    rig.send(video(10, key=True))
    rig.forwarder.set_target_layer(None)
    assert rig.send(video(11), video(12, key=True)) == []
    assert rig.forwarder.wants_keyframe_of_layer is None
    assert rig.forwarder.on_nack([100], 1.0) == 0
    assert not rig.forwarder.stats(0.0).active


# Header extensions


def _extensions(packet: RtpPacket) -> dict[int, bytes]:
    return dict(parse_extensions(packet))


def test_the_mid_goes_until_the_first_report() -> None:
    rig = Rig()
    first = rig.send(video(10, key=True))[0]
    assert _extensions(first) == {3: b"\0\0", 1: b"m1"}
    rig.forwarder.on_report_block(_report(ssrc=99), 1.0)
    assert 1 in _extensions(rig.send(video(11))[0])
    rig.forwarder.on_report_block(_report(), 1.0)
    assert _extensions(rig.send(video(12))[0]) == {3: b"\0\0"}


def test_the_place_of_the_transport_wide_number_is_told() -> None:
    for rig, packet in ((Rig(), video(10, key=True)), (Rig("opus"), audio(10, 0, level=20))):
        following = video(11) if packet.audio_level is None else audio(11, 960, level=21)
        for each in (packet, following):
            rig.forwarder.forward(each)
            ((header, payload, offset),) = rig.queue.drain(0.0)
            stamped = parse_rtp(header[:offset] + b"\xab\xcd" + header[offset + 2 :] + payload)
            assert _extensions(stamped)[3] == b"\xab\xcd"
            rig.forwarder.on_report_block(_report(), 1.0)


def test_without_the_extension_there_is_no_place() -> None:
    rig = Rig(extension_ids={}, mid="")
    rig.forwarder.forward(video(10, key=True))
    ((header, _, offset),) = rig.queue.drain(0.0)
    assert len(header) == 12
    assert offset == 0


def test_audio_levels_are_passed_on() -> None:
    rig = Rig("opus")
    sent = rig.send(audio(10, 0, level=20), audio(11, 960, level=127), audio(12, 1920))
    assert [_extensions(packet).get(5) for packet in sent] == [b"\x94", b"\xff", None]


def test_orientation_is_passed_on_where_negotiated() -> None:
    packet = video(10, key=True)
    packet.passthrough = (
        (HeaderExtension.VIDEO_ORIENTATION, b"\x01"),
        (HeaderExtension.PLAYOUT_DELAY, b"\0\0\0"),
    )
    assert _extensions(Rig().send(packet)[0]) == {3: b"\0\0", 1: b"m1", 6: b"\x01"}


def test_a_long_descriptor_keeps_the_number_in_its_place() -> None:
    ids = {**IDS, HeaderExtension.DEPENDENCY_DESCRIPTOR: 9}
    rig = Rig("AV1", extension_ids=ids)
    packet = video(10, key=True)
    packet.passthrough = ((HeaderExtension.DEPENDENCY_DESCRIPTOR, bytes(range(40))),)
    rig.forwarder.forward(packet)
    ((header, payload, offset),) = rig.queue.drain(0.0)
    stamped = parse_rtp(header[:offset] + b"\xab\xcd" + header[offset + 2 :] + payload)
    assert _extensions(stamped) == {3: b"\xab\xcd", 1: b"m1", 9: bytes(range(40))}


def test_absolute_send_time_only_where_there_is_nothing_better() -> None:
    ids = {HeaderExtension.ABS_SEND_TIME: 2}
    sent = Rig(extension_ids=ids).send(video(10, key=True, arrival=1.0), video(11, arrival=2.0))
    assert [_extensions(packet)[2] for packet in sent] == [b"\x04\0\0", b"\x08\0\0"]
    both = Rig(extension_ids={**ids, HeaderExtension.TRANSPORT_SEQUENCE: 3}, mid="")
    assert _extensions(both.send(video(10, key=True))[0]) == {3: b"\0\0"}


# RED


def _red(*frames: tuple[int, bytes], payload_type: int = 111) -> bytes:
    return build_red([(payload_type, offset, data) for offset, data in frames])


def test_red_becomes_opus_for_who_does_not_know_it() -> None:
    (sent,) = Rig("opus").send(audio(10, 0, _red((960, b"old"), (0, b"new")), red=True))
    assert (sent.payload, sent.payload_type) == (b"new", 100)


def test_red_passes_with_the_subscribers_payload_types() -> None:
    rig = Rig("opus", red_payload_type=63)
    rig.send(audio(10, 0, _red((0, b"zero")), red=True))
    (sent,) = rig.send(audio(11, 960, _red((960, b"zero"), (0, b"one")), red=True))
    assert sent.payload_type == 63
    assert parse_red(sent.payload) == [(100, 960, b"zero"), (100, 0, b"one")]
    (plain,) = rig.send(audio(12, 1920, b"opus"))
    assert (plain.payload, plain.payload_type) == (b"opus", 100)


def test_red_reveals_nothing_from_before_the_gate_opened() -> None:
    rig = Rig("opus", red_payload_type=63)
    rig.forwarder.pause()
    rig.send(audio(10, 0, _red((0, b"secret")), red=True))
    rig.forwarder.resume()
    (first,) = rig.send(audio(11, 960, _red((960, b"secret"), (0, b"one")), red=True))
    (second,) = rig.send(audio(12, 1920, _red((1920, b"secret"), (960, b"one"), (0, b"two")), red=True))
    assert [data for _, _, data in parse_red(first.payload)] == [b"one"]
    assert [data for _, _, data in parse_red(second.payload)] == [b"one", b"two"]


def test_damaged_red_keeps_its_place_without_content() -> None:
    for options in ({}, {"red_payload_type": 63}):
        rig = Rig("opus", **options)
        (sent,) = rig.send(audio(10, 0, b"\xff\xff", red=True))
        assert sent.payload == b""
        assert _numbers(rig.send(audio(11, 960))) == [101]


# Retransmission


def test_a_nack_is_answered_by_rtx() -> None:
    rig = Rig()
    sent = rig.send(video(10, 0, key=True, marker=False), video(11, 0), video(12, 3000))
    assert rig.forwarder.on_nack([101, 555], 1.0) == 1
    (again,) = rig.drain()
    assert (again.ssrc, again.payload_type, again.timestamp) == (1001, 101, sent[1].timestamp)
    assert again.marker == sent[1].marker
    assert again.payload == (101).to_bytes(2) + sent[1].payload
    assert _extensions(again) == _extensions(sent[1])
    stats = rig.forwarder.stats(1.0)
    assert (stats.retransmitted_packets_sent, stats.nack_count, stats.packets_sent) == (1, 1, 3)
    assert stats.retransmitted_bytes_sent == len(again.payload)


def test_a_patched_packet_is_resent_as_it_was() -> None:
    rig = Rig()
    rig.send(video(10, payload=vp8(1, 1, key=True), key=True))
    rig.forwarder.set_source()
    (sent,) = rig.send(video(10, payload=vp8(70, 80, key=True), key=True))
    rig.forwarder.on_nack([101], 1.0)
    (again,) = rig.drain()
    assert again.payload == (101).to_bytes(2) + sent.payload


def test_resends_are_limited_per_packet_and_in_all() -> None:
    rig = Rig()
    rig.send(video(10, key=True))
    assert rig.forwarder.on_nack([100, 100], 1.0) == 1
    assert rig.forwarder.on_nack([100], 1.005) == 0
    assert sum(rig.forwarder.on_nack([100], 2.0 + step) for step in range(50)) < 10
    rig = Rig(extension_ids={}, mid="")
    rig.send(video(10, key=True), *(video(11 + number, payload=bytes(1000)) for number in range(200)))
    asked = list(range(100, 300))
    resent = rig.forwarder.on_nack(asked, 1.0)
    assert 0 < resent <= RETRANSMISSION_BURST_BYTES / 1000
    assert rig.forwarder.on_nack(asked, 1.5) <= 1, "the first packet is a small one"


def test_nothing_is_resent_without_rtx_or_after_a_change_of_source() -> None:
    rig = Rig(rtx_ssrc=None)
    rig.send(video(10, key=True))
    assert rig.forwarder.on_nack([100], 1.0) == 0
    rig = Rig()
    rig.send(video(10, key=True))
    rig.forwarder.set_source()
    assert rig.forwarder.on_nack([100], 1.0) == 0


def test_numbers_of_rtx_are_never_reused() -> None:
    rig = Rig()
    rig.send(*(video(10 + number, key=number == 0) for number in range(50)))
    rig.forwarder.on_nack(range(100, 120), 1.0)
    rig.forwarder.on_nack(range(100, 120), 2.0)
    numbers = _numbers(rig.drain())
    assert len(numbers) == 40 == len(set(numbers))


# Reports


def test_a_key_frame_request_lasts_until_a_key_frame_is_sent() -> None:
    rig = Rig()
    rig.send(video(10, key=True))
    rig.forwarder.on_keyframe_request()
    assert rig.forwarder.wants_keyframe_of_layer == 0
    rig.send(video(11))
    assert rig.forwarder.wants_keyframe_of_layer == 0
    rig.send(video(12, key=True))
    assert rig.forwarder.wants_keyframe_of_layer is None
    rig.forwarder.on_keyframe_request(full=True)
    stats = rig.forwarder.stats(0.0)
    assert (stats.pli_count, stats.fir_count) == (1, 1)


def test_the_sender_report_ties_timestamps_to_the_wall_clock() -> None:
    rig = Rig()
    assert rig.forwarder.sender_report(1.0, 1 << 32) is None
    rig.send(video(10, 0, key=True, arrival=10.0), video(11, 9000, arrival=10.1))
    report = rig.forwarder.sender_report(10.6, 77 << 32)
    assert report is not None
    assert report.rtp_timestamp == 5000 + 9000 + 45_000
    assert (report.ntp_time, report.packet_count) == (77 << 32, 2)
    assert report.octet_count == len(b"payload-10" + b"payload-11")


def test_sender_reports_of_two_streams_keep_lips_and_voice_together() -> None:
    ntp = ntp_from_unix_ns(1_700_000_000_000_000_000)
    slow = _Clock(ntp, 0, 100.0)
    rig = Rig()
    # Captured 1 s after the report, arrived after a long encoding.
    rig.send(video(10, 90_000, key=True, arrival=101.3, source=slow))
    report = rig.forwarder.sender_report(102.0, 0)
    assert report is not None
    assert report.rtp_timestamp == 5000 + 90_000


def test_round_trip_and_loss_come_from_report_blocks() -> None:
    rig = Rig()
    rig.send(video(10, key=True))
    ntp = ntp_from_unix_ns(1_700_000_000_123_000_000)
    rig.forwarder.sender_report(50.0, ntp)
    rig.forwarder.on_report_block(_report(lsr=ntp >> 16 & 0xFFFFFFFF, dlsr=65536), 51.25)
    assert rig.forwarder.round_trip_time == pytest.approx(0.25)
    rig.forwarder.on_report_block(_report(lsr=12345, dlsr=0), 51.3)
    assert rig.forwarder.round_trip_time == pytest.approx(0.25)
    stats = rig.forwarder.stats(52.0)
    assert (stats.packets_lost, stats.fraction_lost, stats.jitter) == (9, 0.25, 0.01)
    assert stats.to_w3c()["roundTripTime"] == pytest.approx(0.25)


def test_the_short_way_and_the_long_way_send_the_same() -> None:
    """`forward` repeats `_forward_general` for the usual packet; here both meet the same packets."""
    packets = [
        video(10 + number, 3000 * (number // 3), key=number == 0, marker=number % 3 == 2, arrival=number / 90)
        for number in range(60)
        if number % 17 != 5
    ]
    short, long = Rig(), Rig()
    for rig in (short, long):
        rig.forwarder.on_report_block(_report(), 0.0)
    for packet in packets:
        short.forwarder.forward(packet)
        Forwarder._forward_general(long.forwarder, packet)
    assert not short.forwarder._general
    assert short.queue.drain(0.0) == long.queue.drain(0.0)
    assert short.forwarder.stats(9.0) == long.forwarder.stats(9.0)
    assert short.forwarder._cache.entries == long.forwarder._cache.entries
