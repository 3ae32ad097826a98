"""What the desk raises."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 -- a refusal is an answer, not a fault
    """A command that the rules do not allow now; nothing has changed.

    `code` is stable and becomes the code of the problem document; `message` is for developers, in English.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class IllegalTransition(Exception):  # noqa: N818
    """A state machine was given an event that its state does not allow: a bug in the rules."""


class SequenceGap(Exception):  # noqa: N818
    """An event does not follow the version of the aggregate it belongs to.

    Raised by :meth:`Desk.apply` and :meth:`Board.apply`; the owner loads the aggregate afresh.
    """
