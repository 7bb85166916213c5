from decimal import Decimal

import pytest

from adapter.trial.ipss import blast_score, cytopenia_score, group, ipss, karyotype_risk
from adapter.trial.record import Subject
from tests.trial_stand import PARAMETERS, answer, course, subject, value


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(0, "0"), (4.9, "0"), (5, "0.5"), (10, "0.5"), (10.5, "1.5"), (20, "1.5"), (20.1, "2.0"), (30, "2.0")],
)
def test_blasts_score_by_their_share(percent: float, expected: str):
    assert blast_score(percent) == Decimal(expected)


def test_blasts_above_30_percent_are_no_mds():
    assert blast_score(30.1) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("46,XX", "good"),
        ("46,XY[20]", "good"),
        ("45,X,-Y[12]/46,XY[8]", "good"),
        ("46,XY,del(20q)", "good"),
        ("46,XX,del(5)(q13q33)", "good"),
        ("46,XY,del(5q),del(20q)", "intermediate"),
        ("47,XY,+8", "intermediate"),
        ("46,XY,t(8;21)(q22;q22.1)", "intermediate"),
        ("46,XY,t(1;17)(p36;q21)", "intermediate"),
        ("45,XY,-7", "poor"),
        ("46,XX,del(7)(q22)", "poor"),
        ("46,XX,t(3;7)(q26;q21)", "poor"),
        ("46,XX,del(7q)", "poor"),
        ("47,XY,+8,del(11)(q23),-18", "poor"),
        ("46,XY,+8/46,XY,del(5q)/46,XY,del(20q)", "poor"),
        ("complex (>=3 abnormalities)", "poor"),
        ("Complex karyotype", "poor"),
    ],
)
def test_karyotype_is_good_intermediate_or_poor(text: str, expected: str):
    assert karyotype_risk(text, PARAMETERS.ipss) == expected


@pytest.mark.parametrize(
    ("score", "expected"),
    [("0", "LOW"), ("0.5", "INT1"), ("1", "INT1"), ("1.5", "INT2"), ("2", "INT2"), ("2.5", "HIGH")],
)
def test_group_is_read_off_the_score(score: str, expected: str):
    assert group(Decimal(score)) == expected


def test_two_cytopenias_score_as_three():
    assert [cytopenia_score(number) for number in range(4)] == [0, 0, Decimal("0.5"), Decimal("0.5")]


def patient(*, anc: float = 3.0, karyotype: str = "46,XX", blasts: float = 12) -> Subject:
    blood = [value("ANC", anc, on=-10), value("PLT", 99, on=-10), value("HGB", 100, on=-10), value("PLT", 10, on=3)]
    stated = [answer("KARYOTYPE", karyotype), answer("RISK-IPSS", "INT2")]
    return subject(course(*blood), arm="MDS", before=[value("BM-BLAST", blasts, on=-20)], answers=stated)


def test_group_rests_on_marrow_karyotype_and_blood_before_treatment():
    found = ipss(patient(), PARAMETERS.ipss)
    assert (found.value, found.agrees) == ("INT2", True)
    assert len(found.rests_on) == 5


@pytest.mark.parametrize(("limit", "expected"), [(1.8, "HIGH"), (1.5, "INT2")])
def test_limit_of_neutrophils_is_a_parameter(limit: float, expected: str):
    parameters = PARAMETERS.ipss.model_copy(update={"anc_below": limit})
    assert ipss(patient(anc=1.6, blasts=25), parameters).value == expected


def test_what_is_missing_is_named():
    one = subject(course(value("HGB", 90, on=-10), value("ANC", 1, on=-10)), arm="MDS")
    assert ipss(one, PARAMETERS.ipss).missing == ("marrow blasts", "karyotype", "PLT")
    assert ipss(patient(blasts=40), PARAMETERS.ipss).missing == ("blasts of at most 30 %",)
