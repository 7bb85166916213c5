from dataclasses import replace

import pytest

from adapter.trial.crs import Proposal, propose
from adapter.trial.record import Course
from tests.trial_stand import CTCAE, PARAMETERS, answer, course, day, value

EXCLUDED = answer("CRS-INFECTION-EXCLUDED", "Y")
FEVER = value("TEMP", 39.0, hour=14)


def proposed(one: Course, *, organs: bool = False) -> Proposal:
    parameters = PARAMETERS.crs.model_copy(update={"organ_toxicity_counts": organs})
    found = propose(one, CTCAE, parameters)
    assert found is not None
    return found


@pytest.mark.parametrize(("degrees", "expected"), [(37.0, "0"), (38.0, "0"), (38.1, "1"), (41.0, "1")])
def test_fever_above_38_alone_is_grade_1(degrees: float, expected: str):
    assert proposed(course(value("TEMP", degrees, hour=14), answers=[EXCLUDED])).verdict.value == expected


def test_course_without_infusion_has_no_crs():
    assert propose(course(FEVER, infusion=None), CTCAE, PARAMETERS.crs) is None


def test_without_temperature_after_the_infusion_there_is_no_grade():
    one = proposed(course(value("TEMP", 39.0, hour=8), value("TEMP", 39.0, on=8, hour=0)))
    assert (one.verdict.value, one.verdict.missing) == ("", ("temperature after the infusion",))


def test_fever_of_the_seventh_day_counts_and_of_the_eighth_does_not():
    values = [value("TEMP", 37.0, hour=14), value("TEMP", 39.0, on=8, hour=0)]
    assert proposed(course(*values, answers=[EXCLUDED])).verdict.value == "0"
    assert proposed(course(*values, value("TEMP", 38.5, on=7, hour=23), answers=[EXCLUDED])).verdict.value == "1"


@pytest.mark.parametrize(("on", "hour", "early"), [(0, 14, True), (1, 10, True), (1, 11, False)])
def test_onset_is_early_within_24_hours_of_the_infusion(on: int, hour: int, early: bool):
    later = value("TEMP", 40.0, on=3, hour=8)
    one = proposed(course(value("TEMP", 38.5, on=on, hour=hour), later, answers=[EXCLUDED]))
    assert one.early is early
    assert one.onset is not None
    assert (one.onset.date(), one.onset.hour, one.peak) == (day(on), hour, later)


@pytest.mark.parametrize(("pressure", "expected"), [(90, "1"), (89, "2")])
def test_low_pressure_after_the_infusion_is_grade_2(pressure: float, expected: str):
    assert proposed(course(FEVER, value("SBP", pressure, hour=14), answers=[EXCLUDED])).verdict.value == expected


def test_hypotension_that_a_clinician_states_is_grade_2():
    one = proposed(course(FEVER, answers=[EXCLUDED, answer("CRS-HYPOTENSION", "Y")]))
    assert one.verdict.value == "2"
    assert "Observation/CRS-HYPOTENSION" in one.verdict.rests_on


def test_low_pressure_before_the_infusion_is_no_sign():
    assert proposed(course(FEVER, value("SBP", 80, hour=9), answers=[EXCLUDED])).verdict.value == "1"


@pytest.mark.parametrize(("oxygen", "expected"), [(21, "1"), (30, "2"), (39.9, "2"), (40, "3")])
def test_requirement_of_oxygen_is_grade_2_and_from_40_percent_grade_3(oxygen: float, expected: str):
    assert proposed(course(FEVER, value("FIO2", oxygen, hour=15), answers=[EXCLUDED])).verdict.value == expected


def test_toxicity_of_an_organ_is_shown_and_counts_only_if_the_parameter_says_so():
    one = course(FEVER, value("CREA", 80, on=-1), value("CREA", 300, on=3), answers=[EXCLUDED])
    assert proposed(one).verdict.value == "1"
    assert [sign.grade for sign in proposed(one).signs if sign.kind == "organ toxicity"] == [3]
    assert proposed(one, organs=True).verdict.value == "3"


def test_transaminitis_of_grade_4_is_grade_3():
    values = [FEVER, value("ALT", 30, on=-1), value("ALT", 2000, on=3)]
    assert proposed(course(*values, answers=[EXCLUDED]), organs=True).verdict.value == "3"


def test_other_toxicity_of_grade_4_is_grade_4():
    values = [FEVER, value("TBIL", 10, on=-1), value("TBIL", 500, on=3)]
    assert proposed(course(*values, answers=[EXCLUDED]), organs=True).verdict.value == "4"


@pytest.mark.parametrize(
    "values",
    [
        [value("CREA", 300, on=-1), value("CREA", 300, on=3)],  # was there before
        [value("ANC", 3, on=-1), value("ANC", 0.1, on=3)],  # of the chemotherapy
        [value("CREA", 120, on=3)],  # grade 1
    ],
)
def test_what_is_not_new_or_not_of_an_organ_is_no_toxicity(values: list[object]):
    one = course(FEVER, *values, answers=[EXCLUDED])  # pyright: ignore[reportArgumentType]
    assert [sign.kind for sign in proposed(one, organs=True).signs] == ["fever"]


def test_infection_that_is_not_excluded_leaves_no_grade():
    one = proposed(course(FEVER, answers=[answer("CRS-INFECTION-EXCLUDED", "N")]))
    assert (one.verdict.value, one.verdict.missing) == ("", ("infection excluded by a clinician",))


def test_infection_of_which_nobody_spoke_is_named_as_assumed():
    assert proposed(course(FEVER)).verdict.assumed == ("infection excluded by a clinician",)


@pytest.mark.parametrize(("reported", "agrees"), [("1", True), ("2", False)])
def test_reported_grade_stands_beside_the_proposal(reported: str, agrees: bool):
    one = proposed(course(FEVER, answers=[EXCLUDED, answer("CRS-GRADE", reported)]))
    assert one.verdict.agrees is agrees


def test_infusion_whose_hour_is_not_known_begins_its_window_the_day_after():
    one = course(value("TEMP", 39.0, hour=14), value("TEMP", 38.5, on=1, hour=2), answers=[EXCLUDED])
    assert one.infusion is not None
    found = proposed(replace(one, infusion=replace(one.infusion, start=None)))
    assert found.onset is not None
    assert (found.onset.date(), found.early) == (day(1), None)
