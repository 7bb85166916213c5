"""Which resources belong to the study, and how they say so (mappings/study.yaml). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import StringConstraints

from adapter.errors import MappingError
from adapter.trial.checked import Part, checked
from adapter.trial.plans import PLAN, REGISTRATION, Identify, Look, Looking, Plans, planned, unplanned
from adapter.yaml_lines import load

DEPENDENT = {REGISTRATION: (PLAN,)}
"""Types of which another one tells what they are tied to, by that one: both are of the same member."""


@dataclass(frozen=True, slots=True)
class Courses:
    """How a resource says which course it is of, and how it is bound to the course's EpisodeOfCare.

    `mark` is the extension that names the course, by a coding of `phase_system` that is one of `phases`; `number` the
    system of the courses' own numbers (subject and phase). Resources of `types` get `extension`, those of `contexts`
    have the element `context`.
    """

    mark: str
    phase_system: str
    phases: frozenset[str]
    number: str
    extension: str
    types: frozenset[str]
    contexts: frozenset[str]


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
    courses: Courses
    plans: Plans


class _Courses(Part):
    mark: str
    phase_system: str
    phases: list[str]
    number: str
    extension: str
    types: list[str]
    contexts: list[str]


class _OwnElement(Part):
    name: str
    number: Literal["one", "many"]


class _File(Part):
    study: Annotated[str, StringConstraints(pattern=r"^ResearchStudy/[A-Za-z0-9.-]{1,64}$")]
    members: list[str]
    extensions: dict[str, list[str]]
    elements: dict[str, _OwnElement]
    courses: _Courses
    plans: Plans


def load_study(mappings: Path) -> StudyRules:
    """Read study.yaml of the folder.

    Raises:
        MappingError: the file cannot be read, or does not say what it must; with its line.
    """
    file = mappings / "study.yaml"
    content = load(file)
    said = checked(content, file, _File)
    by_type: dict[str, str] = {}
    for url, types in said.extensions.items():
        for kind in types:
            if kind in by_type or kind in said.elements:
                raise MappingError(f"{kind} is named twice", file=file, line=content.at["extensions"])
            by_type[kind] = url
    elements = {kind: (own.name, own.number == "many") for kind, own in said.elements.items()}
    return StudyRules(said.study, frozenset(said.members), by_type, elements, _courses(said.courses), said.plans)


def _courses(said: _Courses) -> Courses:
    return Courses(
        said.mark,
        said.phase_system,
        frozenset(said.phases),
        said.number,
        said.extension,
        frozenset(said.types),
        frozenset(said.contexts),
    )


def subject_number(patient: Mapping[str, Any], study: StudyRules) -> str | None:
    """The subject or donor number among a Patient's identifiers; the least, if there are several."""
    identifiers: list[dict[str, Any]] = patient.get("identifier", [])
    numbers = [one["value"] for one in identifiers if one.get("system") in study.members and "value" in one]
    return min(numbers, default=None)


def tie(resource: dict[str, Any], number: str, look: Look, *, study: StudyRules, identify: Identify) -> dict[str, Any]:
    """Tie a resource of a member to the study, to the course that it names, and to the definition that it follows.

    Args:
        resource: as it is stored.
        number: the member's number in the study.
        look: what is known of other resources.
        study: the rules.
        identify: how ids are derived from identifiers.

    Returns:
        The resource itself if it is tied already, or if its type has no way to say so; else a copy that is.
    """
    tied = _in_course(_in_study(resource, study), number, study.courses, identify)
    return planned(tied, number, study.plans, Looking(look, identify))


def untie(resource: dict[str, Any], *, study: StudyRules) -> dict[str, Any]:
    """The reverse of `tie`, for what is of a member no more: the stay stands in the place of the course again.

    Returns:
        The resource itself if nothing ties it; else a copy that is not tied.
    """
    return unplanned(_out_of_course(_out_of_study(resource, study), study.courses), study.plans)


def _out_of_study(resource: dict[str, Any], study: StudyRules) -> dict[str, Any]:
    bare = {"resourceType": resource["resourceType"]}
    made = dict(resource)
    for name, value in _in_study(bare, study).items():
        if isinstance(value, list):
            made = _without(made, name, cast("list[Any]", value))
        elif name not in bare and made.get(name) == value:
            del made[name]
    return resource if made == resource else made


def _out_of_course(resource: dict[str, Any], courses: Courses) -> dict[str, Any]:
    kind = resource["resourceType"]
    if kind in courses.types and _phase(resource, courses):
        bound = [one for one in resource["extension"] if one["url"] == courses.extension]
        return _without(resource, "extension", bound) if bound else resource
    course = resource.get("context", {}).get("reference", "").startswith("EpisodeOfCare/")
    if kind not in courses.contexts or not course or not _phase(resource, courses):
        return resource
    beside: list[dict[str, Any]] = resource.get("supportingInformation", [])
    stays = [one for one in beside if one.get("reference", "").startswith("Encounter/")][-1:]
    bare = {name: value for name, value in resource.items() if name != "context"}
    return {**_without(bare, "supportingInformation", stays), **({"context": stays[0]} if stays else {})}


def _without(resource: dict[str, Any], name: str, items: list[Any]) -> dict[str, Any]:
    """Without these items, and without the list where none is left."""
    left = [one for one in resource.get(name, []) if one not in items]
    rest = {key: value for key, value in resource.items() if key != name}
    return {**resource, name: left} if left else rest


def _in_study(resource: dict[str, Any], study: StudyRules) -> dict[str, Any]:
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


def _in_course(resource: dict[str, Any], number: str, courses: Courses, identify: Identify) -> dict[str, Any]:
    kind = resource["resourceType"]
    phase = _phase(resource, courses) if kind in courses.types or kind in courses.contexts else ""
    if not phase:
        return resource
    episode = {"reference": f"EpisodeOfCare/{identify('EpisodeOfCare', courses.number, f'{number}/{phase}')}"}
    if kind in courses.types:
        item = {"url": courses.extension, "valueReference": episode}
        others = [one for one in resource["extension"] if one["url"] != courses.extension]
        return resource if item in resource["extension"] else {**resource, "extension": [*others, item]}
    context = resource.get("context")
    if context == episode:
        return resource
    tied = {**resource, "context": episode}
    if context and context["reference"].startswith("Encounter/"):
        # R4 has one context: the stay in which it was given stays beside the course
        tied["supportingInformation"] = [*resource.get("supportingInformation", []), context]
    return tied


def _phase(resource: Mapping[str, Any], courses: Courses) -> str:
    """The course that a resource names; empty where it names none, as all of donors."""
    for extension in resource.get("extension", []):
        if extension["url"] == courses.mark:
            for coding in extension["valueCodeableConcept"]["coding"]:
                if coding.get("system") == courses.phase_system and coding["code"] in courses.phases:
                    return str(coding["code"])
    return ""
