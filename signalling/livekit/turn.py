"""Short-lived TURN credentials and the list of ICE servers that clients get.

The scheme is draft-uberti-behave-turn-rest-00 ("TURN REST API"), which coturn calls ``use-auth-secret``:
the user name is ``expiry:label`` and the password an HMAC-SHA1 of it under a secret shared with the server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from livekit.protocol import rtc

from signalling.settings import TurnSettings


def turn_credentials(secret: str, label: str, *, expires_at: int) -> tuple[str, str]:
    """User name and password, valid until `expires_at` (Unix seconds); `label` only serves TURN's log."""
    username = f"{expires_at}:{label}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()  # the draft demands SHA-1
    return username, base64.b64encode(digest).decode()


def ice_servers(turn: TurnSettings, label: str, *, unix_now: float) -> list[rtc.ICEServer]:
    """What the join response lists; empty without a TURN server (our own candidates are in the SDP)."""
    if not turn.urls:
        return []
    username, credential = turn_credentials(
        turn.secret.get_secret_value(), label, expires_at=int(unix_now) + turn.ttl_s
    )
    return [rtc.ICEServer(urls=list(turn.urls), username=username, credential=credential)]
