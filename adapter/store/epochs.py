"""Epochs: after a backup is restored, numbers begin anew far above all that were ever given (F27).

What came after the backup is gone from the store, but its numbers stand in logs, in meta.source of resources that
others have read, and on paper. Numbers of epoch n lie from n·10⁹ on.
"""

from sqlalchemy import Connection

from adapter.store.database import rows, run

EPOCH = 1_000_000_000


def begin(connection: Connection) -> int:
    """Begin the next epoch, in the restored database, before anything is received.

    Returns:
        Its number; the first after the beginning is 1.
    """
    if connection.dialect.name == "sqlite":
        found = rows(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'message'")
        epoch = (found[0][0] if found else 0) // EPOCH + 1
        if not found:
            run(connection, "INSERT INTO sqlite_sequence (name, seq) VALUES ('message', 0)")
        run(connection, "UPDATE sqlite_sequence SET seq = ? WHERE name = 'message'", [epoch * EPOCH])
        return epoch
    last = rows(connection, "SELECT last_value FROM message_id_seq")[0][0]
    epoch = last // EPOCH + 1
    rows(connection, "SELECT setval('message_id_seq', ?)", [epoch * EPOCH])
    return epoch
