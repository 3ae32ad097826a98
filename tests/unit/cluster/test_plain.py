"""What nodes say to each other about rooms comes out as it went in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from mediaserver.room.audience import Audience, Place
from mediaserver.room.model import (
    Identity,
    ParticipantInfo,
    ParticipantSid,
    ParticipantState,
    Permissions,
    Quality,
    TrackInfo,
    TrackKind,
    TrackSid,
    TrackSource,
    VideoLayer,
)
from signalling.cluster.plain import from_plain, to_plain

TRACK = TrackInfo(
    TrackSid("TR_1"),
    TrackKind.VIDEO,
    "摄像头",
    TrackSource.CAMERA,
    False,
    "video/VP8",
    layers=(VideoLayer(Quality.HIGH, 640, 360),),
)
PARTICIPANT = ParticipantInfo(
    ParticipantSid("PA_1"),
    Identity("ann"),
    "Ann",
    ParticipantState.ACTIVE,
    "",
    (("a", "b"), ("c", "d")),
    1_700_000_000_000,
    Permissions(can_publish_sources=(TrackSource.MICROPHONE,)),
    (TRACK,),
    True,
    0,
    3,
)
AUDIENCE = Audience({"ann": Place(frozenset({"b", "a"}), known_to=frozenset())}, Place(hears=None))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ParticipantInfo, PARTICIPANT),
        (list[ParticipantInfo], [PARTICIPANT]),
        (Audience, AUDIENCE),
        (Sequence[bytes], (b"\x00\xff", b"")),
        (Mapping[str, str] | None, {"a": "课"}),
        (Mapping[str, str] | None, None),
        (Sequence[tuple[str, Sequence[str]]], (("PA_1", ("TR_1", "TR_2")), ("PA_2", ()))),
        (float, 1.5),
        (type(None), None),
    ],
)
def test_round_trip(kind: object, value: object) -> None:
    assert from_plain(kind, json.loads(json.dumps(to_plain(value)))) == value


@pytest.mark.parametrize(("kind", "value"), [(str, 1), (int, "1"), (TrackKind, 9), (Place, {"groups": 1})])
def test_nonsense_is_refused(kind: object, value: object) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        from_plain(kind, value)
