"""`adapter report` on a trial of many subjects: a store whose subjects are copies of those of another.

    python bench/report.py DATA [--copies N]

DATA is the data folder of a program that is stopped and holds a trial, with derived facts or without. It is copied,
and everything of its patients (and the cell products) is put into the copy N times more: the same contents with other
ids, and subjects of other numbers. Then `adapter serve` runs on the copy, `adapter report` asks it as a process of its
own, and its time by the clock and of the processor, its largest memory and the server's processor time are printed.
"""

import argparse
import asyncio
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from adapter.demo.program import Program, running

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
NUMBER = re.compile(r"\b(ATLI|HC)-(\d\d)(?!\d)")
COPIED = "(patient_id IS NOT NULL OR resource_type = 'BiologicallyDerivedProduct') AND NOT deleted"
INDEXES = {
    "index_token": ("param", "code", "key", "system"),
    "index_reference": ("param", "target_id", "key", "target_type"),
    "index_date": ("param", "low", "key", "high"),
    "index_string": ("param", "value_normalised", "key", "value"),
}


class Copier:
    """Makes one copy of the subjects' resources after the other."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Read what is copied."""
        self._database = database
        self.resources = database.execute(f"SELECT * FROM resource WHERE {COPIED}").fetchall()
        columns = [name for name, *_ in database.execute("SELECT * FROM resource LIMIT 0").description]
        self._place = {name: place for place, name in enumerate(columns)}
        self._ids = {row[self._place["id"]] for row in self.resources}
        (self._step,) = database.execute("SELECT max(key) FROM resource").fetchone()

    def copy(self, number: int) -> None:
        """Write copy `number`."""
        marks = ",".join("?" * len(self._place))
        self._database.executemany(f"INSERT INTO resource VALUES ({marks})", self._copies(number))
        keys = f"SELECT key FROM resource WHERE key <= {self._step} AND {COPIED}"
        for table, columns in INDEXES.items():
            found = self._database.execute(f"SELECT {','.join(columns)} FROM {table} WHERE key IN ({keys})").fetchall()
            made = sorted(
                (param, self._other(first, number), key + number * self._step, last)
                for param, first, key, last in found
            )
            self._database.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES (?,?,?,?)", made)
        self._database.commit()

    def _copies(self, number: int) -> Iterator[tuple[Any, ...]]:
        for row in self.resources:
            made = list(row)
            made[self._place["key"]] += number * self._step
            for name in ("id", "patient_id"):
                made[self._place[name]] = self._other(made[self._place[name]], number)
            made[self._place["body"]] = self._other(made[self._place["body"]].decode(), number).encode()
            yield tuple(made)

    def _other(self, text: Any, number: int) -> Any:
        """A text with the ids and the subjects of a copy."""
        if not isinstance(text, str):
            return text
        moved = UUID.sub(lambda found: f"{number:08x}{found[0][8:]}" if found[0] in self._ids else found[0], text)
        return NUMBER.sub(rf"\g<1>-{number:02d}\g<2>", moved)


def multiply(data: Path, copies: int) -> None:
    """Put copies into the store of a data folder."""
    with closing(sqlite3.connect(data / "adapter.db")) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
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
        await asyncio.to_thread(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (
            f"{time.perf_counter() - begun:.1f} s, processor {used.ru_utime + used.ru_stime:.1f} s, "
            f"memory {used.ru_maxrss // 1024} MB, server {processor_seconds(program) - before:.1f} s"
        )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--copies", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.data.parent) as folder:
        data = Path(folder) / "data"
        data.mkdir()
        shutil.copy(asked.data / "adapter.db", data / "adapter.db")
        begun = time.perf_counter()
        multiply(data, asked.copies)
        print(f"{asked.copies} copies made in {time.perf_counter() - begun:.0f} s", flush=True)
        print(asyncio.run(measure(data)))


if __name__ == "__main__":
    main()
