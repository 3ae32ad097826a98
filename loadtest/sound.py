"""Test sounds: speech, tones, and how to recognise them again after an encoder and a network.

All samples are 16-bit signed, mono, 48 kHz, in numpy arrays.
"""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
import wave
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 48_000  # Hz; Opus' own rate, so nothing is resampled on the way
Samples = NDArray[np.int16]

_FULL_SCALE = 32768.0
_SPEECH_LEVEL = 0.12  # RMS relative to full scale, a usual microphone's level
_ESPEAK_DEADLINE_S = 20.0


def tone(hz: float, duration_s: float, level: float = 0.3) -> Samples:
    """A sine of `hz` with a peak of `level` (0-1 of full scale), holding whole periods so that it loops."""
    periods = max(1, round(hz * duration_s))
    count = round(periods * SAMPLE_RATE / hz)
    phase = 2 * np.pi * periods * np.arange(count) / count
    return np.asarray(np.sin(phase) * level * (_FULL_SCALE - 1), dtype=np.int16)


def tone_energy(samples: NDArray[Any], rate: int, hz: float) -> float:
    """Amplitude (0-1 of full scale) of the tone of `hz` within int16 `samples`; 0.0 for no samples."""
    if len(samples) == 0:
        return 0.0
    values = np.asarray(samples, np.float64) / _FULL_SCALE
    window = np.hanning(len(values))
    rotation = np.exp(-2j * np.pi * hz * np.arange(len(values)) / rate)
    weight = float(window.sum())
    return 2.0 * abs(complex(np.dot(values * window, rotation))) / weight if weight else 0.0


def rms(samples: NDArray[Any]) -> float:
    """Root mean square of int16 samples, 0-1 of full scale."""
    if len(samples) == 0:
        return 0.0
    values = np.asarray(samples, np.float64) / _FULL_SCALE
    return float(np.sqrt(np.mean(values * values)))


@functools.lru_cache(maxsize=32)
def speech(text: str, *, voice: str = "en-us", pitch: int = 50, seed: int = 0) -> Samples:
    """Speech saying `text`, by espeak-ng when it is there, else a speech-like sound made from `seed`.

    `pitch` (0-99) makes speakers distinct. The result is cached and must not be changed in place.
    """
    spoken = _espeak(text, voice, pitch)
    samples = spoken if spoken is not None else speech_like(max(2.0, len(text) * 0.07), pitch, seed)
    samples.setflags(write=False)
    return samples


def speech_like(duration_s: float, pitch: int, seed: int) -> Samples:
    """A babble of voiced syllables: harmonics of a gliding pitch, shaped by three formants."""
    random = np.random.default_rng(seed)
    vowels = ((730, 1090, 2440), (270, 2290, 3010), (530, 1840, 2480), (300, 870, 2240), (570, 840, 2410))
    parts: list[NDArray[np.float64]] = []
    length = 0
    while length < duration_s * SAMPLE_RATE:
        count = int(random.uniform(0.12, 0.26) * SAMPLE_RATE)
        formants = vowels[int(random.integers(len(vowels)))]
        start_hz = (90 + 1.6 * pitch) * random.uniform(0.9, 1.15)
        glide = np.linspace(start_hz, start_hz * random.uniform(0.85, 1.1), count)
        phase = 2 * np.pi * np.cumsum(glide) / SAMPLE_RATE
        voiced = np.zeros(count)
        for harmonic in range(1, int(4000 / start_hz)):
            hz = harmonic * start_hz
            gain = sum(1.0 / (1.0 + ((hz - formant) / 90.0) ** 2) for formant in formants) + 0.01
            voiced += gain / harmonic**0.5 * np.sin(harmonic * phase)
        parts.append(voiced * np.hanning(count) ** 0.4)
        pause = int(random.choice([0.02, 0.05, 0.2], p=[0.5, 0.35, 0.15]) * SAMPLE_RATE)
        parts.append(np.zeros(pause))
        length += count + pause
    return _levelled(np.concatenate(parts))


def _levelled(values: NDArray[np.float64]) -> Samples:
    level = float(np.sqrt(np.mean(values * values))) or 1.0
    scaled = values / level * _SPEECH_LEVEL * _FULL_SCALE
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)


def _espeak(text: str, voice: str, pitch: int) -> Samples | None:
    program = shutil.which("espeak-ng")
    if program is None:
        return None
    command = [program, "-v", voice, "-p", str(pitch), "--stdout", "--", text]
    try:
        made = subprocess.run(command, capture_output=True, timeout=_ESPEAK_DEADLINE_S, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return None
    try:
        with wave.open(io.BytesIO(made)) as sound:
            rate = sound.getframerate()
            if sound.getsampwidth() != 2 or sound.getnchannels() != 1:
                return None
            # espeak-ng writes to a pipe with an unknown length in the header: take what is there.
            raw = sound.readframes(len(made))
    except (wave.Error, EOFError):
        return None
    values = np.frombuffer(raw[: len(raw) & ~1], np.int16).astype(np.float64)
    if len(values) < rate // 4:
        return None
    positions = np.arange(int(len(values) * SAMPLE_RATE / rate)) * rate / SAMPLE_RATE
    return _levelled(np.interp(positions, np.arange(len(values)), values))
