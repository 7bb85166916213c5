"""Which Patients are one person: a hospital's record and the study's are linked (Patient.link). Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapter.trial.elements import Resource, identifier, own, reference
from adapter.trial.terms import Terms


@dataclass(frozen=True, slots=True)
class Person:
    """One person: the Patients, the numbers as subject and as donor (empty where the person is none)."""

    patients: tuple[Resource, ...]
    subject: str
    donor: str

    @property
    def refs(self) -> frozenset[str]:
        """`Patient/id` of each."""
        return frozenset(own(patient) for patient in self.patients)


def persons(patients: Iterable[Resource], terms: Terms) -> tuple[Person, ...]:
    """Join Patients that are linked, in either direction, or that bear the same number in the study.

    Returns:
        One Person per group, in the order of the least id; a donor who is also a subject is one person with both.
    """
    by_ref = {own(patient): patient for patient in patients}
    groups = _joined(by_ref, terms)
    return tuple(
        Person(tuple(members), _number(members, terms.systems["subject"]), _number(members, terms.systems["donor"]))
        for members in groups
    )


def _number(members: Iterable[Resource], system: str) -> str:
    return min((found for one in members if (found := identifier(one, system))), default="")


def _joined(by_ref: Mapping[str, Resource], terms: Terms) -> list[list[Resource]]:
    neighbours: dict[str, set[str]] = defaultdict(set)
    for ref, patient in by_ref.items():
        others = [reference(link.get("other")) for link in patient.get("link", [])]
        numbers = [
            f"{key} {number}" for key in ("subject", "donor") if (number := identifier(patient, terms.systems[key]))
        ]
        for other in [*others, *numbers]:
            neighbours[ref].add(other)
            neighbours[other].add(ref)
    seen: set[str] = set()
    groups: list[list[Resource]] = []
    for ref in sorted(by_ref):
        if ref in seen:
            continue
        reached, ahead = {ref}, [ref]
        while ahead:
            new = neighbours[ahead.pop()] - reached
            reached |= new
            ahead += new
        seen |= reached
        groups.append([by_ref[one] for one in sorted(reached) if one in by_ref])
    return groups
