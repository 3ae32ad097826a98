"""What an SCTP packet must satisfy before aiortc's association sees it.

aiortc 1.16 trusts its peer: a parameter of length zero stalls the event loop for good, one SACK of 1,136
bytes costs 1.3 s, the receive window is never enforced. This guard watches both directions, keeps the little
state that a judgement needs (what we have sent, what they have sent, how far it is contiguous) and refuses
what no honest peer sends. It is pure, and its own loops are bounded by the packet's length.

Two outcomes besides acceptance: a packet that an honest peer can produce under bad luck is dropped (SCTP
sends it again), a breach of a rule ends the association (`SctpBreachError`).
"""

from collections.abc import Iterator
from struct import Struct

from mediaserver.transport.errors import SctpBreachError

COMMON_HEADER_BYTES = 12
CHUNK_HEADER_BYTES = 4
PARAMETER_HEADER_BYTES = 4
MAX_PACKET_BYTES = 16384
"""A DTLS record's limit; honest packets stay below 1,300."""
MAX_CHUNKS = 128
"""Chunks per packet: 1,200 bytes hold at most 60 DATA chunks of one byte each."""
MAX_PARAMETERS = 32
"""Parameters per chunk; an INIT-ACK has about six."""
MAX_TSN_AHEAD = 1024
"""Distance of a DATA chunk from the last contiguous one; beyond it the packet is dropped and comes again."""
MAX_TSN_JUMP = 65536
"""Distance no honest sender reaches: its window is 1 MiB."""
MAX_SACK_LAG = 4096
"""Distance by which a SACK may be older than the newest one: more than is ever on the way at once."""
MAX_HELD_BYTES = 1 << 20
"""Received but not yet delivered; the receive window that aiortc announces."""
MAX_HELD_CHUNKS = 1024
"""The same in chunks: aiortc's reassembly is linear in them, 0.1 ms for one more at this limit."""
MAX_STREAMS = 16
"""Streams in use by the remote; LiveKit's clients use three."""
MAX_DROPS_IN_A_ROW = 4096
"""Drops without progress after which the association is of no use."""

DATA, INIT, INIT_ACK, SACK = 0, 1, 2, 3
HEARTBEAT, HEARTBEAT_ACK, ABORT, SHUTDOWN, SHUTDOWN_ACK, ERROR = 4, 5, 6, 7, 8, 9
COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE = 10, 11, 14
RE_CONFIG, FORWARD_TSN = 130, 192

_RESET_REQUEST, _RESET_RESPONSE, _ADD_STREAMS = 13, 16, 17
_RECONFIG_BYTES = {_RESET_REQUEST: 16, _RESET_RESPONSE: 12, _ADD_STREAMS: 12}
"""Least parameter length, header included (RFC 6525, section 4); 14 and 15 are ignored by aiortc."""

_MINIMUM_BYTES = {
    DATA: 17,
    INIT: 20,
    INIT_ACK: 20,
    SACK: 16,
    SHUTDOWN: 8,
    FORWARD_TSN: 8,
    COOKIE_ECHO: 5,
}
"""Least chunk length, header included (RFC 9260, section 3.3; RFC 3758, section 3.2)."""

_chunk = Struct("!BBH").unpack_from
_parameter = Struct("!HH").unpack_from
_u32 = Struct("!I").unpack_from
_data = Struct("!IHHI").unpack_from
_init = Struct("!IIHHI").unpack_from
_sack = Struct("!IIHH").unpack_from
_gap = Struct("!HH").unpack_from
_stream = Struct("!HH").unpack_from

_MASK = 0xFFFFFFFF
_HALF = 0x80000000


def _ahead(a: int, b: int) -> int:
    """How far ``a`` is after ``b`` in 32-bit serial arithmetic, negative if before."""
    return ((a - b + _HALF) & _MASK) - _HALF


