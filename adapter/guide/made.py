"""Definitions that are made from mappings/ at start, so that they never say anything else than the program does."""

from collections.abc import Iterator
from pathlib import Path

from adapter.guide import fields, local, naming, tables
from adapter.guide.shape import Resource
from adapter.mapper.catalog import Catalog


def made(mappings: Path, profiles: Path, catalog: Catalog) -> list[Resource]:
    """CodeSystems of the hospitals, ConceptMaps of codes, units and fields, NamingSystems; one id is one resource.

    Args:
        mappings: the folder that the catalog was read from.
        profiles: the folder with `local-codes.csv`.
        catalog: what was read.

    Raises:
        MappingError: a table cannot be read.
    """
    return list(_all(mappings, profiles, catalog))


def _all(mappings: Path, profiles: Path, catalog: Catalog) -> Iterator[Resource]:
    codes = local.local_codes(profiles / "local-codes.csv", catalog.sites)
    yield from local.code_systems(codes, catalog.sites)
    yield from local.concept_maps(codes)
    yield from tables.concept_maps(mappings / "codes")
    yield tables.units(mappings, catalog.sites)
    yield from fields.concept_maps(catalog)
    yield from naming.naming_systems(mappings, catalog)
