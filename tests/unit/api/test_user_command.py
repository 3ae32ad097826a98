"""`raisehand user`: what an operator types, and what it says."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from signalling.service.user_command import user

SECRET = "correct horse battery"


def run(data_dir: Path, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(user, ["--data-dir", str(data_dir), *arguments], input=typed)


def test_an_account_from_creation_to_disabling(tmp_path: Path) -> None:
    assert "no accounts yet" in run(tmp_path, "list").output
    made = run(
        tmp_path, "add", "Wang", "--role", "agent", "--name", "王老师", "--password-stdin", typed=SECRET
    )
    assert made.exit_code == 0, made.output
    assert SECRET not in made.output
    listed = run(tmp_path, "list").output
    assert "wang" in listed
    assert "王老师" in listed
    assert "disabled" not in listed
    assert run(tmp_path, "disable", "WANG").exit_code == 0
    assert "disabled" in run(tmp_path, "list").output
    assert run(tmp_path, "enable", "wang").exit_code == 0
    assert run(tmp_path, "password", "wang", "--password-stdin", typed="another long one").exit_code == 0


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    arguments = ("add", "ann", "--role", "admin", "--password-stdin")
    short = run(tmp_path, *arguments, typed="short")
    assert short.exit_code == 1
    assert "10 to 256 characters" in short.output
    assert run(tmp_path, *arguments, typed=SECRET).exit_code == 0
    again = run(tmp_path, *arguments, typed=SECRET)
    assert again.exit_code == 1
    assert "already" in again.output
    assert "no account bob" in run(tmp_path, "disable", "bob").output
    assert (
        "user name" in run(tmp_path, "add", "a b", "--role", "admin", "--password-stdin", typed=SECRET).output
    )
