"""RTCP packets (RFC 3550, section 6) and the feedback messages of WebRTC, parsed and packed.

`parse_compound` turns one decrypted datagram into values; packet types, feedback formats and report blocks
that are not listed here are skipped. Reduced-size packets (RFC 5506) are accepted. All limits are there so
that a hostile compound costs no more than a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import repeat
from struct import Struct, error, pack, unpack_from

MAX_COMPOUND_BYTES = 4096
"""Longest compound read: twice and more what fits a path MTU, far less than an ICE-TCP frame could carry."""

MAX_FEEDBACK_STATUSES = 8192
"""Packet statuses read per compound from transport-wide feedback: over a second at 7,500 packets/s.
Run-length chunks could otherwise turn 4 KiB into millions of statuses."""

MAX_PACKET_WORDS = 0xFFFF
"""The 16-bit length field counts 32-bit words, less one."""

MAX_COUNT = 31
"""Items that the 5-bit count of a header can state (reports, sources, chunks)."""

DELTA_STEP_S = 0.000250
"""Unit of transport-wide receive deltas."""

REFERENCE_TIME_STEP_S = 0.064
"""Unit of the transport-wide reference time."""


class RtcpType(IntEnum):
    """Values of the packet type field."""

    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    SOURCE_DESCRIPTION = 202
    BYE = 203
    TRANSPORT_LAYER_FEEDBACK = 205
    PAYLOAD_SPECIFIC_FEEDBACK = 206
    EXTENDED_REPORT = 207


TRANSPORT_FORMAT_NACK = 1
"""RFC 4585, section 6.2.1."""
TRANSPORT_FORMAT_TRANSPORT_WIDE = 15
"""draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1."""
PAYLOAD_FORMAT_PLI = 1
"""RFC 4585, section 6.3.1."""
PAYLOAD_FORMAT_FIR = 4
"""RFC 5104, section 4.3.1."""
PAYLOAD_FORMAT_APPLICATION = 15
"""RFC 4585, section 6.4; REMB is one of these."""
REMB_IDENTIFIER = b"REMB"
"""draft-alvestrand-rmcat-remb-03, section 2.2."""
XR_RECEIVER_REFERENCE_TIME = 4
"""RFC 3611, section 4.4."""
XR_DELAY_SINCE_LAST_RR = 5
"""RFC 3611, section 4.5."""

SDES_CNAME = 1
"""RFC 3550, section 6.5.1."""

_HEADER = Struct("!BBH")
_REPORT_BLOCK = Struct("!IIIIII")
_SENDER_INFO = Struct("!IQIII")
_TWO_SSRCS = Struct("!II")
_FEEDBACK_HEADER = Struct("!IIHHI")


def _pack(layout: str, *values: int) -> bytes:
    """`struct.pack` whose complaint about a value out of range is a ValueError."""
    try:
        return pack(layout, *values)
    except error as exc:
        raise ValueError(f"RTCP field out of range: {exc}") from None


def _packet(packet_type: RtcpType, count: int, body: bytes, padding: int = 0) -> bytes:
    """Header and body, which must be a multiple of 4 octets; `padding` of them are declared as padding."""
    words = len(body) // 4
    if words > MAX_PACKET_WORDS:
        raise ValueError("RTCP packet too long")
    if count > MAX_COUNT:
        raise ValueError("RTCP count exceeds 31")
    return _HEADER.pack(0x80 | (0x20 if padding else 0) | count, packet_type, words) + body


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says about one stream (RFC 3550, section 6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Since the last report, in 1/256 (0..255)."""
    packets_lost: int
    """Cumulative, signed 24 bits; clamped when packed."""
    highest_sequence: int
    """Extended: cycles in the upper 16 bits."""
    jitter: int
    """Interarrival jitter in units of the stream's clock."""
    lsr: int
    """Middle 32 bits of the last sender report's NTP time; 0 if none."""
    dlsr: int
    """Delay since that report in 1/65536 s."""

    def pack(self) -> bytes:
        """The 24 octets of the block. Raises ValueError for a field out of range."""
        if not 0 <= self.fraction_lost <= 255:
            raise ValueError("fraction_lost out of range")
        lost = min(max(self.packets_lost, -0x80_0000), 0x7F_FFFF) & 0xFF_FFFF
        return _pack(
            "!IIIIII",
            self.ssrc,
            self.fraction_lost << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.lsr,
            self.dlsr,
        )


