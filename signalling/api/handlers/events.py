"""`GET /v1/events`: the stream of events over a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from aiohttp import WSCloseCode, WSMsgType, hdrs, web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from signalling.api.board_views import place_of
from signalling.api.context import Api
from signalling.api.event_views import to_text
from signalling.api.gate import NOBODY
from signalling.api.identity import COOKIE
from signalling.api.problems import Problem
from signalling.api.roles import Actor, Role
from signalling.api.route import Asked, Nothing, Query
from signalling.desk.model import StudentId
from signalling.store.errors import StoreError
from signalling.store.relay import StoredEvent

HELLO_S = 10.0
"""Seconds a client without credential in its request has for its first message."""
HEARTBEAT_S = 20.0
"""Seconds between pings."""
SEND_S = 20.0
"""Seconds a batch of events may take to a slow client before the stream is closed; it can resume."""
RECHECK_S = 20.0
"""Seconds between looks whether the credential still holds."""
OTHERS_S = 1.0
"""How late agents learn of other agents at most; of what concerns them they learn at once."""
POSITION_S = 1.0
"""Shortest pause between two positions of one student near the head of the queue."""
FAR_POSITION_S = 5.0
"""The same for those behind `NEAR`: their estimate changes by minutes."""
NEAR = 20
FIRST_MESSAGE_BYTES = 65_536
STORE_RETRY_S = 1.0

UNAUTHENTICATED, FORBIDDEN, TOO_MANY = 4401, 4403, 4429
"""Close codes: like the HTTP statuses."""

_CONSOLES = frozenset({Role.AGENT, Role.SUPERVISOR})
_log = structlog.get_logger("events")


class EventsQuery(Query):
    """Where to resume."""

    after: int | None = Field(default=None, ge=0, le=2**53, description="Id of the last event that was seen.")


class Hello(BaseModel):
    """The first message of a client that could not send a header."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=32_768)
    after: int | None = Field(default=None, ge=0, le=2**53)


async def stream(api: Api, asked: Asked[Nothing, EventsQuery]) -> web.StreamResponse:
    """Events from now on, or from after the one that was seen last; nothing lost, nothing doubled."""
    websocket = web.WebSocketResponse(compress=False, heartbeat=HEARTBEAT_S, max_msg_size=FIRST_MESSAGE_BYTES)
    if not websocket.can_prepare(asked.http):
        return web.Response(status=426, headers={hdrs.UPGRADE: "websocket", hdrs.CONNECTION: "Upgrade"})
    await websocket.prepare(asked.http)
    actor, token, after = asked.actor, _token_of(asked.http), asked.query.after
    if actor is NOBODY:
        hello = await _hello(websocket)
        if hello is None:
            await websocket.close(code=UNAUTHENTICATED, message=b"the first message must hold a token")
            return websocket
        try:
            actor, token = await api.authenticator.by_token(hello.token), hello.token
        except Problem as problem:
            await websocket.close(code=UNAUTHENTICATED, message=problem.detail.encode()[:120])
            return websocket
        after = hello.after if hello.after is not None else after
    who = f"{actor.role}:{actor.id}"
    if not api.streams.enter(who):
        await websocket.close(code=TOO_MANY, message=b"too many event streams")
        return websocket
    try:
        await EventStream(api, websocket, actor, token).run(after)
    finally:
        api.streams.leave(who)
    return websocket


def _token_of(request: web.Request) -> str:
    header = request.headers.get(hdrs.AUTHORIZATION, "")
    return header.partition(" ")[2].strip() if header else request.cookies.get(COOKIE, "")


async def _hello(websocket: web.WebSocketResponse) -> Hello | None:
    try:
        async with asyncio.timeout(HELLO_S):
            message = await websocket.receive()
        return Hello.model_validate_json(message.data) if message.type is WSMsgType.TEXT else None
    except (TimeoutError, ValidationError):
        return None


