"""From apheresis to infusion: which cells were given, how many per kg, and what is left. Pure."""

from dataclasses import dataclass

from adapter.trial.parameters import Products
from adapter.trial.record import Collection, Course, Donor, Infusion, Measurement, Product, Subject

COUNTED = {"CD3": ("CD3-ALIQUOT", "DOSE-CD3-KG"), "MNC": ("MNC-ALIQUOT", "DOSE-MNC-KG")}
"""What is dosed: the key of the aliquot's cells, and that of the reported dose."""


@dataclass(frozen=True, slots=True)
class CellDose:
    """A dose in 10^8 per kg of the dosing weight: computed from the aliquot's cells, beside the reported one."""

    cells: str
    computed: float | None
    reported: float | None
    agrees: bool | None
    rests_on: tuple[str, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """The cells of one infusion.

    `fresh`: given on the day on which collection ended, and not from cold storage; None where that day is not known.
    `left` counts the product's aliquots that no infusion up to this one has used.
    """

    course: Course
    infusion: Infusion
    aliquot: Product | None
    product: Product | None
    collections: tuple[Collection, ...]
    fresh: bool | None
    left: int | None
    doses: tuple[CellDose, ...]
    conflicts: tuple[str, ...] = ()


def lineages(subject: Subject, parameters: Products) -> tuple[Lineage, ...]:
    """The cells of every infusion of a subject, in the order of courses.

    Source: paper, Methods (two aphereses on days -1 and 0, four equal aliquots, the first given fresh; doses per kg of
    the patient); the dosing weight is that of enrolment (../shared/interface/README.md section 3).
    """
    donor = subject.donor
    used: list[str] = []
    found: list[Lineage] = []
    for course in subject.courses:
        if course.infusion:
            found.append(_lineage(course, course.infusion, donor, used, parameters))
            used.append(course.infusion.product)
    return tuple(found)


def _lineage(course: Course, infusion: Infusion, donor: Donor | None, used: list[str], parameters: Products) -> Lineage:
    by_ref = {one.ref: one for one in donor.products} if donor else {}
    aliquot = by_ref.get(infusion.product)
    product = by_ref.get(aliquot.parent) if aliquot else None
    made = [one.ref for one in by_ref.values() if product and one.parent == product.ref]
    return Lineage(
        course,
        infusion,
        aliquot,
        product,
        _collections(donor, product),
        _fresh(infusion, aliquot, product),
        len(set(made) - {*used, infusion.product}) if product else None,
        tuple(_dose(cells, course, aliquot, parameters) for cells in COUNTED),
        tuple(_conflicts(infusion, aliquot, product, used)),
    )


def _fresh(infusion: Infusion, aliquot: Product | None, product: Product | None) -> bool | None:
    if aliquot is None or product is None or product.collected is None:
        return None
    return infusion.day == product.collected and not aliquot.frozen


def _collections(donor: Donor | None, product: Product | None) -> tuple[Collection, ...]:
    """The aphereses that gave a product: those since the product before, to the day on which it was complete."""
    if donor is None or product is None or product.collected is None:
        return ()
    ends = [one.collected for one in donor.products if one.collected and one.collected < product.collected]
    since = max(ends, default=None)
    return tuple(
        one for one in donor.collections if one.day <= product.collected and (since is None or one.day > since)
    )


def _dose(cells: str, course: Course, aliquot: Product | None, parameters: Products) -> CellDose:
    counted_as, reported_as = COUNTED[cells]
    counted = aliquot.measured.get(counted_as) if aliquot else None
    weight, reported = _last(course, "DOSE-WEIGHT"), _last(course, reported_as)
    missing = tuple(
        name for name, one in ((counted_as, counted), ("DOSE-WEIGHT", weight), (reported_as, reported)) if one is None
    )
    computed = counted.value / weight.value if counted and weight and weight.value > 0 else None
    agrees = None
    if computed is not None and reported is not None:
        agrees = round(abs(computed - reported.value), 9) <= parameters.dose_tolerance
    refs = tuple(one.ref for one in (counted, weight, reported) if one)
    return CellDose(cells, computed, reported.value if reported else None, agrees, refs, missing)


def _last(course: Course, key: str) -> Measurement | None:
    return next(reversed(course.measured.get(key, ())), None)


def _conflicts(infusion: Infusion, aliquot: Product | None, product: Product | None, used: list[str]) -> list[str]:
    found: list[str] = []
    if aliquot is None:
        found.append("the infusion names no aliquot of the donor")
    elif product is None:
        found.append("the aliquot names no product of the donor")
    if infusion.product and infusion.product in used:
        found.append("the aliquot was given before")
    if product and product.collected and product.collected > infusion.day:
        found.append("the product was collected after the infusion")
    return found
