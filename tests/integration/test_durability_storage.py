"""The SQLite file and its disk: full, read-only, locked, read for long."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adapter import doors
from adapter.errors import StorageUnavailable
from adapter.intake import listen
from adapter.intake.writer import Writer
from adapter.settings import Address
from adapter.store import durability, sqlite_file
from adapter.store.database import Database, look_into, open_database, rows, run
from adapter.store.incidents import Incidents, listing
from adapter.store.readings import Readings
from tests.durability.feed import numbered
from tests.integration import intake_stand
from tests.integration.intake_stand import Stand, segments, stand
from tests.store_stand import NOON, new_message

MEGABYTE = 1024 * 1024


@contextmanager
def small_disk(folder: Path, *, size: str = "8m") -> Generator[Path]:
    """A file system of its own; skipped where none may be mounted."""
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path, *, leave: int = 0) -> None:
    """Fill the disk up to so many bytes."""
    free = os.statvfs(disk)
    with (disk / "ballast").open("wb") as ballast:
        ballast.write(bytes(free.f_bavail * free.f_frsize - leave))


async def accepted(it: Stand, number: int) -> bool:
    answer = await it.receive(numbered(number, patients=4))
    assert answer.close or segments(answer.ack)["MSA"][1] == "CA"
    return not answer.close


def test_f6_full_disk_loses_nothing_that_was_acknowledged_and_reads_go_on(tmp_path: Path):
    with small_disk(tmp_path / "disk") as disk, stand(disk) as it:
        acknowledged: list[int] = []

        async def scene() -> None:
            assert await accepted(it, 0)
            fill(disk, leave=MEGABYTE // 4)
            for number in range(1, 1000):
                if not await accepted(it, number):
                    break
                acknowledged.append(number)
            assert not it.database.accepting
            assert len(it.messages()) == 1 + len(acknowledged)
            (disk / "ballast").unlink()
            assert it.database.accepting
            assert await accepted(it, 5000)
            await it.intake.close()

        intake_stand.run(scene)
        numbers = [row["control_id"] for row in it.messages()]
        assert numbers == [f"LIS{number:08}" for number in [0, *acknowledged, 5000]]
        assert it.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_f6_listeners_close_when_the_disk_is_full_and_open_when_a_twentieth_is_free(tmp_path: Path):
    with small_disk(tmp_path / "disk") as disk, stand(disk) as it:
        incidents = Incidents(it.database, lambda: NOON)

        async def scene() -> None:
            listener = await listen(it.intake, Address("127.0.0.1", 0))
            address = listener.address
            minding = asyncio.create_task(doors.mind([listener], it.database, incidents, pause=0.05))
            assert await until(address, wanted=True)
            fill(disk, leave=MEGABYTE // 25)
            assert await until(address, wanted=False)
            (disk / "ballast").unlink()
            fill(disk, leave=MEGABYTE // 4)  # more than one hundredth, less than a twentieth
            await asyncio.sleep(0.5)
            assert not await is_open(address)
            (disk / "ballast").unlink()
            assert await until(address, wanted=True)
            minding.cancel()
            await listener.stop()

        intake_stand.run(scene)
        incidents.flush()
        with it.database.read() as connection:
            (incident,) = listing(connection, open_only=False, limit=9)
        assert (incident.kind, incident.ended_at is None) == ("disk_full", False)


async def is_open(address: tuple[str, int]) -> bool:
    try:
        _, writer = await asyncio.open_connection(*address)
    except OSError:
        return False
    writer.close()
    return True


async def until(address: tuple[str, int], *, wanted: bool) -> bool:
    for _ in range(400):
        if await is_open(address) == wanted:
            return True
        await asyncio.sleep(0.05)
    return False


def test_f9_read_only_disk_is_named_at_the_start(tmp_path: Path):
    with small_disk(tmp_path / "disk") as disk:
        open_database(f"sqlite:///{disk}/adapter.db").close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(StorageUnavailable, match="cannot be written: Read-only file system"):
            open_database(f"sqlite:///{disk}/adapter.db")


def test_f10_lock_of_another_process_gets_no_answer_and_its_holder_is_named(tmp_path: Path):
    code = """import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.read()"""
    with stand(tmp_path) as it:
        command = [sys.executable, "-c", code, str(tmp_path / "adapter.db")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdin
            assert other.stdout
            assert other.stdout.readline() == b"locked\n"

            async def scene() -> None:
                began = time.monotonic()
                assert not await accepted(it, 1)
                assert time.monotonic() - began > 2
                with pytest.raises(StorageUnavailable, match=f"locked by pid {other.pid}"):
                    await asyncio.to_thread(write, it.database)
                other.stdin.close()  # pyright: ignore[reportOptionalMemberAccess]
                other.wait()
                assert await accepted(it, 1)
                await it.intake.close()

            intake_stand.run(scene)


def write(database: Database) -> None:
    with database.write() as connection:
        run(connection, "UPDATE message SET attempts = attempts")


def test_f12_on_any_sqlite_one_connection_writes_and_checkpoints(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/adapter.db"
    writer = open_database(url)
    with writer.read() as connection:
        assert rows(connection, "PRAGMA wal_autocheckpoint")[0][0] == 0
        assert rows(connection, "PRAGMA query_only")[0][0] == 1
    told = {one.name: one for one in durability.facts(writer)}
    assert (told["journal_mode"].value, told["synchronous"].value) == ("wal", "full")
    assert told["sqlite_version"].value == sqlite3.sqlite_version
    writer.close()


def test_f12_reader_that_is_closed_last_does_not_checkpoint(tmp_path: Path):
    code = f"""import os
