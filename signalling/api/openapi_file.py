"""Writes the document the web pages' types are generated from: ``python -m signalling.api.openapi_file``."""

from __future__ import annotations

import json
from pathlib import Path

from signalling.api.openapi import document
from signalling.api.routes import ROUTES

TARGET = Path(__file__).parents[2] / "web" / "shared" / "api" / "openapi.json"
ANY_VERSION = "0"
"""The types do not depend on the release."""


def text() -> str:
    """The whole file, the same for the same routes."""
    return (
        json.dumps(document(ROUTES, version=ANY_VERSION), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
