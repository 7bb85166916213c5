"""Secrets of an installation, made where they are first asked for."""

import secrets

from adapter.store.database import Database, rows, run

_BYTES = 32
_MAKE = "INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"


def secret(database: Database, name: str) -> bytes:
    """The secret of this name: 256 bits, the same after every start.

    Raises:
        StorageUnavailable: the database failed.
    """
    with database.write() as connection:
        run(connection, _MAKE, [name, secrets.token_bytes(_BYTES)])
        return bytes(rows(connection, "SELECT value FROM secret WHERE name = ?", [name])[0][0])
