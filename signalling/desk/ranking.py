"""The waiting list of one queue, kept in order while calls come and go.

A call's urgency grows with time, but two calls rarely change places by time alone. So the order is worked out
anew once in a while and kept by bisection in between: thousands of waiting students may ask for their place
every second.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from datetime import datetime

from signalling.desk.model import CallId
from signalling.desk.routing import Worth

RESORT_S = 1.0
"""How old an order may be that a place is read from."""

Rank = tuple[float, datetime, CallId]
"""Urgency, negative; when the call was opened; which call. The smallest goes first."""


class Ranking:
    """Who goes before whom."""

    def __init__(self) -> None:
        self._worths: dict[CallId, tuple[Worth, datetime]] = {}
        self._rank_of: dict[CallId, Rank] = {}
        self._ordered: list[Rank] = []
        self._at = 0.0

    def __len__(self) -> int:
        return len(self._worths)

    def put(self, call: CallId, worth: Worth, created_at: datetime) -> None:
        """Let a call wait here, or change what it is worth."""
        if self._worths.get(call) == (worth, created_at):
            return
        self.drop(call)
        self._worths[call] = (worth, created_at)
        rank = self._rank_of[call] = (-worth.at(self._at), created_at, call)
        insort(self._ordered, rank)

    def drop(self, call: CallId) -> None:
        """The call waits here no longer, if it did."""
        if self._worths.pop(call, None) is not None:
            del self._ordered[bisect_left(self._ordered, self._rank_of.pop(call))]

    def in_order(self, now: datetime) -> Sequence[Rank]:
        """Everybody at this time, the most urgent first; not to be changed."""
        self._sort(now.timestamp())
        return self._ordered

    def ahead(self, call: CallId, now: datetime) -> int:
        """How many go before a call that waits here, by an order that is at most `RESORT_S` old."""
        moment = now.timestamp()
        if not 0.0 <= moment - self._at <= RESORT_S:
            self._sort(moment)
        return bisect_left(self._ordered, self._rank_of[call])

    def _sort(self, moment: float) -> None:
        if moment == self._at:
            return
        self._at = moment
        self._rank_of = {
            call: (-worth.at(moment), created_at, call) for call, (worth, created_at) in self._worths.items()
        }
        self._ordered = sorted(self._rank_of.values())
