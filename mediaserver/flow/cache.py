"""What a stream sent lately, for retransmission."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mediaserver.flow.media_packet import MediaPacket
    from mediaserver.flow.send_queue import QueuedPacket

SOURCE_CACHE_PACKETS = 128
"""Received packets kept per video stream, a power of two: a key frame of 140 kB. They pin no payloads that
the subscribers' caches do not pin anyway."""

SOURCE_CACHE_MAX_AGE_S = 1.0
"""Older packets are not given out: a picture from before would only be shown late."""

VIDEO_CACHE_PACKETS = 256
"""A power of two. One second at 2.2 Mbit/s: two to ten round trips of retries. Payloads are shared with the
publisher's other subscribers; what an entry costs by itself is about 130 bytes."""

AUDIO_CACHE_PACKETS = 32
"""0.64 s of 20 ms packets; later ones would be played too late."""

RESEND_MIN_INTERVAL_S = 0.01
"""One packet is not sent again within this time: NACKs repeated within a burst."""

RESEND_ROUND_TRIP_SHARE = 0.6
"""Nor within this share of a round trip: the first copy is still on its way."""

RESEND_MAX_TRIES = 8
"""Copies of one packet, so that a subscriber that cannot receive it does not bind its bandwidth."""

RETRANSMISSION_SHARE = 0.4
"""Retransmitted bytes per byte of media: enough for 28 % random loss (0.28/0.72 = 0.39). Without a limit, a
600 kbit/s bottleneck was answered with 12,579 resends, which kept it blocked."""

RETRANSMISSION_BURST_BYTES = 60_000
"""Unused allowance that can be saved: a lost key frame at a second's 500 kbit/s."""


class PacketCache:
    """The last packets received of one stream, for a subscriber that begins at one that came late."""

    __slots__ = ("_entries", "_highest")

    def __init__(self) -> None:
        self._entries: list[MediaPacket | None] = [None] * SOURCE_CACHE_PACKETS
        self._highest = -1

    def add(self, packet: MediaPacket) -> None:
        """Remember a packet; an older one gives way."""
        sequence = packet.extended_sequence
        self._entries[sequence & (SOURCE_CACHE_PACKETS - 1)] = packet
        self._highest = max(self._highest, sequence)

    def after(self, sequence: int, now: float) -> list[MediaPacket]:
        """The packets received behind the extended ``sequence``, in order of their numbers."""
        if self._highest - sequence >= SOURCE_CACHE_PACKETS:
            return []
        found: list[MediaPacket] = []
        for number in range(sequence + 1, self._highest + 1):
            packet = self._entries[number & (SOURCE_CACHE_PACKETS - 1)]
            if (
                packet is not None
                and packet.extended_sequence == number
                and now - packet.arrival <= SOURCE_CACHE_MAX_AGE_S
            ):
                found.append(packet)
        return found


class SentCache:
    """The last packets of one stream by outgoing sequence number, and the allowance for sending them again.

    The forwarder's fast path writes ``entries[number & mask]`` itself.
    """

    __slots__ = ("_allowance", "_counted_bytes", "_resent", "entries", "mask")

    def __init__(self, size: int) -> None:
        if size <= 0 or size & (size - 1):
            raise ValueError("cache size is not a power of two")
        self.entries: list[QueuedPacket | None] = [None] * size
        self.mask = size - 1
        self._allowance = float(RETRANSMISSION_BURST_BYTES)
        self._counted_bytes = 0
        self._resent: dict[int, tuple[float, int]] = {}
        """16-bit sequence number -> when it was resent last, and how often."""

    def find(self, sequence: int) -> QueuedPacket | None:
        """The entry sent under the 16-bit ``sequence``, if it is still there."""
        entry = self.entries[sequence & self.mask]
        if entry is None or (entry[0][2] << 8 | entry[0][3]) != sequence:
            return None
        return entry

    def allow(self, sequence: int, size: int, sent_bytes: int, now: float, round_trip_s: float) -> bool:
        """Whether the packet of ``size`` bytes may be sent again now; True counts as sent.

        ``sent_bytes`` is the stream's total of media bytes, from which the allowance grows.
        """
        growth = (sent_bytes - self._counted_bytes) * RETRANSMISSION_SHARE
        self._counted_bytes = sent_bytes
        self._allowance = min(self._allowance + growth, RETRANSMISSION_BURST_BYTES)
        if self._allowance < size:
            return False
        before = self._resent.get(sequence)
        tries = 0
        if before is not None:
            at, tries = before
            if now - at < max(RESEND_MIN_INTERVAL_S, RESEND_ROUND_TRIP_SHARE * round_trip_s):
                return False
            if tries >= RESEND_MAX_TRIES:
                return False
            del self._resent[sequence]
        self._resent[sequence] = (now, tries + 1)
        if len(self._resent) > len(self.entries):
            del self._resent[next(iter(self._resent))]
        self._allowance -= size
        return True

    def clear(self) -> None:
        """Forget all packets: what was sent before is not to be sent again, for instance to one muted
        since."""
        self.entries[:] = [None] * len(self.entries)
        self._resent.clear()
