"""What the trial's rules derive from a subject's record, as facts with their evidence. Pure.

Sources of the rules stand in the modules that carry them out. A fact stays a proposal until a person confirms it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from adapter.trial import crs, ctcae, days, gvhd
from adapter.trial.deviations import deviations
from adapter.trial.hla import matched
from adapter.trial.ipss import ipss
from adapter.trial.outcomes import (
    Time,
    early_mortality,
    non_relapse_mortality,
    overall_survival,
    progression_free_survival,
    relapse_incidence,
)
from adapter.trial.products import lineages
from adapter.trial.record import Course, Subject
from adapter.trial.recovery import LIMITS, recovery
from adapter.trial.response import assessments
from adapter.trial.rules import TrialRules
from adapter.trial.verdict import Verdict

UCUM = "http://unitsofmeasure.org"
CODES = "https://fhir.tli-trial.example.org/CodeSystem/"
OLDEST = 90
"""Years, at and above which ages are not told apart (../shared/design/reliability.md §4.3)."""

Element = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Derived:
    """One fact.

    `code` is of the system tli-derived, `key` tells facts of one code apart within the subject and course, `value` is
    the FHIR element that says it (`valueQuantity` and so on), `parts` are components by code. `rule` names the rule as
    it is told to people; `notes` say what was reported, what is missing, what was assumed.
    """

    code: str
    value: Element
    rule: str
    rests_on: tuple[str, ...]
    course: Course | None = None
    key: str = ""
    day: date | None = None
    parts: Mapping[str, Element] | None = None
    notes: tuple[str, ...] = ()

    @property
    def number(self) -> str:
        """What tells the fact apart from the subject's others: course, code, key."""
        return "/".join(part for part in (self.course.phase if self.course else "", self.code, self.key) if part)


def derive(subject: Subject, rules: TrialRules) -> tuple[Derived, ...]:
    """Everything that the rules can compute for a subject, in the order of its numbers."""
    found = [fact for course in subject.courses for fact in _of_course(course, rules)]
    found += _courses(subject)
    found += _of_subject(subject, rules)
    return tuple(sorted(found, key=lambda fact: fact.number))


def _courses(subject: Subject) -> Iterator[Derived]:
    """Number and day 0 of each course that has begun: what no message says of it (docs/decisions/0021)."""
    for course in subject.courses:
        if course.start:
            rests = tuple(one.ref for one in subject.courses[: course.number])
            infusion = course.infusion
            parts = {"DAY-0": {"valueDateTime": infusion.day.isoformat()}} if infusion else {}
            rule = "courses by their beginning, from 1; the infusion is day 0 of the protocol"
            refs = (*rests, infusion.ref) if infusion else rests
            yield Derived("COURSE", {"valueInteger": course.number}, rule, refs, course, day=course.start, parts=parts)


def _of_course(course: Course, rules: TrialRules) -> Iterator[Derived]:
    for key, limit in LIMITS.items():
        if one := recovery(course, key, rules.terms):
            what = f"recovery: {key} at least {limit:g} x 10*9/L on three consecutive days (paper, Methods)"
            yield Derived(f"RECOV-{key}", quantity(one.days, "d"), what, one.refs, course)
    for one in ctcae.events(course, rules.ctcae):
        yield _toxicity(one, course)
    if proposal := crs.propose(course, rules.ctcae, rules.parameters.crs):
        onset = {"ONSET": {"valueDateTime": proposal.onset.isoformat()}} if proposal.onset else {}
        yield from _verdict("CRS-GRADE", proposal.verdict, "tli-crs-grade", course, onset)
    if verdict := gvhd.graded(course, rules.gvhd, rules.parameters.gvhd):
        yield from _verdict("GVHD-GRADE", verdict, "tli-gvhd-grade", course)


def _toxicity(one: ctcae.Toxicity, course: Course) -> Derived:
    parts: dict[str, Element] = {
        "EVENT": coded("tli-ae", one.code),
        "ONSET": {"valueDateTime": one.onset.isoformat()},
    }
    if one.resolved:
        parts["RESOLVED"] = {"valueDateTime": one.resolved.isoformat()}
    grade, refs = coded("tli-ctcae-grade", str(one.grade)), tuple(value.ref for value in one.worst)
    return Derived("CTCAE-LAB", grade, "CTCAE v3.0, laboratory values", refs, course, one.code, one.onset, parts)


def _verdict(
    code: str, verdict: Verdict, system: str, course: Course | None, parts: Mapping[str, Element] | None = None
) -> Iterator[Derived]:
    if verdict.value:
        notes = tuple(_notes(verdict))
        yield Derived(
            code, coded(system, verdict.value), verdict.rule, verdict.rests_on, course, parts=parts, notes=notes
        )


