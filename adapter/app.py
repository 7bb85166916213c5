"""The service in one process: MLLP listener, HTTP, worker, database. Here the clock is read and signals are heard."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from adapter import doors, log
from adapter.api import binary
from adapter.api.hl7_over_http import PostHl7, endpoint
from adapter.api.routes import create_app
from adapter.control import Control
from adapter.convert import Converted, convert
from adapter.crew import Crew
from adapter.data import data_folder
from adapter.documents import finder
from adapter.errors import ConfigurationError
from adapter.fhir.profiles import definitions
from adapter.fhir.search_params import SearchIndex
from adapter.fhir.search_params import load as load_search_index
from adapter.intake import EVERY_SITE, Answer, Intake, Origin, listen, warm
from adapter.listeners import Channel, Listener, Plan, load_plan
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.mapper.engine import Mapped
from adapter.settings import Address, Settings
from adapter.store.database import Database, open_database
from adapter.store.incidents import Incidents
from adapter.store.lanes import Claimed
from adapter.store.merge import load_merge_rules
from adapter.store.resources import ResourceWriter
from adapter.tally import Work
from adapter.trial.study import load_study
from adapter.wire.listener import Limits
from adapter.wire.listener import Listener as Line
from adapter.worker import Rules, Worker

DEFINED = "1970-01-01T00:00:00Z"
"""The time of the store's own resources: whatever the files say now replaces what they said before."""

SWITCH_SECONDS = 0.0005
HTTP = Channel("http")
_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (how a program here reaches a server of all addresses)


@dataclass(frozen=True, slots=True)
class Stock:
    """Everything that is read from mappings/ and profiles/."""

    catalog: Catalog
    rules: Rules
    search_index: SearchIndex
    profiles: Path

    @classmethod
    def load(cls) -> "Stock":
        """Read and check it.

        Raises:
            MappingError: the first thing that is wrong, with file and line.
        """
        mappings, profiles = data_folder("mappings"), data_folder("profiles")
        index = load_search_index(profiles)
        rules = Rules(index, load_merge_rules(mappings), load_study(mappings))
        return cls(load_catalog(mappings), rules, index, profiles)


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
    if settings.read_token is None and not settings.http.is_loopback:
        raise ConfigurationError(
            f"http listens on {settings.http}, where others can connect: set ADAPTER_READ_TOKEN, or listen on 127.0.0.1"
        )
    stock = Stock.load()
    _settle()
    database = open_database(settings.database)
    try:
        _define(database, stock)
        incidents = Incidents(database, now)
        works = [Work() for _ in range(_worker_count(settings, database))]
        with _workers(settings, stock, database, works, incidents):
            asyncio.run(_serve(settings, stock, database, works, incidents))
        if database.broken:
            raise database.broken
    finally:
        database.close()


def _settle() -> None:
    """Spare the garbage collector what stays for ever, and let it look at the rest less often: a sixth of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _define(database: Database, stock: Stock) -> None:
    """Put the study and the hospitals into the store; what is there already is left as it is."""
    with database.write() as connection:
        writer = ResourceWriter(connection, stock.rules.search_index, stock.rules.merge, now())
        for resource in definitions(stock.profiles):
            mapped = Mapped(resource, DEFINED, fill=False, defaults=(), cleared=(), map="profiles", patient_id=None)
            writer.put(mapped, site="", message_id=0)
        writer.flush()


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


def _work(settings: Settings, name: str, cells: Any) -> None:
    """A worker process."""
    log.configure(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    stock = Stock.load()
    _settle()
    database = open_database(settings.database)
    try:
        _worker(database, stock, name, Work(cells)).run(stop)
    finally:
        database.close()


def _worker(database: Database, stock: Stock, name: str, work: Work) -> Worker:
    def converted(claimed: Claimed) -> Converted:
        return convert(claimed.raw, catalog=stock.catalog, site=stock.catalog.sites[claimed.site])

    worker = Worker(database, name=name, convert=converted, rules=stock.rules, clock=now)
    worker.work = work
    return worker


def _stop(database: Database) -> asyncio.Event:
    """What ends the service: a signal, or a storage that failed for good."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database.on_break(lambda: loop.call_soon_threadsafe(stop.set))
    return stop


