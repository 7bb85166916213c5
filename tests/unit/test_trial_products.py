from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapter.trial.cells import collections, products
from adapter.trial.products import lineages
from adapter.trial.record import Collection, Course, Donor, Product, Subject
from tests.trial_stand import CHINA, INFUSION, PARAMETERS, TERMS, course, day, subject, value

WHOLE = Product("BiologicallyDerivedProduct/p", "A990101", "", day(0), frozen=False)
CELLS = {"CD3-ALIQUOT": value("CD3-ALIQUOT", 40.0), "MNC-ALIQUOT": value("MNC-ALIQUOT", 200.0)}
ALIQUOTS = tuple(
    Product(f"BiologicallyDerivedProduct/a{one}", f"DON-ATLI-901-A{one}", WHOLE.ref, None, one > 1, CELLS)
    for one in (1, 2, 3, 4)
)
SESSIONS = tuple(Collection(f"Procedure/s{one}", day(one), None, None) for one in (-1, 0))
DONOR = Donor("DON-ATLI-901", collections=SESSIONS, products=(WHOLE, *ALIQUOTS))


def infused(number: int, *, aliquot: int | None = None, on: int = 0, cd3: float = 0.5) -> Course:
    ref = f"BiologicallyDerivedProduct/a{aliquot or number}"
    given = replace(INFUSION, ref=f"Procedure/{number}", day=day(on), product=ref)
    doses = [value("DOSE-CD3-KG", cd3), value("DOSE-MNC-KG", 2.5), value("DOSE-WEIGHT", 80)]
    return course(*doses, number=number, infusion=given)


def treated(*courses: Course, donor: Donor = DONOR) -> Subject:
    return replace(subject(*courses), donor=donor)


def test_infusion_leads_back_to_aliquot_product_and_both_aphereses():
    [one] = lineages(treated(infused(1)), PARAMETERS.products)
    assert (one.aliquot, one.product, one.collections) == (ALIQUOTS[0], WHOLE, SESSIONS)
    assert (one.fresh, one.left, one.conflicts) == (True, 3, ())


def test_aliquots_are_used_up_one_by_one_and_the_later_are_not_fresh():
    told = lineages(treated(*[infused(number, on=60 * (number - 1)) for number in (1, 2, 3, 4)]), PARAMETERS.products)
    assert [(one.fresh, one.left) for one in told] == [(True, 3), (False, 2), (False, 1), (False, 0)]


def test_aphereses_of_an_earlier_collection_are_not_those_of_the_product():
    before = Product("BiologicallyDerivedProduct/old", "A990000", "", day(-60), frozen=False)
    old = Collection("Procedure/old", day(-60), None, None)
    donor = replace(DONOR, collections=(old, *SESSIONS), products=(before, *DONOR.products))
    [one] = lineages(treated(infused(1), donor=donor), PARAMETERS.products)
    assert one.collections == SESSIONS


@pytest.mark.parametrize(("reported", "agrees"), [(0.5, True), (0.51, True), (0.49, True), (0.511, False)])
def test_dose_per_kg_is_recomputed_from_the_aliquot_and_the_dosing_weight(reported: float, agrees: bool):
    [one] = lineages(treated(infused(1, cd3=reported)), PARAMETERS.products)
    [cd3, mnc] = one.doses
    assert (cd3.computed, cd3.reported, cd3.agrees) == (0.5, reported, agrees)
    assert (mnc.computed, mnc.agrees, len(mnc.rests_on)) == (2.5, True, 3)


def test_dose_without_the_cells_of_its_aliquot_says_so():
    bare = replace(DONOR, products=(WHOLE, replace(ALIQUOTS[0], measured={})))
    [one] = lineages(treated(infused(1), donor=bare), PARAMETERS.products)
    assert [(dose.computed, dose.agrees, dose.missing) for dose in one.doses] == [
        (None, None, ("CD3-ALIQUOT",)),
        (None, None, ("MNC-ALIQUOT",)),
    ]


def test_aliquot_that_was_given_before_is_a_conflict():
    [_, second] = lineages(treated(infused(1), infused(2, aliquot=1, on=60)), PARAMETERS.products)
    assert second.conflicts == ("the aliquot was given before",)


