"""Facts that come twice are matched, not added: both sources stay, with what they agree on and where they differ. Pure.

A cytokine release syndrome comes as an adverse event of the treating hospital and as answers of the trial office;
events of blood, coagulation, liver and kidney come from investigators and are read off values; responses and grades
come as answers and are computed (../shared/interface/README.md section 1; ../shared/design/domain.md 3.2, 3.3, 3.6).
Two messages on one event, or on one infusion, of one hospital are one resource by its identifier already: only those
of two hospitals, or of two identifiers, are left to be matched (`twice.py`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from adapter.trial.checked import LISTED, Part
from adapter.trial.crs import propose
from adapter.trial.ctcae import Toxicity
from adapter.trial.ctcae import events as read_off
from adapter.trial.gvhd import graded
from adapter.trial.ipss import ipss
from adapter.trial.record import Course, Event, Statement, Subject
from adapter.trial.response import assessments
from adapter.trial.rules import TrialRules
from adapter.trial.twice import Senders, same_events, same_infusions
from adapter.trial.verdict import Verdict


class Standing(StrEnum):
    """How two sources of a fact stand to each other; the second is an answer, a rule's result or another report."""

    AGREES = "agrees"
    CONFLICT = "conflict"
    ONLY_REPORTED = "only reported"
    ONLY_DERIVED = "only derived"


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs, as each source has it; `by` says how much (`2 days`, `1 grade`), where that can be said."""

    what: str
    reported: str
    other: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """One fact: `reported` are the resources of the first source, `other` those of the second, named in `against`.

    `against` is `answers` (of the trial office), `values` (a rule over values) or `report` (another hospital's, or
    under another identifier). `key` tells the fact from others of its kind in the course.
    """

    fact: str
    against: str
    course: Course | None
    standing: Standing
    reported: tuple[str, ...]
    other: tuple[str, ...]
    differences: tuple[Difference, ...] = ()
    key: str = ""

    @property
    def refs(self) -> tuple[str, ...]:
        """The resources of both sources."""
        return (*self.reported, *self.other)


class Answered(Part):
    """An adverse event that the trial office answers as well: the keys of its answers."""

    event: str
    grade: str
    onset: str = ""
    resolved: str = ""


class Matching(Part):
    """How much two sources may differ and still agree, and which events are answered as well (queries.yaml)."""

    answered: Annotated[tuple[Answered, ...], LISTED]
    days: int = Field(ge=0)
    minutes: int = Field(ge=0)
    apart_days: int = Field(alias="apart-days", ge=0)


def matches(subject: Subject, rules: TrialRules, matching: Matching, senders: Senders) -> tuple[Match, ...]:
    """Every fact of a subject that has two sources, or should have, in the order of courses.

    Args:
        subject: the record.
        rules: the trial's rules, whose results are the second source.
        matching: tolerances.
        senders: who sent each resource: a hospital, with the message's number.
    """
    found: list[Match] = []
    for course in subject.courses:
        found += _answered(course, matching)
        found += _read_off(course, rules, matching)
        found += _computed(course, rules)
    found += [
        _verdict(one.course, f"response ({one.verdict.rule})", one.verdict)
        for one in assessments(subject, rules.parameters.response)
    ]
    if subject.one("RISK-IPSS"):
        found.append(_verdict(None, "IPSS", ipss(subject, rules.parameters.ipss)))
    found += _told_twice(subject, matching, senders)
    return tuple(found)


def _answered(course: Course, matching: Matching) -> Iterator[Match]:
    """Adverse events against the answers of the trial office; a grade of 0 says that there was none."""
    for one in matching.answered:
        event = _worst([event for event in course.events if event.code == one.event])
        grade = course.one(one.grade)
        present = grade is not None and grade.text != "0"
        refs = tuple(said.ref for key in (one.grade, one.onset, one.resolved) if (said := course.one(key)))
        if event and grade:
            differences = tuple(_against_answers(event, one, course, grade, matching.days))
            standing = Standing.CONFLICT if differences else Standing.AGREES
            yield Match(one.event, "answers", course, standing, (event.ref,), refs, differences)
        elif event:
            yield Match(one.event, "answers", course, Standing.ONLY_REPORTED, (event.ref,), ())
        elif present:
            yield Match(one.event, "answers", course, Standing.ONLY_DERIVED, (), refs)


def _against_answers(event: Event, keys: Answered, course: Course, grade: Statement, days: int) -> Iterator[Difference]:
    if event.grade is not None and grade.text.isdigit():
        yield from _grades(event.grade, int(grade.text))
    for what, told, key in (("onset", event.onset, keys.onset), ("end", event.resolved, keys.resolved)):
        answer = course.one(key) if key else None
        yield from _days(what, told, answer.date() if answer else None, days)


def _read_off(course: Course, rules: TrialRules, matching: Matching) -> Iterator[Match]:
    """Investigators' events against those that are read off values: once per course with the worst grade."""
    derived = {one.code: one for one in read_off(course, rules.ctcae)}
    for code in rules.ctcae.events:
        event, own = _worst([one for one in course.events if one.code == code]), derived.get(code)
        refs = tuple(one.ref for one in own.worst) if own else ()
        if event and own:
            differences = tuple(_against_values(event, own, matching.days))
            standing = Standing.CONFLICT if differences else Standing.AGREES
            yield Match(code, "values", course, standing, (event.ref,), refs, differences)
        elif event:
            yield Match(code, "values", course, Standing.ONLY_REPORTED, (event.ref,), ())
        elif own:
            text = Difference("grade", "", str(own.grade))
            yield Match(code, "values", course, Standing.ONLY_DERIVED, (), refs, (text,))


