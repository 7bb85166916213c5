from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from adapter.trial.deviations import deviations
from adapter.trial.record import Course, Dose, Infusion, Measurement, Subject
from tests.trial_stand import INFUSION, PARAMETERS, PLAN, TERMS, answer, course, day, dose, subject, value

BODY = [value("HEIGHT", 180, on=-10), value("WEIGHT", 80, on=-10)]  # 2 m2 by Mosteller
AML = {"decitabine": (30, range(-10, -5)), "idarubicin": (16, range(-5, -2)), "cytarabine": (200, range(-5, 0))}
MDS = {"decitabine": (30, range(-9, -4)), "aclarubicin": (10, range(-4, 0)), "cytarabine": (20, range(-4, 0))}


def doses(regimen: Mapping[str, tuple[float, range]]) -> list[Dose]:
    return [dose(drug, amount, "mg", on=on) for drug, (amount, days) in regimen.items() for on in days]


def filgrastim() -> list[Dose]:
    return [dose("filgrastim", 150, "ug", on=on, at=at) for on in range(-5, 0) for at in (9, 21)]


def induction(given: Sequence[Dose], *values: Measurement, infusion: Infusion | None = INFUSION) -> Course:
    return course(*BODY, *values, doses=given, infusion=infusion)


def found(one: Subject) -> list[tuple[str, str, str]]:
    told = deviations(one, PLAN, PARAMETERS, chemotherapy=TERMS.chemotherapy)
    assert all(deviation.rests_on or deviation.kind in {"missing", "days"} for deviation in told)
    return [(deviation.kind, deviation.what, deviation.found) for deviation in told]


def test_course_by_the_plan_has_no_deviation():
    assert found(subject(induction(doses(AML)))) == []
    assert found(subject(induction([*doses(MDS), *filgrastim()]), arm="MDS")) == []


@pytest.mark.parametrize(
    ("amount", "expected"), [(27.0, []), (33.0, []), (26.9, ["13.4 mg/m2"]), (33.1, ["16.6 mg/m2"])]
)
def test_dose_is_off_by_more_than_10_percent_of_the_planned_dose_per_m2(amount: float, expected: list[str]):
    given = doses(AML)
    given[0] = replace(given[0], amount=amount)
    assert found(subject(induction(given))) == [("dose", "decitabine", one) for one in expected]


def test_without_body_surface_the_stated_dose_per_m2_counts():
    given = [replace(one, normalised=(10.0, "mg/m2")) if one.drug == "decitabine" else one for one in doses(AML)]
    one = subject(course(doses=given))
    assert {kind for kind, drug, _ in found(one) if drug == "decitabine"} == {"dose"}
    assert "cytarabine" not in {drug for _, drug, _ in found(one)}  # nothing tells its dose per m2


def test_dose_on_another_day_is_off_the_plan_and_its_own_day_is_missing():
    given = [one for one in doses(AML) if (one.drug, one.day) != ("idarubicin", day(-3))]
    one = subject(induction([*given, dose("idarubicin", 16, "mg", on=-2)]))
    assert found(one) == [("day", "idarubicin", "-2"), ("missing", "idarubicin", "not given")]


def test_dose_that_was_held_is_missing():
    given = [replace(one, given=one.day != day(-1)) for one in doses(AML)]
    assert ("missing", "cytarabine", "not given") in found(subject(induction(given)))


def test_gcsf_ends_by_the_plan_when_neutrophils_reach_2():
    given = [*doses(MDS), *[one for one in filgrastim() if one.day < day(-2)]]
    low, high = value("ANC", 1.99, on=-2), value("ANC", 2.0, on=-2)
    assert [kind for kind, *_ in found(subject(induction(given, low), arm="MDS"))] == ["missing", "missing"]
    assert found(subject(induction(given, high), arm="MDS")) == []


def test_gcsf_once_a_day_is_off_the_plan():
    given = [*doses(MDS), *filgrastim()[:-1]]
    assert [kind for kind, *_ in found(subject(induction(given), arm="MDS"))] == ["times"]


def test_supportive_drug_after_the_infusion_is_not_of_the_plan():
    given = [*doses(MDS), *filgrastim(), dose("filgrastim", 300, "ug", on=8)]
    assert found(subject(induction(given), arm="MDS")) == []


def test_chemotherapy_that_is_not_planned_is_told():
    given = [*doses(AML), dose("aclarubicin", 10, "mg", on=-4)]
    assert found(subject(induction(given))) == [("drug", "aclarubicin", day(-4).isoformat())]


@pytest.mark.parametrize(("number", "expected"), [(7, []), (6, ["6 days"]), (8, ["8 days"])])
def test_consolidation_is_judged_by_its_number_of_days(number: int, expected: list[str]):
    regimen = {"decitabine": (30, range(-12, -7)), "idarubicin": (16, range(-7, -4))}
    given = [*doses(regimen), *doses({"cytarabine": (200, range(-number, 0))})]
    one = subject(course(*BODY, doses=given, phase="CSD1"))
    assert found(one) == [("days", "cytarabine", days) for days in expected]


def test_course_that_is_under_way_lacks_nothing_yet():
    given = [one for one in doses(AML) if one.day < day(-4)]
    assert found(subject(induction(given, infusion=None))) == []


def test_course_without_infusion_is_judged_when_another_follows():
    given = [one for one in doses(AML) if one.day < day(-4)]
    later = replace(course(doses=[], phase="CSD1", number=2), infusion=None)
    kinds = {kind for kind, *_ in found(subject(induction(given, infusion=None), later))}
    assert "missing" in kinds


@pytest.mark.parametrize(("days", "expected"), [(0, []), (1, ["2 days"]), (-1, ["0 days"])])
def test_infusion_is_on_the_day_after_chemotherapy(days: int, expected: list[str]):
    moved = replace(INFUSION, day=day(days))
    told = found(subject(induction(doses(AML), infusion=moved)))
    assert [text for kind, _, text in told if kind == "infusion"] == expected


@pytest.mark.parametrize(("days", "expected"), [(53, []), (67, []), (52, ["52 days"]), (68, ["68 days"])])
def test_interval_of_infusions_is_60_days_within_the_tolerance(days: int, expected: list[str]):
    later = replace(INFUSION, ref="Procedure/2", day=INFUSION.day + timedelta(days=days))
    one = subject(course(), course(phase="CSD1", number=2, infusion=later))
    assert [text for kind, _, text in found(one) if kind == "interval"] == expected


@pytest.mark.parametrize(("response", "expected"), [("PR", []), ("NR", ["after NR"]), ("CR", ["after CR"])])
def test_second_induction_is_for_partial_remission(response: str, expected: list[str]):
    one = subject(
        course(answers=[answer("RESP-IWG2003", response, on=20)]),
        course(phase="IND2", number=2, infusion=None),
    )
    assert [text for kind, _, text in found(one) if kind == "course"] == expected


def test_arm_without_a_plan_has_no_deviations():
    assert found(subject(induction([]), arm="IA")) == []
