"""What things are called: identifiers, the numbers of tickets, and limits of what is remembered."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NewType

CallId = NewType("CallId", str)
TicketId = NewType("TicketId", str)
AgentId = NewType("AgentId", str)
"""A member of staff who can be in a call: agents, specialists and supervisors."""
StudentId = NewType("StudentId", str)
OfferId = NewType("OfferId", str)
TransferId = NewType("TransferId", str)
QueueId = NewType("QueueId", str)
MessageId = NewType("MessageId", str)
DueId = NewType("DueId", str)

JsonObject = Mapping[str, Any]
"""Data of others that the desk carries but does not read."""

EPOCH = datetime.fromtimestamp(0, UTC)
"""Long ago."""

MINOR_AGE_YEARS = 14
"""Below this age a guardian decides about recording (Personal Information Protection Law, article 31)."""

KEPT_OFFERS = 30
"""Ended offers that a call remembers, to tell a late agent what became of his offer."""

KEPT_ASSIGNMENTS = 30
"""Ended assignments that a call remembers."""


def uuid7(at: datetime, entropy: bytes) -> str:
    """A UUID version 7 (RFC 9562, section 5.7) of this moment; `entropy` is at least 10 bytes."""
    if len(entropy) < 10:
        raise ValueError("entropy: at least 10 bytes")
    value = (int(at.timestamp() * 1000) & ((1 << 48) - 1)) << 80 | int.from_bytes(entropy[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def derive_id(at: datetime, *parts: object) -> str:
    """A UUID version 7 whose random bits follow from `parts`: the same decision gives the same identifiers.

    Not a secret: whoever knows an identifier may do nothing by that alone.
    """
    return uuid7(at, hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=10).digest())


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ticket_number(at: datetime, ticket: TicketId) -> str:
    """A number that can be read out over the phone, such as ``261121-7K3F-9QZD``: the day and 40 bits."""
    bits = int.from_bytes(hashlib.blake2b(ticket.encode(), digest_size=5).digest(), "big")
    code = "".join(_CROCKFORD[bits >> shift & 31] for shift in range(35, -5, -5))
    return f"{at:%y%m%d}-{code[:4]}-{code[4:]}"
