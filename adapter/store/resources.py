"""Reading what is stored of a resource, and its versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapter.store.database import instant, rows
from adapter.store.reach import Reach
from adapter.store.visible import and_visible
from adapter.store.writer import ResourceWriter

__all__ = ["ResourceWriter", "Stored", "history", "read", "vread"]

_CURRENT = """SELECT r.resource_type, r.id, r.version, r.last_updated, r.deleted, r.body FROM {resource} AS r
    WHERE r.resource_type = ? AND r.id = ?"""
_OLDER = """SELECT r.resource_type, r.id, h.version, h.last_updated, h.deleted, h.body
    FROM {resource} AS r JOIN {history} AS h ON h.key = r.key WHERE r.resource_type = ? AND r.id = ?"""


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a resource; `body` is its whole FHIR JSON."""

    resource_type: str
    id: str
    version: int
    last_updated: datetime
    deleted: bool
    body: bytes


def read(connection: Connection, reach: Reach, resource_type: str, resource_id: str) -> Stored | None:
    """The current version."""
    current, _, within = _from(reach, resource_type)
    return _one(rows(connection, current, [resource_type, resource_id, *within]))


def vread(connection: Connection, reach: Reach, resource_type: str, resource_id: str, version: int) -> Stored | None:
    """One version, current or older."""
    current, older, within = _from(reach, resource_type)
    values = [resource_type, resource_id, *within, version]
    return _one(rows(connection, f"{current} AND r.version = ? UNION ALL {older} AND h.version = ?", values * 2))


def history(  # noqa: PLR0913  (what is asked of whom, by names)
    connection: Connection, reach: Reach, resource_type: str, resource_id: str, *, before: int | None = None, limit: int
) -> list[Stored]:
    """The versions, the newest first.

    Args:
        connection: of a transaction.
        reach: what the caller reaches.
        resource_type: its type.
        resource_id: its id.
        before: only versions below this one, the last of the page before.
        limit: how many at most.
    """
    current, older, within = _from(reach, resource_type)
    values = [resource_type, resource_id, *within]
    if before is not None:
        current, older = f"{current} AND r.version < ?", f"{older} AND h.version < ?"
        values.append(before)
    sql = f"{current} UNION ALL {older} ORDER BY version DESC LIMIT ?"
    return [_stored(row) for row in rows(connection, sql, [*values, *values, limit])]


def _from(reach: Reach, resource_type: str) -> tuple[str, str, tuple[Any, ...]]:
    """The current and the older versions of a resource, as far as they are reached, and the values of that."""
    tables = {"resource": reach.view.table("resource"), "history": reach.view.table("resource_history")}
    within, values = and_visible(reach, resource_type, "r")
    return _CURRENT.format(**tables) + within, _OLDER.format(**tables) + within, values


def _one(found: Sequence[Any]) -> Stored | None:
    return _stored(found[0]) if found else None


def _stored(row: Sequence[Any]) -> Stored:
    return Stored(row[0], row[1], row[2], instant(row[3]), bool(row[4]), bytes(row[5]))
