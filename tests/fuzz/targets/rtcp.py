"""RTCP compounds."""

from mediaserver.rtp.rtcp import (
    MAX_COMPOUND_BYTES,
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
    SenderReport,
    SourceDescription,
    TransportFeedback,
    pack_compound,
    parse_compound,
)
from tests.unit.rtp.captures import CAPTURES

NAME = "rtcp"
ALLOWED: tuple[type[Exception], ...] = (ValueError,)
MAX_BYTES = MAX_COMPOUND_BYTES + 100

_REPORT = ReportBlock(2, 255, -3, 0x1_FFFF, 90, 0x1234_5678, 65536)
_DELTAS = (4, None, 300, -5, 255, 0)

SAMPLES: list[list[AnyRtcp]] = [
    [
        SenderReport(1, 0xEEAC_7499_1497_D16D, 90000, 10, 11000, (_REPORT,)),
        SourceDescription.of_cname(1, "a@b"),
    ],
    [
        ReceiverReport(1, (_REPORT, _REPORT)),
        ReceiverReferenceTime(1, 1 << 63),
        DelaySinceLastRr(1, ((2, 3, 4),)),
    ],
    [Bye((1, 2), b"leaving")],
    [Nack(1, 2, (65530, 65535, 0, 3, 700)), Pli(1, 2), Fir(1, ((2, 3), (4, 5)))],
    [Remb(1, 1_234_560, (2, 3))],
    [
        TransportFeedback(
            1, 2, 65530, -2, 255, tuple(((65530 + at) & 0xFFFF, _DELTAS[at * at % 6]) for at in range(60))
        )
    ],
    [TransportFeedback(1, 2, 0, 5, 0, tuple((at, None if 5 < at < 900 else 1) for at in range(1000)))],
]

CORPUS: list[bytes] = [
    *(pack_compound(sample) for sample in SAMPLES),
    b"".join(pack_compound(sample) for sample in SAMPLES),
    bytes.fromhex("84cc0003 00000001 41424344 deadbeef"),  # APP: skipped
]

CORPUS += [data for capture in CAPTURES.values() for data in capture.rtcp[:8]]


def run(data: bytes) -> None:
    """Parses a compound; what was understood must survive being packed and parsed again."""
    packets = parse_compound(data)
    try:
        packed = pack_compound(packets)
    except ValueError as error:
        raise AssertionError(f"parsed but not packed: {error}") from error
    if 0 < len(packed) <= MAX_COMPOUND_BYTES:
        try:
            again = parse_compound(packed)
        except ValueError as error:
            raise AssertionError(f"packed but not parsed: {error}") from error
        assert [_normal(packet) for packet in again] == [_normal(packet) for packet in packets]


def _normal(packet: AnyRtcp) -> object:
    """A NACK may name a packet twice and in any order; packing puts that right."""
    if isinstance(packet, Nack):
        return packet.sender_ssrc, packet.media_ssrc, frozenset(packet.lost)
    return packet
