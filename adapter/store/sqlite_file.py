"""The SQLite file: its pragmas, its one process, and who else has it.

WAL with synchronous=FULL, and one connection that both writes and checkpoints, because SQLite before 3.51.3 may lose
commits when several do (F12); the others only read (reliability: power-cut trials).
"""

import fcntl
import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from adapter.errors import DatabaseInUse

LOCK_SECONDS = 3.0
_COMMON = (f"PRAGMA busy_timeout = {LOCK_SECONDS * 1000:.0f}", "PRAGMA temp_store = MEMORY")
WRITER = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -65536",
    "PRAGMA wal_autocheckpoint = 4000",
    *_COMMON,
)
READER = (*_COMMON, "PRAGMA wal_autocheckpoint = 0", "PRAGMA query_only = ON")


def writer(file: Path) -> Engine:
    """The one connection that writes and checkpoints."""
    return _engine(
        f"{file.absolute().as_uri()}?mode=rwc", WRITER, begin="BEGIN IMMEDIATE", pool={"poolclass": StaticPool}
    )


def reader(file: Path, pool: dict[str, Any]) -> Engine:
    """Connections that cannot write, nor checkpoint when the last of them is closed (F12)."""
    return _engine(f"{file.absolute().as_uri()}?mode=ro", READER, begin="BEGIN", pool={"poolclass": QueuePool} | pool)


def _engine(uri: str, pragmas: Sequence[str], *, begin: str, pool: dict[str, Any]) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        for pragma in pragmas:
            connection.execute(pragma)
        return connection

    made = create_engine("sqlite://", creator=connect, hide_parameters=True, **pool)

    # The driver's own transactions begin too late, and not at all for reads; SQLAlchemy's statements cost more.
    @event.listens_for(made, "begin")
    def start(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.connection.cursor().execute(begin)

    return made


@contextmanager
def only_process(file: Path) -> Generator[None]:
    """Hold the lock beside the file, which names its holder.

    Raises:
        DatabaseInUse: another process holds it (F13).
        OSError: the folder cannot be written (F9).
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(file.name + ".lock").open("a+", encoding="utf-8") as lock:
        _lock(lock, file)
        yield


def holders(file: Path) -> list[int]:
    """The other processes that hold a lock on the database, as far as the system tells (Linux: /proc/locks; F10)."""
    try:
        places = {(one.st_dev, one.st_ino) for one in map(os.stat, _parts(file))}
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    held = {int(pid) for pid, place in map(_held, lines) if place in places}
    return sorted(held - {os.getpid(), 0, -1})


def wal_bytes(file: Path) -> int:
    """The size of the WAL: it grows while somebody reads for long (F30)."""
    wal = file.with_name(file.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0


def _parts(file: Path) -> list[Path]:
    return [one for one in (file, file.with_name(file.name + "-shm")) if one.exists()]


def _held(line: str) -> tuple[str, tuple[int, int]]:
    """Process, and device and inode: `1: POSIX  ADVISORY  WRITE 812 fe:01:393229 120 120`."""
    words = [word for word in line.split() if word != "->"]
    major, minor, inode = words[5].split(":")
    return words[4], (os.makedev(int(major, 16), int(minor, 16)), int(inode))


def _lock(lock: TextIO, file: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise DatabaseInUse(f"{file} is in use: held by {lock.read().strip() or 'another process'}") from None
    lock.truncate(0)
    lock.write(f"pid {os.getpid()} since {datetime.now(UTC).isoformat(timespec='seconds')}\n")
    lock.flush()
