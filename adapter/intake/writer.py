"""Storing, one transaction for all that waits: while a batch is committed, the next one gathers. No timer delays it."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from adapter.store import inbox
from adapter.store.database import Connection, Database

LARGEST_BATCH = 512
Record = inbox.NewMessage | inbox.Event


@dataclass(frozen=True, slots=True)
class Stored:
    """A record is on disk. `ack` is the answer that the first of equal messages was given."""

    message_id: int | None
    ack: bytes | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: Record
    stored: "asyncio.Future[Stored]" = field(repr=False)


class Writer:
    """Gathers records of one event loop and stores them in a thread of its own."""

    def __init__(self, database: Database) -> None:
        """Write into `database`."""
        self._database = database
        self._waiting: list[_Waiting] = []
        self._draining: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intake")

    def put(self, record: Record) -> "asyncio.Future[Stored]":
        """Store a record; the future is done when it is committed.

        The future raises StorageUnavailable when the database failed; then nothing of the batch is stored.
        """
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[Stored] = loop.create_future()
        self._waiting.append(_Waiting(record, stored))
        if self._draining is None:
            self._draining = loop.create_task(self._drain())
        return stored

    async def close(self) -> None:
        """Return when everything that was put is stored."""
        if self._draining:
            await self._draining
        self._thread.shutdown()

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            committed = loop.run_in_executor(self._thread, self._store, [one.record for one in batch])
            await asyncio.wait((committed,))
            _tell(batch, committed)
        self._draining = None

    def _store(self, batch: Sequence[Record]) -> list[Stored]:
        with self._database.write() as connection:
            inbox.record_event(connection, [one for one in batch if isinstance(one, inbox.Event)])
            messages = iter(_store_messages(connection, [one for one in batch if isinstance(one, inbox.NewMessage)]))
            return [next(messages) if isinstance(one, inbox.NewMessage) else Stored(None) for one in batch]


def _tell(batch: Sequence[_Waiting], committed: "asyncio.Future[list[Stored]]") -> None:
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


def _store_messages(connection: Connection, messages: Sequence[inbox.NewMessage]) -> list[Stored]:
    """Insert what is new; of what is known, in the inbox or earlier in this batch, note another attempt (B14, B18)."""
    if not messages:
        return []
    keys = [message.key for message in messages]
    known = inbox.find_duplicate(connection, keys)
    fresh = {key: message for key, message in zip(reversed(keys), reversed(messages), strict=True) if key not in known}
    new = [message for key, message in zip(keys, messages, strict=True) if fresh.get(key) is message]
    for message, number in zip(new, inbox.insert(connection, new), strict=True):
        known[message.key] = inbox.StoredAck(number, message.ack_code, message.ack)
    results = [
        Stored(known[key].message_id, known[key].ack, repeated=fresh.get(key) is not message)
        for key, message in zip(keys, messages, strict=True)
    ]
    inbox.record_attempt(
        connection,
        [
            inbox.Attempt(known[m.key].message_id, m.channel, m.transport, m.peer, m.received_at)
            for m, result in zip(messages, results, strict=True)
            if result.repeated
        ],
    )
    return results
