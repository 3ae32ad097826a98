"""Reading what a client asks for when it connects, and what an attacker sends instead."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from signalling.errors import JoinRequestError
from signalling.livekit.join_request import decompress_gzip, read_join_request, read_query

LIMIT = 262_144


def encode(request: rtc.JoinRequest, *, compress: bool = True, pad: bool = True) -> str:
    content = request.SerializeToString()
    wrapped = rtc.WrappedJoinRequest(
        compression=rtc.WrappedJoinRequest.GZIP if compress else rtc.WrappedJoinRequest.NONE,
        join_request=gzip.compress(content, mtime=0) if compress else content,
    )
    text = base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()
    return text if pad else text.rstrip("=")


def request() -> rtc.JoinRequest:
    return rtc.JoinRequest(
        client_info=models.ClientInfo(sdk=models.ClientInfo.PYTHON, version="1.2.1", protocol=18),
        connection_settings=rtc.ConnectionSettings(auto_subscribe=True, adaptive_stream=True),
        metadata="m",
        participant_attributes={"b": "2", "a": "1"},
        add_track_requests=[rtc.AddTrackRequest(cid="c")],
        publisher_offer=rtc.SessionDescription(type="offer", sdp="v=0", id=1),
        reconnect=True,
        participant_sid="PA_1",
    )


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("pad", [True, False])
def test_round_trip(compress: bool, pad: bool) -> None:
    read = read_join_request(encode(request(), compress=compress, pad=pad), limit=LIMIT)
    assert read.single_peer_connection
    assert (read.client.sdk, read.client.version, read.client.protocol) == ("python", "1.2.1", 18)
    assert (read.auto_subscribe, read.adaptive_stream) == (True, True)
    assert (read.metadata, read.attributes) == ("m", (("a", "1"), ("b", "2")))
    assert (read.reconnect, read.participant_sid) == (True, "PA_1")
    assert read.add_tracks[0].cid == "c"
    assert read.offer is not None
    assert read.offer.id == 1
    assert read.sync_state is None


def test_without_an_offer() -> None:
    assert read_join_request(encode(rtc.JoinRequest()), limit=LIMIT).offer is None


def test_bomb_is_never_inflated() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(JoinRequestError, match="larger than 262144 bytes"):
        decompress_gzip(bomb, LIMIT)
    wrapped = rtc.WrappedJoinRequest(compression=rtc.WrappedJoinRequest.GZIP, join_request=bomb)
    text = base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()
    with pytest.raises(JoinRequestError, match="larger than"):
        read_join_request(text, limit=LIMIT)


def test_large_without_compression() -> None:
    with pytest.raises(JoinRequestError, match="larger than"):
        read_join_request(encode(rtc.JoinRequest(metadata="x" * LIMIT), compress=False), limit=LIMIT)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"no gzip", "damaged"),
        (gzip.compress(b"abc", mtime=0)[:-6], "ends early"),
        (zlib.compress(b"abc"), "damaged"),
    ],
)
def test_damaged_gzip(data: bytes, expected: str) -> None:
    with pytest.raises(JoinRequestError, match=expected):
        decompress_gzip(data, LIMIT)


def test_exactly_the_limit_is_fine() -> None:
    assert len(decompress_gzip(gzip.compress(bytes(1000)), 1000)) == 1000
    with pytest.raises(JoinRequestError):
        decompress_gzip(gzip.compress(bytes(1001)), 1000)


def test_thousands_of_attributes() -> None:
    many = rtc.JoinRequest(participant_attributes={str(n): "v" for n in range(5000)})
    with pytest.raises(JoinRequestError, match="too many attributes"):
        read_join_request(encode(many), limit=LIMIT)


@given(
    st.one_of(
        st.text(max_size=300), st.binary(max_size=300).map(lambda b: base64.urlsafe_b64encode(b).decode())
    )
)
def test_anything_else_is_only_ever_refused(text: str) -> None:
    with contextlib.suppress(JoinRequestError):
        read_join_request(text, limit=LIMIT)


def test_query() -> None:
    attributes = base64.urlsafe_b64encode(json.dumps({"a": "1"}).encode()).decode()
    read = read_query(
        {
            "sdk": "js",
            "protocol": "15",
            "auto_subscribe": "0",
            "adaptive_stream": "1",
            "reconnect": "1",
            "sid": "PA_1",
            "browser": "x" * 1000,
            "attributes": attributes,
        }
    )
    assert not read.single_peer_connection
    assert (read.client.sdk, read.client.protocol, len(read.client.browser)) == ("js", 15, 128)
    assert (read.auto_subscribe, read.adaptive_stream) == (False, True)
    assert (read.reconnect, read.participant_sid) == (True, "PA_1")
    assert read.attributes == (("a", "1"),)


def test_empty_query_subscribes() -> None:
    read = read_query({})
    assert read.auto_subscribe
    assert not read.reconnect
    assert read.client.protocol == 0


@pytest.mark.parametrize("text", ["###", "bm90IGpzb24=", "WzFd"])
def test_unreadable_attributes(text: str) -> None:
    with pytest.raises(JoinRequestError):
        read_query({"attributes": text})
    assert read_query({"attributes": text}, strict=False).attributes == ()


def test_odd_numbers_are_no_protocol() -> None:
    for text in ("-1", "9" * 5000, "٣", "1.5", "x"):
        assert read_query({"protocol": text}).client.protocol == 0
