"""Cytokine release syndrome after an infusion: the grade that Lee 2014 gives, proposed with its evidence. Pure.

A proposal only: a clinician must exclude infection, and alone can tell whose fault an organ's toxicity is. Vasopressors
and ventilation reach the record as a clinician's grade alone (../shared/design/domain.md 3.3), so that 4 comes from
organ toxicity at most.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adapter.trial.ctcae import graded
from adapter.trial.ctcae_rules import Rules
from adapter.trial.parameters import Crs
from adapter.trial.record import Course, Infusion, Measurement
from adapter.trial.verdict import Verdict

RULE = "CRS grade, Lee 2014"
ORGAN = "organ toxicity"


@dataclass(frozen=True, slots=True)
class Sign:
    """One piece of evidence: what it is, the grade that Lee 2014 gives it, and the resources that show it."""

    kind: str
    grade: int
    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proposed grade (`0`: no CRS), and when fever began; `early` says whether within a day of the infusion."""

    verdict: Verdict
    signs: tuple[Sign, ...] = ()
    onset: datetime | None = None
    peak: Measurement | None = None
    early: bool | None = None


def propose(course: Course, rules: Rules, parameters: Crs) -> Proposal | None:
    """The grade of CRS after the infusion of a course, by Lee 2014 (table: PMC7006459 T2, PMC8159878 T3).

    Fever above the parameter is what makes a CRS of the paper ("All patients with CRS had a body temperature > 38 °C");
    without fever the grade is 0. The worst of the signs gives the grade.

    Returns:
        The proposal; None where the course has no infusion. Its verdict lacks a value where no temperature was taken
        after the infusion, or a clinician did not exclude infection.
    """
    if course.infusion is None:
        return None
    reported = course.one("CRS-GRADE")
    window = _Window(course.infusion, parameters.days)
    readings = window.values(course, "TEMP")
    if not readings:
        lacking = ("temperature after the infusion",)
        return Proposal(Verdict(RULE, "", missing=lacking, reported=reported))
    peak = max(readings, key=lambda one: one.value)
    fever = [one for one in readings if one.value > parameters.fever_above]
    if not fever:
        return Proposal(Verdict(RULE, "0", tuple(one.ref for one in readings), reported=reported), peak=peak)
    signs = (Sign("fever", 1, tuple(one.ref for one in fever)), *_signs(course, window, rules, parameters))
    counted = [one for one in signs if one.kind != ORGAN or parameters.organ_toxicity_counts]
    verdict = Verdict(
        RULE,
        str(max(one.grade for one in counted)),
        tuple(sorted({ref for one in counted for ref in one.refs})),
        reported=reported,
    )
    onset = fever[0].at
    return Proposal(_if_no_infection(verdict, course), signs, onset, peak, window.early(onset, parameters.early_hours))


def _if_no_infection(verdict: Verdict, course: Course) -> Verdict:
    """Infection must be excluded by a clinician: a no takes the proposal away, no answer is named as assumed."""
    answer = course.one("CRS-INFECTION-EXCLUDED")
    if answer is None:
        return replace(verdict, assumed=("infection excluded by a clinician",))
    if answer.text == "N":
        return replace(verdict, value="", missing=("infection excluded by a clinician",))
    return replace(verdict, rests_on=(*verdict.rests_on, answer.ref))


@dataclass(frozen=True, slots=True)
class _Window:
    """After the start of the infusion, to the end of so many days of the protocol."""

    infusion: Infusion
    days: int

    def holds(self, one: Measurement) -> bool:
        """Whether a value was taken in the window; by the day alone where the hour is not known."""
        return not self.precedes(one) and (one.day - self.infusion.day).days <= self.days

    def precedes(self, one: Measurement) -> bool:
        """Whether a value was taken before the infusion; on its day, where the hour is not known."""
        start = self.infusion.start
        return one.at <= start if one.at and start else one.day <= self.infusion.day

    def values(self, course: Course, key: str) -> list[Measurement]:
        """The values of one kind in the window, in the order of time."""
        return [one for one in course.measured.get(key, ()) if self.holds(one)]

    def early(self, at: datetime | None, hours: float) -> bool | None:
        """Whether a time is within so many hours of the infusion; None where one of the times is not known."""
        return at - self.infusion.start <= timedelta(hours=hours) if at and self.infusion.start else None


def _signs(course: Course, window: _Window, rules: Rules, parameters: Crs) -> Iterator[Sign]:
    low = [one.ref for one in window.values(course, "SBP") if one.value < parameters.systolic_below]
    answer = course.one("CRS-HYPOTENSION")
    if low or (answer and answer.text == "Y"):
        yield Sign("hypotension", 2, tuple(low) + ((answer.ref,) if answer else ()))
    oxygen = [one for one in window.values(course, "FIO2") if one.value > parameters.air]
    if oxygen:
        worst = 3 if max(one.value for one in oxygen) >= parameters.oxygen_high else 2
        yield Sign("oxygen", worst, tuple(one.ref for one in oxygen))
    yield from _organs(course, window, rules, parameters)


def _organs(course: Course, window: _Window, rules: Rules, parameters: Crs) -> Iterator[Sign]:
    """Toxicity of organs from CTCAE grade 2, where it is worse than before the infusion; a transaminitis of 4 is 3."""
    for name, term in rules.terms.items():
        if term.category in parameters.not_organ_toxicity:
            continue
        values = list(graded(course, term, rules))
        before = max((one for one, value in values if window.precedes(value)), default=0)
        within = [(one, value) for one, value in values if window.holds(value)]
        worst = max((one for one, _ in within), default=0)
        if worst > max(before, 1):
            refs = tuple(value.ref for one, value in within if one == worst)
            yield Sign(ORGAN, min(worst, 3) if name in {"alt", "ast"} else worst, refs)
