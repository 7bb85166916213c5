"""Bytes → resources against hl7v2-fhir-bridge, message by message, on every message that both can convert.

    python bench/peers.py [--messages FOLDER…] [--rounds N]

The peer maps ADT A01 A04 A08 A40, ORM, OMI and ORU; of an ORU it makes a report of the OBX that are text, and leaves
all others out. Its validation is off. Ours is the whole conversion with the account of unread fields. Both take the
same bytes on one core in the same process, whose garbage collector is set as in the program; each message's figure is
the processor time of the best of N. Install the peer with `uv sync --group bench`. `--messages` takes folders of
`*.hl7`; by default the golden cases, and the public corpus where ../shared holds it.
"""

import argparse
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from adapter.app import settle
from adapter.convert import convert
from adapter.data import data_folder
from adapter.errors import AdapterError
from adapter.mapper.catalog import load_catalog
from adapter.mapper.mapped import Mapped

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "tests" / "cases", ROOT.parent / "shared" / "corpus" / "messages")
OUT = Console()
Bundle = dict[str, Any]


@dataclass(frozen=True)
class Compared:
    """One message: the best ms of each, and what each made of it."""

    file: Path
    size: int
    results: int
    ours: float
    theirs: float
    our_resources: Counter[str]
    their_resources: Counter[str]


def best(works: Sequence[Callable[[bytes], object]], raw: bytes, rounds: int) -> list[float]:
    """Milliseconds of each one's quickest round; they take turns, so that a slow moment meets both."""
    found = [float("inf")] * len(works)
    for _ in range(rounds):
        for place, work in enumerate(works):
            begun = time.thread_time()
            work(raw)
            found[place] = min(found[place], time.thread_time() - begun)
    return [1000 * one for one in found]


def peer() -> Callable[[bytes], Bundle]:
    """The other converter, without sending and validating."""
    config, theirs, parser = (import_module(f"v2fhir.{name}") for name in ("config", "convert", "hl7.parser"))
    chosen: Any = config.Config(
        validate=False, default_timezone="Asia/Shanghai", default_assigning_authority="HOSPITAL"
    )

    def work(raw: bytes) -> Bundle:
        return theirs.convert(parser.parse_bytes(raw), chosen).bundle

    return work


def compare(files: list[Path], rounds: int) -> list[Compared]:
    """Time both on every message that both can convert."""
    catalog, theirs = load_catalog(data_folder("mappings")), peer()

    def ours(raw: bytes) -> tuple[Mapped, ...]:
        made = convert(raw, catalog=catalog, site=catalog.standard)
        made.ledger.unmapped()
        return made.resources

    settle()
    found: list[Compared] = []
    for file in track(files, description="comparing", console=OUT):
        raw = file.read_bytes()
        try:
            made = Counter(one.resource["resourceType"] for one in ours(raw))
        except AdapterError:
            continue
        try:
            others = Counter(one["resource"]["resourceType"] for one in theirs(raw)["entry"])
        except Exception:  # noqa: BLE001  (whatever the peer cannot convert is not compared)
            continue
        results = len(re.findall(rb"(?m)^OBX", raw.replace(b"\r", b"\n")))
        quickest = best([ours, theirs], raw, rounds)
        found.append(Compared(file, len(raw), results, quickest[0], quickest[1], made, others))
    return found


def show(found: list[Compared]) -> None:
    """Print ratios by size, and every message where we are slower."""
    table = Table("bytes", "messages", "ours, best ms", "theirs, best ms", "ratio, median", "ratio, least")
    for low, high in ((0, 500), (500, 2_000), (2_000, 10_000), (10_000, 10**9)):
        some = [one for one in found if low <= one.size < high]
        if some:
            ratios = [one.theirs / one.ours for one in some]
            fastest = min(some, key=lambda one: one.ours)
            table.add_row(
                f"{low:,} to {high:,}" if high < 10**9 else f"{low:,} and more",
                str(len(some)),
                f"{fastest.ours:.3f} to {max(one.ours for one in some):.3f}",
                f"{min(one.theirs for one in some):.3f} to {max(one.theirs for one in some):.3f}",
                f"{statistics.median(ratios):.1f}",
                f"{min(ratios):.2f}",
            )
    OUT.print(table)
    slower = sorted((one for one in found if one.ours >= one.theirs), key=lambda one: one.theirs / one.ours)
    OUT.print(f"{len(found)} messages that both convert; ours slower on {len(slower)}")
    if slower:
        OUT.print(_slower(slower))


def _slower(some: list[Compared]) -> Table:
    """Messages where we are slower, with what each made of them: the peer may leave out most of what was sent."""
    table = Table("message", "ours, ms", "theirs, ms", "ratio", "OBX", "ours: resources, results", "theirs")
    for one in some:
        made = [
            f"{resources.total()}, {resources['Observation']}" for resources in (one.our_resources, one.their_resources)
        ]
        ratio = f"{one.theirs / one.ours:.2f}"
        times = (f"{one.ours:.3f}", f"{one.theirs:.3f}", ratio)
        table.add_row(f"{one.file.parent.name}/{one.file.name}", *times, str(one.results), *made)
    return table


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--messages", type=Path, nargs="*", default=FOLDERS, help="folders with *.hl7")
    options.add_argument("--rounds", type=int, default=30, help="rounds of each message")
    asked = options.parse_args()
    show(compare(sorted(file for folder in asked.messages for file in folder.rglob("*.hl7")), asked.rounds))


if __name__ == "__main__":
    main()
