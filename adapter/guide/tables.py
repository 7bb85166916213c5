"""ConceptMaps of the tables that all hospitals share: HL7 tables to FHIR codes, and units to UCUM."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from adapter.guide.shape import Resource, coding, group, resource
from adapter.mapper.codes import CANONICAL, HL7_TABLE, TABLE_COLUMNS, UCUM
from adapter.mapper.csv_lines import Row, read
from adapter.mapper.sites import Site
from adapter.mapper.units import SPELLING_COLUMNS


def concept_maps(folder: Path) -> Iterator[Resource]:
    """One ConceptMap for each table of mappings/codes.

    Raises:
        MappingError: a table cannot be read.
    """
    for file in sorted(folder.glob("*.csv")):
        rows = read(file, TABLE_COLUMNS, key=("code", "target_system"))
        made = resource(
            "ConceptMap",
            f"v2-{file.stem.lower()}",
            title=f"HL7 v2: {file.stem}",
            description=f"From mappings/codes/{file.name}; every row says where it comes from.",
        )
        rows.sort(key=lambda row: row["target_system"])
        number = file.stem[:4]
        source = f"{HL7_TABLE}{number}" if number.isdecimal() else ""
        made["group"] = [
            group(source, system, map(_element, found))
            for system, found in groupby(rows, key=lambda row: row["target_system"])
        ]
        yield made


def units(mappings: Path, sites: Iterable[Site]) -> Resource:
    """The ConceptMap of units as hospitals write them to UCUM: the common spellings, then those of each hospital.

    Raises:
        MappingError: a table cannot be read.
    """
    made = resource(
        "ConceptMap",
        "tli-units",
        title="Units to UCUM",
        description="From mappings/units/units.csv and the hospitals' units.csv. A group without a source is common.",
    )
    files = [("", mappings / "units" / "units.csv")]
    files += [(f"{site.code.lower()}-units", site.folder / "units.csv") for site in sites]
    found = [(name, read(file, SPELLING_COLUMNS, key=("sent",))) for name, file in files]
    made["group"] = [
        group(name and f"{CANONICAL}/CodeSystem/{name}", UCUM, [_unit(row) for row in rows])
        for name, rows in found
        if rows
    ]
    return made


def _element(row: Row) -> Resource:
    if not row["target_code"]:
        return {"code": row["code"], "target": [{"equivalence": "unmatched", "comment": row["source"]}]}
    target = {**coding(row["target_code"], row["target_display"]), "equivalence": "relatedto"}
    return {"code": row["code"], "target": [{**target, "comment": row["source"]}]}


def _unit(row: Row) -> Resource:
    return {
        "code": row["sent"],
        "target": [{"code": row["ucum"], "equivalence": "equivalent", "comment": row["source"]}],
    }
