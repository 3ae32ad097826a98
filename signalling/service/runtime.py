"""The desk of one node, put together: store, service, tasks and API, from start to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import structlog
from aiohttp import web

from signalling.api.context import Api
from signalling.api.gate import Gate
from signalling.api.passwords import Passwords
from signalling.api.routes import ROUTES
from signalling.errors import ConfigurationError
from signalling.service.samples import PASSWORD, STAFF
from signalling.settings import Settings
from signalling.store import migrate
from signalling.store.accounts import Accounts, StaffAccount
from signalling.store.engine import Database
from signalling.store.errors import StoreError, UniquenessError
from signalling.store.idempotency import IdempotencyKeys

_log = structlog.get_logger("desk")


class DeskRuntime:
    """Everything of a node that is not media. `start`, serve `routes`, `stop`."""

    def __init__(self, settings: Settings, database: Database, passwords: Passwords, api: Api) -> None:
        self.settings = settings
        self.database = database
        self.passwords = passwords
        self.api = api
        self._gate = Gate(api, ROUTES)
        self.tasks: list[asyncio.Task[None]] = []
        """Owned by the node: one that ends ends the node."""

    @classmethod
    async def start(cls, settings: Settings) -> DeskRuntime:
        """Open the store and make everything ready.

        Raises ConfigurationError when the database cannot be used.
        """
        try:
            database = await Database.open(settings.database, settings.data_dir)
        except StoreError as error:
            raise ConfigurationError(f"database: {error}") from None
        passwords = Passwords()
        try:
            await migrate.prepare(database)
            accounts = Accounts(database)
            if settings.dev:
                await add_sample_accounts(accounts, passwords)
            api = Api(settings, accounts, IdempotencyKeys(database), passwords, version=_version())
            return cls(settings, database, passwords, api)
        except BaseException as error:
            passwords.close()
            await database.close()
            if isinstance(error, StoreError):
                raise ConfigurationError(f"database: {error}") from None
            raise

    def routes(self) -> Iterator[web.RouteDef]:
        """The routes below `/v1`."""
        return self._gate.routes()

    async def stop(self) -> None:
        """End the tasks and close the store."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.passwords.close()
        await self.database.close()


async def add_sample_accounts(accounts: Accounts, passwords: Passwords) -> None:
    """The accounts of `--dev`, where they are missing."""
    present = {account.username for account in await accounts.all()}
    missing = [person for person in STAFF if person.username not in present]
    if not missing:
        return
    hashed = await passwords.hash(PASSWORD)  # one for all: the password is the same and printed anyway
    for person in missing:
        account = StaffAccount(person.username, person.username, person.name, person.role, hashed)
        try:
            await accounts.add(account)
        except UniquenessError:  # another node was faster
            _log.debug("sample account exists", username=person.username)


def _version() -> str:
    try:
        return version("raisehand")
    except PackageNotFoundError:
        return "0"
