"""The helper must wait for readiness, say why a server did not come up, and end it by its id."""

from __future__ import annotations

import sys
from pathlib import Path

import jwt
import pytest
from livekit import api

from loadtest.server import DEV_API_SECRET, ServerProcess, ServerStartError, access_token

PRETENDER = """
import signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
arguments = sys.argv[1:]
assert arguments[:2] == ["serve", "--dev"], arguments
class Handler(BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        self.send_response(200 if Handler.asked > 2 and self.path == "/readyz" else 503)
        self.end_headers()
    def log_message(self, *_): pass
%s
HTTPServer(("127.0.0.1", int(arguments[arguments.index("--port") + 1])), Handler).serve_forever()
"""


def pretender(tmp_path: Path, extra: str = "") -> list[str]:
    script = tmp_path / "pretender.py"
    script.write_text(PRETENDER % extra)
    return [sys.executable, str(script)]


async def test_waits_until_ready_and_ends_by_sigterm(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", command=pretender(tmp_path))
    async with server:
        assert server.ready_after_s > 0
        assert server.pid > 0
    assert await server.stop() == -15


async def test_an_early_end_is_reported_with_the_log(tmp_path: Path) -> None:
    command = pretender(tmp_path, "print('no such option'); sys.exit(2)")
    with pytest.raises(ServerStartError, match=r"ended with 2:\nno such option"):
        await ServerProcess(tmp_path / "data", command=command).start()


def test_token_carries_identity_room_and_grants() -> None:
    grants = api.VideoGrants(can_publish=False)
    token = access_token("r", "student", name="Li", attributes={"level": "vip"}, grants=grants)
    claims = jwt.decode(token, DEV_API_SECRET, algorithms=["HS256"])
    assert claims["sub"] == "student"
    assert claims["name"] == "Li"
    assert claims["attributes"] == {"level": "vip"}
    assert claims["video"]["room"] == "r"
    assert claims["video"]["roomJoin"] is True
    assert claims["video"]["canPublish"] is False
