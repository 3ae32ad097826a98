"""Parsing: the recorded dialects, every attribute, the limits, and damage."""

import random

import pytest

from mediaserver.sdp import parser
from mediaserver.sdp.description import (
    Candidate,
    CodecDescription,
    Direction,
    ExtensionDescription,
    Fingerprint,
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
from mediaserver.sdp.parser import parse_candidate, parse_sdp
from mediaserver.sdp.writer import write_candidate, write_sdp
from tests.unit.sdp.captures import (
    CAPTURES,
    CHROMIUM_PUBLISH,
    FIREFOX_JOIN,
    NATIVE_ANSWER,
    NATIVE_PUBLISH,
    capture,
)

HEAD = "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\n"
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:0\na=rtpmap:96 VP8/90000\n"


def parse_video(lines: str) -> SessionDescription:
    return parse_sdp(HEAD + VIDEO + lines)


@pytest.mark.parametrize("name", CAPTURES)
def test_a_recorded_description_survives_being_written(name: str) -> None:
    description = parse_sdp(capture(name))
    assert parse_sdp(write_sdp(description)) == description


@pytest.mark.parametrize("name", CAPTURES)
def test_line_ends_without_carriage_return_are_the_same(name: str) -> None:
    text = capture(name)
    assert parse_sdp(text.replace("\r\n", "\n")) == parse_sdp(text)


def test_chromium_publishing() -> None:
    description = parse_sdp(capture(CHROMIUM_PUBLISH))
    assert description.origin == Origin(3633739493755208807, 3)
    assert description.bundle == ("0", "1", "2", "3", "4", "5", "6", "7", "8")
    assert description.extmap_allow_mixed
    assert not description.ice_lite
    kinds = [media.kind for media in description.media]
    assert kinds == ["audio"] * 3 + ["video"] * 3 + ["application", "audio", "video"]

    placeholder, data, microphone, camera = (description.media[index] for index in (0, 6, 7, 8))
    assert placeholder.direction is Direction.RECVONLY
    assert placeholder.port == 35695
    assert placeholder.address == "192.0.2.2"
    assert placeholder.candidates[1] == Candidate(
        "2763645355", 1, "udp", 2122265343, "fd00::2", 41715, "host"
    )

    assert data.formats == ("webrtc-datachannel",)
    assert (data.sctp_port, data.max_message_size) == (5000, 262144)

    assert microphone.direction is Direction.SENDONLY
    assert microphone.codecs[:2] == (
        CodecDescription(111, "opus", 48000, 2, "minptime=10;useinbandfec=1;stereo=1", ("transport-cc",)),
        CodecDescription(63, "red", 48000, 2, "111/111"),
    )
    track = "a6e14331-ccf9-4cc9-9a2f-39c9c6b7afc7 c753feb6-f98e-45fd-b3cf-243ce4c88ecb"
    assert microphone.msids == (Msid(*track.split()),)
    assert microphone.ssrcs == (SsrcDescription(402491210, "b9am8UafahijqP8w", track),)

    assert [rid.id for rid in camera.rids] == ["q", "h", "f"]
    assert camera.simulcast == SimulcastDescription(send=tuple((SimulcastStream(rid),) for rid in "qhf"))
    assert camera.codecs[0] == CodecDescription(
        96,
        "VP8",
        90000,
        1,
        "x-google-start-bitrate=1000",
        ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"),
    )
    assert ExtensionDescription(10, "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id") in camera.extensions
    for media in description.media:
        assert (media.ice_ufrag, media.ice_password) == ("Oj6D", "VeFl2nxEIh9ohPLLJghxpl93")
        assert media.setup == "actpass"
        assert media.fingerprints[0].algorithm == "sha-256"


def test_firefox_states_fingerprint_and_options_once_for_the_session() -> None:
    description = parse_sdp(capture(FIREFOX_JOIN))
    assert description.origin.username == "mozilla...THIS_IS_SDPARTA-99.0"
    assert {media.fingerprints for media in description.media} == {
        (
            Fingerprint(
                "sha-256",
                "82:40:32:40:32:1D:7C:98:27:67:4A:35:8D:DF:EB:11:6F:F9:32:04:CE:A2:95:53:4A:36:F0:05:6C:1C:3B:D9",
            ),
        )
    }
    assert {media.ice_options for media in description.media} == {("trickle",)}
    assert [media.port for media in description.media] == [9, 0, 0, 9, 0, 0, 9]
    assert [media.bundle_only for media in description.media] == [False, True, True, False, True, True, False]
    assert not any(media.rejected for media in description.media)
    assert description.media[0].extensions[1] == ExtensionDescription(
        2, "urn:ietf:params:rtp-hdrext:csrc-audio-level", Direction.RECVONLY
    )
    assert description.media[0].extmap_allow_mixed
    assert [media.rtcp_rsize for media in description.media] == [False] * 3 + [True] * 3 + [False]


def test_native_candidates_and_options() -> None:
    description = parse_sdp(capture(NATIVE_PUBLISH))
    assert description.media[0].ice_options == ("trickle", "goog-sped-v1")
    assert description.media[-1].msids == (Msid("-", "fcb803c8-04c5-45e1-a9dd-864e85067d15"),)
    data = parse_sdp(capture(NATIVE_ANSWER)).media[0]
    assert len(data.candidates) == 18
    assert data.candidates[2] == Candidate(
        "2796358579", 1, "tcp", 1518214911, "192.0.2.2", 56147, "host", "passive"
    )


def test_what_the_captures_lack() -> None:
    media = parse_sdp(
        HEAD
        + VIDEO
        + "b=AS:500\nb=TIAS:500000\n"
        + "a=ssrc-group:FID 1 2\na=ssrc:1 cname:a b\na=ssrc:2 cname:a b\n"
        + "a=ssrc:3 mslabel:unknown\n"
        + "a=rid:hi send pt=96,97;max-width=1280\na=rid:lo send\na=rid:in recv\n"
        + "a=simulcast:recv in send hi,~lo;~hi\n"
        + "a=rtcp-fb:* nack\na=rtcp-fb:96 nack\na=rtcp-fb:* ccm fir\n"
        + "a=end-of-candidates\n"
    ).media[0]
    assert media.bandwidth == (("AS", 500), ("TIAS", 500000))
    assert media.ssrc_groups == (SsrcGroup("FID", (1, 2)),)
    assert media.ssrcs == (SsrcDescription(1, "a b"), SsrcDescription(2, "a b"), SsrcDescription(3))
    assert media.rids[0] == RidDescription("hi", "send", (("pt", "96,97"), ("max-width", "1280")))
    assert media.simulcast == SimulcastDescription(
        send=((SimulcastStream("hi"), SimulcastStream("lo", paused=True)), (SimulcastStream("hi", True),)),
        recv=((SimulcastStream("in"),),),
    )
    assert media.codecs[0].feedback == ("nack", "ccm fir")
    assert media.end_of_candidates


def test_a_payload_type_without_rtpmap_is_left_out() -> None:
    text = HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF 0 111\na=rtpmap:111 opus/48000/2\n"
    assert [codec.payload_type for codec in parse_sdp(text).media[0].codecs] == [111]


def test_several_fmtp_lines_are_joined() -> None:
    description = parse_video("a=fmtp:96 max-fs=1\na=fmtp:96 max-fr=30\na=fmtp:99 x=1\n")
    assert description.media[0].codecs[0].fmtp == "max-fs=1;max-fr=30"


def test_extensions_of_the_session_level_reach_every_section() -> None:
    head = HEAD + "a=extmap:1 urn:a\na=extmap:2 urn:b\n"
    description = parse_sdp(head + VIDEO + "a=extmap:3 urn:b\n")
    assert description.media[0].extensions == (
        ExtensionDescription(3, "urn:b"),
        ExtensionDescription(1, "urn:a"),
    )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("a=extmap:0 urn:a\n", ("line 8", "extmap: id")),
        ("a=extmap:1 urn:a\na=extmap:1 urn:b\n", ("line 9", "two extensions")),
        ("a=extmap:1/sideways urn:a\n", ("sideways", "direction")),
        ("a=rtpmap:96 VP8\n", ("rtpmap", "clock rate")),
        ("a=rtpmap:96 VP8/0\n", ("rtpmap: clock rate",)),
        ("a=rtpmap:96 VP8/٩٠\n", ("clock rate",)),
        (f"a=fmtp:96 {'x' * 2049}\n", ("2048 characters", "a=fmtp")),
        ("a=ssrc:4294967296 cname:a\n", ("ssrc", "4294967295")),
        ("a=ssrc:-1 cname:a\n", ("ssrc",)),
        ("a=fingerprint:sha-256 AB:CD\n", ("fingerprint", "32 pairs")),
        ("a=fingerprint:sha-256 xyz\n", ("fingerprint",)),
        ("a=setup:maybe\n", ("setup",)),
        ("a=ice-ufrag:abc\n", ("ice-ufrag",)),
        ("a=ice-pwd:short\n", ("ice-pwd",)),
        ("a=candidate:1 1 udp\n", ("candidate",)),
        ("a=candidate:1 1 udp 1 192.0.2.1 70000 typ host\n", ("candidate: port",)),
        ("a=simulcast:send a;;b\n", ("simulcast",)),
        ("a=simulcast:send a send b\n", ("simulcast",)),
        ("a=simulcast:send a\na=simulcast:send b\n", ("simulcast", "two")),
        ("a=rid:a sideways\n", ("rid",)),
        ("a=rid:a send\na=rid:a recv\n", ("rid", "twice")),
        ("a=mid:\n", ("mid",)),
        ("a=msid:\n", ("msid",)),
        ("a=sctp-port:x\n", ("sctp-port",)),
        ("a=max-message-size:18446744073709551616\n", ("max-message-size",)),
        ("b=AS:fast\n", ("bandwidth",)),
        ("c=IN IP4\n", ("c:",)),
        ("nonsense\n", ("letter",)),
        ("a=x\x00y\n", ("control character",)),
        ("a=mid:1\rv=0\n", ("control character",)),
        ("m=video 9 UDP/TLS/RTP/SAVPF\n", ("m:", "format")),
        ("m=video 9 UDP/TLS/RTP/SAVPF 128\n", ("payload type", "127")),
        ("m=video 9 UDP/TLS/RTP/SAVPF 96 96\n", ("twice",)),
        ("m=video 65536 UDP/TLS/RTP/SAVPF 96\n", ("port",)),
        (VIDEO, ("two media sections", "mid")),
    ],
)
def test_an_error_says_where_and_what(lines: str, words: tuple[str, ...]) -> None:
    with pytest.raises(SdpError) as raised:
        parse_video(lines)
    message = str(raised.value)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("\r\n\r\n", "empty"),
        ("v=1\n", "version"),
        ("s=-\nv=0\n", "begin"),
        ("v=0\ns=-\n", "o="),
        ("v=0\no=- a 1 IN IP4 x\n", "session id"),
        ("v=0\no=-\n", "o:"),
    ],
)
def test_the_session_level_is_checked(text: str, word: str) -> None:
    with pytest.raises(SdpError, match=word):
        parse_sdp(text)


