"""All tables. What is queried or constrained is a column; the rest of a thing lies in its ``data``.

Every aggregate of the desk has a ``version`` that each change raises by one: who saves must have read the
newest. Rules that must hold whatever the code does are unique indexes with names that say the rule.
A change here needs a migration (`signalling.store.migrations`); a test compares the two.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from signalling.store.types import Json, Text, UtcDateTime

EVENT_FEED: Final = "events"
"""The row of `feeds` that counts the ids given to events."""

metadata: Final = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

_BigKey = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite numbers rows by itself only in a column of type INTEGER."""


def _column(name: str, kind: Any, *rest: Any, **options: Any) -> sa.Column[Any]:
    """A column that must have a value, unless `nullable` says otherwise."""
    return sa.Column(name, kind, *rest, **{"nullable": False, **options})


def _only(name: str, condition: str, *columns: sa.Column[Any]) -> sa.Index:
    """At most one row for each value of `columns`, among the rows that fulfil `condition`."""
    return sa.Index(
        name, *columns, unique=True, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition)
    )


def _among(condition: str, *columns: sa.Column[Any]) -> sa.Index:
    """An index of the rows that fulfil `condition`."""
    return sa.Index(None, *columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))


# The desk's aggregates -------------------------------------------------------------------------------

students: Final = sa.Table(
    "students",
    metadata,
    _column("id", Text, primary_key=True),
    _column("name", Text),
    _column("level", Text),
    _column("updated_at", UtcDateTime),
    _column("data", Json),
    comment="The newest profile that the host platform gave; each call keeps the one of its time.",
)

tickets: Final = sa.Table(
    "tickets",
    metadata,
    _column("id", Text, primary_key=True),
    _column("version", sa.Integer),
    _column("number", Text, unique=True),
    _column("student_id", Text, sa.ForeignKey("students.id")),
    _column("state", Text),
    _column("topic", Text),
    _column("severity", Text),
    sa.Column("owner_id", Text),
    _column("opened_at", UtcDateTime),
    _column("updated_at", UtcDateTime),
    sa.Column("solved_at", UtcDateTime),
    sa.Column("next_due_at", UtcDateTime),
    _column("data", Json),
)
sa.Index(None, tickets.c.student_id, tickets.c.opened_at)
sa.Index(None, tickets.c.state, tickets.c.updated_at)
sa.Index(None, tickets.c.opened_at)
_among("next_due_at IS NOT NULL", tickets.c.next_due_at)