@dataclass(frozen=True, slots=True)
class SenderReport:
    """RFC 3550, section 6.4.1."""

    ssrc: int
    ntp_time: int
    """64-bit NTP timestamp."""
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()

    def pack(self) -> bytes:
        """The whole packet. Raises ValueError for a field out of range or more than 31 reports."""
        head = _pack(
            "!IQIII", self.ssrc, self.ntp_time, self.rtp_timestamp, self.packet_count, self.octet_count
        )
        body = head + b"".join(report.pack() for report in self.reports)
        return _packet(RtcpType.SENDER_REPORT, len(self.reports), body)


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RFC 3550, section 6.4.2."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()

    def pack(self) -> bytes:
        """The whole packet. Raises ValueError for a field out of range or more than 31 reports."""
        body = _pack("!I", self.ssrc) + b"".join(report.pack() for report in self.reports)
        return _packet(RtcpType.RECEIVER_REPORT, len(self.reports), body)


@dataclass(frozen=True, slots=True)
class SdesChunk:
    """The items of one source: (type, text octets)."""

    ssrc: int
    items: tuple[tuple[int, bytes], ...]

    @property
    def cname(self) -> str | None:
        """The canonical name, if it is there; octets that are not UTF-8 are replaced."""
        for item_type, value in self.items:
            if item_type == SDES_CNAME:
                return value.decode("utf-8", "replace")
        return None


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """RFC 3550, section 6.5."""

    chunks: tuple[SdesChunk, ...]

    @classmethod
    def of_cname(cls, ssrc: int, cname: str) -> SourceDescription:
        """The usual single chunk with a canonical name."""
        return cls((SdesChunk(ssrc, ((SDES_CNAME, cname.encode()),)),))

    def pack(self) -> bytes:
        """The whole packet. Raises ValueError for an item type outside 1..255 or a text over 255 octets."""
        parts = []
        for chunk in self.chunks:
            body = _pack("!I", chunk.ssrc)
            for item_type, value in chunk.items:
                if not 0 < item_type <= 255:
                    raise ValueError("SDES item type out of range")
                if len(value) > 255:
                    raise ValueError("SDES text too long")
                body += bytes((item_type, len(value))) + value
            # At least one zero octet ends the list; it also pads the chunk.
            parts.append(body + bytes(4 - len(body) % 4))
        return _packet(RtcpType.SOURCE_DESCRIPTION, len(self.chunks), b"".join(parts))


@dataclass(frozen=True, slots=True)
class Bye:
    """RFC 3550, section 6.6."""

    ssrcs: tuple[int, ...]
    reason: bytes = b""

    def pack(self) -> bytes:
        """The whole packet. Raises ValueError for more than 31 sources or a reason over 255 octets."""
        body = _pack(f"!{len(self.ssrcs)}I", *self.ssrcs)
        if self.reason:
            if len(self.reason) > 255:
                raise ValueError("BYE reason too long")
            text = bytes((len(self.reason),)) + self.reason
            body += text + bytes(-len(text) % 4)
        return _packet(RtcpType.BYE, len(self.ssrcs), body)


@dataclass(frozen=True, slots=True)
class Nack:
    """Generic NACK (RFC 4585, section 6.2.1)."""

    sender_ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]
    """16-bit sequence numbers, oldest first."""

    def pack(self) -> bytes:
        """The whole packet; numbers up to 16 after another share its entry's bit mask (BLP)."""
        entries: list[int] = []
        first = mask = -1
        for sequence in self.lost:
            if not 0 <= sequence <= 0xFFFF:
                raise ValueError("NACK sequence number out of range")
            distance = (sequence - first) & 0xFFFF
            if first >= 0 and distance <= 16:
                if distance:
                    mask |= 1 << distance - 1
                continue
            if first >= 0:
                entries.append(first << 16 | mask)
            first, mask = sequence, 0
        if first >= 0:
            entries.append(first << 16 | mask)
        body = _pack(f"!II{len(entries)}I", self.sender_ssrc, self.media_ssrc, *entries)
        return _packet(RtcpType.TRANSPORT_LAYER_FEEDBACK, TRANSPORT_FORMAT_NACK, body)


@dataclass(frozen=True, slots=True)
class Pli:
    """Picture loss indication (RFC 4585, section 6.3.1)."""

    sender_ssrc: int
    media_ssrc: int

    def pack(self) -> bytes:
        """The whole packet."""
        body = _pack("!II", self.sender_ssrc, self.media_ssrc)
        return _packet(RtcpType.PAYLOAD_SPECIFIC_FEEDBACK, PAYLOAD_FORMAT_PLI, body)