def numbered(line: str, count: int) -> str:
    return "".join(line.format(index) for index in range(count))


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        ("a=extmap:{0} urn:{0}\n", parser.MAX_EXTENSIONS),
        ("a=ssrc:{0} cname:x\n", parser.MAX_SSRCS),
        ("a=ssrc-group:FID {0} 1\n", parser.MAX_SSRC_GROUPS),
        ("a=rid:{0} send\n", parser.MAX_RIDS),
        ("a=msid:s {0}\n", parser.MAX_MSIDS),
        ("a=fmtp:96 a={0}\n", parser.MAX_FMTP_LINES),
        ("a=rtcp-fb:96 x{0}\n", parser.MAX_FEEDBACK),
        ("a=rtcp-fb:* x{0}\n", parser.MAX_FEEDBACK),
        ("b=AS:{0}\n", parser.MAX_BANDWIDTHS),
        ("m=audio {0} UDP/TLS/RTP/SAVPF 111\n", parser.MAX_MEDIA_SECTIONS - 1),
    ],
)
def test_lists_are_bounded(line: str, limit: int) -> None:
    # Ids of header extensions begin at 1.
    lines = numbered(line, limit + 1).split("\n")
    if line.startswith("a=extmap"):
        lines = [text.replace(":0 ", ":99 ") for text in lines]
    parse_video("\n".join(lines[:limit]) + "\n")
    with pytest.raises(
        SdpError, match=f"more than {limit if line[0] != 'm' else parser.MAX_MEDIA_SECTIONS} "
    ):
        parse_video("\n".join(lines))


