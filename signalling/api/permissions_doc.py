"""Writes ``docs/permissions.md`` from the route table: ``python -m signalling.api.permissions_doc``."""

from __future__ import annotations

from pathlib import Path

from signalling.api.event_views import REVIEWED
from signalling.api.roles import Role
from signalling.api.routes import ROUTES

TARGET = Path(__file__).parent.parent.parent / "docs" / "permissions.md"

INTRODUCTION = """# Who may do what

<!-- Written by `python -m signalling.api.permissions_doc` from signalling/api/routes.py: change it there. -->

Every route below `/v1` names its roles; a test asks every route with every role, with no credential and with
a LiveKit access token. No or no good credential: `401 unauthenticated`. A role without a mark:
`403 forbidden`. Somebody else's call, ticket or file: `404 not_found`, as if there were none. Where a mark is
not the whole rule, the last column is. What an agent may do in a call also depends on being in it; the desk
decides that and answers `403 forbidden`.

Roles: **student** (a platform token: student, parent or teacher), **guest** (a third party or a guardian by
link, one call only), **agent**, **supervisor**, **reviewer**, **admin** (accounts of this server),
**service** (the host platform, its routing layer, connectors).
"""

EVENTS = f"""
## Events

`GET /v1/events` is open to every role; each sees only this:

| role | sees |
|---|---|
| student | its own calls and tickets, in a short form: places in the queue, who joined and left (silent \
supervisors never), messages, hold, transfer, end; never offers, notes among staff or supervision |
| guest | the same of the one call it was invited to; a guardian only consent and the end |
| agent | everything of calls it is or was assigned to, offers made to it, states of other agents (not \
of supervisors), queues; silent supervision only if `desk.tell_agents` |
| supervisor, admin | everything |
| reviewer | {", ".join(f"`{name}`" for name in sorted(REVIEWED))} |
| service | everything but silent supervision that agents are not told of |
"""


def render() -> str:
    """The whole page, in Markdown."""
    roles = list(Role)
    lines = [INTRODUCTION]
    tags = dict.fromkeys(route.tag for route in ROUTES)
    for tag in tags:
        lines.append(f"\n## {tag.capitalize()}\n" if tag != "events" else "\n## The event stream\n")
        lines.append("| route | " + " | ".join(role.value for role in roles) + " | does; rule |")
        lines.append("|---|" + "---|" * (len(roles) + 1))
        for route in ROUTES:
            if route.tag != tag:
                continue
            marks = ["✓" if route.public or role in route.roles else "" for role in roles]
            public = " *(no credential needed)*" if route.public else ""
            rule = f" *{route.rule}*" if route.rule else ""
            lines.append(
                f"| `{route.method} {route.path}` | {' | '.join(marks)} | {route.summary}.{public}{rule} |"
            )
    return "\n".join(lines) + "\n" + EVENTS


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
