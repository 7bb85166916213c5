"""Queries about courses, infusions and the cells infused, assessments after them."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

from adapter.trial.elements import moment
from adapter.trial.products import Lineage, lineages
from adapter.trial.querying.case import Case, Finding
from adapter.trial.record import Course, Infusion, Product
from adapter.trial.twice import second_infusions


def dates(case: Case) -> Iterator[Finding]:
    """Courses have a first day, end after it, and follow one another."""
    ends = {course.ref: _end(case, course) for course in case.subject.courses}
    for course in case.subject.courses:
        end = ends[course.ref]
        if course.start is None:
            yield Finding("course-without-start", course.ref, (course.ref,), {"course": course.phase}, course)
        elif end and end < course.start:
            values = {"course": course.phase, "start": str(course.start), "end": str(end)}
            yield Finding("course-dates", course.ref, (course.ref,), values, course)
    for before, course in pairwise(case.subject.courses):
        over = [day for day in (ends[before.ref], before.infusion.day if before.infusion else None) if day]
        if course.start and over and course.start < max(over):
            values = {"course": course.phase, "start": str(course.start), "before": before.phase, "end": str(max(over))}
            yield Finding("courses-overlap", course.ref, (before.ref, course.ref), values, course)


def _end(case: Case, course: Course) -> date | None:
    when = moment(case.resources[course.ref].get("period", {}).get("end"), case.trial.terms.zone)
    return when.day if when else None


def infusions(case: Case) -> Iterator[Finding]:
    """Each course has one infusion, each infusion a course and a dose."""
    for course in case.subject.courses:
        if not course.infusion:
            if course.start and case.overdue(course.start, case.rules.limits.infusion_days):
                values = {"course": course.phase, "start": str(course.start)}
                yield Finding("course-without-infusion", course.ref, (course.ref,), values, course)
            continue
        for other in second_infusions(course):
            values = {"course": course.phase, "day": str(other.day), "first": str(course.infusion.day)}
            yield Finding("second-infusion", other.ref, (other.ref, course.infusion.ref), values, course)
        if "DOSE-CD3-KG" not in course.measured:
            values = {"day": str(course.infusion.day)}
            yield Finding("infusion-without-dose", course.infusion.ref, (course.infusion.ref,), values, course)
    for one in case.subject.infusions:
        yield Finding("infusion-without-course", one.ref, (one.ref,), {"day": str(one.day)})


def cells(case: Case) -> Iterator[Finding]:
    """Every infusion leads to its aliquot and product, collected before, and its dose comes out of them."""
    for line in lineages(case.subject, case.trial.parameters.products):
        if why := _untraced(line):
            yield _of_infusion("product-without-lineage", line, why=why)
        product = line.product or line.aliquot
        if product and product.collected and product.collected > line.infusion.day:
            yield _of_infusion("product-after-infusion", line, collected=str(product.collected))
        for dose in line.doses:
            if dose.agrees is False:
                values = {"cells": dose.cells, "reported": f"{dose.reported:g}", "computed": f"{dose.computed:.3g}"}
                key = f"{line.infusion.ref}/{dose.cells}"
                yield Finding("cell-dose", key, (line.infusion.ref, *dose.rests_on), values, line.course)


def _untraced(line: Lineage) -> str:
    if not line.infusion.product:
        return "it names no aliquot"
    if line.aliquot is None:
        return "nothing is known of its aliquot"
    return "" if line.product else "its aliquot names no product of the donor"


def _of_infusion(rule: str, line: Lineage, **values: str) -> Finding:
    refs = (line.infusion.ref, *(one.ref for one in (line.aliquot, line.product) if one))
    return Finding(rule, line.infusion.ref, refs, {"day": str(line.infusion.day), **values}, line.course)


def aliquots(case: Case) -> Iterator[Finding]:
    """An aliquot is infused once."""
    used: dict[str, Infusion] = {}
    for course, one in sorted(case.infusions(), key=lambda pair: (pair[1].day, pair[1].ref)):
        first = used.setdefault(one.product, one) if one.product else one
        if first is not one:
            number = next((cells.number for cells in _cells(case) if cells.ref == one.product), one.product)
            values = {"aliquot": number, "first": str(first.day), "day": str(one.day)}
            yield Finding("aliquot-used-twice", one.ref, (one.product, first.ref, one.ref), values, course)


def _cells(case: Case) -> tuple[Product, ...]:
    return case.subject.donor.products if case.subject.donor else ()


def marrow(case: Case) -> Iterator[Finding]:
    """Marrow is examined for microchimerism on day 7 of the first course."""
    limits = case.rules.limits
    course = next(iter(case.subject.courses), None)
    if course is None or course.infusion is None:
        return
    day = course.infusion.day + timedelta(days=limits.marrow_day)
    first, last = day - timedelta(days=limits.marrow_days_off), day + timedelta(days=limits.marrow_days_off)
    taken = [one.day for one in course.measured.get(limits.marrow_key, ())]
    late = (case.as_of - last).days > limits.report_days
    if late and last <= case.ended and not any(first <= one <= last for one in taken):
        values = {"course": course.phase, "from": str(first), "to": str(last)}
        yield Finding("marrow-day-7", course.ref, (course.ref, course.infusion.ref), values, course)


def response(case: Case) -> Iterator[Finding]:
    """An induction has a response, whoever did not die before."""
    criteria = case.trial.parameters.response.criteria.get(case.subject.arm)
    for course in case.subject.courses if criteria else ():
        if not course.induction or course.infusion is None or course.one(f"RESP-{criteria}"):
            continue
        due = course.infusion.day + timedelta(days=case.rules.limits.response_days)
        if due <= case.as_of and due <= min(case.deaths.values(), default=date.max):
            values = {"course": course.phase, "day": str(course.infusion.day)}
            yield Finding("response-missing", course.ref, (course.ref, course.infusion.ref), values, course)


RULES = (dates, infusions, cells, aliquots, marrow, response)
