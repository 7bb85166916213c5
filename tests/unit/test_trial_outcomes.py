from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from adapter.trial.derived import derive
from adapter.trial.outcomes import Time, early_mortality, non_relapse_mortality
from adapter.trial.record import Statement, Subject
from tests.trial_stand import RULES, course, day, subject

FIRST = day(-10)
DIAGNOSED = FIRST - timedelta(days=5)


def told(key: str, days: int) -> Statement:
    """A dated answer, so many days after the first chemotherapy."""
    return Statement(f"Observation/{key}", key, None, (FIRST + timedelta(days=days)).isoformat())


def category(text: str) -> Statement:
    return Statement("Observation/DEATH-CATEGORY", "DEATH-CATEGORY", None, text)


def of(answers: Iterable[Statement]) -> Subject:
    return replace(subject(course(), answers=answers), diagnosed=DIAGNOSED, diagnosis="Condition/1")


def both(*answers: Statement) -> tuple[tuple[int, int], tuple[int, int]]:
    """Days and cause of early mortality, and of non-relapse mortality."""
    early, late = early_mortality(of(answers)), non_relapse_mortality(of(answers), DIAGNOSED)
    assert early
    assert late
    return (early.days, early.cause), (late.days, late.cause)


def test_death_on_day_40_without_relapse_is_of_the_treatment():
    assert both(told("DEATH-DATE", 40), category("NRM")) == ((40, 1), (45, 1))
    assert both(told("DEATH-DATE", 40)) == ((40, 1), (45, 1))


def test_death_on_day_40_after_relapse_or_progression_is_preceded_by_them():
    assert both(told("RELAPSE", 30), told("DEATH-DATE", 40)) == ((30, 2), (35, 2))
    assert both(told("PROGRESSION", 40), told("DEATH-DATE", 40)) == ((40, 2), (45, 2))


def test_death_of_the_disease_that_nobody_called_relapse_is_a_competing_event():
    assert both(told("DEATH-DATE", 40), category("disease")) == ((40, 2), (45, 2))


def test_subject_who_is_alive_is_censored_and_for_early_mortality_at_60_days():
    assert both(told("LAST-CONTACT", 400)) == ((60, 0), (405, 0))
    assert both(told("LAST-CONTACT", 30)) == ((30, 0), (35, 0))


@pytest.mark.parametrize(("days", "expected"), [(60, (60, 1)), (61, (60, 0))])
def test_early_is_up_to_day_60_of_chemotherapy(days: int, expected: tuple[int, int]):
    assert both(told("DEATH-DATE", days)) == (expected, (days + 5, 1))


def test_other_therapy_ends_non_relapse_mortality_but_not_the_count_of_early_deaths():
    assert both(told("NEWTX", 20), told("DEATH-DATE", 40)) == ((40, 1), (25, 0))


def test_without_course_or_follow_up_there_is_no_time():
    assert early_mortality(of(())) is None
    assert early_mortality(replace(of([told("DEATH-DATE", 40)]), courses=())) is None
    assert non_relapse_mortality(of(()), DIAGNOSED) is None
    assert non_relapse_mortality(of([told("DEATH-DATE", 40)]), None) is None


def test_times_name_the_course_the_diagnosis_and_the_answers_that_they_rest_on():
    one = of([told("DEATH-DATE", 40), category("NRM")])
    answers = ("Observation/DEATH-DATE", "Observation/DEATH-CATEGORY")
    assert early_mortality(one) == Time(40, 1, ("EpisodeOfCare/1", *answers))
    assert non_relapse_mortality(one, DIAGNOSED) == Time(45, 1, ("Condition/1", *answers))


def test_both_are_derived_with_what_ended_them():
    facts = {fact.code: fact for fact in derive(of([told("DEATH-DATE", 40)]), RULES)}
    for code, days in (("TRM60", 40), ("NRM", 45)):
        assert facts[code].value["valueQuantity"]["value"] == days
        parts = facts[code].parts
        assert parts
        assert parts["ENDED-BY"]["valueCodeableConcept"]["coding"][0]["code"] == "EVENT"
