import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from adapter.errors import ConfigurationError, StorageUnavailable
from adapter.store import migrations
from adapter.store.database import Database, open_database, rows, run, run_many
from adapter.store.tables import METADATA

INSERT = "INSERT INTO study_member (patient_id, number, own) VALUES (?, 'ATLI-901', ?)"


def members(database: Database) -> int:
    with database.read() as connection:
        return rows(connection, "SELECT count(*) FROM study_member")[0][0]


def test_migrations_make_exactly_the_tables_that_the_classes_describe(blank_url: str):
    with closing(open_database(blank_url)) as database, database.write() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_newest_migration_is_the_one_that_the_start_asks_for():
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(folder).get_current_head() == migrations.HEAD


def test_database_keeps_what_was_committed_when_it_is_opened_again(blank_url: str):
    first = open_database(blank_url)
    with first.write() as connection:
        run(connection, INSERT, ["p1", True])
    first.close()
    again = open_database(blank_url)
    assert members(again) == 1
    again.close()


def test_transaction_that_fails_leaves_nothing(database: Database):
    def fail() -> None:
        with database.write() as connection:
            run(connection, INSERT, ["p1", True])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert members(database) == 0


def test_reader_sees_one_state_while_others_write(sqlite_database: Database):
    with sqlite_database.read() as reading:
        before = rows(reading, "SELECT count(*) FROM study_member")
        with sqlite_database.write() as writing:
            run(writing, INSERT, ["p1", True])
        assert rows(reading, "SELECT count(*) FROM study_member") == before
    assert members(sqlite_database) == 1


def test_reading_connection_cannot_write(sqlite_database: Database):
    with pytest.raises(StorageUnavailable, match="READONLY"), sqlite_database.read() as connection:
        run(connection, INSERT, ["p1", True])


def test_failure_of_the_database_is_told_without_values(database: Database):
    with pytest.raises(StorageUnavailable) as failed, database.write() as connection:
        run_many(connection, INSERT, [("secret", True), ("secret", True)])
    assert "secret" not in str(failed.value)


def test_commits_on_sqlite_wait_for_the_disk(sqlite_database: Database):
    with sqlite_database.write() as connection:
        assert rows(connection, "PRAGMA journal_mode")[0][0] == "wal"
        assert rows(connection, "PRAGMA synchronous")[0][0] == 2  # FULL
    with sqlite_database.read() as connection:
        assert rows(connection, "PRAGMA wal_autocheckpoint")[0][0] == 0


def test_f13_second_process_on_the_same_file_is_refused_and_told_who_holds_it(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/adapter.db"
    first = open_database(url)
    code = f"from adapter.store.database import open_database; open_database({url!r})"
    command, root = [sys.executable, "-c", code], Path(__file__).parents[2]
    second = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert second.returncode != 0
    assert f"held by pid {os.getpid()} since" in second.stderr
    first.close()
    open_database(url).close()


def test_f11_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "adapter.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageUnavailable, match="NOTADB"):
        open_database(f"sqlite:///{tmp_path}/adapter.db")


def test_f35_interrupted_migration_leaves_nothing_and_the_next_start_does_it(
    blank_url: str, monkeypatch: pytest.MonkeyPatch
):
    def upgrade_then_die(connection: object) -> None:
        migrations.upgrade(connection)  # pyright: ignore[reportArgumentType]
        raise KeyboardInterrupt

    monkeypatch.setattr("adapter.store.database.upgrade", upgrade_then_die)
    with pytest.raises(KeyboardInterrupt):
        open_database(blank_url)
    monkeypatch.undo()
    database = open_database(blank_url)
    assert members(database) == 0
    database.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused_at_the_start(url: str):
    with pytest.raises(ConfigurationError):
        open_database(url)
