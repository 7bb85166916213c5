"""The pseudonymised view: of each resource what `profiles/pseudonymised.yaml` names, and nothing else. Pure.

A new element, extension, code system or identifier never appears by itself: what is not named is not there. How a value
is kept follows from its FHIR datatype: codes without their texts, references to the ids of the view, identifiers of the
study alone (../shared/design/reliability.md §4.3; FHIR R4 §6.1, security label PSEUDED).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

from adapter.errors import MappingError
from adapter.fhir import fhirpath, r4, ucum
from adapter.fhir.search_parameter import OF_THE_RESOURCE
from adapter.fhir.search_params import SearchIndex
from adapter.yaml_lines import Lines, load

FILE = "pseudonymised.yaml"
LABEL = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "PSEUDED"}
OLDEST = 89
"""Years; whoever is older is not told apart by age."""

_KEYS = ("definitions", "identifiers", "systems", "extensions", "texts", "types")
_MODIFIES = "modifierExtension"
_AS_IS = frozenset("boolean integer positiveInt unsignedInt decimal date dateTime instant time".split())
_QUANTITIES = frozenset("Quantity Age Duration Count Distance SimpleQuantity".split())

Name = Callable[[str, str], str]
"""The id in the view of a resource, by its type and its id."""

Keep = Callable[[Any, Name], Any]
"""What may stay of one value; None where nothing may."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What is kept of an object: by JSON property how, and what must be left so that it is kept at all.

    `inner` are the shapes of objects in it; `coarse` are elements that are shown with less than they say.
    """

    keeps: Mapping[str, Keep]
    inner: Mapping[str, "Shape"]
    required: tuple[tuple[str, ...], ...]
    coarse: frozenset[str]

    def of(self, value: dict[str, Any], name: Name) -> dict[str, Any] | None:
        """The object without what is not named; references as `name` says."""
        made: dict[str, Any] = {}
        for element, said in value.items():
            keep = self.keeps.get(element)
            if keep and (kept := _each(said, keep, name)) is not None:
                made[element] = kept
        if not made or any(made.keys().isdisjoint(names) for names in self.required):
            return None
        # What modifies the meaning of the rest cannot be left out of it (FHIR R4 §2.4.0.1).
        return made if len(made.get(_MODIFIES, ())) == len(value.get(_MODIFIES, ())) else None

    def has(self, steps: Iterable[fhirpath.Step]) -> bool:
        """Whether the values that these steps lead to are kept whole."""
        shape: Shape | None = self
        for step in steps:
            if shape is None:
                return True  # within a datatype: what stays of it is what is found
            name = next((name for name, _ in step.properties if name in shape.keeps), None)
            if name is None or name in shape.coarse:
                return False
            shape = shape.inner.get(name)
        return True


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """The view: by type what is kept. Its own definitions are as they are, under their own ids."""

    shapes: Mapping[str, Shape]
    definitions: frozenset[str]
    digest: bytes

    def of(self, resource: dict[str, Any], name: Name) -> dict[str, Any] | None:
        """A resource as the view shows it, without version and time; None where it does not show it.

        Args:
            resource: as it is stored.
            name: how the view calls resources.
        """
        kind, own = resource["resourceType"], f"{resource['resourceType']}/{resource['id']}"
        if own in self.definitions:
            meta = {key: value for key, value in resource.get("meta", {}).items() if key in {"profile", "tag"}}
            return resource | {"meta": meta}
        shape = self.shapes.get(kind)
        made = shape.of(resource, name) if shape else None
        if made is None:
            return None
        return {"resourceType": kind, "id": name(kind, resource["id"]), "meta": {"security": [LABEL]}, **made}

    def index(self, whole: SearchIndex) -> SearchIndex:
        """The search parameters of the view: those that read what is kept, of the types that it shows."""
        own = {one.partition("/")[0] for one in self.definitions}
        found = {kind: dict(of) for kind, of in whole.parameters.items() if kind in own and kind not in self.shapes}
        for kind, shape in self.shapes.items():
            found[kind] = {
                code: replace(one, paths=paths)
                for code, one in whole.parameters[kind].items()
                if (paths := tuple(path for path in one.paths if shape.has(path.steps))) or code in OF_THE_RESOURCE
            }
        return replace(whole, parameters=found)


def load_projection(profiles: Path, served: Iterable[str], definitions: Iterable[Mapping[str, Any]]) -> Projection:
    """Read the allow-list.

    Args:
        profiles: the folder with pseudonymised.yaml.
        served: the resource types that are served.
        definitions: the store's own resources.

    Raises:
        MappingError: an unknown key, type or element, or one whose datatype cannot be shown, with file and line.
    """
    file, definitions = profiles / FILE, tuple(definitions)
    said = load(file)
    for key in said:
        if key not in _KEYS:
            raise MappingError(f"unknown key {key!r}; known are {', '.join(_KEYS)}", file=file, line=said.at[key])
    own = frozenset(
        f"{one['resourceType']}/{one['id']}" for one in definitions if one["resourceType"] in said["definitions"]
    )
    types: Lines = said["types"]
    reader = _Reader(file, _by_type(said, definitions, frozenset(types) | {name.partition("/")[0] for name in own}))
    served = frozenset(served)
    shapes: dict[str, Shape] = {}
    for kind, elements in types.items():
        if kind not in served:
            raise MappingError(f"{kind} is no served type", file=file, line=types.at[kind])
        shapes[kind] = reader.shape(kind, elements, types.at[kind])
    return Projection(shapes, own, blake2b(file.read_bytes(), digest_size=16).digest())


@dataclass(frozen=True, slots=True)
class _Reader:
    file: Path
    by_type: Mapping[str, Keep]

    def shape(self, path: str, said: Any, line: int) -> Shape:
        """What is kept of the elements at a path, from the lines that name them."""
        if not isinstance(said, Lines):
            raise MappingError(f"name the elements of {path}", file=self.file, line=line)
        keeps: dict[str, Keep] = {}
        inner: dict[str, Shape] = {}
        required: list[tuple[str, ...]] = []
        coarse = frozenset(name for name, how in said.items() if how == "year")
        for name, how in said.items():
            at = said.at[name]
            try:
                found = r4.element(f"{path}.{name}")
            except r4.UnknownElement as error:
                raise MappingError(str(error), file=self.file, line=at) from error
            if isinstance(how, Lines):
                inner[name] = self.shape(f"{path}.{name}", how, at)
                keeps[name] = inner[name].of
            else:
                keeps |= self._kept(found, how, at)
            if found.required:
                required.append(found.names)
        return Shape(keeps, inner, tuple(required), coarse)

    def _kept(self, found: r4.Element, how: Any, line: int) -> dict[str, Keep]:
        if how not in (None, "year"):
            raise MappingError("an element has no value, the value 'year', or elements", file=self.file, line=line)
        if how == "year":
            return dict.fromkeys(found.names, _year)
        known = dict(self.by_type)
        if found.binding:
            known["code"] = _listed(found.binding)
        kept = {name: known[kind] for name, kind in zip(found.names, found.types, strict=True) if kind in known}
        if not kept:
            raise MappingError(f"a {found.types[0]} cannot be shown", file=self.file, line=line)
        return kept


def _listed(codes: frozenset[str]) -> Keep:
    return lambda value, _: value if value in codes else None


def _by_type(said: Lines, definitions: Iterable[Mapping[str, Any]], shown: frozenset[str]) -> dict[str, Keep]:
    """How each datatype is kept; what is not here is never shown."""
    coded = _Coded(_patterns(said["systems"]), _concepts(definitions))
    identified = _patterns(said["identifiers"])

    def identifier(value: dict[str, Any], _: Name) -> Any:
        pattern = identified.get(value.get("system", ""))
        stays = pattern and pattern.fullmatch(value.get("value", ""))
        return {"system": value["system"], "value": value["value"]} if stays else None

    def reference(value: dict[str, Any], name: Name) -> Any:
        kind, _, number = value.get("reference", "").partition("/")
        return {"reference": f"{kind}/{name(kind, number)}"} if kind in shown and number and "/" not in number else None

    def text(value: Any, _: Name) -> Any:
        return value if isinstance(value, str) and texts.fullmatch(value) else None

    texts = re.compile("|".join(f"(?:{one})" for one in said["texts"]))
    by_type: dict[str, Keep] = {**dict.fromkeys(_AS_IS, _as_is), **dict.fromkeys(_QUANTITIES, coded.quantity)}
    by_type |= {"CodeableConcept": coded.concept, "Coding": coded.coding, "canonical": coded.canonical(definitions)}
    by_type |= {"Identifier": identifier, "Reference": reference, "Period": _parts(_as_is)}
    by_type |= {"string": text, "code": text}
    by_type |= {"Range": _parts(coded.quantity), "Ratio": _parts(coded.quantity)}
    by_type["Extension"] = _extension(frozenset(said["extensions"]), by_type)
    return by_type


@dataclass(frozen=True, slots=True)
class _Coded:
    """Codes of systems that are known: by pattern, or one by one where the system is the study's own."""

    patterns: Mapping[str, re.Pattern[str]]
    concepts: Mapping[str, frozenset[str]]

    def coding(self, value: dict[str, Any], _: Name) -> Any:
        """System, version and code; what a sender wrote beside them stays out."""
        system, code = value.get("system", ""), value.get("code", "")
        pattern = self.patterns.get(system)
        known = code in self.concepts.get(system, ()) or (pattern and pattern.fullmatch(code))
        return {"system": system, "code": code} if known else None

    def concept(self, value: dict[str, Any], name: Name) -> Any:
        """The codings that are known."""
        found = [one for coding in value.get("coding", ()) if (one := self.coding(coding, name))]
        return {"coding": found} if found else None

    def quantity(self, value: dict[str, Any], name: Name) -> Any:
        """A number with a unit of UCUM or without any; a number whose unit cannot be told is none."""
        made = {name: value[name] for name in ("value", "comparator") if name in value}
        code = value.get("code", "")
        if code and value.get("system") == ucum.SYSTEM and self.coding({"system": ucum.SYSTEM, "code": code}, name):
            return made | {"unit": code, "system": ucum.SYSTEM, "code": code}
        return made if made and not code and not value.get("unit") else None

    @staticmethod
    def canonical(definitions: Iterable[Mapping[str, Any]]) -> Keep:
        """Addresses of the study's own definitions."""
        known = frozenset(one["url"] for one in definitions if "url" in one)
        return lambda value, _: value if str(value).partition("|")[0] in known else None