def test_payload_types_are_bounded() -> None:
    formats = [str(number) for number in range(parser.MAX_CODECS + 1)]
    parse_sdp(f"{HEAD}m=audio 9 UDP/TLS/RTP/SAVPF {' '.join(formats[:-1])}\n")
    with pytest.raises(SdpError, match="payload types"):
        parse_sdp(f"{HEAD}m=audio 9 UDP/TLS/RTP/SAVPF {' '.join(formats)}\n")


def test_further_candidates_are_skipped() -> None:
    line = "a=candidate:{0} 1 udp 1 192.0.2.1 9 typ host\n"
    media = parse_video(numbered(line, parser.MAX_CANDIDATES + 5)).media[0]
    assert len(media.candidates) == parser.MAX_CANDIDATES


def test_length_and_lines_are_bounded() -> None:
    with pytest.raises(SdpError, match="65536 bytes"):
        parse_sdp("a=ssrc:1 cname:x\n" * 100_000)
    with pytest.raises(SdpError, match="65536 bytes"):
        parse_video("a=x:" + "é" * 40_000)
    with pytest.raises(SdpError, match="lines"):
        parse_video("\n" * parser.MAX_LINES)


def test_a_long_codec_list_is_parsed_without_being_remembered() -> None:
    before = parser._parse_codecs_cached.cache_info()
    parameters = ["y" * (parser.MAX_FMTP_LENGTH - 2) + f"={index}" for index in range(5)]
    description = parse_video("".join(f"a=fmtp:96 {text}\n" for text in parameters))
    assert description.media[0].codecs[0].fmtp == ";".join(parameters)
    assert parser._parse_codecs_cached.cache_info() == before


