"""`raisehand migrate` on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from signalling.store.command import migrate
from signalling.store.migrate import head
from tests.integration.store.conftest import BACKENDS
from tests.postgres import PostgresServer


@pytest.fixture(params=BACKENDS)
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/desk.sqlite3"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database()
    yield server.url(name)
    server.drop_database(name)


def test_migrate(bare_url: str) -> None:
    def run(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(migrate, ["--database", bare_url, *options])
        return result.exit_code, result.output

    code, said = run("--check")
    assert (code, f"at version none, not {head()}" in said) == (1, True), said
    code, said = run()
    assert (code, f"from version none to {head()}" in said) == (0, True), said
    for options in ((), ("--check",)):
        code, said = run(*options)
        assert (code, f"already at version {head()}" in said) == (0, True), said


def test_what_cannot_be_migrated(tmp_path: Path) -> None:
    result = CliRunner().invoke(migrate, ["--database", "mysql://u:s3cr3t@host/db"])
    assert result.exit_code == 1
    assert "mysql is not supported" in result.output
    assert "s3cr3t" not in result.output
    result = CliRunner().invoke(migrate, ["--data-dir", str(tmp_path)])
    assert result.exit_code == 0
    assert (tmp_path / "raisehand.sqlite3").is_file()
