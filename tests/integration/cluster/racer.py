"""One of several processes that race for a lease: notes each moment at which it knew the lease to be its own.

Run as ``python racer.py STORE PLACE ROOM HOLDER TTL_S SECONDS``. Writes lines ``@ moment token``, the moment
in monotonic seconds: one clock for all processes of a machine.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path

from signalling.cluster.connection import RedisConnection
from signalling.cluster.database_leases import DatabaseLeases
from signalling.cluster.errors import LeasesAwayError
from signalling.cluster.leases import LeaseStore, RedisLeases
from signalling.cluster.ownership import RoomOwnership
from signalling.cluster.wakeups import Wakeups
from signalling.store.engine import Database


async def race(store: str, place: str, room: str, holder: str, ttl_s: float, seconds: float) -> None:
    redis = RedisConnection(place if store == "redis" else "unix:///nowhere")
    await redis.start()
    leases: LeaseStore
    if store == "redis":
        leases = RedisLeases(redis)
    else:
        leases = DatabaseLeases(await Database.open(place, Path()))
    owner = RoomOwnership(
        leases, redis, Wakeups(redis), node=holder, url="u", rooms=lambda: [room], ttl_s=ttl_s
    )
    owner.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        moment = time.monotonic()
        lease = owner.owns(room)
        if lease is not None:
            print(f"@ {moment:.6f} {lease.token}", flush=True)
            if random.random() < 0.01:
                await owner.release(room)
                await asyncio.sleep(ttl_s / 4)
        else:
            try:
                await owner.claim(room)
            except LeasesAwayError:
                pass
        await asyncio.sleep(0.005)


if __name__ == "__main__":
    _, store, place, room, holder, ttl_s, seconds = sys.argv
    asyncio.run(race(store, place, room, holder, float(ttl_s), float(seconds)))
