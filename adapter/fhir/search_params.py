"""Search parameters: FHIR's own SearchParameter resources, compiled into what is written to the index.

`patient` and `subject`, where both read the same element, share their rows: the index is written for every
result that arrives, so it holds nothing twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapter.errors import MappingError
from adapter.fhir import fhirpath, json
from adapter.fhir.profiles import served_types
from adapter.fhir.search_pairs import PAIRED, Collect, Component, pairs, rows_of, walk
from adapter.fhir.search_parameter import Parameter, parameter_number, shared
from adapter.fhir.search_readers import READERS

# A date without offset means a day in the hospitals' zone; all four are in China.
TRIAL_ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Rows:
    """Index rows of one resource, as the tables hold them after type and id of the resource."""

    tokens: tuple[tuple[str, str, str], ...]  # param, system, code
    references: tuple[tuple[str, str, str], ...]  # param, target type, target id (or "", URL)
    dates: tuple[tuple[str, int, int], ...]  # param, first and last microsecond since 1970, UTC
    strings: tuple[tuple[str, str, str], ...]  # param, normalised value, value
    # param, code, unit, range in base units, the code's system, range as it is written
    quantities: tuple[tuple[str, str, str, float, float, str, float, float], ...]


_READING = 1
"""To be raised when `search_readers.py` finds other rows in the same values: the index is then written anew."""

_KINDS = ("token", "reference", "date", "string", "quantity")


@dataclass(frozen=True, slots=True, eq=False)
class SearchIndex:
    """The served types with their parameters, by name.

    `collectors` say by type and element for which kind of row to look at it, and how; for each row that is written.
    `pairing` says the same of rows that are made of two elements: the one without which there is none of them, and
    what takes the whole resource. `linked` are, by type, the elements that such rows are made of.
    """

    parameters: Mapping[str, Mapping[str, Parameter]]
    collectors: Mapping[str, Mapping[str, Sequence[tuple[str, Collect]]]]
    pairing: Mapping[str, Mapping[str, Sequence[tuple[str, Collect]]]]
    linked: Mapping[str, frozenset[str]]
    zone: tzinfo

    def digest(self, resource_type: str) -> bytes:
        """What changes when the rows of resources of a type would be others."""
        written = [one for one in self.parameters[resource_type].values() if one.written]
        read = sorted((one.number, repr((one.type, one.paths, one.target, one.components))) for one in written)
        return blake2b(repr((_READING, str(self.zone), read)).encode(), digest_size=16).digest()

    def rows(self, resource: dict[str, Any]) -> Rows:
        """The index rows of a resource; none for a type that is not served.

        A value that R4 does not allow has no row: a resource that was checked has none such.
        """
        found: dict[str, dict[tuple[Any, ...], None]] = {kind: {} for kind in _KINDS}
        resource_type = resource["resourceType"]
        collectors, pairing = self.collectors.get(resource_type, {}), self.pairing.get(resource_type, {})
        for element, value in resource.items():
            for kind, collect in collectors.get(element, ()):
                collect(value, found[kind])
            for kind, collect in pairing.get(element, ()):
                collect(resource, found[kind])
        return Rows(*map(tuple, found.values()))  # pyright: ignore[reportArgumentType]


def load(profiles: Path, *, zone: tzinfo = TRIAL_ZONE) -> SearchIndex:
    """Compile `SearchParameter-*.json` of a folder for the types that are served.

    Args:
        profiles: the folder.
        zone: what a date or time without offset means, in resources and in queries alike.

    Raises:
        MappingError: a file is no SearchParameter, or its expression or type is not understood.
    """
    found: dict[str, dict[str, Parameter]] = {name: {} for name in served_types(profiles)}
    files = {file: json.loads(file.read_bytes()) for file in sorted(profiles.glob("SearchParameter-*.json"))}
    types = {definition.get("url"): str(definition.get("type")) for definition in files.values()}
    for file, definition in files.items():
        bases = definition.get("base", [])
        for resource_type, parameters in found.items():
            if resource_type in bases or "Resource" in bases:
                parameter = _compile(definition, resource_type, types, file)
                parameters[parameter.code] = parameter
    parameters = {name: shared(of) for name, of in found.items()}
    _check_numbers(parameters, profiles)
    collectors = {name: _by_element(_collectors(of.values(), zone)) for name, of in parameters.items()}
    pairing = {name: _by_element(_pairing(of.values(), zone)) for name, of in parameters.items()}
    linked = {name: _linked(of.values()) for name, of in parameters.items()}
    return SearchIndex(parameters, collectors, pairing, linked, zone)


def _check_numbers(parameters: Mapping[str, Mapping[str, Parameter]], profiles: Path) -> None:
    """Of a hundred parameters two have the same number once in a thousand million trials; that must not be silent."""
    taken: dict[int, str] = {}
    for resource_type, of in parameters.items():
        for parameter in of.values():
            name = f"{resource_type}?{parameter.stored_as}"
            if taken.setdefault(parameter.number, name) != name:
                raise MappingError(f"{name} has the number of {taken[parameter.number]}: rename it", file=profiles)


def _collectors(parameters: Iterable[Parameter], zone: tzinfo) -> Iterable[tuple[str, str, Collect]]:
    for parameter in parameters:
        for path in parameter.paths if parameter.written else ():
            if path.steps:
                for element, collect in walk(path.steps, partial(_last, parameter, zone)):
                    yield element, parameter.rows, collect


def _by_element(collectors: Iterable[tuple[str, str, Collect]]) -> dict[str, list[tuple[str, Collect]]]:
    found: dict[str, list[tuple[str, Collect]]] = {}
    for element, kind, collect in collectors:
        found.setdefault(element, []).append((kind, collect))
    return found


def _last(parameter: Parameter, zone: tzinfo, type_name: str) -> Collect:
    if parameter.components:
        return pairs(parameter.code, parameter.components, zone)
    return rows_of(parameter.code, READERS[parameter.type][type_name], parameter.target, zone)


def _pairing(parameters: Iterable[Parameter], zone: tzinfo) -> Iterable[tuple[str, str, Collect]]:
    for parameter in parameters:
        for _ in (path for path in parameter.paths if parameter.written and not path.steps):
            first, second = parameter.components
            for element, type_name in second.properties:
                only = (first, replace(second, properties=((element, type_name),)))
                yield element, parameter.rows, pairs(parameter.code, only, zone)


def _linked(parameters: Iterable[Parameter]) -> frozenset[str]:
    """The elements of which the value of one says with which rows the others stand in the index."""
    whole = [one for one in parameters if one.written and any(not path.steps for path in one.paths)]
    return frozenset(name for one in whole for part in one.components for name, _ in part.properties)


def _compile(definition: dict[str, Any], resource_type: str, types: Mapping[str, str], file: Path) -> Parameter:
    kind, code, expression = str(definition.get("type")), definition.get("code", ""), definition.get("expression", "")
    if kind not in READERS and kind != "composite":
        raise MappingError(f"search parameters of type {kind} are not supported", file=file)
    components: tuple[Component, ...] = ()
    try:
        paths = fhirpath.compile_expression(expression, resource_type)
        if kind == "composite":
            components = tuple(
                _component(one, types, expression, resource_type, file) for one in definition.get("component", ())
            )
        else:
            paths = _indexable(paths, kind, file)
    except fhirpath.NotUnderstood as error:
        raise MappingError(f"expression: {error}", file=file) from error
    _check(components, paths, kind, resource_type, file)
    number = parameter_number(resource_type, code)
    return Parameter(
        code=code,
        type=kind,
        url=definition["url"],
        description=definition.get("description", ""),
        targets=tuple(definition.get("target", ())),
        paths=paths,
        stored_as=code,
        number=number,
        numbers=(number,),
        target=next((path.target for path in paths if path.target), None),
        components=components,
    )


def _check(
    components: Sequence[Component], paths: Sequence[fhirpath.Path], kind: str, resource_type: str, file: Path
) -> None:
    if not paths:
        raise MappingError(f"no branch of the expression begins with {resource_type}", file=file)
    if kind != "composite":
        return
    if [one.type for one in components] not in [["token", second] for second in PAIRED]:
        raise MappingError(f"a composite is a token and then a {', '.join(PAIRED)}", file=file)


def _component(
    component: Mapping[str, str], types: Mapping[str, str], base: str, resource_type: str, file: Path
) -> Component:
    """A component: the properties that it is read from, below whichever base of the composite."""
    definition = component.get("definition", "")
    kind = types.get(definition, "")
    if kind not in READERS:
        raise MappingError(f"component {definition} is no search parameter of the folder", file=file)
    bases = [branch.strip() for branch in base.split("|")]
    parts = [part.strip() for part in component.get("expression", "").split("|")]
    joined = " | ".join(f"{branch}.{part}" for branch in bases for part in parts)
    properties = dict[str, str]()
    for path in _indexable(fhirpath.compile_expression(joined, resource_type), kind, file):
        properties |= dict(path.steps[-1].properties)
    return Component(kind, tuple(properties.items()))


def _indexable(paths: Sequence[fhirpath.Path], kind: str, file: Path) -> tuple[fhirpath.Path, ...]:
    """The paths without what has no index row of this kind: some choices of the last element, or a path (SampledData).

    Raises:
        MappingError: nothing is left.
    """
    found: list[fhirpath.Path] = []
    for path in paths:
        *before, last = path.steps
        properties = tuple(pair for pair in last.properties if pair[1] in READERS[kind])
        if properties:
            found.append(replace(path, steps=(*before, replace(last, properties=properties))))
    if paths and not found:
        raise MappingError(f"a {paths[0].steps[-1].properties[0][1]} cannot be searched as {kind}", file=file)
    return tuple(found)
