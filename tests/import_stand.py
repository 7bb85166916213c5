"""What the import's tests share: a table of two synthetic controls."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from adapter.data import data_folder
from adapter.imports.rows import Checked, check
from adapter.imports.sheet import Sheet, load_sheets
from adapter.imports.table import read

SHEETS = load_sheets(data_folder("mappings"))
CONTROLS = SHEETS["controls"]
TODAY = date(2026, 1, 31)
COLUMNS = list(CONTROLS.columns)

_DEAD = "HC-901 FAHZU M 1948-01-15 62 poor 2010-08-30 IA NR dead 2011-02-12 2011-02-12 166 1 5.5 16.1 12.7 2021-08-21"
DEAD: dict[str, str] = dict(zip(COLUMNS, _DEAD.split(), strict=True))
ALIVE: dict[str, str] = {
    **DEAD,
    "control_id": "HC-902",
    "sex": "F",
    "risk_group": "good",
    "response": "CRi",
    "vital_status": "alive",
    "death_date": "",
    "last_followup_date": "2021-08-21",
    "os_days": "4009",
    "os_event": "0",
    "os_months": "131.7",
}


def csv_of(*rows: Mapping[str, str], end: str = "\n") -> bytes:
    """A file with these rows; every cell as it stands."""
    lines = [",".join(COLUMNS), *(",".join(row.values()) for row in rows)]
    return "".join(line + end for line in lines).encode()


def checked(content: bytes, sheet: Sheet = CONTROLS) -> Checked:
    """A file as the import sees it."""
    return check(sheet, read(content, list(sheet.columns)), today=TODAY)


def faults(**cells: str) -> list[tuple[str, str]]:
    """Column and text of what is wrong with the dead control when these cells are others."""
    return [(fault.column, fault.text) for fault in checked(csv_of({**DEAD, **cells})).faults]


def file_of(folder: Path, *rows: Mapping[str, str]) -> Path:
    """The same on disk."""
    file = folder / "controls.csv"
    file.write_bytes(csv_of(*rows))
    return file
