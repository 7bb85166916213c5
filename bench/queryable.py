"""Messages acknowledged and queryable per second over real MLLP on SQLite, against a bare insert loop.

    python bench/queryable.py [--messages N] [--rounds R] [--connections C] [--window W]

The adapter: `adapter serve` as a process of its own, real-sized results (ORU^R01 with 20 OBX) over several MLLP
connections, until every message is acknowledged and converted, so that it is found over FHIR.

The baseline: the rows that this very run has left in the database, read beforehand, are inserted into an empty file of
the same schema and pragmas (WAL, synchronous=FULL) by plain sqlite3: for each message its row and a commit, then its
resources with their index rows and a commit. It parses, maps, compares and answers nothing. A second baseline commits
once for 50 messages.
"""

import argparse
import asyncio
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from convert import OBX, message

from adapter.demo.program import Program, running
from adapter.wire.sender import send_mllp

PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "wal_autocheckpoint = 4000")
PATIENTS = 50  # of the generator
TOGETHER = 50  # messages in one commit of the second baseline
WARM_UP = 200


@dataclass(frozen=True)
class Run:
    """Seconds of one round: until all was acknowledged, until all was converted, and of both baselines."""

    acknowledged: float
    converted: float
    bare: float
    together: float


@dataclass
class Content:
    """What one message left in the database: its row, and the rows of each table that follow from it."""

    message: tuple[Any, ...] = ()
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))


async def serve_and_send(folder: Path, options: argparse.Namespace) -> tuple[float, float]:
    """Seconds until N messages are acknowledged, and until they are converted, by the real program."""
    messages = [message(number) for number in range(options.messages + WARM_UP)]
    async with running(folder) as program:
        await _send(program, messages[:WARM_UP], options)
        await _converted(program, WARM_UP)
        begun = time.perf_counter()
        await _send(program, messages[WARM_UP:], options)
        acknowledged = time.perf_counter() - begun
        await _converted(program, len(messages))
        return acknowledged, time.perf_counter() - begun


async def _send(program: Program, messages: Sequence[bytes], options: argparse.Namespace) -> None:
    """Send over several connections; all messages of a patient go over one, in their order."""
    count = options.connections
    parts = [[one for number, one in enumerate(messages) if number % PATIENTS % count == part] for part in range(count)]

    async def over_one_connection(part: Sequence[bytes]) -> None:
        async for delivery in send_mllp(part, *program.mllp, window=options.window):
            if not delivery.accepted:
                raise SystemExit(f"a message was not accepted: {delivery.code} {delivery.failure}")

    await asyncio.gather(*map(over_one_connection, parts))


async def _converted(program: Program, count: int) -> None:
    """Return when nothing waits any more.

    Raises:
        SystemExit: a message ended otherwise than mapped: there is nothing to compare.
    """
    async with httpx.AsyncClient(base_url=program.base, headers=program.headers("operator")) as client:
        while True:
            found: list[dict[str, Any]] = (await client.get("/status")).json()["messages"]
            states = {one["state"]: one["count"] for one in found}
            if not states.get("received"):
                break
            await asyncio.sleep(0.1)
    if states != {"mapped": count}:
        raise SystemExit(f"{count} messages should be mapped, but {states}")


def contents(file: Path) -> tuple[list[str], list[Content]]:
    """The schema, and what each message left, in the order of the messages."""
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC")
        schema = [(kind, name, sql) for kind, name, sql in found if not name.startswith("sqlite_")]
        of_message: dict[int, Content] = defaultdict(Content)
        for number, *row in connection.execute("SELECT id, * FROM message ORDER BY id"):
            of_message[number].message = tuple(row)
        for name in (name for kind, name, _ in schema if kind == "table" and name != "message"):
            for owner, row in _owned(connection, name):
                of_message[owner if owner in of_message else min(of_message)].rows[name].append(row)
        return [sql for _, _, sql in schema], [of_message[number] for number in sorted(of_message)]


def _owned(connection: sqlite3.Connection, table: str) -> Iterable[tuple[int, tuple[Any, ...]]]:
    """The rows of a table, each with the message that it follows from; 0 where it cannot be told."""
    names = _columns(connection, table)
    if "message_id" in names:
        sql = f"SELECT message_id, t.* FROM {table} AS t ORDER BY message_id"
    elif join := _join(names, _columns(connection, "resource")):
        sql = f"SELECT r.message_id, t.* FROM {table} AS t JOIN resource AS r ON {join} ORDER BY r.message_id"
    else:
        sql = f"SELECT 0, t.* FROM {table} AS t"
    return ((row[0], row[1:]) for row in connection.execute(sql))


