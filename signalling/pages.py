"""The web page and its assets, held in memory, with the headers that keep it safe."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

IMMUTABLE = "public, max-age=31536000, immutable"
"""For files whose name holds a hash of their content (Vite's ``assets/``)."""
REVALIDATE = "no-cache"
COMPRESS_FROM_BYTES = 1024
_COMPRESSIBLE = ("text/", "application/javascript", "application/json", "image/svg+xml", "text/javascript")
_SAFE_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")

NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Raisehand</title>
<p>The server is running, but its web page has not been built: <code>make web</code>.</p>
<p>服务器正在运行，但网页尚未构建：<code>make web</code>。</p>
"""

mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("application/manifest+json", ".webmanifest")


def pages_directory() -> Path | None:
    """Where the built page is: in the wheel beside this module, in a checkout in ``web/dist``."""
    here = Path(__file__).parent
    for candidate in (here / "static", here.parent / "web" / "dist"):
        if (candidate / "index.html").is_file():
            return candidate
    return None


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    compressed: bytes | None
    content_type: str
    cache: str
    etag: str


class Pages:
    """Serves the files below one directory; read once, when the server starts."""

    def __init__(self, directory: Path | None) -> None:
        self._files: dict[str, _File] = {}
        if directory is None:
            self._files["index.html"] = _make_file("index.html", NOT_BUILT.encode())
            return
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path.suffix != ".map":
                name = path.relative_to(directory).as_posix()
                self._files[name] = _make_file(name, path.read_bytes())

    def routes(self) -> Iterator[web.RouteDef]:
        """The routes to serve; they must come last."""
        yield web.get("/", self._serve)
        yield web.get("/{path:.+}", self._serve)

    async def _serve(self, request: web.Request) -> web.Response:
        name = request.match_info.get("path", "") or "index.html"
        file = self._files.get(name) or self._files.get(name.rstrip("/") + "/index.html")
        if file is None:
            raise web.HTTPNotFound(text="not found")
        headers: dict[str, str] = {
            hdrs.CACHE_CONTROL: file.cache,
            hdrs.ETAG: file.etag,
            hdrs.VARY: hdrs.ACCEPT_ENCODING,
        }
        if file.content_type == "text/html":
            headers["Content-Security-Policy"] = content_security_policy(request.host)
        if file.etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers=headers)
        body = file.content
        if file.compressed is not None and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            body = file.compressed
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        charset = "utf-8" if file.content_type.startswith(("text/", "application/j")) else None
        return web.Response(body=body, headers=headers, content_type=file.content_type, charset=charset)


def _make_file(name: str, content: bytes) -> _File:
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    compressed = None
    if len(content) >= COMPRESS_FROM_BYTES and content_type.startswith(_COMPRESSIBLE):
        smaller = gzip.compress(content, compresslevel=6, mtime=0)
        compressed = smaller if len(smaller) < len(content) else None
    return _File(
        content=content,
        compressed=compressed,
        content_type=content_type,
        cache=IMMUTABLE if name.startswith("assets/") else REVALIDATE,
        etag=f'"{hashlib.sha256(content).hexdigest()[:20]}"',
    )


def content_security_policy(host: str) -> str:
    """Nothing but our own files, media from devices and calls, and connections to this server.

    Older Safari does not count ``ws:`` of the same host as ``'self'``, hence the host is named.
    """
    sockets = f" ws://{host} wss://{host}" if _SAFE_HOST.fullmatch(host) else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "media-src 'self' blob: mediastream:",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            f"connect-src 'self'{sockets}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


SECURITY_HEADERS = {
    "Server": "raisehand",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
}
"""On every answer."""
