"""Writes ``docs/configuration.md`` from the settings: ``python -m signalling.settings_doc``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from signalling.settings import ENVIRONMENT_PREFIX, GROUP_DELIMITER, Settings, describe_type, groups

TARGET = Path(__file__).parent.parent / "docs" / "configuration.md"

INTRODUCTION = """# Configuration

<!-- Written by `python -m signalling.settings_doc` from signalling/settings.py: change it there. -->

A flag of `raisehand serve` goes over an environment variable, that over the YAML file, that over the default.
The file is named by `--config FILE` or `RAISEHAND_CONFIG`; without it `configs/development.yaml` is read with
`--dev`, else `configs/default.yaml`. Lists are YAML lists, or separated by commas. Unknown keys and variables
are refused, naming the nearest known one.

```yaml
udp_port: 50000
limits:
  sdp_bytes: 32768
```

is the same as `RAISEHAND_UDP_PORT=50000 RAISEHAND_LIMITS__SDP_BYTES=32768`, and the first one the same as
`--udp-port 50000` (groups have no flags).
"""


def render() -> str:
    """The whole reference, in Markdown."""
    parts = [INTRODUCTION]
    plain = {name: field for name, field in Settings.model_fields.items() if name not in groups()}
    parts.append(_table("", plain))
    for name, model in groups().items():
        parts.append(f"\n## `{name}`\n\n{_one_line(model.__doc__ or '')}\n")
        parts.append(_table(name, model.model_fields))
    return "\n".join(parts).rstrip() + "\n"


def _table(group: str, fields: Mapping[str, FieldInfo]) -> str:
    return "\n".join(("| key | type, default | what it does |", "|---|---|---|", *(_rows(group, fields))))


def _rows(group: str, fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        key = f"{group}.{name}" if group else name
        variable = ENVIRONMENT_PREFIX + key.replace(".", GROUP_DELIMITER).upper()
        kind, default = describe_type(field.annotation), _default(field)
        text = _one_line(field.description or "")
        yield f"| `{key}`<br>`{variable}` | {kind}<br>{default} | {text} |"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr | BaseModel) or value is None or value in ("", (), {}):
        return "*none*"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render(), encoding="utf-8")
