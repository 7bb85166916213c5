"""v2 paths as mappings write them, and where in a mapping something stands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from adapter.errors import MappingError
from adapter.mapper.suggest import nearest
from adapter.yaml_lines import Lines


@dataclass(frozen=True, slots=True)
class Place:
    """File and line of something an analyst wrote."""

    file: Path
    line: int

    def error(self, text: str) -> MappingError:
        """A MappingError at this place."""
        return MappingError(text, file=self.file, line=self.line)

    def __str__(self) -> str:
        """As the ledger shows it: `PID-Patient.yaml:7`."""
        return f"{self.file.name}:{self.line}"


@dataclass(frozen=True, slots=True)
class Path2:
    """A v2 path of a rule: `PID-5`, `PID-5.1`, or a bare segment `NTE` (field 0)."""

    segment: str
    field: int = 0
    component: int = 0

    def __str__(self) -> str:
        """As the standard writes it."""
        text = f"{self.segment}-{self.field}" if self.field else self.segment
        return f"{text}.{self.component}" if self.component else text


def parse_path(text: object, place: Place) -> Path2:
    """Read `SEG`, `SEG-n` or `SEG-n.m`.

    Raises:
        MappingError: the text is no path.
    """
    segment, _, rest = str(text).partition("-")
    field, _, component = rest.partition(".")
    numbers_fit = all(not part or part.isdecimal() for part in (field, component))
    if len(segment) != 3 or not segment.isalnum() or segment != segment.upper() or not numbers_fit:
        raise place.error(f"{text!r} is no HL7 v2 path such as PID-5 or PID-5.1")
    return Path2(segment, int(field or 0), int(component or 0))


def rows(content: Lines, key: str, file: Path) -> list[Lines]:
    """The mappings listed under a key.

    Raises:
        MappingError: there is something else.
    """
    found = several(content.get(key) or [])
    if not all(isinstance(row, Lines) for row in found):
        raise Place(file, content.at.get(key, 1)).error(f"{key}: must be a list of mappings")
    return found


def several(said: Any) -> list[Any]:
    """A list, also where one alone was written without brackets."""
    return cast("list[Any]", said) if isinstance(said, list) else [said]


def only_keys(content: Lines, known: frozenset[str], file: Path) -> None:
    """Refuse keys that the grammar does not know.

    Raises:
        MappingError: with the nearest name that it knows.
    """
    for key in content:
        if key not in known:
            text = f"unknown key {key!r}; known are {', '.join(sorted(known))}{nearest(key, known)}"
            raise Place(file, content.at[key]).error(text)
