from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.trial.gvhd import Gut, Organ, Skin, graded, gut_stage, liver_stage, load_gvhd, skin_stage
from adapter.trial.record import Event
from tests.trial_stand import GVHD, MAPPINGS, PARAMETERS, answer, course, day, value

AGVHD = Event("AdverseEvent/1", "AGVHD", 3, day(11), None, serious=True)


@pytest.mark.parametrize(
    ("bilirubin", "expected"), [(33.9, 0), (34, 1), (50.9, 1), (51, 2), (102, 2), (103, 3), (255, 3), (255.1, 4)]
)
def test_liver_is_staged_by_bilirubin(bilirubin: float, expected: int):
    assert liver_stage(bilirubin, GVHD) == expected


@pytest.mark.parametrize(
    ("skin", "expected"),
    [
        *[(Skin(0), 0), (Skin(1), 1), (Skin(24.9), 1), (Skin(25), 2), (Skin(50), 2), (Skin(50.1), 3)],
        *[(Skin(0, erythroderma=True), 3), (Skin(10, bullae=True), 4)],
    ],
)
def test_skin_is_staged_by_its_surface_and_kind(skin: Skin, expected: int):
    assert skin_stage(skin, GVHD) == expected


@pytest.mark.parametrize(
    ("gut", "expected"),
    [
        *[(Gut(499), 0), (Gut(500), 1), (Gut(999), 1), (Gut(1000), 2), (Gut(1500), 2), (Gut(1501), 3)],
        *[(Gut(0, nausea_proven=True), 1), (Gut(0, severe_pain=True), 4), (Gut(0, blood=True), 4)],
    ],
)
def test_gut_is_staged_by_volume_and_signs(gut: Gut, expected: int):
    assert gut_stage(gut, GVHD) == expected


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


def test_table_without_an_organ_stops_the_start(tmp_path: Path):
    (tmp_path / "trial").mkdir()
    text = (MAPPINGS / "trial" / "gvhd.yaml").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("  gut: ")]
    (tmp_path / "trial" / "gvhd.yaml").write_text("\n".join(lines), "utf-8")
    with pytest.raises(MappingError, match="skin, liver and gut"):
        load_gvhd(tmp_path, PARAMETERS.gvhd)
