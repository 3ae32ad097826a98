"""Configuration of a node: flag over environment over YAML file over the defaults below.

Every key is a field here; the reference in ``docs/configuration.md`` is generated from the docstrings
under the fields. Environment variables are ``RAISEHAND_`` and the key in capitals, groups joined with two
underscores: ``RAISEHAND_UDP_PORT``, ``RAISEHAND_LIMITS__SDP_BYTES``.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from signalling.errors import ConfigurationError

ENVIRONMENT_PREFIX = "RAISEHAND_"
GROUP_DELIMITER = "__"

TOOLING_VARIABLES = frozenset({"RAISEHAND_PYTHON", "RAISEHAND_CHROMIUM", "RAISEHAND_SERVER"})
"""Variables with our prefix that the build and the tests read; they configure no server."""

DEVELOPMENT_KEYS = {"devkey": "secret"}
"""The API key of `--dev`; known to everybody, hence loopback only."""

MINIMUM_SECRET_CHARACTERS = 32
"""Of an API secret outside development: HS256 wants at least 256 bits (RFC 7518 section 3.2)."""

_WEAK_SECRETS = ("secret", "changeme", "change-me", "replace", "password", "example")
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def _split(value: object) -> object:
    """``a, b`` as a list, for environment variables and flags; a JSON list works too."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            return json.loads(text)
        return [part.strip() for part in text.split(",") if part.strip()]
    return value


def _split_keys(value: object) -> object:
    """``key: secret, key2: secret2`` (or a JSON object) as a mapping."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("{"):
        return json.loads(text)
    pairs = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, separator, secret = part.partition(":")
        if not separator or not key.strip() or not secret.strip():
            raise ValueError("must look like 'key: secret', several separated by commas")
        pairs[key.strip()] = secret.strip()
    return pairs


def _split_roles(value: object) -> object:
    """``key: role role, key2: role`` (or a JSON object) as a mapping to lists."""
    if isinstance(value, str):
        value = _split_keys(value)
    if isinstance(value, dict):
        return {key: roles.split() if isinstance(roles, str) else roles for key, roles in value.items()}
    return value


def _check_addresses(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        ipaddress.ip_address(value)  # its ValueError names the value
    return values


def _check_networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        ipaddress.ip_network(value, strict=False)
    return values


def _plain_origins(values: tuple[str, ...]) -> tuple[str, ...]:
    origins = tuple(value.rstrip("/").lower() for value in values)
    for origin in origins:
        scheme, separator, host = origin.partition("://")
        if not separator or not host or "/" in host or scheme not in ("http", "https", "capacitor", "ionic"):
            raise ValueError(f"{origin} is not an origin such as https://school.example.org")
    return origins


TextList = Annotated[tuple[str, ...], BeforeValidator(_split)]
AddressList = Annotated[TextList, AfterValidator(_check_addresses)]
NetworkList = Annotated[TextList, AfterValidator(_check_networks)]
OriginList = Annotated[TextList, AfterValidator(_plain_origins)]
RoleMap = Annotated[dict[str, tuple[str, ...]], BeforeValidator(_split_roles)]
KeyMap = Annotated[dict[str, SecretStr], BeforeValidator(_split_keys)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class MediaSettings(_Group):
    """The UDP and TCP front that carries audio, video and data."""

    listen: TextList = ("0.0.0.0", "::")  # noqa: S104  (media must be reachable; only STUN-validated peers are heard)
    """Addresses the media sockets bind to."""
    advertised_addresses: AddressList = ()
    """Addresses told to clients, for a node behind NAT: the public one, and a private one if some clients
    are inside. Empty: this machine's own addresses."""
    udp_candidates: bool = True
    """Offer UDP. Off: clients connect by TCP only (for trying what a firewalled client gets)."""
    tcp_candidates: bool = True
    """Offer ICE-TCP on `tcp_port`, for networks that block UDP."""
    disconnected_after_s: Seconds = 10.0
    """Silence after which a participant counts as disconnected."""
    gone_after_s: Seconds = 30.0
    """Silence after which a participant is removed."""
    batching: Literal["auto", "sendmmsg", "sendto"] = "auto"
    """How datagrams leave: many per system call, or one by one. `auto` takes the best this kernel has."""
    greeting: bool = False
    """Play two soft notes to each participant, to it alone, once it can hear: a proof of sound on joining."""
    gso: bool = True
    """Let the kernel cut one large send into equal datagrams (UDP segmentation offload) where it can."""


