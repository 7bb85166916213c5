"""Grades of CTCAE version 3.0 read off values: of one value, and the worst of a course. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile

from adapter.trial.ctcae_rules import Bound, Rules, Term
from adapter.trial.record import Course, Measurement

Graded = tuple[int, Measurement]


@dataclass(frozen=True, slots=True)
class Toxicity:
    """The worst grade of an event of the trial in one course.

    `baseline` is the grade of the first day with a value, `onset` the first day that counts, `resolved` the first
    day after the worst grade on which the grade is back at the least that does not count (None while it is not).
    `worst` are the values that had the grade, `rests_on` all that were graded.
    """

    code: str
    grade: int
    baseline: int
    onset: date
    resolved: date | None
    worst: tuple[Measurement, ...]
    rests_on: tuple[Measurement, ...]


def grade(value: Measurement, term: Term) -> int | None:
    """The grade of one value, by the limits of the laboratory that sent it (../shared/design/domain.md 3.2).

    Returns:
        The highest grade that the value has for certain, 0 for none; None where that cannot be told, because a limit
        of the laboratory is missing or the value is only known to be below or above another.
    """
    return _highest(term.grades, value, value.low, value.high)


def _highest(
    bounds: Mapping[int, Sequence[Bound]], value: Measurement, low: float | None = None, high: float | None = None
) -> int | None:
    doubtful = False
    for one in sorted(bounds, reverse=True):
        passed = [bound.passed(value.value, value.comparator, low, high) for bound in bounds[one]]
        if any(passed):
            return one
        doubtful = doubtful or None in passed
    return None if doubtful else 0


def events(course: Course, rules: Rules) -> tuple[Toxicity, ...]:
    """The trial's adverse events that are read off values: their worst grade in the course.

    Neutropenia and thrombocytopenia begin with the grade that the trial reports from; anaemia counts where it became
    worse than on the first day of the course (../shared/cohort/NOTES.md, laboratory adverse events).
    """
    found: list[Toxicity] = []
    for code, event in rules.events.items():
        days = _by_day(course, [rules.terms[name] for name in event.terms], rules)
        one = _worst(code, days, least=event.least, worsened=event.worsened)
        found += [one] if one else []
    return tuple(found)


def graded(course: Course, term: Term, rules: Rules) -> Iterator[Graded]:
    """Each value of a term in the course with its grade; values whose grade cannot be told are passed over."""
    values = [one for one in course.measured.get(term.measured, ()) if not _excused(one, term, course)]
    first = values[0] if values else None
    for index, value in enumerate(values):
        known = [one for one in _grades(value, term, first, rules) if one is not None]
        if known:
            yield max([*known, _lasting(values[: index + 1], term)]), value


def _grades(value: Measurement, term: Term, first: Measurement | None, rules: Rules) -> Iterator[int | None]:
    yield grade(value, term)
    if not term.decrease or first is None or first.value <= 0 or value.comparator or first.comparator:
        return
    counts = rules.decrease == "always" or (rules.decrease == "when-low" and value.low and value.value < value.low)
    if counts:
        yield term.by_decrease(100 * (1 - value.value / first.value))


def _excused(value: Measurement, term: Term, course: Course) -> bool:
    """Whether a value says nothing of the term, because of the latest value of another kind (fever in neutropenia)."""
    if term.absent is None:
        return False
    others = takewhile(lambda one: one.day <= value.day, course.measured.get(term.absent.measured, ()))
    latest = max(others, key=lambda one: (one.day, one.ref), default=None)
    return latest is not None and bool(term.absent.bound.passed(latest.value, latest.comparator, None, None))


def _lasting(values: Sequence[Measurement], term: Term) -> int:
    """The grade that an unbroken run of values has by its length; the run ends with the last of the values."""
    if term.lasting is None:
        return 0
    bound, hours = term.lasting.bound, timedelta(hours=term.lasting.hours)
    run = list(takewhile(lambda one: bound.passed(one.value, one.comparator, None, None), reversed(values)))
    ends = [one.at for one in run if one.at]
    return term.lasting.grade if ends and ends[0] - ends[-1] > hours else 0


def _by_day(course: Course, terms: Iterable[Term], rules: Rules) -> dict[date, list[Graded]]:
    days: dict[date, list[Graded]] = {}
    for term in terms:
        for one in graded(course, term, rules):
            days.setdefault(one[1].day, []).append(one)
    return dict(sorted(days.items()))


def _worst(
    code: str, days: Mapping[date, Sequence[Graded]], *, least: int = 1, worsened: bool = False
) -> Toxicity | None:
    """The worst grade of the days; None where no day reaches the least grade, or none is worse than the first day."""
    grades = {day: max(grade for grade, _ in ones) for day, ones in days.items()}
    worst = max(grades.values(), default=0)
    if not worst:
        return None
    baseline = next(iter(grades.values()))
    least = baseline + 1 if worsened else least
    if worst < least:
        return None
    last = max(day for day, one in grades.items() if one == worst)
    back = baseline if worsened else 0
    return Toxicity(
        code,
        worst,
        baseline,
        next(day for day, one in grades.items() if one >= least),
        next((day for day, one in grades.items() if day > last and one <= back), None),
        tuple(value for ones in days.values() for one, value in ones if one == worst),
        tuple(value for ones in days.values() for _, value in ones),
    )
