"""Application acknowledgements on their way: `waiting`, then `delivered` or `failed`."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from adapter.store.database import marks, now_micros, rows, run, run_many

NO_ADDRESS = "no address"

_AT_ONCE = 100
_NEW = ("message_id", "site", "code", "control_id", "payload", "state", "attempts", "made_at", "due_at", "failure")
_PUT = f"""INSERT INTO reply ({",".join(_NEW)}) VALUES ({marks(_NEW)})
    ON CONFLICT (message_id) DO UPDATE SET code = excluded.code, payload = excluded.payload
    WHERE reply.state = 'waiting'"""
_WAITING = """SELECT id, message_id, attempts, made_at, due_at, payload FROM reply
    WHERE state = 'waiting' AND site = ? ORDER BY id LIMIT ?"""
_UNADDRESSED = "UPDATE reply SET failure = ? WHERE state = 'waiting' AND site = ? AND failure <> ?"
_END = "UPDATE reply SET state = ?, attempts = attempts + 1, failure = ?, finished_at = ? WHERE id = ?"
_LATER = "UPDATE reply SET attempts = attempts + 1, failure = ?, due_at = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Ended:
    """A message that is through, of which the sender may want to hear."""

    id: int
    site: str
    state: str
    flags: str
    cause_code: str
    cause: str
    mender: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class NewReply:
    """One to be sent; `made_at` as the tables hold times."""

    message_id: int
    site: str
    code: str
    control_id: str
    payload: bytes
    made_at: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """One that is to be sent when it is due; times as the tables hold them."""

    id: int
    message_id: int
    attempts: int
    made_at: int
    due_at: int
    payload: bytes


def ended(connection: Connection, message_ids: Sequence[int]) -> list[Ended]:
    """Those of these messages whose sender asked for a reply."""
    sql = f"""SELECT id, site, state, flags, cause_code, cause, mender, raw FROM message
        WHERE id IN ({marks(message_ids)}) AND flags LIKE ? ORDER BY id"""
    found = rows(connection, sql, [*message_ids, "%reply_%"])
    return [
        Ended(number, site, state, flags, code, cause, mender, bytes(raw))
        for number, site, state, flags, code, cause, mender, raw in found
    ]


def put(connection: Connection, new: Sequence[NewReply]) -> None:
    """Write replies; one that waits for its message already is written anew."""
    values = [
        (one.message_id, one.site, one.code, one.control_id, one.payload, "waiting", 0, one.made_at, one.made_at, "")
        for one in new
    ]
    run_many(connection, _PUT, values)


def sites(connection: Connection) -> list[str]:
    """The sites to which replies wait."""
    return [row[0] for row in rows(connection, "SELECT DISTINCT site FROM reply WHERE state = 'waiting' ORDER BY site")]


def waiting(connection: Connection, site: str) -> list[Waiting]:
    """The next replies to a site, in their order; none while the first of them is not due."""
    found = [
        Waiting(number, message_id, attempts, made, due, bytes(payload))
        for number, message_id, attempts, made, due, payload in rows(connection, _WAITING, [site, _AT_ONCE])
    ]
    return found if found and found[0].due_at <= now_micros(connection) else []


def unaddressed(connection: Connection, site: str) -> bool:
    """Note that nobody said where replies to a site go; return whether that is news."""
    return run(connection, _UNADDRESSED, [NO_ADDRESS, site, NO_ADDRESS]) > 0


def end(connection: Connection, ids: Sequence[int], state: str, failure: str = "") -> None:
    """Note that replies were `delivered`, or `failed` and are not tried again."""
    now = now_micros(connection)
    run_many(connection, _END, [(state, failure, now, number) for number in ids])


def later(connection: Connection, number: int, failure: str, *, seconds: float) -> None:
    """Try a reply again after so many seconds."""
    run(connection, _LATER, [failure, now_micros(connection) + round(seconds * 1_000_000), number])


def is_of(connection: Connection, message_id: int) -> bool:
    """Whether there is a reply to this message."""
    return bool(rows(connection, "SELECT 1 FROM reply WHERE message_id = ?", [message_id]))
