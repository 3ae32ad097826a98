"""The one way out of a transport: a queue for packets about to leave, and a ring of those that left.

Every RTP packet of a transport, whichever stream it belongs to, goes through its `SendQueue`. That makes the
queue the place where a pacer can later decide *when* packets leave, and `SentRing` the place from which a
bandwidth estimator learns what became of them.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mediaserver.rtp.rtcp import TransportFeedback

MAX_BACKLOG_PACKETS = 4096
"""Packets a queue holds at most; more means that nobody drains it. About 4.5 MB, 5 s at 8 Mbit/s."""

SENT_RING_SIZE = 2048
"""Packets remembered per transport, a power of two: 0.4 s at 5,000 packets/s, 4 s at a usual 500."""

FEEDBACK_TICK_S = 250e-6
"""Unit of the receive deltas (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1.5)."""

REFERENCE_TICK_S = 64e-3
"""Unit of the 24-bit reference time (same draft, section 3.1)."""

ROUND_TRIP_SMOOTHING = 1 / 8
"""Weight of a new round-trip sample, as in RFC 6298."""

QueuedPacket = tuple[bytes, bytes, int]
"""Header, payload, and where in the header the 16-bit transport-wide sequence number goes (0: nowhere)."""

_IN_FLIGHT, _RECEIVED, _LOST = 0, 1, 2


class PacketResult(NamedTuple):
    """What feedback said about one sent packet."""

    sequence: int
    """Transport-wide sequence number, unwrapped."""
    send_time: float
    """Monotonic seconds, our clock."""
    arrival: float | None
    """Seconds on the remote's clock (arbitrary origin, unwrapped); None when it reported a loss."""
    size: int
    """Bytes of the RTP packet as recorded at sending."""


class SentRing:
    """Send time and size of the most recent packets of a transport, by transport-wide sequence number."""

    __slots__ = (
        "_reference_ticks",
        "_sizes",
        "_states",
        "_times",
        "acked_bytes",
        "acked_packets",
        "lost_packets",
        "next_sequence",
        "round_trip_time",
    )

    def __init__(self) -> None:
        self._times = array("d", bytes(8 * SENT_RING_SIZE))
        self._sizes = array("H", bytes(2 * SENT_RING_SIZE))
        self._states = bytearray(SENT_RING_SIZE)
        self._reference_ticks: int | None = None
        self.next_sequence = 0
        """Unwrapped number that the next `record` gives out; also the count of packets recorded."""
        self.acked_packets = 0
        self.acked_bytes = 0
        self.lost_packets = 0
        """Packets reported lost and not reported received since."""
        self.round_trip_time: float | None = None
        """Smoothed seconds from sending a packet to the feedback that names it last; it includes the time
        the receiver held its feedback back, so it is an upper bound."""

    def record(self, now: float, size: int) -> int:
        """Note that a packet of ``size`` bytes leaves at ``now``; return its 16-bit sequence number."""
        sequence = self.next_sequence
        self.next_sequence = sequence + 1
        slot = sequence & (SENT_RING_SIZE - 1)
        self._times[slot] = now
        self._sizes[slot] = size if size < 65536 else 65535
        self._states[slot] = _IN_FLIGHT
        return sequence & 0xFFFF

    def on_feedback(
        self, feedback: TransportFeedback, now: float, results: list[PacketResult] | None = None
    ) -> None:
        """Match a transport-wide feedback message with what was sent: counters and round trip.

        With a list, one result for each packet about which the message says something new is appended to it,
        in sequence order (half the work of a message, so only for who reads them). Numbers never sent, or too
        old to be remembered, are ignored.
        """
        newest = self.next_sequence - 1
        oldest = max(0, self.next_sequence - SENT_RING_SIZE)
        states = self._states
        sizes = self._sizes
        arrival = self._unwrap_reference(feedback.reference_time_64ms) * REFERENCE_TICK_S
        last_received = -1
        acked = acked_bytes = lost = 0
        for sequence, delta in feedback.packets:
            # The candidate nearest below the next number to be sent: feedback is about the past.
            extended = newest - ((newest - sequence) & 0xFFFF)
            if delta is not None:
                arrival += delta * FEEDBACK_TICK_S
                if extended < oldest:
                    continue
                slot = extended & (SENT_RING_SIZE - 1)
                last_received = extended
                state = states[slot]
                if state == _RECEIVED:
                    continue
                if state == _LOST:
                    lost -= 1
                states[slot] = _RECEIVED
                acked += 1
                acked_bytes += sizes[slot]
                if results is not None:
                    results.append(PacketResult(extended, self._times[slot], arrival, sizes[slot]))
            elif extended >= oldest:
                slot = extended & (SENT_RING_SIZE - 1)
                if states[slot] == _IN_FLIGHT:
                    states[slot] = _LOST
                    lost += 1
                    if results is not None:
                        results.append(PacketResult(extended, self._times[slot], None, sizes[slot]))
        self.acked_packets += acked
        self.acked_bytes += acked_bytes
        self.lost_packets += lost
        if last_received >= 0:
            sample = max(0.0, now - self._times[last_received & (SENT_RING_SIZE - 1)])
            if self.round_trip_time is None:
                self.round_trip_time = sample
            else:
                self.round_trip_time += (sample - self.round_trip_time) * ROUND_TRIP_SMOOTHING

    def _unwrap_reference(self, ticks: int) -> int:
        previous = self._reference_ticks
        if previous is None:
            extended = ticks & 0xFFFFFF
        else:
            distance = (ticks - previous) & 0xFFFFFF
            extended = previous + (distance - 0x1000000 if distance >= 0x800000 else distance)
        self._reference_ticks = extended
        return extended


