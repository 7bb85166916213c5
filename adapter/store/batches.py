"""Batches in the inbox: the row of the envelope, which the rows of its messages name as `batch_id`."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from adapter.store.database import marks, rows, run

_TAKE = (
    "UPDATE message SET state = 'batch' WHERE id = ? AND state = 'held' AND cause_code IN ({marks}) RETURNING {what}"
)
_AT_ONCE = 500
_HELD = ("site", "channel", "transport", "peer", "ack", "raw")
_ANSWERED = "UPDATE message SET ack_code = ?, ack = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """A batch that was refused as a whole and is accepted now."""

    site: str
    channel: str
    transport: str
    peer: str
    ack: bytes
    raw: bytes


def take_held(connection: Connection, message_id: int, causes: Sequence[str]) -> HeldBatch | None:
    """Turn a held row into that of a batch; None where it is not held for one of these causes, or not any more."""
    sql = _TAKE.format(marks=marks(causes), what=",".join(_HELD))
    taken = rows(connection, sql, [message_id, *causes])
    if not taken:
        return None
    *place, ack, raw = taken[0]
    return HeldBatch(*place, ack=bytes(ack or b""), raw=bytes(raw))


def answer(connection: Connection, message_id: int, ack_code: str, ack: bytes | None) -> None:
    """Write what a batch is answered with, once its messages are stored."""
    run(connection, _ANSWERED, [ack_code, ack, message_id])


def join(connection: Connection, message_id: int, members: Sequence[int]) -> None:
    """Write into the rows of its messages which batch they came in."""
    for start in range(0, len(members), _AT_ONCE):
        some = members[start : start + _AT_ONCE]
        run(connection, f"UPDATE message SET batch_id = ? WHERE id IN ({marks(some)})", [message_id, *some])
