"""Makes the sounds the server plays, from nothing but sine waves: `python scripts/make_sounds.py`.

Output: Ogg Opus in packets of 20 ms, under signalling/sounds/.
"""

from __future__ import annotations

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


def write_opus(path: Path, samples: NDArray[np.float64]) -> None:
    """Encode mono samples (-1..1) at 32 kbit/s."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE_HZ, layout="mono")
        stream.bit_rate = 32_000
        stream.codec_context.options = {"frame_duration": "20", "application": "audio"}
        pcm = (samples * 32767).astype(np.int16)
        for start in range(0, len(pcm) - 959, 960):
            frame = av.AudioFrame.from_ndarray(pcm[start : start + 960].reshape(1, -1), "s16", "mono")
            frame.sample_rate = RATE_HZ
            frame.pts = start
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


if __name__ == "__main__":
    write_opus(SOUNDS / "greeting.opus", greeting())
    print(f"wrote {SOUNDS / 'greeting.opus'}")
