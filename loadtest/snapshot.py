"""What the agent got, as files to look at and to listen to."""

from __future__ import annotations

import wave
from pathlib import Path

import cv2

from loadtest.bot import AudioWatch, VideoWatch
from loadtest.media import Image
from loadtest.sound import SAMPLE_RATE

_HEARD_S = 3.0


def with_inset(screen: Image, camera: Image) -> Image:
    """The shared screen with the camera in the lower right corner, as an agent's page shows them."""
    picture = screen.copy()
    height, width = picture.shape[:2]
    inset_width = width // 4
    inset_height = inset_width * camera.shape[0] // camera.shape[1]
    inset = cv2.resize(camera, (inset_width, inset_height), interpolation=cv2.INTER_AREA)
    margin = width // 60
    top, left = height - inset_height - margin, width - inset_width - margin
    cv2.rectangle(
        picture, (left - 3, top - 3), (left + inset_width + 2, top + inset_height + 2), (255, 255, 255), -1
    )
    picture[top : top + inset_height, left : left + inset_width] = inset
    return picture


def keep(out: Path, screen: VideoWatch, camera: VideoWatch, sound: AudioWatch) -> None:
    """Write `snapshot.png` and `agent-heard.wav`; raises ValueError when there is no picture yet."""
    pictures = screen.picture(), camera.picture()
    if pictures[0] is None or pictures[1] is None:
        raise ValueError("there is no picture to keep")
    cv2.imwrite(str(out / "snapshot.png"), with_inset(pictures[0], pictures[1]))
    with wave.open(str(out / "agent-heard.wav"), "wb") as heard:
        heard.setnchannels(1)
        heard.setsampwidth(2)
        heard.setframerate(SAMPLE_RATE)
        heard.writeframes(sound.recent(_HEARD_S).tobytes())
