"""The tables of the desk, the event feed and the staff.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from signalling.store.types import Json, Text, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "accounts",
        sa.Column("id", Text(), nullable=False),
        sa.Column("username", Text(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("role", Text(), nullable=False),
        sa.Column("password_hash", Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("username", name=op.f("uq_accounts_username")),
    )
    op.create_table(
        "agents",
        sa.Column("id", Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("state", Text(), nullable=False),
        sa.Column("supervisor", sa.Boolean(), nullable=False),
        sa.Column("idle_since", UtcDateTime(), nullable=False),
        sa.Column("next_due_at", UtcDateTime(), nullable=True),
        sa.Column("data", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
    )
    op.create_index(
        op.f("ix_agents_next_due_at"),
        "agents",
        ["next_due_at"],
        unique=False,
        sqlite_where=sa.text("next_due_at IS NOT NULL"),
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.create_table(
        "class_stats",
        sa.Column("id", Text(), nullable=False),
        sa.Column("student_id", Text(), nullable=False),
        sa.Column("class_id", Text(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("data", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_stats")),
        comment="What students' class clients measured; purged after a while.",
    )
    op.create_index(op.f("ix_class_stats_at"), "class_stats", ["at"], unique=False)
    op.create_index(op.f("ix_class_stats_class_id_at"), "class_stats", ["class_id", "at"], unique=False)
    op.create_index(op.f("ix_class_stats_student_id_at"), "class_stats", ["student_id", "at"], unique=False)
    op.create_table(
        "events",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("stream", Text(), nullable=False),
        sa.Column("aggregate_id", Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("type", Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("call_id", Text(), nullable=True),
        sa.Column("student_id", Text(), nullable=True),
        sa.Column("payload", Json(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_events_event_id")),
        comment="Outbox, feed and audit trail in one: written with the change, numbered by the relay.",
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_at"), "events", ["at"], unique=False)
    op.create_index(
        op.f("ix_events_call_id_position"),
        "events",
        ["call_id", "position"],
        unique=False,
        sqlite_where=sa.text("call_id IS NOT NULL"),
        postgresql_where=sa.text("call_id IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_events_position"),
        "events",
        ["position"],
        unique=False,
        sqlite_where=sa.text("event_id IS NULL"),
        postgresql_where=sa.text("event_id IS NULL"),
    )
    op.create_index(
        op.f("ix_events_student_id_event_id"),
        "events",
        ["student_id", "event_id"],
        unique=False,
        sqlite_where=sa.text("student_id IS NOT NULL"),
        postgresql_where=sa.text("student_id IS NOT NULL"),
    )
    op.create_index("one_event_per_version", "events", ["stream", "aggregate_id", "sequence"], unique=True)
    op.create_table(
        "feeds",
        sa.Column("name", Text(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feeds")),
    )
    op.create_table(
        "files",
        sa.Column("id", Text(), nullable=False),
        sa.Column("student_id", Text(), nullable=False),
        sa.Column("ticket_id", Text(), nullable=True),
        sa.Column("call_id", Text(), nullable=True),
        sa.Column("uploaded_by", Text(), nullable=False),
        sa.Column("uploaded_role", Text(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("media_type", Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", Text(), nullable=False),
        sa.Column("path", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        comment="What lies in the data directory; the bytes themselves are never in the database.",
    )
    op.create_index(op.f("ix_files_call_id"), "files", ["call_id"], unique=False)
    op.create_index(op.f("ix_files_created_at"), "files", ["created_at"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", Text(), nullable=False),
        sa.Column("request_digest", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", Text(), nullable=True),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "leases",
        sa.Column("name", Text(), nullable=False),
        sa.Column("holder", Text(), nullable=False),
        sa.Column("fencing_token", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "policies",
        sa.Column("name", Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("data", Json(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_policies")),
    )
    op.create_table(
        "queues",
        sa.Column("id", Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("data", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queues")),
    )
    op.create_table(
        "students",
        sa.Column("id", Text(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("level", Text(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("data", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_students")),
        comment="The newest profile that the host platform gave; each call keeps the one of its time.",
    )
    op.create_table(
        "sessions",
        sa.Column("digest", Text(), nullable=False),
        sa.Column("account_id", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_sessions_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_account_id"), "sessions", ["account_id"], unique=False)
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)
    op.create_table(
        "tickets",
        sa.Column("id", Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("number", Text(), nullable=False),
        sa.Column("student_id", Text(), nullable=False),
        sa.Column("state", Text(), nullable=False),
        sa.Column("topic", Text(), nullable=False),
        sa.Column("severity", Text(), nullable=False),
        sa.Column("owner_id", Text(), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("solved_at", UtcDateTime(), nullable=True),
        sa.Column("next_due_at", UtcDateTime(), nullable=True),
        sa.Column("data", Json(), nullable=False),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_tickets_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("number", name=op.f("uq_tickets_number")),
    )
    op.create_index(
        op.f("ix_tickets_next_due_at"),
        "tickets",
        ["next_due_at"],
        unique=False,
        sqlite_where=sa.text("next_due_at IS NOT NULL"),
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_tickets_opened_at"), "tickets", ["opened_at"], unique=False)
    op.create_index(op.f("ix_tickets_state_updated_at"), "tickets", ["state", "updated_at"], unique=False)
    op.create_index(
        op.f("ix_tickets_student_id_opened_at"), "tickets", ["student_id", "opened_at"], unique=False
    )
    op.create_table(
        "calls",
        sa.Column("id", Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("ticket_id", Text(), nullable=False),
        sa.Column("student_id", Text(), nullable=False),
        sa.Column("state", Text(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("closed_reason", Text(), nullable=True),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("queue_id", Text(), nullable=False),
        sa.Column("topic", Text(), nullable=False),
        sa.Column("severity", Text(), nullable=False),
        sa.Column("channel", Text(), nullable=False),
        sa.Column("room", Text(), nullable=False),
        sa.Column("class_id", Text(), nullable=True),
        sa.Column("primary_agent_id", Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("accepted_at", UtcDateTime(), nullable=True),
        sa.Column("connected_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("next_due_at", UtcDateTime(), nullable=True),
        sa.Column("data", Json(), nullable=False),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_calls_student_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_calls_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
    )
    op.create_index(op.f("ix_calls_class_id_created_at"), "calls", ["class_id", "created_at"], unique=False)
    op.create_index(op.f("ix_calls_created_at"), "calls", ["created_at"], unique=False)
    op.create_index(
        op.f("ix_calls_next_due_at"),
        "calls",
        ["next_due_at"],
        unique=False,
        sqlite_where=sa.text("next_due_at IS NOT NULL"),
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_calls_queue_id_accepted_at"), "calls", ["queue_id", "accepted_at"], unique=False)
    op.create_index(op.f("ix_calls_room"), "calls", ["room"], unique=False)
    op.create_index(
        op.f("ix_calls_state"),
        "calls",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_index(
        op.f("ix_calls_student_id_created_at"), "calls", ["student_id", "created_at"], unique=False
    )
    op.create_index(op.f("ix_calls_ticket_id"), "calls", ["ticket_id"], unique=False)
    op.create_index(
        "one_open_call_per_student",
        "calls",
        ["student_id"],
        unique=True,
        sqlite_where=sa.text("open"),
        postgresql_where=sa.text("open"),
    )
    op.create_table(
        "assignments",
        sa.Column("call_id", Text(), nullable=False),
        sa.Column("fence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("agent_id", Text(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("role", Text(), nullable=False),
        sa.Column("mode", Text(), nullable=False),
        sa.Column("state", Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_assignments_call_id")),
        sa.PrimaryKeyConstraint("call_id", "fence", name=op.f("pk_assignments")),
    )
    op.create_index(op.f("ix_assignments_agent_id_since"), "assignments", ["agent_id", "since"], unique=False)
    op.create_index(
        "one_live_assignment_per_agent_and_call",
        "assignments",
        ["call_id", "agent_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'ended'"),
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_index(
        "one_live_media_call_per_agent",
        "assignments",
        ["agent_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'ended' AND kind <> 'chat' AND role <> 'supervisor'"),
        postgresql_where=sa.text("state <> 'ended' AND kind <> 'chat' AND role <> 'supervisor'"),
    )
    op.create_index(
        "one_live_primary_per_call",
        "assignments",
        ["call_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'ended' AND role = 'primary'"),
        postgresql_where=sa.text("state <> 'ended' AND role = 'primary'"),
    )
    op.create_table(
        "consents",
        sa.Column("call_id", Text(), nullable=False),
        sa.Column("participant", Text(), nullable=False),
        sa.Column("purpose", Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("decision", Text(), nullable=False),
        sa.Column("by", Text(), nullable=False),
        sa.Column("notice_version", Text(), nullable=False),
        sa.Column("actor_id", Text(), nullable=False),
        sa.Column("actor_role", Text(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_consents_call_id")),
        sa.PrimaryKeyConstraint("call_id", "participant", "purpose", "at", name=op.f("pk_consents")),
        comment="Every decision, not only the last one: granted at 19:42, withdrawn at 19:50.",
    )
    op.create_table(
        "messages",
        sa.Column("id", Text(), nullable=False),
        sa.Column("student_id", Text(), nullable=False),
        sa.Column("ticket_id", Text(), nullable=True),
        sa.Column("call_id", Text(), nullable=True),
        sa.Column("author_id", Text(), nullable=False),
        sa.Column("author_role", Text(), nullable=False),
        sa.Column("channel", Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("text", Text(), nullable=False),
        sa.Column("files", Json(), nullable=False),
        sa.Column("staff_only", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_messages_call_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_messages_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_call_id_at"), "messages", ["call_id", "at"], unique=False)
    op.create_index(op.f("ix_messages_student_id_at"), "messages", ["student_id", "at"], unique=False)
    op.create_index(op.f("ix_messages_ticket_id_at"), "messages", ["ticket_id", "at"], unique=False)
    op.create_table(
        "offers",
        sa.Column("id", Text(), nullable=False),
        sa.Column("call_id", Text(), nullable=False),
        sa.Column("agent_id", Text(), nullable=False),
        sa.Column("role", Text(), nullable=False),
        sa.Column("mode", Text(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("state", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("deadline", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("note", Text(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_offers_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
    )
    op.create_index(op.f("ix_offers_agent_id_created_at"), "offers", ["agent_id", "created_at"], unique=False)
    op.create_index(op.f("ix_offers_call_id"), "offers", ["call_id"], unique=False)
    op.create_index(
        "one_live_offer_per_agent",
        "offers",
        ["agent_id"],
        unique=True,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "one_live_offer_per_place",
        "offers",
        ["call_id", "role"],
        unique=True,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "transfers",
        sa.Column("id", Text(), nullable=False),
        sa.Column("call_id", Text(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("state", Text(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("source_id", Text(), nullable=False),
        sa.Column("agent_id", Text(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("data", Json(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_transfers_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
    )
    op.create_index(op.f("ix_transfers_call_id"), "transfers", ["call_id"], unique=False)
    op.create_index(
        "one_live_transfer_per_call",
        "transfers",
        ["call_id"],
        unique=True,
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.execute("INSERT INTO feeds (name, last_id) VALUES ('events', 0)")


def downgrade() -> None:
    """Delete everything."""
    op.drop_index(
        "one_live_transfer_per_call",
        table_name="transfers",
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.drop_index(op.f("ix_transfers_call_id"), table_name="transfers")
    op.drop_table("transfers")
    op.drop_index(
        "one_live_offer_per_place",
        table_name="offers",
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_index(
        "one_live_offer_per_agent",
        table_name="offers",
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_index(op.f("ix_offers_call_id"), table_name="offers")
    op.drop_index(op.f("ix_offers_agent_id_created_at"), table_name="offers")
    op.drop_table("offers")
    op.drop_index(op.f("ix_messages_ticket_id_at"), table_name="messages")
    op.drop_index(op.f("ix_messages_student_id_at"), table_name="messages")
    op.drop_index(op.f("ix_messages_call_id_at"), table_name="messages")
    op.drop_table("messages")
    op.drop_table("consents")
    op.drop_index(
        "one_live_primary_per_call",
        table_name="assignments",
        sqlite_where=sa.text("state <> 'ended' AND role = 'primary'"),
        postgresql_where=sa.text("state <> 'ended' AND role = 'primary'"),
    )
    op.drop_index(
        "one_live_media_call_per_agent",
        table_name="assignments",
        sqlite_where=sa.text("state <> 'ended' AND kind <> 'chat' AND role <> 'supervisor'"),
        postgresql_where=sa.text("state <> 'ended' AND kind <> 'chat' AND role <> 'supervisor'"),
    )
    op.drop_index(
        "one_live_assignment_per_agent_and_call",
        table_name="assignments",
        sqlite_where=sa.text("state <> 'ended'"),
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.drop_index(op.f("ix_assignments_agent_id_since"), table_name="assignments")
    op.drop_table("assignments")
    op.drop_index(
        "one_open_call_per_student",
        table_name="calls",
        sqlite_where=sa.text("open"),
        postgresql_where=sa.text("open"),
    )
    op.drop_index(op.f("ix_calls_ticket_id"), table_name="calls")
    op.drop_index(op.f("ix_calls_student_id_created_at"), table_name="calls")
    op.drop_index(
        op.f("ix_calls_state"),
        table_name="calls",
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.drop_index(op.f("ix_calls_room"), table_name="calls")
    op.drop_index(op.f("ix_calls_queue_id_accepted_at"), table_name="calls")
    op.drop_index(
        op.f("ix_calls_next_due_at"),
        table_name="calls",
        sqlite_where=sa.text("next_due_at IS NOT NULL"),
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.drop_index(op.f("ix_calls_created_at"), table_name="calls")
    op.drop_index(op.f("ix_calls_class_id_created_at"), table_name="calls")
    op.drop_table("calls")
    op.drop_index(op.f("ix_tickets_student_id_opened_at"), table_name="tickets")
    op.drop_index(op.f("ix_tickets_state_updated_at"), table_name="tickets")
    op.drop_index(op.f("ix_tickets_opened_at"), table_name="tickets")
    op.drop_index(
        op.f("ix_tickets_next_due_at"),
        table_name="tickets",
        sqlite_where=sa.text("next_due_at IS NOT NULL"),
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.drop_table("tickets")
    op.drop_index(op.f("ix_sessions_expires_at"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_account_id"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_table("students")
    op.drop_table("queues")
    op.drop_table("policies")
    op.drop_table("leases")
    op.drop_index(op.f("ix_idempotency_keys_created_at"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index(op.f("ix_files_created_at"), table_name="files")
    op.drop_index(op.f("ix_files_call_id"), table_name="files")
    op.drop_table("files")
    op.drop_table("feeds")
    op.drop_index("one_event_per_version", table_name="events")
    op.drop_index(
        op.f("ix_events_student_id_event_id"),
        table_name="events",
        sqlite_where=sa.text("student_id IS NOT NULL"),
        postgresql_where=sa.text("student_id IS NOT NULL"),
    )
    op.drop_index(
        op.f("ix_events_position"),
        table_name="events",
        sqlite_where=sa.text("event_id IS NULL"),
        postgresql_where=sa.text("event_id IS NULL"),
    )
    op.drop_index(
        op.f("ix_events_call_id_position"),
        table_name="events",
        sqlite_where=sa.text("call_id IS NOT NULL"),
        postgresql_where=sa.text("call_id IS NOT NULL"),
    )
    op.drop_index(op.f("ix_events_at"), table_name="events")
    op.drop_table("events")
    op.drop_index(op.f("ix_class_stats_student_id_at"), table_name="class_stats")
    op.drop_index(op.f("ix_class_stats_class_id_at"), table_name="class_stats")
    op.drop_index(op.f("ix_class_stats_at"), table_name="class_stats")
    op.drop_table("class_stats")
    op.drop_index(
        op.f("ix_agents_next_due_at"),
        table_name="agents",
        sqlite_where=sa.text("next_due_at IS NOT NULL"),
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.drop_table("agents")
    op.drop_table("accounts")
