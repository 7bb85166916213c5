"""`adapter incidents`: what is not as it should be, since when, and who mends it."""

import sys
from typing import Annotated

import typer
from rich.table import Table

from adapter.cli import repairing as options
from adapter.cli.terminal import OUT, shown
from adapter.fhir import json
from adapter.operate.messages import open_incidents
from adapter.settings import load_settings
from adapter.store.database import look_into


def incidents(
    data: options.Data = None,
    database_url: options.Url = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Lines.")] = 100,
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show the open incidents; each has one beginning and one end. Works beside the running program.

    The exit code is 1 while an incident is open, so that a script can ask. What each kind means: docs/operating.md.
    """
    database = look_into(load_settings(data=data, database_url=database_url).database)
    try:
        with database.read() as connection:
            found = open_incidents(connection, every=every, limit=limit)
    finally:
        database.close()
    if as_json:
        sys.stdout.buffer.write(b"".join(json.dumps(one) + b"\n" for one in found))
    elif found:
        table = Table("since", "until", "kind", "site", "listener", "peer", "times", "what", "mended by")
        for one in found:
            what = f"{one['text']}; {one['detail']}" if one["detail"] else one["text"]
            times = (one["started_at"][:19], (one["ended_at"] or "")[:19])
            where = (one["kind"], one["site"], one["channel"], one["peer"])
            table.add_row(*times, *map(shown, where), str(one["count"]), shown(what), one["mender"])
        OUT.print(table)
    else:
        OUT.print("no incident is open")
    raise typer.Exit(1 if any(one["ended_at"] is None for one in found) else 0)
