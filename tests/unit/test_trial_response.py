import pytest

from adapter.trial.outcomes import best_response
from adapter.trial.record import Course, Measurement
from adapter.trial.response import assessments
from tests.trial_stand import PARAMETERS, answer, course, day, subject, value

BEFORE = [value("BM-BLAST", 60, on=-17)]


def marrow(blasts: float, anc: float, platelets: float, haemoglobin: float, *, on: int = 20) -> list[Measurement]:
    rows = {"BM-BLAST": blasts, "ANC": anc, "PLT": platelets, "HGB": haemoglobin}
    return [value(key, number, on=on) for key, number in rows.items()]


def first(*values: Measurement, low: dict[str, float] | None = None) -> Course:
    blood = {"ANC": 3.0, "PLT": 150, "HGB": 120} | (low or {})
    return course(*[value(key, number, on=-10) for key, number in blood.items()], *values)


def computed(one: Course, arm: str = "AML", blasts: float = 60) -> str:
    [found] = assessments(subject(one, arm=arm, before=[value("BM-BLAST", blasts, on=-17)]), PARAMETERS.response)
    return found.verdict.value


@pytest.mark.parametrize(
    ("blasts", "anc", "platelets", "expected"),
    [
        (4.9, 1.1, 101, "CR"),
        (4.9, 1.0, 101, "CRi"),
        (4.9, 1.1, 100, "CRi"),
        (5.0, 1.1, 101, "PR"),
        (25.0, 1.1, 101, "PR"),
        (25.1, 1.1, 101, "NR"),
        (20.0, 0.9, 101, "NR"),
    ],
)
def test_response_of_aml_by_iwg_2003(blasts: float, anc: float, platelets: float, expected: str):
    assert computed(first(*marrow(blasts, anc, platelets, 90))) == expected


@pytest.mark.parametrize(("before", "expected"), [(40.0, "PR"), (39.9, "NR")])
def test_partial_remission_of_aml_halves_the_blasts(before: float, expected: str):
    assert computed(first(*marrow(20, 2, 150, 90)), blasts=before) == expected


def test_limits_of_complete_remission_suffice_if_the_parameter_says_so():
    parameters = PARAMETERS.response.model_copy(update={"limits_included": True})
    one = subject(first(*marrow(4, 1.0, 100, 90)), before=BEFORE)
    assert [found.verdict.value for found in assessments(one, parameters)] == ["CR"]


@pytest.mark.parametrize(
    ("blasts", "anc", "platelets", "haemoglobin", "expected"),
    [
        (5.0, 1.0, 100, 110, "CR"),
        (5.0, 1.0, 100, 109, "CRi"),
        (5.0, 0.9, 100, 110, "CRi"),
        (5.1, 1.0, 100, 110, "PR"),
        (8.0, 1.0, 99, 110, "NR"),
        (11.0, 1.0, 100, 110, "NR"),
    ],
)
def test_response_of_mds_by_iwg_2006(blasts: float, anc: float, platelets: float, haemoglobin: float, expected: str):
    assert computed(first(*marrow(blasts, anc, platelets, haemoglobin)), "MDS", blasts=16) == expected


@pytest.mark.parametrize(
    ("low", "after", "expected"),
    [
        ({"HGB": 90}, (12, 3, 150, 105), "HI"),
        ({"HGB": 90}, (12, 3, 150, 104), "NR"),
        ({"HGB": 110}, (12, 3, 150, 130), "NR"),
        ({"PLT": 50}, (12, 3, 80, 100), "HI"),
        ({"PLT": 50}, (12, 3, 79, 100), "NR"),
        ({"PLT": 12}, (12, 3, 24, 100), "HI"),
        ({"PLT": 12}, (12, 3, 23, 100), "NR"),
        ({"PLT": 9}, (12, 3, 20, 100), "NR"),
        ({"ANC": 0.6}, (12, 1.2, 90, 100), "HI"),
        ({"ANC": 0.5}, (12, 1.0, 90, 100), "NR"),
    ],
)
def test_haematologic_improvement_of_mds(low: dict[str, float], after: tuple[float, ...], expected: str):
    assert computed(first(*marrow(*after), low=low), "MDS", blasts=14) == expected


@pytest.mark.parametrize("lacking", ["BM-BLAST", "ANC", "PLT", "HGB"])
def test_evidence_that_is_missing_is_named(lacking: str):
    values = [one for one in marrow(3, 2, 150, 100) if one.key != lacking]
    one = course(*values, answers=[answer("RESP-IWG2003", "CR", on=20)])
    [found] = assessments(subject(one, before=BEFORE), PARAMETERS.response)
    assert (found.verdict.value, found.response) == ("", "CR")
    assert found.verdict.missing == (f"{lacking} at the assessment",)


def test_marrow_before_treatment_is_needed():
    [found] = assessments(subject(first(*marrow(3, 2, 150, 100))), PARAMETERS.response)
    assert found.verdict.missing == ("BM-BLAST before treatment",)


def test_marrow_of_last_month_is_no_evidence():
    values = [value("BM-BLAST", 3, on=12), *marrow(3, 2, 150, 100)[1:]]
    one = course(*values, answers=[answer("RESP-IWG2003", "CR", on=20)])
    [found] = assessments(subject(one, before=BEFORE), PARAMETERS.response)
    assert found.verdict.missing == ("BM-BLAST at the assessment",)


@pytest.mark.parametrize(("reported", "agrees"), [("CR", True), ("CRi", False)])
def test_reported_response_counts_and_agreement_is_told(reported: str, agrees: bool):
    one = course(*marrow(3, 2, 150, 100), answers=[answer("RESP-IWG2003", reported, on=20)])
    [found] = assessments(subject(one, before=BEFORE), PARAMETERS.response)
    assert (found.response, found.verdict.agrees) == (reported, agrees)


def answered(phase: str, number: int, text: str) -> Course:
    return course(answers=[answer("RESP-IWG2003", text, on=20 + number)], phase=phase, number=number)


@pytest.mark.parametrize(
    ("answers", "expected"), [(["PR", "CR"], 2), (["PR", "NR"], 1), (["PR", "PR"], 1), (["NR", "PD"], 1)]
)
def test_best_of_the_inductions_counts_and_the_earlier_of_equals(answers: list[str], expected: int):
    courses = [answered(f"IND{number}", number, text) for number, text in enumerate(answers, 1)]
    found = best_response(subject(*courses))
    assert (found.category, found.day) == (answers[expected - 1], day(20 + expected))


def test_answer_after_a_consolidation_is_no_answer_to_induction():
    one = subject(answered("IND1", 1, "PR"), answered("CSD1", 2, "CR"))
    assert best_response(one).category == "PR"


def test_answer_without_a_day_or_marrow_counts_and_cannot_be_computed():
    [found] = assessments(subject(course(answers=[answer("RESP-IWG2003", "NR", on=None)])), PARAMETERS.response)
    assert (found.response, found.verdict.missing) == ("NR", ("assessment",))


def test_induction_of_which_nothing_is_known_has_no_assessment():
    assert assessments(subject(course()), PARAMETERS.response) == ()


def test_arm_without_criteria_has_no_response():
    assert assessments(subject(first(*marrow(3, 2, 150, 100)), arm="IA"), PARAMETERS.response) == ()
