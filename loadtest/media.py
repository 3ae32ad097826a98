"""Test pictures: a moving card that carries a machine-readable counter.

The counter is a strip of black and white cells along the top edge. It survives scaling down to
160 x 90 and the compression of every codec WebRTC knows, because each cell is a flat area of luma
and its place is given relative to the picture. It encodes the milliseconds of the monotonic clock,
which all processes of one machine share, so a receiver on the same machine reads the latency from
camera to decoded frame out of the picture.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

TIME_BITS = 22  # milliseconds; wraps after about 70 minutes
TIME_MODULUS_MS = 1 << TIME_BITS
_SOURCE_BITS = 8  # which camera or screen drew the card
_CHECK_BITS = 8  # CRC-8, polynomial 0x07 (ITU-T I.432.1)
_CALIBRATION = (1, 0)  # the first two cells are always white and black
_CELLS = len(_CALIBRATION) + TIME_BITS + _SOURCE_BITS + _CHECK_BITS
_ROWS = 2
_COLUMNS = _CELLS // _ROWS
_LEFT, _RIGHT = 0.02, 0.98  # the strip's sides, as a share of the width
_TOP, _ROW_HEIGHT = 0.02, 0.07  # the strip's upper edge and the height of a row, as a share of the height
_BLACK, _WHITE, _GREY = 16, 235, 126  # luma, limited range
_MIN_CONTRAST = 40  # below this, black and white are too alike to trust a reading


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a card's strip says: when (ms, modulo `TIME_MODULUS_MS`) and by which source it was drawn."""

    time_ms: int
    source: int


def clock_ms() -> int:
    """The time that a card drawn now carries."""
    return int(time.monotonic() * 1000) % TIME_MODULUS_MS


def elapsed_ms(since_ms: int, now_ms: int | None = None) -> int:
    """Milliseconds from a stamp's time until now; right across the wrap-around."""
    return ((clock_ms() if now_ms is None else now_ms) - since_ms) % TIME_MODULUS_MS


def _crc8(value: int, bits: int) -> int:
    crc = 0
    for shift in range(bits - 1, -1, -1):
        feedback = (crc >> 7) ^ ((value >> shift) & 1)
        crc = (crc << 1) & 0xFF
        if feedback:
            crc ^= 0x07
    return crc ^ 0x55  # an all-black strip must not read as a valid zero


def _bits(stamp: Stamp) -> list[int]:
    value = (stamp.time_ms % TIME_MODULUS_MS) << _SOURCE_BITS | (stamp.source & 0xFF)
    length = TIME_BITS + _SOURCE_BITS
    value = value << _CHECK_BITS | _crc8(value, length)
    length += _CHECK_BITS
    return [*_CALIBRATION, *((value >> shift) & 1 for shift in range(length - 1, -1, -1))]


def _cell(index: int, width: int, height: int, inset: float = 0.0) -> tuple[int, int, int, int]:
    """Pixel box (left, top, right, bottom) of a cell, drawn in by `inset` of its size on each side."""
    row, column = divmod(index, _COLUMNS)
    cell_width = (_RIGHT - _LEFT) / _COLUMNS
    left = (_LEFT + (column + inset) * cell_width) * width
    right = (_LEFT + (column + 1 - inset) * cell_width) * width
    top = (_TOP + (row + inset) * _ROW_HEIGHT) * height
    bottom = (_TOP + (row + 1 - inset) * _ROW_HEIGHT) * height
    x, y = round(left), round(top)
    return x, y, max(x + 1, round(right)), max(y + 1, round(bottom))


def draw_stamp(luma: Image, stamp: Stamp) -> None:
    """Draw the strip into a luma plane of shape (height, width), in place."""
    height, width = luma.shape
    for index, bit in enumerate(_bits(stamp)):
        left, top, right, bottom = _cell(index, width, height)
        luma[top:bottom, left:right] = _WHITE if bit else _BLACK


def _luma(image: NDArray[Any]) -> NDArray[Any]:
    # The strip is grey, so any colour channel will do; green is the one compression harms least.
    return image if image.ndim == 2 else image[:, :, 1]


