"""The mapping of a source's numbers to the numbers one subscriber sees.

A subscriber sees one stream, whatever is behind it: sequence numbers without gaps for what was left out on
purpose, but with gaps for what was lost, so that it asks again and late packets fall into place; timestamps
that go on when the source changes; VP8 picture ids that do the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mediaserver.flow.media_packet import MediaPacket

MAX_HOLES = 256
"""Losses (of one packet or several in a row) per stream whose place is kept: 30 % of 3 s at 250 packets/s.
They are kept as ranges, so that a publisher whose numbers leap costs its subscribers nothing."""

MAX_LATE = 4096
"""Packets behind the newest at which a place is given up. Far below 2^15: a number farther back would be
taken for one of the next cycle by SRTP (RFC 3711, section 3.3.1), on both sides."""

MAX_SOURCE_GAP = 2048
"""A jump in the source's sequence numbers beyond this is no loss but another beginning."""

_PICTURE_ID_MASK = 0x7FFF
_TL0PICIDX_MASK = 0xFF


Filters = tuple[int | None, int | None]
"""Highest spatial and temporal layer sent; None for no limit."""


class Hole(NamedTuple):
    """Source numbers from `begin` to before `end` that have not come, and the offsets of their time."""

    begin: int
    end: int
    sequence_offset: int
    picture_offset: int
    tl0_offset: int
    filters: Filters
    next_timestamp: int
    """Source timestamp of the packet behind the hole."""
    next_kept: bool
    """Whether that one was sent."""

    def keeps(self, packet: MediaPacket) -> bool:
        """Whether a late packet is to be sent, as its picture's other packets were."""
        if packet.timestamp == self.next_timestamp:
            return self.next_kept
        spatial, temporal = self.filters
        return (spatial is None or packet.spatial_layer <= spatial) and (
            temporal is None or packet.temporal_layer <= temporal
        )


