"""What a route is: one row of the table in `signalling.api.routes`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from signalling.api.roles import Actor, Role

if TYPE_CHECKING:
    from signalling.api.context import Api


class Request(BaseModel):
    """Base of request bodies: unknown fields and near-miss types are refused, so that an error is noticed."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)


class Query(BaseModel):
    """Base of query strings."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)


class Nothing(Request):
    """No body, no query."""


class NoQuery(Query):
    """No query."""


BodyT = TypeVar("BodyT", bound=BaseModel)
QueryT = TypeVar("QueryT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Asked(Generic[BodyT, QueryT]):
    """A request that was authenticated, authorised and validated."""

    actor: Actor
    path: Mapping[str, str]
    query: QueryT
    body: BodyT
    http: web.Request
    raw: bytes = b""
    """The body of a route that takes files."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status or headers of its own; None as body means none."""

    body: BaseModel | None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[["Api", Any], Awaitable[BaseModel | Reply | web.StreamResponse | None]]
"""Gets an `Asked` of the route's body and query; answers by a model, a `Reply`, or a stream of its own."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A route that takes a file as its body."""

    media_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """One row."""

    method: str
    path: str
    """Below `/v1`, with parameters in braces."""
    roles: frozenset[Role]
    """Who may use it; empty: everybody, without credential."""
    handler: Handler
    summary: str
    tag: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] = NoQuery
    answer: type[BaseModel] | None = None
    """None: no content, or a media type of its own (`produces`)."""
    status: int = 200
    problems: tuple[str, ...] = ()
    """Codes beyond those every route has."""
    rule: str = ""
    """Who of the roles, in words: for the permissions table."""
    idempotent: bool = False
    """Takes an `Idempotency-Key`."""
    upload: Upload | None = None
    produces: str = "application/json"
    websocket: bool = False

    @property
    def public(self) -> bool:
        """Whether no credential is needed."""
        return not self.roles

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names in the path."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    @property
    def name(self) -> str:
        """A stable name, the OpenAPI document's `operationId`."""
        words = [
            part.strip("{}").replace("-", "_").replace(".", "_") for part in self.path.split("/") if part
        ]
        return "_".join([self.method.lower(), *words])
