"""The program as processes: the service with its database, and its workers. Here the clock is read."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from multiprocessing import get_context, parent_process
from multiprocessing.context import SpawnProcess
from typing import Any

from adapter import log
from adapter.crew import Crew
from adapter.deriving import Deriver
from adapter.service import Service
from adapter.settings import Settings
from adapter.stock import Stock
from adapter.store import parts, reindexing
from adapter.store.database import Database, open_database
from adapter.store.incidents import Incidents
from adapter.store.reach import PSEUDONYMISED
from adapter.tally import Work
from adapter.viewing import Viewer
from adapter.worker import Worker

SWITCH_SECONDS = 0.0005


def now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: an address cannot be used, or is open to others without a token.
        MappingError: mappings/ or profiles/ are wrong.
        StorageUnavailable: the database cannot be opened.
        StorageBroken: the storage failed; the program must end without closing it.
    """
    log.configure(settings.log_level)
    # SQLite releases the interpreter on every statement and waits to get it back: 5 ms, the default, is too long.
    sys.setswitchinterval(SWITCH_SECONDS)
    stock = Stock.load()
    settle()
    database = open_database(settings.database)
    try:
        present = stock.present()
        reindexing.follow(database, stock.search_index)
        reindexing.follow(database, stock.access.indexes[PSEUDONYMISED.name], view=PSEUDONYMISED)
        present.define(database, now())
        _viewer(database, stock).begin()
        parts.sweep(database, now())
        incidents = Incidents(database, now)
        works = [Work() for _ in range(_worker_count(settings, database))]
        with _workers(settings, stock, database, works, incidents):
            service = Service(settings, stock, database, present=present, incidents=incidents, works=works, clock=now)
            asyncio.run(service.serve())
        if database.broken:
            raise database.broken
    finally:
        database.close()


def settle() -> None:
    """Spare the garbage collector what stays for ever, and let it look at the rest less often: a sixth of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _worker_count(settings: Settings, database: Database) -> int:
    """One thread on SQLite, which has one writer; processes on PostgreSQL."""
    return min(settings.worker_processes, 1) if database.dialect == "sqlite" else settings.worker_processes


@contextlib.contextmanager
def _workers(
    settings: Settings, stock: Stock, database: Database, works: Sequence[Work], incidents: Incidents
) -> Generator[None]:
    """Workers while the service runs, each with what it counts."""
    if not works:
        yield
        return
    if database.dialect == "sqlite":
        stop = threading.Event()
        thread = threading.Thread(target=_worker(database, stock, "worker", works[0]).run, args=(stop,), name="worker")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            database.wake()
            thread.join()
        return

    cells = {f"{socket.gethostname()}-{os.getpid()}-{number}": work.cells for number, work in enumerate(works)}

    def start(name: str) -> SpawnProcess:
        process = get_context("spawn").Process(target=_work, args=(settings, name, cells[name]), daemon=True)
        process.start()
        return process

    crew = Crew(list(cells), start, incidents)
    try:
        yield
    finally:
        crew.stop()


def _work(settings: Settings, name: str, cells: Any = None) -> None:
    """A worker process."""
    log.configure(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    threading.Thread(target=_outlive_nobody, args=(stop,), name="parent", daemon=True).start()
    stock = Stock.load()
    settle()
    database = open_database(settings.database)
    try:
        _worker(database, stock, name, Work(cells)).run(stop)
    finally:
        database.close()


def _outlive_nobody(stop: threading.Event) -> None:
    """Stop when the program that started this worker is gone, killed perhaps, and another has taken its place."""
    if parent := parent_process():
        parent.join()
        stop.set()


def _worker(database: Database, stock: Stock, name: str, work: Work) -> Worker:
    worker = Worker(database, name=name, convert=stock.convert, rules=stock.rules, clock=now)
    deriver, viewer = Deriver(database, stock.rules, stock.asking.trial, now), _viewer(database, stock)
    worker.spare = lambda: viewer.run_once() or deriver.run_once()
    worker.work = work
    return worker


def _viewer(database: Database, stock: Stock) -> Viewer:
    return Viewer(database, stock.projection, stock.access.indexes[PSEUDONYMISED.name], now)
