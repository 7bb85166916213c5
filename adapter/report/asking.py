"""From a FHIR server to the rows of the report: who is in the study, then what is known of a few subjects at a time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from sys import intern

from adapter.report.definitions import Definitions
from adapter.report.rounds import Ask, in_rounds
from adapter.report.rows import PLOTTED, SubjectRow, row
from adapter.report.server import FhirServer
from adapter.report.trial import Trial
from adapter.trial.elements import Resource, codes, identifier, own, reference
from adapter.trial.gathering import Dossier, donor_number, gather
from adapter.trial.people import Person, persons
from adapter.trial.terms import Code, Terms

KEPT = {
    "Patient": ("id", "link", "gender", "birthDate", "managingOrganization"),
    "ResearchSubject": ("id", "individual", "actualArm", "assignedArm", "status", "period", "extension"),
}
"""The elements of whom the study is about that are needed as long as subjects are asked for, beside identifiers."""

OF_SUBJECTS = ("MedicationAdministration", "AdverseEvent", "Procedure", "EpisodeOfCare", "Condition")
MEASURED = frozenset(
    {*PLOTTED, "ANC", "PLT", "TEMP", "BM-BLAST", "MICROCHIM-INDEL", "CHIM-STR", "DOSE-CD3-KG", "DOSE-MNC-KG"}
)
TYPED_SAMPLES = "CHIM-STR"
"""The measurement whose specimen decides what it says."""


@dataclass(frozen=True)
class Study:
    """The study, its subjects' registrations, and all persons by Patient and by donor number.

    Of registrations and Patients the elements that are needed (KEPT).
    """

    resource: Resource
    registrations: Sequence[Resource]
    of_patient: dict[str, Person]
    donors: dict[str, Person]


def ask_study(server: FhirServer, study: str, terms: Terms) -> Study:
    """Ask for the study (`ResearchStudy/id`), its registrations, and the persons.

    Raises:
        NoAnswer: the server does not answer, or has no such study.
    """
    known = list(server.search("ResearchStudy", {"_id": study.partition("/")[2]}))
    found = (_kept(one, terms) for one in server.search("ResearchSubject", {"study": study}))
    registrations = sorted(found, key=own)
    people = persons((_kept(one, terms) for one in server.search("Patient")), terms)
    return Study(
        known[0] if known else {},
        registrations,
        {ref: person for person in people for ref in person.refs},
        {person.donor: person for person in people if person.donor},
    )


def _kept(resource: Resource, terms: Terms) -> Resource:
    kind: str = resource["resourceType"]
    numbers = [(system, number) for system in terms.systems.values() if (number := identifier(resource, system))]
    return {
        "resourceType": intern(kind),
        "identifier": [{"system": system, "value": number} for system, number in numbers],
        **{name: resource[name] for name in KEPT[kind] if name in resource},
    }


def ask_rows(
    connect: Callable[[], FhirServer],
    study: Study,
    definitions: Definitions,
    terms: Terms,
    *,
    done: Callable[[int], None],
) -> list[SubjectRow]:
    """Ask for what is known of every subject, a few at a time, and reduce each record to its row.

    Args:
        connect: makes a client of the server that is asked; called once in each process that asks.
        study: who is in the study.
        definitions: which arm is that of the controls.
        terms: what the trial's facts are called.
        done: told how many subjects are ready.
    """

    def connected() -> Ask:
        server = connect()
        return lambda some: list(_rows(server, study, study.registrations[some], definitions, terms))

    rows: list[SubjectRow] = []
    for some in in_rounds(connected, len(study.registrations)):
        rows += some
        done(len(rows))
    return sorted(rows, key=lambda one: one.number)


def trial_of(
    rows: Iterable[SubjectRow], server: FhirServer, study: Study, definitions: Definitions, terms: Terms
) -> Trial:
    """The trial: the rows parted into subjects and controls, with the donations and the study's end."""
    rows = list(rows)
    end: str = study.resource.get("period", {}).get("end", "")
    return Trial(
        [one for one in rows if one.arm in definitions.arms],
        [one for one in rows if one.arm == definitions.controls.arm],
        _aliquots(server.search("BiologicallyDerivedProduct"), terms),
        own(study.resource) if study.resource else "",
        date.fromisoformat(end[:10]) if len(end) >= 10 else None,
        definitions,
    )


