"""`adapter messages`: what came in, where it is, and who mends what is not well."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from adapter.cli.terminal import OUT
from adapter.settings import load_settings
from adapter.store import figures, inbox
from adapter.store.database import look_into

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
    data: Annotated[Path | None, typer.Option(help="The data folder (ADAPTER_DATA).")] = None,
    database_url: Annotated[str | None, typer.Option(help="The database (ADAPTER_DATABASE_URL).")] = None,
    site: Annotated[str, typer.Option(help="Only this hospital.")] = "",
    state: Annotated[
        str, typer.Option(help="Only this state: received, mapped, unmapped, ignored, held, rejected.")
    ] = "",
    before: Annotated[int | None, typer.Option(help="Only messages before this number, for the next page.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Lines.")] = 20,
) -> None:
    """Show the messages by state, what was doubtful, and the newest messages with cause and who mends it.

    Works beside a running `adapter serve`. Contents are not shown.

    [dim]adapter messages --data adapter-data --state rejected[/]
    """
    settings = load_settings(data=data, database_url=database_url)
    filters = {name: value for name, value in (("site", site), ("state", state)) if value}
    database = look_into(settings.database)
    try:
        with database.read() as connection:
            counted = figures.messages(connection)
            listed = inbox.listing(connection, filters, before=before, limit=limit)
            events = inbox.events(connection, limit=EVENTS_SHOWN)
            doubts = figures.findings(connection, unread=False, limit=DOUBTS_SHOWN)
    finally:
        database.close()
    _counts(counted)
    _events(events)
    _doubts(doubts)
    for one in listed:
        _line(one)
    if len(listed) == limit:
        OUT.print(f"further lines: --before {listed[-1].id}")


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


def _line(one: inbox.Listed) -> None:
    received = one.received_at.isoformat(sep=" ", timespec="seconds")
    answer = f"answered {one.ack_code}" if one.ack_code else "not answered"
    kind = f"{one.message_type}^{one.event}"
    OUT.print(
        f"{one.id:>7}  {received}  {one.site}  {_shown(kind)}  {_shown(one.control_id)}"
        f"  [bold]{one.state}[/]  {answer}",
        highlight=False,
        soft_wrap=True,
    )
    if one.cause:
        OUT.print(f"         {one.cause_code} {one.cause}\n         to be mended by: {one.mender}", markup=False)


def _shown(text: str) -> str:
    """What a sender wrote, as it is: no markup, and nothing that a terminal would obey."""
    return escape("".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text))


def _counts(counted: list[inbox.Count]) -> None:
    states = sorted({one.state for one in counted})
    table = Table("site", *states, title="Messages by state")
    for site in sorted({one.site for one in counted}):
        numbers = (sum(one.messages for one in counted if (one.site, one.state) == (site, state)) for state in states)
        table.add_row(site, *map(str, numbers))
    OUT.print(table)
