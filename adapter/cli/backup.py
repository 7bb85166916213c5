"""`adapter backup`: a copy of the database, made while the program runs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli import repairing as options
from adapter.cli.terminal import OUT, progress
from adapter.data import program_version
from adapter.errors import ConfigurationError
from adapter.settings import load_settings
from adapter.store.backup import copy
from adapter.store.database import sqlite_file_of

POSTGRESQL = (
    "PostgreSQL makes its own copies: pg_dump --format=custom --file=adapter.dump DATABASE for one moment, or "
    "pg_basebackup with archived WAL (docs/operating.md)"
)


def backup(
    target: Annotated[Path, typer.Argument(help="A file, or a folder in which the copy is named by the time.")],
    data: options.Data = None,
    database_url: options.Url = None,
) -> None:
    """Copy the SQLite database as it is at this moment; the program goes on receiving.

    The copy is one file with a manifest beside it. An older copy of the same name is replaced only by a whole one.
    With PostgreSQL: says what to run.

    [dim]adapter backup /backups --data adapter-data[/]
    """
    settings = load_settings(data=data, database_url=database_url)
    file = sqlite_file_of(settings.database)
    if file is None:
        raise ConfigurationError(POSTGRESQL)
    now = datetime.now(UTC)
    if target.is_dir():
        target /= f"adapter-{now:%Y%m%dT%H%M%SZ}.db"
    with progress() as bar:
        task = bar.add_task("copying pages", total=None)
        made = copy(
            file,
            target,
            now=now,
            program=program_version(),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    count = sum(made.messages.values())
    OUT.print(f"{target}\n{made.bytes} bytes, {count} messages, {made.resources} resources\nSHA-256 {made.sha256}")
