import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RtcpByePacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSrPacket,
    pack_remb_fci,
)
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.rtp.rtcp import (
    MAX_COMPOUND_BYTES,
    MAX_FEEDBACK_STATUSES,
    AnyRtcp,
    Bye,
    DelaySinceLastRr,
    Fir,
    Nack,
    Pli,
    ReceiverReferenceTime,
    ReceiverReport,
    Remb,
    ReportBlock,
    SdesChunk,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    pack_compound,
    parse_compound,
)
from tests.fuzz.targets.rtcp import SAMPLES
from tests.unit.rtp.damage import survives

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFF_FFFF)
u64 = st.integers(0, 0xFFFF_FFFF_FFFF_FFFF)

report_blocks = st.builds(ReportBlock, u32, u8, st.integers(-(1 << 23), (1 << 23) - 1), u32, u32, u32, u32)
report_lists = st.lists(report_blocks, max_size=31).map(tuple)
sdes_chunks = st.builds(
    SdesChunk, u32, st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=20))).map(tuple)
)


@st.composite
def feedbacks(draw: st.DrawFn) -> TransportFeedback:
    base = draw(u16)
    deltas: list[int | None] = []
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(("lost", "small", "large")))
        if kind == "lost":
            deltas += [None] * draw(st.integers(1, 40))
        elif kind == "small":
            deltas += draw(st.lists(st.integers(0, 255), min_size=1, max_size=40))
        else:
            deltas += draw(st.lists(st.integers(-0x8000, 0x7FFF), min_size=1, max_size=10))
    packets = tuple(((base + index) & 0xFFFF, delta) for index, delta in enumerate(deltas))
    return TransportFeedback(
        draw(u32), draw(u32), base, draw(st.integers(-(1 << 23), (1 << 23) - 1)), draw(u8), packets
    )


@st.composite
def nacks(draw: st.DrawFn) -> Nack:
    at = draw(u16)
    lost = [at]
    for step in draw(st.lists(st.integers(1, 40), max_size=30)):
        at += step
        lost.append(at & 0xFFFF)
    return Nack(draw(u32), draw(u32), tuple(lost))


rtcp_packets: st.SearchStrategy[AnyRtcp] = st.one_of(
    st.builds(SenderReport, u32, u64, u32, u32, u32, report_lists),
    st.builds(ReceiverReport, u32, report_lists),
    st.builds(SourceDescription, st.lists(sdes_chunks, max_size=5).map(tuple)),
    st.builds(Bye, st.lists(u32, max_size=31).map(tuple), st.binary(max_size=40)),
    nacks(),
    st.builds(Pli, u32, u32),
    st.builds(Fir, u32, st.lists(st.tuples(u32, u8), max_size=10).map(tuple)),
    st.builds(Remb, u32, st.integers(0, (1 << 18) - 1), st.lists(u32, max_size=10).map(tuple)),
    feedbacks(),
    st.builds(ReceiverReferenceTime, u32, u64),
    st.builds(DelaySinceLastRr, u32, st.lists(st.tuples(u32, u32, u32), max_size=5).map(tuple)),
)


@given(st.lists(rtcp_packets, min_size=1, max_size=3))
def test_round_trip(packets: list[AnyRtcp]) -> None:
    data = pack_compound(packets)
    assert len(data) % 4 == 0
    if len(data) <= MAX_COMPOUND_BYTES:
        assert parse_compound(data) == packets


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_and_damaged_twins(sample: list[AnyRtcp]) -> None:
    data = pack_compound(sample)
    assert parse_compound(data) == sample
    accepted, rejected = survives(parse_compound, data)
    assert accepted
    assert rejected


@given(st.binary(max_size=200))
def test_any_octets_parse_or_raise_value_error(data: bytes) -> None:
    try:
        parse_compound(data)
    except ValueError:
        pass


