"""`adapter report` on a trial of many subjects: a store whose subjects are copies of those of another.

    python bench/report.py DATA [--copies N] [--keep FOLDER]

DATA is the data folder of a program that is stopped and holds a trial, with derived facts or without. It is copied,
and everything of its patients (and the cell products) is put into the copy N times more: the same contents with other
ids, and subjects of other numbers. Then `adapter serve` runs on the copy, `adapter report` asks it as a process of its
own, and its time by the clock and of the processor, its memory and the server's processor time are printed. Memory is
told twice: the most that one process held, and the most that the report's processes held together, each page that they
share counted once (Pss, looked at twice a second). `--keep` leaves the copy in a folder, where the next run finds it.
"""

import argparse
import asyncio
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from adapter.demo.program import Program, running

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
NUMBER = re.compile(r"\b(ATLI|HC)-(\d\d)(?!\d)")
Fill = Callable[[tuple[Any, ...]], list[Any]]
MARK = "\x01"
OF_ID, OF_NUMBER = f"{MARK}i", f"{MARK}n"
COPIED = "(patient_id IS NOT NULL OR resource_type = 'BiologicallyDerivedProduct') AND NOT deleted"
INDEXES = {
    "index_token": ("param", "code", "key", "system"),
    "index_reference": ("param", "target_id", "key", "target_type"),
    "index_date": ("param", "low", "key", "high"),
    "index_string": ("param", "value_normalised", "key", "value"),
    "index_quantity": ("param", "code", "unit", "low", "key", "high", "system", "least", "greatest"),
}


class Copier:
    """Makes one copy of the subjects' resources after the other.

    What differs from copy to copy is marked once, in contents and index rows; each copy then replaces the marks.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        """Read what is copied."""
        self._database = database
        found = database.execute(f"SELECT * FROM resource WHERE {COPIED}")
        place = {name: at for at, (name, *_) in enumerate(found.description)}
        resources = found.fetchall()
        self._ids = {row[place["id"]] for row in resources}
        (self._step,) = database.execute("SELECT max(key) FROM resource").fetchone()
        self._key, self._changing = place["key"], [place[name] for name in ("id", "patient_id", "body")]
        self._resources = [self._marked(row, self._changing) for row in resources]
        keys = f"SELECT key FROM resource WHERE {COPIED}"
        self._indexes = {
            table: [
                self._marked(row, [1])
                for row in database.execute(f"SELECT {','.join(columns)} FROM {table} WHERE key IN ({keys})")
            ]
            for table, columns in INDEXES.items()
        }

    def copy(self, number: int) -> None:
        """Write copy `number`."""
        self._insert("resource", "", self._resources, self._filler(self._changing, self._key, number))
        for table, columns in INDEXES.items():
            rows, key = self._indexes[table], columns.index("key")
            self._insert(table, f"({','.join(columns)})", rows, self._filler([1], key, number))
        self._database.commit()

    def _insert(self, table: str, columns: str, rows: Sequence[tuple[Any, ...]], filled: Fill) -> None:
        marks = ",".join("?" * len(rows[0]))
        self._database.executemany(f"INSERT INTO {table} {columns} VALUES ({marks})", map(filled, rows))

    def _filler(self, changing: Sequence[int], key: int, number: int) -> Fill:
        moved = number * self._step

        def filled(row: tuple[Any, ...]) -> list[Any]:
            made = list(row)
            made[key] += moved
            for at in changing:
                made[at] = _filled(made[at], number)
            return made

        return filled

    def _marked(self, row: Sequence[Any], changing: Sequence[int]) -> tuple[Any, ...]:
        return tuple(self._mark(value) if at in changing else value for at, value in enumerate(row))

    def _mark(self, value: Any) -> Any:
        """The first eight digits of each copied id become a mark, and the numbers of subjects get one."""
        if isinstance(value, bytes):
            return self._mark(value.decode()).encode()
        if not isinstance(value, str):
            return value
        marked = UUID.sub(lambda found: f"{OF_ID}{found[0][8:]}" if found[0] in self._ids else found[0], value)
        return NUMBER.sub(rf"\g<1>-{OF_NUMBER}\g<2>", marked)


def _filled(value: Any, number: int) -> Any:
    """A marked value as it is in a copy."""
    if isinstance(value, bytes):
        return value.replace(OF_ID.encode(), b"%08x" % number).replace(OF_NUMBER.encode(), b"%02d" % number)
    if isinstance(value, str) and MARK in value:
        return value.replace(OF_ID, f"{number:08x}").replace(OF_NUMBER, f"{number:02d}")
    return value


def multiply(data: Path, copies: int) -> None:
    """Put copies into the store of a data folder."""
    with closing(sqlite3.connect(data / "adapter.db")) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -2000000")
        copier = Copier(database)
        for number in range(1, copies + 1):
            copier.copy(number)
        database.execute("DELETE FROM derivation_due")
        database.commit()


def processor_seconds(program: Program) -> float:
    """The processor time that a program has used."""
    fields = Path(f"/proc/{program.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def measure(data: Path) -> str:
    """What a report costs."""
    async with running(data) as program:
        token = program.headers("data-manager")["Authorization"].removeprefix("Bearer ")
        before, begun = processor_seconds(program), time.perf_counter()
        out = data / "report"
        command = [sys.executable, "-m", "adapter", "report", "--base", f"{program.base}/fhir", "--out", str(out)]
        command += ["--token", token]
        used, together = await asyncio.to_thread(run, command)
        return (
            f"{time.perf_counter() - begun:.1f} s, processor {used.ru_utime + used.ru_stime:.1f} s, "
            f"memory {used.ru_maxrss // 1024} MB, all processes {together // 1024} MB, "
            f"server {processor_seconds(program) - before:.1f} s"
        )


def run(command: Sequence[str]) -> tuple[resource.struct_rusage, int]:
    """What a command used, and the processes that it started (memory: the largest of them); all their memory in kB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    most = 0
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        most = max(most, sum(map(proportional, family(process.pid))))
        time.sleep(0.5)
    if status:
        raise SystemExit("adapter report failed")
    return used, most


def family(parent: int) -> Iterator[int]:
    """A process and those that it started."""
    yield parent
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(OSError):
            for child in children.read_text().split():
                yield from family(int(child))


def proportional(process: int) -> int:
    """The memory of a process in kB, of pages that several share its part; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--copies", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.data.parent) as folder:
        data = asked.keep or Path(folder) / "data"
        if not data.exists():
            make(data, asked.data, asked.copies)
        print(asyncio.run(measure(data)))


def make(data: Path, source: Path, copies: int) -> None:
    """Make the data folder with the copies."""
    begun = time.perf_counter()
    data.mkdir(parents=True)
    shutil.copy(source / "adapter.db", data / "adapter.db")
    if copies:
        # A process of its own: what it needed at most would be counted for those started afterwards.
        copying = get_context("spawn").Process(target=multiply, args=(data, copies))
        copying.start()
        copying.join()
        if copying.exitcode:
            raise SystemExit("the copies could not be made")
    print(f"{copies} copies made in {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
