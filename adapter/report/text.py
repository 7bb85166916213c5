"""What the paper's text says beside its tables: transplantation, non-responders, deaths, GvHD, microchimerism."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from adapter.report.rows import CourseRow, SubjectRow
from adapter.report.sheet import UNKNOWN, Sheet, rounded, share, yes
from adapter.report.table1 import donor_age, donor_sex, risk
from adapter.report.trial import ALL, Trial, refs
from adapter.trial.record import Event, Measurement

RESULTS = "Results"
HIGH_CHIMERISM = 0.1
"""Percent of donor cells."""


def add(sheet: Sheet, trial: Trial) -> None:
    """Add the numbers."""
    _transplanted(sheet, trial)
    _non_responders(sheet, trial)
    _deaths(sheet, trial)
    _gvhd(sheet, trial)
    _microchimerism(sheet, trial)
    _origin(sheet, trial)


def _transplanted(sheet: Sheet, trial: Trial) -> None:
    of = [one for one in trial.subjects if one.after.transplant]
    rests = [one.after.transplant.ref for one in of if one.after.transplant]
    sheet.add(RESULTS, "patients who went to HSCT", len(of), rests)
    if not of:
        return
    one, month = of[0], trial.definitions.month
    transplant = one.after.transplant.date() if one.after.transplant else None
    death = one.after.death.date() if one.after.death else None
    rests = [answer.ref for answer in (one.after.transplant, one.after.death) if answer]
    before = (transplant - one.response.day).days / month if transplant and one.response.day else None
    after = (death - transplant).days / month if transplant and death else None
    sheet.add(RESULTS, "remission before HSCT, months", rounded(before, 1), [*rests, *one.response.refs])
    sheet.add(RESULTS, "death after HSCT, months", rounded(after), rests)


def _mutated(subject: SubjectRow) -> bool:
    answer = subject.stated.get("TP53")
    return answer is not None and answer.text == "Y"


def _complex(subject: SubjectRow) -> bool:
    answer = subject.stated.get("KARYOTYPE")
    return answer is not None and "complex" in answer.text


def _genetics(subjects: Sequence[SubjectRow]) -> list[str]:
    return [one.stated[key].ref for one in subjects for key in ("TP53", "KARYOTYPE") if key in one.stated]


def _non_responders(sheet: Sheet, trial: Trial) -> None:
    of = [one for one in trial.of("MDS") if one.response.category == "NR"]
    sheet.add(RESULTS, "MDS non-responders", len(of), [ref for one in of for ref in one.response.refs])
    both = sum(_mutated(one) and _complex(one) for one in of)
    sheet.add(RESULTS, "of them TP53 mutated with complex karyotype", both, _genetics(of))
    chose = sum(one.off_study_reason in trial.definitions.discontinued for one in of)
    sheet.add(RESULTS, "of them chose to discontinue", chose, refs(of))


def _deaths(sheet: Sheet, trial: Trial) -> None:
    for label, cause, courses in (
        ("heart failure in first course", "heart failure", 1),
        ("pulmonary haemorrhage in second course", "pulmonary haemorrhage", 2),
    ):
        of = [
            next((answer.ref for answer in one.causes_of_death if cause in answer.text.lower()), "")
            for one in trial.of("AML")
            if len(one.courses) == courses
        ]
        rests = [ref for ref in of if ref]
        sheet.add(RESULTS, f"AML deaths: {label}", len(rests), rests)


def _gvhd(sheet: Sheet, trial: Trial) -> None:
    cases = [
        (one, course, event)
        for one in trial.subjects
        for course in one.courses
        for event in course.events
        if event.code == "AGVHD"
    ]
    patients = {one.number for one, _, _ in cases}
    rests = [event.ref for _, _, event in cases]
    sheet.add(RESULTS, "aGvHD patients", len(patients), rests)
    sheet.add(RESULTS, "aGvHD patients %", share(len(patients), len(trial.subjects)), rests)
    sheet.add(RESULTS, "aGvHD per procedure %", share(len(cases), len(trial.courses(ALL))), rests)
    if cases:
        _case(sheet, trial, *cases[0])


def _case(sheet: Sheet, trial: Trial, one: SubjectRow, course: CourseRow, event: Event) -> None:
    """The course of the one patient with acute GvHD that the text describes."""

    def say(label: str, value: object, *rests: str) -> None:
        sheet.add(RESULTS, f"aGvHD case: {label}", value, [one.ref, *rests])

    infused, death, blasts = course.infused, one.after.death, one.marrow_blasts
    died = death.date() if death else None
    say("grade", UNKNOWN if event.grade is None else event.grade, event.ref)
    say("onset day", (event.onset - infused).days if event.onset and infused else UNKNOWN, event.ref, course.infusion)
    say("course", course.number, course.ref)
    say("death day", (died - infused).days if died and infused else UNKNOWN, death.ref if death else "")
    for label, value in (
        ("patient age", UNKNOWN if one.age is None else one.age),
        ("patient sex", one.sex),
        ("arm", one.arm),
    ):
        say(label, value)
    say("marrow blasts %", rounded(blasts.value if blasts else None), blasts.ref if blasts else "")
    say("TP53 mutated", "Y" if _mutated(one) else "N", *_genetics([one]))
    say("complex karyotype", yes(_complex(one)), *_genetics([one]))
    say("risk", trial.definitions.risks[one.arm].get(risk(one), UNKNOWN))
    say("donor age", rounded(donor_age(one)))
    say("donor sex", donor_sex(one))
    say("matched HLA of 10", one.match.alleles if one.match else UNKNOWN, *(one.match.refs if one.match else ()))
    say("CD3+ dose", rounded(course.cd3.value if course.cd3 else None, 2), course.cd3.ref if course.cd3 else "")
    for tested in one.str_chimerism[:1]:
        say("chimerism %", rounded(tested.value, 2), tested.ref)
        say("chimerism day", (tested.day - infused).days if infused else UNKNOWN, tested.ref)


def _positive(tests: Sequence[Measurement]) -> list[Measurement]:
    return [one for one in tests if one.comparator != "<"]


def _microchimerism(sheet: Sheet, trial: Trial) -> None:
    by_subject = {one.number: [test for course in one.courses for test in course.chimerism] for one in trial.subjects}
    tests = [test for ones in by_subject.values() for test in ones]
    rests = [test.ref for test in tests]
    examined = [number for number, ones in by_subject.items() if ones]
    positive = _positive(tests)
    sheet.add(RESULTS, "patients examined for microchimerism", len(examined), rests)
    sheet.add(RESULTS, "patients not examined", len(trial.subjects) - len(examined), refs(trial.subjects))
    sheet.add(RESULTS, "microchimerism tests", len(tests), rests)
    sheet.add(RESULTS, "positive tests", len(positive), rests)
    sheet.add(RESULTS, "positive %", share(len(positive), len(tests)), rests)
    found = {number: [test.value for test in _positive(ones)] for number, ones in by_subject.items()}
    high = [one for one in trial.subjects if found[one.number] and fmean(found[one.number]) > HIGH_CHIMERISM]
    sheet.add(RESULTS, "patients with microchimerism above 0.1%", len(high), rests)
    if high:
        _highest(sheet, high[0], found[high[0].number], [test.ref for test in by_subject[high[0].number]])
    others = [value for one in trial.subjects if one not in high for value in found[one.number]]
    sheet.add(RESULTS, "other patients' minimum %", rounded(min(others, default=None), 3), rests)
    sheet.add(RESULTS, "other patients' maximum %", rounded(max(others, default=None), 3), rests)
    by_course = {number: _of_course(trial, number) for number in range(1, 5)}
    averages = [fmean(values) for values in by_course.values() if values]
    falling = bool(averages) and all(later < earlier for earlier, later in pairwise(averages))
    sheet.add("Figure 3B", "mean copies fall from course to course", yes(falling), rests)


def _highest(sheet: Sheet, one: SubjectRow, values: Sequence[float], rests: Sequence[str]) -> None:
    sheet.add(RESULTS, "that patient's mean %", rounded(fmean(values), 3), rests)
    sheet.add(RESULTS, "min %", rounded(min(values), 3), rests)
    sheet.add(RESULTS, "max %", rounded(max(values), 3), rests)
    sheet.add(RESULTS, "that patient's arm", one.arm, refs([one]))


def _of_course(trial: Trial, number: int) -> list[float]:
    """Percent of donor cells in all tests of the n-th courses; none found counts as 0."""
    courses = [course for one in trial.subjects for course in one.courses if course.number == number]
    return [0.0 if test.comparator == "<" else test.value for course in courses for test in course.chimerism]


def _origin(sheet: Sheet, trial: Trial) -> None:
    """Sorted T cells, examined for their origin: all of the recipient's where no donor signal was found."""
    sorted_cells = [(one, test) for one in trial.subjects for test in one.sorted_cells]
    rests = [test.ref for _, test in sorted_cells]
    sheet.add(RESULTS, "sorted T cells examined, patients", len({one.number for one, _ in sorted_cells}), rests)
    own = bool(sorted_cells) and all(test.comparator == "<" or test.value == 0 for _, test in sorted_cells)
    sheet.add(RESULTS, "all of recipient origin (donor 0%)", yes(own), rests)
