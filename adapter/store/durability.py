"""Whether the database keeps what it was given: versions, settings, and the structure of SQLite's file."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection

from adapter.store.database import rows
from adapter.store.migrations import HEAD

_WAL_RESET_MENDED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
_POSTGRESQL = ("server_version", "fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names")
_MUST_BE_ON = frozenset({"fsync", "full_page_writes"})


class Fact(NamedTuple):
    """One thing; `advice` says what to do where it is not `fine`, and `grave` whether messages may be lost."""

    name: str
    value: str
    fine: bool = True
    advice: str = ""
    grave: bool = False


def durability(connection: Connection, *, deep: bool = False) -> list[Fact]:
    """What is true of this database; `deep`: also every index of SQLite is compared with its table."""
    (schema,) = rows(connection, "SELECT version_num FROM alembic_version")[0]
    advice = "" if schema == HEAD else f"start adapter serve once: it migrates to {HEAD}"
    of_dialect = _sqlite(connection, deep=deep) if connection.dialect.name == "sqlite" else _postgresql(connection)
    return [Fact("schema", schema, schema == HEAD, advice), *of_dialect]


def wal_reset_mended(version: tuple[int, ...]) -> bool:
    """Whether this SQLite loses no commits when several connections checkpoint (F12)."""
    first, *others = _WAL_RESET_MENDED
    return version >= first or any(version[:2] == one[:2] and version >= one for one in others)


def _sqlite(connection: Connection, *, deep: bool) -> Iterator[Fact]:
    (version,) = rows(connection, "SELECT sqlite_version()")[0]
    mended = wal_reset_mended(tuple(map(int, version.split("."))))
    bug = "mended" if mended else "present, and harmless here: one connection writes and checkpoints"
    yield Fact("sqlite", f"{version}; WAL-reset bug {bug}")
    (mode,) = rows(connection, "PRAGMA journal_mode")[0]
    fine = mode == "wal"
    yield Fact(
        "journal", f"{mode}; written with synchronous=FULL", fine, "" if fine else "start adapter serve on it once"
    )
    check = "integrity_check" if deep else "quick_check"
    said = [text for (text,) in rows(connection, f"PRAGMA {check}")]
    if said == ["ok"]:
        yield Fact("integrity", f"{check}: ok")
    else:
        advice = "stop, keep the files, and restore the last backup"
        yield Fact("integrity", f"{len(said)} faults: {said[0]}", fine=False, advice=advice, grave=True)


def _postgresql(connection: Connection) -> Iterator[Fact]:
    for name in _POSTGRESQL:
        (value,) = rows(connection, "SELECT current_setting(?)", [name])[0]
        if name in _MUST_BE_ON and value != "on":
            advice = f"set {name} = on: else a power cut takes acknowledged messages"
            yield Fact(name, value, fine=False, advice=advice, grave=True)
        elif name == "synchronous_commit" and value in {"off", "local"}:
            yield Fact(name, value, fine=False, advice="set it to on, for every program")
        else:
            yield Fact(name, value or "(none): a failover may lose what was acknowledged last (F15)")
    # `sync` and `quorum` are those that commits wait for.
    for name, state in rows(connection, "SELECT application_name, sync_state FROM pg_stat_replication ORDER BY 1"):
        awaited = state in {"sync", "quorum"}
        yield Fact(f"standby {name}", str(state), awaited, "" if awaited else "no commit waits for it (F15)")
