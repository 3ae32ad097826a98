"""The pure parts: keys, placing, trust between nodes, URLs, local limits."""

from __future__ import annotations

import inspect
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.cluster import keys
from signalling.cluster.connection import RedisConnection, check_url
from signalling.cluster.internal import Facts, InternalRequestError, derive_secret, sign, verify
from signalling.cluster.limits import LocalLimiter, RateLimit
from signalling.cluster.nodes import NodeInfo, NodeLoad, choose
from signalling.errors import ConfigurationError

# Keys --------------------------------------------------------------------------------------------------


def test_every_key_but_the_epoch_has_a_lifetime() -> None:
    builders = [
        each
        for name, each in inspect.getmembers(keys, inspect.isfunction)
        if not name.startswith("_") and each.__module__ == keys.__name__
    ]
    made = []
    for build in builders:
        key = build(*(["x"] * len(inspect.signature(build).parameters)))
        if isinstance(key, keys.Key):
            made.append(key)
            assert key.life_s is not None
            assert key.life_ms > 0
        assert (key.name if isinstance(key, keys.Key) else key).startswith(keys.PREFIX)
    assert len({key.name for key in made}) == len(made) == 7
    with pytest.raises(ValueError, match="does not expire"):
        _ = keys.EPOCH.life_ms


def test_parts_of_keys_cannot_run_into_each_other() -> None:
    assert keys.rate_limit("a", "b:c") != keys.rate_limit("a", "b")
    for bad in ("", "a:b"):
        with pytest.raises(ValueError):
            keys.rate_limit(bad, "c")
        with pytest.raises(ValueError):
            keys.presence(bad)


# Placing -----------------------------------------------------------------------------------------------


def node(name: str, participants: int = 0, *, cpu: float = 0.0, draining: bool = False) -> NodeInfo:
    load = NodeLoad(participants=participants, cpu=cpu, max_participants=100, draining=draining)
    return NodeInfo(name, f"http://{name}", load=load)


@pytest.mark.parametrize(
    ("nodes", "chosen"),
    [
        ([node("a"), node("b")], "a"),  # the one that was asked
        ([node("a", 9), node("b")], "a"),  # about equal
        ([node("a", 20), node("b")], "b"),  # clearly more loaded
        ([node("a", cpu=0.5), node("b", 10)], "b"),  # the processor counts, too
        ([node("a", draining=True), node("b", 90)], "b"),
        ([node("a", 100), node("b", 99)], "b"),  # full
        ([node("a", 100), node("b", cpu=0.9)], "b"),  # busy, but with a place
        ([node("a", cpu=1.0), node("b", cpu=1.0)], "a"),  # all busy: one of them, not each its own
        ([node("a", 120), node("b", 100)], "b"),
        ([node("a", draining=True), node("b", cpu=1.0)], "b"),
        ([node("a", draining=True)], None),
        ([], None),
    ],
)
def test_a_room_goes_to_the_least_loaded_and_stays_if_it_may(
    nodes: list[NodeInfo], chosen: str | None
) -> None:
    found = choose("lesson", nodes, asked="a")
    assert (found.id if found else None) == chosen


def test_equal_nodes_share_rooms_and_agree_on_each() -> None:
    nodes = [node(name) for name in "bcd"]
    rooms = [str(number) for number in range(300)]
    placed = [choose(room, nodes, asked="elsewhere") for room in rooms]
    assert placed == [choose(room, nodes[::-1], asked="another") for room in rooms]
    counts = [sum(each is not None and each.id == name for each in placed) for name in "bcd"]
    assert min(counts) > 60


def test_a_node_reads_what_another_version_says() -> None:
    said = node("a", 3).to_json()
    assert NodeInfo.from_json(said) == node("a", 3)
    newer = {**said, "colour": "blue", "load": {**said["load"], "mood": 1}}
    assert NodeInfo.from_json(newer) == node("a", 3)
    without: list[dict[str, object]] = [{}, {"load": {}}, {"id": "a"}]
    for bad in without:
        with pytest.raises(ValueError):
            NodeInfo.from_json(bad)


