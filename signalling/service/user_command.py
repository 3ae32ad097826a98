"""`raisehand user`: staff accounts from the command line, the first administrator among them."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from signalling.api.passwords import MAXIMUM_CHARACTERS, Passwords
from signalling.api.roles import STAFF
from signalling.errors import ConfigurationError
from signalling.settings import load_settings
from signalling.store import migrate
from signalling.store.accounts import Accounts, StaffAccount
from signalling.store.engine import Database
from signalling.store.errors import StoreError, UniquenessError

MINIMUM_CHARACTERS = 10
"""NIST SP 800-63B asks for 8; these accounts hear children."""

_USERNAME = re.compile(r"[\w.@+-]{1,64}")
_ROLES = sorted(role.value for role in STAFF)

Result = TypeVar("Result")


@click.group(
    epilog="""\b
Examples:
  raisehand user add wang --role agent --name 王老师
  echo "$SECRET" | raisehand user add root --role admin --name Root --password-stdin
  raisehand user list
  raisehand user disable wang
"""
)
@click.option("--config", type=click.Path(path_type=Path), help="YAML file, as for serve.")
@click.option("--database", help="URL of the database; empty: SQLite in the data directory.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where SQLite lies.")
@click.pass_context
def user(context: click.Context, config: Path | None, database: str | None, data_dir: Path | None) -> None:
    """Create and change staff accounts. A running server sees a change at once."""
    try:
        # Whatever else `serve` would ask for, such as API keys, is of no matter here.
        context.obj = load_settings({"database": database, "data_dir": data_dir, "dev": True}, config=config)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from None


@user.command()
@click.argument("username")
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What the account may do.")
@click.option("--name", help="Shown to students and colleagues; the user name if left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_obj
def add(settings: Any, username: str, role: str, name: str | None, password_stdin: bool) -> None:
    """Create an account. Agents and supervisors get queues and skills from an administrator afterwards."""
    if not _USERNAME.fullmatch(username):
        raise click.ClickException("a user name has 1 to 64 letters, digits or . @ + - _")
    password = _read_password(password_stdin)

    async def work(accounts: Accounts) -> None:
        hashed = await _hash(password)
        await accounts.add(StaffAccount(username.casefold(), username, name or username, role, hashed))

    _run(settings, work)
    click.echo(f"{username}: created as {role}")


@user.command("list")
@click.pass_obj
def list_accounts(settings: Any) -> None:
    """List the accounts."""
    found = _run(settings, lambda accounts: accounts.all())
    if not found:
        click.echo("no accounts yet: raisehand user add NAME --role admin")
    for account in found:
        state = "  disabled" if account.disabled else ""
        click.echo(f"{account.username:24} {account.role:12} {account.name}{state}")


@user.command()
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_obj
def password(settings: Any, username: str, password_stdin: bool) -> None:
    """Give an account a new password; its sessions end."""
    fresh = _read_password(password_stdin)

    async def work(accounts: Accounts) -> None:
        account = await _existing(accounts, username)
        await accounts.update(replace(account, password_hash=await _hash(fresh)))

    _run(settings, work)
    click.echo(f"{username}: password changed, sessions ended")


@user.command()
@click.argument("username")
@click.pass_obj
def disable(settings: Any, username: str) -> None:
    """Let an account log in no more; its sessions end, its calls and reviews stay."""
    _set_disabled(settings, username, True)


@user.command()
@click.argument("username")
@click.pass_obj
def enable(settings: Any, username: str) -> None:
    """Let a disabled account log in again."""
    _set_disabled(settings, username, False)


def _set_disabled(settings: Any, username: str, disabled: bool) -> None:
    async def work(accounts: Accounts) -> None:
        account = await _existing(accounts, username)
        await accounts.update(replace(account, disabled=disabled))

    _run(settings, work)
    click.echo(f"{username}: {'disabled' if disabled else 'enabled'}")


async def _existing(accounts: Accounts, username: str) -> StaffAccount:
    account = await accounts.account(username)
    if account is None:
        raise click.ClickException(f"no account {username}; `raisehand user list` shows them")
    return account


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        text = sys.stdin.readline().rstrip("\r\n")
    else:
        text = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    if not MINIMUM_CHARACTERS <= len(text) <= MAXIMUM_CHARACTERS:
        raise click.ClickException(f"a password has {MINIMUM_CHARACTERS} to {MAXIMUM_CHARACTERS} characters")
    return text


async def _hash(text: str) -> str:
    passwords = Passwords()
    try:
        return await passwords.hash(text)
    finally:
        passwords.close()


def _run(settings: Any, work: Callable[[Accounts], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        database = await Database.open(settings.database, settings.data_dir)
        try:
            await migrate.prepare(database)
            return await work(Accounts(database))
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except UniquenessError:
        raise click.ClickException("there is an account of that name already") from None
    except StoreError as error:
        raise click.ClickException(str(error)) from None
