"""VP8, VP9, H264, AV1, RED and the dependency descriptor."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mediaserver.rtp.bits import BitReader
from mediaserver.rtp.payload import AUDIO_FACTS, NO_FACTS, PayloadFacts, PayloadInspector, inspect_payload
from mediaserver.rtp.payload.av1 import inspect_av1, parse_av1, parse_av1_picture_size
from mediaserver.rtp.payload.dependency_descriptor import (
    DecodeTargetIndication,
    parse_dependency_descriptor,
)
from mediaserver.rtp.payload.h264 import inspect_h264, parse_h264_picture_size
from mediaserver.rtp.payload.red import build_red, parse_red, primary_of_red
from mediaserver.rtp.payload.vp8 import inspect_vp8, parse_vp8_descriptor, patch_vp8
from mediaserver.rtp.payload.vp9 import inspect_vp9, parse_vp9_descriptor
from tests.unit.rtp.damage import flips, survives, truncations
from tests.unit.rtp.samples import (
    AV1_SEQUENCE_HEADER,
    H264_PARAMETER_SETS,
    L1T2_KEYFRAME,
    L2T2_KEYFRAME,
    VP8_DELTA_FRAME,
    VP8_KEYFRAME,
    BitWriter,
    write_dependency_descriptor,
)


def octets(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


# VP8


def write_vp8_descriptor(
    *,
    start: bool = True,
    partition: int = 0,
    non_reference: bool = False,
    picture_id: int | None = None,
    long: bool = True,
    tl0picidx: int | None = None,
    tid: int | None = None,
    sync: bool = False,
    keyidx: int | None = None,
) -> bytes:
    extended = picture_id is not None or tl0picidx is not None or tid is not None or keyidx is not None
    out = bytearray([extended << 7 | non_reference << 5 | start << 4 | partition])
    if extended:
        out.append(
            (picture_id is not None) << 7
            | (tl0picidx is not None) << 6
            | (tid is not None) << 5
            | (keyidx is not None) << 4
        )
    if picture_id is not None:
        out += (0x8000 | picture_id).to_bytes(2) if long else bytes((picture_id,))
    if tl0picidx is not None:
        out.append(tl0picidx)
    if tid is not None or keyidx is not None:
        out.append((tid or 0) << 6 | sync << 5 | (keyidx or 0))
    return bytes(out)


@given(
    start=st.booleans(),
    partition=st.integers(0, 7),
    non_reference=st.booleans(),
    picture_id=st.none() | st.integers(0, 127),
    long=st.booleans(),
    tl0picidx=st.none() | st.integers(0, 255),
    tid=st.none() | st.integers(0, 3),
    sync=st.booleans(),
    keyidx=st.none() | st.integers(0, 31),
    new_id=st.integers(0, 1 << 16),
    new_tl0=st.integers(0, 511),
)
def test_vp8_descriptor_round_trip_and_patch(
    start: bool,
    partition: int,
    non_reference: bool,
    picture_id: int | None,
    long: bool,
    tl0picidx: int | None,
    tid: int | None,
    sync: bool,
    keyidx: int | None,
    new_id: int,
    new_tl0: int,
) -> None:
    head = write_vp8_descriptor(
        start=start,
        partition=partition,
        non_reference=non_reference,
        picture_id=picture_id,
        long=long,
        tl0picidx=tl0picidx,
        tid=tid,
        sync=sync,
        keyidx=keyidx,
    )
    payload = head + VP8_DELTA_FRAME
    descriptor = parse_vp8_descriptor(payload)
    assert descriptor.size == len(head)
    assert descriptor.frame_start is (start and partition == 0)
    assert descriptor.non_reference is non_reference
    assert descriptor.picture_id == picture_id
    assert descriptor.picture_id_bits == (0 if picture_id is None else 15 if long else 7)
    assert descriptor.tl0picidx == tl0picidx
    assert descriptor.temporal_layer == tid
    assert descriptor.keyidx == keyidx
    if tid is not None:
        assert descriptor.layer_sync is sync

    patched = patch_vp8(payload, descriptor, new_id, new_tl0)
    grown = picture_id is not None and not long and new_id & 0x7FFF > 127
    assert len(patched) == len(payload) + grown
    again = parse_vp8_descriptor(patched)
    assert again.picture_id == (None if picture_id is None else new_id & 0x7FFF)
    assert again.tl0picidx == (None if tl0picidx is None else new_tl0 & 0xFF)
    assert patched[again.size :] == VP8_DELTA_FRAME
    for name in ("frame_start", "non_reference", "temporal_layer", "layer_sync", "keyidx"):
        assert getattr(again, name) == getattr(descriptor, name)


def test_vp8_patch_leaves_what_it_is_not_given() -> None:
    payload = write_vp8_descriptor(picture_id=5, tl0picidx=6, tid=1) + VP8_DELTA_FRAME
    descriptor = parse_vp8_descriptor(payload)
    assert patch_vp8(payload, descriptor, None, None) == payload
    only_id = parse_vp8_descriptor(patch_vp8(payload, descriptor, 9, None))
    assert (only_id.picture_id, only_id.tl0picidx) == (9, 6)
    only_tl0 = parse_vp8_descriptor(patch_vp8(payload, descriptor, None, 9))
    assert (only_tl0.picture_id, only_tl0.tl0picidx) == (5, 9)


@pytest.mark.parametrize("picture_id", [0, 0x7F, 0x80, 0x4001, 0x7FFF])
def test_vp8_picture_id_takes_any_value(picture_id: int) -> None:
    for payload in (
        write_vp8_descriptor(picture_id=300, tl0picidx=6, tid=1) + VP8_DELTA_FRAME,
        write_vp8_descriptor(picture_id=300) + VP8_DELTA_FRAME,
        write_vp8_descriptor(picture_id=5, long=False, tl0picidx=6) + VP8_DELTA_FRAME,
    ):
        patched = patch_vp8(payload, parse_vp8_descriptor(payload), picture_id + 0x8000, 7)
        assert parse_vp8_descriptor(patched).picture_id == picture_id


def test_vp8_short_picture_id_grows_only_when_it_must() -> None:
    payload = write_vp8_descriptor(picture_id=5, long=False, tl0picidx=6, tid=1) + VP8_DELTA_FRAME
    descriptor = parse_vp8_descriptor(payload)
    assert len(patch_vp8(payload, descriptor, 127, 7)) == len(payload)
    assert len(patch_vp8(payload, descriptor, 128, 7)) == len(payload) + 1


def test_vp8_facts() -> None:
    key = write_vp8_descriptor(picture_id=1, tl0picidx=2, tid=0) + VP8_KEYFRAME
    assert inspect_vp8(key) == PayloadFacts(True, True, 0, 0, 322, 178)
    delta = write_vp8_descriptor(picture_id=1, tl0picidx=2, tid=2) + VP8_DELTA_FRAME
    assert inspect_vp8(delta) == PayloadFacts(False, True, 0, 2, None, None)
    rest = write_vp8_descriptor(start=False, picture_id=1, tl0picidx=2, tid=2) + VP8_KEYFRAME
    assert inspect_vp8(rest) == PayloadFacts(False, False, 0, 2, None, None)
    partition = write_vp8_descriptor(partition=3) + VP8_KEYFRAME
    assert not inspect_vp8(partition).keyframe
    assert inspect_vp8(b"\x10" + VP8_KEYFRAME).keyframe
    assert not inspect_vp8(b"\x00" + VP8_KEYFRAME).keyframe
    assert inspect_vp8(b"\x10" + VP8_KEYFRAME[:7]) == PayloadFacts(True, True, 0, 0, None, None)


@pytest.mark.parametrize(
    "head", ["", "10", "90", "9080", "908081", "90808101", "904000", "90e0810203", "902000"]
)
def test_vp8_descriptor_without_its_end(head: str) -> None:
    with pytest.raises(ValueError, match="VP8"):
        parse_vp8_descriptor(octets(head))


# VP9


def test_vp9_keyframe_with_scalability_structure() -> None:
    head = octets("aa 8123 00 05 30 0140 00b4 0280 0168 ".replace("05 30", "05 38") + "02 04 84 01")
    payload = head + b"frame"
    descriptor = parse_vp9_descriptor(payload)
    assert descriptor.size == len(head)
    assert descriptor.picture_id == 0x123
    assert descriptor.picture_id_bits == 15
    assert descriptor.tl0picidx == 5
    assert descriptor.keyframe
    assert descriptor.structure is not None
    assert descriptor.structure.spatial_layers == 2
    assert descriptor.structure.resolutions == ((320, 180), (640, 360))
    assert inspect_vp9(payload) == PayloadFacts(True, True, 0, 0, 640, 360)


def test_vp9_layers_of_a_key_picture() -> None:
    base_end = parse_vp9_descriptor(octets("a4 05 00 07") + b"frame")
    assert base_end.frame_end
    assert not base_end.frame_start
    assert not base_end.keyframe
    upper = parse_vp9_descriptor(octets("a9 05 53 07") + b"frame")
    assert (upper.temporal_layer, upper.spatial_layer) == (2, 1)
    assert upper.switching_up
    assert upper.inter_layer_predicted
    assert upper.not_reference_for_upper
    assert not upper.keyframe, "it needs the layer below"
    assert inspect_vp9(octets("a8 05 52 07") + b"frame").keyframe, "it does not"


def test_vp9_predicted_and_flexible() -> None:
    delta = parse_vp9_descriptor(octets("e8 05 00 07") + b"frame")
    assert delta.inter_picture_predicted
    assert not delta.keyframe
    flexible = parse_vp9_descriptor(octets("f8 05 00 03 05 02") + b"frame")
    assert flexible.size == 6
    assert flexible.tl0picidx is None
    with pytest.raises(ValueError, match="references"):
        parse_vp9_descriptor(octets("d0 05 03 03 03 03 02") + b"frame")


@pytest.mark.parametrize(
    "head", ["", "80", "8081", "a005", "a00500", "d005", "d00503", "02", "0210014000", "0208", "020802"]
)
def test_vp9_descriptor_without_its_end(head: str) -> None:
    with pytest.raises(ValueError, match="VP9"):
        parse_vp9_descriptor(octets(head))


def test_vp9_group_of_pictures_cannot_run_away() -> None:
    with pytest.raises(ValueError, match="VP9"):
        parse_vp9_descriptor(octets("02 08 ff") + b"\x0c" * 254)


# H264


@pytest.mark.parametrize("name", H264_PARAMETER_SETS)
def test_h264_picture_size(name: str) -> None:
    sps, size = H264_PARAMETER_SETS[name]
    assert parse_h264_picture_size(sps[1:]) == size
    assert inspect_h264(sps) == PayloadFacts(True, True, 0, 0, *size)
    for twin in truncations(sps):
        try:
            assert inspect_h264(twin).keyframe
        except ValueError:
            assert not twin


def test_h264_scaling_matrix_is_skipped() -> None:
    bits = BitWriter()
    bits.write(100, 8)
    bits.write(0, 16)
    for code in ("1", "010", "1", "1"):  # id 0, chroma 4:2:0, depths 8
        bits.write(int(code, 2), len(code))
    bits.write(0, 1)
    bits.write(1, 1)  # matrix present
    bits.write(1, 1)
    for _ in range(16):
        bits.write(1, 1)  # delta 0
    bits.write(1, 1)
    bits.write(0b0000_1000_1, 9)  # delta -8: the rest of the list repeats
    bits.write(0, 6)
    for code in ("1", "011", "1", "0", "010", "010", "1", "0", "0"):
        bits.write(int(code, 2), len(code))
    assert parse_h264_picture_size(bits.data()) == (32, 32)


def test_h264_emulation_prevention_is_undone() -> None:
    bits = BitWriter()
    bits.write(66, 8)
    bits.write(0, 16)
    for code in ("000000010000000", "1", "011", "1", "0", "010", "010", "1", "1", "0"):
        bits.write(int(code, 2), len(code))
    escaped = bits.data().replace(b"\0\0\1", b"\0\0\3\1")
    assert len(escaped) == len(bits.data()) + 1
    assert parse_h264_picture_size(escaped) == (32, 32)


def stap_a(*units: bytes) -> bytes:
    return b"\x78" + b"".join(len(unit).to_bytes(2) + unit for unit in units)


SPS, SPS_SIZE = H264_PARAMETER_SETS["baseline"]
PPS = octets("68ce3c80")
IDR = octets("65888400")
SLICE = octets("419a2000")
LATER_SLICE = octets("41402000")


@pytest.mark.parametrize(
    ("payload", "keyframe", "frame_start"),
    [
        (IDR, True, True),
        (octets("6540"), False, False),  # an IDR picture's second slice
        (SLICE, False, True),
        (LATER_SLICE, False, False),
        (octets("0930"), False, True),  # access unit delimiter
        (PPS, False, False),
        (octets("0605"), False, False),
        (b"\x7c\x85" + IDR[1:], True, True),  # FU-A of an IDR picture: first fragment
        (b"\x7c\x05" + IDR[1:], False, False),  # a middle one
        (b"\x7c\x45" + IDR[1:], False, False),  # the last
        (b"\x5c\x81" + SLICE[1:], False, True),
        (b"\x7c\x87" + SPS[1:], True, True),
        (stap_a(SPS, PPS, IDR), True, True),
        (stap_a(PPS, IDR), True, True),
        (stap_a(octets("0605"), SLICE), False, True),
        (stap_a(octets("0605"), PPS), False, False),
    ],
)
def test_h264_facts(payload: bytes, keyframe: bool, frame_start: bool) -> None:
    facts = inspect_h264(payload)
    assert (facts.keyframe, facts.frame_start) == (keyframe, frame_start)


def test_h264_aggregated_parameter_set_tells_the_size() -> None:
    facts = inspect_h264(stap_a(octets("0605"), SPS, PPS))
    assert (facts.width, facts.height) == SPS_SIZE


@pytest.mark.parametrize("payload", ["", "7c", "7c85", "78 0001", "78 0005 67420000", "78 0000 67", "78 00"])
def test_h264_truncated(payload: str) -> None:
    with pytest.raises(ValueError, match="H264"):
        inspect_h264(octets(payload))


def test_exp_golomb_is_bounded() -> None:
    with pytest.raises(ValueError, match="too long"):
        BitReader(bytes(20), "thing").read_exp_golomb()
    assert BitReader(b"\x80", "thing").read_exp_golomb() == 0
    assert BitReader(b"\x28", "thing").read_exp_golomb() == 4
    assert [BitReader(code, "x").read_signed_exp_golomb() for code in (b"\x80", b"\x40", b"\x60")] == [
        0,
        1,
        -1,
    ]


@given(st.integers(1, 300), st.data())
def test_non_symmetric_numbers(values: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, values - 1))
    bits = BitWriter()
    bits.write(1, 1)
    bits.non_symmetric(value, values)
    reader = BitReader(bits.data(), "thing")
    assert reader.flag()
    assert reader.read_non_symmetric(values) == value


# AV1


def obu(kind: int, body: bytes, layers: tuple[int, int] | None = None, sized: bool = False) -> bytes:
    head = bytes((kind << 3 | (layers is not None) << 2 | sized << 1,))
    extension = b"" if layers is None else bytes((layers[0] << 5 | layers[1] << 3,))
    return head + extension + (bytes((len(body),)) if sized else b"") + body


def elements(head: int, *parts: bytes) -> bytes:
    """W = 0: every element has a length."""
    return bytes((head,)) + b"".join(bytes((len(part),)) + part for part in parts)


SEQUENCE = obu(1, AV1_SEQUENCE_HEADER)


def test_av1_sequence_header() -> None:
    assert parse_av1_picture_size(AV1_SEQUENCE_HEADER) == (1278, 718)


def test_av1_keyframe() -> None:
    whole = elements(0x08, SEQUENCE, obu(6, b"frame"))
    assert inspect_av1(whole) == PayloadFacts(True, True, 0, 0, 1278, 718)
    counted = b"\x28" + bytes((len(SEQUENCE),)) + SEQUENCE + obu(6, b"frame")
    assert inspect_av1(counted) == inspect_av1(whole)
    sized = elements(0x08, obu(1, AV1_SEQUENCE_HEADER, sized=True))
    assert inspect_av1(sized) == inspect_av1(whole)
    without_n = elements(0x00, SEQUENCE, obu(6, b"frame"))
    assert inspect_av1(without_n).keyframe


def test_av1_key_frame_cut_by_the_packet() -> None:
    assert inspect_av1(b"\x58" + SEQUENCE[:5]) == PayloadFacts(True, True, 0, 0, None, None)


def test_av1_delta_frames() -> None:
    assert inspect_av1(b"\x10" + obu(6, b"frame")) == PayloadFacts(False, True, 0, 0, None, None)
    layered = b"\x10" + obu(3, b"header", layers=(2, 1))
    assert inspect_av1(layered) == PayloadFacts(False, True, 1, 2, None, None)
    tiles = b"\x10" + obu(4, b"tiles")
    assert not inspect_av1(tiles).frame_start


def test_av1_continuation_is_not_read_as_an_obu() -> None:
    rest = b"\x90" + SEQUENCE
    parsed = parse_av1(rest)
    assert parsed.continues
    assert parsed.first_obu is None
    assert inspect_av1(rest) == PayloadFacts(False, False, 0, 0, None, None)
    assert parse_av1(elements(0xC0, b"\xff\xff", obu(6, b"next"))).first_obu == 6


@pytest.mark.parametrize(
    "payload",
    ["", "10", "8800", "20 05 0a", "20 80", "00 ffffffffffffffffff01 0a", "10 b0", "10 34"],
)
def test_av1_damaged(payload: str) -> None:
    with pytest.raises(ValueError, match="AV1"):
        parse_av1(octets(payload))


# Dependency descriptor


def test_descriptor_with_structure() -> None:
    descriptor = parse_dependency_descriptor(L2T2_KEYFRAME)
    assert descriptor.start_of_frame
    assert descriptor.end_of_frame
    assert descriptor.frame_number == 0xFFFF
    structure = descriptor.structure
    assert structure is not None
    layers = [(template.spatial_layer, template.temporal_layer) for template in structure.templates]
    assert layers == [(0, 0), (0, 0), (0, 1), (1, 0), (1, 0), (1, 1)]
    assert structure.templates[4].indications == (0, 0, 3, 3)
    assert structure.decode_targets == ((0, 0), (0, 1), (1, 0), (1, 1))
    assert structure.chain_count == 2
    assert structure.resolutions == ((320, 180), (640, 360))
    assert descriptor.active_decode_targets == 0b1111


def test_descriptor_that_names_a_template() -> None:
    structure = parse_dependency_descriptor(L1T2_KEYFRAME).structure
    value = write_dependency_descriptor(template_id=62, frame_number=2, start=False, end=True)
    assert len(value) == 3
    descriptor = parse_dependency_descriptor(value, structure)
    assert not descriptor.start_of_frame
    assert descriptor.structure is None
    assert descriptor.active_decode_targets is None
    assert descriptor.template is not None
    assert descriptor.template.temporal_layer == 1
    assert descriptor.template.indications == (
        DecodeTargetIndication.NOT_PRESENT,
        DecodeTargetIndication.DISCARDABLE,
    )
    assert parse_dependency_descriptor(value).template is None, "without a structure"
    with pytest.raises(ValueError, match="template"):
        parse_dependency_descriptor(write_dependency_descriptor(template_id=63, frame_number=2), structure)


def test_template_identifiers_wrap() -> None:
    value = write_dependency_descriptor(
        template_id=0,
        frame_number=0,
        template_id_offset=63,
        layers=[(0, 0), (0, 1)],
        indications=[(2,), (1,)],
        differences=[(), (1,)],
    )
    descriptor = parse_dependency_descriptor(value)
    assert descriptor.template is not None
    assert descriptor.template.temporal_layer == 1


def test_active_targets_and_custom_indications() -> None:
    structure = parse_dependency_descriptor(L1T2_KEYFRAME).structure
    value = write_dependency_descriptor(
        template_id=61, frame_number=3, active=0b01, targets=2, custom_indications=(3, 0)
    )
    descriptor = parse_dependency_descriptor(value, structure)
    assert descriptor.active_decode_targets == 0b01
    assert descriptor.template is not None
    assert descriptor.template.indications == (3, 0)
    assert parse_dependency_descriptor(value).active_decode_targets is None


@pytest.mark.parametrize("value", [b"", b"\x80\x00", bytes(256)])
def test_descriptor_of_a_wrong_length(value: bytes) -> None:
    with pytest.raises(ValueError, match="length"):
        parse_dependency_descriptor(value)


def test_structure_is_bounded() -> None:
    for layers in ([(0, 0)] * 65, [(0, layer) for layer in range(9)], [(layer, 0) for layer in range(5)]):
        value = write_dependency_descriptor(
            template_id=0,
            frame_number=0,
            layers=layers,
            indications=[(2,)] * len(layers),
            differences=[()] * len(layers),
        )
        with pytest.raises(ValueError, match=r"too many templates|layer out of range"):
            parse_dependency_descriptor(value)


# RED


def test_red_blocks() -> None:
    payload = octets("ef 0780 05") + octets("6f") + b"older" + b"newer"
    assert parse_red(payload) == [(111, 480, b"older"), (111, 0, b"newer")]
    assert primary_of_red(payload) == b"newer"
    assert parse_red(b"\x6f") == [(111, 0, b"")]


@given(
    st.lists(st.tuples(st.integers(0, 127), st.integers(0, 16383), st.binary(max_size=1023)), max_size=4),
    st.integers(0, 127),
    st.binary(max_size=1200),
)
def test_red_round_trip(redundant: list[tuple[int, int, bytes]], payload_type: int, primary: bytes) -> None:
    blocks = [*redundant, (payload_type, 0, primary)]
    assert parse_red(build_red(blocks)) == blocks


@pytest.mark.parametrize("payload", ["", "ef", "ef0780", "ef078005", "ef0780056f 01020304"])
def test_red_truncated(payload: str) -> None:
    with pytest.raises(ValueError, match="RED"):
        parse_red(octets(payload))


def test_red_is_bounded() -> None:
    with pytest.raises(ValueError, match="too many"):
        parse_red(octets("ef000000") * 32 + b"\x6f")


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [(128, 0, b"")],
        [(128, 0, b""), (1, 0, b"")],
        [(1, 16384, b""), (1, 0, b"")],
        [(1, 1, bytes(1024)), (1, 0, b"")],
    ],
)
def test_red_that_cannot_be_expressed(blocks: list[tuple[int, int, bytes]]) -> None:
    with pytest.raises(ValueError, match="RED"):
        build_red(blocks)


# All codecs

SAMPLES = [
    ("VP8", write_vp8_descriptor(picture_id=300, tl0picidx=2, tid=1, keyidx=3) + VP8_KEYFRAME),
    ("VP9", octets("aa 8123 00 05 38 0140 00b4 0280 0168 02 04 84 01") + b"frame"),
    ("H264", stap_a(octets("0605"), SPS, PPS, IDR)),
    ("AV1", elements(0x08, SEQUENCE, obu(6, b"frame", layers=(1, 0)))),
]


@pytest.mark.parametrize(("codec", "payload"), SAMPLES)
def test_inspection_never_raises(codec: str, payload: bytes) -> None:
    facts = inspect_payload(codec, payload)
    assert facts.keyframe
    assert facts.frame_start
    assert facts.width
    assert inspect_payload(f"video/{codec.lower()}", payload) == facts
    for twin in (*truncations(payload), *flips(payload)):
        assert isinstance(inspect_payload(codec, twin), PayloadFacts)
    assert inspect_payload(codec, b"") == NO_FACTS


def test_damaged_twins() -> None:
    for parse, sample in (
        (parse_vp8_descriptor, SAMPLES[0][1]),
        (parse_vp9_descriptor, SAMPLES[1][1]),
        (inspect_h264, SAMPLES[2][1]),
        (parse_av1, SAMPLES[3][1]),
        (parse_dependency_descriptor, L1T2_KEYFRAME),
        (parse_dependency_descriptor, L2T2_KEYFRAME),
        (parse_red, build_red([(111, 960, b"older"), (111, 0, b"newer")])),
    ):
        accepted, rejected = survives(parse, sample)
        assert accepted
        assert rejected


@given(
    st.sampled_from(("VP8", "VP9", "H264", "AV1")), st.binary(max_size=60), st.none() | st.binary(max_size=60)
)
def test_inspection_of_any_octets(codec: str, payload: bytes, descriptor: bytes | None) -> None:
    inspector = PayloadInspector(codec)
    for _ in range(2):
        assert isinstance(inspector.inspect(payload, descriptor), PayloadFacts)


@given(st.binary(min_size=1, max_size=60))
def test_no_facts_of_unknown_codecs(payload: bytes) -> None:
    assume(payload)
    assert inspect_payload("H265", payload) == NO_FACTS
    assert inspect_payload("opus", payload) == AUDIO_FACTS
    assert inspect_payload("audio/red", payload) == AUDIO_FACTS


def test_av1_inspector_remembers_the_structure() -> None:
    encrypted = b"\x10\xff\xff\xff"
    inspector = PayloadInspector("AV1")
    later = write_dependency_descriptor(template_id=62, frame_number=2)
    assert inspector.inspect(encrypted, later) == PayloadFacts(False, True, 0, 0, None, None)
    assert inspector.inspect(encrypted, L1T2_KEYFRAME) == PayloadFacts(True, True, 0, 0, 1280, 720)
    assert inspector.inspect(encrypted, later) == PayloadFacts(False, True, 0, 1, None, None)
    rest = write_dependency_descriptor(template_id=62, frame_number=2, start=False)
    assert inspector.inspect(encrypted, rest) == PayloadFacts(False, False, 0, 1, None, None)
    assert inspect_payload("AV1", encrypted, L2T2_KEYFRAME).keyframe


def test_av1_inspector_falls_back_to_the_payload() -> None:
    payload = elements(0x08, SEQUENCE, obu(6, b"frame"))
    assert inspect_payload("AV1", payload, b"\x80").keyframe
    assert inspect_payload("AV1", payload).keyframe


def test_descriptor_tells_the_layers_that_vp8_leaves_out() -> None:
    assert not inspect_payload("VP8", b"\x10" + VP8_DELTA_FRAME, L1T2_KEYFRAME).keyframe
    inspector = PayloadInspector("VP8")
    assert inspector.inspect(b"\x10" + VP8_KEYFRAME, L1T2_KEYFRAME) == PayloadFacts(
        True, True, 0, 0, 322, 178
    )
    later = write_dependency_descriptor(template_id=62, frame_number=2)
    assert inspector.inspect(b"\x10" + VP8_DELTA_FRAME, later) == PayloadFacts(False, True, 0, 1, None, None)
    own = write_vp8_descriptor(tid=2) + VP8_DELTA_FRAME
    assert inspector.inspect(own, later).temporal_layer == 2
    assert inspector.inspect(b"", later) == NO_FACTS


def test_vp9_speaks_for_itself() -> None:
    inspector = PayloadInspector("VP9")
    inspector.inspect(SAMPLES[1][1], L1T2_KEYFRAME)
    later = write_dependency_descriptor(template_id=62, frame_number=2)
    assert inspector.inspect(octets("e8 05 00 07") + b"frame", later).temporal_layer == 0
