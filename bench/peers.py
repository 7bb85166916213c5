"""Bytes → resources against hl7v2-fhir-bridge, message by message, on every message that both can convert.

    python bench/peers.py [--messages FOLDER…] [--rounds N]

The peer maps ADT A01 A04 A08 A40, ORM, OMI and ORU, and leaves numeric OBX out; its validation is off. Ours is the
whole conversion with the account of unread fields. Both take the same bytes on one core in the same process; each
message's figure is the best of N. Install the peer with `uv sync --group bench`. `--messages` takes folders of
`*.hl7`; by default the golden cases, and the public corpus where ../shared holds it.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from adapter.convert import convert
from adapter.data import data_folder
from adapter.errors import AdapterError
from adapter.mapper.catalog import load_catalog

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "tests" / "cases", ROOT.parent / "shared" / "corpus" / "messages")
OUT = Console()


@dataclass(frozen=True)
class Compared:
    """One message, and the best ms of each."""

    file: Path
    size: int
    ours: float
    theirs: float


def best(works: list[Callable[[bytes], object]], raw: bytes, rounds: int) -> list[float]:
    """Milliseconds of each one's quickest round; they take turns, so that a slow moment meets both."""
    found = [float("inf")] * len(works)
    for _ in range(rounds):
        for place, work in enumerate(works):
            begun = time.perf_counter()
            work(raw)
            found[place] = min(found[place], time.perf_counter() - begun)
    return [1000 * one for one in found]


def peer() -> Callable[[bytes], object]:
    """The other converter, without sending and validating."""
    config, theirs, parser = (import_module(f"v2fhir.{name}") for name in ("config", "convert", "hl7.parser"))
    chosen: Any = config.Config(
        validate=False, default_timezone="Asia/Shanghai", default_assigning_authority="HOSPITAL"
    )

    def work(raw: bytes) -> object:
        return theirs.convert(parser.parse_bytes(raw), chosen).bundle

    return work


def compare(files: list[Path], rounds: int) -> list[Compared]:
    """Time both on every message that both can convert."""
    catalog, theirs = load_catalog(data_folder("mappings")), peer()

    def ours(raw: bytes) -> object:
        made = convert(raw, catalog=catalog, site=catalog.standard)
        return made.resources, made.ledger.unmapped()

    found: list[Compared] = []
    for file in track(files, description="comparing", console=OUT):
        raw = file.read_bytes()
        try:
            ours(raw)
        except AdapterError:
            continue
        try:
            theirs(raw)
        except Exception:  # noqa: BLE001  (whatever the peer cannot convert is not compared)
            continue
        found.append(Compared(file, len(raw), *best([ours, theirs], raw, rounds)))
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
    slower = [one for one in found if one.ours >= one.theirs]
    OUT.print(f"{len(found)} messages that both convert; ours slower on {len(slower)}")
    for one in slower:
        OUT.print(f"  {one.file.parent.name}/{one.file.name}: {one.ours:.3f} ms beside {one.theirs:.3f} ms")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--messages", type=Path, nargs="*", default=FOLDERS, help="folders with *.hl7")
    options.add_argument("--rounds", type=int, default=30, help="rounds of each message")
    asked = options.parse_args()
    show(compare(sorted(file for folder in asked.messages for file in folder.rglob("*.hl7")), asked.rounds))


if __name__ == "__main__":
    main()
