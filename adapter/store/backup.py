"""Copies of the SQLite database: made beside the running program, checked, and put back.

A copy is one file with a manifest beside it (`FILE.manifest.json`). Both are written aside, synced and renamed:
whatever dies in between, there is the old copy or the new one, never half of one (F4). The manifest is renamed first
and knows the copy before it too, so that it is true at every moment.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from adapter.errors import ConfigurationError
from adapter.fhir import json
from adapter.store import epochs
from adapter.store.database import open_database

_PAGES = 2048
_COUNTS = "SELECT state, count(*) FROM message GROUP BY state ORDER BY state"

Progress = Callable[[int, int], None]
"""Hears how many pages of how many are copied."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy holds."""

    made_at: str
    program: str
    schema: str
    sha256: str
    bytes: int
    last_id: int
    messages: dict[str, int]
    resources: int


def copy(source: Path, target: Path, *, now: datetime, program: str, progress: Progress | None = None) -> Manifest:
    """Copy a database as it is at one moment, while the program goes on.

    The copy is read in one transaction by a connection that cannot write or checkpoint.

    Raises:
        ConfigurationError: there is no such database, or the target cannot be written.
    """
    if not source.is_file():
        raise ConfigurationError(f"there is no database {source}")
    new = target.with_name(f"{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        _copy_pages(source, new, progress)
        manifest = _describe(new, now, program)
        _sync(new)
        before = [asdict(one) for one in manifests(target)][:1]
        _write(_manifest_file(target), json.dumps([asdict(manifest), *before]))
        new.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be written: {error.strerror}") from error
    return manifest


def manifests(file: Path) -> list[Manifest]:
    """What the manifest beside a copy says: of this copy, and of the one that it may not have replaced yet."""
    try:
        return [Manifest(**one) for one in json.loads(_manifest_file(file).read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def check(file: Path) -> tuple[Manifest, list[str]]:
    """Compare a copy with its manifest, and have SQLite check it.

    Returns:
        Its manifest, and what is wrong; nothing is when the list is empty.

    Raises:
        ConfigurationError: there is no such file, or it has no manifest.
    """
    if not file.is_file():
        raise ConfigurationError(f"there is no copy {file}")
    known = manifests(file)
    if not known:
        raise ConfigurationError(f"{_manifest_file(file)} is missing, so that nobody can say whether the copy is whole")
    sha256 = digest(file)
    manifest = next((one for one in known if one.sha256 == sha256), None)
    if manifest is None:
        return known[0], [f"its SHA-256 is {sha256}, not {known[0].sha256}: the file was changed or is not whole"]
    return manifest, list(_wrong(file, manifest))


def restore(file: Path, database: Path) -> Manifest:
    """Put a copy in the place of a database that is not there, in the present schema and a new epoch of numbers (F27).

    Raises:
        ConfigurationError: the copy is not whole, or there is a database already.
    """
    for there in (database, database.with_name(f"{database.name}-wal")):
        if there.exists():
            raise ConfigurationError(f"{there} is there already: nothing is overwritten; move it away first")
    manifest, wrong = check(file)
    if wrong:
        raise ConfigurationError(f"{file} is not restored: {'; '.join(wrong)}")
    database.parent.mkdir(parents=True, exist_ok=True)
    new = database.with_name(f"{database.name}.new")
    new.unlink(missing_ok=True)
    with file.open("rb") as reading, new.open("wb") as writing:
        while piece := reading.read(1 << 20):
            writing.write(piece)
    opened = open_database(f"sqlite:///{new}")
    with opened.write() as connection:
        epochs.begin(connection)
    opened.close()
    new.with_name(f"{new.name}.lock").unlink()
    _sync(new)
    new.replace(database)
    _sync(database.parent)
    return manifest


def last_seen(file: Path) -> list[dict[str, Any]]:
    """The last message of each site and channel that a copy knows: whatever came later must be sent again (F27)."""
    sql = """SELECT site, channel, max(id), max(received_at) FROM message WHERE id > ? GROUP BY site, channel"""
    with closing(_read(file)) as connection:
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
        found: list[dict[str, Any]] = []
        for site, channel, number, received in connection.execute(sql, [last - _LATEST]):
            (control_id,) = connection.execute("SELECT control_id FROM message WHERE id = ?", [number]).fetchone()
            found.append(
                {"site": site, "channel": channel, "message": number, "control_id": control_id, "received_at": received}
            )
        return found


def sample(file: Path, *, count: int) -> Iterator[tuple[int, str, bytes]]:
    """Some messages that were mapped, spread over the copy: id, site, bytes."""
    with closing(_read(file)) as connection:
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
        step = max(1, last // count)
        for start in range(0, last, step):
            sql = "SELECT id, site, raw FROM message WHERE id > ? AND state = 'mapped' AND part_bytes = 0 LIMIT 1"
            row = connection.execute(sql, [start]).fetchone()
            if row is not None and row[0] <= start + step:
                yield row[0], row[1], row[2]


def holds(file: Path, references: set[str]) -> set[str]:
    """Which of these resources (`Type/id`) a copy holds."""
    with closing(_read(file)) as connection:
        sql = "SELECT 1 FROM resource WHERE id = ? AND resource_type = ?"
        return {one for one in references if connection.execute(sql, one.split("/")[::-1]).fetchone()}


def digest(file: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with file.open("rb") as reading:
        return file_digest(reading, "sha256").hexdigest()


_LATEST = 1_000_000


def _copy_pages(source: Path, new: Path, progress: Progress | None) -> None:
    with closing(_read(source)) as reading, closing(sqlite3.connect(new, isolation_level=None)) as writing:
        # Inside a reading transaction the copy is of one moment, and never begins anew.
        reading.execute("BEGIN")
        reading.execute("SELECT 1 FROM message LIMIT 1").fetchone()

        def told(_status: int, left: int, total: int) -> None:
            if progress:
                progress(total - left, total)

        reading.backup(writing, pages=_PAGES, progress=told)
        # The copy is one file: no log beside it.
        writing.execute("PRAGMA journal_mode = DELETE")


def _describe(file: Path, now: datetime, program: str) -> Manifest:
    with closing(_read(file)) as connection:
        (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
        messages = dict(connection.execute(_COUNTS).fetchall())
        (resources,) = connection.execute("SELECT count(*) FROM resource").fetchone()
    made_at = now.isoformat(timespec="seconds")
    return Manifest(made_at, program, schema, digest(file), file.stat().st_size, last, messages, resources)


def _wrong(file: Path, manifest: Manifest) -> Iterator[str]:
    with closing(_read(file)) as connection:
        for (said,) in connection.execute("PRAGMA integrity_check"):
            if said != "ok":
                yield f"SQLite finds: {said}"
        if (counted := dict(connection.execute(_COUNTS).fetchall())) != manifest.messages:
            yield f"it holds {counted}, not {manifest.messages}"


def _read(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _manifest_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.manifest.json")


def _write(file: Path, content: bytes) -> None:
    new = file.with_name(f"{file.name}.new")
    new.write_bytes(content)
    _sync(new)
    new.replace(file)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
