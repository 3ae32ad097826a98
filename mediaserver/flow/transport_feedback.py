"""Telling a publisher what arrived, so that its bandwidth estimator works: transport-wide feedback or
REMB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediaserver.rtp.rtcp import Remb, TransportFeedback

if TYPE_CHECKING:
    from collections.abc import Iterable

FEEDBACK_INTERVAL_S = 0.1
"""Usual time between feedback messages; libwebrtc's receiver uses 50 to 250 ms."""

FEEDBACK_MIN_INTERVAL_S = 0.05
"""Time after which `FEEDBACK_EAGER_PACKETS` are enough for a message."""

FEEDBACK_EAGER_PACKETS = 20
"""Packets after which feedback is worth its 50 bytes even before `FEEDBACK_INTERVAL_S`."""

MAX_FEEDBACK_PACKETS = 400
"""Statuses in one message, received or not: at most 2 bytes of delta and a share of a chunk each, which keeps
the message under 1,200 bytes."""

MAX_FEEDBACK_MESSAGES = 8
"""Messages built at once; what is more waits for the next poll."""

HISTORY_PACKETS = 4096
"""Farthest distance behind the newest at which a packet is still noted as late, rather than a restart."""

_DELTA_S = 250e-6
_REFERENCE_TICKS = 256
"""Deltas per reference time unit: 64 ms / 250 µs."""
_MAX_DELTA = 0x7FFF


class FeedbackRecorder:
    """Arrival times of one transport's packets by transport-wide sequence number.

    Numbers are reported once, in order, up to the newest; a packet that arrives after its number was reported
    lost is reported again, as received, in the next message, as libwebrtc's own receiver does.
    """

    __slots__ = ("_arrivals", "_count", "_due", "_highest", "_media_ssrc", "_reported", "_sender_ssrc")

    def __init__(self, sender_ssrc: int) -> None:
        self._sender_ssrc = sender_ssrc
        self._media_ssrc = 0
        self._arrivals: dict[int, int] = {}
        """Unwrapped number -> arrival in units of 250 µs; only what no message has told yet."""
        self._reported = 0
        """Numbers below this one were told, as received or as lost."""
        self._highest: int | None = None
        self._count = 0
        self._due: float | None = None

    def record(self, sequence: int, arrival: float, media_ssrc: int) -> None:
        """A packet with the 16-bit transport-wide ``sequence`` came at ``arrival`` (monotonic seconds)."""
        highest = self._highest
        if highest is None:
            extended = sequence + 65536
            self._reported = extended
            self._highest = extended
        else:
            extended = highest + ((sequence - highest + 0x8000) & 0xFFFF) - 0x8000
            if extended > highest:
                if extended - highest > HISTORY_PACKETS:
                    # A restarted or lying sender: do not report tens of thousands as lost.
                    self._arrivals.clear()
                    self._reported = extended
                self._highest = extended
            elif highest - extended > HISTORY_PACKETS:
                return
        if extended not in self._arrivals:
            self._arrivals[extended] = int(arrival / _DELTA_S)
        self._media_ssrc = media_ssrc
        if self._due is None:
            self._due = arrival + FEEDBACK_INTERVAL_S

    def deadline(self) -> float | None:
        """Monotonic seconds at which `poll` has something to say; None while nothing arrived."""
        if self._due is not None and len(self._arrivals) >= FEEDBACK_EAGER_PACKETS:
            return self._due - FEEDBACK_INTERVAL_S + FEEDBACK_MIN_INTERVAL_S
        return self._due

    def poll(self, now: float) -> list[TransportFeedback]:
        """The feedback messages due at ``now``; empty between the intervals."""
        deadline = self.deadline()
        if deadline is None or now < deadline or self._highest is None:
            return []
        messages: list[TransportFeedback] = []
        arrivals = self._arrivals
        late = sorted(number for number in arrivals if number < self._reported)
        begin = late[0] if late else self._reported
        while begin <= self._highest and len(messages) < MAX_FEEDBACK_MESSAGES:
            begin, message = self._build(begin)
            if message is not None:
                messages.append(message)
        self._reported = max(self._reported, begin)
        self._due = now + FEEDBACK_INTERVAL_S if arrivals else None
        return messages

    def _build(self, begin: int) -> tuple[int, TransportFeedback | None]:
        arrivals = self._arrivals
        assert self._highest is not None
        end = min(self._highest + 1, begin + MAX_FEEDBACK_PACKETS)
        first = next((number for number in range(begin, end) if number in arrivals), None)
        if first is None:
            return end, None
        reference = arrivals[first] // _REFERENCE_TICKS
        previous = reference * _REFERENCE_TICKS
        packets: list[tuple[int, int | None]] = []
        number = begin
        while number < end:
            arrival = arrivals.get(number)
            if arrival is None:
                packets.append((number & 0xFFFF, None))
            else:
                delta = arrival - previous
                if not -_MAX_DELTA <= delta <= _MAX_DELTA:
                    break  # over 8 s apart: a new message with a reference time of its own
                packets.append((number & 0xFFFF, delta))
                previous = arrival
                del arrivals[number]
            number += 1
        message = TransportFeedback(
            self._sender_ssrc,
            self._media_ssrc,
            begin & 0xFFFF,
            reference & 0xFFFFFF,
            self._count & 0xFF,
            tuple(packets),
        )
        self._count += 1
        return number, message


REMB_INTERVAL_S = 1.0
"""Usual time between REMB messages; a decrease is told at once."""

REMB_GROWTH = 1.3
"""The allowed rate as a multiple of the received one: room for the publisher to grow by a third each
second."""

REMB_LOSS_TOLERATED = 0.02
REMB_LOSS_HEAVY = 0.10
"""Below the first the estimate may grow, above the second it shrinks, in between it stays: the loss-based
part of Google congestion control (draft-ietf-rmcat-gcc-02, section 6)."""

REMB_MIN_BPS = 100_000
REMB_START_BPS = 1_000_000
REMB_MAX_BPS = 20_000_000


class RembEstimator:
    """A simple receiver-side limit for publishers that negotiated goog-remb and nothing better."""

    __slots__ = ("_last_sent", "_sender_ssrc", "bitrate_bps")

    def __init__(self, sender_ssrc: int) -> None:
        self._sender_ssrc = sender_ssrc
        self._last_sent: float | None = None
        self.bitrate_bps = REMB_START_BPS

    def poll(
        self, now: float, received_bps: float, fraction_lost: float, ssrcs: Iterable[int]
    ) -> Remb | None:
        """The message due at ``now``, given the received rate and loss (0..1) of the last second."""
        due = self._last_sent is None or now - self._last_sent >= REMB_INTERVAL_S
        if not due and fraction_lost <= REMB_LOSS_HEAVY:
            return None
        if self._last_sent is not None and now - self._last_sent < REMB_INTERVAL_S / 5:
            return None
        estimate = self.bitrate_bps
        if fraction_lost > REMB_LOSS_HEAVY:
            estimate = min(estimate, int(received_bps)) if received_bps > 0 else estimate
            estimate = int(estimate * (1 - 0.5 * fraction_lost))
        elif fraction_lost < REMB_LOSS_TOLERATED:
            # A publisher that sends little (a still screen) keeps the estimate it has already earned.
            estimate = max(estimate, int(received_bps * REMB_GROWTH))
        self.bitrate_bps = min(max(estimate, REMB_MIN_BPS), REMB_MAX_BPS)
        self._last_sent = now
        return Remb(self._sender_ssrc, self.bitrate_bps, tuple(ssrcs))
