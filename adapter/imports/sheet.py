"""What a table looks like and what its rows become: one file of mappings/imports/ each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any, cast

from adapter.errors import MappingError
from adapter.imports.rules import RULES, Rule
from adapter.yaml_lines import Lines, load

KEY, CODE, DATE, WHOLE, DECIMAL, TEXT = "key", "code", "date", "whole", "decimal", "text"
KINDS = (KEY, CODE, DATE, WHOLE, DECIMAL, TEXT)
OWN = frozenset({"time", "id", "event", "n", "status", "row"})
"""What the program itself writes into a line."""

_SHEET = frozenset({"site", "rules", "columns", "header", "messages"})
_COLUMN = frozenset({"kind", "optional", "matches", "codes", "most", "sent"})
_MESSAGE = frozenset({"first", "again", "lines"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `codes` are the values that are known, each with its HL7 v2 text."""

    name: str
    kind: str
    optional: bool = False
    matches: re.Pattern[str] | None = None
    codes: Mapping[str, str] = field(default_factory=dict[str, str])
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a message, and the columns that it names: where one is empty, the line is left out."""

    text: str
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Template:
    """One message of a row: MSH-9 the first time and where it corrects, and its lines after MSH."""

    first: str
    again: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A kind of table; `name` is that of its file, `site` the code of the site as whose messages its rows come."""

    name: str
    site: str
    columns: Mapping[str, Column]
    rule: Rule
    header: str
    messages: tuple[Template, ...]

    @property
    def key(self) -> str:
        """The column by which a row is known."""
        return next(column.name for column in self.columns.values() if column.kind == KEY)


def load_sheets(mappings: Path) -> dict[str, Sheet]:
    """Read every file of mappings/imports, by name.

    Raises:
        MappingError: the first thing that is wrong, with file and line.
    """
    return {file.stem: _sheet(file) for file in sorted((mappings / "imports").glob("*.yaml"))}


def _sheet(file: Path) -> Sheet:
    said = load(file)
    _known(said, _SHEET, file)
    if missing := sorted(_SHEET - said.keys()):
        raise MappingError(f"{missing[0]}: is missing", file=file, line=1)
    columns = _columns(said, file)
    messages = tuple(_template(one, columns, file) for one in _list(said, "messages", file))
    header = str(said["header"])
    if not _line(header, columns, file, said.at["header"]).columns.isdisjoint(columns):
        raise MappingError("header: names no columns", file=file, line=said.at["header"])
    if said["rules"] not in RULES:
        raise MappingError(f"rules: known are {', '.join(RULES)}", file=file, line=said.at["rules"])
    named = {name for message in messages for line in message.lines for name in line.columns}
    for name, column in cast("Lines", said["columns"]).items():
        if (name in named) == ("sent" in column):
            text = f"{name} is in no line of messages:, or has sent: with the reason, and not both"
            raise MappingError(text, file=file, line=said["columns"].at[name])
    return Sheet(file.stem, str(said["site"]), columns, RULES[said["rules"]], header, messages)


def _columns(said: Lines, file: Path) -> dict[str, Column]:
    found = said["columns"]
    if not isinstance(found, Lines):
        raise MappingError("columns: says of each column its kind", file=file, line=said.at["columns"])
    made = {name: _column(name, found, file) for name in found}
    if [column.kind for column in made.values()].count(KEY) != 1:
        raise MappingError("columns: exactly one is of the kind key", file=file, line=said.at["columns"])
    return made


def _column(name: str, columns: Lines, file: Path) -> Column:
    said, line = columns[name], columns.at[name]
    if not isinstance(said, Lines) or said.get("kind") not in KINDS:
        raise MappingError(f"kind: is one of {', '.join(KINDS)}", file=file, line=line)
    _known(said, _COLUMN, file)
    codes: Any = said.get("codes") or Lines()
    if (said["kind"] == CODE) != bool(codes) or (said["kind"] == KEY) != ("matches" in said):
        raise MappingError("codes: belongs to the kind code, matches: to the kind key", file=file, line=line)
    most = said.get("most")
    if (said["kind"] in {WHOLE, DECIMAL}) != isinstance(most, int):
        raise MappingError("most: belongs to the kinds whole and decimal", file=file, line=line)
    try:
        matches = re.compile(str(said["matches"])) if "matches" in said else None
    except re.error as error:
        raise MappingError(f"matches: {error}", file=file, line=line) from None
    texts = {str(value): str(text) for value, text in codes.items()}
    return Column(name, said["kind"], bool(said.get("optional")), matches, texts, most)


def _template(said: Lines, columns: Mapping[str, Column], file: Path) -> Template:
    _known(said, _MESSAGE, file)
    if missing := sorted(_MESSAGE - said.keys()):
        raise MappingError(f"{missing[0]}: is missing", file=file, line=said.line)
    lines = tuple(_line(str(one), columns, file, said.at["lines"]) for one in cast("list[Any]", said["lines"]))
    return Template(str(said["first"]), str(said["again"]), lines)


def _line(text: str, columns: Mapping[str, Column], file: Path, at: int) -> Line:
    try:
        named = {name for _, name, spec, way in Formatter().parse(text) if name is not None and not (spec or way)}
    except ValueError as error:
        raise MappingError(f"{text[:20]}…: {error}", file=file, line=at) from None
    if unknown := sorted(named - columns.keys() - OWN):
        raise MappingError(f"{text[:20]}…: there is no column {unknown[0]!r}", file=file, line=at)
    return Line(text, frozenset(named & columns.keys()))


def _known(said: Lines, known: frozenset[str], file: Path) -> None:
    for key in said:
        if key not in known:
            text = f"unknown key {key!r}; known are {', '.join(sorted(known))}"
            raise MappingError(text, file=file, line=said.at[key])


def _list(said: Lines, key: str, file: Path) -> list[Lines]:
    found: Any = said[key]
    if not isinstance(found, list) or not all(isinstance(one, Lines) for one in cast("list[Any]", found)):
        raise MappingError(f"{key}: is a list of messages", file=file, line=said.at[key])
    return cast("list[Lines]", found)
