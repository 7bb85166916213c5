"""`adapter doctor`: is everything as it must be?"""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from adapter.cli import repairing as options
from adapter.cli.backup import PROGRAM
from adapter.cli.terminal import OUT, shown
from adapter.data import data_folder
from adapter.fhir import json
from adapter.listeners import load_plan
from adapter.mapper.catalog import load_catalog
from adapter.operate.doctor import FAIL, Line, Patient, durable, examine, guarded
from adapter.settings import Settings, load_settings
from adapter.store.database import look_into

COLOURS = {"fine": "green", "warn": "yellow", "fail": "red"}


def doctor(
    data: options.Data = None,
    database_url: options.Url = None,
    backups: Annotated[Path | None, typer.Option(help="The folder of the backups: how old is the newest?")] = None,
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Check every page of SQLite, and every index.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Look at versions, durability, disk, clock, lanes, leases, incidents and backups; say who does what.

    Works beside the running program. The exit code is 1 when something fails.

    [dim]adapter doctor --data adapter-data --backups /backups[/]
    """
    settings = load_settings(data=data, database_url=database_url)
    lines = [Line("adapter", version(PROGRAM)), *_configuration(settings)]
    patient = Patient(settings.data if settings.data.exists() else Path.cwd(), _now, backups, deep)
    database = look_into(settings.database)
    try:
        lines += durable(database)
        with database.read() as connection:
            lines += examine(connection, patient)
    finally:
        database.close()
    if as_json:
        sys.stdout.buffer.write(json.dumps([asdict(one) for one in lines]) + b"\n")
    else:
        _table(lines)
    raise typer.Exit(1 if any(one.level == FAIL for one in lines) else 0)


def _configuration(settings: Settings) -> list[Line]:
    """The files that the service reads at its start."""

    def mappings() -> str:
        catalog = load_catalog(data_folder("mappings"))
        return f"{len(list(catalog.sites))} sites, {len(catalog.messages)} events"

    def listeners() -> str:
        if settings.listeners is None:
            return "none: one listener for every site"
        sites = [site.code for site in load_catalog(data_folder("mappings")).sites]
        return f"{len(load_plan(settings.listeners, sites=sites).listeners)} in {settings.listeners}"

    return [guarded("mappings", mappings), guarded("listeners", listeners)]


def _table(lines: Sequence[Line]) -> None:
    table = Table("what", "", "found", "who does what")
    for one in lines:
        level = f"[{COLOURS[one.level]}]{one.level}[/]"
        table.add_row(shown(one.name), level, shown(one.value), shown(one.advice))
    OUT.print(table)


def _now() -> datetime:
    return datetime.now(UTC)
