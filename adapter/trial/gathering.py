"""A subject's record, gathered from FHIR resources: which course each belongs to, and what belongs to none. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar

from adapter.trial import cells, reading
from adapter.trial.elements import Resource, code_of, codes, extension, identifier, moment, own, reference
from adapter.trial.people import Person
from adapter.trial.record import Course, Donor, Dose, Event, Infusion, Measurement, Statement, Subject
from adapter.trial.terms import Terms

Fact = Measurement | Statement | Dose | Event | Infusion
One = TypeVar("One", Dose, Event, Infusion, Measurement, Statement)
Keyed = TypeVar("Keyed", Measurement, Statement)

_SEX = {"male": "M", "female": "F"}


@dataclass(frozen=True, slots=True)
class Dossier:
    """All Patients of one person, and what is known of them; types that the record does not need are passed over."""

    person: Person
    resources: Sequence[Resource]


def gather(registration: Resource, subject: Dossier, terms: Terms, *, donor: Dossier | None = None) -> Subject:
    """Gather the record of one subject.

    Args:
        registration: the ResearchSubject.
        subject: what is known of the subject.
        terms: what the trial's facts are called.
        donor: what is known of the donor, with the cells collected (BiologicallyDerivedProduct) and their aliquots.

    Returns:
        The record; facts in the order of time, then of id, so that it does not depend on the order of the resources.
    """
    found = sorted(subject.resources, key=own)
    facts = [(one, fact) for one in found if (fact := _fact(one, terms)) is not None]
    facts = _with_samples(facts, found)
    marks = _Marks(_stays(found, terms), terms)
    courses = _with_infusions(_courses(found, terms), facts, marks)
    of_course: dict[str, list[Fact]] = defaultdict(list)
    for resource, fact in facts:
        of_course[marks.course(resource, fact, courses)].append(fact)
    period = registration.get("period", {})
    outside = of_course[""]
    return Subject(
        own(registration),
        reference(registration.get("individual")),
        identifier(registration, terms.systems["subject"]),
        registration.get("actualArm", registration.get("assignedArm", "")),
        registration.get("status", ""),
        *_of_patients(subject.person, reference(registration.get("individual")), terms),
        _day(period.get("start"), terms),
        _day(period.get("end"), terms),
        _reason(registration, terms),
        *_diagnosis(found, terms),
        {own(one): reference(one.get("managingOrganization")) for one in subject.person.patients},
        tuple(_complete(course, of_course[course.ref]) for course in courses),
        _grouped(outside, Measurement),
        _grouped(outside, Statement),
        _of(outside, Event),
        _donor(donor, found, terms),
        _of(outside, Infusion),
    )


def donor_number(resources: Iterable[Resource], terms: Terms) -> str:
    """The number of the donor that the subject's answers name; empty where none does."""
    stated = (reading.statement(one, terms) for one in resources if one["resourceType"] == "Observation")
    return min((one.text for one in stated if one and one.key == "DONOR-ID"), default="")


def _fact(resource: Resource, terms: Terms) -> Fact | None:
    match resource["resourceType"]:
        case "Observation":
            return reading.measurement(resource, terms) or reading.statement(resource, terms)
        case "MedicationAdministration":
            return reading.dose(resource, terms)
        case "AdverseEvent":
            return reading.event(resource, terms)
        case "Procedure":
            return reading.infusion(resource, terms)
        case _:
            return None


def _courses(resources: Iterable[Resource], terms: Terms) -> list[Course]:
    episodes = [
        Course(own(one), 0, phase, _day(one.get("period", {}).get("start"), terms))
        for one in resources
        if one["resourceType"] == "EpisodeOfCare"
        and one["status"] not in {"cancelled", "entered-in-error"}
        and (phase := _phase(one, terms))
    ]
    episodes.sort(key=lambda one: (one.start or date.max, one.phase))
    return [replace(one, number=number) for number, one in enumerate(episodes, 1)]


def _phase(episode: Resource, terms: Terms) -> str:
    return next((code for kind in episode.get("type", []) if (code := code_of(kind, terms.systems["phase"]))), "")


def _named_course(resource: Resource, terms: Terms) -> str:
    """The course that a resource names by its episode (extension or context); empty where it names none."""
    named = reference(extension(resource, terms.extensions["course"]).get("valueReference"))
    context = reference(resource.get("context"))
    return named or (context if context.startswith("EpisodeOfCare/") else "")


def _stays(resources: Iterable[Resource], terms: Terms) -> dict[str, str]:
    """The course whose chemotherapy was given in a stay, by the stay's Encounter."""
    stays: dict[str, str] = {}
    for one in resources:
        given = reading.dose(one, terms) if one["resourceType"] == "MedicationAdministration" else None
        course = _named_course(one, terms)
        if given and given.drug in terms.chemotherapy and course:
            for stay in one.get("supportingInformation", []):
                stays.setdefault(reference(stay), course)
    return stays


def _with_samples(facts: Sequence[tuple[Resource, Fact]], resources: Iterable[Resource]) -> list[tuple[Resource, Fact]]:
    """The facts, measurements with the type of their specimen."""
    types = {own(one): next((code for _, code in codes(one.get("type"))), "") for one in resources if _is_specimen(one)}
    return [
        (one, replace(fact, sample=types.get(reference(one.get("specimen")), "")))
        if types and isinstance(fact, Measurement)
        else (one, fact)
        for one, fact in facts
    ]


