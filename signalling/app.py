"""The HTTP application of a node: which routes there are, and what holds for all of them."""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from signalling.api.identity import mint_platform_token
from signalling.api.roles import Role
from signalling.auth import mint_join_token
from signalling.livekit.roomservice import RoomService
from signalling.livekit.server import SignalServer
from signalling.metrics import make_registry
from signalling.pages import CSP, FRAME_OPTIONS, SECURITY_HEADERS, Pages, pages_directory
from signalling.service.metrics import DeskCollector
from signalling.service.samples import STUDENTS
from signalling.settings import DEVELOPMENT_KEYS, Settings

if TYPE_CHECKING:
    from mediaserver.room.control import RoomControl
    from mediaserver.room.manager import RoomManager
    from mediaserver.transport.front import MediaFront
from signalling.service.runtime import DeskRuntime

DEV_TOKEN_TTL_S = 6 * 3600
HSTS = "max-age=31536000"

_log = structlog.get_logger("http")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(
    settings: Settings,
    front: MediaFront,
    rooms: RoomManager,
    control: RoomControl,
    signal: SignalServer,
    desk: DeskRuntime,
    *,
    local_authority: Path | None = None,
) -> web.Application:
    """All routes of a node; `local_authority` is the CA of `--dev-tls`, offered for download."""
    app = web.Application(
        middlewares=[_errors_middleware], client_max_size=settings.limits.request_body_bytes
    )
    app.on_response_prepare.append(_SecurityHeaders(settings))
    app.add_routes(list(signal.routes()))
    app.add_routes(list(RoomService(settings, control).routes()))
    app.add_routes(list(desk.routes()))
    app.on_shutdown.append(desk.end_streams)
    registry = make_registry(front, rooms, signal)
    registry.register(desk.cluster.collector())
    registry.register(DeskCollector(desk.service, desk.leader, desk.board))
    app.add_routes(list(HealthRoutes(rooms, signal, registry).routes()))
    if settings.dev:
        app.add_routes(list(DevelopmentRoutes(settings, local_authority).routes()))
    app.add_routes(list(Pages(pages_directory(), settings.allowed_origin).routes()))
    return app


class _SecurityHeaders:
    """Puts the headers on every answer, errors and WebSocket upgrades included."""

    def __init__(self, settings: Settings) -> None:
        self._headers = dict(SECURITY_HEADERS)
        if settings.secure and not settings.dev_tls:
            self._headers["Strict-Transport-Security"] = HSTS

    async def __call__(self, _request: web.Request, response: web.StreamResponse) -> None:
        framed = "frame-ancestors 'self'" in response.headers.get(CSP, "")
        response.headers.update(self._headers)
        if framed:
            del response.headers[FRAME_OPTIONS]


@web.middleware
async def _errors_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nothing internal leaves the server."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        _log.exception("a request failed", method=request.method, path=request.path)
        return web.Response(status=500, text="internal error")


class HealthRoutes:
    """For load balancers, watchdogs and Prometheus."""

    def __init__(self, rooms: RoomManager, signal: SignalServer, registry: CollectorRegistry) -> None:
        self._rooms = rooms
        self._signal = signal
        self._registry = registry

    def routes(self) -> Iterator[web.RouteDef]:
        """The routes to serve."""
        yield web.get("/healthz", self._health)
        yield web.get("/readyz", self._ready)
        yield web.get("/metrics", self._metrics)

    async def _health(self, _request: web.Request) -> web.Response:
        return _uncached({"status": "ok"})

    async def _ready(self, _request: web.Request) -> web.Response:
        if self._signal.draining:
            return _uncached({"status": "draining"}, 503)
        if self._rooms.participant_count >= self._rooms.limits.max_participants_per_node:
            return _uncached({"status": "full"}, 503)
        return _uncached({"status": "ready"})

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST}
        )


class DevelopmentRoutes:
    """What exists with `--dev` only: tokens for whoever asks."""

    def __init__(self, settings: Settings, local_authority: Path | None) -> None:
        self._settings = settings
        self._authority = local_authority.read_bytes() if local_authority is not None else None

    def routes(self) -> Iterator[web.RouteDef]:
        """The routes to serve."""
        yield web.post("/dev/token", self._token)
        yield web.post("/dev/platform-token", self._platform_token)
        yield web.get("/dev/students", self._students)
        yield web.get("/dev/token", self._how_to)
        if self._authority is not None:
            yield web.get("/dev/ca.crt", self._download_authority)

    async def _how_to(self, _request: web.Request) -> web.Response:
        return _uncached({"usage": "POST {room, name}"}, 200)

    async def _students(self, _request: web.Request) -> web.Response:
        """Whom the sample class may be entered as."""
        found = [{"id": student.id, "name": student.name, **dict(student.profile)} for student in STUDENTS]
        return web.json_response({"items": found}, headers={hdrs.CACHE_CONTROL: "no-store"})

    async def _platform_token(self, request: web.Request) -> web.Response:
        """What a host platform's backend would answer: the platform token of a sample student."""
        body = await _own_json(request)
        if isinstance(body, web.Response):
            return body
        student = next((each for each in STUDENTS if each.id == body.get("student")), None)
        if student is None:
            return _uncached({"error": "no such sample student"}, 400)
        key, secret = next(iter(DEVELOPMENT_KEYS.items()))
        token = mint_platform_token(
            key,
            secret,
            subject=student.id,
            role=Role.STUDENT,
            now=datetime.datetime.now(datetime.UTC),
            ttl_s=DEV_TOKEN_TTL_S,
            name=student.name,
            profile=dict(student.profile),
        )
        return _uncached({"token": token})

    async def _token(self, request: web.Request) -> web.Response:
        body = await _own_json(request)
        if isinstance(body, web.Response):
            return body
        limit = self._settings.limits.name_bytes
        values = {}
        for field, required in (("room", True), ("name", False), ("identity", False)):
            text = body.get(field, "")
            if not isinstance(text, str) or len(text.encode(errors="replace")) > limit:
                return _uncached({"error": f"{field} must be text of at most {limit} bytes"}, 400)
            if required and not text.strip():
                return _uncached({"error": f"{field} is missing"}, 400)
            values[field] = text.strip()
        identity = values["identity"] or f"{values['name'] or 'guest'}-{secrets.token_hex(4)}"
        key, secret = next(iter(DEVELOPMENT_KEYS.items()))
        token = mint_join_token(
            key,
            secret,
            identity=identity,
            room=values["room"],
            name=values["name"],
            ttl_s=DEV_TOKEN_TTL_S,
        )
        scheme = "wss" if request.secure else "ws"
        return _uncached({"token": token, "url": f"{scheme}://{request.host}", "identity": identity})

    async def _download_authority(self, _request: web.Request) -> web.Response:
        headers = {hdrs.CONTENT_DISPOSITION: 'attachment; filename="raisehand-dev-ca.crt"'}
        return web.Response(body=self._authority, content_type="application/x-x509-ca-cert", headers=headers)


async def _own_json(request: web.Request) -> dict[str, Any] | web.Response:
    """The JSON object that a page of ours sent, or why not."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin and origin.partition("://")[2] != request.host:
        return _uncached({"error": "only this server's own page may ask"}, 403)
    if request.content_type != "application/json":  # a form of another site could send anything else
        return _uncached({"error": "Content-Type must be application/json"}, 415)
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        body = None
    return body if isinstance(body, dict) else _uncached({"error": "the body must be a JSON object"}, 400)


def _uncached(body: dict[str, str], status: int = 200) -> web.Response:
    return web.json_response(body, status=status, headers={hdrs.CACHE_CONTROL: "no-store"})
