"""Finds the Chromium that browser tests drive. ``python -m tests.chromium`` prints its path."""

import os
import shutil
import sys
from pathlib import Path

# Names under which distributions and vendors install it, the distribution's own first.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> Path | None:
    """Path of a Chromium: ``RAISEHAND_CHROMIUM``, one on the PATH, or the one that Playwright downloaded."""
    if named := os.environ.get("RAISEHAND_CHROMIUM"):
        return Path(named) if os.access(named, os.X_OK) else None
    for name in NAMES:
        path = shutil.which(name)
        # A launcher of a snap is a link to /usr/bin/snap, or a script that only says so.
        if path and "snap" not in str(Path(path).resolve()) and not _is_snap_stub(Path(path)):
            return Path(path)
    return _playwrights_own()


def _is_snap_stub(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(2048)
    return head.startswith(b"#!") and b"snap install" in head


def _playwrights_own() -> Path | None:
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    found = sorted(cache.glob("chromium-*/chrome-linux*/chrome"))
    return found[-1] if found else None


def main() -> int:
    """Print the path; 1 when there is none."""
    path = find_chromium()
    if path is None:
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
