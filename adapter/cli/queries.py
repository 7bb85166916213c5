"""`adapter queries`: what the trial office must ask the hospitals about."""

import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from adapter.cli import repairing as options
from adapter.cli.terminal import OUT, shown
from adapter.data import data_folder
from adapter.fhir import json
from adapter.operate.queries import Asking, Only, listing
from adapter.settings import load_settings
from adapter.store.database import look_into

_SHOWN = 3
"""Messages of one query in the table; all of them are in the JSON."""


def queries(
    subject: Annotated[str, typer.Option(help="Only this subject: ATLI-07.")] = "",
    site: options.SiteName = "",
    rule: Annotated[str, typer.Option(help="Only this rule: docs/queries.md.")] = "",
    severity: Annotated[str, typer.Option(help="Only these: critical, major or minor.")] = "",
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day that counts as today.", show_default="today")
    ] = None,
    mappings: Annotated[Path | None, typer.Option(help="Another mappings folder than the one installed.")] = None,
    data: options.Data = None,
    database_url: options.Url = None,
    *,
    as_json: options.AsJson = False,
) -> None:
    """List what is missing, implausible or in conflict in the trial's data, by subject and course.

    Computed from what is stored now: a query is gone when the data have come. Its id stays the same until then.
    Nothing is changed, and the exit code is 0 whether there are queries or not. Shows patients' data.

    [dim]adapter queries --data adapter-data --site YWCH --severity major[/]
    """
    asking = Asking.load(mappings or data_folder("mappings"))
    only = Only(subject, site, rule, severity)
    database = look_into(load_settings(data=data, database_url=database_url).database)
    try:
        found = listing(database, asking, only, as_of=(as_of or datetime.now(asking.trial.terms.zone)).date())
        if as_json:
            for one in found:
                sys.stdout.buffer.write(json.dumps(one) + b"\n")
        else:
            _show(found)
    finally:
        database.close()


def _show(found: Iterable[dict[str, Any]]) -> None:
    table = Table("query", "severity", "subject", "what", show_lines=True)
    for column in table.columns[:3]:
        column.no_wrap = True
    for one in found:
        named: tuple[str, ...] = one["messages"]
        more = [f"and {len(named) - _SHOWN} more"] if len(named) > _SHOWN else []
        hospitals = ", ".join(one["hospitals"])
        below = " ".join((f"{one['rule']} ({hospitals}):", *named[:_SHOWN], *more))
        place = f"{one['subject']} {one['course']}".strip()
        table.add_row(one["id"], one["severity"], shown(place), f"{shown(one['text'])}\n[dim]{shown(below)}[/]")
    if table.row_count:
        OUT.print(table)
        OUT.print(f"{table.row_count} queries", markup=False)
    else:
        OUT.print("there are no queries")
