"""The server's own description."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from pydantic import RootModel

from signalling.api.context import Api
from signalling.api.route import Asked, NoQuery, Nothing


class Document(RootModel[dict[str, Any]]):
    """An OpenAPI 3.1 document."""


async def openapi(api: Api, _asked: Asked[Nothing, NoQuery]) -> web.Response:
    """OpenAPI 3.1, made from the route table."""
    if api.openapi is None:
        from signalling.api.openapi import document
        from signalling.api.routes import ROUTES

        api.openapi = json.dumps(document(ROUTES, version=api.version), ensure_ascii=False)
    return web.Response(text=api.openapi, content_type="application/json")
