"""Which definition the plan of a course follows: that of the subject's arm and the course's phase together. Pure.

No message names it: a registration says the arm, another message that a course begins (study.yaml, `plans`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.trial.checked import Part
from adapter.trial.elements import code_of

PLAN, REGISTRATION = "CarePlan", "ResearchSubject"

Identify = Callable[[str, str, str], str]
"""The id of the resource of a type that an identifier names: type, system, value."""

Look = Callable[[tuple[str, str]], Mapping[str, Any] | None]
"""What is known of a resource by type and id; None where there is none."""


class Plans(Part):
    """How plans find their definition.

    `registration` is the system of subjects' numbers, by which the ResearchSubject is known; `phases` that of phases;
    `definitions` are the canonicals by arm and phase.
    """

    registration: str
    phases: str
    definitions: dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Looking:
    """Where the registration of a subject is found."""

    look: Look
    identify: Identify


def planned(resource: dict[str, Any], number: str, plans: Plans, looking: Looking) -> dict[str, Any]:
    """A plan of a course with its definition; without one where arm or phase are not known, or have none.

    Returns:
        The resource itself if it is no plan, or says so already; else a copy that does.
    """
    if resource["resourceType"] != PLAN:
        return resource
    name = (REGISTRATION, looking.identify(REGISTRATION, plans.registration, number))
    registration = looking.look(name) or {}
    arm = registration.get("actualArm", registration.get("assignedArm", ""))
    phases = (code_of(category, plans.phases) for category in resource.get("category", []))
    of_arm = plans.definitions.get(arm, {})
    named = [of_arm[phase] for phase in phases if phase in of_arm]
    return _naming(resource, named, plans)


def unplanned(resource: dict[str, Any], plans: Plans) -> dict[str, Any]:
    """The reverse of `planned`."""
    return resource if resource["resourceType"] != PLAN else _naming(resource, [], plans)


def _naming(resource: dict[str, Any], named: list[str], plans: Plans) -> dict[str, Any]:
    """With these definitions in the place of others of the study."""
    known = {url for of_arm in plans.definitions.values() for url in of_arm.values()}
    before: list[str] = resource.get("instantiatesCanonical", [])
    now = [*(url for url in before if url not in known), *named]
    if now == before:
        return resource
    rest = {name: value for name, value in resource.items() if name != "instantiatesCanonical"}
    return {**rest, "instantiatesCanonical": now} if now else rest
