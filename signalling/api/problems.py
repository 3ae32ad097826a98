"""Errors as clients see them: RFC 9457 problem details with a stable `code`.

Everything that can go wrong has a row in `PROBLEMS`; the OpenAPI document lists them per route. Texts are
for developers and operators; what students and agents read comes from the message catalogue, by `code`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:raisehand:problem:"
"""The `type` of a problem is this and its code: an identifier, not a page."""


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One row of the table."""

    status: int
    title: str


PROBLEMS: dict[str, ProblemKind] = {
    "malformed": ProblemKind(400, "The request cannot be read"),
    "unauthenticated": ProblemKind(401, "Who are you?"),
    "bad_credentials": ProblemKind(401, "User name or password is wrong"),
    "forbidden": ProblemKind(403, "Your role may not do this"),
    "origin_refused": ProblemKind(403, "This web page's origin may not use the session cookie"),
    "not_found": ProblemKind(404, "There is no such thing, or it is not yours"),
    "method_not_allowed": ProblemKind(405, "The resource does not know this method"),
    "not_acceptable": ProblemKind(406, "None of the accepted media types can be given"),
    "too_slow": ProblemKind(408, "The request did not arrive in time"),
    "conflict": ProblemKind(409, "Somebody was faster; look again"),
    "idempotency_conflict": ProblemKind(409, "The idempotency key was used for another request"),
    "too_large": ProblemKind(413, "The body is larger than allowed"),
    "unsupported_media_type": ProblemKind(415, "The body's media type is not accepted"),
    "invalid": ProblemKind(422, "Some fields are not as they should be"),
    "rate_limited": ProblemKind(429, "Too many requests"),
    "locked_out": ProblemKind(429, "Too many failed logins; wait"),
    "internal": ProblemKind(500, "The server failed"),
    "draining": ProblemKind(503, "The server is shutting down and takes no new calls"),
    "unavailable": ProblemKind(503, "Something the server needs is away; try again"),
}
"""Code -> status and title. The desk's refusals are added by `signalling.api.refusals`."""


class FieldError(BaseModel):
    """One field that is not as it should be."""

    field: str = Field(description="Where: `body.subject.affected_count`, `query.limit`.")
    message: str
    kind: str = Field(description="Stable kind of the error, such as `missing` or `string_too_long`.")


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    code: str = Field(description="Stable, for programs.")
    detail: str = ""
    errors: list[FieldError] = Field(default_factory=list)


@dataclass
class Problem(Exception):  # noqa: N818  (it is RFC 9457's word)
    """A request that fails with one of `PROBLEMS`; raised anywhere below a handler."""

    code: str
    detail: str = ""
    errors: Sequence[FieldError] = ()
    retry_after_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(f"{self.code}: {self.detail}")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return PROBLEMS[self.code].status

    def to_json(self) -> dict[str, Any]:
        """The body."""
        kind = PROBLEMS[self.code]
        body: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": kind.title,
            "status": kind.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [error.model_dump() for error in self.errors]
        return body

    def response(self) -> web.Response:
        """The answer."""
        headers = {hdrs.CACHE_CONTROL: "no-store", **self.headers}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="raisehand"'
        if self.retry_after_s is not None:
            headers[hdrs.RETRY_AFTER] = str(max(1, round(self.retry_after_s)))
        return web.json_response(
            self.to_json(), status=self.status, content_type=CONTENT_TYPE, headers=headers
        )
