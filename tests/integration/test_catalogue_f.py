"""Rows of group F about the queue, its wake-up, leases, the clock and restored backups.

The catalogue's F18 to F23 speak of a broker. Here the inbox table is the queue, and LISTEN/NOTIFY only wakes; each of
these tests makes the same fault in that channel.
"""

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from adapter.convert import Converted
from adapter.errors import StorageUnavailable
from adapter.store import epochs, inbox, lanes
from adapter.store.database import ARRIVED, Database, open_database, rows, run
from adapter.store.lanes import Claimed
from adapter.store.resources import history
from adapter.worker import Rules, Worker
from tests.durability.feed import numbered
from tests.integration.intake_stand import receive, segments
from tests.integration.test_worker_run import told
from tests.store_stand import EVERYTHING, NOON, RULES, STUDY_RULES, SmallIndex, mapped, new_message, observation, write


def worker(
    database: Database,
    convert: Callable[[Claimed], Converted] = told,
    name: str = "w",
    clock: Callable[[], datetime] = lambda: NOON,
) -> Worker:
    return Worker(database, name=name, convert=convert, rules=Rules(SmallIndex(), RULES, STUDY_RULES), clock=clock)


@contextmanager
def working(database: Database) -> Generator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=worker(database).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def put(database: Database, *texts: str) -> None:
    with database.write() as connection:
        inbox.insert(connection, [new_message(text, lane=text.partition(" ")[0]) for text in texts])


def state(database: Database, text: str) -> str:
    with database.read() as connection:
        return rows(connection, "SELECT state FROM message WHERE control_id = ?", [text])[0][0]


def mapped_soon(database: Database, text: str) -> bool:
    due = time.monotonic() + 60
    while state(database, text) != "mapped" and time.monotonic() < due:
        time.sleep(0.02)
    return state(database, text) == "mapped"


def test_f18_message_whose_wake_up_was_lost_is_found(database: Database, monkeypatch: pytest.MonkeyPatch):
    with working(database):
        put(database, "p1 WBC")
        assert mapped_soon(database, "p1 WBC")
        monkeypatch.setattr(inbox, "announce", lambda _connection: None)
        put(database, "p1 HGB")
        assert mapped_soon(database, "p1 HGB")


def test_f19_listening_connection_that_is_cut_comes_back(postgres_url: str):
    database = open_database(postgres_url)
    with working(database):
        put(database, "p1 WBC")
        assert mapped_soon(database, "p1 WBC")
        for text in ("p1 HGB", "p1 PLT"):
            cut_listeners(postgres_url)
            put(database, text)
            assert mapped_soon(database, text)
        wait_for_listener(postgres_url)
    database.close()


def cut_listeners(url: str) -> None:
    wait_for_listener(url)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
            "AND datname = current_database()"
        )


def wait_for_listener(url: str) -> None:
    listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for _ in range(1000):
            if connection.execute(listening).fetchone() != (0,):
                return
            time.sleep(0.02)
    raise AssertionError("nobody listens")


def test_f20_what_was_announced_while_nobody_listened_is_converted_after_the_start(database: Database):
    put(database, "p1 WBC", "p2 WBC")
    with working(database):
        assert mapped_soon(database, "p1 WBC")
        assert mapped_soon(database, "p2 WBC")


def test_f21_queue_has_no_limit_and_refuses_nothing_while_no_worker_works(tmp_path: Path):
    answers, stored = receive(tmp_path, [numbered(number, patients=9) for number in range(300)])
    assert {segments(one.ack)["MSA"][1] for one in answers} == {"CA"}
    assert [row["state"] for row in stored] == ["received"] * 300


def test_f22_wake_up_carries_nothing_of_the_message_however_long_it_is(postgres_url: str):
    database = open_database(postgres_url)
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as listening:
        listening.execute(f"LISTEN {ARRIVED}".encode())
        with database.write() as connection:
            inbox.insert(connection, [new_message("p1", raw=b"W" * 2_000_000)])  # a notification has 8000 bytes at most
        (heard,) = listening.notifies(timeout=60, stop_after=1)
    assert heard.payload == ""
    database.close()


