"""What is stored of each subject of the trial, one subject at a time, as the trial's rules read it."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from adapter.fhir import json
from adapter.store import subjects
from adapter.store.database import Connection
from adapter.trial.elements import Resource, identifier, reference
from adapter.trial.gathering import Dossier, donor_number
from adapter.trial.people import Person, persons
from adapter.trial.querying.case import Known
from adapter.trial.querying.enrolment import double_enrolments
from adapter.trial.terms import Terms

TYPES = (
    *("Observation", "Specimen", "MedicationAdministration", "AdverseEvent", "Procedure", "EpisodeOfCare"),
    *("Condition", "Consent", "BiologicallyDerivedProduct"),
)
"""What the rules read of a person, beside Patient and ResearchSubject."""


class Readable(Protocol):
    """A database that can be read."""

    def read(self) -> AbstractContextManager[Connection]:
        """One view that no write disturbs."""
        ...


def records(database: Readable, terms: Terms, *, subject: str = "") -> Iterator[Known]:
    """What is known of every subject, or of one, in the order of their numbers.

    Only the persons are in memory together. Each subject is read in a view of its own, so that however many there are,
    none is open for long.

    Args:
        database: the store.
        terms: what the trial's facts are called.
        subject: the number of one subject; empty for all.
    """
    with database.read() as connection:
        people = persons(map(json.computable, subjects.patients(connection)), terms)
        registrations = [json.computable(one) for one in subjects.registrations(connection)]
    of_patient = {ref: person for person in people for ref in person.refs}
    donors = {person.donor: person for person in people if person.donor}
    others = double_enrolments(people, terms.systems["resident"])
    for registration in sorted(registrations, key=lambda one: identifier(one, terms.systems["subject"])):
        number = identifier(registration, terms.systems["subject"])
        person = of_patient.get(reference(registration.get("individual")))
        if person is None or subject not in {"", number}:
            continue
        with database.read() as connection:
            own = _dossier(connection, person)
            donor = donors.get(donor_number(own.resources, terms))
            giver = _dossier(connection, donor) if donor else None
        yield Known(registration, own, giver, others.get(number, ()))


def known_of(connection: Connection, patients: Iterable[str], *also: str) -> list[Resource]:
    """What the rules read of these Patients, by their ids: resources of `TYPES`, and of the types that are named."""
    found = subjects.resources(connection, sorted(patients), (*TYPES, *also))
    return [json.computable(body) for body in found]


def _dossier(connection: Connection, person: Person) -> Dossier:
    return Dossier(person, known_of(connection, (ref.partition("/")[2] for ref in person.refs)))
