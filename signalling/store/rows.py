"""Aggregates of the desk as rows and back.

An aggregate lies whole in its row's ``data``; the columns beside it, and the rows of `offers`, `assignments`,
`transfers` and `consents`, are what queries and constraints need of it. They are written here and nowhere
else, always together with the aggregate, and never read to build one.
"""

from __future__ import annotations

import datetime
from typing import Any

from signalling.desk import codec
from signalling.desk.model import (
    Agent,
    AssignmentRole,
    AssignmentState,
    Call,
    OfferState,
    QueueConfig,
    StudentProfile,
    Ticket,
    TransferState,
)

Values = dict[str, Any]


def student_row(student: StudentProfile) -> Values:
    """Without `updated_at`."""
    return {
        "id": student.id,
        "name": student.name,
        "level": student.level,
        "data": codec.dump(student),
    }


def ticket_row(ticket: Ticket) -> Values:
    """The row of a ticket."""
    return {
        "id": ticket.id,
        "version": ticket.version,
        "number": ticket.number,
        "student_id": ticket.student.id,
        "state": ticket.state.value,
        "topic": ticket.topic,
        "severity": ticket.severity.value,
        "owner_id": ticket.owner,
        "opened_at": ticket.opened_at,
        "updated_at": ticket.updated_at,
        "solved_at": ticket.solved_at,
        "next_due_at": ticket.next_due(),
        "data": codec.dump(ticket),
    }


def call_row(call: Call) -> Values:
    """The row of a call itself; what belongs to it has rows of its own below."""
    return {
        "id": call.id,
        "version": call.version,
        "ticket_id": call.ticket,
        "student_id": call.student.id,
        "state": call.state.value,
        "open": call.open,
        "closed_reason": call.closed_reason.value if call.closed_reason else None,
        "kind": call.kind.value,
        "queue_id": call.queue,
        "topic": call.topic,
        "severity": call.severity.value,
        "channel": call.channel,
        "room": call.room,
        "class_id": call.context.class_id,
        "primary_agent_id": call.primary.agent if call.primary else None,
        "created_at": call.created_at,
        "accepted_at": call.accepted_at,
        "connected_at": call.connected_at,
        "ended_at": call.ended_at,
        "closed_at": call.closed_at,
        "next_due_at": call.next_due(),
        "data": codec.dump(call),
    }


def offer_rows(call: Call) -> dict[Any, Values]:
    """Pending and lately ended offers by id."""
    return {
        offer.id: {
            "id": offer.id,
            "call_id": call.id,
            "agent_id": offer.agent,
            "role": offer.role.value,
            "mode": offer.mode.value,
            "fence": offer.fence,
            "state": offer.state.value,
            "created_at": offer.created_at,
            "deadline": offer.deadline,
            "ended_at": offer.ended_at,
            "note": offer.note,
        }
        for offer in call.offers
    }


def offer_order(values: Values) -> bool:
    """Sort key for writing: what gives a unique place up comes before what takes it."""
    return bool(values["state"] == OfferState.PENDING.value)


def assignment_rows(call: Call) -> dict[Any, Values]:
    """Live and lately ended assignments by call and fencing token."""
    return {
        (call.id, assignment.fence): {
            "call_id": call.id,
            "fence": assignment.fence,
            "agent_id": assignment.agent,
            "kind": call.kind.value,
            "role": assignment.role.value,
            "mode": assignment.mode.value,
            "state": assignment.state.value,
            "since": assignment.since,
            "ended_at": assignment.ended_at,
        }
        for assignment in call.assignments
    }


def assignment_order(values: Values) -> tuple[bool, bool]:
    """As `offer_order`: ended ones, then those that are not (or no longer) primary, then primaries."""
    return (
        values["state"] != AssignmentState.ENDED.value,
        values["role"] == AssignmentRole.PRIMARY.value,
    )


def forgotten(values: Values, at: datetime.datetime) -> Values | None:
    """The row of something that its call no longer remembers, if that row still says that it is live.

    A call forgets what has ended, perhaps in the same transaction in which it ended.
    """
    if values.get("ended_at", at) is not None:
        return None
    if "deadline" in values:
        return values | {"state": OfferState.WITHDRAWN.value, "ended_at": at}
    if "live" in values:
        return values | {"state": TransferState.FAILED.value, "live": False, "ended_at": at}
    return values | {"state": AssignmentState.ENDED.value, "ended_at": at}


def transfer_rows(call: Call) -> dict[Any, Values]:
    """The live or last transfer by id."""
    transfer = call.transfer
    if transfer is None:
        return {}
    return {
        transfer.id: {
            "id": transfer.id,
            "call_id": call.id,
            "kind": transfer.kind.value,
            "state": transfer.state.value,
            "live": transfer.live,
            "source_id": transfer.source,
            "agent_id": transfer.agent,
            "started_at": transfer.started_at,
            "ended_at": transfer.ended_at,
            "data": codec.dump(transfer),
        }
    }


def transfer_order(values: Values) -> bool:
    """As `offer_order`."""
    return bool(values["live"])


def consent_rows(call: Call) -> dict[Any, Values]:
    """Everybody's last word by participant, purpose and time."""
    return {
        (call.id, consent.participant, consent.purpose.value, consent.at): {
            "call_id": call.id,
            "participant": consent.participant,
            "purpose": consent.purpose.value,
            "at": consent.at,
            "decision": consent.decision.value,
            "by": consent.by.value,
            "notice_version": consent.notice_version,
            "actor_id": consent.actor.id,
            "actor_role": consent.actor.role.value,
        }
        for consent in call.consents
    }


def consent_order(values: Values) -> datetime.datetime:
    """Oldest first."""
    at: datetime.datetime = values["at"]
    return at


def agent_row(agent: Agent) -> Values:
    """The row of an agent."""
    return {
        "id": agent.id,
        "version": agent.version,
        "name": agent.profile.name,
        "state": agent.state.value,
        "supervisor": agent.profile.supervisor,
        "idle_since": agent.idle_since,
        "next_due_at": agent.next_due(),
        "data": codec.dump(agent),
    }


def queue_row(queue: QueueConfig) -> Values:
    """The row of a queue."""
    return {"id": queue.id, "version": queue.version, "name": queue.name, "data": codec.dump(queue)}


def call_of(row: Any) -> Call:
    """A call from a row with its ``data``."""
    return codec.load(Call, row.data)


def ticket_of(row: Any) -> Ticket:
    """A ticket from a row with its ``data``."""
    return ticket_from(row.data)


def ticket_from(data: Any) -> Ticket:
    """A ticket from its ``data``."""
    return codec.load(Ticket, data)


def agent_of(row: Any) -> Agent:
    """An agent from a row with its ``data``."""
    return codec.load(Agent, row.data)


def queue_of(row: Any) -> QueueConfig:
    """A queue from a row with its ``data``."""
    return codec.load(QueueConfig, row.data)
