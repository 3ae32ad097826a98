"""Negotiation: recorded offers and answers, re-offers, codec choice, simulcast, and what is refused."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from aiortc import sdp as aiortc_sdp

from mediaserver.rtp.extensions import HeaderExtension
from mediaserver.sdp.description import (
    Candidate,
    Direction,
    ExtensionDescription,
    MediaDescription,
    Msid,
    SdpError,
    SessionDescription,
    SimulcastDescription,
    SimulcastStream,
    SsrcDescription,
    SsrcGroup,
)
from mediaserver.sdp.negotiate import (
    DATA_MID,
    LocalEndpoint,
    OfferSection,
    SectionPlan,
    SendPlan,
    answer_offer,
    apply_answer,
    create_offer,
)
from mediaserver.sdp.negotiated import NegotiatedSession
from mediaserver.sdp.parser import parse_sdp
from mediaserver.sdp.writer import write_sdp
from tests.unit.sdp.captures import (
    CHROMIUM_ANSWER,
    CHROMIUM_JOIN,
    CHROMIUM_PUBLISH,
    FIREFOX_JOIN,
    NATIVE_ANSWER,
    NATIVE_PUBLISH,
    OFFERS,
    capture,
)

CANDIDATES = (
    Candidate("1", 1, "udp", 2130706431, "192.0.2.1", 7882, "host"),
    Candidate("2", 1, "tcp", 1671430143, "192.0.2.1", 7881, "host", "passive"),
)
LOCAL = LocalEndpoint(
    ufrag="oursufrag",
    password="ourspasswordourspassword",
    fingerprint=":".join(["ab"] * 32),
    candidates=CANDIDATES,
    session_id=77,
    session_version=5,
    cname="server",
)
RECEIVE = SectionPlan(receive=True)
AUDIO_PLAN = SendPlan("PA_1|TR_1", "TR_1", 1001)
VIDEO_PLAN = SendPlan("PA_1|TR_2", "TR_2", 2001, 2002, "vp8")
VIDEO_EXTENSIONS = {
    HeaderExtension.TRANSPORT_SEQUENCE,
    HeaderExtension.MID,
    HeaderExtension.RID,
    HeaderExtension.REPAIRED_RID,
    HeaderExtension.DEPENDENCY_DESCRIPTOR,
    HeaderExtension.VIDEO_ORIENTATION,
}


def answer_to(
    offer: SessionDescription, plans: dict[str, SectionPlan] | None = None
) -> tuple[SessionDescription, NegotiatedSession]:
    """The answer as the client reads it, and what was settled."""
    answer, session = answer_offer(offer, LOCAL, plans or {})
    assert parse_sdp(write_sdp(answer)) == answer
    return answer, session


def offered(name: str) -> SessionDescription:
    return parse_sdp(capture(name))


def change(
    description: SessionDescription, mid: str, edit: Callable[[MediaDescription], MediaDescription]
) -> SessionDescription:
    """The description with one section edited."""
    return replace(
        description,
        media=tuple(edit(media) if media.mid == mid else media for media in description.media),
    )


def section(description: SessionDescription, mid: str) -> MediaDescription:
    return next(media for media in description.media if media.mid == mid)


def order(media: MediaDescription) -> list[str]:
    return [codec.name for codec in media.codecs]


# -- answers


@pytest.mark.parametrize("name", OFFERS)
def test_every_recorded_offer_is_answered_in_full(name: str) -> None:
    offer = offered(name)
    answer, session = answer_to(offer)
    assert [(media.kind, media.mid) for media in answer.media] == [
        (media.kind, media.mid) for media in offer.media
    ]
    assert session.rejected == {}
    assert answer.bundle == offer.bundle
    assert answer.ice_lite
    assert answer.origin.session_id == 77
    assert answer.origin.session_version == 5
    assert answer.extmap_allow_mixed == offer.extmap_allow_mixed
    for index, media in enumerate(answer.media):
        assert media.port == 9
        assert media.setup == "passive"
        assert (media.ice_ufrag, media.ice_password) == ("oursufrag", "ourspasswordourspassword")
        assert media.fingerprints[0].value == ":".join(["AB"] * 32)
        assert media.candidates == (CANDIDATES if index == 0 else ())
        assert media.end_of_candidates == (index == 0)
        if media.kind != "application":
            assert media.direction is Direction.INACTIVE
            assert media.rtcp_mux
            # Only payload types, extensions and feedback that were offered.
            offered_media = offer.media[index]
            known = {codec.payload_type: codec for codec in offered_media.codecs}
            for codec in media.codecs:
                assert codec.name == known[codec.payload_type].name
                assert set(codec.feedback) <= set(known[codec.payload_type].feedback)
            assert {(item.id, item.uri) for item in media.extensions} <= {
                (item.id, item.uri) for item in offered_media.extensions
            }
            assert media.rtcp_rsize == offered_media.rtcp_rsize
    assert session.data_channel
    assert session.remote_setup == "active"


def test_the_remote_transport_is_taken_from_the_offer() -> None:
    _, session = answer_to(offered(CHROMIUM_PUBLISH))
    assert session.remote_ufrag == "Oj6D"
    assert session.remote_password == "VeFl2nxEIh9ohPLLJghxpl93"
    algorithm, value = session.remote_fingerprints[0]
    assert algorithm == "sha-256"
    assert value.startswith("93:B6:47:15")
    assert session.max_message_size == 262144
    assert answer_to(offered(FIREFOX_JOIN))[1].max_message_size == 1073741823


def test_inactive_placeholders_keep_codecs_and_every_extension() -> None:
    answer, session = answer_to(offered(CHROMIUM_JOIN))
    video = section(answer, "3")
    assert video.direction is Direction.INACTIVE
    assert {extension.uri for extension in video.extensions} == VIDEO_EXTENSIONS
    assert set(session.media["3"].extensions.values()) == VIDEO_EXTENSIONS
    assert session.extensions[4] is HeaderExtension.MID
    assert session.extensions[1] is HeaderExtension.AUDIO_LEVEL
    assert order(video)[:4] == ["VP8", "rtx", "VP9", "rtx"]
    assert session.media["0"].extensions == {
        1: HeaderExtension.AUDIO_LEVEL,
        3: HeaderExtension.TRANSPORT_SEQUENCE,
        4: HeaderExtension.MID,
    }


def test_forwarded_codecs_of_chromium() -> None:
    answer, session = answer_to(offered(CHROMIUM_PUBLISH))
    audio, video = session.media["7"].codecs, session.media["8"].codecs
    assert [(codec.name, codec.payload_type) for codec in audio] == [("opus", 111), ("red", 63)]
    assert audio[0].fmtp == "minptime=10;useinbandfec=1;stereo=1"
    assert audio[0].transport_cc
    assert not audio[0].nack
    assert audio[1].redundant_payload_type == 111
    assert section(answer, "7").codecs[1].fmtp == "111/111"
    assert [(codec.name, codec.payload_type, codec.rtx_payload_type) for codec in video] == [
        ("vp8", 96, 97),
        ("h264", 102, 103),
        ("h264", 108, 109),
        ("h264", 116, 117),
        ("av1", 45, 46),
        ("vp9", 98, 99),
        ("vp9", 100, 101),
    ]
    for codec in video:
        assert (codec.nack, codec.pli, codec.fir, codec.transport_cc, codec.remb) == (True,) * 5
    assert session.media["8"].rtx_payload_types[97] == 96
    assert session.media["8"].transport_cc
    # Packetization mode 0, High 4:4:4, VP9 profiles 1 and 3 and FEC are not forwarded; hints are not echoed.
    written = {codec.payload_type: codec for codec in section(answer, "8").codecs}
    assert not written.keys() & {104, 114, 39, 41, 43, 35, 37, 47, 118, 120, 49}
    assert written[96].fmtp == ""
    assert written[108].fmtp == "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
    assert written[109].fmtp == "apt=108"


def test_the_number_of_formats_looked_at_is_bounded() -> None:
    formats = range(64)
    lines = "".join(f"a=rtpmap:{number} VP8/90000\r\n" for number in formats)
    text = capture(CHROMIUM_JOIN).split("m=audio")[0] + (
        f"m=video 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, formats))}\r\na=mid:0\r\na=rtcp-mux\r\n"
        f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\na=setup:active\r\n"
        f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n{lines}"
    )
    _, session = answer_to(parse_sdp(text))
    assert len(session.media["0"].codecs) == 24


def test_audio_nack_is_never_agreed() -> None:
    offer = change(
        offered(CHROMIUM_JOIN),
        "0",
        lambda media: replace(
            media, codecs=(replace(media.codecs[0], feedback=("nack", "transport-cc")), *media.codecs[1:])
        ),
    )
    answer, session = answer_to(offer)
    assert section(answer, "0").codecs[0].feedback == ("transport-cc",)
    assert not session.media["0"].codecs[0].nack


def test_the_clients_wishes_for_opus_are_kept() -> None:
    text = capture(CHROMIUM_JOIN).replace(
        "a=fmtp:111 minptime=10;useinbandfec=1", "a=fmtp:111 usedtx=1;useinbandfec=1;stereo=1;x=2"
    )
    answer, _ = answer_to(parse_sdp(text))
    assert section(answer, "0").codecs[0].fmtp == "minptime=10;useinbandfec=1;stereo=1;usedtx=1"


def test_silence_is_asked_to_be_left_out_once() -> None:
    plan = {"7": SectionPlan(receive=True, dtx=True)}
    answer, _ = answer_to(offered(CHROMIUM_PUBLISH), plan)
    assert section(answer, "7").codecs[0].fmtp == "minptime=10;useinbandfec=1;stereo=1;usedtx=1"
    wishing = parse_sdp(capture(CHROMIUM_PUBLISH).replace(";stereo=1", ";usedtx=1"))
    answer, _ = answer_to(wishing, plan)
    assert section(answer, "7").codecs[0].fmtp == "minptime=10;useinbandfec=1;usedtx=1"
    assert "usedtx" not in section(answer_to(offered(CHROMIUM_PUBLISH))[0], "7").codecs[0].fmtp


@pytest.mark.parametrize(
    ("preferred", "first"),
    [
        (("video/AV1",), ["AV1", "rtx", "VP8"]),
        (("H264",), ["H264", "rtx", "H264", "rtx", "H264", "rtx", "VP8"]),
        (("vp9", "vp8"), ["VP9", "rtx", "VP9", "rtx", "VP8"]),
        (("hevc", "vp8"), ["VP8", "rtx", "H264"]),
        ((), ["VP8", "rtx", "H264"]),
    ],
)
def test_preferred_codecs_come_first(preferred: tuple[str, ...], first: list[str]) -> None:
    plan = SectionPlan(receive=True, preferred_codecs=preferred)
    answer, session = answer_to(offered(CHROMIUM_PUBLISH), {"8": plan})
    assert order(section(answer, "8"))[: len(first)] == first
    assert session.media["8"].codecs[0].name == first[0].lower()
    assert len(session.media["8"].codecs) == 7


def test_of_preferred_h264_the_most_common_profile_comes_first() -> None:
    _, session = answer_to(
        offered(CHROMIUM_PUBLISH), {"8": SectionPlan(receive=True, preferred_codecs=("h264",))}
    )
    payload_types = [codec.payload_type for codec in session.media["8"].codecs if codec.name == "h264"]
    assert payload_types == [108, 102, 116]


def test_redundancy_is_asked_for_by_its_place() -> None:
    plan = SectionPlan(receive=True, preferred_codecs=("red", "opus"))
    answer, session = answer_to(offered(CHROMIUM_PUBLISH), {"7": plan})
    assert [codec.payload_type for codec in section(answer, "7").codecs] == [63, 111]
    assert session.media["7"].codecs[0].name == "red"
    _, firefox = answer_to(offered(FIREFOX_JOIN), {"0": plan})
    assert [codec.name for codec in firefox.media["0"].codecs] == ["opus"]
    assert firefox.media["0"].payload_type_for("red") is None


@pytest.mark.parametrize("fmtp", ["", "111/9", "9/9", "x/x", "111/111/112"])
def test_redundancy_of_anything_but_opus_is_left_out(fmtp: str) -> None:
    text = capture(CHROMIUM_JOIN).replace("a=fmtp:63 111/111", f"a=fmtp:63 {fmtp}")
    _, session = answer_to(parse_sdp(text))
    assert [codec.name for codec in session.media["0"].codecs] == ["opus"]


def test_h264_without_fragments_only_if_there_is_nothing_better() -> None:
    text = capture(CHROMIUM_PUBLISH)
    for payload_type in (102, 108, 116, 41):
        text = text.replace(
            f"a=fmtp:{payload_type} level-asymmetry-allowed=1;packetization-mode=1",
            f"a=fmtp:{payload_type} level-asymmetry-allowed=1;packetization-mode=0",
        )
    _, session = answer_to(parse_sdp(text))
    modes = [
        codec.parameters["packetization-mode"] for codec in session.media["8"].codecs if codec.name == "h264"
    ]
    assert modes
    assert set(modes) == {"0"}


# -- publishing


def test_receiving_a_microphone_and_a_simulcast_camera() -> None:
    answer, session = answer_to(offered(CHROMIUM_PUBLISH), {"7": RECEIVE, "8": RECEIVE, "0": RECEIVE})
    assert section(answer, "7").direction is Direction.RECVONLY
    camera = section(answer, "8")
    assert camera.direction is Direction.RECVONLY
    assert [(rid.id, rid.direction) for rid in camera.rids] == [("q", "recv"), ("h", "recv"), ("f", "recv")]
    assert camera.simulcast == SimulcastDescription(recv=tuple((SimulcastStream(rid),) for rid in "qhf"))
    assert "a=simulcast:recv q;h;f\r\n" in write_sdp(answer)
    negotiated = session.media["8"]
    assert (negotiated.receive, negotiated.send) == (True, False)
    assert negotiated.rids == ("q", "h", "f")
    assert negotiated.ssrcs == {}
    assert negotiated.stream_id == "4f129504-cc19-483d-9d04-ee1d38e24d11"
    assert negotiated.track_id == "f8afe8c8-e300-4224-9e87-2325110af46c"
    assert session.media["7"].ssrcs == {402491210: None}
    # The client sends nothing in its first section, whatever we plan.
    assert not session.media["0"].receive
    assert section(answer, "0").direction is Direction.INACTIVE


def test_the_native_sdk_keeps_its_own_order_of_layers() -> None:
    answer, session = answer_to(offered(NATIVE_PUBLISH), {"14": RECEIVE})
    assert session.media["14"].rids == ("h", "q")
    assert session.media["14"].stream_id is None
    assert session.media["14"].track_id == "fcb803c8-04c5-45e1-a9dd-864e85067d15"
    assert [codec.name for codec in session.media["14"].codecs] == ["vp8"]
    assert session.media["14"].codecs[0].rtx_payload_type is None
    assert "a=simulcast:recv h;q\r\n" in write_sdp(answer)


def test_simulcast_is_kept_while_the_section_is_inactive() -> None:
    answer, session = answer_to(offered(CHROMIUM_PUBLISH))
    assert section(answer, "8").direction is Direction.INACTIVE
    assert section(answer, "8").simulcast is not None
    assert session.media["8"].rids == ("q", "h", "f")


def test_paused_layers_and_alternatives() -> None:
    text = capture(CHROMIUM_PUBLISH).replace("a=simulcast:send q;h;f", "a=simulcast:send unknown,q;~h;f,q")
    answer, _ = answer_to(parse_sdp(text), {"8": RECEIVE})
    assert "a=simulcast:recv q;~h;f\r\n" in write_sdp(answer)


def test_simulcast_needs_the_rid_extension() -> None:
    offer = change(
        offered(CHROMIUM_PUBLISH),
        "8",
        lambda media: replace(
            media,
            extensions=tuple(item for item in media.extensions if item.uri != HeaderExtension.RID.value),
        ),
    )
    answer, session = answer_to(offer, {"8": RECEIVE})
    assert section(answer, "8").simulcast is None
    assert section(answer, "8").rids == ()
    assert session.media["8"].rids == ()


def test_announced_ssrcs_are_paired_and_ordered() -> None:
    offer = change(
        offered(CHROMIUM_PUBLISH),
        "8",
        lambda media: replace(
            media,
            msids=(),
            ssrcs=tuple(SsrcDescription(ssrc, "c", "stream track") for ssrc in (1, 11, 2, 12, 3, 99)),
            ssrc_groups=(
                SsrcGroup("SIM", (3, 2, 1)),
                SsrcGroup("FID", (1, 11)),
                SsrcGroup("FID", (2, 12)),
                SsrcGroup("FEC-FR", (1, 99)),
            ),
        ),
    )
    _, session = answer_to(offer, {"8": RECEIVE})
    assert list(session.media["8"].ssrcs.items()) == [(3, None), (2, 12), (1, 11)]
    assert (session.media["8"].stream_id, session.media["8"].track_id) == ("stream", "track")


# -- subscribing


@pytest.mark.parametrize("name", OFFERS)
def test_sending_into_placeholders(name: str) -> None:
    offer = offered(name)
    audio = next(media for media in offer.media if media.kind == "audio")
    video = next(media for media in offer.media if media.kind == "video")
    answer, session = answer_to(
        offer, {audio.mid: SectionPlan(send=AUDIO_PLAN), video.mid: SectionPlan(send=VIDEO_PLAN)}
    )
    assert section(answer, audio.mid).direction is Direction.SENDONLY
    assert section(answer, audio.mid).msids == (Msid("PA_1|TR_1", "TR_1"),)
    assert section(answer, audio.mid).ssrcs == (SsrcDescription(1001, "server"),)
    assert section(answer, video.mid).ssrc_groups == (SsrcGroup("FID", (2001, 2002)),)
    assert [source.ssrc for source in section(answer, video.mid).ssrcs] == [2001, 2002]
    assert (session.media[video.mid].receive, session.media[video.mid].send) == (False, True)
    # What the receiver announced as its own sender SSRC (Firefox does) is not what we receive.
    assert session.media[video.mid].ssrcs == {}


def test_the_codec_to_be_sent_comes_first() -> None:
    plan = SectionPlan(send=replace(VIDEO_PLAN, codec="video/H264"), preferred_codecs=("av1",))
    answer, _ = answer_to(offered(CHROMIUM_JOIN), {"3": plan})
    assert order(section(answer, "3"))[:7] == ["H264", "rtx", "H264", "rtx", "H264", "rtx", "AV1"]


def test_no_retransmission_ssrc_without_the_format() -> None:
    offer = change(
        offered(CHROMIUM_JOIN),
        "3",
        lambda media: replace(media, codecs=tuple(codec for codec in media.codecs if codec.name != "rtx")),
    )
    answer, _ = answer_to(offer, {"3": SectionPlan(send=VIDEO_PLAN)})
    assert section(answer, "3").ssrcs == (SsrcDescription(2001, "server"),)
    assert section(answer, "3").ssrc_groups == ()


def test_stereo_is_announced_once() -> None:
    plan = {"0": SectionPlan(send=replace(AUDIO_PLAN, stereo=True))}
    answer, _ = answer_to(offered(FIREFOX_JOIN), plan)
    assert section(answer, "0").codecs[0].fmtp.split(";").count("sprop-stereo=1") == 1
    again, _ = answer_to(change(offered(FIREFOX_JOIN), "0", lambda _: section_offer(answer)), plan)
    assert section(again, "0").codecs[0].fmtp.split(";").count("sprop-stereo=1") == 1


def section_offer(answer: SessionDescription) -> MediaDescription:
    return replace(section(answer, "0"), direction=Direction.RECVONLY, setup="actpass")


def test_both_directions_in_one_section() -> None:
    offer = change(offered(CHROMIUM_PUBLISH), "7", lambda media: replace(media, direction=Direction.SENDRECV))
    answer, session = answer_to(offer, {"7": SectionPlan(receive=True, send=AUDIO_PLAN)})
    assert section(answer, "7").direction is Direction.SENDRECV
    assert (session.media["7"].receive, session.media["7"].send) == (True, True)


def test_one_way_extensions_are_answered_the_other_way() -> None:
    answer, session = answer_to(offered(FIREFOX_JOIN))
    assert (
        ExtensionDescription(6, HeaderExtension.PLAYOUT_DELAY.value, Direction.SENDONLY)
        in section(answer, "3").extensions
    )
    assert session.media["3"].extension_id(HeaderExtension.PLAYOUT_DELAY) == 6
    assert session.media["3"].extension_id(HeaderExtension.RID) is None


# -- re-offers


def test_a_growing_offer_keeps_what_was_there() -> None:
    first, _ = answer_to(offered(CHROMIUM_JOIN), {"0": SectionPlan(send=AUDIO_PLAN)})
    second, session = answer_to(
        offered(CHROMIUM_PUBLISH), {"0": SectionPlan(send=AUDIO_PLAN), "7": RECEIVE, "8": RECEIVE}
    )
    assert [media.mid for media in second.media] == ["0", "1", "2", "3", "4", "5", "6", "7", "8"]
    for before, after in zip(first.media, second.media, strict=False):
        assert before.codecs == after.codecs
        assert before.extensions == after.extensions
        assert before.msids == after.msids
    assert set(session.media) == {"0", "1", "2", "3", "4", "5", "7", "8"}


def test_an_unpublished_section_is_answered_inactive() -> None:
    offer = change(
        offered(CHROMIUM_PUBLISH),
        "8",
        lambda media: replace(media, direction=Direction.INACTIVE, msids=(), rids=(), simulcast=None),
    )
    answer, session = answer_to(offer, {"8": RECEIVE})
    assert section(answer, "8").direction is Direction.INACTIVE
    assert not session.media["8"].receive
    assert session.media["8"].track_id is None


def test_a_stopped_section_is_refused_and_its_place_is_used_again() -> None:
    publishing = offered(CHROMIUM_PUBLISH)
    stopped = replace(
        change(publishing, "8", lambda media: replace(media, port=0, direction=Direction.INACTIVE)),
        bundle=("0", "1", "2", "3", "4", "5", "6", "7"),
    )
    answer, session = answer_to(stopped, {"8": RECEIVE})
    assert section(answer, "8").port == 0
    assert answer.bundle == stopped.bundle
    assert session.rejected == {"8": "the offer itself refuses it (port 0)"}
    assert "8" not in session.media

    recycled = replace(
        change(publishing, "8", lambda media: replace(media, mid="9")),
        bundle=("0", "1", "2", "3", "4", "5", "6", "7", "9"),
    )
    answer, session = answer_to(recycled, {"9": RECEIVE})
    assert answer.media[8].mid == "9"
    assert session.media["9"].receive
    assert session.rejected == {}


def test_a_bundled_section_with_port_0_in_the_offer_itself_is_refused() -> None:
    offer = change(offered(CHROMIUM_PUBLISH), "0", lambda media: replace(media, port=0))
    answer, session = answer_to(offer)
    assert answer.media[0].port == 0
    assert answer.bundle is not None
    assert "0" not in answer.bundle
    # The candidates move to the first section that is accepted.
    assert answer.media[1].candidates == CANDIDATES
    assert "port 0" in session.rejected["0"]


# -- what is refused, and why


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda media: replace(media, rtcp_mux=False), "a=rtcp-mux"),
        (lambda media: replace(media, protocol="RTP/AVP"), "RTP/AVP"),
        (lambda media: replace(media, kind="text"), "text"),
        (lambda media: replace(media, codecs=media.codecs[2:]), "G722, PCMU"),
        (lambda media: replace(media, codecs=()), "none"),
    ],
)
def test_one_unusable_section_is_refused_with_a_reason(
    edit: Callable[[MediaDescription], MediaDescription], reason: str
) -> None:
    offer = change(offered(CHROMIUM_JOIN), "1", edit)
    answer, session = answer_to(offer)
    assert answer.media[1].port == 0
    assert reason in session.rejected["1"]
    assert len(session.media) == 5


def test_a_second_data_section_is_refused() -> None:
    offer = offered(CHROMIUM_JOIN)
    offer = replace(
        offer,
        media=(*offer.media, replace(offer.media[6], mid="7")),
        bundle=(*(offer.bundle or ()), "7"),
    )
    answer, session = answer_to(offer)
    assert answer.media[7].port == 0
    assert answer.media[7].formats == ("webrtc-datachannel",)
    assert "one data section" in session.rejected["7"]
    assert session.data_channel


def test_an_old_data_section_is_refused() -> None:
    offer = change(
        offered(CHROMIUM_JOIN), "6", lambda media: replace(media, protocol="DTLS/SCTP", formats=("5000",))
    )
    answer, session = answer_to(offer)
    assert not session.data_channel
    assert "webrtc-datachannel" in session.rejected["6"]
    assert write_sdp(answer).count("m=application 0 DTLS/SCTP 5000\r\n") == 1


def test_the_default_message_size_is_that_of_the_standard() -> None:
    offer = change(offered(CHROMIUM_JOIN), "6", lambda media: replace(media, max_message_size=None))
    assert answer_to(offer)[1].max_message_size == 65536


@dataclass(frozen=True)
class BadOffer:
    """An offer that cannot be answered at all."""

    edit: Callable[[MediaDescription], MediaDescription]
    reason: str


@pytest.mark.parametrize(
    "bad",
    [
        BadOffer(lambda media: replace(media, mid=""), "a=mid"),
        BadOffer(lambda media: replace(media, port=0, bundle_only=False), "no section"),
        BadOffer(lambda media: replace(media, ice_ufrag=None), "a=ice-ufrag"),
        BadOffer(lambda media: replace(media, ice_password=None), "a=ice-pwd"),
        BadOffer(lambda media: replace(media, fingerprints=()), "a=fingerprint"),
        BadOffer(lambda media: replace(media, setup="passive"), "a=setup:passive"),
    ],
    ids=lambda bad: bad.reason,
)
def test_an_unusable_offer_is_an_error(bad: BadOffer) -> None:
    offer = offered(CHROMIUM_JOIN)
    with pytest.raises(SdpError, match=bad.reason):
        answer_offer(replace(offer, media=tuple(bad.edit(media) for media in offer.media)), LOCAL, {})


def test_an_offer_needs_a_bundle() -> None:
    offer = offered(CHROMIUM_JOIN)
    with pytest.raises(SdpError, match="BUNDLE"):
        answer_offer(replace(offer, bundle=None), LOCAL, {})
    _, session = answer_to(replace(offer, bundle=("0", "6")))
    assert set(session.media) == {"0"}
    assert "BUNDLE" in session.rejected["1"]
    answer, _ = answer_to(replace(offer, bundle=None, media=offer.media[6:]))
    assert answer.bundle is None


def test_a_bundle_has_one_numbering_of_extensions() -> None:
    offer = change(
        offered(CHROMIUM_JOIN),
        "3",
        lambda media: replace(media, extensions=(ExtensionDescription(1, HeaderExtension.MID.value),)),
    )
    with pytest.raises(SdpError, match="extension id 1"):
        answer_offer(offer, LOCAL, {})


def test_reserved_and_repeated_extension_ids_are_left_out() -> None:
    extensions = (
        ExtensionDescription(15, HeaderExtension.MID.value),
        ExtensionDescription(4100, HeaderExtension.RID.value),
        ExtensionDescription(200, HeaderExtension.MID.value),
        ExtensionDescription(201, HeaderExtension.MID.value),
    )
    offer = change(offered(CHROMIUM_JOIN), "3", lambda media: replace(media, extensions=extensions))
    answer, _ = answer_to(offer)
    assert section(answer, "3").extensions == (extensions[2],)


# -- our own offers

SECTIONS = (
    OfferSection("1", "audio", AUDIO_PLAN),
    OfferSection("2", "video", VIDEO_PLAN, codecs=("vp8",)),
)


def test_our_offer() -> None:
    offer = create_offer(LOCAL, SECTIONS)
    assert parse_sdp(write_sdp(offer)) == offer
    assert offer.bundle == ("0", "1", "2")
    assert offer.ice_lite
    assert [media.kind for media in offer.media] == ["application", "audio", "video"]
    assert offer.media[0].mid == DATA_MID
    assert offer.media[0].candidates == CANDIDATES
    assert offer.media[0].end_of_candidates
    assert {media.setup for media in offer.media} == {"actpass"}
    audio, video = offer.media[1:]
    assert audio.direction is Direction.SENDONLY
    assert [codec.payload_type for codec in audio.codecs] == [111, 63]
    assert [(codec.payload_type, codec.name) for codec in video.codecs] == [(96, "VP8"), (97, "rtx")]
    assert video.ssrc_groups == (SsrcGroup("FID", (2001, 2002)),)
    assert video.msids == (Msid("PA_1|TR_2", "TR_2"),)
    assert HeaderExtension.AUDIO_LEVEL.value not in {extension.uri for extension in video.extensions}
    assert HeaderExtension.VIDEO_ORIENTATION.value not in {extension.uri for extension in audio.extensions}


def test_our_payload_types_are_distinct_and_clear_of_rtcp() -> None:
    numbers: list[int] = []
    for media in create_offer(LOCAL, [OfferSection("1", "audio"), OfferSection("2", "video")]).media:
        numbers += [codec.payload_type for codec in media.codecs]
    assert len(set(numbers)) == len(numbers) == 18
    assert not set(numbers) & set(range(64, 96))


def test_a_removed_track_leaves_an_inactive_section_for_the_next() -> None:
    first = create_offer(LOCAL, SECTIONS)
    second = create_offer(LOCAL, [SECTIONS[0], replace(SECTIONS[1], send=None)])
    assert second.media[2].direction is Direction.INACTIVE
    assert second.media[2].msids == ()
    assert second.media[2].codecs == first.media[2].codecs
    third = create_offer(LOCAL, SECTIONS)
    assert third.media == first.media


def test_a_stopped_section_keeps_its_place_and_can_be_replaced() -> None:
    stopped = create_offer(LOCAL, [replace(SECTIONS[0], stopped=True), SECTIONS[1]])
    assert stopped.media[1].port == 0
    assert stopped.bundle == ("0", "2")
    assert parse_sdp(write_sdp(stopped)) == stopped
    recycled = create_offer(LOCAL, [OfferSection("3", "audio", AUDIO_PLAN), SECTIONS[1]])
    assert [media.mid for media in recycled.media] == ["0", "3", "2"]


def test_the_chosen_codec_of_our_offer_comes_first() -> None:
    plan = replace(VIDEO_PLAN, codec="av1")
    (media,) = create_offer(LOCAL, [OfferSection("1", "video", plan)], data_channel=False).media
    assert order(media)[:3] == ["AV1", "rtx", "VP8"]
    assert media.candidates == CANDIDATES
    (media,) = create_offer(LOCAL, [OfferSection("1", "audio", codecs=("red",))], data_channel=False).media
    assert order(media) == ["red", "opus"]


def test_a_stereo_track_of_our_offer() -> None:
    offer = create_offer(LOCAL, [OfferSection("1", "audio", replace(AUDIO_PLAN, stereo=True))])
    assert offer.media[1].codecs[0].fmtp == "minptime=10;useinbandfec=1;sprop-stereo=1"


@pytest.mark.parametrize(
    ("sections", "word"),
    [
        ([OfferSection("0", "audio")], "same mid"),
        ([OfferSection("1", "text")], "neither audio nor video"),
        ([OfferSection("1", "audio", codecs=("vp8",))], "'vp8'"),
    ],
)
def test_a_wrong_offer_of_ours_is_an_error(sections: list[OfferSection], word: str) -> None:
    with pytest.raises(SdpError, match=word):
        create_offer(LOCAL, sections)


# -- answers to our offers


def offer_for_chromium_answer() -> SessionDescription:
    kinds = ("audio", "video", "audio", "video", "audio")
    return create_offer(
        LOCAL,
        [
            OfferSection(str(mid), kind, replace(VIDEO_PLAN if kind == "video" else AUDIO_PLAN, ssrc=mid))
            for mid, kind in enumerate(kinds, 1)
        ],
    )


def test_chromiums_recorded_answer() -> None:
    session = apply_answer(offer_for_chromium_answer(), parse_sdp(capture(CHROMIUM_ANSWER)))
    assert (session.remote_ufrag, session.remote_setup) == ("Xat2", "active")
    assert session.data_channel
    assert session.max_message_size == 262144
    assert session.rejected == {}
    assert list(session.media) == ["1", "2", "3", "4", "5"]
    audio, video = session.media["1"], session.media["2"]
    assert (audio.send, audio.receive) == (True, False)
    assert [(codec.name, codec.payload_type, codec.nack) for codec in audio.codecs] == [("opus", 111, False)]
    assert audio.extensions == {1: HeaderExtension.AUDIO_LEVEL, 4: HeaderExtension.MID}
    assert not audio.transport_cc
    (vp8,) = video.codecs
    assert (vp8.name, vp8.payload_type, vp8.rtx_payload_type) == ("vp8", 96, None)
    assert (vp8.nack, vp8.pli, vp8.fir, vp8.transport_cc, vp8.remb) == (True, True, True, False, False)
    assert video.extensions == {
        4: HeaderExtension.MID,
        12: HeaderExtension.DEPENDENCY_DESCRIPTOR,
        13: HeaderExtension.VIDEO_ORIENTATION,
    }


def test_the_native_sdks_recorded_answer() -> None:
    offer = create_offer(LOCAL, [OfferSection("1", "video", VIDEO_PLAN)])
    session = apply_answer(offer, parse_sdp(capture(NATIVE_ANSWER)))
    assert session.remote_ufrag == "0wOF"
    assert session.media["1"].send
    assert [codec.name for codec in session.media["1"].codecs] == ["vp8"]


def answered(offer: SessionDescription) -> SessionDescription:
    """What a client would answer that accepts everything."""
    return replace(
        offer,
        ice_lite=False,
        media=tuple(
            replace(
                media,
                direction=media.direction.reversed,
                setup="active",
                msids=(),
                ssrcs=(),
                ssrc_groups=(),
                candidates=(),
            )
            for media in offer.media
        ),
    )


def test_an_answer_with_everything() -> None:
    offer = create_offer(LOCAL, [*SECTIONS, OfferSection("3", "video")])
    session = apply_answer(offer, answered(offer))
    assert [media.send for media in session.media.values()] == [True, True, False]
    vp8 = session.media["2"].codecs[0]
    assert (vp8.rtx_payload_type, vp8.transport_cc, vp8.remb) == (97, True, True)
    assert session.media["2"].transport_cc
    assert session.media["1"].payload_type_for("red") is not None


def test_a_refused_section_of_an_answer() -> None:
    offer = create_offer(LOCAL, SECTIONS)
    answer = change(answered(offer), "1", lambda media: replace(media, port=0, mid="", codecs=()))
    session = apply_answer(offer, replace(answer, bundle=("0", "2")))
    assert set(session.media) == {"2"}
    assert "client" in session.rejected["1"]
    stopped = create_offer(LOCAL, [replace(SECTIONS[0], stopped=True), SECTIONS[1]])
    assert "offer" in apply_answer(stopped, answered(stopped)).rejected["1"]


def test_codecs_and_extensions_nobody_offered_are_ignored() -> None:
    offer = create_offer(LOCAL, SECTIONS)
    answer = change(
        answered(offer),
        "2",
        lambda media: replace(
            media,
            codecs=(*media.codecs, replace(media.codecs[0], payload_type=45, name="AV1")),
            extensions=(
                ExtensionDescription(4, HeaderExtension.MID.value),
                ExtensionDescription(9, HeaderExtension.RID.value),
                ExtensionDescription(3, "urn:unknown"),
            ),
        ),
    )
    session = apply_answer(offer, answer)
    assert [codec.name for codec in session.media["2"].codecs] == ["vp8"]
    assert session.media["2"].extensions == {4: HeaderExtension.MID}
    answer = change(answer, "2", lambda media: replace(media, codecs=media.codecs[2:]))
    assert "no codec" in apply_answer(offer, answer).rejected["2"]


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (lambda answer: replace(answer, media=answer.media[:-1]), "2 media sections"),
        (lambda answer: change(answer, "1", lambda media: replace(media, kind="video")), "was offered as"),
        (lambda answer: change(answer, "1", lambda media: replace(media, mid="9")), "mid"),
        (lambda answer: replace(answer, bundle=None), "BUNDLE"),
        (lambda answer: replace(answer, bundle=("0", "1")), "BUNDLE"),
        (
            lambda answer: replace(
                answer, media=tuple(replace(media, setup="passive") for media in answer.media)
            ),
            "a=setup:passive",
        ),
        (
            lambda answer: replace(
                answer, media=tuple(replace(media, fingerprints=()) for media in answer.media)
            ),
            "fingerprint",
        ),
        (
            lambda answer: replace(answer, media=tuple(replace(media, port=0) for media in answer.media)),
            "accepts no media section",
        ),
    ],
)
def test_an_answer_that_does_not_fit_is_an_error(
    edit: Callable[[SessionDescription], SessionDescription], word: str
) -> None:
    offer = create_offer(LOCAL, SECTIONS)
    with pytest.raises(SdpError, match=word):
        apply_answer(offer, edit(answered(offer)))


# -- another implementation reads what we write


@pytest.mark.parametrize("name", OFFERS)
def test_aiortc_reads_our_answers(name: str) -> None:
    offer = offered(name)
    plans = {
        media.mid: RECEIVE
        if media.direction.sends
        else SectionPlan(send=VIDEO_PLAN if media.kind == "video" else AUDIO_PLAN)
        for media in offer.media
    }
    answer, session = answer_to(offer, plans)
    theirs = aiortc_sdp.SessionDescription.parse(write_sdp(answer))
    assert [media.rtp.muxId for media in theirs.media] == [media.mid for media in answer.media]
    for parsed, media in zip(theirs.media, answer.media, strict=True):
        assert parsed.ice is not None
        assert (parsed.ice.usernameFragment, parsed.ice.iceLite) == ("oursufrag", True)
        assert parsed.dtls is not None
        assert parsed.dtls.role == "server"
        if media.kind != "application":
            assert parsed.direction == media.direction.value
            assert [codec.payloadType for codec in parsed.rtp.codecs] == [
                codec.payload_type for codec in media.codecs
            ]
            assert (
                parsed.msid
                == " ".join([media.msids[0].stream_id, media.msids[0].track_id] if media.msids else [])
                or parsed.msid is None
            )
    assert [candidate.port for candidate in theirs.media[0].ice_candidates] == [7882, 7881]
    assert theirs.media[0].ice_candidates_complete
    assert session.media