def _against_values(event: Event, own: Toxicity, days: int) -> Iterator[Difference]:
    """The end is not compared: cytopenia ends with recovery, by another rule than the grade's."""
    if event.grade is not None:
        yield from _grades(event.grade, own.grade)
    yield from _days("onset", event.onset, own.onset, days)


def _computed(course: Course, rules: TrialRules) -> Iterator[Match]:
    proposal = propose(course, rules.ctcae, rules.parameters.crs)
    if proposal and proposal.verdict.reported:
        yield _verdict(course, "CRS grade", proposal.verdict)
    verdict = graded(course, rules.gvhd, rules.parameters.gvhd)
    if verdict and verdict.reported:
        order = ["0", *rules.gvhd.variant(rules.parameters.gvhd).grades]
        yield _verdict(course, "aGvHD grade", verdict, least=order)


def _verdict(course: Course | None, fact: str, verdict: Verdict, *, least: Sequence[str] = ()) -> Match:
    """A reported answer against a rule; with `least`, the rule gives no more than the least that it must be."""
    reported = (verdict.reported.ref,) if verdict.reported else ()
    if not verdict.value:
        return Match(fact, "values", course, Standing.ONLY_REPORTED, reported, ())
    if verdict.reported is None:
        return Match(fact, "values", course, Standing.ONLY_DERIVED, (), verdict.rests_on)
    text = verdict.reported.text
    agrees = least.index(verdict.value) <= least.index(text) if least and text in least else verdict.agrees
    differences = () if agrees else (Difference("answer", text, verdict.value),)
    standing = Standing.AGREES if agrees else Standing.CONFLICT
    return Match(fact, "values", course, standing, reported, verdict.rests_on, differences)


def _told_twice(subject: Subject, matching: Matching, senders: Senders) -> Iterator[Match]:
    for course in (*subject.courses, None):
        events = course.events if course else subject.events
        for first, second in same_events(events, senders, matching.apart_days):
            differences = tuple(_between(first, second, matching.days))
            standing = Standing.CONFLICT if differences else Standing.AGREES
            yield Match(first.code, "report", course, standing, (first.ref,), (second.ref,), differences, second.ref)
    for course in subject.courses:
        for first, second, minutes in same_infusions(course):
            late = minutes is not None and minutes > matching.minutes
            differences = (
                (Difference("start", str(first.start), str(second.start), f"{minutes} minutes"),) if late else ()
            )
            standing = Standing.CONFLICT if late else Standing.AGREES
            yield Match("infusion", "report", course, standing, (first.ref,), (second.ref,), differences, second.ref)


def _between(first: Event, second: Event, days: int) -> Iterator[Difference]:
    if first.grade is not None and second.grade is not None:
        yield from _grades(first.grade, second.grade)
    yield from _days("onset", first.onset, second.onset, days)
    yield from _days("end", first.resolved, second.resolved, days)


def _worst(events: Iterable[Event]) -> Event | None:
    """The event of the worst grade, the earlier of two that are equal."""
    return min(events, key=lambda one: (-(one.grade or 0), one.onset or date.max, one.ref), default=None)


def _grades(reported: int, other: int) -> Iterator[Difference]:
    if off := abs(reported - other):
        yield Difference("grade", str(reported), str(other), f"{off} grade{'s' * (off > 1)}")


def _days(what: str, reported: date | None, other: date | None, tolerated: int) -> Iterator[Difference]:
    if reported and other and (off := abs((reported - other).days)) > tolerated:
        yield Difference(what, reported.isoformat(), other.isoformat(), f"{off} day{'s' * (off > 1)}")


def agreement(found: Iterable[Match]) -> Mapping[tuple[str, str], Mapping[Standing, int]]:
    """How often each fact agrees or not, by fact and second source."""
    counted: dict[tuple[str, str], Counter[Standing]] = defaultdict(Counter)
    for one in found:
        counted[one.fact, one.against][one.standing] += 1
    return counted
