"""Held messages that wait for something that may still come, and keep nobody back meanwhile (catalogue D10 to D26)."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from adapter.store.bulk import parts
from adapter.store.database import marks, rows, run, run_many
from adapter.store.inbox import announce
from adapter.store.names import Name

STORED, ENROLLED = "stored", "enrolled"
"""What may be waited for: that a resource is stored, that a patient becomes a member of the study."""

_AT_ONCE = 400
_NOTE = "INSERT INTO awaited (message_id, what, resource_type, resource_id) VALUES (?,?,?,?) ON CONFLICT DO NOTHING"
_STORED = "SELECT message_id, resource_type, resource_id FROM awaited WHERE what = 'stored' AND resource_id IN"
_ENROLLED = """SELECT a.message_id FROM study_member AS m JOIN awaited AS a ON a.resource_id = m.patient_id
    WHERE a.what = 'enrolled'"""
_OVERDUE = """SELECT m.site, min(m.received_at) FROM awaited AS a JOIN message AS m ON m.id = a.message_id
    WHERE a.what = 'stored' AND m.state = 'held' AND m.received_at < ? GROUP BY m.site"""
_UNENROLLED = """SELECT m.id, m.raw FROM message AS m WHERE m.state = 'held' AND m.received_at < ? AND EXISTS (
    SELECT 1 FROM awaited AS a WHERE a.message_id = m.id AND a.what = 'enrolled') ORDER BY m.id LIMIT 500"""
_MINIMISED = "nobody of it came into the study in time; only header and hash are kept"
_MINIMISE = "UPDATE message SET raw = ?, part_bytes = 0, state = 'ignored', cause = ?, mender = '' WHERE id = ?"
_AGAIN = """UPDATE message SET state = 'received', cause_code = '', cause = '', mender = '', finished_at = NULL,
    attempts = 0 WHERE state = 'held' AND id IN"""


def note(connection: Connection, values: Iterable[tuple[int, str, Name]]) -> None:
    """A message waits for this: message, `stored` or `enrolled`, of which resource."""
    run_many(connection, _NOTE, [(number, what, *name) for number, what, name in values])


def kinds(connection: Connection) -> list[str]:
    """What is waited for at all."""
    return [
        what for what in (STORED, ENROLLED) if rows(connection, "SELECT 1 FROM awaited WHERE what = ? LIMIT 1", [what])
    ]


def come(connection: Connection, names: Iterable[Name]) -> None:
    """Let the messages that wait for these resources be converted again: they are stored."""
    wanted = set(names)
    for some in parts(sorted({number for _, number in wanted}), _AT_ONCE):
        found = rows(connection, f"{_STORED} ({marks(some)})", some)
        _again(connection, {number for number, kind, one in found if (kind, one) in wanted})


def enrolled(connection: Connection) -> None:
    """Let the messages of those be converted again who are members of the study now."""
    _again(connection, {number for (number,) in rows(connection, _ENROLLED)})


def _again(connection: Connection, numbers: Iterable[int]) -> None:
    every: Sequence[int] = sorted(numbers)
    for some in parts(every, _AT_ONCE):
        run(connection, f"{_AGAIN} ({marks(some)})", some)
        run(connection, f"DELETE FROM awaited WHERE message_id IN ({marks(some)})", some)
    if every:
        announce(connection)


def overdue(connection: Connection, before: int) -> list[tuple[str, int]]:
    """Sites with messages that wait for a number or a visit since before this time: when the oldest came."""
    return [(site, oldest) for site, oldest in rows(connection, _OVERDUE, [before])]


def minimise(connection: Connection, before: int) -> int:
    """Of messages that came before this time and still wait for an enrolment keep only header and hash (D10).

    Returns:
        How many.
    """
    found = rows(connection, _UNENROLLED, [before])
    kept = [(bytes(raw).split(b"\r", 1)[0] + b"\r", _MINIMISED, number) for number, raw in found]
    run_many(connection, "DELETE FROM message_part WHERE message_id = ?", [(number,) for number, _ in found])
    run_many(connection, "DELETE FROM awaited WHERE message_id = ?", [(number,) for number, _ in found])
    run_many(connection, _MINIMISE, kept)
    return len(kept)
