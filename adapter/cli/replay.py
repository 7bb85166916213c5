"""`adapter replay`: messages are converted again by the present mappings; what they say differently is written."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from adapter.cli import repairing as options
from adapter.cli.replaying import replaying
from adapter.cli.running import user
from adapter.cli.terminal import ERR, OUT, progress, shown
from adapter.errors import ConfigurationError
from adapter.fhir import json
from adapter.operate.replays import Order, Replays, selected
from adapter.replay.trial import DryRun
from adapter.replay.whole import Compared, into
from adapter.request_errors import BadParameter
from adapter.settings import Settings, load_settings
from adapter.stock import Stock
from adapter.store.database import look_into, open_database
from adapter.store.replays import OPEN, Selection

MOST_ELEMENTS = 30
STOPPED = 130
"""Exit code of what Ctrl-C ended."""

First = Annotated[str, typer.Option(help="Only messages from this number on.")]
Last = Annotated[str, typer.Option(help="Only messages up to this number.")]
Lane = Annotated[str, typer.Option(hidden=True)]
Mappings = Annotated[Path | None, typer.Option(help="Other mappings than those of this installation; not with --yes.")]
DryRunOnly = Annotated[bool, typer.Option("--dry-run", help="Only say what would change; so it is without --yes.")]
Values = Annotated[bool, typer.Option("--show-values", help="Show examples with their values: patients' data.")]
Into = Annotated[
    Path | None, typer.Option("--into", help="Replay the whole log into a new store in this folder, and compare.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the replay that was stopped.")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options say."""

    settings: Settings
    stock: Stock
    selection: Selection
    reason: str
    actor: str
    url: str
    as_json: bool


def replay(
    site: options.SiteName = "",
    state: options.StateName = "",
    message_type: options.TypeName = "",
    since: options.Since = "",
    until: options.Until = "",
    control_id: options.ControlId = "",
    cause: options.Cause = "",
    flag: options.Flag = "",
    lane: Lane = "",
    first: First = "",
    last: Last = "",
    mappings: Mappings = None,
    into_folder: Into = None,
    reason: options.Reason = "",
    actor: options.Actor = "",
    data: options.Data = None,
    database_url: options.Url = None,
    url: options.Program = "",
    *,
    dry_run: DryRunOnly = False,
    yes: options.Yes = False,
    resume: Resume = False,
    show_values: Values = False,
    as_json: options.AsJson = False,
) -> None:
    """Convert messages again by the present mappings, and write only what they now say differently.

    Shows what would change: how many messages, patients and resources, and which elements; `--yes --reason TEXT` does
    it. A resource is made anew from all messages that speak of it; one that none speaks of any more is removed. Ctrl-C
    stops, `--resume` goes on. Messages that are held are for `adapter requeue`. Works beside the running program, which
    must have been started with the same mappings. Without a filter all messages are meant.

    [dim]adapter replay --type 'ORU^R01' --site FAHZU --since 2026-03-01T08:00[/]
    """
    said = {"site": site, "state": state, "type": message_type, "since": since, "until": until, "lane": lane}
    said |= {"control_id": control_id, "cause": cause, "flag": flag, "first": first, "last": last}
    selection = selected({name: text for name, text in said.items() if text})
    _fits(yes=yes or resume, dry_run=dry_run, mappings=mappings, reason=reason or ("-" if resume else ""))
    settings = load_settings(data=data, database_url=database_url)
    asked = _Asked(settings, Stock.load(mappings), selection, reason, actor or user(), url, as_json)
    if into_folder is not None:
        _into(asked, into_folder)
    elif yes or resume:
        _carry_out(asked, resume=resume)
    else:
        _dry_run(asked, values=show_values)


def _fits(*, yes: bool, dry_run: bool, mappings: Path | None, reason: str) -> None:
    if yes and dry_run:
        raise BadParameter("--dry-run changes nothing: leave --yes and --resume away")
    if yes and mappings:
        raise BadParameter("--mappings is for a dry run: what is stored follows from the mappings of the installation")
    if yes and not reason.strip():
        raise BadParameter("--yes needs --reason: it is kept with the replay")


def _dry_run(asked: _Asked, *, values: bool) -> None:
    database = look_into(asked.settings.database)
    try:
        run = DryRun(database, asked.stock.present())
        with progress() as bar:
            task = bar.add_task("dry run", total=None)
            found = run.run(
                asked.selection,
                datetime.now(UTC),
                progress=lambda done, total: bar.update(task, completed=done, total=total),
                values=values,
            )
    finally:
        database.close()
    if asked.as_json:
        sys.stdout.buffer.write(json.dumps(found) + b"\n")
        return
    _would(found, values=values)
    OUT.print("nothing was changed; to do it: --yes --reason TEXT", markup=False)


