"""What walks a resource for the index: down a path to a value, or to an element that has both parts of a composite.

A composite finds a code only together with the value that stands beside it (R4 §3.1.1.4.12). Its row holds both: two
codes and two systems joined by `$`, a code before a string, a code before the range of a quantity or of a date.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, cast

from adapter.fhir import fhirpath
from adapter.fhir.search_readers import READERS, Reader, Row

Collect = Callable[[Any, dict[tuple[Any, ...], None]], None]
"""Takes what is found at one place of a resource, and adds its rows."""

PAIRED = ("token", "string", "quantity", "date")
"""What may stand beside the code of a composite."""

DATE = "date"
"""What stands for the unit of a date among the quantities: its range is in microseconds."""


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a composite: its kind of parameter, and the properties (with their types) it is read from."""

    type: str
    properties: tuple[tuple[str, str], ...]


def joined(first: str, second: str) -> str:
    """Two codes, or two systems, as one."""
    return f"{_escaped(first)}${_escaped(second)}"


def before(code: str) -> str:
    """What a code is followed by in a row, with the code."""
    return f"{_escaped(code)}$"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("$", "\\$") if "$" in text or "\\" in text else text


def walk(steps: Sequence[fhirpath.Step], last: Callable[[str], Collect]) -> Iterable[tuple[str, Collect]]:
    """The elements of the first step, and what to do with the value of each; `last` makes it of the last one's type."""
    step, rest = steps[0], steps[1:]
    for element, type_name in step.properties:
        yield element, _each(step.where, _below([*walk(rest, last)]) if rest else last(type_name))


def _each(where: tuple[str, str] | None, collect: Collect) -> Collect:
    def each(value: Any, rows: dict[tuple[Any, ...], None]) -> None:
        for item in cast("list[Any]", value) if isinstance(value, list) else (value,):
            if where is None or item.get(where[0]) == where[1]:
                collect(item, rows)

    return each


def _below(elements: Sequence[tuple[str, Collect]]) -> Collect:
    def below(value: Any, rows: dict[tuple[Any, ...], None]) -> None:
        for element, collect in elements:
            if (found := value.get(element)) is not None:
                collect(found, rows)

    return below


def rows_of(name: str, read: Reader, target: str | None, zone: tzinfo) -> Collect:
    """Collects the rows of one value; of references only those to `target`."""

    def collect(value: Any, rows: dict[tuple[Any, ...], None]) -> None:
        for row in read(value, zone):
            if target is None or row[0] == target:
                rows[(name, *row)] = None

    return collect


def pairs(name: str, components: Sequence[Component], zone: tzinfo) -> Collect:
    """Collects the rows of an element that has both components."""
    first, second = components
    codes = [(element, READERS[first.type][kind]) for element, kind in first.properties]
    values = [(element, READERS[second.type][kind]) for element, kind in second.properties]
    make = _MADE[second.type]

    def collect(node: Any, rows: dict[tuple[Any, ...], None]) -> None:
        for element, read in values:
            if (value := node.get(element)) is not None:
                for found in read(value, zone):
                    for system, code in _codes(node, codes, zone):
                        rows[(name, *make(system, code, found))] = None

    return collect


def _codes(node: Any, readers: Sequence[tuple[str, Reader]], zone: tzinfo) -> Iterable[Row]:
    return (row for element, read in readers if (value := node.get(element)) is not None for row in read(value, zone))


def _with_token(system: str, code: str, value: Row) -> Row:
    return joined(system, value[0]), joined(code, value[1])


def _with_string(system: str, code: str, value: Row) -> Row:
    return before(code) + value[0], system


def _with_quantity(system: str, code: str, value: Row) -> Row:
    _, unit, low, high, _, least, greatest = value
    return code, unit, low, high, system, least, greatest


def _with_date(system: str, code: str, value: Row) -> Row:
    low, high = (float(end) for end in value)
    return code, DATE, low, high, system, low, high


_MADE: dict[str, Callable[[str, str, Row], Row]] = {
    "token": _with_token,
    "string": _with_string,
    "quantity": _with_quantity,
    "date": _with_date,
}
