"""Exceptions of the media core that are not a parser's :class:`ValueError`."""


class MediaServerError(Exception):
    """Base of every exception that the media core raises on purpose, apart from parsers' `ValueError`."""


class IllegalTransitionError(MediaServerError):
    """A state machine was given an event that its present state does not allow: a bug in the caller."""


class LimitExceededError(MediaServerError):
    """A participant, room or node asked for more than its configured limit (tracks, rate, size, ...)."""


class ClosedError(MediaServerError):
    """An operation reached an object after its `close()`."""


class RoomError(MediaServerError):
    """A room refused what a participant or the administration asked for; nothing was changed.

    `code` is stable and meant for programs: ``room_full``, ``node_full``, ``not_allowed``, ``track_limit``,
    ``track_not_found``, ``participant_not_found``, ``room_not_found``, ``bad_request``, ``session_gone``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
