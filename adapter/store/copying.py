"""The log of one store into another, empty one: messages keep their numbers."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, inspect

from adapter.store.bulk import parts
from adapter.store.database import Database, marks, rows, run, run_many
from adapter.store.replays import STATES

_AT_ONCE = 200
_FREE = "replay_id = NULL, lease_owner = NULL, lease_until = NULL"
_FRESH = f"""state = 'received', cause_code = '', cause = '', mender = '', finished_at = NULL, attempts = 0,
    mapping = '', {_FREE}"""


def is_empty(database: Database) -> bool:
    """Whether a store has no message and no resource."""
    with database.read() as connection:
        return not any(rows(connection, f"SELECT 1 FROM {table} LIMIT 1") for table in ("message", "resource"))


def copy(source: Database, target: Database, *, replayed: bool, progress: Callable[[int], object]) -> int:
    """Copy messages with their parts.

    Args:
        source: read page by page.
        target: has none of them yet.
        replayed: copy those that are replayed, to be converted; else all others, as they are.
        progress: is told of each page how many it had.

    Returns:
        How many were copied.
    """
    after = count = 0
    where = f"id > ? AND state {'' if replayed else 'NOT '}IN ({marks(STATES)})"
    while True:
        with source.read() as connection:
            columns = _columns(connection, "message")
            sql = f"SELECT {','.join(columns)} FROM message WHERE {where} ORDER BY id LIMIT ?"
            page = rows(connection, sql, [after, *STATES, _AT_ONCE])
        if not page:
            return count
        numbers = [row[0] for row in page]
        with target.write() as connection:
            _insert(connection, "message", columns, page)
            state = _FRESH if replayed else _FREE
            run(connection, f"UPDATE message SET {state} WHERE id IN ({marks(numbers)})", numbers)
        _copy_parts(source, target, numbers)
        after, count = numbers[-1], count + len(page)
        progress(len(page))


def forget_replies(target: Database) -> None:
    """Nobody is answered a second time."""
    with target.write() as connection:
        run(connection, "DELETE FROM reply")


def _copy_parts(source: Database, target: Database, numbers: Sequence[int]) -> None:
    """The parts of large messages, one at a time: each may have a megabyte."""
    for some in parts(numbers, _AT_ONCE):
        with source.read() as connection:
            sql = f"SELECT message_id, number FROM message_part WHERE message_id IN ({marks(some)}) ORDER BY 1, 2"
            places = [tuple(row) for row in rows(connection, sql, some)]
        for place in places:
            with source.read() as connection:
                sql = "SELECT message_id, number, data FROM message_part WHERE message_id = ? AND number = ?"
                found = rows(connection, sql, place)
            with target.write() as connection:
                _insert(connection, "message_part", ("message_id", "number", "data"), found)


def _insert(connection: Connection, table: str, columns: Sequence[str], values: Sequence[Any]) -> None:
    sql = f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks(columns)})"
    run_many(connection, sql, [tuple(row) for row in values])


def _columns(connection: Connection, table: str) -> tuple[str, ...]:
    names = [column["name"] for column in inspect(connection).get_columns(table)]
    return ("id", *(name for name in names if name != "id"))
