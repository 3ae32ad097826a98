from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver import clock
from mediaserver.rtp.ntp import (
    compact_ntp,
    compact_to_seconds,
    ntp_add_seconds,
    ntp_difference_s,
    ntp_from_unix_ns,
    ntp_to_unix_ns,
    round_trip_time,
    seconds_to_compact,
)


def test_the_unix_epoch_in_ntp() -> None:
    assert ntp_from_unix_ns(0) == 2_208_988_800 << 32
    assert ntp_from_unix_ns(500_000_000) & 0xFFFF_FFFF == 1 << 31


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_round_trip_beyond_the_wrap_of_2036(unix_ns: int) -> None:
    ntp_time = ntp_from_unix_ns(unix_ns)
    assert 0 <= ntp_time < 1 << 64
    assert abs(ntp_to_unix_ns(ntp_time) - unix_ns) <= 1


def test_differences_cross_the_wrap_of_2036() -> None:
    before = ntp_from_unix_ns(2_085_978_495 * 10**9)  # the last second of the first era
    after = ntp_add_seconds(before, 3.5)
    assert after < before
    assert ntp_difference_s(after, before) == 3.5
    assert ntp_difference_s(before, after) == -3.5
    assert ntp_add_seconds(after, -3.5) == before


def test_example_of_the_standard() -> None:
    """RFC 3550, figure 2: 6.125 s of round trip."""
    arrival = 0xB710_8000 << 16
    assert round_trip_time(arrival, 0xB705_2000, 0x0005_4000) == 6.125


def test_round_trip_time_of_odd_reports() -> None:
    arrival = 0xB710_8000 << 16
    assert round_trip_time(arrival, 0, 5) is None, "no sender report had been received"
    assert round_trip_time(arrival, 0xB705_2000, 0x00FF_0000) is None, "held longer than it exists"
    assert round_trip_time(arrival, 0xB710_8000, 30) == 0.0, "clock rounding"
    assert round_trip_time(0x0000_8000 << 16, 0xFFFF_8000, 0) == 1.0, "across the 18-hour wrap"


@given(st.floats(0, 60_000))
def test_compact_seconds(seconds: float) -> None:
    assert compact_to_seconds(seconds_to_compact(seconds)) == pytest.approx(seconds, abs=1 / 65536)


def test_compact_is_clamped() -> None:
    assert seconds_to_compact(-1.0) == 0
    assert seconds_to_compact(1e9) == 0xFFFF_FFFF
    assert compact_ntp(0x0123_4567_89AB_CDEF) == 0x4567_89AB


def test_clock_agrees_with_itself() -> None:
    before = datetime.now(UTC)
    ntp_time = clock.ntp_now()
    after = clock.utc_now()
    assert before.timestamp() - 1e-5 <= ntp_to_unix_ns(ntp_time) / 1e9 <= after.timestamp() + 1e-5
    assert clock.monotonic() <= clock.monotonic()