class SctpGuard:
    """Judge of one association. Feed every packet of both directions."""

    __slots__ = (
        "_ahead_received",
        "_cumulative",
        "_drops_in_a_row",
        "_peer_init",
        "_received_data",
        "_sacked",
        "_sent",
        "_streams",
        "dropped",
    )

    def __init__(self) -> None:
        self._sent: int | None = None
        """Highest TSN we sent (initial TSN - 1 before the first DATA)."""
        self._sacked: int | None = None
        """Highest cumulative TSN the remote acknowledged."""
        self._cumulative: int | None = None
        """Highest TSN up to which everything arrived."""
        self._ahead_received: set[int] = set()
        self._peer_init: tuple[int, int] | None = None
        self._received_data = False
        self._streams: set[int] = set()
        self._drops_in_a_row = 0
        self.dropped = 0
        """Packets dropped, not counting the one that ended the association."""

    def outbound(self, packet: bytes) -> None:
        """Note one packet that we send (ours are well-formed and carry one chunk each)."""
        if len(packet) < COMMON_HEADER_BYTES + CHUNK_HEADER_BYTES:
            return
        kind = packet[COMMON_HEADER_BYTES]
        if kind == DATA:
            tsn = _u32(packet, 16)[0]
            if self._sent is None or _ahead(tsn, self._sent) > 0:
                self._sent = tsn
        elif kind in (INIT, INIT_ACK):
            if self._sent is None:
                self._sent = self._sacked = (_u32(packet, 28)[0] - 1) & _MASK
        elif kind == FORWARD_TSN:
            tsn = _u32(packet, 16)[0]
            if self._sent is None or _ahead(tsn, self._sent) > 0:
                self._sent = tsn

    def inbound(self, packet: bytes, held_bytes: int = 0, held_chunks: int = 0) -> bool:
        """Judge one packet from the remote: True to accept it, False to drop it.

        ``held_bytes`` and ``held_chunks`` is what the association holds without having delivered it.
        Raises SctpBreachError naming what is wrong.
        """
        accepted = self._judge(packet, held_bytes, held_chunks)
        if accepted:
            self._drops_in_a_row = 0
        else:
            self.dropped += 1
            self._drops_in_a_row += 1
            if self._drops_in_a_row > MAX_DROPS_IN_A_ROW:
                raise SctpBreachError("sctp: no progress")
        return accepted

    def _judge(self, packet: bytes, held_bytes: int, held_chunks: int) -> bool:
        size = len(packet)
        if not COMMON_HEADER_BYTES + CHUNK_HEADER_BYTES <= size <= MAX_PACKET_BYTES:
            raise SctpBreachError("sctp: packet size")
        chunks = list(_chunks(packet))
        # Judge all before any changes our state: a packet is taken as a whole or not at all.
        data: list[tuple[int, int]] = []
        for kind, start, end in chunks:
            if kind == DATA:
                tsn, stream_id, _, _ = _data(packet, start)
                verdict = self._judge_data(tsn, stream_id, data)
                if verdict is None:
                    return False
                held_bytes += end - start - 12
                held_chunks += 1
                data.append((tsn, stream_id))
            elif kind == SACK:
                self._judge_sack(packet, start, end)
            elif kind == FORWARD_TSN:
                self._judge_forward_tsn(packet, start, end)
            elif kind in (INIT, INIT_ACK):
                if kind == INIT and len(chunks) != 1:
                    raise SctpBreachError("sctp: INIT is not alone")
                if not self._judge_init(packet, start, end):
                    return False
            elif kind == RE_CONFIG:
                self._judge_reconfig(packet, start, end)
            elif kind in (HEARTBEAT, HEARTBEAT_ACK, ABORT, ERROR):
                for _ in _parameters(packet, start, end):
                    pass
        if data and (held_bytes > MAX_HELD_BYTES or held_chunks > MAX_HELD_CHUNKS):
            if held_bytes > 2 * MAX_HELD_BYTES:
                raise SctpBreachError("sctp: receive window overrun")
            return self._fits_gap(data)
        for tsn, stream_id in data:
            self._take(tsn, stream_id)
        return True

    def _fits_gap(self, data: list[tuple[int, int]]) -> bool:
        """A full buffer takes only what closes its first gap, or nothing would ever be delivered again."""
        assert self._cumulative is not None
        if len(self._ahead_received) == 0 or data[0][0] != (self._cumulative + 1) & _MASK:
            return False
        for tsn, stream_id in data:
            self._take(tsn, stream_id)
        return True

    def _judge_data(self, tsn: int, stream_id: int, before: list[tuple[int, int]]) -> bool | None:
        if self._cumulative is None:
            raise SctpBreachError("sctp: DATA before INIT")
        distance = _ahead(tsn, self._cumulative)
        if distance > MAX_TSN_JUMP or distance < -MAX_TSN_JUMP:
            raise SctpBreachError("sctp: TSN out of window")
        if distance > MAX_TSN_AHEAD:
            return None
        if stream_id not in self._streams:
            new = {s for _, s in before if s not in self._streams}
            new.add(stream_id)
            if len(self._streams) + len(new) > MAX_STREAMS:
                raise SctpBreachError("sctp: too many streams")
        return True

    def _take(self, tsn: int, stream_id: int) -> None:
        assert self._cumulative is not None
        self._received_data = True
        self._streams.add(stream_id)
        if _ahead(tsn, self._cumulative) <= 0:
            return
        self._ahead_received.add(tsn)
        self._advance()

    def _advance(self) -> None:
        assert self._cumulative is not None
        following = (self._cumulative + 1) & _MASK
        while following in self._ahead_received:
            self._ahead_received.remove(following)
            self._cumulative = following
            following = (following + 1) & _MASK

    def _judge_sack(self, packet: bytes, start: int, end: int) -> None:
        cumulative, _, gaps, duplicates = _sack(packet, start)
        if start + 12 + 4 * (gaps + duplicates) != end:
            raise SctpBreachError("sctp: SACK length")
        if self._sent is None or self._sacked is None:
            raise SctpBreachError("sctp: SACK before INIT")
        outstanding = _ahead(self._sent, cumulative)
        if outstanding < 0:
            raise SctpBreachError("sctp: SACK of what was not sent")
        progress = _ahead(cumulative, self._sacked)
        if progress < -MAX_SACK_LAG:
            raise SctpBreachError("sctp: SACK of long ago")
        if progress > 0:
            self._sacked = cumulative
        last = 0
        for at in range(start + 12, start + 12 + 4 * gaps, 4):
            first, final = _gap(packet, at)
            if first <= last or final < first or final > outstanding:
                raise SctpBreachError("sctp: SACK gap blocks")
            last = final

    def _judge_forward_tsn(self, packet: bytes, start: int, end: int) -> None:
        if (end - start) & 3:
            raise SctpBreachError("sctp: FORWARD-TSN length")
        if self._cumulative is None:
            raise SctpBreachError("sctp: FORWARD-TSN before INIT")
        tsn = _u32(packet, start)[0]
        distance = _ahead(tsn, self._cumulative)
        if not -MAX_TSN_JUMP <= distance <= MAX_TSN_JUMP:
            raise SctpBreachError("sctp: FORWARD-TSN out of window")
        streams = {_stream(packet, at)[0] for at in range(start + 4, end, 4)}
        if (end - start - 4) // 4 > MAX_STREAMS or len(streams | self._streams) > MAX_STREAMS:
            raise SctpBreachError("sctp: too many streams")
        self._streams |= streams
        if distance > 0:
            self._cumulative = tsn
            self._ahead_received = {t for t in self._ahead_received if _ahead(t, tsn) > 0}
            self._advance()

    def _judge_init(self, packet: bytes, start: int, end: int) -> bool:
        tag, _, outbound, inbound, tsn = _init(packet, start)
        for _ in _parameters(packet, start + 16, end):
            pass
        if tag == 0 or outbound == 0 or inbound == 0:
            raise SctpBreachError("sctp: INIT fields")
        if self._received_data:
            # A late repetition; aiortc would forget what it received.
            return False
        if self._peer_init is not None and self._peer_init != (tag, tsn):
            raise SctpBreachError("sctp: a second association")
        self._peer_init = (tag, tsn)
        self._cumulative = (tsn - 1) & _MASK
        self._ahead_received.clear()
        return True

    def _judge_reconfig(self, packet: bytes, start: int, end: int) -> None:
        for kind, at, until in _parameters(packet, start, end):
            length = until - at + PARAMETER_HEADER_BYTES
            if length < _RECONFIG_BYTES.get(kind, 0) or (kind == _RESET_REQUEST and length & 1):
                raise SctpBreachError("sctp: RE-CONFIG parameter length")
            if kind == _ADD_STREAMS:
                raise SctpBreachError("sctp: streams added")
            if kind == _RESET_REQUEST:
                for stream_at in range(at + 12, until, 2):
                    self._streams.discard(int.from_bytes(packet[stream_at : stream_at + 2]))


