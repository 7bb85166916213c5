"""`adapter import`: rows of a table that no hospital sends become messages, and go the way of all others."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table as Shown

from adapter.cli import repairing as options
from adapter.cli.importing import Taking, taking
from adapter.cli.running import user
from adapter.cli.terminal import ERR, OUT, progress, shown
from adapter.errors import ConfigurationError
from adapter.fhir import json
from adapter.imports import table
from adapter.imports.rows import Accepted, Checked, Fault, check, last_day
from adapter.imports.sheet import Sheet
from adapter.operate.imports import REFUSED, UNCHANGED, Rows, sheet_of
from adapter.settings import load_settings
from adapter.stock import Stock

LARGEST_FILE = 64 * 1024 * 1024
AT_ONCE, BYTES_AT_ONCE = 50, 16 * 1024
"""Rows that are taken in one request."""

WAIT_SECONDS, BEHIND_SECONDS = 60.0, 3.0
"""So long no message is converted before we stop waiting; the second where one is held, which others wait behind."""

File = Annotated[Path, typer.Argument(help="The table: CSV, UTF-8, one header row.")]
Kind = Annotated[str, typer.Option(help="What the table holds: the name of a file of mappings/imports/.")]
CheckOnly = Annotated[bool, typer.Option("--check", help="Only check the file; nothing is imported.")]


@dataclass(frozen=True, slots=True)
class _Done:
    """What was imported: rows as they were taken or refused, and messages of the site that are not converted."""

    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    faults: list[Fault] = field(default_factory=list[Fault])
    held: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    waiting: int = 0

    @property
    def refused(self) -> int:
        return len({fault.row for fault in self.faults})

    @property
    def whole(self) -> bool:
        unsent = any(row["outcome"] == REFUSED for row in self.rows)
        return not (self.faults or self.held or self.waiting or unsent)


def import_file(
    file: File,
    kind: Kind = "controls",
    actor: options.Actor = "",
    data: options.Data = None,
    database_url: options.Url = None,
    url: options.Program = "",
    *,
    check_only: CheckOnly = False,
    as_json: options.AsJson = False,
) -> None:
    """Import a table that no hospital sends: the historical controls.

    Every row is checked: each cell, then what the columns say of each other. A row with a fault is refused as a whole
    and told with its number, its column and who mends it; all others are imported. Importing the same file again
    changes nothing; a row that was changed gives new versions, and takes back what it does not say any more. A row
    becomes HL7 v2 messages that hold its bytes, kept like those of hospitals: `adapter messages --site CONTROLS`.
    Works beside the running program, which does it.

    The exit code is 0 where every row is imported and converted, 1 where rows were refused or messages are held, 2
    where the file cannot be read.

    [dim]adapter import controls.csv --check[/]
    [dim]adapter import controls.csv --data adapter-data[/]
    """
    stock = Stock.load()
    sheet = sheet_of(stock.sheets, kind)
    found = table.read(_content(file), list(sheet.columns))
    checked = check(sheet, found, today=last_day(datetime.now(UTC)))
    done = _Done(faults=list(checked.faults))
    if checked.accepted and not check_only:
        settings = load_settings(data=data, database_url=database_url)
        with taking(settings, stock, url=url) as by:
            done = _imported(by, sheet, found.header, checked, actor or user())
    if as_json:
        _write(len(checked.accepted), done)
    else:
        _show(sheet, len(checked.accepted), done, check_only=check_only)
    raise typer.Exit(0 if done.whole else 1)


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise ConfigurationError(f"{file} has more than {LARGEST_FILE} bytes: this is no such table")
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error


def _imported(by: Taking, sheet: Sheet, header: bytes, checked: Checked, actor: str) -> _Done:
    rows, faults = checked.accepted, list(checked.faults)
    taken: list[dict[str, Any]] = []
    with progress() as bar:
        task = bar.add_task("rows", total=len(rows))
        for part in _parts(rows):
            text = b"\n".join([header, *(row.raw for row in part)]).decode()
            told = by.take(Rows(sheet.name, text, [row.number for row in part], actor))
            taken += told["rows"]
            # A program with other mappings may refuse what is in order here.
            faults += [Fault(**fault) for fault in told["faults"]]
            bar.update(task, advance=len(part))
        waiting = _waited(by, sheet, bar, sum(len(row["messages"]) for row in taken))
    return _Done(taken, faults, by.listed(sheet.site, "held"), waiting)


def _waited(by: Taking, sheet: Sheet, bar: Progress, sent: int) -> int:
    """How many messages are not converted when no more are: they wait behind a held one, or nobody converts them."""
    task = bar.add_task("messages", total=sent)
    before, since = -1, time.monotonic()
    while left := len(by.listed(sheet.site, "received")):
        if left != before:
            before, since = left, time.monotonic()
        patience = BEHIND_SECONDS if by.listed(sheet.site, "held") else WAIT_SECONDS
        if time.monotonic() - since > patience:
            break
        bar.update(task, completed=max(0, sent - left))
        by.go_on()
    bar.update(task, completed=max(0, sent - left))
    return left


def _parts(rows: Sequence[Accepted]) -> Iterator[list[Accepted]]:
    part: list[Accepted] = []
    size = 0
    for row in rows:
        if part and (len(part) == AT_ONCE or size + len(row.raw) > BYTES_AT_ONCE):
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row.raw)
    yield part


def _show(sheet: Sheet, in_order: int, done: _Done, *, check_only: bool) -> None:
    if news := [row for row in done.rows if row["outcome"] != UNCHANGED]:
        told = Shown("row", sheet.key, "outcome", "messages", title=f"Imported: {sheet.name}")
        for row in news:
            told.add_row(str(row["row"]), shown(row["key"]), row["outcome"], ", ".join(map(str, row["messages"])))
        OUT.print(told)
    if done.faults:
        told = Shown("row", sheet.key, "column", "what is wrong", "mended by", title="Refused")
        for fault in done.faults:
            cells = (str(fault.row), fault.key or "?", fault.column or "the row", fault.text, fault.mender)
            told.add_row(*(shown(cell) for cell in cells))
        ERR.print(told)
    for number in (number for row in done.rows if row["outcome"] == REFUSED for number in row["messages"]):
        ERR.print(f"a message of the import was refused, see: adapter message {number}", markup=False)
    for message in done.held:
        ERR.print(f"message {message['id']} is held: {message['cause_code']} {message['cause']}", markup=False)
    counts = Counter(row["outcome"] for row in done.rows)
    said = [f"{count} {outcome}" for outcome, count in sorted(counts.items())] or (
        [f"{in_order} in order"] if check_only else ["none imported"]
    )
    rows = len(done.rows) if done.rows else in_order
    OUT.print(f"{rows + done.refused} rows: {', '.join(said)}, {done.refused} refused")
    if done.waiting:
        ERR.print(f"{done.waiting} messages of {sheet.site} are not converted yet: adapter messages --state received")


def _write(in_order: int, done: _Done) -> None:
    faults = [asdict(fault) for fault in done.faults]
    held = [message["id"] for message in done.held]
    found = {"in_order": in_order, "refused": done.refused, "faults": faults}
    sys.stdout.buffer.write(json.dumps({**found, "rows": done.rows, "held": held, "waiting": done.waiting}) + b"\n")
