from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.trial.ctcae import events, grade, graded
from adapter.trial.ctcae_rules import load_ctcae
from adapter.trial.record import Measurement
from tests.trial_stand import CTCAE, MAPPINGS, course, day, value

TERM = {term.measured: term for term in CTCAE.terms.values()}


def grade_of(one: Measurement) -> int | None:
    return grade(one, TERM[one.key])


@pytest.mark.parametrize(
    ("key", "number", "expected"),
    [
        *[("ANC", 2.0, 0), ("ANC", 1.99, 1), ("ANC", 1.5, 1), ("ANC", 1.49, 2), ("ANC", 1.0, 2), ("ANC", 0.99, 3)],
        *[("ANC", 0.5, 3), ("ANC", 0.49, 4), ("ANC", 0.0, 4)],
        *[("PLT", 125, 0), ("PLT", 124, 1), ("PLT", 75, 1), ("PLT", 74, 2), ("PLT", 50, 2), ("PLT", 49, 3)],
        *[("PLT", 25, 3), ("PLT", 24, 4)],
        *[("HGB", 130, 0), ("HGB", 100, 1), ("HGB", 99, 2), ("HGB", 80, 2), ("HGB", 79, 3), ("HGB", 65, 3)],
        ("HGB", 64, 4),
        *[("WBC", 4.0, 0), ("WBC", 3.0, 1), ("WBC", 2.0, 2), ("WBC", 1.0, 3), ("WBC", 0.99, 4)],
        *[("LYMPH", 1.1, 0), ("LYMPH", 0.8, 1), ("LYMPH", 0.5, 2), ("LYMPH", 0.2, 3), ("LYMPH", 0.19, 4)],
        *[("APTT", 37, 0), ("APTT", 37.1, 1), ("APTT", 55.5, 1), ("APTT", 55.6, 2), ("APTT", 74, 2), ("APTT", 74.1, 3)],
        *[("INR", 1.2, 0), ("INR", 1.8, 1), ("INR", 1.81, 2), ("INR", 2.4, 2), ("INR", 2.41, 3)],
        *[("FIB", 2.0, 0), ("FIB", 1.5, 1), ("FIB", 1.49, 2), ("FIB", 1.0, 2), ("FIB", 0.99, 3), ("FIB", 0.5, 3)],
        ("FIB", 0.49, 4),
        *[("CREA", 97, 0), ("CREA", 145.5, 1), ("CREA", 291, 2), ("CREA", 582, 3), ("CREA", 582.1, 4)],
        *[("TBIL", 23, 0), ("TBIL", 34.5, 1), ("TBIL", 69, 2), ("TBIL", 230, 3), ("TBIL", 230.1, 4)],
        *[("ALT", 50, 0), ("ALT", 125, 1), ("ALT", 126, 2), ("ALT", 250, 2), ("ALT", 1000, 3), ("ALT", 1001, 4)],
        *[("AST", 40, 0), ("AST", 100, 1), ("AST", 200, 2), ("AST", 800, 3), ("AST", 801, 4)],
        *[("ALP", 125, 0), ("ALP", 312.5, 1), ("ALP", 625, 2), ("ALP", 2500, 3), ("ALP", 2501, 4)],
        *[("TEMP", 37.9, 0), ("TEMP", 38.0, 1), ("TEMP", 39.0, 1), ("TEMP", 39.1, 2), ("TEMP", 40.0, 2)],
        ("TEMP", 40.1, 3),
    ],
)
def test_value_at_a_bound_has_the_grade_of_ctcae_3(key: str, number: float, expected: int):
    assert grade_of(value(key, number)) == expected


@pytest.mark.parametrize(("number", "expected"), [(1.2, 2), (0.7, 3), (0.3, 4), (1.8, None), (3.0, None)])
def test_without_limits_of_the_laboratory_only_absolute_grades_are_told(number: float, expected: int | None):
    assert grade_of(value("ANC", number, limits=False)) == expected


def test_term_by_multiples_has_no_grade_without_limits():
    assert grade_of(value("ALT", 5000, limits=False)) is None


@pytest.mark.parametrize(
    ("key", "comparator", "number", "expected"),
    [
        ("ANC", "<", 0.5, 4),  # below the bound, wherever
        ("ANC", "<=", 0.5, 3),  # perhaps just 0.5
        ("ANC", "<", 0.7, 3),  # perhaps below 0.5
        ("ANC", "<", 2.5, None),
        ("ANC", ">", 2.0, 0),
        ("ANC", ">=", 2.0, 0),
        ("ANC", ">", 1.0, None),
        ("ALT", ">", 1000, 4),
        ("ALT", ">=", 1000, 3),
        ("ALT", ">", 30, None),
        ("ALT", "<", 50, 0),
        ("ALT", "<", 60, None),
        ("ALT", "~", 60, None),
    ],
)
def test_value_known_by_one_side_has_the_grade_that_is_certain(
    key: str, comparator: str, number: float, expected: int | None
):
    assert grade_of(value(key, number, comparator=comparator)) == expected


