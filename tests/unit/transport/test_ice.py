import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.transport import stun
from mediaserver.transport.ice import CheckResult, IceSession, Liveness

DISCONNECTED_S, GONE_S = 10.0, 30.0


def check(
    session: IceSession[str],
    path: str,
    now: float,
    *,
    ufrag: str | None = None,
    password: str | None = None,
    remote: str = "remote",
    nominate: bool = False,
    extra: tuple[tuple[int, bytes], ...] = ((stun.ICE_CONTROLLING, bytes(8)),),
) -> CheckResult | None:
    username = f"{ufrag or session.local_ufrag}:{remote}".encode()
    attributes = [(stun.USERNAME, username), (stun.PRIORITY, bytes(4)), *extra]
    if nominate:
        attributes.append((stun.USE_CANDIDATE, b""))
    key = (password or session.local_password).encode()
    data = stun.build_stun(stun.BINDING_REQUEST, os.urandom(12), attributes, key)
    return session.check(stun.parse_stun(data), path, "192.0.2.1", 1000, now)


@pytest.fixture
def session() -> IceSession[str]:
    return IceSession(max_paths=3)


def test_first_check_admits_and_selects(session: IceSession[str]) -> None:
    result = check(session, "wifi", 1.0)
    assert result is not None
    assert result.accepted
    assert result.admitted
    assert result.selected_changed
    assert session.selected == "wifi"
    again = check(session, "wifi", 2.0)
    assert again is not None
    assert not again.admitted
    assert not again.selected_changed


def test_wrong_password_changes_and_answers_nothing(session: IceSession[str]) -> None:
    assert check(session, "thief", 1.0, password="x" * 32) is None
    assert session.selected is None
    assert not session.paths
    assert session.last_check is None


def test_wrong_remote_ufrag_is_refused_once_known(session: IceSession[str]) -> None:
    assert check(session, "a", 1.0, remote="anything") is not None
    session.remote_ufrag = b"remote"
    assert check(session, "b", 1.0, remote="other") is None
    assert check(session, "b", 1.0) is not None


def test_nomination_moves_the_media(session: IceSession[str]) -> None:
    check(session, "wifi", 1.0, nominate=True)
    check(session, "mobile", 1.5)
    assert session.selected == "wifi"
    result = check(session, "mobile", 1.6, nominate=True)
    assert result is not None
    assert result.selected_changed
    assert session.selected == "mobile"


def test_live_path_replaces_a_silent_one_without_nomination(session: IceSession[str]) -> None:
    check(session, "wifi", 1.0, nominate=True)
    check(session, "mobile", 4.9)
    assert session.selected == "wifi"
    check(session, "mobile", 5.1)
    assert session.selected == "mobile"


def test_role_conflict_and_unknown_attribute_are_answered_but_admit_nothing(session: IceSession[str]) -> None:
    for extra in (((stun.ICE_CONTROLLED, bytes(8)),), ((0x7777, b"\0\0\0\0"),)):
        result = check(session, "a", 1.0, extra=extra)
        assert result is not None
        assert not result.accepted
        assert not session.paths


def test_restart_keeps_old_credentials_until_new_are_used(session: IceSession[str]) -> None:
    ufrag, password = session.local_ufrag, session.local_password
    check(session, "wifi", 1.0, nominate=True)
    session.renew_credentials()
    assert session.local_ufrag != ufrag
    assert check(session, "wifi", 2.0, ufrag=ufrag, password=password) is not None
    # A nomination under old credentials must not steal the path from the restart.
    check(session, "old-new", 2.1, ufrag=ufrag, password=password, nominate=True)
    assert session.selected == "wifi"
    assert check(session, "mobile", 2.5, nominate=True) is not None
    assert session.selected == "mobile"
    assert check(session, "wifi", 3.0, ufrag=ufrag, password=password) is None


def test_two_restarts_in_a_row_keep_only_the_last_but_one(session: IceSession[str]) -> None:
    first = session.local_ufrag, session.local_password
    session.renew_credentials()
    second = session.local_ufrag, session.local_password
    session.renew_credentials()
    assert check(session, "a", 1.0, ufrag=first[0], password=first[1]) is None
    assert check(session, "a", 1.0, ufrag=second[0], password=second[1]) is not None
    assert len(session.ufrags) == 2


def test_paths_are_bounded_and_the_selected_one_stays(session: IceSession[str]) -> None:
    check(session, "first", 1.0, nominate=True)
    for index in range(10):
        check(session, f"p{index}", 1.1 + index / 100)
    assert len(session.paths) == 3
    assert "first" in session.paths
    assert len(session.evicted) == 8
    assert "p9" in session.paths


def test_forgetting_the_selected_path_falls_back_to_the_freshest(session: IceSession[str]) -> None:
    check(session, "a", 1.0, nominate=True)
    check(session, "b", 1.2)
    check(session, "c", 1.1)
    session.forget("a")
    assert session.selected == "b"
    session.forget("b")
    session.forget("c")
    assert session.selected is None


def test_consent_in_virtual_time(session: IceSession[str]) -> None:
    assert session.liveness(100.0, DISCONNECTED_S, GONE_S) is Liveness.WAITING
    check(session, "a", 100.0)
    assert session.liveness(110.0, DISCONNECTED_S, GONE_S) is Liveness.ALIVE
    assert session.liveness(110.1, DISCONNECTED_S, GONE_S) is Liveness.SILENT
    assert session.liveness(130.1, DISCONNECTED_S, GONE_S) is Liveness.GONE
    check(session, "a", 131.0)
    assert session.liveness(131.0, DISCONNECTED_S, GONE_S) is Liveness.ALIVE


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans(), st.floats(0, 3)), max_size=30))
def test_selected_path_is_always_a_validated_one(steps: list[tuple[str, bool, float]]) -> None:
    session: IceSession[str] = IceSession(max_paths=3)
    now = 1.0
    for path, nominate, wait in steps:
        now += wait
        check(session, path, now, nominate=nominate)
        assert session.selected in session.paths
        assert len(session.paths) <= 3
        if nominate:
            assert session.selected == path
