"""What FHIR R4 (4.0.1) allows: its elements, and whether a resource is valid.

The elements are those of fhir.resources, written to `r4-elements.json` by `docs/generate_r4_elements.py`, because
importing its models takes half a second of every start. It has no 4.0.1: R4B (4.3.0) is used, and what only R4B has
is refused here. Its models check neither required bindings nor invariants; the required codes are R4's own, from
`r4-required-codes.json` (written by `docs/generate_r4_data.py`).
"""

import json
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

R4B_ONLY_TYPES = frozenset(
    {
        "AdministrableProductDefinition",
        "Citation",
        "ClinicalUseDefinition",
        "CodeableReference",
        "EvidenceReport",
        "Ingredient",
        "ManufacturedItemDefinition",
        "MedicinalProductDefinition",
        "NutritionProduct",
        "PackagedProductDefinition",
        "RatioRange",
        "RegulatedAuthorization",
        "SubscriptionStatus",
        "SubscriptionTopic",
        "SubstanceDefinition",
    }
)
# Their R4B models differ wholly from R4's.
DIFFERENT_TYPES = frozenset({"Evidence", "EvidenceVariable"})
R4B_ONLY_ELEMENTS = frozenset(
    {
        "ActivityDefinition.subjectCanonical",
        "PlanDefinition.subjectCanonical",
        "PlanDefinition.action.subjectCanonical",
        "Parameters.parameter.valueMeta",
        "Task.input.valueMeta",
        "Task.output.valueMeta",
    }
)


@dataclass(frozen=True, slots=True)
class Element:
    """One element of R4: `Observation.value[x]` has all its choices in `names` and `types`, in one order."""

    path: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    many: bool
    required: bool
    binding: frozenset[str] | None = None


class UnknownElement(KeyError):
    """R4 has no such type or element; the text names the nearest that it has."""

    def __init__(self, text: str, name: str = "", known: Iterable[str] = ()) -> None:
        """Keep the text; the name that was asked for and those that exist give the hint, when somebody reads it."""
        super().__init__(text)
        self._text, self._name, self._known = text, name, known

    def __str__(self) -> str:
        """The text with the nearest name; KeyError would quote it."""
        if not self._known:
            return self._text
        near = get_close_matches(self._name, self._known, n=1, cutoff=0.5)
        return f"{self._text}; " + (f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(self._known))}")


@dataclass(frozen=True, slots=True)
class _Field:
    """One JSON property of a type or backbone; `model` names what holds its own elements, if it has any."""

    name: str
    type_name: str
    model: str | None
    many: bool
    required: bool
    choice: str


@cache
def element(path: str) -> Element:
    """Look an element up.

    Args:
        path: from the type down: `Patient.name`, `Observation.value[x]`, `Observation.valueQuantity.value`,
            `Encounter.period.start`; `Patient._birthDate.extension` for what a primitive carries beside its value.

    Raises:
        UnknownElement: R4 has it not (R4B's own elements included); names the nearest.
    """
    first, *names = path.split(".")
    model, owner, walked = _class(first), first, first
    if not names:
        return Element(path, (first,), (first,), many=False, required=False)
    for name in names[:-1]:
        found = _carried(model, name, walked) if name.startswith("_") else _field(model, name, walked)
        walked = f"{walked}.{name}"
        if found.model is None:
            raise UnknownElement(f"{walked} is a {found.type_name} and has no elements")
        model = found.model
        owner = f"{owner}.{name}" if _is_backbone(model) else found.type_name
    return _leaf(path, owner, model, names[-1])


@cache
def required_elements(type_name: str) -> tuple[str, ...]:
    """Names of the elements without which a `type_name` is not valid; choices as `medication[x]`.

    Raises:
        UnknownElement: R4 has no such type.
    """
    fields = _fields(_class(type_name)).values()
    return tuple(dict.fromkeys(f"{f.choice}[x]" if f.choice else f.name for f in fields if f.required))


