"""Large messages byte for byte: written part by part before the message row that makes them count.

One transaction for 50 MB would keep every other message waiting. The parts bear the id that the message will have; what
was left by a process that died before the row belongs to no message, and is swept away at the next start.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from adapter.store.database import Database, micros, rows, run, run_many

SIZE = 1024 * 1024

_NEXT = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'message' RETURNING seq"
_FIRST = "INSERT INTO sqlite_sequence (name, seq) VALUES ('message', 1) RETURNING seq"
_NEXT_PG = "SELECT nextval(pg_get_serial_sequence('message', 'id'))"
_ORPHANS = """SELECT DISTINCT message_id FROM message_part AS p
    WHERE NOT EXISTS (SELECT 1 FROM message AS m WHERE m.id = p.message_id)"""
_SETTLED = "SELECT coalesce(max(id), 0) FROM message WHERE received_at < ?"
_UNDER_WAY = timedelta(hours=1)


def reserve(connection: Connection) -> int:
    """The id of a message that is to come; no other one gets it."""
    if connection.dialect.name == "postgresql":
        return rows(connection, _NEXT_PG, [])[0][0]
    return (rows(connection, _NEXT, []) or rows(connection, _FIRST, []))[0][0]


def write(connection: Connection, message_id: int, first: int, data: Sequence[bytes]) -> None:
    """Store some parts, the first of which has this number."""
    sql = "INSERT INTO message_part (message_id, number, data) VALUES (?,?,?)"
    run_many(connection, sql, [(message_id, first + number, part) for number, part in enumerate(data)])


def read(connection: Connection, message_id: int) -> Iterator[bytes]:
    """The bytes of a large message, a part at a time."""
    number = 0
    sql = "SELECT data FROM message_part WHERE message_id = ? AND number = ?"
    while found := rows(connection, sql, [message_id, number]):
        yield bytes(found[0][0])
        number += 1


def move(connection: Connection, reserved: int, message_id: int, part_bytes: int) -> None:
    """Give the parts that were stored under a reserved id to a message that is there already."""
    drop(connection, message_id)
    run(connection, "UPDATE message_part SET message_id = ? WHERE message_id = ?", [message_id, reserved])
    run(connection, "UPDATE message SET part_bytes = ? WHERE id = ?", [part_bytes, message_id])


def drop(connection: Connection, message_id: int) -> None:
    """Forget the parts of a message that is not stored."""
    run(connection, "DELETE FROM message_part WHERE message_id = ?", [message_id])


def sweep(database: Database, now: datetime) -> int:
    """Forget the parts that belong to no message; return of how many messages.

    On PostgreSQL another process may be writing some: only what is older than an hour goes.
    """
    with database.read() as connection:
        orphans = [row[0] for row in rows(connection, _ORPHANS, [])]
        if orphans and database.dialect == "postgresql":
            settled = rows(connection, _SETTLED, [micros(now - _UNDER_WAY)])[0][0]
            orphans = [number for number in orphans if number < settled]
    for number in orphans:
        with database.write() as connection:
            drop(connection, number)
    return len(orphans)
