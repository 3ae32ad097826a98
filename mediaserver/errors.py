"""Exceptions of the media core that are not a parser's :class:`ValueError`."""


class MediaServerError(Exception):
    """Base of every exception that the media core raises on purpose, apart from parsers' `ValueError`."""


class IllegalTransition(MediaServerError):
    """A state machine was given an event that its present state does not allow: a bug in the caller."""


class LimitExceeded(MediaServerError):
    """A participant, room or node asked for more than its configured limit (tracks, rate, size, ...)."""


class Closed(MediaServerError):
    """An operation reached an object after its `close()`."""
