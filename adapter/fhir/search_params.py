"""Search parameters: FHIR's own SearchParameter resources, compiled into what is written to the index.

`patient` and `subject`, where both read the same element, share their rows: the index is written for every
result that arrives, so it holds nothing twice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapter.errors import MappingError
from adapter.fhir import fhirpath, json
from adapter.fhir.profiles import served_types
from adapter.fhir.search_values import EARLIEST, LATEST, date_range, plain, split_reference

# Columns of the resource itself; they need no rows.
OF_THE_RESOURCE = frozenset({"_id", "_lastUpdated"})
# A date without offset means a day in the hospitals' zone; all four are in China.
TRIAL_ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one resource type.

    `stored_as` is the name its rows carry; `target` the one type that its references may point to.
    """

    code: str
    type: str
    url: str
    description: str
    targets: tuple[str, ...]
    paths: tuple[fhirpath.Path, ...]
    stored_as: str
    target: str | None


@dataclass(frozen=True, slots=True)
class Rows:
    """Index rows of one resource, as the tables hold them after type and id of the resource."""

    tokens: tuple[tuple[str, str, str], ...]  # param, system, code
    references: tuple[tuple[str, str, str], ...]  # param, target type, target id (or "", URL)
    dates: tuple[tuple[str, int, int], ...]  # param, first and last microsecond since 1970, UTC
    strings: tuple[tuple[str, str, str], ...]  # param, normalised value, value


@dataclass(frozen=True, slots=True, eq=False)
class SearchIndex:
    """The served types with their parameters, by name; `written` are those that have rows of their own."""

    parameters: Mapping[str, Mapping[str, Parameter]]
    written: Mapping[str, Sequence[tuple[str, str, tuple[fhirpath.Path, ...], str | None]]]
    zone: tzinfo

    def rows(self, resource: dict[str, Any]) -> Rows:
        """The index rows of a resource; none for a type that is not served.

        A value that R4 does not allow has no row: a resource that was checked has none such.
        """
        found: dict[str, dict[tuple[Any, ...], None]] = {kind: {} for kind in _READERS}
        for code, kind, paths, target in self.written.get(resource["resourceType"], ()):
            read, rows = _READERS[kind], found[kind]
            for path in paths:
                for type_name, value in path.values(resource):
                    for row in read[type_name](value, self.zone):
                        if target is None or row[0] == target:
                            rows[code, *row] = None
        return Rows(*(tuple(rows) for rows in found.values()))


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
    written = {name: [_written(one) for one in of.values() if _has_rows(one)] for name, of in shared.items()}
    return SearchIndex(shared, written, zone)


def _has_rows(parameter: Parameter) -> bool:
    return parameter.code not in OF_THE_RESOURCE and parameter.stored_as == parameter.code


def _written(parameter: Parameter) -> tuple[str, str, tuple[fhirpath.Path, ...], str | None]:
    return parameter.code, parameter.type, parameter.paths, parameter.target


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
    return {
        code: replace(parameter, stored_as=owners.get(_elements(parameter), code))
        if parameter.type == "reference"
        else parameter
        for code, parameter in parameters.items()
    }


def _elements(parameter: Parameter) -> tuple[Any, ...]:
    return tuple(path.steps for path in parameter.paths)


Row = tuple[Any, ...]


def _plain_token(value: Any, _: tzinfo) -> Iterable[Row]:
    yield "", (str(value).lower() if isinstance(value, bool) else str(value))


def _coding(value: Any, _: tzinfo) -> Iterable[Row]:
    if code := value.get("code"):
        yield value.get("system", ""), code


def _concept(value: Any, zone: tzinfo) -> Iterable[Row]:
    for coding in value.get("coding", ()):
        yield from _coding(coding, zone)


def _identifier(value: Any, _: tzinfo) -> Iterable[Row]:
    if text := value.get("value"):
        yield value.get("system", ""), text


def _contact_point(value: Any, _: tzinfo) -> Iterable[Row]:
    # Its system says phone or email and is no namespace (R4 §3.1.1.4.10).
    if text := value.get("value"):
        yield "", text


def _reference(value: Any, _: tzinfo) -> Iterable[Row]:
    text = value.get("reference", "")
    if text and not text.startswith("#"):
        yield split_reference(text)


def _date(value: Any, zone: tzinfo) -> Iterable[Row]:
    if found := date_range(value, zone):
        yield found


def _period(value: Any, zone: tzinfo) -> Iterable[Row]:
    start, end = (date_range(value[name], zone) if name in value else None for name in ("start", "end"))
    if start or end:
        yield start[0] if start else EARLIEST, end[1] if end else LATEST


def _timing(value: Any, zone: tzinfo) -> Iterable[Row]:
    events = [found for event in value.get("event", ()) if (found := date_range(event, zone))]
    if events:
        yield min(low for low, _ in events), max(high for _, high in events)
    elif bounds := value.get("repeat", {}).get("boundsPeriod"):
        yield from _period(bounds, zone)


def _text(value: Any, _: tzinfo) -> Iterable[Row]:
    if normalised := plain(value):
        yield normalised, value


def _parts(*names: str) -> Callable[[Any, tzinfo], Iterable[Row]]:
    def read(value: Any, zone: tzinfo) -> Iterable[Row]:
        for name in names:
            part = value.get(name, ())
            for text in (part,) if isinstance(part, str) else part:
                yield from _text(text, zone)

    return read


_READERS: Mapping[str, Mapping[str, Callable[[Any, tzinfo], Iterable[Row]]]] = {
    "token": {
        "code": _plain_token,
        "boolean": _plain_token,
        "id": _plain_token,
        "string": _plain_token,
        "uri": _plain_token,
        "Coding": _coding,
        "CodeableConcept": _concept,
        "Identifier": _identifier,
        "ContactPoint": _contact_point,
    },
    "reference": {"Reference": _reference},
    "date": {"date": _date, "dateTime": _date, "instant": _date, "Period": _period, "Timing": _timing},
    "string": {
        "string": _text,
        "markdown": _text,
        "HumanName": _parts("text", "family", "given", "prefix", "suffix"),
        "Address": _parts("text", "line", "city", "district", "state", "postalCode", "country"),
    },
}
