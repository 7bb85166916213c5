"""Incidents: one record from beginning to end, on both databases."""

from datetime import UTC, datetime, timedelta

from adapter.store.database import Database
from adapter.store.incidents import Incidents, listing


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2018, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def kinds(database: Database, *, open_only: bool = False) -> list[tuple[str, str, int]]:
    with database.read() as connection:
        return [(one.kind, one.peer, one.count) for one in listing(connection, open_only=open_only, limit=10)]


def test_thousand_refused_connections_are_one_incident(database: Database):
    incidents = Incidents(database, Clock())
    for _ in range(500):
        incidents.note("unknown_sender", channel="a", peer="192.0.2.1")
    incidents.flush()
    for _ in range(500):
        incidents.note("unknown_sender", channel="a", peer="192.0.2.1")
    incidents.note("unknown_sender", channel="a", peer="192.0.2.2")
    incidents.flush()
    assert kinds(database) == [("unknown_sender", "192.0.2.2", 1), ("unknown_sender", "192.0.2.1", 1000)]


def test_incident_that_has_ended_begins_anew(database: Database):
    incidents = Incidents(database, Clock())
    incidents.note("foreign_sender", site="FAHZU")
    incidents.flush()
    incidents.end("foreign_sender", site="FAHZU")
    incidents.flush()
    assert kinds(database, open_only=True) == []
    incidents.note("foreign_sender", site="FAHZU")
    incidents.flush()
    assert len(kinds(database)) == 2
    assert len(kinds(database, open_only=True)) == 1


def test_incident_is_over_after_its_quiet_time(database: Database):
    clock = Clock()
    incidents = Incidents(database, clock)
    incidents.note("unknown_sender", peer="192.0.2.1")
    incidents.flush()
    clock.now += timedelta(hours=23)
    incidents.flush()
    assert len(kinds(database, open_only=True)) == 1
    clock.now += timedelta(hours=2)
    incidents.flush()
    assert kinds(database, open_only=True) == []


def test_what_the_database_did_not_take_is_written_later(database: Database):
    incidents = Incidents(database, Clock())
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE incident RENAME TO hidden")
    incidents.note("unknown_sender", peer="192.0.2.1")
    incidents.flush()
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO incident")
    incidents.flush()
    assert kinds(database) == [("unknown_sender", "192.0.2.1", 1)]
