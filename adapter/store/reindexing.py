"""The search index written anew, where the search parameters are others than those it was written by."""

from collections.abc import Iterator

from sqlalchemy import Connection

from adapter import log
from adapter.fhir.json import loads
from adapter.fhir.search_parameter import first_number, last_number
from adapter.fhir.search_params import SearchIndex
from adapter.store import index
from adapter.store.database import Database, rows, run
from adapter.store.reach import IDENTIFIED, View

_AT_ONCE = 500
_SAY = """INSERT INTO index_version (resource_type, digest) VALUES (?, ?)
    ON CONFLICT (resource_type) DO UPDATE SET digest = excluded.digest"""


def follow(database: Database, search_index: SearchIndex, *, view: View = IDENTIFIED) -> int:
    """Write the index anew of each type whose search parameters changed since it was written; at start, alone.

    Each type is a transaction of its own: what is interrupted goes on at the next start.

    Returns:
        How many resources there are of those types.

    Raises:
        StorageUnavailable: the database failed.
    """
    with database.read() as connection:
        known = {kind: bytes(digest) for kind, digest in rows(connection, "SELECT * FROM index_version")}
        there = {kind for (kind,) in rows(connection, f"SELECT DISTINCT resource_type FROM {view.table('resource')}")}
    wanted = {kind: search_index.digest(kind) for kind in search_index.parameters}
    changed = {kind for kind, digest in wanted.items() if known.get(view.table(kind)) != digest}
    with database.write() as connection:
        for kind in sorted(changed - there):
            run(connection, _SAY, [view.table(kind), wanted[kind]])
    count = 0
    for kind in sorted(changed & there):
        with database.write() as connection:
            # First: another process that starts waits here for this one.
            run(connection, _SAY, [view.table(kind), wanted[kind]])
            count += reindex(connection, search_index, kind, view=view)
        log.event("reindexed", resource_type=kind, view=view.name)
    return count


def reindex(
    connection: Connection, search_index: index.SearchIndex, resource_type: str, *, view: View = IDENTIFIED
) -> int:
    """Write the index rows of every resource of a type anew, for search parameters that changed.

    Returns:
        How many resources there are.
    """
    first = first_number(resource_type)
    for table in index.TABLES[view.name]:
        run(connection, f"DELETE FROM {table.table} WHERE param BETWEEN ? AND ?", [first, last_number(resource_type)])
    count = 0
    for changes in _pages(connection, resource_type, view):
        index.write(connection, search_index, changes, view=view)
        count += len(changes)
    return count


def _pages(connection: Connection, resource_type: str, view: View) -> Iterator[list[index.Change]]:
    after = 0
    sql = f"""SELECT key, body FROM {view.table("resource")} WHERE resource_type = ? AND NOT deleted AND key > ?
        ORDER BY key LIMIT ?"""
    while found := rows(connection, sql, [resource_type, after, _AT_ONCE]):
        after = found[-1][0]
        yield [index.Change(key, None, loads(bytes(body))) for key, body in found]
