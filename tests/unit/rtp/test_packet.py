import pytest
from aiortc.rtp import RtpPacket as ReferencePacket
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.rtp.extensions import parse_extensions
from mediaserver.rtp.packet import build_rtp, is_rtcp, parse_rtp
from tests.unit.rtp.damage import survives, truncations

PLAIN = build_rtp(payload_type=111, sequence_number=17, timestamp=960, ssrc=0xDEADBEEF, payload=b"opus")
FULL = build_rtp(
    payload_type=96,
    sequence_number=65535,
    timestamp=0xFFFF_FFFF,
    ssrc=1,
    payload=b"video",
    marker=True,
    csrcs=[2, 0xFFFF_FFFF],
    extensions=[(1, b"0"), (3, b"\x12\x34")],
    padding_length=5,
)


def test_parses_a_plain_packet() -> None:
    packet = parse_rtp(PLAIN)
    assert packet.data is PLAIN
    assert (packet.payload_type, packet.sequence_number, packet.timestamp) == (111, 17, 960)
    assert packet.ssrc == 0xDEADBEEF
    assert packet.marker is False
    assert packet.payload == b"opus"
    assert (packet.extension_profile, packet.csrcs_count, packet.padding_length) == (0, 0, 0)
    assert "sequence_number=17" in repr(packet)


def test_parses_csrcs_extension_and_padding() -> None:
    packet = parse_rtp(FULL)
    assert packet.marker is True
    assert packet.payload_type == 96
    assert packet.csrcs == (2, 0xFFFF_FFFF)
    assert packet.extension_profile == 0xBEDE
    assert packet.extension_start == 12 + 8 + 4
    assert packet.extension_end == packet.payload_start
    assert parse_extensions(packet) == [(1, b"0"), (3, b"\x12\x34")]
    assert packet.payload == b"video"
    assert packet.padding_length == 5


def test_agrees_with_an_independent_parser() -> None:
    reference = ReferencePacket.parse(FULL)
    packet = parse_rtp(FULL)
    assert reference.csrc == list(packet.csrcs)
    assert reference.payload == packet.payload
    assert reference.padding_size == packet.padding_length
    assert (reference.sequence_number, reference.timestamp, reference.ssrc, reference.marker) == (
        packet.sequence_number,
        packet.timestamp,
        packet.ssrc,
        packet.marker,
    )


def test_a_packet_of_padding_only_has_no_payload() -> None:
    data = build_rtp(payload_type=96, sequence_number=1, timestamp=2, ssrc=3, padding_length=255)
    packet = parse_rtp(data)
    assert packet.payload == b""
    assert packet.padding_length == 255


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "header"),
        (PLAIN[:11], "header"),
        (b"\x40" + PLAIN[1:], "version"),
        (b"\x8f" + PLAIN[1:], "CSRC"),
        (b"\x90" + PLAIN[1:12], "extension"),
        (b"\x90" + PLAIN[1:12] + b"\xbe\xde\x00\x02abcd", "extension"),
        (b"\xa0" + PLAIN[1:12], "padding"),
        (b"\xa0" + PLAIN[1:12] + b"abc\x00", "padding"),
        (b"\xa0" + PLAIN[1:12] + b"abc\x05", "padding"),
    ],
)
def test_refuses_what_does_not_fit(data: bytes, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        parse_rtp(data)


def test_damaged_twins() -> None:
    accepted, rejected = survives(parse_rtp, FULL)
    assert accepted
    assert rejected
    for twin in truncations(FULL[: parse_rtp(FULL).payload_start]):
        with pytest.raises(ValueError):
            parse_rtp(twin)


@given(
    marker=st.booleans(),
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 65535),
    timestamp=st.integers(0, 0xFFFF_FFFF),
    ssrc=st.integers(0, 0xFFFF_FFFF),
    payload=st.binary(max_size=100),
    csrcs=st.lists(st.integers(0, 0xFFFF_FFFF), max_size=15),
    extensions=st.lists(st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), max_size=6),
    padding_length=st.integers(0, 255),
)
def test_round_trip(
    marker: bool,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    csrcs: list[int],
    extensions: list[tuple[int, bytes]],
    padding_length: int,
) -> None:
    packet = parse_rtp(
        build_rtp(
            marker=marker,
            payload_type=payload_type,
            sequence_number=sequence_number,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=payload,
            csrcs=csrcs,
            extensions=extensions,
            padding_length=padding_length,
        )
    )
    assert packet.marker is marker
    assert packet.payload_type == payload_type
    assert packet.sequence_number == sequence_number
    assert packet.timestamp == timestamp
    assert packet.ssrc == ssrc
    assert packet.payload == payload
    assert packet.csrcs == tuple(csrcs)
    assert parse_extensions(packet) == extensions
    assert packet.padding_length == padding_length


@given(st.binary(max_size=80))
def test_any_octets_parse_or_raise_value_error(data: bytes) -> None:
    try:
        packet = parse_rtp(data)
    except ValueError:
        return
    assert 12 <= packet.payload_start <= packet.payload_end <= len(data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"payload_type": 128},
        {"csrcs": list(range(16))},
        {"padding_length": 256},
        {"ssrc": 1 << 32},
        {"extensions": [(0, b"x")]},
        {"extensions": [(256, b"x")]},
        {"extensions": [(1, bytes(256))]},
    ],
)
def test_build_refuses_what_the_header_cannot_express(wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {"payload_type": 96, "sequence_number": 1, "timestamp": 2, "ssrc": 3}
    with pytest.raises(ValueError):
        build_rtp(**(arguments | wrong))  # type: ignore[arg-type]


def test_build_wraps_counters() -> None:
    packet = parse_rtp(build_rtp(payload_type=0, sequence_number=65536 + 7, timestamp=(1 << 32) + 9, ssrc=0))
    assert (packet.sequence_number, packet.timestamp) == (7, 9)


@pytest.mark.parametrize(
    ("second", "rtcp"), [(191, False), (192, True), (200, True), (223, True), (224, False)]
)
def test_rtcp_is_told_by_its_second_octet(second: int, rtcp: bool) -> None:
    assert is_rtcp(bytes((0x80, second))) is rtcp


@pytest.mark.parametrize("data", [b"", b"\x80"])
def test_too_short_to_be_rtcp(data: bytes) -> None:
    assert not is_rtcp(data)
