"""Structured logs: one event a line, with room and participant; never a token or secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from signalling.settings import LogSettings

_QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_SECRET_KEYS = re.compile(r"token|secret|password|credential|authorization", re.IGNORECASE)
_HIDDEN = "[hidden]"


def hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last line of defence: nothing that looks like a token or is named like a secret is written."""
    for key, value in event.items():
        if isinstance(value, str):
            if _SECRET_KEYS.search(key):
                event[key] = _HIDDEN
            elif "eyJ" in value:
                event[key] = _JWT.sub(_HIDDEN, value)
    return event


_JSON_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure_logging(settings: LogSettings) -> None:
    """Set up structlog and hand the standard library's logs to it."""
    level = _LEVELS[settings.level]
    as_text = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks without local variables: among them are tokens and what people wrote.
    exceptions: list[structlog.typing.Processor] = [] if as_text else [_JSON_TRACEBACKS]
    renderer: structlog.typing.Processor
    if as_text:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[*shared, *exceptions, hide_secrets, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *exceptions,
                hide_secrets,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    logging.getLogger("aiohttp.server").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)


class AccessLog(AbstractAccessLogger):
    """One line per request, with the path but never the query: it holds tokens."""

    _log = structlog.get_logger("http")

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Called by aiohttp when a request has been answered; `time` is seconds."""
        write = self._log.debug if request.path in _QUIET_PATHS else self._log.info
        write(
            "request",
            method=request.method,
            path=request.path,
            status=response.status,
            duration_ms=round(time * 1000, 1),
            remote=request.remote,
        )

    @property
    def enabled(self) -> bool:
        """Whether anything is written at all."""
        return True
