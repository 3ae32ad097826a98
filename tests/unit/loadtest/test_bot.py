"""What a bot computes from counters; its conversation with a server is tested in tests/integration/sdk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest.bot import Inbound, longest_gap_s, rate_between, source_number

FIRST = Inbound(
    at=100.0,
    bytes_received=1000,
    packets_received=10,
    packets_lost=0,
    jitter_s=0.001,
    frames_decoded=5,
    key_frames_decoded=1,
    frame_width=320,
    frame_height=180,
    freeze_count=0,
    concealed_samples=0,
    total_samples=0,
    mime_type="video/VP8",
)


def test_rates_are_differences_over_time() -> None:
    last = replace(
        FIRST,
        at=104.0,
        bytes_received=501_000,
        packets_received=390,
        packets_lost=20,
        frames_decoded=85,
        jitter_s=0.004,
        concealed_samples=480,
        total_samples=48_000,
        frame_width=640,
        frame_height=360,
    )
    rate = rate_between(FIRST, last)
    assert rate.kbps == pytest.approx(1000)
    assert rate.frames_per_second == pytest.approx(20)
    assert rate.loss == pytest.approx(20 / 400)
    assert rate.concealed == pytest.approx(0.01)
    assert rate.jitter_ms == pytest.approx(4)
    assert (rate.frame_width, rate.frame_height) == (640, 360)


def test_late_packets_do_not_make_a_negative_loss() -> None:
    rate = rate_between(replace(FIRST, packets_lost=5), replace(FIRST, at=101.0, packets_lost=2))
    assert rate.loss == 0.0
    assert rate.concealed == 0.0


@pytest.mark.parametrize(
    ("arrivals", "since", "until", "gap"),
    [
        ([1.0, 2.0, 5.0, 6.0], 0.5, 6.5, 3.0),
        ([1.0, 2.0], 1.5, 9.0, 7.0),
        ([], 1.0, 3.0, 2.0),
        ([0.0, 10.0], 2.0, 4.0, 2.0),
    ],
)
def test_the_longest_gap_counts_both_ends(
    arrivals: list[float], since: float, until: float, gap: float
) -> None:
    assert longest_gap_s(arrivals, since, until) == pytest.approx(gap)


def test_sources_differ() -> None:
    numbers = {source_number(who, kind) for who in ("student", "agent") for kind in ("camera", "screen")}
    assert len(numbers) == 4
