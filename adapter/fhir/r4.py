"""What FHIR R4 (4.0.1) allows. The only file that knows fhir.resources.

fhir.resources has no 4.0.1: its R4B (4.3.0) models are used, and what only R4B has is refused here.
They check neither required bindings nor invariants; the required codes are R4's own, from
`r4-required-codes.json` (written by `docs/generate_r4_data.py`). Models are imported type by type,
when first asked for, because each costs time at start.
"""

import importlib
import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

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
_PRIMITIVES = {bool: "boolean", int: "integer", str: "string"}
# What fhir.resources calls otherwise than FHIR does.
_RENAMED = {"encodedBytes": "base64Binary", "uuidVersion": "uuid"}


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

    def __str__(self) -> str:
        """Return the text as it is, where KeyError would quote it."""
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class _Field:
    """One JSON property of a model."""

    name: str
    type_name: str
    model: type[BaseModel] | None
    many: bool
    required: bool
    choice: str


@cache
def element(path: str) -> Element:
    """Look an element up.

    Args:
        path: from the type down: `Patient.name`, `Observation.value[x]`, `Observation.valueQuantity.value`,
            `Encounter.period.start`.

    Raises:
        UnknownElement: R4 has it not (R4B's own elements included); names the nearest.
    """
    first, *names = path.split(".")
    model, owner, walked = _model(first), first, first
    if not names:
        return Element(path, (first,), (first,), many=False, required=False)
    for name in names[:-1]:
        found = _field(model, name, walked)
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
    fields = _fields(_model(type_name)).values()
    return tuple(dict.fromkeys(f"{f.choice}[x]" if f.choice else f.name for f in fields if f.required))


def validate(resource: dict[str, Any]) -> list[str]:
    """Problems of a resource, each with its path; empty when the models and the required bindings accept it.

    Args:
        resource: as parsed JSON; numbers may be Decimal. Values never appear in the problems.
    """
    try:
        model = _model(str(resource.get("resourceType")))
    except UnknownElement as error:
        return [str(error)]
    try:
        model.model_validate(resource)
    except ValidationError as error:
        return [_problem(resource["resourceType"], found) for found in error.errors(include_input=False)]
    return list(_walk(resource, model, resource["resourceType"], resource["resourceType"]))


def _problem(type_name: str, found: Any) -> str:
    where = ".".join(str(part) for part in (type_name, *found["loc"]) if part != "__root__")
    # The text of a value error may quote the value.
    text = "is not valid" if found["type"] in ("value_error", "assertion_error") else found["msg"]
    return f"{where}: {text}"


def _walk(value: dict[str, Any], model: type[BaseModel], owner: str, path: str) -> Iterator[str]:
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


def _leaf(path: str, owner: str, model: type[BaseModel], name: str) -> Element:
    if not name.endswith("[x]"):
        found = _field(model, name, path.rpartition(".")[0])
        return Element(path, (name,), (found.type_name,), found.many, found.required, _binding(f"{owner}.{name}"))
    choices = [f for f in _fields(model).values() if f.choice == name[:-3] and not _is_r4b_only(f, f"{owner}.{f.name}")]
    if not choices:
        raise _unknown(path, name, model)
    names, types = tuple(f.name for f in choices), tuple(f.type_name for f in choices)
    return Element(path, names, types, choices[0].many, choices[0].required)


def _field(model: type[BaseModel], name: str, path: str) -> _Field:
    found = _fields(model).get(name)
    if found is None:
        raise _unknown(f"{path}.{name}", name, model)
    if _is_r4b_only(found, f"{path}.{name}"):
        raise UnknownElement(f"{path}.{name} exists in R4B only, not in R4")
    return found


def _unknown(path: str, name: str, model: type[BaseModel]) -> UnknownElement:
    known = {f"{f.choice}[x]" if f.choice else f.name for f in _fields(model).values()}
    near = get_close_matches(name, known | set(_fields(model)), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(known))}"
    return UnknownElement(f"R4 has no {path}; {hint}")


def _is_r4b_only(field: _Field, path: str) -> bool:
    return field.type_name in R4B_ONLY_TYPES or path in R4B_ONLY_ELEMENTS


@cache
def _model(type_name: str) -> type[BaseModel]:
    if type_name in R4B_ONLY_TYPES | DIFFERENT_TYPES:
        raise UnknownElement(f"{type_name} is not used: it is not the same in R4 as in R4B")
    known = _type_names()
    if type_name not in known:
        near = get_close_matches(type_name, known, n=1)
        raise UnknownElement(f"R4 has no type {type_name}" + (f"; did you mean {near[0]}?" if near else ""))
    return getattr(importlib.import_module(f"fhir.resources.R4B.{type_name.lower()}"), type_name)


@cache
def _type_names() -> frozenset[str]:
    # The package's map of every type name to its module; it holds backbone elements too.
    models = importlib.import_module("fhir.resources.R4B.fhirtypes")
    names = (name.removesuffix("Type") for name in vars(models) if name.endswith("Type"))
    folder = Path(models.__file__ or "").parent
    modules = {file.stem for file in folder.glob("*.py")}
    return frozenset(name for name in names if name.lower() in modules)


@cache
def _fields(model: type[BaseModel]) -> dict[str, _Field]:
    fields: dict[str, _Field] = {}
    for key, info in model.model_fields.items():
        if key.endswith("__ext") or key == "fhir_comments":
            continue
        name, extra = info.alias or key, typing.cast("dict[str, Any]", info.json_schema_extra or {})
        type_name, below, many = _type_of(info.annotation)
        needed = info.is_required() or bool(extra.get("element_required") or extra.get("one_of_many_required"))
        fields[name] = _Field(name, type_name, below, many, needed, extra.get("one_of_many", ""))
    return fields


def _type_of(annotation: Any) -> tuple[str, type[BaseModel] | None, bool]:
    """FHIR type name, model where it is complex, and whether it repeats, from a pydantic annotation."""
    many, metadata = False, ()
    while arguments := typing.get_args(annotation):
        many = many or typing.get_origin(annotation) is list
        metadata = getattr(annotation, "__metadata__", metadata)
        annotation = next(part for part in arguments if part is not type(None))
    if hasattr(annotation, "get_model_klass"):
        # Resource is abstract: what it holds says its own type.
        model = annotation.get_model_klass()
        name = "BackboneElement" if _is_backbone(model) else annotation.__name__.removesuffix("Type")
        return name, model, many
    if metadata:
        name = type(metadata[0]).__name__
        name = name[0].lower() + name[1:]
        return _RENAMED.get(name, name), None, many
    return _PRIMITIVES.get(annotation, "string"), None, many


def _is_backbone(model: type[BaseModel]) -> bool:
    return model.__name__.lower() != model.__module__.rpartition(".")[2]


@cache
def _required_codes() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("r4-required-codes.json").read_text(encoding="utf-8"))


@cache
def _binding(path: str) -> frozenset[str] | None:
    data = _required_codes()
    url = data["elements"].get(path)
    return frozenset(data["valueSets"][url]) if url else None
