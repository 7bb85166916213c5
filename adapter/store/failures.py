"""What goes wrong below us, in our own words, and which of it passes by itself."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from adapter.errors import StorageBroken, StorageFull, StorageUnavailable

_USELESS = tuple(
    getattr(driver, name)
    for driver in (sqlite3, psycopg)
    for name in ("DataError", "ProgrammingError", "NotSupportedError")
)
_TOO_MUCH = "54"  # PostgreSQL: a limit of its own, such as the length of what is indexed
_BROKEN = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")
# The index of the WAL cannot grow on a full disk; and memory comes back.
_PASSING = {"SQLITE_IOERR_SHMSIZE": StorageFull, "SQLITE_IOERR_NOMEM": StorageUnavailable}
_FULL = {"SQLITE_FULL", "53100"}
_CONFLICTS = {"40001", "40P01"}  # serialization failure, deadlock


@contextmanager
def failures() -> Generator[None]:
    """Turn the driver's errors into ours; their texts may hold values, so only their names are kept.

    Raises:
        StorageBroken: SQLite could not read, write or sync its file, or found it damaged (F8, F11). PostgreSQL stops
            itself when it cannot sync.
        StorageFull: the disk is full (F6).
        StorageUnavailable: anything else.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        name = _name(cause) or type(cause).__name__
        raise _kind(name)(_text(name)) from cause
    except NoConnectionFree as error:
        raise StorageUnavailable("no connection to the database was free") from error


def refused(failure: StorageUnavailable) -> bool:
    """True where the database works, and what it was given is of no use to it: trying again would change nothing."""
    cause = failure.__cause__
    return isinstance(cause, _USELESS) or _name(cause).startswith(_TOO_MUCH)


def conflicted(failure: StorageUnavailable) -> bool:
    """True where the transaction only met another one (F17): trying again at once is right."""
    return _name(failure.__cause__) in _CONFLICTS


def _name(cause: BaseException | None) -> str:
    return getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""


def _kind(name: str) -> type[StorageUnavailable]:
    if name in _PASSING:
        return _PASSING[name]
    if name in _FULL:
        return StorageFull
    return StorageBroken if name.startswith(_BROKEN) else StorageUnavailable


def _text(name: str) -> str:
    if _kind(name) is StorageBroken:
        return (
            f"the storage failed: {name}. Nothing is received until it is mended: look at the disk, run "
            "`adapter doctor`, and if the file is damaged, `adapter restore` a backup"
        )
    return f"the database failed: {name}"
