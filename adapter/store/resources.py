"""Reading what is stored of a resource, and its versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapter.store.database import instant, rows
from adapter.store.writer import ResourceWriter

__all__ = ["ResourceWriter", "Stored", "history", "read", "vread"]

_CURRENT = """SELECT resource_type, id, version, last_updated, deleted, body FROM resource
    WHERE resource_type = ? AND id = ?"""
_OLDER = """SELECT r.resource_type, r.id, h.version, h.last_updated, h.deleted, h.body
    FROM resource AS r JOIN resource_history AS h ON h.key = r.key WHERE r.resource_type = ? AND r.id = ?"""


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a resource; `body` is its whole FHIR JSON."""

    resource_type: str
    id: str
    version: int
    last_updated: datetime
    deleted: bool
    body: bytes


def read(connection: Connection, resource_type: str, resource_id: str) -> Stored | None:
    """The current version."""
    return _one(rows(connection, _CURRENT, [resource_type, resource_id]))


def vread(connection: Connection, resource_type: str, resource_id: str, version: int) -> Stored | None:
    """One version, current or older."""
    key = [resource_type, resource_id, version]
    sql = f"{_CURRENT} AND version = ? UNION ALL {_OLDER} AND h.version = ?"
    return _one(rows(connection, sql, key + key))


def history(
    connection: Connection, resource_type: str, resource_id: str, *, before: int | None = None, limit: int
) -> list[Stored]:
    """The versions, the newest first.

    Args:
        connection: of a transaction.
        resource_type: its type.
        resource_id: its id.
        before: only versions below this one, the last of the page before.
        limit: how many at most.
    """
    key = [resource_type, resource_id, *([before] if before is not None else [])]
    current, older = (
        (_CURRENT, _OLDER) if before is None else (f"{_CURRENT} AND version < ?", f"{_OLDER} AND h.version < ?")
    )
    sql = f"{current} UNION ALL {older} ORDER BY version DESC LIMIT ?"
    return [_stored(row) for row in rows(connection, sql, [*key, *key, limit])]


def _one(found: Sequence[Any]) -> Stored | None:
    return _stored(found[0]) if found else None


def _stored(row: Sequence[Any]) -> Stored:
    return Stored(row[0], row[1], row[2], instant(row[3]), bool(row[4]), bytes(row[5]))