from adapter.store.database import open_database, run
with open_database('sqlite:///{tmp_path}/adapter.db').write() as c:
    run(c, "INSERT INTO study_member (patient_id, number, own) VALUES ('p1', '1', 1)")
os._exit(0)"""
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
    wal = tmp_path / "adapter.db-wal"
    before = wal.read_bytes()
    database = look_into(f"sqlite:///{tmp_path}/adapter.db")
    with database.read() as connection:
        assert rows(connection, "SELECT number FROM study_member") == [("1",)]
    database.close()
    assert before
    assert wal.read_bytes() == before


@pytest.mark.parametrize(
    ("version", "is_safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 54, 1), True),
    ],
)
def test_f12_versions_with_the_wal_reset_bug_are_known(version: tuple[int, int, int], is_safe: bool):
    assert (durability._version_advice(version) == "") is is_safe


def test_f16_writer_that_gets_no_turn_gives_no_answer_within_the_budget(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            assert it.database._turn.acquire(timeout=1)
            assert not await accepted(it, 1)
            it.database._turn.release()
            assert await accepted(it, 1)
            await it.intake.close()

        intake_stand.run(scene)


def test_f29_messages_whose_senders_gave_up_do_not_pile_up_while_the_storage_stalls(sqlite_database: Database):
    async def scene() -> None:
        writer = Writer(sqlite_database)
        assert sqlite_database._turn.acquire(timeout=1)
        first = writer.put(new_message("0"))
        await asyncio.sleep(0.1)  # it is being stored
        late = [writer.put(new_message(str(number))) for number in range(1, 200)]
        for one in late[:-1]:
            one.cancel()
        sqlite_database._turn.release()
        await asyncio.gather(first, late[-1])
        await writer.close()
        assert writer._waiting == []

    intake_stand.run(scene)
    with sqlite_database.read() as connection:
        assert rows(connection, "SELECT control_id FROM message ORDER BY id") == [("0",), ("199",)]


def test_f30_idle_reader_is_cut_and_the_wal_begins_anew(sqlite_database: Database):
    sqlite_database._readings = Readings(longest=0.5)
    assert sqlite_database.file
    cut = pytest.raises(StorageUnavailable, match="took longer")
    with cut, sqlite_database.read() as connection:
        rows(connection, "SELECT count(*) FROM message")
        grow(sqlite_database)
        time.sleep(3)
    large = sqlite_file.wal_bytes(sqlite_database.file)
    assert large > 4 * MEGABYTE
    with sqlite_database.write() as connection:
        run(connection, "UPDATE study_member SET number = 'x' WHERE patient_id = '1'")
    with closing(sqlite3.connect(sqlite_database.file)) as beside:
        # Nobody reads any more: everything can be copied into the file.
        busy, in_wal, copied = beside.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    assert busy == 0
    assert in_wal == copied


def test_f30_running_reader_is_cut_and_others_are_not(sqlite_database: Database):
    sqlite_database._readings = Readings(longest=1)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(StorageUnavailable), sqlite_database.read() as connection:
        rows(connection, endless)
    with sqlite_database.read() as connection:
        assert rows(connection, "SELECT 1") == [(1,)]


def test_f30_reader_on_postgresql_is_cut(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapter.store.database.LONGEST_SECONDS", 0.5)
    database = open_database(postgres_url)
    with pytest.raises(StorageUnavailable, match="57014"), database.read() as connection:
        rows(connection, "SELECT pg_sleep(30)")
    with database.write() as connection:
        rows(connection, "SELECT pg_sleep(0.8)")  # who writes is not cut
    database.close()


def grow(database: Database) -> None:
    with database.write() as connection:
        for number in range(1500):
            values = [str(number), "9" * 4000, True]
            run(connection, "INSERT INTO study_member (patient_id, number, own) VALUES (?, ?, ?)", values)