def test_infusion_of_cells_that_are_not_the_donors_is_a_conflict():
    [one] = lineages(treated(infused(1, aliquot=9)), PARAMETERS.products)
    assert (one.aliquot, one.fresh, one.left) == (None, None, None)
    assert one.conflicts == ("the infusion names no aliquot of the donor",)


def test_aliquot_without_its_product_and_product_after_the_infusion_are_conflicts():
    orphan = replace(DONOR, products=(replace(ALIQUOTS[0], parent=""),))
    late = replace(DONOR, products=(replace(WHOLE, collected=day(1)), *ALIQUOTS))
    told = [lineages(treated(infused(1), donor=donor), PARAMETERS.products)[0].conflicts for donor in (orphan, late)]
    assert told == [("the aliquot names no product of the donor",), ("the product was collected after the infusion",)]


def test_subject_without_donor_or_infusion_has_no_cells():
    assert lineages(subject(course(infusion=None)), PARAMETERS.products) == ()
    [one] = lineages(subject(infused(1)), PARAMETERS.products)
    assert one.product is None


LAB = TERMS.systems["lab"]
PART = TERMS.extensions["part"]


def counted(code: str, identifier: str, number: float | str, **more: Any) -> dict[str, Any]:
    said = {"valueString": number} if isinstance(number, str) else {"valueQuantity": {"value": number, "code": "10*8"}}
    return {
        "resourceType": "Observation",
        "id": identifier,
        "status": "final",
        "code": {"coding": [{"system": LAB, "code": code}]},
        "effectiveDateTime": "2019-03-20T08:00:00+08:00",
        "subject": {"reference": "Patient/donor"},
        **said,
        **more,
    }


def part(number: str) -> dict[str, Any]:
    return {"extension": [{"url": PART, "extension": [{"url": "original-sub-identifier", "valueString": number}]}]}


def product(identifier: str, number: str, code: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "BiologicallyDerivedProduct",
        "id": identifier,
        "identifier": [{"system": TERMS.systems["cells"], "value": number}],
        "productCode": {"coding": [{"system": TERMS.systems["product"], "code": code}]},
        **more,
    }


COLLECTED = {"collection": {"collectedPeriod": {"end": "2019-03-20T09:00:00+08:00"}}}


def test_cells_are_counted_in_an_aliquot_by_focus_or_beside_its_number():
    resources = [
        product("p", "A990101", "TLI-APHERESIS", **COLLECTED),
        product("a1", "A1", "TLI-CD3", parent=[{"reference": "BiologicallyDerivedProduct/p"}], **COLLECTED),
        product("a2", "A2", "TLI-CD3", storage=[{"temperature": -196}], **COLLECTED),
        counted("CD3-ALIQUOT", "1", 40, focus=[{"reference": "BiologicallyDerivedProduct/a1"}]),
        counted("ALIQUOT-NUMBER", "2", "A2", **part("2")),
        counted("CD3-ALIQUOT", "3", 41, **part("2")),
        counted("CD3-ALIQUOT", "4", 99, **part("3")),
    ]
    [first, second, whole] = products(resources, TERMS)
    assert [(one.number, one.measured["CD3-ALIQUOT"].value) for one in (first, second)] == [("A1", 40), ("A2", 41)]
    assert (whole.collected, whole.measured, first.frozen, second.frozen) == (day(0), {}, False, True)
    assert (first.parent, second.parent) == (whole.ref, whole.ref)
    assert products(resources[::-1], TERMS) == (first, second, whole)


def test_aliquot_of_two_possible_products_stays_without_one():
    wholes = [product(one, one, "TLI-APHERESIS", **COLLECTED) for one in ("p", "q")]
    [aliquot, *_] = products([*wholes, product("a", "A1", "TLI-CD3", **COLLECTED)], TERMS)
    assert aliquot.parent == ""


def test_apheresis_is_a_collection_unless_it_was_not_done():
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "418576007"}]}
    period = {"start": "2019-03-20T08:00:00+08:00", "end": "2019-03-20T09:30:00+08:00"}
    done = {"resourceType": "Procedure", "id": "1", "status": "completed", "code": code, "performedPeriod": period}
    [one] = collections([{**done, "id": "2", "status": "not-done"}, done, {**done, "code": {}}], TERMS)
    assert (one.ref, one.day) == ("Procedure/1", day(0))
    assert one.start is not None
    assert one.end is not None
    assert (one.start.utcoffset(), one.end - one.start) == (CHINA.utcoffset(None), timedelta(minutes=90))
