"""The command line, as far as it needs no server."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from signalling import cli
from signalling.auth import verify_token
from signalling.settings import DEVELOPMENT_KEYS


def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(cli.main, list(arguments), env={"LANG": "C", **(env or {})})
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["serve", "token", "doctor"])
def test_help_shows_an_example(command: str) -> None:
    code, output = run(command, "--help")
    assert code == 0
    assert f"raisehand {command}" in output.partition("Example")[2]


def test_every_flag_of_the_public_surface() -> None:
    _, output = run("serve", "--help")
    for flag in [
        "--config",
        "--dev",
        "--host",
        "--port",
        "--tcp-port",
        "--udp-port",
        "--data-dir",
        "--redis",
        "--database",
        "--tls-cert",
        "--tls-key",
        "--allowed-origin",
    ]:
        assert f"{flag} " in output


def test_token_for_development() -> None:
    code, output = run("token", "--room", "lesson", "--identity", "ann", "--attribute", "a=1")
    assert code == 0
    grants = verify_token(output.strip(), DEVELOPMENT_KEYS)
    assert (grants.require_join(), grants.identity, grants.attributes) == ("lesson", "ann", (("a", "1"),))


def test_token_as_json_that_only_listens() -> None:
    code, output = run("token", "--room", "lesson", "--listen-only", "--ttl", "90s", "--json")
    assert code == 0
    shown = json.loads(output)
    permissions = verify_token(shown["token"], DEVELOPMENT_KEYS).permissions
    assert (permissions.can_publish, permissions.can_publish_data, permissions.can_subscribe) == (
        False, False, True,
    )  # fmt: skip
    assert shown["identity"].startswith("guest-")


def test_token_of_a_configured_key() -> None:
    secret = "3q2+7wAbCdEfGhIjKlMnOpQrStUvWxYz0123"
    env = {"RAISEHAND_API_KEYS": f"mykey: {secret}"}
    code, output = run("token", "--room", "r", "--admin", env=env)
    assert code == 0
    verify_token(output.strip(), {"mykey": secret}).require_admin("r")
    code, output = run("token", "--room", "r", "--api-key", "other", env=env)
    assert code != 0
    assert "not configured" in output


@pytest.mark.parametrize("ttl", ["", "x", "0s", "-5m", "9999d", "nan"])
def test_odd_durations(ttl: str) -> None:
    code, output = run("token", "--room", "r", "--ttl", ttl)
    assert code != 0
    assert "duration" in output


def test_serve_explains_what_is_missing() -> None:
    code, output = run("serve")
    assert code == 1
    assert "api_keys is empty" in output
    code, output = run("serve", "--dev", "--host", "0.0.0.0")
    assert code == 1
    assert "loopback only" in output


def test_doctor_finds_a_taken_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, output = run("doctor", "--dev", "--port", port, "--tcp-port", "0", "--udp-port", "0")
    assert code == 1
    assert f"port {port}" in output
    assert "ss -lntp" in output


def test_doctor_without_findings_ends_well(tmp_path: Path) -> None:
    arguments = ("--port", "0", "--tcp-port", "0", "--udp-port", "0", "--data-dir", str(tmp_path))
    code, output = run("doctor", *arguments)
    assert code == 0
    assert "✗" not in output


def test_doctor_names_a_wrong_configuration(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("udp_prot: 1")
    code, output = run("doctor", "--config", str(config))
    assert code == 1
    assert "udp_port" in output


class FakeEntryPoint:
    def __init__(self, command: click.Command | Exception) -> None:
        self.command = command

    def load(self) -> click.Command:
        if isinstance(self.command, Exception):
            raise self.command
        return self.command


def test_commands_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def hello() -> None:
        click.echo("hello")

    offered = {
        "hello": FakeEntryPoint(hello),
        "broken": FakeEntryPoint(ImportError("No module named 'numpy'")),
    }
    monkeypatch.setattr(cli, "_offered", lambda: offered)
    assert run("hello") == (0, "hello\n")
    code, output = run("broken")
    assert code == 1
    assert "raisehand[loadtest]" in output
    assert "hello" in run("--help")[1]
    assert run("nothing")[0] == 2
