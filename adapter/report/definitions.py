"""What the report shows (mappings/trial/report.yaml), and what the paper printed (published.csv)."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from adapter.errors import MappingError
from adapter.trial.checked import Part, read


class Controls(Part):
    """The arm of the historical controls, and the arm that is set beside them."""

    arm: str
    beside: str


class Given(Part):
    """A drug of an arm; `called` where the paper calls it otherwise."""

    arm: str
    drug: str
    called: str = ""


class EventRow(Part):
    """A row of Table 4: the events that count, and the grades of its first column."""

    row: str
    codes: list[str]
    first: Literal["any", "low"]


class Figure(Part):
    """A plotted measurement; `log` on which scale, `peak` the point whose mean is printed."""

    key: str
    label: str
    where: str
    log: bool
    peak: str
    decimals: int
    test: bool
    spread: bool


class Definitions(Part):
    """The file."""

    arms: list[str]
    controls: Controls
    month: float
    year: float
    risks: dict[str, dict[str, str]]
    responses: dict[str, list[str]]
    beside: dict[str, list[str]] = Field(alias="responses-beside-controls")
    induction: list[Given]
    consolidation: list[Given]
    events: list[EventRow]
    infections: dict[str, str]
    rare: dict[str, str]
    antifungals: list[str]
    discontinued: list[str]
    figures: list[Figure]
    unchanged: dict[str, str]
    subsets: list[str]
    short: dict[str, dict[str, int]] = Field(alias="short-recovery")


def load_definitions(mappings: Path) -> Definitions:
    """Read trial/report.yaml of the folder.

    Raises:
        MappingError: the file cannot be read, or does not say what it must; with its line.
    """
    return read(mappings / "trial" / "report.yaml", Definitions)


@dataclass(frozen=True, slots=True)
class Printed:
    """What the paper printed; `rounding`: its printed form does not follow from its own counts by arithmetic."""

    text: str
    rounding: bool
    note: str


Published = dict[tuple[str, str], Printed]
"""By place and label."""


def load_published(file: Path) -> Published:
    """Read a table with the columns where, label, published, rounding, note.

    Raises:
        MappingError: the file cannot be read, or lacks a column.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        return {(row["where"], row["label"]): _printed(row) for row in rows}
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"cannot be read: {error}", file=file) from error
    except KeyError as error:
        raise MappingError(f"has no column {error.args[0]}", file=file, line=1) from error


def _printed(row: dict[str, str]) -> Printed:
    return Printed(row["published"], row["rounding"] == "Y", row["note"])
