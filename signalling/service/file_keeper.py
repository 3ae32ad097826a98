"""Deletes uploaded files that nobody can reach: never sent with a message, or not known to the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from signalling.store.attachments import Files
from signalling.store.errors import StoreError

FOLDER: Final = "files"
"""Where files lie in the data directory, as ``CALL/FILE``."""
UNSENT_S: Final = 24 * 3600.0
"""How long a file may wait to be sent with a message after it was uploaded."""
LOOKED_BACK: Final = timedelta(days=7)
"""Older ones have been looked at, unless the desk stood still for so long."""
ORPHAN_S: Final = 3600.0
"""How old a file must be before it counts as an orphan: the database learns of it after it was written."""
SWEEP_S: Final = 3600.0
"""Seconds between sweeps."""
BATCH: Final = 500
"""Files asked for at once."""

_log = structlog.get_logger("files")


class FileKeeper:
    """Sweeps this node's own files; `run` is an owned task."""

    def __init__(self, files: Files, data_dir: Path, utc_now: Callable[[], datetime]) -> None:
        self._files = files
        self._data_dir = data_dir
        self._utc_now = utc_now

    async def run(self) -> None:
        """Sweep for as long as the node runs."""
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                if deleted := await self.sweep():
                    _log.info("files deleted", count=deleted)
            except (StoreError, OSError) as error:
                _log.warning("files cannot be swept now", reason=str(error))

    async def sweep(self) -> int:
        """Forget what was never sent, delete what is not known; how many files were deleted here.

        Another node's file is forgotten here and deleted by that node. Raises StoreError, OSError.
        """
        until = self._utc_now() - timedelta(seconds=UNSENT_S)
        for file in await self._files.never_sent(until - LOOKED_BACK, until):
            await self._files.forget(file.id)
        old = await asyncio.to_thread(lambda: list(self._old_files()))
        deleted = 0
        for start in range(0, len(old), BATCH):
            some = old[start : start + BATCH]
            known = await self._files.known([path.name for path in some])
            orphans = [path for path in some if path.name not in known]
            await asyncio.to_thread(_delete, orphans)
            deleted += len(orphans)
        return deleted

    def _old_files(self) -> Iterator[Path]:
        now = time.time()
        for path in (self._data_dir / FOLDER).glob("*/*"):
            if path.is_file() and now - path.stat().st_mtime > ORPHAN_S:
                yield path


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
        try:
            path.parent.rmdir()
        except OSError:  # other files of the call are there
            continue
