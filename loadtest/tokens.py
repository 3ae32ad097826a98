"""Platform tokens, as the host platform's backend mints them. Imports next to nothing, for locust's sake."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import jwt
from jwt.warnings import InsecureKeyLengthWarning

# The secret of development is short on purpose; nobody who plays the demo can do anything about it.
warnings.filterwarnings("ignore", category=InsecureKeyLengthWarning)

DEV_API_KEY = "devkey"
DEV_API_SECRET = "secret"
"""Of `serve --dev`; known to everybody."""

AUDIENCE = "raisehand"


def platform_token(
    subject: str,
    role: str = "student",
    *,
    name: str = "",
    profile: Mapping[str, Any] | None = None,
    ttl_s: float = 3600.0,
    key: str = DEV_API_KEY,
    secret: str = DEV_API_SECRET,
) -> str:
    """A platform token for somebody who logged in at the host platform."""
    claims = {
        "iss": key,
        "aud": AUDIENCE,
        "sub": subject,
        "name": name,
        "exp": int(time.time() + ttl_s),
        "raisehand": {"role": role, "profile": dict(profile or {})},
    }
    return jwt.encode(claims, secret, "HS256")
