"""The database: SQLite in a folder, or PostgreSQL; transactions, and statements at the level of the driver.

SQLite (reliability: power-cut trials): WAL with synchronous=FULL, and one connection that both writes and
checkpoints, because SQLite before 3.51.3 may lose commits when several do; the others only read. One process.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import QueuePool, StaticPool

from adapter.errors import ConfigurationError, StorageUnavailable
from adapter.store.migrations import upgrade
from adapter.store.turns import Turns

ARRIVED = "adapter_message_arrived"
"""PostgreSQL channel, and the mark on a connection, that say: a message waits for a worker."""

_USELESS = tuple(
    getattr(driver, name)
    for driver in (sqlite3, psycopg)
    for name in ("DataError", "ProgrammingError", "NotSupportedError")
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LOCK_SECONDS = 3.0
_POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 24, "pool_timeout": _LOCK_SECONDS}
_COMMON = ("PRAGMA busy_timeout = 3000", "PRAGMA temp_store = MEMORY")
_WRITER = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -65536",
    "PRAGMA wal_autocheckpoint = 4000",
    *_COMMON,
)
_READER = (*_COMMON, "PRAGMA wal_autocheckpoint = 0", "PRAGMA query_only = ON")


class Database:
    """An open database; made by `open_database`."""

    def __init__(self, writer: Engine, reader: Engine, resources: ExitStack) -> None:
        """Keep the engines, which are one on PostgreSQL, and what is to be released at the end."""
        self.dialect = writer.dialect.name
        self._writer, self._reader, self._resources = writer, reader, resources
        self._turn = Turns()
        self._arrived = threading.Event()
        self._listening: psycopg.Connection[Any] | None = None

    @contextmanager
    def write(self) -> Generator[Connection]:
        """One transaction: committed at the end, rolled back by an exception.

        On SQLite all writers take turns.

        Raises:
            StorageUnavailable: the database failed, or no turn came within three seconds.
        """
        with ExitStack() as stack:
            if self.dialect == "sqlite":
                stack.enter_context(self._my_turn())
            with _failures(), self._writer.begin() as connection:
                yield connection
                arrived = connection.info.pop(ARRIVED, False)
        if arrived:
            self._arrived.set()

    @contextmanager
    def read(self) -> Generator[Connection]:
        """One view of the database that no write disturbs.

        Raises:
            StorageUnavailable: the database failed.
        """
        with _failures(), self._reader.begin() as connection:
            yield connection

    @property
    def others_wait(self) -> bool:
        """Whether somebody waits for a turn to write; never on PostgreSQL, where many write at once."""
        return self._turn.wanted

    def wait(self, seconds: float) -> None:
        """Return when a message has arrived, at the latest after `seconds`."""
        if self.dialect == "sqlite":
            self._arrived.wait(seconds)
            self._arrived.clear()
            return
        try:
            for _ in self._listener().notifies(timeout=seconds, stop_after=1):
                return
        except psycopg.OperationalError:
            # PostgreSQL is away (F14): the worker polls until it is back.
            self._listening = None
            self._arrived.wait(seconds)

    def close(self) -> None:
        """Release everything; on SQLite the writing connection goes after the readers, and checkpoints."""
        if self._listening:
            self._listening.close()
        self._resources.close()

    @contextmanager
    def _my_turn(self) -> Generator[None]:
        if not self._turn.acquire(timeout=_LOCK_SECONDS):
            raise StorageUnavailable(f"the database was busy for {_LOCK_SECONDS:.0f} s")
        try:
            yield
        finally:
            self._turn.release()

    def _listener(self) -> psycopg.Connection[Any]:
        if self._listening is None:
            url = self._writer.url.set(drivername="postgresql").render_as_string(hide_password=False)
            self._listening = psycopg.connect(url, autocommit=True)
            self._listening.execute(f"LISTEN {ARRIVED}")
        return self._listening


def open_database(url: str) -> Database:
    """Open the database, made or migrated to the present schema.

    Args:
        url: `sqlite:///FOLDER/adapter.db` or `postgresql+psycopg://USER:PASSWORD@HOST/NAME`.

    Raises:
        ConfigurationError: another URL, or another process has this SQLite file open (F13).
        StorageUnavailable: the database cannot be opened.
    """
    parsed = _parsed(url)
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return _open_sqlite(Path(parsed.database))
        case "postgresql":
            return _open_postgresql(parsed.set(drivername="postgresql+psycopg"))
        case _:
            raise ConfigurationError("the database is sqlite:///FOLDER/adapter.db or postgresql+psycopg://…")


def look_into(url: str) -> Database:
    """Open a database only to read it, beside the process that writes it.

    Raises:
        ConfigurationError: another URL, or there is no such database.
        StorageUnavailable: the database cannot be opened.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "postgresql":
        return _open_postgresql(parsed.set(drivername="postgresql+psycopg"))
    file = Path(parsed.database or "")
    if not file.is_file():
        raise ConfigurationError(f"there is no database {file}")
    reader = _sqlite_engine(file, _READER, "BEGIN", {"poolclass": QueuePool} | _POOL)
    return Database(reader, reader, ExitStack())


