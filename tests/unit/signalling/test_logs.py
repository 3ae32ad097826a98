"""What may never stand in a log."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import structlog
from signalling.logs import configure_logging
from signalling.settings import LogSettings

configure_logging(LogSettings(format={format!r}))

def fail():
    password_of_ann = "correct horse " + "battery staple"
    raise RuntimeError("it broke")

try:
    fail()
except RuntimeError:
    structlog.get_logger("t").exception("task failed", room="class-301")
token = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJhIn0.c2ln"
structlog.get_logger("t").info("asked", url="/rtc?access_token=" + token)
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_tracebacks_tell_where_but_not_what_variables_held(form: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(format=form)], check=True, capture_output=True, text=True
    )
    written = result.stdout + result.stderr
    assert "it broke" in written
    assert "fail" in written
    assert "class-301" in written
    assert "correct horse battery staple" not in written
    assert "eyJhbGciOiJIUzI1NiJ9" not in written
