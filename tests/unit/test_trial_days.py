from datetime import date

import pytest

from adapter.trial.days import protocol_day, study_day
from tests.trial_stand import DAY_0, day


def test_infusion_is_day_0_of_the_protocol_and_the_day_before_is_minus_1():
    assert [protocol_day(day(one), DAY_0) for one in (-10, -1, 0, 1, 7)] == [-10, -1, 0, 1, 7]


@pytest.mark.parametrize(
    ("text", "expected"), [("2019-03-18", -2), ("2019-03-19", -1), ("2019-03-20", 1), ("2019-03-21", 2)]
)
def test_study_day_of_sdtm_has_no_day_0(text: str, expected: int):
    assert study_day(date.fromisoformat(text), DAY_0) == expected