def _join(names: dict[str, int], resource: dict[str, int]) -> str:
    """How a table refers to `resource`: by type and id, or by its integer key."""
    if {"resource_type", "resource_id"} <= names.keys():
        return "r.resource_type = t.resource_type AND r.id = t.resource_id"
    keys = [name for name, position in resource.items() if position]
    for name in names:
        if len(keys) == 1 and name in {keys[0], "resource", "resource_key", f"resource_{keys[0]}"}:
            return f"r.{keys[0]} = t.{name}"
    return ""


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, int]:
    """The columns, each with its place in the primary key, 0 outside of it."""
    return {row[1]: row[5] for row in connection.execute(f"PRAGMA table_info({table})")}


def insert(file: Path, schema: Sequence[str], left: Sequence[Content], *, together: int) -> float:
    """Seconds to insert everything: two commits for each message, or one for `together` of them."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        for sql in schema:
            connection.execute(sql)
        statements = {
            name: f"INSERT INTO {name} VALUES ({','.join('?' * len(rows[0]))})"
            for name, rows in {"message": [left[0].message], **_first_rows(left)}.items()
        }
        begun = time.perf_counter()
        for start in range(0, len(left), together):
            connection.execute("BEGIN IMMEDIATE")
            for one in left[start : start + together]:
                connection.execute(statements["message"], one.message)
                if together == 1:
                    connection.execute("COMMIT")
                    connection.execute("BEGIN IMMEDIATE")
                for name, rows in one.rows.items():
                    connection.executemany(statements[name], rows)
            connection.execute("COMMIT")
        return time.perf_counter() - begun


def _first_rows(left: Sequence[Content]) -> dict[str, list[tuple[Any, ...]]]:
    return {name: rows[:1] for one in reversed(left) for name, rows in one.rows.items()}


def measure(options: argparse.Namespace) -> tuple[Run, str]:
    """One round, and what was stored in it."""
    with tempfile.TemporaryDirectory(prefix="adapter-bench-") as name:
        folder = Path(name)
        acknowledged, converted = asyncio.run(serve_and_send(folder, options))
        schema, left = contents(folder / "adapter.db")
        kept = left[WARM_UP:]
        bare = insert(folder / "bare.db", schema, kept, together=1)
        together = insert(folder / "together.db", schema, kept, together=TOGETHER)
    rows = sum(1 + sum(map(len, one.rows.values())) for one in kept)
    size = sum(len(message(number)) for number in range(WARM_UP, WARM_UP + len(kept))) // len(kept)
    return Run(acknowledged, converted, bare, together), f"{size} bytes and {rows / len(kept):.0f} rows a message"


def show(what: str, values: Sequence[float], unit: str) -> None:
    """Median, least and greatest."""
    print(f"{what:52}{statistics.median(values):9.1f} {unit}   ({min(values):.1f} to {max(values):.1f})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1500, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--window", type=int, default=16, help="unanswered messages on one connection")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"SQLite {sqlite3.sqlite_version}, load average {os.getloadavg()[0]:.2f} before")
    measured = [measure(options) for _ in range(options.rounds)]
    runs = [run for run, _ in measured]
    number = options.messages
    print(f"{options.rounds} rounds of {number} ORU^R01 with {OBX} OBX, {measured[-1][1]}")
    show("adapter: acknowledged", [number / run.acknowledged for run in runs], "messages/s")
    show("adapter: acknowledged and queryable", [number / run.converted for run in runs], "messages/s")
    show("bare sqlite3: two commits for each message", [number / run.bare for run in runs], "messages/s")
    show(f"bare sqlite3: one commit for {TOGETHER} messages", [number / run.together for run in runs], "messages/s")
    show("adapter / bare loop", [100 * run.bare / run.converted for run in runs], "%")
    show(f"adapter / bare loop of {TOGETHER}", [100 * run.together / run.converted for run in runs], "%")
    print(f"load average {os.getloadavg()[0]:.2f} after")


if __name__ == "__main__":
    main()