# Trust between nodes -----------------------------------------------------------------------------------

SECRET = derive_secret({"key": "secret"})
FACTS = Facts("a", "b", client="203.0.113.9", host="desk.example.org", scheme="https")


@given(st.text(min_size=1), st.text(), st.binary())
def test_what_was_signed_is_believed_and_nothing_else(method: str, target: str, body: bytes) -> None:
    header = sign(SECRET, FACTS, method, target, body, 1000.0)
    claim = verify(SECRET, header, receiver="b", now=1010.0)
    assert claim.check(method, target, body) == FACTS
    for other in ((method + "x", target, body), (method, target + "x", body), (method, target, body + b"x")):
        with pytest.raises(InternalRequestError):
            claim.check(*other)
    for secret, receiver, now in ((b"x", "b", 1010.0), (SECRET, "a", 1010.0), (SECRET, "b", 1031.0)):
        with pytest.raises(InternalRequestError):
            verify(secret, header, receiver=receiver, now=now)


@given(st.text())
def test_any_other_header_is_refused(header: str) -> None:
    with pytest.raises(InternalRequestError):
        verify(SECRET, header, receiver="b", now=0.0)


def test_a_changed_header_is_refused() -> None:
    header = sign(SECRET, FACTS, "GET", "/rtc", b"", 0.0)
    for place in range(0, len(header), 7):
        changed = header[:place] + ("A" if header[place] != "A" else "B") + header[place + 1 :]
        with pytest.raises(InternalRequestError):
            verify(SECRET, changed, receiver="b", now=0.0)


def test_the_secret_follows_the_keys_or_the_setting() -> None:
    assert derive_secret({"a": "1", "b": "2"}) == derive_secret({"b": "2", "a": "1"})
    assert derive_secret({"a": "1"}) != derive_secret({"a": "2"})
    assert derive_secret({"a": "1"}, "own") == derive_secret({"a": "2"}, "own")


# URLs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://user:pass@host:6380/2",
        "rediss://host",
        "unix:///run/valkey.sock",
        "redis+sentinel://one,two:26380,[::1]:26381/main",
        "rediss+sentinel://user:p%40ss@one/main/3?sentinel_password=x",
    ],
)
def test_urls_that_are_understood(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:6379", "redis://"),
        ("http://host", "redis://"),
        ("redis://host:port", "port"),
        ("redis+sentinel://host", "SERVICE"),
        ("redis+sentinel://host/main/x", "database"),
        ("redis+sentinel://host:x/main", "host:port"),
        ("redis+sentinel://host/main?colour=blue", "colour"),
    ],
)
def test_urls_that_are_refused_say_why(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        check_url(url)


@pytest.mark.parametrize("url", ["redis://u:topsecret@host/1", "redis+sentinel://:topsecret@a,b/main"])
async def test_the_password_stays_out_of_sight(url: str) -> None:
    redis = RedisConnection(url)
    assert "topsecret" not in redis.place
    assert "host" in redis.place or "a,b" in redis.place


# Limits ------------------------------------------------------------------------------------------------


@given(
    st.floats(0.1, 50),
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 3)), min_size=1, max_size=60),
)
def test_a_local_bucket_never_gives_more_than_its_rate(
    rate: float, burst: int, asked: list[tuple[float, int]]
) -> None:
    now = 0.0
    limiter = LocalLimiter(lambda: now)
    limit = RateLimit("x", rate, burst)
    taken = 0
    for pause, wanted in asked:
        now += pause
        cost = min(wanted, burst)
        verdict = limiter.take(limit, "ann", cost)
        taken += cost if verdict.allowed else 0
        assert taken <= burst + rate * now + 1e-6
        if not verdict.allowed:
            now += verdict.retry_after_s + 1e-6
            assert limiter.take(limit, "ann", cost).allowed
            taken += cost


def test_limits_that_make_no_sense_are_refused() -> None:
    for rate, burst in ((0, 1), (1, 0), (-1, 1), (math.inf, 1), (math.nan, 1)):
        with pytest.raises(ValueError):
            RateLimit("x", rate, burst)