def _chunks(packet: bytes) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of the value of each chunk."""
    size = len(packet)
    position = COMMON_HEADER_BYTES
    for _ in range(MAX_CHUNKS):
        if position > size - CHUNK_HEADER_BYTES:
            return
        kind, _, length = _chunk(packet, position)
        end = position + length
        if length < CHUNK_HEADER_BYTES or end > size or length < _MINIMUM_BYTES.get(kind, 0):
            raise SctpBreachError("sctp: chunk length")
        yield kind, position + CHUNK_HEADER_BYTES, end
        position = end + (-length & 3)
    if position <= size - CHUNK_HEADER_BYTES:
        raise SctpBreachError("sctp: too many chunks")


def _parameters(packet: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of the value of each parameter or cause between ``start`` and ``end``."""
    position = start
    for _ in range(MAX_PARAMETERS):
        if position > end - PARAMETER_HEADER_BYTES:
            return
        kind, length = _parameter(packet, position)
        until = position + length
        if length < PARAMETER_HEADER_BYTES or until > end:
            raise SctpBreachError("sctp: parameter length")
        yield kind, position + PARAMETER_HEADER_BYTES, until
        position = until + (-length & 3)
    if position <= end - PARAMETER_HEADER_BYTES:
        raise SctpBreachError("sctp: too many parameters")