class Rewriter:
    """Outgoing numbers of one stream. The attributes without underscore are read by the forwarder's fast
    path.

    Outgoing sequence numbers are counted without wrapping; the wire carries the lower 16 bits.
    """

    __slots__ = (
        "_highest_out",
        "_holes",
        "_picture_out",
        "_pictured",
        "_skipped_picture",
        "_tl0_out",
        "filters",
        "last",
        "next_source",
        "picture_offset",
        "sequence_offset",
        "timestamp_offset",
        "tl0_offset",
    )

    def __init__(self, first_sequence: int, first_timestamp: int) -> None:
        self._highest_out = first_sequence - 1
        """Only current while no source is joined; else it follows from `next_source` and
        `sequence_offset`."""
        self._holes: list[Hole] = []
        """Ascending and disjoint."""
        self.last: MediaPacket | None = None
        """The newest packet of the present source that was mapped; survives `leave`."""
        self.filters: Filters = (None, None)
        """Those by which the packets before `next_source` were judged."""
        self.next_source = -1
        """The source's sequence number that comes next; -1 while no source is joined."""
        self.sequence_offset = 0
        """Outgoing minus source sequence number."""
        self.timestamp_offset = first_timestamp
        self.picture_offset = 0
        self.tl0_offset = 0
        self._picture_out = -1
        """Highest outgoing VP8 picture id; -1 before the first."""
        self._tl0_out = -1
        self._pictured: MediaPacket | None = None
        """The packet whose picture ids `_picture_out` and `_tl0_out` are."""
        self._skipped_picture = -1
        """Source picture id left out last, so that its further packets do not count again."""

    @property
    def highest_out(self) -> int:
        """Highest outgoing sequence number given out or reserved."""
        return self.next_source - 1 + self.sequence_offset if self.next_source >= 0 else self._highest_out

    @property
    def patching(self) -> bool:
        """VP8 payloads need other picture ids than they came with."""
        return self.picture_offset != 0 or self.tl0_offset != 0

    def leave(self) -> None:
        """The source ends or changes: what is still missing of it is not wanted any more."""
        if self.next_source >= 0:
            self._highest_out = self.next_source - 1 + self.sequence_offset
            self._remember_picture()
        self.next_source = -1
        self._holes.clear()

    def join(self, packet: MediaPacket, timestamp_step: int | None) -> None:
        """Go on with another source (or the same after a pause), ``packet`` being its first.

        ``timestamp_step`` is the distance from the last outgoing timestamp in clock ticks (taken as 1 if
        less), or None to keep the present timestamp offset.
        """
        self.leave()
        last = self.last
        if last is None:
            # The very first packet defines the outgoing timestamps; nothing to be continuous with.
            self.timestamp_offset = (self.timestamp_offset - packet.timestamp) & 0xFFFFFFFF
        elif timestamp_step is not None:
            last_out = last.timestamp + self.timestamp_offset
            self.timestamp_offset = (last_out + max(1, timestamp_step) - packet.timestamp) & 0xFFFFFFFF
        self.sequence_offset = self._highest_out + 1 - packet.extended_sequence
        self.next_source = packet.extended_sequence
        self._skipped_picture = -1
        descriptor = packet.vp8
        if descriptor is not None:
            if descriptor.picture_id is not None and self._picture_out >= 0:
                self.picture_offset = (self._picture_out + 1 - descriptor.picture_id) & _PICTURE_ID_MASK
            if descriptor.tl0picidx is not None and self._tl0_out >= 0:
                self.tl0_offset = (self._tl0_out + 1 - descriptor.tl0picidx) & _TL0PICIDX_MASK

    def advance(self, packet: MediaPacket) -> int:
        """Map a packet at or after `next_source`; the numbers in between become holes. Returns its number."""
        sequence = packet.extended_sequence
        offset = self.sequence_offset
        if sequence != self.next_source:
            self._note_hole(packet, True)
        self.next_source = sequence + 1
        self.last = packet
        return sequence + offset

    def skip(self, packet: MediaPacket) -> None:
        """Leave a packet at or after `next_source` out and close the gap that it would leave."""
        sequence = packet.extended_sequence
        if sequence != self.next_source:
            self._note_hole(packet, False)
        self.next_source = sequence + 1
        self.sequence_offset -= 1
        descriptor = packet.vp8
        if descriptor is None or descriptor.picture_id is None:
            return
        last = self.last
        partly_sent = last is not None and last.timestamp == packet.timestamp
        if descriptor.picture_id != self._skipped_picture and not partly_sent:
            self._remember_picture()  # while the offset is still that of the last packet sent
            self._skipped_picture = descriptor.picture_id
            self.picture_offset = (self.picture_offset - 1) & _PICTURE_ID_MASK

    def fill(self, sequence: int) -> Hole | None:
        """The hole in which a late packet belongs; its place there, `sequence + sequence_offset`, is then
        taken.

        None if it has none: seen before, left out, from before the source was joined, or too old. A place is
        given once, hence never to two different packets.
        """
        if self.next_source - sequence > MAX_LATE:
            return None
        holes = self._holes
        for index in range(len(holes) - 1, -1, -1):
            hole = holes[index]
            if sequence >= hole.end:
                return None
            if sequence >= hole.begin:
                before, behind = hole._replace(end=sequence), hole._replace(begin=sequence + 1)
                holes[index : index + 1] = [rest for rest in (before, behind) if rest.begin < rest.end]
                return hole
        return None

    def _note_hole(self, behind: MediaPacket, kept: bool) -> None:
        holes = self._holes
        holes.append(
            Hole(
                self.next_source,
                behind.extended_sequence,
                self.sequence_offset,
                self.picture_offset,
                self.tl0_offset,
                self.filters,
                behind.timestamp,
                kept,
            )
        )
        if len(holes) > MAX_HOLES:
            del holes[0]

    def _remember_picture(self) -> None:
        last = self.last
        if last is None or last is self._pictured or last.vp8 is None:
            return
        self._pictured = last
        if last.vp8.picture_id is not None:
            self._picture_out = (last.vp8.picture_id + self.picture_offset) & _PICTURE_ID_MASK
        if last.vp8.tl0picidx is not None:
            self._tl0_out = (last.vp8.tl0picidx + self.tl0_offset) & _TL0PICIDX_MASK