@dataclass(frozen=True, slots=True)
class Fir:
    """Full intra request (RFC 5104, section 4.3.1)."""

    sender_ssrc: int
    entries: tuple[tuple[int, int], ...]
    """(media ssrc, 8-bit command sequence number)."""

    def pack(self) -> bytes:
        """The whole packet; the media ssrc of its header is 0 as the standard says."""
        parts = [_pack("!II", self.sender_ssrc, 0)]
        parts += [_pack("!IBxxx", ssrc, sequence) for ssrc, sequence in self.entries]
        return _packet(RtcpType.PAYLOAD_SPECIFIC_FEEDBACK, PAYLOAD_FORMAT_FIR, b"".join(parts))


_REMB_MANTISSA_BITS = 18
_REMB_MAX_BITRATE = 1 << 63
"""bit/s; the format could express 2^81."""


@dataclass(frozen=True, slots=True)
class Remb:
    """Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03)."""

    sender_ssrc: int
    bitrate_bps: int
    ssrcs: tuple[int, ...]

    def pack(self) -> bytes:
        """The whole packet; the bitrate is rounded down to 18 significant bits."""
        if not 0 <= self.bitrate_bps < _REMB_MAX_BITRATE:
            raise ValueError("REMB bitrate out of range")
        if len(self.ssrcs) > 255:
            raise ValueError("REMB: more than 255 ssrcs")
        exponent = max(self.bitrate_bps.bit_length() - _REMB_MANTISSA_BITS, 0)
        rate = exponent << _REMB_MANTISSA_BITS | self.bitrate_bps >> exponent
        body = _pack(
            f"!II4xI{len(self.ssrcs)}I", self.sender_ssrc, 0, len(self.ssrcs) << 24 | rate, *self.ssrcs
        )
        body = body[:8] + REMB_IDENTIFIER + body[12:]
        return _packet(RtcpType.PAYLOAD_SPECIFIC_FEEDBACK, PAYLOAD_FORMAT_APPLICATION, body)


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, section
    3.1)."""

    sender_ssrc: int
    media_ssrc: int
    base_sequence: int
    """Transport-wide sequence number (16 bits) of the first status."""
    reference_time_64ms: int
    """Signed 24 bits in steps of 64 ms, of the receiver's own clock; wrapped when packed."""
    feedback_count: int
    """Counts feedback packets, 8 bits; wrapped when packed."""
    packets: tuple[tuple[int, int | None], ...]
    """(sequence number, delta) without gaps from `base_sequence`. The delta is in steps of 250 µs (signed 16
    bits) since the packet received before, for the first since the reference time; None for a packet not
    received."""

    def pack(self) -> bytes:
        """The whole packet. Raises ValueError without packets, with over 8192, with a gap in the sequence
        numbers, or for a delta beyond 16 bits."""
        packets = self.packets
        if not 0 < len(packets) <= MAX_FEEDBACK_STATUSES:
            raise ValueError("transport feedback: number of packets out of range")
        symbols = bytearray(len(packets))
        deltas = bytearray()
        for index, (sequence, delta) in enumerate(packets):
            if sequence != (self.base_sequence + index) & 0xFFFF:
                raise ValueError("transport feedback: sequence numbers have a gap")
            if delta is None:
                continue
            if 0 <= delta <= 255:
                symbols[index] = 1
                deltas.append(delta)
            elif -0x8000 <= delta <= 0x7FFF:
                symbols[index] = 2
                deltas += (delta & 0xFFFF).to_bytes(2)
            else:
                raise ValueError("transport feedback: delta out of range")
        chunks = _pack_status_chunks(bytes(symbols))
        time_and_count = (self.reference_time_64ms & 0xFF_FFFF) << 8 | self.feedback_count & 0xFF
        head = _pack(
            "!IIHHI", self.sender_ssrc, self.media_ssrc, self.base_sequence, len(packets), time_and_count
        )
        body = head + chunks + deltas
        padding = -len(body) % 4
        if padding:
            body += bytes(padding - 1) + bytes((padding,))
        return _packet(RtcpType.TRANSPORT_LAYER_FEEDBACK, TRANSPORT_FORMAT_TRANSPORT_WIDE, body, padding)


_MAX_RUN = 0x1FFF
"""13 bits of run length."""
_ONE_BIT_SYMBOLS = 14
_TWO_BIT_SYMBOLS = 7


