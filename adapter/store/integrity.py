"""Whether the schema is ours, and SQLite's file is whole."""

from sqlalchemy import Connection

from adapter.store.database import rows
from adapter.store.migrations import HEAD


def schema(connection: Connection) -> tuple[str, bool]:
    """The revision of the schema, and whether it is the one of this program."""
    (found,) = rows(connection, "SELECT version_num FROM alembic_version")[0]
    return found, found == HEAD


def faults(connection: Connection, *, deep: bool) -> list[str]:
    """What SQLite finds wrong in its pages and, with `deep`, between tables and indexes; PostgreSQL checks itself."""
    if connection.dialect.name != "sqlite":
        return []
    check = "integrity_check" if deep else "quick_check"
    said = [text for (text,) in rows(connection, f"PRAGMA {check}")]
    return [] if said == ["ok"] else said
