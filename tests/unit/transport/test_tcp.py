import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.transport.tcp import Deframer, frame


@given(st.lists(st.binary(max_size=300), max_size=10), st.integers(1, 50))
def test_frames_survive_any_cutting(datagrams: list[bytes], step: int) -> None:
    stream = b"".join(map(frame, datagrams))
    deframer = Deframer()
    found: list[bytes] = []
    for at in range(0, len(stream), step):
        found += deframer.feed(stream[at : at + step])
    assert found == [datagram for datagram in datagrams if datagram]
    assert not deframer._buffer


def test_long_frame_is_refused_before_it_is_buffered() -> None:
    with pytest.raises(ValueError, match="frame length"):
        Deframer().feed(b"\xff\xff")


def test_buffer_stays_below_one_frame() -> None:
    deframer = Deframer()
    for _ in range(100):
        deframer.feed(frame(b"x" * 2048)[:-1])
        deframer.feed(b"x")
    assert len(deframer._buffer) == 0