def _pack_status_chunks(symbols: bytes) -> bytes:
    """Status chunks (draft, section 3.1.3 and 3.1.4): at each place the kind that covers most statuses."""
    chunks = bytearray()
    total = len(symbols)
    at = 0
    while at < total:
        symbol = symbols[at]
        run_limit = min(total, at + _MAX_RUN)
        run_end = at + 1
        while run_end < run_limit and symbols[run_end] == symbol:
            run_end += 1
        window = symbols[at : at + _ONE_BIT_SYMBOLS]
        large = window.find(2)
        if run_end - at >= (len(window) if large < 0 else _TWO_BIT_SYMBOLS):
            chunk = symbol << 13 | run_end - at
            at = run_end
        elif large < 0:
            chunk = 0x8000
            for index, symbol in enumerate(window):
                chunk |= symbol << _ONE_BIT_SYMBOLS - 1 - index
            at += _ONE_BIT_SYMBOLS
        else:
            chunk = 0xC000
            for index, symbol in enumerate(window[:_TWO_BIT_SYMBOLS]):
                chunk |= symbol << 2 * (_TWO_BIT_SYMBOLS - 1 - index)
            at += _TWO_BIT_SYMBOLS
        chunks += chunk.to_bytes(2)
    return bytes(chunks)


@dataclass(frozen=True, slots=True)
class ReceiverReferenceTime:
    """XR receiver reference time report (RFC 3611, section 4.4)."""

    ssrc: int
    """The reporter."""
    ntp_time: int
    """64-bit NTP timestamp."""

    def pack(self) -> bytes:
        """A whole XR packet with this block."""
        body = _pack("!IBxHQ", self.ssrc, XR_RECEIVER_REFERENCE_TIME, 2, self.ntp_time)
        return _packet(RtcpType.EXTENDED_REPORT, 0, body)


@dataclass(frozen=True, slots=True)
class DelaySinceLastRr:
    """XR DLRR report (RFC 3611, section 4.5)."""

    ssrc: int
    """The reporter."""
    blocks: tuple[tuple[int, int, int], ...]
    """(receiver's ssrc, middle 32 bits of its last reference time, delay since then in 1/65536 s)."""

    def pack(self) -> bytes:
        """A whole XR packet with this block."""
        body = _pack("!IBxH", self.ssrc, XR_DELAY_SINCE_LAST_RR, 3 * len(self.blocks))
        body += b"".join(_pack("!III", *block) for block in self.blocks)
        return _packet(RtcpType.EXTENDED_REPORT, 0, body)


AnyRtcp = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Bye
    | Nack
    | Pli
    | Fir
    | Remb
    | TransportFeedback
    | ReceiverReferenceTime
    | DelaySinceLastRr
)
"""What `parse_compound` returns."""


def pack_compound(packets: Iterable[AnyRtcp]) -> bytes:
    """The packets one after the other, as one datagram's plaintext."""
    return b"".join([packet.pack() for packet in packets])


def parse_compound(data: bytes) -> list[AnyRtcp]:
    """Parses the decrypted content of one RTCP datagram.

    Raises ValueError, naming the field, if any part is truncated or contradicts itself: nothing of a damaged
    compound is used.
    """
    size = len(data)
    if not 0 < size <= MAX_COMPOUND_BYTES:
        raise ValueError("RTCP compound empty or too long")
    result: list[AnyRtcp] = []
    statuses = 0
    at = 0
    while at < size:
        if at + 4 > size:
            raise ValueError("RTCP header truncated")
        first, packet_type, words = _HEADER.unpack_from(data, at)
        if first & 0xC0 != 0x80:
            raise ValueError("RTCP version is not 2")
        end = at + 4 + 4 * words
        if end > size:
            raise ValueError("RTCP packet truncated")
        body = data[at + 4 : end]
        if first & 0x20:
            # RFC 3550 wants padding only on the last packet and in fours; transport-wide feedback does
            # neither.
            padding = body[-1] if body else 0
            if not 0 < padding <= len(body):
                raise ValueError("RTCP padding length invalid")
            body = body[:-padding]
        at = end
        count = first & 0x1F
        if packet_type == RtcpType.TRANSPORT_LAYER_FEEDBACK:
            if count == TRANSPORT_FORMAT_TRANSPORT_WIDE:
                if len(body) < 16:
                    raise ValueError("transport feedback truncated")
                statuses += body[10] << 8 | body[11]
                if statuses > MAX_FEEDBACK_STATUSES:
                    raise ValueError("transport feedback: too many statuses")
                result.append(_parse_transport_feedback(body))
            elif count == TRANSPORT_FORMAT_NACK:
                result.append(_parse_nack(body))
        elif packet_type == RtcpType.PAYLOAD_SPECIFIC_FEEDBACK:
            message = _parse_payload_feedback(count, body)
            if message is not None:
                result.append(message)
        elif packet_type == RtcpType.SENDER_REPORT:
            result.append(_parse_sender_report(count, body))
        elif packet_type == RtcpType.RECEIVER_REPORT:
            result.append(_parse_receiver_report(count, body))
        elif packet_type == RtcpType.EXTENDED_REPORT:
            result.extend(_parse_extended_report(body))
        elif packet_type == RtcpType.SOURCE_DESCRIPTION:
            result.append(_parse_source_description(count, body))
        elif packet_type == RtcpType.BYE:
            result.append(_parse_bye(count, body))
    return result


