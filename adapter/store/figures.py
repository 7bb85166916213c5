"""Figures of the store: counts that tell how things stand."""

from dataclasses import dataclass

from sqlalchemy import Connection

from adapter.store.database import rows
from adapter.store.inbox import counts as messages

__all__ = ["Unread", "messages", "resources", "unmapped"]


@dataclass(frozen=True, slots=True)
class Unread:
    """A populated field that no rule read, how often it came, and one message that has it."""

    site: str
    structure: str
    path: str
    count: int
    example_message_id: int


def unmapped(connection: Connection, *, limit: int = 1000) -> list[Unread]:
    """The populated fields that no rule read, the most frequent first."""
    sql = """SELECT site, structure, path, count, example_message_id FROM unmapped
        ORDER BY count DESC, site, structure, path LIMIT ?"""
    return [Unread(*row) for row in rows(connection, sql, [limit])]


def resources(connection: Connection) -> dict[str, int]:
    """How many resources of each type there are, without the deleted."""
    sql = "SELECT resource_type, count(*) FROM resource WHERE NOT deleted GROUP BY resource_type ORDER BY resource_type"
    return {str(name): int(number) for name, number in rows(connection, sql)}