def _aliquots(products: Iterable[Resource], terms: Terms) -> list[tuple[int, tuple[str, ...]]]:
    """Aliquots by donor, whose number begins theirs (`DON-ATLI-07-A2`: ../shared/interface/README.md section 2)."""
    by_donor: dict[str, list[str]] = defaultdict(list)
    for one in products:
        number = identifier(one, terms.systems["aliquot"])
        if number:
            by_donor[number.rpartition("-")[0]].append(own(one))
    return [(len(refs), tuple(sorted(refs))) for _, refs in sorted(by_donor.items())]


def _rows(
    server: FhirServer, study: Study, registrations: Sequence[Resource], definitions: Definitions, terms: Terms
) -> Iterator[SubjectRow]:
    persons_of = {own(one): study.of_patient.get(reference(one.get("individual"))) for one in registrations}
    subjects = [person for person in persons_of.values() if person]
    known = _known(server, subjects, OF_SUBJECTS, terms)
    donors = {own(one): _donor(study, persons_of[own(one)], known, terms) for one in registrations}
    of_donors = _known(server, [one for one in donors.values() if one], ("MedicationAdministration",), terms)
    for one in registrations:
        person, donor = persons_of[own(one)], donors[own(one)]
        if person is None:
            continue
        giver = Dossier(donor, of_donors[donor.refs]) if donor else None
        subject = gather(one, Dossier(person, known[person.refs]), terms, donor=giver)
        control = subject.arm == definitions.controls.arm
        yield row(subject, terms, origin=subject.enrolled if control else subject.diagnosed)


def _donor(
    study: Study, person: Person | None, known: dict[frozenset[str], list[Resource]], terms: Terms
) -> Person | None:
    return study.donors.get(donor_number(known[person.refs], terms)) if person else None


def _known(
    server: FhirServer, people: Sequence[Person], kinds: Iterable[str], terms: Terms
) -> dict[frozenset[str], list[Resource]]:
    """What the server knows of these persons, by their Patients."""
    of_patient = {ref: person.refs for person in people for ref in person.refs}
    known: dict[frozenset[str], list[Resource]] = {person.refs: [] for person in people}
    # Codes are not asked for: a server would look for each of them in everything that it knows, of whomever.
    wanted = _codes(terms)
    observations = (one for one in server.of_patients("Observation", of_patient) if _is_wanted(one, wanted, terms))
    others = (server.of_patients(kind, of_patient) for kind in kinds)
    for one in chain(observations, *others):
        person = of_patient.get(reference(one.get("subject") or one.get("patient")))
        if person:
            known[person].append(one)
    for person, resources in known.items():
        known[person] = [*resources, *_samples(server, resources, terms)]
    return known


def _codes(terms: Terms) -> frozenset[Code]:
    return frozenset({*terms.stated, *(code for code, key in terms.measured.items() if key in MEASURED)})


def _is_wanted(observation: Resource, wanted: frozenset[Code], terms: Terms) -> bool:
    """Whether the report shows it: of a code that is stated or measured, or an answer of any assessment."""
    found = codes(observation.get("code"))
    return any(code in wanted or code[0] == terms.systems["assessment"] for code in found)


def _samples(server: FhirServer, resources: Iterable[Resource], terms: Terms) -> Iterator[Resource]:
    codes = [code for code, key in terms.measured.items() if key == TYPED_SAMPLES]
    refs = {
        reference(one.get("specimen"))
        for one in resources
        for coding in one.get("code", {}).get("coding", [])
        if (coding.get("system"), coding.get("code")) in codes
    }
    ids = ",".join(sorted(ref.partition("/")[2] for ref in refs if ref))
    return server.search("Specimen", {"_id": ids}) if ids else iter(())
