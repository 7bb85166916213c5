"""A CSV file read strictly: its header, and every row with the bytes that it stands in."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from adapter.mapper.suggest import nearest
from adapter.request_errors import UnreadableTable

_MARK = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_WORKBOOK = b"PK\x03\x04"
_LARGEST_ROW = 8 * 1024


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row: its number as a spreadsheet shows it (the header is 1), its cells, its bytes without the line's end."""

    number: int
    cells: tuple[str, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Table:
    """The header's cells and bytes, and the rows that are not blank."""

    columns: tuple[str, ...]
    header: bytes
    rows: tuple[RawRow, ...]


def read(content: bytes, columns: Sequence[str]) -> Table:
    """Read a CSV file in UTF-8, with or without a byte order mark; the columns may stand in any order.

    Args:
        content: the whole file.
        columns: those that it must have, no others.

    Raises:
        UnreadableTable: it is no such file; the text holds no value of a row.
    """
    text = _text(content)
    found = list(_rows(text))
    if not found:
        raise UnreadableTable("the file is empty")
    header, *rows = found
    names = tuple(cell.strip() for cell in header.cells)
    _check_header(names, columns)
    return Table(names, header.raw, tuple(rows))


def _text(content: bytes) -> str:
    if content.startswith(_WIDE):
        raise UnreadableTable("the characters are UTF-16; save the file as CSV UTF-8")
    if content.startswith(_WORKBOOK):
        raise UnreadableTable("this is a workbook or another packed file; save it as CSV UTF-8")
    try:
        text = content.removeprefix(_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        kind = "GB 18030 (or GBK)" if _is_gb18030(content) else "no UTF-8"
        raise UnreadableTable(f"the characters in line {line} are {kind}; save the file as CSV UTF-8") from None
    if "\0" in text:
        raise UnreadableTable("there are NUL characters in it: this is no CSV file")
    return text


def _is_gb18030(content: bytes) -> bool:
    try:
        content.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True


def _rows(text: str) -> Iterator[RawRow]:
    """Rows that are not blank; a quoted cell may go over several lines."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in StringIO(text, newline=""):
            taken.append(line)
            if sum(map(len, taken)) > _LARGEST_ROW:
                raise UnreadableTable(f"a row is longer than {_LARGEST_ROW} characters: this is no such table")
            yield line

    reader = csv.reader(lines(), strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            raw = "".join(taken).rstrip("\r\n").encode()
            taken.clear()
            if any(cell.strip() for cell in cells):
                yield RawRow(number, tuple(cells), raw)
    except csv.Error as error:
        raise UnreadableTable(f"row {number + 1} is no CSV: {error}") from None


def _check_header(names: Sequence[str], columns: Sequence[str]) -> None:
    if len(names) == 1 and len(columns) > 1:
        sign = next((sign for sign in (";", "\t", "|") if sign in names[0]), "")
        what = f"its cells are separated by {sign!r}" if sign else "it is no table with commas"
        raise UnreadableTable(f"the first row is not the header: {what}; the columns are {','.join(columns)}")
    missing = [name for name in columns if name not in names]
    if len(missing) > len(columns) // 2:
        # Perhaps a row without its header: what stands there is not told.
        raise UnreadableTable(f"the first row is not the header; the columns are {','.join(columns)}")
    wrong = [f"there is no column {name!r}" for name in missing]
    wrong += [f"{name!r} is not known{nearest(name, missing)}" for name in names if name not in columns]
    wrong += [f"{name!r} stands twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if wrong:
        raise UnreadableTable(f"the header: {_some(wrong)}")


def _some(wrong: Sequence[str]) -> str:
    return "; ".join(text[:200] for text in wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
