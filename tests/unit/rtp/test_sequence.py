from hypothesis import given
from hypothesis import strategies as st

from mediaserver.rtp.sequence import Unwrapper, sequence_delta, timestamp_delta


def test_sequence_delta_crosses_the_wrap() -> None:
    assert sequence_delta(0, 65535) == 1
    assert sequence_delta(65535, 0) == -1
    assert sequence_delta(5, 5) == 0
    assert sequence_delta(32767, 0) == 32767
    assert sequence_delta(32768, 0) == -32768


def test_timestamp_delta_crosses_the_wrap() -> None:
    assert timestamp_delta(10, 0xFFFF_FFFF) == 11
    assert timestamp_delta(0xFFFF_FFFF, 10) == -11
    assert timestamp_delta(0x8000_0000, 0) == -0x8000_0000


@given(st.integers(0, 65535), st.integers(-32768, 32767))
def test_sequence_delta_inverts_addition(start: int, distance: int) -> None:
    assert sequence_delta((start + distance) & 0xFFFF, start) == distance


@given(st.integers(0, 0xFFFF_FFFF), st.integers(-(2**31), 2**31 - 1))
def test_timestamp_delta_inverts_addition(start: int, distance: int) -> None:
    assert timestamp_delta((start + distance) & 0xFFFF_FFFF, start) == distance


def test_unwrapper_starts_one_span_up_and_counts_cycles() -> None:
    unwrapper = Unwrapper()
    assert unwrapper.highest is None
    assert unwrapper.peek(65534) == 65534 + 65536
    assert unwrapper.highest is None
    assert [unwrapper.unwrap(value) for value in (65534, 65535, 0, 1)] == [131070, 131071, 131072, 131073]
    assert unwrapper.unwrap(65535) == 131071, "reordered across the wrap"
    assert unwrapper.unwrap(2) == 131074
    assert unwrapper.highest == 131074


def test_unwrapper_peek_changes_nothing() -> None:
    unwrapper = Unwrapper()
    unwrapper.unwrap(100)
    assert unwrapper.peek(30_000) == 65536 + 30_000
    assert unwrapper.unwrap(65_000) == 65_000, "before the first: a smaller number, one cycle lower"
    assert unwrapper.unwrap(101) == 65536 + 101


@given(
    st.integers(0, 65535),
    st.lists(st.integers(-300, 1000), max_size=200),
)
def test_unwrapper_follows_a_reordered_stream(start: int, steps: list[int]) -> None:
    unwrapper = Unwrapper()
    true = start + 65536
    assert unwrapper.unwrap(start) == true
    highest = true
    for step in steps:
        true = highest + step
        assert unwrapper.peek(true & 0xFFFF) == true
        assert unwrapper.unwrap(true & 0xFFFF) == true
        highest = max(highest, true)
        assert unwrapper.highest == highest


@given(st.lists(st.integers(0, 65535), min_size=1))
def test_unwrapper_is_congruent_and_never_negative(values: list[int]) -> None:
    unwrapper = Unwrapper()
    for value in values:
        extended = unwrapper.unwrap(value)
        assert extended & 0xFFFF == value
        assert extended >= 0


def test_unwrapper_of_timestamps() -> None:
    unwrapper = Unwrapper(32)
    assert unwrapper.unwrap(0xFFFF_FFF0) == 0x1_FFFF_FFF0
    assert unwrapper.unwrap(0x10) == 0x2_0000_0010
    assert unwrapper.unwrap(0xFFFF_FFF1) == 0x1_FFFF_FFF1
