"""Search parameters: FHIR's own SearchParameter resources, compiled into what is written to the index.

`patient` and `subject`, where both read the same element, share their rows: the index is written for every
result that arrives, so it holds nothing twice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from adapter.errors import MappingError
from adapter.fhir import fhirpath, json
from adapter.fhir.profiles import served_types
from adapter.fhir.search_values import EARLIEST, LATEST, date_range, number_range, plain, split_reference

_NAME = 2**24 - 1
# Columns of the resource itself; they need no rows.
OF_THE_RESOURCE = frozenset({"_id", "_lastUpdated"})
# A date without offset means a day in the hospitals' zone; all four are in China.
TRIAL_ZONE = ZoneInfo("Asia/Shanghai")


# The kind of index rows of those types that have no table of their own.
_STORED = {"uri": "token", "number": "date"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one resource type.

    `stored_as` is the name its rows carry, `number` that name and the type as the index holds them; `target` is the
    one type that its references may point to.
    """

    code: str
    type: str
    url: str
    description: str
    targets: tuple[str, ...]
    paths: tuple[fhirpath.Path, ...]
    stored_as: str
    number: int
    target: str | None

    @property
    def rows(self) -> str:
        """The kind of its index rows: a URI stands as a code without a system, a number as a range like a date."""
        return _STORED.get(self.type, self.type)


@dataclass(frozen=True, slots=True)
class Rows:
    """Index rows of one resource, as the tables hold them after type and id of the resource."""

    tokens: tuple[tuple[str, str, str], ...]  # param, system, code
    references: tuple[tuple[str, str, str], ...]  # param, target type, target id (or "", URL)
    dates: tuple[tuple[str, int, int], ...]  # param, first and last microsecond since 1970, UTC
    strings: tuple[tuple[str, str, str], ...]  # param, normalised value, value