def _is_specimen(resource: Resource) -> bool:
    return bool(resource["resourceType"] == "Specimen")


@dataclass(frozen=True, slots=True)
class _Marks:
    """How resources say of which course they are; `stays` is the course of each stay's chemotherapy, by Encounter."""

    stays: Mapping[str, str]
    terms: Terms

    def course(self, resource: Resource, fact: Fact, courses: Sequence[Course]) -> str:
        """The course that a resource names, else that of its stay, else that of its day; empty where it is of none.

        The rule for resources without a mark: ../shared/interface/README.md section 3. A visit of the study that names
        no course (screening, relapse, end of study) is of none; an event is reported in any later stay: its day counts.
        """
        known = {course.ref for course in courses}
        if (named := _named_course(resource, self.terms)) in known:
            return named
        if extension(resource, self.terms.extensions["visit"]):
            return ""
        stay = "" if isinstance(fact, Event) else self.stays.get(reference(resource.get("encounter")), "")
        day = _day_of(fact)
        return stay if stay in known else _of_day(day, courses, self.terms.days_of_a_course) if day else ""


def _with_infusions(courses: Sequence[Course], facts: Iterable[tuple[Resource, Fact]], marks: _Marks) -> list[Course]:
    """The courses with their infusions: the first of each that was given."""
    given: dict[str, list[Infusion]] = defaultdict(list)
    for resource, fact in facts:
        if isinstance(fact, Infusion):
            given[marks.course(resource, fact, courses)].append(fact)
    first = {ref: min(ones, key=lambda one: (one.day, one.ref)) for ref, ones in given.items()}
    return [replace(course, infusion=first.get(course.ref)) for course in courses]


def _of_day(day: date, courses: Sequence[Course], days: int) -> str:
    begun = [course for course in courses if course.start and course.start <= day]
    if not begun:
        return ""
    infusion = begun[-1].infusion
    return "" if infusion and (day - infusion.day).days > days else begun[-1].ref


def _complete(course: Course, facts: Iterable[Fact]) -> Course:
    facts = list(facts)
    return replace(
        course,
        doses=_of(facts, Dose),
        measured=_grouped(facts, Measurement),
        stated=_grouped(facts, Statement),
        events=_of(facts, Event),
        others=tuple(one for one in _of(facts, Infusion) if one != course.infusion),
    )


def _of(facts: Iterable[Fact], kind: type[One]) -> tuple[One, ...]:
    return tuple(sorted((fact for fact in facts if isinstance(fact, kind)), key=_order))


def _order(fact: Fact) -> tuple[date, float, str]:
    at: datetime | None = getattr(fact, "at", None)
    return _day_of(fact) or date.min, at.timestamp() if at else 0.0, fact.ref


def _day_of(fact: Fact) -> date | None:
    return fact.onset if isinstance(fact, Event) else fact.day


def _grouped(facts: Iterable[Fact], kind: type[Keyed]) -> dict[str, tuple[Keyed, ...]]:
    by_key: dict[str, list[Keyed]] = defaultdict(list)
    for fact in _of(facts, kind):
        by_key[fact.key].append(fact)
    return {key: tuple(ones) for key, ones in by_key.items()}


def _day(text: str | None, terms: Terms) -> date | None:
    when = moment(text, terms.zone)
    return when.day if when else None


def _of_patients(person: Person, enrolled: str, terms: Terms) -> tuple[str, str, date | None]:
    """Site (Organization), sex and date of birth: of the Patient who was enrolled if it says them, else of others."""

    def order(one: Resource) -> tuple[bool, bool, str]:
        return own(one) != enrolled, not identifier(one, terms.systems["subject"]), own(one)

    study_first = sorted(person.patients, key=order)
    site = next((ref for one in study_first if (ref := reference(one.get("managingOrganization")))), "")
    sex = next((_SEX[one["gender"]] for one in study_first if one.get("gender") in _SEX), "")
    born = next((day for one in study_first if (day := _day(one.get("birthDate"), terms))), None)
    return site, sex, born


def _reason(registration: Resource, terms: Terms) -> str:
    concept = extension(registration, terms.extensions["off-study"]).get("valueCodeableConcept", {})
    return next((code for _, code in codes(concept)), "")


def _diagnosis(resources: Iterable[Resource], terms: Terms) -> tuple[date | None, str]:
    """The earliest day on which a Condition began, and that Condition."""
    known = [
        (day, own(one))
        for one in resources
        if one["resourceType"] == "Condition" and (day := _day(one.get("onsetDateTime"), terms))
    ]
    return min(known, default=(None, ""))


def _donor(donor: Dossier | None, of_subject: Sequence[Resource], terms: Terms) -> Donor | None:
    """The donor; aliquots are counted in reports of the donor or, where they are issued, of the subject."""
    if donor is None:
        return None
    found = sorted(donor.resources, key=own)
    facts = [fact for one in found if (fact := _fact(one, terms)) is not None]
    return Donor(
        donor.person.donor,
        _grouped(facts, Measurement),
        _grouped(facts, Statement),
        _of(facts, Dose),
        cells.collections(found, terms),
        cells.products([*found, *of_subject], terms),
    )