def outcome(text: str) -> SessionDescription | None:
    """The description, which must survive being written, or None if it was refused."""
    try:
        description = parse_sdp(text)
    except SdpError:
        return None
    assert parse_sdp(write_sdp(description)) == description
    return description


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("damage", ["remove", "duplicate", "truncate", "swap"])
def test_a_damaged_line_is_refused_or_understood(name: str, damage: str) -> None:
    lines = capture(name).split("\r\n")
    rng = random.Random(f"{name}{damage}")
    accepted = 0
    # Every line of the first sections and a sample of the rest, which repeat them.
    indices = (
        range(len(lines)) if len(lines) < 120 else sorted({*range(60), *rng.sample(range(len(lines)), 60)})
    )
    for index in indices:
        line = lines[index]
        middle = {
            "remove": [],
            "duplicate": [line, line],
            "truncate": [line[: rng.randrange(len(line) + 1)]],
            "swap": [rng.choice(lines)],
        }[damage]
        accepted += outcome("\r\n".join([*lines[:index], *middle, *lines[index + 1 :]])) is not None
    assert accepted > len(indices) // 10


@pytest.mark.parametrize("name", CAPTURES)
def test_flipped_bytes_are_refused_or_understood(name: str) -> None:
    data = capture(name).encode()
    rng = random.Random(name)
    for _ in range(200):
        damaged = bytearray(data)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        outcome(damaged.decode("utf-8", "replace"))


def test_a_candidate_alone() -> None:
    text = "candidate:1 1 tcp 1518280447 192.0.2.7 9 typ srflx raddr 10.0.0.1 rport 5000 tcptype active"
    candidate = parse_candidate(f"a={text} generation 0 ufrag abcd network-cost 999")
    assert candidate == Candidate(
        "1", 1, "tcp", 1518280447, "192.0.2.7", 9, "srflx", "active", "10.0.0.1", 5000
    )
    assert write_candidate(candidate) == text
    for damaged in ("", "candidate:", text[:30], text.replace("1518280447", "x"), "candidate:\n" + text):
        with pytest.raises(SdpError, match="candidate"):
            parse_candidate(damaged)
