"""Large messages from their file into the database, in a thread of their own: nobody else waits for them (A25, A28)."""

import asyncio
import contextlib
import mmap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from adapter.errors import StorageUnavailable
from adapter.hl7v2.slim import Slim, slim
from adapter.intake.checks import read
from adapter.intake.marks import digest
from adapter.intake.reading import Reading
from adapter.listeners import Channel
from adapter.mapper.catalog import Catalog
from adapter.store import inbox, parts
from adapter.store.database import Database
from adapter.wire.spool import Spooled

_TOGETHER = 2  # parts in one transaction

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Read:
    """What a large message is known by: its bytes without documents, its checks, the mark of a duplicate."""

    slim: Slim
    reading: Reading
    mark: bytes


class Large:
    """Reads and stores large messages, one after the other."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        """Write into `database`."""
        self._database, self._catalog = database, catalog
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="large")

    async def read(self, spooled: Spooled, channel: Channel) -> Read:
        """Check a message in its file."""
        return await self._apart(lambda: self._read(spooled, channel))

    async def keep(self, spooled: Spooled, message: inbox.NewMessage) -> int:
        """Store the parts of a message, unless it came before.

        Returns:
            The id that its row is to have; 0 when there are no parts, because it came before.

        Raises:
            StorageUnavailable: the database failed.
        """
        return await self._apart(lambda: self._keep(spooled, message))

    async def drop(self, message_id: int) -> None:
        """Forget the parts of a message whose row was not stored."""
        await self._apart(lambda: self._drop(message_id))

    def close(self) -> None:
        """Return when nothing is under way."""
        self._thread.shutdown()

    async def _apart(self, work: Callable[[], _Made]) -> _Made:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _read(self, spooled: Spooled, channel: Channel) -> Read:
        with mmap.mmap(spooled.file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            thin = slim(whole)
            if not thin.documents:
                thin = Slim(whole[:])
            reading = read(thin, self._catalog, channel)
            return Read(thin, reading, digest(whole, reading))

    def _keep(self, spooled: Spooled, message: inbox.NewMessage) -> int:
        with self._database.read() as connection:
            before = inbox.find_duplicate(connection, [message.key]).get(message.key)
        # What was refused may be accepted now, and of the first one only the head may have been kept.
        if before and before.ack_code not in inbox.REFUSALS:
            return 0
        with self._database.write() as connection:
            number = parts.reserve(connection)
        try:
            self._write_parts(spooled, number)
        except StorageUnavailable:
            with contextlib.suppress(StorageUnavailable):
                self._drop(number)
            raise
        return number

    def _write_parts(self, spooled: Spooled, number: int) -> None:
        spooled.file.seek(0)
        first = 0
        while some := [part for _ in range(_TOGETHER) if (part := spooled.file.read(parts.SIZE))]:
            with self._database.write() as connection:
                parts.write(connection, number, first, some)
            first += len(some)

    def _drop(self, message_id: int) -> None:
        with self._database.write() as connection:
            parts.drop(connection, message_id)
