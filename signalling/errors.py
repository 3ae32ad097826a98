"""Exceptions of the signalling package."""

from __future__ import annotations


class ConfigurationError(Exception):
    """The configuration cannot be used; the message names every offending key and how to put it right."""


class AuthenticationError(Exception):
    """A token is missing, malformed, expired, or not signed by a known key. Never carries the token."""


class PermissionDeniedError(Exception):
    """The token is genuine but does not allow what was asked."""


class JoinRequestError(ValueError):
    """A join request cannot be read, or is larger than allowed."""
