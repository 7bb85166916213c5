"""Which reports are of one event, and which records of one infusion, though they are resources of their own. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import combinations

from adapter.trial.record import Course, Event, Infusion

Senders = Mapping[str, str]
"""The hospital that sent each resource."""


def same_events(events: Sequence[Event], senders: Senders, apart_days: int) -> Iterator[tuple[Event, Event]]:
    """Pairs of reports of one event by two hospitals: the same code, at the same time.

    One hospital gives each event a number of its own, and means two by two numbers; two hospitals know nothing of each
    other's. Reports without an onset are not compared.

    Args:
        events: of one course.
        senders: the hospital of each resource.
        apart_days: days between the onsets of one event as two hospitals tell it, at most.
    """
    for first, second in combinations(events, 2):
        other = senders.get(first.ref) != senders.get(second.ref)
        if first.code == second.code and other and _close(first.onset, second.onset, apart_days):
            yield first, second


def once(events: Sequence[Event], senders: Senders, apart_days: int) -> tuple[Event, ...]:
    """The events with each counted once: of those that two hospitals reported, the first report."""
    again = {second.ref for _, second in same_events(events, senders, apart_days)}
    return tuple(one for one in events if one.ref not in again)


def same_infusions(course: Course) -> Iterator[tuple[Infusion, Infusion, int | None]]:
    """Records of the course's one infusion under other identifiers: the same aliquot on the same day or the next.

    Its identity is subject and aliquot (../shared/interface/README.md section 3).

    Returns:
        Pairs, with the minutes between their starts where both are known.
    """
    first = course.infusion
    for other in course.others if first else ():
        if first and _same(first, other):
            minutes = abs(other.start - first.start) if first.start and other.start else None
            yield first, other, minutes // timedelta(minutes=1) if minutes is not None else None


def second_infusions(course: Course) -> Iterator[Infusion]:
    """Infusions of a course that are others than its one."""
    for other in course.others:
        if course.infusion and not _same(course.infusion, other):
            yield other


def _same(first: Infusion, other: Infusion) -> bool:
    known = first.product == other.product or not (first.product and other.product)
    return known and abs((other.day - first.day).days) <= 1


def _close(first: date | None, second: date | None, days: int) -> bool:
    return first is not None and second is not None and abs((first - second).days) <= days
