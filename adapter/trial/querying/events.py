"""Queries about adverse events, and about facts whose two sources differ."""

from collections.abc import Iterable, Iterator

from adapter.trial.elements import codes
from adapter.trial.matching import Difference, Match, Standing
from adapter.trial.querying.case import Case, Finding
from adapter.trial.record import Course, Event


def events(case: Case) -> Iterator[Finding]:
    """An adverse event has a grade, an onset, and in time an end."""
    for course in (*case.subject.courses, None):
        for one in course.events if course else case.subject.events:
            yield from _event(case, one, course)


def _event(case: Case, one: Event, course: Course | None) -> Iterator[Finding]:
    said = {"event": one.code, "onset": str(one.onset or "unknown date")}
    if one.grade is None:
        yield Finding("event-without-grade", one.ref, (one.ref,), said, course)
    if one.onset is None:
        yield Finding("event-without-onset", one.ref, (one.ref,), said, course)
        return
    if one.resolved and one.resolved < one.onset:
        yield Finding("event-dates", one.ref, (one.ref,), said | {"resolved": str(one.resolved)}, course)
    days = case.rules.limits.event_open_days
    if not one.resolved and not _closed(case, one) and not case.deaths and (case.as_of - one.onset).days > days:
        yield Finding("event-open", one.ref, (one.ref,), said | {"days": str(days)}, course)


def _closed(case: Case, one: Event) -> bool:
    outcome = {code for _, code in codes(case.resources[one.ref].get("outcome"))}
    return not outcome.isdisjoint(case.rules.limits.outcome_closed)


def twice(case: Case) -> Iterator[Finding]:
    """What is known from two sources agrees, and is known from both."""
    for one in case.matches:
        rule = _RULES.get((one.against, one.standing)) if one.fact in _facts(case) else _COMPUTED.get(one.standing)
        rule = "infusion-twice" if rule and one.fact == "infusion" else rule
        if rule and not _untold(case, one):
            yield Finding(rule, _key(one), one.refs, _values(one), one.course)


_RULES = {
    ("answers", Standing.CONFLICT): "event-against-answers",
    ("answers", Standing.ONLY_REPORTED): "event-without-answers",
    ("answers", Standing.ONLY_DERIVED): "answers-without-event",
    ("values", Standing.CONFLICT): "event-against-values",
    ("values", Standing.ONLY_REPORTED): "event-without-values",
    ("values", Standing.ONLY_DERIVED): "values-without-event",
    ("report", Standing.CONFLICT): "event-twice",
}
_COMPUTED = {Standing.CONFLICT: "computed-differs"}
"""Of answers that rules can compute only a difference is asked about: that one is missing is another rule's matter."""


def _facts(case: Case) -> frozenset[str]:
    """The events among the facts that come twice, and infusions; the others are answers that rules compute."""
    answered = (one.event for one in case.rules.matching.answered)
    reported = (one.fact for one in case.matches if one.against == "report")
    return frozenset((*case.trial.ctcae.events, *answered, *reported))


def _untold(case: Case, one: Match) -> bool:
    """Whether a missing report is not late yet: the course goes on, or hospitals still have time."""
    if one.standing not in {Standing.ONLY_DERIVED, Standing.ONLY_REPORTED} or one.course is None:
        return False
    days = [day for day in (one.course.start, one.course.infusion.day if one.course.infusion else None) if day]
    return bool(days) and (case.as_of - max(days)).days <= case.rules.limits.response_days


def _key(one: Match) -> str:
    return "/".join((one.course.phase if one.course else "", one.fact, one.against, one.key))


def _values(one: Match) -> dict[str, str]:
    grade = next((said.other for said in one.differences if said.what == "grade"), "")
    first = next(iter(one.differences), None)
    both = {"reported": first.reported, "computed": first.other} if first else {}
    return {"event": one.fact, "fact": one.fact, "grade": grade, "differences": _told(one.differences), **both}


def _told(differences: Iterable[Difference]) -> str:
    return "; ".join(
        f"{one.what} {one.reported} and {one.other}{f' ({one.by})' if one.by else ''}" for one in differences
    )


RULES = (events, twice)
