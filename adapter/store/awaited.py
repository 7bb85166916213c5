"""Held messages that wait for something that may still come, and keep nobody back meanwhile (catalogue D10 to D26)."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from adapter.store.bulk import parts
from adapter.store.database import marks, rows, run, run_many
from adapter.store.inbox import announce

Name = tuple[str, str]
"""Type and id."""

_AT_ONCE = 400
_NOTE = "INSERT INTO awaited (message_id, what, resource_type, resource_id) VALUES (?,?,?,?) ON CONFLICT DO NOTHING"
_STORED = "SELECT message_id, resource_type, resource_id FROM awaited WHERE what = 'stored' AND resource_id IN"
_ENROLLED = """SELECT a.message_id FROM study_member AS m JOIN awaited AS a ON a.resource_id = m.patient_id
    WHERE a.what = 'enrolled'"""
_AGAIN = """UPDATE message SET state = 'received', cause_code = '', cause = '', mender = '', finished_at = NULL,
    attempts = 0 WHERE state = 'held' AND id IN"""


def note(connection: Connection, values: Iterable[tuple[int, str, Name]]) -> None:
    """A message waits for this: message, `stored` or `enrolled`, of which resource."""
    run_many(connection, _NOTE, [(number, what, *name) for number, what, name in values])


def kinds(connection: Connection) -> list[str]:
    """What is waited for at all: `stored`, `enrolled`."""
    asked = ("stored", "enrolled")
    return [what for what in asked if rows(connection, "SELECT 1 FROM awaited WHERE what = ? LIMIT 1", [what])]


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
