"""Copies of the database: whole or not there, checked by what they hold, and put back without an id given twice."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapter.errors import ConfigurationError
from adapter.store import backup
from adapter.store.database import open_database, run
from tests.integration.intake_stand import receive, result

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)


def made(folder: Path, count: int = 3) -> Path:
    """A database with some messages."""
    receive(folder, [result(msh_10=f"B{number}") for number in range(count)])
    return folder / "adapter.db"


def copy(source: Path, target: Path) -> backup.Manifest:
    return backup.copy(source, target, now=NOW, program="0.0")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "adapter", *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


def test_copy_made_while_others_write_is_of_one_moment(tmp_path: Path):
    source = made(tmp_path / "data")
    database = open_database(f"sqlite:///{source}")
    try:
        with database.write() as connection:
            run(connection, "UPDATE message SET state = 'mapped' WHERE id = 1")
        manifest = copy(source, tmp_path / "copy.db")
        with database.write() as connection:
            run(connection, "UPDATE message SET state = 'held' WHERE id = 2")
    finally:
        database.close()
    assert manifest.messages == {"mapped": 1, "received": 2}
    assert backup.check(tmp_path / "copy.db") == (manifest, [])
    assert sorted(one.name for one in tmp_path.glob("copy.db*")) == ["copy.db", "copy.db.manifest.json"]


@pytest.mark.parametrize("harm", ["byte", "cut", "counts"])
def test_a_copy_that_was_changed_is_not_trusted(tmp_path: Path, harm: str):
    file = tmp_path / "copy.db"
    copy(made(tmp_path / "data"), file)
    content = bytearray(file.read_bytes())
    if harm == "byte":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif harm == "cut":
        file.write_bytes(content[:-4096])
    else:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("DELETE FROM message WHERE id = 2")
    _, wrong = backup.check(file)
    assert wrong
    assert command("restore", str(file), "--verify").returncode == 1
    with pytest.raises(ConfigurationError, match="not restored"):
        backup.restore(file, tmp_path / "new" / "adapter.db")
    assert not (tmp_path / "new" / "adapter.db").exists()


def test_f4_kill_at_any_moment_leaves_the_old_copy_or_the_new_one(tmp_path: Path):
    source, file = made(tmp_path / "data"), tmp_path / "copy.db"
    with closing(sqlite3.connect(source)) as connection, connection:
        # Large enough that a kill meets it at work.
        connection.execute(
            "CREATE TABLE ballast AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
            " WHERE i < 40) SELECT randomblob(1000000) AS data FROM n"
        )
    copy(source, file)
    script = (
        "import sys, pathlib; from datetime import UTC, datetime; from adapter.store.backup import copy\n"
        "print('ready', flush=True)\n"
        "while True: copy(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), now=datetime.now(UTC), program='x')"
    )
    killed = 0
    for number in range(8):
        process = subprocess.Popen([sys.executable, "-c", script, source, file], stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        time.sleep(0.02 + number * 0.07)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        killed += process.returncode == -signal.SIGKILL
        manifest, wrong = backup.check(file)
        assert wrong == []
        assert sum(manifest.messages.values()) == 3
    assert killed == 8


def test_f27_after_a_restore_no_id_is_given_twice_and_what_is_sent_again_is_recognised(tmp_path: Path):
    file, data = tmp_path / "copy.db", tmp_path / "new"
    copy(made(tmp_path / "data"), file)
    lost = [result(msh_10="B3"), result(msh_10="B4")]
    _, before = receive(tmp_path / "data", lost)
    assert [row["id"] for row in before] == [1, 2, 3, 4, 5]
    done = command("restore", str(file), "--data", str(data))
    assert done.returncode == 0, done.stderr
    again = [result(msh_10=f"B{number}") for number in range(5)]
    answers, after = receive(data, again)
    assert [row["control_id"] for row in after] == [f"B{number}" for number in range(5)]
    assert [row["id"] for row in after[:3]] == [1, 2, 3]
    assert min(row["id"] for row in after[3:]) > 5
    assert [answer.ack for answer in answers[:3]] == [row["ack"] for row in after[:3]]
    report = json.loads((data / "restore-report.json").read_bytes())
    assert [(one["site"], one["control_id"]) for one in report["last"]] == [("FAHZU", "B2")]


def test_restore_overwrites_nothing(tmp_path: Path):
    file, data = tmp_path / "copy.db", tmp_path / "data"
    source = made(data)
    copy(source, file)
    before = source.read_bytes()
    done = command("restore", str(file), "--data", str(data))
    assert (done.returncode, "there already" in done.stderr) == (2, True)
    assert source.read_bytes() == before


def test_a_copy_without_its_manifest_is_not_restored(tmp_path: Path):
    file = tmp_path / "copy.db"
    shutil.copy(made(tmp_path / "data"), file)
    done = command("restore", str(file), "--verify")
    assert (done.returncode, "manifest" in done.stderr) == (2, True)


def test_with_postgresql_the_command_says_what_to_run(tmp_path: Path):
    url = "postgresql+psycopg://nobody@127.0.0.1:1/adapter"
    done = command("backup", str(tmp_path), "--database-url", url)
    assert (done.returncode, "pg_dump" in done.stderr) == (2, True)