@given(st.sampled_from((200, 201, 202, 203, 205, 206, 207)), st.integers(0, 31), st.binary(max_size=100))
def test_any_body_parses_or_raises_value_error(packet_type: int, count: int, body: bytes) -> None:
    body += bytes(-len(body) % 4)
    try:
        parse_compound(bytes((0x80 | count, packet_type)) + (len(body) // 4).to_bytes(2) + body)
    except ValueError:
        pass


# The same fields as an independent implementation sees them.


def reference(packet: AnyRtcp) -> object:
    (parsed,) = RtcpPacket.parse(packet.pack())
    return parsed


BLOCK = ReportBlock(7, 200, -5, 0x3_0001, 88, 0x0102_0304, 0x0506_0708)


def test_sender_report_is_read_by_others() -> None:
    parsed = reference(SenderReport(1, 2**63 + 5, 3, 4, 5, (BLOCK,)))
    assert isinstance(parsed, RtcpSrPacket)
    assert parsed.ssrc == 1
    assert parsed.sender_info.ntp_timestamp == 2**63 + 5
    assert parsed.sender_info.packet_count == 4
    assert parsed.reports[0].packets_lost == -5
    assert parsed.reports[0].fraction_lost == 200
    assert parsed.reports[0].highest_sequence == 0x3_0001
    assert parsed.reports[0].dlsr == 0x0506_0708
    assert parse_compound(bytes(parsed)) == [SenderReport(1, 2**63 + 5, 3, 4, 5, (BLOCK,))]


def test_receiver_report_is_read_by_others() -> None:
    parsed = reference(ReceiverReport(1, (BLOCK,)))
    assert isinstance(parsed, RtcpRrPacket)
    assert parsed.reports[0].jitter == 88


def test_source_description_is_read_by_others() -> None:
    parsed = reference(SourceDescription.of_cname(9, "name@host"))
    assert isinstance(parsed, RtcpSdesPacket)
    assert parsed.chunks[0].ssrc == 9
    assert parsed.chunks[0].items == [(1, b"name@host")]


def test_bye_is_read_by_others() -> None:
    parsed = reference(Bye((5, 6)))
    assert isinstance(parsed, RtcpByePacket)
    assert parsed.sources == [5, 6]


def test_nack_is_read_by_others() -> None:
    lost = (65534, 65535, 0, 14, 15, 700)
    parsed = reference(Nack(1, 2, lost))
    assert isinstance(parsed, RtcpRtpfbPacket)
    assert sorted(sequence & 0xFFFF for sequence in parsed.lost) == sorted(lost), "it does not wrap them"


def test_remb_is_read_by_others_and_theirs_by_us() -> None:
    data = bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(4_160_000, [99])))
    assert parse_compound(data) == [Remb(1, 4_160_000, (99,))]
    assert Remb(1, 4_160_000, (99,)).pack() == data


# NACK


def test_nack_shares_entries() -> None:
    nack = Nack(1, 2, tuple(range(100, 117)))
    assert len(nack.pack()) == 12 + 4, "17 in a row are one entry"
    assert nack.pack()[-4:] == bytes.fromhex("0064ffff")
    assert len(Nack(1, 2, (100, 117)).pack()) == 12 + 8
    assert Nack(1, 2, (65535, 3)).pack()[-4:] == bytes.fromhex("ffff0008"), "across the wrap"


def test_nack_drops_doubles_and_refuses_what_is_no_sequence_number() -> None:
    assert parse_compound(Nack(1, 2, (5, 5, 6, 6)).pack()) == [Nack(1, 2, (5, 6))]
    with pytest.raises(ValueError, match="NACK"):
        Nack(1, 2, (65536,)).pack()


# Transport-wide feedback


def feedback(deltas: list[int | None], base: int = 1) -> TransportFeedback:
    packets = tuple(((base + index) & 0xFFFF, delta) for index, delta in enumerate(deltas))
    return TransportFeedback(1, 2, base, 3, 4, packets)


def chunks_of(message: TransportFeedback, count: int) -> list[int]:
    data = message.pack()
    return [int.from_bytes(data[at : at + 2]) for at in range(20, 20 + 2 * count, 2)]


def test_run_length_chunks() -> None:
    message = feedback([1] * 8191 + [None])
    assert chunks_of(message, 2) == [0x2000 | 8191, 0x0001]
    assert parse_compound(feedback([4] * 1000).pack()) == [feedback([4] * 1000)]


def test_vector_chunks() -> None:
    assert chunks_of(feedback([1, None] * 7), 1) == [0x8000 | 0b10101010101010]
    assert chunks_of(feedback([1, -1, None, 1, 256, None, None]), 1) == [0xC000 | 0b01_10_00_01_10_00_00]
    assert chunks_of(feedback([1, None] * 3), 1) == [0x8000 | 0b10101000000000]


