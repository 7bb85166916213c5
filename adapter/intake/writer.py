"""Storing, one transaction for all that waits: while a batch is committed, the next one gathers. No timer delays it."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from adapter import failpoints, log
from adapter.errors import StorageFull, StorageUnavailable
from adapter.intake.storing import Stored, store_messages
from adapter.intake.storing_batch import Batch, store_batch
from adapter.store import answers, inbox
from adapter.store.database import Connection, Database, conflicted, refused

LARGEST_BATCH = 512
TRIES = 3
"""How often a transaction is tried that only met another one (F17)."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The answer to a message did not reach its sender."""

    message_id: int
    channel: str


Record = inbox.NewMessage | inbox.Event | inbox.StoredAck | Batch | Lost
"""A message or a batch of them, bytes that are none, an answer that was not known before, or one that is lost."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: Record
    stored: "asyncio.Future[Stored]" = field(repr=False)

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for it any more; an answer is stored all the same."""
        return self.stored.done() and not isinstance(self.record, inbox.StoredAck)


class Writer:
    """Gathers records of one event loop and stores them in a thread of its own."""

    def __init__(self, database: Database) -> None:
        """Write into `database`."""
        self._database = database
        self._waiting: list[_Waiting] = []
        self._alone: list[_Waiting] = []
        self._idle: asyncio.Event | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intake")

    def put(self, record: Record) -> "asyncio.Future[Stored]":
        """Store a record; the future is done when it is committed.

        The future raises StorageUnavailable when the database failed; then nothing of the batch is stored.
        """
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[Stored] = loop.create_future()
        self._waiting.append(_Waiting(record, stored))
        if self._idle is None:
            self._idle = asyncio.Event()
            loop.call_soon(self._begin)
        return stored

    async def close(self) -> None:
        """Return when everything that was put is stored."""
        if self._idle:
            await self._idle.wait()
        self._thread.shutdown()

    def _begin(self) -> None:
        """Store what waits, in the thread; without anything that waits, be idle."""
        batch = self._next()
        if batch:
            loop = asyncio.get_running_loop()
            committed = self._thread.submit(self._store, [one.record for one in batch])
            committed.add_done_callback(lambda done: loop.call_soon_threadsafe(self._end, batch, done))
        elif self._idle:
            self._idle.set()
            self._idle = None

    def _next(self) -> list[_Waiting]:
        if self._alone:
            return [self._alone.pop()]
        # Whom the storage kept waiting too long has been cut off, and sends again: its message must not pile up.
        wanted = [one for one in self._waiting if not one.given_up]
        batch, self._waiting = wanted[:LARGEST_BATCH], wanted[LARGEST_BATCH:]
        return batch

    def _end(self, batch: list[_Waiting], committed: "Future[list[Stored]]") -> None:
        """Tell those who wait, and go on."""
        failure = committed.exception()
        if len(batch) > 1 and isinstance(failure, StorageUnavailable) and refused(failure):
            # What the database cannot hold must not keep the messages of other sites out.
            self._alone = batch[::-1]
        else:
            _tell(batch, committed)
        self._begin()

    def _store(self, batch: Sequence[Record]) -> list[Stored]:
        for _ in range(TRIES - 1):
            try:
                return self._commit(batch)
            except StorageUnavailable as failure:
                if not conflicted(failure):
                    raise
                log.event("transaction_repeated", level=logging.WARNING, failure=failure)
        return self._commit(batch)

    def _commit(self, batch: Sequence[Record]) -> list[Stored]:
        if not self._database.accepting:
            raise StorageFull("the disk is full, or cannot be written")
        with self._database.write() as connection:
            inbox.record_event(connection, [one for one in batch if isinstance(one, inbox.Event)])
            inbox.record_undelivered(connection, [one.message_id for one in batch if isinstance(one, Lost)])
            messages = iter(store_messages(connection, [one for one in batch if isinstance(one, inbox.NewMessage)]))
            settled = answers.settle(connection, [one for one in batch if isinstance(one, inbox.StoredAck)])
            stored = [_stored(connection, one, messages, settled) for one in batch]
            failpoints.reach("before_commit")
        failpoints.reach("after_commit")
        return stored


def _stored(
    connection: Connection, record: Record, messages: Iterator[Stored], settled: Mapping[int, inbox.StoredAck]
) -> Stored:
    match record:
        case Batch():
            return store_batch(connection, record)
        case inbox.NewMessage():
            return next(messages)
        case inbox.StoredAck():
            answer = settled.get(record.message_id, record)
            return Stored(answer.message_id, answer.ack, ack_code=answer.ack_code)
        case _:
            return Stored(None)


def _tell(batch: Sequence[_Waiting], committed: "Future[list[Stored]]") -> None:
    """Resolve every future that somebody still waits for."""
    error = committed.exception()
    results = [] if error else committed.result()
    for number, one in enumerate(batch):
        if one.stored.done():
            continue
        if error:
            one.stored.set_exception(error)
        else:
            one.stored.set_result(results[number])
