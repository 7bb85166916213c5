"""The worklist of codes as JSON objects, and which of its messages need not wait any more."""

from typing import Any

from adapter.mapper.catalog import Catalog
from adapter.mapper.datatypes.doubt import SYSTEMS, UNITS
from adapter.mapper.sites import Site
from adapter.store import worklist
from adapter.store.database import Connection
from adapter.store.worklist import Lacking


def codes(connection: Connection, *, site: str, limit: int, catalog: Catalog | None = None) -> list[dict[str, Any]]:
    """List what has no row, that for which most messages wait first.

    Args:
        connection: of the store.
        site: only this hospital; empty for all.
        limit: lines at most.
        catalog: mappings that may have a row by now; with them each line says so in `has_row`.
    """
    found = worklist.listing(connection, site=site, limit=limit)
    return [
        {
            "site": one.lacking.site,
            "kind": one.lacking.kind,
            "table": one.lacking.table,
            "path": one.lacking.path,
            "code": one.lacking.code,
            "display": one.lacking.display,
            "messages": one.messages,
            "count": one.count,
            "examples": list(one.examples),
            **({} if catalog is None else {"has_row": has_row(catalog, one.lacking)}),
        }
        for one in found
    ]


def waiting(connection: Connection, catalog: Catalog, *, site: str = "") -> list[int]:
    """The ids of the messages that wait for a code that has a row in these mappings, in the order they came."""
    found = worklist.listing(connection, site=site)
    return worklist.waiting(connection, (one.key for one in found if has_row(catalog, one.lacking)))


def has_row(catalog: Catalog, lacking: Lacking) -> bool:
    """Whether these mappings know the code, unit or name now."""
    site = catalog.sites.by_code.get(lacking.site)
    return site is not None and _known(site, lacking)


def _known(site: Site, lacking: Lacking) -> bool:
    if lacking.table == UNITS:
        unit = site.units.resolve((tuple((part,) for part in lacking.code.split("^")),))
        return unit is not None and unit.code != ""
    if lacking.table == SYSTEMS:
        return site.system(lacking.code) is not None
    table = site.table(lacking.table)
    return lacking.code in table or lacking.display in table
