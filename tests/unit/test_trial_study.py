from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.fhir import r4
from adapter.trial.study import load_study, subject_number, tie
from tests.store_stand import MAPPINGS, MRN, STUDY_RULES, SUBJECT

CORE = "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy"
OWN = "https://fhir.tli-trial.example.org/StructureDefinition/tli-research-study"
STUDY = {"reference": "ResearchStudy/tli-trial"}


@pytest.mark.parametrize(
    ("kind", "url"), [("Observation", CORE), ("Encounter", CORE), ("Condition", OWN), ("Specimen", OWN)]
)
def test_resource_carries_the_extension_that_r4_allows_on_its_type(kind: str, url: str):
    other = {"url": "https://example.org/other", "valueString": "kept"}
    tied = tie({"resourceType": kind, "id": "1", "extension": [other]}, STUDY_RULES)
    assert tied["extension"] == [other, {"url": url, "valueReference": STUDY}]


def test_types_with_an_element_of_their_own_use_it():
    assert tie({"resourceType": "AdverseEvent"}, STUDY_RULES)["study"] == [STUDY]
    assert tie({"resourceType": "ResearchSubject"}, STUDY_RULES)["study"] == STUDY


def test_type_that_cannot_say_so_is_left_alone():
    patient = {"resourceType": "Patient", "id": "1"}
    assert tie(patient, STUDY_RULES) is patient


@pytest.mark.parametrize("kind", ["Observation", "Condition", "AdverseEvent", "ResearchSubject"])
def test_tying_twice_is_tying_once(kind: str):
    tied = tie({"resourceType": kind, "id": "1"}, STUDY_RULES)
    assert tie(tied, STUDY_RULES) is tied


def test_resource_itself_is_not_changed():
    resource = {"resourceType": "Observation", "id": "1"}
    tie(resource, STUDY_RULES)
    assert resource == {"resourceType": "Observation", "id": "1"}


def test_number_is_found_among_a_patients_identifiers():
    identifiers = [{"system": MRN, "value": "1"}, {"system": SUBJECT, "value": "ATLI-901"}]
    assert subject_number({"identifier": identifiers}, STUDY_RULES) == "ATLI-901"
    assert subject_number({"identifier": identifiers[:1]}, STUDY_RULES) is None


def test_every_type_in_study_yaml_exists_in_r4():
    for kind in STUDY_RULES.extensions:
        assert r4.element(f"{kind}.extension").many
    for kind, (name, many) in STUDY_RULES.elements.items():
        assert r4.element(f"{kind}.{name}").many is many


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("study: ResearchStudy/", "study: Study/", "study"),
        ("members:", "member:", "member"),
        ("number: many", "number: some", "elements"),
        ("    - Task\n", "    - Task\n    - Specimen\n", "extensions"),
    ],
)
def test_wrong_study_yaml_is_refused_with_its_line(tmp_path: Path, old: str, new: str, key: str):
    text = (MAPPINGS / "study.yaml").read_text().replace(old, new)
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(MappingError) as refused:
        load_study(tmp_path)
    lines = text.splitlines()
    assert refused.value.line == 1 or lines[refused.value.line - 1].startswith(key)
