"""The counter must be read after real encoders have scaled and squeezed the card."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.media import (
    TIME_MODULUS_MS,
    Stamp,
    TestCard,
    draw_stamp,
    elapsed_ms,
    i420_to_bgr,
    read_counter,
    read_stamp,
)

FRAME_MS = 33


def through_codec(
    codec: str, card: TestCard, size: tuple[int, int], bitrate_bps: int, frames: int
) -> list[tuple[int, np.ndarray[Any, Any]]]:
    """Encode and decode `frames` of a card scaled to `size`; pairs of counter drawn and luma decoded."""
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuv420p"
    encoder.bit_rate = bitrate_bps
    encoder.framerate = Fraction(30)
    encoder.time_base = Fraction(1, 30)
    encoder.options = (
        {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "maxrate": str(bitrate_bps)}
        if codec == "libvpx"
        else {"preset": "ultrafast", "tune": "zerolatency", "maxrate": str(bitrate_bps), "bufsize": "200k"}
    )
    decoder = av.CodecContext.create("vp8" if codec == "libvpx" else "h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    drawn: list[int] = []
    seen: list[np.ndarray[Any, Any]] = []
    packets = []
    for index in range(frames):
        time_ms = (TIME_MODULUS_MS - 200 + index * FRAME_MS) % TIME_MODULUS_MS
        planes = card.draw(time_ms).reshape(card.height * 3 // 2, card.width)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p").reformat(*size)
        picture.pts = index
        drawn.append(time_ms)
        packets.extend(encoder.encode(picture))
    packets.extend(encoder.encode(None))
    for packet in packets:
        seen.extend(frame.to_ndarray()[: frame.height, : frame.width] for frame in decoder.decode(packet))
    seen.extend(frame.to_ndarray()[: frame.height, : frame.width] for frame in decoder.decode(None))
    return list(zip(drawn, seen, strict=False))


@pytest.mark.parametrize("codec", ["libvpx", "libx264"])
@pytest.mark.parametrize(
    ("size", "bitrate_bps"), [((640, 360), 250_000), ((320, 180), 100_000), ((160, 90), 60_000)]
)
def test_counter_survives_scaling_and_compression(
    codec: str, size: tuple[int, int], bitrate_bps: int
) -> None:
    card = TestCard(640, 360, "student", source=3)
    pairs = through_codec(codec, card, size, bitrate_bps, 30)
    assert len(pairs) >= 20
    right = sum(read_stamp(luma) == Stamp(drawn, 3) for drawn, luma in pairs)
    wrong = sum(read_counter(luma) not in (drawn, None) for drawn, luma in pairs)
    assert right >= 0.95 * len(pairs)
    assert wrong == 0


def test_shared_screen_card_is_read_too() -> None:
    card = TestCard(1280, 720, "screen", source=200, page=True)
    pairs = through_codec("libvpx", card, (1280, 720), 400_000, 5)
    assert [read_stamp(luma) for _, luma in pairs] == [Stamp(drawn, 200) for drawn, _ in pairs]


@given(
    st.integers(0, TIME_MODULUS_MS - 1),
    st.integers(0, 255),
    st.sampled_from([(160, 90), (320, 180), (426, 240), (641, 361)]),
)
def test_every_stamp_round_trips(time_ms: int, source: int, size: tuple[int, int]) -> None:
    luma = np.full((size[1], size[0]), 90, np.uint8)
    draw_stamp(luma, Stamp(time_ms, source))
    assert read_stamp(luma) == Stamp(time_ms, source)
    assert read_counter(np.repeat(luma[:, :, None], 3, axis=2)) == time_ms


def test_no_counter_is_read_where_there_is_none() -> None:
    assert read_counter(np.zeros((360, 640), np.uint8)) is None
    assert read_counter(np.full((360, 640), 255, np.uint8)) is None
    assert read_counter(np.zeros((4, 4), np.uint8)) is None
    noise = np.random.default_rng(1).integers(0, 256, (200, 90, 160), dtype=np.uint8)
    assert sum(read_counter(picture) is not None for picture in noise) <= 2


def test_a_flipped_cell_is_refused() -> None:
    luma = np.full((360, 640), 90, np.uint8)
    draw_stamp(luma, Stamp(123_456, 7))
    flipped = luma.copy()
    flipped[8:30, 100:125] = 251 - flipped[8:30, 100:125]
    assert read_stamp(luma) is not None
    assert read_stamp(flipped) is None


def test_cards_move_and_differ() -> None:
    one, other = TestCard(320, 180, "one", 1), TestCard(320, 180, "other", 2)
    assert not np.array_equal(one.draw(0), one.draw(500))
    colours = [i420_to_bgr(card.draw(0), 320, 180)[60, 10] for card in (one, other)]
    assert not np.array_equal(colours[0], colours[1])


def test_bgr_keeps_colours_of_odd_sizes() -> None:
    red = np.full((90, 160, 3), (0, 0, 255), np.uint8)
    planes = cv2.cvtColor(red, cv2.COLOR_BGR2YUV_I420)
    assert abs(int(i420_to_bgr(planes, 160, 90)[40, 40, 2]) - 255) < 6
    odd = np.full(161 * 91 + 2 * 81 * 46, 128, np.uint8)
    assert i420_to_bgr(odd, 161, 91).shape == (90, 160, 3)


def test_elapsed_time_crosses_the_wrap_around() -> None:
    assert elapsed_ms(TIME_MODULUS_MS - 5, 10) == 15
    assert elapsed_ms(100, 350) == 250


@pytest.mark.parametrize("size", [(641, 360), (640, 361), (30, 90), (160, 60)])
def test_unfit_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="size"):
        TestCard(*size, "x", 0)