def _notes(verdict: Verdict) -> Iterator[str]:
    if verdict.reported:
        said = "agrees with" if verdict.agrees else "is in conflict with"
        yield f"{said} the reported {verdict.reported.text} ({verdict.reported.ref})"
    yield from (f"assumed: {one}" for one in verdict.assumed)
    yield from (f"missing: {one}" for one in verdict.missing)


def _of_subject(subject: Subject, rules: TrialRules) -> Iterator[Derived]:
    for one in assessments(subject, rules.parameters.response):
        yield from _verdict("RESPONSE", one.verdict, "tli-response", one.course)
    if subject.arm in rules.parameters.response.criteria:
        yield from _verdict("IPSS", ipss(subject, rules.parameters.ipss), "tli-stratum", None)
    donor = subject.donor
    if donor and (match := matched(subject.stated, donor.stated)):
        ratio = {"valueRatio": {"numerator": {"value": match.alleles}, "denominator": {"value": 10}}}
        yield Derived("HLA-MATCH", ratio, "alleles of A, B, C, DRB1, DQB1 that both have", match.refs)
    yield from _age(subject)
    yield from _times(subject)
    yield from _cells(subject, rules)
    yield from _deviations(subject, rules)


def _age(subject: Subject) -> Iterator[Derived]:
    """The age at enrolment, for those who are not shown the date of birth; whoever is 90 or older is 90 or older."""
    if subject.born is None or subject.enrolled is None:
        return
    years = days.completed_years(subject.born, subject.enrolled)
    said = quantity(min(years, OLDEST), "a")
    if years >= OLDEST:
        said = {"valueQuantity": {**said["valueQuantity"], "comparator": ">="}}
    refs = (subject.patient, subject.ref)
    yield Derived("AGE-ENROLMENT", said, "completed years from birth to enrolment", refs, day=subject.enrolled)


def _times(subject: Subject) -> Iterator[Derived]:
    """Times from diagnosis, from remission to relapse, from the first chemotherapy (../shared/cohort/NOTES.md)."""
    for code, rule, time in (
        ("OS", "overall survival from diagnosis", overall_survival(subject, subject.diagnosed)),
        ("PFS", "progression-free survival from diagnosis", progression_free_survival(subject, subject.diagnosed)),
        ("TTR", "time from remission to relapse, death competing", relapse_incidence(subject)),
        (
            "NRM",
            "death without relapse or progression, from diagnosis",
            non_relapse_mortality(subject, subject.diagnosed),
        ),
        ("TRM60", "death within 60 days of chemotherapy, without relapse or progression", early_mortality(subject)),
    ):
        if time:
            yield Derived(code, quantity(time.days, "d"), rule, time.refs, parts={"ENDED-BY": _ended(time)})


def _ended(time: Time) -> Element:
    return coded("tli-ended-by", ("CENSORED", "EVENT", "COMPETING")[time.cause])


def _cells(subject: Subject, rules: TrialRules) -> Iterator[Derived]:
    for lineage in lineages(subject, rules.parameters.products):
        for dose in lineage.doses:
            if dose.computed is not None:
                notes = () if dose.agrees is not False else (f"is in conflict with the reported {dose.reported:g}",)
                rule = "cells of the aliquot by the recipient's dosing weight"
                value = quantity(round(dose.computed, 2), "10*8/kg")
                yield Derived("CELL-DOSE", value, rule, dose.rests_on, lineage.course, dose.cells, notes=notes)
        if lineage.left is not None:
            rests = tuple(one.ref for one in (lineage.aliquot, lineage.product, lineage.infusion) if one)
            value = {"valueInteger": lineage.left}
            yield Derived("ALIQUOTS-LEFT", value, "aliquots of the donation less those infused", rests, lineage.course)


def _deviations(subject: Subject, rules: TrialRules) -> Iterator[Derived]:
    found = deviations(subject, rules.plan, rules.parameters, chemotherapy=rules.terms.chemotherapy)
    for one in found:
        said = {"valueString": f"{one.what}: planned {one.planned}, found {one.found}"}
        yield Derived("DEVIATION", said, f"protocol: {one.kind}", one.rests_on, one.course, f"{one.kind}/{one.what}")


def quantity(value: float, unit: str) -> Element:
    """A valueQuantity in UCUM."""
    return {"valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit}}


def coded(system: str, code: str) -> Element:
    """A valueCodeableConcept of one of the project's code systems."""
    return {"valueCodeableConcept": {"coding": [{"system": f"{CODES}{system}", "code": code}]}}


def refs_of_type(rests_on: Iterable[str], *, observations: bool) -> list[dict[str, str]]:
    """The references that are Observations, or those that are not."""
    return [{"reference": ref} for ref in sorted(set(rests_on)) if ref.startswith("Observation/") is observations]
