"""From an HTTP request to a handler and back: authenticate, authorise, validate, answer.

Every request below `/v1` comes through here, whatever the route; the order is fixed: route, credential,
rate, role, query, body. So an anonymous caller never learns whether a body would have been valid.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from signalling.api.problems import FieldError, Problem
from signalling.api.roles import Actor, Role
from signalling.api.route import Asked, Nothing, Reply, Route
from signalling.store.errors import StoreError
from signalling.store.idempotency import IdempotencyBusyError, IdempotencyConflictError

if TYPE_CHECKING:
    from signalling.api.context import Api

PREFIX = "/v1"
IDEMPOTENCY_KEY = "Idempotency-Key"
MAXIMUM_KEY_CHARACTERS = 128
SHOWN_ERRORS = 20
"""Field errors in one answer."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:@~+-]{1,128}")
"""What a path parameter may look like; anything else names nothing."""
_NUL = (b"\x00", b"\\u0000")
NOBODY = Actor(role=Role.GUEST, id="")
"""Stands for the caller of a public route."""

_CORS_HEADERS = "authorization, content-type, idempotency-key"
_log = structlog.get_logger("api")


class Gate:
    """The aiohttp side of the route table."""

    def __init__(self, api: Api, table: tuple[Route, ...]) -> None:
        self._api = api
        self._table = table
        self._patterns = [
            (re.compile(PREFIX + re.sub(r"\{\w+\}", "[^/]+", re.escape(route.path).replace("\\{", "{")
                .replace("\\}", "}"))), route.method)
            for route in table
        ]  # fmt: skip

    def routes(self) -> Iterator[web.RouteDef]:
        """The routes to serve; the last one takes whatever else is below `/v1`."""
        for route in self._table:
            yield web.route(route.method, PREFIX + route.path, self._bind(route))
        yield web.route("*", PREFIX + "/{rest:.*}", self._unknown)

    def _bind(self, route: Route) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await self._serve(route, request)
            except Problem as problem:
                response = problem.response()
            except web.HTTPException as error:
                response = _from_http(error).response()
            except StoreError as error:
                _log.warning("the store failed", method=request.method, route=route.path, error=str(error))
                response = Problem("unavailable", retry_after_s=1).response()
            except Exception:
                _log.exception("a request failed", method=request.method, route=route.path)
                response = Problem("internal").response()
            response.headers.update(self._cors(request))
            return response

        return handle

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        allowed = sorted({method for pattern, method in self._patterns if pattern.fullmatch(request.path)})
        if request.method == "OPTIONS" and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
            headers = self._cors(request) | {
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join([*allowed, "OPTIONS"]),
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _CORS_HEADERS,
                hdrs.ACCESS_CONTROL_MAX_AGE: "600",
            }
            return web.Response(status=204, headers=headers)
        if allowed:
            problem = Problem("method_not_allowed", headers={hdrs.ALLOW: ", ".join(allowed)})
        else:
            problem = Problem("not_found", "there is no such route; see /v1/openapi.json")
        response = problem.response()
        response.headers.update(self._cors(request))
        return response

    def _cors(self, request: web.Request) -> dict[str, str]:
        """Pages of other origins use bearer tokens; cookies are never allowed across origins."""
        origin = request.headers.get(hdrs.ORIGIN)
        if not origin:
            return {}
        allowed = self._api.settings.allowed_origin
        if not allowed:
            return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*"}
        headers: dict[str, str] = {hdrs.VARY: hdrs.ORIGIN}
        if origin.lower() in allowed:
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        return headers

    # One request ---------------------------------------------------------------------------------

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        actor = await self._admit(route, request)
        path = _path(request)
        query = _query(route, request)
        raw = await self._read(route, request)
        body = _body(route, request, raw)
        asked: Asked[Any, Any] = Asked(actor, path, query, body, request, raw)
        key = request.headers.get(IDEMPOTENCY_KEY)
        if route.idempotent and key is not None:
            return await self._once(route, asked, key)
        return await self._answer(route, asked)

    async def _admit(self, route: Route, request: web.Request) -> Actor:
        if route.public:
            actor = NOBODY
            who = "address:" + self._api.address_of(request)
        else:
            found = await self._api.authenticator.identify(request)
            if found is None and not route.websocket:
                raise Problem("unauthenticated", "send `Authorization: Bearer <token>`, or log in")
            actor = found or NOBODY
            who = f"{actor.role}:{actor.id}" if found else "address:" + self._api.address_of(request)
        if wait_s := await self._api.requests.wait_s(who, self._api.clock.monotonic()):
            raise Problem("rate_limited", retry_after_s=wait_s)
        if actor is not NOBODY and actor.role not in route.roles:
            raise Problem("forbidden", f"the role {actor.role.value} may not do this")
        return actor

    async def _read(self, route: Route, request: web.Request) -> bytes:
        if route.body is None and route.upload is None:
            return b""
        limit = self._api.settings.limits.request_body_bytes
        if route.upload is not None:
            limit = self._api.settings.api.file_bytes
        if request.content_length is not None and request.content_length > limit:
            raise Problem("too_large", f"at most {limit} bytes")
        parts, size = [], 0
        deadline_s = self._api.settings.limits.request_body_s
        try:
            async with asyncio.timeout(deadline_s):
                async for part in request.content.iter_any():
                    size += len(part)
                    if size > limit:
                        raise Problem("too_large", f"at most {limit} bytes")
                    parts.append(part)
        except TimeoutError:
            raise Problem("too_slow", f"the body did not arrive within {deadline_s:g} s") from None
        return b"".join(parts)

    async def _answer(self, route: Route, asked: Asked[Any, Any]) -> web.StreamResponse:
        result = await route.handler(self._api, asked)
        if isinstance(result, web.StreamResponse):
            if not result.prepared:
                result.headers.update(self._cors(asked.http))
            return result
        reply = result if isinstance(result, Reply) else Reply(result)
        headers = {hdrs.CACHE_CONTROL: "no-store", **self._cors(asked.http), **reply.headers}
        if reply.body is None:
            return web.Response(status=reply.status or 204, headers=headers)
        return web.Response(
            text=reply.body.model_dump_json(by_alias=True),
            status=reply.status or route.status,
            headers=headers,
            content_type="application/json",
        )

    async def _once(self, route: Route, asked: Asked[Any, Any], key: str) -> web.StreamResponse:
        """The same key of the same actor does the thing once and gets the same answer again."""
        if not 1 <= len(key) <= MAXIMUM_KEY_CHARACTERS or not key.isascii() or not key.isprintable():
            error = FieldError(field="header.Idempotency-Key", message="1 to 128 characters", kind="length")
            raise Problem("invalid", "the idempotency key cannot be used", [error])
        scope = f"{asked.actor.role}:{asked.actor.id}:{route.name}:{key}"
        digest = hashlib.sha256(asked.raw + repr(sorted(asked.path.items())).encode()).hexdigest()
        memory = self._api.idempotency
        try:
            kept = await memory.begin(scope, digest)
        except IdempotencyConflictError:
            raise Problem("idempotency_conflict") from None
        except IdempotencyBusyError:
            raise Problem(
                "conflict", "the first request with this key is still being worked on", retry_after_s=1
            ) from None
        if kept is not None:
            return web.Response(
                text=kept.body,
                status=kept.status,
                content_type="application/json",
                headers={hdrs.CACHE_CONTROL: "no-store", "Idempotent-Replay": "true"}
                | self._cors(asked.http),
            )
        try:
            response = await self._answer(route, asked)
        except BaseException:
            await memory.forget(scope)
            raise
        await memory.keep(scope, response.status, cast(web.Response, response).text or "")
        return response


