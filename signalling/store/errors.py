"""What can go wrong between us and the database, in four words that callers can act on."""

from __future__ import annotations


class StoreError(Exception):
    """Base of the store's errors. The message is for operators and never holds a password."""


class ConcurrencyError(StoreError):
    """Somebody else changed what this transaction had read; nothing was written.

    Do it again with fresh state: `UnitOfWork` anew, load, decide, save.
    """


class UniquenessError(StoreError):
    """A row would have broken a uniqueness that the database guards; nothing was written.

    `rule` is the name of the index, one of `signalling.store.tables`, such as ``one_live_offer_per_agent``.
    Mostly a lost race: do it again with fresh state, and the desk will refuse with its own words.
    """

    def __init__(self, rule: str, detail: str = "") -> None:
        super().__init__(f"{rule}: {detail}" if detail else rule)
        self.rule = rule


class DatabaseUnavailableError(StoreError):
    """The database does not answer, or ended the connection.

    When it happened while committing, nobody knows whether the transaction counts: `uncertain` is then
    True, and only repeating with the same idempotency key (or looking) is safe.
    """

    def __init__(self, message: str, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.uncertain = uncertain


class SchemaError(StoreError):
    """The tables are older or newer than this program, or not there; the message says what to run."""


class LeaseLostError(StoreError):
    """A lease that the caller acted under is no longer its own; nothing was written."""
