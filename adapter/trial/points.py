"""The plotted points of a course: before chemotherapy, and days 0 to 7 (paper, Figures 4 to 6). Pure."""

from dataclasses import dataclass
from datetime import timedelta

from adapter.trial.record import Course, Measurement

POINTS = ("pre", "D0", "D1", "D2", "D3", "D4", "D5", "D6", "D7")
DAYS_AFTER = 7


@dataclass(frozen=True, slots=True)
class Points:
    """One value for each of POINTS (None where there is none), and the measurements that they are."""

    values: tuple[float | None, ...]
    refs: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether no point is missing."""
        return None not in self.values


def daily(course: Course, key: str) -> Points:
    """The latest value of the course's first day, then of day 0 to 7, counted from the infusion."""
    infusion = course.infusion
    if infusion is None or course.start is None:
        return _points([None] * len(POINTS))
    by_day = {one.day: one for one in course.measured.get(key, ())}
    after = [by_day.get(infusion.day + timedelta(days=day)) for day in range(DAYS_AFTER + 1)]
    return _points([by_day.get(course.start), *after])


def temperatures(course: Course) -> Points:
    """The highest temperature of the course's first day, before the infusion on day 0, and of day 1 to 7.

    Day k is (infusion + 24(k-1) h, infusion + 24k h] (../shared/cohort/NOTES.md, table of definitions).
    """
    infusion = course.infusion
    if infusion is None or infusion.start is None:
        return _points([None] * len(POINTS))
    start = infusion.start
    read = [(one, one.at) for one in course.measured.get("TEMP", ()) if one.at is not None]
    before = [one for one, at in read if at <= start and one.day == infusion.day]
    days = [
        [one for one, at in read if timedelta(days=day - 1) < at - start <= timedelta(days=day)]
        for day in range(1, DAYS_AFTER + 1)
    ]
    groups = [[one for one, _ in read if one.day == course.start], before, *days]
    return _points([max(group, key=lambda one: (one.value, one.ref), default=None) for group in groups])


def _points(chosen: list[Measurement] | list[Measurement | None] | list[None]) -> Points:
    return Points(
        tuple(one.value if one else None for one in chosen),
        tuple(one.ref for one in chosen if one),
    )
