"""The reference cohort: the streams of four hospitals, and what a correct adapter must hold in the end."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.hl7v2 import batch

SHARED = Path(__file__).parents[2].parent / "shared"
STREAMS = SHARED / "cohort" / "messages"
FILES = {"FAHZU": "01-fahzu.mllp", "YWCH": "02-yiwu.mllp", "JHAH": "03-jinhua.mllp", "LSCH": "04-lishui.mllp"}

needs_cohort = pytest.mark.skipif(not STREAMS.is_dir(), reason="the reference cohort (../shared/cohort) is not here")


def stream(site: str) -> list[bytes]:
    """The messages of one hospital in the order of sending."""
    return list(batch.messages((STREAMS / FILES[site]).read_bytes()))


def truth(name: str) -> Iterator[dict[str, str]]:
    """The rows of one table of facts."""
    with (STREAMS / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
