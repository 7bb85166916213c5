import logging
import threading
from collections.abc import Callable, Generator
from typing import Any, cast

import pytest

from adapter.convert import Converted
from adapter.errors import NoIdentity, NoMap, StorageUnavailable
from adapter.mapper.ledger import Unread
from adapter.store import inbox, lanes
from adapter.store.database import Database, open_database, rows, run
from adapter.store.lanes import Claimed
from adapter.store.resources import ResourceWriter, history
from adapter.worker import ATTEMPTS, Rules, Worker
from tests.store_stand import (
    EVERYTHING,
    NOON,
    RULES,
    STUDY_RULES,
    SmallIndex,
    mapped,
    new_message,
    observation,
    patient,
    stored,
)


class Account:
    """A ledger that names one unread field."""

    def unmapped(self) -> tuple[Unread, ...]:
        return (Unread("OBX", 5, 17),)


def told(claimed: Claimed) -> Converted:
    """A conversion in one line: `p1 WBC`, or the name of what goes wrong."""
    text = claimed.raw.decode()
    number, _, what = text.partition(" ")
    ledger = cast("Any", Account())
    if what == "no-map":
        raise NoMap("no map for XYZ^X01")
    if what == "no-identity":
        raise NoIdentity("the patient has no identifier")
    if what == "bug":
        raise ZeroDivisionError("13100000001 is a telephone number")
    if what == "unwritable":
        return Converted(
            (mapped(observation("o", of=number, valueString=object())),), (), ledger, "ORU_R01", claimed.site
        )
    if what == "nul":
        return Converted((mapped(observation("o", of=number, status="a\x00b")),), (), ledger, "ORU_R01", claimed.site)
    resources = (mapped(patient(number)), mapped(observation(f"o-{number}-{what}", of=number)))
    return Converted(resources, (), ledger, "ORU_R01", claimed.site)


def worker(database: Database, convert: Callable[[Claimed], Converted] = told, name: str = "w") -> Worker:
    return Worker(
        database, name=name, convert=convert, rules=Rules(SmallIndex(), RULES, STUDY_RULES), clock=lambda: NOON
    )


def receive(database: Database, *texts: str) -> None:
    with database.write() as connection:
        inbox.insert(connection, [new_message(text, lane=text.partition(" ")[0]) for text in texts])


def states(database: Database) -> dict[str, str]:
    with database.read() as connection:
        return {row[0]: row[1] for row in rows(connection, "SELECT control_id, state FROM message")}


def drain(one: Worker) -> None:
    while one.run_once():
        pass


def count(database: Database, table: str) -> int:
    with database.read() as connection:
        return rows(connection, f"SELECT count(*) FROM {table}")[0][0]


def test_messages_become_resources_and_are_mapped(database: Database):
    receive(database, "p1 WBC", "p2 HGB")
    drain(worker(database))
    assert set(states(database).values()) == {"mapped"}
    assert stored(database, "Observation", "o-p2-HGB")["subject"] == {"reference": "Patient/p2"}
    with database.read() as connection:
        counted = rows(connection, "SELECT site, structure, path, count FROM finding")
    assert [tuple(row) for row in counted] == [("FAHZU", "ORU_R01", "OBX-17", 2)]


def test_message_that_cannot_be_converted_is_held_with_its_cause_and_keeps_back_its_patient_only(database: Database):
    receive(database, "p1 no-identity", "p1 WBC", "p2 WBC")
    drain(worker(database))
    assert states(database) == {"p1 no-identity": "held", "p1 WBC": "received", "p2 WBC": "mapped"}
    with database.read() as connection:
        held = inbox.listing(connection, {"state": "held"}, before=None, limit=9)[0]
    assert (held.cause_code, held.cause) == ("H2F-3001", "the patient has no identifier")
    assert "hospital" in held.mender


def test_message_without_a_map_is_kept_and_keeps_back_nobody(database: Database):
    receive(database, "p1 no-map", "p1 WBC")
    drain(worker(database))
    assert states(database) == {"p1 no-map": "unmapped", "p1 WBC": "mapped"}


def test_f24_bug_of_ours_is_tried_again_then_held_and_its_text_is_told_to_nobody(
    database: Database, caplog: pytest.LogCaptureFixture
):
    receive(database, "p1 bug", "p1 WBC", "p2 WBC")
    caplog.set_level(logging.INFO, "adapter")
    drain(worker(database))
    assert states(database) == {"p1 bug": "held", "p1 WBC": "received", "p2 WBC": "mapped"}
    with database.read() as connection:
        held = inbox.listing(connection, {"state": "held"}, before=None, limit=9)[0]
    assert held.attempts == ATTEMPTS
    assert held.cause == f"converting failed {ATTEMPTS} times: ZeroDivisionError"
    assert sum(record.message == "conversion_failed" for record in caplog.records) == ATTEMPTS
    assert "13100000001" not in " ".join(record.getMessage() for record in caplog.records)