class EventStream:
    """One client's stream."""

    def __init__(self, api: Api, websocket: web.WebSocketResponse, actor: Actor, token: str) -> None:
        self._api = api
        self._websocket = websocket
        self._actor = actor
        self._token = token
        self._seen = 0
        self._place: dict[str, Any] | None = None
        self._checked = api.clock.monotonic()
        self._console = f"{id(self):x}-{api.node_id}"

    async def run(self, after: int | None) -> None:
        """Until the client leaves, is too slow, or its credential ends."""
        if self._actor.role in _CONSOLES:
            await self._api.presence.opened(self._actor.id, self._console)
        # A node has thousands of these: as few tasks as will do, for the garbage collector looks at each.
        writing = asyncio.create_task(self._write_until_the_end(after), name="event stream, writing")
        closing = asyncio.create_task(self._until_closing(), name="event stream, closing")
        try:
            async for (
                _
            ) in self._websocket:  # clients have nothing to say; this answers pings, notices the end
                pass
        finally:
            for task in (writing, closing):
                task.cancel()
            for result in await asyncio.gather(writing, closing, return_exceptions=True):
                if isinstance(result, Exception) and not isinstance(result, ConnectionError | TimeoutError):
                    _log.error("an event stream failed", exc_info=result)
            if self._actor.role in _CONSOLES:
                self._api.presence.closed(self._actor.id, self._console)
            if not self._websocket.closed:
                await self._websocket.close(code=WSCloseCode.GOING_AWAY)

    async def _until_closing(self) -> None:
        await self._api.closing.wait()
        await self._websocket.close(code=WSCloseCode.GOING_AWAY)

    async def _write_until_the_end(self, after: int | None) -> None:
        try:
            await self._write(after)
        except Problem:
            await self._websocket.close(code=UNAUTHENTICATED, message=b"the credential has ended")
        finally:
            if not self._websocket.closed:
                await self._websocket.close(code=WSCloseCode.GOING_AWAY)

    async def _pause(self, attention: asyncio.Event, pause_s: float) -> None:
        """Until something happens, at most so long. Raises Problem when the credential has ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await attention.wait()
        now = self._api.clock.monotonic()
        if now - self._checked >= RECHECK_S:
            self._checked = now
            with contextlib.suppress(StoreError):  # nobody can say now
                await self._api.authenticator.by_token(self._token)

    async def _send(self, message: dict[str, Any]) -> None:
        async with asyncio.timeout(SEND_S):
            await self._websocket.send_str(to_text(message))

    async def _write(self, after: int | None) -> None:
        feed = self._api.feed
        self._seen = feed.last_id if after is None else min(after, feed.last_id)
        if after is not None:
            oldest = await self._patiently(feed.oldest_id)
            if oldest is not None and after < oldest - 1:
                self._seen = oldest - 1
                await self._send({"type": "events.lost", "id": self._seen, "data": {"after": after}})
        await self._send({"type": "ready", "id": self._seen, "data": {"role": self._actor.role.value}})
        if self._actor.role is Role.STUDENT:
            await self._write_to_student()
        with self._api.attention.listen(self._actor) as attention:
            attention.set()
            while True:
                attention.clear()
                await self._catch_up()
                await self._pause(attention, OTHERS_S if self._actor.role is Role.AGENT else RECHECK_S)

    async def _write_to_student(self) -> None:
        feed = self._api.feed
        with self._api.attention.listen(self._actor) as attention:
            attention.set()  # what came before we listened
            while True:
                if attention.is_set():
                    attention.clear()
                    await self._catch_up()
                else:
                    self._seen = feed.last_id  # nothing of it was about this student
                await self._tell_place()
                await self._pause(attention, self._position_pause_s())

    def _position_pause_s(self) -> float:
        if self._place is None:  # begins to wait with an event of his own
            return RECHECK_S
        return POSITION_S if self._place["position"] <= NEAR else FAR_POSITION_S

    async def _catch_up(self) -> None:
        while True:
            events = await self._patiently(partial(self._api.feed.after, self._seen))
            if not events:
                return
            async with asyncio.timeout(SEND_S):
                for stored in events:
                    await self._show(stored)

    async def _show(self, stored: StoredEvent) -> None:
        if self._actor.role is not Role.STUDENT or stored.student_id == self._actor.id:
            people = self._api.people.known(stored)
            if people is None:
                people = await self._patiently(partial(self._api.people.of, stored))
            shown = self._api.event_texts.text(stored, self._actor, people)
            if shown is not None:
                await self._websocket.send_str(shown)
        self._seen = stored.event_id or self._seen

    async def _patiently(self, read: Callable[[], Any]) -> Any:
        """While the database is away the stream waits."""
        while True:
            try:
                return await read()
            except StoreError:
                await asyncio.sleep(STORE_RETRY_S)

    async def _tell_place(self) -> None:
        """A waiting student's place, when it changes. Not a stored event: its id is the last one's."""
        if self._actor.role is not Role.STUDENT:
            return
        call = self._api.board.board.desk.call_of(StudentId(self._actor.id))
        if call is None:
            self._place = None
            return
        place = place_of(self._api.board, call, self._api.clock.utc_now()).model_dump(
            mode="json", include={"position", "estimated_wait_s"}
        )
        if place["position"] is None:
            self._place = None
            return
        if place == self._place:
            return
        self._place = place
        await self._send(
            {
                "id": self._seen,
                "type": "call.position",
                "at": self._api.clock.utc_now().isoformat(),
                "call": call.id,
                "data": place,
            }
        )
