"""Files that nobody can reach are deleted; all others stay."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from signalling.service.file_keeper import LOOKED_BACK, ORPHAN_S, UNSENT_S, FileKeeper
from signalling.store.attachments import StoredFile

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class KnownFiles:
    """What the database says of files."""

    def __init__(self, known: set[str], unsent: set[str]) -> None:
        self.ids, self.unsent = known, unsent
        self.asked: list[tuple[datetime, datetime]] = []

    async def known(self, ids: Collection[str]) -> set[str]:
        return self.ids & set(ids)

    async def never_sent(self, since: datetime, until: datetime) -> list[StoredFile]:
        self.asked.append((since, until))
        return [
            StoredFile(
                name, "s", None, "c1", "s", "student", name, "image/png", 1, "", f"files/c1/{name}", NOW
            )
            for name in sorted(self.unsent)
        ]

    async def forget(self, file_id: str) -> bool:
        self.ids.discard(file_id)
        return True


def put(data_dir: Path, call: str, name: str, age_s: float) -> Path:
    path = data_dir / "files" / call / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


async def test_orphans_and_what_was_never_sent_are_deleted(tmp_path: Path) -> None:
    old = ORPHAN_S + 60
    sent, unsent = put(tmp_path, "c1", "sent", old), put(tmp_path, "c1", "unsent", old)
    orphan, fresh = put(tmp_path, "c2", "orphan", old), put(tmp_path, "c3", "being-uploaded", 1.0)
    files = KnownFiles({"sent", "unsent"}, {"unsent"})
    keeper = FileKeeper(files, tmp_path, lambda: NOW)  # type: ignore[arg-type]
    assert await keeper.sweep() == 2
    assert (sent.exists(), fresh.exists()) == (True, True)
    assert (unsent.exists(), orphan.exists(), orphan.parent.exists()) == (False, False, False)
    ((since, until),) = files.asked
    assert (NOW - until).total_seconds() == UNSENT_S
    assert until - since == LOOKED_BACK
    assert await keeper.sweep() == 0


async def test_a_node_without_files_has_nothing_to_do(tmp_path: Path) -> None:
    assert await FileKeeper(KnownFiles(set(), set()), tmp_path, lambda: NOW).sweep() == 0  # type: ignore[arg-type]