def _from_http(error: web.HTTPException) -> Problem:
    codes = {413: "too_large", 404: "not_found", 400: "malformed", 415: "unsupported_media_type"}
    return Problem(codes.get(error.status, "malformed" if error.status < 500 else "internal"))


def _path(request: web.Request) -> Mapping[str, str]:
    for value in request.match_info.values():
        if _IDENTIFIER.fullmatch(value) is None:
            raise Problem("not_found", "no such identifier")
    return dict(request.match_info)


def _query(route: Route, request: web.Request) -> BaseModel:
    values: dict[str, Any] = {}
    for name, value in request.query.items():
        if name in values:
            error = FieldError(field=f"query.{name}", message="is given twice", kind="repeated")
            raise Problem("invalid", "the query cannot be used", [error])
        if "\x00" in value:
            raise Problem("invalid", "the query holds a NUL character")
        values[name] = value
    try:
        return route.query.model_validate(values)
    except ValidationError as error:
        raise Problem("invalid", "the query cannot be used", field_errors("query", error)) from None


def _body(route: Route, request: web.Request, raw: bytes) -> BaseModel:
    if route.body is None:
        return Nothing()
    if not raw:
        raw = b"{}"
    elif request.content_type != "application/json":
        raise Problem("unsupported_media_type", "Content-Type must be application/json")
    if any(nul in raw for nul in _NUL):
        raise Problem("invalid", "the body holds a NUL character")
    try:
        return route.body.model_validate_json(raw)
    except ValidationError as error:
        if _errors(error)[0]["type"] == "json_invalid":
            raise Problem("malformed", "the body is not JSON") from None
        raise Problem("invalid", "the body cannot be used", field_errors("body", error)) from None
    except RecursionError:
        raise Problem("malformed", "the body is nested too deeply") from None


def field_errors(where: str, error: ValidationError) -> list[FieldError]:
    """Every field that is wrong, without its value."""
    return [
        FieldError(
            field=".".join([where, *(str(part) for part in problem["loc"])]),
            message=problem["msg"].removeprefix("Value error, "),
            kind=problem["type"],
        )
        for problem in _errors(error)[:SHOWN_ERRORS]
    ]


def _errors(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False, include_input=False)
