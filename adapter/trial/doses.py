"""Doses against the planned ones, by the body surface at the course. Pure."""

from dataclasses import dataclass
from math import sqrt

from adapter.trial.plan import Drug
from adapter.trial.record import Course, Dose, Measurement, Subject


@dataclass(frozen=True, slots=True)
class Surface:
    """A body surface in m2, and the values that it rests on."""

    area: float
    refs: tuple[str, ...]


def surface(subject: Subject, course: Course) -> Surface | None:
    """The body surface that doses are calculated with: as it was reported, else by Mosteller.

    Mosteller 1987: the root of height in cm times weight in kg over 3600. Weight is that of the course, height the
    latest of the subject.
    """
    if bsa := _last(subject, course, "BSA"):
        return Surface(bsa.value, (bsa.ref,))
    height, weight = _last(subject, course, "HEIGHT"), _last(subject, course, "WEIGHT")
    if height is None or weight is None:
        return None
    return Surface(sqrt(height.value * weight.value / 3600), (height.ref, weight.ref))


def _last(subject: Subject, course: Course, key: str) -> Measurement | None:
    """The latest value of the course, else of the subject's courses before it, else of none."""
    courses = [one for one in subject.courses if one.number <= course.number]
    for one in reversed(courses):
        if values := one.measured.get(key, ()):
            return values[-1]
    return next(reversed(subject.measured.get(key, ())), None)


def amount_off(dose: Dose, drug: Drug, body: Surface | None, percent: float) -> str:
    """How a dose is off the planned one by more than so many per cent; empty where it is not, or cannot be judged.

    The dose is what was given: its amount, divided by the body surface where the plan is per m2. Only without them the
    dose per m2 that the sender states is taken.
    """
    value = _given(dose, drug, body)
    if value is None or round(abs(value - drug.dose), 9) <= round(drug.dose * percent / 100, 9):
        return ""
    return f"{value:.3g} {drug.unit}"


def _given(dose: Dose, drug: Drug, body: Surface | None) -> float | None:
    amount = drug.unit.removesuffix("/m2")
    if dose.amount is not None and dose.unit == amount and (body or not drug.per_surface):
        return dose.amount / body.area if body and drug.per_surface else dose.amount
    if dose.normalised and dose.normalised[1] == drug.unit:
        return dose.normalised[0]
    return None