def read_stamp(image: NDArray[Any]) -> Stamp | None:
    """Read the strip of a picture: luma of shape (height, width), or colour (height, width, channels).

    None when there is no strip, or the checksum does not match.
    """
    luma = _luma(image)
    height, width = luma.shape
    if height < 16 or width < _COLUMNS * 2:
        return None
    levels = []
    for index in range(_CELLS):
        left, top, right, bottom = _cell(index, width, height, inset=0.25)
        levels.append(float(luma[top:bottom, left:right].mean()))
    white, black = levels[0], levels[1]
    if white - black < _MIN_CONTRAST:
        return None
    threshold = (white + black) / 2
    value = 0
    for level in levels[len(_CALIBRATION) :]:
        value = value << 1 | (level > threshold)
    check = value & 0xFF
    value >>= _CHECK_BITS
    if _crc8(value, TIME_BITS + _SOURCE_BITS) != check:
        return None
    return Stamp(value >> _SOURCE_BITS, value & 0xFF)


def read_counter(image: NDArray[Any]) -> int | None:
    """The time in milliseconds (modulo `TIME_MODULUS_MS`) at which a card was drawn, None if unreadable."""
    stamp = read_stamp(image)
    return None if stamp is None else stamp.time_ms


_PALETTE_BGR = (
    (180, 105, 30),
    (60, 130, 40),
    (40, 90, 200),
    (150, 60, 140),
    (120, 120, 20),
    (30, 150, 190),
    (90, 60, 60),
    (100, 40, 190),
)


