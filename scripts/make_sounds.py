"""Makes the sounds the server plays: `python scripts/make_sounds.py`.

The greeting and the waiting music are nothing but sine waves; the announcements are spoken by espeak-ng.
Output: Ogg Opus in packets of 20 ms, under signalling/sounds/.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000
SOUNDS = Path(__file__).resolve().parent.parent / "signalling" / "sounds"


def note(frequency_hz: float, lasts_s: float, *, decay_s: float = 0.35) -> NDArray[np.float64]:
    """A soft bell: a few harmonics that fade, the higher ones faster."""
    t = np.arange(int(RATE_HZ * lasts_s)) / RATE_HZ
    wave = sum(
        np.sin(2 * np.pi * frequency_hz * k * t) * np.exp(-t * k / decay_s) / k**1.6 for k in (1, 2, 3)
    )
    attack = np.minimum(t / 0.008, 1.0)
    return np.asarray(wave * attack, dtype=np.float64)


def mix(parts: list[tuple[float, NDArray[np.float64]]], lasts_s: float) -> NDArray[np.float64]:
    """Put sounds at their times and bring the whole to -12 dBFS."""
    total = np.zeros(int(RATE_HZ * lasts_s))
    for at_s, part in parts:
        start = int(at_s * RATE_HZ)
        total[start : start + len(part)] += part[: len(total) - start]
    return np.asarray(total / np.abs(total).max() * 0.25, dtype=np.float64)


def greeting() -> NDArray[np.float64]:
    """Two rising notes, a second in all."""
    return mix([(0.0, note(659.26, 0.8)), (0.18, note(987.77, 0.8))], 1.0)


CHORD_S = 4.0
CHORDS_HZ = (
    (130.81, 196.00, 246.94, 329.63),  # C major seventh
    (110.00, 196.00, 261.63, 329.63),  # A minor seventh
    (87.31, 174.61, 220.00, 329.63),  # F major seventh
    (98.00, 196.00, 246.94, 329.63),  # G with a sixth
    (130.81, 196.00, 246.94, 329.63),
    (110.00, 164.81, 261.63, 392.00),
    (73.42, 174.61, 220.00, 261.63),  # D minor seventh
    (98.00, 174.61, 246.94, 293.66),  # G seventh
)
MELODY = (
    (0.0, 659.26), (1.0, 783.99), (2.0, 987.77), (5.0, 880.00), (6.5, 783.99), (8.0, 659.26), (9.5, 523.25),
    (11.0, 587.33), (13.0, 493.88), (14.0, 587.33), (16.0, 659.26), (17.5, 783.99), (19.0, 1046.50),
    (21.0, 987.77), (22.0, 783.99), (24.0, 698.46), (25.5, 659.26), (27.0, 587.33), (29.0, 493.88),
    (30.5, 587.33),
)  # fmt: skip
"""Seconds and pitches: slow, without a beat, so that the end of the loop is not noticed."""


def music() -> NDArray[np.float64]:
    """Half a minute of pads and bells that begins again where it ends."""
    length = int(RATE_HZ * CHORD_S * len(CHORDS_HZ))
    total = np.zeros(length)

    def add(at_s: float, part: NDArray[np.float64], gain: float) -> None:
        places = (int(at_s * RATE_HZ) + np.arange(len(part))) % length  # tails reach into the next round
        np.add.at(total, places, part * gain)

    t = np.arange(int(RATE_HZ * (CHORD_S + 1.6))) / RATE_HZ
    swell = np.minimum(t / 1.4, 1.0) * np.minimum((t[-1] - t) / 1.6, 1.0)
    for number, chord in enumerate(CHORDS_HZ):
        pad = sum(
            np.sin(2 * np.pi * pitch * t + voice) * (1 + 0.15 * np.sin(2 * np.pi * 0.31 * t + voice))
            for voice, pitch in enumerate(chord)
        )
        add(number * CHORD_S, np.asarray(pad * swell, dtype=np.float64), 0.10)
    for at_s, pitch in MELODY:
        add(at_s, note(pitch, 2.4, decay_s=0.8), 0.22)
    return np.asarray(total / np.abs(total).max() * 0.18, dtype=np.float64)


ANNOUNCEMENTS = {
    ("waiting", "zh-CN"): "已经收到您的求助。您可以继续上课，接通时我们会提醒您。您的麦克风现在是关着的。",
    ("waiting", "en"): "We have received your request. You can go on with your lesson; "
    "we will let you know when somebody joins. Your microphone is off now.",
    ("hold", "zh-CN"): "客服正在帮您核实。您的麦克风已暂时关闭。",
    ("hold", "en"): "We are looking into it for you. Your microphone is off for the moment.",
    ("transfer", "zh-CN"): "正在请同事一起来看，您的情况已经转告，不用再说一遍。",
    ("transfer", "en"): "A colleague is being asked to join. They know your situation; "
    "you need not say it again.",
}
"""What is said before the music, by occasion and language (texts: the message catalogue's)."""
VOICES = {"zh-CN": ("cmn-latn-pinyin", 190), "en": ("en-gb", 150)}
"""espeak-ng's voice, and its speed in words a minute."""


def speech(text: str, language: str) -> NDArray[np.float64]:
    """A chime, then the text, spoken slowly by espeak-ng."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise SystemExit("espeak-ng is missing: apt-get install espeak-ng")
    voice_name, words_per_min = VOICES[language]
    spoken = subprocess.run(
        [program, "-v", voice_name, "-s", str(words_per_min), "-p", "42", "--stdout", text],
        check=True,
        capture_output=True,
    ).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        rate = file.getframerate()
        said = np.frombuffer(file.readframes(-1), np.int16).astype(np.float64) / 32768
    times = np.arange(int(len(said) * RATE_HZ / rate)) * rate / RATE_HZ
    voice = np.interp(times, np.arange(len(said)), said)
    voice = voice / np.abs(voice).max()
    chime = mix([(0.0, note(659.26, 0.8)), (0.18, note(880.0, 0.8))], 1.0)
    parts = [(0.0, chime), (1.0, voice * 0.25)]
    lasts_s = 1.0 + len(voice) / RATE_HZ + 0.5
    return mix(parts, lasts_s)


def write_opus(path: Path, samples: NDArray[np.float64], *, loop: bool = False) -> None:
    """Encode mono samples (-1..1) at 32 kbit/s.

    With `loop` they are encoded twice and the second round is kept: its first packet continues its last.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    packets_per_round = len(samples) // 960
    first = packets_per_round if loop else 0
    if loop:
        samples = np.concatenate([samples[: packets_per_round * 960]] * 2)
    count = 0
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE_HZ, layout="mono")
        stream.bit_rate = 32_000
        stream.codec_context.options = {"frame_duration": "20", "application": "audio"}
        pcm = (samples * 32767).astype(np.int16)
        for start in range(0, len(pcm) - 959, 960):
            frame = av.AudioFrame.from_ndarray(pcm[start : start + 960].reshape(1, -1), "s16", "mono")
            frame.sample_rate = RATE_HZ
            frame.pts = start
            for packet in [*stream.encode(frame), *(stream.encode(None) if start + 1920 > len(pcm) else ())]:
                if first <= count < (2 * first if loop else count + 1):
                    container.mux(packet)
                count += 1


if __name__ == "__main__":
    write_opus(SOUNDS / "greeting.opus", greeting())
    write_opus(SOUNDS / "music.opus", music(), loop=True)
    for (occasion, language), text in ANNOUNCEMENTS.items():
        write_opus(SOUNDS / f"{occasion}.{language}.opus", speech(text, language))
    for path in sorted(SOUNDS.glob("*.opus")):
        print(f"wrote {path}")
