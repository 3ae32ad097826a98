"""How good a participant's connection is, in the four words that clients show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LOST_AFTER_S = 5.0
"""No packet of any kind for this long: the connection is lost, for what anybody can tell."""

AUDIO_CODEC_FACTOR = 93.2
"""R of the E-model without any impairment but the default ones (ITU-T G.107)."""

LOSS_ROBUSTNESS = 15.0
"""Bpl: percent of loss at which half of R's range is used up. Opus with RED or FEC; ITU-T G.113 has 4.3 to
27."""

VIDEO_LOSS_RELIEF = 0.5
"""Share of video loss that counts: retransmission makes up for much of it."""

EXCELLENT_FROM, GOOD_FROM = 80.0, 60.0
"""R from which on a call is "satisfying to all but the most demanding" and "many dissatisfied" (ITU-T
G.109)."""

HYSTERESIS_R = 3.0
"""A better word needs this much more than its threshold."""


class ConnectionQuality(IntEnum):
    """Ordered: larger is better."""

    LOST = 0
    POOR = 1
    GOOD = 2
    EXCELLENT = 3


@dataclass(frozen=True, slots=True)
class StreamQuality:
    """One stream's figures over the last second or so, in either direction."""

    video: bool
    fraction_lost: float
    """0..1, before recovery."""
    jitter_s: float
    round_trip_time_s: float | None


def rating(stream: StreamQuality) -> float:
    """An R value (0..93, ITU-T G.107 simplified): delay from round trip and jitter, and loss."""
    delay_ms = 500 * (stream.round_trip_time_s or 0.0) + 2000 * stream.jitter_s + 20
    delay_impairment = 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0.0)
    loss = 100 * stream.fraction_lost * (VIDEO_LOSS_RELIEF if stream.video else 1.0)
    loss_impairment = 95 * loss / (loss + LOSS_ROBUSTNESS)
    return max(0.0, AUDIO_CODEC_FACTOR - delay_impairment - loss_impairment)


class QualityJudge:
    """One participant's connection quality, with hysteresis."""

    __slots__ = ("quality",)

    def __init__(self) -> None:
        self.quality = ConnectionQuality.EXCELLENT

    def judge(
        self, streams: Iterable[StreamQuality], last_arrival: float | None, now: float
    ) -> ConnectionQuality:
        """The word for the worst of the participant's streams.

        ``last_arrival`` is when anything at all was last received from it (media, RTCP, STUN).
        """
        if last_arrival is not None and now - last_arrival > LOST_AFTER_S:
            self.quality = ConnectionQuality.LOST
            return self.quality
        worst = min((rating(stream) for stream in streams), default=AUDIO_CODEC_FACTOR)
        word = _word(worst)
        if word > self.quality:
            word = max(_word(worst - HYSTERESIS_R), self.quality)
        self.quality = word
        return word


def _word(value: float) -> ConnectionQuality:
    if value >= EXCELLENT_FROM:
        return ConnectionQuality.EXCELLENT
    return ConnectionQuality.GOOD if value >= GOOD_FROM else ConnectionQuality.POOR
