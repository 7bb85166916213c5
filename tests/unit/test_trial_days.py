from dataclasses import replace
from datetime import date

import pytest

from adapter.trial.days import after_chemotherapy, protocol_day, study_day, visit_label
from tests.trial_stand import DAY_0, course, day


def test_infusion_is_day_0_of_the_protocol_and_the_day_before_is_minus_1():
    assert [protocol_day(day(one), DAY_0) for one in (-10, -1, 0, 1, 7)] == [-10, -1, 0, 1, 7]


@pytest.mark.parametrize(
    ("text", "expected"), [("2019-03-18", -2), ("2019-03-19", -1), ("2019-03-20", 1), ("2019-03-21", 2)]
)
def test_study_day_of_sdtm_has_no_day_0(text: str, expected: int):
    assert study_day(date.fromisoformat(text), DAY_0) == expected


def test_days_after_chemotherapy_count_from_the_day_before_the_infusion():
    assert after_chemotherapy(day(-1), DAY_0) == 0
    assert after_chemotherapy(day(7), DAY_0) == 8


def test_visit_is_named_by_course_and_day():
    assert visit_label(course(number=2), day(-10)) == "C2D-10"
    assert visit_label(course(number=1), DAY_0) == "C1D0"


def test_visit_of_a_course_without_infusion_has_no_name():
    assert not visit_label(replace(course(), infusion=None), day(3))
