"""The route table. Routing, validation, authorisation, OpenAPI and docs/permissions.md all come from it."""

from __future__ import annotations

from signalling.api.handlers import identity, openapi
from signalling.api.roles import EVERYONE, STAFF
from signalling.api.route import Route

PUBLIC: frozenset[str] = frozenset()

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/openapi.json", frozenset(), openapi.openapi, "This document", "meta",
        answer=openapi.Document,
    ),
    Route(
        "POST", "/login", frozenset(), identity.log_in, "Log in with an account of this server", "identity",
        body=identity.Login, answer=identity.LoggedIn, problems=("bad_credentials", "locked_out"),
        rule="People who work here. Browsers get a cookie.",
    ),
    Route("POST", "/logout", STAFF, identity.log_out, "End this session", "identity"),
    Route("GET", "/me", EVERYONE, identity.me, "Whose credential this is", "identity", answer=identity.Me),
)  # fmt: skip
