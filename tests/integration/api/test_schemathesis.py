"""schemathesis against the running server, once per role, with all its checks and a fixed seed.

The one setting: what JSON Schema cannot say (exactly one of several fields, a cursor of this very list) is
answered with 422 although the request fits its schema. The short run has the fuzzing phase only, the long one
all of them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from signalling.api.roles import Role
from tests.integration.api.conftest import Person, Site, StartSite
from tests.integration.api.test_call_story import ASK

SEED = 20261121
EXAMPLES = {"short": 2, "long": 300}
UNLIMITED = {
    "requests_per_s": 1e6, "request_burst": 1_000_000, "presses_per_minute": 1e6,
    "logins_per_minute": 1e6, "failed_logins": 1_000_000, "files_per_call": 1_000_000,
}  # fmt: skip
SUBJECTS = {Role.STUDENT: "ann", Role.GUEST: "dad", Role.SERVICE: "crm"}
ACCOUNTS = {Role.AGENT: "lin", Role.SUPERVISOR: "qian", Role.REVIEWER: "song", Role.ADMIN: "admin"}

CONFIG = """
[parameters]
"path.call" = "{call}"
"path.ticket" = "{ticket}"
"path.student" = "ann"
"path.agent" = "lin"
"path.queue" = "technical"
"path.identity" = "dad"

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "406", "409", "410", "413", "415", "422", "503"]
"""


async def credential(site: Site, role: Role, call: str) -> Person:
    if role in ACCOUNTS:
        return await site.staff(ACCOUNTS[role])
    return site.platform(role.value, SUBJECTS[role], call=call if role is Role.GUEST else "")


async def prepare(site: Site) -> tuple[str, str]:
    """A call that is going on, with an agent and a guest; its id and its ticket."""
    ann, lin = site.student("ann"), await site.staff("lin")
    await lin.put("/agents/lin/state", {"state": "available"})
    call = (await ann.post("/calls", {**ASK, "kind": "chat"})).body["call"]
    service = site.platform("service", "crm")
    path = f"/calls/{call['id']}/participants"
    await service.post(path, {"agent": "lin", "force": True})
    await service.post(path, {"guest": {"identity": "dad"}})
    return call["id"], call["ticket"]


async def run(site: Site, role: Role, tmp_path: Path, examples: int, phases: str) -> None:
    call, ticket = await prepare(site)
    person = await credential(site, role, call)
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG.format(call=call, ticket=ticket))
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "schemathesis"),
        "--config-file", str(config),
        "run", f"{site.url}/v1/openapi.json",
        "--header", f"Authorization: Bearer {person.token}",
        "--seed", str(SEED), "--max-examples", str(examples), "--checks", "all",
        "--phases", phases, "--suppress-health-check", "all",
        "--exclude-path", "/v1/events",  # a WebSocket
        "--exclude-path", "/v1/logout",  # would end the run's own session
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    assert process.returncode == 0, text[-12_000:]
    assert "Selected: " in text, text


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", list(Role))
async def test_the_api_keeps_its_promises(start_site: StartSite, role: Role, tmp_path: Path) -> None:
    await run(await start_site(api=UNLIMITED), role, tmp_path, EXAMPLES["short"], "fuzzing")


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("role", list(Role))
async def test_the_api_keeps_its_promises_at_length(
    start_site: StartSite, role: Role, tmp_path: Path
) -> None:
    await run(await start_site(api=UNLIMITED), role, tmp_path, EXAMPLES["long"], "examples,coverage,fuzzing")