def test_worst_grade_of_a_course_bears_onset_resolution_and_values():
    values = [value("CREA", one, on=on) for on, one in [(-10, 80), (0, 120), (3, 200), (7, 110), (10, 90), (14, 80)]]
    [one] = events(course(*values), CTCAE)
    assert one.code == "RENAL"
    assert (one.grade, one.baseline, one.onset, one.resolved) == (2, 0, day(0), day(10))
    assert one.worst == (values[2],)
    assert one.rests_on == tuple(values)


def test_grade_that_does_not_go_back_is_not_resolved():
    [one] = events(course(value("CREA", 80, on=-10), value("CREA", 120, on=3)), CTCAE)
    assert one.resolved is None


def test_course_without_grades_has_no_toxicity():
    assert events(course(value("CREA", 80), value("ALT", 20)), CTCAE) == ()


def test_liver_is_the_worst_of_its_terms():
    values = [value("ALT", 60, on=3), value("AST", 20, on=3), value("TBIL", 100, on=5)]
    [one] = events(course(*values), CTCAE)
    assert (one.code, one.grade, one.onset) == ("LIVER", 3, day(3))


@pytest.mark.parametrize(("later", "expected"), [(95, []), (85, []), (79, [3]), (60, [4])])
def test_anaemia_counts_where_it_is_worse_than_on_the_first_day(later: float, expected: list[int]):
    found = events(course(value("HGB", 90, on=-10), value("HGB", later, on=3)), CTCAE)
    assert [one.grade for one in found] == expected


def test_neutropenia_is_reported_from_grade_3_on():
    values = [value("ANC", 1.8, on=-10), value("ANC", 1.2, on=-9), value("ANC", 0.9, on=-5), value("ANC", 0.2, on=3)]
    [one] = events(course(*values), CTCAE)
    assert (one.code, one.grade, one.onset) == ("NEUTROPENIA", 4, day(-5))
    assert events(course(*values[:2]), CTCAE) == ()


@pytest.mark.parametrize(
    ("decrease", "expected"), [("never", [0, 0, 1]), ("when-low", [0, 0, 3]), ("always", [0, 2, 3])]
)
def test_decrease_of_fibrinogen_counts_as_the_parameter_says(decrease: str, expected: list[int]):
    rules = load_ctcae(MAPPINGS, decrease)  # pyright: ignore[reportArgumentType]
    values = [value("FIB", 4.0, on=-10), value("FIB", 3.0, on=0), value("FIB", 1.8, on=3)]
    assert [one for one, _ in graded(course(*values), rules.terms["fibrinogen"], rules)] == expected


def test_fever_above_40_for_more_than_a_day_is_grade_4():
    hours = [(0, 40.5), (12, 40.2), (24, 40.1), (25, 40.3)]
    values = [value("TEMP", one, hour=hour) for hour, one in hours]
    assert [one for one, _ in graded(course(*values), CTCAE.terms["fever"], CTCAE)] == [3, 3, 3, 4]


def test_fever_that_was_down_between_begins_again():
    values = [value("TEMP", one, hour=hour) for hour, one in [(0, 40.5), (12, 39.9), (30, 40.2)]]
    assert [one for one, _ in graded(course(*values), CTCAE.terms["fever"], CTCAE)] == [3, 2, 3]


@pytest.mark.parametrize(("neutrophils", "expected"), [(0.99, []), (1.0, [2])])
def test_fever_in_neutropenia_is_not_this_term(neutrophils: float, expected: list[int]):
    values = [value("ANC", neutrophils, on=-1), value("TEMP", 39.5)]
    assert [one for one, _ in graded(course(*values), CTCAE.terms["fever"], CTCAE)] == expected


def rewritten(tmp_path: Path, old: str, new: str) -> Path:
    (tmp_path / "trial").mkdir()
    text = (MAPPINGS / "trial" / "ctcae-v3.yaml").read_text("utf-8")
    assert old in text
    (tmp_path / "trial" / "ctcae-v3.yaml").write_text(text.replace(old, new), "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("PTT: {terms: [ptt]}", "PTT: {terms: [pt]}", "'pt' is no term here"),
        ('1: ["< LLN"], 2: ["< 1.5"]', '1: ["below LLN"], 2: ["< 1.5"]', "'below LLN' is no bound"),
        ('4: ["< 65"]', '5: ["< 65"]', "less than or equal to 4"),
        ("version:", "edition: 1\nversion:", "edition"),
    ],
)
def test_mistake_in_the_terms_stops_the_start_with_what_is_wrong(tmp_path: Path, old: str, new: str, says: str):
    with pytest.raises(MappingError, match=says):
        load_ctcae(rewritten(tmp_path, old, new), "never")
