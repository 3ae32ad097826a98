"""API keys made by administrators, and the audit of what they change.

Revision: 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from signalling.store.types import Json, Text, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "api_keys",
        sa.Column("id", Text(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("roles", Json(), nullable=False),
        sa.Column("made_with", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", Text(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        comment="Keys made by administrators. A secret follows from the id and a configured secret; "
        "none is here.",
    )
    op.create_table(
        "audit",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor_id", Text(), nullable=False),
        sa.Column("actor_role", Text(), nullable=False),
        sa.Column("action", Text(), nullable=False),
        sa.Column("target", Text(), nullable=False),
        sa.Column("data", Json(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit")),
        comment="Changes outside of the desk, whose events are their own audit trail.",
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("audit")
    op.drop_table("api_keys")
