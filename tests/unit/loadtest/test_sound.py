"""Sounds must be told apart after an encoder, and be there without espeak-ng."""

from __future__ import annotations

import shutil
from typing import Any

import av
import numpy as np
import pytest

from loadtest.sound import SAMPLE_RATE, rms, speech, speech_like, tone, tone_energy


def through_opus(samples: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate = SAMPLE_RATE
    encoder.layout = "mono"
    encoder.format = "s16"
    encoder.bit_rate = 24_000
    encoder.open()
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    heard: list[np.ndarray[Any, Any]] = []
    for start in range(0, len(samples) - 960, 960):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + 960], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        for packet in encoder.encode(frame):
            heard.extend(decoded.to_ndarray().reshape(-1) for decoded in decoder.decode(packet))
    joined = np.concatenate(heard)
    if joined.dtype != np.int16:
        joined = (joined * 32767).astype(np.int16)
    return joined[:: 2 if len(joined) > 1.5 * len(samples) else 1]


def test_tone_is_recognised_after_opus() -> None:
    heard = through_opus(tone(1000, 1.0, level=0.3))[9600:]
    assert tone_energy(heard, SAMPLE_RATE, 1000) > 0.2
    for other in (440, 700, 1500, 2000):
        assert tone_energy(heard, SAMPLE_RATE, other) < 0.02


def test_tone_loops_without_a_click() -> None:
    looped = np.tile(tone(440, 0.5), 2).astype(np.int32)
    assert np.abs(np.diff(looped)).max() < 2 * np.pi * 440 / SAMPLE_RATE * 0.3 * 32768 * 1.05


def test_silence_has_no_energy() -> None:
    assert tone_energy(np.zeros(4800, np.int16), SAMPLE_RATE, 440) == 0.0
    assert tone_energy(np.zeros(0, np.int16), SAMPLE_RATE, 440) == 0.0
    assert rms(np.zeros(0, np.int16)) == 0.0


def test_full_scale_sine_has_the_rms_it_must() -> None:
    assert rms(tone(1000, 1.0, level=1.0)) == pytest.approx(0.5**0.5, rel=0.01)


def test_speech_is_loud_varied_and_distinct() -> None:
    one, other = speech("My microphone does not work.", pitch=30), speech("I can help you.", pitch=70)
    assert not np.array_equal(one[:48000], other[:48000])
    for spoken in (one, other):
        assert len(spoken) > SAMPLE_RATE // 2
        assert 0.05 < rms(spoken) < 0.3
        levels = [rms(spoken[start : start + 960]) for start in range(0, len(spoken) - 960, 960)]
        assert max(levels) > 5 * (min(levels) + 0.001)  # pauses and syllables, no steady noise


def test_without_espeak_a_speech_like_sound_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    made = speech("no program for this sentence here", pitch=20, seed=4)
    assert np.array_equal(made, speech_like(max(2.0, 33 * 0.07), 20, 4))
    assert 0.05 < rms(made) < 0.3
