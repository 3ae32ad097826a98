import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.rtp.extensions import (
    AudioLevel,
    HeaderExtension,
    PlayoutDelay,
    VideoOrientation,
    build_extensions,
    encode_abs_send_time,
    encode_audio_level,
    encode_playout_delay,
    encode_transport_sequence,
    parse_abs_send_time,
    parse_audio_level,
    parse_extensions,
    parse_playout_delay,
    parse_stream_id,
    parse_transport_sequence,
    parse_video_orientation,
)
from mediaserver.rtp.packet import build_rtp, parse_rtp
from tests.unit.rtp.damage import survives

HEADER = b"\x90" + build_rtp(payload_type=96, sequence_number=1, timestamp=2, ssrc=3)[1:]


def parse_block(block: bytes) -> list[tuple[int, bytes]]:
    return parse_extensions(parse_rtp(HEADER + block))


def test_one_byte_example_of_the_standard() -> None:
    """The packet of RFC 8285, section 4.2: padding between elements is skipped."""
    block = bytes.fromhex("BEDE0003 10AA 21BBBB 0000 33CCCCCCCC".replace(" ", ""))
    assert parse_block(block) == [(1, b"\xaa"), (2, b"\xbb\xbb"), (3, b"\xcc" * 4)]


def test_two_byte_example_of_the_standard() -> None:
    """The packet of RFC 8285, section 4.3: a length of zero is a value."""
    block = bytes.fromhex("10000003 0100 0201BB 00 0304CCCCCCCC".replace(" ", ""))
    assert parse_block(block) == [(1, b""), (2, b"\xbb"), (3, b"\xcc" * 4)]


def test_two_byte_profile_may_have_any_appbits() -> None:
    assert parse_block(bytes.fromhex("100F0001 0201BB00".replace(" ", ""))) == [(2, b"\xbb")]


def test_other_profiles_are_ignored() -> None:
    assert parse_block(bytes.fromhex("ABCD0001 0201BB00".replace(" ", ""))) == []


def test_identifier_15_ends_the_processing() -> None:
    assert parse_block(bytes.fromhex("BEDE0002 10AA F0BB 20CC 0000".replace(" ", ""))) == [(1, b"\xaa")]


def test_padding_with_a_length_ends_the_processing() -> None:
    assert parse_block(bytes.fromhex("BEDE0002 10AA 03BB 20CC 0000".replace(" ", ""))) == [(1, b"\xaa")]


@pytest.mark.parametrize("block", ["BEDE0001 13AAAAAA", "10000001 0103AAAA", "10000001 00000001"])
def test_an_element_may_not_overrun_the_block(block: str) -> None:
    with pytest.raises(ValueError, match="extension"):
        parse_block(bytes.fromhex(block.replace(" ", "")) + b"payload that must not be read")


def test_one_byte_form_when_all_fit() -> None:
    block = build_extensions([(1, b"a"), (14, bytes(16))])
    assert block[:2] == b"\xbe\xde"
    assert len(block) % 4 == 0
    assert len(block) == 4 + 4 * int.from_bytes(block[2:4])


@pytest.mark.parametrize("item", [(15, b"x"), (1, b""), (1, bytes(17))])
def test_two_byte_form_when_one_does_not_fit(item: tuple[int, bytes]) -> None:
    block = build_extensions([(2, b"y"), item])
    assert block[:2] == b"\x10\x00"
    assert parse_block(block) == [(2, b"y"), item]


def test_nothing_gives_nothing() -> None:
    assert build_extensions([]) == b""


def test_a_block_longer_than_its_length_field_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        build_extensions([(1, bytes(255))] * 1025)


@given(st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=255)), max_size=8))
def test_round_trip(items: list[tuple[int, bytes]]) -> None:
    block = build_extensions(items)
    assert len(block) % 4 == 0
    if items:
        assert parse_block(block) == items


def test_damaged_twins() -> None:
    for items in ([(1, b"0"), (3, b"\x12\x34"), (4, bytes(16))], [(1, b""), (20, bytes(30))]):
        accepted, rejected = survives(parse_block, build_extensions(items))
        assert accepted
        assert rejected


def test_uris_name_the_extensions() -> None:
    assert HeaderExtension("urn:ietf:params:rtp-hdrext:sdes:mid") is HeaderExtension.MID
    assert len(set(HeaderExtension)) == 9


@given(st.integers(0, 127), st.booleans())
def test_audio_level_round_trip(level: int, voice: bool) -> None:
    assert parse_audio_level(encode_audio_level(level, voice)) == AudioLevel(level, voice)


def test_audio_level_is_clamped() -> None:
    assert parse_audio_level(encode_audio_level(200, False)).level_dbov == 127
    assert parse_audio_level(encode_audio_level(-3, True)) == AudioLevel(0, True)


@given(st.integers(0, 0xFF_FFFF))
def test_abs_send_time_round_trip(units: int) -> None:
    assert encode_abs_send_time(parse_abs_send_time(units.to_bytes(3))) == units.to_bytes(3)


def test_abs_send_time_wraps_every_64_seconds() -> None:
    assert parse_abs_send_time(encode_abs_send_time(64.25)) == 0.25
    assert encode_abs_send_time(1.0) == b"\x04\x00\x00"


@given(st.integers(0, 4095), st.integers(0, 4095))
def test_playout_delay_round_trip(one: int, other: int) -> None:
    low, high = sorted((10 * one, 10 * other))
    assert parse_playout_delay(encode_playout_delay(low, high)) == PlayoutDelay(low, high)


def test_playout_delay_limits() -> None:
    for low, high in ((-10, 0), (20, 10), (0, 40_960)):
        with pytest.raises(ValueError, match="playout"):
            encode_playout_delay(low, high)
    with pytest.raises(ValueError, match="minimum"):
        parse_playout_delay(b"\x00\x20\x01")


def test_video_orientation() -> None:
    assert parse_video_orientation(b"\x00") == VideoOrientation(0, False, False)
    assert parse_video_orientation(b"\x0b") == VideoOrientation(270, False, True)
    assert parse_video_orientation(b"\x05") == VideoOrientation(90, True, False)


def test_transport_sequence() -> None:
    assert parse_transport_sequence(encode_transport_sequence(65536 + 258)) == 258
    assert parse_transport_sequence(b"\x01\x02\x00\x00") == 258, "version 02 appends a request"


def test_stream_ids() -> None:
    assert parse_stream_id(b"h") == "h"
    assert parse_stream_id(b"0\0\0\0") == "0", "padded by the sender"
    for wrong in (b"", b"\0", b"\xff", b"a b", b"a\nb"):
        with pytest.raises(ValueError, match="token"):
            parse_stream_id(wrong)


@pytest.mark.parametrize(
    "parse",
    [
        parse_audio_level,
        parse_transport_sequence,
        parse_abs_send_time,
        parse_playout_delay,
        parse_video_orientation,
    ],
)
def test_empty_values_are_refused(parse: object) -> None:
    with pytest.raises(ValueError):
        parse(b"")  # type: ignore[operator]
