from __future__ import annotations

import pytest

from mediaserver.flow.quality import ConnectionQuality, QualityJudge, StreamQuality, rating


@pytest.mark.parametrize(
    ("loss", "jitter", "round_trip", "word"),
    [
        (0.0, 0.005, 0.05, ConnectionQuality.EXCELLENT),
        (0.01, 0.01, 0.1, ConnectionQuality.EXCELLENT),
        (0.05, 0.02, 0.1, ConnectionQuality.GOOD),
        (0.0, 0.02, 0.6, ConnectionQuality.GOOD),
        (0.2, 0.02, 0.1, ConnectionQuality.POOR),
        (0.0, 0.2, 0.8, ConnectionQuality.POOR),
    ],
)
def test_words(loss: float, jitter: float, round_trip: float, word: ConnectionQuality) -> None:
    assert QualityJudge().judge([StreamQuality(False, loss, jitter, round_trip)], 0.0, 0.0) is word


def test_more_loss_is_never_better() -> None:
    ratings = [rating(StreamQuality(False, loss / 100, 0.01, 0.1)) for loss in range(0, 101, 5)]
    assert ratings == sorted(ratings, reverse=True)


def test_the_worst_stream_counts_and_silence_is_loss() -> None:
    judge = QualityJudge()
    good, bad = StreamQuality(False, 0, 0, 0.02), StreamQuality(False, 0.3, 0, 0.02)
    assert judge.judge([good, bad], 0.0, 0.0) is ConnectionQuality.POOR
    assert judge.judge([good], 0.0, 6.0) is ConnectionQuality.LOST
    assert judge.judge([good], 6.0, 6.0) is ConnectionQuality.EXCELLENT
    assert judge.judge([], None, 6.0) is ConnectionQuality.EXCELLENT


def test_a_value_at_the_threshold_does_not_flicker() -> None:
    judge = QualityJudge()
    words = []
    for step in range(40):
        # R swings by about 1 around 80.
        loss = 0.0165 + (0.001 if step % 2 else -0.001)
        words.append(judge.judge([StreamQuality(False, loss, 0.0, 0.05)], 0.0, 0.0))
    assert len(set(words[2:])) == 1
