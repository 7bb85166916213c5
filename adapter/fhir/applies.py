"""Which resources a profile is about: `profiles/applies.csv`, in the words of a FHIR search.

A resource never says `meta.profile`: what a hospital sends may lack what a profile asks for, and is kept all the same.
Whoever validates asks here.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.errors import MappingError
from adapter.fhir.search_params import SearchIndex

FILE = "applies.csv"
COLUMNS = ["profile", "resources", "source"]


@dataclass(frozen=True, slots=True)
class Application:
    """One row: the id of a profile, and the search that finds its resources.

    `parameter` is empty where all resources of the type are meant; of `codes`, pairs of system and code, one is enough,
    and an empty code stands for every code of its system.
    """

    profile: str
    search: str
    resource_type: str
    parameter: str
    codes: frozenset[tuple[str, str]]

    def fits(self, resource: dict[str, Any], index: SearchIndex) -> bool:
        """Whether the profile is about this resource."""
        if resource["resourceType"] != self.resource_type:
            return False
        if not self.parameter:
            return True
        rows = index.rows(resource).tokens
        found = {(system, code) for name, system, code in rows if name == self.parameter}
        return not self.codes.isdisjoint(found | {(system, "") for system, _ in found})


def load_applications(profiles: Path, index: SearchIndex) -> tuple[Application, ...]:
    """Read the table.

    Raises:
        MappingError: it cannot be read, or a row names no profile of the folder or no token parameter of its type.
    """
    file = profiles / FILE
    try:
        lines = list(csv.reader(file.read_text(encoding="utf-8").splitlines(), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MappingError(f"cannot be read: {error}", file=file) from error
    if not lines or lines[0] != COLUMNS:
        raise MappingError(f"the first line must be {','.join(COLUMNS)}", file=file, line=1)
    return tuple(_application(cells, index, file, line) for line, cells in enumerate(lines[1:], 2))


def _application(cells: Sequence[str], index: SearchIndex, file: Path, line: int) -> Application:
    if len(cells) != len(COLUMNS):
        raise MappingError(f"has {len(cells)} cells, not {len(COLUMNS)}", file=file, line=line)
    profile, search, _ = cells
    resource_type, _, criterion = search.partition("?")
    parameter, _, values = criterion.partition("=")
    if not (file.parent / f"StructureDefinition-{profile}.json").is_file():
        raise MappingError(f"there is no StructureDefinition-{profile}.json", file=file, line=line)
    known = index.parameters.get(resource_type, {})
    if parameter and (parameter not in known or known[parameter].rows != "token"):
        raise MappingError(f"{resource_type} has no token parameter {parameter!r}", file=file, line=line)
    pairs = (value.partition("|") for value in values.split(",") if value)
    return Application(profile, search, resource_type, parameter, frozenset((one, code) for one, _, code in pairs))