_Collect = Callable[[Any, dict[tuple[Any, ...], None]], None]
"""Takes what is found at one place of a resource, and adds its rows."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchIndex:
    """The served types with their parameters, by name.

    `collectors` say by type which elements to look at, for which kind of row, and how; for each row that is written.
    """

    parameters: Mapping[str, Mapping[str, Parameter]]
    collectors: Mapping[str, Sequence[tuple[str, str, _Collect]]]
    zone: tzinfo

    def rows(self, resource: dict[str, Any]) -> Rows:
        """The index rows of a resource; none for a type that is not served.

        A value that R4 does not allow has no row: a resource that was checked has none such.
        """
        found: dict[str, dict[tuple[Any, ...], None]] = {"token": {}, "reference": {}, "date": {}, "string": {}}
        for element, kind, collect in self.collectors.get(resource["resourceType"], ()):
            if (value := resource.get(element)) is not None:
                collect(value, found[kind])
        return Rows(tuple(found["token"]), tuple(found["reference"]), tuple(found["date"]), tuple(found["string"]))


@lru_cache(maxsize=4096)
def parameter_number(resource_type: str, name: str) -> int:
    """A search parameter as the index tables hold it: 24 bits for the type, 24 for the name, always the same ones."""
    return first_number(resource_type) | _hash(name)


def first_number(resource_type: str) -> int:
    """The least number that a parameter of this type may have."""
    return _hash(resource_type) << 24


def last_number(resource_type: str) -> int:
    """The greatest number that a parameter of this type may have."""
    return first_number(resource_type) | _NAME


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=3).digest())


def load(profiles: Path, *, zone: tzinfo = TRIAL_ZONE) -> SearchIndex:
    """Compile `SearchParameter-*.json` of a folder for the types that are served.

    Args:
        profiles: the folder.
        zone: what a date or time without offset means, in resources and in queries alike.

    Raises:
        MappingError: a file is no SearchParameter, or its expression or type is not understood.
    """
    found: dict[str, dict[str, Parameter]] = {name: {} for name in served_types(profiles)}
    for file in sorted(profiles.glob("SearchParameter-*.json")):
        definition = json.loads(file.read_bytes())
        bases = definition.get("base", [])
        for resource_type, parameters in found.items():
            if resource_type in bases or "Resource" in bases:
                parameter = _compile(definition, resource_type, file)
                parameters[parameter.code] = parameter
    shared = {name: _shared(parameters) for name, parameters in found.items()}
    _check_numbers(shared, profiles)
    collectors = {name: [*_collectors(of.values(), zone)] for name, of in shared.items()}
    return SearchIndex(shared, collectors, zone)


def _check_numbers(parameters: Mapping[str, Mapping[str, Parameter]], profiles: Path) -> None:
    """Of a hundred parameters two have the same number once in a thousand million trials; that must not be silent."""
    taken: dict[int, str] = {}
    for resource_type, of in parameters.items():
        for parameter in of.values():
            name = f"{resource_type}?{parameter.stored_as}"
            if taken.setdefault(parameter.number, name) != name:
                raise MappingError(f"{name} has the number of {taken[parameter.number]}: rename it", file=profiles)


def _collectors(parameters: Iterable[Parameter], zone: tzinfo) -> Iterable[tuple[str, str, _Collect]]:
    for parameter in parameters:
        if parameter.code not in OF_THE_RESOURCE and parameter.stored_as == parameter.code:
            for path in parameter.paths:
                for element, collect in _down(parameter, path.steps, zone):
                    yield element, parameter.rows, collect


def _down(parameter: Parameter, steps: Sequence[fhirpath.Step], zone: tzinfo) -> Iterable[tuple[str, _Collect]]:
    """The elements of the first step, and what to do with the value of each."""
    step, rest = steps[0], steps[1:]
    for element, type_name in step.properties:
        last = _rows_of(parameter, type_name, zone) if not rest else None
        yield element, _each(step.where, last or _below([*_down(parameter, rest, zone)]))


def _each(where: tuple[str, str] | None, collect: _Collect) -> _Collect:
    def each(value: Any, rows: dict[tuple[Any, ...], None]) -> None:
        for item in cast("list[Any]", value) if isinstance(value, list) else (value,):
            if where is None or item.get(where[0]) == where[1]:
                collect(item, rows)

    return each


def _below(elements: Sequence[tuple[str, _Collect]]) -> _Collect:
    def below(value: Any, rows: dict[tuple[Any, ...], None]) -> None:
        for element, collect in elements:
            if (found := value.get(element)) is not None:
                collect(found, rows)

    return below


def _rows_of(parameter: Parameter, type_name: str, zone: tzinfo) -> _Collect:
    read, name, target = _READERS[parameter.type][type_name], parameter.code, parameter.target

    def rows_of(value: Any, rows: dict[tuple[Any, ...], None]) -> None:
        for first, second in read(value, zone):
            if target is None or first == target:
                rows[name, first, second] = None

    return rows_of


def _compile(definition: dict[str, Any], resource_type: str, file: Path) -> Parameter:
    kind, code = str(definition.get("type")), definition.get("code", "")
    if kind not in _READERS:
        raise MappingError(f"search parameters of type {kind} are not supported", file=file)
    try:
        branches = fhirpath.compile_expression(definition.get("expression", ""), resource_type)
    except fhirpath.NotUnderstood as error:
        raise MappingError(f"expression: {error}", file=file) from error
    paths = tuple(_indexable(path, kind, file) for path in branches)
    if not paths:
        raise MappingError(f"no branch of the expression begins with {resource_type}", file=file)
    return Parameter(
        code=code,
        type=kind,
        url=definition["url"],
        description=definition.get("description", ""),
        targets=tuple(definition.get("target", ())),
        paths=paths,
        stored_as=code,
        number=parameter_number(resource_type, code),
        target=next((path.target for path in paths if path.target), None),
    )


def _indexable(path: fhirpath.Path, kind: str, file: Path) -> fhirpath.Path:
    """The path without those choices of its last element that have no index row of this kind."""
    *before, last = path.steps
    properties = tuple(pair for pair in last.properties if pair[1] in _READERS[kind])
    if not properties:
        raise MappingError(f"a {last.properties[0][1]} cannot be searched as {kind}", file=file)
    return replace(path, steps=(*before, replace(last, properties=properties)))


def _shared(parameters: dict[str, Parameter]) -> dict[str, Parameter]:
    """Let references that read the same elements share the rows of the one that has them all."""
    owners: dict[tuple[Any, ...], str] = {}
    for code, parameter in sorted(parameters.items()):
        if parameter.type == "reference" and parameter.target is None:
            owners.setdefault(_elements(parameter), code)
    return {code: _sharing(parameter, owners.get(_elements(parameter), code)) for code, parameter in parameters.items()}


def _sharing(parameter: Parameter, owner: str) -> Parameter:
    if parameter.type != "reference" or owner == parameter.code:
        return parameter
    return replace(parameter, stored_as=owner, number=(parameter.number & ~_NAME) | _hash(owner))


def _elements(parameter: Parameter) -> tuple[Any, ...]:
    return tuple(path.steps for path in parameter.paths)


Row = tuple[Any, Any]


def _plain_token(value: Any, _: tzinfo) -> Sequence[Row]:
    return (("", str(value).lower() if isinstance(value, bool) else str(value)),)


def _coding(value: Any, _: tzinfo) -> Sequence[Row]:
    code = value.get("code")
    return ((value.get("system", ""), code),) if code else ()


def _concept(value: Any, _: tzinfo) -> Sequence[Row]:
    return [(coding.get("system", ""), code) for coding in value.get("coding", ()) if (code := coding.get("code"))]


def _identifier(value: Any, _: tzinfo) -> Sequence[Row]:
    text = value.get("value")
    return ((value.get("system", ""), text),) if text else ()


def _contact_point(value: Any, _: tzinfo) -> Sequence[Row]:
    # Its system says phone or email and is no namespace (R4 §3.1.1.4.10).
    text = value.get("value")
    return (("", text),) if text else ()


def _reference(value: Any, _: tzinfo) -> Sequence[Row]:
    text = value.get("reference", "")
    return (split_reference(text),) if text and text[0] != "#" else ()


def _date(value: Any, zone: tzinfo) -> Sequence[Row]:
    found = date_range(value, zone)
    return (found,) if found else ()


def _period(value: Any, zone: tzinfo) -> Sequence[Row]:
    start, end = (date_range(value[name], zone) if name in value else None for name in ("start", "end"))
    if not (start or end):
        return ()
    return ((start[0] if start else EARLIEST, end[1] if end else LATEST),)


def _timing(value: Any, zone: tzinfo) -> Sequence[Row]:
    events = [found for event in value.get("event", ()) if (found := date_range(event, zone))]
    if events:
        return ((min(low for low, _ in events), max(high for _, high in events)),)
    bounds = value.get("repeat", {}).get("boundsPeriod")
    return _period(bounds, zone) if bounds else ()


def _number(value: Any, _: tzinfo) -> Sequence[Row]:
    found = number_range(str(value), exact=True)
    return (found,) if found else ()


def _text(value: Any, _: tzinfo) -> Sequence[Row]:
    normalised = plain(value)
    return ((normalised, value),) if normalised else ()


def _parts(*names: str) -> Callable[[Any, tzinfo], Sequence[Row]]:
    def read(value: Any, zone: tzinfo) -> Sequence[Row]:
        found: list[Row] = []
        for name in names:
            part = value.get(name, ())
            for text in (part,) if isinstance(part, str) else part:
                found += _text(text, zone)
        return found

    return read


_READERS: Mapping[str, Mapping[str, Callable[[Any, tzinfo], Sequence[Row]]]] = {
    "token": {
        "code": _plain_token,
        "boolean": _plain_token,
        "id": _plain_token,
        "string": _plain_token,
        "uri": _plain_token,
        "url": _plain_token,
        "Coding": _coding,
        "CodeableConcept": _concept,
        "Identifier": _identifier,
        "ContactPoint": _contact_point,
    },
    "uri": {"uri": _plain_token, "url": _plain_token, "canonical": _plain_token, "oid": _plain_token},
    "number": {"integer": _number, "positiveInt": _number, "unsignedInt": _number, "decimal": _number},
    "reference": {"Reference": _reference},
    "date": {"date": _date, "dateTime": _date, "instant": _date, "Period": _period, "Timing": _timing},
    "string": {
        "string": _text,
        "markdown": _text,
        "HumanName": _parts("text", "family", "given", "prefix", "suffix"),
        "Address": _parts("text", "line", "city", "district", "state", "postalCode", "country"),
    },
}