def validate(resource: dict[str, Any]) -> list[str]:
    """Problems of a resource, each with its path; empty when the models and the required bindings accept it.

    Args:
        resource: as parsed JSON; numbers may be Decimal. Values never appear in the problems.
    """
    # Only who validates waits for the models.
    from adapter.fhir import r4_models  # noqa: PLC0415

    try:
        model = _class(str(resource.get("resourceType")))
    except UnknownElement as error:
        return [str(error)]
    if problems := r4_models.problems(model, resource):
        return problems
    return list(_walk(resource, model, resource["resourceType"], resource["resourceType"]))


def _walk(value: dict[str, Any], model: str, owner: str, path: str) -> Iterator[str]:
    fields = _fields(model)
    for name, content in value.items():
        field = fields.get(name)
        if field is None:
            continue
        here = f"{path}.{name}"
        if _is_r4b_only(field, here):
            yield f"{here}: exists in R4B only, not in R4"
        allowed = _binding(f"{owner}.{name}")
        for item in typing.cast("list[Any]", content) if isinstance(content, list) else [content]:
            if allowed and isinstance(item, str) and item not in allowed:
                yield f"{here}: the code is not in R4's required value set"
            if isinstance(item, dict) and field.type_name == "Resource":
                yield from (f"{here}: {problem}" for problem in validate(typing.cast("dict[str, Any]", item)))
            elif isinstance(item, dict) and field.model:
                below = f"{owner}.{name}" if _is_backbone(field.model) else field.type_name
                yield from _walk(typing.cast("dict[str, Any]", item), field.model, below, here)


def _leaf(path: str, owner: str, model: str, name: str) -> Element:
    if name.startswith("_"):
        found = _carried(model, name, path.rpartition(".")[0])
        return Element(path, (name,), ("Element",), found.many, required=False)
    if not name.endswith("[x]"):
        found = _field(model, name, path.rpartition(".")[0])
        return Element(path, (name,), (found.type_name,), found.many, found.required, _binding(f"{owner}.{name}"))
    choices = [f for f in _fields(model).values() if f.choice == name[:-3] and not _is_r4b_only(f, f"{owner}.{f.name}")]
    if not choices:
        raise _unknown(path, name, model)
    names, types = tuple(f.name for f in choices), tuple(f.type_name for f in choices)
    return Element(path, names, types, choices[0].many, choices[0].required)


def _carried(model: str, name: str, path: str) -> _Field:
    """What a primitive carries beside its value (`_birthDate`), with its id and extensions."""
    primitive = _field(model, name[1:], path)
    if primitive.model is not None:
        raise UnknownElement(f"{path}.{name[1:]} is a {primitive.type_name}, which holds its extensions itself")
    return _Field(name, "Element", "Element", primitive.many, required=False, choice="")


def _field(model: str, name: str, path: str) -> _Field:
    found = _fields(model).get(name)
    if found is None:
        raise _unknown(f"{path}.{name}", name, model)
    if _is_r4b_only(found, f"{path}.{name}"):
        raise UnknownElement(f"{path}.{name} exists in R4B only, not in R4")
    return found


def _unknown(path: str, name: str, model: str) -> UnknownElement:
    known = {f"{f.choice}[x]" if f.choice else f.name for f in _fields(model).values()}
    return UnknownElement(f"R4 has no {path}", name, known | set(_fields(model)))


def _is_r4b_only(field: _Field, path: str) -> bool:
    return field.type_name in R4B_ONLY_TYPES or path in R4B_ONLY_ELEMENTS


@cache
def _class(type_name: str) -> str:
    if type_name in R4B_ONLY_TYPES | DIFFERENT_TYPES:
        raise UnknownElement(f"{type_name} is not used: it is not the same in R4 as in R4B")
    if type_name not in _elements()["types"]:
        raise UnknownElement(f"R4 has no type {type_name}", type_name, _elements()["types"])
    return type_name


@cache
def _fields(class_name: str) -> dict[str, _Field]:
    return {name: _Field(name, *facts) for name, facts in _elements()["classes"][class_name].items()}


def _is_backbone(class_name: str) -> bool:
    return class_name not in _elements()["types"]


@cache
def _elements() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("r4-elements.json").read_text(encoding="utf-8"))


@cache
def _required_codes() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("r4-required-codes.json").read_text(encoding="utf-8"))


@cache
def _binding(path: str) -> frozenset[str] | None:
    data = _required_codes()
    url = data["elements"].get(path)
    return frozenset(data["valueSets"][url]) if url else None
