"""Each fuzz target for `FUZZ_SECONDS`, and the fuzzer itself: it must find what it is there to find."""

import os
import types
from pathlib import Path

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz.harness import Target, discover, fuzz

SEED = int(os.environ.get("FUZZ_SEED") or 0)
TARGETS = discover()


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", TARGETS)
def test_target_keeps_its_promise(name: str, fuzz_seconds: float) -> None:
    result = fuzz(TARGETS[name], seconds=fuzz_seconds, seed=SEED)
    print(result)
    if result.failure is not None:
        command.report(result.failure)
        pytest.fail(f"seed {SEED}: {result.failure.reason}")


def make_target(run: object) -> Target:
    module = types.ModuleType("example")
    corpus = [b"sample \x05text", b"other"]
    module.__dict__.update(NAME="example", CORPUS=corpus, ALLOWED=(ValueError,), run=run)
    assert isinstance(module, Target)
    return module


def test_finds_an_undeclared_error() -> None:
    def run(data: bytes) -> None:
        if len(data) > 7 and data[7] == 0xFF:
            raise IndexError("planted")

    failure = fuzz(make_target(run), seconds=5, max_inputs=20_000).failure
    assert failure is not None
    assert "planted" in failure.reason
    assert failure.data[7] == 0xFF


def test_finds_an_error_behind_a_new_outcome() -> None:
    def run(data: bytes) -> None:
        if data[:1] == b"A":
            if data[1:2] == b"B":
                raise KeyError("planted")
            raise ValueError("second octet")
        raise ValueError("first octet")

    assert fuzz(make_target(run), seconds=20, max_inputs=200_000).failure is not None


def test_finds_a_slow_input() -> None:
    def run(data: bytes) -> None:
        if b"\xff" in data:
            for _ in range(2_000_000):
                pass

    failure = fuzz(make_target(run), seconds=20, max_inputs=20_000).failure
    assert failure is not None
    assert "ms of 10 ms" in failure.reason


def test_finds_an_endless_loop() -> None:
    def run(data: bytes) -> None:
        while b"\xff" in data:
            pass

    failure = fuzz(make_target(run), seconds=20, max_inputs=20_000).failure
    assert failure is not None
    assert "no end" in failure.reason


def test_accepts_declared_errors_and_repeats_itself() -> None:
    seen: list[bytes] = []

    def run(data: bytes) -> None:
        seen.append(data)
        if len(data) % 2:
            raise ValueError("odd")

    result = fuzz(make_target(run), seconds=20, seed=7, max_inputs=2_000)
    assert result.failure is None
    assert result.inputs == 2_000
    assert 0 < result.accepted < 2_000
    first, seen[:] = seen[:], []
    fuzz(make_target(run), seconds=20, seed=7, max_inputs=2_000)
    assert seen == first


def test_command_saves_and_prints_a_failing_input(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(data: bytes) -> None:
        if b"\xff" in data:
            raise KeyError("planted")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "discover", lambda: {"example": make_target(run)})
    assert command.main(["--seconds", "5", "--seed", "1", "example"]) == 1
    (saved,) = (tmp_path / "fuzz-failures").iterdir()
    output = capsys.readouterr().out
    assert saved.read_bytes().hex() in output
    assert "inputs" in output and "/s" in output
    with pytest.raises(KeyError):
        command.main(["--replay", str(saved), "example"])


def test_command_passes_when_nothing_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "discover", lambda: {"example": make_target(lambda data: None)})
    assert command.main(["--seconds", "0.05"]) == 0
    assert "ok" in capsys.readouterr().out
    assert not (tmp_path / "fuzz-failures").exists()
    with pytest.raises(SystemExit):
        command.main(["nonsense"])
