"""A clock that only tests move."""

from __future__ import annotations

import datetime

START = datetime.datetime(2026, 3, 2, 19, 40, tzinfo=datetime.UTC)


class VirtualTime:
    """Give it to `Database.open` as its clock."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime.datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += datetime.timedelta(seconds=seconds)
