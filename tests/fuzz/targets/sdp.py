"""Session descriptions and what is negotiated from them: all of it comes from a participant."""

from pathlib import Path
from zlib import crc32

from mediaserver.sdp.description import SdpError, SessionDescription
from mediaserver.sdp.negotiate import (
    LocalEndpoint,
    OfferSection,
    SectionPlan,
    SendPlan,
    answer_offer,
    apply_answer,
    create_offer,
)
from mediaserver.sdp.parser import parse_sdp
from mediaserver.sdp.writer import write_sdp

NAME = "sdp"
ALLOWED = (SdpError,)

_DATA = Path(__file__).parents[2] / "data" / "sdp"

_DIALECT = """v=0
o=- 1 2 IN IP6 ::1
s=-
c=IN IP6 ::1
t=0 0
a=group:BUNDLE a b
a=ice-lite
a=extmap-allow-mixed
a=fingerprint:sha-1 AA:BB
a=setup:active
m=video 0 RTP/SAVPF 96 97 100
b=TIAS:500000
a=bundle-only
a=mid:a
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=candidate:1 1 tcp 1 192.0.2.1 9 typ srflx raddr 10.0.0.1 rport 1 tcptype active generation 0
a=end-of-candidates
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:100 H264/90000
a=fmtp:100 packetization-mode=1;profile-level-id=42e01f
a=rtcp-fb:* nack pli
a=extmap:1/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
a=msid:- track
a=rid:hi send pt=96;max-width=1280
a=rid:lo send
a=rid:x recv
a=simulcast:send hi,x;~lo recv x
a=ssrc-group:FID 1 2
a=ssrc-group:SIM 1 3
a=ssrc:1 cname:x
a=ssrc:1 msid:stream track
a=ssrc:2 cname:x
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:b
a=sctp-port:5000
a=max-message-size:0
"""
CORPUS: list[bytes] = [
    *(path.read_bytes() for path in sorted(_DATA.glob("*.sdp"))),
    _DIALECT.encode(),
]

TOKENS: list[bytes] = sorted({line + b"\n" for data in CORPUS for line in data.splitlines()})

_MAX_ROUND_TRIP_BYTES = 24 * 1024
"""Longer inputs are not written and parsed again: the time limit is meant for what the server does."""

_LOCAL = LocalEndpoint("ufrag", "p" * 24, ":".join(["AB"] * 32), (), 1, 1, "cname")
_PLAN = SectionPlan(
    receive=True, send=SendPlan("stream", "track", 11, 12, "h264"), preferred_codecs=("red", "vp9")
)
_OWN_OFFER = create_offer(
    _LOCAL,
    [
        OfferSection(str(index), "video" if index % 2 == 0 else "audio", SendPlan("stream", "track", index))
        for index in range(1, 6)
    ],
)


def run(data: bytes) -> None:
    """Parse, then by turns: write and parse again, take as an answer to our offer, answer as an offer."""
    description = parse_sdp(data.decode("utf-8", "replace"))
    turn = crc32(data) % 3
    if turn == 0:
        if len(data) <= _MAX_ROUND_TRIP_BYTES:
            _round_trip(description)
    elif turn == 1:
        apply_answer(_OWN_OFFER, description)
    else:
        plans = {media.mid: _PLAN for media in description.media[::2]}
        answer, session = answer_offer(description, _LOCAL, plans)
        if len(data) <= _MAX_ROUND_TRIP_BYTES:
            _round_trip(answer)
        assert [section.mid for section in answer.media] == [section.mid for section in description.media]
        for media in session.media.values():
            for name in ("opus", "red", "vp8", "h264", "vp9", "av1"):
                media.payload_type_for(name, media.codecs[0].fmtp)


def _round_trip(description: SessionDescription) -> None:
    again = parse_sdp(write_sdp(description))
    if again != description:
        raise AssertionError("a description changed when written and parsed again")
