"""What the rules of queries look at, and what they find."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from adapter.trial.elements import Resource, moment, own, reference
from adapter.trial.gathering import Dossier, gather
from adapter.trial.matching import Match, matches
from adapter.trial.querying.limits import QueryRules
from adapter.trial.record import Course, Infusion, Subject
from adapter.trial.rules import TrialRules
from adapter.trial.twice import second_infusions

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to ask about.

    `key` tells it from others of its rule in the subject; it stays the same while the thing does. `values` are for the
    text of the query.
    """

    rule: str
    key: str
    refs: tuple[str, ...]
    values: Values = field(default_factory=dict[str, str])
    course: Course | None = None


Rule = Callable[["Case"], Iterator[Finding]]


@dataclass(frozen=True)
class Known:
    """What is known of a subject: registration, own resources, the donor's; `others` are the subject's other numbers.

    `others` are numbers under which the same person is enrolled as well, by the resident identity number.
    """

    registration: Resource
    subject: Dossier
    donor: Dossier | None = None
    others: tuple[str, ...] = ()

    def resources(self) -> Iterator[Resource]:
        """All of them, Patients too."""
        yield self.registration
        for one in (self.subject, self.donor):
            if one:
                yield from one.person.patients
                yield from one.resources


@dataclass(frozen=True)
class Case:
    """A subject on a day: `as_of` is the present day, from which on something is overdue."""

    known: Known
    trial: TrialRules
    rules: QueryRules
    as_of: date

    @cached_property
    def subject(self) -> Subject:
        """The record."""
        return gather(self.known.registration, self.known.subject, self.trial.terms, donor=self.known.donor)

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        """All that is known, by `Type/id`."""
        return {own(one): one for one in self.known.resources()}

    @cached_property
    def _hospitals(self) -> Mapping[str, str]:
        sides = (self.known.subject, self.known.donor)
        patients = (one for side in sides if side for one in side.person.patients)
        return {own(one): site_code(reference(one.get("managingOrganization"))) for one in patients}

    def hospital(self, resource: Resource) -> str:
        """The hospital that told a resource, by the record that it is about; empty where the record says none.

        Not by meta.source: the last message that changed it may be the registration, sent by another.
        """
        return self._hospitals.get(reference(resource.get("subject") or resource.get("patient")), "")

    @cached_property
    def matches(self) -> tuple[Match, ...]:
        """The facts that come twice."""
        senders = {ref: self.hospital(one) for ref, one in self.resources.items()}
        return matches(self.subject, self.trial, self.rules.matching, senders)

    @cached_property
    def deaths(self) -> Mapping[str, date]:
        """The days of death that Patients and the trial office's answers say, by resource."""
        told = {
            own(one): when.day
            for one in self.known.subject.person.patients
            if (when := moment(one.get("deceasedDateTime"), self.trial.terms.zone))
        }
        answers = ((one.ref, one.date()) for one in self.subject.all("DEATH-DATE"))
        return told | {ref: day for ref, day in answers if day}

    @cached_property
    def ended(self) -> date:
        """The day from which on nothing more is expected of the subject: death or the end of participation."""
        left = self.subject.off_study or date.max
        return min((left, *self.deaths.values()))

    def overdue(self, since: date, days: int) -> bool:
        """Whether so many days have passed, and the subject was in the study all the time."""
        due = since + timedelta(days=days)
        return due <= self.as_of and due <= self.ended

    def of_type(self, resource_type: str) -> Iterable[Resource]:
        """The subject's resources of one type."""
        return (one for one in self.known.subject.resources if one["resourceType"] == resource_type)

    def infusions(self) -> Iterator[tuple[Course | None, Infusion]]:
        """Every infusion, each once, with its course; second ones and those of no course too."""
        for course in self.subject.courses:
            if course.infusion:
                yield course, course.infusion
            yield from ((course, one) for one in second_infusions(course))
        yield from ((None, one) for one in self.subject.infusions)


def source(resource: Resource) -> str:
    """The message that brought a resource, as `FAHZU#1166` (meta.source); empty where none did."""
    text: str = resource.get("meta", {}).get("source", "")
    return text.rpartition("/")[2]


def site_code(organization: str) -> str:
    """The code of a hospital, `FAHZU`, from the reference to its Organization; empty where there is none."""
    return organization.partition("/")[2].upper()
