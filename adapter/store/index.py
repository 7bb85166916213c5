"""The search index: rows that say of a resource what it can be found by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import Connection

from adapter.fhir.search_parameter import parameter_number
from adapter.store.bulk import Bulk
from adapter.store.reach import IDENTIFIED, VIEWS, View

_TABLES = (
    Bulk("index_token", {"param": "bigint", "code": "text", "key": "bigint", "system": "text"}),
    Bulk("index_reference", {"param": "bigint", "target_id": "text", "key": "bigint", "target_type": "text"}),
    Bulk("index_date", {"param": "bigint", "low": "bigint", "key": "bigint", "high": "bigint"}),
    Bulk("index_string", {"param": "bigint", "value_normalised": "text", "key": "bigint", "value": "text"}),
    Bulk(
        "index_quantity",
        {
            "param": "bigint",
            "code": "text",
            "unit": "text",
            "low": "float8",
            "key": "bigint",
            "high": "float8",
            "system": "text",
            "least": "float8",
            "greatest": "float8",
        },
    ),
)

TABLES = {
    view.name: tuple(replace(table, table=view.table(table.table)) for table in _TABLES) for view in VIEWS.values()
}
"""The tables of each view."""


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

    @property
    def quantities(self) -> Sequence[tuple[str, str, str, float, float, str, float, float]]:
        """Parameter, code, unit, range, the code's system, range as it is written."""
        ...


class SearchIndex(Protocol):
    """What knows the search parameters; the rows that an element gives depend on no other but those linked with it."""

    @property
    def linked(self) -> Mapping[str, frozenset[str]]:
        """By resource type, elements whose rows depend on each other."""
        ...

    def rows(self, resource: dict[str, Any]) -> Rows:
        """The index rows of a resource."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A resource before and now; `old` is None for a new one."""

    key: int
    old: dict[str, Any] | None
    new: dict[str, Any]


_Row = tuple[Any, ...]


def write(
    connection: Connection, search_index: SearchIndex, changes: Iterable[Change], *, view: View = IDENTIFIED
) -> None:
    """Write the index rows of resources in a view; of a resource that was there before, only the rows that differ.

    The old rows are those that the old resource gives: no second index need lead to them.
    """
    gone: tuple[list[_Row], ...] = ([], [], [], [], [])
    come: tuple[list[_Row], ...] = ([], [], [], [], [])
    for change in changes:
        was, now = _differing(change, search_index)
        for those, found in zip(come, _rows(search_index, change.key, now), strict=True):
            those.extend(found)
        before = _rows(search_index, change.key, was) if was else ()
        if any(before):
            after = _rows(search_index, change.key, change.new)
            for those, out, stay in zip(gone, before, after, strict=True):
                those.extend(set(out).difference(stay))
    for table, out, those in zip(TABLES[view.name], gone, come, strict=True):
        table.delete(connection, sorted(out))
        # In the order of the table's key, neighbours are written together.
        table.insert(connection, sorted(those))


def _differing(change: Change, search_index: SearchIndex) -> tuple[dict[str, Any], dict[str, Any]]:
    """The elements of the old resource that are others or gone, and those of the new one that are others or new.

    Those that are linked come together.
    """
    old, new = change.old, change.new
    if old is None:
        return {}, new
    kind = {"resourceType": new["resourceType"]}
    was = {name: value for name, value in old.items() if name not in new or new[name] != value}
    now = {name: value for name, value in new.items() if name not in old or old[name] != value}
    linked = search_index.linked.get(kind["resourceType"], frozenset())
    if not linked.isdisjoint(was) or not linked.isdisjoint(now):
        was |= {name: old[name] for name in linked if name in old}
        now |= {name: new[name] for name in linked if name in new}
    return was and was | kind, now | kind


def _rows(search_index: SearchIndex, key: int, resource: dict[str, Any]) -> tuple[list[_Row], ...]:
    """The rows of one resource, with their columns in the order of the tables."""
    kind, found = resource["resourceType"], search_index.rows(resource)
    return (
        [(parameter_number(kind, name), code, key, system) for name, system, code in found.tokens],
        [(parameter_number(kind, name), target, key, of) for name, of, target in found.references],
        [(parameter_number(kind, name), low, key, high) for name, low, high in found.dates],
        [(parameter_number(kind, name), plain, key, value) for name, plain, value in found.strings],
        [
            (parameter_number(kind, name), code, unit, low, key, high, *others)
            for name, code, unit, low, high, *others in found.quantities
        ],
    )
