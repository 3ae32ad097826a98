"""Passwords, hashed with argon2id (RFC 9106) on a small thread pool: the event loop never waits for it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

THREADS = 2
"""Hashes at once: more would take the cores from media."""

TIME_COST, MEMORY_KIB, PARALLELISM = 2, 19_456, 1
"""OWASP's second choice for argon2id: about 20 ms and 19 MiB a hash."""

MAXIMUM_CHARACTERS = 256
"""Longer passwords are refused unread: hashing must not be a way to burn our CPU."""


class Passwords:
    """Hashes and verifies; `close` frees the threads."""

    def __init__(
        self, *, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB, parallelism: int = PARALLELISM
    ) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to keep; raises ValueError when the password is too long."""
        if len(password) > MAXIMUM_CHARACTERS:
            raise ValueError(f"a password has at most {MAXIMUM_CHARACTERS} characters")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._hasher.hash, password)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether the password belongs to the hash. None takes as long and is always wrong, so that the
        time of an answer does not tell which user names exist."""
        if len(password) > MAXIMUM_CHARACTERS:
            return False
        if hashed is None:
            if self._dummy is None:
                self._dummy = await self.hash("nobody has this password")
            await asyncio.get_running_loop().run_in_executor(self._pool, self._check, self._dummy, password)
            return False
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._check, hashed, password)

    def _check(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False

    def close(self) -> None:
        """Free the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
