"""The grammar of HL7 v2: structures, segments, data types of every version, compiled from hl7apy's tables.

The only file that knows hl7apy, of which only the tables are used: its parser is wrong where a segment may open
several groups, and takes thousands of times as long.
"""

import importlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

from adapter.hl7v2.recogniser import Element, Group, Problem, Recogniser, Shape
from adapter.hl7v2.structures import GROUP_NAMES, NOT_REQUIRED, SAME_GRAMMAR, STRUCTURE_OF

__all__ = [
    "ComponentDef",
    "FieldDef",
    "Group",
    "Problem",
    "Shape",
    "datatype_components",
    "has_path",
    "segment_fields",
    "shape",
    "structure",
    "structure_segments",
    "versions",
]

LONGEST_SHAPE_KEPT = 300

_VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.1", "2.8.2")
# Asked in this order whether a path exists: those that hospitals send come first, so that few are ever loaded.
_COMMON_FIRST = ("2.5.1", "2.6", "2.3.1", "2.4", "2.8.2", "2.5", "2.7", "2.8", "2.8.1", "2.3", "2.2", "2.1")
_ANY_SEGMENT = "ANYHL7SEGMENT"
_WITHDRAWN = frozenset({None, "WD"})
_PATH = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[\d+\])?(?:-(\d+)(?:\[\d+\])?(?:\.(\d+))?(?:\.(\d+))?)?")


@dataclass(frozen=True, slots=True)
class ComponentDef:
    """A component of a data type. `length` is 0 where the version gives none."""

    number: int
    name: str
    datatype: str
    table: str | None
    required: bool
    length: int


@dataclass(frozen=True, slots=True)
class FieldDef:
    """A field of a segment. `length` is 0 where the version gives none."""

    number: int
    name: str
    datatype: str
    table: str | None
    required: bool
    repeats: bool
    length: int


class _Row(NamedTuple):
    """One row of hl7apy: (`PID_5`, (kind, components, data type, name, table, length), (least, most), kind)."""

    number: int
    name: str
    datatype: str
    table: str | None
    least: int
    most: int
    length: int


def versions() -> tuple[str, ...]:
    """The versions of HL7 v2 that are known, oldest first."""
    return _VERSIONS


def structure(message_type: str, event: str, version: str, sent: str = "") -> str | None:
    """The message structure of an event.

    Args:
        message_type: MSH-9.1.
        event: MSH-9.2.
        version: MSH-12.
        sent: MSH-9.3; believed only where the event itself does not tell (B10).

    Returns:
        The name of table 0354: `ADT_A01` for ADT^A04, also in 2.3.1 which called it ADT_A04; None: unknown.
    """
    known = _known(version)
    own = f"{message_type}_{event}" if event else message_type
    standard = STRUCTURE_OF.get((message_type, event), own)
    for name in (standard, own, STRUCTURE_OF.get((sent[:3], sent[4:]), sent), sent, message_type):
        if name and (name in _messages(known) or (known, name) in SAME_GRAMMAR):
            return name
    return None


def shape(structure: str, version: str, names: tuple[str, ...]) -> Shape:
    """The groups of a message.

    Args:
        structure: its structure, such as `ORU_R01`.
        version: its version; an unknown one is read as the nearest lower, and where a version lacks the structure
            the nearest that has it is taken.
        names: the names of its segments.

    Returns:
        Every segment in its place, whatever the names are; what does not fit stands in `problems`. Z segments
        stand in the group of the segment before them, without a problem.
    """
    if len(names) > LONGEST_SHAPE_KEPT:
        return _shape(structure, version, names)
    return _shape_kept(structure, version, names)


def _shape(structure: str, version: str, names: tuple[str, ...]) -> Shape:
    recogniser = _recogniser(structure, _known(version))
    if recogniser is None:
        problem = Problem("unexpected", "MSH", 0, 1, f"{structure} is no structure of HL7 v2")
        return Shape(Group(structure, structure, tuple(range(len(names)))), (problem,))
    return recogniser.shape(names)


_shape_kept = lru_cache(maxsize=2048)(_shape)


def segment_fields(segment: str, version: str) -> tuple[FieldDef, ...]:
    """The fields of a segment in a version; none for a segment that it does not have. Withdrawn ones are left out."""
    return _segment_fields(segment, _known(version))


def segments() -> frozenset[str]:
    """The names of all segments, of any version."""
    return frozenset(name for version in _VERSIONS for name in _tables(version, "segments").SEGMENTS)


def datatype_components(datatype: str, version: str) -> tuple[ComponentDef, ...]:
    """The components of a data type in a version; none for a simple or unknown one."""
    return _components(datatype, _known(version))


def has_path(path: str, versions: Sequence[str] | None = None) -> bool:
    """Whether `PID`, `PID-5`, `PID-5.1` or `PID-5.1.2` exists in any of the versions (by default: in any at all).

    Z segments are the sites' own and have every field.
    """
    asked = tuple(_known(version) for version in versions) if versions is not None else _COMMON_FIRST
    return _has_path(path, asked)


@lru_cache(maxsize=8192)
def _has_path(path: str, asked: tuple[str, ...]) -> bool:
    match = _PATH.fullmatch(path)
    if match is None:
        return False
    segment, field, component, subcomponent = match.groups()
    if segment[0] == "Z":
        return True
    parts = [int(number) for number in (component, subcomponent) if number]
    return any(_has(segment, int(field or 0), parts, version) for version in asked)


