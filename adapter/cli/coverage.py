"""`adapter coverage`: which populated fields are mapped, ignored with a reason, or read by no rule."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from adapter.cli import repairing as options
from adapter.cli.terminal import OUT, read_messages, shown
from adapter.data import data_folder
from adapter.errors import Refusal
from adapter.fhir import json
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.operate.coverage import Coverage, stored, told
from adapter.operate.dialects import named, sender
from adapter.request_errors import BadParameter
from adapter.settings import load_settings
from adapter.store.database import look_into

COUNTS = ("messages", "populated", "mapped", "ignored", "partly", "unmapped")


def coverage(
    files: Annotated[list[Path] | None, typer.Argument(help="Files with messages; - reads standard input.")] = None,
    site: Annotated[str, typer.Option(help="Whose dialect the files are in; of a store: only this hospital.")] = "",
    mappings: Annotated[Path | None, typer.Option(help="Another mappings folder than the one installed.")] = None,
    fields: Annotated[int, typer.Option(min=0, help="Unmapped fields shown of each structure.")] = 20,
    data: options.Data = None,
    database_url: options.Url = None,
    *,
    as_json: options.AsJson = False,
) -> None:
    """Show per hospital and message structure what is mapped, and list the fields that no rule reads.

    With files: they are converted and every populated field is counted. Without: the store of --data tells what its
    workers found unread. A field is [bold]mapped[/] when a rule reads all of it, [bold]partly[/] when some
    component is read by none, [bold]ignored[/] when a map or envelope.yaml leaves it out and says why.

    To mend one: a row `from: … to: …` in mappings/segments/<SEG>-<Resource>.yaml, or a reason under `ignored:` there.

    [dim]adapter coverage --site FAHZU january.hl7[/]
    """
    if files:
        found = _of_files(files, load_catalog(mappings or data_folder("mappings")), site)
    else:
        if mappings:
            raise BadParameter("--mappings needs files: what a store holds was converted already")
        found = _of_store(data, database_url, site)
    if as_json:
        sys.stdout.buffer.write(json.dumps(found) + b"\n")
    else:
        _show(found, fields)


def _of_files(files: list[Path], catalog: Catalog, site: str) -> dict[str, Any]:
    counted, chosen = Coverage(catalog), named(catalog, site) if site else None
    for file, number, message in read_messages(files):
        try:
            whose = chosen or sender(catalog, message)
        except Refusal:
            whose = catalog.standard
        counted.add(message, site=whose, example=f"{file} message {number}")
    return told(counted)


def _of_store(data: Path | None, database_url: str | None, site: str) -> dict[str, Any]:
    database = look_into(load_settings(data=data, database_url=database_url).database)
    try:
        with database.read() as connection:
            return stored(connection, site=site)
    finally:
        database.close()


def _show(found: dict[str, Any], most: int) -> None:
    counted = [one for one in found["structures"] if "populated" in one]
    if counted:
        table = Table("site", Column("structure", no_wrap=True), *COUNTS, "share", title="Fields")
        for one in counted:
            share = "" if one["share"] is None else f"{one['share']:.1%}"
            table.add_row(one["site"], shown(one["structure"]), *(str(one[name]) for name in COUNTS), share)
        OUT.print(table)
    for one in found["structures"]:
        _unread(one, most)
    for one in found["failed"]:
        OUT.print(
            f"{one['site']}: not converted, {one['count']} times: {one['cause']} ({one['example']})", markup=False
        )
    if not any(one["fields"] for one in found["structures"]):
        OUT.print("no populated field is unmapped")


def _unread(one: dict[str, Any], most: int) -> None:
    rows = one["fields"][:most]
    if not rows:
        return
    table = Table("field", "times", "example", title=f"{one['site']} {shown(one['structure'])}: read by no rule")
    for row in rows:
        table.add_row(row["path"], str(row["count"]), shown(row["example"]))
    OUT.print(table)
    if left := len(one["fields"]) - len(rows):
        OUT.print(f"and {left} more; all: --json or --fields {len(one['fields'])}")
