"""`adapter serve`: the service."""

from pathlib import Path
from typing import Annotated

import typer

from adapter.app import run
from adapter.settings import load_settings


def serve(
    data: Annotated[Path | None, typer.Option(help="Folder for the data (ADAPTER_DATA).")] = None,
    mllp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="MLLP listener (ADAPTER_MLLP).")] = None,
    http: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="HTTP: /fhir, /hl7 (ADAPTER_HTTP).")] = None,
    listeners: Annotated[Path | None, typer.Option(help="File of listeners (ADAPTER_LISTENERS).")] = None,
    database_url: Annotated[str | None, typer.Option(help="Another database (ADAPTER_DATABASE_URL).")] = None,
) -> None:
    """Receive, convert and serve, in one process, until Ctrl-C.

    Hospitals send to the MLLP listener, or by POST to /hl7; FHIR R4 is read under /fhir. Without a database URL
    everything is in DATA, on SQLite. All settings: docs/settings.md.

    [dim]adapter serve --data adapter-data --mllp 127.0.0.1:2575 --http 127.0.0.1:8080[/]
    """
    run(load_settings(data=data, mllp=mllp, http=http, listeners=listeners, database_url=database_url))
