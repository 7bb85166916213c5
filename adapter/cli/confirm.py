"""`adapter confirm`: a person says that what the trial's rules derived is so."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from adapter.cli import repairing as options
from adapter.cli.importing import taking
from adapter.cli.terminal import ERR, OUT, shown
from adapter.fhir import json
from adapter.operate.confirming import FINAL, PRELIMINARY, Order, Wanted, listing
from adapter.operate.imports import REFUSED
from adapter.request_errors import BadParameter
from adapter.settings import Settings, load_settings
from adapter.stock import Stock
from adapter.store.database import look_into

Facts = Annotated[
    list[str] | None,
    typer.Argument(help="Numbers (ATLI-07/IND1/CRS-GRADE) or ids of facts; without any, those that wait are listed."),
]
Subject = Annotated[str, typer.Option(help="List only those of this subject: ATLI-07.")]
Fact = Annotated[str, typer.Option(help="List only this kind: CRS-GRADE, RESPONSE, TRM60 …")]
By = Annotated[str, typer.Option(help="Who confirms: role and initials, as data-manager/WH.")]
Reason = Annotated[str, typer.Option(help="Why, in words: chart reviewed. It is kept with the confirmation.")]
AreFinal = Annotated[bool, typer.Option("--final", help="List those that are confirmed, not those that wait.")]


def confirm(
    facts: Facts = None,
    subject: Subject = "",
    fact: Fact = "",
    by: By = "",
    reason: Reason = "",
    data: options.Data = None,
    database_url: options.Url = None,
    url: options.Program = "",
    *,
    final: AreFinal = False,
    as_json: options.AsJson = False,
) -> None:
    """List what the trial's rules derived, and confirm it.

    A derived fact (an Observation of the code system tli-derived) is `preliminary` until a person confirms it. What is
    confirmed is the value that is stored now: the fact becomes `final`, and names who and why. It stays final while the
    rules derive this value, through late results, replays and new rules; when they derive another, it is preliminary
    again and `adapter queries --rule confirmation-outdated` asks about it.

    The confirmation is kept as a message like a hospital's: `adapter messages --site CONFIRMATIONS`. Works beside the
    running program, which then derives the facts anew within some seconds. Shows patients' data.

    The exit code is 0, or 1 where a confirmation was refused.

    [dim]adapter confirm --data adapter-data --subject ATLI-07[/]
    [dim]adapter confirm ATLI-07/IND1/CRS-GRADE --by data-manager/WH --reason "chart reviewed" --data adapter-data[/]
    """
    settings = load_settings(data=data, database_url=database_url)
    if not facts:
        if by or reason:
            raise BadParameter("--by and --reason are for facts, by their numbers: `adapter confirm` lists them")
        if url:
            raise BadParameter("--url is for confirming; elsewhere GET /operator/proposals lists")
        _list(settings, Wanted(subject, fact, FINAL if final else PRELIMINARY), as_json=as_json)
        return
    with taking(settings, Stock.load(), url=url) as by_whom:
        told = by_whom.confirm(Order(facts, by, reason))["facts"]
    _show_confirmed(told, as_json=as_json)
    raise typer.Exit(int(any(one["outcome"] == REFUSED for one in told)))


def _list(settings: Settings, wanted: Wanted, *, as_json: bool) -> None:
    database = look_into(settings.database)
    try:
        with database.read() as connection:
            found = list(listing(connection, wanted))
    finally:
        database.close()
    if as_json:
        _write(found)
        return
    table = Table("fact", "value", "day", "notes")
    for one in found:
        cells = (one["number"], one["value"], one["day"] or "", "; ".join(one["notes"]))
        table.add_row(*(shown(cell) for cell in cells))
    if found:
        OUT.print(table)
    OUT.print(f"{len(found)} facts are {wanted.status}")


def _show_confirmed(told: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        _write(told)
        return
    for one in told:
        line = f"{one['number']} {one['outcome']}: {one['value']}"
        if one["outcome"] == REFUSED:
            ERR.print(f"{line}, see: adapter message {one['message']}", markup=False)
        else:
            OUT.print(line, markup=False)


def _write(found: Sequence[dict[str, Any]]) -> None:
    for one in found:
        sys.stdout.buffer.write(json.dumps(one) + b"\n")
