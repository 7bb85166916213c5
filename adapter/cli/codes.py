"""`adapter codes`: codes and units that have no row in a table, and how many messages wait for one."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from adapter.cli import repairing as options
from adapter.cli.terminal import OUT, shown
from adapter.data import data_folder
from adapter.fhir import json
from adapter.mapper.catalog import load_catalog
from adapter.operate.worklist import codes as listed
from adapter.settings import load_settings
from adapter.store.database import look_into


def codes(
    site: options.SiteName = "",
    mappings: Annotated[Path | None, typer.Option(help="Another mappings folder than the one installed.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Lines.")] = 50,
    data: options.Data = None,
    database_url: options.Url = None,
    *,
    as_json: options.AsJson = False,
) -> None:
    """List the codes and units that no table has, that for which most messages wait first.

    A code of table [bold]OBX-3[/] wants a row in mappings/sites/<site>/codes.csv with that `table`; one of a named
    table (0004-patient-class) a row there or in mappings/codes/<table>.csv; one of `units` a row in the site's
    units.csv; one of `systems` a name under `systems:` in site.yaml. A row needs a source: no code is guessed.

    "row" says whether the mappings have one by now; the messages that waited for it can then be converted again.
    Shows codes and words as hospitals sent them, which may be free text.

    [dim]adapter codes --data adapter-data --site YWCH[/]
    """
    catalog = load_catalog(mappings or data_folder("mappings"))
    database = look_into(load_settings(data=data, database_url=database_url).database)
    try:
        with database.read() as connection:
            found = listed(connection, site=site, limit=limit, catalog=catalog)
    finally:
        database.close()
    if as_json:
        sys.stdout.buffer.write(b"".join(json.dumps(one) + b"\n" for one in found))
    elif found:
        OUT.print(_table(found))
    else:
        OUT.print("every code and every unit that came has a row")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("site", "table", "field", "code", "as sent", "messages", "times", "examples", "row")
    for one in found:
        examples = " ".join(map(str, one["examples"]))
        said = (one["site"], one["table"], one["path"], one["code"], one["display"])
        counts = (str(one["messages"]), str(one["count"]), examples, "yes" if one["has_row"] else "")
        table.add_row(*map(shown, said), *counts)
    return table