class SignalSettings(_Group):
    """The WebSocket that clients signal over."""

    v1: bool = True
    """Serve `/rtc/v1` (one peer connection). Off: clients fall back to `/rtc` (two peer connections)."""
    ping_interval_s: Count = 5
    """How often clients shall ping."""
    ping_timeout_s: Count = 15
    """Silence after which a signalling connection counts as lost."""
    resume_window_s: Seconds = 30.0
    """How long a participant whose signalling connection was lost may come back as the same participant."""
    refresh_interval_s: Seconds = 300.0
    """How often clients get a fresh token, so that they can reconnect after their first one has expired."""
    refresh_ttl_s: Seconds = 600.0
    """Life of a refreshed token, unless the client's own token lives longer."""


class LimitSettings(_Group):
    """What a client may send; whoever exceeds a limit is told which one."""

    signal_message_bytes: Count = 262_144
    """One signalling message, client to server."""
    signal_messages_per_s: Count = 50
    """Signalling messages a second, sustained, of one client."""
    signal_message_burst: Count = 500
    """Signalling messages at once."""
    signal_bytes_per_s: Count = 262_144
    """Bytes of signalling a second, sustained, of one client."""
    signal_burst_bytes: Count = 2_097_152
    """Bytes of signalling at once."""
    negotiations_per_s: Count = 10
    """Offers and answers a second, sustained, of one client; they are the dearest messages."""
    negotiation_burst: Count = 60
    """Offers and answers at once."""
    changes_per_s: Count = 20
    """Changes a second, sustained, that others are told of: mute, metadata, attributes, tracks."""
    change_burst: Count = 200
    """Such changes at once; those beyond are refused."""
    bad_messages: Count = 5
    """Unreadable signalling messages before the connection is closed."""
    outgoing_messages: Count = 1024
    """Messages waiting for a slow client before its signalling connection is closed (it may resume)."""
    outgoing_bytes: Count = 4_194_304
    """Bytes waiting for a slow client before its signalling connection is closed."""
    request_line_bytes: Count = 65_536
    """Request line of an HTTP request; `/rtc/v1` carries the join request in it."""
    request_header_s: Seconds = 75.0
    """How long a connection may take until a request's whole header is there, idle time included."""
    request_body_s: Seconds = 60.0
    """How long a request's body may take to arrive."""
    join_request_bytes: Count = 262_144
    """A join request after decompression."""
    sdp_bytes: Count = 65_536
    """One session description."""
    add_tracks_per_join: Count = 16
    """AddTrack requests that may come with a join request."""
    tracks_per_participant: Count = 16
    """Tracks one participant may publish."""
    participants_per_room: Count = 100
    """Participants of a room that was created without a limit of its own."""
    participants_per_node: Count = 1000
    """Participants of this node."""
    rooms_per_node: Count = 2000
    """Rooms of this node."""
    joins_per_s: Count = 200
    """Joins a second of this node, sustained."""
    join_burst: Count = 1000
    """Joins at once."""
    joins_per_participant_per_s: Count = 2
    """Joins and resumes a second, sustained, of one identity in one room."""
    participant_join_burst: Count = 60
    """Joins and resumes of one identity at once."""
    data_message_bytes: Count = 65_536
    """One message on a data channel."""
    data_bytes_per_s: Count = 1_048_576
    """Data a second of one participant, sustained. Lossy data over it is dropped."""
    data_burst_bytes: Count = 33_554_432
    """Data at once (a file, for instance). Whoever exceeds it with reliable data is disconnected."""
    data_messages_per_s: Count = 500
    """Data messages a second of one participant, sustained."""
    replay_bytes: Count = 262_144
    """Reliable data kept per sender, to be sent again to a receiver that resumes."""
    metadata_bytes: Count = 65_536
    """Metadata of a room or participant."""
    attributes_bytes: Count = 65_536
    """Attributes of a participant, keys and values together."""
    name_bytes: Count = 256
    """Name or identity of a participant, name of a room."""
    request_body_bytes: Count = 1_048_576
    """Body of an HTTP request."""


