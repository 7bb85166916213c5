"""The watch begins an incident once and ends it once; a night is no silence."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapter.mapper.policy import Calendar
from adapter.monitor import Monitor, is_idle
from adapter.store import incidents, repair
from adapter.store.database import Database, rows, run
from adapter.store.inbox import insert
from adapter.store.incidents import Incidents
from adapter.store.repair import Doing
from tests.mappings import catalog
from tests.store_stand import new_message

SHANGHAI = ZoneInfo("Asia/Shanghai")
WORKDAYS = Calendar(frozenset(range(5)), time(7), time(19), 60)
NIGHTS = Calendar(frozenset(range(7)), time(22), time(6), 30)
TUESDAY = datetime(2026, 11, 24, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("calendar", "heard", "now", "idle"),
    [
        pytest.param(WORKDAYS, timedelta(hours=10), timedelta(hours=11), True, id="H10 an hour of silence at work"),
        pytest.param(WORKDAYS, timedelta(hours=10), timedelta(hours=10, minutes=59), False, id="H10 not yet an hour"),
        pytest.param(
            WORKDAYS, timedelta(hours=-4), timedelta(hours=7, minutes=59), False, id="A22 the night counts not"
        ),
        pytest.param(WORKDAYS, timedelta(hours=-4), timedelta(hours=8), True, id="H10 an hour after opening"),
        pytest.param(WORKDAYS, timedelta(hours=10), timedelta(hours=23), False, id="A22 idle for 12 h at night"),
        pytest.param(WORKDAYS, timedelta(hours=10), timedelta(days=4, hours=12), False, id="A22 on a Saturday"),
        pytest.param(NIGHTS, timedelta(hours=1), timedelta(hours=2), True, id="H10 after midnight"),
        pytest.param(NIGHTS, timedelta(hours=1), timedelta(hours=12), False, id="A22 by day"),
    ],
)
def test_silence_is_an_alarm_only_in_the_working_time(
    calendar: Calendar, heard: timedelta, now: timedelta, *, idle: bool
):
    assert is_idle(calendar, TUESDAY + heard, TUESDAY + now) is idle


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def opened(database: Database, *, every: bool = False) -> list[tuple[str, str, int]]:
    with database.read() as connection:
        found = incidents.listing(connection, open_only=not every, limit=100)
    return sorted((one.kind, one.site, one.count) for one in found if one.kind != "disk_low")


def test_h9_h10_one_incident_from_beginning_to_end_however_often_it_is_looked_at(database: Database, tmp_path: Path):
    clock = Clock()
    noted = Incidents(database, clock)
    watch = Monitor(database, noted, catalog().sites, clock=clock, data=tmp_path)

    def look() -> None:
        watch.look()
        noted.flush()

    with database.write() as connection:
        held = new_message("a", state="held", received_at=clock.now)
        later = new_message("b", received_at=clock.now)
        insert(connection, [held, later])
    look()
    assert opened(database) == [("held", "FAHZU", 1)]
    clock.now += timedelta(minutes=6)
    for _ in range(3):
        look()
    assert opened(database) == [("backlog", "FAHZU", 1), ("held", "FAHZU", 1)]
    with database.write() as connection:
        done = repair.carry_out(connection, [1], Doing("release", "administrator", "test"))
        run(connection, "UPDATE message SET state = 'mapped' WHERE id = 2")
    assert done == 1
    for _ in range(2):
        look()
    assert opened(database) == []
    assert opened(database, every=True) == [("backlog", "FAHZU", 1), ("held", "FAHZU", 1)]


def test_repairs_change_each_message_once_and_say_who_and_why(database: Database):
    doing = Doing("requeue", "analyst", "a map was added")
    states = ("held", "unmapped", "mapped", "rejected", "received")
    with database.write() as connection:
        insert(connection, [new_message(state, state=state, cause_code="H2F-3002") for state in states])
        insert(connection, [new_message("batch", state="held", lane="")])
        assert repair.carry_out(connection, [1, 2, 4, 5, 6], doing) == 2
        assert repair.carry_out(connection, [1, 2, 4, 5, 6], doing) == 0
        taken: list[int] = []

        def accept(_: object, number: int) -> bool:
            taken.append(number)
            return len(taken) == 1

        release = Doing("release", "administrator", "counted by hand")
        assert repair.carry_out(connection, [6], release, accept=accept) == 1
    with database.read() as connection:
        found = rows(connection, "SELECT state, cause_code, attempts FROM message ORDER BY id")
        assert [tuple(one) for one in found] == [
            ("received", "", 0),
            ("received", "", 0),
            ("mapped", "H2F-3002", 0),
            ("rejected", "H2F-3002", 0),
            ("received", "H2F-3002", 0),
            ("held", "", 0),
        ]
        actions = rows(connection, "SELECT message_id, actor, kind, detail FROM action ORDER BY id")
        assert [tuple(one) for one in actions] == [
            (1, "analyst", "requeue", "a map was added"),
            (2, "analyst", "requeue", "a map was added"),
            (6, "administrator", "release", "counted by hand"),
        ]
