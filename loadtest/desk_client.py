"""An asynchronous client of the REST and event API, as a host platform or a console would write one.

It knows the public surface only: paths, bodies and answers of `/v1`, never the server's code.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any

import aiohttp

from loadtest.tokens import platform_token
from loadtest.waiting import wait_until

SAMPLE_PASSWORD = "raisehand"
"""Of every sample account of `serve --dev`."""

Json = dict[str, Any]

_DEADLINE_S = 20.0  # one request
_RECONNECT_S = 0.1  # between two attempts to get the event stream back
_HEARTBEAT_S = 10.0
_REFUSALS = {4401: "unauthenticated", 4403: "forbidden", 4429: "rate_limited"}
"""Close codes that say that coming back would not help."""
_MOMENTARY = frozenset({"call.position"})
"""Events that are not kept: they carry the id of the last one that is."""


class _RefusedError(Exception):
    """The server ended the event stream for good."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(_REFUSALS[code])


class ProblemError(Exception):
    """The server refused: RFC 9457 problem details."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code", ""))
        """Stable, for programs."""
        self.body = body
        super().__init__(f"{status} {self.code}: {body.get('detail') or body.get('title', '')}")


@dataclass(frozen=True, slots=True)
class Media:
    """How to join the room of a call."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer to a press."""

    call: Json
    media: Media | None
    queue: Json
    created: bool
    replayed: bool
    """The idempotency key was seen before: the first answer again."""

    @property
    def id(self) -> str:
        """The call."""
        return str(self.call["id"])

    @property
    def ticket(self) -> str:
        """The number that the student is told."""
        return str(self.call["ticket"])


@dataclass(frozen=True, slots=True)
class Joinable:
    """A call and how to join it; `media` is None for a chat."""

    call: Json
    media: Media | None
    student: Json = field(default_factory=dict)
    """Of an accepted offer: who asks."""
    offer: Json | None = None
    """Of a drop-in: the agent who was asked."""
    link: str = ""
    token: str = ""
    """Of an invited guest: the link to the help page, and the platform token in it."""

    @property
    def joinable(self) -> Media:
        """The media part; raises ValueError for a chat."""
        if self.media is None:
            raise ValueError("the answer has no media")
        return self.media


@dataclass(frozen=True, slots=True)
class DeskEvent:
    """One event of the stream."""

    id: int
    type: str
    at: datetime
    call: str | None
    data: Json
    arrived_at: float
    """Monotonic seconds at which it was read here."""
    raw: Json


def _media(answer: Mapping[str, Any]) -> Media | None:
    media = answer.get("media")
    return Media(media["url"], media["token"]) if media else None


def _joinable(answer: Json) -> Joinable:
    return Joinable(
        answer["call"],
        _media(answer),
        answer.get("student") or {},
        answer.get("offer"),
        answer.get("link") or "",
        answer.get("token") or "",
    )


