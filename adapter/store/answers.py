"""Answers that are not known when a message is stored, since they tell how it ended (`ack_point: mapped`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from adapter.store.database import marks, rows, run_many
from adapter.store.inbox import StoredAck


@dataclass(frozen=True, slots=True)
class Ended:
    """How a message ended; `received` means that a held message of its patient keeps it back."""

    id: int
    state: str
    cause_code: str
    cause: str
    mender: str


def settle(connection: Connection, answers: Sequence[StoredAck]) -> dict[int, StoredAck]:
    """Write answers that were not known when the messages were stored.

    Returns:
        What the messages are answered now, by id: the first answer stays.
    """
    if not answers:
        return {}
    sql = "UPDATE message SET ack_code = ?, ack = ? WHERE id = ? AND ack_code = ''"
    run_many(connection, sql, [(one.ack_code, one.ack, one.message_id) for one in answers])
    numbers = [one.message_id for one in answers]
    found = rows(connection, f"SELECT id, ack_code, ack FROM message WHERE id IN ({marks(numbers)})", numbers)
    return {number: StoredAck(number, code, None if ack is None else bytes(ack)) for number, code, ack in found}


def ended(connection: Connection, ids: Sequence[int]) -> list[Ended]:
    """Those of these messages that are no more waiting for a worker, or wait behind one that is held."""
    sql = f"""SELECT id, state, cause_code, cause, mender FROM message AS m WHERE id IN ({marks(ids)})
        AND (state <> 'received' OR EXISTS (
            SELECT 1 FROM message AS h WHERE h.state = 'held' AND h.lane = m.lane AND h.id < m.id
            AND NOT EXISTS (SELECT 1 FROM awaited AS a WHERE a.message_id = h.id)))"""
    return [Ended(*row) for row in rows(connection, sql, ids)]
