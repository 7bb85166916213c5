"""NamingSystems: one for each system of identifiers and for each code system that mappings name."""

from collections.abc import Iterator
from pathlib import Path

from adapter.guide.shape import PUBLISHER, Resource, short
from adapter.mapper.catalog import Catalog
from adapter.mapper.codes import SYSTEM_COLUMNS
from adapter.mapper.csv_lines import read
from adapter.mapper.ids import own_system

DATE = "2026-11-01"


def naming_systems(mappings: Path, catalog: Catalog) -> Iterator[Resource]:
    """Every system once, in the order of their URIs.

    Raises:
        MappingError: a table cannot be read.
    """
    found = {uri: ("identifier", source) for uri, source in _identifiers(catalog)}
    for row in read(mappings / "systems.csv", SYSTEM_COLUMNS, key=("name",)):
        found.setdefault(row["system"], ("codesystem", f"{row['name']} in CWE.3 ({row['source']})"))
    for site in catalog.sites:
        for name, system in site.systems.items():
            found.setdefault(system.uri, ("codesystem", f"{name} in CWE.3 of {site.name}"))
    for uri, (kind, description) in sorted(found.items()):
        yield {
            "resourceType": "NamingSystem",
            "id": f"{'id' if kind == 'identifier' else 'code'}-{short(uri)}",
            "name": "".join(part.capitalize() for part in short(uri).replace(".", "-").split("-")),
            "status": "active",
            "kind": kind,
            "date": DATE,
            "publisher": PUBLISHER,
            "description": description,
            "uniqueId": [{"type": "uri", "value": uri, "preferred": True}],
        }


def _identifiers(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Systems of identifiers as tables name them, and those that identities of resources give."""
    for site in catalog.sites:
        for row in site.identifiers.rows:
            yield row.system, f"Identifiers of {row.authority or row.field or 'the hospital'}"
        for compiled in catalog.site_maps[site.code].compiled.values():
            identity = compiled.map.identity
            if identity.system:
                yield identity.system, f"What names a {compiled.map.resource}, in all hospitals alike"
            elif not identity.converter:
                name = compiled.map.resource
                yield own_system(site.code, name), f"What names a {name} of {site.name}"
