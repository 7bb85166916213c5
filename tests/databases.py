"""Empty databases to copy: the migrations run once per process, not once per test; they have tests of their own."""

import itertools
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from adapter.store.database import open_database

_NUMBERS = itertools.count()


def sqlite(folder: Path) -> str:
    """The URL of the SQLite database in this folder; where there is none, a migrated and empty one is put."""
    file = folder / "adapter.db"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_migrated_file())
    return f"sqlite:///{file}"


def postgresql(server: str) -> str:
    """The URL of a new database on this server, migrated and empty."""
    return _created(server, f"TEMPLATE {_template(server)}")


def blank(server: str) -> str:
    """The URL of a new database on this server, without any table."""
    return _created(server)


@cache
def _migrated_file() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "adapter.db"
        open_database(f"sqlite:///{file}").close()
        return file.read_bytes()


@cache
def _template(server: str) -> str:
    url = blank(server)
    open_database(url).close()
    return url.rpartition("/")[2]


def _created(server: str, how: str = "") -> str:
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(server.replace("+psycopg", "") + "/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {how}".encode())
    return f"{server}/{name}"