class DeskClient:
    """One actor: a student, an agent, a supervisor, the routing layer. Every method raises ProblemError."""

    def __init__(self, url: str, token: str, http: aiohttp.ClientSession, *, actor: str = "") -> None:
        """`url`: the server's, such as ``http://127.0.0.1:7880``; `actor`: the own identifier."""
        self.url = url.rstrip("/")
        self.token = token
        self.http = http
        self.actor = actor

    @classmethod
    async def login(
        cls, url: str, username: str, http: aiohttp.ClientSession, *, password: str = SAMPLE_PASSWORD
    ) -> DeskClient:
        """Log in somebody who works here."""
        client = cls(url, "", http)
        answer = await client.post("/login", {"username": username, "password": password})
        client.token = answer["token"]
        client.actor = (await client.me())["id"]
        return client

    @classmethod
    def student(
        cls, url: str, identity: str, http: aiohttp.ClientSession, *, name: str = "", **profile: Any
    ) -> DeskClient:
        """Somebody with a platform token of the role `student`."""
        return cls(url, platform_token(identity, name=name, profile=profile), http, actor=identity)

    @classmethod
    def service(cls, url: str, http: aiohttp.ClientSession, *, identity: str = "routing") -> DeskClient:
        """Another system: the routing layer, a connector."""
        return cls(url, platform_token(identity, "service"), http, actor=identity)

    # Requests --------------------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Json, Mapping[str, str]]:
        """One request below `/v1`; the answer's body (empty for 204) and headers."""
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        async with self.http.request(
            method,
            f"{self.url}/v1{path}",
            json=body,
            params=query,
            headers=sent,
            timeout=aiohttp.ClientTimeout(total=_DEADLINE_S),
        ) as answer:
            raw = await answer.read()
            try:
                parsed = json.loads(raw) if raw else {}
            except ValueError:
                parsed = {"detail": raw[:200].decode(errors="replace")}
            if answer.status >= 400:
                raise ProblemError(answer.status, parsed)
            return parsed, answer.headers

    async def get(self, path: str, **query: str) -> Json:
        """GET."""
        return (await self.request("GET", path, query=query))[0]

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """POST."""
        return (await self.request("POST", path, body or {}))[0]

    async def put(self, path: str, body: Mapping[str, Any]) -> Json:
        """PUT."""
        return (await self.request("PUT", path, body))[0]

    # Calls -----------------------------------------------------------------------------------------------

    async def me(self) -> Json:
        """Whose credential this is."""
        return await self.get("/me")

    async def ask(self, *, idempotency_key: str | None = None, **body: Any) -> Opened:
        """Press the button; `body` as in `POST /v1/calls`."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key is not None else {}
        answer, got = await self.request("POST", "/calls", body, headers=headers)
        replayed = got.get("Idempotent-Replay") == "true"
        return Opened(answer["call"], _media(answer), answer["queue"], answer.get("created", True), replayed)

    async def call(self, call: str) -> Json:
        """One call, as the actor may see it."""
        return await self.get(f"/calls/{call}")

    async def calls(self, **query: str) -> list[Json]:
        """A page of calls, newest first."""
        return list((await self.get("/calls", **query))["items"])

    async def cancel(self, call: str) -> Json:
        """No help needed any more."""
        return await self.post(f"/calls/{call}/cancel")

    async def end(self, call: str) -> Json:
        """Hang up for everybody."""
        return await self.post(f"/calls/{call}/end")

    async def hold(self, call: str) -> Json:
        """The student hears music."""
        return await self.post(f"/calls/{call}/hold")

    async def resume(self, call: str) -> Json:
        """The student is back in the talk."""
        return await self.post(f"/calls/{call}/resume")

    async def drop_in(self, call: str, **body: Any) -> Joinable:
        """Put an agent, a skill, a queue or a guest into a call; `force`, `mode` and `note` as in the API."""
        return _joinable(await self.post(f"/calls/{call}/participants", body))

    async def set_mode(self, call: str, identity: str, mode: str) -> Json:
        """Switch monitor, whisper, barge, talk."""
        return (await self.request("PATCH", f"/calls/{call}/participants/{identity}", {"mode": mode}))[0]

    async def remove(self, call: str, identity: str) -> Json:
        """Take somebody out of the call."""
        return (await self.request("DELETE", f"/calls/{call}/participants/{identity}"))[0]

    async def transfer(self, call: str, to: Mapping[str, str], *, kind: str, note: str = "") -> Json:
        """Hand the call on, `cold` or `warm`; `to` names an agent, a skill or a queue."""
        return await self.post(f"/calls/{call}/transfer", {"to": dict(to), "kind": kind, "note": note})

    async def complete_transfer(self, call: str) -> Json:
        """Warm: the consulted agent gets the student."""
        return await self.post(f"/calls/{call}/transfer/complete")

    async def cancel_transfer(self, call: str) -> Json:
        """Warm: the student comes back to the first agent."""
        return await self.post(f"/calls/{call}/transfer/cancel")

    async def take_over(self, call: str) -> Joinable:
        """The supervisor becomes responsible."""
        return _joinable(await self.post(f"/calls/{call}/takeover"))

    async def write(self, call: str, text: str, **body: Any) -> Json:
        """Write in the call's chat."""
        return await self.post(f"/calls/{call}/messages", {"text": text, **body})

    async def messages(self, call: str) -> list[Json]:
        """What was written, oldest first."""
        return list((await self.get(f"/calls/{call}/messages"))["items"])

    async def wrap_up(self, call: str, **body: Any) -> Json:
        """Note what it was; the agent is free again."""
        return await self.post(f"/calls/{call}/wrapup", body)

    async def rate(self, call: str, stars: int, **body: Any) -> Json:
        """The student's word."""
        return await self.post(f"/calls/{call}/rating", {"stars": stars, **body})

    async def diagnostics(self, call: str) -> Json:
        """Measures per participant."""
        return await self.get(f"/calls/{call}/diagnostics")

    async def ticket(self, ticket: str) -> Json:
        """The case behind the calls, by id or number."""
        return await self.get(f"/tickets/{ticket}")

    # Agents ----------------------------------------------------------------------------------------------

    async def set_state(self, state: str, *, agent: str | None = None, reason: str = "") -> Json:
        """Say whether one takes calls."""
        return await self.put(f"/agents/{agent or self.actor}/state", {"state": state, "reason": reason})

    async def agents(self) -> list[Json]:
        """All agents."""
        return list((await self.get("/agents"))["items"])

    async def accept(self, offer: str) -> Joinable:
        """Take a call that rings."""
        return _joinable(await self.post(f"/offers/{offer}/accept"))

    async def decline(self, offer: str, reason: str = "") -> Json:
        """Not now."""
        return await self.post(f"/offers/{offer}/decline", {"reason": reason})

    async def queue(self, queue: str) -> Json:
        """A queue with everybody who waits in it."""
        return await self.get(f"/queues/{queue}")

    async def change_queue(self, queue: str, **changes: Any) -> Json:
        """Change some settings of a queue, the others staying as they are."""
        config = (await self.queue(queue))["config"]
        config.pop("version", None)
        return await self.put(f"/queues/{queue}", {**config, **changes})

    def events(self, *, after: int | None = None) -> EventStream:
        """The event stream of this actor, not yet opened; `after`: begin behind this event, else now."""
        return EventStream(self, after=after)