class TestCard:
    """A moving picture of one size with a label, a colour of its own and the counter strip.

    `source` (0-255) is carried in the strip and picks the colour. `page` draws a sheet of exercises
    with a moving pointer instead of a camera's card, as a stand-in for a shared screen.
    """

    __test__ = False  # the name begins with "Test", but it is none

    def __init__(self, width: int, height: int, label: str, source: int, *, page: bool = False) -> None:
        if width % 2 or height % 2 or width < 2 * _COLUMNS or height < 64:
            raise ValueError(f"size: {width}x{height} is odd or too small for the counter")
        self.width, self.height, self.label, self.source, self.page = width, height, label, source, page
        background = self._draw_page() if page else self._draw_card()
        strip = (round(_TOP * height / 2), round((_TOP + _ROWS * _ROW_HEIGHT) * height * 1.1))
        background[strip[0] : strip[1], :] = (_GREY, _GREY, _GREY)
        planes = cv2.cvtColor(background, cv2.COLOR_BGR2YUV_I420)
        self._background: Image = np.ascontiguousarray(planes, dtype=np.uint8).reshape(-1)

    def draw(self, time_ms: int | None = None) -> Image:
        """Draw one frame; returns I420 planes, one after the other, `width * height * 3 / 2` bytes."""
        now_ms = clock_ms() if time_ms is None else time_ms
        frame = self._background.copy()
        luma = frame[: self.width * self.height].reshape(self.height, self.width)
        draw_stamp(luma, Stamp(now_ms, self.source))
        if self.page:
            self._draw_pointer(luma, now_ms)
        else:
            self._draw_motion(luma, now_ms)
        return frame

    def _colour(self) -> tuple[int, int, int]:
        return _PALETTE_BGR[self.source % len(_PALETTE_BGR)]

    def _draw_card(self) -> Image:
        width, height = self.width, self.height
        card = np.empty((height, width, 3), np.uint8)
        shade = np.linspace(1.15, 0.65, height, dtype=np.float32)[:, None, None]
        card[:] = np.clip(np.array(self._colour(), np.float32) * shade, 0, 255)
        bars = [(235, 235, 235), (16, 200, 200), (200, 200, 16), (16, 200, 16), (200, 16, 200), (16, 16, 200)]
        top = int(height * 0.9)
        for index, bar in enumerate(bars):
            card[top:, index * width // len(bars) : (index + 1) * width // len(bars)] = bar
        scale = height / 360
        cv2.putText(
            card,
            self.label,
            (int(width * 0.05), int(height * 0.84)),
            cv2.FONT_HERSHEY_DUPLEX,
            1.3 * scale,
            (245, 245, 245),
            max(1, round(2 * scale)),
            cv2.LINE_AA,
        )
        return card

    def _draw_page(self) -> Image:
        width, height = self.width, self.height
        page = np.full((height, width, 3), 250, np.uint8)
        scale = height / 720
        cv2.rectangle(page, (0, int(height * 0.17)), (width, int(height * 0.25)), self._colour(), -1)
        lines = [
            (0.23, 1.2, self.label, (255, 255, 255)),
            (0.38, 1.1, "1.  f(x) = x^3 - 6x^2 + 9x + 1,  f'(x) = ?", (40, 40, 40)),
            (0.50, 1.1, "2.  lim (1 + 1/n)^n   for n -> infinity", (40, 40, 40)),
            (0.62, 1.1, "3.  A train leaves at 08:15 with 72 km/h ...", (40, 40, 40)),
            (0.74, 1.1, "4.  Solve: 2^(x+1) - 3 * 2^x + 8 = 0", (40, 40, 40)),
        ]
        for y, size, text, colour in lines:
            cv2.putText(
                page,
                text,
                (int(width * 0.06), int(height * y)),
                cv2.FONT_HERSHEY_SIMPLEX,
                size * scale,
                colour,
                max(1, round(2 * scale)),
                cv2.LINE_AA,
            )
        return page

    def _draw_motion(self, luma: Image, now_ms: int) -> None:
        width, height = self.width, self.height
        centre = (int(width * 0.75), int(height * 0.52))
        radius = int(height * 0.26)
        angle = 2 * np.pi * (now_ms % 2000) / 2000
        tip = (int(centre[0] + radius * np.sin(angle)), int(centre[1] - radius * np.cos(angle)))
        thickness = max(2, height // 90)
        cv2.circle(luma, centre, radius, _WHITE, max(1, thickness // 2), cv2.LINE_AA)
        cv2.line(luma, centre, tip, _WHITE, thickness, cv2.LINE_AA)
        text = f"{now_ms / 1000:.2f}"
        place = (int(width * 0.05), int(height * 0.45))
        cv2.putText(luma, text, place, cv2.FONT_HERSHEY_DUPLEX, height / 400, _WHITE, thickness, cv2.LINE_AA)

    def _draw_pointer(self, luma: Image, now_ms: int) -> None:
        angle = 2 * np.pi * (now_ms % 5000) / 5000
        x = int(self.width * (0.5 + 0.35 * np.cos(angle)))
        y = int(self.height * (0.6 + 0.22 * np.sin(angle)))
        size = max(6, self.height // 36)
        arrow = np.array([[x, y], [x + size, y + size], [x, y + size * 3 // 2]], np.int32)
        cv2.fillPoly(luma, [arrow], _BLACK)
        text = f"{now_ms // 1000 % 60:02d} s"
        place = (int(self.width * 0.85), int(self.height * 0.23))
        cv2.putText(luma, text, place, cv2.FONT_HERSHEY_SIMPLEX, self.height / 600, _WHITE, 2, cv2.LINE_AA)


def i420_to_bgr(planes: NDArray[Any] | bytes | bytearray | memoryview, width: int, height: int) -> Image:
    """Colour picture (height, width, 3), BGR, from I420 planes; odd sizes lose their last row or column."""
    flat = np.frombuffer(planes, np.uint8) if not isinstance(planes, np.ndarray) else planes.reshape(-1)
    chroma_width, chroma_height = (width + 1) // 2, (height + 1) // 2
    y_size, c_size = width * height, chroma_width * chroma_height
    luma = flat[:y_size].reshape(height, width)
    u = flat[y_size : y_size + c_size].reshape(chroma_height, chroma_width)
    v = flat[y_size + c_size : y_size + 2 * c_size].reshape(chroma_height, chroma_width)
    even_width, even_height = width & ~1, height & ~1
    packed = np.concatenate(
        [
            luma[:even_height, :even_width].reshape(-1),
            u[: even_height // 2, : even_width // 2].reshape(-1),
            v[: even_height // 2, : even_width // 2].reshape(-1),
        ]
    ).reshape(even_height * 3 // 2, even_width)
    return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420), dtype=np.uint8)
