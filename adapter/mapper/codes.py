"""Code tables: from a code as sent to the codes that FHIR readers know.

A table is a plain mapping from the code (or, where a hospital sends only text, the text) to a `Concept`.
Only codes with a source stand in the tables; a code that is in none is never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adapter.mapper.csv_lines import Row, read

CANONICAL = "https://fhir.tli-trial.example.org"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
TLI_LAB = f"{CANONICAL}/CodeSystem/tli-lab"
HL7_TABLE = "http://terminology.hl7.org/CodeSystem/v2-"

TABLE_COLUMNS = ("code", "target_system", "target_code", "target_display", "source")
SITE_COLUMNS = ("table", "code", "display", "target_system", "target_code", "target_display", "value_type", "source")
SYSTEM_COLUMNS = ("name", "system", "kind", "source")
KINDS = frozenset({"standard", "trial", "local"})
VALUE_TYPES = frozenset({"", "NM", "CWE"})

Coding = dict[str, str]


@dataclass(frozen=True, slots=True)
class Concept:
    """One code of a table: its targets in order (none: the code is known and says nothing), and what it declares.

    `value_type` is the HL7 type of the values where the sender's OBX-2 says less (`NM` for numbers, `CWE` for codes,
    both sent as `ST`).
    """

    code: str
    display: str
    targets: tuple[Coding, ...]
    value_type: str = ""


CodeTable = Mapping[str, Concept]


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """What a name in CWE.3 stands for; a `local` system alone tells other hospitals nothing."""

    uri: str
    local: bool


def load_tables(folder: Path) -> dict[str, CodeTable]:
    """The tables that all sites share: `codes/<name>.csv`.

    Raises:
        MappingError: with file and line.
    """
    key = ("code", "target_system")
    return {file.stem: _table(read(file, TABLE_COLUMNS, key=key)) for file in sorted(folder.glob("*.csv"))}


def load_site_tables(file: Path) -> dict[str, CodeTable]:
    """The tables of one site, by the v2 path that uses them (`OBX-3`) or the shared table that they add to.

    Raises:
        MappingError: with file and line.
    """
    tables: dict[str, list[Row]] = {}
    for row in read(file, SITE_COLUMNS, key=("table", "code", "target_system")):
        if not row["table"]:
            raise row.error("table is empty")
        if row["value_type"] not in VALUE_TYPES:
            raise row.error(f"value_type is {row['value_type']}; it may be empty, NM or CWE")
        tables.setdefault(row["table"], []).append(row)
    return {name: _table(rows) for name, rows in tables.items()}


def load_systems(file: Path) -> dict[str, CodeSystem]:
    """Names of code systems as sent in CWE.3, for all sites.

    Raises:
        MappingError: with file and line.
    """
    systems: dict[str, CodeSystem] = {}
    for row in read(file, SYSTEM_COLUMNS, key=("name",)):
        if row["kind"] not in KINDS:
            raise row.error(f"kind is {row['kind']!r}; known are {', '.join(sorted(KINDS))}")
        systems[row["name"]] = CodeSystem(_uri(row, "system"), row["kind"] == "local")
    return systems


def hl7_table(name: str) -> str | None:
    """`HL70162` as the URI of HL7 table 0162; None where the name is no such table."""
    return HL7_TABLE + name[3:] if len(name) == 7 and name[:3] == "HL7" and name[3:].isdecimal() else None


def valid_loinc(code: str) -> bool:
    """Whether the check digit is right (Luhn, as in the LOINC Users' Guide)."""
    number, dash, check = code.partition("-")
    if not (dash and number.isdecimal() and check.isdecimal() and number.isascii()):
        return False
    doubled = [int(digit) * 2 for digit in number[::-2]]
    total = sum(value - 9 if value > 9 else value for value in doubled) + sum(int(digit) for digit in number[-2::-2])
    return str(-total % 10) == check


def _table(rows: list[Row]) -> CodeTable:
    table: dict[str, Concept] = {}
    for row in rows:
        known = table.get(row["code"], Concept(row["code"], "", ()))
        cells = row.cells
        table[row["code"]] = Concept(
            code=row["code"],
            display=known.display or cells.get("display", ""),
            targets=known.targets + _target(row),
            value_type=known.value_type or cells.get("value_type", ""),
        )
    return table


def _target(row: Row) -> tuple[Coding, ...]:
    if not row["code"] or not row["source"]:
        raise row.error("code and source must not be empty")
    code, display = row["target_code"], row["target_display"]
    if not code:
        if row["target_system"] or display:
            raise row.error("target_code is empty")
        return ()
    system = _uri(row, "target_system")
    if system == LOINC and not valid_loinc(code):
        raise row.error(f"{code} is no LOINC: its check digit is wrong")
    return ({"system": system, "code": code, "display": display} if display else {"system": system, "code": code},)


def _uri(row: Row, column: str) -> str:
    if not row[column].startswith(("http://", "https://", "urn:")):
        raise row.error(f"{column} must be a URI, not {row[column]!r}")
    return row[column]
