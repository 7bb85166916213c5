"""Figures of the store: counts that tell how things stand."""

from dataclasses import dataclass

from sqlalchemy import Connection

from adapter.store.database import rows
from adapter.store.inbox import counts as messages

__all__ = ["UNREAD", "Finding", "findings", "messages", "resources"]

UNREAD = "unread"
"""The kind of a finding that is a populated field which no rule read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What converting accepted messages found, how often, and one message that shows it."""

    site: str
    structure: str
    path: str
    kind: str
    text: str
    count: int
    example_message_id: int


def findings(connection: Connection, *, unread: bool, limit: int = 1000) -> list[Finding]:
    """The fields that no rule read, or else the doubts about those that were read, the most frequent first."""
    sql = f"""SELECT site, structure, path, kind, text, count, example_message_id FROM finding
        WHERE kind {"=" if unread else "<>"} ? ORDER BY count DESC, site, structure, path LIMIT ?"""
    return [Finding(*row) for row in rows(connection, sql, [UNREAD, limit])]


def resources(connection: Connection) -> dict[str, int]:
    """How many resources of each type there are, without the deleted."""
    sql = """SELECT resource_type, count(*) FROM resource WHERE NOT deleted
        GROUP BY resource_type ORDER BY resource_type"""
    return {str(name): int(number) for name, number in rows(connection, sql)}