class ApiSettings(_Group):
    """The REST and event surface below `/v1`."""

    public_url: str = ""
    """How clients reach this server, such as `https://help.example.org`; it stands in invitations and in the
    address of media. Empty: as the request names it."""
    key_roles: RoleMap = Field(default_factory=dict)
    """Which roles the platform tokens of an API key may carry, as `key: role role`. A key that is not
    named may issue every role."""
    session_hours: Seconds = 12.0
    """Hours until somebody who works here must log in again."""
    failed_logins: Count = 5
    """Failed logins of one user name from one address before both have to wait."""
    lockout_s: Seconds = 30.0
    """Seconds of the first wait; it doubles with each further failure, up to a quarter of an hour."""
    logins_per_minute: Seconds = 30.0
    """Logins a minute from one address."""
    presses_per_minute: Seconds = 20.0
    """Requests for help a minute of one student."""
    requests_per_s: Seconds = 50.0
    """Requests a second of one actor, sustained."""
    request_burst: Count = 200
    """Requests of one actor at once."""
    file_bytes: Count = 10_485_760
    """One file that is sent in a chat."""
    files_per_call: Count = 50
    """Files in one call."""
    event_streams_per_actor: Count = 20
    """Event streams one actor may have open."""


class DeskSettings(_Group):
    """How requests for help are routed, and what is heard meanwhile."""

    routing: Literal["builtin", "external"] = "builtin"
    """`external`: `routing.requested` is announced and the host's routing layer answers with
    `POST /v1/calls/{id}/participants`; after `external_deadline_s` the built-in routing steps in."""
    external_deadline_s: Seconds = 5.0
    """Seconds the outside routing has to name somebody."""
    offer_timeout_s: Seconds = 20.0
    """Seconds an agent has to accept, where the queue says nothing else."""
    tell_agents: bool = True
    """Whether agents are told that a supervisor monitors."""
    music: bool = True
    """Play music and announcements to those who wait."""
    sounds: Path | None = None
    """Directory of Ogg Opus files (20 ms packets) that replace ours, by the same names: `music.opus`,
    `waiting.zh-CN.opus`, `hold.en.opus`, …"""
    rejoin_s: Seconds = 60.0
    """Seconds that somebody who vanished in the middle of a call has to come back."""


class HelpSettings(_Group):
    """What students and guardians are told."""

    brand: str = "Raisehand"
    """Whose support it is, as guardians read it."""
    recording_days: Count = 180
    """Days that recordings are kept, as the notice says."""
    notice_version: str = "1"
    """Version of the notice about recording; it is stored with each decision. Change it with the notice."""


class TurnSettings(_Group):
    """A TURN server (coturn with `use-auth-secret`) whose short-lived credentials clients get."""

    urls: TextList = ()
    """Such as `turn:turn.example.org:3478?transport=udp, turns:turn.example.org:5349?transport=tcp`."""
    secret: SecretStr = SecretStr("")
    """The secret shared with the TURN server (`static-auth-secret`)."""
    ttl_s: Count = 3600
    """Life of a credential; it must only outlive the start of a call and its reconnects."""

    @model_validator(mode="after")
    def _both_or_none(self) -> TurnSettings:
        if self.urls and not self.secret.get_secret_value():
            raise ValueError("turn.urls needs turn.secret")
        return self


class LogSettings(_Group):
    """What is written to standard error."""

    format: Literal["auto", "console", "json"] = "auto"
    """`console` for people, `json` for machines, `auto`: by whether a terminal reads it."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe that is written."""


