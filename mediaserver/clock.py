"""The only place in the media core that reads a clock.

Everything else is given `now` (monotonic seconds) as a value, so that it can run in virtual time.
"""

import time
from datetime import UTC, datetime

from mediaserver.rtp.ntp import ntp_from_unix_ns

monotonic = time.monotonic
"""Seconds as a float from an arbitrary origin; never goes back. The `now` of all media code."""


def ntp_now() -> int:
    """Wall-clock time as a 64-bit NTP timestamp (RFC 3550, section 4)."""
    return ntp_from_unix_ns(time.time_ns())


def unix_us() -> int:
    """Wall-clock time as microseconds since 1970, for versions and dates of infos."""
    return time.time_ns() // 1000


def utc_now() -> datetime:
    """Wall-clock time as an aware UTC datetime."""
    return datetime.now(UTC)
