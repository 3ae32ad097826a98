"""What accompanies calls but decides nothing: files, and what students' class clients measured."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from signalling.store.engine import Database
from signalling.store.tables import class_stats, files, messages


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that came with a message; its bytes are at `path` in the data directory."""

    id: str
    student_id: str
    ticket_id: str | None
    call_id: str | None
    uploaded_by: str
    uploaded_role: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    path: str
    created_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class ClassStats:
    """What a student's class client measured."""

    id: str
    student_id: str
    class_id: str | None
    at: datetime.datetime
    data: dict[str, Any]


class Files:
    """What is known of files; the bytes are the caller's. Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def add(self, file: StoredFile) -> None:
        """Remember a file that was written to the data directory."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.insert(files).values({name: getattr(file, name) for name in file.__slots__})
            )

    async def get(self, file_id: str) -> StoredFile | None:
        """A file by its id."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(files).where(files.c.id == file_id))).one_or_none()
        return None if row is None else StoredFile(**row._mapping)

    async def of_call(self, call_id: str) -> list[StoredFile]:
        """The files of a call, oldest first."""
        statement = sa.select(files).where(files.c.call_id == call_id)
        async with self._database.read() as connection:
            rows = await connection.execute(statement.order_by(files.c.created_at, files.c.id))
            return [StoredFile(**row._mapping) for row in rows]

    async def known(self, ids: Collection[str]) -> set[str]:
        """Those of `ids` that are files."""
        statement = sa.select(files.c.id).where(files.c.id.in_(sorted(ids)))
        async with self._database.read() as connection:
            return {row.id for row in await connection.execute(statement)}

    async def never_sent(self, since: datetime.datetime, until: datetime.datetime) -> list[StoredFile]:
        """Files uploaded in that time that no message of their call names."""
        uploaded = sa.select(files).where(files.c.created_at >= since, files.c.created_at < until)
        async with self._database.read() as connection:
            found = [StoredFile(**row._mapping) for row in await connection.execute(uploaded)]
            calls = {file.call_id for file in found if file.call_id is not None}
            said = sa.select(messages.c.files).where(messages.c.call_id.in_(sorted(calls)))
            sent = {each["id"] for row in await connection.execute(said) for each in row.files or ()}
        return [file for file in found if file.id not in sent]

    async def forget(self, file_id: str) -> bool:
        """Forget a file whose bytes were deleted; whether it was known."""
        async with self._database.write() as connection:
            done = await connection.execute(sa.delete(files).where(files.c.id == file_id))
            return done.rowcount > 0


class ClassStatsLog:
    """What class clients measured, for a while. Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def add(self, stats: ClassStats) -> None:
        """Keep one report."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.insert(class_stats).values({name: getattr(stats, name) for name in stats.__slots__})
            )

    async def newest(
        self,
        *,
        student: str | None = None,
        class_id: str | None = None,
        since: datetime.datetime,
        limit: int = 100,
    ) -> list[ClassStats]:
        """Reports since then, newest first; of a student, a class, or of both together."""
        statement = sa.select(class_stats).where(class_stats.c.at >= since)
        if student is not None:
            statement = statement.where(class_stats.c.student_id == student)
        if class_id is not None:
            statement = statement.where(class_stats.c.class_id == class_id)
        statement = statement.order_by(class_stats.c.at.desc(), class_stats.c.id.desc()).limit(limit)
        async with self._database.read() as connection:
            return [ClassStats(**row._mapping) for row in await connection.execute(statement)]