def _would(found: dict[str, Any], *, values: bool) -> None:
    OUT.print(f"mappings {found['mapping']}: {found['messages']} messages, {found['differ']} differ", markup=False)
    kinds = found["resources"]
    OUT.print(
        f"resources of {found['patients']} patients: {kinds['new']} new, {kinds['changed']} changed, "
        f"{kinds['removed']} removed",
        markup=False,
    )
    _of_messages(found["states"] | found["failed"], left=found["left"], held=found["held"])
    if found["types"]:
        table = Table("type", "what", "resources")
        for one in found["types"]:
            table.add_row(one["type"], one["what"], str(one["resources"]))
        OUT.print(table)
    if found["elements"]:
        _elements(found["elements"], values=values)


def _elements(elements: list[dict[str, Any]], *, values: bool) -> None:
    table = Table("element", "what", "resources", "example", *(("before", "after") if values else ()))
    for one in elements[:MOST_ELEMENTS]:
        cells = [one["element"], one["what"], str(one["resources"]), one["example"]]
        cells += ["" if one[name] is None else str(one[name]) for name in ("before", "after")] if values else []
        table.add_row(*map(shown, cells))
    OUT.print(table)
    if len(elements) > MOST_ELEMENTS:
        OUT.print(f"and {len(elements) - MOST_ELEMENTS} more elements; --json tells all")


def _of_messages(counted: Mapping[str, int], *, left: int, held: int) -> None:
    for name, number in counted.items():
        text = f"become {name}" if name in {"mapped", "unmapped"} else f"cannot be converted ({name}): left as they are"
        OUT.print(f"{number} messages {text}", markup=False)
    if left:
        OUT.print(f"{left} resources are left as they are: a message that speaks of them cannot be converted")
    if held:
        OUT.print(f"{held} messages are held: adapter requeue converts them when their cause is mended")


def _carry_out(asked: _Asked, *, resume: bool) -> None:
    mapping = asked.stock.catalog.version
    try:
        with replaying(asked.settings, asked.stock, url=asked.url) as replays:
            if resume:
                told = replays.go_on(None, mapping)
            else:
                told = replays.begin(Order(asked.selection, mapping, asked.actor, asked.reason))
            told = _to_the_end(replays, told, mapping)
    except KeyboardInterrupt:
        ERR.print("stopped; what is done stays done, and it goes on with: adapter replay --resume", markup=False)
        raise typer.Exit(STOPPED) from None
    if asked.as_json:
        sys.stdout.buffer.write(json.dumps(told) + b"\n")
        return
    kinds = {kind: told["changed"].get(kind, 0) for kind in ("new", "changed", "removed", "patients")}
    OUT.print(
        f"replay {told['replay']}: {told['done']} messages; resources of {kinds['patients']} patients: {kinds['new']} "
        f"new, {kinds['changed']} changed, {kinds['removed']} removed",
        markup=False,
    )
    tally = told["tally"]
    others = {name: number for name, number in tally.items() if name in {"mapped", "unmapped"} or name[:3] == "H2F"}
    _of_messages(others, left=tally.get("left", 0), held=tally["held"])


def _to_the_end(replays: Replays, told: dict[str, Any], mapping: str) -> dict[str, Any]:
    with progress() as bar:
        task = bar.add_task(f"replay {told['replay']}", total=told["messages"])
        while told["state"] == OPEN:
            told = replays.go_on(told["replay"], mapping)
            bar.update(task, completed=told["done"])
    return told


def _into(asked: _Asked, folder: Path) -> None:
    if asked.selection != Selection():
        raise BadParameter("--into replays the whole log: give no filter")
    source = look_into(asked.settings.database)
    try:
        compared = _compared(asked, source, folder)
    finally:
        source.close()
    if asked.as_json:
        said = {"messages": compared.messages, "source": compared.source, "target": compared.target}
        sys.stdout.buffer.write(json.dumps({**said, "same": compared.same, "differing": compared.differing}) + b"\n")
    else:
        OUT.print(f"{compared.messages} messages replayed into {folder}", markup=False)
        OUT.print(f"{compared.source} {asked.settings.data}\n{compared.target} {folder}", markup=False)
        OUT.print("the same" if compared.same else "not the same; the first that differ:")
        for name in compared.differing:
            OUT.print(f"  {name}", markup=False)
    raise typer.Exit(0 if compared.same else 1)


def _compared(asked: _Asked, source: Any, folder: Path) -> Compared:
    if folder.resolve() == asked.settings.data.resolve():
        raise ConfigurationError("--into needs another folder than the data folder")
    folder.mkdir(parents=True, exist_ok=True)
    target = open_database(f"sqlite:///{folder / 'adapter.db'}")
    try:
        with progress() as bar:
            task = bar.add_task("copied and converted", total=None)
            return into(
                source,
                target,
                asked.stock.present(),
                clock=lambda: datetime.now(UTC),
                progress=lambda done: bar.advance(task, done),
            )
    finally:
        target.close()
