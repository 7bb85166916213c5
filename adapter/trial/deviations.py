"""Where the treatment of a subject is off the plan: days, doses, infusion, intervals, courses. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from adapter.trial.days import protocol_day
from adapter.trial.doses import Surface, amount_off, surface
from adapter.trial.parameters import Parameters
from adapter.trial.plan import Drug, Plan, Regimen
from adapter.trial.record import Course, Dose, Subject
from adapter.trial.response import assessments


@dataclass(frozen=True, slots=True)
class Deviation:
    """One deviation: its kind, what was planned and what was found, and the resources that show it."""

    kind: str
    course: Course
    what: str
    planned: str
    found: str
    rests_on: tuple[str, ...]


def deviations(
    subject: Subject, plan: Plan, parameters: Parameters, *, chemotherapy: frozenset[str]
) -> tuple[Deviation, ...]:
    """Every deviation from the plan of the subject's arm, in the order of courses (paper, Methods).

    Args:
        subject: the record.
        plan: the planned regimens.
        parameters: the tolerances, and the criteria of response for the second induction.
        chemotherapy: drugs that must not be given beyond the plan; others may be supportive.

    Returns:
        None for an arm without a plan. What is planned but not given counts only in a course that is over: it has its
        infusion, a course follows it, or the subject left the study.
    """
    arm = plan.arms.get(subject.arm)
    if arm is None:
        return ()
    found: list[Deviation] = []
    for course in subject.courses:
        body = surface(subject, course)
        found += _of_doses(_Given(course, arm.regimen(course), chemotherapy), body, parameters.plan.dose_percent)
        if course.infusion or subject.off_study or course is not subject.courses[-1]:
            found += _not_given(course, arm.regimen(course))
        found += _of_infusion(course, plan, chemotherapy)
    found += _intervals(subject, plan, parameters.plan.interval_days)
    found += _second_inductions(subject, plan, parameters)
    return tuple(sorted(found, key=lambda one: (one.course.number, one.kind, one.what)))


@dataclass(frozen=True, slots=True)
class _Given:
    """The doses of a course that its plan speaks of."""

    course: Course
    regimen: Regimen
    chemotherapy: frozenset[str]

    def doses(self) -> Iterator[tuple[Dose, Drug | None]]:
        """Each dose that was given, and how its drug is planned; supportive drugs only before the infusion."""
        for dose in self.course.doses:
            planned = dose.drug in self.regimen and _before_infusion(self.course, dose)
            if dose.given and (planned or dose.drug in self.chemotherapy):
                yield dose, self.regimen.get(dose.drug)


def _before_infusion(course: Course, dose: Dose) -> bool:
    return course.infusion is None or dose.day < course.infusion.day


def _of_doses(given: _Given, body: Surface | None, percent: float) -> Iterator[Deviation]:
    course, origin = given.course, _origin(given.course, given.regimen)
    for dose, drug in given.doses():
        if drug is None:
            yield Deviation("drug", course, dose.drug, "not planned", dose.day.isoformat(), (dose.ref,))
            continue
        day = protocol_day(dose.day, origin) if origin else None
        if dose.drug in given.chemotherapy and drug.days and day is not None and day not in drug.days:
            yield Deviation("day", course, dose.drug, _listed(drug.days), str(day), (dose.ref,))
        if off := amount_off(dose, drug, body, percent):
            refs = (dose.ref, *(body.refs if body and drug.per_surface else ()))
            yield Deviation("dose", course, dose.drug, f"{drug.dose:g} {drug.unit}", off, refs)


def _origin(course: Course, regimen: Regimen) -> date | None:
    """Day 0: the infusion's, else the day on which the plan puts it, from the first dose of the first drug."""
    if course.infusion:
        return course.infusion.day
    planned = {name: min(drug.days) for name, drug in regimen.items() if drug.days}
    first = next((dose for dose in course.doses if dose.given and dose.drug in planned), None)
    return first.day - timedelta(days=planned[first.drug]) if first else None


def _not_given(course: Course, regimen: Regimen) -> Iterator[Deviation]:
    origin = _origin(course, regimen)
    for name, drug in regimen.items():
        days = _days_given(course, name)
        refs = tuple(dose.ref for doses in days.values() for dose in doses)
        if drug.number and len(days) != drug.number:
            yield Deviation("days", course, name, f"{drug.number} days", f"{len(days)} days", refs)
        for day in drug.days if origin else ():
            at = origin + timedelta(days=day) if origin else date.min
            if at not in days and not _stopped(course, drug, at):
                yield Deviation("missing", course, name, f"day {day}", "not given", refs)
        for at, doses in days.items():
            if len(doses) != drug.times and not _stopped(course, drug, at):
                same = tuple(dose.ref for dose in doses)
                yield Deviation("times", course, name, f"{drug.times} a day", f"{len(doses)} on {at.isoformat()}", same)


def _days_given(course: Course, drug: str) -> Mapping[date, Sequence[Dose]]:
    days: dict[date, list[Dose]] = defaultdict(list)
    for dose in course.doses:
        if dose.drug == drug and dose.given and _before_infusion(course, dose):
            days[dose.day].append(dose)
    return days


def _stopped(course: Course, drug: Drug, day: date) -> bool:
    """Whether the plan itself ends the drug by a value that was reached (G-CSF at neutrophils of 2)."""
    if drug.until is None:
        return False
    bound = drug.until.bound
    values = [one for one in course.measured.get(drug.until.measured, ()) if one.day <= day]
    return any(bound.passed(one.value, one.comparator, None, None) for one in values)


def _of_infusion(course: Course, plan: Plan, chemotherapy: frozenset[str]) -> Iterator[Deviation]:
    """The infusion follows the last day of chemotherapy: "24 h (day 0) after the end of each chemotherapy"."""
    doses = [dose for dose in course.doses if dose.given and dose.drug in chemotherapy]
    if not course.infusion or not doses:
        return
    last = max(doses, key=lambda dose: (dose.day, dose.ref))
    after = (course.infusion.day - last.day).days
    if after != plan.infusion_after_days:
        refs = (last.ref, course.infusion.ref)
        yield Deviation("infusion", course, "infusion", f"{plan.infusion_after_days} days after", f"{after} days", refs)


def _intervals(subject: Subject, plan: Plan, tolerance: int) -> Iterator[Deviation]:
    infused = [(course, course.infusion) for course in subject.courses if course.infusion]
    for (_, before), (course, infusion) in pairwise(infused):
        days = (infusion.day - before.day).days
        if abs(days - plan.interval_days) > tolerance:
            planned = f"{plan.interval_days} days"
            yield Deviation("interval", course, "infusion", planned, f"{days} days", (before.ref, infusion.ref))


def _second_inductions(subject: Subject, plan: Plan, parameters: Parameters) -> Iterator[Deviation]:
    """A further induction is for those whose response to the last allows it; without a response it is not judged."""
    answers = {one.course.ref: one for one in assessments(subject, parameters.response) if one.response}
    inductions = [course for course in subject.courses if course.induction]
    for before, course in pairwise(inductions):
        answer = answers.get(before.ref)
        if answer and answer.response not in plan.second_induction_after:
            refs = (answer.verdict.reported.ref,) if answer.verdict.reported else answer.verdict.rests_on
            planned = f"after {' or '.join(plan.second_induction_after)}"
            yield Deviation("course", course, course.phase, planned, f"after {answer.response}", refs)


def _listed(days: Sequence[int]) -> str:
    return f"days {', '.join(str(day) for day in days)}"
