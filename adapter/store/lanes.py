"""The inbox as a queue: workers take messages in lanes, one lane per site and patient.

A lane's messages are converted in the order they came. One that is held keeps back only its lane. What a worker has
taken is leased: when the worker dies, the lease ends and another takes it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapter.errors import StorageUnavailable
from adapter.store.bulk import parts
from adapter.store.database import Database, instant, marks, now_micros, rows, run, run_many

_AT_ONCE = 500  # messages in one statement
_CLAIMS = 1212960327  # PostgreSQL: claims take turns on this advisory lock

_CLAIMED = "id, site, raw, encoding, structure, lane, received_at, attempts, part_bytes"
_READY = f"""SELECT {_CLAIMED} FROM message AS m
    WHERE state = 'received'
    AND NOT EXISTS (SELECT 1 FROM message AS h
        WHERE h.state = 'held' AND h.lane = m.lane AND h.id < m.id AND h.lane <> ''
        AND NOT EXISTS (SELECT 1 FROM awaited AS a WHERE a.message_id = h.id))
    AND NOT EXISTS (SELECT 1 FROM message AS l
        WHERE l.lease_owner IS NOT NULL AND l.lane = m.lane AND l.lease_owner <> ? AND l.lease_until BETWEEN ? AND ?)
    ORDER BY id LIMIT ?"""
_TAKE = "UPDATE message SET lease_owner = ?, lease_until = ?, attempts = attempts + 1 WHERE id = ?"
_FINISH = """UPDATE message SET state = ?, cause_code = ?, cause = ?, mender = ?, finished_at = ?, mapping = ?,
    lease_owner = NULL, lease_until = NULL WHERE id = ? AND lease_owner = ? AND state = 'received'"""
_RETURN = """UPDATE message SET attempts = attempts - 1, lease_owner = NULL, lease_until = NULL
    WHERE id = ? AND lease_owner = ? AND state = 'received'"""
_RELEASE = "UPDATE message SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = ?"
_FORGIVE = """UPDATE message SET attempts = attempts - 1, lease_owner = NULL, lease_until = NULL
    WHERE lease_owner = ?"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that a worker has taken; `attempts` counts this one. Of a `large` one `raw` is the slim form."""

    id: int
    site: str
    raw: bytes
    encoding: str
    structure: str
    lane: str
    received_at: datetime
    attempts: int
    large: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """How converting a message ended: `mapped`, `unmapped` or `held`."""

    id: int
    state: str
    cause_code: str = ""
    cause: str = ""
    mender: str = ""


def claim(database: Database, *, limit: int, worker: str, lease_seconds: float) -> list[Claimed]:
    """Take the oldest messages that may be converted now, in the order they came.

    A message counts as tried when it is taken, so that one which kills its worker is found out (F24); whatever was
    tried before is taken alone, so that it takes no others with it.

    Args:
        database: the inbox.
        limit: how many at most.
        worker: the lease's owner; every worker has a name of its own, and works on one claim at a time.
        lease_seconds: afterwards another worker may take them (F25).

    Raises:
        StorageUnavailable: the database failed.
    """
    with database.write() as connection:
        if database.dialect == "postgresql":
            rows(connection, "SELECT pg_advisory_xact_lock(?)", [_CLAIMS])
        now = now_micros(connection)
        lease = round(lease_seconds * 1_000_000)
        until = now + lease
        # A lease that ends much later than any can was taken before the clock was set back (F26).
        ready = rows(connection, _READY, [worker, now, until + lease, limit])
        claimed = _alone_if_tried([_claimed(row) for row in ready])
        run_many(connection, _TAKE, [(worker, until, one.id) for one in claimed])
    return claimed


def stored(connection: Connection, numbers: Iterable[int]) -> dict[int, Claimed]:
    """Messages as a worker has them, in order, without taking them."""
    found: dict[int, Claimed] = {}
    for some in parts(sorted(numbers), _AT_ONCE):
        sql = f"SELECT {_CLAIMED} FROM message WHERE id IN ({marks(some)}) ORDER BY id"
        found |= {row[0]: _claimed(row) for row in rows(connection, sql, some)}
    return found


def finish(connection: Connection, results: Sequence[Finished], *, worker: str, mapping: str = "") -> None:
    """Write how messages ended, in the transaction that holds their resources.

    Args:
        connection: of that transaction.
        results: how they ended.
        worker: who has them.
        mapping: the version of the mappings.

    Raises:
        StorageUnavailable: a lease has run out, and another worker has the message; nothing may be committed (F25).
    """
    now = now_micros(connection)
    ends = [(one.state, one.cause_code, one.cause, one.mender, now, mapping, one.id, worker) for one in results]
    _all(run_many(connection, _FINISH, ends), of=len(ends))


def give_back(connection: Connection, ids: Sequence[int], *, worker: str) -> None:
    """Return messages that were taken and not tried.

    Raises:
        StorageUnavailable: as `finish`.
    """
    _all(run_many(connection, _RETURN, [(number, worker) for number in ids]), of=len(ids))


def release(connection: Connection, *, worker: str) -> None:
    """Return everything this worker has; it still counts as tried."""
    run(connection, _RELEASE, [worker])


def forgive(connection: Connection, *, worker: str) -> None:
    """Return everything this worker has, as if it had not been tried: it was the storage that failed."""
    run(connection, _FORGIVE, [worker])


def _alone_if_tried(candidates: list[Claimed]) -> list[Claimed]:
    tried = next((place for place, one in enumerate(candidates) if one.attempts > 1), len(candidates))
    return candidates[: max(tried, 1)]


def _claimed(row: Sequence[Any]) -> Claimed:
    return Claimed(row[0], row[1], bytes(row[2]), row[3], row[4], row[5], instant(row[6]), row[7] + 1, row[8] > 0)


def _all(changed: int, *, of: int) -> None:
    if changed != of:
        raise StorageUnavailable("the lease of a message has run out")
