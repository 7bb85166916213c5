"""Table 4: mortality, recovery, adverse events per procedure, CRS."""

from collections.abc import Collection, Iterable, Sequence

from adapter.report import statistics
from adapter.report.definitions import EventRow
from adapter.report.rows import CourseRow, SubjectRow
from adapter.report.sheet import Sheet, rounded, share, yes
from adapter.report.trial import ALL, Trial, refs
from adapter.trial.record import Event
from adapter.trial.recovery import Recovery

TABLE = "Table 4"
SEVERE, WORST = 3, 5
TRM_DAYS = 60
RARE = 2
"""Percent of procedures."""
RECOVERED = {"ANC": "ANC>=0.5", "PLT": "PLT>=20"}


def add(sheet: Sheet, trial: Trial) -> None:
    """Add the numbers."""
    _mortality(sheet, trial)
    for key, called in RECOVERED.items():
        for group in trial.groups:
            _recovery(sheet, trial, group, key, called)
    for row in trial.definitions.events:
        for group in trial.groups:
            _events(sheet, trial, row, group)
    _infections(sheet, trial)
    _text(sheet, trial)
    for group in trial.groups:
        _crs(sheet, trial, group)


def recoveries(courses: Iterable[CourseRow], key: str) -> list[Recovery]:
    """The recoveries of one cell line that were reached."""
    return [found for course in courses if (found := course.recovery[key])]


def early_death(subject: SubjectRow) -> bool:
    """Death within 60 days of the first day of chemotherapy (NOTES.md)."""
    day = subject.after.death.date() if subject.after.death else None
    start = min((course.start for course in subject.courses if course.start), default=None)
    return day is not None and start is not None and (day - start).days <= TRM_DAYS


def _mortality(sheet: Sheet, trial: Trial) -> None:
    for group in trial.groups:
        subjects = trial.of(group)
        categories = [one.stated.get("DEATH-CATEGORY") for one in subjects]
        dead = [one for one in categories if one and one.text == "NRM"]
        rests = [one.ref for one in dead]
        sheet.add(TABLE, f"non-recurrence mortality {group} n", len(dead), rests)
        sheet.add(TABLE, f"non-recurrence mortality {group} %", share(len(dead), len(subjects)), rests)
    for group in trial.groups:
        subjects = trial.of(group)
        early = [one for one in subjects if early_death(one)]
        rests = [one.after.death.ref for one in early if one.after.death]
        sheet.add(TABLE, f"60-day TRM {group} n", len(early), rests)
        sheet.add(TABLE, f"60-day TRM {group} %", share(len(early), len(subjects)), rests)


def _recovery(sheet: Sheet, trial: Trial, group: str, key: str, called: str) -> None:
    found = recoveries(trial.courses(group), key)
    days = [float(one.days) for one in found]
    rests = [ref for one in found for ref in one.refs]
    low, high = statistics.mean_interval(days)
    label = f"{called} recovery {group}"
    sheet.add(TABLE, f"{label} median days (all procedures)", rounded(statistics.median(days)), rests)
    sheet.add(TABLE, f"{label} CI low", rounded(low, 1), rests)
    sheet.add(TABLE, f"{label} CI high", rounded(high, 1), rests)
    first = recoveries((course for course in trial.courses(group) if course.number == 1), key)
    middle = rounded(statistics.median([float(one.days) for one in first]))
    rests = [ref for one in first for ref in one.refs]
    sheet.add("Table 4 note d", f"{label} median days (first course)", middle, rests)


def with_event(
    courses: Sequence[CourseRow], codes: Collection[str], least: int, most: int = WORST
) -> tuple[int, list[str]]:
    """How many courses have such an event of these grades, and the events."""
    of = [_graded(course.events, codes, least, most) for course in courses]
    return sum(map(bool, of)), [event.ref for events in of for event in events]


def _graded(events: Iterable[Event], codes: Collection[str], least: int, most: int) -> list[Event]:
    return [one for one in events if one.code in codes and one.grade is not None and least <= one.grade <= most]


def _events(sheet: Sheet, trial: Trial, row: EventRow, group: str) -> None:
    courses = trial.courses(group)
    low = row.first == "low"
    columns = (("grade 1-2", 1, SEVERE - 1) if low else (">=grade 1", 1, WORST), (">=grade 3", SEVERE, WORST))
    for called, least, most in columns:
        count, rests = with_event(courses, row.codes, least, most)
        sheet.add(TABLE, f"{row.row} {group} {called} n", count, rests)
        sheet.add(TABLE, f"{row.row} {group} {called} %", share(count, len(courses)), rests)


def _infections(sheet: Sheet, trial: Trial) -> None:
    for called, code in trial.definitions.infections.items():
        of = {one.number: with_event(one.courses, {code}, 1) for one in trial.subjects}
        count = sum(1 for number, _ in of.values() if number)
        sheet.add("Table 4 note b", f"patients with {called}", count, [ref for _, refs in of.values() for ref in refs])


def _text(sheet: Sheet, trial: Trial) -> None:
    courses = trial.courses(ALL)
    both = [
        [with_event(one.courses, {code}, SEVERE) for code in ("NEUTROPENIA", "THROMBOCYTOPENIA")]
        for one in trial.subjects
    ]
    count = sum(1 for counts in both if all(number for number, _ in counts))
    rests = [ref for counts in both for _, refs in counts for ref in refs]
    label = "patients with grade 3-4 neutropenia and thrombocytopenia %"
    sheet.add("Results", label, share(count, len(trial.subjects)), rests)
    for called, code in trial.definitions.rare.items():
        count, rests = with_event(courses, {code}, SEVERE)
        few = bool(courses) and 100 * count / len(courses) <= RARE
        label = f"grade>=3 {called.lower()} <= 2% of procedures"
        sheet.add("Results", label, yes(few), rests or refs(courses))
    severe = [one for course in courses for one in _graded(course.events, {"LIVER"}, SEVERE, WORST)]
    blamed = [one for one in severe if set(one.suspects) & set(trial.definitions.antifungals)]
    label = "severe liver dysfunction mainly attributed to antifungals"
    sheet.add("Results", label, yes(2 * len(blamed) > len(severe)), [one.ref for one in severe])


def _crs(sheet: Sheet, trial: Trial, group: str) -> None:
    examined = trial.examined(group)
    grades = [(one.crs.ref, int(one.crs.text)) for one in examined if one.crs and one.crs.text.isdigit()]
    rests = [ref for ref, _ in grades]
    with_crs = sum(1 for _, grade in grades if grade)
    sheet.add(TABLE, f"CRS {group} examined", len(examined), rests)
    sheet.add(TABLE, f"CRS {group} n", with_crs, rests)
    sheet.add(TABLE, f"CRS {group} %", share(with_crs, len(examined)), rests)
    sheet.add(TABLE, f"CRS {group} >=grade 3", sum(1 for _, grade in grades if grade >= SEVERE), rests)
