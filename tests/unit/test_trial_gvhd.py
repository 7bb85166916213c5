from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.trial.gvhd import Organ, graded, liver_stage, load_gvhd
from adapter.trial.record import Event
from tests.trial_stand import GVHD, MAPPINGS, PARAMETERS, answer, course, day, value

AGVHD = Event("AdverseEvent/1", "AGVHD", 3, day(11), None, serious=True)


@pytest.mark.parametrize(
    ("bilirubin", "expected"), [(33.9, 0), (34, 1), (50.9, 1), (51, 2), (102, 2), (103, 3), (255, 3), (255.1, 4)]
)
def test_liver_is_staged_by_bilirubin(bilirubin: float, expected: int):
    assert liver_stage(bilirubin, GVHD) == expected


@pytest.mark.parametrize(
    ("stages", "consensus", "bloodref", "ibmtr"),
    [
        ({}, "0", "0", "0"),
        ({"skin": 1}, "1", "1", "A"),
        ({"skin": 2}, "1", "1", "B"),
        ({"skin": 3}, "2", "2", "C"),
        ({"liver": 1}, "2", "2", "B"),
        ({"gut": 1}, "2", "2", "B"),
        ({"liver": 2}, "3", "3", "B"),
        ({"gut": 3}, "3", "3", "C"),
        ({"liver": 4}, "4", "3", "D"),
        ({"gut": 4}, "3", "4", "D"),
        ({"skin": 4}, "4", "4", "D"),
        ({"skin": 3, "liver": 2, "gut": 3}, "3", "3", "C"),  # the published case: III and C under every table
    ],
)
def test_overall_grade_is_that_of_the_table(stages: dict[Organ, int], consensus: str, bloodref: str, ibmtr: str):
    grades = [GVHD.variants[name].grade(stages) for name in ("glucksberg-consensus", "glucksberg-bloodref", "ibmtr")]
    assert grades == [consensus, bloodref, ibmtr]


def test_reported_gvhd_is_graded_by_the_liver_as_far_as_the_record_tells():
    values = [value("TBIL", 300, on=3), value("TBIL", 60, on=11), value("TBIL", 80, on=13)]
    found = graded(course(*values, events=[AGVHD], answers=[answer("GVHD-GRADE", "3")]), GVHD, PARAMETERS.gvhd)
    assert found is not None
    assert (found.value, found.agrees, found.rests_on) == ("3", True, (values[2].ref,))
    assert len(found.assumed) == 2


@pytest.mark.parametrize(
    ("stated", "expected", "assumed"),
    [
        ([("GVHD-SKIN", "3")], "2", 1),
        ([("GVHD-SKIN", "3"), ("GVHD-GUT", "2")], "3", 0),
        ([("GVHD-SKIN", "4"), ("GVHD-GUT", "unknown")], "4", 1),
    ],
)
def test_stages_that_a_clinician_states_count_beside_the_liver(
    stated: list[tuple[str, str]], expected: str, assumed: int
):
    one = course(value("TBIL", 40, on=13), events=[AGVHD], answers=[answer(*said, on=12) for said in stated])
    found = graded(one, GVHD, PARAMETERS.gvhd)
    assert found is not None
    assert (found.value, len(found.assumed)) == (expected, assumed)
    assert {f"Observation/{key}" for key, text in stated if text.isdecimal()} < set(found.rests_on)


def test_stated_stages_alone_give_a_grade_that_says_what_is_missing():
    found = graded(course(events=[AGVHD], answers=[answer("GVHD-SKIN", "3", on=12)]), GVHD, PARAMETERS.gvhd)
    assert found is not None
    assert found.value == "2"
    assert [one.partition(" gives")[0] for one in found.assumed] == ["stage of the gut", "bilirubin since the onset"]


def test_grade_of_another_scale_is_not_compared():
    index = PARAMETERS.gvhd.model_copy(update={"variant": "ibmtr"})
    one = course(value("TBIL", 80, on=13), events=[AGVHD], answers=[answer("GVHD-GRADE", "3")])
    found = graded(one, GVHD, index)
    assert found is not None
    assert (found.value, found.reported) == ("B", None)


def test_bilirubin_alone_is_no_gvhd():
    assert graded(course(value("TBIL", 300, on=13)), GVHD, PARAMETERS.gvhd) is None


def test_gvhd_without_bilirubin_has_no_computed_grade():
    found = graded(course(value("TBIL", 80, on=3), events=[AGVHD]), GVHD, PARAMETERS.gvhd)
    assert found is not None
    assert (found.value, found.missing[-1]) == ("", "bilirubin since the onset")


def test_variant_that_is_not_there_stops_the_start():
    with pytest.raises(MappingError, match="there is no variant 'nih'"):
        load_gvhd(MAPPINGS, PARAMETERS.gvhd.model_copy(update={"variant": "nih"}))


def test_table_without_the_liver_stops_the_start(tmp_path: Path):
    (tmp_path / "trial").mkdir()
    text = (MAPPINGS / "trial" / "gvhd.yaml").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("liver: ")]
    (tmp_path / "trial" / "gvhd.yaml").write_text("\n".join(lines), "utf-8")
    with pytest.raises(MappingError, match="liver"):
        load_gvhd(tmp_path, PARAMETERS.gvhd)
