from dataclasses import replace

from adapter.trial.derived import Derived, derive
from tests.trial_stand import INFUSION, RULES, course, day, subject


def courses(*found: Derived) -> dict[str, Derived]:
    return {fact.number: fact for fact in found if fact.code == "COURSE"}


def test_course_has_the_number_that_follows_from_its_beginning_and_the_day_of_its_infusion():
    first = course(infusion=None)
    second = course(phase="CSD1", number=2, infusion=replace(INFUSION, day=day(60)))
    facts = courses(*derive(subject(first, second), RULES))
    assert facts.keys() == {"IND1/COURSE", "CSD1/COURSE"}
    one, two = facts["IND1/COURSE"], facts["CSD1/COURSE"]
    assert (one.value, one.parts) == ({"valueInteger": 1}, {})
    assert (two.value, two.parts) == ({"valueInteger": 2}, {"DAY-0": {"valueDateTime": "2019-05-19"}})
    assert two.rests_on == ("EpisodeOfCare/1", "EpisodeOfCare/2", INFUSION.ref)


def test_course_of_which_the_beginning_is_not_known_has_no_number_yet():
    assert not courses(*derive(subject(replace(course(), start=None)), RULES))