def test_example_of_the_draft() -> None:
    """Sections 3.1.3 and 3.1.4: a run of 221 lost packets, then both kinds of vectors."""
    one_bit = [0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0]
    two_bit = [0, 2, 1, 1, 1, 0, 0]  # the draft's 0b11 symbols are reserved now
    received = sum(one_bit) + 3
    vector = 0xC000
    for index, symbol in enumerate(two_bit):
        vector |= symbol << 12 - 2 * index
    body = (
        bytes.fromhex("00000001 00000002 fff0 00f2 fffffe 07".replace(" ", ""))
        + bytes.fromhex("00dd")
        + (0x8000 | int("".join(map(str, one_bit)), 2)).to_bytes(2)
        + vector.to_bytes(2)
        + bytes([10] * sum(one_bit))
        + b"\xff\xfe"
        + bytes([10] * 3)
    )
    padding = -len(body) % 4
    body += bytes(padding)
    data = b"\x8f\xcd" + (len(body) // 4).to_bytes(2) + body
    (parsed,) = parse_compound(data)
    assert isinstance(parsed, TransportFeedback)
    assert (parsed.base_sequence, parsed.reference_time_64ms, parsed.feedback_count) == (0xFFF0, -2, 7)
    assert len(parsed.packets) == 242
    assert parsed.packets[0] == (0xFFF0, None)
    assert parsed.packets[16] == (0, None)
    deltas = [delta for _, delta in parsed.packets if delta is not None]
    assert deltas == [10] * sum(one_bit) + [-2] + [10] * 3
    assert len(deltas) == received + 1


def test_deltas_choose_their_width() -> None:
    for delta, width in ((0, 1), (255, 1), (256, 2), (-1, 2), (0x7FFF, 2), (-0x8000, 2)):
        message = feedback([delta])
        assert parse_compound(message.pack()) == [message]
        assert len(message.pack()) == 4 + 16 + 2 + 2
        assert bool(message.pack()[0] & 0x20) is (width == 1), "padded only after one octet"
    for delta in (0x8000, -0x8001):
        with pytest.raises(ValueError, match="delta"):
            feedback([delta]).pack()


def test_padding_is_declared() -> None:
    data = feedback([1]).pack()
    assert data[0] == 0x80 | 0x20 | 15
    assert data[-1] == 1


def test_feedback_counters_wrap() -> None:
    data = TransportFeedback(1, 2, 0, 1 << 23, 256, ((0, 1),)).pack()
    (parsed,) = parse_compound(data)
    assert isinstance(parsed, TransportFeedback)
    assert (parsed.reference_time_64ms, parsed.feedback_count) == (-(1 << 23), 0)


def test_feedback_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="gap"):
        TransportFeedback(1, 2, 0, 0, 0, ((0, 1), (2, 1))).pack()
    with pytest.raises(ValueError, match="gap"):
        TransportFeedback(1, 2, 5, 0, 0, ((0, 1),)).pack()
    with pytest.raises(ValueError, match="number of packets"):
        TransportFeedback(1, 2, 0, 0, 0, ()).pack()
    with pytest.raises(ValueError, match="number of packets"):
        feedback([None] * (MAX_FEEDBACK_STATUSES + 1)).pack()


