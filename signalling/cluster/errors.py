"""Exceptions of the cluster package."""

from __future__ import annotations

from signalling.errors import ConfigurationError


class RedisAwayError(Exception):
    """Redis gave no answer in time, refused, or is known to be away. A normal state: callers fall back."""


class ValkeyStartError(ConfigurationError):
    """No private Valkey could be started; the message says what to do."""


class LeasesAwayError(Exception):
    """The store of leases (the database) cannot be asked now; what is held stays held meanwhile."""


class NoOwnerError(Exception):
    """No node could be found, in time, that can take a room."""
