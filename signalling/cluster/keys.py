"""Every key and channel in Redis, and how long each may live.

Nothing in Redis is the only copy of anything: each key is a lease that its holder renews, or an index that
the reconciler rebuilds. Every key but `EPOCH` expires by itself, so that what a dead node wrote goes away.
The names begin with ``raisehand:``, so that one Redis may serve others beside us; two deployments that share
one need different databases (the number at the end of the URL).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

Channel = NewType("Channel", str)

PREFIX = "raisehand:"

PRESENCE_S = 60.0
"""Life of a whole table of presences after its last renewal. Each entry has its own, far shorter deadline."""
ROOM_INDEX_S = 60.0
"""Life of an entry of the room index; its owner writes it again three times in this time."""
LEASE_MEMORY_S = 24 * 3600.0
"""Life of an expired lease's last number, when Redis is the store of leases. Numbers also follow the clock,
so that forgetting one cannot make them go back."""
LOCKOUT_S = 3600.0
"""Failed logins, after the last one: longer than the longest lock-out, after which they are forgiven."""
RATE_LIMIT_S = 3600.0
"""Longest life of a bucket; a bucket that would be full again earlier goes earlier."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key's name, and how long it may live after its last write at most; None: as long as Redis does."""

    name: str
    life_s: float | None

    @property
    def life_ms(self) -> int:
        """For PX and PEXPIRE; a key without end has none and raises ValueError."""
        if self.life_s is None:
            raise ValueError(f"{self.name} does not expire")
        return round(self.life_s * 1000)


EPOCH = Key(PREFIX + "epoch", None)
"""A random name of this Redis' memory. Missing: it was flushed or restarted, and must be rebuilt."""


def presence(kind: str) -> Key:
    """Sorted set: who is present (a member for each connection), by deadline in ms of Redis' clock."""
    return Key(f"{PREFIX}presence:{_plain(kind)}", PRESENCE_S)


def presence_details(kind: str) -> Key:
    """Hash beside `presence`: member -> JSON of what it says of itself."""
    return Key(f"{PREFIX}presence:{_plain(kind)}:details", PRESENCE_S)


def presence_left(kind: str, who: str) -> Key:
    """Mark of somebody who left in good order, so that nobody takes it for a loss."""
    return Key(f"{PREFIX}presence:{_plain(kind)}:left:{who}", PRESENCE_S)


def room_owner(room: str) -> Key:
    """String: who owns a room, as ``token holder``. An index of the lease store."""
    return Key(f"{PREFIX}room:{room}", ROOM_INDEX_S)


def lease(name: str) -> Key:
    """Hash of a lease (holder, token, until) when Redis itself is the store of leases."""
    return Key(f"{PREFIX}lease:{name}", LEASE_MEMORY_S)


def lease_pattern() -> str:
    """What all lease keys match, for SCAN."""
    return f"{PREFIX}lease:*"


def rate_limit(limit: str, who: str) -> Key:
    """Hash of a token bucket (level, at)."""
    return Key(f"{PREFIX}limit:{_plain(limit)}:{who}", RATE_LIMIT_S)


def lockout(who: str) -> Key:
    """Hash of failed logins (count, until)."""
    return Key(f"{PREFIX}lockout:{who}", LOCKOUT_S)


def wakeup(topic: str) -> Channel:
    """Channel: something changed, look into the database. Messages are not kept."""
    return Channel(f"{PREFIX}wake:{topic}")


def _plain(part: str) -> str:
    """A part that others follow must not hold the separator."""
    if not part or ":" in part:
        raise ValueError(f"{part!r} cannot be part of a key")
    return part
