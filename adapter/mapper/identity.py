"""Identifiers: which system an identifier belongs to, and whether a resident identity number can be right."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapter.mapper.codes import CodeTable, Coding
from adapter.mapper.csv_lines import Row, read
from adapter.mapper.suggest import nearest

COLUMNS = ("field", "authority", "type", "prefix", "system", "type_code", "use", "assigner", "check", "source")
KEY = ("field", "authority", "type", "prefix")
USES = frozenset({"", "usual", "official", "temp", "secondary", "old"})
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    """One row: where its conditions (field, authority, type, prefix; empty = any) hold, the identifier is in `system`.

    `field` is a v2 path, or a data type (`XCN`, `PL`) for every field of it.
    """

    field: str
    authority: str
    type: str
    prefix: str
    system: str
    type_coding: Coding | None
    use: str
    assigner: str
    check: str

    @property
    def specificity(self) -> int:
        """How many conditions the row has."""
        return sum(1 for condition in (self.field, self.authority, self.type, self.prefix) if condition)


@dataclass(frozen=True, slots=True)
class IdentifierTable:
    """The rows of one site with the shared ones; the row with most conditions wins, the site's own before a shared.

    `types` are the codes of HL7 table 0203, for identifiers whose row says no type, or that no row knows.
    """

    rows: tuple[IdentifierRow, ...]
    types: CodeTable

    def of_field(self, field: str) -> "IdentifierTable":
        """The rows that can hold for this field."""
        return IdentifierTable(tuple(row for row in self.rows if row.field in {"", field}), self.types)

    def find(self, value: str, *, authorities: Iterable[str] = (), type_code: str = "") -> IdentifierRow | None:
        """The row for an identifier of these authorities (name, OID) and this type as sent."""
        names = {"", *authorities}
        for row in self.rows:
            if row.authority in names and row.type in {"", type_code} and value.startswith(row.prefix):
                return row
        return None


def load_identifiers(file: Path, types: CodeTable, *, shared: IdentifierTable | None = None) -> IdentifierTable:
    """Read one table of identifiers.

    Args:
        file: identifiers.csv.
        types: HL7 table 0203 with its displays.
        shared: rows that stand behind those of the file.

    Raises:
        MappingError: with file and line.
    """
    rows = [_identifier_row(row, types) for row in read(file, COLUMNS, key=KEY)]
    rows += shared.rows if shared else ()
    return IdentifierTable(tuple(sorted(rows, key=lambda row: -row.specificity)), types)


def resident_number_problem(number: str) -> str | None:
    """What is wrong with a resident identity number (GB 11643, check character ISO 7064 MOD 11-2), or None."""
    if len(number) != 18:
        return "has not 18 characters"
    digits = number[:17]
    if not (digits.isascii() and digits.isdigit()):
        return "holds characters that are no digits"
    if CHECK_CHARACTERS[sum(int(d) * w for d, w in zip(digits, WEIGHTS, strict=True)) % 11] != number[17]:
        return "has a wrong check character"
    try:
        datetime(int(number[6:10]), int(number[10:12]), int(number[12:14]), tzinfo=UTC)
    except ValueError:
        return "holds no date of birth"
    return None


CHECKS: Mapping[str, Callable[[str], str | None]] = {"cn-resident-id": resident_number_problem}


def _identifier_row(row: Row, types: CodeTable) -> IdentifierRow:
    if not row["system"].startswith(("http://", "https://", "urn:")):
        raise row.error(f"system must be a URI, not {row['system']!r}")
    if row["type_code"] and row["type_code"] not in types:
        raise row.error(
            f"type_code {row['type_code']} is not in codes/0203-identifier-type.csv{nearest(row['type_code'], types)}"
        )
    if row["use"] not in USES:
        raise row.error(f"use {row['use']} is no Identifier.use")
    if row["check"] and row["check"] not in CHECKS:
        raise row.error(
            f"there is no check {row['check']}; known are {', '.join(CHECKS)}{nearest(row['check'], CHECKS)}"
        )
    return IdentifierRow(
        *(row[name] for name in KEY),
        system=row["system"],
        type_coding=types[row["type_code"]].targets[0] if row["type_code"] else None,
        use=row["use"],
        assigner=row["assigner"],
        check=row["check"],
    )
