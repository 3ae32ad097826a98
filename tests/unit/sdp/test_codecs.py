"""Codec choice: under which payload type a receiver gets a stream."""

import pytest

from mediaserver.sdp.codecs import H264Profile, NegotiatedCodec, best_match, h264_profile, parse_fmtp


def h264(payload_type: int, profile_level_id: str, mode: int = 1) -> NegotiatedCodec:
    fmtp = f"packetization-mode={mode};profile-level-id={profile_level_id}"
    return NegotiatedCodec(payload_type, "h264", 90000, fmtp=fmtp)


RECEIVER = (
    NegotiatedCodec(111, "opus", 48000, 2),
    NegotiatedCodec(63, "red", 48000, 2, "111/111", redundant_payload_type=111),
    NegotiatedCodec(96, "vp8", 90000),
    NegotiatedCodec(98, "vp9", 90000, fmtp="profile-id=0"),
    NegotiatedCodec(100, "vp9", 90000, fmtp="profile-id=2"),
    NegotiatedCodec(45, "av1", 90000, fmtp="level-idx=5;profile=0;tier=0"),
    h264(102, "42001f"),
    h264(108, "42e01f"),
    h264(114, "42e01f", mode=0),
    h264(116, "4d001f"),
)


@pytest.mark.parametrize(
    ("name", "hint", "payload_type"),
    [
        ("opus", "", 111),
        ("OPUS", "minptime=10", 111),
        ("red", "63/63", 63),
        ("video/VP8", "", 96),
        ("vp9", "", 98),
        ("vp9", "profile-id=2", 100),
        ("vp9", "profile-id=1", None),
        ("vp9", "x=y", 98),
        ("av1", "profile=0", 45),
        ("av1", "profile=1", None),
        ("h265", "", None),
        ("h264", "", 102),
        ("h264", "packetization-mode=1;profile-level-id=42e01f", 108),
        ("h264", "packetization-mode=1;profile-level-id=42e034", 108),
        ("h264", "packetization-mode=0;profile-level-id=42e01f", 114),
        ("h264", "packetization-mode=1;profile-level-id=42001f", 102),
        ("h264", "packetization-mode=0;profile-level-id=42001f", 102),
        ("h264", "packetization-mode=1;profile-level-id=4D001F", 116),
        ("h264", "packetization-mode=1;profile-level-id=640c1f", None),
        ("h264", "packetization-mode=1;profile-level-id=broken", None),
        ("h264", "packetization-mode=1", 102),
    ],
)
def test_payload_type_for_a_stream(name: str, hint: str, payload_type: int | None) -> None:
    match = best_match(RECEIVER, name, hint)
    assert (None if match is None else match.payload_type) == payload_type


def test_a_richer_decoder_plays_a_simpler_h264_stream() -> None:
    constrained = "packetization-mode=1;profile-level-id=42e01f"
    high = (h264(112, "64001f"),)
    match = best_match(high, "h264", constrained)
    assert match is high[0]
    assert best_match(high, "h264", "packetization-mode=1;profile-level-id=4d001f") is high[0]
    assert best_match((h264(108, "42e01f"),), "h264", "packetization-mode=1;profile-level-id=64001f") is None
    assert best_match((h264(114, "42e01f", mode=0),), "h264", constrained) is None


def test_a_baseline_stream_reaches_a_receiver_of_constrained_baseline_only() -> None:
    receiver = (h264(126, "42e01f"),)
    assert best_match(receiver, "h264", "packetization-mode=1;profile-level-id=42001f") is receiver[0]


@pytest.mark.parametrize(
    ("value", "profile"),
    [
        ("42e01f", H264Profile.CONSTRAINED_BASELINE),
        ("42c02a", H264Profile.CONSTRAINED_BASELINE),
        ("42001f", H264Profile.BASELINE),
        ("4d001f", H264Profile.MAIN),
        ("4d801f", H264Profile.CONSTRAINED_BASELINE),
        ("64001f", H264Profile.HIGH),
        ("640c1f", H264Profile.CONSTRAINED_HIGH),
        ("f4001f", None),
        ("42e0", None),
        ("42e01f0", None),
        ("zzzzzz", None),
        ("4 2e01", None),
    ],
)
def test_h264_profiles(value: str, profile: H264Profile | None) -> None:
    assert h264_profile({"profile-level-id": value}) is profile


def test_format_parameters() -> None:
    assert parse_fmtp("Profile-Level-Id=42e01f; packetization-mode=1;;flag") == {
        "profile-level-id": "42e01f",
        "packetization-mode": "1",
        "flag": "",
    }
    assert parse_fmtp("") == {}