def _extension(urls: frozenset[str], by_type: Mapping[str, Keep]) -> Keep:
    """Extensions that are named; within them those that they are made of."""
    choices = r4.element("Extension.value[x]")
    keeps = {name: by_type.get(kind) for name, kind in zip(choices.names, choices.types, strict=True)}

    def extension(value: dict[str, Any], name: Name, *, within: bool = False) -> Any:
        if not within and value.get("url") not in urls:
            return None
        parts = [kept for one in value.get("extension", ()) if (kept := extension(one, name, within=True))]
        if parts:
            return {"extension": parts, "url": value["url"]}
        for element, content in value.items():
            keep = keeps.get(element)
            if keep and (kept := keep(content, name)) is not None:
                return {"url": value["url"], element: kept}
        return None

    return extension


def _parts(keep: Keep) -> Keep:
    """An object all of whose parts are of one datatype."""

    def kept(value: dict[str, Any], name: Name) -> Any:
        said = ((part, one) for part, one in value.items() if part != "extension" and not part.startswith("_"))
        made = {part: stays for part, one in said if (stays := keep(one, name)) is not None}
        return made or None

    return kept


def _as_is(value: Any, _: Name) -> Any:
    return value if isinstance(value, str | int | float | Decimal) else None


def _year(value: str, _: Name) -> str | None:
    return value[:4] if value[:4].isdigit() else None


def _each(value: Any, keep: Keep, name: Name) -> Any:
    if isinstance(value, list):
        kept = [one for part in cast("list[Any]", value) if (one := keep(part, name)) is not None]
        return kept or None
    return keep(value, name)


def _patterns(said: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {system: re.compile(str(pattern)) for system, pattern in said.items()}


def _concepts(definitions: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """The codes of the study's own code systems."""
    return {
        one["url"]: frozenset(_codes(one.get("concept", ())))
        for one in definitions
        if one["resourceType"] == "CodeSystem"
    }


def _codes(concepts: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for one in concepts:
        yield one["code"]
        yield from _codes(one.get("concept", ()))