def _parse_reports(body: bytes, at: int, count: int) -> tuple[ReportBlock, ...]:
    """Report blocks; what follows them is a profile-specific extension and is ignored."""
    if at + 24 * count > len(body):
        raise ValueError("RTCP report blocks truncated")
    reports = []
    for offset in range(at, at + 24 * count, 24):
        ssrc, loss, highest_sequence, jitter, lsr, dlsr = _REPORT_BLOCK.unpack_from(body, offset)
        lost = loss & 0xFF_FFFF
        if lost & 0x80_0000:
            lost -= 0x100_0000
        reports.append(ReportBlock(ssrc, loss >> 24, lost, highest_sequence, jitter, lsr, dlsr))
    return tuple(reports)


def _parse_sender_report(count: int, body: bytes) -> SenderReport:
    if len(body) < 24:
        raise ValueError("sender report truncated")
    ssrc, ntp_time, rtp_timestamp, packet_count, octet_count = _SENDER_INFO.unpack_from(body)
    return SenderReport(
        ssrc, ntp_time, rtp_timestamp, packet_count, octet_count, _parse_reports(body, 24, count)
    )


def _parse_receiver_report(count: int, body: bytes) -> ReceiverReport:
    if len(body) < 4:
        raise ValueError("receiver report truncated")
    return ReceiverReport(int.from_bytes(body[:4]), _parse_reports(body, 4, count))


def _parse_source_description(count: int, body: bytes) -> SourceDescription:
    chunks = []
    size = len(body)
    at = 0
    for _ in range(count):
        if at + 4 > size:
            raise ValueError("SDES chunk truncated")
        ssrc = int.from_bytes(body[at : at + 4])
        at += 4
        items: list[tuple[int, bytes]] = []
        while True:
            if at >= size:
                raise ValueError("SDES item list not ended")
            item_type = body[at]
            if item_type == 0:
                break
            if at + 2 > size:
                raise ValueError("SDES item truncated")
            stop = at + 2 + body[at + 1]
            if stop > size:
                raise ValueError("SDES text truncated")
            items.append((item_type, body[at + 2 : stop]))
            at = stop
        at += 4 - at % 4  # the zero that ends the list and those that pad it
        chunks.append(SdesChunk(ssrc, tuple(items)))
    return SourceDescription(tuple(chunks))


def _parse_bye(count: int, body: bytes) -> Bye:
    end = 4 * count
    if end > len(body):
        raise ValueError("BYE sources truncated")
    reason = b""
    if end < len(body):
        stop = end + 1 + body[end]
        if stop > len(body):
            raise ValueError("BYE reason truncated")
        reason = body[end + 1 : stop]
    return Bye(unpack_from(f"!{count}I", body), reason)


def _parse_nack(body: bytes) -> Nack:
    if len(body) < 12 or len(body) % 4:
        raise ValueError("NACK truncated")
    sender_ssrc, media_ssrc, *entries = unpack_from(f"!{len(body) // 4}I", body)
    lost: list[int] = []
    for entry in entries:
        sequence = entry >> 16
        lost.append(sequence)
        mask = entry & 0xFFFF
        while mask:
            bit = mask & -mask
            lost.append((sequence + bit.bit_length()) & 0xFFFF)
            mask ^= bit
    return Nack(sender_ssrc, media_ssrc, tuple(lost))


