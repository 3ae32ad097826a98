"""The state machines of the desk: ticket, call, agent, offer, assignment, transfer, supervision.

Each is an enumeration of states (in :mod:`model`), one of happenings (here) and a table. ``apply`` gives the
next state and raises :class:`IllegalTransition` for what the table does not contain. Diagrams: docs/desk.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Generic, TypeVar

from signalling.desk.errors import IllegalTransition
from signalling.desk.model import (
    AgentState,
    AssignmentState,
    CallState,
    OfferState,
    TicketState,
    TransferState,
)

S = TypeVar("S", bound=StrEnum)
H = TypeVar("H", bound=StrEnum)


@dataclass(frozen=True)
class Machine(Generic[S, H]):
    """A transition table."""

    name: str
    table: Mapping[tuple[S, H], S]

    def apply(self, state: S, happening: H) -> S:
        """The state after `happening`.

        :raises IllegalTransition: this must not happen in this state.
        """
        try:
            return self.table[state, happening]
        except KeyError:
            raise IllegalTransition(f"{self.name}: {happening} in {state}") from None

    def allows(self, state: S, happening: H) -> bool:
        """Whether `happening` is legal now."""
        return (state, happening) in self.table


def _rows(rows: Iterable[tuple[Iterable[S], H, S]]) -> dict[tuple[S, H], S]:
    return {(state, happening): after for states, happening, after in rows for state in states}


class CallHappening(StrEnum):
    """What can happen to a call."""

    OFFER = auto()
    UNOFFER = auto()
    ACCEPT = auto()
    CONNECT = auto()
    HOLD = auto()
    RESUME = auto()
    RECONNECT = auto()
    """A new primary is on his way while the call has none in the room."""
    REQUEUE = auto()
    WRAP = auto()
    CLOSE = auto()


_C, _CH = CallState, CallHappening
CALL: Machine[CallState, CallHappening] = Machine(
    "call",
    _rows(
        [
            ({_C.QUEUED}, _CH.OFFER, _C.OFFERED),
            ({_C.OFFERED}, _CH.UNOFFER, _C.QUEUED),
            ({_C.OFFERED, _C.QUEUED}, _CH.ACCEPT, _C.CONNECTING),
            ({_C.CONNECTING}, _CH.CONNECT, _C.ACTIVE),
            ({_C.ACTIVE}, _CH.HOLD, _C.HELD),
            ({_C.HELD}, _CH.RESUME, _C.ACTIVE),
            ({_C.ACTIVE, _C.HELD}, _CH.RECONNECT, _C.CONNECTING),
            ({_C.CONNECTING, _C.ACTIVE, _C.HELD}, _CH.REQUEUE, _C.QUEUED),
            ({_C.CONNECTING, _C.ACTIVE, _C.HELD}, _CH.WRAP, _C.WRAPPING),
            (set(_C) - {_C.CLOSED}, _CH.CLOSE, _C.CLOSED),
        ]
    ),
)


class TicketHappening(StrEnum):
    """What can happen to a ticket."""

    ASKED = auto()
    """The user asked or wrote: it is our turn."""
    ANSWERED = auto()
    """We asked the user for something: it is his turn."""
    SOLVE = auto()
    CONFIRM = auto()
    REOPEN = auto()


_T, _TH = TicketState, TicketHappening
_UNSOLVED = {_T.OPEN, _T.WAITING_US, _T.WAITING_USER, _T.REOPENED}
TICKET: Machine[TicketState, TicketHappening] = Machine(
    "ticket",
    _rows(
        [
            (_UNSOLVED, _TH.ASKED, _T.WAITING_US),
            (_UNSOLVED, _TH.ANSWERED, _T.WAITING_USER),
            (_UNSOLVED, _TH.SOLVE, _T.SOLVED),
            (_UNSOLVED | {_T.SOLVED}, _TH.CONFIRM, _T.CONFIRMED),
            ({_T.SOLVED, _T.CONFIRMED}, _TH.REOPEN, _T.REOPENED),
        ]
    ),
)


class OfferHappening(StrEnum):
    """What can happen to an offer."""

    ACCEPT = auto()
    DECLINE = auto()
    EXPIRE = auto()
    WITHDRAW = auto()


_O, _OH = OfferState, OfferHappening
OFFER: Machine[OfferState, OfferHappening] = Machine(
    "offer",
    _rows(
        [
            ({_O.PENDING}, _OH.ACCEPT, _O.ACCEPTED),
            ({_O.PENDING}, _OH.DECLINE, _O.DECLINED),
            ({_O.PENDING}, _OH.EXPIRE, _O.EXPIRED),
            ({_O.PENDING}, _OH.WITHDRAW, _O.WITHDRAWN),
        ]
    ),
)


class AssignmentHappening(StrEnum):
    """What can happen to an agent's part in a call."""

    JOIN = auto()
    DROP = auto()
    END = auto()


