"""`raisehand migrate`: brings the tables of the configured database to this version."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from signalling.errors import ConfigurationError
from signalling.settings import load_settings
from signalling.store.engine import Database
from signalling.store.errors import StoreError
from signalling.store.migrate import current, head
from signalling.store.migrate import migrate as migrate_database


@click.command(epilog="Example:  RAISEHAND_DATABASE=postgresql://raisehand@db/raisehand raisehand migrate")
@click.option("--config", type=click.Path(path_type=Path), help="YAML file, as for serve.")
@click.option("--database", help="URL of the database; empty: SQLite in the data directory.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where SQLite lies.")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if there is something to do.")
def migrate(config: Path | None, database: str | None, data_dir: Path | None, check: bool) -> None:
    """Bring the tables of the database to the version of this program.

    Any number of nodes may run it at once. Do it before starting a new version; the running older one goes
    on meanwhile.
    """
    try:
        # Whatever else `serve` would ask for, such as API keys, is of no matter here.
        settings = load_settings({"database": database, "data_dir": data_dir, "dev": True}, config=config)
        message, done = asyncio.run(_migrate(settings.database, settings.data_dir, check=check))
    except (ConfigurationError, StoreError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(message)
    if check and not done:
        raise click.exceptions.Exit(1)


async def _migrate(url: str, data_dir: Path, *, check: bool) -> tuple[str, bool]:
    database = await Database.open(url, data_dir)
    try:
        before = await current(database)
        if before == head():
            return f"{database.display}: already at version {before}", True
        if check:
            return f"{database.display}: at version {before or 'none'}, not {head()}", False
        await migrate_database(database)
        return f"{database.display}: from version {before or 'none'} to {head()}", True
    finally:
        await database.close()
