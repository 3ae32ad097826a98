"""`RoomControl` for the rooms of all nodes: here, or by a signed request to the node that owns the room.

Each method travels as JSON with its arguments by name; see `plain`. Only nodes may ask (`internal`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import structlog
from aiohttp import web

from mediaserver.errors import LimitExceededError, RoomError
from mediaserver.room.audience import Audience, AudiencePolicy
from mediaserver.room.control import RoomControl
from mediaserver.room.model import ParticipantInfo, Permissions, RoomEvent, RoomInfo, RoomOptions, TrackInfo
from mediaserver.stats import ParticipantStatistics
from signalling.cluster.cluster import Cluster
from signalling.cluster.errors import LeasesAwayError, NoOwnerError
from signalling.cluster.ownership import Owner
from signalling.cluster.plain import from_plain, hints, to_plain
from signalling.cluster.proxy import MISDIRECTED, UnreachableError, internal_facts

PATH: Final = "/internal/rooms/"
ANSWER_S: Final = 3.0
"""Seconds that another node has for its answer."""
ATTEMPTS: Final = 3
"""How often a room's owner is looked for when the last one did not answer."""
PAUSE_S: Final = 0.2

UNREACHABLE: Final = "node_unreachable"
"""The room's node does not answer, or nobody can say now which it is; trying again may help."""

METHODS: Final = frozenset(
    {
        "create_room",
        "list_rooms",
        "delete_room",
        "list_participants",
        "get_participant",
        "remove_participant",
        "mute_published_track",
        "update_participant",
        "update_subscriptions",
        "send_data",
        "update_room_metadata",
        "move_participant",
        "set_audience",
        "replace_source",
        "play",
        "stop_playing",
        "statistics",
    }
)
"""What can be asked of another node: everything but `watch`."""

_ONCE: Final = frozenset({"send_data", "remove_participant", "move_participant", "stop_playing", "play"})
"""Not to be tried again when it may have happened: a second time would do or say something else."""

_SENT_AS: Final[Mapping[Any, Any]] = {AudiencePolicy: Audience}

_log = structlog.get_logger("rooms")


