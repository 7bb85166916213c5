"""Of whom something changed since facts were derived: numbers of the study, until the facts are derived anew."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from adapter.store.bulk import parts
from adapter.store.database import marks, micros, rows, run_many

_AT_ONCE = 500  # values in one statement
_NOTE = """INSERT INTO derivation_due (number, changed) SELECT DISTINCT number, {changed} FROM study_member
    WHERE patient_id IN ({marks}) ON CONFLICT (number) DO UPDATE SET changed = excluded.changed"""
_NEXT = "SELECT number, changed FROM derivation_due WHERE changed < ? ORDER BY changed, number LIMIT 1"
_TAKEN = "DELETE FROM derivation_due WHERE number = ? AND changed = ?"


def note(connection: Connection, patients: Iterable[str], changed: int) -> None:
    """Note that resources of these Patients changed, at a time in microseconds; of those who are members."""
    for some in parts(sorted(set(patients)), _AT_ONCE):
        rows(connection, _NOTE.format(marks=marks(some), changed=int(changed)) + " RETURNING number", some)


def following(connection: Connection, before: datetime) -> tuple[str, int] | None:
    """The number that waits longest among those that did not change since, and when it changed; None: there is none."""
    found = rows(connection, _NEXT, [micros(before)])
    return (found[0][0], found[0][1]) if found else None


def taken(connection: Connection, number: str, changed: int) -> bool:
    """Strike a number off; False where it changed again meanwhile, or another process was quicker."""
    return run_many(connection, _TAKEN, [(number, changed)]) == 1