class EventStream:
    """Events as they come, resumed by itself where it broke off. Use as an asynchronous context manager."""

    def __init__(self, client: DeskClient, *, after: int | None = None) -> None:
        self._client = client
        self._after = after
        self._task: asyncio.Task[None] | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._open = asyncio.Event()
        self.events: list[DeskEvent] = []
        """All that came, oldest first."""
        self.doubled: list[int] = []
        """Ids that came twice or out of order; must stay empty."""
        self.lost: list[int] = []
        """Where the server said that older events are no longer kept."""
        self.connects = 0
        """How often the server said that the stream is ready."""

    async def __aenter__(self) -> EventStream:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> EventStream:
        """Connect; raises TimeoutError or ProblemError."""
        self._task = asyncio.create_task(self._run(), name=f"events of {self._client.actor}")
        opened = asyncio.create_task(self._open.wait())
        try:
            done, _ = await asyncio.wait(
                {self._task, opened}, timeout=_DEADLINE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if self._task in done:
                self._task.result()
            if not done:
                raise TimeoutError("the event stream did not open")
        finally:
            opened.cancel()
        return self

    async def close(self) -> None:
        """End it; may be called twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()

    async def cut(self) -> None:
        """Break the connection, as a network does; it comes back by itself."""
        if self._socket is not None:
            await self._socket.close()

    async def _run(self) -> None:
        while True:
            try:
                await self._read()
            except aiohttp.WSServerHandshakeError as error:
                if error.status < 500:
                    raise ProblemError(error.status, {"detail": error.message}) from None
            except _RefusedError as error:
                raise ProblemError(error.code, {"code": str(error)}) from None
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(_RECONNECT_S)

    async def _read(self) -> None:
        query = {"after": str(self._after)} if self._after is not None else {}
        async with self._client.http.ws_connect(
            f"{self._client.url}/v1/events",
            params=query,
            headers={"Authorization": f"Bearer {self._client.token}"},
            heartbeat=_HEARTBEAT_S,
        ) as socket:
            self._socket = socket
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._keep(json.loads(message.data))
            if socket.close_code is not None and socket.close_code in _REFUSALS:
                raise _RefusedError(socket.close_code)

    def _keep(self, raw: Json) -> None:
        kind = raw["type"]
        if kind == "ready":
            self.connects += 1
            if self._after is None:
                self._after = raw["id"]
            self._open.set()
            return
        if kind == "events.lost":
            self.lost.append(raw["id"])
            self._after = raw["id"]
            return
        at = datetime.fromisoformat(raw["at"])
        event = DeskEvent(raw["id"], kind, at, raw.get("call"), raw.get("data") or {}, time.monotonic(), raw)
        if kind not in _MOMENTARY:
            if self._after is not None and event.id <= self._after:
                self.doubled.append(event.id)
                return
            self._after = event.id
        self.events.append(event)

    def of(self, kind: str, *, call: str | None = None, since: float = 0.0, **data: Any) -> list[DeskEvent]:
        """Events of a type (of a call, read after `since`, with these values in their data)."""
        return [
            event
            for event in self.events
            if event.type == kind
            and (call is None or event.call == call)
            and event.arrived_at >= since
            and all(_value(event.data, name) == value for name, value in data.items())
        ]

    async def wait_for(
        self,
        kind: str,
        *,
        call: str | None = None,
        since: float = 0.0,
        timeout_s: float = 10.0,
        where: Callable[[DeskEvent], bool] | None = None,
        **data: Any,
    ) -> DeskEvent:
        """The first such event, waited for; raises ConditionNotMetError."""

        def found() -> DeskEvent | None:
            matching = self.of(kind, call=call, since=since, **data)
            return next((event for event in matching if where is None or where(event)), None)

        event = await wait_until(found, f"event {kind}", timeout_s, detail=self._types)
        assert event is not None
        return event

    def _types(self) -> Sequence[str]:
        return [event.type for event in self.events][-20:]


def _value(data: Mapping[str, Any], name: str) -> Any:
    """A field of an event's data; `offer__agent` looks into `offer`."""
    value: Any = data
    for part in name.split("__"):
        with contextlib.suppress(TypeError, KeyError):
            value = value[part]
            continue
        return None
    return value
