from __future__ import annotations

from mediaserver.flow.keyframes import MIN_INTERVAL_S, PATIENT_AFTER, PATIENT_INTERVAL_S, KeyframeThrottle


def test_the_first_request_goes_at_once_and_others_wait() -> None:
    throttle = KeyframeThrottle()
    assert not throttle.take(0.0)
    throttle.request()
    assert throttle.take(0.0)
    throttle.request()
    assert not throttle.take(MIN_INTERVAL_S - 0.01)
    assert throttle.deadline() == MIN_INTERVAL_S
    assert throttle.take(MIN_INTERVAL_S)


def test_a_key_frame_ends_the_wish_but_not_the_interval() -> None:
    throttle = KeyframeThrottle()
    throttle.request()
    assert throttle.take(0.0)
    throttle.on_keyframe()
    assert throttle.deadline() is None
    throttle.request()
    assert not throttle.take(0.1)
    assert throttle.take(MIN_INTERVAL_S)


def test_a_long_round_trip_stretches_the_interval() -> None:
    throttle = KeyframeThrottle()
    throttle.request()
    assert throttle.take(0.0, 0.6)
    assert not throttle.take(0.8, 0.6)
    assert throttle.take(0.9, 0.6)


def test_a_publisher_that_never_answers_is_asked_less_often() -> None:
    throttle = KeyframeThrottle()
    throttle.request()
    times = [now / 10 for now in range(300) if throttle.take(now / 10)]
    assert len(times) <= PATIENT_AFTER + 30 / PATIENT_INTERVAL_S
    assert times[-1] - times[-2] >= PATIENT_INTERVAL_S - 0.01
