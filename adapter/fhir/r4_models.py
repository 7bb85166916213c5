"""The models of fhir.resources (R4B). The only file that knows them; slow to import, so only who needs them does."""

import importlib
import typing
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

_PRIMITIVES = {bool: "boolean", int: "integer", str: "string"}
# What fhir.resources calls otherwise than FHIR does.
_RENAMED = {"encodedBytes": "base64Binary", "uuidVersion": "uuid"}

Facts = tuple[str, "type[BaseModel] | None", bool, bool, str]
"""FHIR type, model of its own elements, whether it repeats, whether it is required, name of the choice."""


def problems(type_name: str, resource: dict[str, Any]) -> list[str]:
    """What the model of a type says against a resource; values never appear.

    Args:
        type_name: of a resource that R4 has.
        resource: as parsed JSON; numbers may be Decimal.
    """
    try:
        model(type_name).model_validate(resource)
    except ValidationError as error:
        return [_problem(type_name, found) for found in error.errors(include_input=False)]
    return []


@cache
def model(type_name: str) -> type[BaseModel]:
    """The model of a type of `type_names`."""
    return getattr(importlib.import_module(f"fhir.resources.R4B.{type_name.lower()}"), type_name)


def described(names: typing.Iterable[str]) -> dict[str, dict[str, list[Any]]]:
    """The elements of these types and of all that they hold, by name of type or backbone (`r4-elements.json`)."""
    found: dict[str, dict[str, list[Any]]] = {}
    waiting = [model(name) for name in names]
    while waiting:
        one = waiting.pop()
        if one.__name__ in found:
            continue
        fields = _fields(one)
        found[one.__name__] = {
            name: [type_name, below.__name__ if below else None, many, required, choice]
            for name, (type_name, below, many, required, choice) in fields.items()
        }
        waiting += [below for _, below, *_ in fields.values() if below]
    return found


def type_names() -> frozenset[str]:
    """The types of R4B that have a module of their own: resources and data types."""
    # The package's map of every type name to its module; it holds backbone elements too.
    models = importlib.import_module("fhir.resources.R4B.fhirtypes")
    names = (name.removesuffix("Type") for name in vars(models) if name.endswith("Type"))
    folder = Path(models.__file__ or "").parent
    modules = {file.stem for file in folder.glob("*.py")}
    return frozenset(name for name in names if name.lower() in modules)


def _fields(model: type[BaseModel]) -> dict[str, Facts]:
    fields: dict[str, Facts] = {}
    for key, info in model.model_fields.items():
        if key.endswith("__ext") or key == "fhir_comments":
            continue
        name, extra = info.alias or key, typing.cast("dict[str, Any]", info.json_schema_extra or {})
        type_name, below, many = _type_of(info.annotation)
        needed = info.is_required() or bool(extra.get("element_required") or extra.get("one_of_many_required"))
        fields[name] = (type_name, below, many, needed, extra.get("one_of_many", ""))
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


def _problem(type_name: str, found: Any) -> str:
    where = ".".join(str(part) for part in (type_name, *found["loc"]) if part != "__root__")
    # The text of a value error may quote the value.
    text = "is not valid" if found["type"] in ("value_error", "assertion_error") else found["msg"]
    return f"{where}: {text}"
