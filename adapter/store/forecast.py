"""How long the disk lasts, from what came in the last days and what a message costs."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from adapter.store.browse import last_id
from adapter.store.database import micros, rows
from adapter.store.standing import database_bytes

DAYS = 7
_FEWEST = 1000  # messages; fewer say nothing of what one costs


@dataclass(frozen=True, slots=True)
class Forecast:
    """Messages and bytes a day; `days` until the disk is full, None where nothing can be said."""

    messages: float
    bytes: float
    days: float | None


def forecast(connection: Connection, *, now: datetime, free: int) -> Forecast:
    """Look at the last `DAYS` days: what came then, times what a message of this database takes."""
    last = last_id(connection)
    (first,) = rows(connection, "SELECT coalesce(min(id), 0) FROM message")[0]
    recent = last - _last_before(connection, first, last, now - timedelta(days=DAYS))
    each = database_bytes(connection) / max(1, last - first + 1)
    daily = recent / DAYS
    days = free / (daily * each) if recent >= _FEWEST else None
    return Forecast(daily, daily * each, days)


def _last_before(connection: Connection, low: int, high: int, when: datetime) -> int:
    """The last message before a time: ids grow with time, so that some twenty looks find it."""
    low -= 1
    while low < high:
        middle = (low + high + 1) // 2
        found = rows(connection, "SELECT received_at FROM message WHERE id >= ? ORDER BY id LIMIT 1", [middle])
        if found and found[0][0] < micros(when):
            low = middle
        else:
            high = middle - 1
    return low
