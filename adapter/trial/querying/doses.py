"""Queries about chemotherapy: days and doses against the plan, and doses against what is stated of them."""

from collections.abc import Iterator

from adapter.trial.deviations import deviations
from adapter.trial.doses import Surface, surface
from adapter.trial.querying.case import Case, Finding
from adapter.trial.record import Dose

MISSING = frozenset({"missing", "days", "times"})
_KINDS = {
    "day": "Day",
    "drug": "Choice",
    "infusion": "Day",
    "interval": "Interval",
    "course": "Course",
}


def plan(case: Case) -> Iterator[Finding]:
    """What was given is what was planned, on the planned days."""
    told = deviations(case.subject, case.trial.plan, case.trial.parameters, chemotherapy=case.trial.terms.chemotherapy)
    for one in told:
        values = {"drug": one.what, "planned": one.planned, "found": one.found}
        refs = one.rests_on or (one.course.ref,)
        key = f"{one.course.phase}/{one.kind}/{one.what}/{one.planned}"
        if one.kind == "dose":
            values["day"] = next((str(dose.day) for dose in one.course.doses if dose.ref in refs), "")
            yield Finding("dose-off-plan", refs[0], refs, values, one.course)
        elif one.kind in MISSING:
            key = f"{key}/{one.found}" if one.kind == "times" else key
            yield Finding("chemotherapy-missing", key, (one.course.ref, *refs), values, one.course)
        else:
            yield Finding(
                "chemotherapy-deviates", f"{key}/{refs[-1]}", refs, values | {"kind": _KINDS[one.kind]}, one.course
            )


def stated(case: Case) -> Iterator[Finding]:
    """A dose has an amount, which is the stated dose per m2 times the body surface."""
    for course in case.subject.courses:
        body = surface(case.subject, course)
        for dose in course.doses:
            if dose.given and dose.drug in case.trial.terms.chemotherapy:
                found = _amount(dose, body, case.rules.limits.dose_percent)
                if found:
                    rule, values = found
                    said = {"drug": dose.drug.capitalize(), "day": str(dose.day), **values}
                    refs = (dose.ref, *(body.refs if body and values else ()))
                    yield Finding(rule, dose.ref, refs, said, course)


def _amount(dose: Dose, body: Surface | None, percent: float) -> tuple[str, dict[str, str]] | None:
    if dose.amount is None:
        return "dose-without-amount", {}
    if dose.normalised is None or body is None or dose.normalised[1] != f"{dose.unit}/m2":
        return None
    expected = dose.normalised[0] * body.area
    if abs(dose.amount - expected) <= expected * percent / 100:
        return None
    return "dose-off-stated", {
        "given": f"{dose.amount:g} {dose.unit}",
        "stated": f"{dose.normalised[0]:g} {dose.normalised[1]}",
        "area": f"{body.area:.3g}",
        "expected": f"{expected:.3g} {dose.unit}",
    }


RULES = (plan, stated)
