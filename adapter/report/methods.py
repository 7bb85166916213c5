"""Methods and the first paragraph of the results: enrolment, the protocol as carried out, follow-up."""

from collections.abc import Sequence
from itertools import pairwise

from adapter.report import statistics
from adapter.report.definitions import Given
from adapter.report.rows import CourseRow, SubjectRow
from adapter.report.sheet import UNKNOWN, Sheet, rounded, share, yes
from adapter.report.trial import ALL, Trial, refs, timed

METHODS, RESULTS = "Methods", "Results"
WHOLE_TREATMENT = 4
"""Courses of the whole treatment (paper, Methods)."""


def add(sheet: Sheet, trial: Trial) -> None:
    """Add the numbers."""
    _enrolment(sheet, trial)
    for given in trial.definitions.induction:
        _induction(sheet, trial, given)
    for given in trial.definitions.consolidation:
        _consolidation(sheet, trial, given)
    _protocol(sheet, trial)
    _follow_up(sheet, trial)
    _controls(sheet, trial)


def _enrolment(sheet: Sheet, trial: Trial) -> None:
    for group in (ALL, *trial.definitions.arms):
        subjects, courses = trial.of(group), trial.courses(group)
        sheet.add(RESULTS, f"patients {group}", len(subjects), refs(subjects))
        sheet.add(RESULTS, f"infusions {group}", len(courses), refs(courses))
    subjects, courses = trial.of(ALL), trial.courses(ALL)
    _first_last(sheet, "", subjects)
    enrolling = {one.site for one in subjects if one.site}
    treating = {course.site for course in courses if course.site}
    sheet.add(METHODS, "enrolling hospitals", len(enrolling), refs(subjects))
    label = "hospitals with ethics approval (sites taking part)"
    sheet.add(METHODS, label, len(enrolling | treating), refs(subjects, courses))
    sheet.add(METHODS, "data cut-off", trial.cut_off or UNKNOWN, [trial.study])
    whole = [one for one in subjects if len(one.courses) == WHOLE_TREATMENT]
    sheet.add(RESULTS, "completed four courses", len(whole), refs(whole))
    sheet.add(RESULTS, "completed four courses %", share(len(whole), len(subjects)), refs(subjects))
    for arm in trial.definitions.arms:
        of_arm = [one for one in whole if one.arm == arm]
        sheet.add(RESULTS, f"completed four courses {arm}", len(of_arm), refs(of_arm))


def _first_last(sheet: Sheet, whose: str, subjects: Sequence[SubjectRow]) -> None:
    enrolled = [one.enrolled for one in subjects if one.enrolled]
    sheet.add(METHODS, f"{whose}first enrolment", min(enrolled, default=UNKNOWN), refs(subjects))
    sheet.add(METHODS, f"{whose}last enrolment", max(enrolled, default=UNKNOWN), refs(subjects))


def _induction(sheet: Sheet, trial: Trial, given: Given) -> None:
    courses = [one for one in trial.courses(given.arm) if one.induction and given.drug in one.doses]
    label = f"{given.arm} induction {given.called or given.drug}"
    rests = [ref for course in courses for ref in course.doses[given.drug].refs]
    sheet.add(METHODS, f"{label} days", _each({_days(course, given.drug) for course in courses}), rests)
    doses = {text for course in courses for text in course.doses[given.drug].amounts}
    sheet.add(METHODS, f"{label} dose", _each(doses), rests)


def _consolidation(sheet: Sheet, trial: Trial, given: Given) -> None:
    courses = [one for one in trial.courses(given.arm) if not one.induction and given.drug in one.doses]
    days = {str(course.doses[given.drug].days) for course in courses}
    rests = [ref for course in courses for ref in course.doses[given.drug].refs]
    label = f"{given.arm} consolidation {given.called or given.drug}, days of treatment"
    sheet.add(METHODS, label, _each(days), rests)


def _days(course: CourseRow, drug: str) -> str:
    given = course.doses[drug]
    return "~".join(str((day - course.infused).days) for day in (given.first, given.last) if course.infused)


def _each(texts: set[str]) -> str:
    return "/".join(sorted(texts))


def _protocol(sheet: Sheet, trial: Trial) -> None:
    courses = trial.courses(ALL)
    gaps = [
        float((after.infused - before.infused).days)
        for subject in trial.subjects
        for before, after in pairwise(one for one in subject.courses if one.infused)
        if before.infused and after.infused
    ]
    sheet.add(METHODS, "median interval between infusions, days", rounded(statistics.median(gaps)), refs(courses))
    after = all(
        one.infused and one.chemotherapy_end and (one.infused - one.chemotherapy_end).days == 1 for one in courses
    )
    sheet.add(METHODS, "infusion on the day after the last chemotherapy day", yes(after), refs(courses))
    counts = {str(count) for count, _ in trial.aliquots}
    sheet.add(METHODS, "aliquots per donor", _each(counts), [ref for _, ones in trial.aliquots for ref in ones])
    doses = [dose for one in trial.subjects for dose in one.mobilisation]
    amounts = {f"{dose.normalised[0]:g}" for dose in doses if dose.given and dose.normalised}
    sheet.add(METHODS, "donor G-CSF ug/kg/day", _each(amounts), [dose.ref for dose in doses])


def _follow_up(sheet: Sheet, trial: Trial) -> None:
    month = trial.definitions.month
    curve, rests = timed(one.survival for one in trial.subjects)
    median = statistics.reverse(curve).median() / month
    sheet.add(METHODS, "median follow-up, months (reverse KM)", rounded(median, 1), rests)
    sheet.add(METHODS, "follow-up range, min", _months(curve.times, month, least=True), rests)
    sheet.add(METHODS, "follow-up range, max", _months(curve.times, month, least=False), rests)


def _controls(sheet: Sheet, trial: Trial) -> None:
    month = trial.definitions.month
    controls = trial.controls
    curve, rests = timed(one.survival for one in controls)
    sheet.add(METHODS, "controls n", len(controls), refs(controls))
    _first_last(sheet, "controls ", controls)
    ends = [end for one in controls if (end := one.stated.get("DATA-CUTOFF"))]
    last = max((day for end in ends if (day := end.date())), default=UNKNOWN)
    sheet.add(METHODS, "controls follow-up end", last, [end.ref for end in ends])
    median = statistics.reverse(curve).median() / month
    sheet.add(METHODS, "controls median follow-up (reverse KM)", rounded(median, 1), rests)
    sheet.add(METHODS, "controls follow-up range, min", _months(curve.times, month, least=True), rests)
    sheet.add(METHODS, "controls follow-up range, max", _months(curve.times, month, least=False), rests)
    alive, rests = timed(one.survival for one in controls if one.survival and not one.survival.cause)
    middle = rounded(statistics.median(alive.times) / month, 1)
    sheet.add(METHODS, "controls survivors' median follow-up", middle, rests)
    sheet.add(METHODS, "controls survivors' follow-up min", _months(alive.times, month, least=True), rests)
    sheet.add(METHODS, "controls survivors' follow-up max", _months(alive.times, month, least=False), rests)


def _months(days: Sequence[float], month: float, *, least: bool) -> str:
    return rounded((min(days) if least else max(days)) / month, 1) if days else UNKNOWN