class ClusterRoomControl:
    """`RoomControl` that acts wherever a room is. Only its own node's rooms can be watched."""

    def __init__(self, local: RoomControl, cluster: Cluster) -> None:
        self._local = local
        self._cluster = cluster

    # Asking ----------------------------------------------------------------------------------------

    async def _at(self, room: str, method: str, /, **arguments: Any) -> Any:
        """Run a method where the room is; raises RoomError."""
        if not self._cluster.joined:
            return await getattr(self._local, method)(**arguments)
        creates = method == "create_room"
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            try:
                owner = await self._owner(room, creates=creates, fresh=attempt > 0)
                if owner is None or self._cluster.is_here(owner):
                    return await getattr(self._local, method)(**arguments)
                return await self._ask(owner, method, arguments)
            except (LeasesAwayError, NoOwnerError, UnreachableError) as error:
                reason = str(error)
                if isinstance(error, UnreachableError) and error.heard and method in _ONCE:
                    break
        raise RoomError(UNREACHABLE, f"the node of room {room} does not answer: {reason}")

    async def _owner(self, room: str, *, creates: bool, fresh: bool) -> Owner | None:
        if creates and not fresh:
            return await self._cluster.place_room(room)
        return await self._cluster.proxy.locate(room, creates=creates, fresh=fresh)

    async def _ask(self, owner: Owner, method: str, arguments: Mapping[str, Any]) -> Any:
        body = json.dumps(to_plain(arguments), separators=(",", ":")).encode()
        status, content = await self._cluster.proxy.ask(owner, PATH + method, body, timeout_s=ANSWER_S)
        if status == 200:
            return from_plain(hints(getattr(RoomControl, method))["return"], json.loads(content))
        if status == 409:
            refusal = json.loads(content)
            raise RoomError(refusal["code"], refusal["message"])
        raise UnreachableError(f"{owner.node} answers with status {status}", heard=status >= 500)

    # Answering -------------------------------------------------------------------------------------

    def routes(self) -> Iterator[web.RouteDef]:
        """For the application; they answer nodes only."""
        yield web.post(PATH + "{method}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        facts = internal_facts(request)
        method = request.match_info["method"]
        if facts is None or method not in METHODS:
            return web.Response(status=404, text="not found")
        kinds = hints(getattr(RoomControl, method))
        try:
            given = json.loads(await request.read())
            arguments = {
                name: from_plain(_SENT_AS.get(kinds[name], kinds[name]), value)
                for name, value in given.items()
            }
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("a node asks what is not understood", method=method, reason=str(error))
            return web.Response(status=400, text="not understood")
        room = arguments.get("room") or arguments.get("name")
        try:
            if method != "list_rooms" and not await self._is_ours(str(room), claim=facts.claim):
                return web.Response(status=MISDIRECTED, text="the room is at another node")
            answer = await getattr(self._local, method)(**arguments)
        except LeasesAwayError:
            return web.Response(status=MISDIRECTED, text="the room's owner is not known now")
        except RoomError as error:
            return web.json_response({"code": error.code, "message": str(error)}, status=409)
        except LimitExceededError as error:
            return web.json_response({"code": "bad_request", "message": str(error)}, status=409)
        return web.json_response(to_plain(answer))

    async def _is_ours(self, room: str, *, claim: bool) -> bool:
        ownership = self._cluster.ownership
        if await ownership.confirm(room) is not None:
            return True
        return claim and self._cluster.is_here(await ownership.claim(room))

    # RoomControl -----------------------------------------------------------------------------------

    async def create_room(self, name: str, options: RoomOptions) -> RoomInfo:
        """Create a room at the node that is best for it, or return the one there is."""
        info: RoomInfo = await self._at(name, "create_room", name=name, options=options)
        return info

    async def list_rooms(self, names: Collection[str] = ()) -> list[RoomInfo]:
        """The rooms of all nodes that answer, or those of them that are named."""
        found = await self._local.list_rooms(names)
        if not self._cluster.joined:
            return found
        nodes = self._cluster.nodes
        others = [node for node in nodes.live() if node.id != nodes.me.id]
        asked = [
            self._ask(Owner(node.id, node.internal_url, -1), "list_rooms", {"names": names})
            for node in others
        ]
        for node, answer in zip(others, await asyncio.gather(*asked, return_exceptions=True), strict=True):
            if isinstance(answer, UnreachableError):
                _log.warning("a node did not list its rooms", node=node.id)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += answer
        return found

    async def delete_room(self, name: str) -> None:
        """End a room for everybody."""
        await self._at(name, "delete_room", name=name)

    async def list_participants(self, room: str) -> list[ParticipantInfo]:
        """Everybody in a room, hidden ones included."""
        found: list[ParticipantInfo] = await self._at(room, "list_participants", room=room)
        return found

    async def get_participant(self, room: str, identity: str) -> ParticipantInfo:
        """One participant."""
        info: ParticipantInfo = await self._at(room, "get_participant", room=room, identity=identity)
        return info

    async def remove_participant(self, room: str, identity: str) -> None:
        """Put a participant out."""
        await self._at(room, "remove_participant", room=room, identity=identity)

    async def mute_published_track(self, room: str, identity: str, track_sid: str, muted: bool) -> TrackInfo:
        """Mute or unmute a track by the server."""
        info: TrackInfo = await self._at(
            room, "mute_published_track", room=room, identity=identity, track_sid=track_sid, muted=muted
        )
        return info

    async def update_participant(
        self,
        room: str,
        identity: str,
        *,
        name: str | None = None,
        metadata: str | None = None,
        attributes: Mapping[str, str] | None = None,
        permissions: Permissions | None = None,
    ) -> ParticipantInfo:
        """Change what is given, leave the rest."""
        info: ParticipantInfo = await self._at(
            room,
            "update_participant",
            room=room,
            identity=identity,
            name=name,
            metadata=metadata,
            attributes=attributes,
            permissions=permissions,
        )
        return info

    async def update_subscriptions(
        self,
        room: str,
        identity: str,
        track_sids: Sequence[str],
        participant_tracks: Sequence[tuple[str, Sequence[str]]],
        subscribe: bool,
    ) -> None:
        """Subscribe a participant to tracks or end that."""
        await self._at(
            room,
            "update_subscriptions",
            room=room,
            identity=identity,
            track_sids=track_sids,
            participant_tracks=participant_tracks,
            subscribe=subscribe,
        )

    async def send_data(
        self, room: str, payload: bytes, reliable: bool, destinations: Collection[str] | None
    ) -> None:
        """Deliver a serialised data packet from the server."""
        await self._at(
            room, "send_data", room=room, payload=payload, reliable=reliable, destinations=destinations
        )

    async def update_room_metadata(self, room: str, metadata: str) -> RoomInfo:
        """Change a room's metadata."""
        info: RoomInfo = await self._at(room, "update_room_metadata", room=room, metadata=metadata)
        return info

    async def move_participant(self, room: str, identity: str, destination: str) -> None:
        """Move a participant to another room of the same node."""
        await self._at(room, "move_participant", room=room, identity=identity, destination=destination)

    async def set_audience(self, room: str, audience: AudiencePolicy) -> None:
        """Replace who may know of whom and receive whom; an `Audience`, if the room is elsewhere."""
        await self._at(room, "set_audience", room=room, audience=audience)

    async def replace_source(self, room: str, identity: str, track_sid: str, source_track_sid: str) -> None:
        """Send a subscriber another track of the same codec in the stream of one it has."""
        await self._at(
            room,
            "replace_source",
            room=room,
            identity=identity,
            track_sid=track_sid,
            source_track_sid=source_track_sid,
        )

    async def play(
        self,
        room: str,
        frames: Sequence[bytes],
        *,
        identity: str,
        name: str = "",
        loop: bool = False,
        intro: Sequence[bytes] = (),
        only_for: Collection[str] | None = None,
    ) -> None:
        """Play 20 ms Opus packets into a room; what is longer than a request may be cannot go elsewhere."""
        await self._at(
            room,
            "play",
            room=room,
            frames=frames,
            identity=identity,
            name=name,
            loop=loop,
            intro=intro,
            only_for=only_for,
        )

    async def stop_playing(self, room: str, identity: str) -> None:
        """End what `play` began."""
        await self._at(room, "stop_playing", room=room, identity=identity)

    async def statistics(self, room: str) -> list[ParticipantStatistics]:
        """What is measured about everybody in the room; `at` is the clock of the room's node."""
        found: list[ParticipantStatistics] = await self._at(room, "statistics", room=room)
        return found

    def watch(self, observer: Callable[[RoomEvent], None]) -> None:
        """Tell `observer` who comes to and leaves this node's rooms."""
        self._local.watch(observer)
