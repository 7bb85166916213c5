"""`adapter restore`: is a copy whole, and would it give the same resources; put it in the place of a lost database."""

from pathlib import Path
from typing import Annotated

import typer

from adapter.cli import repairing as options
from adapter.cli.terminal import OUT
from adapter.convert import convert
from adapter.data import data_folder
from adapter.errors import AdapterError, ConfigurationError
from adapter.fhir import json
from adapter.mapper.catalog import load_catalog
from adapter.settings import load_settings
from adapter.store import backup
from adapter.store.database import instant, sqlite_file_of

SAMPLE = 50
REPORT = "restore-report.json"


def restore(
    file: Annotated[Path, typer.Argument(help="The copy that `adapter backup` made.")],
    data: options.Data = None,
    *,
    verify: Annotated[bool, typer.Option("--verify", help="Only look whether it can be trusted.")] = False,
) -> None:
    """Put a copy into an empty data folder, or look whether it can be trusted.

    Checks hash, counts and SQLite's structure, and converts some messages again, which must give resources that the
    copy holds. Nothing is overwritten. After a restore `DATA/restore-report.json` says which message was the last of
    each hospital: what came later must be sent again. What is sent twice is recognised.

    [dim]adapter restore --verify adapter-20260301T020000Z.db[/]
    """
    made, wrong = backup.check(file)
    if not wrong:
        wrong = _replayed(file)
    OUT.print(f"{file}: made {made.made_at} by {made.program}, {sum(made.messages.values())} messages", markup=False)
    for one in wrong:
        OUT.print(f"wrong: {one}", markup=False)
    if verify or wrong:
        OUT.print("cannot be trusted" if wrong else "can be trusted")
        raise typer.Exit(1 if wrong else 0)
    settings = load_settings(data=data)
    database = sqlite_file_of(settings.database)
    if database is None:
        raise ConfigurationError("a copy is restored into SQLite; for PostgreSQL use pg_restore")
    backup.restore(file, database)
    _report(file, settings.data / REPORT)


def _replayed(file: Path) -> list[str]:
    """Convert some messages again; each resource must be in the copy."""
    catalog = load_catalog(data_folder("mappings"))
    wrong: list[str] = []
    for number, site, raw in backup.sample(file, count=SAMPLE):
        try:
            made = convert(raw, catalog=catalog, site=catalog.sites.by_code.get(site, catalog.standard))
        except AdapterError as error:
            wrong.append(f"message {number} was mapped and now is not: {error.code}")
            continue
        references = {f"{one.resource['resourceType']}/{one.resource['id']}" for one in made.resources}
        if missing := references - backup.holds(file, references):
            wrong.append(f"message {number} gives {len(missing)} resources that the copy does not hold")
    return wrong


def _report(file: Path, report: Path) -> None:
    last = [{**one, "received_at": instant(one["received_at"]).isoformat()} for one in backup.last_seen(file)]
    text = "ask each hospital to send again whatever it sent after this message; what is known is recognised"
    report.write_bytes(json.dumps({"to_do": text, "last": last}))
    for one in last:
        OUT.print(f"{one['site']} {one['channel']}: last received {one['received_at']}", markup=False)
    OUT.print(f"restored; {text}\nthe MSH-10 of each: {report}", markup=False)