async def _serve(
    settings: Settings, stock: Stock, database: Database, works: Sequence[Work], incidents: Incidents
) -> None:
    stop = _stop(database)
    incidents.start()
    intake = Intake(catalog=stock.catalog, database=database, clock=now, incidents=incidents)
    control = Control(settings, database, stock.catalog, now, works)
    intake.tally = control.tally
    plan = _plan(settings, stock.catalog)
    lines: list[Line] = []
    app = _api(settings, stock, database, intake)
    control.serve_on(app, lambda: _connections(plan, lines))
    server = _Server(app, settings.http)
    serving = asyncio.create_task(server.serve())
    await server.listening(serving)
    lines += [await _listen(intake, one, settings) for one in plan.listeners]
    threading.Thread(target=warm, args=(stock.catalog,), name="warm", daemon=True).start()
    log.event("listening", http=server.address)
    minding = asyncio.create_task(doors.mind(lines, database, incidents))
    with control.watching(server.local, incidents):
        await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    minding.cancel()
    stopped = await asyncio.gather(*(line.stop() for line in lines))
    server.should_exit = True
    await serving
    await intake.close()
    incidents.close()
    log.event("stopped", drained=sum(one.drained for one in stopped), cut=sum(one.cut for one in stopped))


def _api(settings: Settings, stock: Stock, database: Database, intake: Intake) -> FastAPI:
    app = create_app(
        database=database,
        index=stock.search_index,
        profiles=stock.profiles,
        post_hl7=_post_hl7(intake, HTTP, settings) if settings.listeners is None else None,
        token=settings.read_token.get_secret_value() if settings.read_token else None,
    )
    binary.install(app, finder(database, stock.catalog))
    return app


def _connections(plan: Plan, lines: Sequence[Line]) -> dict[str, int]:
    return {wanted.channel.name: len(line.connections) for wanted, line in zip(plan.listeners, lines, strict=False)}


def _plan(settings: Settings, catalog: Catalog) -> Plan:
    """The listeners of the installation; by default one for every site."""
    if settings.listeners is None:
        return Plan((Listener(EVERY_SITE, "mllp", settings.mllp),))
    return load_plan(settings.listeners, sites=[site.code for site in catalog.sites])


async def _listen(intake: Intake, wanted: Listener, settings: Settings) -> Line:
    limits = Limits(
        stall_seconds=settings.stall_seconds,
        max_length=settings.max_message_bytes,
        max_connections=wanted.max_connections or settings.max_connections,
    )
    try:
        line = await listen(intake, wanted.address, channel=wanted.channel, limits=limits)
    except OSError as error:
        text = f"{wanted.channel.name} cannot listen on {wanted.address}: {error.strerror}"
        raise ConfigurationError(text) from error
    log.event("listening", channel=wanted.channel.name, address=f"{line.address[0]}:{line.address[1]}")
    return line


def _post_hl7(intake: Intake, channel: Channel, settings: Settings) -> PostHl7:
    async def receive(raw: bytes, *, peer: str) -> Answer:
        return await intake.receive(raw, origin=Origin(channel, "http", peer))

    return endpoint(receive, maximum=settings.max_message_bytes)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the service stops as a whole, in its own order."""

    def __init__(self, app: FastAPI, address: Address) -> None:
        super().__init__(uvicorn.Config(app, host=address.host, port=address.port, log_config=None, lifespan="off"))
        self._wanted = address

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def listening(self, serving: "asyncio.Task[None]") -> None:
        """Return when it listens.

        Raises:
            ConfigurationError: the address cannot be used.
        """
        while not self.started:
            if serving.done():
                raise ConfigurationError(f"http cannot listen on {self._wanted}")
            await asyncio.sleep(0.01)

    @property
    def local(self) -> str:
        """Where a program of this machine reaches it."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{Address(_THIS_MACHINE.get(str(host), str(host)), int(port))}"

    @property
    def address(self) -> str:
        """The address in use."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"{host}:{port}"
