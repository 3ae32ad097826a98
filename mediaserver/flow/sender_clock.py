"""A publisher's clocks expressed in ours, from its sender reports: what keeps lips and voice together."""

from __future__ import annotations

from collections import deque

from mediaserver.rtp.ntp import ntp_difference_s
from mediaserver.rtp.sequence import timestamp_delta

OFFSET_WINDOW = 10
"""Sender reports over which the least delayed one counts: some ten seconds to a minute. Short enough for
100 ppm of clock skew to stay under 6 ms, long enough for one report without queueing."""

MAX_REPORT_DISTANCE_S = 3600.0
"""A timestamp farther from the last report than this is not mapped: the report belongs to another past."""


class WallClock:
    """The offset between one publisher's wall clock and our monotonic one.

    Share one instance among all streams of a publisher: then the streams' mutual offset, which is what lip
    synchronisation needs, is exactly the publisher's, whatever the network does to single reports.
    """

    __slots__ = ("_offsets", "_origin")

    def __init__(self) -> None:
        self._origin: int | None = None
        self._offsets: deque[float] = deque(maxlen=OFFSET_WINDOW)

    def observe(self, ntp_time: int, arrival: float) -> None:
        """A sender report with ``ntp_time`` (64-bit NTP) came at ``arrival`` (monotonic seconds)."""
        if self._origin is None:
            self._origin = ntp_time
        self._offsets.append(arrival - ntp_difference_s(ntp_time, self._origin))

    def local_time(self, ntp_time: int) -> float | None:
        """Our monotonic seconds at the publisher's ``ntp_time``, late by the shortest one-way delay seen."""
        if self._origin is None:
            return None
        return ntp_difference_s(ntp_time, self._origin) + min(self._offsets)


class SenderClock:
    """RTP timestamps of one stream in our monotonic seconds."""

    __slots__ = ("_clock_rate", "_ntp_time", "_rtp_timestamp", "_wall_clock")

    def __init__(self, clock_rate: int, wall_clock: WallClock | None = None) -> None:
        self._clock_rate = clock_rate
        self._wall_clock = WallClock() if wall_clock is None else wall_clock
        self._ntp_time: int | None = None
        self._rtp_timestamp = 0

    def on_sender_report(self, ntp_time: int, rtp_timestamp: int, arrival: float) -> None:
        """Note the pair of clocks of a sender report (RFC 3550, section 6.4.1). NTP time 0 means "no
        clock"."""
        if ntp_time == 0:
            return
        self._ntp_time = ntp_time
        self._rtp_timestamp = rtp_timestamp
        self._wall_clock.observe(ntp_time, arrival)

    def capture_time(self, timestamp: int) -> float | None:
        """Monotonic seconds, as far as we can tell, at which the sample with ``timestamp`` was captured."""
        if self._ntp_time is None:
            return None
        report = self._wall_clock.local_time(self._ntp_time)
        distance_s = timestamp_delta(timestamp, self._rtp_timestamp) / self._clock_rate
        if report is None or abs(distance_s) > MAX_REPORT_DISTANCE_S:
            return None
        return report + distance_s