calls: Final = sa.Table(
    "calls",
    metadata,
    _column("id", Text, primary_key=True),
    _column("version", sa.Integer),
    _column("ticket_id", Text, sa.ForeignKey("tickets.id")),
    _column("student_id", Text, sa.ForeignKey("students.id")),
    _column("state", Text),
    _column("open", sa.Boolean),
    sa.Column("closed_reason", Text),
    _column("kind", Text),
    _column("queue_id", Text),
    _column("topic", Text),
    _column("severity", Text),
    _column("channel", Text),
    _column("room", Text),
    sa.Column("class_id", Text),
    sa.Column("primary_agent_id", Text),
    _column("created_at", UtcDateTime),
    sa.Column("accepted_at", UtcDateTime),
    sa.Column("connected_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("closed_at", UtcDateTime),
    sa.Column("next_due_at", UtcDateTime),
    _column("data", Json),
)
_only("one_open_call_per_student", "open", calls.c.student_id)
sa.Index(None, calls.c.student_id, calls.c.created_at)
sa.Index(None, calls.c.class_id, calls.c.created_at)
sa.Index(None, calls.c.created_at)
sa.Index(None, calls.c.ticket_id)
sa.Index(None, calls.c.queue_id, calls.c.accepted_at)
sa.Index(None, calls.c.room)
_among("state <> 'closed'", calls.c.state)
_among("next_due_at IS NOT NULL", calls.c.next_due_at)

offers: Final = sa.Table(
    "offers",
    metadata,
    _column("id", Text, primary_key=True),
    _column("call_id", Text, sa.ForeignKey("calls.id")),
    _column("agent_id", Text),
    _column("role", Text),
    _column("mode", Text),
    _column("fence", sa.Integer),
    _column("state", Text),
    _column("created_at", UtcDateTime),
    _column("deadline", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    _column("note", Text),
)
_only("one_live_offer_per_agent", "state = 'pending'", offers.c.agent_id)
_only("one_live_offer_per_place", "state = 'pending'", offers.c.call_id, offers.c.role)
sa.Index(None, offers.c.agent_id, offers.c.created_at)
sa.Index(None, offers.c.call_id)

assignments: Final = sa.Table(
    "assignments",
    metadata,
    _column("call_id", Text, sa.ForeignKey("calls.id"), primary_key=True),
    _column("fence", sa.Integer, primary_key=True, autoincrement=False),
    _column("agent_id", Text),
    _column("kind", Text),
    _column("role", Text),
    _column("mode", Text),
    _column("state", Text),
    _column("since", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
)
_only("one_live_primary_per_call", "state <> 'ended' AND role = 'primary'", assignments.c.call_id)
_only(
    "one_live_media_call_per_agent",
    "state <> 'ended' AND kind <> 'chat' AND role <> 'supervisor'",
    assignments.c.agent_id,
)
_only(
    "one_live_assignment_per_agent_and_call",
    "state <> 'ended'",
    assignments.c.call_id,
    assignments.c.agent_id,
)
sa.Index(None, assignments.c.agent_id, assignments.c.since)

transfers: Final = sa.Table(
    "transfers",
    metadata,
    _column("id", Text, primary_key=True),
    _column("call_id", Text, sa.ForeignKey("calls.id")),
    _column("kind", Text),
    _column("state", Text),
    _column("live", sa.Boolean),
    _column("source_id", Text),
    sa.Column("agent_id", Text),
    _column("started_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    _column("data", Json),
)
_only("one_live_transfer_per_call", "live", transfers.c.call_id)
sa.Index(None, transfers.c.call_id)

consents: Final = sa.Table(
    "consents",
    metadata,
    _column("call_id", Text, sa.ForeignKey("calls.id"), primary_key=True),
    _column("participant", Text, primary_key=True),
    _column("purpose", Text, primary_key=True),
    _column("at", UtcDateTime, primary_key=True),
    _column("decision", Text),
    _column("by", Text),
    _column("notice_version", Text),
    _column("actor_id", Text),
    _column("actor_role", Text),
    comment="Every decision, not only the last one: granted at 19:42, withdrawn at 19:50.",
)

agents: Final = sa.Table(
    "agents",
    metadata,
    _column("id", Text, primary_key=True),
    _column("version", sa.Integer),
    _column("name", Text),
    _column("state", Text),
    _column("supervisor", sa.Boolean),
    _column("idle_since", UtcDateTime),
    sa.Column("next_due_at", UtcDateTime),
    _column("data", Json),
)
_among("next_due_at IS NOT NULL", agents.c.next_due_at)

queues: Final = sa.Table(
    "queues",
    metadata,
    _column("id", Text, primary_key=True),
    _column("version", sa.Integer),
    _column("name", Text),
    _column("data", Json),
)

policies: Final = sa.Table(
    "policies",
    metadata,
    _column("name", Text, primary_key=True),
    _column("version", sa.Integer),
    _column("updated_at", UtcDateTime),
    _column("data", Json),
)

# What is said and sent -----------------------------------------------------------------------------

messages: Final = sa.Table(
    "messages",
    metadata,
    _column("id", Text, primary_key=True),
    _column("student_id", Text),
    sa.Column("ticket_id", Text, sa.ForeignKey("tickets.id")),
    sa.Column("call_id", Text, sa.ForeignKey("calls.id")),
    _column("author_id", Text),
    _column("author_role", Text),
    _column("channel", Text),
    _column("at", UtcDateTime),
    _column("text", Text),
    _column("files", Json),
    _column("staff_only", sa.Boolean),
)
sa.Index(None, messages.c.call_id, messages.c.at)
sa.Index(None, messages.c.ticket_id, messages.c.at)
sa.Index(None, messages.c.student_id, messages.c.at)

files: Final = sa.Table(
    "files",
    metadata,
    _column("id", Text, primary_key=True),
    _column("student_id", Text),
    sa.Column("ticket_id", Text),
    sa.Column("call_id", Text),
    _column("uploaded_by", Text),
    _column("uploaded_role", Text),
    _column("name", Text),
    _column("media_type", Text),
    _column("size_bytes", sa.BigInteger),
    _column("sha256", Text),
    _column("path", Text),
    _column("created_at", UtcDateTime),
    comment="What lies in the data directory; the bytes themselves are never in the database.",
)
sa.Index(None, files.c.call_id)
sa.Index(None, files.c.created_at)

class_stats: Final = sa.Table(
    "class_stats",
    metadata,
    _column("id", Text, primary_key=True),
    _column("student_id", Text),
    sa.Column("class_id", Text),
    _column("at", UtcDateTime),
    _column("data", Json),
    comment="What students' class clients measured; purged after a while.",
)
sa.Index(None, class_stats.c.student_id, class_stats.c.at)
sa.Index(None, class_stats.c.class_id, class_stats.c.at)
sa.Index(None, class_stats.c.at)

# Staff and access ----------------------------------------------------------------------------------

accounts: Final = sa.Table(
    "accounts",
    metadata,
    _column("id", Text, primary_key=True),
    _column("username", Text, unique=True),
    _column("name", Text),
    _column("role", Text),
    _column("password_hash", Text),
    _column("disabled", sa.Boolean),
    _column("created_at", UtcDateTime),
)

sessions: Final = sa.Table(
    "sessions",
    metadata,
    _column("digest", Text, primary_key=True),
    _column("account_id", Text, sa.ForeignKey("accounts.id", ondelete="CASCADE")),
    _column("created_at", UtcDateTime),
    _column("expires_at", UtcDateTime),
)
sa.Index(None, sessions.c.account_id)
sa.Index(None, sessions.c.expires_at)

api_keys: Final = sa.Table(
    "api_keys",
    metadata,
    _column("id", Text, primary_key=True),
    _column("name", Text),
    _column("roles", Json),
    _column("made_with", Text),
    _column("created_at", UtcDateTime),
    _column("created_by", Text),
    sa.Column("last_used_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
    comment="Keys made by administrators. A secret follows from the id and a configured secret; "
    "none is here.",
)

audit: Final = sa.Table(
    "audit",
    metadata,
    _column("position", _BigKey, primary_key=True, autoincrement=True),
    _column("at", UtcDateTime),
    _column("actor_id", Text),
    _column("actor_role", Text),
    _column("action", Text),
    _column("target", Text),
    _column("data", Json),
    comment="Changes outside of the desk, whose events are their own audit trail.",
)

idempotency_keys: Final = sa.Table(
    "idempotency_keys",
    metadata,
    _column("scope", Text, primary_key=True),
    _column("request_digest", Text),
    _column("created_at", UtcDateTime),
    sa.Column("status", sa.Integer),
    sa.Column("body", Text),
)
sa.Index(None, idempotency_keys.c.created_at)

# Events --------------------------------------------------------------------------------------------

events: Final = sa.Table(
    "events",
    metadata,
    _column("position", _BigKey, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.BigInteger, unique=True),
    _column("stream", Text),
    _column("aggregate_id", Text),
    _column("sequence", sa.Integer),
    _column("type", Text),
    _column("at", UtcDateTime),
    sa.Column("call_id", Text),
    sa.Column("student_id", Text),
    _column("payload", Json),
    sqlite_autoincrement=True,
    comment="Outbox, feed and audit trail in one: written with the change, numbered by the relay.",
)
sa.Index("one_event_per_version", events.c.stream, events.c.aggregate_id, events.c.sequence, unique=True)
_among("event_id IS NULL", events.c.position)
_among("call_id IS NOT NULL", events.c.call_id, events.c.position)
_among("student_id IS NOT NULL", events.c.student_id, events.c.event_id)
sa.Index(None, events.c.at)

feeds: Final = sa.Table(
    "feeds",
    metadata,
    _column("name", Text, primary_key=True),
    _column("last_id", sa.BigInteger),
)

leases: Final = sa.Table(
    "leases",
    metadata,
    _column("name", Text, primary_key=True),
    _column("holder", Text),
    _column("fencing_token", sa.BigInteger),
    _column("expires_at", UtcDateTime),
)