def test_f23_f25_slow_worker_whose_lease_was_taken_writes_nothing(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapter.worker.LEASE_SECONDS", 0.2)
    converting, go_on = threading.Event(), threading.Event()

    def slow(claimed: Claimed) -> Converted:
        converting.set()
        assert go_on.wait(60)
        return told(claimed)

    with opened(postgres_url) as database, opened(postgres_url) as other, ThreadPoolExecutor(1) as elsewhere:
        put(database, "p1 WBC")
        failing = elsewhere.submit(worker(database, slow, name="slow").run_once)
        assert converting.wait(60)
        time.sleep(0.5)
        assert worker(other, name="quick").run_once() == 1
        go_on.set()
        with pytest.raises(StorageUnavailable, match="lease"):
            failing.result()
        with database.read() as connection:
            assert [one.version for one in history(connection, EVERYTHING, "Observation", "o-p1-WBC", limit=9)] == [1]
            assert rows(connection, "SELECT state, attempts FROM message") == [("mapped", 2)]


@contextmanager
def opened(url: str) -> Generator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        database.close()


def test_f25_lane_of_a_dead_worker_is_taken_when_its_lease_ends_and_not_before(database: Database):
    put(database, "p1 WBC")
    lanes.claim(database, limit=1, worker="dead", lease_seconds=1.5)
    assert worker(database).run_once() == 0
    time.sleep(1.6)
    assert worker(database).run_once() == 1


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)], ids=["F26 forward", "F26 back"])
def test_f26_versions_go_forward_and_order_stays_when_the_clock_steps(database: Database, step: timedelta):
    put(database, "p1 WBC")
    worker(database).run_once()
    for number, at in enumerate((NOON + step, NOON, NOON + step), 1):
        status = ("final", "corrected", "amended")[number - 1]
        write(database, mapped(observation("o-p1-WBC", status=status), f"2018-03-0{number + 1}"), message_id=9, now=at)
    with database.read() as connection:
        versions = history(connection, EVERYTHING, "Observation", "o-p1-WBC", limit=9)
    times = [one.last_updated for one in sorted(versions, key=lambda one: one.version)]
    assert len(times) >= 3
    assert times == sorted(set(times))


def test_f26_lease_of_a_clock_that_was_set_back_does_not_hold_a_lane_for_hours(database: Database):
    put(database, "p1 WBC")
    lanes.claim(database, limit=1, worker="dead", lease_seconds=30)
    with database.write() as connection:
        run(connection, "UPDATE message SET lease_until = lease_until + 3600000000")
    assert worker(database).run_once() == 1


def test_f26_messages_are_converted_in_the_order_they_came_whatever_the_clock_said(database: Database):
    with database.write() as connection:
        for number, text in enumerate(("p1 A", "p1 B", "p1 C")):
            at = NOON - timedelta(hours=number)
            inbox.insert(connection, [new_message(text, lane="p1", received_at=at)])
    claimed = lanes.claim(database, limit=3, worker="w", lease_seconds=30)
    assert [one.raw for one in claimed] == [b"p1 A", b"p1 B", b"p1 C"]


def test_f27_numbers_are_not_given_again_after_a_backup_is_restored(database: Database):
    put(database, "p1 WBC")
    with database.write() as connection:
        before = rows(connection, "SELECT max(id) FROM message")[0][0]
        assert epochs.begin(connection) == 1
    put(database, "p1 WBC", "p2 WBC")  # sent again: one was in the backup
    with database.write() as connection:
        ids = [row[0] for row in rows(connection, "SELECT id FROM message ORDER BY id")]
        assert epochs.begin(connection) == 2
    assert ids[0] == before
    assert ids[1] > epochs.EPOCH
    put(database, "p3 WBC")
    with database.read() as connection:
        assert rows(connection, "SELECT max(id) FROM message")[0][0] > 2 * epochs.EPOCH


def test_f27_first_epoch_of_an_empty_inbox(database: Database):
    with database.write() as connection:
        assert epochs.begin(connection) == 1
    put(database, "p1 WBC")
    with database.read() as connection:
        assert rows(connection, "SELECT id FROM message")[0][0] == epochs.EPOCH + 1