def test_f24_message_that_kills_its_worker_is_held_and_takes_no_other_with_it(database: Database):
    receive(database, "p1 WBC", "p2 killer", "p3 WBC")

    class Killed(BaseException):
        """As if the process had been killed."""

    def deadly(claimed: Claimed) -> Converted:
        if claimed.raw == b"p2 killer":
            raise Killed
        return told(claimed)

    for life in range(ATTEMPTS + 3):
        alive = worker(database, deadly, name=f"life {life}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("adapter.worker.LEASE_SECONDS", -1.0)  # the lease of the dead has ended
            try:
                drain(alive)
            except Killed:
                continue
    assert states(database) == {"p1 WBC": "mapped", "p2 killer": "held", "p3 WBC": "mapped"}


@pytest.mark.parametrize("what", ["unwritable", "nul"])
def test_f24_message_whose_resources_cannot_be_written_is_held_and_stops_no_other(database: Database, what: str):
    receive(database, f"p1 {what}", "p1 WBC", "p2 WBC", "p3 WBC")
    one = worker(database)
    for _ in range(20):
        one.run_once()
    if what == "nul" and database.dialect == "sqlite":
        assert set(states(database).values()) == {"mapped"}  # only PostgreSQL's text has no NUL
        return
    assert states(database) == {f"p1 {what}": "held", "p1 WBC": "received", "p2 WBC": "mapped", "p3 WBC": "mapped"}


CRASHES = [
    (ResourceWriter, "flush"),
    (inbox, "add_findings"),
    (lanes, "finish"),
    (lanes, "release"),
]


@pytest.mark.parametrize(("where", "step"), CRASHES, ids=[step for _, step in CRASHES])
@pytest.mark.parametrize("when", ["before", "after"])
def test_f3_crash_beside_any_step_leaves_nothing_half_done_and_the_next_worker_does_it_once(
    database: Database, where: Any, step: str, when: str
):
    class Killed(BaseException):
        """As if the process had been killed."""

    real = getattr(where, step)

    def deadly(*arguments: Any, **named: Any) -> Any:
        if when == "after":
            real(*arguments, **named)
        raise Killed

    receive(database, "p1 WBC")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adapter.worker.LEASE_SECONDS", -1.0)
        patch.setattr(where, step, deadly)
        with pytest.raises(Killed):
            worker(database, name="dead").run_once()
    assert (count(database, "resource"), count(database, "index_token"), count(database, "finding")) == (0, 0, 0)
    assert states(database) == {"p1 WBC": "received"}
    drain(worker(database, name="next"))
    assert states(database) == {"p1 WBC": "mapped"}
    with database.read() as connection:
        assert len(history(connection, EVERYTHING, "Observation", "o-p1-WBC", limit=9)) == 1
        assert rows(connection, "SELECT count FROM finding")[0][0] == 1


def test_converting_everything_again_makes_no_version(database: Database):
    receive(database, "p1 WBC", "p1 HGB")
    drain(worker(database))
    with database.write() as connection:
        run(connection, "UPDATE message SET state = 'received'")
    drain(worker(database))
    assert count(database, "resource_history") == 0


def test_failing_storage_counts_against_no_message(database: Database, monkeypatch: pytest.MonkeyPatch):
    receive(database, "p1 WBC", "p2 WBC")

    def fail(*_: Any) -> None:
        raise StorageUnavailable("disk full")

    one = worker(database)
    for _ in range(ATTEMPTS + 2):
        with monkeypatch.context() as patch:
            patch.setattr(ResourceWriter, "flush", fail)
            with pytest.raises(StorageUnavailable):
                one.run_once()
    drain(one)
    assert set(states(database).values()) == {"mapped"}


@pytest.fixture
def running(database: Database) -> Generator[Database]:
    """A database with a worker in a thread of its own."""
    stop = threading.Event()
    thread = threading.Thread(target=worker(database).run, args=(stop,))
    thread.start()
    yield database
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_running_worker_converts_what_arrives_and_stops_when_told(running: Database):
    receive(running, "p1 WBC")
    for _ in range(200):
        if states(running) == {"p1 WBC": "mapped"}:
            return
        threading.Event().wait(0.05)
    pytest.fail("the message was not converted within ten seconds")


def test_several_workers_convert_every_message_once_and_in_order(postgres_url: str):
    database = open_database(postgres_url)
    receive(database, *(f"p{number % 5} {number:03}" for number in range(100)))
    seen: list[str] = []

    def noting(claimed: Claimed) -> Converted:
        seen.append(claimed.raw.decode())
        return told(claimed)

    threads = [threading.Thread(target=drain, args=(worker(database, noting, f"w{n}"),)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drain(worker(database, noting, "last"))
    found = set(states(database).values())
    database.close()
    assert found == {"mapped"}
    assert len(seen) == len(set(seen)) == 100
    for lane in range(5):
        mine = [text for text in seen if text.startswith(f"p{lane} ")]
        assert mine == sorted(mine)
