"""v2 paths as mappings write them, and where in a mapping something stands."""

from dataclasses import dataclass
from pathlib import Path

from adapter.errors import MappingError


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