def rows(connection: Connection, sql: str, values: Sequence[Any] = ()) -> Sequence[Any]:
    """Run one statement, written with `?`, and return its rows as tuples."""
    return _cursor(connection).execute(_in_dialect(connection.dialect.name, sql), tuple(values)).fetchall()


def run(connection: Connection, sql: str, values: Sequence[Any] = ()) -> int:
    """Run one statement that returns no rows; return how many rows it changed."""
    return _cursor(connection).execute(_in_dialect(connection.dialect.name, sql), tuple(values)).rowcount


def run_many(connection: Connection, sql: str, values: Sequence[tuple[Any, ...]]) -> int:
    """Run one statement for each tuple of values; return how many rows were changed in all."""
    if not values:
        return 0
    cursor = _cursor(connection)
    cursor.executemany(_in_dialect(connection.dialect.name, sql), values)
    return cursor.rowcount


def refused(failure: StorageUnavailable) -> bool:
    """True where the database works, and what it was given is of no use to it: trying again would change nothing."""
    return isinstance(failure.__cause__, _USELESS)


def marks(values: Sequence[object]) -> str:
    """As many placeholders as there are values: `?,?,?`."""
    return ",".join("?" * len(values))


def micros(instant: datetime) -> int:
    """An instant as the tables hold it."""
    return (instant - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """An instant of the tables, in UTC."""
    return _EPOCH + value * _MICROSECOND


def now_micros(connection: Connection) -> int:
    """The one clock that all workers share: the database's (leases: F25, F26)."""
    if connection.dialect.name == "sqlite":
        return time.time_ns() // 1000
    return rows(connection, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")[0][0]


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise ConfigurationError("the database URL is not understood") from None


def _cursor(connection: Connection) -> Any:
    """A cursor of the driver: SQLAlchemy keeps transactions and connections, and would cost more than the statement."""
    return connection.connection.cursor()


@lru_cache(maxsize=1024)
def _in_dialect(dialect: str, sql: str) -> str:
    return sql if dialect == "sqlite" else sql.replace("?", "%s")


@contextmanager
def _failures() -> Generator[None]:
    """Turn the driver's errors into ours; their texts may hold values, so only their names are kept."""
    try:
        yield
    except (DBAPIError, sqlite3.Error, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or type(cause).__name__
        raise StorageUnavailable(f"the database failed: {name}") from cause
    except NoConnectionFree as error:
        raise StorageUnavailable("no connection to the database was free") from error


def _open_sqlite(file: Path) -> Database:
    with ExitStack() as stack, _failures():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_only_process(file))
        except OSError as error:
            raise StorageUnavailable(f"{file.parent} cannot be written: {error.strerror}") from error
        writer = _sqlite_engine(file, _WRITER, "BEGIN IMMEDIATE", {"poolclass": StaticPool})
        stack.callback(writer.dispose)
        reader = _sqlite_engine(file, _READER, "BEGIN", {"poolclass": QueuePool} | _POOL)
        stack.callback(reader.dispose)
        with writer.begin() as connection:
            upgrade(connection)
            # This is the only process: whoever held a lease is dead.
            run(connection, "UPDATE message SET lease_owner = NULL, lease_until = NULL WHERE lease_owner IS NOT NULL")
        return Database(writer, reader, stack.pop_all())


def _sqlite_engine(file: Path, pragmas: Sequence[str], begin: str, pool: dict[str, Any]) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, cached_statements=256)
        for pragma in pragmas:
            connection.execute(pragma)
        return connection

    engine = create_engine("sqlite://", creator=connect, hide_parameters=True, **pool)

    # The driver's own transactions begin too late, and not at all for reads.
    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql(begin)

    return engine


def _open_postgresql(url: URL) -> Database:
    with ExitStack() as stack, _failures():
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, **_POOL)
        stack.callback(engine.dispose)
        with engine.begin() as connection:
            upgrade(connection)
        return Database(engine, engine, stack.pop_all())


@contextmanager
def _only_process(file: Path) -> Generator[None]:
    """Hold the lock beside the file, which names its holder.

    Raises:
        ConfigurationError: another process holds it (F13).
    """
    lock = file.with_name(file.name + ".lock").open("a+", encoding="utf-8")
    with lock:
        _lock(lock, file)
        yield


def _lock(lock: TextIO, file: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise ConfigurationError(f"{file} is in use: held by {lock.read().strip() or 'another process'}") from None
    lock.truncate(0)
    lock.write(f"pid {os.getpid()} since {datetime.now(UTC).isoformat(timespec='seconds')}\n")
    lock.flush()
