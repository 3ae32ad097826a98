"""How nodes trust each other: requests between them carry facts, a time and an HMAC over both.

A node that passes a client's request on vouches for what the owner cannot see itself: the client's address
and the host it asked for. The secret is derived from the API keys, which all nodes of a deployment have in
common, unless one is configured.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

HEADER = "X-Raisehand-Internal"
MAXIMUM_SKEW_S = 30.0
"""Seconds by which the clocks of two nodes may differ, and for which a request may be repeated."""
MAXIMUM_CHARACTERS = 4096
_VERSION = 1
_LABEL = b"raisehand cluster v1"


class InternalRequestError(Exception):
    """A request says that it comes from a node, but nothing proves it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the passing node says of a request."""

    sender: str
    """Id of the node that passes it on."""
    receiver: str
    """Id of the node that it is for."""
    client: str
    """Address of the client."""
    host: str
    scheme: str
    claim: bool = False
    """The receiver was chosen to own the room: it shall claim it."""
    local: bool = False
    """About the receiver's own rooms only."""


def derive_secret(api_keys: Mapping[str, str], configured: str = "") -> bytes:
    """The secret that the nodes share."""
    material = configured or json.dumps(sorted(api_keys.items()))
    return hmac.digest(material.encode(), _LABEL, "sha256")


def sign(secret: bytes, facts: Facts, method: str, target: str, body: bytes, now: float) -> str:
    """The header's value. `target` is path and query as sent, `now` Unix seconds."""
    content = {"v": _VERSION, "at": now, "request": _digest(method, target, body), **asdict(facts)}
    payload = base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode()
    return f"{payload}.{hmac.new(secret, payload.encode(), 'sha256').hexdigest()}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A genuine header, before the request was read that it goes with."""

    facts: Facts
    request: str

    def check(self, method: str, target: str, body: bytes) -> Facts:
        """What the header says; raises InternalRequestError when it was signed for another request."""
        if not hmac.compare_digest(self.request, _digest(method, target, body)):
            raise InternalRequestError("signed for another request")
        return self.facts


def verify(secret: bytes, header: str, *, receiver: str, now: float) -> Claim:
    """A genuine header's content.

    Raises InternalRequestError when it is forged, old, or for another node.
    """
    payload, _, mac = header.partition(".")
    if len(header) > MAXIMUM_CHARACTERS:
        raise InternalRequestError("too long")
    expected = hmac.new(secret, payload.encode(), "sha256").hexdigest()
    if not hmac.compare_digest(mac.encode(), expected.encode()):
        raise InternalRequestError("wrong signature; do all nodes have the same API keys?")
    content = json.loads(base64.urlsafe_b64decode(payload))  # made by a node: we signed it
    if content.pop("v", None) != _VERSION:
        raise InternalRequestError("another version")
    if abs(now - content.pop("at")) > MAXIMUM_SKEW_S:
        raise InternalRequestError("too old; do all nodes have the right time?")
    request = content.pop("request")
    facts = Facts(**content)
    if facts.receiver != receiver:
        raise InternalRequestError("signed for another node")
    return Claim(facts, request)


def _digest(method: str, target: str, body: bytes) -> str:
    digest = hashlib.sha256(f"{method} {target}\n".encode())
    digest.update(body)
    return digest.hexdigest()
