"""The numbers of Figures 4 to 6: temperature, inflammation, cytokines, T cells by day."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from adapter.report import statistics
from adapter.report.definitions import Figure
from adapter.report.rows import CourseRow
from adapter.report.sheet import UNKNOWN, Sheet, p_value, rounded, share, yes
from adapter.report.statistics import RepeatedMeasures
from adapter.report.trial import ALL, Trial
from adapter.trial.points import POINTS

RESULTS = "Results"
DAY_0, DAY_1, LAST = POINTS.index("D0"), POINTS.index("D1"), POINTS.index("D7")
FEVER = 38.0
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Series:
    """The procedures in which no point of a measurement is missing; `rows` are their values."""

    courses: tuple[CourseRow, ...]
    rows: tuple[tuple[float, ...], ...]
    rests: tuple[str, ...]


def series(courses: Iterable[CourseRow], key: str) -> Series:
    """The whole series of a measurement, in the order of the courses."""
    of = [(course, course.points[key]) for course in courses if course.points[key].whole]
    return Series(
        tuple(course for course, _ in of),
        tuple(tuple(value for value in points.values if value is not None) for _, points in of),
        tuple(ref for _, points in of for ref in points.refs),
    )


def examined(courses: Iterable[CourseRow], key: str) -> bool:
    """Whether anybody has a value of this measurement at a plotted point."""
    return any(value is not None for course in courses for value in course.points[key].values)


def model(of: Series, *, log: bool) -> RepeatedMeasures:
    """The repeated-measures model against day 0, on the log scale where told so."""
    rows = [[math.log(value) for value in row] for row in of.rows] if log else of.rows
    return statistics.repeated_measures(rows, reference=DAY_0)


def add(sheet: Sheet, trial: Trial) -> None:
    """Add the numbers."""
    courses = trial.examined()
    _grade_one(sheet, courses)
    if not courses:
        return
    _temperature(sheet, courses)
    for figure in (one for one in trial.definitions.figures if examined(courses, one.key)):
        _figure(sheet, courses, figure)
    for key in (one for one in trial.definitions.unchanged if examined(courses, one)):
        _unchanged(sheet, series(courses, key), trial.definitions.unchanged[key])
    for key in (one for one in trial.definitions.subsets if examined(courses, one)):
        _subset(sheet, courses, key)
    if examined(courses, "CD3"):
        _t_cells(sheet, trial, series(courses, "CD3"))
        _highest_in_gvhd(sheet, trial, courses)


def _grade_one(sheet: Sheet, courses: Sequence[CourseRow]) -> None:
    grades = [(one.crs.ref, one.crs.text) for one in courses if one.crs]
    with_crs = sum(1 for _, grade in grades if grade.isdigit() and int(grade))
    first = sum(1 for _, grade in grades if grade == "1")
    rests = [ref for ref, _ in grades]
    sheet.add(RESULTS, "CRS grade 1 n", first, rests)
    sheet.add(RESULTS, "CRS grade 1 % of CRS", share(first, with_crs), rests)


def _temperature(sheet: Sheet, courses: Sequence[CourseRow]) -> None:
    rests = [ref for course in courses for ref in course.points["TEMP"].refs]
    fever = [any((value or 0) > FEVER for value in one.points["TEMP"].values[DAY_1:]) for one in courses]
    crs = [one.crs is not None and one.crs.text.isdigit() and int(one.crs.text) > 0 for one in courses]
    sheet.add(RESULTS, "all CRS with temperature >38 and none without", yes(fever == crs), rests)
    early = sum(1 for one in courses if (one.points["TEMP"].values[DAY_1] or 0) > FEVER)
    sheet.add(RESULTS, "temperature >38 within 24 h n", early, rests)
    sheet.add(RESULTS, "temperature >38 within 24 h %", share(early, len(courses)), rests)
    of = series(courses, "TEMP")
    fitted = model(of, log=False)
    day_1 = fitted.means[DAY_1] if fitted.means else statistics.NAN
    where = "Figure 4A"
    sheet.add(where, "temperature peak day", _peak(fitted.means), of.rests)
    sheet.add(where, "temperature day 1 mean", rounded(day_1, 1), of.rests)
    sheet.add(where, "CI low", rounded(day_1 - fitted.half, 1), of.rests)
    sheet.add(where, "CI high", rounded(day_1 + fitted.half, 1), of.rests)
    sheet.add(where, "P day 1 vs day 0", _p(fitted, DAY_1), of.rests)


def _p(fitted: RepeatedMeasures, point: int) -> str:
    p = fitted.p[point] if fitted.p else statistics.NAN
    return UNKNOWN if math.isnan(p) else p_value(p)


def _peak(means: Sequence[float], first: int = 0) -> str:
    """The point of the highest mean, from the point `first` on."""
    after = means[first:]
    return POINTS[first + after.index(max(after))] if after else UNKNOWN


def _figure(sheet: Sheet, courses: Sequence[CourseRow], figure: Figure) -> None:
    of = series(courses, figure.key)
    fitted = model(of, log=figure.log)
    point = POINTS.index(figure.peak)
    scale: Callable[[float], float] = math.exp if figure.log else float
    mean = fitted.means[point] if fitted.means else statistics.NAN
    where, label = figure.where, figure.label
    sheet.add(where, f"{label} peak day of the means", _peak(fitted.means, DAY_1), of.rests)
    for called, value in (
        ("estimated mean at peak", mean),
        ("CI low", mean - fitted.half),
        ("CI high", mean + fitted.half),
    ):
        sheet.add(where, f"{label} {called}", rounded(scale(value), figure.decimals), of.rests)
    if figure.test:
        sheet.add(where, f"{label} P vs day 0", _p(fitted, point), of.rests)
    if figure.spread:
        own = [float(1 + row[DAY_1:].index(max(row[DAY_1:]))) for row in of.rows]
        sheet.add(where, f"{label} peak day Q1", rounded(statistics.quantile(own, 0.25)), of.rests)
        sheet.add(where, f"{label} peak day Q3", rounded(statistics.quantile(own, 0.75)), of.rests)


def _unchanged(sheet: Sheet, of: Series, label: str) -> None:
    p = [one for at, one in enumerate(model(of, log=True).p) if at != DAY_0 and not math.isnan(one)]
    sheet.add(RESULTS, f"{label} unchanged (all P>0.05)", yes(bool(p) and min(p) > SIGNIFICANT), of.rests)


def _subset(sheet: Sheet, courses: Sequence[CourseRow], key: str) -> None:
    of = series(courses, key)
    fitted = model(of, log=True)
    sheet.add("Figure 6A", f"{key}+ T cells peak day after infusion", _peak(fitted.means, DAY_1), of.rests)
    sheet.add("Figure 6A", f"{key}+ P day 7 vs day 0", _p(fitted, LAST), of.rests)


def _t_cells(sheet: Sheet, trial: Trial, of: Series) -> None:
    """CD3+ by length of recovery (Figure 6C: t test of the procedures' means), and by course (Figure 6D)."""
    logs = [[math.log(value) for value in row] for row in of.rows]
    means = [sum(row) / len(row) for row in logs]
    for key, where in (("PLT", "Figure 6C"), ("ANC", RESULTS)):
        limits = trial.definitions.short[key]
        short = [is_short(course, key, limits) for course in of.courses]
        fast = [mean for mean, one in zip(means, short, strict=True) if one]
        slow = [mean for mean, one in zip(means, short, strict=True) if not one]
        p = statistics.t_test(fast, slow)
        sheet.add(where, f"P CD3+ by shorter/longer {key} recovery (group effect)", _known(p), of.rests)
        if key == "PLT":
            higher = bool(fast) and bool(slow) and sum(fast) / len(fast) > sum(slow) / len(slow)
            sheet.add(where, "CD3+ higher with shorter platelet recovery", yes(higher), of.rests)
    design = [[1.0, *(float(course.number == number) for number in (2, 3, 4))] for course in of.courses]
    effects = statistics.mixed_model([row[DAY_0] for row in logs], design, [one.subject for one in of.courses])
    values, p = (effects.values or (statistics.NAN,) * 4), (effects.p or (statistics.NAN,) * 4)
    where = "Figure 6D"
    sheet.add(where, "P CD3+ on D0 before course 3 vs course 1", _known(p[2]), of.rests)
    sheet.add(where, "P CD3+ on D0 before course 4 vs course 1", _known(p[3]), of.rests)
    sheet.add(where, "CD3+ rises with courses", yes(values[2] > 0 and values[3] > 0), of.rests)


def _known(p: float) -> str:
    return UNKNOWN if math.isnan(p) else p_value(p)


def is_short(course: CourseRow, key: str, limits: dict[str, int]) -> bool:
    """Whether a course's recovery was reached in less than its arm's limit, in days."""
    found = course.recovery[key]
    return found is not None and found.days < limits[course.arm]


def _highest_in_gvhd(sheet: Sheet, trial: Trial, courses: Sequence[CourseRow]) -> None:
    case = next((one for one in courses if any(event.code == "AGVHD" for event in one.events)), None)
    first = next((one for one in trial.courses(ALL) if any(event.code == "AGVHD" for event in one.events)), None)
    if case is None or case is not first:
        return
    for key, label in (("IFNG", "IFN-gamma"), ("IL17A", "IL-17")):
        own = [value for value in case.points[key].values[DAY_1:] if value is not None]
        others = [value for one in courses for value in one.points[key].values[DAY_1:] if value is not None]
        highest = bool(own) and max(own) >= max(others)
        sheet.add(RESULTS, f"aGvHD case has the highest {label} after infusion", yes(highest), case.points[key].refs)
