"""Queries about measured values: units, plausible ranges, where a temperature was taken."""

from collections import defaultdict
from collections.abc import Iterator

from adapter.trial.elements import Resource, begun, codes, own
from adapter.trial.querying.case import Case, Finding
from adapter.trial.reading import NO_FACT
from adapter.trial.record import Course, Measurement


def plausible(case: Case) -> Iterator[Finding]:
    """A value is in the range of what anybody has, and not later than today."""
    for course in (*case.subject.courses, None):
        measured = course.measured if course else case.subject.measured
        for key, values in measured.items():
            limits = case.rules.plausible.get(key)
            for one in values:
                if one.day > case.as_of:
                    yield _of(one, course, "result-in-future")
                elif limits and not limits.low <= one.value <= limits.high:
                    yield _of(
                        one,
                        course,
                        "implausible-value",
                        value=f"{one.value:g}",
                        unit=case.trial.terms.units[key],
                        low=f"{limits.low:g}",
                        high=f"{limits.high:g}",
                    )


def _of(one: Measurement, course: Course | None, rule: str, **values: str) -> Finding:
    return Finding(rule, one.ref, (one.ref,), {"what": one.key, "day": str(one.day), **values}, course)


def units(case: Case) -> Iterator[Finding]:
    """Results of the trial's kinds in other units, no facts (reading.py): one query per kind, unit, hospital."""
    terms = case.trial.terms
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in _results(case):
        key = next((terms.measured[code] for code in codes(one.get("code")) if code in terms.measured), "")
        quantity = one.get("valueQuantity", {})
        unit = quantity.get("code", quantity.get("unit", ""))
        if key and "value" in quantity and unit != terms.units[key]:
            found[key, unit, case.hospital(one)].append(own(one))
    for (key, unit, hospital), refs in sorted(found.items()):
        values = {"count": str(len(refs)), "what": key, "unit": unit or "no unit", "expected": terms.units[key]}
        yield Finding("unexpected-unit", f"{key}/{unit}/{hospital}", tuple(sorted(refs)), values)


def place(case: Case) -> Iterator[Finding]:
    """Where on the body a temperature was taken: by bodySite, or by a code that says it; one query per hospital."""
    limits, terms = case.rules.limits, case.trial.terms
    told = {(system, code) for one in limits.says_site for system, _, code in [one.partition("|")]}
    found: dict[str, list[str]] = defaultdict(list)
    for one in _results(case):
        of = list(codes(one.get("code")))
        wanted = any(terms.measured.get(code) in limits.site_of for code in of)
        if wanted and "bodySite" not in one and told.isdisjoint(of) and begun(one, "effective", terms.zone):
            found[case.hospital(one)].append(own(one))
    for hospital, refs in sorted(found.items()):
        values = {"count": str(len(refs)), "hospital": hospital or "an unknown sender"}
        yield Finding("temperature-without-site", hospital, tuple(sorted(refs)), values)


def _results(case: Case) -> Iterator[Resource]:
    """The Observations that state something, of the subject and of the donor."""
    for side in (case.known.subject, case.known.donor):
        for one in side.resources if side else ():
            if one["resourceType"] == "Observation" and one["status"] not in NO_FACT:
                yield one


RULES = (plausible, units, place)
