"""The command `raisehand`."""

from __future__ import annotations

import asyncio
import datetime
import gc
import json
import os
import secrets
import sys
import time
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signalling.errors import ConfigurationError
from signalling.settings import Settings, load_settings

if TYPE_CHECKING:
    from signalling.node import Listening

COMMANDS_GROUP = "raisehand.commands"
"""Entry points under which other packages add sub-commands."""

_STARTED = time.monotonic()
_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


def _text(english: str, chinese: str) -> str:
    from signalling.addresses import speaks_chinese

    return chinese if speaks_chinese() else english


class CommandGroup(click.Group):
    """A group that also has the sub-commands other packages offer, loaded only when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our own and the offered sub-commands."""
        return sorted({*super().list_commands(ctx), *_offered()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A sub-command by name; None when there is none."""
        own = super().get_command(ctx, cmd_name)
        offered = _offered().get(cmd_name)
        if own is not None or offered is None:
            return own
        try:
            command = offered.load()
        except ImportError as error:
            reason = str(error)

            @click.command(
                cmd_name,
                help=f"Not available: {reason}. Install it with: pip install 'raisehand[loadtest]'",
                context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
            )
            def unavailable() -> None:
                raise click.ClickException(
                    f"`raisehand {cmd_name}` needs more ({reason}): pip install 'raisehand[loadtest]'"
                )

            return unavailable
        return command if isinstance(command, click.Command) else None


def _offered() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=COMMANDS_GROUP)}


def _version() -> str:
    try:
        return version("raisehand")
    except PackageNotFoundError:
        return "(from the source)"


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="raisehand")
def main() -> None:
    """Raisehand: real-time media and signalling for support calls in online education.

    \b
    Try it on this machine:
      raisehand serve --dev
    """


def _settings_options(command: Any) -> Any:
    """The flags of `serve` that `doctor` shares."""
    options = (
        click.option("--config", type=click.Path(path_type=Path), help="YAML file with settings."),
        click.option("--dev", is_flag=True, default=None, help="API key devkey, loopback only."),
        click.option("--host", help="Address that HTTP and WebSocket listen on."),
        click.option("--port", type=int, help="HTTP and WebSocket port (7880; 0: any)."),
        click.option("--tcp-port", type=int, help="ICE-TCP port (7881; 0: any)."),
        click.option("--udp-port", type=int, help="UDP port of all media (7882; 0: any)."),
        click.option("--data-dir", type=click.Path(path_type=Path), help="Where files are kept."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _load(config: Path | None, flags: dict[str, Any]) -> Settings:
    try:
        return load_settings(flags, config=config)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from None


@main.command()
@_settings_options
@click.option("--redis", metavar="URL", help="Redis or Valkey, to join several nodes.")
@click.option("--database", metavar="URL", help="Database of calls and tickets.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate chain (PEM).")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Private key (PEM) of the certificate.")
@click.option("--dev-tls", is_flag=True, default=None, help="With --dev: for phones in the LAN.")
@click.option(
    "--allowed-origin",
    multiple=True,
    metavar="URL",
    help="Origin whose pages may connect; repeatable.",
)
@click.option("--drain-timeout", type=float, metavar="S", help="Seconds calls may go on after SIGTERM.")
def serve(config: Path | None, allowed_origin: tuple[str, ...], **flags: Any) -> None:
    """Run the server.

    Every flag may also be an environment variable (RAISEHAND_UDP_PORT=50000) or a key of the YAML file; flag
    over environment over file. All settings: docs/configuration.md.

    \b
    Examples:
      raisehand serve --dev
      raisehand serve --dev --dev-tls                 # phones in the LAN can try
      RAISEHAND_API_KEYS="key: $(openssl rand -base64 36)" \\
        raisehand serve --config configs/production.yaml --tls-cert chain.pem --tls-key key.pem
    """
    settings = _load(config, {**flags, "allowed_origin": allowed_origin or None})
    from signalling.logs import configure_logging

    configure_logging(settings.log)
    try:
        if settings.event_loop == "uvloop":
            import uvloop

            uvloop.run(_serve(settings))
        else:
            asyncio.run(_serve(settings))
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from None


async def _serve(settings: Settings) -> None:
    gc.disable()  # importing makes no garbage worth looking for: a fifth of its time
    from signalling.node import Node

    node = await Node.start(settings)
    gc.enable()
    _announce(settings, node.listening, time.monotonic() - _STARTED)

    def on_signal(drains: bool) -> None:
        if drains and node.rooms.participant_count:
            click.echo(
                _text(
                    f"Calls in progress may go on for {settings.drain_timeout:g} s; SIGTERM again ends them.",
                    f"进行中的通话最多还可继续 {settings.drain_timeout:g} 秒；再次 SIGTERM 立即结束。",
                )
            )

    await node.run_until_stopped(on_signal)


def _announce(settings: Settings, listening: Listening, took_s: float) -> None:
    from signalling.addresses import host_in_url, own_addresses

    scheme, sockets = ("https", "wss") if listening.secure else ("http", "ws")
    wildcard = listening.host in ("0.0.0.0", "::")  # noqa: S104  (a comparison)
    hosts = (
        ["localhost" if listening.secure else "127.0.0.1", *own_addresses()] if wildcard else [listening.host]
    )
    media = " ".join(
        part
        for part in (
            f"UDP {listening.udp_port}" if listening.udp_port is not None else "",
            f"TCP {listening.tcp_port}" if listening.tcp_port is not None else "",
        )
        if part
    )
    rows = [
        (
            _text("Page", "网页"),
            "  ".join(f"{scheme}://{host_in_url(host)}:{listening.port}/" for host in hosts),
        ),
        (_text("LiveKit URL", "LiveKit 地址"), f"{sockets}://{host_in_url(hosts[0])}:{listening.port}"),
        (_text("Media", "媒体端口"), f"{media}  ({', '.join(listening.media_addresses)})"),
    ]
    if settings.dev:
        rows.append((_text("API key", "API 密钥"), "devkey  secret"))
        rows += _sample_rows()
    click.secho(
        _text(
            f"Raisehand {_version()} is ready ({took_s:.1f} s).",
            f"举手 {_version()} 已就绪（{took_s:.1f} 秒）。",
        ),
        bold=True,
    )
    for label, value in rows:
        padding = " " * max(1, 14 - sum(2 if ord(character) > 0x2E80 else 1 for character in label))
        click.echo(f"  {label}{padding}{value}")
    if listening.authority is not None:
        click.secho(
            _text(
                "  Everybody in this network can reach this server, and its API key is no secret. "
                f"Phones warn until they trust {listening.authority} (also at /dev/ca.crt).",
                "  此网络中的所有人都能访问本服务器，且其 API 密钥并不保密。"
                f"手机会提示不安全，直到信任 {listening.authority}（也可从 /dev/ca.crt 下载）。",
            ),
            fg="yellow",
        )
    click.echo(_text("  Stop with Ctrl-C.", "  按 Ctrl-C 停止。"))
    sys.stdout.flush()


def _sample_rows() -> list[tuple[str, str]]:
    """The accounts and students of `--dev`."""
    from signalling.service.samples import PASSWORD, STAFF, STUDENTS

    labels = {
        "agent": _text("Agents", "客服"),
        "supervisor": _text("Supervisors", "主管"),
        "reviewer": _text("Reviewer", "质检"),
        "admin": _text("Admin", "管理员"),
    }
    rows = [
        (label, "  ".join(f"{person.username} ({person.name})" for person in STAFF if person.role == role))
        for role, label in labels.items()
    ]
    rows.append((_text("Password", "密码"), _text(f"{PASSWORD}  (all of them)", f"{PASSWORD}  （以上均是）")))
    students = "  ".join(f"{student.id} ({student.name})" for student in STUDENTS)
    rows.append((_text("Students", "学生"), students))
    return rows


@main.command()
@click.option("--room", required=True, help="Room that may be joined.")
@click.option("--identity", help="Unique in the room; default: a random one.")
@click.option("--name", default="", help="Name shown to others.")
@click.option("--ttl", default="6h", show_default=True, help="Life of the token: 90s, 30m, 6h, 7d.")
@click.option("--metadata", default="", help="Metadata of the participant.")
@click.option("--attribute", multiple=True, metavar="KEY=VALUE", help="Attribute; repeat for more.")
@click.option("--listen-only", is_flag=True, help="May not publish audio, video or data.")
@click.option("--admin", is_flag=True, help="May also administer the room (RoomService).")
@click.option("--api-key", help="Key that signs; default: the first configured one, else devkey.")
@click.option("--api-secret", help="Its secret; better configured than given here, where others see it.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML file with settings.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object with identity and expiry.")
def token(
    room: str,
    identity: str | None,
    name: str,
    ttl: str,
    metadata: str,
    attribute: tuple[str, ...],
    listen_only: bool,
    admin: bool,
    api_key: str | None,
    api_secret: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Mint a LiveKit access token to join a room.

    \b
    Examples:
      raisehand token --room lesson-7 --identity student-1 --name 小明
      raisehand token --room lesson-7 --listen-only --ttl 30m --json
    """
    from mediaserver.room.model import Permissions
    from signalling.auth import mint_join_token

    key, secret = _signing_key(api_key, api_secret, config)
    attributes = {}
    for text in attribute:
        attribute_name, separator, value = text.partition("=")
        if not separator or not attribute_name:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--attribute")
        attributes[attribute_name] = value
    ttl_s = _duration(ttl)
    identity = identity or f"guest-{secrets.token_hex(4)}"
    minted = mint_join_token(
        key,
        secret,
        identity=identity,
        room=room,
        name=name,
        ttl_s=ttl_s,
        metadata=metadata,
        attributes=attributes,
        permissions=Permissions(
            can_publish=not listen_only,
            can_publish_data=not listen_only,
            can_update_metadata=not listen_only,
        ),
        admin=admin,
    )
    if as_json:
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=ttl_s)
        shown = {"token": minted, "identity": identity, "room": room, "expires_at": expires.isoformat()}
        click.echo(json.dumps(shown, ensure_ascii=False))
    else:
        click.echo(minted)


def _signing_key(key: str | None, secret: str | None, config: Path | None) -> tuple[str, str]:
    if secret is not None:
        if key is None:
            raise click.UsageError("--api-secret needs --api-key")
        return key, secret
    configured = config is not None or any(
        os.environ.get(name) for name in ("RAISEHAND_API_KEYS", "RAISEHAND_CONFIG")
    )
    settings = _load(config, {} if configured else {"dev": True})
    keys = settings.secrets
    chosen = key or next(iter(keys))
    if chosen not in keys:
        raise click.UsageError(f"the API key {chosen!r} is not configured; give --api-secret as well")
    return chosen, keys[chosen]


_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _duration(text: str) -> float:
    number, unit = (text[:-1], text[-1]) if text and text[-1] in _UNITS_S else (text, "s")
    try:
        seconds = float(number) * _UNITS_S[unit]
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3650 * 86_400:
        raise click.BadParameter(f"{text!r} is not a duration such as 90s, 30m, 6h or 7d", param_hint="--ttl")
    return seconds


@main.command()
@_settings_options
def doctor(config: Path | None, **flags: Any) -> None:
    """Check whether a server can run here, and say what to do where it cannot.

    Ends with 1 when something must be put right first.

    \b
    Examples:
      raisehand doctor
      raisehand doctor --config configs/production.yaml
    """
    from signalling.doctor import Finding, Verdict, examine

    findings: list[Finding] = []
    try:
        settings = load_settings(flags, config=config)
    except ConfigurationError as error:
        if config is not None or flags.get("dev"):
            findings.append(Finding("configuration", Verdict.FAILED, str(error)))
            settings = Settings(dev=True)
        else:  # without any configuration the machine is what is asked about
            settings = _load(None, {**flags, "dev": True})
    for finding in (*findings, *examine(settings)):
        findings.append(finding)
        mark, colour = _MARKS[finding.verdict.value]
        click.secho(f"{mark} {finding.subject}: ", fg=colour, nl=False)
        click.echo(finding.text)
        if finding.verdict is not Verdict.OK and finding.remedy:
            click.echo(f"    → {finding.remedy}")
    if any(finding.verdict is Verdict.FAILED for finding in findings):
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="raisehand")
