"""Alembic's environment: runs the migrations over the connection that `signalling.store.migrate` hands in."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext

from signalling.store.tables import metadata
from signalling.store.types import Json, Text, UtcDateTime


def _render(kind: str, item: object, autogen: AutogenContext) -> str | Literal[False]:
    if kind == "type" and isinstance(item, Json | Text | UtcDateTime):
        autogen.imports.add("from signalling.store.types import Json, Text, UtcDateTime")
        return f"{type(item).__name__}()"
    return False


def run() -> None:
    """Raises RuntimeError when Alembic's own command is used instead of `raisehand migrate`."""
    connection = context.config.attributes.get("connection")
    if not isinstance(connection, sa.Connection):
        raise RuntimeError("use `raisehand migrate`: it knows the database and takes the lock")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_item=_render,
        render_as_batch=connection.dialect.name == "sqlite",  # SQLite cannot alter most of a table
        transaction_per_migration=False,
    )
    context.run_migrations()


run()
