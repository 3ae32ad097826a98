"""`RoomControl` acts wherever a room is; only nodes may ask for it that way."""

from __future__ import annotations

import time

import pytest

from mediaserver.errors import RoomError
from mediaserver.room.audience import Audience, Place
from mediaserver.room.model import Permissions, RoomOptions, TrackSource
from signalling.cluster.internal import HEADER, Facts, derive_secret, sign
from signalling.cluster.rooms import METHODS, PATH, ClusterRoomControl
from tests.integration.cluster.conftest import Member

ROOM = "lesson"
FRAMES = [b"\xf8\xff\xfe"] * 500


@pytest.fixture
async def elsewhere(pair: tuple[Member, Member]) -> tuple[ClusterRoomControl, Member]:
    """The first node's control, and the second, which has the room."""
    first, second = pair
    await second.cluster.ownership.claim(ROOM)
    await second.node.desk.rooms.create_room(ROOM, RoomOptions(metadata="old"))
    assert first.node.rooms.get(ROOM) is None
    return first.node.desk.rooms, second


async def test_rooms_are_seen_and_changed_from_afar(elsewhere: tuple[ClusterRoomControl, Member]) -> None:
    control, owner = elsewhere
    room = owner.node.rooms.rooms[ROOM]
    assert await control.create_room(ROOM, RoomOptions()) == room.info()
    assert await control.list_rooms() == [room.info()]
    assert await control.list_rooms(("other",)) == []
    assert (await control.update_room_metadata(ROOM, "new")).metadata == "new"
    audience = Audience(
        {"ann": Place(frozenset({"a"}), known_to=frozenset(), sources=frozenset({TrackSource.MICROPHONE}))},
        Place(heard_by=frozenset({"b", "c"})),
    )
    await control.set_audience(ROOM, audience)
    assert room.audience == audience
    assert await control.statistics(ROOM) == []
    await control.send_data(ROOM, b"\x00\xff", True, ["ann"])
    await control.delete_room(ROOM)
    assert owner.node.rooms.get(ROOM) is None


async def test_music_is_played_from_afar(elsewhere: tuple[ClusterRoomControl, Member]) -> None:
    control, owner = elsewhere
    await control.play(ROOM, FRAMES, identity="music", name="Music", loop=True, only_for=("ann",))
    (music,) = await control.list_participants(ROOM)
    assert (music.identity, music.name) == ("music", "Music")
    assert music == next(iter(owner.node.rooms.rooms[ROOM].locals.values())).info()
    await control.stop_playing(ROOM, "music")


async def test_refusals_keep_their_code(elsewhere: tuple[ClusterRoomControl, Member]) -> None:
    control, _ = elsewhere
    for attempt, code in (
        (control.get_participant(ROOM, "nobody"), "participant_not_found"),
        (control.remove_participant(ROOM, "nobody"), "participant_not_found"),
        (control.update_participant(ROOM, "nobody", permissions=Permissions()), "participant_not_found"),
        (control.mute_published_track(ROOM, "nobody", "TR_1", True), "participant_not_found"),
        (
            control.update_subscriptions(ROOM, "nobody", ["TR_1"], [("PA_1", ["TR_2"])], True),
            "participant_not_found",
        ),
        (control.replace_source(ROOM, "nobody", "TR_1", "TR_2"), "participant_not_found"),
        (control.move_participant(ROOM, "nobody", "other"), "participant_not_found"),
        (control.list_participants("no such room"), "room_not_found"),
    ):
        with pytest.raises(RoomError) as refused:
            await attempt
        assert refused.value.code == code


async def test_a_node_that_does_not_answer(
    elsewhere: tuple[ClusterRoomControl, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    control, _ = elsewhere
    monkeypatch.setattr("signalling.cluster.rooms.ANSWER_S", 0.0)
    for attempt in (control.statistics(ROOM), control.send_data(ROOM, b"", True, None)):
        with pytest.raises(RoomError) as refused:
            await attempt
        assert refused.value.code == "node_unreachable"


async def test_clients_cannot_ask(pair: tuple[Member, Member]) -> None:
    first, second = pair
    await second.node.desk.rooms.create_room(ROOM, RoomOptions())
    for method in METHODS:
        async with first.http.post(
            f"{second.url}{PATH}{method}", json={"name": ROOM, "room": ROOM}
        ) as answer:
            assert answer.status == 404
    facts = Facts(sender=first.id, receiver=second.id, client="", host="", scheme="http")
    forged = sign(derive_secret({"other": "keys"}), facts, "POST", PATH + "delete_room", b"{}", time.time())
    async with first.http.post(
        f"{second.url}{PATH}delete_room", data=b"{}", headers={HEADER: forged}
    ) as answer:
        assert answer.status == 403
    assert second.node.rooms.get(ROOM) is not None
