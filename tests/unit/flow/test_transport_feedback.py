from __future__ import annotations

from mediaserver.flow.transport_feedback import (
    FEEDBACK_INTERVAL_S,
    MAX_FEEDBACK_PACKETS,
    FeedbackRecorder,
    RembEstimator,
)
from mediaserver.rtp.rtcp import TransportFeedback, parse_compound


def _arrivals(messages: list[TransportFeedback]) -> dict[int, float | None]:
    """What a sender reads, by way of the wire: 16-bit number -> seconds."""
    told: dict[int, float | None] = {}
    for message in messages:
        (parsed,) = parse_compound(message.pack())
        assert isinstance(parsed, TransportFeedback)
        at = parsed.reference_time_64ms * 0.064
        for sequence, delta in parsed.packets:
            if delta is not None:
                at += delta * 250e-6
            told[sequence] = None if delta is None else at
    return told


def test_arrivals_are_told_with_losses_in_between() -> None:
    recorder = FeedbackRecorder(1)
    for number in (10, 11, 13, 14):
        recorder.record(number, 50.0 + number / 1000, 7)
    assert recorder.poll(50.05) == []
    told = _arrivals(recorder.poll(50.0 + 0.01 + FEEDBACK_INTERVAL_S))
    assert set(told) == {10, 11, 12, 13, 14}
    assert told[12] is None
    for number in (10, 11, 13, 14):
        at = told[number]
        assert at is not None
        assert abs(at - 50.0 - number / 1000) < 0.0003


def test_numbers_wrap_and_messages_count_on() -> None:
    recorder = FeedbackRecorder(1)
    for index in range(10):
        recorder.record((65_530 + index) & 0xFFFF, 1.0, 7)
    first = recorder.poll(2.0)
    assert set(_arrivals(first)) == {(65_530 + index) & 0xFFFF for index in range(10)}
    recorder.record(4, 2.1, 7)
    second = recorder.poll(3.0)
    assert set(_arrivals(second)) == {4}
    assert second[0].feedback_count == first[0].feedback_count + 1


def test_a_late_packet_is_told_as_received_after_all() -> None:
    recorder = FeedbackRecorder(1)
    recorder.record(1, 1.0, 7)
    recorder.record(3, 1.01, 7)
    assert _arrivals(recorder.poll(2.0))[2] is None
    recorder.record(2, 2.01, 7)
    recorder.record(4, 2.02, 7)
    told = _arrivals(recorder.poll(3.0))
    assert told[2] is not None
    assert told[4] is not None


def test_nothing_is_told_twice_without_news() -> None:
    recorder = FeedbackRecorder(1)
    recorder.record(1, 1.0, 7)
    assert len(recorder.poll(2.0)) == 1
    assert recorder.poll(3.0) == []
    assert recorder.poll(4.0) == []


def test_many_packets_go_in_several_messages_sooner() -> None:
    recorder = FeedbackRecorder(1)
    for number in range(1000):
        recorder.record(number, 1.0 + number * 0.00005, 7)
    messages = recorder.poll(1.06)
    assert all(len(message.packets) <= MAX_FEEDBACK_PACKETS for message in messages)
    assert all(len(message.pack()) <= 1200 for message in messages)
    told = _arrivals(messages)
    assert set(told) == set(range(1000))
    assert None not in told.values()


def test_a_long_silence_needs_another_reference_time() -> None:
    recorder = FeedbackRecorder(1)
    recorder.record(1, 1.0, 7)
    recorder.record(2, 21.0, 7)
    told = _arrivals(recorder.poll(22.0))
    assert told[1] is not None
    assert told[2] is not None
    assert abs(told[2] - told[1] - 20.0) < 0.001


def test_a_jump_does_not_report_thousands_of_losses() -> None:
    recorder = FeedbackRecorder(1)
    for number in range(0, 65536 * 4, 30_000):
        recorder.record(number & 0xFFFF, 1.0, 7)
    assert sum(len(message.packets) for message in recorder.poll(2.0)) < 10


def test_remb_grows_with_the_rate_and_falls_with_loss() -> None:
    estimator = RembEstimator(1)
    first = estimator.poll(0.0, 2_000_000, 0.0, [5])
    assert first is not None
    assert first.bitrate_bps == 2_600_000
    assert first.ssrcs == (5,)
    assert estimator.poll(0.5, 2_000_000, 0.0, [5]) is None
    second = estimator.poll(0.6, 2_000_000, 0.2, [5])
    assert second is not None
    assert second.bitrate_bps == 1_800_000
    still = estimator.poll(1.7, 100_000, 0.0, [5])
    assert still is not None
    assert still.bitrate_bps == 1_800_000
    kept = estimator.poll(2.8, 1_700_000, 0.05, [5])
    assert kept is not None
    assert kept.bitrate_bps == 1_800_000
