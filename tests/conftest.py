"""Fixtures that several folders share: an empty database, on SQLite and on a real PostgreSQL."""

import itertools
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from adapter.store.database import Database, open_database
from tests import postgres

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Generator[str]:
    """The URL of a PostgreSQL server, without a database's name."""
    folder = postgres.binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed on this machine: no initdb was found")
    with postgres.server(folder) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty PostgreSQL database."""
    return new_database(postgres_server)


def new_database(postgres_server: str) -> str:
    """The URL of an empty database on this server."""
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(postgres_server.replace("+psycopg", "") + "/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{postgres_server}/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: every test that asks for it runs on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/adapter.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    """An open, empty database, on both."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Generator[Database]:
    """An open, empty SQLite database."""
    opened = open_database(f"sqlite:///{tmp_path}/adapter.db")
    yield opened
    opened.close()
