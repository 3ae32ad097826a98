"""Payload descriptors of every codec, RED and the dependency descriptor; the first octet chooses among
them."""

from collections.abc import Callable

from mediaserver.rtp.payload import PayloadInspector, inspect_payload
from mediaserver.rtp.payload.av1 import parse_av1, parse_av1_picture_size
from mediaserver.rtp.payload.dependency_descriptor import parse_dependency_descriptor
from mediaserver.rtp.payload.h264 import inspect_h264, parse_h264_picture_size
from mediaserver.rtp.payload.red import build_red, parse_red, primary_of_red
from mediaserver.rtp.payload.vp8 import parse_vp8_descriptor, patch_vp8
from mediaserver.rtp.payload.vp9 import parse_vp9_descriptor
from tests.unit.rtp.captures import CAPTURES
from tests.unit.rtp.samples import (
    AV1_SEQUENCE_HEADER,
    H264_PARAMETER_SETS,
    L1T2_KEYFRAME,
    L2T2_KEYFRAME,
    VP8_DELTA_FRAME,
    VP8_KEYFRAME,
    write_dependency_descriptor,
)

NAME = "payload-descriptors"
ALLOWED: tuple[type[Exception], ...] = (ValueError,)
MAX_BYTES = 2048

CODECS = ("VP8", "VP9", "H264", "AV1", "opus", "red", "unheard-of")

_STRUCTURE = parse_dependency_descriptor(L1T2_KEYFRAME).structure


def _vp8(data: bytes) -> None:
    descriptor = parse_vp8_descriptor(data)
    assert 0 < descriptor.size < len(data)
    patched = patch_vp8(data, descriptor, 30_000, 200)
    again = parse_vp8_descriptor(patched)
    assert patched[again.size :] == data[descriptor.size :]
    assert again.picture_id == (None if descriptor.picture_id is None else 30_000)
    assert again.tl0picidx == (None if descriptor.tl0picidx is None else 200)


def _vp9(data: bytes) -> None:
    assert 0 < parse_vp9_descriptor(data).size < len(data)


def _red(data: bytes) -> None:
    blocks = parse_red(data)
    assert blocks[-1][2] == primary_of_red(data)
    assert parse_red(build_red(blocks)) == blocks


def _dependency_descriptor(data: bytes) -> None:
    parse_dependency_descriptor(data, _STRUCTURE)


def _inspect(data: bytes) -> None:
    for codec in CODECS:
        inspector = PayloadInspector(codec)
        try:
            inspect_payload(codec, data)
            inspect_payload(codec, data, data[:20])
            inspector.inspect(data, data[:60])
            inspector.inspect(data, data[:3])
        except ValueError as error:
            raise AssertionError(f"inspection of {codec} raised {error}") from error


PARSERS: tuple[Callable[[bytes], object], ...] = (
    _vp8,
    _vp9,
    inspect_h264,
    parse_h264_picture_size,
    parse_av1,
    parse_av1_picture_size,
    _dependency_descriptor,
    _red,
    _inspect,
)

_SAMPLES: list[tuple[int, bytes]] = [
    (0, bytes.fromhex("90e081230509") + VP8_KEYFRAME),
    (0, bytes.fromhex("90807f") + VP8_DELTA_FRAME),
    (0, b"\x10" + VP8_KEYFRAME),
    (1, bytes.fromhex("8a8123380140 00b4028001680301040182 49".replace(" ", ""))),
    (1, bytes.fromhex("fd0120030502 4900".replace(" ", ""))),
    *(
        (2, b"\x78" + len(sps).to_bytes(2) + sps + b"\0\4\x68\xce\x3c\x80")
        for sps, _ in H264_PARAMETER_SETS.values()
    ),
    (2, bytes.fromhex("7c858880")),
    (2, bytes.fromhex("419a2000")),
    *((3, sps[1:]) for sps, _ in H264_PARAMETER_SETS.values()),
    (4, b"\x28\x0c\x08" + AV1_SEQUENCE_HEADER + bytes.fromhex("34004fb07f60")),
    (4, bytes.fromhex("90328f00")),
    (5, AV1_SEQUENCE_HEADER),
    (6, L1T2_KEYFRAME),
    (6, L2T2_KEYFRAME),
    (6, bytes.fromhex("fd0002")),
    (6, write_dependency_descriptor(template_id=62, frame_number=9, active=1, targets=2)),
    (7, build_red([(111, 960, b"older"), (111, 0, b"newer")])),
]

CORPUS: list[bytes] = [bytes((chosen,)) + sample for chosen, sample in _SAMPLES]
CORPUS += [b"\x08" + sample for _, sample in _SAMPLES]

for _capture in CAPTURES.values():
    for _chosen, _codec in ((0, "VP8"), (1, "VP9"), (2, "H264"), (4, "AV1"), (7, "red")):
        CORPUS += [bytes((_chosen,)) + packet.payload[:200] for packet in list(_capture.of_codec(_codec))[:4]]


def run(data: bytes) -> None:
    """Gives the input, without its first octet, to the parser which that octet names."""
    if data:
        PARSERS[data[0] % len(PARSERS)](data[1:])
