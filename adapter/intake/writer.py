"""Storing, one transaction for all that waits: while a batch is committed, the next one gathers. No timer delays it."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256

from adapter import failpoints, log
from adapter.errors import StorageFull, StorageUnavailable
from adapter.store import inbox, resent
from adapter.store.database import Connection, Database, conflicted

LARGEST_BATCH = 512
TRIES = 3
"""How often a transaction is tried that only met another one (F17)."""

UNKNOWN_SITE = "unknown"
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
            # Whom the storage kept waiting too long has been cut off, and sends again: its message must not pile up.
            wanted = [one for one in self._waiting if not one.stored.done()]
            batch, self._waiting = wanted[:LARGEST_BATCH], wanted[LARGEST_BATCH:]
            committed = loop.run_in_executor(self._thread, self._store, [one.record for one in batch])
            await asyncio.wait((committed,))
            _tell(batch, committed)
        self._draining = None

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
            messages = iter(_store_messages(connection, [one for one in batch if isinstance(one, inbox.NewMessage)]))
            stored = [next(messages) if isinstance(one, inbox.NewMessage) else Stored(None) for one in batch]
            failpoints.reach("before_commit")
        failpoints.reach("after_commit")
        return stored


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
    first: dict[inbox.Key, inbox.NewMessage] = {}
    for message in messages:
        first.setdefault(message.key, message)
    known = inbox.find_duplicate(connection, [*first, *map(_key_before_its_site, first.values())])
    lifted = _lift_refusals(connection, first, known)
    new = [message for key, message in first.items() if key not in known]
    for message, number in zip(new, inbox.insert(connection, new), strict=True):
        known[message.key] = inbox.StoredAck(number, message.ack_code, message.ack)
    inserted = {id(message) for message in new}
    results: list[Stored] = []
    for message in messages:
        found = known[message.key]
        judged_now = id(message) in inserted or (found.message_id in lifted and first[message.key] is message)
        results.append(Stored(found.message_id, found.ack, repeated=not judged_now))
    attempts = [
        inbox.Attempt(result.message_id or 0, one.channel, one.transport, one.peer, one.received_at)
        for one, result in zip(messages, results, strict=True)
        if id(one) not in inserted
    ]
    inbox.record_attempt(connection, attempts)
    return results


def _lift_refusals(
    connection: Connection, first: Mapping[inbox.Key, inbox.NewMessage], known: dict[inbox.Key, inbox.StoredAck]
) -> set[int]:
    """Accept what was refused when it came before and is not now; `known` then holds the new answers."""
    again: dict[int, inbox.NewMessage] = {}
    for key, message in first.items():
        before = known.get(key) or known.get(_key_before_its_site(message))
        if before and before.ack_code in resent.REFUSALS and message.state != "rejected":
            again[before.message_id] = message
    if not again:
        return set()
    lifted = resent.lift(connection, list(again.items()))
    for number in lifted:
        known[again[number].key] = inbox.StoredAck(number, again[number].ack_code, again[number].ack)
    if len(lifted) < len(again):
        known |= inbox.find_duplicate(connection, [message.key for message in again.values()])
    return lifted


def _key_before_its_site(message: inbox.NewMessage) -> inbox.Key:
    """The key that the same bytes had while no site matched their sender (D1)."""
    return (UNKNOWN_SITE, message.key[1], sha256(message.raw).digest())
