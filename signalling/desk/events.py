"""What happened: every change of an aggregate, and nothing else, is one of these.

An event belongs to the stream of exactly one aggregate (``STREAM`` and ``stream_id``) and carries that
stream's next sequence number, so a stream is gap-free and `(stream_id, seq)` is unique: of two writers only
one can succeed.
``evolve`` gives the aggregate after the event; :meth:`state.Desk.apply` calls it and sets the version.

In JSON: ``{"type", "v", "stream_id", "seq", "at", "by", "data"}``. The types are those of the public event
list where one exists. A later version of a type must still read the earlier data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signalling.desk import codec
from signalling.desk.agent_events import AgentChanged, AgentConfigured, AgentEvent, QueueChanged
from signalling.desk.call_event import CallEvent
from signalling.desk.closing_events import (
    CallClosed,
    CallEnded,
    CallSummoned,
    ConsentChanged,
    MessageCreated,
    RatingCreated,
    WrapupCreated,
)
from signalling.desk.event import ENVELOPE, Event, Scope, Stream
from signalling.desk.talking_events import (
    AssignmentStarted,
    CallAccepted,
    CallConnected,
    CallDescribed,
    CallHeld,
    CallResumed,
    CallUpgraded,
    GuestInvited,
    HandLowered,
    HandRaised,
    ModeChanged,
    ParticipantAway,
    ParticipantEvent,
    ParticipantJoined,
    ParticipantLeft,
    RoleChanged,
    SupervisionChanged,
    TransferAccepted,
    TransferCancelled,
    TransferCompleted,
    TransferConsulting,
    TransferFailed,
    TransferStarted,
    TransferStep,
    scope_of,
)
from signalling.desk.ticket_events import (
    TicketCall,
    TicketChanged,
    TicketDue,
    TicketEvent,
    TicketLinked,
    TicketMessage,
    TicketOpened,
    TicketScheduled,
    TicketUnscheduled,
)
from signalling.desk.waiting_events import (
    CallOpened,
    CallParked,
    CallQueued,
    CallUnparked,
    OfferAccepted,
    OfferCreated,
    OfferDeclined,
    OfferEnded,
    OfferExpired,
    OfferWithdrawn,
    QueuedReason,
    RoutingRequested,
    SeekEnded,
    SeekStarted,
)

__all__ = [
    "EVENT_TYPES",
    "AgentChanged",
    "AgentConfigured",
    "AgentEvent",
    "AssignmentStarted",
    "CallAccepted",
    "CallClosed",
    "CallConnected",
    "CallDescribed",
    "CallEnded",
    "CallEvent",
    "CallHeld",
    "CallOpened",
    "CallParked",
    "CallQueued",
    "CallResumed",
    "CallSummoned",
    "CallUnparked",
    "CallUpgraded",
    "ConsentChanged",
    "Event",
    "GuestInvited",
    "HandLowered",
    "HandRaised",
    "MessageCreated",
    "ModeChanged",
    "OfferAccepted",
    "OfferCreated",
    "OfferDeclined",
    "OfferEnded",
    "OfferExpired",
    "OfferWithdrawn",
    "ParticipantAway",
    "ParticipantEvent",
    "ParticipantJoined",
    "ParticipantLeft",
    "QueueChanged",
    "QueuedReason",
    "RatingCreated",
    "RoleChanged",
    "RoutingRequested",
    "Scope",
    "SeekEnded",
    "SeekStarted",
    "Stream",
    "SupervisionChanged",
    "TicketCall",
    "TicketChanged",
    "TicketDue",
    "TicketEvent",
    "TicketLinked",
    "TicketMessage",
    "TicketOpened",
    "TicketScheduled",
    "TicketUnscheduled",
    "TransferAccepted",
    "TransferCancelled",
    "TransferCompleted",
    "TransferConsulting",
    "TransferFailed",
    "TransferStarted",
    "TransferStep",
    "WrapupCreated",
    "from_json",
    "scope_of",
]


def from_json(value: Mapping[str, Any]) -> Event:
    """The inverse of :meth:`Event.to_json`.

    :raises ValueError: unknown type, or a field that does not fit.
    """
    try:
        kind = EVENT_TYPES[value["type"]]
        flat = {**value["data"], **{name: value[name] for name in ENVELOPE}}
    except KeyError as error:
        raise ValueError(f"event: unknown type or missing field {error}") from error
    return codec.load(kind, flat)


EVENT_TYPES: Mapping[str, type[Event]] = {
    kind.TYPE: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Event) and kind.TYPE
}
"""Event classes by type name."""
