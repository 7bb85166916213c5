"""The search index: rows that say of a resource what it can be found by."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection

from adapter.fhir.json import loads
from adapter.store.database import rows, run, run_many

_AT_ONCE = 500
_COLUMNS = {
    "index_token": "param, system, code",
    "index_reference": "param, target_type, target_id",
    "index_date": "param, low, high",
    "index_string": "param, value_normalised, value",
}
_INSERT = [
    f"INSERT INTO {table} ({columns}, resource_type, resource_id) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING"
    for table, columns in _COLUMNS.items()
]


class Rows(Protocol):
    """The index rows of one resource, without its type and id."""

    @property
    def tokens(self) -> Sequence[tuple[str, str, str]]:
        """Parameter, system, code."""
        ...

    @property
    def references(self) -> Sequence[tuple[str, str, str]]:
        """Parameter, target type, target id."""
        ...

    @property
    def dates(self) -> Sequence[tuple[str, int, int]]:
        """Parameter, first and last microsecond."""
        ...

    @property
    def strings(self) -> Sequence[tuple[str, str, str]]:
        """Parameter, normalised value, value."""
        ...


class SearchIndex(Protocol):
    """What knows the search parameters."""

    def rows(self, resource: dict[str, Any]) -> Rows:
        """The index rows of a resource."""
        ...


def write(
    connection: Connection, search_index: SearchIndex, resources: Sequence[dict[str, Any]], *, known: Sequence[bool]
) -> None:
    """Write the index rows of resources.

    Args:
        connection: of the transaction that writes the resources.
        search_index: the search parameters.
        resources: their current versions.
        known: for each, whether older rows of it are there, to be removed.
    """
    old = [(one["resourceType"], one["id"]) for one, was in zip(resources, known, strict=True) if was]
    for table in _COLUMNS:
        run_many(connection, f"DELETE FROM {table} WHERE resource_type = ? AND resource_id = ?", old)
    made: tuple[list[tuple[Any, ...]], ...] = ([], [], [], [])
    for resource in resources:
        owner = (resource["resourceType"], resource["id"])
        found = search_index.rows(resource)
        for kind, those in zip(made, (found.tokens, found.references, found.dates, found.strings), strict=True):
            kind.extend([(*row, *owner) for row in those])
    for sql, values in zip(_INSERT, made, strict=True):
        run_many(connection, sql, values)


def reindex(connection: Connection, search_index: SearchIndex, resource_type: str) -> int:
    """Write the index rows of every resource of a type anew, for search parameters that changed.

    Returns:
        How many resources there are.
    """
    for table in _COLUMNS:
        run(connection, f"DELETE FROM {table} WHERE resource_type = ?", [resource_type])
    count = 0
    for resources in _pages(connection, resource_type):
        write(connection, search_index, resources, known=[False] * len(resources))
        count += len(resources)
    return count


def _pages(connection: Connection, resource_type: str) -> Iterator[list[dict[str, Any]]]:
    after = ""
    sql = "SELECT id, body FROM resource WHERE resource_type = ? AND NOT deleted AND id > ? ORDER BY id LIMIT ?"
    while found := rows(connection, sql, [resource_type, after, _AT_ONCE]):
        after = found[-1][0]
        yield [loads(bytes(body)) for _, body in found]
