"""The rows of HL7's v2-to-FHIR guide, as its CSV files have them."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
GUIDE = PROJECT.parent / "shared" / "corpus" / "v2-to-fhir"
_FILE = re.compile(r"R4_ (?P<map>.+?) - ")
_FIELD = re.compile(r"[A-Z][A-Z0-9]{2}-\d+")
_NAME, _TYPE, _ANTLR, _ATTRIBUTE, _VOCABULARY = 2, 3, 6, 9, 15


@dataclass(frozen=True, slots=True)
class Row:
    """A row that names a FHIR target for a field. `condition` is the guide's, `vocabulary` its concept map."""

    map: str
    field: str
    name: str
    datatype: str
    condition: str
    attribute: str
    vocabulary: str

    @property
    def segment(self) -> str:
        """`PID` of `PID[Patient]`."""
        return self.map.partition("[")[0]

    @property
    def number(self) -> int:
        """3 of `PID-3`."""
        return int(self.field.partition("-")[2])

    @property
    def resource(self) -> str:
        """`Patient` of `PID[Patient]`; of `OBX[Observation-Component]` the type alone."""
        return self.map.partition("[")[2].rstrip("]").partition("-")[0]

    @property
    def path(self) -> tuple[str, ...]:
        """The attribute as FHIR writes it: `participant[1].actor(Practitioner)` → participant, actor."""
        plain = re.sub(r"\[[^\]]*\]|\([^)]*\)", "", self.attribute).replace(" ", "")
        plain = plain.removeprefix(f"{self.resource}.")
        return () if plain.startswith("$") else tuple(part for part in plain.split(".") if part)

    @property
    def inner(self) -> tuple[str, tuple[str, ...]] | None:
        """Of what the resource refers to, the type and path: `condition(Condition.code)` → Condition, (code,)."""
        found = re.search(r"\((?:\[\d+\])?([A-Z]\w+)\.([\w.]+)", self.attribute)
        return (found[1], tuple(found[2].split("."))) if found else None


def rows() -> list[Row]:
    """Every row of every segment map that has a field and a target; rows that repeat one another once."""
    return list(dict.fromkeys(row for file in sorted((GUIDE / "segments").glob("*.csv")) for row in _rows(file)))


def _rows(file: Path) -> Iterator[Row]:
    found = _FILE.search(file.name)
    with file.open(encoding="utf-8", newline="") as lines:
        for sent in list(csv.reader(lines))[2:]:
            cells = [*sent, *[""] * _VOCABULARY]
            field = cells[1].strip()
            if found and _FIELD.fullmatch(field) and cells[_ATTRIBUTE].strip():
                values = (cells[at].strip() for at in (_NAME, _TYPE, _ANTLR, _ATTRIBUTE, _VOCABULARY))
                yield Row(found["map"].strip(), field, *values)


def code_of(vocabulary: str) -> str:
    """The first code of a concept map that has a target; empty where there is none."""
    file = GUIDE / "codesystems" / f"HL7 Concept Map_ {vocabulary.replace('/', '').replace(' ', '')} - Sheet1.csv"
    if not vocabulary or not file.exists():
        return ""
    with file.open(encoding="utf-8", newline="") as lines:
        found = (cells[0].strip() for cells in list(csv.reader(lines))[2:] if len(cells) > 6 and cells[6].strip())
        return next((code for code in found if code), "")
