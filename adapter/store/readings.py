"""Readers that take too long are cut: while one reads, SQLite's WAL cannot begin anew, and grows (F30)."""

import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from adapter.errors import StorageUnavailable

LONGEST_SECONDS = 60.0


class Readings:
    """The reading transactions that are open on SQLite, and a thread that ends those which last too long."""

    def __init__(self, longest: float = LONGEST_SECONDS) -> None:
        """Allow each `longest` seconds; the thread begins with the first."""
        self._longest = longest
        self._due: dict[sqlite3.Connection, float] = {}
        self._cut: set[sqlite3.Connection] = set()
        self._mutex = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def limited(self, connection: sqlite3.Connection) -> Generator[None]:
        """Read inside.

        Raises:
            StorageUnavailable: it took too long; nothing that was read may be used.
        """
        with self._mutex:
            self._due[connection] = time.monotonic() + self._longest
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="readings", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._mutex:
                del self._due[connection]
                cut = connection in self._cut
                self._cut.discard(connection)
            if cut:
                raise StorageUnavailable(f"reading took longer than {self._longest:.0f} s")

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread:
            self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(min(1.0, self._longest / 4)):
            now = time.monotonic()
            with self._mutex:
                late = [one for one, due in self._due.items() if due <= now]
                self._cut.update(late)
                for one in late:
                    one.interrupt()
                    # A transaction that does nothing cannot be interrupted. SQLite itself keeps two threads apart.
                    if one.in_transaction:
                        one.rollback()