def structure_segments(structure: str, version: str) -> Mapping[str, bool]:
    """The segments of a structure by their path below it, `PATIENT_RESULT.PATIENT.PID`, and whether each is required.

    Empty for an unknown structure.
    """
    root = _root(structure, _known(version))
    return dict(_leaves(root, "")) if root else {}


def _leaves(element: Element, prefix: str) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    for child in element.children:
        path = prefix + child.name
        found += _leaves(child, path + ".") if child.children else [(path, child.required)]
    return found


def _known(version: str) -> str:
    """The version itself, else the nearest lower one, else the lowest; 2.5.1 where nothing is said."""
    if version in _VERSIONS:
        return version
    numbers = _numbers(version)
    lower = [known for known in _VERSIONS if _numbers(known) <= numbers]
    return lower[-1] if lower else _VERSIONS[0] if numbers else _COMMON_FIRST[0]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d{1,3}", version)[:3])


@cache
def _tables(version: str, part: str) -> ModuleType:
    """One of hl7apy's modules of tables: messages, segments, datatypes.

    They are loaded under a package name of our own: that of hl7apy would run its `__init__`, which loads four
    times as much (table values, base types; for 2.8 all of 2.7).
    """
    name = f"_hl7apy_v{version.replace('.', '_')}"
    if name not in sys.modules:
        package = ModuleType(name)
        hl7apy = find_spec("hl7apy")
        folders = (hl7apy.submodule_search_locations if hl7apy else None) or []
        package.__path__ = [f"{folder}/v{version.replace('.', '_')}" for folder in folders]
        sys.modules[name] = package
    return importlib.import_module(f"{name}.{part}")


def _messages(version: str) -> Mapping[str, Any]:
    return _tables(version, "messages").MESSAGES


def _root(structure: str, version: str) -> Element | None:
    """The tree of a structure, from this version or the nearest that has it."""
    at = _VERSIONS.index(version)
    for candidate in (*_VERSIONS[at:], *reversed(_VERSIONS[:at])):
        name = SAME_GRAMMAR.get((candidate, structure), structure)
        definition = _messages(candidate).get(name)
        if definition:
            root = Element(structure, structure, required=True, repeats=False)
            root.children = _elements(definition[1], root, name)
            return root
    return None


def _elements(definitions: Sequence[Any], parent: Element, structure: str) -> tuple[Element, ...]:
    made: list[Element] = []
    for long_name, definition, (least, most), kind in definitions:
        if long_name == _ANY_SEGMENT:
            continue
        name = long_name.removeprefix(f"{structure}_") if kind == "GRP" else long_name
        name = GROUP_NAMES.get((structure, name), name)
        element = Element(name, f"{parent.path}.{name}", least > 0, most != 1, number=len(made))
        if kind == "GRP":
            element.choice = definition[0] == "choice"
            element.children = _elements(definition[1], element, structure)
            # A group of optional parts may be empty: nobody can miss it (OBSERVATION of ORU_R01 before 2.5).
            element.required = element.required and any(child.required for child in element.children)
            if not element.children:
                continue
        made.append(element)
    return tuple(made)


@lru_cache(maxsize=2048)
def _recogniser(structure: str, version: str) -> Recogniser | None:
    root = _root(structure, version)
    if root is None:
        return None
    return Recogniser(root, open_ended=structure in _open_structures(version))


@cache
def _open_structures(version: str) -> frozenset[str]:
    def is_open(definitions: Sequence[Any]) -> bool:
        return any(name == _ANY_SEGMENT or (kind == "GRP" and is_open(one[1])) for name, one, _, kind in definitions)

    return frozenset(name for name, definition in _messages(version).items() if is_open(definition[1]))


@cache
def _segment_fields(segment: str, version: str) -> tuple[FieldDef, ...]:
    definition = _tables(version, "segments").SEGMENTS.get(segment)
    if definition is None or definition[0] != "sequence":
        return ()
    return tuple(
        FieldDef(
            number=row.number,
            name=row.name,
            datatype=row.datatype,
            table=row.table,
            required=row.least > 0 and (version, segment, row.number) not in NOT_REQUIRED,
            repeats=row.most != 1,
            length=row.length,
        )
        for row in _rows(definition[1])
    )


@cache
def _components(datatype: str, version: str) -> tuple[ComponentDef, ...]:
    return tuple(
        ComponentDef(row.number, row.name, row.datatype, row.table, row.least > 0, row.length)
        for row in _rows(_tables(version, "datatypes").DATATYPES_STRUCTS.get(datatype, ()))
    )


def _rows(definitions: Sequence[Any]) -> Iterator[_Row]:
    for key, (_, _, datatype, name, table, length), (least, most), _ in definitions:
        if datatype not in _WITHDRAWN:
            number, words = int(key.rpartition("_")[2]), name.replace("_", " ").capitalize()
            yield _Row(number, words, datatype, table, least, most, max(length, 0))


def _has(segment: str, field: int, parts: Sequence[int], version: str) -> bool:
    fields = _segment_fields(segment, version)
    if not field:
        return bool(fields)
    datatype = next((one.datatype for one in fields if one.number == field), None)
    for part in parts:
        if datatype is None or datatype == "varies":
            break
        components = _components(datatype, version)
        if not components:
            return part == 1
        datatype = next((one.datatype for one in components if one.number == part), None)
    return datatype is not None
