"""Power cuts under the real intake, writer and worker, on the real SQLite.

    python -m tests.durability.power [--cuts N] [--synchronous FULL|NORMAL] [--checkpoint PAGES] [--messages N]

One run of the program is recorded (`scene.py` under `disk.c`); then the power is cut at chance moments of the record,
each time with a chance fate of what was not synced. What is left is opened as at the next start.
"""

import argparse
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.durability import disk
from tests.durability.disk import FATES, Platter, Record

ROOT = Path(__file__).parents[2]
CUTS_OF_A_RECORD = 250

_HALF_DONE = """SELECT count(*) FROM message AS m WHERE (m.state = 'mapped') <> (
    EXISTS (SELECT 1 FROM resource AS r WHERE r.message_id = m.id)
    OR EXISTS (SELECT 1 FROM resource_history AS h WHERE h.message_id = m.id))"""


@dataclass(frozen=True, slots=True)
class Cut:
    """What one cut left: how many messages were acknowledged before it, and how many of those are lost."""

    fate: str
    acknowledged: int
    lost: int
    damage: str


def record(folder: Path, *, synchronous: str, checkpoint: int, messages: int) -> list[Record]:
    """Run the program once on a disk that remembers."""
    trace = folder / "trace"
    arguments = (str(folder / "data"), str(trace), synchronous, str(checkpoint), str(messages))
    command = (sys.executable, "-m", "tests.durability.scene", *arguments)
    subprocess.run(command, cwd=ROOT, env=disk.environment(trace=trace), check=True, timeout=300)
    return list(disk.records(trace))


def cuts(records: Sequence[Record], chance: random.Random, number: int, folder: Path) -> Iterator[Cut]:
    """Cut the power so many times, from the first acknowledgement on."""
    first = next(place for place, one in enumerate(records) if one.kind == "A")
    places = Counter(chance.randrange(first + 1, len(records) + 1) for _ in range(number))
    platter, acknowledged = Platter(), list[bytes]()
    for place, one in enumerate(records, 1):
        if one.kind == "A":
            acknowledged.append(one.data)
        else:
            platter.follow(one)
        for _ in range(places[place]):
            fate = chance.choice(FATES)
            with TemporaryDirectory(dir=folder) as left:
                platter.cut(fate, chance, Path(left))
                lost, damage = look(Path(left) / "adapter.db", acknowledged)
            yield Cut(fate, len(acknowledged), lost, damage)


def look(file: Path, acknowledged: Sequence[bytes]) -> tuple[int, str]:
    """Open the file as the next start would; count what is lost, and tell what is damaged."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            stored = {sha256(row[0]).digest() for row in connection.execute("SELECT raw FROM message")}
            damage = connection.execute("PRAGMA integrity_check").fetchone()[0]
            half_done = connection.execute(_HALF_DONE).fetchone()[0]
    except sqlite3.Error as error:
        return len(acknowledged), str(error)
    if damage == "ok":
        damage = f"{half_done} half done" if half_done else ""
    return len(set(acknowledged) - stored), damage


def trial(*, number: int, synchronous: str, checkpoint: int, messages: int, seed: int = 0) -> list[Cut]:
    """Cut the power so many times, over as many records as that takes."""
    made: list[Cut] = []
    for part in range(0, number, CUTS_OF_A_RECORD):
        with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
            records = record(Path(folder), synchronous=synchronous, checkpoint=checkpoint, messages=messages)
            some = min(CUTS_OF_A_RECORD, number - part)
            made += cuts(records, random.Random(f"{seed} {part}"), some, Path(folder))
    return made


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--synchronous", default="FULL")
    parser.add_argument("--checkpoint", type=int, default=200, help="WAL pages; the program's own figure is 4000")
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    began = time.monotonic()
    made = trial(
        number=chosen.cuts,
        synchronous=chosen.synchronous,
        checkpoint=chosen.checkpoint,
        messages=chosen.messages,
        seed=chosen.seed,
    )
    print(
        f"SQLite {sqlite3.sqlite_version}, synchronous={chosen.synchronous}, "
        f"checkpoint at {chosen.checkpoint} pages, seed {chosen.seed}"
    )
    for fate in FATES:
        these = [one for one in made if one.fate == fate]
        print(
            f"{fate:10} {len(these):6} cuts, {sum(one.acknowledged for one in these):9} acknowledged before them, "
            f"{sum(one.lost for one in these):6} lost, {sum(bool(one.damage) for one in these):4} damaged"
        )
    print(f"{time.monotonic() - began:.0f} s; damage: {Counter(one.damage for one in made if one.damage)}")


if __name__ == "__main__":
    main()
