"""The web pages and their assets, held in memory, with the headers that keep them safe."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

IMMUTABLE = "public, max-age=31536000, immutable"
"""For files whose name holds a hash of their content (Vite's ``assets/``)."""
REVALIDATE = "no-cache"
COMPRESS_FROM_BYTES = 1024
FRAMEABLE = "help/"
"""The page that the host platform may show inside its own; no other page can be framed."""
SHARED = ("assets/", "widget/")
"""Files that pages of any origin may load: the help button and what it needs."""
NONCE_PLACE = b"__STYLE_NONCE__"
"""What a page writes where it wants the nonce that lets its own script add style sheets."""
NONCE_BYTES = 16
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
    name: str
    content: bytes
    compressed: bytes | None
    content_type: str
    cache: str
    etag: str
    wants_nonce: bool


class Pages:
    """Serves the files below one directory; read once, when the server starts.

    `embedders` are the origins whose pages may frame the help page, besides our own.
    """

    def __init__(self, directory: Path | None, embedders: Sequence[str] = ()) -> None:
        self._files: dict[str, _File] = {}
        self._embedders = tuple(embedders)
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
        if name.endswith("/"):
            name += "index.html"
        file = self._files.get(name)
        if file is None:
            if name + "/index.html" in self._files:
                # The page names its files relative to its own directory. The query goes along.
                query = f"?{request.query_string}" if request.query_string else ""
                raise web.HTTPFound(f"{request.path}/{query}")
            raise web.HTTPNotFound(text="not found")
        if file.wants_nonce:
            return self._fresh(request, file)
        headers = self._headers(request, file)
        headers[hdrs.ETAG] = file.etag
        headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        if file.etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers=headers)
        body = file.content
        if file.compressed is not None and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            body = file.compressed
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        charset = "utf-8" if file.content_type.startswith(("text/", "application/j")) else None
        return web.Response(body=body, headers=headers, content_type=file.content_type, charset=charset)

    def _fresh(self, request: web.Request, file: _File) -> web.Response:
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        headers = self._headers(request, file, nonce)
        headers[hdrs.CACHE_CONTROL] = "no-store"
        body = file.content.replace(NONCE_PLACE, nonce.encode())
        return web.Response(body=body, headers=headers, content_type=file.content_type, charset="utf-8")

    def _headers(self, request: web.Request, file: _File, nonce: str = "") -> dict[str, str]:
        headers: dict[str, str] = {hdrs.CACHE_CONTROL: file.cache}
        if file.name.startswith(SHARED):
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if file.content_type == "text/html":
            framing = ("'self'", *self._embedders) if file.name.startswith(FRAMEABLE) else ()
            headers[CSP] = content_security_policy(request.host, nonce=nonce, frame_ancestors=framing)
        return headers


def _make_file(name: str, content: bytes) -> _File:
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    compressed = None
    if len(content) >= COMPRESS_FROM_BYTES and content_type.startswith(_COMPRESSIBLE):
        smaller = gzip.compress(content, compresslevel=6, mtime=0)
        compressed = smaller if len(smaller) < len(content) else None
    return _File(
        name=name,
        content=content,
        compressed=compressed,
        content_type=content_type,
        cache=IMMUTABLE if name.startswith("assets/") else REVALIDATE,
        etag=f'"{hashlib.sha256(content).hexdigest()[:20]}"',
        wants_nonce=content_type == "text/html" and NONCE_PLACE in content,
    )


def content_security_policy(host: str, *, nonce: str = "", frame_ancestors: Sequence[str] = ()) -> str:
    """Nothing but our own files, media from devices and calls, and connections to this server.

    `nonce` admits style sheets of our own script; `frame_ancestors` are the pages that may show this one.
    Older Safari does not count ``ws:`` of the same host as ``'self'``, hence the host is named.
    """
    sockets = f" ws://{host} wss://{host}" if _SAFE_HOST.fullmatch(host) else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'" if nonce else "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "media-src 'self' blob: mediastream:",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            f"connect-src 'self'{sockets}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors " + (" ".join(frame_ancestors) or "'none'"),
        )
    )


CSP = "Content-Security-Policy"
FRAME_OPTIONS = "X-Frame-Options"
"""For browsers that know no ``frame-ancestors``; a page that may be framed goes without."""

SECURITY_HEADERS = {
    "Server": "raisehand",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    FRAME_OPTIONS: "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
}
"""On every answer."""
