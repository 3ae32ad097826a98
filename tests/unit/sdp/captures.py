"""Recorded descriptions of unmodified clients (tests/data/sdp)."""

from pathlib import Path

DATA = Path(__file__).parents[2] / "data" / "sdp"

CHROMIUM_JOIN = "chromium156-livekit-client2.23-single-pc-initial-offer"
"""Three audio and three video placeholders, one data section, before anything is published."""
CHROMIUM_PUBLISH = "chromium156-livekit-client2.23-single-pc-offer-mic-camera-simulcast"
"""The same client after publishing a microphone and a camera with three layers."""
CHROMIUM_ANSWER = "chromium156-livekit-client2.23-dual-pc-subscriber-answer"
FIREFOX_JOIN = "firefox153-livekit-client2.23-single-pc-initial-offer"
NATIVE_PUBLISH = "livekit-python1.2-single-pc-offer-simulcast-vp8"
NATIVE_ANSWER = "livekit-python1.2-dual-pc-subscriber-answer"

OFFERS = (CHROMIUM_JOIN, CHROMIUM_PUBLISH, FIREFOX_JOIN, NATIVE_PUBLISH)
CAPTURES = (*OFFERS, CHROMIUM_ANSWER, NATIVE_ANSWER)


def capture(name: str) -> str:
    """The text of a recorded description, byte for byte."""
    return (DATA / f"{name}.sdp").read_bytes().decode()
