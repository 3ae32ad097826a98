"""Rates and lock-out in made-up time."""

from signalling.api.limits import Lockout, Rate, RateLimiter


def test_each_key_has_its_own_rate() -> None:
    limiter = RateLimiter(Rate(per_s=1, burst=2))
    assert [limiter.allow("ann", 0.0) for _ in range(3)] == [True, True, False]
    assert limiter.allow("bob", 0.0)
    assert limiter.allow("ann", 1.0)
    assert limiter.retry_after_s == 1.0


def test_memory_is_bounded() -> None:
    limiter = RateLimiter(Rate(per_s=0.001, burst=1), remembered=10)
    for number in range(1000):
        limiter.allow(str(number), 0.0)
    assert len(limiter._buckets) == 10


def test_lockout_begins_after_the_allowed_failures_and_doubles() -> None:
    lockout = Lockout(allowed=3, first_s=10, longest_s=35)
    for _ in range(2):
        lockout.failed("ann", 0.0)
    assert lockout.remaining_s("ann", 0.0) == 0
    closed = []
    for at in (0.0, 100.0, 101.0, 102.0):
        lockout.failed("ann", at)
        closed.append(lockout.remaining_s("ann", at))
    assert closed[0] == 10
    assert lockout.remaining_s("bob", 0.0) == 0


def test_lockout_grows_to_its_longest_and_is_forgiven() -> None:
    lockout = Lockout(allowed=1, first_s=10, longest_s=35)
    closed = []
    for _ in range(4):
        lockout.failed("ann", 0.0)
        closed.append(lockout.remaining_s("ann", 0.0))
    assert closed == [10, 20, 35, 35]
    assert lockout.remaining_s("ann", 35.0) == 0
    lockout.failed("ann", 100.0)  # more than longest_s after it opened: counts from one again
    assert lockout.remaining_s("ann", 100.0) == 10
    lockout.succeeded("ann")
    assert lockout.remaining_s("ann", 100.0) == 0
