"""Exceptions inside the transport layer; none of them leaves it."""

from mediaserver.errors import MediaServerError


class TransportError(MediaServerError):
    """This transport cannot go on; ``str(error)`` is the reason shown in its statistics."""


class RemoteClosedError(TransportError):
    """The remote said goodbye (DTLS close_notify)."""


class SctpBreachError(TransportError):
    """The remote broke a limit or rule of SCTP; its association ends."""