class SendQueue:
    """Packets of one transport that wait for the next flush.

    ``dirty`` is shared by all queues of a node: a queue enters itself with the first packet after it was
    emptied, so that a flush visits only queues that hold something. Who empties the list clears it.
    """

    __slots__ = ("_dirty", "_pending", "dropped", "max_backlog", "owner", "sent")

    def __init__(
        self, dirty: list[SendQueue], owner: object = None, max_backlog: int = MAX_BACKLOG_PACKETS
    ) -> None:
        self._dirty = dirty
        self._pending: list[QueuedPacket] = []
        self.owner = owner
        """Whatever the transport wants to find again when it meets the queue in ``dirty``."""
        self.max_backlog = max_backlog
        self.dropped = 0
        """Packets refused because the backlog was full."""
        self.sent = SentRing()

    def __len__(self) -> int:
        return len(self._pending)

    def append(self, header: bytes, payload: bytes, transport_sequence_offset: int) -> None:
        """Queue one plaintext RTP packet given as two parts, so that its payload can be shared.

        ``transport_sequence_offset`` is the position in ``header`` of the two bytes in which the transport
        stamps its transport-wide sequence number when the packet leaves, or 0 if it carries none.
        """
        self.push((header, payload, transport_sequence_offset))

    def push(self, packet: QueuedPacket) -> None:
        """Queue a packet that the caller keeps too; the same as `append`."""
        pending = self._pending
        if not pending:
            self._dirty.append(self)
        elif len(pending) >= self.max_backlog:
            self.dropped += 1
            return
        pending.append(packet)

    def drain(self, now: float, budget_bytes: int | None = None) -> list[QueuedPacket]:
        """Take packets out, oldest first: all of them, or as many as begin within ``budget_bytes``.

        When a budget leaves packets behind, the queue does not enter ``dirty`` again by itself; whoever set
        the budget comes back for the rest. The list belongs to the caller. ``now`` is unused until pacing.
        """
        pending = self._pending
        if budget_bytes is None:
            self._pending = []
            return pending
        count = 0
        while count < len(pending) and budget_bytes > 0:
            header, payload, _ = pending[count]
            budget_bytes -= len(header) + len(payload)
            count += 1
        taken = pending[:count]
        del pending[:count]
        return taken

    def clear(self) -> None:
        """Forget everything queued, for a transport that closed."""
        self._pending = []
