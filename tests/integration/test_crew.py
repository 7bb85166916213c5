"""Worker processes that die are replaced."""

import os
import signal
import time
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess

import pytest

from adapter.crew import Crew
from adapter.store.database import Database
from adapter.store.incidents import Incidents, listing
from tests.store_stand import NOON


def linger() -> None:
    time.sleep(600)


def test_f25_worker_process_that_is_killed_is_replaced_under_its_name_and_noted(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapter.crew.PAUSE_SECONDS", 0.05)
    started: list[tuple[str, SpawnProcess]] = []

    def start(name: str) -> SpawnProcess:
        process = get_context("spawn").Process(target=linger, daemon=True)
        process.start()
        started.append((name, process))
        return process

    incidents = Incidents(sqlite_database, lambda: NOON)
    crew = Crew(["w0", "w1"], start, incidents)
    killed = started[0][1].pid
    assert killed
    os.kill(killed, signal.SIGKILL)
    due = time.monotonic() + 60
    while len(started) < 3 and time.monotonic() < due:
        time.sleep(0.02)
    crew.stop()
    assert [name for name, _ in started] == ["w0", "w1", "w0"]
    assert not any(process.is_alive() for _, process in started)
    incidents.flush()
    with sqlite_database.read() as connection:
        assert [one.kind for one in listing(connection, open_only=True, limit=9)] == ["worker_died"]
