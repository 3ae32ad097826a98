"""Who is speaking, from the audio levels that publishers put into their packets (RFC 6464)."""

from __future__ import annotations

import math
from typing import Generic, NamedTuple, TypeVar

TrackId = TypeVar("TrackId")

REPORT_INTERVAL_S = 0.3
"""The list changes at most this often; faster changes make a user interface flicker."""

RISE_S = 0.1
FALL_S = 0.5
"""Time constants of the smoothed level: a word is seen within two or three packets, a pause for breath is
not."""

START_LEVEL = 0.018
STOP_LEVEL = 0.010
"""Linear levels (-35 and -40 dBov) at which a silent track becomes a speaker, and a speaker silent."""

MIN_ACTIVE_S = 0.06
"""A track must be above `START_LEVEL` for this long: a knock on the table is not speech."""

HOLD_S = 0.5
"""A speaker stays one for this long after its level fell."""

SILENT_AFTER_S = 0.5
"""A track without packets for this long (DTX, mute) counts as silent."""

LEVEL_STEP = 0.1
"""Levels are reported rounded to this, so that a list which says the same is the same."""

_SILENCE_DBOV = 127
_LINEAR = (*(10 ** (-level / 20) for level in range(_SILENCE_DBOV)), 0.0)


class Speaker(NamedTuple, Generic[TrackId]):
    """One active speaker."""

    track_id: TrackId
    level: float
    """0..1, on a scale that suits a meter: 1 at -10 dBov and above, 0 at -60 dBov."""


class _Track:
    __slots__ = ("above_since", "active", "active_until", "level", "updated")

    def __init__(self, now: float) -> None:
        self.level = 0.0
        self.updated = now
        self.above_since: float | None = None
        self.active = False
        self.active_until = 0.0


class ActiveSpeakers(Generic[TrackId]):
    """The active speakers of a room."""

    __slots__ = ("_reported", "_reported_at", "_tracks")

    def __init__(self) -> None:
        self._tracks: dict[TrackId, _Track] = {}
        self._reported: list[Speaker[TrackId]] = []
        self._reported_at: float | None = None

    def update(self, track_id: TrackId, level_dbov: int, arrival: float) -> None:
        """A packet of the track came with this level: 0 is loudest, 127 silence."""
        track = self._tracks.get(track_id)
        if track is None:
            track = self._tracks[track_id] = _Track(arrival)
        instant = _LINEAR[min(max(level_dbov, 0), _SILENCE_DBOV)]
        elapsed = arrival - track.updated
        if elapsed > 0.02:
            constant = RISE_S if instant > track.level else FALL_S
            weight = min(1.0, elapsed / constant)
        else:
            weight = 0.02 / (RISE_S if instant > track.level else FALL_S)
        track.level += (instant - track.level) * weight
        track.updated = arrival
        self._judge(track, instant, arrival)

    def remove(self, track_id: TrackId) -> None:
        """The track ended or was muted: it leaves the list with the next report."""
        self._tracks.pop(track_id, None)

    def speakers(self, now: float) -> list[Speaker[TrackId]]:
        """The active speakers, loudest first; changes at most every `REPORT_INTERVAL_S`."""
        if self._reported_at is not None and now - self._reported_at < REPORT_INTERVAL_S:
            return self._reported
        active: list[Speaker[TrackId]] = []
        for track_id, track in self._tracks.items():
            if now - track.updated > SILENT_AFTER_S:
                track.level = 0.0
                self._judge(track, 0.0, now)
            if track.active:
                active.append(Speaker(track_id, _meter(track.level)))
        active.sort(key=lambda speaker: -speaker.level)  # stable: equal levels keep the order of joining
        self._reported = active
        self._reported_at = now
        return active

    @staticmethod
    def _judge(track: _Track, instant: float, now: float) -> None:
        if instant >= START_LEVEL:
            if track.above_since is None:
                track.above_since = now
            if now - track.above_since >= MIN_ACTIVE_S and track.level >= START_LEVEL:
                track.active = True
        else:
            track.above_since = None
        if track.active:
            if track.level >= STOP_LEVEL:
                track.active_until = now + HOLD_S
            elif now >= track.active_until:
                track.active = False


def _meter(level: float) -> float:
    if level <= 0.001:
        return LEVEL_STEP  # an active speaker in a pause is still shown as one
    # -60 dBov is 0.001: 50 dB of range up to -10 dBov.
    value = min(1.0, max(LEVEL_STEP, (_decibel(level) + 60) / 50))
    return round(round(value / LEVEL_STEP) * LEVEL_STEP, 3)


def _decibel(level: float) -> float:
    return 20 * math.log10(level)
