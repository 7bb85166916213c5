"""Units in base units, checked with an independent reader of UCUM; ranges of quantities."""

import csv
from fractions import Fraction
from typing import Any

import pytest

from adapter.data import data_folder
from adapter.fhir.quantities import LEAST, measured, unit_key, wanted
from adapter.fhir.ucum import SYSTEM, unit

SPECIAL = {"Cel", "[degF]", "[pH]"}
TABLE = (data_folder("mappings") / "units" / "ucum.csv").read_text(encoding="utf-8")
CODES = [row["code"] for row in csv.DictReader(TABLE.splitlines())]


def test_every_unit_of_the_hospitals_is_understood_but_the_special_ones() -> None:
    assert {code for code in CODES if unit(code) is None} == SPECIAL


def test_units_have_the_factors_that_another_reader_of_ucum_finds() -> None:
    ucumvert: Any = pytest.importorskip("ucumvert")
    registry = ucumvert.PintUcumRegistry()
    same = [("g/L", "mg/dL"), ("10*9/L", "10*3/uL"), ("mmol/L", "umol/mL"), ("mm[Hg]", "kPa"), ("U/L", "nkat/mL"),
            ("mL/min", "L/h"), ("[lb_av]", "kg"), ("[in_i]", "cm"), ("%", "/10*3"), ("kg/m2", "g/cm2")]  # fmt: skip
    for one, other in same:
        left, right = unit(one), unit(other)
        assert left is not None
        assert right is not None
        assert left.powers == right.powers
        expected = registry.from_ucum(one).to(registry.from_ucum(other)).magnitude
        assert float(left.factor / right.factor) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("code", ["", "x", " g", "m(g", "(g", "g)", "g/L/" + "L" * 80, "10*999", "((((((g))))))"])
def test_what_is_no_unit_stays_as_it_is(code: str) -> None:
    assert unit(code) is None
    assert unit_key("urn:x", "g/L") == ("urn:x|g/L", 1)


def test_equal_values_are_equal_whatever_their_unit() -> None:
    per_litre, per_decilitre = measured("57.3", "", SYSTEM, "g/L"), measured("5.73", "", SYSTEM, "g/dL")
    assert per_litre is not None
    assert per_decilitre is not None
    assert per_litre[:3] == per_decilitre[:3]


def test_a_comparator_opens_the_range_on_its_side() -> None:
    below = measured("5", "<", SYSTEM, "g/L")
    assert below is not None
    assert below[1] == LEAST
    assert below[4] < 5


def test_the_last_digit_of_a_query_says_how_exact_it_is() -> None:
    low, high = wanted("5.40", Fraction(1), "implicit") or (0, 0)
    assert (low, round(high, 9)) == (5.395, 5.405)
    assert high < 5.405
    assert wanted("1e2", Fraction(1), "implicit") == (50, pytest.approx(150))
    assert wanted("5", Fraction(1), "exact") == (5, 5)
    assert wanted("-10", Fraction(1), "approximate") == (-11, -9)
    assert wanted("five", Fraction(1), "exact") is None
