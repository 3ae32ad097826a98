"""Writing: any description survives being written and parsed, and no value can add a line."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.sdp.description import (
    Candidate,
    CodecDescription,
    Direction,
    ExtensionDescription,
    Fingerprint,
    MediaDescription,
    Msid,
    Origin,
    RidDescription,
    SdpError,
    SessionDescription,
    SimulcastDescription,
    SimulcastStream,
    SsrcDescription,
    SsrcGroup,
)
from mediaserver.sdp.parser import parse_sdp
from mediaserver.sdp.writer import write_sdp

_T = TypeVar("_T")

words = st.text("abcXYZ019+-", min_size=1, max_size=6)
rids = st.text("abcXYZ019_-", min_size=1, max_size=6)
ice = words.map(lambda word: word + "/" * 22)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
optional_words = st.none() | words


def tuples(
    values: st.SearchStrategy[_T], size: int = 2, key: Callable[[_T], Hashable] | None = None
) -> st.SearchStrategy[tuple[_T, ...]]:
    return st.lists(values, max_size=size, unique_by=key).map(tuple)


codecs = st.builds(
    CodecDescription,
    st.integers(0, 127),
    words,
    st.integers(1, 0xFFFFFFFF),
    st.integers(1, 255),
    st.just("") | words.map(lambda word: f"{word}=1;b"),
    tuples(words, key=str),
)
directions = st.sampled_from(Direction)
layers = st.lists(
    st.lists(st.builds(SimulcastStream, rids, st.booleans()), min_size=1, max_size=3).map(tuple),
    min_size=1,
    max_size=4,
).map(tuple)
candidates = st.builds(
    Candidate,
    words,
    st.integers(1, 256),
    st.sampled_from(["udp", "tcp"]),
    u32,
    st.sampled_from(["192.0.2.1", "::1", "fd00::2"]),
    u16,
    words,
    optional_words,
    optional_words,
    st.none() | u16,
)
sections = st.builds(
    MediaDescription,
    kind=st.sampled_from(["audio", "video", "text"]),
    mid=words,
    port=u16,
    address=st.sampled_from(["192.0.2.1", "::1", "fd00::2"]),
    direction=directions,
    codecs=tuples(codecs, 3, lambda codec: codec.payload_type),
    extensions=tuples(
        st.builds(ExtensionDescription, st.integers(1, 4351), words, st.none() | directions),
        3,
        lambda extension: extension.id,
    ),
    extmap_allow_mixed=st.booleans(),
    bundle_only=st.booleans(),
    ice_ufrag=st.none() | ice,
    ice_password=st.none() | ice,
    ice_options=tuples(words),
    fingerprints=tuples(
        st.binary(min_size=1, max_size=4).map(lambda raw: Fingerprint("sha-1", raw.hex(":").upper())),
        3,
        lambda fingerprint: fingerprint.value,
    ),
    setup=st.none() | st.sampled_from(["actpass", "active", "passive"]),
    candidates=tuples(candidates),
    end_of_candidates=st.booleans(),
    msids=tuples(st.builds(Msid, words, words), 3, lambda msid: msid),
    ssrcs=tuples(
        st.builds(SsrcDescription, u32, optional_words, optional_words), 5, lambda source: source.ssrc
    ),
    ssrc_groups=tuples(
        st.builds(SsrcGroup, words, st.lists(u32, min_size=1, max_size=4).map(tuple)), 3, lambda group: group
    ),
    rids=tuples(
        st.builds(
            RidDescription,
            rids,
            st.sampled_from(["send", "recv"]),
            tuples(st.tuples(words, words | st.just(""))),
        ),
        4,
        lambda rid: rid.id,
    ),
    simulcast=st.none()
    | st.builds(SimulcastDescription, send=layers)
    | st.builds(SimulcastDescription, send=layers, recv=layers),
    rtcp_mux=st.booleans(),
    rtcp_rsize=st.booleans(),
    sctp_port=st.none() | u16,
    max_message_size=st.none() | st.integers(0, 2**64 - 1),
    bandwidth=tuples(st.tuples(words, u32)),
)
data_sections = st.builds(
    MediaDescription,
    kind=st.just("application"),
    mid=words,
    protocol=st.just("UDP/DTLS/SCTP"),
    direction=directions,
    formats=st.just(("webrtc-datachannel",)),
    sctp_port=u16,
)
descriptions = st.builds(
    SessionDescription,
    origin=st.builds(Origin, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), words),
    media=st.lists(sections | data_sections, max_size=3, unique_by=lambda media: media.mid).map(tuple),
    bundle=st.none() | st.lists(words, max_size=4, unique=True).map(tuple),
    ice_lite=st.booleans(),
    extmap_allow_mixed=st.booleans(),
)


@given(descriptions)
def test_any_description_survives(description: SessionDescription) -> None:
    assert parse_sdp(write_sdp(description)) == description


def test_a_section_without_codecs_still_names_a_format() -> None:
    description = SessionDescription(Origin(1, 1), (MediaDescription("video", "a", port=0),))
    assert "m=video 0 UDP/TLS/RTP/SAVPF 0\r\n" in write_sdp(description)


@pytest.mark.parametrize("text", ["a\r\na=mid:evil", "a\nb", "a\rb"])
def test_a_value_cannot_add_a_line(text: str) -> None:
    media = MediaDescription("audio", "a", msids=(Msid("stream", text),))
    description = SessionDescription(Origin(1, 1), (media,))
    with pytest.raises(SdpError, match="line break"):
        write_sdp(description)
    write_sdp(replace(description, media=(replace(media, msids=(Msid("stream", "a"),)),)))
