"""Laws of the trial's rules: worse values have no better grade, and the order of resources says nothing."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapter.trial.crs import propose
from adapter.trial.ctcae import events, grade
from adapter.trial.ctcae_rules import Term
from adapter.trial.days import protocol_day, study_day
from adapter.trial.gathering import Dossier, gather
from adapter.trial.gvhd import Organ
from adapter.trial.ipss import karyotype_risk
from adapter.trial.people import Person
from tests.trial_stand import CTCAE, DAY_0, GVHD, PARAMETERS, TERMS, answer, course, day, value

TERM = st.sampled_from(sorted(CTCAE.terms.values(), key=lambda one: one.name))
NUMBER = st.floats(0, 3000).map(lambda number: round(number, 2))
SMALL = st.integers(0, 60).map(lambda number: number / 10)
ANY = st.one_of(NUMBER, SMALL)


def falling(term: Term) -> bool:
    return term.grades[1][0].operator.startswith("<")


def graded(term: Term, number: float, comparator: str = "") -> int | None:
    return grade(value(term.measured, number, comparator=comparator), term)


@given(TERM, ANY, ANY)
def test_worse_value_has_no_better_grade(term: Term, one: float, other: float):
    better, worse = sorted([one, other], reverse=falling(term))
    lesser, greater = graded(term, better), graded(term, worse)
    assert lesser is not None
    assert greater is not None
    assert lesser <= greater


@given(TERM, ANY, st.sampled_from(["<", "<=", ">", ">="]), ANY)
def test_grade_of_a_value_known_by_one_side_holds_for_every_value_on_that_side(
    term: Term, limit: float, comparator: str, number: float
):
    certain = graded(term, limit, comparator)
    allowed = {"<": number < limit, "<=": number <= limit, ">": number > limit, ">=": number >= limit}[comparator]
    exact = graded(term, number)
    if certain is None or not allowed:
        return
    assert exact is not None
    assert exact >= certain
    assert certain or not exact


@given(TERM, ANY)
def test_grade_without_limits_is_never_another_than_the_grade_with_them(term: Term, number: float):
    without = grade(value(term.measured, number, limits=False), term)
    assert without in {None, graded(term, number)}


STAGES = st.dictionaries(st.sampled_from(["skin", "liver", "gut"]), st.integers(0, 4))


@given(st.sampled_from(sorted(GVHD.variants)), STAGES, st.sampled_from(["skin", "liver", "gut"]))
def test_higher_stage_of_an_organ_has_no_lower_overall_grade(name: str, stages: dict[Organ, int], organ: Organ):
    variant = GVHD.variants[name]
    order = ["0", *variant.grades]
    higher: dict[Organ, int] = {**stages, organ: min(4, stages.get(organ, 0) + 1)}
    assert order.index(variant.grade(higher)) >= order.index(variant.grade(stages))


@given(st.permutations(["-7", "+8", "del(5q)", "t(8;21)(q22;q22)"]), st.integers(0, 4))
def test_order_of_abnormalities_says_nothing(abnormalities: list[str], number: int):
    chosen = abnormalities[:number]
    texts = {",".join(["46", "XY", *one]) for one in (chosen, chosen[::-1])}
    assert len({karyotype_risk(text, PARAMETERS.ipss) for text in texts}) == 1


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 23), st.floats(36, 41)), min_size=1), st.floats(36, 41))
def test_another_reading_never_takes_a_crs_away(readings: list[tuple[int, int, float]], degrees: float):
    values = [value("TEMP", round(number, 1), on=on, hour=hour) for on, hour, number in readings]
    excluded = [answer("CRS-INFECTION-EXCLUDED", "Y")]
    before = propose(course(*values, answers=excluded), CTCAE, PARAMETERS.crs)
    after = propose(course(*values, value("TEMP", round(degrees, 1), hour=12), answers=excluded), CTCAE, PARAMETERS.crs)
    assert before is not None
    assert after is not None
    assert after.verdict.value >= before.verdict.value


@given(st.integers(-400, 400), st.integers(1, 30))
def test_days_keep_their_order_and_study_days_skip_0(number: int, later: int):
    one, other = day(number), day(number + later)
    assert protocol_day(other, DAY_0) - protocol_day(one, DAY_0) == later
    assert 0 not in {study_day(one, DAY_0), study_day(other, DAY_0)}
    assert study_day(one, DAY_0) < study_day(other, DAY_0)


UNITS = {key: unit for key, unit in TERMS.units.items() if key in {"ANC", "HGB", "CREA"}}
CODES = {key: code for code, key in TERMS.measured.items() if key in UNITS}
EPISODE = {
    "resourceType": "EpisodeOfCare",
    "id": "1",
    "status": "active",
    "type": [{"coding": [{"system": TERMS.systems["phase"], "code": "IND1"}]}],
    "period": {"start": day(-10).isoformat()},
}


def observation(identifier: int, key: str, number: float, on: int) -> dict[str, Any]:
    (system, code), low = CODES[key], value(key, 0).low
    return {
        "resourceType": "Observation",
        "id": str(identifier),
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        "valueQuantity": {"value": number, "code": UNITS[key]},
        "referenceRange": [{"low": {"value": low, "code": UNITS[key]}, "high": {"value": 97, "code": UNITS[key]}}],
        "effectiveDateTime": day(on).isoformat(),
    }


@given(st.data())
def test_order_of_resources_says_nothing(data: st.DataObject):
    rows = data.draw(st.lists(st.tuples(st.sampled_from(sorted(UNITS)), SMALL, st.integers(-10, 30)), max_size=12))
    resources = [EPISODE, *[observation(index, *row) for index, row in enumerate(rows)]]
    shuffled = data.draw(st.permutations(resources))
    registration: dict[str, Any] = {"resourceType": "ResearchSubject", "id": "1", "status": "on-study"}
    person = Person(({"resourceType": "Patient", "id": "1"},), "ATLI-901", "")
    [first], [second] = (gather(registration, Dossier(person, ones), TERMS).courses for ones in (resources, shuffled))
    assert first == second
    assert events(first, CTCAE) == events(second, CTCAE)


@given(st.lists(st.tuples(ANY, st.integers(-10, 30)), min_size=1))
def test_worst_grade_is_that_of_one_of_the_values_and_lies_in_its_days(rows: list[tuple[float, int]]):
    one = course(*[value("CREA", number, on=on) for number, on in rows])
    for found in events(one, CTCAE):
        assert found.grade == max(graded(CTCAE.terms["creatinine"], number) or 0 for number, _ in rows)
        assert found.onset <= min(worst.day for worst in found.worst)
        assert found.resolved is None or found.resolved > max(worst.day for worst in found.worst)
        assert set(found.worst) <= set(found.rests_on)
