"""Haematopoietic recovery after a course: ANC >= 0.5 or PLT >= 20 x 10^9/L for 3 consecutive days (paper, Methods).

The paper leaves open which of the three days counts (here the first), and days without a result (they break the run).
"""

from dataclasses import dataclass
from datetime import date, timedelta

from adapter.trial.record import Course, Dose
from adapter.trial.terms import Terms

LIMITS = {"ANC": 0.5, "PLT": 20.0}
"""The trial's keys, and the value that counts as recovered, 10^9/L."""

CONSECUTIVE_DAYS = 3


@dataclass(frozen=True, slots=True)
class Recovery:
    """Days from the last day of chemotherapy to recovery, and the three results that show it."""

    days: int
    refs: tuple[str, ...]


def last_chemotherapy(course: Course, terms: Terms) -> Dose | None:
    """The last dose of a chemotherapy drug that was given in the course."""
    given = [dose for dose in course.doses if dose.given and dose.drug in terms.chemotherapy]
    return max(given, key=lambda dose: (dose.day, dose.ref), default=None)


def recovery(course: Course, key: str, terms: Terms) -> Recovery | None:
    """The recovery of one cell line (`ANC`, `PLT`) in a course; None where it was not reached or cannot be counted."""
    end = last_chemotherapy(course, terms)
    if end is None:
        return None
    by_day = {one.day: one for one in course.measured.get(key, ())}
    high = {day: one.ref for day, one in by_day.items() if one.value >= LIMITS[key] and one.comparator != "<"}
    for day in sorted(day for day in high if day > end.day):
        run = [high.get(following) for following in _run(day)]
        if all(run):
            return Recovery((day - end.day).days, (end.ref, *(ref for ref in run if ref)))
    return None


def _run(day: date) -> list[date]:
    return [day + timedelta(days=ahead) for ahead in range(CONSECUTIVE_DAYS)]
