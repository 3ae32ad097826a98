"""Secrets of the API keys that administrators make.

A secret follows from the key's id (which holds 128 random bits) and the secret of a configured key, by HMAC.
So it can be shown once and verified ever after, and whoever reads the database has no secret. A configured
key that made others must stay configured as long as they are used.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Final

from signalling.api.identity import KEY_PREFIX
from signalling.api.roles import Role
from signalling.store.administration import USED_S, ApiKey, ApiKeys
from signalling.store.errors import StoreError

CACHE_S: Final = 2.0
"""How long a key may be believed without asking the store: the delay of a revocation on other nodes."""
CACHED: Final = 1024
_PURPOSE: Final = b"raisehand api key "


def new_key_id() -> str:
    """A fresh, unguessable id."""
    return KEY_PREFIX + secrets.token_hex(16)


def secret_of(key: str, base_secret: str) -> str:
    """The secret of a key, from the configured secret it was made with."""
    digest = hmac.digest(base_secret.encode(), _PURPOSE + key.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class KeyRing:
    """Finds secrets and roles of keys; notes roughly when they were used."""

    def __init__(
        self,
        store: ApiKeys,
        configured: Mapping[str, str],
        *,
        utc_now: Callable[[], datetime.datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._configured = configured
        self._utc_now = utc_now
        self._monotonic = monotonic
        self._cache: dict[str, tuple[float, ApiKey | None]] = {}

    async def find(self, key: str) -> tuple[str, frozenset[Role]] | None:
        """Secret and roles of a key in force; raises StoreError."""
        now = self._monotonic()
        cached = self._cache.get(key)
        if cached is not None and now - cached[0] < CACHE_S:
            found = cached[1]
        else:
            found = await self._store.get(key)
            if len(self._cache) >= CACHED:
                self._cache.clear()
            self._cache[key] = (now, found)
            if found is not None:
                await self._note_use(found)
        if found is None or found.made_with not in self._configured:
            return None
        known = {role.value for role in Role}
        roles = frozenset(Role(role) for role in found.roles if role in known)
        return secret_of(key, self._configured[found.made_with]), roles

    def forget(self, key: str) -> None:
        """Ask the store again: the key was revoked."""
        self._cache.pop(key, None)

    async def _note_use(self, key: ApiKey) -> None:
        now = self._utc_now()
        if key.last_used_at is None or (now - key.last_used_at).total_seconds() > USED_S:
            with contextlib.suppress(StoreError):  # a note only: the request goes on without
                await self._store.used(key.id, now)
