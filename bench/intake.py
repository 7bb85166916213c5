"""Durable acknowledgements per second for 1, 16, 64 and 256 clients, and how soon they come.

    python bench/intake.py [--seconds S] [--clients 1,16,64,256] [--latency S] [--crowd S]

Rates: `adapter serve` without a worker, then with one that converts meanwhile; each client is a real MLLP connection
with one message in flight (`load.py`, a process of its own). The bare limit of the same run: as many clients without
network, parsing or answer, each of which waits for its commit; a thread commits what waits, the very rows that the
adapter left, with its schema and pragmas, by plain sqlite3.

Latency: 200 messages a second at equal intervals while the worker converts and the API is read. Crowd: the same at 50 a
second, without and with 1,000 idle and 200 slow connections.
"""

import argparse
import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import load

from adapter.demo.program import Program, running

PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "wal_autocheckpoint = 4000")
AT_ONCE = 64  # rows in one statement, as in adapter/store/inbox.py
Row = tuple[Any, ...]


@asynccontextmanager
async def program(folder: Path, **settings: int) -> AsyncGenerator[Program]:
    """The adapter with these settings."""
    os.environ.update({f"ADAPTER_{name.upper()}": str(value) for name, value in settings.items()})
    try:
        async with running(folder) as it:
            await asyncio.sleep(1)  # structures are compiled beside the service
            yield it
    finally:
        for name in settings:
            del os.environ[f"ADAPTER_{name.upper()}"]


async def loaded(it: Program, **options: float) -> dict[str, Any]:
    """Put load on and return its outcome."""
    return await asyncio.to_thread(load.outcome, load.start(it.mllp[1], **options))


async def rate(folder: Path, clients: int, seconds: float, *, workers: int) -> dict[str, Any]:
    """What the adapter acknowledges."""
    async with program(folder, worker_processes=workers, max_connections=clients + 8) as it:
        await loaded(it, clients=clients, seconds=1)
        return await loaded(it, clients=clients, seconds=seconds, first=1_000_000)


def left(file: Path) -> tuple[list[str], list[str], list[Row]]:
    """Schema, columns and rows of the inbox as the adapter left it."""
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'message' AND sql IS NOT NULL")
        schema = [sql for (sql,) in found]
        names = [row[1] for row in connection.execute("PRAGMA table_info(message)") if row[1] != "id"]
        return schema, names, connection.execute(f"SELECT {','.join(names)} FROM message ORDER BY id").fetchall()


def bare(file: Path, schema: Sequence[str], names: Sequence[str], rows: Sequence[Row], clients: int) -> float:
    """Commits per second of so many clients that only wait for theirs."""
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as connection:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        for sql in schema:
            connection.execute(sql)
        begun = time.perf_counter()
        asyncio.run(_clients(connection, names, rows, clients))
        return len(rows) / (time.perf_counter() - begun)


async def _clients(connection: sqlite3.Connection, names: Sequence[str], rows: Sequence[Row], clients: int) -> None:
    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    coming, waiting = iter(rows), list[tuple[Row, "asyncio.Future[None]"]]()

    async def client() -> None:
        for row in coming:
            committed: asyncio.Future[None] = loop.create_future()
            waiting.append((row, committed))
            await committed

    def commit(batch: Sequence[Row]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for start in range(0, len(batch), AT_ONCE):
            some = batch[start : start + AT_ONCE]
            values = ",".join([f"({','.join('?' * len(names))})"] * len(some))
            sql = f"""INSERT INTO message ({",".join(names)}) VALUES {values}
                ON CONFLICT DO NOTHING RETURNING id, site, control_id, sha256"""
            connection.execute(sql, [value for row in some for value in row]).fetchall()
        connection.execute("COMMIT")

    tasks = [loop.create_task(client()) for _ in range(clients)]
    await asyncio.sleep(0)
    while waiting:
        batch = waiting.copy()
        waiting.clear()
        await loop.run_in_executor(thread, commit, [row for row, _ in batch])
        for _, committed in batch:
            committed.set_result(None)
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    thread.shutdown()


def rates(options: argparse.Namespace) -> None:
    """Measure and print the first part."""
    print(
        f"{'clients':>8}{'ACKs/s':>10}{'bare':>10}{'ratio':>8}{'p50 ms':>9}{'p99 ms':>9}"
        "   with the worker: ACKs/s, p99 ms"
    )
    for clients in map(int, options.clients.split(",")):
        with tempfile.TemporaryDirectory(prefix="adapter-bench-") as name:
            folder = Path(name)
            alone = asyncio.run(rate(folder / "a", clients, options.seconds, workers=0))
            limit = bare(folder / "bare.db", *left(folder / "a" / "adapter.db"), clients)
            busy = asyncio.run(rate(folder / "b", clients, options.seconds, workers=1))
        print(
            f"{clients:8}{alone['rate']:10.0f}{limit:10.0f}{alone['rate'] / limit:8.0%}{alone['p50']:9.1f}"
            f"{alone['p99']:9.1f}   {busy['rate']:.0f}, {busy['p99']:.1f}",
            flush=True,
        )


async def latency(seconds: float) -> None:
    """Measure and print the second part."""
    with tempfile.TemporaryDirectory(prefix="adapter-bench-") as name:
        async with program(Path(name), worker_processes=1) as it:
            reading = asyncio.create_task(_read(it))
            await loaded(it, clients=16, rate=50, seconds=2)
            show("200/s, worker, API", await loaded(it, clients=16, rate=200, seconds=seconds, first=1_000_000))
            reading.cancel()


async def _read(it: Program) -> None:
    async with httpx.AsyncClient(base_url=it.base, timeout=30) as client:
        while True:
            await client.get("/fhir/Observation", params={"_count": "20"})
            await asyncio.sleep(0.1)


async def crowd(seconds: float) -> None:
    """Measure and print the third part."""
    with tempfile.TemporaryDirectory(prefix="adapter-bench-") as name:
        async with program(Path(name), worker_processes=1, max_connections=2000, stall_seconds=3600) as it:
            await loaded(it, clients=4, rate=50, seconds=2)
            show("50/s alone", await loaded(it, clients=4, rate=50, seconds=seconds, first=1_000_000))
            others = load.start(it.mllp[1], idle=1000, slow=200, seconds=seconds + 10)
            await asyncio.sleep(5)
            show("with 1,000 idle, 200 slow", await loaded(it, clients=4, rate=50, seconds=seconds, first=2_000_000))
            others.kill()
            others.wait()


def show(what: str, found: dict[str, Any]) -> None:
    """One line of latencies."""
    print(
        f"{what:28}{found['acks']:7} ACKs   p50 {found['p50']:.1f} ms   p99 {found['p99']:.1f} ms"
        f"   max {found['max']:.1f} ms   refused {found['refused']}   unanswered {found['unanswered']}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each rate")
    parser.add_argument("--clients", default="1,16,64,256")
    parser.add_argument("--latency", type=float, default=60.0, help="seconds; 0 leaves it out")
    parser.add_argument("--crowd", type=float, default=30.0, help="seconds; 0 leaves it out")
    options = parser.parse_args()
    print(
        f"{len(load.frame(1))} bytes a frame, load average {os.getloadavg()[0]:.2f} before, "
        f"Python {sys.version.split()[0]}"
    )
    if options.seconds:
        rates(options)
    if options.latency:
        asyncio.run(latency(options.latency))
    if options.crowd:
        asyncio.run(crowd(options.crowd))
    print(f"load average {os.getloadavg()[0]:.2f} after")


if __name__ == "__main__":
    main()
