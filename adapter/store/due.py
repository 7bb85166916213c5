"""Of whom something changed since facts were derived, or since the pseudonymised view was written: their numbers."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from adapter.store.bulk import parts
from adapter.store.database import marks, micros, rows, run, run_many

_AT_ONCE = 500  # values in one statement
DERIVATION, VIEW = "derivation_due", "view_due"
"""What waits: for facts to be derived, for the view to be written."""

_NOTE = """INSERT INTO {table} (number, changed) SELECT DISTINCT number, {changed} FROM study_member
    WHERE patient_id IN ({marks}) ON CONFLICT (number) DO UPDATE SET changed = excluded.changed"""
_NEXT = "SELECT number, changed FROM {table} WHERE changed < ? ORDER BY changed, number LIMIT 1"
_TAKEN = "DELETE FROM {table} WHERE number = ? AND changed = ?"


def note(connection: Connection, table: str, patients: Iterable[str], changed: int) -> None:
    """Note that resources of these Patients changed, at a time in microseconds; of those who are members."""
    for some in parts(sorted(set(patients)), _AT_ONCE):
        run(connection, _NOTE.format(table=table, marks=marks(some), changed=int(changed)), some)


def waiting(connection: Connection) -> dict[str, int]:
    """How many numbers wait for their facts, and how many for the view."""
    counts = {"derivation": DERIVATION, "view": VIEW}
    return {name: rows(connection, f"SELECT count(*) FROM {table}")[0][0] for name, table in counts.items()}


def following(connection: Connection, table: str, before: datetime) -> tuple[str, int] | None:
    """The number that waits longest among those that did not change since, and when it changed; None: there is none."""
    found = rows(connection, _NEXT.format(table=table), [micros(before)])
    return (found[0][0], found[0][1]) if found else None


def taken(connection: Connection, table: str, number: str, changed: int) -> bool:
    """Strike a number off; False where it changed again meanwhile, or another process was quicker."""
    return run_many(connection, _TAKEN.format(table=table), [(number, changed)]) == 1
