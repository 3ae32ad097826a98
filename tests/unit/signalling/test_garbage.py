"""When all objects are looked through: by how long it took, and whether anybody would notice."""

from signalling.garbage import MIN_PAUSE_S, QUIET_SHARE, SHARE, Garbage


def test_it_takes_a_small_share_of_the_time_and_more_while_nobody_talks() -> None:
    people = 2
    garbage = Garbage(lambda: people)
    assert not garbage.is_time(MIN_PAUSE_S - 1)
    assert garbage.is_time(MIN_PAUSE_S)
    garbage.took_s = 0.7
    assert not garbage.is_time(0.7 / SHARE - 1)
    assert garbage.is_time(0.7 / SHARE)
    people = 0
    assert not garbage.is_time(0.7 / QUIET_SHARE - 1)
    assert garbage.is_time(0.7 / QUIET_SHARE)


def test_a_look_finds_cycles_and_is_timed() -> None:
    class Knot:
        def __init__(self, ends: list[str]) -> None:
            self.itself, self._ends = self, ends

        def __del__(self) -> None:
            self._ends.append("gone")

    ends = list[str]()
    Knot(ends)
    garbage = Garbage(lambda: 0)
    garbage.collect()
    assert ends == ["gone"]
    assert garbage.looks == 1
    assert garbage.took_s > 0
    assert not garbage.is_time(garbage._collected_at + MIN_PAUSE_S - 1)
