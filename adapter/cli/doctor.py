"""`adapter doctor`: is everything as it must be?"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from adapter.access.audit import verify
from adapter.cli import repairing as options
from adapter.cli.terminal import OUT, shown
from adapter.data import data_folder, program_version
from adapter.errors import ConfigurationError
from adapter.fhir import json
from adapter.intake.inventory import PEER, entries
from adapter.listeners import Plan, load_plan
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.operate.doctor import FAIL, FINE, WARN, Line, Patient, durable, examine, guarded
from adapter.settings import Settings, load_settings
from adapter.store.database import look_into

EXPIRES_DAYS = 30

COLOURS = {"fine": "green", "warn": "yellow", "fail": "red"}


def doctor(
    data: options.Data = None,
    database_url: options.Url = None,
    backups: Annotated[Path | None, typer.Option(help="The folder of the backups: how old is the newest?")] = None,
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Check every page of SQLite, and every index.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Look at versions, certificates, durability, disk, clock, lanes, incidents, audit, backups; say who does what.

    Works beside the running program. The exit code is 1 when something fails.

    [dim]adapter doctor --data adapter-data --backups /backups[/]
    """
    settings = load_settings(data=data, database_url=database_url)
    lines = [Line("adapter", program_version()), *_configuration(settings), *_certificates(settings), _audit(settings)]
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
        catalog = _catalog()
        return f"{len(list(catalog.sites))} sites, {len(catalog.messages)} events"

    def listeners() -> str:
        if settings.listeners is None:
            return "none: one listener for every site"
        return f"{len(_plan(settings).listeners)} in {settings.listeners}"

    return [guarded("mappings", mappings), guarded("listeners", listeners)]


@cache
def _catalog() -> Catalog:
    return load_catalog(data_folder("mappings"))


def _plan(settings: Settings) -> Plan:
    if settings.listeners is None:
        return Plan()
    return load_plan(settings.listeners, sites=[site.code for site in _catalog().sites])


def _certificates(settings: Settings) -> Iterator[Line]:
    """Every certificate of the listeners, and the last that each peer showed: how long is it valid?"""
    try:
        found = entries(_plan(settings), settings.data)
    except ConfigurationError:
        return  # the line of the listeners says it
    for one in found:
        name, days = f"certificate {one.channel}", one.days_left(_now())
        if days is None:
            yield Line(name, f"{one.role}: {one.file} cannot be read", FAIL, "administrator: put a PEM there")
            continue
        level = FINE if days > EXPIRES_DAYS else WARN if days >= 0 else FAIL
        who = "sending hospital" if one.role == PEER else "administrator"
        yield Line(name, f"{one.role}: {days} days left", level, "" if level == FINE else f"{who}: renew {one.file}")


def _audit(settings: Settings) -> Line:
    """The chain of the access audit."""
    verdict = verify(settings.data / "audit")
    value = f"{verdict.lines} lines in {verdict.files} files"
    if not verdict.broken:
        return Line("audit", value)
    return Line(
        "audit", f"{value}; broken at {verdict.broken[0]}", FAIL, "security officer: somebody changed the audit"
    )


def _table(lines: Sequence[Line]) -> None:
    table = Table("what", "", "found", "who does what")
    for one in lines:
        level = f"[{COLOURS[one.level]}]{one.level}[/]"
        table.add_row(shown(one.name), level, shown(one.value), shown(one.advice))
    OUT.print(table)


def _now() -> datetime:
    return datetime.now(UTC)
