"""`adapter messages`: what came in, where it is, and who mends what is not well."""

import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from adapter.cli import repairing as options
from adapter.cli.terminal import OUT, shown
from adapter.fhir import json
from adapter.operate import messages as operate
from adapter.operate.asked import asked_for
from adapter.settings import load_settings
from adapter.store import figures, inbox
from adapter.store.database import Connection, look_into

EVENTS_SHOWN = 5
DOUBTS_SHOWN = 10
HOSPITAL = "sending hospital"
ANALYST = "analyst who edits mappings/"
EVENTS = {
    "partial": ("a frame that never ended", "sending hospital, or the network between"),
    "garbage": ("bytes without a frame; the connection was closed", HOSPITAL),
    "noise": ("bytes between frames", HOSPITAL),
    "acknowledgement": ("an acknowledgement that nobody waits for", HOSPITAL),
}
"""Kinds of connection events: what each means, and who mends it (docs/states.md)."""


def messages(
    data: options.Data = None,
    database_url: options.Url = None,
    site: options.SiteName = "",
    state: options.StateName = "",
    message_type: options.TypeName = "",
    since: options.Since = "",
    until: options.Until = "",
    control_id: options.ControlId = "",
    cause: options.Cause = "",
    flag: options.Flag = "",
    lane: options.Lane = "",
    before: Annotated[int | None, typer.Option(help="The last number of the page before, for the next one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Lines.")] = 20,
    *,
    as_json: options.AsJson = False,
) -> None:
    """Show the newest messages with cause and who mends it; without a filter also counts, events and doubts.

    Works beside a running `adapter serve`. Contents are not shown: `adapter message NUMBER`. With --json one object a
    line.

    [dim]adapter messages --data adapter-data --state held --type ORU^R01 --since 2026-03-01T08:00[/]
    """
    said = {"site": site, "state": state, "type": message_type, "since": since, "until": until}
    said |= {"control_id": control_id, "cause": cause, "flag": flag, "lane": lane}
    asked = asked_for({name: text for name, text in said.items() if text})
    settings = load_settings(data=data, database_url=database_url)
    database = look_into(settings.database)
    try:
        with database.read() as connection:
            if asked.is_empty and before is None and not as_json:
                _summary(connection)
            listed = operate.page(connection, asked, before=before, limit=limit)
    finally:
        database.close()
    if as_json:
        sys.stdout.buffer.write(b"".join(json.dumps(one) + b"\n" for one in listed))
        return
    for one in listed:
        line(one)
    if len(listed) == limit:
        OUT.print(f"further lines: --before {listed[-1]['id']}")


def line(one: dict[str, Any]) -> None:
    """Print one message of a list."""
    received = one["received_at"].replace("T", " ").partition(".")[0].partition("+")[0]
    answer = f"answered {one['ack_code']}" if one["ack_code"] else "not answered"
    flags = f"  [{' '.join(one['flags'])}]" if one.get("flags") else ""
    OUT.print(
        f"{one['id']:>7}  {received}+00:00  {one['site']}  {shown(one['type'])}  {shown(one['control_id'])}"
        f"  [bold]{one['state']}[/]  {answer}{shown(flags)}",
        highlight=False,
        soft_wrap=True,
    )
    if one["cause"]:
        OUT.print(
            f"         {one['cause_code']} {one['cause']}\n         to be mended by: {one['mender']}", markup=False
        )


def _summary(connection: Connection) -> None:
    _counts(figures.messages(connection))
    _events(inbox.events(connection, limit=EVENTS_SHOWN))
    _doubts(figures.findings(connection, unread=False, limit=DOUBTS_SHOWN))


def _events(events: list[inbox.Event]) -> None:
    for one in events:
        meaning, mender = EVENTS[one.kind]
        received = one.received_at.isoformat(sep=" ", timespec="seconds")
        OUT.print(f"{received}  {one.peer}  {one.kind}: {meaning}\n         to be mended by: {mender}", markup=False)


def _doubts(doubts: list[figures.Finding]) -> None:
    """What was accepted and converted, and is not as it should be."""
    if not doubts:
        return
    table = Table("site", "message", "field", "times", "what", "mended by", title="Accepted, with doubts")
    for one in doubts:
        mender = ANALYST if one.kind.startswith(("unmapped", "unknown")) else HOSPITAL
        table.add_row(one.site, one.structure, one.path, str(one.count), one.text, mender)
    OUT.print(table)


def _counts(counted: list[inbox.Count]) -> None:
    states = sorted({one.state for one in counted})
    table = Table("site", *states, title="Messages by state")
    for site in sorted({one.site for one in counted}):
        numbers = (sum(one.messages for one in counted if (one.site, one.state) == (site, state)) for state in states)
        table.add_row(site, *map(str, numbers))
    OUT.print(table)
