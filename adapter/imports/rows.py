"""Every cell of every row against its column, then what the columns say of each other."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from adapter.imports.rules import Value
from adapter.imports.sheet import CODE, DATE, DECIMAL, KEY, WHOLE, Column, Sheet
from adapter.imports.table import RawRow, Table

MAKER = "whoever made the file"
ANALYST = f"{MAKER}; the analyst who edits mappings/imports/, if the code is right"

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"[0-9]{1,9}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_TEXT = 200
_AHEAD = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row is refused; `key` is its number, empty where that is not one; no other value of the row."""

    row: int
    key: str
    column: str
    text: str
    mender: str = MAKER


@dataclass(frozen=True, slots=True)
class Accepted:
    """A row that may go on: `cells` are its texts without blanks around them."""

    number: int
    key: str
    cells: Mapping[str, str]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Checked:
    """The rows of a table that may go on, and the faults of the others."""

    accepted: tuple[Accepted, ...]
    faults: tuple[Fault, ...]


def last_day(now: datetime) -> date:
    """The latest day that it is anywhere: a file from China may be a day ahead of UTC."""
    return (now.astimezone(UTC) + _AHEAD).date()


def check(sheet: Sheet, table: Table, *, today: date) -> Checked:
    """Check every row: one that has a fault is refused as a whole, and no other because of it.

    Args:
        sheet: what the table looks like.
        table: as it was read.
        today: no date is after it.
    """
    at = table.columns.index(sheet.key)
    numbers = Counter(row.cells[at].strip() for row in table.rows if len(row.cells) > at)
    accepted: list[Accepted] = []
    faults: list[Fault] = []
    for row in table.rows:
        cells = dict(zip(table.columns, (cell.strip() for cell in row.cells), strict=False))
        key = _key(sheet, cells)
        wrong = list(_wrong(sheet, table, row, cells, today))
        if key and numbers[key] > 1:
            others = [one.number for one in table.rows if one is not row and _at(one, at) == key]
            wrong.append((sheet.key, f"stands in row {others[0]} too: which of them holds is not known", MAKER))
        if wrong:
            faults += [Fault(row.number, key, column, text, mender) for column, text, mender in wrong]
        else:
            accepted.append(Accepted(row.number, key, cells, row.raw))
    return Checked(tuple(accepted), tuple(faults))


def _wrong(
    sheet: Sheet, table: Table, row: RawRow, cells: Mapping[str, str], today: date
) -> Iterator[tuple[str, str, str]]:
    """Column, text and mender of all that is wrong with one row by itself."""
    if len(row.cells) != len(table.columns):
        yield "", f"has {len(row.cells)} cells, and the header {len(table.columns)}", MAKER
        return
    values: dict[str, Value] = {}
    fine = True
    for name, column in sheet.columns.items():
        found = _value(column, cells[name], today)
        if isinstance(found, str):
            fine = False
            yield name, found, ANALYST if column.kind == CODE and cells[name] else MAKER
        else:
            values[name] = found[0]
    if fine:
        for name, text in sheet.rule(values):
            yield name, text, MAKER


def _value(column: Column, text: str, today: date) -> tuple[Value] | str:
    """The value of a cell, or what is wrong with it."""
    if not text:
        return (None,) if column.optional else "is empty"
    if column.kind == DATE:
        return _date(text, today)
    if column.kind in {WHOLE, DECIMAL}:
        return _number(column, text)
    if column.kind == CODE:
        return (text,) if text in column.codes else f"is not one of {', '.join(column.codes)}"
    if column.matches:
        return (text,) if column.matches.fullmatch(text) else f"is not written as {column.matches.pattern}"
    fits = len(text) <= _LONGEST_TEXT and not _CONTROL.search(text)
    return (text,) if fits else f"is longer than {_LONGEST_TEXT} characters, or holds control characters"


def _date(text: str, today: date) -> tuple[date] | str:
    if not _DATE.fullmatch(text):
        return "is not written YYYY-MM-DD"
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return "is a day that does not exist"
    if found.year < 1900:
        return "is before 1900"
    return (found,) if found <= today else "is in the future"


def _number(column: Column, text: str) -> tuple[Decimal] | str:
    pattern, what = (_WHOLE, "a whole number") if column.kind == WHOLE else (_DECIMAL, "a number such as 16.1")
    if not pattern.fullmatch(text):
        return f"is not {what}"
    found = Decimal(text)
    return (found,) if column.most is None or found <= column.most else f"is more than {column.most}"


def _key(sheet: Sheet, cells: Mapping[str, str]) -> str:
    """The row's number where it is one; anything else may be a patient's name."""
    column = sheet.columns[sheet.key]
    text = cells.get(sheet.key, "")
    return text if column.kind == KEY and column.matches and column.matches.fullmatch(text) else ""


def _at(row: RawRow, place: int) -> str:
    return row.cells[place].strip() if len(row.cells) > place else ""
