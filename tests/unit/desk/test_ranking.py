"""The waiting list of a queue stays in order while calls come, go and grow impatient."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from signalling.desk.model import CallId
from signalling.desk.ranking import RESORT_S, Ranking
from signalling.desk.routing import PATIENCE_S, Worth

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def waiting_since(seconds: float, fixed_s: float = 0.0) -> Worth:
    return Worth(START.timestamp() + seconds, fixed_s, None)


def test_who_waits_longer_goes_first_and_who_is_worth_more_before_him() -> None:
    ranking = Ranking()
    for name, worth in (
        ("old", waiting_since(0)),
        ("new", waiting_since(50)),
        ("vip", waiting_since(60, 600)),
    ):
        ranking.put(CallId(name), worth, START)
    now = START + timedelta(seconds=100)
    assert [rank[2] for rank in ranking.in_order(now)] == ["vip", "old", "new"]
    assert ranking.ahead(CallId("new"), now) == 2
    ranking.drop(CallId("vip"))
    assert ranking.ahead(CallId("new"), now) == 1
    ranking.put(CallId("late"), waiting_since(99), START)
    assert ranking.ahead(CallId("late"), now) == 2
    ranking.drop(CallId("nobody"))
    assert len(ranking) == 3


def test_impatience_changes_the_order_in_time() -> None:
    """The bonus of 600 s is made good after ten minutes of waiting that count fourfold."""
    ranking = Ranking()
    ranking.put(CallId("patient"), waiting_since(0), START)
    ranking.put(CallId("bonus"), waiting_since(PATIENCE_S, 700.0), START)
    before, after = START + timedelta(seconds=PATIENCE_S), START + timedelta(seconds=PATIENCE_S + 300)
    assert ranking.ahead(CallId("patient"), before) == 1
    assert ranking.ahead(CallId("patient"), before + timedelta(seconds=RESORT_S)) == 1
    assert ranking.ahead(CallId("patient"), after) == 0


calls = st.integers(0, 7).map(lambda number: CallId(str(number)))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), calls, st.floats(0, 3000), st.floats(0, 2000)),
        st.tuples(st.just("drop"), calls),
        st.tuples(st.just("look"), st.floats(0, 4000)),
    )
)


@given(steps)
def test_whatever_happens_the_order_is_that_of_urgency(history: list[tuple[object, ...]]) -> None:
    ranking, model = Ranking(), dict[CallId, Worth]()
    for step in history:
        match step:
            case ("put", str(call), float(since), float(fixed)):
                model[CallId(call)] = waiting_since(since, fixed)
                ranking.put(CallId(call), model[CallId(call)], START)
            case ("drop", str(call)):
                model.pop(CallId(call), None)
                ranking.drop(CallId(call))
            case ("look", float(at)):
                now = START + timedelta(seconds=at)
                expected = sorted((-worth.at(now.timestamp()), call) for call, worth in model.items())
                assert [rank[2] for rank in ranking.in_order(now)] == [call for _, call in expected]
                assert [ranking.ahead(call, now) for _, call in expected] == list(range(len(expected)))
    assert len(ranking) == len(model)
