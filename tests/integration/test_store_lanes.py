import threading

import pytest

from adapter.errors import StorageUnavailable
from adapter.store import inbox
from adapter.store.database import Database, open_database, rows, run
from adapter.store.lanes import Finished, claim, finish, give_back, release
from tests.store_stand import new_message


@pytest.fixture
def filled(database: Database) -> Database:
    """Six messages in two lanes: a1 b1 a2 b2 a3 b3."""
    names = [f"{lane}{number}" for number in (1, 2, 3) for lane in "ab"]
    with database.write() as connection:
        inbox.insert(connection, [new_message(name, lane=name[0]) for name in names])
    return database


def take(database: Database, limit: int = 10, worker: str = "w", lease: float = 30) -> list[str]:
    return [one.raw.decode() for one in claim(database, limit=limit, worker=worker, lease_seconds=lease)]


def end(database: Database, *states: tuple[str, str], worker: str = "w") -> None:
    with database.write() as connection:
        ids = {row[1]: row[0] for row in rows(connection, "SELECT id, control_id FROM message")}
        finish(connection, [Finished(ids[name], state) for name, state in states], worker=worker)


def test_messages_are_taken_in_the_order_they_came(filled: Database):
    assert take(filled) == ["a1", "b1", "a2", "b2", "a3", "b3"]


def test_what_one_worker_has_keeps_its_lane_from_others(filled: Database):
    assert take(filled, limit=1, worker="w1") == ["a1"]
    assert take(filled, worker="w2") == ["b1", "b2", "b3"]
    assert take(filled, worker="w3") == []


def test_held_message_keeps_back_its_lane_and_no_other(filled: Database):
    assert take(filled, limit=1) == ["a1"]
    end(filled, ("a1", "held"))
    assert take(filled) == ["b1", "b2", "b3"]


def test_unmapped_message_keeps_back_nothing(filled: Database):
    take(filled, limit=1)
    end(filled, ("a1", "unmapped"))
    assert take(filled) == ["b1", "a2", "b2", "a3", "b3"]


def test_f25_lease_of_a_dead_worker_ends_and_its_late_result_is_refused(filled: Database):
    assert take(filled, limit=1, worker="dead", lease=-1) == ["a1"]
    assert take(filled, limit=1, worker="w") == ["a1"]
    with pytest.raises(StorageUnavailable, match="lease"):
        end(filled, ("a1", "mapped"), worker="dead")
    end(filled, ("a1", "mapped"))


def test_f24_message_that_was_tried_before_is_taken_alone(filled: Database):
    take(filled, limit=3, worker="dead", lease=-1)
    assert take(filled, worker="w") == ["a1"]
    end(filled, ("a1", "mapped"))
    assert take(filled, worker="w") == ["b1"]


def test_message_that_is_given_back_untried_does_not_count_as_tried(filled: Database):
    claimed = claim(filled, limit=2, worker="w", lease_seconds=30)
    with filled.write() as connection:
        give_back(connection, [one.id for one in claimed], worker="w")
    assert [one.attempts for one in claim(filled, limit=2, worker="w", lease_seconds=30)] == [1, 1]


def test_message_that_is_released_counts_as_tried(filled: Database):
    take(filled, limit=1)
    with filled.write() as connection:
        release(connection, worker="w")
    assert claim(filled, limit=1, worker="w", lease_seconds=30)[0].attempts == 2


def test_f3_leases_of_the_process_before_do_not_outlive_it_on_sqlite(database_url: str):
    database = open_database(database_url)
    with database.write() as connection:
        inbox.insert(connection, [new_message("a1")])
    take(database, worker="dead")
    database.close()
    if database.dialect == "sqlite":
        again = open_database(database_url)
        assert take(again) == ["a1"]
        again.close()


def test_several_workers_at_once_take_every_message_once_and_keep_each_lane_in_order(postgres_url: str):
    database = open_database(postgres_url)
    with database.write() as connection:
        inbox.insert(connection, [new_message(f"{n:03}", lane=str(n % 7)) for n in range(200)])
    order: list[str] = []
    guard = threading.Lock()

    def work(name: str) -> None:
        while taken := claim(database, limit=9, worker=name, lease_seconds=30):
            with guard:
                order.extend(one.raw.decode() for one in taken)
            with database.write() as connection:
                finish(connection, [Finished(one.id, "mapped") for one in taken], worker=name)

    workers = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    work("last")  # a lane that was taken when the others looked for the last time
    database.close()
    assert sorted(order) == [f"{n:03}" for n in range(200)]
    for lane in range(7):
        mine = [name for name in order if int(name) % 7 == lane]
        assert mine == sorted(mine)


def test_arrival_wakes_a_waiting_worker(database: Database):
    woken = threading.Event()

    def wait() -> None:
        database.wait(20)
        woken.set()

    waiting = threading.Thread(target=wait)
    if database.dialect == "postgresql":
        database.wait(0.01)  # from now on it listens
    waiting.start()
    with database.write() as connection:
        inbox.insert(connection, [new_message("a1")])
    assert woken.wait(10)
    waiting.join()


def test_ids_are_never_given_twice(sqlite_database: Database):
    with sqlite_database.write() as connection:
        (first,) = inbox.insert(connection, [new_message("a1")])
        run(connection, "DELETE FROM message")
        (second,) = inbox.insert(connection, [new_message("a2")])
    assert second > first