def raw_feedback(count: int, rest: str) -> bytes:
    body = (
        bytes.fromhex("00000001 00000002 0000".replace(" ", ""))
        + count.to_bytes(2)
        + bytes(4)
        + bytes.fromhex(rest)
    )
    return b"\x8f\xcd" + (len(body) // 4).to_bytes(2) + body


@pytest.mark.parametrize(
    ("count", "rest", "reason"),
    [
        (0, "20010000", "no statuses"),
        (1, "60010000", "reserved"),
        (30, "80008000", "chunks"),
        (3, "20030000", "deltas"),
        (40, "20018000", "chunks"),
        (2, "40020000", "deltas"),
    ],
)
def test_feedback_that_contradicts_itself(count: int, rest: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_compound(raw_feedback(count, rest))


def test_run_lengths_cannot_make_a_small_compound_expensive() -> None:
    bomb = raw_feedback(8191, "1fff0000") * (MAX_COMPOUND_BYTES // 24)
    with pytest.raises(ValueError, match="too many statuses"):
        parse_compound(bomb)


# What surrounds the packets


def test_unknown_types_formats_and_blocks_are_skipped() -> None:
    application = bytes.fromhex("81cc0002 00000001 41424344".replace(" ", ""))
    other_feedback = bytes.fromhex("83cd0002 00000001 00000002".replace(" ", ""))
    slice_loss = bytes.fromhex("82ce0003 00000001 00000002 00000000".replace(" ", ""))
    not_remb = bytes.fromhex("8fce0003 00000001 00000002 4a554e4b".replace(" ", ""))
    loss_rle = bytes.fromhex("80cf0004 00000001 01000002 00000005 00010002".replace(" ", ""))
    data = application + other_feedback + slice_loss + not_remb + loss_rle + Pli(1, 2).pack()
    assert parse_compound(data) == [Pli(1, 2)]


def test_profile_specific_extension_of_a_report_is_skipped() -> None:
    data = bytes.fromhex("80c90002 00000001 deadbeef".replace(" ", ""))
    assert parse_compound(data) == [ReceiverReport(1)]


def test_one_xr_packet_may_hold_several_blocks() -> None:
    first, second = ReceiverReferenceTime(1, 5).pack(), DelaySinceLastRr(1, ((2, 3, 4),)).pack()
    body = first[4:] + second[8:]
    data = b"\x80\xcf" + (len(body) // 4).to_bytes(2) + body
    assert parse_compound(data) == [ReceiverReferenceTime(1, 5), DelaySinceLastRr(1, ((2, 3, 4),))]


def test_padding_of_the_last_packet_is_dropped() -> None:
    data = Nack(1, 2, (5,)).pack()
    padded = bytes((data[0] | 0x20, data[1])) + (4).to_bytes(2) + data[4:] + b"\0\0\0\x04"
    assert parse_compound(padded) == [Nack(1, 2, (5,))]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "empty"),
        ("80c9", "header"),
        ("00c90001 00000001", "version"),
        ("80c90002 00000001", "packet truncated"),
        ("81c90001 00000001", "report blocks"),
        ("80c80001 00000001", "sender report"),
        ("80c90000", "receiver report"),
        ("81ca0000", "SDES chunk"),
        ("81ca0001 00000001", "SDES item"),
        ("81ca0002 00000001 01090000", "SDES text"),
        ("82cb0001 00000001", "BYE sources"),
        ("81cb0002 00000001 09000000", "BYE reason"),
        ("81cd0002 00000001 00000002", "NACK"),
        ("8fcd0002 00000001 00000002", "transport feedback"),
        ("81ce0001 00000001", "payload-specific"),
        ("84ce0003 00000001 00000000 00000002", "FIR"),
        ("8fce0003 00000001 00000000 52454d42", "REMB"),
        ("8fce0004 00000001 00000000 52454d42 01000001", "REMB"),
        ("8fce0004 00000001 00000000 52454d42 00ffffff", "REMB bitrate"),
        ("80cf0002 00000001 04000002", "XR block"),
        ("80cf0003 00000001 04000001 00000000", "XR receiver reference"),
        ("80cf0003 00000001 05000001 00000000", "DLRR"),
        ("a0c90001 00000000", "padding"),
        ("a0c90001 00000009", "padding"),
    ],
)
def test_errors_name_the_field(data: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_compound(bytes.fromhex(data.replace(" ", "")))


def test_a_compound_may_not_be_too_long() -> None:
    with pytest.raises(ValueError, match="too long"):
        parse_compound(Pli(1, 2).pack() * (MAX_COMPOUND_BYTES // 12 + 1))


@pytest.mark.parametrize(
    "packet",
    [
        Pli(1 << 32, 0),
        Pli(-1, 0),
        ReceiverReport(1, (BLOCK,) * 32),
        ReceiverReport(1, (ReportBlock(1, 256, 0, 0, 0, 0, 0),)),
        Bye(tuple(range(32))),
        Bye((1,), bytes(256)),
        Fir(1, ((2, 256),)),
        Remb(1, 1 << 63, ()),
        Remb(1, 5, tuple(range(256))),
        SourceDescription((SdesChunk(1, ((0, b""),)),)),
        SourceDescription((SdesChunk(1, ((1, bytes(256)),)),)),
        ReceiverReferenceTime(1, 1 << 64),
        DelaySinceLastRr(1, ((1, 2, 1 << 32),)),
    ],
)
def test_pack_refuses_values_out_of_range(packet: AnyRtcp) -> None:
    with pytest.raises(ValueError):
        packet.pack()


def test_cumulative_loss_is_clamped() -> None:
    for lost, seen in ((1 << 24, 0x7F_FFFF), (-(1 << 30), -0x80_0000)):
        data = ReceiverReport(1, (ReportBlock(2, 0, lost, 0, 0, 0, 0),)).pack()
        (parsed,) = parse_compound(data)
        assert isinstance(parsed, ReceiverReport)
        assert parsed.reports[0].packets_lost == seen


@given(st.integers(0, (1 << 63) - 1))
def test_remb_rounds_down_to_18_bits(bitrate_bps: int) -> None:
    (parsed,) = parse_compound(Remb(1, bitrate_bps, ()).pack())
    assert isinstance(parsed, Remb)
    assert bitrate_bps * (1 - 2**-17) <= parsed.bitrate_bps <= bitrate_bps


def test_cname() -> None:
    chunk = SdesChunk(1, ((2, b"name"), (1, b"\xffx")))
    assert chunk.cname == "\ufffdx"
    assert SdesChunk(1, ((2, b"name"),)).cname is None
