"""The OpenAPI 3.1 document, generated from the route table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from signalling.api.gate import IDEMPOTENCY_KEY, PREFIX
from signalling.api.identity import COOKIE
from signalling.api.problems import CONTENT_TYPE, PROBLEMS, ProblemDetails
from signalling.api.roles import EVERYONE
from signalling.api.route import Route

DESCRIPTION = """Support calls in online education: ask for help, be routed, talk, hand over, review.

Errors are `application/problem+json` (RFC 9457) with a stable `code`. `Authorization: Bearer` takes a
platform token (a JWT that the host platform signs) or a staff token from `POST /v1/login`.
"""
_REF = "#/components/schemas/{model}"
ALWAYS = ("internal", "rate_limited", "unavailable")
"""Problems every route may have."""


def problem_codes(route: Route) -> list[str]:
    """Every code a route may answer with."""
    codes = [*ALWAYS, *route.problems]
    if not route.public:
        codes += ["unauthenticated", "origin_refused"]
        if route.roles != EVERYONE:
            codes.append("forbidden")
    if route.parameters:
        codes.append("not_found")
    codes.append("invalid")  # an unknown query parameter is enough
    if route.body is not None:
        codes += ["malformed", "too_large", "too_slow", "unsupported_media_type"]
    if route.upload is not None:
        codes += ["too_large", "too_slow", "unsupported_media_type"]
    if route.idempotent:
        codes.append("idempotency_conflict")
    return sorted(set(codes))


def document(table: Sequence[Route], *, version: str, server: str = "/") -> dict[str, Any]:
    """The whole document."""
    inputs = {route.body for route in table if route.body} | {route.query for route in table}
    outputs = {route.answer for route in table if route.answer} | {ProblemDetails}
    keyed: list[tuple[type[BaseModel], Any]] = [
        *((model, "validation") for model in sorted(inputs, key=lambda each: each.__name__)),
        *((model, "serialization") for model in sorted(outputs, key=lambda each: each.__name__)),
    ]
    names, schemas = models_json_schema(keyed, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(
            route, names, schemas.get("$defs", {})
        )
    used = schemas.get("$defs", {})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Raisehand", "version": version, "description": DESCRIPTION},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": used,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _operation(route: Route, names: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    roles = sorted(role.value for role in route.roles)
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "security": [] if route.public else [{"bearer": []}, {"session": []}],
        "x-roles": roles,
        "responses": _responses(route, names),
    }
    if route.rule:
        operation["description"] = route.rule
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": r"^[A-Za-z0-9_.:@~+-]{1,128}$"},
        }
        for name in route.parameters
    ]
    query = _resolve(names[(route.query, "validation")], definitions)
    required = query.get("required", [])
    for name, schema in query.get("properties", {}).items():
        parameters.append(
            {"name": name, "in": "query", "required": name in required, "schema": _without_null(schema)}
        )
    if route.idempotent:
        parameters.append(
            {
                "name": IDEMPOTENCY_KEY,
                "in": "header",
                "required": False,
                "description": "Doing it again with the same key gives the same answer for a day.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
            }
        )
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        schema = names[(route.body, "validation")]
        needed = bool(_resolve(schema, definitions).get("required"))
        operation["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
    elif route.upload is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": {"type": "string", "format": "binary"}}
                        for kind in route.upload.media_types},
        }  # fmt: skip
    return operation


def _responses(route: Route, names: Any) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if route.websocket:
        responses["101"] = {"description": "The WebSocket is open."}
    elif route.answer is not None:
        content = {"application/json": {"schema": names[(route.answer, "serialization")]}}
        responses[str(route.status)] = {"description": route.summary, "content": content}
    elif route.produces != "application/json":
        responses[str(route.status)] = {
            "description": route.summary,
            "content": {route.produces: {"schema": {"type": "string", "format": "binary"}}},
        }
    else:
        responses["204"] = {"description": "Done."}
    by_status: dict[int, list[str]] = {}
    for code in problem_codes(route):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes),
            "content": {CONTENT_TYPE: {"schema": names[(ProblemDetails, "serialization")]}},
        }
    return responses


def _resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    found = definitions.get(reference.rpartition("/")[2]) if reference else schema
    return found if isinstance(found, dict) else {}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is absent, never null."""
    options = schema.get("anyOf")
    if not options:
        return schema
    kept = [option for option in options if option.get("type") != "null"]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**kept[0], **rest} if len(kept) == 1 else {**rest, "anyOf": kept}
