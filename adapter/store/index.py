"""The search index: rows that say of a resource what it can be found by."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection

from adapter.fhir.json import loads
from adapter.fhir.search_params import first_number, last_number, parameter_number
from adapter.store.bulk import Bulk
from adapter.store.database import rows, run

_AT_ONCE = 500


_TABLES = (
    Bulk("index_token", {"param": "bigint", "code": "text", "key": "bigint", "system": "text"}),
    Bulk("index_reference", {"param": "bigint", "target_id": "text", "key": "bigint", "target_type": "text"}),
    Bulk("index_date", {"param": "bigint", "low": "bigint", "key": "bigint", "high": "bigint"}),
    Bulk("index_string", {"param": "bigint", "value_normalised": "text", "key": "bigint", "value": "text"}),
)


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
    """What knows the search parameters; the rows that an element gives depend on no other element."""

    def rows(self, resource: dict[str, Any]) -> Rows:
        """The index rows of a resource."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A resource before and now; `old` is None for a new one."""

    key: int
    old: dict[str, Any] | None
    new: dict[str, Any]


_Row = tuple[int, Any, int, Any]


def write(connection: Connection, search_index: SearchIndex, changes: Iterable[Change]) -> None:
    """Write the index rows of resources; of a resource that was there before, only the rows that differ.

    The old rows are those that the old resource gives: no second index need lead to them.
    """
    gone: tuple[list[_Row], ...] = ([], [], [], [])
    come: tuple[list[_Row], ...] = ([], [], [], [])
    for change in changes:
        was, now = _differing(change)
        for those, found in zip(come, _rows(search_index, change.key, now), strict=True):
            those.extend(found)
        before = _rows(search_index, change.key, was) if was else ()
        if any(before):
            after = _rows(search_index, change.key, change.new)
            for those, out, stay in zip(gone, before, after, strict=True):
                those.extend(set(out).difference(stay))
    for table, out, those in zip(_TABLES, gone, come, strict=True):
        table.delete(connection, sorted(out))
        # In the order of the table's key, neighbours are written together.
        table.insert(connection, sorted(those))


def _differing(change: Change) -> tuple[dict[str, Any], dict[str, Any]]:
    """The elements of the old resource that are others or gone, and those of the new one that are others or new."""
    old, new = change.old, change.new
    if old is None:
        return {}, new
    kind = {"resourceType": new["resourceType"]}
    was = {name: value for name, value in old.items() if name not in new or new[name] != value}
    now = {name: value for name, value in new.items() if name not in old or old[name] != value}
    return was and was | kind, now | kind


def reindex(connection: Connection, search_index: SearchIndex, resource_type: str) -> int:
    """Write the index rows of every resource of a type anew, for search parameters that changed.

    Returns:
        How many resources there are.
    """
    first = first_number(resource_type)
    for table in _TABLES:
        run(connection, f"DELETE FROM {table.table} WHERE param BETWEEN ? AND ?", [first, last_number(resource_type)])
    count = 0
    for changes in _pages(connection, resource_type):
        write(connection, search_index, changes)
        count += len(changes)
    return count


def _rows(search_index: SearchIndex, key: int, resource: dict[str, Any]) -> tuple[list[_Row], ...]:
    """The rows of one resource, with their columns in the order of the tables."""
    kind, found = resource["resourceType"], search_index.rows(resource)
    return (
        [(parameter_number(kind, name), code, key, system) for name, system, code in found.tokens],
        [(parameter_number(kind, name), target, key, of) for name, of, target in found.references],
        [(parameter_number(kind, name), low, key, high) for name, low, high in found.dates],
        [(parameter_number(kind, name), plain, key, value) for name, plain, value in found.strings],
    )


def _pages(connection: Connection, resource_type: str) -> Iterator[list[Change]]:
    after = 0
    sql = "SELECT key, body FROM resource WHERE resource_type = ? AND NOT deleted AND key > ? ORDER BY key LIMIT ?"
    while found := rows(connection, sql, [resource_type, after, _AT_ONCE]):
        after = found[-1][0]
        yield [Change(key, None, loads(bytes(body))) for key, body in found]