def _parse_payload_feedback(message_format: int, body: bytes) -> Pli | Fir | Remb | None:
    if len(body) < 8:
        raise ValueError("payload-specific feedback truncated")
    sender_ssrc, media_ssrc = _TWO_SSRCS.unpack_from(body)
    if message_format == PAYLOAD_FORMAT_PLI:
        return Pli(sender_ssrc, media_ssrc)
    if message_format == PAYLOAD_FORMAT_FIR:
        if len(body) % 8:
            raise ValueError("FIR entry truncated")
        entries = tuple((int.from_bytes(body[at : at + 4]), body[at + 4]) for at in range(8, len(body), 8))
        return Fir(sender_ssrc, entries)
    if message_format == PAYLOAD_FORMAT_APPLICATION and body[8:12] == REMB_IDENTIFIER:
        if len(body) < 16:
            raise ValueError("REMB truncated")
        count = body[12]
        if 16 + 4 * count > len(body):
            raise ValueError("REMB ssrcs truncated")
        rate = int.from_bytes(body[13:16])
        bitrate_bps = (rate & 0x3_FFFF) << (rate >> _REMB_MANTISSA_BITS)
        if bitrate_bps >= _REMB_MAX_BITRATE:
            raise ValueError("REMB bitrate out of range")
        return Remb(sender_ssrc, bitrate_bps, unpack_from(f"!{count}I", body, 16))
    return None


def _parse_transport_feedback(body: bytes) -> TransportFeedback:
    """`body` has at least 16 octets and at most MAX_FEEDBACK_STATUSES statuses."""
    sender_ssrc, media_ssrc, base_sequence, total, time_and_count = _FEEDBACK_HEADER.unpack_from(body)
    if total == 0:
        raise ValueError("transport feedback: no statuses")
    size = len(body)
    symbols: list[int] = []
    at = 16
    while len(symbols) < total:
        if at + 2 > size:
            raise ValueError("transport feedback: status chunks truncated")
        chunk = body[at] << 8 | body[at + 1]
        at += 2
        if chunk < 0x8000:
            run = min(chunk & _MAX_RUN, total - len(symbols))
            symbols.extend(repeat(chunk >> 13, run))
        elif chunk < 0xC000:
            symbols.extend([chunk >> shift & 1 for shift in range(13, -1, -1)])
        else:
            symbols.extend([chunk >> shift & 3 for shift in range(12, -1, -2)])
    del symbols[total:]
    packets: list[tuple[int, int | None]] = []
    sequence = base_sequence
    for symbol in symbols:
        if symbol == 0:
            packets.append((sequence, None))
        elif symbol == 1:
            if at >= size:
                raise ValueError("transport feedback: deltas truncated")
            packets.append((sequence, body[at]))
            at += 1
        elif symbol == 2:
            if at + 2 > size:
                raise ValueError("transport feedback: deltas truncated")
            delta = body[at] << 8 | body[at + 1]
            packets.append((sequence, delta - 0x1_0000 if delta & 0x8000 else delta))
            at += 2
        else:
            raise ValueError("transport feedback: reserved status symbol")
        sequence = (sequence + 1) & 0xFFFF
    reference_time = time_and_count >> 8
    if reference_time & 0x80_0000:
        reference_time -= 0x100_0000
    return TransportFeedback(
        sender_ssrc, media_ssrc, base_sequence, reference_time, time_and_count & 0xFF, tuple(packets)
    )


def _parse_extended_report(body: bytes) -> Sequence[ReceiverReferenceTime | DelaySinceLastRr]:
    if len(body) < 4:
        raise ValueError("XR truncated")
    ssrc = int.from_bytes(body[:4])
    blocks: list[ReceiverReferenceTime | DelaySinceLastRr] = []
    at = 4
    while at < len(body):
        if at + 4 > len(body):
            raise ValueError("XR block header truncated")
        block_type = body[at]
        start = at + 4
        at = start + 4 * (body[at + 2] << 8 | body[at + 3])
        if at > len(body):
            raise ValueError("XR block truncated")
        if block_type == XR_RECEIVER_REFERENCE_TIME:
            if at - start != 8:
                raise ValueError("XR receiver reference time length is not 2")
            blocks.append(ReceiverReferenceTime(ssrc, int.from_bytes(body[start:at])))
        elif block_type == XR_DELAY_SINCE_LAST_RR:
            if (at - start) % 12:
                raise ValueError("XR DLRR length is not a multiple of 3")
            entries = [unpack_from("!III", body, offset) for offset in range(start, at, 12)]
            blocks.append(DelaySinceLastRr(ssrc, tuple(entries)))
    return blocks
