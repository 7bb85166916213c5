"""Which resources belong to the study, and how they say so (mappings/study.yaml). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from adapter.errors import MappingError
from adapter.yaml_lines import load


@dataclass(frozen=True, slots=True)
class StudyRules:
    """What mappings/study.yaml says.

    `extensions` gives the URL of the extension by resource type; `elements` the name of a type's own element, and
    whether it repeats.
    """

    study: str
    members: frozenset[str]
    extensions: Mapping[str, str]
    elements: Mapping[str, tuple[str, bool]]


class _OwnElement(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    number: Literal["one", "many"]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    study: Annotated[str, StringConstraints(pattern=r"^ResearchStudy/[A-Za-z0-9.-]{1,64}$")]
    members: list[str]
    extensions: dict[str, list[str]]
    elements: dict[str, _OwnElement]


def load_study(mappings: Path) -> StudyRules:
    """Read study.yaml of the folder.

    Raises:
        MappingError: the file cannot be read, or does not say what it must; with its line.
    """
    file = mappings / "study.yaml"
    content = load(file)
    try:
        said = _File.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        line = content.at.get(str(first["loc"][0]), 1) if first["loc"] else 1
        raise MappingError(f"{where}: {first['msg']}", file=file, line=line) from None
    by_type: dict[str, str] = {}
    for url, types in said.extensions.items():
        for kind in types:
            if kind in by_type or kind in said.elements:
                raise MappingError(f"{kind} is named twice", file=file, line=content.at["extensions"])
            by_type[kind] = url
    elements = {kind: (own.name, own.number == "many") for kind, own in said.elements.items()}
    return StudyRules(said.study, frozenset(said.members), by_type, elements)


def subject_number(patient: Mapping[str, Any], study: StudyRules) -> str | None:
    """The subject or donor number among a Patient's identifiers; the least, if there are several."""
    identifiers: list[dict[str, Any]] = patient.get("identifier", [])
    numbers = [one["value"] for one in identifiers if one.get("system") in study.members and "value" in one]
    return min(numbers, default=None)


def tie(resource: dict[str, Any], study: StudyRules) -> dict[str, Any]:
    """Tie a resource of a member to the study.

    Returns:
        The resource itself if it is tied already, or if its type has no way to say so; else a copy that is.
    """
    kind = resource["resourceType"]
    reference = {"reference": study.study}
    if url := study.extensions.get(kind):
        return _with(resource, "extension", {"url": url, "valueReference": reference})
    name, many = study.elements.get(kind, ("", False))
    if many:
        return _with(resource, name, reference)
    return {**resource, name: reference} if name and name not in resource else resource


def _with(resource: dict[str, Any], name: str, item: dict[str, Any]) -> dict[str, Any]:
    items: list[dict[str, Any]] = resource.get(name, [])
    return resource if item in items else {**resource, name: [*items, item]}
