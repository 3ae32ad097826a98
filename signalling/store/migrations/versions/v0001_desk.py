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
        "events",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("type", Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("call_id", Text(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("ticket_id", Text(), nullable=True),
        sa.Column("student_id", Text(), nullable=True),
        sa.Column("agent_id", Text(), nullable=True),
        sa.Column("data", Json(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_events_event_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_at"), "events", ["at"], unique=False)
    op.create_index(
        op.f("ix_events_position"),
        "events",
        ["position"],
        unique=False,
        sqlite_where=sa.text("event_id IS NULL"),
        postgresql_where=sa.text("event_id IS NULL"),
    )
    op.create_index(
        "one_event_per_sequence",
        "events",
        ["call_id", "sequence"],
        unique=True,
        sqlite_where=sa.text("call_id IS NOT NULL"),
        postgresql_where=sa.text("call_id IS NOT NULL"),
    )
    op.create_table(
        "feeds",
        sa.Column("name", Text(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feeds")),
    )
    op.create_table(
        "leases",
        sa.Column("name", Text(), nullable=False),
        sa.Column("holder", Text(), nullable=False),
        sa.Column("fencing_token", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.execute("INSERT INTO feeds (name, last_id) VALUES ('events', 0)")


def downgrade() -> None:
    """Delete everything."""
    op.drop_table("leases")
    op.drop_table("feeds")
    op.drop_index(
        "one_event_per_sequence",
        table_name="events",
        sqlite_where=sa.text("call_id IS NOT NULL"),
        postgresql_where=sa.text("call_id IS NOT NULL"),
    )
    op.drop_index(
        op.f("ix_events_position"),
        table_name="events",
        sqlite_where=sa.text("event_id IS NULL"),
        postgresql_where=sa.text("event_id IS NULL"),
    )
    op.drop_index(op.f("ix_events_at"), table_name="events")
    op.drop_table("events")
