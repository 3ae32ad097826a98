from __future__ import annotations

from collections.abc import Sequence

import pytest

from mediaserver.flow.media_packet import MediaPacket
from mediaserver.flow.receiver import (
    MAX_MISSING,
    NACK_MAX_TRIES,
    REORDER_TOLERANCE_S,
    StreamReceiver,
)
from mediaserver.flow.transport_feedback import FeedbackRecorder
from mediaserver.rtp.extensions import HeaderExtension
from mediaserver.rtp.ntp import ntp_from_unix_ns
from mediaserver.rtp.packet import build_rtp, parse_rtp
from mediaserver.rtp.rtcp import Nack, Pli, SenderReport
from tests.unit.flow.packets import vp8

IDS = {
    3: HeaderExtension.TRANSPORT_SEQUENCE,
    5: HeaderExtension.AUDIO_LEVEL,
    6: HeaderExtension.VIDEO_ORIENTATION,
}


def _receiver(**options: object) -> StreamReceiver:
    fields: dict[str, object] = {
        "nack": True, "rtx_ssrc": 6, "payload_types": {96: "VP8"}, "rtx_payload_types": {97: 96}
    }  # fmt: skip
    fields.update(options)
    return StreamReceiver(5, "VP8", 90_000, **fields)  # type: ignore[arg-type]


def _packet(
    receiver: StreamReceiver,
    sequence: int,
    arrival: float = 0.0,
    *,
    timestamp: int | None = None,
    payload: bytes | None = None,
    extensions: Sequence[tuple[int, bytes]] = (),
    padding: int = 0,
    marker: bool = True,
    payload_type: int = 96,
) -> MediaPacket | None:
    data = build_rtp(
        payload_type=payload_type,
        sequence_number=sequence & 0xFFFF,
        ssrc=5,
        marker=marker,
        timestamp=round(arrival * 90_000) & 0xFFFFFFFF if timestamp is None else timestamp,
        payload=vp8(sequence & 0x7FFF) if payload is None else payload,
        extensions=extensions,
        padding_length=padding,
    )
    return receiver.on_rtp(parse_rtp(data), IDS, arrival)


def _rtx(
    receiver: StreamReceiver, sequence: int, arrival: float, payload: bytes | None = None
) -> MediaPacket | None:
    body = sequence.to_bytes(2) + vp8(sequence & 0x7FFF) if payload is None else payload
    data = build_rtp(payload_type=97, sequence_number=1, ssrc=6, timestamp=77, payload=body)
    return receiver.on_rtx(parse_rtp(data), IDS, arrival)


def _lost(messages: Sequence[object]) -> list[int]:
    return [number for message in messages if isinstance(message, Nack) for number in message.lost]


def test_a_packet_is_described() -> None:
    receiver = _receiver(layer=2)
    key = (
        vp8(700, 3, key=True)[:6]
        + b"\x10\x00\x00\x9d\x01\x2a"
        + (640).to_bytes(2, "little")
        + (360).to_bytes(2, "little")
    )
    media = _packet(receiver, 1000, 1.5, payload=key, extensions=[(6, b"\x01"), (3, b"\0\7")])
    assert media is not None
    assert media.extended_sequence == 66_536
    assert (media.layer, media.keyframe, media.marker, media.arrival) == (2, True, True, 1.5)
    assert media.vp8 is not None
    assert media.vp8.picture_id == 700
    assert media.passthrough == ((HeaderExtension.VIDEO_ORIENTATION, b"\x01"),)
    assert media.source is receiver
    assert media.body == key[6:]
    assert receiver.frame_size == (640, 360)


def test_audio_levels_and_red_are_recognised() -> None:
    receiver = StreamReceiver(5, "opus", 48_000, nack=False, payload_types={111: "opus", 63: "red"})
    media = _packet(receiver, 1, payload=b"\x6fopus", payload_type=63, extensions=[(5, b"\x8a")])
    assert media is not None
    assert (media.audio_level, media.voice, media.red, media.body) == (10, True, True, b"opus")
    assert not media.keyframe
    plain = _packet(receiver, 2, payload=b"opus", payload_type=111)
    assert plain is not None
    assert (plain.red, plain.audio_level, plain.body) == (False, None, b"opus")


