"""The database: SQLite in a folder, or PostgreSQL; transactions, and statements at the level of the driver."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from adapter.errors import ConfigurationError, StorageBroken, StorageFull, StorageUnavailable
from adapter.store import sqlite_file
from adapter.store.failures import conflicted, failures, refused
from adapter.store.migrations import upgrade
from adapter.store.readings import LONGEST_SECONDS, Readings
from adapter.store.space import Space
from adapter.store.sqlite_file import LOCK_SECONDS
from adapter.store.turns import Turns

__all__ = ["conflicted", "refused"]

ARRIVED = "adapter_message_arrived"
"""PostgreSQL channel, and the mark on a connection, that say: a message waits for a worker."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 24, "pool_timeout": LOCK_SECONDS}
_FEW: dict[str, Any] = {"pool_size": 2, "max_overflow": 6, "pool_timeout": LOCK_SECONDS}


class Database:
    """An open database; made by `open_database`."""

    def __init__(
        self,
        writer: Engine,
        reader: Engine,
        resources: ExitStack,
        *,
        file: Path | None = None,
        writing: Connection | None = None,
    ) -> None:
        """Keep the engines, what is to be released at the end, and on SQLite the file and the one that writes."""
        self.dialect = writer.dialect.name
        self.file = file
        self.broken: StorageBroken | None = None
        self._writer, self._reader, self._resources = writer, reader, resources
        self._writing = writing
        self._turn = Turns()
        self._readings = Readings()
        self._space = Space(file.parent) if file else None
        self._on_break: Callable[[], object] | None = None
        self._arrived = threading.Event()
        self._listening: psycopg.Connection[Any] | None = None

    @contextmanager
    def write(self) -> Generator[Connection]:
        """One transaction: committed at the end, rolled back by an exception.

        On SQLite all writers take turns.

        Raises:
            StorageBroken: SQLite's file or disk is damaged, now or before: nothing is written any more (F8).
            StorageUnavailable: the database failed, or no turn came within three seconds.
        """
        with ExitStack() as stack:
            if self.dialect == "sqlite":
                stack.enter_context(self._my_turn())
            with self._watched(), self._begun() as connection:
                yield connection
                arrived = connection.info.pop(ARRIVED, False)
        if arrived:
            self._arrived.set()

    @contextmanager
    def read(self) -> Generator[Connection]:
        """One view of the database that no write disturbs, for at most a minute (F30).

        Raises:
            StorageUnavailable: the database failed, or reading took too long.
        """
        with self._watched(), self._reader.begin() as connection:
            if self.dialect == "sqlite":
                with self._readings.limited(connection.connection.driver_connection):  # pyright: ignore[reportArgumentType]
                    yield connection
            else:
                yield connection

    @property
    def accepting(self) -> bool:
        """Whether messages may be received: on SQLite its disk must have room (F6, F9)."""
        return self.broken is None and (self._space is None or self._space.enough)

    def on_break(self, tell: Callable[[], object]) -> None:
        """Call `tell`, from any thread, when the storage has failed for good: the process must stop (F8)."""
        self._on_break = tell
        if self.broken:
            tell()

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

    def wake(self) -> None:
        """End a `wait` of this process before its time: on SQLite at once."""
        self._arrived.set()

    def close(self) -> None:
        """Release everything; on SQLite the writing connection goes after the readers, and checkpoints.

        A broken file is left as it is: a checkpoint would sync it again, and believe the answer.
        """
        if self._listening:
            self._listening.close()
        self._readings.close()
        if not self.broken:
            self._resources.close()

    @contextmanager
    def _begun(self) -> Generator[Connection]:
        """A transaction. SQLite's one connection stays: taking it anew costs more than its statements."""
        if self._writing is None:
            with self._writer.begin() as connection:
                yield connection
            return
        try:
            with self._writing.begin():
                yield self._writing
        except BaseException:
            self._writing.connection.rollback()  # what a commit that failed has left open
            raise

    @contextmanager
    def _watched(self) -> Generator[None]:
        if self.broken:
            raise self.broken
        try:
            with failures():
                yield
        except StorageBroken as failure:
            self.broken = failure
            if self._on_break:
                self._on_break()
            raise
        except StorageFull:
            if self._space:
                self._space.note_full()
            raise
        except StorageUnavailable as failure:
            raise self._named(failure) from failure.__cause__

    def _named(self, failure: StorageUnavailable) -> StorageUnavailable:
        """Name the process that locks the file (F10)."""
        if not (self.file and "SQLITE_BUSY" in failure.text):
            return failure
        held = ", ".join(f"pid {number}" for number in sqlite_file.holders(self.file))
        return StorageUnavailable(f"{failure.text}: locked by {held or 'another process'}")

    @contextmanager
    def _my_turn(self) -> Generator[None]:
        if not self._turn.acquire(timeout=LOCK_SECONDS):
            raise StorageUnavailable(f"the database was busy for {LOCK_SECONDS:.0f} s")
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
        ConfigurationError: another URL.
        DatabaseInUse: another process has this SQLite file open (F13).
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


def sqlite_file_of(url: str) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL."""
    parsed = _parsed(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


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
    reader, resources = sqlite_file.reader(file, _POOL), ExitStack()
    resources.callback(reader.dispose)
    return Database(reader, reader, resources, file=file)


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


def _open_sqlite(file: Path) -> Database:
    with ExitStack() as stack, failures():
        try:
            stack.enter_context(sqlite_file.only_process(file))
        except OSError as error:
            raise StorageUnavailable(f"{file.parent} cannot be written: {error.strerror}") from error
        writer = sqlite_file.writer(file)
        stack.callback(writer.dispose)
        reader = sqlite_file.reader(file, _POOL)
        stack.callback(reader.dispose)
        with writer.begin() as connection:
            upgrade(connection)
            # This is the only process: whoever held a lease is dead.
            run(connection, "UPDATE message SET lease_owner = NULL, lease_until = NULL WHERE lease_owner IS NOT NULL")
        writing = stack.enter_context(writer.connect())
        return Database(writer, reader, stack.pop_all(), file=file, writing=writing)


def _open_postgresql(url: URL) -> Database:
    """Intake and workers have connections of their own, so that many readers leave them some (F16)."""
    with ExitStack() as stack, failures():
        writer, reader = _postgresql_engine(url, _FEW), _postgresql_engine(url, _POOL, limit=LONGEST_SECONDS)
        stack.callback(writer.dispose)
        stack.callback(reader.dispose)
        with writer.begin() as connection:
            upgrade(connection)
        return Database(writer, reader, stack.pop_all())


def _postgresql_engine(url: URL, pool: dict[str, Any], *, limit: float = 0) -> Engine:
    """An engine whose transactions may last `limit` seconds (0: for ever), and whose commits wait for the disk."""
    milliseconds = f"{limit * 1000:.0f}"
    options = f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout={milliseconds}"
    engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args={"options": options}, **pool)

    @event.listens_for(engine, "connect")
    def wait_for_the_disk(connection: psycopg.Connection[Any], _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        # Whoever turned it off for the whole server did not mean the inbox; stricter settings stay.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()

    return engine
