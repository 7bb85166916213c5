"""`adapter check`: is everything under mappings/ and profiles/ in order?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from adapter.cli.terminal import OUT
from adapter.data import data_folder
from adapter.fhir.profiles import check_definitions
from adapter.fhir.search_params import load as load_search_parameters
from adapter.imports.sheet import load_sheets
from adapter.mapper.catalog import load_catalog
from adapter.operate import ucum
from adapter.store.merge import load_merge_rules
from adapter.trial.queries import load_queries
from adapter.trial.rules import load_rules
from adapter.trial.study import load_study


def check(
    mappings: Annotated[Path | None, typer.Option(help="Another mappings folder than the one installed.")] = None,
    profiles: Annotated[Path | None, typer.Option(help="Another profiles folder than the one installed.")] = None,
) -> None:
    """Read everything as the service does at start, and say what was found.

    What is wrong is named with file and line; the exit code is then 2.
    """
    maps, definitions = mappings or data_folder("mappings"), profiles or data_folder("profiles")
    catalog = load_catalog(maps)
    load_merge_rules(maps)
    load_study(maps)
    load_queries(maps, load_rules(maps))
    load_sheets(maps)
    check_definitions(definitions)
    units = _units(maps)
    parameters = load_search_parameters(definitions)
    table = Table("site", "name", "character set", "time zone", "local codes", "units", "own maps", title="Hospitals")
    for site in catalog.sites:
        codes = sum(len(table) for table in site.codes.values())
        own = len(list(site.folder.glob("*-*.yaml")))
        row = (
            site.code,
            site.name,
            site.encoding or "MSH-18",
            str(site.timezone),
            codes,
            len(site.units.spellings),
            own,
        )
        table.add_row(*map(str, row))
    OUT.print(table)
    kinds = Table("message", "structure", "resources", title="Messages that are mapped")
    for event, message_map in sorted(catalog.messages.items()):
        resources = [part.map.partition("-")[2] for part in message_map.parts]
        kinds.add_row(event, message_map.structure, ", ".join(resources))
    OUT.print(kinds)
    OUT.print(f"kept without a map yet: {', '.join(sorted(catalog.kept))}")
    count = sum(len(of_type) for of_type in parameters.parameters.values())
    OUT.print(f"search parameters: {count} of {len(parameters.parameters)} resource types")
    OUT.print(units)
    OUT.print("everything is in order")


def _units(mappings: Path) -> str:
    if not ucum.available():
        return "units: not compared with UCUM; for that, install ucumvert"
    count = ucum.check_units(mappings)
    return f"units: {count} are UCUM, and every conversion between units of one dimension has UCUM's factor"