def test_numbers_wrap_without_loss() -> None:
    receiver = _receiver()
    numbers = [media.extended_sequence for index in range(10) if (media := _packet(receiver, 65_530 + index))]
    assert numbers == list(range(131_066, 131_076))
    block = receiver.report_block(1.0)
    assert block.packets_lost == 0
    assert block.highest_sequence == (1 << 16) + 3


def test_duplicates_and_old_packets_are_dropped_and_counted() -> None:
    receiver = _receiver()
    for sequence in (100, 101, 103):
        assert _packet(receiver, sequence) is not None
    assert _packet(receiver, 101) is None
    assert _packet(receiver, 103) is None
    late = _packet(receiver, 102)
    assert late is not None
    assert late.extended_sequence == 65_536 + 102
    assert _packet(receiver, 102) is None
    stats = receiver.stats(1.0)
    assert (stats.packets_received, stats.packets_discarded, stats.packets_lost) == (4, 3, 0)


def test_a_stream_whose_first_packets_were_overtaken() -> None:
    receiver = _receiver()
    assert _packet(receiver, 12) is not None
    assert _packet(receiver, 10) is not None
    assert _packet(receiver, 11) is not None
    assert receiver.report_block(1.0).packets_lost == 0


def test_padding_only_is_passed_on_empty() -> None:
    media = _packet(_receiver(), 1, payload=b"", padding=100)
    assert media is not None
    assert media.payload == b""
    assert not media.frame_start


def test_a_gap_is_asked_for_after_the_tolerance_and_again_after_a_round_trip() -> None:
    receiver = _receiver()
    receiver.round_trip_time = 0.2
    _packet(receiver, 1, 0.0)
    _packet(receiver, 4, 0.0)
    assert _lost(receiver.poll(REORDER_TOLERANCE_S / 2)) == []
    assert receiver.deadline() == REORDER_TOLERANCE_S
    assert _lost(receiver.poll(0.01)) == [2, 3]
    assert _lost(receiver.poll(0.2)) == []
    _packet(receiver, 2, 0.21)
    assert _lost(receiver.poll(0.24)) == [3]
    assert receiver.stats(1.0).nack_count == 2


def test_reordered_packets_are_not_asked_for() -> None:
    receiver = _receiver()
    _packet(receiver, 1, 0.0)
    _packet(receiver, 3, 0.001)
    _packet(receiver, 2, 0.004)
    assert receiver.poll(1.0) == []


def test_audio_without_nack_asks_for_nothing() -> None:
    receiver = StreamReceiver(5, "opus", 48_000, nack=False)
    _packet(receiver, 1)
    _packet(receiver, 30)
    receiver.request_keyframe()
    assert receiver.poll(10.0) == []
    assert receiver.deadline() is None
    assert _packet(receiver, 20) is not None
    assert _packet(receiver, 20) is None


def test_giving_up_asks_for_a_key_frame() -> None:
    receiver = _receiver()
    receiver.round_trip_time = 0.05
    _packet(receiver, 1, 0.0)
    _packet(receiver, 3, 0.0)
    asked, pli = 0, 0
    for step in range(1, 400):
        messages = receiver.poll(step * 0.01)
        asked += len(_lost(messages))
        pli += sum(isinstance(message, Pli) for message in messages)
    assert asked == NACK_MAX_TRIES
    assert pli >= 1
    key = vp8(9, key=True)
    _packet(receiver, 4, 4.0, payload=key)
    assert receiver.poll(10.0) == []
    assert _packet(receiver, 2, 10.0) is not None, "late, but still not a duplicate"