class Settings(BaseSettings):
    """Configuration of one node."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter=GROUP_DELIMITER,
        env_ignore_empty=True,
        enable_decoding=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    dev: bool = False
    """Development: API key `devkey` with secret `secret`, `/dev/token`, loopback only."""
    host: str = ""
    """Address that HTTP and WebSocket listen on. Empty: loopback with `dev`, else every IPv4 address."""
    port: Port = 7880
    """HTTP and WebSocket port; 0: any free one."""
    tcp_port: Port = 7881
    """ICE-TCP port; 0: any free one."""
    udp_port: Port = 7882
    """The one UDP port of all media; 0: any free one."""
    data_dir: Path = Path("data")
    """Where files are kept: the local certificate of `dev_tls`, later recordings and SQLite."""
    redis: str = ""
    """URL of Redis or Valkey. Joins several nodes to a cluster; a single node does not need it. All nodes
    share the database and the API keys."""
    internal_url: str = ""
    """Where other nodes of the cluster reach this node's HTTP, such as `http://10.0.0.3:7880`. Empty: this
    machine's first address and `port`."""
    database: str = ""
    """URL of the database of calls and tickets; rooms and media do not need it."""
    api_keys: KeyMap = Field(default_factory=dict)
    """API keys and their secrets, as `key: secret`. Tokens name the key and are signed with the secret."""
    tls_cert: Path | None = None
    """Certificate chain (PEM). Browsers give cameras and microphones to secure pages only."""
    tls_key: Path | None = None
    """Private key (PEM) of `tls_cert`."""
    dev_tls: bool = False
    """With `dev`: make a local certificate and listen on all addresses, so that phones in the LAN can try."""
    allowed_origin: OriginList = ()
    """Origins of web pages that may connect, such as `https://school.example.org`. Empty: every origin
    (access needs a token anyway)."""
    trusted_proxies: NetworkList = ()
    """Addresses or networks of reverse proxies whose `X-Forwarded-For` is believed."""
    event_loop: Literal["uvloop", "asyncio"] = "uvloop"
    """Which event loop runs the node; `asyncio` is slower and for finding faults only."""
    drain_timeout: Seconds = 3600.0
    """Seconds that calls in progress may go on after SIGTERM."""
    media: MediaSettings = MediaSettings()
    signal: SignalSettings = SignalSettings()
    limits: LimitSettings = LimitSettings()
    api: ApiSettings = ApiSettings()
    desk: DeskSettings = DeskSettings()
    help: HelpSettings = HelpSettings()
    turn: TurnSettings = TurnSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` passes in: it merges the sources itself, to name a key's origin."""
        return (init_settings,)

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        if self.dev_tls and not self.dev:
            raise ValueError("dev_tls is for --dev; elsewhere give tls_cert and tls_key")
        if self.dev_tls and self.tls_cert is not None:
            raise ValueError("dev_tls makes its own certificate: leave tls_cert and tls_key away")
        if self.dev:
            if not self.dev_tls and self.bind_host not in _LOOPBACK_HOSTS:
                raise ValueError(
                    f"--dev listens on loopback only, not on {self.host}: its API key is known to everybody. "
                    "For phones in the LAN use --dev-tls; for a real server give api_keys without --dev"
                )
        else:
            _check_keys(self.api_keys)
        if not self.media.udp_candidates and not self.media.tcp_candidates:
            raise ValueError(
                "media.udp_candidates and media.tcp_candidates are both off: nobody could connect"
            )
        if self.media.gone_after_s < self.media.disconnected_after_s:
            raise ValueError("media.gone_after_s is shorter than media.disconnected_after_s")
        return self

    @property
    def secrets(self) -> Mapping[str, str]:
        """API key -> secret, those of development included when it is on."""
        keys = {key: secret.get_secret_value() for key, secret in self.api_keys.items()}
        return {**DEVELOPMENT_KEYS, **keys} if self.dev else keys

    @property
    def bind_host(self) -> str:
        """The address HTTP really binds to."""
        if self.host:
            return self.host
        return "127.0.0.1" if self.dev and not self.dev_tls else "0.0.0.0"  # noqa: S104  (documented above)

    @property
    def secure(self) -> bool:
        """Whether HTTP and WebSocket are served over TLS by this process."""
        return self.dev_tls or self.tls_cert is not None


def _check_keys(keys: Mapping[str, SecretStr]) -> None:
    if not keys:
        raise ValueError(
            "api_keys is empty. Try `raisehand serve --dev` on this machine, or make a key: "
            'RAISEHAND_API_KEYS="mykey: $(openssl rand -base64 36)"'
        )
    for key, secret in keys.items():
        text = secret.get_secret_value()
        if key in DEVELOPMENT_KEYS or any(weak in text.lower() for weak in _WEAK_SECRETS):
            raise ValueError(
                f"api_keys: the key {key!r} has a default secret; make one: openssl rand -base64 36"
            )
        if len(text) < MINIMUM_SECRET_CHARACTERS:
            raise ValueError(
                f"api_keys: the secret of {key!r} has fewer than {MINIMUM_SECRET_CHARACTERS} characters; "
                "make one: openssl rand -base64 36"
            )


def configuration_directory() -> Path:
    """Where the packaged YAML files are: in the wheel beside this module, in a checkout at its top."""
    packaged = Path(__file__).parent / "configs"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "configs"


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The configuration from all its sources.

    `flags` are what the command line gave (``None`` values are ignored). Without `config` (or
    ``RAISEHAND_CONFIG``) the packaged ``development.yaml`` is read with `--dev`, else ``default.yaml``.

    Raises ConfigurationError naming every key that cannot be used.
    """
    environment = os.environ if environment is None else environment
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    from_environment = _read_environment(environment)
    if config is None and environment.get(f"{ENVIRONMENT_PREFIX}CONFIG"):
        config = Path(environment[f"{ENVIRONMENT_PREFIX}CONFIG"])
    if config is None:
        dev = given.get("dev", from_environment.get("dev", False))
        is_dev = str(dev).lower() in {"1", "true", "yes", "on"}
        config = configuration_directory() / ("development.yaml" if is_dev else "default.yaml")
    merged = _merge(_read_yaml(config), from_environment)
    merged = _merge(merged, given)
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    known = set(environment_names())
    for name in environment:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known | TOOLING_VARIABLES:
            raise ConfigurationError(f"unknown environment variable {name}{_nearest(name, known)}")
    values: dict[str, Any] = {}
    for name in known - {f"{ENVIRONMENT_PREFIX}CONFIG"}:
        if environment.get(name):
            *groups, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split(GROUP_DELIMITER)
            target = values
            for group in groups:
                target = target.setdefault(group, {})
            target[key] = environment[name]
    return values


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the configuration file {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must hold keys and values")
    return cast(dict[str, Any], content)


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping) and key in groups():
            merged[key] = _merge(below, value)
        else:
            merged[key] = value
    return merged


def groups() -> dict[str, type[BaseModel]]:
    """The groups of keys: name -> model."""
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def environment_names() -> list[str]:
    """Every environment variable that is read, in the order of the fields."""
    names = [f"{ENVIRONMENT_PREFIX}CONFIG"]
    for name in Settings.model_fields:
        group = groups().get(name)
        if group is None:
            names.append(ENVIRONMENT_PREFIX + name.upper())
        else:
            prefix = ENVIRONMENT_PREFIX + name.upper() + GROUP_DELIMITER
            names.extend(prefix + key.upper() for key in group.model_fields)
    return names


def _nearest(name: str, known: Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    return f"; the nearest known one is {matches[0]}" if matches else ""


def _explain(error: ValidationError) -> str:
    """Every problem on a line of its own, without the offending value (it may be a secret)."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        location = [str(part) for part in problem["loc"]]
        where = ".".join(location)
        if problem["type"] == "extra_forbidden":
            group = groups().get(location[0]) if len(location) > 1 else Settings
            known = list((group or Settings).model_fields)
            if len(location) == 1:  # the key may have been meant for a group
                known += [f"{name}.{key}" for name, model in groups().items() for key in model.model_fields]
            lines.append(f"unknown key {where}{_nearest(location[-1], known)}")
        else:
            text = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{where}: {text}" if where else text)
    return "\n".join(lines)


def describe_type(annotation: object) -> str:
    """A key's type in words, for the reference."""
    if annotation is bool:
        return "yes or no"
    if annotation in (str, Path, int, float):
        return {str: "text", Path: "path", int: "number", float: "number"}[cast(type, annotation)]
    if annotation is SecretStr:
        return "secret"
    arguments = get_args(annotation)
    if arguments and all(isinstance(value, str) for value in arguments):
        return " \\| ".join(f"`{value}`" for value in arguments)
    text = str(annotation)
    if text.startswith("dict"):
        return "keys and secrets"
    if text.startswith("tuple"):
        return "list"
    if "Path" in text:
        return "path"
    return text
