"""What "acknowledged means on disk" rests on, as the database itself tells it; `adapter doctor` shows it."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from adapter.store import sqlite_file
from adapter.store.database import Database, rows

_SYNCHRONOUS = ("off", "normal", "full", "extra")
_WAL_LARGE = 256 * 1024 * 1024
_MENDED = ((3, 44, 6), (3, 50, 7), (3, 51, 3))
_POSTGRESQL = ("fsync", "synchronous_commit", "full_page_writes", "synchronous_standby_names")


@dataclass(frozen=True, slots=True)
class Fact:
    """One setting or figure; `advice` is empty where it is as it should be."""

    name: str
    value: str
    advice: str = ""


def facts(database: Database) -> list[Fact]:
    """Read them from the connections that write; for `look_into`, from its readers.

    Raises:
        StorageUnavailable: the database failed.
    """
    if database.dialect == "sqlite":
        return list(_sqlite(database))
    with database.read() as connection:
        return [*_postgresql(connection), *_standbys(connection)]


def _sqlite(database: Database) -> Iterator[Fact]:
    with database.read() as connection:
        mode = str(rows(connection, "PRAGMA journal_mode")[0][0])
    wanted = "PRAGMA synchronous = FULL" in sqlite_file.WRITER
    yield Fact("journal_mode", mode, "" if mode == "wal" else "the file was opened by another program; restart")
    yield Fact("synchronous", "full" if wanted else "unknown", "" if wanted else "acknowledged messages may be lost")
    yield Fact("sqlite_version", sqlite3.sqlite_version, _version_advice(sqlite3.sqlite_version_info))
    if database.file:
        size = sqlite_file.wal_bytes(database.file)
        yield Fact("wal_bytes", str(size), "a reader keeps the WAL from beginning anew" if size > _WAL_LARGE else "")


def _version_advice(version: tuple[int, ...]) -> str:
    """The WAL-reset bug: mended in 3.51.3, 3.50.7 and 3.44.6 (F12)."""
    if version >= _MENDED[-1] or any(version[:2] == one[:2] and version >= one for one in _MENDED):
        return ""
    return "older than 3.51.3: safe while one connection writes and checkpoints; let no other program write the file"


def _postgresql(connection: Connection) -> Iterator[Fact]:
    yield Fact("server_version", str(rows(connection, "SHOW server_version")[0][0]))
    for name in _POSTGRESQL:
        value = str(rows(connection, f"SHOW {name}")[0][0])
        yield Fact(name, value, _advice(name, value))


def _advice(name: str, value: str) -> str:
    if name == "synchronous_standby_names":
        return "" if value else "no standby is waited for: a failover may lose what was acknowledged last (F15)"
    return "acknowledged messages may be lost: turn it on" if value in {"off", "local"} else ""


def _standbys(connection: Connection) -> Iterator[Fact]:
    """The standbys that follow now; `sync` and `quorum` are those that commits wait for."""
    for name, state in rows(connection, "SELECT application_name, sync_state FROM pg_stat_replication ORDER BY 1"):
        yield Fact(f"standby {name}", str(state), "" if state in {"sync", "quorum"} else "not waited for (F15)")
