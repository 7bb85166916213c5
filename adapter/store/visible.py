"""What of the resources a caller may see, as SQL: put into every statement that reads them."""

from collections.abc import Sequence

from adapter.store.database import marks
from adapter.store.reach import OF_NOBODY, Compiled, Reach
from adapter.store.search_conditions import condition

NO_BASE = ""
"""Filters of scopes hold no addresses."""


def visible(reach: Reach, resource_type: str, alias: str) -> Compiled:
    """The condition on a row of the view's `resource`, known as `alias`; empty where everything is visible.

    Args:
        reach: what the caller reaches.
        resource_type: of the row.
        alias: of the row in the statement.
    """
    tests = [_of_sites(reach.sites, alias)] if reach.sites is not None else []
    tests += [_one_of(reach, resource_type, alias)] if resource_type in reach.filters else []
    return " AND ".join(sql for sql, _ in tests), tuple(value for _, values in tests for value in values)


def and_visible(reach: Reach, resource_type: str, alias: str) -> Compiled:
    """As `visible`, to be put behind another condition."""
    sql, values = visible(reach, resource_type, alias)
    return (f" AND {sql}" if sql else ""), values


def _of_sites(sites: frozenset[str], alias: str) -> Compiled:
    named = sorted({OF_NOBODY, *sites})
    return f"{alias}.site IN ({marks(named)})", tuple(named)


def _one_of(reach: Reach, resource_type: str, alias: str) -> Compiled:
    """One of the searches of granular scopes must find the resource."""
    searches = [_all_of(reach, resource_type, search, alias) for search in reach.filters[resource_type]]
    return f"({' OR '.join(sql for sql, _ in searches)})", tuple(v for _, values in searches for v in values)


def _all_of(reach: Reach, resource_type: str, search: Sequence[tuple[str, str]], alias: str) -> Compiled:
    known = reach.index.parameters[resource_type]
    if any(name not in known for name, _ in search):
        # A parameter that the type has not finds nothing of it.
        return "FALSE", ()
    conditions = (condition(reach, known[name], name, value, base=NO_BASE) for name, value in search)
    tests = [one.test(f"{alias}.key") for one in conditions]
    return " AND ".join(sql for sql, _ in tests), tuple(v for _, values in tests for v in values)