def test_retransmissions_are_unpacked_and_measure_the_round_trip() -> None:
    receiver = _receiver()
    _packet(receiver, 65_535, 0.0)
    _packet(receiver, 2, 0.0)
    assert _lost(receiver.poll(0.01)) == [0, 1]
    media = _rtx(receiver, 0, 0.11)
    assert media is not None
    assert media.extended_sequence == 131_072
    assert media.recovered
    assert media.payload == vp8(0)
    assert media.payload_type == 96
    assert media.timestamp == 77
    assert receiver.round_trip_time == pytest.approx(0.1)
    assert _rtx(receiver, 0, 0.12) is None
    assert _rtx(receiver, 2, 0.12) is None
    assert _lost(receiver.poll(0.5)) == [1]
    stats = receiver.stats(1.0)
    assert stats.retransmitted_packets_received == 1
    assert stats.packets_lost == 2, "loss is what the network lost, whatever made up for it"


@pytest.mark.parametrize("payload", [b"", b"\x00"])
def test_probes_on_the_retransmission_stream_are_ignored(payload: bytes) -> None:
    receiver = _receiver()
    assert _rtx(receiver, 0, 0.0, payload) is None
    _packet(receiver, 1)
    assert _rtx(receiver, 0, 0.0, payload) is None
    assert receiver.stats(0.0).packets_discarded == 0


def test_a_jump_is_a_restart_only_when_the_next_packet_confirms_it() -> None:
    receiver = _receiver()
    first = _packet(receiver, 100)
    assert first is not None
    assert _packet(receiver, 30_100) is None
    assert _packet(receiver, 101) is not None, "a stray packet disturbs nothing"
    assert receiver.poll(10.0) == []
    assert _packet(receiver, 31_000) is None
    again = _packet(receiver, 31_001)
    assert again is not None
    assert again.extended_sequence - first.extended_sequence > 65_536
    assert again.extended_sequence & 0xFFFF == 31_001
    assert _lost(receiver.poll(0.1)) == [31_000]
    assert receiver.report_block(1.0).packets_lost == 1


def test_endless_jumps_stay_cheap() -> None:
    receiver = _receiver()
    sent = 0
    for step in range(5_000):
        _packet(receiver, step * 30_000, step * 0.001)
        sent += len(_lost(receiver.poll(step * 0.001)))
    assert sent < 100
    for step in range(5_000):
        _packet(receiver, step * 2_500, 5 + step * 0.001)
        sent += len(_lost(receiver.poll(5 + step * 0.001)))
    assert sent < 100
    assert len(receiver._missing) <= MAX_MISSING


def test_a_large_gap_asks_for_a_key_frame_instead() -> None:
    receiver = _receiver()
    _packet(receiver, 1, 0.0)
    _packet(receiver, 2_000, 0.0)
    messages = receiver.poll(0.1)
    assert _lost(messages) == []
    assert [type(message) for message in messages] == [Pli]


def test_the_report_follows_rfc_3550() -> None:
    receiver = _receiver()
    for sequence in range(100):
        if sequence % 4 != 3:
            _packet(receiver, sequence, sequence / 100)
    block = receiver.report_block(1.0)
    assert (block.ssrc, block.packets_lost) == (5, 24)
    assert block.fraction_lost == (24 << 8) // 99
    assert block.lsr == block.dlsr == 0
    ntp = ntp_from_unix_ns(1_700_000_000_500_000_000)
    receiver.on_sender_report(SenderReport(5, ntp, 0, 0, 0, ()), 2.0)
    for sequence in range(100, 150):
        _packet(receiver, sequence, sequence / 100)
    block = receiver.report_block(2.5)
    assert block.fraction_lost == (1 << 8) // 51
    assert block.packets_lost == 25
    assert block.lsr == ntp >> 16 & 0xFFFFFFFF
    assert block.dlsr == 32_768