_A, _AH = AssignmentState, AssignmentHappening
ASSIGNMENT: Machine[AssignmentState, AssignmentHappening] = Machine(
    "assignment",
    _rows(
        [
            ({_A.CONNECTING, _A.AWAY}, _AH.JOIN, _A.LIVE),
            ({_A.LIVE}, _AH.DROP, _A.AWAY),
            ({_A.CONNECTING, _A.LIVE, _A.AWAY}, _AH.END, _A.ENDED),
        ]
    ),
)


class TransferHappening(StrEnum):
    """What can happen to a transfer."""

    ACCEPT = auto()
    JOIN = auto()
    COMPLETE = auto()
    CANCEL = auto()
    FAIL = auto()


_X, _XH = TransferState, TransferHappening
_LIVE = {_X.RINGING, _X.JOINING, _X.CONSULTING}
TRANSFER: Machine[TransferState, TransferHappening] = Machine(
    "transfer",
    _rows(
        [
            ({_X.RINGING}, _XH.ACCEPT, _X.JOINING),
            ({_X.JOINING}, _XH.JOIN, _X.CONSULTING),
            # From ringing: a cold transfer was accepted. From joining: the first agent vanished meanwhile.
            (_LIVE, _XH.COMPLETE, _X.COMPLETED),
            (_LIVE, _XH.CANCEL, _X.CANCELLED),
            (_LIVE, _XH.FAIL, _X.FAILED),
        ]
    ),
)


class AgentHappening(StrEnum):
    """What can happen to an agent's declared state."""

    GO_AVAILABLE = auto()
    GO_AWAY = auto()
    GO_BUSY = auto()
    GO_OFFLINE = auto()
    MISS = auto()
    """He let too many offers expire."""
    VANISH = auto()
    """His presence lease ran out."""


_G, _GH = AgentState, AgentHappening
AGENT: Machine[AgentState, AgentHappening] = Machine(
    "agent",
    _rows(
        [
            (set(_G), _GH.GO_AVAILABLE, _G.AVAILABLE),
            (set(_G), _GH.GO_AWAY, _G.AWAY),
            (set(_G), _GH.GO_BUSY, _G.BUSY),
            (set(_G), _GH.GO_OFFLINE, _G.OFFLINE),
            ({_G.AVAILABLE}, _GH.MISS, _G.AWAY),
            (set(_G), _GH.VANISH, _G.OFFLINE),
        ]
    ),
)


class SupervisionState(StrEnum):
    """How a supervisor takes part; ``absent`` exists only here."""

    ABSENT = "absent"
    MONITOR = "monitor"
    WHISPER = "whisper"
    BARGE = "barge"
    TALK = "talk"


class SupervisionHappening(StrEnum):
    """What can happen to a supervision."""

    MONITOR = "monitor"
    WHISPER = "whisper"
    BARGE = "barge"
    TALK = "talk"
    LEAVE = "leave"


_U, _UH = SupervisionState, SupervisionHappening
SUPERVISION: Machine[SupervisionState, SupervisionHappening] = Machine(
    "supervision",
    _rows(
        [
            (set(_U) - {_U.MONITOR}, _UH.MONITOR, _U.MONITOR),
            (set(_U) - {_U.WHISPER}, _UH.WHISPER, _U.WHISPER),
            (set(_U) - {_U.BARGE}, _UH.BARGE, _U.BARGE),
            (set(_U) - {_U.TALK}, _UH.TALK, _U.TALK),
            (set(_U) - {_U.ABSENT}, _UH.LEAVE, _U.ABSENT),
        ]
    ),
)
