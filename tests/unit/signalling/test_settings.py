"""Where settings come from, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from signalling.errors import ConfigurationError
from signalling.settings import (
    Settings,
    configuration_directory,
    environment_names,
    load_settings,
)
from signalling.settings_doc import TARGET, render

STRONG = "mykey: 3q2+7wAbCdEfGhIjKlMnOpQrStUvWxYz0123"


def write(path: Path, **content: object) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def test_flag_over_environment_over_file(tmp_path: Path) -> None:
    config = write(tmp_path / "c.yaml", dev=True, port=1, tcp_port=2, udp_port=3)
    environment = {"RAISEHAND_TCP_PORT": "20", "RAISEHAND_UDP_PORT": "30"}
    settings = load_settings({"udp_port": 300, "port": None}, config=config, environment=environment)
    assert (settings.port, settings.tcp_port, settings.udp_port) == (1, 20, 300)


def test_groups_are_merged_key_by_key(tmp_path: Path) -> None:
    config = write(tmp_path / "c.yaml", dev=True, limits={"sdp_bytes": 1, "bad_messages": 2})
    settings = load_settings(config=config, environment={"RAISEHAND_LIMITS__SDP_BYTES": "9"})
    assert (settings.limits.sdp_bytes, settings.limits.bad_messages) == (9, 2)


def test_file_by_environment(tmp_path: Path) -> None:
    config = write(tmp_path / "c.yaml", dev=True, port=4)
    assert load_settings(environment={"RAISEHAND_CONFIG": str(config)}).port == 4


def test_lists_and_keys_from_text() -> None:
    environment = {
        "RAISEHAND_API_KEYS": STRONG,
        "RAISEHAND_ALLOWED_ORIGIN": "https://a/, https://B",
        "RAISEHAND_MEDIA__ADVERTISED_ADDRESSES": '["192.0.2.1"]',
    }
    settings = load_settings(environment=environment)
    assert settings.secrets == {"mykey": STRONG.partition(": ")[2]}
    assert settings.allowed_origin == ("https://a", "https://b")
    assert settings.media.advertised_addresses == ("192.0.2.1",)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"udp_prot": 1}, "unknown key udp_prot; the nearest known one is udp_port"),
        ({"limits": {"sdp_byte": 1}}, "unknown key limits.sdp_byte; the nearest known one is sdp_bytes"),
        ({"sdp_bytes": 1}, "the nearest known one is limits.sdp_bytes"),
        ({"port": 70000}, "port: "),
        ({"host": "0.0.0.0"}, "loopback only"),
        ({"tls_cert": Path("x")}, "tls_cert and tls_key go together"),
        ({"media": {"udp_candidates": False, "tcp_candidates": False}}, "both off"),
        ({"media": {"gone_after_s": 1}}, "gone_after_s is shorter"),
        ({"turn": {"urls": "turn:x"}}, "turn.urls needs turn.secret"),
        ({"limits": {"sdp_bytes": 0}}, "limits.sdp_bytes"),
        ({"media": {"advertised_addresses": "media.example.org"}}, "media.advertised_addresses"),
        ({"trusted_proxies": "10.0.0.0/99"}, "trusted_proxies"),
        ({"allowed_origin": "school.example.org"}, "is not an origin"),
    ],
)
def test_refused_in_development(flags: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings({"dev": True, **flags}, environment={})
    assert expected in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", "api_keys is empty"),
        ("devkey: secret", "default secret"),
        ("devkey: 3q2+7wAbCdEfGhIjKlMnOpQrStUvWxYz0123", "default secret"),
        ("mykey: changeme-changeme-changeme-changeme", "default secret"),
        ("mykey: short", "fewer than 32"),
        ("mykey", "must look like"),
    ],
)
def test_default_and_weak_secrets_are_refused_outside_development(keys: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(environment={"RAISEHAND_API_KEYS": keys})
    assert expected in str(refused.value)
    assert "OpQrStUv" not in str(refused.value)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings({"dev": True, "port": -1, "hots": "x"}, environment={})
    assert len(str(refused.value).splitlines()) == 2


def test_unknown_variable() -> None:
    with pytest.raises(ConfigurationError, match="RAISEHAND_UDP_PORT"):
        load_settings({"dev": True}, environment={"RAISEHAND_UDPPORT": "1"})
    load_settings({"dev": True}, environment={"RAISEHAND_CHROMIUM": "/usr/bin/chromium", "OTHER": "1"})


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_settings(config=tmp_path / "missing.yaml", environment={})
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigurationError, match="not YAML"):
        load_settings(config=tmp_path / "bad.yaml", environment={})
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(ConfigurationError, match="keys and values"):
        load_settings(config=tmp_path / "list.yaml", environment={})


def test_development_is_loopback_with_its_known_key() -> None:
    settings = load_settings({"dev": True}, environment={})
    assert settings.bind_host == "127.0.0.1"
    assert settings.secrets == {"devkey": "secret"}
    assert load_settings({"dev": True, "dev_tls": True}, environment={}).bind_host == "0.0.0.0"


def test_packaged_files_are_usable() -> None:
    names = {path.name for path in configuration_directory().glob("*.yaml")}
    assert names >= {"default.yaml", "development.yaml", "production.yaml"}
    production = configuration_directory() / "production.yaml"
    with pytest.raises(ConfigurationError, match="api_keys is empty"):
        load_settings(config=production, environment={})
    settings = load_settings(config=production, environment={"RAISEHAND_API_KEYS": STRONG})
    assert (settings.bind_host, settings.dev) == ("0.0.0.0", False)


def test_secrets_are_not_shown() -> None:
    settings = load_settings(environment={"RAISEHAND_API_KEYS": STRONG})
    assert "OpQrStUv" not in repr(settings)


def test_settings_do_not_change() -> None:
    settings = Settings(dev=True)
    with pytest.raises(Exception, match="frozen"):
        settings.port = 1


def test_every_key_is_described_and_the_reference_is_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == render(), "run: python -m signalling.settings_doc"
    for name in environment_names():
        assert name in render()
    assert "<br>*none* |  |" not in render()