def test_jitter_is_that_of_rfc_3550() -> None:
    steady, shaken = _receiver(), _receiver()
    for index in range(200):
        _packet(steady, index, index / 30, timestamp=3000 * index)
        _packet(shaken, index, index / 30 + 0.01 * (index % 2), timestamp=3000 * index)
    assert steady.stats(7.0).jitter < 0.0001
    assert shaken.stats(7.0).jitter == pytest.approx(0.01, rel=0.05)
    assert shaken.report_block(7.0).jitter == pytest.approx(900, rel=0.05)


def test_packets_of_one_picture_make_no_jitter() -> None:
    receiver = _receiver()
    for index in range(300):
        picture, part = divmod(index, 3)
        _packet(receiver, index, picture / 30 + part * 0.005, timestamp=3000 * picture)
    assert receiver.stats(10.0).jitter < 0.0001


def test_statistics_count_pictures_and_rates() -> None:
    receiver = _receiver()
    for index in range(300):
        now = index / 100
        _packet(receiver, index, now, marker=index % 4 == 3, payload=vp8(index // 4) + bytes(1000))
        if index % 20 == 0:
            receiver.stats(now)
    stats = receiver.stats(3.0)
    assert stats.frames_received == 75
    assert stats.frames_per_second == pytest.approx(25, abs=3)
    assert stats.bitrate == pytest.approx(8 * 100 * (1000 + 11 + 12), rel=0.1)
    w3c = stats.to_w3c()
    assert w3c["packetsReceived"] == 300
    assert w3c["framesPerSecond"] == stats.frames_per_second
    assert "roundTripTime" not in w3c


def test_transport_wide_numbers_of_every_packet_are_recorded() -> None:
    recorder = FeedbackRecorder(1)
    receiver = _receiver(feedback=recorder)
    for index, sequence in enumerate((1, 1, 2)):
        _packet(receiver, sequence, 1.0, extensions=[(3, index.to_bytes(2))])
    data = build_rtp(
        payload_type=97, sequence_number=1, ssrc=6, timestamp=0, extensions=[(3, b"\0\3")], padding_length=9
    )
    receiver.on_rtx(parse_rtp(data), IDS, 1.0)
    (message,) = recorder.poll(2.0)
    assert [sequence for sequence, delta in message.packets if delta is not None] == [0, 1, 2, 3]


def test_a_damaged_payload_is_passed_on_as_it_is() -> None:
    media = _packet(_receiver(), 1, payload=b"\x90")
    assert media is not None
    assert media.payload == b"\x90"
    assert media.vp8 is None
    assert not media.keyframe


def test_capture_time_follows_the_sender_reports() -> None:
    receiver = _receiver()
    assert receiver.capture_time(0) is None
    ntp = ntp_from_unix_ns(1_700_000_000_000_000_000)
    receiver.on_sender_report(SenderReport(5, ntp, 0xFFFFFF00, 0, 0, ()), 10.0)
    at = receiver.capture_time((0xFFFFFF00 + 90_000) & 0xFFFFFFFF)
    assert at == pytest.approx(11.0)
    # A report that was delayed does not move the clock.
    receiver.on_sender_report(
        SenderReport(5, ntp + (1 << 32), (0xFFFFFF00 + 90_000) & 0xFFFFFFFF, 0, 0, ()), 11.4
    )
    assert receiver.capture_time((0xFFFFFF00 + 90_000) & 0xFFFFFFFF) == pytest.approx(11.0)


def test_key_frame_requests_are_throttled_and_wait_for_the_stream() -> None:
    receiver = _receiver()
    receiver.request_keyframe()
    assert receiver.poll(0.0) == []
    _packet(receiver, 1, 0.0)
    assert [type(message) for message in receiver.poll(0.1)] == [Pli]
    receiver.request_keyframe()
    assert receiver.poll(0.2) == []
    assert [type(message) for message in receiver.poll(0.7)] == [Pli]
    _packet(receiver, 2, 0.8, payload=vp8(1, key=True))
    assert receiver.poll(9.0) == []
    assert receiver.stats(9.0).pli_count == 2
