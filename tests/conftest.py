"""Fixtures that several folders share: an empty database, on SQLite and on a real PostgreSQL."""

from collections.abc import Generator
from pathlib import Path

import pytest

from adapter.store.database import Database, open_database
from tests import databases, postgres

_SLOWEST_FIRST = ("e2e", "integration", "property", "agreement", "coverage", "cases")
"""Folders; the others follow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long at the beginning, so that no worker is alone with it at the end."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return _SLOWEST_FIRST.index(folder) if folder in _SLOWEST_FIRST else len(_SLOWEST_FIRST)

    items.sort(key=place)


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
    return databases.postgresql(postgres_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: every test that asks for it runs on both."""
    if request.param == "sqlite":
        return databases.sqlite(tmp_path)
    return request.getfixturevalue("postgres_url")


@pytest.fixture(params=["sqlite", "postgresql"])
def blank_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database in which nothing was made yet, on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/adapter.db"
    return databases.blank(request.getfixturevalue("postgres_server"))


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    """An open, empty database, on both."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Generator[Database]:
    """An open, empty SQLite database."""
    opened = open_database(databases.sqlite(tmp_path))
    yield opened
    opened.close()
