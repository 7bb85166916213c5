"""CSV tables of mappings/ that remember their lines, so that an error in a row names file and line."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapter.errors import MappingError


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table; `row["code"]` is its text, without blanks around it."""

    file: Path
    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """The text of one column."""
        return self.cells[column]

    def error(self, text: str) -> MappingError:
        """A MappingError at this row."""
        return MappingError(text, file=self.file, line=self.line)


def read(file: Path, columns: Sequence[str], *, key: Sequence[str]) -> list[Row]:
    """Read a table whose header is exactly `columns`; no two rows may share their `key` columns.

    Raises:
        MappingError: unreadable, an unknown or missing column, a row of another length, or a row that stands twice.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            rows = [(reader.line_num, cells) for cells in reader if any(cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MappingError(f"cannot be read: {error}", file=file) from error
    if not rows or rows[0][1] != list(columns):
        raise MappingError(f"the first line must be {','.join(columns)}", file=file, line=1)
    made: list[Row] = []
    seen: dict[tuple[str, ...], int] = {}
    for line, cells in rows[1:]:
        if len(cells) != len(columns):
            raise MappingError(f"has {len(cells)} cells, not {len(columns)}", file=file, line=line)
        row = Row(file, line, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)})
        first = seen.setdefault(tuple(row[name] for name in key), line)
        if first != line:
            raise row.error(f"repeats line {first}: same {', '.join(key)}")
        made.append(row)
    return made
